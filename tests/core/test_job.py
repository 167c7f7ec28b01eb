"""A job takes one step at a time against a real endpoint. What becomes of it when things go wrong is in faults.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flux_depth_addon.core.advance import advance, cancelled
from flux_depth_addon.core.client import Client
from flux_depth_addon.core.job import Job, Step
from flux_depth_addon.core.models import Table
from flux_depth_addon.core.providers import Pending
from flux_depth_addon.core.request import Request
from flux_depth_addon.core.sandbox import Answer, Behaviour, Sandbox
from tests.secrets_watch import marked_key

KEY = marked_key("cometapi")
BFL = "bfl:flux-pro-1.0-depth"
HTML = "<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"
PENDING = Answer(body={"status": "Pending", "progress": 0.25})
NOT_FOUND = Answer(body={"status": "Task not found", "result": None})

Serve = Callable[..., Sandbox]
Make = Callable[..., Job]


@pytest.fixture
def serve():  # type: ignore[no-untyped-def]
    """Starts sandboxes that send the control image back at once, after their scripted answers."""
    with ExitStack() as stack:
        yield lambda **script: stack.enter_context(Sandbox(behaviour=Behaviour(delay=0.0, picture="echo", **script)))


@pytest.fixture
def client(table: Table) -> Client:
    return Client(table, {"cometapi": KEY, "bfl": marked_key("bfl")})


@pytest.fixture
def make(tmp_path: Path, wish: Callable[..., Request], control: bytes) -> Make:
    """A job to be sent to this sandbox, or this address."""

    def made(server: Sandbox | str, request: dict[str, Any] | None = None, **changes: Any) -> Job:
        (tmp_path / "control.png").write_bytes(control)
        now = time.time()
        job = Job(
            id="j1",
            request=wish(**(request or {})),
            folder=tmp_path,
            output=tmp_path / "out" / "picture.png",
            base=server if isinstance(server, str) else server.base,
            created=now,
            deadline=now + 60,
            due=now,
            price_usd=0.096,
        )
        return replace(job, **changes)

    return made


def unsaved(_job: Job) -> None:
    """Where the mark is of no interest."""


def run(job: Job, client: Client, steps: int = 50) -> Job:
    """Step after step without waiting, to the end."""
    for _ in range(steps):
        if job.is_final:
            break
        job = advance(job, client, unsaved)
    return job


def sent(make: Make, server: Sandbox, client: Client, **changes: Any) -> Job:
    """A job that the provider took."""
    return replace(advance(make(server), client, unsaved), **changes)


def test_three_steps_bring_a_picture(make: Make, client: Client, serve: Serve) -> None:
    server = serve()
    job = make(server)
    steps = [job.step]
    while not job.is_final:
        job = advance(job, client, unsaved)
        steps.append(job.step)
    assert steps == [Step.SUBMIT, Step.POLL, Step.DOWNLOAD, Step.DONE]
    assert [line.partition("?")[0].rpartition("/")[0] for line in server.requests] == [
        "POST /flux/v1",
        "GET /flux/v1",
        "GET /results",
    ]
    assert (job.result, job.charged, job.error_kind) == (str(job.output), "yes", "")


def test_the_result_is_the_frame_and_nothing_around_it(
    make: Make, client: Client, serve: Serve, control: bytes
) -> None:
    job = run(make(serve()), client)
    with Image.open(job.result) as result, Image.open(BytesIO(control)) as whole:
        assert (job.width, job.height) == result.size == (300, 244)
        assert result.tobytes() == whole.crop(job.request.framing.crop).tobytes()


def test_each_step_is_at_most_one_exchange(make: Make, client: Client, serve: Serve) -> None:
    server = serve(poll_answers=[PENDING, NOT_FOUND, Answer(500)])
    job, asked = make(server), 0
    while not job.is_final:
        job = advance(job, client, unsaved)
        asked += 1
        assert len(server.requests) == asked


def test_the_key_goes_along_to_the_provider_but_not_to_the_picture(make: Make, client: Client, serve: Serve) -> None:
    server = serve()
    run(make(server), client)
    shown = [
        line.split()[1].split("/")[1]
        for line, headers in zip(server.requests, server.headers, strict=True)
        if KEY in str(headers)
    ]
    assert shown == ["flux", "flux"]


def test_the_seed_that_was_used_is_kept(make: Make, client: Client, serve: Serve) -> None:
    assert run(make(serve(), {"seed": 77}), client).seed == 77
    assert (run(make(serve()), client).seed or 0) > 0


# Paid once.


def test_the_mark_is_saved_before_anything_is_sent(make: Make, client: Client, serve: Serve) -> None:
    server = serve()
    marks: list[tuple[Job, int]] = []
    advance(make(server), client, lambda job: marks.append((job, len(server.posts))))
    ((marked, posts),) = marks
    assert posts == 0
    assert marked.submit_started is not None
    assert (marked.step, marked.remote_id) == (Step.SUBMIT, "")


def test_what_cannot_be_marked_is_not_sent(make: Make, client: Client, serve: Serve) -> None:
    server = serve()

    def full(_job: Job) -> None:
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        advance(make(server), client, full)
    assert not server.requests


def test_a_final_job_stays_as_it_is(make: Make, client: Client, serve: Serve) -> None:
    for step in (Step.DONE, Step.FAILED, Step.CANCELLED):
        job = make(serve(), step=step)
        assert advance(job, client, unsaved) == job


# Refused here, so not sent.


@pytest.mark.parametrize(
    ("request_", "kind"), [({"prompt": " "}, "input"), ({"model": "nobody:nothing"}, "input"), ({"steps": 5}, "input")]
)
def test_what_the_model_would_refuse_is_not_sent(
    make: Make, client: Client, serve: Serve, request_: dict[str, Any], kind: str
) -> None:
    server = serve()
    job = run(make(server, request_), client)
    assert (job.step, job.error_kind, job.charged) == (Step.FAILED, kind, "no")
    assert not server.requests


# Busy, so later.


def test_a_provider_busy_past_the_deadline_costs_nothing(make: Make, client: Client, serve: Serve) -> None:
    server = serve(submit_answers=[Answer(429, hold=0.3)])
    job = advance(make(server, deadline=time.time() + 0.1), client, unsaved)
    assert (job.step, job.error_kind, job.charged) == (Step.FAILED, "deadline", "no")
    assert "Nothing was charged" in job.error_message


@pytest.mark.parametrize(("attempts", "seconds"), [(0, 1), (1, 2), (2, 4), (4, 16), (5, 30), (9, 30), (5000, 30)])
def test_the_pause_doubles_up_to_half_a_minute(
    make: Make, client: Client, serve: Serve, attempts: int, seconds: float
) -> None:
    server = serve(poll_answers=[Answer(500)])
    job = make(server, step=Step.POLL, sent_to=server.base, remote_id="t", attempts=attempts)
    assert advance(job, client, unsaved).due - time.time() == pytest.approx(seconds, abs=0.1)


# Waiting.


def test_what_was_taken_is_paid_at_the_tables_price(make: Make, client: Client, serve: Serve) -> None:
    job = sent(make, serve(), client)
    assert (job.charged, job.cost_usd) == ("yes", 0.096)


def test_what_was_taken_is_paid_at_the_providers_price(make: Make, client: Client, serve: Serve) -> None:
    server = serve(submit_answers=[Answer(body='{"id": "{id}", "cost": 4}')])
    assert advance(make(server, {"model": BFL}), client, unsaved).cost_usd == 0.04


def test_progress_is_kept(make: Make, client: Client, serve: Serve) -> None:
    server = serve(poll_answers=[PENDING])
    assert advance(sent(make, server, client), client, unsaved).progress == 0.25


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        (Pending(0.5), False),
        (Pending(0.25, b"a picture"), False),
        (Pending(is_queued=True), False),
        (Pending(0.25), True),
        (Pending(0.1), True),
        (Pending(), True),
    ],
)
def test_what_goes_on_slowly_is_waited_for_and_what_stands_still_is_not(
    make: Make, client: Client, monkeypatch: pytest.MonkeyPatch, said: Pending, ends: bool
) -> None:
    monkeypatch.setattr(Client, "poll", lambda *_: said)
    job = make("", step=Step.POLL, remote_id="t", progress=0.25, deadline=time.time() - 1)
    after = advance(job, client, unsaved)
    assert (after.error_kind == "deadline") is ends
    assert (after.deadline == pytest.approx(time.time() + job.timeout, abs=1)) is not ends


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_no_half_made_picture_is_left_when_a_job_ends(make: Make, client: Client, serve: Serve, end: str) -> None:
    job = sent(make, serve(poll_answers=[Answer(body={"status": "Error"})]), client)
    job.preview.write_bytes(b"half of it")
    assert (run(job, client) if end == "failed" else cancelled(job)).is_final
    assert not job.preview.exists()


@pytest.mark.parametrize(("waited", "pause"), [(0, 0.5), (5, 0.5), (20, 2.0), (500, 5.0)])
def test_polls_stretch_from_half_a_second_to_five(
    make: Make, client: Client, serve: Serve, waited: float, pause: float
) -> None:
    server = serve(poll_answers=[PENDING])
    job = sent(make, server, client, submit_started=time.time() - waited)
    assert advance(job, client, unsaved).due - time.time() == pytest.approx(pause, abs=0.1)


# The picture.


def test_an_expired_link_is_replaced_by_a_fresh_one(make: Make, client: Client, serve: Serve) -> None:
    old = Answer(body={"status": "Ready", "result": {"sample": "{base}/results/old.png?sig=1"}})
    server = serve(poll_answers=[old], result_answers=[Answer(403, body="<Error/>")])
    job = run(make(server), client)
    assert job.step is Step.DONE
    results = [line for line in server.requests if "/results/" in line]
    assert results[0] == "GET /results/old.png?sig=1"
    assert results[1] == f"GET /results/{job.remote_id}.png"
