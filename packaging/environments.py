"""The project's own Python environments under .dev/: made once, reused while their requirements stay."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pythons
import system_libraries

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".dev"
REQUIREMENTS = ROOT / "packaging" / "requirements"
LOCK = REQUIREMENTS / "wheels.txt"
STUBS = ROOT / "packaging" / "stubs.py"

BLENDERS: dict[str, pythons.Version] = {
    "4.2.23": (3, 11),
    "4.5.15": (3, 11),
    "5.0.1": (3, 11),
    "5.2.3": (3, 13),
}
"""Each Blender that exists as a wheel and is tested, with the one Python it fits."""

NEWEST: dict[pythons.Version, str] = {(3, 11): "5.0.1", (3, 13): "5.2.3"}
"""The Blender taken for a Python when none is named."""

TYPED = ("4.2", "5.2")
"""The oldest and the newest Blender, whose stubs the shell is checked against."""

NO_NETWORK = "The packages could not be downloaded: check the network, then run this again."
FAILURES = (
    ("ensurepip", "This Python cannot make environments: install its venv package (Debian: python3-venv)."),
    ("No space left", "The disk is full: a Blender environment takes about 1.2 GB under .dev/."),
    ("Failed to establish a new connection", NO_NETWORK),
    ("Failed to resolve", NO_NETWORK),
    ("Temporary failure", NO_NETWORK),
    ("timed out", NO_NETWORK),
    ("No matching distribution", "No build fits this machine: use Windows, Linux x64 or a Mac."),
)  # fmt: skip
"""What pip, venv or apt-get say when they fail -> what it means, the more telling first."""


class SetupError(Exception):
    """What could not be set up and what to do about it, in one sentence."""


@dataclass(frozen=True)
class Environment:
    """A folder under .dev/ with a Python and exactly the pinned packages of its requirement files."""

    name: str
    version: pythons.Version
    requirements: tuple[Path, ...]
    announcement: str
    mended_by: Path | None = None
    """What changes the packages once they are installed."""

    @property
    def folder(self) -> Path:
        return HOME / f"{self.name}-py{self.version[0]}{self.version[1]}"

    @property
    def python(self) -> Path:
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def log(self) -> Path:
        return HOME / f"{self.folder.name}.log"

    @property
    def stamp(self) -> Path:
        return self.folder / "ready"

    def fingerprint(self) -> str:
        """Changes when any requirement does."""
        files = (*self.requirements, self.mended_by) if self.mended_by else self.requirements
        return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()

    def ready(self) -> bool:
        """Whether an installation of these very requirements was finished and its Python is still there."""
        return self.python.exists() and self.stamp.is_file() and self.stamp.read_text() == self.fingerprint()


def blender_version(wanted: str | None) -> str:
    """The Blender version to use: the wanted one, or the one that fits the running Python."""
    if wanted is None:
        return NEWEST[sys.version_info[:2]]
    if wanted not in BLENDERS:
        raise SetupError(f"There is no Blender {wanted} here: choose one of {', '.join(BLENDERS)}.")
    return wanted


def blender(version: str) -> Environment:
    """The environment in which `import bpy` is that Blender; also holds what its tests need."""
    return Environment(
        name=f"bpy-{version}",
        version=BLENDERS[version],
        requirements=(REQUIREMENTS / f"bpy-{version}.txt", REQUIREMENTS / "test.txt", LOCK),
        announcement=f"Installing Blender {version} as a Python module, about 400 MB, once…",
    )


def tools(version: pythons.Version) -> Environment:
    """The environment without Blender: ruff, mypy, pytest and what `core` imports."""
    return Environment(
        name="tools",
        version=version,
        requirements=(REQUIREMENTS / "tools.txt", REQUIREMENTS / "test.txt", LOCK),
        announcement=f"Installing the checks and tests for Python {pythons.label(version)}, once…",
    )


def farm(version: pythons.Version) -> Environment:
    """The environment of a render farm's own engine, which starts Blender as its workers do; and its tests."""
    files = ("farm", "tools", "test")
    return Environment(
        name="farm",
        version=version,
        requirements=(*(REQUIREMENTS / f"{name}.txt" for name in files), LOCK),
        announcement="Installing what runs Open Job Description templates, once…",
    )


def types(blender: str, version: pythons.Version) -> Environment:
    """The environment in which `bpy` is that Blender as type stubs, mended, with mypy beside them."""
    return Environment(
        name=f"types-{blender}",
        version=version,
        requirements=(REQUIREMENTS / f"types-{blender}.txt",),
        announcement=f"Installing what describes Blender {blender} to mypy, once…",
        mended_by=STUBS,
    )


def bare(version: pythons.Version) -> Environment:
    """Nothing but pip, to download wheels with."""
    return Environment("pip", version, (), "Making an environment for downloads, once…")


def prepare(environment: Environment) -> Path:
    """The environment's Python, installed first if it is not ready. Raises SetupError."""
    if environment.ready():
        return environment.python
    base = pythons.find(environment.version)
    if base is None:
        wanted = pythons.label(environment.version)
        raise SetupError(f"{environment.name} needs Python {wanted}, which was not found: install Python {wanted}.")
    say(environment.announcement)
    _install(environment, base)
    if environment.mended_by:
        _logged(environment, [str(environment.python), str(environment.mended_by)])
    if environment.name.startswith("bpy-"):
        _prove_blender_starts(environment)
    # Written last: an interrupted installation leaves no stamp and is made anew.
    environment.stamp.write_text(environment.fingerprint())
    return environment.python


def say(line: str) -> None:
    """Progress for people, on stderr: stdout belongs to the command that is run."""
    print(line, file=sys.stderr, flush=True)


def _install(environment: Environment, base: str) -> None:
    shutil.rmtree(environment.folder, ignore_errors=True)
    HOME.mkdir(exist_ok=True)
    environment.log.write_bytes(b"")
    _logged(environment, [base, "-m", "venv", str(environment.folder)])
    for requirements in environment.requirements:
        _logged(environment, [*pip_install(environment.python), "-r", str(requirements)])


def pip_install(python: Path) -> list[str]:
    """Every package is named with its version, so pip resolves nothing; a lost network fails in seconds."""
    quiet = ["--no-input", "--disable-pip-version-check", "--retries", "2", "--timeout", "20"]
    return [str(python), "-m", "pip", "install", "--no-deps", "--only-binary", ":all:", *quiet]


def _logged(environment: Environment, command: Sequence[str]) -> None:
    with environment.log.open("ab") as log:
        code = subprocess.call(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    if code:
        raise SetupError(explain(environment.log.read_text(errors="replace"), environment.log))


def explain(output: str, log: Path) -> str:
    """What a failed command meant, in one sentence; the end of its output when it is nothing usual."""
    known = (sentence for sign, sentence in FAILURES if sign in output)
    tail = "\n".join(output.strip().splitlines()[-8:])
    return next(known, f"{tail}\nThe installation failed: the lines above are the end of {log}.")


def _prove_blender_starts(environment: Environment) -> None:
    if missing := system_libraries.missing():
        _install_system_libraries(environment, missing)
    trial = subprocess.run([str(environment.python), "-c", "import bpy"], capture_output=True, text=True)
    if trial.returncode:
        reason = (trial.stderr.strip().splitlines() or [f"exit code {trial.returncode}"])[-1]
        raise SetupError(f"Blender was installed but does not start on this machine: {reason}.")


def _install_system_libraries(environment: Environment, missing: dict[str, str]) -> None:
    packages = sorted(set(missing.values()))
    if not system_libraries.can_install():
        raise SetupError(
            f"Blender needs system libraries: sudo apt-get install {' '.join(packages)}, then run this again."
        )
    say(f"Installing system libraries that Blender needs: {' '.join(packages)}…")
    for command in system_libraries.commands(packages):
        _logged(environment, command)
