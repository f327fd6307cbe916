"""A signed webhook for everything that is stored in any class, sent beside the server and never by it.

    pip install 'classwaves[archive]' && export CLASSWAVES_ARCHIVE_URL=sqlite:////var/tmp/archive.sqlite3
    WEBHOOK_URL=http://127.0.0.1:9000/ WEBHOOK_SECRET=whsec_$(openssl rand -base64 24) python webhook_out.py

The server has the same CLASSWAVES_ARCHIVE_URL. This reads the archive, a second behind the class, with a cursor in the
same database; at its very first start it begins with what is new. A receiver that is away is tried again, a minute
apart at the most, and then gets what it has missed, in order; after a crash of this the last event may come twice, with
the same ``webhook-id``. Run one of it. WEBHOOK_EVENTS=messageReceived,sessionEnded sends these alone. What is sent has
texts and names, which an erase does not reach. The headers are those of www.standardwebhooks.com.

Next: docs/examples.md for the receiver; docs/extending.md for signals, inside the server, sooner, and at most once.
"""

import hmac
import json
import os
import sys
import time
from base64 import b64decode, b64encode
from http.client import HTTPException
from typing import Any
from urllib.request import Request, urlopen

from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

URL, SECRET = os.environ["WEBHOOK_URL"], b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"), validate=True)
WANTED = os.environ.get("WEBHOOK_EVENTS", "").split(",")
CURSORS = "CREATE TABLE webhook_cursors (session_id TEXT, epoch TEXT, seq BIGINT, PRIMARY KEY (session_id, epoch))"
PAST = "INSERT INTO webhook_cursors SELECT session_id, epoch, max(seq) FROM classwaves_entries GROUP BY 1, 2"
SENT = """INSERT INTO webhook_cursors VALUES (:session_id, :epoch, :seq)
    ON CONFLICT (session_id, epoch) DO UPDATE SET seq = excluded.seq"""
NEXT = """SELECT e.session_id, e.epoch, e.seq, e.time, e.event, e.author, e.data, s.code
    FROM classwaves_sessions s JOIN classwaves_entries e ON e.session_id = s.id
    LEFT JOIN webhook_cursors tip ON tip.session_id = s.id AND tip.epoch = s.epoch
    LEFT JOIN webhook_cursors c ON c.session_id = e.session_id AND c.epoch = e.epoch
    WHERE coalesce(tip.seq, 0) < s.seq AND NOT e.lost AND coalesce(c.seq, 0) < e.seq ORDER BY 1, e.seq LIMIT 100"""


def send(entry: Any) -> None:
    facts = {"type": entry.event, "sessionCode": entry.code, "seq": entry.seq, "time": entry.time}
    body = json.dumps({**facts, "author": entry.author, "data": json.loads(entry.data)}).encode()
    name, now = f"{entry.session_id}-{entry.epoch}-{entry.seq}", str(int(time.time()))
    signed = b64encode(hmac.digest(SECRET, f"{name}.{now}.".encode() + body, "sha256")).decode()
    headers = {"webhook-id": name, "webhook-timestamp": now, "webhook-signature": f"v1,{signed}"}
    request = Request(URL, body, {**headers, "Content-Type": "application/json"})  # noqa: S310 - the operator's
    with urlopen(request, timeout=10) as answer:  # noqa: S310
        if answer.url != URL:  # sent on, without the body
            raise OSError(f"redirected to {answer.url}")


def work(connection: Connection) -> bool:
    """Send what is new, and say if there was any. The cursor moves with each event that was taken."""
    if not inspect(connection).has_table("webhook_cursors"):
        connection.execute(text(CURSORS))
        connection.execute(text(PAST))
    entries = connection.execute(text(NEXT)).all()
    connection.commit()
    for entry in entries:
        if WANTED == [""] or entry.event in WANTED:
            send(entry)
        connection.execute(text(SENT), dict(entry._mapping))
        connection.commit()
    return bool(entries)


if __name__ == "__main__":
    if len(SECRET) < 24:  # who guesses it can send in our name
        sys.exit("webhook_out: WEBHOOK_SECRET is too short")
    engine, pause = create_engine(os.environ["CLASSWAVES_ARCHIVE_URL"]), 0.25
    while True:
        try:
            with engine.connect() as database:
                time.sleep(0 if work(database) else 1)
            pause = 0.25
        except (OSError, HTTPException, SQLAlchemyError) as error:  # the receiver, or the database, is away
            pause = min(pause * 2, 60)
            print(f"{type(error).__name__}: trying again in {pause:g} s", file=sys.stderr)
            time.sleep(pause)
