"""A job takes one step at a time against a real endpoint: paid once, and nothing paid is given up."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flux_depth_addon.core.client import Client
from flux_depth_addon.core.job import MAX_MISSES, Job, Step, advance, broken
from flux_depth_addon.core.models import Table
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


def test_a_job_with_the_mark_and_no_task_is_never_sent_again(make: Make, client: Client, serve: Serve) -> None:
    server = serve()
    job = run(make(server, submit_started=time.time() - 40), client)
    assert (job.step, job.error_kind, job.charged) == (Step.FAILED, "unknown", "unknown")
    assert "It is unknown whether this was submitted" in job.error_message
    assert not server.requests


@pytest.mark.parametrize(
    "lost", [Answer(status=0), Answer(body={"id": "1"}, cut=3), Answer(500, body=HTML), Answer(504)]
)
def test_a_lost_answer_ends_unknown_after_one_post(make: Make, client: Client, serve: Serve, lost: Answer) -> None:
    server = serve(submit_answers=[lost])
    job = run(make(server), client)
    assert (job.step, job.error_kind, job.charged) == (Step.FAILED, "unknown", "unknown")
    assert len(server.posts) == 1
    assert not job.is_waiting_there


def test_a_final_job_stays_as_it_is(make: Make, client: Client, serve: Serve) -> None:
    for step in (Step.DONE, Step.FAILED, Step.CANCELLED):
        job = make(serve(), step=step)
        assert advance(job, client, unsaved) == job


# Refused, so not paid.

REFUSALS = [
    (Answer(401, body={"error": {"message": "no such key"}}), "key", "preferences"),
    (Answer(402, body={"detail": "no credits"}), "funds", "account"),
    (Answer(403, body={"error": {"code": "insufficient_user_quota"}}), "funds", "account"),
    (Answer(403, body={"detail": "Not authenticated"}), "key", "preferences"),
    (Answer(422, body={"detail": [{"loc": ["body", "steps"], "msg": "too many"}]}), "parameter", "settings"),
    (Answer(500, body={"error": {"code": "invalid_request"}}), "parameter", "settings"),
    (Answer(503, body={"error": {"code": "model_not_found"}}), "model", "model"),
    (Answer(301, headers={"Location": "{base}/flux/v1/x"}), "provider", "report"),
]


@pytest.mark.parametrize(("answer", "kind", "action"), REFUSALS, ids=lambda value: str(getattr(value, "status", value)))
def test_a_refusal_ends_the_job_for_nothing(
    make: Make, client: Client, serve: Serve, answer: Answer, kind: str, action: str
) -> None:
    server = serve(submit_answers=[answer])
    job = run(make(server), client)
    assert (job.step, job.error_kind, job.error_action, job.charged) == (Step.FAILED, kind, action, "no")
    assert len(server.requests) == 1


def test_a_refused_connection_ends_the_job_for_nothing(make: Make, client: Client, closed_port: str) -> None:
    job = run(make(closed_port), client)
    assert (job.step, job.error_kind, job.charged) == (Step.FAILED, "network", "no")


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


def test_a_job_without_its_control_image_is_not_sent(make: Make, client: Client, serve: Serve) -> None:
    server = serve()
    job = make(server)
    job.control.unlink()
    assert advance(job, client, unsaved).error_message.startswith("The control image of this job is gone")
    assert not server.requests


def test_a_job_nobody_waits_for_any_more_is_not_sent(make: Make, client: Client, serve: Serve) -> None:
    server = serve()
    job = advance(make(server, deadline=time.time() - 1), client, unsaved)
    assert (job.step, job.error_kind, job.charged) == (Step.FAILED, "deadline", "no")
    assert not server.requests


def test_a_missing_key_is_told_and_nothing_is_sent(make: Make, table: Table, serve: Serve) -> None:
    server = serve()
    job = run(make(server), Client(table, {}))
    assert (job.error_kind, job.error_action, job.charged) == ("key", "preferences", "no")
    assert not server.requests


# Busy, so later.


def test_a_busy_provider_gets_the_request_later_and_once(make: Make, client: Client, serve: Serve) -> None:
    server = serve(submit_answers=[Answer(429, headers={"Retry-After": "7"}), Answer(429), None])
    first = advance(make(server), client, unsaved)
    assert (first.step, first.submit_started, first.attempts) == (Step.SUBMIT, None, 1)
    assert 6 < first.due - time.time() <= 7
    job = run(first, client)
    assert (job.step, len(server.posts)) == (Step.DONE, 3)


def test_a_provider_busy_past_the_deadline_costs_nothing(make: Make, client: Client, serve: Serve) -> None:
    server = serve(submit_answers=[Answer(429, hold=0.3)])
    job = advance(make(server, deadline=time.time() + 0.1), client, unsaved)
    assert (job.step, job.error_kind, job.charged) == (Step.FAILED, "deadline", "no")
    assert "Nothing was charged" in job.error_message


@pytest.mark.parametrize(("attempts", "seconds"), [(0, 1), (1, 2), (2, 4), (4, 16), (5, 30), (9, 30), (5000, 30)])
def test_the_pause_doubles_up_to_half_a_minute(
    make: Make, client: Client, serve: Serve, attempts: int, seconds: float
) -> None:
    job = make(serve(poll_answers=[Answer(500)]), step=Step.POLL, remote_id="t", attempts=attempts)
    assert advance(job, client, unsaved).due - time.time() == pytest.approx(seconds, abs=0.1)


# Waiting.


def test_what_was_taken_is_paid_at_the_tables_price(make: Make, client: Client, serve: Serve) -> None:
    job = sent(make, serve(), client)
    assert (job.charged, job.cost_usd) == ("yes", 0.096)


def test_what_was_taken_is_paid_at_the_providers_price(make: Make, client: Client, serve: Serve) -> None:
    server = serve(submit_answers=[Answer(body='{"id": "{id}", "cost": 4}')])
    assert advance(make(server, {"model": BFL}), client, unsaved).cost_usd == 0.04


def test_the_sandbox_is_never_charged(make: Make, client: Client, serve: Serve) -> None:
    server = serve(poll_answers=[Answer(body={"status": "Error"})])
    job = run(make(server, {"model": "sandbox"}, price_usd=0.0), client)
    assert (job.step, job.charged) == (Step.FAILED, "no")


def test_progress_is_kept(make: Make, client: Client, serve: Serve) -> None:
    server = serve(poll_answers=[PENDING])
    assert advance(sent(make, server, client), client, unsaved).progress == 0.25


@pytest.mark.parametrize(("waited", "pause"), [(0, 0.5), (5, 0.5), (20, 2.0), (500, 5.0)])
def test_polls_stretch_from_half_a_second_to_five(
    make: Make, client: Client, serve: Serve, waited: float, pause: float
) -> None:
    server = serve(poll_answers=[PENDING])
    job = sent(make, server, client, submit_started=time.time() - waited)
    assert advance(job, client, unsaved).due - time.time() == pytest.approx(pause, abs=0.1)


@pytest.mark.parametrize("word", ["Pending", "Reasoning", "Generating", "A Word From The Future"])
def test_an_unknown_word_means_waiting_until_the_deadline(make: Make, client: Client, serve: Serve, word: str) -> None:
    server = serve(poll_answers=[Answer(body={"status": word})] * 2)
    job = advance(sent(make, server, client), client, unsaved)
    assert job.step is Step.POLL
    job = advance(replace(job, deadline=time.time() - 1), client, unsaved)
    assert (job.step, job.error_kind, job.charged) == (Step.FAILED, "deadline", "yes")
    assert job.is_waiting_there
    assert "for nothing" in job.error_message


@pytest.mark.parametrize("early", [NOT_FOUND, Answer(404, body={"detail": "Not Found"}), Answer(404, body=HTML)])
def test_a_task_that_is_not_known_yet_is_asked_for_again(
    make: Make, client: Client, serve: Serve, early: Answer
) -> None:
    assert run(make(serve(poll_answers=[early] * 3)), client).step is Step.DONE


def test_a_task_that_is_never_known_is_given_up(make: Make, client: Client, serve: Serve) -> None:
    server = serve(poll_answers=[NOT_FOUND] * (MAX_MISSES + 1))
    job = run(make(server), client)
    assert (job.step, job.error_kind, job.charged) == (Step.FAILED, "expired", "yes")
    assert "no longer knows this task" in job.error_message
    assert len(server.requests) == 1 + MAX_MISSES + 1


def test_a_word_in_between_makes_the_task_known_again(make: Make, client: Client, serve: Serve) -> None:
    server = serve(poll_answers=[*[NOT_FOUND] * MAX_MISSES, PENDING, *[NOT_FOUND] * MAX_MISSES])
    assert run(make(server), client).step is Step.DONE


@pytest.mark.parametrize(
    "trouble",
    [
        Answer(500),
        Answer(502, body=HTML),
        Answer(503),
        Answer(200, body=HTML),
        Answer(429),
        Answer(301),
        Answer(status=0),
    ],
)
def test_trouble_while_polling_is_not_the_tasks(make: Make, client: Client, serve: Serve, trouble: Answer) -> None:
    server = serve(poll_answers=[trouble] * 3)
    job = run(make(server), client)
    assert (job.step, len(server.posts)) == (Step.DONE, 1)


def test_trouble_past_the_deadline_says_that_retry_is_free(make: Make, client: Client, serve: Serve) -> None:
    server = serve(poll_answers=[Answer(500)])
    job = advance(sent(make, server, client, deadline=time.time() - 1), client, unsaved)
    assert (job.step, job.error_kind, job.charged) == (Step.FAILED, "deadline", "yes")
    assert job.error_message.endswith("fetch the same picture, for nothing.")


@pytest.mark.parametrize("status", ["Request Moderated", "Content Moderated"])
def test_moderation_costs_nothing_after_all(make: Make, client: Client, serve: Serve, status: str) -> None:
    server = serve(poll_answers=[Answer(body={"status": status, "details": {"Moderation Reasons": ["Violence"]}})])
    job = run(make(server), client)
    assert (job.step, job.error_kind, job.error_action, job.charged) == (Step.FAILED, "moderated", "settings", "no")
    assert "(Violence)" in job.error_message
    assert not job.is_waiting_there


@pytest.mark.parametrize("status", ["Error", "Failed"])
def test_a_task_that_failed_may_have_cost(make: Make, client: Client, serve: Serve, status: str) -> None:
    job = run(make(serve(poll_answers=[Answer(body={"status": status})])), client)
    assert (job.step, job.error_kind, job.charged) == (Step.FAILED, "provider", "unknown")


def test_a_key_refused_while_polling_leaves_the_picture_to_be_fetched(make: Make, client: Client, serve: Serve) -> None:
    job = run(make(serve(poll_answers=[Answer(403, body={"detail": "no"})])), client)
    assert (job.step, job.error_kind, job.charged, job.is_waiting_there) == (Step.FAILED, "key", "yes", True)


def test_ready_without_a_picture_is_asked_again(make: Make, client: Client, serve: Serve) -> None:
    server = serve(poll_answers=[Answer(body={"status": "Ready", "result": None})] * 2)
    assert run(make(server), client).step is Step.DONE


def test_the_other_envelope_brings_a_picture_too(make: Make, client: Client, serve: Serve) -> None:
    wrapped = '{"code": "success", "data": {"status": "SUCCESS", "data": {"sample": "{base}/results/{id}.png"}}}'
    assert run(make(serve(poll_answers=[Answer(body=wrapped)])), client).step is Step.DONE


# The picture.


def big() -> bytes:
    """A picture of 25 megapixels in few bytes."""
    buffer = BytesIO()
    Image.new("1", (5000, 5000)).save(buffer, "PNG")
    return buffer.getvalue()


BROKEN = [
    Answer(body=HTML),
    Answer(body=b""),
    Answer(body=b"GIF89a\1\0\1\0\0\0\0;"),
    Answer(body=big()),
]


@pytest.mark.parametrize("answer", BROKEN, ids=["html", "empty", "gif", "too large"])
def test_what_is_no_picture_is_fetched_again_and_leaves_nothing(
    make: Make, client: Client, serve: Serve, answer: Answer
) -> None:
    job = make(serve(result_answers=[answer]))
    once = run(job, client, steps=3)
    assert (once.step, once.misses) == (Step.POLL, 1)
    assert not job.output.exists()
    assert run(once, client).step is Step.DONE


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_half_a_picture_is_fetched_again(
    make: Make, client: Client, serve: Serve, picture: Callable[..., bytes], kind: str
) -> None:
    data = picture(kind=kind)
    assert run(make(serve(result_answers=[Answer(body=data[: len(data) // 2])])), client, steps=3).misses == 1


def test_a_broken_connection_to_the_picture_is_tried_again(
    make: Make, client: Client, serve: Serve, control: bytes
) -> None:
    server = serve(result_answers=[Answer(status=0), Answer(503), Answer(body=control, cut=100)])
    job = run(make(server), client)
    assert (job.step, job.misses, len(server.posts)) == (Step.DONE, 0, 1)


def test_a_picture_that_stays_broken_ends_the_job_and_was_paid(make: Make, client: Client, serve: Serve) -> None:
    server = serve(result_answers=[Answer(body=HTML)] * (MAX_MISSES + 1))
    job = run(make(server), client, steps=100)
    assert (job.step, job.error_kind, job.charged) == (Step.FAILED, "expired", "yes")
    assert job.is_waiting_there
    assert len(server.posts) == 1


def test_a_jpeg_in_place_of_a_png_is_written_as_what_the_name_says(
    make: Make, client: Client, serve: Serve, picture: Callable[..., bytes]
) -> None:
    job = run(make(serve(result_answers=[Answer(body=picture(kind="JPEG"))])), client)
    with Image.open(job.result) as result:
        assert (result.format, result.size) == ("PNG", (300, 244))


def test_an_expired_link_is_replaced_by_a_fresh_one(make: Make, client: Client, serve: Serve) -> None:
    old = Answer(body={"status": "Ready", "result": {"sample": "{base}/results/old.png?sig=1"}})
    server = serve(poll_answers=[old], result_answers=[Answer(403, body="<Error/>")])
    job = run(make(server), client)
    assert job.step is Step.DONE
    results = [line for line in server.requests if "/results/" in line]
    assert results[0] == "GET /results/old.png?sig=1"
    assert results[1] == f"GET /results/{job.remote_id}.png"


def test_a_redirect_to_another_host_is_not_followed(make: Make, client: Client, serve: Serve) -> None:
    elsewhere = serve()
    server = serve(result_answers=[Answer(302, headers={"Location": f"{elsewhere.base}/results/x.png"})])
    run(make(server), client, steps=3)
    assert not elsewhere.requests


def test_where_the_output_cannot_be_written_the_picture_is_kept_with_the_job(
    make: Make, client: Client, serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    job = run(make(serve(), output=tmp_path / "file" / "picture.png"), client)
    assert (job.step, job.result) == (Step.DONE, str(tmp_path / "result.png"))


def test_a_full_disk_loses_no_picture(
    make: Make, client: Client, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = run(make(serve()), client, steps=2)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        job = advance(job, client, unsaved)
    assert (job.step, job.result) == (Step.DOWNLOAD, "")
    assert run(job, client).step is Step.DONE


# The unforeseen.


def test_an_unforeseen_problem_is_told_by_its_type_alone(make: Make) -> None:
    job = broken(make("", step=Step.POLL, remote_id="t", charged="yes"), RuntimeError(KEY))
    assert (job.step, job.charged, job.is_waiting_there) == (Step.FAILED, "yes", True)
    assert job.error_message.startswith("An unexpected problem (RuntimeError) stopped this job. It is charged: ")


def test_an_unforeseen_problem_while_sending_may_have_cost(make: Make) -> None:
    assert broken(make(""), RuntimeError()).charged == "unknown"
