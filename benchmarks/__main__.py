"""`make bench`: runs every benchmark of this folder, or those named: `make bench ARGS=imports`.

A benchmark is a module here that runs by itself (`python -m benchmarks.imports`) and prints its figures.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
ONLY_BY_NAME = {"soak"}  # takes ten minutes


def available() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))


def run(name: str) -> int:
    print(f"\n## {name}\n", flush=True)
    return subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}"], cwd=FOLDER.parent, check=False
    ).returncode


def main(arguments: list[str]) -> int:
    """The exit code: 0 all ran, 1 one failed, 2 there is none of that name."""
    known = available()
    usual = [name for name in known if name not in ONLY_BY_NAME]
    unknown = [name for name in arguments if name not in known]
    if unknown:
        print(f"No such benchmark: {', '.join(unknown)}. There are: {', '.join(known)}", file=sys.stderr)
        return 2
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    print(f"{machine}, Python {platform.python_version()}")
    failed = [name for name in arguments or usual if run(name) != 0]
    if failed:
        print(f"\nFailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
