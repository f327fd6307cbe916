"""The TypeScript types compile under ``--strict``, let right clients through and no wrong ones."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from classwaves import FEATURES
from classwaves.asyncapi import described
from classwaves.cli import cli
from classwaves.typescript import typescript
from tests.support.apps import AppFactory
from tests.support.contract import CONTRACT, compiled
from tests.support.gunicorn_server import ROOT
from tests.test_asyncapi import poll


@pytest.fixture(scope="module")
def types() -> str:
    return typescript(described(FEATURES))


def test_right_uses_compile_and_wrong_ones_do_not(tmp_path: Path) -> None:
    """A client that is built on them, and a shop's own event, which has one name both ways. One compiler for all."""
    (tmp_path / "classwaves.ts").write_text(typescript(described([*FEATURES, poll(True)])))
    shutil.copy(CONTRACT / "uses.ts", tmp_path)
    (tmp_path / "shop.ts").write_text(SHOP)
    (tmp_path / "page.ts").write_text(page())
    assert compiled(tmp_path, "uses.ts", "shop.ts", "page.ts") == ""


SHOP = """\
import { io, type Socket } from "socket.io-client";
import type { ClientToServerEvents, ServerToClientEvents } from "./classwaves";
const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io();
socket.emit("pollAnswered", { sessionCode: "ABC234", choice: 2 }, (answer) => answer.ok && answer.seq);
socket.on("pollAnswered", ({ choice, by }) => [choice, by]);
// @ts-expect-error: a text is no number
socket.emit("pollAnswered", { sessionCode: "ABC234", choice: "two" });
"""


def page() -> str:
    """What the example page sends and hears, by its names and the fields that it writes down, as a file to compile."""
    script = (ROOT / "examples" / "websocket-client.html").read_text()
    sent = re.findall(r'\brequest\("(\w+)"(?:, \{([^{}]*)\})?', script)
    handlers = script.split("const handlers = {\n")[1].split("\n  };\n")[0]
    heard = {*re.findall(r"^    (\w+): ", handlers, re.MULTILINE), *re.findall(r'mine\.on\("(\w+)"', script)}
    assert {"joinSession", "sendMessage"} <= {name for name, _ in sent}
    assert {"messageReceived", "presenceUpdated", "error"} <= heard
    lines = ['import type { ClientToServerEvents, ServerToClientEvents } from "./classwaves";']
    lines += [f'export const sent_{at}: keyof ClientToServerEvents = "{name}";' for at, (name, _) in enumerate(sent)]
    for at, (name, body) in enumerate(sent):
        payload = f'Parameters<ClientToServerEvents["{name}"]>[0]'
        keys = re.findall(r"(?:^|,)\s*(\w+)(?=\s*(?:[:,]|$))", body)
        lines += [f'export const field_{at}_{key}: keyof ({payload}) = "{key}";' for key in keys]
    own = ("connect", "connect_error", "disconnect", "reconnect_attempt")
    lines += [f'export const heard_{name}: keyof ServerToClientEvents = "{name}";' for name in sorted(heard - {*own})]
    assert sum("field_" in line for line in lines) > 5
    return "\n".join(lines)


def test_the_command_prints_them(make_app: AppFactory, types: str) -> None:
    app = make_app()
    printed = [app.test_cli_runner().invoke(cli, ["types"]) for _ in range(2)]
    assert [one.exit_code for one in printed] == [0, 0]
    assert printed[0].output == printed[1].output == types


def test_names_and_sentences_that_are_no_typescript() -> None:
    """A shop may call an event what it likes, and say of it what it likes."""
    document: dict[str, Any] = described([poll(True)])
    text = typescript(document)
    assert '"pollAnswered"' not in text
    document["operations"]["client-pollAnswered"]["summary"] = "Ends */ here"
    document["components"]["messages"]["client-pollAnswered"]["name"] = "poll:answered"
    text = typescript(document)
    assert '  "poll:answered": Sends<PollAnsweredPayload, PollAnsweredAck>;' in text
    assert "/** Ends * / here */" in text
