"""One activity at a time, in which everyone is in step: started, paused and completed by staff, answered by students.

``data.staffOnly`` of an activity, and who answered what, reach staff alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import validate

from .. import codec
from ..declared import InSession, Numbered, Shape, Stored, an_object, anything, flag, many, string, whole
from ..erasure import erased_payload
from ..errors import ClassWavesError
from ..events import Context, Feature
from ..live import LiveSession, follows
from ..models import Entry
from ..payloads import Json, JsonObject, StoredEvent, Text, identifier, position
from ..replica import Replica, erases, fold, snapshot, view

activities = Feature("activities")

#: The fence of the activity's state, on which responses rely too.
FENCE = "activity"

#: How many bytes of responses a snapshot has at the most; all of them are in the export.
SNAPSHOT_BYTES = 262_144

#: Of how many activities a session remembers the run, so that a late repeat of a response finds its first answer.
RUNS = 1000

#: from -> to; the activity that there was before it was started has no state.
STEPS = {
    "": {"started"},
    "started": {"started", "paused", "completed"},
    "paused": {"started", "paused", "completed"},
    "completed": {"started", "completed"},
}


class ActivitySchema(StoredEvent):
    activityId = identifier(required=True)
    activityType = Text(required=True, validate=validate.Length(1, 64))
    status = Text(required=True, validate=validate.OneOf(["started", "paused", "completed"]))
    data = JsonObject()
    expectedVersion = position()


class ResponseSchema(StoredEvent):
    activityId = identifier(required=True)
    data = Json(required=True)
    clientId = identifier(required=True)


class ActivityShape(Shape):
    activityId = string()
    activityType = string()
    status = string("started", "paused", "completed")
    data = an_object(required=False)
    version = whole()
    updatedBy = string()


class ActivityUpdateShape(ActivityShape, Numbered):
    pass


class GivenResponseShape(Shape):
    """A response, as staff find it in the snapshot."""

    userId = string()
    displayName = string()
    data = anything()


class ActivityResponseShape(GivenResponseShape, Numbered):
    activityId = string()
    clientId = string()


class ProgressShape(InSession):
    activityId = string()
    responded = whole()
    participants = whole()


class CurrentActivityShape(ActivityShape):
    """The newest activity, as a joiner finds it: ``responses`` is staff's, ``response`` a student's own."""

    responded = whole()
    participants = whole()
    responses = many(GivenResponseShape, required=False)
    responsesComplete = flag(required=False)
    response = anything(required=False)


activities.sends("activityUpdate", ActivityUpdateShape, "everyone in the session; data.staffOnly is staff's alone")
activities.sends("activityResponse", ActivityResponseShape, "staff")
activities.sends("activityProgress", ProgressShape)
activities.answers(Stored, "updateActivity", "submitActivityResponse")


# the fold


@fold("activityUpdate")
def _update(replica: Replica, entry: Entry) -> None:
    """The activity as it is now, and ``run``: the seq with which it began, without responses; so of earlier ones."""
    before = replica.state.get("activity") or {}
    if before.get("activityId") == entry.draft.data["activityId"]:
        kept = {"run": before["run"], "responses": before["responses"]}
    else:
        kept = {"run": entry.seq, "responses": {}}
    replica.state["activity"] = {**entry.draft.data, **kept}
    runs = replica.state.setdefault("runs", {})
    runs.pop(entry.draft.data["activityId"], None)  # the newest is the last
    runs[entry.draft.data["activityId"]] = kept["run"]
    if len(runs) > RUNS:
        del runs[next(iter(runs))]


@fold("activityResponse")
def _respond(replica: Replica, entry: Entry) -> None:
    """The newest response of each student."""
    activity = replica.state.get("activity")
    if activity and activity["activityId"] == entry.draft.data["activityId"]:
        activity["responses"].pop(entry.draft.author, None)  # the newest is the last
        activity["responses"][entry.draft.author] = entry.draft.data["data"]


@erases
def _forget(replica: Replica, user_id: str) -> None:
    """Whoever was the last to update the activity, its data is theirs."""
    activity = replica.state.get("activity") or {"responses": {}}
    if user_id in activity["responses"]:
        activity["responses"][user_id] = erased_payload({"data": activity["responses"][user_id]})["data"]
    if activity.get("updatedBy") == user_id and "data" in activity:
        activity["data"] = {}


@view("activityUpdate", by_role=True)
def _shown(replica: Replica, payload: dict[str, Any], staff: bool) -> dict[str, Any]:
    return payload if staff else without_key(payload)


def without_key(payload: Mapping[str, Any]) -> dict[str, Any]:
    """An activity without what is for staff only."""
    if "staffOnly" not in payload.get("data", ()):
        return dict(payload)
    return {**payload, "data": {key: value for key, value in payload["data"].items() if key != "staffOnly"}}


@snapshot("activity")
def current(replica: Replica, user_id: str, staff: bool) -> dict[str, Any] | None:
    """The newest activity with its progress; for staff with the responses, for a student with their own."""
    activity = replica.state.get("activity")
    if activity is None:
        return None
    shown, responses = _without_responses(activity) | _progress(replica), activity["responses"]
    if staff:
        named = _newest(responses)
        return shown | {
            "responses": [
                {"userId": i, "displayName": replica.known.get(i, [""])[0], "data": responses[i]} for i in named
            ],
            "responsesComplete": len(named) == len(responses),
        }
    mine = {"response": responses[user_id]} if user_id in responses else {}
    return without_key(shown) | mine


def _without_responses(activity: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in activity.items() if key not in ("run", "responses")}


def _newest(responses: dict[str, Any]) -> list[str]:
    """Who gave as many of the newest responses as a snapshot may take, oldest first."""
    size, newest = 0, list[str]()
    for user_id in reversed(responses):
        size += len(codec.dumps(responses[user_id])) + 100
        if size > SNAPSHOT_BYTES:
            break
        newest.append(user_id)
    return newest[::-1]


def _progress(replica: Replica) -> dict[str, Any]:
    """How many have answered, and of how many, at this moment."""
    activity = replica.state["activity"]
    progress = {"responded": len(activity["responses"]), "participants": len(replica.students())}
    return {"activityId": activity["activityId"], **progress}


@follows("activityResponse")
def _tell_progress(live: LiveSession, entry: Entry) -> None:
    activity_id = entry.draft.data["activityId"]
    activity = live.replica.state.get("activity")
    if activity and activity["activityId"] == activity_id:
        live.say("", "activityProgress", lambda: _progress(live.replica))


# the events


@activities.event("updateActivity", schema=ActivitySchema, allow="staff", exclusive=True)
def update_activity(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Start, pause, go on with, change or complete an activity. There is one at a time."""
    context.rely(FENCE)
    running = context.live.replica.state.get("activity") or {}
    same = running.get("activityId") == data["activityId"]
    before = running if same else {}
    _check_version(data, running)
    _check_step(context, data, running, before)
    payload = {
        "activityId": data["activityId"],
        "activityType": data["activityType"],
        "status": data["status"],
        "version": before.get("version", 0) + 1,
        "updatedBy": context.principal.user_id,
    }
    if "data" in data or "data" in before:
        payload["data"] = data.get("data", before.get("data"))
    return context.publish("activityUpdate", payload, bumps=[FENCE])


def _check_version(data: Mapping[str, Any], running: Mapping[str, Any]) -> None:
    """``expectedVersion`` is that of the activity in question, 0 if it has not begun."""
    version = running["version"] if running.get("activityId") == data["activityId"] else 0
    if data.get("expectedVersion", version) != version:
        raise _conflict("The activity has changed meanwhile", running)


def _check_step(
    context: Context, data: Mapping[str, Any], running: Mapping[str, Any], before: Mapping[str, Any]
) -> None:
    target = data["status"]
    if target == "started" and context.live.record.status != "active":
        raise ClassWavesError("SESSION_NOT_ACTIVE")
    if not before:
        if target != "started":
            raise ClassWavesError("ACTIVITY_NOT_FOUND")
        if running.get("status") in ("started", "paused"):
            raise _conflict("Another activity is running", running)
    status = before.get("status", "")
    if target not in STEPS[status] or (target == status and "data" not in data):
        raise _conflict(f"The activity is {status} already", running)


def _conflict(message: str, running: Mapping[str, Any]) -> ClassWavesError:
    current = _without_responses(running) or None
    return ClassWavesError("CONFLICT", message, details={"current": current})


def _response_key(replica: Replica, data: Mapping[str, Any]) -> str:
    """``clientId`` counts for one run of an activity: what is answered anew is another response."""
    run = replica.state.get("runs", {}).get(data["activityId"], 0)
    return f"{data['activityId']}\0{run}\0{data['clientId']}"


@activities.event("submitActivityResponse", schema=ResponseSchema, allow="student", active=True, key=_response_key)
def submit_response(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Answer the running activity; another answer with another ``clientId`` replaces the one before."""
    context.rely(FENCE)
    activity = context.live.replica.state.get("activity") or {}
    if activity.get("activityId") != data["activityId"]:
        raise ClassWavesError("ACTIVITY_NOT_FOUND")
    if activity["status"] != "started":
        raise ClassWavesError("CONFLICT", f"The activity is {activity['status']}")
    size, most = len(codec.dumps(data["data"])), context.hub.settings.max_response_bytes
    if size > most:
        raise ClassWavesError("PAYLOAD_TOO_LARGE", details={"maxBytes": most})
    payload = {
        "activityId": data["activityId"],
        "userId": context.principal.user_id,
        "displayName": context.principal.display_name,
        "data": data["data"],
        "clientId": data["clientId"],
    }
    return context.publish("activityResponse", payload, audience="staff")
