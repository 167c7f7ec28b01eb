"""Finds the Pythons that Blender's wheels fit. Parses on Python 3.8: an old one can say what to install."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

Version = Tuple[int, int]

FITTING: Tuple[Version, ...] = ((3, 13), (3, 11))
"""Blender 5.1 and later runs Python 3.13, Blender 4.2 to 5.0 runs Python 3.11."""

NOTHING_FITS = "FLUX Depth needs Python 3.11 or 3.13 and found neither: install Python 3.13, then run this again."


def label(version: Version) -> str:
    """(3, 13) as people write it: 3.13."""
    return "{}.{}".format(*version)


def find(version: Version) -> Optional[str]:
    """The executable of a Python of that version, or None. The Python that is running comes first."""
    if sys.version_info[:2] == version:
        return sys.executable
    answers = (_ask(command, version) for command in _commands(label(version)))
    return next((path for path in answers if path), None)


def fitting() -> Optional[str]:
    """A Python that some wheel fits: the running one if it does, else the newest there is, else None."""
    if sys.version_info[:2] in FITTING:
        return sys.executable
    return next((path for path in map(find, FITTING) if path), None)


def _commands(name: str) -> Iterator[List[str]]:
    if on_path := shutil.which("python" + name):
        yield [on_path]
    if launcher := shutil.which("py"):
        yield [launcher, "-" + name]
    pyenv = Path(os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv")))
    for folder in sorted(pyenv.glob("versions/{}.*".format(name)), reverse=True):
        yield [str(folder / "bin" / "python")]


def _ask(command: List[str], version: Version) -> Optional[str]:
    """The path it gives for itself; None when it is another version or does not start (as some shims)."""
    question = "import sys; print(sys.version_info[:2] == {!r}, sys.executable)".format(version)
    try:
        answer = subprocess.run([*command, "-c", question], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    fits, _, path = answer.stdout.strip().partition(" ")
    return path if fits == "True" else None
