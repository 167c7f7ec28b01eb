"""The journal is real SQLite: two of it stand for two processes, and every promise survives being interrupted."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flux_depth_addon.core.connection import connections, note_connection
from flux_depth_addon.core.errors import InputError, JournalError
from flux_depth_addon.core.job import Job, Step
from flux_depth_addon.core.journal import Journal, LostJobError
from flux_depth_addon.core.request import Request

Wish = Callable[..., Request]
Add = Callable[..., Job]
PROVIDERS = ("cometapi", "bfl", "sandbox")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def journal(folder: Path) -> Iterator[Journal]:
    with Journal(folder) as opened:
        yield opened


@pytest.fixture
def other(folder: Path, journal: Journal) -> Iterator[Journal]:
    """The same journal as another process sees it."""
    with Journal(folder) as opened:
        yield opened


@pytest.fixture
def add(journal: Journal, wish: Wish, control: bytes) -> Add:
    def added(**changes: Any) -> Job:
        return journal.add(wish(**changes), control, price_usd=0.096)

    return added


def half_a_minute_passes(folder: Path) -> None:
    """Every lease that was not renewed has run out."""
    with sqlite3.connect(folder / "journal.sqlite3") as database:
        database.execute("UPDATE job SET lease = lease - 31")
    database.close()


def claimed(journal: Journal, **changes: Any) -> Job:
    """The next job, taken, and brought to a later state."""
    job = journal.claim(providers=PROVIDERS)
    assert job is not None
    return replace(job, **changes)


def being_sent(journal: Journal) -> Job:
    job = claimed(journal, submit_started=time.time(), base="https://api.cometapi.com")
    journal.save(job)
    return job


def accepted(job: Job) -> Job:
    return replace(job, step=Step.POLL, remote_id="t1", polling_url="https://x/1", charged="yes")


# Entries.


def test_a_job_is_read_back_as_it_was_entered(journal: Journal, other: Journal, add: Add) -> None:
    job = add(prompt="静かな部屋 “quoted”", seed=7)
    assert other.get(job.id) == job
    assert (job.step, job.seed, job.cost_usd, job.charged) == (Step.SUBMIT, 7, 0.096, "no")


def test_the_control_image_is_on_the_disk_before_the_job_counts(add: Add, control: bytes) -> None:
    assert add().control.read_bytes() == control


def test_the_jobs_id_can_be_in_the_pictures_name(journal: Journal, wish: Wish, tmp_path: Path) -> None:
    job = journal.add(wish(), b"png", output=tmp_path / "room-{id}.png")
    assert job.output == tmp_path / f"room-{job.id}.png"


def test_jobs_are_listed_newest_first_and_unfinished_ones_oldest_first(journal: Journal, add: Add) -> None:
    first, second, third = add(), add(), add()
    journal.cancel(second.id)
    assert [job.id for job in journal.jobs()] == [third.id, second.id, first.id]
    assert [job.id for job in journal.jobs(limit=1)] == [third.id]
    assert [job.id for job in journal.unfinished()] == [first.id, third.id]


def test_an_unknown_job_is_named(journal: Journal) -> None:
    with pytest.raises(InputError, match="There is no job “nothing” in this journal"):
        journal.get("nothing")


def test_jobs_outlive_the_process(folder: Path, wish: Wish) -> None:
    with Journal(folder) as journal:
        job = journal.add(wish(), b"png")
    with Journal(folder) as journal:
        assert journal.jobs() == [job]


def test_seen_is_noted(journal: Journal, add: Add) -> None:
    first, second = add(), add()
    journal.mark_seen([first.id])
    assert (journal.get(first.id).seen, journal.get(second.id).seen) == (True, False)


# Changes.


def test_the_version_changes_with_every_commit_of_either_process(journal: Journal, other: Journal, add: Add) -> None:
    seen = [(journal.version(), other.version())]
    for change in (add, add, lambda: other.claim(providers=PROVIDERS), lambda: journal.mark_seen(["x"])):
        change()
        seen.append((journal.version(), other.version()))
    assert len({mine for mine, _ in seen}) == len(seen)
    assert len({theirs for _, theirs in seen}) >= len(seen) - 1


def test_the_version_stays_while_nothing_happens(journal: Journal, other: Journal, add: Add) -> None:
    add()
    before = journal.version()
    other.jobs()
    other.claim(providers=["nobody"])
    assert journal.version() == before


def test_asking_for_the_version_takes_microseconds(journal: Journal) -> None:
    started = time.process_time()
    for _ in range(1000):
        journal.version()
    assert time.process_time() - started < 0.2


def test_what_changed_is_read_and_nothing_else(journal: Journal, other: Journal, add: Add) -> None:
    first, second = add(), add()
    jobs, last, whole = journal.changes(0, limit=9)
    assert ([job.id for job in jobs], whole) == ([first.id, second.id], True)
    assert journal.changes(last, limit=9) == ([], last, True)
    other.cancel(first.id)
    jobs, last, _ = journal.changes(last, limit=9)
    assert [(job.id, job.step) for job in jobs] == [(first.id, Step.CANCELLED)]
    other.mark_seen([second.id])
    jobs, _, _ = journal.changes(last, limit=9)
    assert [(job.id, job.seen) for job in jobs] == [(second.id, True)]


def test_a_sign_of_life_is_no_change_that_anyone_is_shown(journal: Journal, other: Journal, add: Add) -> None:
    add()
    last = journal.changes(0, limit=9)[1]
    job = other.claim(providers=PROVIDERS)
    assert job
    other.keep([job.id])
    assert journal.changes(last, limit=9) == ([], last, True)


def test_changes_come_in_portions_and_of_the_newest_jobs_alone(journal: Journal, add: Add) -> None:
    jobs = [add() for _ in range(7)]
    found: list[str] = []
    last, whole, portions = 0, False, 0
    while not whole:
        portion, last, whole = journal.changes(last, limit=2, newest=5)
        found += [job.id for job in portion]
        portions += 1
    assert (found, portions) == ([job.id for job in jobs[2:]], 3)


def test_a_damaged_entry_among_the_changes_hides_no_other(journal: Journal, folder: Path, add: Add) -> None:
    damaged, sound = add(), add()
    with sqlite3.connect(folder / "journal.sqlite3") as database:
        database.execute("UPDATE job SET request = '{' WHERE id = ?", (damaged.id,))
    database.close()
    jobs, last, whole = journal.changes(0, limit=1)
    assert (jobs, whole) == ([], False)
    jobs, _, _ = journal.changes(last, limit=1)
    assert [job.id for job in jobs] == [sound.id]


def test_changes_are_numbered_whatever_the_clock_says(
    journal: Journal, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    add()
    last, now = journal.changes(0, limit=9)[1], time.time()
    monkeypatch.setattr(time, "time", lambda: now - 86_400)
    job = add()
    assert [each.id for each in journal.changes(last, limit=9)[0]] == [job.id]


def test_seen_is_noted_without_waiting_or_not_at_all(journal: Journal, folder: Path, add: Add) -> None:
    job = add()
    writer = sqlite3.connect(folder / "journal.sqlite3", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    started = time.perf_counter()
    assert not journal.mark_seen([job.id], wait=False)
    assert time.perf_counter() - started < 4  # it would wait for ten
    writer.execute("ROLLBACK")
    writer.close()
    assert journal.mark_seen([job.id], wait=False)
    assert journal.get(job.id).seen


# Claims.


def test_one_of_two_gets_the_job(journal: Journal, other: Journal, add: Add) -> None:
    job = add()
    assert claimed(journal).id == job.id
    assert other.claim(providers=PROVIDERS) is None
    assert journal.claim(providers=PROVIDERS) is None


def test_many_workers_take_each_job_once(folder: Path, add: Add) -> None:
    wanted = {add().id for _ in range(30)}

    def worker(_number: int) -> list[str]:
        with Journal(folder) as mine:
            return [job.id for job in iter(lambda: mine.claim(providers=PROVIDERS), None)]

    with ThreadPoolExecutor(4) as pool:
        taken = [job_id for some in pool.map(worker, range(4)) for job_id in some]
    assert sorted(taken) == sorted(wanted)


def test_the_job_that_is_due_first_comes_first_and_none_before_its_time(journal: Journal, add: Add) -> None:
    late, early = add(), add()
    journal.save(replace(claimed(journal), due=time.time() + 60), release=True)
    assert claimed(journal).id == early.id
    assert journal.claim(providers=PROVIDERS) is None
    assert journal.next_due(providers=PROVIDERS) == pytest.approx(time.time() + 30, abs=1)  # the lease of the early one
    assert journal.get(late.id).due > time.time() + 50


def test_only_jobs_of_providers_with_a_key_are_taken(journal: Journal, add: Add) -> None:
    add(model="bfl:flux-pro-1.0-depth")
    assert journal.claim(providers=["cometapi", "sandbox"]) is None
    assert journal.next_due(providers=["cometapi", "sandbox"]) is None
    assert journal.claim(providers=["bfl"]) is not None


def test_a_job_can_be_taken_by_its_id(journal: Journal, add: Add) -> None:
    add()
    job = add()
    taken = journal.claim(job_id=job.id)
    assert taken is not None
    assert taken.id == job.id


def test_without_leave_to_submit_only_what_was_sent_is_taken(journal: Journal, add: Add) -> None:
    sent, _waiting = add(), add()
    journal.save(accepted(being_sent(journal)), release=True)
    taken = journal.claim(providers=PROVIDERS, submit=False)
    assert taken is not None
    assert taken.id == sent.id
    assert journal.claim(providers=PROVIDERS, submit=False) is None


def test_a_final_job_is_not_taken(journal: Journal, add: Add) -> None:
    add()
    journal.save(claimed(journal, step=Step.DONE), release=True)
    assert journal.claim(providers=PROVIDERS) is None
    assert journal.next_due(providers=PROVIDERS) is None


def test_the_job_of_a_dead_worker_is_free_after_its_lease(
    journal: Journal, other: Journal, add: Add, folder: Path
) -> None:
    job = add()
    claimed(other)
    half_a_minute_passes(folder)
    assert claimed(journal).id == job.id


def test_a_sign_of_life_keeps_the_jobs_it_names(journal: Journal, other: Journal, add: Add, folder: Path) -> None:
    kept, dropped = add(), add()
    claimed(other)
    claimed(other)
    half_a_minute_passes(folder)
    other.keep([kept.id])
    assert claimed(journal).id == dropped.id
    assert journal.claim(providers=PROVIDERS) is None


def test_nobody_keeps_the_jobs_of_another(journal: Journal, other: Journal, add: Add, folder: Path) -> None:
    job = add()
    claimed(other)
    half_a_minute_passes(folder)
    journal.keep([job.id])
    assert claimed(journal).id == job.id


def test_a_job_taken_meanwhile_is_lost_to_the_first(journal: Journal, other: Journal, add: Add, folder: Path) -> None:
    add()
    mine = claimed(journal, progress=0.5)
    half_a_minute_passes(folder)
    theirs = claimed(other)
    with pytest.raises(LostJobError):
        journal.save(mine)
    assert journal.get(mine.id) == theirs


def test_a_clock_that_is_put_back_holds_no_job_up(
    journal: Journal, other: Journal, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    due_at_once = add()
    journal.save(claimed(journal, due=time.time() + 30), release=True)
    held_by_the_dead = add()
    claimed(journal)
    an_hour_ago = time.time() - 3600
    monkeypatch.setattr(time, "time", lambda: an_hour_ago)
    due = other.next_due(providers=PROVIDERS)
    assert due is not None
    assert due <= an_hour_ago
    assert {claimed(other).id, claimed(other).id} == {due_at_once.id, held_by_the_dead.id}


def test_a_released_job_can_be_taken_again_at_once(journal: Journal, other: Journal, add: Add) -> None:
    add()
    journal.save(claimed(journal), release=True)
    assert other.claim(providers=PROVIDERS) is not None


# Cancel.


def test_cancelled_before_it_was_sent_it_costs_nothing(journal: Journal, add: Add) -> None:
    job = journal.cancel(add().id)
    assert (job.step, job.charged) == (Step.CANCELLED, "no")
    assert job.error_message == "Cancelled before it was sent: nothing was charged."
    assert journal.get(job.id) == job


def test_a_cancelled_job_cannot_be_marked_for_sending_any_more(journal: Journal, other: Journal, add: Add) -> None:
    add()
    mine = claimed(journal, submit_started=time.time())
    other.cancel(mine.id)
    with pytest.raises(LostJobError):
        journal.save(mine)
    assert journal.get(mine.id).submit_started is None


def test_cancelled_while_it_is_sent_nobody_knows(journal: Journal, other: Journal, add: Add) -> None:
    add()
    job = other.cancel(being_sent(journal).id)
    assert (job.step, job.charged) == (Step.CANCELLED, "unknown")
    assert job.error_message == "Cancelled while it was being sent: it is unknown whether it was charged."


def test_a_provider_that_can_stop_is_asked_even_by_a_worker_that_sends_nothing(journal: Journal, add: Add) -> None:
    add()
    journal.save(accepted(being_sent(journal)), release=True)
    job = journal.cancel(journal.jobs()[0].id, there=True)
    assert (job.step, job.is_final) == (Step.CANCEL, False)
    taken = journal.claim(providers=PROVIDERS, submit=False)
    assert taken is not None
    assert (taken.id, taken.step) == (job.id, Step.CANCEL)


def test_a_second_cancel_waits_for_nobody(journal: Journal, add: Add) -> None:
    add()
    journal.save(accepted(being_sent(journal)), release=True)
    job_id = journal.jobs()[0].id
    journal.cancel(job_id, there=True)
    assert journal.cancel(job_id, there=True).step is Step.CANCELLED


def test_what_was_never_sent_needs_nobody_to_stop(journal: Journal, add: Add) -> None:
    assert journal.cancel(add().id, there=True).error_message == "Cancelled before it was sent: nothing was charged."


def test_cancelled_while_it_is_sent_it_is_stopped_once_its_id_is_known(
    journal: Journal, other: Journal, add: Add
) -> None:
    add()
    mine = being_sent(journal)
    assert other.cancel(mine.id, there=True).step is Step.CANCELLED
    with pytest.raises(LostJobError):
        journal.save(accepted(mine), release=True)
    job = other.get(mine.id)
    assert (job.step, job.remote_id, job.charged) == (Step.CANCEL, "t1", "yes")


def test_what_is_being_stopped_is_not_offered_as_the_same_picture(journal: Journal, add: Add) -> None:
    mark = add().fingerprint
    journal.save(accepted(being_sent(journal)), release=True)
    journal.cancel(journal.jobs()[0].id, there=True)
    assert journal.same_as(mark) is None


def test_an_answer_after_the_cancel_keeps_the_task_and_corrects_the_sentence(
    journal: Journal, other: Journal, add: Add
) -> None:
    add()
    mine = being_sent(journal)
    other.cancel(mine.id)
    with pytest.raises(LostJobError):
        journal.save(accepted(mine), release=True)
    job = other.get(mine.id)
    assert (job.step, job.remote_id, job.charged) == (Step.CANCELLED, "t1", "yes")
    assert job.error_message == "Cancelled. It was already sent and costs $0.096: fetch it for nothing."
    assert job.is_waiting_there


def test_cancelled_after_it_was_sent_it_is_paid(journal: Journal, add: Add) -> None:
    add()
    journal.save(accepted(being_sent(journal)), release=True)
    job = journal.cancel(journal.jobs()[0].id)
    assert (job.step, job.charged) == (Step.CANCELLED, "yes")
    assert job.error_message == "Cancelled. It was already sent and costs $0.096: fetch it for nothing."


def test_cancelled_after_the_free_sandbox_took_it_it_costs_nothing(journal: Journal, add: Add) -> None:
    add(model="sandbox")
    journal.save(replace(accepted(being_sent(journal)), charged="no", price_usd=0.0), release=True)
    assert journal.cancel(journal.jobs()[0].id).error_message == "Cancelled. It was already sent; it costs nothing."


def test_a_finished_job_is_not_cancelled(journal: Journal, add: Add) -> None:
    add()
    done = claimed(journal, step=Step.DONE, result="/x.png")
    journal.save(done, release=True)
    assert journal.cancel(done.id) == done


def test_an_answer_after_it_was_given_up_is_taken_up_again(
    journal: Journal, other: Journal, add: Add, folder: Path
) -> None:
    add()
    mine = being_sent(journal)
    half_a_minute_passes(folder)
    given_up = claimed(other, step=Step.FAILED, charged="unknown", error_kind="unknown", error_message="Nobody knows.")
    other.save(given_up, release=True)
    with pytest.raises(LostJobError):
        journal.save(accepted(mine), release=True)
    job = other.get(mine.id)
    assert (job.step, job.remote_id, job.charged, job.error_kind, job.error_message) == (Step.POLL, "t1", "yes", "", "")
    assert other.claim(providers=PROVIDERS, submit=False) is not None


# Retry.


@pytest.mark.parametrize("kind", ["deadline", "network", "key", "cancelled", "error", "input"])
def test_a_retry_goes_on_for_nothing_while_the_provider_has_the_picture(journal: Journal, add: Add, kind: str) -> None:
    add()
    failed = replace(accepted(being_sent(journal)), step=Step.FAILED, error_kind=kind, error_message="x", misses=9)
    journal.save(failed, release=True)
    job = journal.retry(failed.id)
    assert (job.id, job.step, job.remote_id, job.charged) == (failed.id, Step.POLL, "t1", "yes")
    assert (job.error_kind, job.error_message, job.misses, job.attempts) == ("", "", 0, 0)
    assert job.deadline > time.time() + 500
    assert journal.claim(providers=PROVIDERS, submit=False) is not None


@pytest.mark.parametrize(
    ("kind", "remote_id"), [("unknown", ""), ("moderated", "t1"), ("provider", "t1"), ("funds", "")]
)
def test_a_retry_of_what_brings_nothing_is_a_new_job(
    journal: Journal, add: Add, control: bytes, kind: str, remote_id: str
) -> None:
    add(seed=5)
    failed = replace(being_sent(journal), step=Step.FAILED, error_kind=kind, remote_id=remote_id)
    journal.save(failed, release=True)
    job = journal.retry(failed.id)
    assert job.id != failed.id
    assert (job.step, job.submit_started, job.remote_id, job.charged) == (Step.SUBMIT, None, "", "no")
    assert (job.request, job.cost_usd) == (failed.request, 0.096)
    assert job.control.read_bytes() == control
    assert journal.get(failed.id) == replace(failed, retried_as=job.id)


def test_a_second_click_on_retry_sends_nothing_more(journal: Journal, add: Add) -> None:
    add(seed=5)
    failed = replace(being_sent(journal), step=Step.FAILED, error_kind="unknown")
    journal.save(failed, release=True)
    journal.retry(failed.id)
    with pytest.raises(InputError, match="retried already"):
        journal.retry(failed.id)
    assert len(journal.jobs()) == 2


def test_a_retry_writes_over_no_picture_that_may_still_arrive(journal: Journal, wish: Wish, tmp_path: Path) -> None:
    named = journal.add(wish(), b"png", output=tmp_path / "room_{id}.png")
    unnamed = journal.add(wish(), b"png")
    for job in (named, unnamed):
        journal.cancel(job.id)
    again = journal.retry(named.id)
    assert again.output == tmp_path / f"room_{again.id}.png"
    again = journal.retry(unnamed.id)
    assert again.output == again.folder / "result.png"


def test_an_answer_that_came_after_the_retry_is_still_fetched_for_nothing(journal: Journal, add: Add) -> None:
    add()
    mine = being_sent(journal)
    journal.cancel(mine.id)
    again = journal.retry(mine.id)
    with pytest.raises(LostJobError):
        journal.save(accepted(mine), release=True)
    fetched = journal.retry(mine.id)
    assert again.id != mine.id
    assert (fetched.id, fetched.step, fetched.remote_id) == (mine.id, Step.POLL, "t1")


def test_a_damaged_entry_hides_no_other_and_is_not_sent(journal: Journal, add: Add) -> None:
    damaged, whole = add(), add()
    with sqlite3.connect(journal.folder / "journal.sqlite3") as other:
        other.execute("UPDATE job SET request = '{' WHERE id = ?", (damaged.id,))
    assert [job.id for job in journal.jobs()] == [whole.id]
    claimed = [journal.claim(providers=PROVIDERS) for _ in range(3)]
    assert [job.id for job in claimed if job] == [whole.id]


def test_the_time_allowed_does_not_grow_with_each_retry(journal: Journal, add: Add) -> None:
    add(seed=5)
    journal.save(replace(being_sent(journal), step=Step.FAILED, error_kind="deadline", remote_id="t1"), release=True)
    first = journal.jobs()[0]
    again = journal.retry(first.id)
    assert again.deadline - time.time() == pytest.approx(first.timeout, abs=5)


@pytest.mark.parametrize("step", [Step.SUBMIT, Step.POLL, Step.DOWNLOAD, Step.DONE])
def test_only_what_ended_without_a_picture_is_retried(journal: Journal, add: Add, step: Step) -> None:
    add()
    journal.save(claimed(journal, step=step), release=True)
    with pytest.raises(InputError, match="Only a job that failed or was cancelled can be retried"):
        journal.retry(journal.jobs()[0].id)
    assert len(journal.jobs()) == 1


def test_without_its_control_image_a_job_cannot_be_sent_anew(journal: Journal, add: Add) -> None:
    job = journal.cancel(add().id)
    job.control.unlink()
    with pytest.raises(InputError, match=r"The control image of this job is gone\. Nothing was sent: generate again\."):
        journal.retry(job.id)
    assert len(journal.jobs()) == 1


# Trouble.


def test_a_failed_write_leaves_the_journal_as_it_was(journal: Journal, add: Add) -> None:
    job = add()
    version = journal.version()
    with pytest.raises((JournalError, OverflowError)):
        journal.save(claimed(journal, seed=2**70))
    assert journal.get(job.id) == job
    journal.mark_seen([job.id])
    assert journal.version() != version


def test_a_write_that_cannot_be_committed_is_taken_back_and_the_next_one_works(
    journal: Journal, other: Journal, add: Add, folder: Path
) -> None:
    job = add()
    journal.database._db.execute("PRAGMA busy_timeout = 50")
    with sqlite3.connect(folder / "journal.sqlite3") as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="locked"):
            journal.mark_seen([job.id])
        blocker.execute("ROLLBACK")
    blocker.close()
    journal.mark_seen([job.id])
    assert other.get(job.id).seen


def test_a_control_image_that_cannot_be_written_enters_no_job(
    journal: Journal, wish: Wish, folder: Path, control: bytes
) -> None:
    (folder / "jobs").write_bytes(b"in the way")
    with pytest.raises(InputError, match=r"cannot be written .*\. Nothing was sent\."):
        journal.add(wish(), control)
    assert journal.jobs() == []


@pytest.mark.parametrize("obstacle", ["a file in place of the folder", "a folder in place of the file"])
def test_a_folder_that_cannot_be_used_is_one_sentence(folder: Path, obstacle: str) -> None:
    if obstacle == "a file in place of the folder":
        folder.write_bytes(b"")
    else:
        (folder / "journal.sqlite3").mkdir(parents=True)
    with pytest.raises(InputError, match=r"The journal in .* cannot be opened .*\. Nothing was sent\."):
        Journal(folder)


def test_many_open_a_new_journal_at_once(folder: Path) -> None:
    together = threading.Barrier(8)

    def opened(_number: int) -> int:
        together.wait()
        with Journal(folder) as journal:
            return len(journal.jobs())

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(opened, range(8))) == [0] * 8


# What a provider said to a free question.


def test_the_last_outcome_of_a_connection_test_is_kept(journal: Journal, other: Journal) -> None:
    note_connection(journal.database, "bfl", "", good=True)
    note_connection(other.database, "bfl", "Refused.", good=False)
    assert connections(journal.database) == {"bfl": ("Refused.", False)}
