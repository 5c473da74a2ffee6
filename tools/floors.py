"""Print the lowest version of each direct dependency that pyproject.toml allows, as constraints for pip.

Of the package and its extras, but for the tools that only its tests use: a floor is a promise to those who install eegflex.
"""

import re
import sys
import tomllib
from pathlib import Path

#: The floor at the beginning of what pyproject.toml asks of a package, such as "mne>=1.9".
_FLOOR = re.compile(r"(?P<name>[\w.-]+)(\[.*\])?>=(?P<version>[\w.]+)")
#: Extras of those who work on eegflex itself; and braindecode and yasa, whose own floors of MNE and numpy are higher than ours.
_LEFT_OUT = {"braindecode", "docs", "test", "tools", "yasa"}


def floors(pyproject: str) -> list[str]:
    project = tomllib.loads(pyproject)["project"]
    extras = project["optional-dependencies"]
    asked = project["dependencies"] + [one for extra in sorted(extras.keys() - _LEFT_OUT) for one in extras[extra]]
    return [f"{found['name']}=={found['version']}" for found in map(_FLOOR.match, asked) if found]


def main() -> None:
    sys.stdout.write("\n".join(floors(Path("pyproject.toml").read_text(encoding="utf-8"))) + "\n")


if __name__ == "__main__":
    main()
