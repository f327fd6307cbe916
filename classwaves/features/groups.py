"""Groups: made by staff, or dealt out, joined and left by students; ``groupUpdate`` tells everyone how one is now.

A participant is in one group at the most: who enters another one leaves the first, in the same step.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from ..declared import Numbered, Shape, Stored, flag, string, texts, whole
from ..errors import ClassWavesError
from ..events import Context, Feature
from ..models import TRANSCRIBER, Draft, Entry
from ..payloads import Flag, Name, StoredEvent, Text, identifier, position, user_identifier
from ..replica import Replica, fold, snapshot
from ..rules import forbidden

groups = Feature("groups")

MOST_GROUPS, MOST_MEMBERS = 500, 1000

#: The fence of who is in which group; a message to one relies on ``group:ID`` alone.
FENCE = "groups"


@dataclass(frozen=True, slots=True)
class Group:
    """A group as everybody sees it. ``version`` counts its changes from 1."""

    name: str
    members: tuple[str, ...] = ()
    leader_id: str | None = None
    is_ready: bool = False
    max_size: int | None = None
    version: int = 0
    id: str = field(default="", compare=False)

    def payload(self) -> dict[str, Any]:
        body = {
            "groupName": self.name,
            "members": list(self.members),
            "leaderId": self.leader_id,
            "isReady": self.is_ready,
            "maxSize": self.max_size,
            "version": self.version,
        }
        return {"groupId": self.id, **body} if self.id else body

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Group:
        """The group that a payload tells of."""
        return cls(
            data["groupName"],
            tuple(data["members"]),
            data["leaderId"],
            data["isReady"],
            data["maxSize"],
            data["version"],
            data["groupId"],
        )

    def without(self, user_ids: Iterable[str]) -> Group:
        gone = set(user_ids)
        left = tuple(user_id for user_id in self.members if user_id not in gone)
        return replace(self, members=left, leader_id=None if self.leader_id in gone else self.leader_id)


# the fold


@fold("groupUpdate")
def _update_group(replica: Replica, entry: Entry) -> None:
    """A group as it is now; who has been removed meanwhile is in none."""
    kept = replica.state.setdefault("groups", {})
    data = entry.draft.data
    group_id = entry.id if data["action"] == "created" else data["groupId"]
    if data["action"] == "deleted":
        kept.pop(group_id, None)
    elif data["action"] == "created" or group_id in kept:
        shown = {key: data[key] for key in ("groupName", "members", "leaderId", "isReady", "maxSize", "version")}
        kept[group_id] = {"groupId": group_id, **shown}


@fold("participantRemoved")
def _leave_groups(replica: Replica, entry: Entry) -> None:
    user_id = entry.draft.data["userId"]
    for group_id, data in replica.state.get("groups", {}).items():
        if user_id in data["members"]:
            replica.state["groups"][group_id] = Group.of(data).without([user_id]).payload()


@snapshot("groups")
def _in_snapshot(replica: Replica, user_id: str, staff: bool) -> list[dict[str, Any]]:
    return all_groups(replica)


def all_groups(replica: Replica) -> list[dict[str, Any]]:
    """All groups, in the order in which they were made."""
    return list(replica.state.get("groups", {}).values())


# what others ask of it


def group_audience(context: Context, group_id: str) -> tuple[str, ...]:
    """Whom a group's text is for, beside staff; for its members and staff to say.

    :raises ClassWavesError: ``GROUP_NOT_FOUND``; ``FORBIDDEN``: not in this group.
    """
    context.rely(f"group:{group_id}")
    group = _group(context, group_id)
    if not context.is_staff and context.principal.user_id not in group.members:
        raise forbidden("otherGroup", "You are not in this group")
    return group.members


def group_of(replica: Replica, user_id: str) -> str | None:
    """The id of the group that somebody is in."""
    found = replica.state.get("groups", {}).items()
    return next((group_id for group_id, data in found if user_id in data["members"]), None)


def _groups(context: Context) -> dict[str, Group]:
    return {group_id: Group.of(data) for group_id, data in context.live.replica.state.get("groups", {}).items()}


def _group(context: Context, group_id: str) -> Group:
    data = context.live.replica.state.get("groups", {}).get(group_id)
    if data is None:
        raise ClassWavesError("GROUP_NOT_FOUND")
    return Group.of(data)


# the events


def _members() -> fields.List[str]:
    return fields.List(user_identifier(), validate=validate.Length(max=MOST_MEMBERS))


def _size(**options: Any) -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(1, MOST_MEMBERS), **options)


class CreateSchema(StoredEvent):
    name = Name(required=True, validate=validate.Length(1, 100))
    leaderId = user_identifier(allow_none=True)
    memberIds = _members()
    maxSize = _size(allow_none=True)


class GroupSchema(StoredEvent):
    groupId = identifier(required=True)


class UpdateSchema(GroupSchema):
    name = Name(validate=validate.Length(1, 100))
    leaderId = user_identifier(allow_none=True)
    memberIds = _members()
    maxSize = _size(allow_none=True)
    expectedVersion = position()


class DeleteSchema(GroupSchema):
    expectedVersion = position()


class ReadySchema(GroupSchema):
    ready = Flag(required=True)


class AssignSchema(StoredEvent):
    count = fields.Integer(strict=True, validate=validate.Range(1, MOST_GROUPS))
    size = _size()
    strategy = Text(required=True, validate=validate.OneOf(["random", "roundRobin"]))

    @validates_schema
    def _one_of_them(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if ("count" in data) == ("size" in data):
            raise ValidationError("Give either count or size.", "count")


class GroupShape(Shape):
    groupId = string()
    groupName = string()
    members = texts()
    leaderId = string(allow_none=True)
    isReady = flag()
    maxSize = whole(allow_none=True)
    version = whole()


class GroupUpdateShape(GroupShape, Numbered):
    action = string("created", "updated", "deleted")
    updatedBy = string()


class MadeShape(Stored):
    groupId = string(required=False)


groups.sends("groupUpdate", GroupUpdateShape)
groups.answers(MadeShape, "createGroup", "assignGroups")
groups.answers(Stored, "updateGroup", "deleteGroup", "joinGroup", "leaveGroup", "setGroupReady")


@groups.event("createGroup", schema=CreateSchema, allow="staff", exclusive=True)
def create_group(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Make a group. Its members leave the groups that they were in."""
    context.rely(FENCE)
    before = _groups(context)
    if len(before) >= MOST_GROUPS:
        raise ClassWavesError("CONFLICT", f"A session has {MOST_GROUPS} groups at the most")
    members = _once(data.get("memberIds", [data["leaderId"]] if data.get("leaderId") else []))
    group = Group(data["name"], members, data.get("leaderId"), max_size=data.get("maxSize"))
    _check(context, group, members)
    return _publish(context, [*_moved(before.values(), members), (group, "created")])


@groups.event("updateGroup", schema=UpdateSchema, allow="staff", exclusive=True)
def update_group(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Change what is given of a group. With ``expectedVersion``, only if nobody else has changed it meanwhile."""
    context.rely(FENCE)
    before = _expected(context, data)
    members = _once(data.get("memberIds", before.members))
    leader_id = data.get("leaderId", before.leader_id if before.leader_id in members else None)
    group = replace(
        before,
        name=data.get("name", before.name),
        members=members,
        leader_id=leader_id,
        max_size=data.get("maxSize", before.max_size),
    )
    _check(context, group, set(members) - set(before.members))
    others = [other for other in _groups(context).values() if other.id != group.id]
    return _publish(context, [*_moved(others, members), (group, "updated")])


@groups.event("deleteGroup", schema=DeleteSchema, allow="staff", exclusive=True)
def delete_group(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Dissolve a group."""
    context.rely(FENCE)
    return _publish(context, [(_expected(context, data), "deleted")])


@groups.event("assignGroups", schema=AssignSchema, allow="staff", exclusive=True)
def assign_groups(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Replace all groups by new ones, in one step, in which every participant but staff has a place.

    The first of each is its leader.
    """
    context.rely(FENCE)
    students = context.live.replica.students()
    if data["strategy"] == "random":
        random.SystemRandom().shuffle(students)
    count = data.get("count") or min(-(-len(students) // data["size"]), MOST_GROUPS)
    dealt = [tuple(students[number::count]) for number in range(count)]
    made = [
        Group(f"Group {number}", members, members[0] if members else None) for number, members in enumerate(dealt, 1)
    ]
    changes = [(group, "deleted") for group in _groups(context).values()] + [(group, "created") for group in made]
    return _publish(context, changes) if changes else {}


@groups.event("joinGroup", schema=GroupSchema, allow="student", exclusive=True)
def join_group(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Enter a group, and leave the one before."""
    context.rely(FENCE)
    group, me = _group(context, data["groupId"]), context.principal.user_id
    if me in group.members:
        return _unchanged(context, group)
    joined = replace(group, members=(*group.members, me))
    _check(context, joined, [])
    others = [other for other in _groups(context).values() if other.id != group.id]
    return _publish(context, [*_moved(others, [me]), (joined, "updated")])


@groups.event("leaveGroup", schema=GroupSchema, allow="student", exclusive=True)
def leave_group(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Leave a group."""
    context.rely(FENCE)
    group, me = _group(context, data["groupId"]), context.principal.user_id
    if me not in group.members:
        return _unchanged(context, group)
    return _publish(context, [(group.without([me]), "updated")])


@groups.event("setGroupReady", schema=ReadySchema, allow="participant", exclusive=True)
def set_group_ready(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    """Say whether a group is ready. For its leader and staff."""
    context.rely(FENCE)
    group = _group(context, data["groupId"])
    if not context.is_staff and group.leader_id != context.principal.user_id:
        raise forbidden("notLeader", "Only the group's leader and staff say whether it is ready")
    return _publish(context, [(replace(group, is_ready=data["ready"]), "updated")])


# how they do it


def _once(user_ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(user_ids))


def _unchanged(context: Context, group: Group) -> dict[str, Any]:
    """Nothing to do; a client that may repeat itself still gets an answer to be repeated."""
    return _publish(context, [(group, "updated")]) if context.client_message_id else {}


def _expected(context: Context, data: Mapping[str, Any]) -> Group:
    group = _group(context, data["groupId"])
    if data.get("expectedVersion", group.version) != group.version:
        current = group.payload()
        raise ClassWavesError("CONFLICT", "The group has changed meanwhile", details={"current": current})
    return group


def _check(context: Context, group: Group, new: Iterable[str]) -> None:
    """Only who has been in the session can be in a group; the leader is a member; nobody is too many."""
    replica = context.live.replica
    if not all(_may_be_in_one(replica, one) for one in new):
        raise ClassWavesError("INVALID_PAYLOAD", details={"memberIds": ["Not all of them are participants."]})
    if group.leader_id is not None and group.leader_id not in group.members:
        raise ClassWavesError("INVALID_PAYLOAD", details={"leaderId": ["The leader must be a member."]})
    if group.max_size is not None and len(group.members) > group.max_size:
        raise ClassWavesError("GROUP_FULL")


def _may_be_in_one(replica: Replica, user_id: str) -> bool:
    return user_id in replica.known and user_id not in replica.removed and replica.known[user_id][1] != TRANSCRIBER


def _moved(others: Iterable[Group], user_ids: Sequence[str]) -> list[tuple[Group, str]]:
    """The other groups that these users leave."""
    return [(group.without(user_ids), "updated") for group in others if set(group.members) & set(user_ids)]


def _publish(context: Context, changes: Sequence[tuple[Group, str]]) -> dict[str, Any]:
    me = context.principal.user_id
    drafts = []
    for group, action in changes:
        data = {**replace(group, version=group.version + 1).payload(), "action": action, "updatedBy": me}
        bumps = (FENCE, f"group:{group.id}") if group.id else (FENCE,)
        drafts.append(Draft("groupUpdate", data, me, bumps=bumps, id_field="" if group.id else "groupId"))
    return context.publish_all(drafts)
