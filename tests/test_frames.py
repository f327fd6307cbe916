"""The reader and writer of WebSocket frames (RFC 6455, section 5) without a socket."""

import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classwaves.transport.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    MAX_FRAGMENTS,
    PING,
    TEXT,
    FrameError,
    FrameReader,
    close_answer,
    frame,
)

LIMIT = 100_000


def masked(opcode: int, payload: bytes, final: bool = True, key: bytes = b"\x01\xfe\x80\x00") -> bytes:
    """A frame as a client sends it; the header's lengths are the writer's."""
    plain = frame(opcode, payload)
    head = plain[: len(plain) - len(payload)]
    first = head[0] if final else head[0] & 0x7F
    hidden = bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))
    return bytes((first, head[1] | 0x80)) + head[2:] + key + hidden


def read(data: bytes, sizes: list[int] | None = None, limit: int = LIMIT) -> list[tuple[int, bytes]]:
    """Everything that a reader finds in ``data``, which comes in pieces of these sizes."""
    reader, found, at = FrameReader(limit), [], 0
    for size in sizes or [len(data)]:
        reader.feed(data[at : at + size])
        at += size
        while (message := reader.next()) is not None:
            found.append(message)
    assert reader.waiting == 0
    return found


@pytest.mark.parametrize("size", [0, 1, 3, 4, 125, 126, 127, 65535, 65536, 99_999])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_frames_of_any_length_are_read_whole(opcode: int, size: int) -> None:
    payload = os.urandom(size)
    assert read(masked(opcode, payload)) == [(opcode, payload)]


@given(
    messages=st.lists(st.tuples(st.sampled_from([TEXT, BINARY, PING]), st.binary(max_size=125)), max_size=20),
    seed=st.integers(),
)
def test_messages_in_any_pieces_are_the_same(messages: list[tuple[int, bytes]], seed: int) -> None:
    data = b"".join(masked(opcode, payload) for opcode, payload in messages)
    chance = random.Random(seed)
    sizes: list[int] = []
    while sum(sizes) < len(data):
        sizes.append(chance.randint(1, 40))
    assert read(data, sizes) == messages


def test_control_frames_between_fragments() -> None:
    data = masked(TEXT, b"one ", final=False) + masked(PING, b"?") + masked(CONTINUATION, b"two")
    assert read(data) == [(PING, b"?"), (TEXT, b"one two")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (masked(TEXT, b"x")[:1] + b"\xff" + (2**31).to_bytes(8, "big"), 1009),
        (masked(TEXT, b"x")[:1] + b"\xff" + (2**63).to_bytes(8, "big"), 1002),
        (masked(TEXT, b"x" * 60_000, final=False) + masked(CONTINUATION, b"x" * 60_000)[:8], 1009),
        (b"\x81\x01x", 1002),
        (masked(0x3, b"x"), 1002),
        (masked(0xB, b"x"), 1002),
        (b"\xc1" + masked(TEXT, b"x")[1:], 1002),
        (masked(PING, b"x", final=False), 1002),
        (b"\x89\xfe\x00\x7e" + bytes(130), 1002),
        (masked(CONTINUATION, b"x"), 1002),
        (masked(TEXT, b"x", final=False) + masked(TEXT, b"x"), 1002),
        (b"\x81\xfe\x00\x05" + bytes(9), 1002),
        (b"\x81\xff" + (65535).to_bytes(8, "big") + bytes(9), 1002),
    ],
)
def test_what_breaks_the_protocol_is_refused_from_its_header(data: bytes, code: int) -> None:
    reader = FrameReader(LIMIT)
    reader.feed(data)
    with pytest.raises(FrameError) as caught:
        while reader.next() is not None:
            pass
    assert caught.value.code == code


def test_so_many_fragments_and_no_more() -> None:
    part = masked(CONTINUATION, b"", final=False)
    start = masked(TEXT, b"", final=False)
    assert read(start + part * (MAX_FRAGMENTS - 2) + masked(CONTINUATION, b"end")) == [(TEXT, b"end")]
    with pytest.raises(FrameError, match="fragments"):
        read(start + part * MAX_FRAGMENTS)


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        (b"", b""),
        (b"\x03\xe8bye", b"\x03\xe8"),
        (b"\x0f\xa0", b"\x0f\xa0"),
        (b"\x03", b"\x03\xea"),
        (b"\x03\xed", b"\x03\xea"),  # 1005 is never sent
        (b"\x03\xe8\xff", b"\x03\xef"),
    ],
)
def test_answers_to_a_close(payload: bytes, answer: bytes) -> None:
    assert close_answer(payload) == frame(CLOSE, answer)
