"""Captions as files: whatever was said, a parser that is not ours finds every cue, and so does a browser."""

import html
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import webvtt
from flask import Flask
from hypothesis import example, given
from hypothesis import strategies as st
from playwright.sync_api import Browser, Route, sync_playwright

from classwaves import captions
from classwaves.connections import Connection
from classwaves.models import SessionRecord
from tests.support.apps import API, AppFactory, headers_for, new_session, state_of, step
from tests.support.browser import ARGUMENTS
from tests.support.hubs import Worker
from tests.support.hubs import workers as workers
from tests.support.tools import chromium

# What a caption file could be broken by.
NASTY = [
    "-->",
    "--->",
    "---->-->",
    "Ada --",
    "00:00:01.000 --> 00:00:02.000",
    "one\n\ntwo",
    "one\r\n\r\ntwo\rthree",
    "WEBVTT",
    "NOTE this",
    "STYLE\n::cue { color: red }",
    "1",
    "<b>bold</b> <i",
    "</v><v Someone>else",
    "<00:00:01.000>",
    "&amp; &lt;b&gt; &copy &#x41;",
    "x < y && y > z",
    "\x07bell \x0b tab\t \x1b[0m \x85 \u2028 \u2029",
    "\ufeffmarked",
    "   ",
    "{\\an8}top",
    "\u05e9\u05dc\u05d5\u05dd \u202e\u0645\u0631\u062d\u0628\u0627\u202c",
    "\U0001f469\u200d\U0001f3eb\U0001f1e9\U0001f1ea e\u0301",
    "x" * 4000,
]

WORDS = st.one_of(
    st.sampled_from(NASTY),
    st.text(alphabet=st.sampled_from("->\n\r <v/&;amp1:.\t\u2028"), max_size=20),
    st.text(max_size=30),
).filter(lambda text: "\0" not in text)  # which the schemas refuse

# Few different times, so that many are equal; and some that take more than two digits of hours.
TIMES = st.integers(0, 3) | st.integers(0, 10**9) | st.integers(0, 2**53)


@st.composite
def made_captions(draw: st.DrawFn, least: int = 0) -> list[dict[str, Any]]:
    """Draw captions as the transcript has them, in the order in which they came."""
    found = draw(st.lists(st.tuples(TIMES, TIMES, WORDS, WORDS), min_size=least, max_size=6))
    return [
        {"seq": seq, "startMs": start, "endMs": start + length, "speaker": speaker, "text": text}
        for seq, (start, length, speaker, text) in enumerate(found, 1)
    ]


def caption(text: str, speaker: str = "Ada", start: int = 0, end: int = 1000, seq: int = 1) -> dict[str, Any]:
    return {"seq": seq, "startMs": start, "endMs": end, "speaker": speaker, "text": text}


def one_line(words: str) -> str:
    """What is left of somebody's words in one line: everything but the kinds of space between them."""
    return " ".join(words.split())


def ordered(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By time; those of the same time as they came. The sort is stable."""
    return sorted(given, key=lambda one: int(one["startMs"]))


def times(given: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """The times that cues must have, which end after they begin."""
    return [(one["startMs"], max(one["endMs"], one["startMs"] + 1)) for one in ordered(given)]


def milliseconds(cue: webvtt.Caption) -> tuple[int, int]:
    return cue.start_time.in_milliseconds(), cue.end_time.in_milliseconds()


# the makers of files


@given(made_captions())
@example([caption(text, speaker=text, seq=seq) for seq, text in enumerate(NASTY, 1)])
def test_a_webvtt_file_has_every_cue_with_its_times_speaker_and_words(given: list[dict[str, Any]]) -> None:
    file = webvtt.from_string(captions.webvtt(given), strict=True)
    parsed = file.captions
    assert [milliseconds(cue) for cue in parsed] == times(given)
    assert [cue.identifier for cue in parsed] == [str(number) for number in range(1, len(given) + 1)]
    assert (file.styles, file.regions, file.header_comments, file.footer_comments) == ([], [], [], [])
    for cue, one in zip(parsed, ordered(given), strict=True):
        (line,) = cue.lines
        assert line.startswith("<v ")
        speaker, _, words = line.removeprefix("<v ").partition(">")
        assert html.unescape(speaker.rstrip()) == one_line(one["speaker"])
        assert "<" not in words and ">" not in words, "no other tag"
        assert html.unescape(words) == one_line(one["text"])


@given(made_captions(least=1))
@example([caption(text, speaker=text, seq=seq) for seq, text in enumerate(NASTY, 1)])
def test_a_subrip_file_has_every_cue_with_its_times_speaker_and_words(given: list[dict[str, Any]]) -> None:
    made = captions.subrip(given)
    assert made.count("-->") == len(given), "an arrow is between times alone"
    parsed = webvtt.from_buffer(io.StringIO(made), format="srt").captions
    assert [milliseconds(cue) for cue in parsed] == times(given)
    for cue, one in zip(parsed, ordered(given), strict=True):
        words = f"{one_line(one['speaker'])}: {one_line(one['text'])}"
        (line,) = cue.lines
        if "-->" in words:
            words, line = (text.replace("-", "") for text in (words, line))
        assert line == words


@given(made_captions())
@example([caption(text, speaker=text, seq=seq) for seq, text in enumerate(NASTY, 1)])
def test_a_text_has_a_line_for_each_caption_word_by_word(given: list[dict[str, Any]]) -> None:
    lines = captions.text(given).split("\n")
    assert lines.pop() == "", "the last line has an end too"
    assert lines == [f"{one_line(one['speaker'])}: {one_line(one['text'])}" for one in ordered(given)]


@given(made_captions(), st.randoms(use_true_random=False))
def test_captions_are_in_the_order_of_their_times_however_they_come(given: list[dict[str, Any]], chance: Any) -> None:
    shuffled = list(given)
    chance.shuffle(shuffled)
    for _, make in captions.FORMATS.values():
        assert make(shuffled) == make(given)


def test_without_captions_a_webvtt_file_is_valid_and_the_others_are_empty() -> None:
    assert webvtt.from_string(captions.webvtt([]), strict=True).captions == []
    assert (captions.subrip([]), captions.text([])) == ("", "")


def test_a_file_reads_like_its_specification() -> None:
    said = [caption("Good morning & <welcome>", "Grace H.", 61_001, 3_661_002), caption("Hi", "Bo", 0, 0, 2)]
    assert captions.webvtt(said) == (
        "WEBVTT\n"
        "\n1\n00:00:00.000 --> 00:00:00.001\n<v Bo>Hi\n"
        "\n2\n00:01:01.001 --> 01:01:01.002\n<v Grace H.>Good morning &amp; &lt;welcome&gt;\n"
    )
    assert captions.subrip(said) == (
        "1\n00:00:00,000 --> 00:00:00,001\nBo: Hi\n"
        "\n2\n00:01:01,001 --> 01:01:01,002\nGrace H.: Good morning & <welcome>\n"
    )
    assert captions.text(said) == "Bo: Hi\nGrace H.: Good morning & <welcome>\n"


# the files that are served


@dataclass
class Lesson:
    """An active session: its sockets are those of a worker, REST is the application's, on one store."""

    app: Flask
    worker: Worker
    session: SessionRecord
    teacher: Connection

    def publish(self, text: str, start: int, **more: Any) -> None:
        """Close a segment as the teacher."""
        payload = {"sessionCode": self.session.code, "segmentId": f"at {start}", "revision": 1, "text": text}
        moments = {"isFinal": True, "startMs": start, "endMs": start + 900}
        ack = self.worker.send(self.teacher, "publishTranscription", {**payload, **moments, **more})
        assert ack["ok"] and "seq" in ack, ack

    def served(self, form: str, name: str = "Grace", role: str = "", **query: Any) -> Any:
        """Ask for the transcript over REST."""
        address = f"{API}/sessions/{self.session.code}/transcript"
        headers = headers_for(self.app, name, role or ("teacher" if name == "Grace" else "student"))
        return self.app.test_client().get(address, query_string={"format": form, **query}, headers=headers)


@pytest.fixture
def open_lesson(make_app: AppFactory, workers: list[Worker]) -> Callable[..., Lesson]:
    """Return a function that opens an active session in an application with these settings."""

    def open_lesson(**config: Any) -> Lesson:
        app = make_app(**config)
        headers = headers_for(app, "Grace", "teacher")
        code = new_session(app.test_client(), headers)
        step(app.test_client(), headers, code, "start")
        store = state_of(app).store
        session = store.record(store.session_id(code) or "")
        assert session
        workers.append(Worker(store))
        return Lesson(app, workers[-1], session, workers[-1].joined(session, "grace", "teacher"))

    return open_lesson


@pytest.fixture(params=["memory", "redis"])
def lesson(open_lesson: Callable[..., Lesson], request: pytest.FixtureRequest) -> Lesson:
    """An active session, with each store."""
    return open_lesson(REDIS_URL=request.getfixturevalue("redis_url"), CLASSWAVES_STORE=request.param)


@pytest.mark.parametrize(
    ("form", "media_type"), [("vtt", "text/vtt"), ("srt", "application/x-subrip"), ("txt", "text/plain")]
)
def test_a_file_is_served_as_an_attachment_of_its_type(lesson: Lesson, form: str, media_type: str) -> None:
    for number, text in enumerate(NASTY):
        lesson.publish(text, 1000 * number)
    answer = lesson.served(form)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == f"{media_type}; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="transcript-{lesson.session.code}.{form}"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    rows = [caption(text, "Grace", 1000 * n, 1000 * n + 900, n) for n, text in enumerate(NASTY)]
    assert answer.get_data(as_text=True) == captions.FORMATS[form][1](rows)


def test_a_speaker_is_named_who_is_known_and_else_as_they_were_called(lesson: Lesson) -> None:
    lesson.worker.joined(lesson.session, "ada")
    lesson.publish("Mine", 2)
    lesson.publish("Hers", 0, speakerId="ada")
    lesson.publish("Somebody's", 1, speakerId="Voice <3>")
    assert lesson.served("txt").get_data(as_text=True) == "Ada: Hers\nVoice <3>: Somebody's\nGrace: Mine\n"
    assert [cue.raw_text for cue in webvtt.from_string(lesson.served("vtt").get_data(as_text=True)).captions] == [
        "<v Ada>Hers",
        "<v Voice &lt;3&gt;>Somebody's",
        "<v Grace>Mine",
    ]


def test_a_file_has_what_was_for_the_reader_and_only_the_group_asked_for(lesson: Lesson) -> None:
    lesson.worker.joined(lesson.session, "ada")
    lesson.worker.joined(lesson.session, "bob")
    group = {"sessionCode": lesson.session.code, "name": "Owls", "memberIds": ["ada"]}
    ack = lesson.worker.send(lesson.teacher, "createGroup", group)
    lesson.publish("To all", 0)
    lesson.publish("To owls", 1, groupId=ack["groupId"])
    both = ["To all", "To owls"]
    for name, words in [("Grace", both), ("Ada", both), ("Bob", ["To all"])]:
        for form in captions.FORMATS:
            body = lesson.served(form, name).get_data(as_text=True)
            assert [text for text in ("To all", "To owls") if text in body] == words, (name, form)
    assert lesson.served("txt", groupId=ack["groupId"]).get_data(as_text=True) == "Grace: To owls\n"
    assert lesson.served("txt", "Bob", groupId=ack["groupId"]).get_data(as_text=True) == ""


def test_a_format_that_there_is_not_is_refused(lesson: Lesson) -> None:
    answer = lesson.served("docx")
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (422, "INVALID_PAYLOAD")


def test_who_was_never_here_gets_no_file(lesson: Lesson) -> None:
    for form in ("json", *captions.FORMATS):
        answer = lesson.served(form, "Eve")
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "SESSION_ACCESS_DENIED")


# a browser

PAGE = """<!doctype html><meta charset="utf-8"><title>Captions</title>
<video><track kind="captions" src="/captions.vtt" default></video>"""

CUES = """() => new Promise((resolve, reject) => {
    const element = document.querySelector("track");
    const done = () => resolve([...element.track.cues].map(cue => {
        const shown = cue.getCueAsHTML(), voices = [...shown.querySelectorAll("*")];
        return {id: cue.id, start: cue.startTime, end: cue.endTime,
                text: shown.textContent, voices: voices.map(voice => voice.title)};
    }));
    element.track.mode = "hidden";
    if (element.readyState === 2) done();
    element.addEventListener("load", done);
    element.addEventListener("error", () => reject(new Error("the track could not be read")));
})"""


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Run Chromium, or skip."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.mark.xdist_group("browser")
def test_a_browser_shows_every_caption_as_it_was_said(open_lesson: Callable[..., Lesson], browser: Browser) -> None:
    lesson = open_lesson()
    said = [text for text in NASTY if text.strip()]
    for number, text in enumerate(said):
        lesson.publish(text, 3_600_000 * number, speakerId=text[:100])
    file = lesson.served("vtt")
    captured = {"/": ("text/html", PAGE.encode()), "/captions.vtt": (file.headers["Content-Type"], file.get_data())}

    def answer(route: Route) -> None:
        media_type, body = captured.get("/" + route.request.url.split("/", 3)[3], ("text/plain", b""))
        route.fulfill(status=200, content_type=media_type, body=body)

    page = browser.new_page()
    page.set_default_timeout(10_000)
    page.route("**/*", answer)
    page.goto("http://captions.test/")
    cues = page.evaluate(CUES)
    assert [cue["id"] for cue in cues] == [str(number) for number in range(1, len(said) + 1)]
    for number, (cue, text) in enumerate(zip(cues, said, strict=True)):
        assert (cue["start"], cue["end"]) == (3600 * number, 3600 * number + 0.9), json.dumps(cue)
        assert cue["text"] == one_line(text)
        assert [voice.strip() for voice in cue["voices"]] == [one_line(text[:100])]
