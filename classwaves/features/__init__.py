"""The capabilities of the classroom, one file each: schemas, who may, what it does, what it changes."""

from __future__ import annotations

from ..events import Feature
from .activities import activities
from .attendance import attendance
from .calls import calls
from .chat import chat
from .connection import connection
from .files import files
from .groups import groups
from .hands import hands
from .history import history
from .membership import membership
from .moderation import moderation
from .presence import presence
from .reactions import reactions
from .signs import signs
from .transcription import transcription
from .waiting import waiting

#: What an application has unless it says otherwise.
FEATURES: tuple[Feature, ...] = (
    connection,
    membership,
    presence,
    chat,
    reactions,
    signs,
    groups,
    activities,
    hands,
    transcription,
    files,
    calls,
    history,
    moderation,
    waiting,
    attendance,
)
