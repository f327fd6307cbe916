"""``python -m classwaves COMMAND``: the commands of ``flask classwaves`` on the reference application."""

from __future__ import annotations

from flask.cli import ScriptInfo

from .app import create_app
from .cli import cli

if __name__ == "__main__":
    cli.main(obj=ScriptInfo(create_app=create_app), prog_name="python -m classwaves")
