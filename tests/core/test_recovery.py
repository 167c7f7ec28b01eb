"""Receipts, migrations, damaged and foreign journals: what was paid for finds its way back."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flux_depth_addon.core import receipt, recovery
from flux_depth_addon.core.database import MIGRATIONS
from flux_depth_addon.core.errors import DamagedJournalError, InputError, JournalError
from flux_depth_addon.core.job import Job, Step
from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.request import Request

Wish = Callable[..., Request]
PROVIDERS = ("cometapi",)
LATER = ("batch", "favourite", "discarded", "words", "scene", "camera", "stops", "is_queued")
"""Columns that came with the fourth version."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def journal(folder: Path) -> Iterator[Journal]:
    with Journal(folder) as opened:
        yield opened


def sent(journal: Journal, request: Request, **changes: object) -> Job:
    """A job that the provider took."""
    marked = being_sent(journal, request)
    taken = {"step": Step.POLL, "remote_id": "t1", "polling_url": "https://x/1", "charged": "yes", **changes}
    job = replace(marked, **taken)  # type: ignore[arg-type]
    journal.save(job, release=True)
    return journal.get(job.id)


def being_sent(journal: Journal, request: Request) -> Job:
    claimed = journal.claim(job_id=journal.add(request, b"png", price_usd=0.096).id)
    assert claimed
    marked = replace(claimed, submit_started=time.time(), sent_to="https://api.example")
    journal.save(marked)
    return marked


def leases_run_out(folder: Path) -> None:
    with sqlite3.connect(folder / "journal.sqlite3") as database:
        database.execute("UPDATE job SET lease = 0")
    database.close()


def overwritten(folder: Path) -> None:
    """Damage: the pages of the database are no longer what they were."""
    (folder / "journal.sqlite3-wal").unlink(missing_ok=True)
    path = folder / "journal.sqlite3"
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * (path.stat().st_size - 100))


# Receipts.


def test_a_receipt_tells_all_that_the_journal_knows(journal: Journal, wish: Wish) -> None:
    job = sent(journal, wish(prompt="静かな部屋 “quoted”", seed=7))
    assert receipt.read(job.folder) == job


def test_a_job_that_was_never_sent_has_no_receipt(journal: Journal, wish: Wish) -> None:
    assert receipt.read(journal.add(wish(), b"png").folder) is None


def test_the_receipt_is_there_before_anything_is_sent_and_has_room_for_the_task(journal: Journal, wish: Wish) -> None:
    job = being_sent(journal, wish())
    path = job.folder / "receipt.json"
    before = path.stat()
    receipt.write(replace(job, remote_id="t" * 500, polling_url="u" * 2000, error_message="m" * 1000))
    assert (path.stat().st_size, path.stat().st_ino) == (before.st_size, before.st_ino)


def test_where_no_receipt_can_be_written_nothing_is_sent(journal: Journal, wish: Wish) -> None:
    journal.add(wish(), b"png")
    claimed = journal.claim(providers=PROVIDERS)
    assert claimed
    (claimed.folder / "receipt.json").mkdir()
    with pytest.raises(JournalError, match=r"cannot be written \(.*\)\. Nothing was sent\."):
        journal.save(replace(claimed, submit_started=time.time()))
    assert journal.get(claimed.id).submit_started is None


def test_a_task_that_only_the_receipt_knows_is_fetched_and_not_given_up(
    journal: Journal, wish: Wish, folder: Path
) -> None:
    job = being_sent(journal, wish())
    receipt.write(replace(job, step=Step.POLL, remote_id="t1", charged="yes"))  # then the disk was full, and the end
    leases_run_out(folder)
    claimed = journal.claim(providers=PROVIDERS)
    assert claimed
    assert (claimed.step, claimed.remote_id, claimed.charged) == (Step.POLL, "t1", "yes")


def test_a_retry_of_an_unknown_whose_receipt_has_the_task_costs_nothing(journal: Journal, wish: Wish) -> None:
    job = being_sent(journal, wish())
    journal.save(replace(job, step=Step.FAILED, error_kind="unknown", charged="unknown"), release=True)
    receipt.write(replace(job, step=Step.POLL, remote_id="t1", charged="yes"))
    again = journal.retry(job.id)
    assert (again.id, again.step, again.remote_id) == (job.id, Step.POLL, "t1")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"id": 5}', "[" * 100_000, "\0" * 300], ids=repr)
def test_a_receipt_that_cannot_be_read_is_none(journal: Journal, wish: Wish, text: str) -> None:
    job = sent(journal, wish())
    (job.folder / "receipt.json").write_text(text)
    assert receipt.read(job.folder) is None


def test_a_receipt_of_another_job_is_not_believed(journal: Journal, wish: Wish) -> None:
    other, job = sent(journal, wish()), being_sent(journal, wish())
    (job.folder / "receipt.json").write_bytes((other.folder / "receipt.json").read_bytes())
    assert receipt.completed(job) == job


# Older schemas.


@pytest.fixture
def first_version(folder: Path, wish: Wish) -> Job:
    """A journal as version 1 of the schema left it, with a job that is being fetched."""
    with Journal(folder) as journal:
        job = sent(journal, wish(), billed_usd=0.05)
    database = sqlite3.connect(folder / "journal.sqlite3", isolation_level=None)
    database.execute("UPDATE job SET price_usd = billed_usd")
    for statement in (
        "DROP TRIGGER job_entered", "DROP TRIGGER job_moved", "DROP INDEX job_changed", "DROP INDEX job_batch",
        "DROP INDEX job_found", "DROP INDEX job_due",
        "CREATE INDEX job_due ON job (due) WHERE step IN ('SUBMIT', 'POLL', 'DOWNLOAD')",
        *(f"ALTER TABLE job DROP COLUMN {name}" for name in LATER),
        "ALTER TABLE job DROP COLUMN changed",
        "DROP INDEX job_fingerprint", "DROP INDEX job_sent", "DROP TABLE adopted",
        "ALTER TABLE job DROP COLUMN fingerprint", "ALTER TABLE job DROP COLUMN billed_usd",
        "ALTER TABLE job RENAME COLUMN price_usd TO cost_usd", "PRAGMA user_version = 1",
    ):  # fmt: skip
        database.execute(statement)
    database.close()
    return job


def schema(path: Path) -> set[str]:
    with sqlite3.connect(path) as database:
        rows = database.execute("SELECT name FROM pragma_table_info('job')").fetchall()
    return {name for (name,) in rows}


def test_the_first_version_s_columns_are_those_that_shipped(first_version: Job, folder: Path, tmp_path: Path) -> None:
    fresh = sqlite3.connect(tmp_path / "fresh.sqlite3")
    for statement in MIGRATIONS[0]:
        fresh.execute(statement)
    fresh.close()
    assert schema(folder / "journal.sqlite3") == schema(tmp_path / "fresh.sqlite3")


def test_an_older_journal_migrates_and_its_job_goes_on(first_version: Job, folder: Path) -> None:
    with Journal(folder) as journal:
        job = journal.get(first_version.id)
        assert (job.price_usd, job.billed_usd, job.remote_id) == (0.05, None, "t1")
        claimed = journal.claim(providers=PROVIDERS)
        assert claimed
        journal.save(replace(claimed, billed_usd=0.04), release=True)
        assert journal.get(job.id).cost_usd == 0.04


def test_the_jobs_of_an_older_journal_are_among_its_changes(first_version: Job, folder: Path) -> None:
    with Journal(folder) as journal:
        jobs, last, _ = journal.changes(0, limit=9)
        assert [job.id for job in jobs] == [first_version.id]
        journal.mark_seen([first_version.id])
        assert journal.changes(last, limit=9)[0][0].seen


def test_a_journal_is_not_migrated_under_an_older_worker_that_is_fetching(first_version: Job, folder: Path) -> None:
    with sqlite3.connect(folder / "journal.sqlite3") as database:
        database.execute("UPDATE job SET owner = 'older', lease = ?", (time.time() + 20,))
    database.close()
    with pytest.raises(JournalError, match="An older version of FLUX Depth is still fetching a picture: wait"):
        Journal(folder)
    leases_run_out(folder)
    with Journal(folder) as journal:
        assert journal.get(first_version.id).remote_id == "t1"


def test_a_migration_that_fails_leaves_the_older_journal_as_it_was(
    first_version: Job, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = schema(folder / "journal.sqlite3")
    broken = (MIGRATIONS[0], (*MIGRATIONS[1], "ALTER TABLE nothing ADD COLUMN x"))
    with monkeypatch.context() as patched:
        patched.setattr("flux_depth_addon.core.database.MIGRATIONS", broken)
        patched.setattr("flux_depth_addon.core.database.SET_UP_SECONDS", 0.1)
        with pytest.raises(JournalError):
            Journal(folder)
    assert schema(folder / "journal.sqlite3") == before
    Journal(folder).close()


# Damage.


def test_damage_is_told_apart_from_trouble_that_passes(folder: Path, wish: Wish) -> None:
    with Journal(folder) as journal:
        sent(journal, wish())
    overwritten(folder)
    with pytest.raises(DamagedJournalError), Journal(folder) as journal:
        journal.jobs()


def test_a_new_journal_knows_again_all_that_was_sent(folder: Path, wish: Wish) -> None:
    with Journal(folder) as journal:
        waiting = sent(journal, wish())
        done = sent(journal, wish(), step=Step.DONE, result="/pictures/a.png", finished=time.time())
        never_sent = journal.add(wish(), b"png")
    overwritten(folder)
    assert recovery.start_anew(folder) == 2
    with Journal(folder) as journal:
        assert journal.get(done.id) == done
        assert journal.get(waiting.id) == waiting
        assert never_sent.id not in journal.ids()
        claimed = journal.claim(providers=PROVIDERS)
        assert claimed
        assert claimed.remote_id == "t1"
    assert len(list(folder.glob("damaged-*-journal.sqlite3"))) == 1


def test_what_was_being_sent_when_the_journal_broke_is_not_sent_again(folder: Path, wish: Wish) -> None:
    with Journal(folder) as journal:
        job = being_sent(journal, wish())
    overwritten(folder)
    recovery.start_anew(folder)
    with Journal(folder) as journal:
        assert journal.get(job.id).submit_started == job.submit_started


@pytest.mark.parametrize("loss", ["deleted", "emptied"])
def test_a_journal_whose_file_was_lost_knows_again_all_that_was_sent(folder: Path, wish: Wish, loss: str) -> None:
    with Journal(folder) as journal:
        waiting = sent(journal, wish())
    for path in folder.glob("journal.sqlite3*"):
        path.unlink()
    if loss == "emptied":
        (folder / "journal.sqlite3").touch()
    with Journal(folder) as journal:
        assert journal.jobs() == [waiting]


# Another Blender's journal.


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    return tmp_path / "4.5" / "flux_depth"


@pytest.fixture
def other(elsewhere: Path) -> Iterator[Journal]:
    with Journal(elsewhere) as opened:
        yield opened


def test_pictures_and_jobs_of_another_blender_are_offered_and_brought_in(
    journal: Journal, other: Journal, elsewhere: Path, wish: Wish
) -> None:
    waiting = sent(other, wish())
    done = sent(other, wish(), step=Step.DONE, finished=time.time())
    done = replace(done, result=str(done.folder / "result.png"))
    Path(done.result).write_bytes(b"picture")
    with sqlite3.connect(elsewhere / "journal.sqlite3") as database:
        database.execute("UPDATE job SET result = ? WHERE id = ?", (done.result, done.id))
    assert recovery.look(elsewhere, journal) == recovery.Offer(elsewhere, pictures=1, waiting=1)
    assert recovery.adopt(elsewhere, journal) == 2
    assert Path(journal.get(done.id).result).read_bytes() == b"picture"
    assert Path(journal.get(done.id).result).is_relative_to(journal.folder)
    claimed = journal.claim(providers=PROVIDERS)
    assert claimed
    assert (claimed.id, claimed.remote_id) == (waiting.id, "t1")


def test_a_picture_of_a_file_that_was_never_saved_comes_along(
    journal: Journal, other: Journal, elsewhere: Path, wish: Wish, tmp_path: Path
) -> None:
    own, outside = elsewhere / "pictures" / "a.png", tmp_path / "film" / "b.png"
    for path in (own, outside):
        path.parent.mkdir()
        path.write_bytes(b"picture")
    jobs = [sent(other, wish(), step=Step.DONE, finished=time.time(), result=str(path)) for path in (own, outside)]
    recovery.adopt(elsewhere, journal)
    results = [Path(journal.get(job.id).result) for job in jobs]
    assert results == [journal.folder / "pictures" / "a.png", outside]
    assert [path.read_bytes() for path in results] == [b"picture"] * 2


def test_it_is_offered_once(journal: Journal, other: Journal, elsewhere: Path, wish: Wish) -> None:
    sent(other, wish())
    recovery.adopt(elsewhere, journal)
    sent(other, wish())
    assert recovery.look(elsewhere, journal) is None


def test_what_the_other_blender_has_not_sent_stays_with_it(
    journal: Journal, other: Journal, elsewhere: Path, wish: Wish
) -> None:
    other.add(wish(), b"png")
    held = being_sent(other, wish())
    assert recovery.look(elsewhere, journal) is None
    assert recovery.adopt(elsewhere, journal) == 0
    assert other.get(held.id) == held


def test_the_other_journal_is_only_read(journal: Journal, first_version: Job, folder: Path, tmp_path: Path) -> None:
    """`journal` was opened first here, so that the older one lies in a folder of its own."""
    journal.close()
    before = (folder / "journal.sqlite3").read_bytes()
    with Journal(tmp_path / "new") as newer:
        assert recovery.adopt(folder, newer) == 1
        assert newer.get(first_version.id).price_usd == 0.05
    assert (folder / "journal.sqlite3").read_bytes() == before


def test_a_journal_from_the_future_is_not_adopted_and_says_so(
    journal: Journal, other: Journal, elsewhere: Path, wish: Wish
) -> None:
    sent(other, wish())
    with sqlite3.connect(elsewhere / "journal.sqlite3") as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(InputError, match="newer version of FLUX Depth: update first"):
        recovery.look(elsewhere, journal)


def test_where_there_is_no_journal_nothing_is_offered(journal: Journal, tmp_path: Path) -> None:
    assert recovery.look(tmp_path / "nothing", journal) is None


def test_a_folder_that_cannot_be_copied_still_brings_the_job(
    journal: Journal, other: Journal, elsewhere: Path, wish: Wish, journal_in_the_way: Callable[[Job], None]
) -> None:
    job = sent(other, wish())
    journal_in_the_way(job)
    assert recovery.adopt(elsewhere, journal) == 1
    assert journal.get(job.id).remote_id == "t1"


@pytest.fixture
def journal_in_the_way(journal: Journal) -> Callable[[Job], None]:
    """A file where the job's folder would go."""

    def put(job: Job) -> None:
        (journal.folder / "jobs").mkdir()
        (journal.folder / "jobs" / job.id).write_bytes(b"")

    return put


def test_the_receipt_is_plain_json(journal: Journal, wish: Wish) -> None:
    row = json.loads((sent(journal, wish()).folder / "receipt.json").read_bytes())
    assert (row["remote_id"], row["price_usd"]) == ("t1", 0.096)
