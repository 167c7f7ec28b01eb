"""Runs a module or script of the checkout in a Blender: blender --python in_blender.py -- TARGET ARGS."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(target: str) -> None:
    """Makes the checkout importable and, where this Blender lacks them, the libraries that ship with us."""
    libraries = ROOT / ".dev" / "libraries" / f"cp{sys.version_info[0]}{sys.version_info[1]}"
    sys.path[:0] = [str(ROOT), str(ROOT / "packaging")]
    sys.path.append(str(libraries))
    if target.endswith(".py"):
        runpy.run_path(str(ROOT / "packaging" / target), run_name="__main__")
    else:
        runpy.run_module(target, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    sys.argv = sys.argv[sys.argv.index("--") + 1 :]
    main(sys.argv[0])
