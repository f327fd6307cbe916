"""An event of the notebook's own: a note is shown to the class."""

from classroom import classwaves
from marshmallow import fields

from classwaves import EventSchema


class NoteSchema(EventSchema):
    body = fields.String(required=True)


@classwaves.event("showNote", schema=NoteSchema, allow="participant")
def show_note(ctx, data):
    return ctx.publish("noteShown", {"body": data["body"], "by": ctx.display_name})
