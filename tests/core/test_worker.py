"""The worker as Blender runs it: a child process, killed and orphaned on purpose. One POST, and the picture arrives."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import flux_depth_addon
from flux_depth_addon.core.connection import connections
from flux_depth_addon.core.errors import JournalError
from flux_depth_addon.core.job import Job, Step
from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.models import Table
from flux_depth_addon.core.request import Request
from flux_depth_addon.core.sandbox import Answer, Behaviour, Sandbox
from flux_depth_addon.core.worker import Worker
from tests.secrets_watch import marked_key

PACKAGE = Path(flux_depth_addon.__file__).parent
KEY = marked_key("cometapi")
KEYS = {"cometapi": KEY}

Serve = Callable[..., Sandbox]
Add = Callable[..., Job]


def launched(*run: str) -> subprocess.Popen[bytes]:
    """A worker that nobody has told anything yet."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.Popen(
        [sys.executable, *(run or ("-m", "core.worker"))],
        cwd=PACKAGE,
        env=environment,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


class Child:
    """One worker process, and the Blender end of its standard input."""

    def __init__(self, process: subprocess.Popen[bytes], journal: Journal, keys: dict[str, str]) -> None:
        self.process = process
        self.tell(journal=str(journal.folder), tables=[], keys=keys)

    def tell(self, **message: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def blender_goes(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()

    def is_killed(self) -> None:
        self.process.kill()
        self.process.wait(5)

    def is_cleared_away(self) -> None:
        self.is_killed()
        for pipe in (self.process.stdin, self.process.stderr):
            assert pipe
            pipe.close()

    def ends(self, seconds: float = 8.0) -> int:
        return self.process.wait(seconds)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal") as opened:
        yield opened


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts sandboxes that send the control image back."""
    with ExitStack() as stack:
        yield lambda delay=0.0, **script: stack.enter_context(
            Sandbox(behaviour=Behaviour(delay=delay, picture="echo", **script))
        )


@pytest.fixture
def add(journal: Journal, wish: Callable[..., Request], control: bytes) -> Add:
    """Enters a job to be sent to this sandbox."""

    def added(server: Sandbox | None, output: Path | None = None, **changes: Any) -> Job:
        base = server.base if server else ""
        return journal.add(wish(**changes), control, price_usd=0.096, base=base, output=output)

    return added


@pytest.fixture(scope="module")
def spare() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Workers that wait to be told, so that no test waits for Python to start."""
    processes = [launched(), launched()]
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def start(journal: Journal, spare: list[subprocess.Popen[bytes]]) -> Iterator[Callable[..., Child]]:
    """Puts workers to work; none outlives its test."""
    children: list[Child] = []

    def started(keys: dict[str, str] | None = None) -> Child:
        spare.append(launched())
        children.append(Child(spare.pop(0), journal, KEYS if keys is None else keys))
        return children[-1]

    yield started
    for child in children:
        child.is_cleared_away()


Start = Callable[..., Child]


def until(happened: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for it, and fail when it does not happen."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def finished(journal: Journal, *jobs: Job) -> Callable[[], bool]:
    return lambda: all(journal.get(job.id).is_final for job in jobs)


def half_a_minute_passes(journal: Journal) -> None:
    """The leases of the dead have run out."""
    database = sqlite3.connect(journal.folder / "journal.sqlite3", isolation_level=None, timeout=10)
    database.execute("UPDATE job SET lease = 0")
    database.close()


# A day's work.


def test_the_worker_brings_a_picture(journal: Journal, add: Add, start: Start, serve: Serve) -> None:
    server = serve()
    job = add(server)
    start()
    until(finished(journal, job))
    job = journal.get(job.id)
    assert (job.step, job.charged, len(server.posts)) == (Step.DONE, "yes", 1)
    assert Path(job.result).is_file()


def test_a_job_that_comes_while_it_sleeps_is_taken_soon(journal: Journal, add: Add, start: Start, serve: Serve) -> None:
    server = serve()
    first = add(server)
    start()
    until(finished(journal, first))
    second = add(server)
    until(lambda: len(server.posts) == 2, seconds=5)
    until(finished(journal, second))


def test_twenty_four_jobs_take_hardly_longer_than_one(journal: Journal, add: Add, start: Start, serve: Serve) -> None:
    server = serve(delay=1.0)
    jobs = [add(server, seed=number) for number in range(1, 25)]
    start()
    until(lambda: server.posts)
    started = time.monotonic()
    until(finished(journal, *jobs))
    assert time.monotonic() - started < 12
    assert {journal.get(job.id).step for job in jobs} == {Step.DONE}
    assert sorted(post.body["seed"] for post in server.posts) == list(range(1, 25))


def test_two_workers_share_the_work_and_send_nothing_twice(
    journal: Journal, add: Add, start: Start, serve: Serve
) -> None:
    server = serve(delay=0.2)
    jobs = [add(server, seed=number) for number in range(1, 13)]
    start()
    start()
    until(finished(journal, *jobs))
    assert {journal.get(job.id).step for job in jobs} == {Step.DONE}
    assert sorted(post.body["seed"] for post in server.posts) == list(range(1, 13))


def test_the_sandbox_is_started_when_a_job_wants_it(journal: Journal, add: Add, start: Start) -> None:
    job = add(None, model="sandbox")
    start(keys={})
    until(finished(journal, job))
    job = journal.get(job.id)
    assert (job.step, job.charged, job.error_message) == (Step.DONE, "no", "")


def test_a_job_waits_for_its_key(journal: Journal, add: Add, start: Start, serve: Serve) -> None:
    server = serve()
    job = add(server)
    child = start(keys={})
    with pytest.raises(AssertionError, match="did not happen"):
        until(lambda: server.requests, seconds=0.8)
    child.tell(keys=KEYS)
    until(finished(journal, job))
    assert journal.get(job.id).step is Step.DONE


def test_a_connection_is_tested_for_nothing(journal: Journal, start: Start) -> None:
    start(keys={}).tell(probe="sandbox")
    until(lambda: connections(journal.database).get("sandbox"))
    assert connections(journal.database) == {
        "sandbox": ("Sandbox answered and took the key. Nothing was charged.", True)
    }


def test_a_job_cancelled_while_it_waits_stays_cancelled(journal: Journal, add: Add, start: Start, serve: Serve) -> None:
    server = serve(delay=30.0)
    job = add(server)
    start()
    until(lambda: journal.get(job.id).remote_id)
    journal.cancel(job.id)
    asked = len(server.requests)
    with pytest.raises(AssertionError, match="did not happen"):
        until(lambda: len(server.requests) > asked + 1, seconds=0.8)
    assert journal.get(job.id).step is Step.CANCELLED


def test_a_cancel_while_it_is_sent_still_keeps_what_was_paid(
    journal: Journal, add: Add, start: Start, serve: Serve
) -> None:
    server = serve(submit_answers=[Answer(body='{"id": "{id}"}', hold=0.5)])
    job = add(server)
    start()
    until(lambda: server.posts)
    assert journal.cancel(job.id).charged == "unknown"
    until(lambda: journal.get(job.id).remote_id)
    job = journal.get(job.id)
    assert (job.step, job.charged) == (Step.CANCELLED, "yes")
    journal.retry(job.id)
    until(finished(journal, job))
    assert (journal.get(job.id).step, len(server.posts)) == (Step.DONE, 1)


def test_one_broken_job_does_not_stop_the_others(journal: Journal, add: Add, serve: Serve, tmp_path: Path) -> None:
    server = serve()
    broken, sound = add(server, output=tmp_path / "broken.png"), add(server)
    flawed = """
import core.picture as picture, core.worker as worker
store = picture.store
picture.store = lambda data, framing, path, *more, **told: (
    1 / 0 if path.stem == "broken" else store(data, framing, path, *more, **told)
)
worker.main()
"""
    child = Child(launched("-c", flawed), journal, KEYS)
    until(finished(journal, broken, sound))
    child.is_cleared_away()
    assert journal.get(sound.id).step is Step.DONE
    assert "ZeroDivisionError" in journal.get(broken.id).error_message
    assert (journal.get(broken.id).error_kind, journal.get(broken.id).charged) == ("error", "yes")


# Blender is gone.


def test_orphaned_it_fetches_what_was_sent_and_sends_nothing_new(
    journal: Journal, add: Add, start: Start, serve: Serve
) -> None:
    server = serve(delay=0.7)
    sent = add(server)
    child = start()
    until(lambda: journal.get(sent.id).remote_id)
    child.blender_goes()
    time.sleep(0.1)
    unsent = add(server)
    assert child.ends() == 0
    assert (journal.get(sent.id).step, journal.get(unsent.id).step) == (Step.DONE, Step.SUBMIT)
    assert len(server.posts) == 1


def test_orphaned_it_does_not_send_again_what_the_provider_was_too_busy_for(
    journal: Journal, add: Add, start: Start, serve: Serve
) -> None:
    server = serve(submit_answers=[Answer(429, headers={"Retry-After": "1"})])
    job = add(server)
    child = start()
    until(lambda: journal.get(job.id).attempts)
    child.blender_goes()
    assert child.ends(3.0) == 0
    assert (journal.get(job.id).step, len(server.posts)) == (Step.SUBMIT, 1)


def test_orphaned_while_sending_it_waits_for_the_answer_and_the_picture(
    journal: Journal, add: Add, start: Start, serve: Serve
) -> None:
    server = serve(submit_answers=[Answer(body='{"id": "{id}"}', hold=0.5)])
    job = add(server)
    child = start()
    until(lambda: server.posts)
    child.blender_goes()
    assert child.ends() == 0
    assert (journal.get(job.id).step, len(server.posts)) == (Step.DONE, 1)


def test_orphaned_with_nothing_to_do_it_ends(start: Start) -> None:
    child = start()
    child.blender_goes()
    assert child.ends(3.0) == 0


def test_a_broken_line_counts_as_gone(start: Start) -> None:
    child = start()
    assert child.process.stdin
    child.process.stdin.write(b"{not json\n")
    child.process.stdin.flush()
    child.ends(3.0)


def test_left_idle_it_ends(journal: Journal) -> None:
    hurried = "import core.worker as worker; worker.IDLE_SECONDS = 0.3; worker.main()"
    child = Child(launched("-c", hurried), journal, KEYS)
    assert child.ends() == 0
    child.is_cleared_away()


def test_a_worker_whose_journal_was_set_aside_ends(journal: Journal, start: Start, serve: Serve, add: Add) -> None:
    server = serve()
    job = add(server)
    child = start()
    until(finished(journal, job))
    (journal.folder / "journal.sqlite3").rename(journal.folder / "aside.sqlite3")
    assert child.ends(3.0) == 0


def test_a_journal_that_fails_for_good_does_not_keep_an_orphan(journal: Journal, add: Add, serve: Serve) -> None:
    hurried = "import core.worker as worker; worker.SAVE_SECONDS = 1; worker.main()"
    child = Child(launched("-c", hurried), journal, KEYS)
    job = add(serve())
    until(finished(journal, job))
    database = sqlite3.connect(journal.folder / "journal.sqlite3", isolation_level=None)
    database.execute("DROP TABLE job")
    database.close()
    child.blender_goes()
    assert child.ends(5.0) == 0
    child.is_cleared_away()


# Killed.


def test_a_worker_killed_after_the_provider_took_it_loses_nothing_and_submits_once(
    journal: Journal, add: Add, start: Start, serve: Serve
) -> None:
    server = serve(delay=1.0)
    job = add(server)
    first = start()
    until(lambda: journal.get(job.id).remote_id)
    first.is_killed()
    half_a_minute_passes(journal)
    start()
    until(finished(journal, job))
    assert (journal.get(job.id).step, len(server.posts)) == (Step.DONE, 1)


def test_a_worker_killed_before_the_answer_leaves_an_unknown_and_one_post(
    journal: Journal, add: Add, start: Start, serve: Serve
) -> None:
    server = serve(submit_answers=[Answer(hold=20.0)])
    job = add(server)
    first = start()
    until(lambda: server.posts)
    first.is_killed()
    half_a_minute_passes(journal)
    start()
    until(finished(journal, job))
    job = journal.get(job.id)
    assert (job.step, job.error_kind, job.charged) == (Step.FAILED, "unknown", "unknown")
    assert len(server.posts) == 1


def test_a_worker_killed_while_fetching_leaves_no_half_picture(
    journal: Journal, add: Add, start: Start, serve: Serve
) -> None:
    server = serve(result_answers=[Answer(hold=20.0)])
    job = add(server)
    first = start()
    until(lambda: any("/results/" in line for line in server.requests))
    first.is_killed()
    assert sorted(path.name for path in job.folder.iterdir()) == ["control.png", "receipt.json"]
    half_a_minute_passes(journal)
    start()
    until(finished(journal, job))
    assert (journal.get(job.id).step, len(server.posts)) == (Step.DONE, 1)


# The disk, and the key.


def test_what_cannot_be_saved_at_once_is_saved_later(
    journal: Journal, add: Add, serve: Serve, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    job = add(server)
    full = [True]
    save = journal.save

    def save_on_a_full_disk(job: Job, *, release: bool = False) -> None:
        if job.remote_id and full:
            full.clear()
            raise JournalError("database or disk is full")
        save(job, release=release)

    monkeypatch.setattr(journal, "save", save_on_a_full_disk)
    worker = Worker(journal, table, dict(KEYS))
    running = threading.Thread(target=worker.run)
    running.start()
    until(finished(journal, job))
    worker.may_submit = False
    worker.wake.set()
    running.join(5)
    worker.close()
    assert not full
    assert (journal.get(job.id).step, len(server.posts)) == (Step.DONE, 1)


def test_the_key_is_in_no_file_no_argument_and_no_line(
    journal: Journal, add: Add, start: Start, serve: Serve, tmp_path: Path
) -> None:
    quoted = KEY.replace("/", r"\/")
    server = serve(submit_answers=[Answer(401, body=f'{{"error": {{"message": "bad key {quoted}"}}}}'), None])
    refused = add(server)
    child = start()
    until(finished(journal, refused))
    taken = add(server)
    until(finished(journal, taken))
    assert journal.get(taken.id).step is Step.DONE
    secret = KEY.encode()
    if sys.platform == "linux":
        process = Path(f"/proc/{child.process.pid}")
        assert secret not in (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    child.blender_goes()
    child.ends()
    assert child.process.stderr
    assert child.process.stderr.read() == b""
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and secret in path.read_bytes()]
    assert "[key]" in journal.get(refused.id).error_message
