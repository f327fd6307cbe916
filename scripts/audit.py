"""Ask whether an installed package has a known hole (pip-audit); ``make audit``.

The answers come from a service on the network. Where it cannot be reached, nothing was audited: that is said aloud, and
is no failure. A known hole is one.
"""

import json
import subprocess
import sys
from typing import Any

SECONDS = 120
COMMAND = [
    sys.executable,
    "-m",
    "pip_audit",
    "--local",
    "--timeout",
    "10",
    "--progress-spinner",
    "off",
    "--format",
    "json",
]


def main() -> int:
    try:
        done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603 - ours
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError):
        return not_audited("the service that knows of holes cannot be reached")
    audited = [package for package in packages if "vulns" in package]
    if not audited:
        return not_audited(f"the service that knows of holes told nothing of {len(packages)} packages")
    holes = [(package, hole) for package in audited for hole in package["vulns"]]
    for package, hole in holes:
        print(f"{package['name']} {package['version']}: {hole['id']}, mended in {hole['fix_versions'] or 'none yet'}")
    print(f"{len(audited)} of {len(packages)} packages were audited; {len(holes)} known holes.")
    return 1 if holes else 0


def not_audited(why: str) -> int:
    print(f"NOT AUDITED: {why}.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
