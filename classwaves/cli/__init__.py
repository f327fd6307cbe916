"""``flask classwaves``: what an operator does from a shell. One module for each group of commands."""

from __future__ import annotations

from . import accounts, archive, audit, bench, check, contract, drain, fleet, personal, registry, replay, tail, tokens
from .group import cli as cli

#: Importing them has registered their commands.
MODULES = (accounts, archive, audit, bench, check, contract, drain, fleet, personal, registry, replay, tail, tokens)
