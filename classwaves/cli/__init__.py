"""``flask classwaves``: what an operator does from a shell. One module for each group of commands."""

from __future__ import annotations

from . import accounts, archive, audit, check, fleet, personal, registry, replay, tail, tokens
from .group import cli

__all__ = ["accounts", "archive", "audit", "check", "cli", "fleet", "personal", "registry", "replay", "tail", "tokens"]
