"""docs/cli.md names every command, and each says what it does."""

from classwaves.cli import cli
from tests.support.gunicorn_server import ROOT


def test_each_command_is_in_the_docs_and_has_help() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    rows = [line.partition(" | ")[0] for line in page.splitlines() if line.startswith("| `")]
    named = {word.strip("`,|").split()[0] for row in rows for word in row.split("`")[1::2]}
    assert named == set(cli.commands)
    assert all(command.help for command in cli.commands.values())
