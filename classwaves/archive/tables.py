"""The tables of the archive. Imports nothing of ours.

Times are in milliseconds since the epoch. JSON is text that we write and read, so that both databases keep the same.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Connection, Index, Integer, MetaData, Table, Text, insert, select

#: Raise it when the tables change; an archive of another version is refused.
VERSION = 1

metadata = MetaData()

version = Table("classwaves_version", metadata, Column("version", Integer, primary_key=True))

sessions = Table(
    "classwaves_sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("code", Text, nullable=False),
    Column("owner_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("record", Text, nullable=False),
    # the newest entry that is here
    Column("seq", BigInteger, nullable=False),
    Column("epoch", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Index("classwaves_sessions_code", "code", "created_at"),
    Index("classwaves_sessions_time", "time"),
)

entries = Table(
    "classwaves_entries",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", Text, primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("event", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("audience", Text, nullable=False),
    Column("members", Text),
    Column("bumps", Text),
    Column("id_field", Text, nullable=False),
    Column("data", Text, nullable=False),
    # what else the data says, for those who look for it
    Column("subject", Text),  # whom it is about, if that is not its author
    Column("group_id", Text),
    Column("message_id", Text),  # the message that is reacted to or deleted
    # what became of it
    Column("lost", Boolean, nullable=False, default=False),  # the store has lost it, and may have another of its number
    Column("deleted", Boolean, nullable=False, default=False),
    Column("reactions", Text),  # emoji -> count
    Index("classwaves_entries_event", "session_id", "event", "seq"),
    Index("classwaves_entries_author", "author", "session_id", "seq"),
    Index("classwaves_entries_subject", "subject", "session_id", "seq"),
    Index("classwaves_entries_message", "session_id", "message_id"),
)

#: The audit stream.
acts = Table(
    "classwaves_acts",
    metadata,
    Column("time", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("what", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("act", Text, nullable=False),
)

#: Users whose names and texts are gone, and since when: what was said before is kept without them, however late.
erased = Table(
    "classwaves_erased",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("time", BigInteger, nullable=False),
)


class WrongVersionError(Exception):
    """The tables are of another version of ClassWaves."""


def create(connection: Connection) -> None:
    """Make the tables that are missing. Whoever calls keeps others from doing it at the same time.

    :raises WrongVersionError: there are tables of another version.
    """
    metadata.create_all(connection)
    found = connection.execute(select(version.c.version)).scalars().all()
    if not found:
        connection.execute(insert(version).values(version=VERSION))
    elif found != [VERSION]:
        raise WrongVersionError(f"the archive's tables are of version {found[0]}, and this is {VERSION}")
