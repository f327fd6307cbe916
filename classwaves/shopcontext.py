"""What a handler that a shop has registered with ``@classwaves.event`` knows and may do.

Imports events, features and what may be published. It is a small face of :class:`~classwaves.events.Context`, which
has more, and with it more that can go wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .errors import ClassWavesError, StaleFence
from .events import Context
from .features.groups import FENCE, group_audience, group_of
from .live import LiveSession, hears
from .models import Draft, SessionRecord
from .payloads import is_json
from .published import ADDED, check_audience, check_name, payload
from .store.base import encode_draft

#: The audiences of what is published, and who that is.
AUDIENCE_NAMES = {
    "all": "everyone in the session",
    "staff": "staff",
    "user": "the users that it is for",
    "group": "the group, and staff",
    "sender": "the sender",
}

#: The kind under which signals of a shop travel the feed.
SIGNAL = "shop"


class EventContext:
    """Who sends an event, in which session, and what can be done about it.

    :param context: the whole of it, for features that need more.
    :param audience: whom :meth:`publish` tells unless it says otherwise.
    :param mute: why nothing can be published now, if so.
    """

    __slots__ = ("_audience", "_mute", "_published", "_stale", "context", "is_repeat")

    def __init__(self, context: Context, audience: str = "all", mute: str = "") -> None:
        self.context = context
        #: What was published had been stored before: the client sends again what it had no answer to.
        self.is_repeat = False
        self._audience = audience
        self._mute = mute
        self._published = ""
        self._stale: StaleFence | None = None

    @property
    def user_id(self) -> str:
        """Who sends it."""
        return self.context.principal.user_id

    @property
    def display_name(self) -> str:
        return self.context.principal.display_name

    @property
    def role(self) -> str:
        """``teacher``, ``student``, ``admin``, or ``transcriber`` for a program that captions."""
        return self.context.principal.participant_role

    @property
    def is_staff(self) -> bool:
        """Whether they own the session, or are a co-teacher or an admin."""
        return self.context.is_staff

    @property
    def group_id(self) -> str | None:
        """The group that they are in."""
        return group_of(self.context.live.replica, self.user_id)

    @property
    def session(self) -> SessionRecord:
        """The session as it is: ``code``, ``title``, ``status``, ``settings``, ``owner_id``, ``id``."""
        return self.context.live.record

    @property
    def request(self) -> Any:
        """The handshake's request, see :attr:`classwaves.events.Context.request`."""
        return self.context.request

    @property
    def client_message_id(self) -> str | None:
        """What the client repeats this event by, if it has said so."""
        return self.context.client_message_id

    def publish(
        self,
        event: str,
        data: Mapping[str, Any],
        *,
        audience: str | None = None,
        members: Sequence[str] = (),
        group_id: str | None = None,
    ) -> dict[str, Any]:
        """Append an event to the session's log: everybody in the audience gets it, in its place, also who comes back.

        Once in a handler. Until it has returned, the handler may be run again from the beginning, because something has
        changed that the permission relied on; after it has returned, never: what must happen once belongs behind it.

        :param data: JSON; delivery adds ``sessionCode``, ``seq`` and ``timestamp``.
        :param audience: one of :data:`AUDIENCE_NAMES`; what the event was registered with if left out.
        :param members: the user ids that ``user`` means, or ``group`` beside staff.
        :param group_id: the group that ``group`` means, for its members and staff to say; the sender's if left out.
        :returns: what belongs into the ack: ``{seq, timestamp}``.
        :raises ClassWavesError: ``INVALID_PAYLOAD``, ``PAYLOAD_TOO_LARGE``, ``GROUP_NOT_FOUND``, ``FORBIDDEN``.
        """
        return self.publish_all([(event, data)], audience=audience, members=members, group_id=group_id)

    def publish_all(
        self,
        events: Sequence[tuple[str, Mapping[str, Any]]],
        *,
        audience: str | None = None,
        members: Sequence[str] = (),
        group_id: str | None = None,
    ) -> dict[str, Any]:
        """Append several events in one atomic step, all of them or none; the ack is that of the last one.

        See :meth:`publish`.
        """
        name = self.context.event.name
        if self._mute:
            raise RuntimeError(f"{name} cannot publish here: {self._mute}")
        if self._published:
            raise RuntimeError(
                f"{name} has published {self._published} already, and a handler publishes once: give both to "
                "publish_all(), which stores them in one step"
            )
        if not events:
            raise ValueError(f"{name} publishes nothing; give at least one event")
        whom, who = self._whom(audience, members, group_id)
        drafts = [Draft(event, self._checked(event, data), self.user_id, whom, who) for event, data in events]
        most = self.context.hub.settings.max_event_bytes
        if any(len(encode_draft(replace(draft, trace=""))) > most for draft in drafts):
            raise ClassWavesError("PAYLOAD_TOO_LARGE", details={"maxBytes": most})
        try:
            answer = self.context.publish_all(drafts)
        except StaleFence as error:
            self._stale = error
            raise
        self._published = drafts[-1].event
        self.is_repeat = self.context.repeated
        return answer

    def signal(
        self,
        event: str,
        data: Mapping[str, Any],
        *,
        audience: str | None = None,
        members: Sequence[str] = (),
        group_id: str | None = None,
        key: str = "",
    ) -> None:
        """Tell the audience something that is not stored, has no ``seq`` and is not repeated to who comes back.

        As with typing, of one user, event and ``key`` only the newest within 200 ms is sent.

        The other parameters are those of :meth:`publish`.
        """
        whom, who = self._whom(audience, members, group_id)
        told = {"event": event, "data": self._checked(event, data), "audience": whom, "members": who, "key": key}
        self.context.signal(SIGNAL, told)

    def settle(self, answer: Any) -> dict[str, Any] | None:
        """What a handler has returned, as it goes into the ack. Called by who has run it.

        :raises StaleFence: the handler has caught it, which would have been taken for success.
        :raises TypeError: it is nothing that fits into an ack.
        """
        if self._stale is not None and not self._published:
            raise self._stale
        if answer is None:
            return None
        taken = {"ok", "error"} & answer.keys() if isinstance(answer, dict) else set()
        if taken or not isinstance(answer, dict) or not is_json(answer):
            why = f"the ack says {' and '.join(sorted(taken))} itself" if taken else _culprit(answer)
            raise TypeError(
                f"the handler of {self.context.event.name} returned what does not fit into an ack: {why}; "
                "return a dict of JSON values, or None"
            )
        return answer

    def _whom(self, audience: str | None, members: Sequence[str], group_id: str | None) -> tuple[str, tuple[str, ...]]:
        """The audience and members of a draft. :raises ClassWavesError: ``GROUP_NOT_FOUND``, ``FORBIDDEN``."""
        wanted = audience or ("group" if group_id else "user" if members else self._audience)
        if wanted == "sender":
            return "user", (self.user_id,)
        if wanted == "group" and not members:
            if group_id is None:
                self.context.rely(FENCE)
                group_id = self.group_id
            if group_id is None:
                raise ClassWavesError("GROUP_NOT_FOUND", "You are in no group")
            return "group", group_audience(self.context, group_id)
        if group_id is not None:
            raise ValueError(f"group_id is given, but audience={wanted!r}; leave one of them out")
        check_audience(wanted, members)
        return wanted, tuple(members)

    def _checked(self, event: str, data: Any) -> dict[str, Any]:
        """:raises TypeError: the shop publishes what is no JSON; it would be misleading to blame the client."""
        check_name(event)
        if not isinstance(data, Mapping) or _foreign(dict(data)):
            raise TypeError(f"{event} cannot be published: {_culprit(data)}; give a dict of JSON values")
        if added := [name for name in ADDED if name in data]:
            raise TypeError(
                f"{event} cannot be published: delivery adds {' and '.join(added)} itself; "
                "give the fields of your own, and not the whole payload"
            )
        return payload(data)


def _foreign(value: Any) -> list[Any]:
    """What in this only a program can have put there, and no client can have sent; the first of it."""
    if isinstance(value, dict):
        keys = [key for key in value if not isinstance(key, str)]
        return keys[:1] or next((found for one in value.values() if (found := _foreign(one))), [])
    if isinstance(value, list):
        return next((found for one in value if (found := _foreign(one))), [])
    return [] if value is None or isinstance(value, str | int | float | bytes) else [value]


def _culprit(value: Any) -> str:
    if not isinstance(value, Mapping):
        return f"it is a {type(value).__name__}"
    found = _foreign(dict(value))
    return f"there is a {type(found[0]).__name__} in it" if found else "there is something in it that is no JSON"


@hears(SIGNAL)
def _tell(live: LiveSession, message: dict[str, Any]) -> None:
    told = message["data"]
    key = (message["user"], told["key"])
    live.say(key, told["event"], lambda: told["data"], told["audience"], told["members"])
