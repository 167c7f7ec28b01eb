"""Many pictures at once, and how they are found again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flux_depth_addon.core import history
from flux_depth_addon.core.entry import Entry
from flux_depth_addon.core.errors import BudgetError, InputError
from flux_depth_addon.core.job import Job, Step
from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.request import Request, fingerprint, from_json, to_json

Wish = Callable[..., Request]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal") as opened:
        yield opened


# Many at once.


def many(wish: Wish, number: int, price: float = 0.1) -> list[Entry]:
    return [Entry(wish(seed=seed), b"png", price, None) for seed in range(1, number + 1)]


def test_what_is_asked_for_with_one_click_shares_a_batch_and_a_control_image(journal: Journal, wish: Wish) -> None:
    jobs = journal.add_many(many(wish, 3))
    assert len({job.id for job in jobs}) == 3
    assert len({journal.get(job.id).batch for job in jobs}) == 1
    assert [job.control.read_bytes() for job in jobs] == [b"png"] * 3
    assert len({job.control.stat().st_ino for job in jobs}) == 1


def test_many_that_together_pass_the_cap_are_refused_whole_and_leave_no_file(journal: Journal, wish: Wish) -> None:
    with pytest.raises(BudgetError):
        journal.add_many(many(wish, 3), cap_usd=0.25)
    assert journal.jobs() == []
    assert list(journal.folder.glob("jobs/*")) == []


def test_many_that_just_meet_the_cap_are_entered(journal: Journal, wish: Wish) -> None:
    assert len(journal.add_many(many(wish, 3), cap_usd=0.3)) == 3


# The history.


def painted(journal: Journal, request: Request, **changes: object) -> Job:
    claimed = journal.claim(job_id=journal.add(request, b"png").id)
    assert claimed
    journal.save(replace(claimed, step=Step.DONE, **changes), release=True)  # type: ignore[arg-type]
    return journal.get(claimed.id)


def test_a_picture_is_found_by_words_of_its_prompt_in_any_case_and_order(journal: Journal, wish: Wish) -> None:
    one = painted(journal, wish(prompt="Größe: an Öltank in the GARDEN"))
    painted(journal, wish(prompt="a garden"))
    assert history.found(journal.database, history.Search("garden öltank")) == [one.id]
    assert history.found(journal.database, history.Search("öltank 100%")) == []


def test_a_picture_is_found_by_scene_camera_and_mark(journal: Journal, wish: Wish) -> None:
    one, two = painted(journal, wish(scene="Room", camera="A")), painted(journal, wish(scene="Room", camera="B"))
    history.mark_favourite(journal.database, [two.id], favourite=True)
    database = journal.database
    assert history.found(database, history.Search(scene="Room")) == [two.id, one.id]
    assert history.found(database, history.Search(scene="Room", camera="A")) == [one.id]
    assert history.found(database, history.Search(favourite=True)) == [two.id]


def test_a_discarded_picture_is_not_found_and_stays_in_the_ledger(journal: Journal, wish: Wish) -> None:
    job = painted(journal, wish(), charged="yes", submit_started=time.time(), billed_usd=0.1)
    history.discard(journal.database, [job.id])
    assert history.found(journal.database, history.Search()) == []
    assert journal.ledger().charged == 0.1


def test_who_looks_for_pictures_learns_which_came_were_marked_or_deleted(journal: Journal, wish: Wish) -> None:
    one = painted(journal, wish())
    known, since = history.changed(journal.database, 0)
    assert known == [one.id]
    journal.add(wish(), b"png")
    assert history.changed(journal.database, since)[0] == []
    two = painted(journal, wish())
    history.discard(journal.database, [one.id])
    changed, newest = history.changed(journal.database, since)
    assert set(changed) == {one.id, two.id}
    assert history.changed(journal.database, newest) == ([], newest)


def test_several_jobs_are_read_at_once_and_what_is_not_there_left_out(journal: Journal, wish: Wish) -> None:
    jobs = journal.add_many(many(wish, 3))
    assert {job.id for job in journal.several([jobs[0].id, "gone", jobs[2].id])} == {jobs[0].id, jobs[2].id}
    assert journal.several([]) == []


def test_the_scene_s_mark_does_not_make_another_picture(wish: Wish) -> None:
    assert fingerprint(wish(scene_mark="a.b"), b"png") == fingerprint(wish(), b"png")


def test_who_looks_learns_of_a_new_favourite(journal: Journal, wish: Wish) -> None:
    job = painted(journal, wish())
    _jobs, seen, _whole = journal.changes(0, limit=100)
    history.mark_favourite(journal.database, [job.id], favourite=True)
    assert [found.favourite for found in journal.changes(seen, limit=100)[0]] == [True]


def test_a_request_remembers_where_its_camera_stood(wish: Wish) -> None:
    asked = wish(camera_matrix=tuple(float(number) for number in range(16)))
    assert from_json(to_json(asked)) == asked


def test_a_request_of_an_older_journal_stood_nowhere(wish: Wish) -> None:
    text = to_json(wish()).replace(', "camera_matrix": []', "")
    assert "camera_matrix" not in text
    assert from_json(text).camera_matrix == ()


@pytest.mark.parametrize("matrix", ["[1.0, 2.0]", '["x"]', "5", "[" + ", ".join(["1"] * 15 + ["null"]) + "]"])
def test_a_matrix_that_is_none_makes_the_entry_unreadable(wish: Wish, matrix: str) -> None:
    with pytest.raises(InputError):
        from_json(to_json(wish()).replace('"camera_matrix": []', f'"camera_matrix": {matrix}'))
