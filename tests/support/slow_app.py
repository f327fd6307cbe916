"""The demo's application for a worker that takes long to load: until the file is there that ``LOAD_WHEN`` names.

If there is something in that file, it cannot be loaded.
"""

import os
import time
from pathlib import Path

from wsgi import app as app

GATE = Path(os.environ["LOAD_WHEN"])

GATE.with_name(f"at-the-gate-{os.getpid()}").touch()
while not GATE.exists():
    time.sleep(0.02)
if GATE.read_text():
    raise RuntimeError(GATE.read_text())
