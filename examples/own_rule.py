"""Rules of your own: who may send an event of yours, what nobody may send, and who comes in at all.

    pip install classwaves
    CLASSWAVES_DEMO=1 PREFECTS=demo-student gunicorn -c python:classwaves.gunicorn_conf own_rule:app

PREFECTS are user ids that may announce something beside staff (a table of yours, in a real school). Students cannot
send links, and a guest needs a name of two words. All three are asked on every worker, so let them look where all
workers look: in a database, a setting, the session itself; never in a variable of the module.

Next: docs/extending.md has what the context knows, docs/joining.md the waiting room, own_accounts.py users of yours.
"""

import os
from typing import Any

from flask import Flask, current_app
from marshmallow import fields, validate

from classwaves import ClassWaves, EventContext, EventSchema, Join, Refuse

classwaves = ClassWaves()


class AnnouncementSchema(EventSchema):
    text = fields.String(required=True, validate=validate.Length(1, 200))


@classwaves.rule
def may_announce(ctx: EventContext, data: dict[str, Any]) -> bool:
    """Only True allows. An exception forbids too, and is logged."""
    return ctx.is_staff or ctx.user_id in current_app.config["PREFECTS"]


@classwaves.event("announce", schema=AnnouncementSchema, allow="may_announce")
def announce(ctx: EventContext, data: dict[str, Any]) -> dict[str, Any]:
    """Tell the class something that is shown at the top."""
    return ctx.publish("announced", {"text": data["text"], "by": ctx.display_name})


@classwaves.policy
def no_links(ctx: EventContext, event: str, data: dict[str, Any]) -> bool:
    """Asked about every event, ClassWaves' own too, after its rule has allowed it: it forbids more, never less."""
    if event == "sendMessage" and not ctx.is_staff and "://" in data["message"]:
        raise classwaves.Error("FORBIDDEN", "Only staff send links", details={"reason": "links"})
    return True


@classwaves.join_guard
def full_names(join: Join) -> None:
    """Asked before somebody comes in; who is refused is shown the sentence."""
    if join.guest and len(join.display_name.split()) < 2:
        raise Refuse("Please come back with your first and your last name.")


def create_app(config: dict[str, Any] | None = None) -> Flask:
    app = Flask(__name__)
    app.config["PREFECTS"] = frozenset(filter(None, os.environ.get("PREFECTS", "").split(",")))
    app.config.from_mapping(config or {})
    classwaves.init_app(app)
    return app


app = create_app()
