"""Finds a Blender that opens a window, or prepares Debian's, and says how to run programs beside it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import environments
from environments import SetupError, say

TOOLS = ("Xvfb", "xdotool")
"""What makes a screen, and what moves its mouse and presses keys: Debian's xvfb and xdotool."""

PACKAGES = [
    *["blender", "xvfb", "libgl1-mesa-dri", "xdotool", "xauth", "xclip", "libfaketime"],
    *["python3-requests", "python3-numpy", "python3-pil"],
]
SUITES: dict[str, list[str]] = {"trixie": [], "sid": ["python3-cattr"]}
"""Debian's releases with a Blender that is new enough (4.3.2 and 5.2), and what each needs beside PACKAGES."""

OLDEST = (4, 2)
MIRROR = "http://deb.debian.org/debian"


@dataclass(frozen=True)
class Place:
    """A Blender, and the root folder of the system that it and the tools are installed in."""

    name: str
    blender: str
    root: Path = Path("/")

    def command(self, command: Sequence[str]) -> list[str]:
        """What runs a program of the host's that starts programs there: what they leave ends with it."""
        return list(command) if self.root == Path("/") else [*PRIVATE, MOUNTS, "sh", str(self.root), *command]

    def environment(self) -> dict[str, str]:
        """What tests/gui reads."""
        return {"FLUX_DEPTH_WINDOW_ROOT": str(self.root), "FLUX_DEPTH_WINDOW_BLENDER": self.blender}


PRIVATE = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-e", "-c"]
"""Mounts and processes of its own: nothing has to be unmounted or ended, and several runs do not meet."""

MOUNTS = f"""
root=$1; shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mkdir -p "$root{tempfile.gettempdir()}"
mount --bind "{tempfile.gettempdir()}" "$root{tempfile.gettempdir()}"
exec "$@"
"""
"""A temporary file has the same path within and without."""


def find(suite: str) -> Place:
    """$BLENDER, else the one on PATH, else Debian's of that suite, which is made once. Raises SetupError."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if named := os.environ.get("BLENDER"):
        if missing:
            raise SetupError(f"$BLENDER's window needs {', '.join(missing)}: install xvfb and xdotool.")
        return Place(f"Blender {'.'.join(map(str, _version(named)))}", named)
    on_path = shutil.which("blender")
    if on_path and not missing and _version(on_path) >= OLDEST:
        return Place(f"Blender {'.'.join(map(str, _version(on_path)))}", on_path)
    return Place(f"Debian {suite}", "blender", _debian(suite))


def _version(executable: str) -> tuple[int, ...]:
    """(4, 3) of a Blender; raises SetupError where it does not start."""
    try:
        told = subprocess.run([executable, "--version"], capture_output=True, text=True).stdout
    except OSError as error:
        raise SetupError(f"{executable} does not start ({error.strerror}): name a Blender executable.") from None
    found = re.search(r"Blender (\d+)\.(\d+)", told)
    return tuple(map(int, found.groups())) if found else (0, 0)


def _debian(suite: str) -> Path:
    """The root folder of that Debian with its Blender; the folder is there only when it is complete."""
    if suite not in SUITES:
        raise SetupError(f"There is no suite {suite} here: choose one of {', '.join(SUITES)}.")
    packages = [*PACKAGES, *SUITES[suite]]
    mark = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:8]
    root = cache() / f"{suite}-{mark}"
    if not root.is_dir():
        _check_able()
        say(f"Installing Debian {suite} with its Blender in {root}, about 2 GB, once…")
        _make(suite, packages, root)
    return root


def cache() -> Path:
    """Where Debian is kept for all checkouts: $FLUX_DEPTH_CACHE, else the user's cache folder."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("FLUX_DEPTH_CACHE") or user / "flux-depth")


def _check_able() -> None:
    missing = [tool for tool in ("apt-get", "unshare", "chroot") if not shutil.which(tool)]
    if missing or not hasattr(os, "geteuid"):
        raise SetupError("No Blender with a window was found: name one in $BLENDER, and install xvfb and xdotool.")
    if os.geteuid() != 0:
        raise SetupError("Debian's Blender can only be installed as root: run this as root, or name one in $BLENDER.")


def _make(suite: str, packages: Sequence[str], root: Path) -> None:
    """Under another name until it is complete, so that neither an interruption nor another run is in the way."""
    root.parent.mkdir(parents=True, exist_ok=True)
    log = root.parent / f"{suite}.log"
    log.write_bytes(b"")
    unfinished = Path(tempfile.mkdtemp(prefix=f"{suite}-unfinished-", dir=root.parent))
    try:
        unfinished.chmod(0o755)
        _bootstrap(suite, unfinished, log)
        _resemble_host(unfinished)
        install = ["chroot", str(unfinished), "apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
        place = Place(suite, "blender", unfinished)
        # Some mirrors hand sid's list out past its date; its signature is looked at all the same.
        late = ["-o", "Acquire::Check-Valid-Until=false"]
        _logged(place.command(["chroot", str(unfinished), "apt-get", *late, "update", "-qq"]), log)
        _logged(place.command(install), log)
        _logged(["chroot", str(unfinished), "apt-get", "clean"], log)
        if not root.is_dir():
            unfinished.rename(root)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _bootstrap(suite: str, folder: Path, log: Path) -> None:
    if not shutil.which("debootstrap"):
        _logged(["apt-get", "update", "-qq"], log)
        _logged(["apt-get", "install", "-y", "-qq", "debootstrap", "debian-archive-keyring"], log)
    _logged(["debootstrap", "--variant=minbase", suite, str(folder), _mirror()], log)


def _mirror() -> str:
    """Where the host takes Debian from, as far as it is a Debian."""
    lists = sorted(path for path in Path("/etc/apt").rglob("*") if path.suffix in {".list", ".sources"})
    text = "\n".join(path.read_text(errors="replace") for path in lists if path.is_file())
    found = re.search(r"^(?:URIs:|deb\b.*?)\s(https?://\S+/debian)/?\s", text, re.MULTILINE)
    return found[1] if found else MIRROR


def _resemble_host(root: Path) -> None:
    """The names, proxies and certificates that the host has; what else it does at an installation stays there."""
    settings = [path for path in Path("/etc/apt/apt.conf.d").glob("*") if "Acquire::" in path.read_text()]
    usual = map(Path, ("/etc/resolv.conf", "/etc/hosts", "/etc/apt/apt.conf", "/etc/ssl/certs/ca-certificates.crt"))
    for path in filter(Path.is_file, (*usual, *settings)):
        target = root / path.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def _logged(command: Sequence[str], log: Path) -> None:
    asks_nothing = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with log.open("ab") as output:
        code = subprocess.call(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=asks_nothing)
    if code:
        raise SetupError(environments.explain(log.read_text(errors="replace"), log))
