"""The shapes of REST requests and answers, from which the OpenAPI document is made."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, fields, post_load, validate

from ..auth.accounts import MAX_PASSWORD, MAX_USERNAME
from ..models import iso
from ..payloads import LATEST, Flag, Name, Text

NAME_LENGTH, TITLE_LENGTH = 60, 200


class Strict(Schema):
    """A request; unknown fields are refused."""

    class Meta:
        unknown = RAISE


class Answer(Schema):
    """An answer; clients take fields that they do not know, since more may be added."""

    class Meta:
        unknown = EXCLUDE


class ErrorBody(Answer):
    code = fields.String(required=True)
    message = fields.String(required=True)
    details = fields.Dict()
    retryAfterMs = fields.Integer()


class ErrorSchema(Answer):
    """The body of every error."""

    error = fields.Nested(ErrorBody, required=True)


class LoginSchema(Strict):
    username = Text(required=True, validate=validate.Length(1, MAX_USERNAME))
    password = Text(required=True, validate=validate.Length(1, MAX_PASSWORD), load_only=True)


class UserSchema(Answer):
    userId = fields.String(required=True)
    displayName = fields.String(required=True)
    role = fields.String(required=True, validate=validate.OneOf(["teacher", "student", "admin"]))


class TokensSchema(Answer):
    accessToken = fields.String(required=True)
    refreshToken = fields.String()
    tokenType = fields.String(required=True)
    expiresIn = fields.Integer(required=True, metadata={"description": "seconds until the access token expires"})
    user = fields.Nested(UserSchema, required=True)


class SessionSettings(Strict):
    access = fields.String(validate=validate.OneOf(["code", "roster"]))
    rosterUserIds = fields.List(Text(validate=validate.Length(1, 128)), validate=validate.Length(max=5000))
    coTeacherIds = fields.List(Text(validate=validate.Length(1, 128)), validate=validate.Length(max=100))
    maxParticipants = fields.Integer(strict=True, validate=validate.Range(1, 10_000))
    guestsAllowed = Flag()
    waitingRoom = Flag()
    transcriptAudience = fields.String(validate=validate.OneOf(["everyone", "ownGroup"]))
    fileSharing = Flag()


class NewSessionSchema(Strict):
    title = Name(required=True, validate=validate.Length(1, TITLE_LENGTH))
    settings = fields.Nested(SessionSettings)

    @post_load
    def _defaults(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {"settings": {}, **data}


class ChangeSessionSchema(Strict):
    title = Name(validate=validate.Length(1, TITLE_LENGTH))
    settings = fields.Nested(SessionSettings)


class EndSchema(Strict):
    reason = Text(validate=validate.Length(1, 200))


class SessionSchema(Answer):
    sessionCode = fields.String(attribute="code", required=True)
    title = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(["created", "active", "paused", "ended"]))
    ownerId = fields.String(attribute="owner_id", required=True)
    settings = fields.Nested(SessionSettings, required=True)
    createdAt = fields.Function(lambda record: iso(record.created_at), required=True)


class GuestSchema(Strict):
    displayName = Name(required=True, validate=validate.Length(1, NAME_LENGTH))


class PageSchema(Strict):
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))
    cursor = fields.Integer(load_default=0, validate=validate.Range(0, LATEST))


class SessionListSchema(Answer):
    sessions = fields.List(fields.Nested(SessionSchema), required=True)
    nextCursor = fields.String(allow_none=True)


class ParticipantsSchema(Answer):
    participants = fields.List(fields.Dict(), required=True)
    nextCursor = fields.String(allow_none=True)


class HistoryQuery(Strict):
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))
    beforeSeq = fields.Integer(validate=validate.Range(1, LATEST))
    afterSeq = fields.Integer(validate=validate.Range(0, LATEST))
    groupId = Text(validate=validate.Length(1, 64))


class TranscriptQuery(HistoryQuery):
    format = fields.String(load_default="json", validate=validate.OneOf(["json", "vtt", "srt", "txt"]))


class AttendanceQuery(PageSchema):
    format = fields.String(load_default="json", validate=validate.OneOf(["json", "csv"]))


class AuditQuery(Strict):
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))
    cursor = Text(validate=validate.Regexp(r"[0-9]{1,16}-[0-9]{1,16}\Z"))
    format = fields.String(load_default="json", validate=validate.OneOf(["json", "jsonl"]))


class AuditSchema(Answer):
    acts = fields.List(fields.Dict(), required=True)
    nextCursor = fields.String(allow_none=True)


class TranscriberSchema(Strict):
    displayName = Name(validate=validate.Length(1, NAME_LENGTH))


class GroupsSchema(Answer):
    groups = fields.List(fields.Dict(), required=True)
    nextCursor = fields.String(allow_none=True)


class TranscriptSchema(Answer):
    segments = fields.List(fields.Dict(), required=True)
    hasMore = fields.Boolean(required=True)
    nextBeforeSeq = fields.Integer(allow_none=True)


class AttendanceSchema(Answer):
    attendance = fields.List(fields.Dict(), required=True)
    nextCursor = fields.String(allow_none=True)


class MessagesSchema(Answer):
    messages = fields.List(fields.Dict(), required=True)
    hasMore = fields.Boolean(required=True)
    nextBeforeSeq = fields.Integer(allow_none=True)


class ErasedSchema(Answer):
    """What was erased: entries in the store and in the archive, files, and accounts of the built-in authenticator."""

    entries = fields.Integer(required=True)
    archived = fields.Integer(required=True)
    files = fields.Integer(required=True)
    accounts = fields.Integer(required=True)


class IceServerSchema(Answer):
    urls = fields.List(fields.String(), required=True)
    username = fields.String()
    credential = fields.String()


class IceSchema(Answer):
    iceServers = fields.List(fields.Nested(IceServerSchema), required=True)
    ttl = fields.Integer(metadata={"description": "seconds that the credentials are good for; absent: they do not end"})
