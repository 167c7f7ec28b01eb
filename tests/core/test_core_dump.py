"""A crashed child leaves no picture of its memory, where keys are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import flux_depth_addon

PACKAGE = Path(flux_depth_addon.__file__).parent
LET_IT = "import resource, runpy, sys; "
LET_IT += "core = resource.RLIMIT_CORE; resource.setrlimit(core, resource.getrlimit(core)[1:] * 2); "
"""As where somebody has asked for core dumps."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are read from /proc")


def launched(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    code = (
        f"{LET_IT} sys.argv = {['x', *arguments]!r}; runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], cwd=PACKAGE, stdin=pipe, stdout=pipe)


def core_limits(process: subprocess.Popen[bytes]) -> tuple[str, ...]:
    """The soft and the hard limit."""
    found = re.search(r"Max core file size\s+(\S+)\s+(\S+)", Path(f"/proc/{process.pid}/limits").read_text())
    assert found
    return found.groups()


def test_the_worker_leaves_no_core_dump(tmp_path: Path) -> None:
    with launched("core.worker") as worker:
        assert worker.stdin
        start = {"journal": str(tmp_path), "tables": [], "keys": {}}
        worker.stdin.write(json.dumps(start).encode() + b"\n")
        worker.stdin.flush()
        until = time.monotonic() + 20
        while not (tmp_path / "journal.sqlite3").exists() and time.monotonic() < until:
            time.sleep(0.02)
        assert core_limits(worker) == ("0", "0")
        worker.stdin.close()


def test_the_sandbox_leaves_no_core_dump() -> None:
    with launched("core.sandbox", "--until-stdin-closes") as sandbox:
        assert sandbox.stdin
        assert sandbox.stdout
        assert sandbox.stdout.readline().startswith(b"http")
        assert core_limits(sandbox) == ("0", "0")
        sandbox.stdin.close()
