"""Every step of a store, for tests that want them all."""

from collections.abc import Callable

from classwaves.models import Entry, SessionRecord
from classwaves.store.base import Checkpoint, Store
from tests.support.stores import LONG, ROOM, created, join, login, message, seat, upload

AUTH = login()

STEPS: dict[str, Callable[[Store, SessionRecord], object]] = {
    "create_session": lambda store, session: store.create_session(session, created(session)),
    "session_id": lambda store, session: store.session_id(session.code),
    "record": lambda store, session: store.record(session.id),
    "standing": lambda store, session: store.standing(session.id),
    "list_sessions": lambda store, session: store.list_sessions(None, 0, 10),
    "expire": lambda store, session: store.expire(session, LONG),
    "append": lambda store, session: store.append(session.id, [message("a")], dedupe="a"),
    "find": lambda store, session: store.find(session.id, "a"),
    "read": lambda store, session: store.read(session.id, 0, 10),
    "read_back": lambda store, session: store.read_back(session.id, 10, 10),
    "load": lambda store, session: store.load(session.id, 1),
    "save_checkpoint": lambda store, session: store.save_checkpoint(session.id, Checkpoint(1, "e", 1, "{}")),
    "new_epoch": lambda store, session: store.new_epoch(session.id, "e"),
    "vouch": lambda store, session: store.vouch(session.id, "e", Entry(1, "e", 0, message("a"))),
    "positions": lambda store, session: store.positions([session.id]),
    "begin_upload": lambda store, session: store.begin_upload(session.id, upload("ann"), ROOM, {}),
    "upload": lambda store, session: store.upload(session.id, "file of ann"),
    "uploads": lambda store, session: store.uploads(session.id),
    "advance_upload": lambda store, session: store.advance_upload(session.id, "file of ann", 0),
    "seal_upload": lambda store, session: store.seal_upload(session.id, "file of ann", "sealed"),
    "end_upload": lambda store, session: store.end_upload(session.id, "file of ann"),
    "end_idle_uploads": lambda store, session: store.end_idle_uploads(session.id, LONG),
    "due_uploads": lambda store, session: store.due_uploads(LONG),
    "join": lambda store, session: join(store, session, seat("ann")),
    "set_status": lambda store, session: store.set_status(session.id, seat("ann"), "idle", {}),
    "leave": lambda store, session: store.leave(session.id, seat("ann")),
    "vanish": lambda store, session: store.vanish(session.id, seat("ann")),
    "expire_absent": lambda store, session: store.expire_absent(session.id, 0),
    "serve": lambda store, session: store.serve("w", session.id),
    "unserve": lambda store, session: store.unserve("w", session.id),
    "is_served_by_another": lambda store, session: store.is_served_by_another("other", session.id),
    "renew": lambda store, session: store.renew("w", LONG),
    "sweep": lambda store, session: store.sweep(),
    "due_absences": lambda store, session: store.due_absences(0),
    "save_auth": lambda store, session: store.save_auth(AUTH, "r1", LONG),
    "auth": lambda store, session: store.auth(AUTH.id),
    "rotate_refresh": lambda store, session: store.rotate_refresh(AUTH.id, "r1", "r2", LONG),
    "end_auth": lambda store, session: store.end_auth(AUTH.id),
    "auths": lambda store, session: store.auths([AUTH.id]),
    "user_standing": lambda store, session: store.user_standing("ann"),
    "set_blocked": lambda store, session: store.set_blocked("ann", True),
    "set_role": lambda store, session: store.set_role("ann", "teacher"),
    "save_account": lambda store, session: store.save_account("ann", {}),
    "account": lambda store, session: store.account("ann"),
    "publish": lambda store, session: store.publish(session.id, {}),
    "ping": lambda store, session: store.ping(),
}
"""By the name of the method; each may be taken in a session that was just created, in this order."""
