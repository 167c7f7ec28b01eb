"""SIGKILL of Blender, alone or with its worker, at random moments after a click; the next Blender brings the picture.

Runs where `import bpy` works. Each Blender first looks after what the one before it left, then clicks, then is killed.
"""

from __future__ import annotations

import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flux_depth_addon.core.job import Job
from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.sandbox import Answer, Behaviour, Sandbox

from .ledger import (
    KEY,
    Ledger,
    files_with,
    half_written,
    is_running,
    the_leases_of_the_dead_run_out,
    until,
)

CHECKOUT = Path(__file__).resolve().parents[2]
AT_WORK = Path(__file__).with_name("blender_at_work.py")
SUBMISSION_SECONDS, PICTURE_SECONDS = 0.15, 0.6
AIMS: dict[str, tuple[str, float]] = {
    "the click": ("clicking", 1.0),
    "the worker's start": ("clicked", 0.6),
    "submit": ("POST", 0.25),
    "poll": ("GET /flux/v1/get_result", PICTURE_SECONDS),
    "the picture": ("GET /results/", 0.05),
}
"""Where a kill is aimed at -> what it waits for, and within how many seconds of that it falls."""

TABLE = '[providers.cometapi]\nbase = "{base}"\n'


class Blender:
    """One Blender, and the lines it says."""

    def __init__(self, folder: Path, blend: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BLENDER_USER")}
        self.process = subprocess.Popen(
            [sys.executable, str(AT_WORK), str(folder), str(blend)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "blender.log").open("ab"),
            text=True,
            env=environment | {"COMETAPI_KEY": KEY},
        )
        self.said: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith("@ "):
                self._lines.put(line[2:].strip())

    def tell(self, words: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{words}\n")
        self.process.stdin.flush()

    def has_said(self, beginning: str) -> bool:
        """Whether it said that by now."""
        while not self._lines.empty():
            self.said.append(self._lines.get())
        return any(line.startswith(beginning) for line in self.said)

    def waits_for(self, beginning: str, seconds: float = 60.0) -> str:
        until(lambda: self.has_said(beginning) or self.process.poll() is not None, seconds)
        assert self.has_said(beginning), f"Blender did not come to “{beginning}”: {self.said}"
        return next(line for line in self.said if line.startswith(beginning))

    def workers(self) -> list[int]:
        self.has_said("")
        return [int(line.split()[1]) for line in self.said if line.startswith("worker ")]

    def is_killed(self, *, with_worker: bool) -> None:
        self.process.kill()
        self.process.wait()
        if with_worker:  # as when the machine's power goes
            for worker in filter(is_running, self.workers()):
                os.kill(worker, signal.SIGKILL)


@pytest.fixture
def server() -> Iterator[Sandbox]:
    slow = [Answer(body='{"id": "{id}"}', hold=SUBMISSION_SECONDS)] * 256
    with Sandbox(behaviour=Behaviour(PICTURE_SECONDS, "echo", submit_answers=slow)) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, server: Sandbox) -> Path:
    """The extension, and a data folder whose table of models names the endpoint here as the provider's."""
    target = tmp_path / "blender" / "extensions" / "user_default" / "flux_depth"
    shutil.copytree(CHECKOUT / "flux_depth_addon", target, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "blender_manifest.toml", target)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "models.toml").write_text(TABLE.format(base=server.base))
    return tmp_path


@pytest.fixture
def blend(folder: Path) -> Path:
    """The user's file: Blender's own first scene."""
    path = folder / "room.blend"
    made = f"import bpy; bpy.ops.wm.read_factory_settings(); bpy.ops.wm.save_as_mainfile(filepath={str(path)!r})"
    subprocess.run([sys.executable, "-c", made], check=True, stdout=subprocess.DEVNULL)
    return path


@pytest.mark.timeout(14400)
@pytest.mark.key_is_planted("child's environment COMETAPI_KEY of *")  # Blender's own, where its user put the key
def test_blender_killed_at_any_moment_loses_no_picture_and_pays_for_none_twice(
    campaign: Any, server: Sandbox, folder: Path, blend: Path
) -> None:
    dice, before, reached = random.Random(campaign.seed or 0), blend.read_bytes(), set()
    now, spare = Blender(folder, blend), Blender(folder, blend)
    version = now.waits_for("ready").split()[1]
    ledger, journal, left = Ledger(), Journal(folder / "data"), []
    for number in range(campaign.kills):
        job = one_kill(now, number, server, journal, dice)
        ledger.killed(job)
        reached |= {job.id for job in journal.jobs() if job.remote_id}
        left += now.workers()
        now, spare = spare, Blender(folder, blend)
        takes_over(now, journal)
    for blender in (now, spare):
        left += blender.workers()
        blender.is_killed(with_worker=False)
    assert until(lambda: not any(map(is_running, left)), 30), "a worker runs for ever"
    ledger.settle(journal, server, reached)
    journal.close()
    campaign.tell(f"Kills of Blender {version}", ledger.figures())
    assert (ledger.lost, ledger.doubled) == ([], [])
    assert blend.read_bytes() == before
    assert files_with(KEY, folder) == []
    assert half_written(folder / "flux_depth", folder / "data" / "jobs") == []
    assert {post.headers["Authorization"] for post in server.posts} == {f"Bearer {KEY}"}


def one_kill(blender: Blender, number: int, server: Sandbox, journal: Journal, dice: random.Random) -> Job | None:
    """Click, and kill near the moment that is this number's turn; the job, if there is one by then."""
    happens, within = list(AIMS.values())[number % len(AIMS)]
    seen, jobs = len(server.requests), {job.id for job in journal.jobs()}
    blender.waits_for("ready")
    blender.tell(f"click room {number}")
    until(lambda: blender.has_said(happens) or any(line.startswith(happens) for line in server.requests[seen:]), 30)
    time.sleep(dice.uniform(0.0, within))
    blender.is_killed(with_worker=dice.random() < 0.3)
    return next((job for job in journal.jobs() if job.id not in jobs), None)


def takes_over(blender: Blender, journal: Journal) -> None:
    """The next Blender: every job ends, and every picture is on its camera."""
    blender.waits_for("ready")
    the_leases_of_the_dead_run_out(journal.folder)
    blender.tell("look")
    assert blender.waits_for("seen").endswith("missing 0")
    assert all(job.seen for job in journal.jobs() if job.result)
    assert not journal.unfinished()
