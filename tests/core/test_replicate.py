"""What is sent to Replicate, and what is read out of its answers, as documented.

What becomes of a job is in test_contract.py.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

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
)
from flux_depth_addon.core.models import Table
from flux_depth_addon.core.providers import Accepted, Answer, Cancelled, Missing, Pending, Pictures, Ready, Result, Task
from flux_depth_addon.core.providers.replicate import PROTOCOL
from flux_depth_addon.core.request import Request
from tests.core.answers import said
from tests.core.emulators.replicate import SCHEMAS, wrong
from tests.core.fuzzing import bodies, check_it_ends, effort

Wish = Callable[..., Request]
PRO, DEV = "replicate:flux-depth-pro", "replicate:flux-depth-dev"
ID = "gm3qorzdhgbfurvjtvhg6dckhu"
TASK = Task("ticket", ID)
LINK = "https://replicate.delivery/xezq/abc/out-0.png"


def input_of(request: Request, table: Table, control: bytes = b"png") -> dict[str, Any]:
    call = PROTOCOL.submission(request, table[request.model], Pictures(control), "ticket")
    assert call.payload is not None
    assert call.payload.keys() == {"input"}
    return call.payload["input"]  # type: ignore[return-value]


def poll(table: Table, data: object, status: int = 200) -> Result:
    return PROTOCOL.read_result(said(status, data), table[PRO], TASK)


# What is sent.


def test_a_prediction_is_asked_of_the_model_by_its_name(wish: Wish, table: Table) -> None:
    call = PROTOCOL.submission(wish(model=PRO), table[PRO], Pictures(b"png"), "ticket")
    assert (call.method, call.path) == ("POST", "/v1/models/black-forest-labs/flux-depth-pro/predictions")
    assert not call.headers


def test_each_model_gets_its_own_names(wish: Wish, table: Table) -> None:
    dials = {"seed": 7, "steps": 40, "guidance": 12.5}
    common = {"prompt": "a quiet room", "seed": 7, "guidance": 12.5, "control_image": "data:image/png;base64,cG5n"}
    pro = input_of(wish(model=PRO, safety_tolerance=1, prompt_upsampling=False, **dials), table)
    assert pro == {**common, "steps": 40, "safety_tolerance": 1, "prompt_upsampling": False, "output_format": "png"}
    dev = input_of(wish(model=DEV, **dials), table)
    assert dev == {**common, "num_inference_steps": 40, "megapixels": "match_input", "output_format": "png"}


def test_what_is_unset_is_left_out(wish: Wish, table: Table) -> None:
    assert input_of(wish(model=PRO), table).keys() == {"prompt", "control_image", "output_format"}


@pytest.mark.parametrize(
    ("model", "ours", "theirs"),
    [(PRO, "jpeg", "jpg"), (PRO, "png", "png"), (DEV, "jpeg", "jpg"), (DEV, "webp", "webp")],
)
def test_a_format_goes_by_their_name(wish: Wish, table: Table, model: str, ours: str, theirs: str) -> None:
    assert input_of(wish(model=model, output_format=ours), table)["output_format"] == theirs


@pytest.mark.parametrize("model", [PRO, DEV])
def test_every_format_and_both_ends_of_every_dial_are_within_their_schema(
    wish: Wish, table: Table, control: bytes, model: str
) -> None:
    row, schema = table[model], SCHEMAS[table[model].path.rpartition("/")[2]]
    for output_format in row.formats:
        assert not list(wrong(schema, input_of(wish(model=model, output_format=output_format), table, control)))
    for name in ("steps", "guidance", "safety_tolerance"):
        if dial := row.dial(name):
            for value in (dial.low, dial.high, dial.default):
                assert not list(wrong(schema, input_of(wish(model=model, **{name: value}), table, control)))


def test_the_control_image_arrives_as_it_is(wish: Wish, table: Table, control: bytes) -> None:
    head, _, text = input_of(wish(model=DEV), table, control)["control_image"].partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(text, validate=True) == control


def test_a_new_field_goes_along_and_replaces_none_of_ours(wish: Wish, table: Table) -> None:
    extra = (("output_quality", "95"), ("prompt", '"mine"'))
    sent = input_of(wish(model=DEV, extra=extra), table)
    assert (sent["output_quality"], sent["prompt"]) == (95, "a quiet room")


def test_whatever_the_id_is_it_stays_one_part_of_the_path(table: Table) -> None:
    odd = Task("ticket", "../account?x=1")
    assert PROTOCOL.question(table[PRO], odd).path == "/v1/predictions/..%2Faccount%3Fx%3D1"
    assert PROTOCOL.cancellation(table[PRO], odd).path == "/v1/predictions/..%2Faccount%3Fx%3D1/cancel"


# The answer to a submission.


@pytest.mark.parametrize("status", ["starting", "processing", "succeeded", "failed"])
def test_a_prediction_means_accepted_whatever_its_state(table: Table, status: str) -> None:
    answer = said(201, {"id": ID, "status": status, "urls": {"get": "https://evil.example/x"}})
    assert PROTOCOL.read_submission(answer, table[PRO]) == Accepted(ID)


@pytest.mark.parametrize("data", [{}, {"id": None}, {"id": 17}, {"id": "x" * 10_000}, [], b"<html>"])
def test_an_answer_without_an_id_leaves_it_unknown(table: Table, data: object) -> None:
    with pytest.raises(FluxDepthError) as caught:
        PROTOCOL.read_submission(said(201, data), table[PRO])
    assert caught.value.charged == "unknown"


REFUSED: list[tuple[int, dict[str, object], type[FluxDepthError], str]] = [
    (
        401,
        {"title": "Unauthenticated", "detail": "You did not pass a token", "status": 401},
        KeyRefusedError,
        "a token",
    ),
    (402, {"title": "Insufficient credit", "detail": "Go and buy some.", "status": 402}, FundsError, "Go and buy some"),
    (402, {"title": "Monthly spend limit reached", "status": 402}, FundsError, "Monthly spend limit"),
    (404, {"detail": "The requested resource could not be found.", "status": 404}, ModelError, "could not be found"),
    (
        422,
        {"title": "Invalid version or not permitted", "detail": "No such version", "status": 422},
        ModelError,
        "No such",
    ),
    (
        422,
        {
            "detail": '- input.output_format: output_format must be one of the following: "jpg", "png"\n',
            "status": 422,
            "title": "Input validation failed",
            "invalid_fields": [{"type": "enum", "field": "input.output_format", "description": "must be one of"}],
        },
        ParameterError,
        "output_format must be one of",
    ),
]


@pytest.mark.parametrize(("status", "data", "kind", "words"), REFUSED)
def test_a_refusal_says_what_they_said(
    table: Table, status: int, data: dict[str, object], kind: type[FluxDepthError], words: str
) -> None:
    with pytest.raises(kind) as caught:
        PROTOCOL.read_submission(said(status, data), table[PRO])
    assert words in str(caught.value)
    assert caught.value.charged == "no"


@pytest.mark.parametrize(
    ("data", "headers", "seconds"),
    [
        ({"detail": "Request was throttled.", "retry_after": 7}, {}, 7.0),
        ({"detail": "Request was throttled. Your rate limit resets in ~30s."}, {}, 30.0),
        ({"detail": "Your rate limit resets in ~5s.", "retry_after": 7}, {"retry_after": "9"}, 9.0),
        ({"detail": "resets in ~99999s", "retry_after": None}, {}, 150.0),
        ({"detail": "Request was throttled."}, {}, None),
        ({"detail": "x", "retry_after": 10**400}, {}, None),
        ({"detail": "x", "retry_after": "soon"}, {}, None),
    ],
)
def test_the_time_to_wait_is_in_the_body(
    table: Table, data: object, headers: dict[str, str], seconds: float | None
) -> None:
    for read in (PROTOCOL.read_submission, PROTOCOL.read_cancellation):
        with pytest.raises(TryLaterError) as caught:
            read(said(429, data, **headers), table[PRO])
        assert caught.value.seconds == seconds


# The answer to a poll.


@pytest.mark.parametrize("output", [LINK, [LINK], [LINK, "https://replicate.delivery/other.png"]])
def test_the_picture_is_a_link_or_the_first_of_a_list(table: Table, output: object) -> None:
    assert poll(table, {"status": "succeeded", "output": output, "logs": ""}) == Ready(LINK, None)


@pytest.mark.parametrize(
    ("logs", "seed"),
    [
        ("Using seed: 42\nRunning prediction...\n", 42),
        ("Using seed: 2784347701", 2784347701),
        ("Using seed: 12345678901234567890123", None),
        ("Using seed: many", None),
        (None, None),
        (["Using seed: 42"], None),
    ],
)
def test_the_seed_is_in_the_log(table: Table, logs: object, seed: int | None) -> None:
    assert poll(table, {"status": "succeeded", "output": LINK, "logs": logs}) == Ready(LINK, seed)


@pytest.mark.parametrize("output", [None, [], "", [None], {"url": LINK}, 17, [["x"]]])
def test_a_prediction_that_lost_its_output_is_missing(table: Table, output: object) -> None:
    assert poll(table, {"status": "succeeded", "output": output, "data_removed": True}) == Missing()


BAR = "\r 46%|████▋     | 13/28 [00:02<00:02,  6.4it/s]"


@pytest.mark.parametrize(
    ("logs", "steps", "progress"),
    [
        ("", None, None),
        (None, None, None),
        ("Using seed: 7\n", 28, None),
        ("  0%|          | 0/28 [00:00<?, ?it/s]" + BAR, None, 0.46),
        ("100%|██████████| 28/28 [00:04<00:00,  6.4it/s]", None, 1.0),
        ("0it [00:00, ?it/s]\r7it [00:01,  6.98it/s]", 28, 0.25),
        ("7it [00:01,  6.98it/s]", None, None),
        ("40it [00:01,  6.98it/s]", 28, 1.0),
        ("7it [00:01,  6.98it/s]", 0, None),
        ("7it [00:01,  6.98it/s]", 10**400, None),
        ("999%| x", None, 1.0),
    ],
)
def test_progress_is_the_last_bar_in_the_log(table: Table, logs: object, steps: object, progress: float | None) -> None:
    data = {"status": "processing", "logs": logs, "input": {"num_inference_steps": steps}}
    assert poll(table, data) == Pending(progress)


@pytest.mark.parametrize("status", ["starting", "processing", "queued", None, 5, ""])
def test_a_word_that_is_new_is_waited_out(table: Table, status: object) -> None:
    assert poll(table, {"id": ID, "status": status}) == Pending(is_queued=status == "starting")


@pytest.mark.parametrize(
    "error",
    [
        "The input or output was flagged as sensitive. Please try again with different inputs. (E005) (uIJ6l3ruRD)",
        "All generated images contained NSFW content. Try running it again with a different prompt.",
        "NSFW content detected. Try running it again, or try a different prompt.",
        "Your request was blocked by our moderation system",
        "Content Moderated",
    ],
)
def test_what_the_filter_stopped_is_told_apart_and_costs_nothing(table: Table, error: str) -> None:
    with pytest.raises(ModeratedError) as caught:
        poll(table, {"status": "failed", "error": error, "output": None})
    assert caught.value.charged == "no"
    assert error.rstrip(".") in str(caught.value)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("Error starting prediction (E9243)", "(E9243)"),
        ("Prediction failed.\nCUDA out of memory (E1001)", "Prediction failed. CUDA out of memory (E1001)"),
        (None, "failed to make the picture. It"),
        ({"odd": 1}, "failed to make the picture. It"),
        ("x" * 100_000, "xxx"),
    ],
)
def test_a_failure_says_why_and_that_nobody_knows_what_it_costs(table: Table, error: object, words: str) -> None:
    with pytest.raises(ProviderError) as caught:
        poll(table, {"status": "failed", "error": error})
    assert words in str(caught.value)
    assert caught.value.charged == "unknown"
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(("status", "charged"), [("canceled", "unknown"), ("aborted", "no")])
def test_what_was_stopped_there_costs_only_if_it_had_begun(table: Table, status: str, charged: str) -> None:
    with pytest.raises(FailedThereError) as caught:
        poll(table, {"status": status, "error": None})
    assert caught.value.charged == charged
    assert caught.value.action == "retry"


def test_a_prediction_that_nobody_knows_is_missing(table: Table) -> None:
    assert poll(table, {"detail": "The requested resource could not be found.", "status": 404}, 404) == Missing()


def test_a_key_that_is_refused_later_keeps_the_picture_within_reach(table: Table) -> None:
    with pytest.raises(KeyRefusedError, match="It is charged"):
        poll(table, {"title": "Unauthenticated", "detail": "no", "status": 401}, 401)


@pytest.mark.parametrize(
    ("status", "data"), [(403, b"<html>"), (429, {"detail": "x"}), (500, {}), (502, b""), (200, b"<")]
)
def test_an_answer_that_tells_nothing_is_asked_for_again(table: Table, status: int, data: object) -> None:
    with pytest.raises(TryLaterError):
        poll(table, data, status)


# Stopping, and a free question.


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("canceled", Cancelled()),
        ("processing", Cancelled()),
        ("failed", Cancelled()),
        ("aborted", Cancelled(is_free=True)),
        ("succeeded", Cancelled(is_late=True)),
    ],
)
def test_what_a_stop_came_to(table: Table, status: str, outcome: Cancelled) -> None:
    assert PROTOCOL.read_cancellation(said(200, {"id": ID, "status": status}), table[PRO]) == outcome


@pytest.mark.parametrize("answer", [said(500, {}), said(404, {"status": 404}), said(200, b"<html>"), said(302, {})])
def test_a_stop_that_was_not_heard_is_said_again(table: Table, answer: Answer) -> None:
    with pytest.raises(TryLaterError):
        PROTOCOL.read_cancellation(answer, table[PRO])


def test_the_free_questions_ask_for_the_account_and_the_model(table: Table) -> None:
    calls = PROTOCOL.probes(table[DEV])
    assert [call.path for call in calls] == ["/v1/account", "/v1/models/black-forest-labs/flux-depth-dev"]
    assert PROTOCOL.read_probes([said(200, {"username": "a"}), said(200, {"name": "b"})], table[DEV]) == (
        "Replicate answered, took the key, and has FLUX.1 Depth [dev]. Nothing was charged."
    )
    with pytest.raises(KeyRefusedError):
        PROTOCOL.read_probes([said(401, {"detail": "no"}), said(401, {"detail": "no"})], table[DEV])
    with pytest.raises(ModelError):
        PROTOCOL.read_probes([said(200, {}), said(404, {"detail": "no"})], table[DEV])
    with pytest.raises(ProviderError):
        PROTOCOL.read_probes([said(503, b""), said(503, b"")], table[DEV])


# Anything at all.

WORDS = ["succeeded", "failed", "canceled", "aborted", "starting", LINK, BAR, ID]
KEYS = [
    "id",
    "status",
    "output",
    "error",
    "logs",
    "input",
    "num_inference_steps",
    "detail",
    "title",
    "retry_after",
    "urls",
]


@effort(8, seconds=20)
@given(bodies(WORDS, KEYS), st.sampled_from([200, 201, 301, 400, 402, 404, 422, 429, 500, 503]))
def test_no_answer_breaks_the_reader(table: Table, data: object, status: int) -> None:
    answer, model = said(status, data), table[PRO]
    check_it_ends(
        lambda: PROTOCOL.read_submission(answer, model),
        lambda: PROTOCOL.read_result(answer, model, TASK),
        lambda: PROTOCOL.read_cancellation(answer, model),
        lambda: PROTOCOL.read_probes([answer, answer], model),
    )
