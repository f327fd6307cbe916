"""The capabilities of the classroom, one file each: schemas, who may, what it does, what it changes."""

from __future__ import annotations

from ..events import Feature
from .activities import activities as activities
from .attendance import attendance as attendance
from .calls import calls as calls
from .chat import chat as chat
from .connection import connection as connection
from .core import core as core
from .files import files as files
from .groups import groups as groups
from .hands import hands as hands
from .history import history as history
from .membership import membership as membership
from .moderation import moderation as moderation
from .presence import presence as presence
from .reactions import reactions as reactions
from .signs import signs as signs
from .transcription import transcription as transcription
from .waiting import waiting as waiting

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
