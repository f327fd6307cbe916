"""Final captions as files: WebVTT (W3C), SubRip and plain text. Imports nothing of the package.

A caption is what ``transcriptionUpdate`` has, with ``speaker``, a name to be shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Caption = Mapping[str, Any]

#: What SubRip, which knows no escapes, would take for the times of a cue. Looked for at the first dash only: from
#: each of thousands of them it would take seconds.
ARROW = re.compile("(?<!-)--+>")


def in_order(captions: Iterable[Caption]) -> list[Caption]:
    """Captions by when they begin, those of the same moment as they came."""
    return sorted(captions, key=lambda caption: (caption["startMs"], caption["seq"]))


def webvtt(captions: Iterable[Caption]) -> str:
    """A WebVTT file, a cue for each caption, in which the speaker has a voice."""
    cues = [
        f"{number}\n{_span(caption, '.')}\n<v {_voice(caption)}>{_escaped(caption['text'])}\n"
        for number, caption in enumerate(in_order(captions), 1)
    ]
    return "\n".join(["WEBVTT\n", *cues])


def subrip(captions: Iterable[Caption]) -> str:
    """A SubRip file (.srt)."""
    return "\n".join(
        f"{number}\n{_span(caption, ',')}\n{ARROW.sub('->', _plain(caption))}\n"
        for number, caption in enumerate(in_order(captions), 1)
    )


def text(captions: Iterable[Caption]) -> str:
    """A line for each caption."""
    return "".join(f"{_plain(caption)}\n" for caption in in_order(captions))


#: format -> media type, and what makes it
FORMATS: dict[str, tuple[str, Callable[[Iterable[Caption]], str]]] = {
    "vtt": ("text/vtt", webvtt),
    "srt": ("application/x-subrip", subrip),
    "txt": ("text/plain", text),
}


def _plain(caption: Caption) -> str:
    return f"{_line(caption['speaker'])}: {_line(caption['text'])}"


def _line(words: str) -> str:
    """One line: a line break within a cue could end it."""
    return " ".join(words.split())


def _escaped(words: str) -> str:
    return _line(words).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _voice(caption: Caption) -> str:
    """The speaker within the tag of a voice, whose end must not look like an arrow."""
    name = _escaped(caption["speaker"])
    return f"{name} " if name.endswith("--") else name


def _span(caption: Caption, point: str) -> str:
    start = caption["startMs"]
    end = max(caption["endMs"], start + 1)  # a cue ends after it starts
    return f"{_moment(start, point)} --> {_moment(end, point)}"


def _moment(milliseconds: int, point: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{rest:03}"
