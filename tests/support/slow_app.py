"""The demo's application for a worker that takes long to load: until the file is there that ``LOAD_WHEN`` names."""

import os
import time
from pathlib import Path

from wsgi import app as app

GATE = Path(os.environ["LOAD_WHEN"])

GATE.with_name(f"at-the-gate-{os.getpid()}").touch()
while not GATE.exists():
    time.sleep(0.02)
