"""What is asked of another model in a failed job's place; and of a batch, what its providers are asked to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flux_depth_addon.core.batch import cancel_batch, what_it_cost
from flux_depth_addon.core.entry import Entry
from flux_depth_addon.core.errors import BudgetError, InputError
from flux_depth_addon.core.grid import Grid, Stand
from flux_depth_addon.core.instead import send_instead
from flux_depth_addon.core.job import Job, Step
from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.models import Model, Table, load
from flux_depth_addon.core.request import Request
from tests import living_models


@pytest.fixture
def living(tmp_path: Path) -> Table:
    """With a model that takes the map, and one that estimates depth."""
    file = tmp_path / "models.toml"
    file.write_text(living_models.rows(near__map="", far__photo='control = "picture"'), encoding="utf-8")
    return load(file)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal") as opened:
        yield opened


@pytest.fixture
def old(living: Table) -> Model:
    return living[living.default]


Fail = Callable[..., Job]


@pytest.fixture
def failed(journal: Journal, wish: Callable[..., Request], tmp_path: Path) -> Fail:
    """Enters a job that its provider does not serve."""

    def enter(**changes: Any) -> Job:
        job = journal.add(wish(seed=7), b"map", price_usd=0.096, output=tmp_path / "out" / "cube_{id}.png")
        end = {"step": Step.FAILED, "error_kind": "model", "error_action": "model", "submit_started": time.time()}
        ended = replace(journal.claim(job_id=job.id) or job, finished=time.time(), **end | changes)
        journal.save(ended, release=True)
        return ended

    return enter


def test_the_same_is_asked_of_the_other_model_and_the_first_is_marked(
    journal: Journal, failed: Fail, old: Model, living: Table
) -> None:
    job = failed()
    again = send_instead(journal, job.id, old, living["near:map"], price_usd=0.04)
    assert (again.request.model, again.request.prompt, again.seed) == ("near:map", job.request.prompt, 7)
    assert (again.control.read_bytes(), again.price_usd, again.step) == (b"map", 0.04, Step.SUBMIT)
    assert again.output.name == f"cube_{again.id}.png"
    assert again.base == ""
    assert journal.get(job.id).retried_as == again.id


def test_nobody_is_asked_twice(journal: Journal, failed: Fail, old: Model, living: Table) -> None:
    job = failed()
    send_instead(journal, job.id, old, living["near:map"], price_usd=0.04)
    with pytest.raises(InputError, match=r"sent anew already\. Nothing was sent"):
        send_instead(journal, job.id, old, living["near:map"], price_usd=0.04)
    with pytest.raises(InputError, match="asked for this very picture already"):
        send_instead(journal, failed().id, old, living["near:map"], price_usd=0.04)
    assert len(journal.jobs()) == 3


def test_what_is_refused_leaves_everything_as_it_was(journal: Journal, failed: Fail, old: Model, living: Table) -> None:
    job, new = failed(), living["near:map"]
    with pytest.raises(BudgetError):
        send_instead(journal, job.id, old, new, price_usd=0.04, cap_usd=0.03)
    wide = replace(new, limits=replace(new.limits, multiple=48))
    with pytest.raises(InputError, match=r"render the depth again for this model\. Nothing was sent"):
        send_instead(journal, job.id, old, wide, price_usd=0.04)
    job.control.unlink()
    with pytest.raises(InputError, match="control image of this job is gone"):
        send_instead(journal, job.id, old, new, price_usd=0.04)
    assert [there.retried_as for there in journal.jobs()] == [""]


@pytest.mark.parametrize("step", [Step.SUBMIT, Step.POLL, Step.DONE])
def test_only_what_ended_without_its_picture_goes_elsewhere(
    journal: Journal, failed: Fail, old: Model, living: Table, step: Step
) -> None:
    job = failed(step=step)
    with pytest.raises(InputError, match="failed or was cancelled"):
        send_instead(journal, job.id, old, living["near:map"], price_usd=0.04)


def test_of_a_batch_the_providers_that_can_are_asked_to_stop(journal: Journal, wish: Callable[..., Request]) -> None:
    entries = [Entry(wish(seed=seed), bytes([seed]), 0.04, None) for seed in (1, 2, 3)]
    jobs = journal.add_many(entries)
    for job in jobs[:2]:
        sent = {"step": Step.POLL, "submit_started": time.time(), "remote_id": job.id, "charged": "yes"}
        journal.save(replace(journal.claim(job_id=job.id) or job, **sent), release=True)
    cancelled = cancel_batch(journal, jobs[0].batch, there=lambda job: job.id == jobs[0].id)
    assert [job.step for job in cancelled] == [Step.CANCEL, Step.CANCELLED, Step.CANCELLED]
    assert what_it_cost(cancelled) == (
        "3 cancelled; of 1 the provider is asked to stop, and then each says what it costs; "
        "1 of them had been sent and cost $0.04, so fetch them for nothing"
    )
    assert cancel_batch(journal, jobs[0].batch) == []  # what is being stopped is not given up by a second click


def test_models_that_are_shown_something_else_do_not_share_a_render(
    living: Table, wish: Callable[..., Request]
) -> None:
    models = [living["near:map"], living["far:photo"], replace(living["near:map"], id="near:other")]
    sizes = {("Camera", model.id): wish().framing for model in models}
    grid = Grid(stands=[Stand("Camera", (1,))], models=models, prompts=["a"], seeds=[1], sizes=sizes)
    assert grid.captures == 1
    apart = replace(grid, controls={"far:photo": "clay"})
    assert apart.captures == 2
    assert [cell.model.id for cell in apart.cells()] == ["near:map", "near:other", "far:photo"]
    assert apart.usd_of(models[0]) == 0.04
    assert apart.price_usd == pytest.approx(0.12)
