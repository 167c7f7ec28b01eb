"""A report tells the fault and nothing that is nobody's business."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flux_depth_addon.core.job import Job, Step
from flux_depth_addon.core.report import report
from flux_depth_addon.core.request import Request
from tests.secrets_watch import marked_key

KEY = marked_key("cometapi")

SECRETS = {
    "prompt": "the Hendersons' new living room", "scene": "Hendersons", "camera": "Cam by the sofa",
    "blend": "hendersons_v3.blend", "finetune_id": "henderson-tune",
}  # fmt: skip


@pytest.fixture
def job(wish: Callable[..., Request]) -> Job:
    folder = Path.home() / ".config/blender/flux/jobs/j1"
    return Job(
        id="j1", request=wish(**SECRETS), folder=folder, output=Path("/clients/henderson/flux_depth/a.png"),
        origin="/clients/henderson/hendersons_v3.blend", created=0.0, deadline=600.0, due=0.0, step=Step.FAILED,
        sent_to="https://api.cometapi.com", remote_id="t1", price_usd=0.096, charged="unknown", error_kind="provider",
        error_message=f"CometAPI failed: “{SECRETS['prompt']}” in {folder}",
    )  # fmt: skip


def test_a_report_names_versions_provider_task_and_error(job: Job) -> None:
    text = report(job, {"FLUX Depth": "0.1.0", "Blender": "5.2.3"})
    for told in ("FLUX Depth: 0.1.0", "Blender: 5.2.3", "api.cometapi.com", "task t1", "charged: unknown", "provider"):
        assert told in text


@pytest.mark.parametrize("name", SECRETS)
def test_a_report_tells_no_prompt_and_no_name(job: Job, name: str) -> None:
    log = f"Traceback: {SECRETS[name]} in {Path.home()}/x.py"
    assert SECRETS[name] not in report(job, {}, log)


def test_a_report_tells_no_folder(job: Job) -> None:
    text = report(job, {}, f"OSError: {job.output} {Path.home()}/x.py")
    assert "/clients/henderson" not in text
    assert str(Path.home()) not in text


def test_a_key_that_got_into_the_log_is_taken_out(job: Job) -> None:
    assert KEY not in report(job, {}, f"header: Bearer {KEY}", hidden=[KEY, ""])


def test_a_long_log_is_cut_to_its_end(job: Job) -> None:
    text = report(job, {}, "\n".join(f"line {number}" for number in range(time.gmtime().tm_year)))
    assert "line 3\n" not in text
    assert text.count("\n") < 40


def test_an_empty_prompt_tears_the_text_to_no_pieces(job: Job, wish: Callable[..., Request]) -> None:
    plain = Job(id="j1", request=wish(), folder=Path(), output=Path("a.png"), created=0.0, deadline=1.0, due=0.0)
    assert "its own address" in report(plain, {})
