"""Builds what ships: stages it, has Blender's own tool validate and pack it, and list it for a static repository."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import environments
from environments import HOME, LOCK, ROOT, SetupError, say

WHEELS = HOME / "wheels"
STAGE = HOME / "stage"
DIST = ROOT / "dist"
PACKAGE = ROOT / "flux_depth_addon"

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

MANIFEST = "blender_manifest.toml"
SHIPPED = {".py", ".toml", ".json"}
"""How the names of the package's files end."""

DEVELOPERS = re.compile(r"(^|/)tests?[_/]")
"""What must not lie in the package."""

HERE = [str(place).encode() for place in (ROOT, Path.home())]
"""What nothing that ships may name."""

Tool = Sequence[str]
"""The command that runs a Blender's own program for extensions."""


def main(*, everywhere: bool = False, repository: bool = False) -> int:
    """Writes dist/flux_depth-VERSION-PLATFORM.zip for this platform, or for every one. Raises SetupError.

    With `repository`, dist/repository is a folder that any web server can serve to Blender.
    """
    platforms = sorted(PLATFORMS) if everywhere else [this_platform()]
    tools = _tools_at_hand()
    stage(STAGE, platforms, wheels_for(platforms))
    sweep(DIST)
    zips = pack(STAGE, DIST, tools)
    if repository:
        publish(zips, DIST / "repository", tools[0])
    for path in zips:
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    if repository:
        print(DIST / "repository")
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


def stage(folder: Path, platforms: Iterable[str], wheels: Iterable[Path], *, version: str = "") -> None:
    """Lays out exactly what ships: package, license, wheels, and the manifest that names them.

    With a `version` it claims to be that one.
    """
    wheels = list(wheels)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".*"))
    shutil.copy2(ROOT / "LICENSE", folder)
    (folder / "wheels").mkdir()
    for path in wheels:
        shutil.copy2(path, folder / "wheels" / shipped_name(path))
    manifest = (ROOT / MANIFEST).read_text(encoding="utf-8")
    # Keys of the top level come before the first table, so they can be put in front.
    names = json.dumps([f"./wheels/{shipped_name(path)}" for path in wheels])
    shipped = f"platforms = {json.dumps(list(platforms))}\nwheels = {names}\n{manifest}"
    if version:
        shipped = re.sub(r'(?m)^version = ".*"$', f'version = "{version}"', shipped)
    (folder / MANIFEST).write_text(shipped, encoding="utf-8")


def shipped_name(wheel: Path) -> str:
    """The wheel's name in the zip: of one Pillow, the wheel for Python 3.11 comes last by name.

    Blender 4.2.0 looks at platforms only: of the wheels of one version it unpacks the one whose name is the last, and
    it has Python 3.11. A build number, which sorts before "cp", puts the others in front.
    """
    name, version, *tags = wheel.name.split("-")
    return wheel.name if tags[0] in ("cp311", "py3") else "-".join([name, version, "1", *tags])


def sweep(folder: Path) -> None:
    """Removes what an earlier build left."""
    shutil.rmtree(folder / "repository", ignore_errors=True)
    for old in folder.glob("*.zip"):
        old.unlink()


def pack(source: Path, target: Path, tools: Sequence[Tool]) -> list[Path]:
    """The zips made from a staged folder, one for each platform, validated by each tool. Raises SetupError."""
    target.mkdir(parents=True, exist_ok=True)
    _validate(source, tools)
    blender_says([*tools[0], "build", "--source-dir", str(source), "--output-dir", str(target), "--split-platforms"])
    zips = sorted(target.glob("*.zip"))
    for path in zips:
        _validate(path, tools)
        examine(path)
    return zips


def _validate(path: Path, tools: Sequence[Tool]) -> None:
    for tool in tools:
        blender_says([*tool, "validate", "--valid-tags=", str(path)])


def examine(path: Path) -> None:
    """Raises SetupError when a zip holds a file that does not ship, or says where it was made."""
    if found := sorted({*_strays(path)}):
        raise SetupError(f"{path.name} must not hold {', '.join(found)}: look into {STAGE}.")


def _strays(path: Path) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if not _ships(PurePosixPath(name)):
                yield name
            elif not name.endswith(".whl") and any(place in archive.read(name) for place in HERE):
                yield f"{name} with a folder of this machine"


def _ships(inner: PurePosixPath) -> bool:
    """Whether a file of that name is one of ours: a wheel among the wheels, or a part of the package."""
    if inner.parts[0] == "wheels":
        return inner.suffix == ".whl"
    if str(inner) in ("LICENSE", MANIFEST):
        return True
    return inner.suffix in SHIPPED and not DEVELOPERS.search(str(inner)) and (PACKAGE / inner).is_file()


def publish(zips: Iterable[Path], folder: Path, tool: Tool) -> None:
    """Makes a static repository of the zips: them, index.json and, for people, index.html. Raises SetupError."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in zips:
        shutil.copy2(path, folder)
    blender_says([*tool, "server-generate", "--repo-dir", str(folder), "--html"])
    prove(folder)


def prove(folder: Path) -> None:
    """Raises SetupError unless the index leads from wherever it is served to every zip beside it, byte for byte."""
    listed = json.loads((folder / "index.json").read_text(encoding="utf-8"))["data"]
    found = {(entry["archive_url"], entry["archive_size"], entry["archive_hash"]) for entry in listed}
    there = {(f"./{path.name}", path.stat().st_size, f"sha256:{_sha256(path)}") for path in folder.glob("*.zip")}
    if found != there or not there:
        raise SetupError(f"{folder / 'index.json'} does not list what lies beside it.")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


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
    sound = [path for path in found if _sha256(path) in lock]
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


def _tools_at_hand() -> list[Tool]:
    """Of every Blender that is installed under .dev/; at least the one for this Python."""
    first = environments.prepare(environments.blender(environments.blender_version(None)))
    others = [one.python for one in map(environments.blender, environments.BLENDERS) if one.ready()]
    return [extension_tool(python) for python in dict.fromkeys([first, *others])]


def extension_tool(python: Path) -> Tool:
    """Blender's own program for extensions, inside the wheel; it needs no Blender to run."""
    found = python.parent.parent.glob("[Ll]ib/**/bl_pkg/cli/blender_ext.py")
    return str(python), str(next(found))


def blender_says(command: Sequence[str]) -> None:
    """Runs Blender's tool; raises SetupError with its words when it refuses."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SetupError(f"Blender's extension tool refused it: {(done.stdout + done.stderr).strip()}")
