"""docs/cli.md has every command, which says what it does."""

from classwaves.cli import cli
from scripts.docs import commands
from tests.support.gunicorn_server import ROOT


def test_each_command_is_in_the_docs_and_has_help() -> None:
    assert (ROOT / "docs" / "cli.md").read_text() == commands()
    assert all(command.help for command in cli.commands.values())
