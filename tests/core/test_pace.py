"""How many tasks a provider is given at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flux_depth_addon.core.entry import Entry
from flux_depth_addon.core.job import Step
from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.models import Table
from flux_depth_addon.core.pace import PROBE_SECONDS, SLOTS, Pace
from flux_depth_addon.core.request import Request
from flux_depth_addon.core.sandbox import Behaviour, Sandbox
from flux_depth_addon.core.worker import Worker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def room(pace: Pace, most: int = 100) -> int:
    return sum(pace.has_room("bfl", there) for there in range(most))


def test_a_provider_gets_as_many_as_an_account_may_have() -> None:
    assert room(Pace()) == SLOTS


def test_a_refusal_holds_all_others_back() -> None:
    pace = Pace(Clock())
    pace.refused("bfl", 8)
    assert room(pace) == 8
    assert pace.has_room("cometapi", 8)


def test_one_is_tried_even_where_nothing_was_taken() -> None:
    pace = Pace(Clock())
    pace.refused("bfl", 0)
    assert room(pace) == 1


def test_after_a_rest_one_more_is_tried_and_with_each_that_is_taken_another() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.refused("bfl", 8)
    pace.taken("bfl")
    assert room(pace) == 8
    clock.now += PROBE_SECONDS + 1
    assert room(pace) == 9
    for _ in range(SLOTS):
        pace.taken("bfl")
    assert room(pace) == SLOTS


@contextmanager
def working(journal: Journal, table: Table) -> Iterator[Worker]:
    worker = Worker(journal, table, {})
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
        while journal.unfinished():
            worker.wake.wait(0.02)
    finally:
        worker.may_submit = False
        worker.wake.set()
        thread.join()
        worker.close()


def grid(wish: Callable[..., Request], control: bytes, count: int) -> list[Entry]:
    wishes = [wish(model="sandbox", seed=seed) for seed in range(1, count + 1)]
    return [Entry(request, control, 0.0, None) for request in wishes]


def test_a_large_grid_neither_hammers_nor_starves_a_provider_that_takes_few_at_once(
    tmp_path: Path, table: Table, wish: Callable[..., Request], control: bytes
) -> None:
    with (
        Journal(tmp_path) as journal,
        Sandbox(behaviour=Behaviour(delay=0.3, picture="echo", active_limit=4)) as server,
    ):
        jobs = journal.add_many(grid(wish, control, 40), base=server.base)
        with working(journal, table):
            pass
        assert Counter(job.step for job in journal.jobs()) == {Step.DONE: 40}
        assert len(server.posts) < 60
        spent = max(job.finished or 0 for job in journal.jobs()) - jobs[0].created
        assert spent < 4 * (40 / 4 * 0.3)


def test_no_more_is_sent_than_a_provider_takes(
    tmp_path: Path, table: Table, wish: Callable[..., Request], control: bytes
) -> None:
    with (
        Journal(tmp_path) as journal,
        Sandbox(behaviour=Behaviour(delay=0.2, picture="echo", active_limit=SLOTS)) as server,
    ):
        journal.add_many(grid(wish, control, 60), base=server.base)
        with working(journal, table):
            pass
        assert len(server.posts) == 60
