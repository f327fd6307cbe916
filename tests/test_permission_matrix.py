"""Who may do what: every event, by everybody who could send it, in every state of a session.

The events come from the registry, so one that is added later is in here by itself. What must come of each follows from
what the event declares (``allow``, ``reads``, ``active``) and from :data:`DECIDED`, where a handler decides by itself.
A refusal has its code and its reason, and changes nothing: nobody else hears anything, the session and its log stay as
they are.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask_jwt_extended import create_access_token, decode_token
from marshmallow import fields

from classwaves import ClassWaves, Context
from classwaves.errors import ClassWavesError
from classwaves.events import Event, Feature
from classwaves.features import FEATURES
from classwaves.files import session_of
from classwaves.payloads import SessionEvent, StoredEvent
from classwaves.rules import CONNECTED, RULES
from tests.support.apps import API, guest, headers_for, state_of
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.payloads import VALUES, arguments, payload
from tests.support.tabs import Tab, open_classroom
from tests.support.waiting import eventually

HERE = "tests/test_permission_matrix.py"


@dataclass(frozen=True)
class Situation:
    """How a session is: where in its life, and its mode."""

    status: str
    mode: str = "open"

    def __str__(self) -> str:
        return self.status if self.mode == "open" else f"{self.status}-{self.mode}"


SITUATIONS = [
    Situation("created"),
    Situation("active"),
    Situation("active", "focus"),
    Situation("active", "quiz"),
    Situation("paused"),
    Situation("paused", "focus"),
    Situation("ended"),
    Situation("ended", "quiz"),
]


@dataclass(frozen=True)
class Who:
    """Somebody with a socket. ``joined``: that socket is in the session."""

    name: str
    joined: bool = True
    staff: bool = False
    captions: bool = False
    muted: bool = False
    barred: bool = False
    """May not come in."""

    def __str__(self) -> str:
        return self.name


OWNER, ADMIN = Who("owner", staff=True), Who("admin", staff=True)
LEADER, MEMBER = Who("leader of the group"), Who("member of the group")
MUTED = Who("muted member of the group", muted=True)
PEOPLE = [
    OWNER,
    ADMIN,
    Who("co-teacher", staff=True),
    LEADER,
    MEMBER,
    MUTED,
    Who("member of another group"),
    Who("muted, of another group", muted=True),
    Who("guest"),
    Who("transcriber", captions=True),
    Who("co-teacher's token for captions", captions=True),
    Who("not joined", joined=False),
    Who("another tab of the leader, not joined", joined=False),
    Who("left", joined=False),
    Who("removed", joined=False, barred=True),
    Who("guest of another session", joined=False, barred=True),
    Who("another teacher", joined=False, barred=True),
]

Refusal = tuple[str, str | None]
"""The code, and the reason in ``details``."""


def forbidden(reason: str | None = None) -> Refusal:
    return "FORBIDDEN", reason


def _to_speakers(who: Who, situation: Situation) -> Refusal | None:
    if who.staff:
        return None
    if who.muted:
        return forbidden("muted")
    return None if situation.mode == "open" else forbidden(situation.mode)


Verdict = Callable[[Who, Situation], Refusal | None]

ALLOWED: dict[str, Verdict] = {
    "connected": lambda who, situation: None,
    "participant": lambda who, situation: None,
    "student": lambda who, situation: forbidden() if who.staff else None,
    "speaker": _to_speakers,
    "captioner": lambda who, situation: None if who.staff or who.captions else forbidden(),
    "staff": lambda who, situation: None if who.staff else forbidden(),
    "owner": lambda who, situation: None if who is OWNER else forbidden(),
    "admin": lambda who, situation: None if who is ADMIN else forbidden(),
}
"""What each name in ``allow`` means for who has joined."""


def _to_its_group(who: Who, situation: Situation) -> Refusal | None:
    return None if who.staff or who in (LEADER, MEMBER, MUTED) else forbidden("otherGroup")


def _to_the_sender(who: Who, situation: Situation) -> Refusal | None:
    return None if who is OWNER else forbidden("notOwner")


def _join(who: Who, situation: Situation) -> Refusal | None:
    if situation.status == "ended":
        return "SESSION_ENDED", None
    return ("SESSION_ACCESS_DENIED", None) if who.barred else None


DECIDED: dict[tuple[str, str], Verdict] = {
    ("refreshAuth", ""): lambda who, situation: ("INVALID_TOKEN", None),  # what is sent is none
    ("joinSession", ""): _join,
    ("sendMessage", "groupId"): _to_its_group,
    ("typing", "groupId"): _to_its_group,
    ("lowerHand", "userId"): lambda who, situation: None if who.staff else forbidden("notStaff"),
    ("signal", ""): _to_speakers,  # the target is a student
    ("setGroupReady", ""): lambda who, situation: None if who.staff or who is LEADER else forbidden("notLeader"),
    ("fileChunk", ""): _to_the_sender,
    ("fileComplete", ""): _to_the_sender,
    ("fileCancel", ""): _to_the_sender,
    ("removeFile", ""): lambda who, situation: None if who.staff else forbidden("notOwner"),
    ("updateActivity", ""): lambda who, situation: (
        None if situation.status == "active" else ("SESSION_NOT_ACTIVE", None)
    ),
}
"""(event, optional field) -> what its handler decides by itself about who may, or when."""

CONTRACT = {
    "refreshAuth": "connected",
    "joinSession": "connected",
    "leaveSession": "connected",
    "syncSession": "participant, reads",
    "updatePresence": "participant",
    "sendMessage": "speaker",
    "addReaction": "speaker",
    "removeReaction": "speaker",
    "typing": "speaker",
    "markRead": "participant",
    "createGroup": "staff",
    "updateGroup": "staff",
    "deleteGroup": "staff",
    "assignGroups": "staff",
    "joinGroup": "student",
    "leaveGroup": "student",
    "setGroupReady": "participant",
    "updateActivity": "staff",
    "submitActivityResponse": "student, active",
    "raiseHand": "participant",
    "lowerHand": "participant",
    "publishTranscription": "captioner, active",
    "startTranscription": "captioner, active",
    "stopTranscription": "captioner",
    "signal": "participant",
    "fetchHistory": "participant, reads",
    "fetchTranscript": "participant, reads",
    "fileStart": "speaker",
    "fileChunk": "speaker",
    "fileComplete": "speaker",
    "fileCancel": "participant",
    "removeFile": "participant",
    "deleteMessage": "staff",
    "removeParticipant": "staff",
    "muteParticipant": "staff",
    "setSessionMode": "staff",
    "admitParticipant": "staff",
}
"""What events must declare, so that a wrong declaration is not what the rest of this file goes by."""

OPTIONS = ("groupId", "userId")
"""Optional fields that make something else of an event: with one of them it is looked at once more."""


def expected(event: Event, option: str, who: Who, situation: Situation) -> Refusal | None:
    """Return how an event must be refused, ``None`` if it must be allowed."""
    decided = DECIDED.get((event.name, option), ALLOWED[CONNECTED])
    if event.allow == CONNECTED:
        return decided(who, situation)
    if situation.status == "ended" and not (event.reads and who.joined):
        return "SESSION_ENDED", None
    if not who.joined:
        return "NOT_IN_SESSION", None
    if who.captions and event.allow != "captioner":
        return forbidden("scope")
    if event.allow not in ALLOWED:
        pytest.fail(f"{event.name} has the rule {event.allow!r}: say what it means in ALLOWED in {HERE}")
    if refusal := ALLOWED[event.allow](who, situation):
        return refusal
    if event.active and situation.status != "active":
        return "SESSION_NOT_ACTIVE", None
    return decided(who, situation)


class Stage:
    """A session in a situation, with everybody in it, and what the events are about: a message, groups, an activity.

    A second socket of the owner, the chair, sets it up, and after each event sets right what that has changed.
    """

    def __init__(self, app: Flask, situation: Situation) -> None:
        self.app, self.situation = app, situation
        self._classroom = open_classroom(app, coTeacherIds=["carol"])
        self._code = self._classroom.code
        self._chair = self._classroom.teacher()
        self._numbers = itertools.count(1)
        self._values: dict[str, Any] = {"sessionCode": self._code, "mode": situation.mode}
        self.tabs = self._people()
        self._waiting: Tab | None = None
        self._set_up()
        self.drain()

    def _people(self) -> dict[Who, Tab]:
        room, elsewhere = self._classroom, open_classroom(self.app)
        tabs = [
            room.tab("Grace", "teacher"),
            room.tab("Root", "admin"),
            room.tab("Carol", "teacher"),
            room.tab("Ada"),
            room.tab("Pat"),
            room.tab("Mia"),
            room.tab("Bob"),
            room.tab("Max"),
            room.guest("Gus"),
            Tab(self.app, self._token_for_captions()),
            Tab(self.app, self._narrowed(room.token("Carol", "teacher"))),
            room.tab("Nora"),
            room.tab("Ada"),
            room.tab("Leo"),
            room.tab("Rex"),
            elsewhere.guest("Olga"),
            room.tab("Severus", "teacher"),
        ]
        people = dict(zip(PEOPLE, tabs, strict=True))
        for who, tab in people.items():
            if who.joined or who.name in ("left", "removed"):
                tab.join(self._code)
            elif who.name == "guest of another session":
                tab.join(elsewhere.code)
        assert people[PEOPLE[13]].ask("leaveSession", self._code)["ok"]
        return people

    def _token_for_captions(self) -> str:
        headers = headers_for(self.app, "Grace", "teacher")
        path = f"{API}/sessions/{self._code}/transcriber"
        answer = self.app.test_client().post(path, json={"displayName": "Captions"}, headers=headers)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        token: str = answer.get_json()["accessToken"]
        return token

    def _narrowed(self, token: str) -> str:
        """A token of the same login for captions alone, as the application that owns the login may make it."""
        with self.app.app_context():
            claims = decode_token(token)
            kept = {key: claims[key] for key in ("role", "name", "sid")}
            narrow: str = create_access_token(claims["sub"], additional_claims={**kept, "scope": "transcriber"})
            return narrow

    def _set_up(self) -> None:
        path, headers = f"{API}/sessions/{self._code}", headers_for(self.app, "Grace", "teacher")
        opened = {"settings": {"waitingRoom": True}}  # when everybody is in
        assert self.app.test_client().patch(path, json=opened, headers=headers).status_code == 200
        self._do("removeParticipant", userId="rex")
        for user_id in ("mia", "max"):
            self._do("muteParticipant", userId=user_id, muted=True)
        self._mend()
        if self.situation.status != "created":
            self._classroom.step("start")
            self._do("updateActivity", activityId="a1", activityType="poll", status="started")
            self._values["activityId"] = "a1"
        self._do("setSessionMode", mode=self.situation.mode)
        for status, step in (("paused", "pause"), ("ended", "end")):
            if self.situation.status == status:
                self._classroom.step(step)
        if self.situation.status == "ended":  # who waits is told so by the scheduler
            eventually(lambda: not self.state()["waiting"], what="the end of the wait")

    def _do(self, event: str, **body: Any) -> dict[str, Any]:
        return self._ask(event, sessionCode=self._code, **body)

    def _ask(self, event: str, **body: Any) -> dict[str, Any]:
        ack = self._chair.ask(event, body)
        assert ack["ok"], (event, ack)
        return ack

    def mend(self) -> None:
        """Have what the next event is about as it was in the beginning."""
        if self.situation.status != "ended":
            self._mend()

    def _mend(self) -> None:
        now = self.state()
        groups = {group["groupId"]: group for group in now["groups"]}
        self._keep_group(groups, "groupId", ["ada", "pat", "mia"])
        self._keep_group(groups, "other", ["bob", "max"])
        if self._values.get("userId") not in [participant["userId"] for participant in now["participants"]]:
            name = f"Victim{next(self._numbers)}"
            self._classroom.joined(name)
            self._values["userId"] = self._values["targetUserId"] = name.lower()
        self._values["messageId"] = self._do("sendMessage", message="look")["messageId"]
        self._keep_files(now)
        self._keep_waiting(now)

    def _keep_waiting(self, now: dict[str, Any]) -> None:
        """A guest who waits to be let in; who waited before is in when this returns."""
        if self._values.get("admitParticipant.userId") in [one["userId"] for one in now["waiting"]]:
            return
        if self._waiting:
            tab = self._waiting
            eventually(lambda: any(name == "sessionJoined" for name, _ in tab.take()), what="the admission")
        token, user = guest(self.app.test_client(), self._code, f"Waiting {next(self._numbers)}")
        self._waiting = Tab(self.app, token)
        assert self._waiting.ask("joinSession", self._code)["waiting"]
        self._values["admitParticipant.userId"] = user["userId"]

    def _keep_files(self, now: dict[str, Any]) -> None:
        """A file that the owner has shared, and one that is whole, and not yet shared."""
        if self._values.get("removeFile.fileId") not in [file["fileId"] for file in now["files"]]:
            self._values["removeFile.fileId"] = self._upload()
            self._ask("fileComplete", fileId=self._values["removeFile.fileId"])
        upload = self._values.get("fileId")
        if upload is None or not state_of(self.app).store.upload(session_of(upload), upload):
            self._values["fileId"] = self._upload()

    def _upload(self) -> str:
        sent = {name: VALUES[name] for name in ("fileName", "mimeType", "size", "sha256")}
        file_id: str = self._do("fileStart", clientFileId=f"of the chair {next(self._numbers)}", **sent)["fileId"]
        self._ask("fileChunk", fileId=file_id, index=0, data=VALUES["fileChunk.data"])
        return file_id

    def _keep_group(self, groups: dict[str, Any], key: str, members: list[str]) -> None:
        group_id, leader = self._values.get(key), members[0]
        if group_id not in groups:
            ack = self._do("createGroup", name=key, memberIds=members, leaderId=leader)
            self._values[key] = ack["groupId"]
        elif (groups[group_id]["members"], groups[group_id]["leaderId"]) != (members, leader):
            self._do("updateGroup", groupId=group_id, memberIds=members, leaderId=leader)

    def arguments(self, event: Event, option: str) -> tuple[Any, ...]:
        """Return what a client sends that has the right to."""
        number = next(self._numbers)
        fresh = {"clientId": f"client-{number}", "clientFileId": f"file-{number}", "segmentId": f"segment-{number}"}
        return arguments(event, payload(event, {**self._values, **fresh}, *filter(None, [option])))

    def state(self) -> dict[str, Any]:
        """Return all that the owner sees of the session, and where its log is."""
        state = self._do("syncSession", sinceSeq=0, epoch="another")
        session_id = state_of(self.app).hub.find(self._code)
        return {**state, "log": state_of(self.app).store.positions([session_id])[session_id]}

    def drain(self) -> dict[str, list[str]]:
        """Empty all inboxes, and return the names of the events that were in them."""
        inboxes = {str(who): tab.take() for who, tab in self.tabs.items()} | {"chair": self._chair.take()}
        return {who: [name for name, _ in taken] for who, taken in inboxes.items() if taken}


def check(stage: Stage, event: Event, option: str, who: Who) -> None:
    """Let somebody send an event, and see that what comes of it is what must."""
    refusal = expected(event, option, who, stage.situation)
    if refusal is None or (event.name, option) in DECIDED:
        stage.mend()
    tab, args, before = stage.tabs[who], stage.arguments(event, option), stage.state()
    stage.drain()
    ack = tab.ask(event.name, *args)
    mine, heard = tab.take(), stage.drain()
    error = ack.get("error", {})
    answer = None if ack["ok"] else (error["code"], error.get("details", {}).get("reason"))
    assert answer == refusal, (
        f"{event.name}{args} by {who!r} in {stage.situation}: {answer} instead of {refusal}; "
        f"if the handler decides this by itself, say so in DECIDED in {HERE}"
    )
    if refusal is not None or event.reads:
        assert heard == {}, f"{event.name} by {who}: was heard of, though it changes nothing"
        assert mine == ([("error", {**error, "event": event.name})] if refusal else [])
        assert stage.state() == before, f"{event.name} by {who}: changed something"
    elif event.name == "admitParticipant":
        stage.mend()  # the guest comes in when nobody asks for anything


def check_all(stage: Stage, event: Event) -> None:
    """Let everybody send an event, also with each of the :data:`OPTIONS` that it has."""
    schema = event.schema.fields
    for option in ("", *(name for name in OPTIONS if name in schema and not schema[name].required)):
        for who in PEOPLE:
            check(stage, event, option, who)
    stage.mend()


def make_application(*features: Feature) -> Flask:
    app = Flask("matrix")
    # nothing that was said by an event before this one comes to pass by itself
    quiet = {"CLASSWAVES_TYPING_TIMEOUT": 1000, "CLASSWAVES_STALL_AFTER": 1000, "CLASSWAVES_EPHEMERAL_WINDOW": 0}
    app.config.update(TEST_KEYS, CLASSWAVES_RATELIMIT_ENABLED=False, **quiet)
    ClassWaves(app, features=(*FEATURES, *features))
    return app


class Stages:
    """One stage for each situation, shared by the events that leave everybody where they are."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self._kept: dict[Situation, Stage] = {}

    @contextmanager
    def stage(self, situation: Situation, event: Event) -> Iterator[Stage]:
        """Return a stage; one that an event has failed on, or who is in it may change on, serves nobody else."""
        stage = self._kept.pop(situation, None)
        if stage is None or event.allow == CONNECTED:
            stage = Stage(self.app, situation)
        yield stage
        if event.allow != CONNECTED:
            self._kept[situation] = stage


@pytest.fixture(scope="module")
def stages() -> Iterator[Stages]:
    app = make_application()
    yield Stages(app)
    state_of(app).close()


@pytest.fixture
def make_own() -> Iterator[Callable[[Feature], Stage]]:
    """Return a factory: the stage of an active session, in an application with a feature of the test's own."""
    made: list[Flask] = []

    def make(feature: Feature) -> Stage:
        made.append(make_application(feature))
        return Stage(made[-1], Situation("active"))

    yield make
    for app in made:
        state_of(app).close()


EVENTS = {event.name: event for feature in FEATURES for event in feature.events}


def test_every_event_and_every_rule_is_in_it(stages: Stages) -> None:
    assert state_of(stages.app).pipeline.events == EVENTS
    assert set(ALLOWED) >= {event.allow for event in EVENTS.values()}
    assert set(ALLOWED) <= set(RULES)
    unknown = {name for name, _ in DECIDED} - set(EVENTS)
    assert not unknown, f"DECIDED speaks of events that there are not: {unknown}"


@pytest.mark.parametrize("name", CONTRACT)
def test_what_an_event_declares_is_what_the_contract_says(name: str) -> None:
    event = EVENTS[name]
    declared = [event.allow, *(flag for flag in ("reads", "active") if getattr(event, flag))]
    assert ", ".join(declared) == CONTRACT[name]


@pytest.mark.parametrize("situation", SITUATIONS, ids=str)
@pytest.mark.parametrize("name", EVENTS)
def test_who_may_and_when(stages: Stages, situation: Situation, name: str) -> None:
    event = state_of(stages.app).pipeline.events[name]
    with stages.stage(situation, event) as stage:
        check_all(stage, event)


# an event that is added


MakeOwn = Callable[[Feature], Stage]


def added(stage: Stage) -> Event:
    """Return the one event that an application has beyond the usual ones."""
    (event,) = [event for name, event in state_of(stage.app).pipeline.events.items() if name not in EVENTS]
    return event


def test_an_event_that_is_added_is_in_it(make_own: MakeOwn) -> None:
    own = Feature("own")

    @own.event("ringBell", schema=StoredEvent, allow="staff", active=True)
    def ring(context: Context, data: dict[str, Any]) -> dict[str, Any]:
        return context.publish("bellRang", {})

    stage = make_own(own)
    check_all(stage, added(stage))
    for situation in (Situation("paused"), Situation("ended")):
        check_all(Stage(stage.app, situation), added(stage))


def test_an_event_that_nobody_can_send_is_found(make_own: MakeOwn) -> None:
    class BellSchema(SessionEvent):
        loudness = fields.Integer(required=True)

    own = Feature("own")

    @own.event("ringBell", schema=BellSchema, allow="staff")
    def ring(context: Context, data: dict[str, Any]) -> None:
        pass

    stage = make_own(own)
    with pytest.raises(pytest.fail.Exception, match=r"'loudness'.* VALUES in tests/support/payloads\.py"):
        check_all(stage, added(stage))


def test_a_handler_that_refuses_who_is_allowed_is_found(make_own: MakeOwn) -> None:
    own = Feature("own")

    @own.event("ringBell", schema=StoredEvent, allow="participant")
    def ring(context: Context, data: dict[str, Any]) -> None:
        if not context.is_staff:
            raise ClassWavesError("FORBIDDEN")

    stage = make_own(own)
    check(stage, added(stage), "", OWNER)
    with pytest.raises(AssertionError, match=r"'FORBIDDEN', None.* instead of None; .* DECIDED in"):
        check(stage, added(stage), "", LEADER)


@pytest.mark.parametrize("kept", [True, False], ids=["in the log", "in passing"])
def test_a_refusal_that_is_heard_of_is_found(make_own: MakeOwn, monkeypatch: pytest.MonkeyPatch, kept: bool) -> None:
    own = Feature("own")

    @own.event("ringBell", schema=StoredEvent, allow="participant")
    def ring(context: Context, data: dict[str, Any]) -> None:
        if kept:
            context.publish("bellRang", {}, audience="none")
        else:
            context.signal("typing", {"isTyping": True})
        raise ClassWavesError("FORBIDDEN")

    stage = make_own(own)
    monkeypatch.setitem(DECIDED, ("ringBell", ""), lambda who, situation: forbidden())
    with pytest.raises(AssertionError, match="changed something" if kept else "was heard of"):
        check(stage, added(stage), "", LEADER)


def test_a_reader_that_writes_is_found(make_own: MakeOwn) -> None:
    own = Feature("own")

    @own.event("ringBell", schema=SessionEvent, allow="participant", reads=True)
    def ring(context: Context, data: dict[str, Any]) -> dict[str, Any]:
        return context.publish("bellRang", {}, audience="none")

    stage = make_own(own)
    with pytest.raises(AssertionError, match="changed something"):
        check(stage, added(stage), "", LEADER)
