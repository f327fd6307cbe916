"""Waits for the end of its standard input, then kills every process that carries a mark.

Run as a program by :mod:`tests.support.processes`: ``reaper.py NAME=VALUE``. Its input ends when the test
process does, even one that was killed with -9 and could put nothing away.
"""

import os
import signal
import sys
from pathlib import Path


def carriers(mark: bytes) -> list[int]:
    """Return the pids of the other processes whose environment holds ``mark`` or begins a variable with it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if int(entry.name) != os.getpid() and any(variable.startswith(mark) for variable in variables):
            found.append(int(entry.name))
    return found


def main() -> None:
    """Wait, then kill."""
    sys.stdin.buffer.read()
    for pid in carriers(os.fsencode(sys.argv[1])):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    main()
