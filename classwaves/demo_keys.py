"""The keys of demo mode: made once, kept outside the repository, shared by all workers and the next start.

Imports the error of settings.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from pathlib import Path

from .readers import SettingsError


def demo_keys(state_dir: str = "") -> dict[str, str]:
    """The keys of demo mode: made once, kept outside the repository, shared by all workers and the next start.

    :param state_dir: where to keep them; by default ``$XDG_STATE_HOME/classwaves`` or ``~/.local/state/classwaves``,
        and a place in the temporary folder where that cannot be written (the disk of some PaaS is read-only).
    """
    default = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "classwaves"
    temporary = Path(tempfile.gettempdir()) / f"classwaves-{os.getuid()}"
    for folder in [Path(state_dir)] if state_dir else [default, temporary]:
        try:
            return _keep_keys(folder)
        except OSError as error:
            problem = error
    raise SettingsError(f"Demo mode cannot keep its keys ({problem.strerror}): set CLASSWAVES_STATE_DIR.")


def _keep_keys(folder: Path) -> dict[str, str]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(1, "the folder belongs to somebody else")
    path = folder / "demo-keys.json"
    if not path.exists():
        fresh = {name: secrets.token_urlsafe(48) for name in ("jwt_secret_key", "secret_key")}
        handle, temporary = tempfile.mkstemp(dir=folder)
        with open(handle, "w") as file:
            json.dump(fresh, file)
        try:
            os.link(temporary, path)  # atomic, and the first of several workers wins
        except FileExistsError:
            pass
        finally:
            os.unlink(temporary)
    keys: dict[str, str] = json.loads(path.read_text())
    return keys
