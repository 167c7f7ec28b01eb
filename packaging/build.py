"""Builds the extension's zip: stages what ships, then lets Blender's own tool validate it and pack it."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import environments
from environments import HOME, LOCK, ROOT, SetupError, say

WHEELS = HOME / "wheels"
STAGE = HOME / "stage"
DIST = ROOT / "dist"

PLATFORMS: dict[str, tuple[str, str]] = {
    "linux-x64": ("manylinux_2_28_x86_64", "manylinux*_x86_64"),
    "macos-arm64": ("macosx_11_0_arm64", "macosx*_arm64"),
    "macos-x64": ("macosx_11_0_x86_64", "macosx*_x86_64"),
    "windows-arm64": ("win_arm64", "win_arm64"),
    "windows-x64": ("win_amd64", "win_amd64"),
}
"""Blender's name of a platform -> its oldest supported system as pip names it, and how wheels for it end."""

ABIS = ("cp311", "cp313")
"""3.11 for Blender 4.2 to 5.0, 3.13 from 5.1: all of one Pillow version, as they are unpacked into one place."""

DISTRIBUTION_ABIS = {"linux-x64": ("cp314",)}
"""What Linux distributions build their own Blender with."""


def main(*, everywhere: bool = False) -> int:
    """Writes dist/flux_depth-VERSION-PLATFORM.zip for this platform, or for every one. Raises SetupError."""
    platforms = sorted(PLATFORMS) if everywhere else [this_platform()]
    python = environments.prepare(environments.blender(environments.blender_version(None)))
    stage(STAGE, platforms, wheels_for(platforms))
    DIST.mkdir(exist_ok=True)
    for old in DIST.glob("*.zip"):
        old.unlink()
    tool = [str(python), str(_extension_tool(python))]
    _blender_says([*tool, "validate", "--valid-tags=", str(STAGE)])
    _blender_says([*tool, "build", "--source-dir", str(STAGE), "--output-dir", str(DIST), "--split-platforms"])
    for path in sorted(DIST.glob("*.zip")):
        _blender_says([*tool, "validate", "--valid-tags=", str(path)])
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    return 0


def for_this_machine() -> Path:
    """The zip for this platform, built now. Raises SetupError."""
    main()
    return next(DIST.glob(f"*{this_platform().replace('-', '_')}.zip"))


def this_platform() -> str:
    """Blender's name of the machine we are on."""
    system = {"darwin": "macos"}.get(platform.system().lower(), platform.system().lower())
    machine = platform.machine().lower()
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(machine, machine)
    name = f"{system}-{machine}"
    if name not in PLATFORMS:
        raise SetupError(f"No Pillow is locked for {name}: --all-platforms builds for {', '.join(PLATFORMS)}.")
    return name


def abis(name: str) -> tuple[str, ...]:
    """The Pythons that the zip for that platform serves."""
    return ABIS + DISTRIBUTION_ABIS.get(name, ())


def wheels_for(platforms: Iterable[str]) -> list[Path]:
    """Every locked wheel that ships for them, downloaded once. Raises SetupError."""
    return sorted({wheel for name in platforms for abi in abis(name) for wheel in locked_wheels(name, abi)})


def stage(folder: Path, platforms: Iterable[str], wheels: Iterable[Path]) -> None:
    """Lays out exactly what ships: package, license, wheels, and the manifest that names them."""
    wheels = list(wheels)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "flux_depth_addon", folder, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".*"))
    shutil.copy2(ROOT / "LICENSE", folder)
    (folder / "wheels").mkdir()
    for path in wheels:
        shutil.copy2(path, folder / "wheels" / shipped_name(path))
    manifest = (ROOT / "blender_manifest.toml").read_text(encoding="utf-8")
    # Keys of the top level come before the first table, so they can be put in front.
    names = json.dumps([f"./wheels/{shipped_name(path)}" for path in wheels])
    shipped = f"platforms = {json.dumps(list(platforms))}\nwheels = {names}\n{manifest}"
    (folder / "blender_manifest.toml").write_text(shipped, encoding="utf-8")


def shipped_name(wheel: Path) -> str:
    """The wheel's name in the zip: of one Pillow, the wheel for Python 3.11 comes last by name.

    Blender 4.2.0 looks at platforms only: of the wheels of one version it unpacks the one whose name is the last, and
    it has Python 3.11. A build number, which sorts before "cp", puts the others in front.
    """
    name, version, *tags = wheel.name.split("-")
    return wheel.name if tags[0] in ("cp311", "py3") else "-".join([name, version, "1", *tags])


def locked_wheels(name: str, abi: str) -> list[Path]:
    """Of every locked library the wheel for that platform and Python, downloaded once. Raises SetupError."""
    return _downloaded(name, abi) or _download(name, abi)


def unpack_libraries() -> None:
    """What ships, for a Blender executable, which carries none of it: .dev/libraries/cp311, cp313 and so on."""
    for abi in abis(this_platform()):
        folder = HOME / "libraries" / abi
        if not folder.is_dir():
            unfinished = folder.with_suffix(".part")
            shutil.rmtree(unfinished, ignore_errors=True)
            for path in locked_wheels(this_platform(), abi):
                zipfile.ZipFile(path).extractall(unfinished)
            unfinished.rename(folder)


def _downloaded(name: str, abi: str) -> list[Path]:
    """The locked wheels that are there, when none is missing."""
    lock = LOCK.read_text(encoding="utf-8")
    found = [*WHEELS.glob(f"*-{abi}-{abi}-{PLATFORMS[name][1]}.whl"), *WHEELS.glob("*-py3-none-any.whl")]
    sound = [path for path in found if hashlib.sha256(path.read_bytes()).hexdigest() in lock]
    return sound if len(sound) == lock.count("==") else []


def _download(name: str, abi: str) -> list[Path]:
    say(f"Downloading what ships for {name}, {abi}…")
    python = environments.prepare(environments.bare(sys.version_info[:2]))
    quiet = [
        "-q",
        "--no-input",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
    ]
    target = [
        "--platform",
        PLATFORMS[name][0],
        "--implementation",
        "cp",
        "--python-version",
        abi.removeprefix("cp"),
    ]
    command = [str(python), "-m", "pip", "download", *quiet, *target, "--dest", str(WHEELS), "-r", str(LOCK)]
    done = subprocess.run(command, capture_output=True, text=True)
    wheels = _downloaded(name, abi)
    if done.returncode or not wheels:
        raise SetupError(f"Wheels for {name}, {abi} could not be downloaded: check the network, then run this again.")
    return wheels


def _extension_tool(python: Path) -> Path:
    """Blender's own tool for extensions, inside the wheel; it needs no Blender to run."""
    found = python.parent.parent.glob("[Ll]ib/**/bl_pkg/cli/blender_ext.py")
    return next(found)


def _blender_says(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SetupError(f"Blender's extension tool refused it: {(done.stdout + done.stderr).strip()}")
