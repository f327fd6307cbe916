"""What a bot writes, typed: events by their names, calls with their payloads and acks."""

from typing import Any, Literal, assert_type

from classwaves.client import AsyncClient, Client, Event
from classwaves.client.payloads import (
    ConnectionReadyEvent,
    HandStatusChangedEvent,
    KeptMessage,
    MessageReceivedEvent,
    RaiseHandAck,
    SendMessageAck,
    SessionJoinedEvent,
)

client = Client("http://localhost:8000", "token", refresh=lambda: "token")
room = client.join("DEM234", timeout=None)


@room.on("messageReceived")
def said(event: Event[str, MessageReceivedEvent]) -> None:
    assert_type(event.data, MessageReceivedEvent)
    assert_type(event.data["message"], str)


@room.on("snapshot")
async def again(event: Event[str, SessionJoinedEvent]) -> None: ...


@room.on("boardStroked")
def stroked(event: Event[str, dict[str, Any]]) -> None: ...


@client.on("connectionReady")
def ready(event: Event[str, ConnectionReadyEvent]) -> None: ...


assert_type(room.snapshot, SessionJoinedEvent)
assert_type(room.send("hello", reply_to=None), SendMessageAck)
assert_type(room.call("raiseHand"), RaiseHandAck)
assert_type(room.call("updatePresence", {"status": "away"})["status"], Literal["active", "idle", "away"])
assert_type(room.call("boardStroke", {"points": [1]}, timeout=5), Any)
assert_type(room.messages(after_seq=7), list[KeptMessage])

for event in room.events(timeout=1):
    if event.name == "handStatusChanged":
        data: HandStatusChangedEvent = event.data
    elif event.name == "messageReceived":
        text: str = event.data["message"]
    elif str(event.name) == "boardStroked":
        print(event)


async def later(client: AsyncClient) -> None:
    room = await client.join("DEM234")
    assert_type(await room.send("hello"), SendMessageAck)
    assert_type(await room.call("raiseHand", timeout=None), RaiseHandAck)

    @room.on("messageReceived")
    async def said(event: Event[str, MessageReceivedEvent]) -> None: ...

    async for event in room.events():
        print(event.name, event.seq, event.missed)


# what must not pass

room.send(7)  # type: ignore[arg-type]


@room.on("messageReceived")  # type: ignore[arg-type]
def wrong(event: Event[str, HandStatusChangedEvent]) -> None: ...
