"""Print the lower bounds of setup.cfg as pip's constraints: the oldest versions that ClassWaves says it works with.

Those of what users install: the package and its extras. The tests' own tools are as new as they come; where they want
more of a library than users need, that is what is tried.
"""

import configparser
import re
from pathlib import Path

TOOLS = ("dev", "bench")


def bounds(text: str) -> dict[str, str]:
    """The requirements of a list that are nothing but a lower bound: name -> version."""
    found = (re.fullmatch(r"([A-Za-z0-9-]+)(?:\[[a-z0-9-]+\])?>=([\d.]+)", line.strip()) for line in text.split("\n"))
    return {one[1]: one[2] for one in found if one}


def number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def main() -> None:
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[1] / "setup.cfg")
    extras = setup["options.extras_require"]
    tools = bounds("\n".join(extras[name] for name in TOOLS))
    oldest = bounds(setup["options"]["install_requires"])
    for name in extras:
        if name not in TOOLS:
            oldest.update(bounds(extras[name]))
    for name, version in oldest.items():
        wanted = max(version, tools.get(name, version), key=number)
        print(f"{name}=={wanted}")  # this release, and not the newest of its series


if __name__ == "__main__":
    main()
