"""What stands for ``pip`` and ``npm`` on pages: whether what a reader is told to install is there, extras included."""

import sys
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import InvalidRequirement, Requirement

from tests.support.gunicorn_server import ROOT


def missing_in_python(words: list[str]) -> list[str]:
    """Return what is not installed of requirements; a file of requirements is only looked for."""
    missing = []
    for word in words:
        try:
            wanted = Requirement(word)
            found = distribution(wanted.name).metadata.get_all("Provides-Extra") or []
            extras = {extra.lower().replace("_", "-") for extra in found}
            if wanted.name == "classwaves":  # as this checkout says, not as it was when it was installed
                extras |= {line.split()[0] for line in _own_extras()}
            missing += [f"{word}: no extra {extra}" for extra in wanted.extras if extra not in extras]
        except PackageNotFoundError:
            missing.append(f"{word}: not installed")
        except InvalidRequirement:
            missing += [] if (ROOT / word).exists() else [f"{word}: no requirement and no file"]
    return missing


def _own_extras() -> list[str]:
    section = (ROOT / "setup.cfg").read_text().split("[options.extras_require]")[1].split("\n[")[0]
    return [line for line in section.splitlines() if line[:1].isalpha()]


def missing_in_node(words: list[str]) -> list[str]:
    """Return what is neither an npm package that is installed nor a path of this repository, as ``classwaves`` is."""
    names = [word.rsplit("@", 1)[0] if "@" in word[1:] else word for word in words]
    places = [ROOT / "node_modules", ROOT / "clients" / "js" / "node_modules"]
    return [name for name in names if not any((place / name).exists() for place in (*places, ROOT))]


def main() -> int:
    """Say what is missing."""
    tool, *words = sys.argv[1:]
    words = [word for word in words if not word.startswith("-")]
    if words[:1] not in (["install"], ["i"]):
        print(f"{tool} {' '.join(words)}: only install is known here", file=sys.stderr)
        return 1
    missing = (missing_in_python if tool == "pip" else missing_in_node)(words[1:])
    print("\n".join(missing), file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
