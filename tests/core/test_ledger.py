"""The money: expected and charged, one cap for the month, and no second picture for a double click."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flux_depth_addon.core.errors import BudgetError, InputError
from flux_depth_addon.core.job import Job, Step
from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.ledger import Ledger, month_began
from flux_depth_addon.core.request import Request, fingerprint

Wish = Callable[..., Request]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal") as opened:
        yield opened


@pytest.fixture
def entered(journal: Journal, wish: Wish) -> Callable[..., Job]:
    """A job of ten cents that was sent and came to this."""

    def enter(**changes: Any) -> Job:
        claimed = journal.claim(job_id=journal.add(wish(), b"png", price_usd=0.1).id)
        assert claimed
        journal.save(replace(claimed, submit_started=time.time()))
        job = replace(claimed, **{"submit_started": time.time(), "step": Step.DONE, "finished": time.time(), **changes})
        journal.save(job, release=True)
        return job

    return enter


Entered = Callable[..., Job]


def test_what_the_provider_says_counts_and_else_what_was_expected(journal: Journal, entered: Entered) -> None:
    entered(charged="yes")
    entered(charged="yes", billed_usd=0.04)
    assert journal.ledger().charged == pytest.approx(0.14)


def test_what_is_unknown_and_what_waits_are_told_apart(journal: Journal, entered: Entered, wish: Wish) -> None:
    entered(charged="unknown", step=Step.FAILED)
    entered(charged="no", step=Step.FAILED)
    journal.add(wish(), b"png", price_usd=0.5)
    assert journal.ledger() == pytest.approx(Ledger(charged=0.0, unknown=0.1, waiting=0.5))


def test_what_was_sent_before_does_not_count(journal: Journal, entered: Entered) -> None:
    entered(charged="yes", submit_started=month_began() - 1)
    entered(charged="yes")
    assert journal.ledger(month_began()).charged == pytest.approx(0.1)


def test_this_month_began_on_its_first_day_at_midnight() -> None:
    began = time.localtime(month_began())
    assert (began.tm_mday, began.tm_hour, began.tm_min, began.tm_sec) == (1, 0, 0, 0)
    assert (began.tm_year, began.tm_mon) == time.localtime()[:2]
    assert month_began() <= time.time()


# The cap.


def test_a_request_that_would_pass_the_cap_is_not_entered(journal: Journal, entered: Entered, wish: Wish) -> None:
    entered(charged="yes")
    with pytest.raises(BudgetError, match=r"your limit of \$0\.15 a month, of which \$0\.10 is spent") as caught:
        journal.add(wish(), b"png", price_usd=0.1, cap_usd=0.15)
    assert (caught.value.charged, caught.value.action) == ("no", "preferences")
    assert len(journal.jobs()) == len(list((journal.folder / "jobs").iterdir())) == 1


def test_what_waits_and_what_is_unknown_count_against_the_cap(journal: Journal, entered: Entered, wish: Wish) -> None:
    entered(charged="unknown", step=Step.FAILED)
    journal.add(wish(), b"png", price_usd=0.1, cap_usd=0.2)
    with pytest.raises(BudgetError):
        journal.add(wish(), b"png", price_usd=0.1, cap_usd=0.2)


def test_the_cap_can_be_spent_to_the_last_cent(journal: Journal, wish: Wish) -> None:
    for _ in range(3):
        journal.add(wish(), b"png", price_usd=0.1, cap_usd=0.3)
    assert len(journal.jobs()) == 3


def test_what_costs_nothing_is_never_over_the_cap(journal: Journal, entered: Entered, wish: Wish) -> None:
    entered(charged="yes")
    assert journal.add(wish(model="sandbox"), b"png", price_usd=0.0, cap_usd=0.01)


def test_a_retry_that_costs_keeps_to_the_cap_and_a_free_one_need_not(journal: Journal, entered: Entered) -> None:
    paid = entered(charged="yes", step=Step.FAILED, remote_id="t1", error_kind="deadline")
    lost = entered(charged="no", step=Step.FAILED, error_kind="network")
    with pytest.raises(BudgetError):
        journal.retry(lost.id, cap_usd=0.15)
    assert not journal.get(lost.id).retried_as
    assert journal.retry(paid.id, cap_usd=0.15).id == paid.id


def test_a_retry_is_entered_at_today_s_price(journal: Journal, entered: Entered) -> None:
    lost = entered(charged="no", step=Step.FAILED, error_kind="network")
    assert journal.retry(lost.id, price_usd=0.2).price_usd == 0.2


def test_a_retry_that_was_to_be_free_spends_nothing(journal: Journal, entered: Entered) -> None:
    lost = entered(charged="no", step=Step.FAILED, error_kind="network")
    with pytest.raises(InputError, match="does not have this picture any more"):
        journal.retry(lost.id, free=True)
    assert len(journal.jobs()) == 1


# The same again.


def test_the_second_half_of_a_double_click_is_not_entered(journal: Journal, wish: Wish) -> None:
    journal.add(wish(), b"png", asked=time.time())
    with pytest.raises(InputError, match="asked for a moment ago and is on its way"):
        journal.add(wish(), b"png", asked=time.time())
    assert len(journal.jobs()) == 1


def test_a_click_that_waited_for_a_long_render_is_still_a_double_click(journal: Journal, wish: Wish) -> None:
    """The second click is handled only once the first has rendered and entered its job."""
    first = journal.add(wish(), b"png", asked=time.time() - 30)
    with pytest.raises(InputError):
        journal.add(wish(), b"png", asked=first.created + 0.01)


@pytest.mark.parametrize(
    ("later", "control", "changes"), [(2.0, b"png", {}), (0, b"other", {}), (0, b"png", {"steps": 20})]
)
def test_another_picture_is_no_double_click(
    journal: Journal, wish: Wish, later: float, control: bytes, changes: dict[str, Any]
) -> None:
    journal.add(wish(), b"png", asked=time.time())
    journal.add(wish(**changes), control, asked=time.time() + later)
    assert len(journal.jobs()) == 2


def test_after_the_first_failed_the_same_may_be_asked_for_at_once(journal: Journal, wish: Wish) -> None:
    journal.cancel(journal.add(wish(), b"png", asked=time.time()).id)
    assert journal.add(wish(), b"png", asked=time.time())


def test_the_picture_of_the_same_request_is_found_while_its_file_is_there(
    journal: Journal, wish: Wish, entered: Entered, tmp_path: Path
) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"picture")
    job = entered(charged="yes", result=str(picture))
    found = journal.same_as(fingerprint(wish(scene="Another", camera="Name"), b"png"))
    assert found
    assert found.id == job.id
    assert journal.same_as(fingerprint(wish(seed=8), b"png")) is None
    picture.unlink()
    assert journal.same_as(fingerprint(wish(), b"png")) is None
