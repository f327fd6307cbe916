"""The capabilities of the classroom, one file each: schemas, who may, what it does."""

from __future__ import annotations

from ..events import Feature
from .chat import chat
from .membership import membership
from .presence import presence

#: What an application has unless it says otherwise.
FEATURES: tuple[Feature, ...] = (membership, chat, presence)
