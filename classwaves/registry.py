"""What a shop registers on its extension object: events and rules of its own. What is wrong with one is said at once.

Imports features, the pipeline and what handlers of a shop get. One object may serve several applications: each has a
pipeline of its own, which knows what was registered here.
"""

from __future__ import annotations

import inspect
import logging
import re
import types
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from marshmallow import RAISE, Schema

from .declared import Numbered
from .errors import ClassWavesError, StaleFence
from .events import Context, Event, Feature, Handler, Permit
from .explained import check_takes, nearest
from .payloads import KEY, client_message_id, session_code
from .pipeline import Pipeline
from .published import TAKEN
from .readers import rate, rate_items
from .rules import CONNECTED, RULES
from .shopcontext import AUDIENCE_NAMES, EventContext

logger = logging.getLogger(__name__)

ShopHandler = Callable[[EventContext, dict[str, Any]], dict[str, Any] | None]
ShopRule = Callable[[EventContext, dict[str, Any]], bool]
#: Whether somebody may send an event, asked after the rule of that event: it forbids more, and never allows more.
Policy = Callable[[EventContext, str, dict[str, Any]], bool]

NAME = re.compile(r"[a-z][A-Za-z0-9]{0,63}")
#: The fields that every event of a shop has beside those of its schema.
COMMON = ("sessionCode", KEY)


class Registry:
    """The events and rules of one extension object.

    :param features: what else the object's applications have.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        self._features = tuple(features)
        self._rules: dict[str, ShopRule] = {}
        self._policy: Policy | None = None
        #: What is registered here, as a feature that every application has.
        self.own = Feature("shop")
        self._pipelines: weakref.WeakSet[Pipeline] = weakref.WeakSet()

    def serve(self, pipeline: Pipeline) -> None:
        """Have a pipeline, which knows the events so far, know those that are still to come."""
        self._pipelines.add(pipeline)

    @property
    def policy(self) -> Policy | None:
        return self._policy

    @policy.setter
    def policy(self, policy: Policy | None) -> None:
        """:raises TypeError: it is no function of a context, a name and data. :raises RuntimeError: there is one."""
        if policy is not None:
            check_takes(policy, "the policy", "ctx", "event", "data")
            if self._policy is not None:
                raise RuntimeError("there is a policy already; ask both questions in one")
            self._policy = policy

    def permits(self, context: Context, data: dict[str, Any]) -> None:
        """Ask the policy. :raises ClassWavesError: ``FORBIDDEN``, or what the policy has raised."""
        if self._policy is None or _allows(self._policy, context, data):
            return
        raise ClassWavesError("FORBIDDEN", details={"reason": "policy"})

    def add_rule(self, name: str, rule: ShopRule) -> None:
        """:raises TypeError: it is no function of a context and data. :raises ValueError: the name will not do."""
        check_takes(rule, f"the rule {name}", "ctx", "data")
        if not name.isidentifier():
            raise ValueError(f"{name!r} is no name of a rule; give it one: @classwaves.rule('mayDraw')")
        if name in RULES or name in self._rules:
            whose = "a rule of ClassWaves" if name in RULES else "a rule already"
            raise ValueError(f"{name} is {whose}; choose another name: @classwaves.rule('…')")
        self._rules[name] = rule

    def add_event(
        self,
        name: str,
        handler: ShopHandler,
        *,
        schema: type[Schema],
        allow: str,
        limit: str,
        audience: str,
        active: bool,
        reads: bool,
        publishes: Mapping[str, type[Schema] | None],
    ) -> None:
        """Register an event; :meth:`check` has found nothing wrong with what is said of it.

        :raises TypeError: the handler cannot be called with a context and data.
        :raises RuntimeError: applications serve already.
        """
        check_takes(handler, f"the handler of {name}", "ctx", "data")
        self._check_free(name)  # again: the decorator may be kept and used twice
        if any(pipeline.used for pipeline in self._pipelines):
            raise RuntimeError(
                f"{name} comes too late: an event was handled already, and other workers would not know this one. "
                "Import the module that registers it before the application serves"
            )
        event = Event(
            name,
            composed(schema)(),
            allow,
            _run(handler, audience, reads),
            reads=reads,
            active=active,
            permits=_permit(allow, self._rules[allow]) if allow in self._rules else None,
            limit=limit,
        )
        for pipeline in self._pipelines:
            pipeline.add(event)
        self.own.events.append(event)
        known = {sent.name for sent in self.own.sent}
        for told, shape in publishes.items():
            if told not in known:
                self.own.sends(told, _sent(shape), AUDIENCE_NAMES[audience])

    def check(
        self,
        name: Any,
        schema: Any,
        allow: Any,
        limit: Any,
        audience: Any,
        flags: Mapping[str, Any],
        publishes: Any,
    ) -> None:
        """Say what is wrong with what is said of an event.

        :raises TypeError: something is of the wrong kind.
        :raises ValueError: something is unknown, or taken.
        """
        if not isinstance(name, str):
            raise TypeError("an event has a name: @classwaves.event('boardStroke', schema=…, allow=…)")
        self._check_free(name)
        _check_schema(name, schema)
        _check_common(name, schema)
        self._check_allow(name, allow)
        _check_limit(name, limit)
        if not isinstance(audience, str) or audience not in AUDIENCE_NAMES:
            near = nearest(str(audience), AUDIENCE_NAMES)
            raise ValueError(f"{name}: audience={audience!r} is none of {', '.join(AUDIENCE_NAMES)}.{near}")
        if audience == "user":
            raise ValueError(f"{name}: audience='user' needs user ids; give them to ctx.publish(…, members=[…])")
        if audience == "group" and not any(feature.name == "groups" for feature in self._features):
            raise ValueError(f"{name}: audience='group' needs the feature groups; add it to features=[…]")
        for flag, value in flags.items():
            if not isinstance(value, bool):
                raise TypeError(f"{name}: {flag}={value!r} is neither True nor False")
        if publishes is None:
            return
        if not isinstance(publishes, Mapping):
            raise TypeError(
                f"{name}: publishes={publishes!r} does not say what the events have; "
                "give their schemas by their names: publishes={'boardStroked': StrokedSchema}, or None for one"
            )
        if publishes and flags["reads"]:
            raise ValueError(f"{name}: with reads=True it publishes nothing; leave out reads or publishes")
        for told, shape in publishes.items():
            _check_form(told, "publishes")
            if told in TAKEN:
                raise ValueError(f"{name}: it cannot publish {told}, an event of ClassWaves; choose another name")
            if shape is not None:
                _check_schema(told, shape)

    def _check_free(self, name: str) -> None:
        _check_form(name, "event")
        taken = {event.name for feature in self._features for event in feature.events}
        if name in TAKEN:
            raise ValueError(f"{name} is what ClassWaves or Socket.IO itself sends; choose another name for your event")
        if name in taken:
            raise ValueError(
                f"{name} is an event of ClassWaves; choose another name, "
                "or replace the feature that has it: ClassWaves(features=[…])"
            )
        if any(event.name == name for event in self.own.events):
            raise ValueError(f"{name} is registered already; choose another name for the second one")

    def _check_allow(self, name: str, allow: Any) -> None:
        names = [one for one in (*RULES, *self._rules) if one != CONNECTED]
        if allow == CONNECTED:
            raise ValueError(f"{name}: your events are about a session that one has joined; say allow='participant'")
        if not isinstance(allow, str):
            raise TypeError(f"{name}: allow is the name of a rule, one of {', '.join(names)}; see @classwaves.rule")
        if allow not in names:
            near = nearest(allow, names)
            raise ValueError(
                f"{name}: there is no rule {allow}.{near} The rules are {', '.join(names)}; "
                "register your own with @classwaves.rule before the event"
            )


def _check_form(name: Any, what: str) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(
            f"{what}: {name!r} is no name of an event: write it in camelCase, such as boardStroke, "
            "with letters and digits only"
        )


def _check_schema(name: str, schema: Any) -> None:
    if isinstance(schema, Schema):
        raise TypeError(f"{name}: give the class {type(schema).__name__} as schema, not an object of it")
    if not (isinstance(schema, type) and issubclass(schema, Schema)):
        raise TypeError(f"{name}: schema={schema!r} is no marshmallow schema; give a class that is derived from Schema")
    for field, one in schema._declared_fields.items():
        if field not in COMMON and one.data_key in COMMON:
            whose = f"{schema.__name__}.{field}"
            raise ValueError(f"{name}: {whose} reads {one.data_key}, which every event has; leave it out")


def _check_common(name: str, schema: type[Schema]) -> None:
    """Make one, as a start of the server would, to see that it has the fields that every event has."""
    try:
        fields = composed(schema)().load_fields
    except Exception as error:
        raise TypeError(f"{name}: the schema {schema.__name__} cannot be made without arguments: {error}") from error
    if lacking := [one for one in COMMON if one not in fields]:
        raise ValueError(
            f"{name}: the Meta of {schema.__name__} leaves out {' and '.join(lacking)}, which every event has; "
            "take them out of its exclude and dump_only, and let it have no fields"
        )


def _check_limit(name: str, limit: Any) -> None:
    if limit:
        try:
            amounts = [amount for amount, _ in rate_items(rate(limit))]
        except ValueError as error:
            raise ValueError(f"{name}: limit={limit!r}: it {error}") from None
        if 0 in amounts:
            raise ValueError(f"{name}: limit={limit!r} would let nobody send it; allow 1 or more")


def composed(schema: type[Schema]) -> type[Schema]:
    """A shop's schema with the fields that every event has, and without tolerance for unknown ones."""
    meta = type("Meta", (schema.Meta,), {"unknown": RAISE, "register": False})
    common = {"sessionCode": session_code(), KEY: client_message_id(), "Meta": meta}
    made: type[Schema] = types.new_class(schema.__name__, (schema,), exec_body=lambda body: body.update(common))
    return made


def _sent(schema: type[Schema] | None) -> type[Schema]:
    """What clients get of what a schema describes: with what delivery adds."""
    if schema is None:
        return Numbered
    meta = type("Meta", (schema.Meta,), {"register": False})
    made: type[Schema] = types.new_class(
        schema.__name__, (schema, Numbered), exec_body=lambda body: body.update(Meta=meta)
    )
    return made


def _run(handler: ShopHandler, audience: str, reads: bool) -> Handler:
    """What the pipeline calls: the shop's function, with the context that is for shops, and a payload of its own."""

    def run(context: Context, data: dict[str, Any]) -> dict[str, Any] | None:
        ctx = EventContext(context, audience, "it was registered with reads=True; leave that out" if reads else "")
        try:
            answer = handler(ctx, _given(context, data))
        except Exception:
            ctx.settle(None)  # a fence that has moved comes before whatever the handler has made of it
            raise
        return ctx.settle(answer)

    run.__doc__ = inspect.getdoc(handler)
    return run


def _permit(name: str, rule: ShopRule) -> Permit:
    """A shop's rule as the pipeline asks it. What goes wrong in it forbids."""

    def permit(context: Context, data: dict[str, Any]) -> bool:
        try:
            return rule(EventContext(context, mute="a rule only says who may"), _given(context, data)) is True
        except (ClassWavesError, StaleFence):
            raise
        except Exception:
            logger.exception("the rule %s failed, and nobody was allowed anything by it", name)
            return False

    return permit


def _given(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """The payload for one run: what it changes in it does not reach the next one. The code is the canonical one."""
    return {**data, "sessionCode": context.live.record.code}


def _allows(policy: Policy, context: Context, data: dict[str, Any]) -> bool:
    """What a policy says. What goes wrong in it forbids."""
    try:
        ctx = EventContext(context, mute="a policy only says who may")
        return policy(ctx, context.event.name, _given(context, data)) is True
    except (ClassWavesError, StaleFence):
        raise
    except Exception:
        logger.exception("the policy failed, and nobody was allowed anything by it")
        return False
