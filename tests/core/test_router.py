"""What is sent to Comfy Router's queue, and what is read out of its answers, as documented.

What becomes of a job is in test_contract.py.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_depth_addon.core.errors import (
    FailedThereError,
    FluxDepthError,
    FundsError,
    KeyRefusedError,
    ModelError,
    ModeratedError,
    ParameterError,
    ProviderError,
    TryLaterError,
    UnknownSubmissionError,
)
from flux_depth_addon.core.models import Table
from flux_depth_addon.core.providers import (
    Accepted,
    Answer,
    Cancelled,
    Elsewhere,
    Missing,
    Pending,
    Pictures,
    Ready,
    Result,
    Task,
)
from flux_depth_addon.core.providers.router import PROTOCOL
from flux_depth_addon.core.request import Request
from tests.core.answers import said
from tests.core.emulators.router import wrong
from tests.core.fuzzing import bodies, check_it_ends, effort

Wish = Callable[..., Request]
MODEL = "comfyrouter:flux-pro-1.0-depth"
ID = "6f1a1a6e-6a53-4a5f-9d3a-2b3b0a1f9c21"
PLACE = f"/v2/models/bfl/flux-pro-1.0-depth/requests/{ID}"
WAITING, DONE = Task("ticket", ID), Task("ticket", ID, PLACE)
"""Where its state is asked for, and where its result is."""
SAMPLE = "https://storage.example/bfl/a.png?sig=1"
RESULT = {"id": "b2e0", "status": "Ready", "cost": 5, "result": {"sample": SAMPLE, "seed": 2784347701, "cost": 5}}


def refused(bucket: str, status: int, detail: object = "words", *, in_header: bool = True, **headers: str) -> Answer:
    """Router's envelope, whose bucket is in the body, in the header, or, for a model's own complaints, there alone."""
    body = {"detail": detail, **({} if isinstance(detail, list) else {"error_type": bucket})}
    return said(status, body, **({"x_comfy_error_type": bucket} if in_header else {}), **headers)


def read(table: Table, answer: Answer, task: Task = WAITING) -> Result:
    return PROTOCOL.read_result(answer, table[MODEL], task)


def state(status: object, **more: object) -> Answer:
    return said(200, {"request_id": ID, "status": status, "status_url": "https://evil.example/", **more})


# What is sent.


def test_a_run_is_queued_under_the_jobs_own_key(wish: Wish, table: Table) -> None:
    call = PROTOCOL.submission(wish(model=MODEL, seed=7, steps=40), table[MODEL], Pictures(b"png"), "a-job")
    assert (call.method, call.path) == ("POST", "/v2/models/bfl/flux-pro-1.0-depth/requests")
    assert call.headers == {"Idempotency-Key": "a-job"}
    assert call.payload == {
        "prompt": "a quiet room",
        "preprocessed_image": "cG5n",
        "seed": 7,
        "steps": 40,
        "output_format": "png",
    }


def test_every_format_and_both_ends_of_every_dial_are_within_the_schema(
    wish: Wish, table: Table, control: bytes
) -> None:
    row = table[MODEL]
    wishes = [wish(model=MODEL, output_format=output_format) for output_format in row.formats]
    for name in ("steps", "guidance", "safety_tolerance"):
        dial = row.dial(name)
        assert dial
        wishes += [wish(model=MODEL, **{name: value}) for value in (dial.low, dial.high, dial.default)]
    for request in wishes:
        payload = PROTOCOL.submission(request, row, Pictures(control), "ticket").payload
        assert not list(wrong(dict(payload or {})))


def test_first_the_state_is_asked_for_and_then_the_result(table: Table) -> None:
    assert PROTOCOL.question(table[MODEL], WAITING).path == f"{PLACE}/status"
    assert PROTOCOL.question(table[MODEL], DONE).path == PLACE
    for task in (WAITING, DONE):
        assert not PROTOCOL.question(table[MODEL], task).url
        call = PROTOCOL.cancellation(table[MODEL], task)
        assert (call.method, call.path) == ("PUT", f"{PLACE}/cancel")


def test_whatever_the_id_is_it_stays_one_part_of_the_path(table: Table) -> None:
    assert PROTOCOL.question(table[MODEL], Task("ticket", "../x?y")).path.endswith("/requests/..%2Fx%3Fy/status")


# The answer to a submission.


def test_a_request_id_means_accepted(table: Table) -> None:
    answer = said(201, {"request_id": ID, "status": "IN_QUEUE", "status_url": f"https://api.comfy.org{PLACE}/status"})
    assert PROTOCOL.read_submission(answer, table[MODEL]) == Accepted(ID)


@pytest.mark.parametrize("data", [{}, {"request_id": None}, {"request_id": 5}, {"id": ID}, [], b"<html>"])
def test_an_answer_without_an_id_leaves_it_unknown(table: Table, data: object) -> None:
    with pytest.raises(UnknownSubmissionError):
        PROTOCOL.read_submission(said(201, data), table[MODEL])


@pytest.mark.parametrize("in_header", [True, False])
@pytest.mark.parametrize(
    ("bucket", "status", "kind"),
    [
        ("unauthorized", 401, KeyRefusedError),
        ("insufficient_credits", 402, FundsError),
        ("forbidden", 403, ModelError),
        ("not_enabled", 403, ModelError),
        ("model_not_found", 404, ModelError),
        ("invalid_input", 400, ParameterError),
        ("invalid_input", 413, ParameterError),
        ("content_policy_violation", 400, ModeratedError),
        ("something_new", 402, FundsError),
    ],
)
def test_a_bucket_says_what_a_refusal_is_about(
    table: Table, bucket: str, status: int, kind: type[FluxDepthError], in_header: bool
) -> None:
    with pytest.raises(kind) as caught:
        PROTOCOL.read_submission(refused(bucket, status, in_header=in_header), table[MODEL])
    assert "“words”" in str(caught.value)
    assert caught.value.charged == "no"


def test_a_models_own_complaint_names_the_field(table: Table) -> None:
    complaint = {"loc": ["body", "steps"], "msg": "Input should be less than 50", "type": "less_than"}
    with pytest.raises(ParameterError, match="steps: Input should be less than 50"):
        PROTOCOL.read_submission(refused("invalid_input", 422, [complaint]), table[MODEL])


@pytest.mark.parametrize(
    ("bucket", "status"),
    [
        ("rate_limited", 429),
        ("concurrency_limit_exceeded", 429),
        ("queue_backlog_full", 429),
        ("service_unavailable", 503),
    ],
)
def test_what_clears_by_itself_is_sent_again(table: Table, bucket: str, status: int) -> None:
    for headers, seconds in ({"retry_after": "9"}, 9.0), ({}, None):
        with pytest.raises(TryLaterError) as caught:
            PROTOCOL.read_submission(refused(bucket, status, **headers), table[MODEL])
        assert caught.value.seconds == seconds


@pytest.mark.parametrize(
    ("bucket", "status"),
    [
        ("concurrency_limit_exceeded", 409),
        ("invalid_input", 409),
        ("internal_error", 500),
        ("provider_error", 502),
        ("", 503),
        ("deadline_exceeded", 504),
        ("provider_timeout", 504),
        ("something_new", 500),
    ],
)
def test_what_may_have_been_taken_is_never_sent_again(table: Table, bucket: str, status: int) -> None:
    with pytest.raises(UnknownSubmissionError) as caught:
        PROTOCOL.read_submission(refused(bucket, status), table[MODEL])
    assert caught.value.charged == "unknown"


# The answer to a poll.


@pytest.mark.parametrize("status", ["IN_QUEUE", "IN_PROGRESS", "PAUSED", None, 5])
def test_a_task_at_work_is_waited_for(table: Table, status: object) -> None:
    waits = Pending(is_queued=status == "IN_QUEUE")
    assert read(table, state(status, queue_position=3)) == waits
    assert read(table, said(202, {"request_id": ID, "status": status}), DONE) == waits


@pytest.mark.parametrize("bucket", [None, "content_policy_violation", "invalid_input", "provider_error"])
def test_what_is_completed_is_told_where_the_result_is(table: Table, bucket: str | None) -> None:
    more = {"error_type": bucket} if bucket else {}
    assert read(table, state("COMPLETED", **more)) == Elsewhere(PLACE)


def test_the_result_is_the_models_own(table: Table) -> None:
    assert read(table, said(200, RESULT), DONE) == Ready(SAMPLE, 2784347701, None)
    for result in None, {}, {"seed": 7}, {"sample": None}, []:
        assert read(table, said(200, {"id": "x", "status": "Ready", "result": result}), DONE) == Missing()


@pytest.mark.parametrize(
    ("used", "usd"),
    [
        ("10.55", 0.05),
        ("0", 0.0),
        ("25.32", 0.12),
        ("", None),
        ("-3", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("many", None),
    ],
)
def test_what_it_cost_is_in_a_header_in_credits(table: Table, used: str, usd: float | None) -> None:
    result = read(table, said(200, RESULT, x_comfy_credits_used=used), DONE)
    assert result == Ready(SAMPLE, 2784347701, usd)


@pytest.mark.parametrize(
    ("bucket", "status", "kind", "charged"),
    [
        ("content_policy_violation", 400, ModeratedError, "no"),
        ("insufficient_credits", 402, FundsError, "unknown"),
        ("invalid_input", 400, FailedThereError, "unknown"),
        ("model_not_found", 404, ModelError, "unknown"),
        ("provider_error", 502, ProviderError, "unknown"),
        ("provider_timeout", 504, ProviderError, "unknown"),
    ],
)
def test_a_failure_is_told_in_words_where_the_result_would_be(
    table: Table, bucket: str, status: int, kind: type[FluxDepthError], charged: str
) -> None:
    with pytest.raises(kind) as caught:
        read(table, refused(bucket, status), DONE)
    assert "“words”" in str(caught.value)
    assert caught.value.charged == charged


def test_a_models_late_complaint_names_the_field_too(table: Table) -> None:
    complaint = {"loc": ["body", "control_image"], "msg": "Not an image", "type": "value_error"}
    with pytest.raises(FailedThereError, match="control_image: Not an image"):
        read(table, refused("invalid_input", 422, [complaint]), DONE)


@pytest.mark.parametrize(
    ("bucket", "charged", "words"),
    [
        ("queue_timeout", "no", "had no room for this in time"),
        ("cancelled", "unknown", "(cancelled)"),
        ("internal_error", "unknown", "(internal_error)"),
        ("deadline_exceeded", "unknown", "(deadline_exceeded)"),
        ("something_new", "unknown", "(something_new)"),
    ],
)
def test_a_failure_that_has_no_words_is_told_by_the_state(table: Table, bucket: str, charged: str, words: str) -> None:
    with pytest.raises(ProviderError, match=words.replace("(", r"\(").replace(")", r"\)")) as caught:
        read(table, state("COMPLETED", error_type=bucket))
    assert caught.value.charged == charged


@pytest.mark.parametrize("task", [WAITING, DONE])
def test_trouble_with_asking_is_not_the_tasks(table: Table, task: Task) -> None:
    passing = [refused("internal_error", 500), refused("service_unavailable", 503), refused("rate_limited", 429)]
    for answer in (*passing, said(502, b"<html>"), said(403, b"<html>"), said(200, b"<html>"), said(301, {})):
        with pytest.raises(TryLaterError):
            read(table, answer, task)


def test_a_providers_error_counts_only_where_the_result_is(table: Table) -> None:
    with pytest.raises(TryLaterError):
        read(table, refused("provider_error", 502), WAITING)


@pytest.mark.parametrize(
    "answer", [refused("request_not_found", 404), said(404, b"<html>"), said(410, {"detail": "gone"})]
)
def test_a_request_that_nobody_knows_is_missing(table: Table, answer: Answer) -> None:
    for task in (WAITING, DONE):
        assert read(table, answer, task) == Missing()


@pytest.mark.parametrize(("bucket", "status"), [("unauthorized", 401), ("forbidden", 403), ("not_enabled", 403)])
def test_a_key_that_is_refused_later_keeps_the_picture_within_reach(table: Table, bucket: str, status: int) -> None:
    with pytest.raises(KeyRefusedError, match="It is charged"):
        read(table, refused(bucket, status), DONE)


# Stopping, and a free question.


@pytest.mark.parametrize(
    ("status", "word", "outcome"),
    [
        (202, "CANCELLATION_REQUESTED", Cancelled()),
        (409, "ALREADY_COMPLETED", Cancelled(is_late=True)),
        (400, "ALREADY_COMPLETED", Cancelled(is_late=True)),
    ],
)
def test_what_a_stop_came_to(table: Table, status: int, word: str, outcome: Cancelled) -> None:
    answer = said(status, {"request_id": ID, "status": word})
    assert PROTOCOL.read_cancellation(answer, table[MODEL]) == outcome


@pytest.mark.parametrize(
    "answer",
    [refused("request_not_found", 404), refused("service_unavailable", 503), said(202, b"<html>"), said(502, b"")],
)
def test_a_stop_that_was_not_heard_is_said_again(table: Table, answer: Answer) -> None:
    with pytest.raises(TryLaterError):
        PROTOCOL.read_cancellation(answer, table[MODEL])


def test_the_free_question_is_for_the_catalogues_entry(table: Table) -> None:
    model = table[MODEL]
    assert [call.path for call in PROTOCOL.probes(model)] == ["/v2/models/bfl/flux-pro-1.0-depth"]
    assert PROTOCOL.read_probes([said(200, {"id": "bfl/flux-pro-1.0-depth"})], model) == (
        "Comfy Router answered, took the key, and has FLUX.1 Depth [pro]. Nothing was charged."
    )
    for answer, kind in (
        (refused("unauthorized", 401), KeyRefusedError),
        (refused("not_enabled", 403), ModelError),
        (refused("model_not_found", 404), ModelError),
        (refused("service_unavailable", 503), ProviderError),
    ):
        with pytest.raises(kind):
            PROTOCOL.read_probes([answer], model)


# Anything at all.

WORDS = [
    "COMPLETED",
    "IN_QUEUE",
    "ALREADY_COMPLETED",
    "Ready",
    "provider_error",
    "cancelled",
    "queue_timeout",
    SAMPLE,
    ID,
]
KEYS = [
    "request_id",
    "status",
    "error_type",
    "detail",
    "loc",
    "msg",
    "id",
    "result",
    "sample",
    "seed",
    "queue_position",
]


@effort(8, seconds=20)
@given(
    bodies(WORDS, KEYS),
    st.sampled_from([200, 201, 202, 301, 400, 402, 404, 409, 410, 422, 429, 500, 502, 503, 504]),
    st.sampled_from(["", "invalid_input", "provider_error", "cancelled", "service_unavailable", "new\u202e"]),
    st.sampled_from([WAITING, DONE]),
)
def test_no_answer_breaks_the_reader(table: Table, data: object, status: int, bucket: str, task: Task) -> None:
    answer, model = said(status, data, x_comfy_error_type=bucket), table[MODEL]
    check_it_ends(
        lambda: PROTOCOL.read_submission(answer, model),
        lambda: PROTOCOL.read_result(answer, model, task),
        lambda: PROTOCOL.read_cancellation(answer, model),
        lambda: PROTOCOL.read_probes([answer], model),
    )
