"""``flask classwaves``: what an operator does from a shell. One module for each group of commands."""

from __future__ import annotations

from . import accounts, archive, audit, check, drain, fleet, personal, registry, replay, tail, tokens
from .group import cli

__all__ = [
    "accounts",
    "archive",
    "audit",
    "check",
    "cli",
    "drain",
    "fleet",
    "personal",
    "registry",
    "replay",
    "tail",
    "tokens",
]
