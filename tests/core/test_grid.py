"""What a grid comes to, and what of it is paid."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flux_depth_addon.core.batch import cancel_batch, sift, timeout_for, what_it_cost
from flux_depth_addon.core.entry import Entry
from flux_depth_addon.core.errors import BudgetError, InputError
from flux_depth_addon.core.framing import Framing
from flux_depth_addon.core.grid import Grid, Stand, check_budget, dollars, noted, parse_frames, seeds_from
from flux_depth_addon.core.job import DEFAULT_TIMEOUT, Step
from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.models import Table
from flux_depth_addon.core.request import MAX_PROMPT, MAX_SEED, Request

FRAMING = Framing(1344, 768, 0, 6, 1344, 756)
PAID = "cometapi:flux-pro-1-0-depth-finetuned"


@pytest.fixture
def grid(table: Table) -> Callable[..., Grid]:
    """One picture, with the given differences."""
    sizes = defaultdict(lambda: FRAMING)
    one = Grid(stands=[Stand("Camera", (1,))], models=[table[PAID]], prompts=["a room"], seeds=[7], sizes=sizes)
    return lambda **changes: replace(one, **changes)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path) as opened:
        yield opened


def test_a_grid_is_every_combination_and_its_price_their_sum(grid: Callable[..., Grid], table: Table) -> None:
    made = grid(
        stands=[Stand("Left", range(1, 25, 12)), Stand("Right", (3,))],
        models=[table[PAID], table["bfl:flux-pro-1.0-depth"]],
        prompts=["a room", "a hall"],
        seeds=[1, 2, 3],
    )
    cells = list(made.cells())
    assert made.count == len(cells) == len(set(cells)) == 36
    assert made.price_usd == pytest.approx(18 * 0.096 + 18 * 0.05)
    assert made.captures == 3


def test_each_camera_s_pictures_cost_what_they_measure(grid: Callable[..., Grid], table: Table) -> None:
    by_size = replace(table[PAID], id="by size", per="megapixel", price_usd=0.04)
    small, large = FRAMING, Framing(1440, 1440, 0, 0, 1440, 1440)
    made = grid(
        stands=[Stand("Left", (1, 2)), Stand("Right", (1,))],
        models=[by_size, table[PAID]],
        sizes={
            ("Left", "by size"): small, ("Right", "by size"): large, ("Left", PAID): small, ("Right", PAID): large
        },
    )  # fmt: skip
    assert made.price_usd == pytest.approx(2 * 0.04 + 0.08 + 3 * 0.096)
    assert made.words == "6 pictures  ·  $0.448"


def test_what_shares_a_render_comes_together(grid: Callable[..., Grid]) -> None:
    made = grid(stands=[Stand("Left", range(3)), Stand("Right", range(3))], prompts=["a", "b"], seeds=[1, 2])
    places = [(cell.stand.camera, cell.frame) for cell in made.cells()]
    assert places == sorted(places)


def test_a_hundred_thousand_frames_are_refused_without_walking_through_them(grid: Callable[..., Grid]) -> None:
    made = grid(stands=[Stand("Camera", range(10**12))])
    began = time.process_time()
    with pytest.raises(InputError, match=r"This grid has 1,000,000,000,000 pictures, and 1,000 are the most"):
        next(made.cells())
    assert time.process_time() - began < 0.1


def test_a_grid_without_a_camera_is_refused(grid: Callable[..., Grid]) -> None:
    with pytest.raises(InputError, match=r"no pictures: .* Nothing was sent"):
        next(grid(stands=[]).cells())


def test_a_grid_above_the_limit_says_what_it_costs_and_what_is_left(grid: Callable[..., Grid]) -> None:
    forty = grid(seeds=range(40))
    said = (
        r"A grid of 40 pictures costs \$3\.84, and of your limit of \$5\.00 a month \$3\.80 is left\. Nothing was sent"
    )
    with pytest.raises(BudgetError, match=said):
        check_budget(forty, cap_usd=5, spent_usd=1.2)
    check_budget(forty, cap_usd=5, spent_usd=1.16)
    check_budget(forty, cap_usd=None, spent_usd=1e6)


@pytest.mark.parametrize(("usd", "shown"), [(3.84, "$3.84"), (0.096, "$0.096"), (0, "free"), (1234.5, "$1,234.50")])
def test_money_is_written_as_money(usd: float, shown: str) -> None:
    assert dollars(usd) == shown


@pytest.mark.parametrize(
    ("prompt", "whole"), [("a room", "a room, a tree"), ("A room.", "A room. a tree"), ("a room,", "a room, a tree")]
)
def test_a_note_follows_the_prompt_as_one_reads_it(prompt: str, whole: str) -> None:
    assert noted(prompt, " a tree ") == whole
    assert noted(prompt, "  ") == prompt


def test_a_prompt_that_its_note_makes_too_long_stays_too_long() -> None:
    assert len(noted("x" * MAX_PROMPT, "y" * 10)) > MAX_PROMPT


def test_seeds_go_on_after_the_last_one() -> None:
    assert seeds_from(MAX_SEED - 1, 4) == [MAX_SEED - 1, MAX_SEED, 1, 2]


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("12", [12]),
        ("1-4", [1, 2, 3, 4]),
        ("1-48:12", [1, 13, 25, 37]),
        ("-2 - 0", [-2, -1, 0]),
        ("-3--1", [-3, -2, -1]),
    ],
)
def test_frames_are_read_as_one_writes_them(text: str, frames: list[int]) -> None:
    assert list(parse_frames(text)) == frames


@pytest.mark.parametrize(
    "text", ["", "a", "4-1", "1-4:0", "1-", "1:2", "9999999", "1-2-3", "1.5", "１-４x", "1" * 5000]
)
def test_what_are_no_frames_is_said(text: str) -> None:
    with pytest.raises(InputError, match="are no frames"):
        parse_frames(text)


def entries(wish: Callable[..., Request], *seeds: int, control: bytes = b"map") -> list[Entry]:
    return [Entry(wish(seed=seed), control, 0.096, None) for seed in seeds]


def test_what_is_on_its_way_or_twice_in_a_batch_is_left_out(journal: Journal, wish: Callable[..., Request]) -> None:
    journal.add_many(entries(wish, 1, 2))
    sifted = sift(journal, entries(wish, 1, 2, 3, 3))
    assert [entry.request.seed for entry in sifted.new] == [3]
    assert len(sifted.known) == 2
    assert sifted.saved_words == "2 you have already and 1 would have been the very same as another: not paid again"
    assert sift(journal, entries(wish, 1, control=b"another map")).saved_words == ""


def test_cancelling_a_batch_leaves_others_alone(journal: Journal, wish: Callable[..., Request]) -> None:
    first, second = journal.add_many(entries(wish, 1, 2)), journal.add_many(entries(wish, 3))
    cancelled = cancel_batch(journal, first[0].batch)
    assert {job.id for job in cancelled} == {job.id for job in first}
    assert what_it_cost(cancelled) == "2 cancelled; nothing was charged for them"
    assert journal.get(second[0].id).step is Step.SUBMIT
    assert what_it_cost(cancel_batch(journal, first[0].batch)) == "All of them were finished already"


def test_what_was_sent_stays_paid_and_is_said(journal: Journal, wish: Callable[..., Request]) -> None:
    jobs = journal.add_many(entries(wish, 1, 2, 3))
    taken = {"submit_started": time.time(), "remote_id": "task", "charged": "yes", "step": Step.POLL}
    journal.claim(job_id=jobs[0].id)
    journal.save(replace(jobs[0], **taken), release=True)
    journal.claim(job_id=jobs[1].id)
    journal.save(replace(jobs[1], submit_started=time.time()), release=True)
    assert [job.id for job in cancel_batch(journal, jobs[0].batch, only_unsent=True)] == [jobs[2].id]
    said = what_it_cost(cancel_batch(journal, jobs[0].batch))
    assert "1 of them had been sent and cost $0.10" in said
    assert "perhaps $0.10" in said


def test_a_single_picture_is_no_batch(journal: Journal) -> None:
    with pytest.raises(InputError, match="not asked for together"):
        cancel_batch(journal, "")


def test_the_last_in_line_has_as_long_as_the_first_once_its_turn_comes() -> None:
    assert timeout_for(1) < DEFAULT_TIMEOUT + 5
    assert timeout_for(1000) > DEFAULT_TIMEOUT + 1000 / 24 * 60
