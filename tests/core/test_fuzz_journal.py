"""Whatever stands in the journal's file, its other jobs are there, and what cannot be read is said in a sentence."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flux_depth_addon.core.errors import InputError, JournalError
from flux_depth_addon.core.job import COLUMNS, Step
from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.request import Request
from tests.core.conftest import FRAMING
from tests.core.fuzzing import check_sentence, effort

WISH = Request(prompt="a quiet room", model="bfl:flux-pro-1.0-depth", framing=FRAMING)
NUMBERS = ["created", "timeout", "deadline", "due", "seed", "progress", "finished", "attempts", "width", "height"]
values = st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=12) | st.binary(max_size=12) | st.none()
values |= st.sampled_from(["POLL", "DONE", "SUBMIT", "yes", "no", "\udcff", "1e999", "", -1, 0, 1e308])


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        with Journal(Path(folder)) as journal:
            for _ in range(2):
                journal.add(WISH, b"png")
        yield Path(folder)


@example({"error_message": b"\x80"}, True)
@given(st.dictionaries(st.sampled_from(list(COLUMNS)), values, min_size=1, max_size=3), st.booleans())
@effort(1, seconds=5)
def test_any_row_is_a_job_or_left_out_and_hides_no_other(folder: Path, changes: dict[str, Any], as_text: bool) -> None:
    with Journal(folder) as journal:
        kept, changed = journal.add(WISH, b"png"), journal.add(WISH, b"png")
        columns = [name for name in changes if name != "id"]
        with closing(sqlite3.connect(folder / "journal.sqlite3")) as database, database:
            for name in columns:
                kind = "CAST(? AS TEXT)" if isinstance(changes[name], bytes) and as_text else "?"
                try:
                    database.execute(f"UPDATE job SET {name} = {kind} WHERE id = ?", (changes[name], changed.id))
                except (sqlite3.IntegrityError, UnicodeEncodeError):
                    continue
        assert kept.id in [job.id for job in journal.jobs()]
        assert kept.id in [job.id for job in journal.unfinished()]
        for ask in (journal.get, journal.cancel, journal.retry):
            try:
                job = ask(changed.id)
            except InputError as error:
                check_sentence(error)
            else:
                assert isinstance(job.step, Step)
                for name in NUMBERS:
                    assert isinstance(getattr(job, name), int | float | None)
        assert journal.cancel(kept.id).step is Step.CANCELLED
        journal.mark_seen([kept.id])
        with closing(sqlite3.connect(folder / "journal.sqlite3")) as database, database:
            database.execute("DELETE FROM job")


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda data: b"SQLite format 3\0" + data))
@effort(0.5, seconds=5)
def test_any_file_in_the_journal_s_place_is_refused_in_a_sentence(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        Path(folder, "journal.sqlite3").write_bytes(data)
        try:
            with Journal(Path(folder)) as journal:
                journal.jobs()
        except (InputError, JournalError) as error:
            check_sentence(error)


@example(2085, b"\x80")
@example(2090, b"\x80")
@given(st.integers(0, 50_000), st.binary(min_size=1, max_size=40))
@effort(0.5, seconds=5)
def test_a_journal_with_damaged_bytes_is_read_or_refused_in_a_sentence(folder: Path, place: int, data: bytes) -> None:
    with closing(sqlite3.connect(folder / "journal.sqlite3")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = (folder / "journal.sqlite3").read_bytes()
    place %= len(whole)
    with TemporaryDirectory() as other:
        Path(other, "journal.sqlite3").write_bytes(whole[:place] + data + whole[place + len(data) :])
        try:
            with Journal(Path(other)) as journal:
                journal.jobs()
                journal.add(WISH, b"png")
        except (InputError, JournalError) as error:
            check_sentence(error)
