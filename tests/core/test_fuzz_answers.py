"""Whatever a provider says, it ends in a result or in one sentence that is true about the money."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flux_depth_addon.core.errors import FluxDepthError, TryLaterError
from flux_depth_addon.core.models import Model
from flux_depth_addon.core.providers import Accepted, Answer, Missing, Pending, Ready
from tests.core.answers import read_probe, read_result, read_submission
from tests.core.fuzzing import BFL, COMET, anything, check_sentence, effort, nested

models = st.sampled_from([COMET, BFL])
statuses = st.sampled_from([200, 200, 200, 201, 202, 204, 301, 400, 401, 402, 403, 404, 408, 409, 413, 422, 425, 429])
statuses |= st.sampled_from([500, 502, 503, 504, 524, 529, 599]) | st.integers(100, 999)
waits = st.sampled_from(["", "0", "5", "-1", "nan", "inf", "1e400", "Wed, 21 Oct 2026 07:28:00 GMT", "९", "\xb2"])
headers = st.fixed_dictionaries({}, optional={"retry-after": waits | st.text(max_size=8)})

NAMES = ["id", "task_id", "status", "state", "polling_url", "cost", "result", "progress", "details", "data", "sample"]
NAMES += ["seed", "output", "error", "detail", "message", "msg", "fail_reason", "code", "loc", "type", "credits"]
NAMES += ["Moderation Reasons"]
WORDS = ["Ready", "Pending", "Task not found", "Error", "Content Moderated", "Request Moderated", "SUCCESS", "FAILURE"]
WORDS += ["IN_PROGRESS", "Reasoning", "model_not_found", "insufficient_user_quota", "invalid_request", "success", ""]
WORDS += ["no available channel for group default", "finetune_id", "https://delivery.eu2.bfl.ai/x/p.png?se=1", "t1"]

values = st.recursive(
    st.sampled_from(WORDS) | anything,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=20,
)
envelopes = st.dictionaries(st.sampled_from(NAMES), values, max_size=8)
"""Near the documented answers: their names, their words, in any order and at any depth."""


def written(data: object) -> bytes:
    """JSON, with the nan and the halves of letters that servers have been seen to send."""
    return json.dumps(data).encode()


bodies = st.binary(max_size=200) | anything.map(written) | envelopes.map(written)
bodies |= st.builds(lambda body, cut: body[:cut], envelopes.map(written), st.integers(0, 60))
answers = st.builds(Answer, statuses, headers, bodies)

DEEP = [
    nested(depth, opening, closing)
    for depth in (50, 900, 5_000, 100_000)
    for opening, closing in [
        ("[", "]"),
        ('{"error":', "}"),
        ('{"detail":[', "]}"),
        ('{"data":', "}"),
        ('{"id":"t1","details":{"Moderation Reasons":[', "]}}"),
    ]
]
WIDE = [
    b'{"detail": [{"loc": [' + inner + b'], "msg": "no"}]}'
    for inner in (b"[" * 800 + b"]" * 800, b"9" * 4000, b"1e999", b'"\\ud800\\u202e"')
]


def every_hard_body(test: Callable[..., None]) -> Callable[..., None]:
    """The bodies that recursion and length are known to break, under statuses of every kind."""
    for body in DEEP + WIDE:
        for status in (200, 422, 503):
            test = example(Answer(status, {}, body), COMET)(test)
    return test


def holds(*held: object) -> None:
    """SQLite, as the journal uses it, takes these values and gives them back."""
    with sqlite3.connect(":memory:") as database:
        marks = ", ".join("?" for _ in held)
        assert database.execute(f"SELECT {marks}", held).fetchone() == held
    database.close()


def the_end(read: Callable[[Answer, Model], Any], answer: Answer, model: Model) -> Any:
    """What was read, or the error that it came to, which is fit to be shown."""
    try:
        return read(answer, model)
    except FluxDepthError as error:
        end = error
    check_sentence(end)
    if isinstance(end, TryLaterError):
        assert end.seconds is None or (math.isfinite(end.seconds) and 0 <= end.seconds <= 150)
    return end


def ids(data: object) -> Iterator[object]:
    """Whatever could be a task's id in an answer to a submission."""
    if isinstance(data, dict):
        inner = data.get("data")
        yield from (data.get("id"), data.get("task_id"), inner.get("id") if isinstance(inner, dict) else None)


@every_hard_body
@given(answers, models)
@effort(3)
def test_every_answer_to_a_submission_has_an_end_that_is_true_about_the_money(answer: Answer, model: Model) -> None:
    end = the_end(read_submission, answer, model)
    if isinstance(end, Accepted):
        assert 0 < len(end.remote_id) <= 500
        assert len(end.polling_url) <= 8192
        assert end.cost_usd is None or 0 <= end.cost_usd < 1000
        holds(end.remote_id, end.polling_url, end.cost_usd)
    elif answer.status < 300 and any(ids(answer.json)):
        assert not isinstance(end, TryLaterError)
        assert end.charged != "no", end


@every_hard_body
@given(answers, models)
@effort(3)
def test_every_answer_to_a_poll_has_an_end_that_is_true_about_the_money(answer: Answer, model: Model) -> None:
    match the_end(read_result, answer, model):
        case Pending(progress, _):
            assert progress is None or 0 <= progress <= 1
            holds(progress)
        case Ready(sample, seed, _):
            assert sample
            assert len(sample) <= 8192
            assert seed is None or 0 <= seed < 2**63
            holds(sample, seed)
        case Missing() | TryLaterError():
            pass
        case end:  # nothing but the provider's own filter says that a task it took is free
            assert isinstance(end, FluxDepthError)
            assert end.charged != "no" or end.kind == "moderated"


@every_hard_body
@given(answers, models)
@effort()
def test_every_answer_to_a_connection_test_is_a_sentence(answer: Answer, model: Model) -> None:
    end = the_end(read_probe, answer, model)
    check_sentence(end)


PLAIN = [b"", b"<html>", b'{"detail": "no"}', b'{"id": "t1"}', b'{"id": 1.5, "error": {"code": "prompt_blocked"}}']


@pytest.mark.parametrize("body", PLAIN)
def test_every_status_has_an_end_that_is_true_about_the_money(body: bytes) -> None:
    for status in range(100, 1000):
        for read in (read_submission, read_result, read_probe):
            end = the_end(read, Answer(status, {}, body), COMET)
            if read is read_submission and status < 300 and b"id" in body:
                assert isinstance(end, Accepted) or end.charged != "no"
