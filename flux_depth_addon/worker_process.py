"""Start, feed and let go of child processes. The only place that imports subprocess.

Blender itself never touches the network and starts no thread: both happen in a child, which is Blender's own Python
running `core`. A child learns what it needs, keys included, on its standard input, and ends after that input closes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .core.errors import InputError
from .core.models import Rows, Table

PACKAGE = Path(__file__).parent
LIBRARIES = ("requests", "PIL", "numpy")
OPTIONAL = ("truststore", "websockets")
"""Libraries without which a child works too."""

Child = subprocess.Popen[bytes]

_worker: Child | None = None
_told: dict[str, Any] = {}
"""What the worker was given and cannot be given anew: rows over its tables, and where it may use plain http."""


def running() -> bool:
    """Whether this Blender's worker is alive."""
    return _worker is not None and _worker.poll() is None


def start(
    folder: Path,
    table: Table,
    table_files: list[Path],
    keys: Mapping[str, str],
    providers: list[str],
    *,
    rows: Rows | None = None,
    allowed: Collection[str] = (),
) -> None:
    """Make sure that a worker serves the journal in the folder; wake it up.

    It has these keys by provider, asks these providers only, and has these rows over the tables; at the origins in
    `allowed` it may use plain http. One that had others goes on with what is on its way, and another one starts.
    """
    global _told
    told = {"rows": rows or {}, "allowed": sorted(allowed)}
    known = {"keys": dict(keys), "providers": providers}
    if running() and told != _told:
        let_go()
    if not (running() and feed(known)):
        _launch(folder, table)
        feed({"journal": str(folder), "tables": [str(file) for file in table_files], **known, **told})
    _told = told


def last_words(folder: Path) -> str:
    """What the worker said when it ended by an error, or nothing."""
    if _worker is None or _worker.poll() in (None, 0):
        return ""
    lines = log(folder).split("\n")
    return next((line.strip()[:200] for line in reversed(lines) if line.strip()), f"exit code {_worker.poll()}")


def log(folder: Path) -> str:
    """What the last worker wrote to its error output, which is nothing as long as all is well."""
    try:
        return (folder / "worker.log").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def feed(message: dict[str, Any]) -> bool:
    """Tell the worker something; False when it is gone."""
    if _worker is None or _worker.stdin is None:
        return False
    try:
        _worker.stdin.write(json.dumps(message).encode() + b"\n")
        _worker.stdin.flush()
    except OSError:
        return False
    return True


def let_go() -> None:
    """Close the worker's input: it fetches what is already paid for, then ends by itself."""
    global _worker
    if _worker and _worker.stdin:
        with suppress(OSError):
            _worker.stdin.close()
    _worker = None


@contextmanager
def sandbox(table: Table, port: int = 0) -> Iterator[str]:
    """The base address of an offline endpoint that ends with the context; port 0: any free one. Raises InputError."""
    arguments = ["core.sandbox", "--port", str(port), "--until-stdin-closes"]
    child = _child(arguments, table, stdout=subprocess.PIPE)
    try:
        line = child.stdout.readline() if child.stdout else b""
        if not line.startswith(b"http"):
            raise InputError(f"The sandbox did not start: port {port} may be taken.")
        yield line.decode().strip()
    finally:
        child.communicate()


def beside(command: list[str], *, log: Path) -> Child:
    """A program that finds our package and has no keys. What it says goes to the log, its own files beside that."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_KEY") and name[:6] != "PYTHON"}
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=log.parent,
            env=kept | {"PYTHONPATH": str(PACKAGE.parent)} | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(log.parent)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )


def _launch(folder: Path, table: Table) -> None:
    global _worker
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "worker.log").open("wb") as log:
        _worker = _child(["core.worker"], table, stdout=log, stderr=log)


def _child(module: list[str], table: Table, **pipes: Any) -> Child:
    return subprocess.Popen(
        [sys.executable, "-s", "-P", "-m", *module],
        cwd=tempfile.gettempdir(),  # Windows would let nobody update or remove the folder that it works in
        env=_environment(table),
        stdin=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C in Blender's terminal is not meant for a download that is paid for
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        **pipes,
    )


def _environment(table: Table) -> dict[str, str]:
    """This process's environment without any key or Python setting, and with the way to `core` and the libraries."""
    keys = {name for provider in table.providers.values() for name in provider.key_env}
    kept = {name: value for name, value in os.environ.items() if name not in keys and not name.startswith("PYTHON")}
    return kept | {"PYTHONPATH": os.pathsep.join(dict.fromkeys([str(PACKAGE), *_libraries()]))}


def _libraries() -> Iterator[str]:
    for name in (*LIBRARIES, *OPTIONAL):
        spec = find_spec(name)
        if spec and spec.origin:
            yield str(Path(spec.origin).parents[1])
        elif name in LIBRARIES:
            raise InputError(f"This Blender's Python lacks {name}: install FLUX Depth's own zip for this platform.")
