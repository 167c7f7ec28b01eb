"""SIGKILL of the worker at random moments of real work, over real HTTP. `--kills N` for more, `--seed N` for others."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flux_depth_addon import worker_process
from flux_depth_addon.core.framing import Framing
from flux_depth_addon.core.job import Job
from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.models import load
from flux_depth_addon.core.request import Request
from flux_depth_addon.core.sandbox import Answer, Behaviour, Sandbox

from .ledger import (
    KEY,
    Ledger,
    control_image,
    files_with,
    half_written,
    is_running,
    the_leases_of_the_dead_run_out,
    until,
)

FRAMING = Framing(width=320, height=256, left=10, top=6, crop_width=300, crop_height=244)
BATCH = 50
"""Kills with one journal and one endpoint, which remembers 256 submissions."""

SUBMISSION_SECONDS, PICTURE_SECONDS = 0.03, 0.4
LONGEST_START = 5.0

AIMS: dict[str, tuple[str, float]] = {
    "start": ("", 0.3),
    "submit": ("POST", 2 * SUBMISSION_SECONDS),
    "poll": ("/get_result", PICTURE_SECONDS),
    "download": ("/results/", 0.008),
    "store": ("/results/", 0.03),
}
"""Where a kill is aimed at -> the call for the newest job after which it falls, and within how many seconds of it."""


@pytest.fixture
def dice(campaign: Any) -> random.Random:
    return random.Random(campaign.seed or 0)


@pytest.fixture
def server() -> Iterator[Callable[[], Sandbox]]:
    """Starts endpoints that take a moment for each answer and send the control image back."""
    opened: list[Sandbox] = []

    def start() -> Sandbox:
        slow = [Answer(body='{"id": "{id}"}', hold=SUBMISSION_SECONDS)] * 256
        opened.append(Sandbox(behaviour=Behaviour(PICTURE_SECONDS, "echo", submit_answers=slow)).start())
        return opened[-1]

    yield start
    for sandbox in opened:
        sandbox.stop()


class Work:
    """One batch: a journal, an endpoint, and the workers that are killed one after the other."""

    def __init__(self, folder: Path, server: Sandbox, dice: random.Random) -> None:
        self.folder, self.server, self.dice = folder, server, dice
        self.journal = Journal(folder / "data")
        self.reached: set[str] = set()

    def add(self, number: int) -> Job:
        request = Request(
            prompt=f"room {number}", model="cometapi:flux-pro-1-0-depth-finetuned", framing=FRAMING, seed=number + 1
        )
        output = self.folder / "pictures" / "{id}.png"
        return self.journal.add(
            request, control_image(number), price_usd=0.096, base=self.server.base, output=output, timeout=3600.0
        )

    def start(self) -> int:
        """A worker, started as Blender does; its process id."""
        table = load()
        worker_process.start(self.journal.folder, table, [], {"cometapi": KEY}, list(table.providers))
        assert worker_process._worker
        return worker_process._worker.pid

    def is_killed(self, job: Job, aim: str) -> None:
        """Start a worker, and kill it near the moment aimed at."""
        call, within = AIMS[aim]
        self.start()
        until(lambda: self.was_called(job, call), LONGEST_START)
        time.sleep(self.dice.uniform(0.0, within))
        assert worker_process._worker
        worker_process._worker.kill()
        worker_process._worker.wait()
        self.reached |= {job.id for job in self.journal.jobs() if job.remote_id}
        the_leases_of_the_dead_run_out(self.journal.folder)

    def was_called(self, job: Job, call: str) -> bool:
        """Whether the endpoint got that call for the job."""
        if call == "POST":
            return any(post.body["prompt"] == job.request.prompt for post in self.server.posts)
        task = self.journal.get(job.id).remote_id
        return not call or (bool(task) and any(call in line and task in line for line in self.server.requests))

    def is_finished(self) -> None:
        """A last worker does what is left, and ends when nobody is there any more."""
        process_id = self.start()
        assert until(lambda: not self.journal.unfinished(), 60), self.journal.unfinished()
        worker_process.let_go()
        assert until(lambda: not is_running(process_id), 10), "it runs for ever"


@pytest.mark.timeout(7200)
def test_a_worker_killed_at_any_moment_loses_no_picture_and_pays_for_none_twice(
    campaign: Any, dice: random.Random, server: Callable[[], Sandbox], tmp_path: Path
) -> None:
    ledger = Ledger()
    for first in range(0, campaign.kills, BATCH):
        work = Work(tmp_path / str(first), server(), dice)
        for number in range(first, min(first + BATCH, campaign.kills)):
            job = work.add(number)
            work.is_killed(job, list(AIMS)[number % len(AIMS)])
            ledger.killed(work.journal.get(job.id))
        work.is_finished()
        ledger.settle(work.journal, work.server, work.reached)
        work.journal.close()
        assert {post.headers["Authorization"] for post in work.server.posts} == {f"Bearer {KEY}"}
    campaign.tell("Kills of the worker", ledger.figures())
    assert (ledger.lost, ledger.doubled) == ([], [])
    assert ledger.saved + ledger.unknown == campaign.kills
    assert files_with(KEY, tmp_path) == []
    assert half_written(tmp_path) == []
