"""Whether a list of features makes a classroom: what an extension object is given is looked at when it is made.

Imports events and features.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .events import Feature
from .explained import nearest
from .features import FEATURES

#: Without these nobody comes in, and nobody stays.
CORE = ("connection", "membership")


def checked(features: Iterable[Any]) -> tuple[Feature, ...]:
    """The features as they are.

    :raises TypeError: something is no feature.
    :raises ValueError: two have one name, or one event; one that is left out is needed.
    """
    if isinstance(features, str | Feature) or not isinstance(features, Iterable):
        raise TypeError("features is a list of features: ClassWaves(features=[*FEATURES, poll])")
    found = tuple(features)
    by_name: dict[str, Feature] = {}
    by_event: dict[str, str] = {}
    for one in found:
        if not isinstance(one, Feature):
            raise TypeError(f"features has {one!r} in it, which is no Feature.{_hint(one)}")
        if one.name in by_name:
            raise ValueError(
                f"the feature {one.name} is there twice; leave one of them out: "
                f"[feature for feature in FEATURES if feature.name != {one.name!r}]"
            )
        by_name[one.name] = one
        for event in one.events:
            if event.name in by_event:
                raise ValueError(
                    f"the event {event.name} is in two features, {by_event[event.name]} and {one.name}; "
                    f"give it another name, or leave {by_event[event.name]} out"
                )
            by_event[event.name] = one.name
    for name in CORE:
        if name not in by_name:
            raise ValueError(f"the feature {name} is left out, without which nobody comes in; add it to features")
    for one in found:
        for name in one.needs:
            if name not in by_name:
                raise ValueError(f"the feature {one.name} needs {name}, which is left out; add it, or leave both out")
    return found


def _hint(one: Any) -> str:
    names = {feature.name for feature in FEATURES}
    if isinstance(one, str):
        near = one if one in names else ""
        return f" Give the object: from classwaves.features import {near}" if near else nearest(one, names)
    return ""
