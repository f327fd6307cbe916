"""``flask classwaves check``: everything that is wrong with how this server is set up, at once.

Imports settings, state and the checks. It runs where the application does not: what keeps it from being loaded is
one of the findings, and the rest is said of the environment alone.
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
from flask.cli import NoAppException, ScriptInfo, pass_script_info

from ..settings import Settings, SettingsError
from ..state import State
from .check_places import check_places
from .check_redis import check_redis
from .check_server import check_server
from .check_settings import check_settings
from .findings import Finding, count, error, ok, show, warning
from .group import cli

#: Exit codes.
FINE, FAILED, WARNED = 0, 1, 3


@dataclass(slots=True)
class Loaded:
    """The settings as far as they can be known, and what was found out by loading the application."""

    settings: Settings
    findings: list[Finding] = field(default_factory=list)


@cli.command("check", with_appcontext=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: {errors, warnings, findings: [...]}.")
@click.option("--strict", is_flag=True, help=f"End with {WARNED} if there are warnings and no errors.")
@pass_script_info
def check(info: ScriptInfo, as_json: bool, strict: bool) -> None:
    """Look at settings, Redis, gunicorn and storage, and say how to mend what is wrong.

    Ends with 1 if anything is an error. Run it where the server runs, with the same environment.
    """
    loaded = load(info)
    findings = [*loaded.findings, *look(loaded.settings)]
    errors, warnings = count(findings, "error"), count(findings, "warning")
    if as_json:
        shown = {"errors": errors, "warnings": warnings, "findings": [finding.to_dict() for finding in findings]}
        click.echo(json.dumps(shown, indent=2))
    else:
        show(findings)
    if errors or (strict and warnings):
        raise SystemExit(FAILED if errors else WARNED)


def look(settings: Settings) -> Iterator[Finding]:
    """All checks of these settings, in this environment and folder."""
    yield from check_settings(settings, os.environ)
    yield from check_redis(settings)
    yield from check_server(settings, os.environ, Path.cwd())
    yield from check_places(settings, os.environ)


def load(info: ScriptInfo) -> Loaded:
    """Load the application, or do without it."""
    try:
        app = info.load_app()
    except NoAppException:
        told = "none was found here, so only the environment is looked at: give `flask --app`."
        return _without([warning("application", told)])
    except Exception as problem:
        if wrong := _settings_error(problem):
            return _without([error("settings", sentence) for sentence in wrong.problems])
        return _without([error("application", f"cannot be loaded: {_where(problem)}.")])
    state: State | None = app.extensions.get("classwaves")
    if state is None:
        told = "has no ClassWaves: call ClassWaves().init_app(app)."
        return _without([error("application", told)])
    return Loaded(state.settings, [ok("settings", "all are known and can be meant")])


def _without(findings: list[Finding]) -> Loaded:
    settings, problems = Settings.look()
    told = {finding.message for finding in findings}
    findings += [error("settings", sentence) for sentence in problems if sentence not in told]
    return Loaded(settings, findings)


def _settings_error(problem: BaseException | None) -> SettingsError | None:
    """The error of the settings behind an error, which an application may have wrapped."""
    while problem is not None and not isinstance(problem, SettingsError):
        problem = problem.__cause__ or problem.__context__
    return problem


def _where(problem: Exception) -> str:
    """An error without its words, which may quote a password."""
    last = traceback.extract_tb(problem.__traceback__)[-1]
    return f"{type(problem).__name__} in {Path(last.filename).name}, line {last.lineno}"
