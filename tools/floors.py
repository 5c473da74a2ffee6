"""What `make floors` installs: the lowest versions that pyproject.toml promises, of the package and all its extras.

    python tools/floors.py extras SET         the extras of a set, for pip
    python tools/floors.py constraints SET    the lowest version of each package that they ask for, as constraints for pip

The tools that only the tests use are left out: a floor is a promise to those who install eegflex. There are two sets, since
braindecode and YASA ask for higher versions of MNE and NumPy than eegflex does: in `own`, eegflex and its other extras are at
their floors; in `stagers` these two are, on whatever versions they need.
"""

import re
import sys
import tomllib
from pathlib import Path

#: The floor at the beginning of what pyproject.toml asks of a package, such as "mne>=1.9".
_FLOOR = re.compile(r"(?P<name>[\w.-]+)(\[.*\])?>=(?P<version>[\w.]+)")
#: Extras of those who work on eegflex itself.
_OF_DEVELOPERS = {"docs", "test", "tools"}
_STAGERS = {"braindecode", "yasa"}


def promised() -> list[str]:
    """All extras that eegflex has for those who use it."""
    return sorted(_project()["optional-dependencies"].keys() - _OF_DEVELOPERS)


def extras(which: str) -> list[str]:
    """The extras of a set."""
    return sorted({"own": set(promised()) - _STAGERS, "stagers": _STAGERS}[which])


def floors(which: str) -> list[str]:
    """The lowest version of each package, as constraints."""
    project = _project()
    own = project["dependencies"] if which == "own" else []
    asked = own + [one for extra in extras(which) for one in project["optional-dependencies"][extra]]
    return [f"{found['name']}=={found['version']}" for found in map(_FLOOR.match, asked) if found]


def _project() -> dict:
    return tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def main() -> None:
    what, which = sys.argv[1:]
    print(",".join(extras(which)) if what == "extras" else "\n".join(floors(which)))


if __name__ == "__main__":
    main()
