"""The protocol as documented: every field of a submission, and what is read out of an answer.

What becomes of a job after each answer is in faults.py.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_depth_addon.core.errors import (
    FluxDepthError,
    KeyRefusedError,
    ParameterError,
    TryLaterError,
)
from flux_depth_addon.core.models import Model, Table
from flux_depth_addon.core.providers import Accepted, Pending, Pictures, Ready, bfl
from flux_depth_addon.core.request import Request
from tests.core.answers import read_probe, read_result, read_submission, said
from tests.core.fuzzing import bodies, check_it_ends, effort

Wish = Callable[..., Request]
COMET = "cometapi:flux-pro-1-0-depth-finetuned"
BFL = "bfl:flux-pro-1.0-depth"
SAMPLE = "https://delivery.eu2.bfl.ai/results/a.png?sig=1"
HTML = b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"


def body(request: Request, model: Model, control: bytes) -> dict[str, Any]:
    return bfl.body(request, model, Pictures(control))


# The body of a submission.


def test_unset_fields_are_left_out(wish: Wish, table: Table) -> None:
    sent = body(wish(), table[BFL], b"png")
    assert sent == {"prompt": "a quiet room", "preprocessed_image": "cG5n", "output_format": "png"}


def test_every_field_that_is_set_is_sent_under_its_documented_name(wish: Wish, table: Table) -> None:
    dials = {
        "seed": 7,
        "steps": 40,
        "guidance": 12.5,
        "safety_tolerance": 3,
        "prompt_upsampling": True,
        "output_format": "jpeg",
        "finetune_id": "mine",
        "finetune_strength": 0.9,
    }
    sent = body(wish(**dials), table[COMET], b"png")
    assert sent == {"prompt": "a quiet room", "control_image": "cG5n", "width": 320, "height": 256, **dials}


@pytest.mark.parametrize("dials", [{"safety_tolerance": 0}, {"prompt_upsampling": False}, {"finetune_strength": 0.0}])
def test_nought_and_no_are_values_too(wish: Wish, table: Table, dials: dict[str, Any]) -> None:
    assert body(wish(**dials), table[COMET], b"png").items() >= dials.items()


@pytest.mark.parametrize(
    ("model", "field"),
    [
        (COMET, "control_image"),
        ("cometapi:flux-pro-1.0-depth", "preprocessed_image"),
        ("bfl:flux-pro-1.0-depth-finetuned", "control_image"),
        (BFL, "preprocessed_image"),
    ],
)
def test_the_map_goes_where_the_model_takes_it_and_nowhere_else(
    wish: Wish, table: Table, model: str, field: str
) -> None:
    sent = body(wish(), table[model], b"png")
    assert {"control_image", "preprocessed_image"} & sent.keys() == {field}


def test_the_map_is_plain_base64(wish: Wish, table: Table, control: bytes) -> None:
    text = str(body(wish(), table[COMET], control)["control_image"])
    assert not text.startswith("data:")
    assert base64.b64decode(text, validate=True) == control


@pytest.mark.parametrize(("model", "sent"), [(COMET, {"width": 320, "height": 256}), (BFL, {})])
def test_the_size_is_sent_only_where_the_model_takes_it(
    wish: Wish, table: Table, model: str, sent: dict[str, int]
) -> None:
    fields = body(wish(), table[model], b"png")
    assert {name: fields[name] for name in ("width", "height") if name in fields} == sent


def test_white_space_is_no_fine_tune(wish: Wish, table: Table) -> None:
    assert "finetune_id" not in body(wish(finetune_id="  "), table[COMET], b"png")
    assert body(wish(finetune_id=" mine "), table[COMET], b"png")["finetune_id"] == "mine"


def test_where_the_picture_came_from_is_not_sent(wish: Wish, table: Table) -> None:
    private = {"blend": "secret.blend", "scene": "Villa", "camera": "Hall", "view_layer": "Client", "frame": 4321.0}
    assert not [
        word for word in map(str, private.values()) if word in json.dumps(body(wish(**private), table[COMET], b""))
    ]


# The answer to a submission.


def test_a_task_id_means_accepted(table: Table) -> None:
    answer = said(200, {"id": "t1", "polling_url": "https://api.eu.bfl.ai/v1/get_result?id=t1"})
    assert read_submission(answer, table[BFL]) == Accepted("t1", "https://api.eu.bfl.ai/v1/get_result?id=t1", None)


@pytest.mark.parametrize(
    ("cost", "usd"),
    [(5, 0.05), (4.5, 0.045), (0, 0.0), (None, None), (-1, None), ("5", None), (True, None), (1e9, None)],
)
def test_the_cost_in_credits_becomes_dollars(table: Table, cost: object, usd: float | None) -> None:
    answer = said(200, {"id": "t1", "cost": cost, "input_mp": None, "output_mp": None})
    assert read_submission(answer, table[BFL]).cost_usd == usd


@pytest.mark.parametrize(
    "data",
    [
        {"id": 17},
        {"code": "success", "data": {"id": "17"}},
        {"task_id": "17"},
        {"id": "17", "status": "Pending", "webhook_url": "x"},
    ],
)
def test_a_task_id_is_found_in_every_envelope(table: Table, data: object) -> None:
    assert read_submission(said(200, data), table[COMET]).remote_id == "17"


def gateway(code: str, message: str = "words (request id: 2026112200)") -> dict[str, Any]:
    """CometAPI's error envelope."""
    return {"error": {"message": message, "type": "comet_api_error", "param": "", "code": code}}


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("5", 5.0),
        ("0", 0.0),
        ("-3", 0.0),
        ("1.5", 1.5),
        ("99999", 150.0),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
    ],
)
def test_the_time_to_wait_is_the_providers_within_reason(table: Table, words: str, seconds: float | None) -> None:
    with pytest.raises(TryLaterError) as caught:
        read_submission(said(429, {}, retry_after=words), table[COMET])
    assert caught.value.seconds == seconds


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"error": {"message": "a"}}, "“a”"),
        ({"error": "b"}, "“b”"),
        ({"message": "c"}, "“c”"),
        ({"detail": "d"}, "“d”"),
        ({"detail": [{"loc": [], "msg": "e"}, {"loc": ["body", "f"], "msg": "g"}]}, "“e f: g”"),
        ({"detail": ["h", "i"]}, "“h i”"),
        ({"error": {"message": "two\nlines\x00 and\u202e more. "}}, "“two lines and more”"),
        ({"error": None, "message": "j"}, "“j”"),
        ([1, 2], "HTTP"),
        ({"detail": {"deep": {"deeper": 1}}}, "HTTP"),
        (HTML, "HTTP"),
    ],
    ids=str,
)
def test_the_providers_own_words_are_found_in_every_envelope(table: Table, data: object, words: str) -> None:
    with pytest.raises(FluxDepthError) as caught:
        read_submission(said(400, data), table[COMET])
    assert words in str(caught.value) or words == "HTTP"
    assert str(caught.value).isprintable()


def test_long_words_are_cut(table: Table) -> None:
    with pytest.raises(ParameterError) as caught:
        read_submission(said(400, {"detail": "x" * 100_000}), table[COMET])
    assert len(str(caught.value)) < 500


# The answer to a poll.


def poll(table: Table, data: object, status: int = 200, **headers: str) -> object:
    return read_result(said(status, data, **headers), table[COMET])


@pytest.mark.parametrize(
    ("value", "progress"),
    [
        (None, None),
        (0, 0.0),
        (0.25, 0.25),
        (1, 1.0),
        (1.0, 1.0),
        (40, 0.4),
        (100, 1.0),
        (250, 1.0),
        (-1, 0.0),
        ("half", None),
        (True, None),
        (math.nan, None),
        (math.inf, None),
        (10**400, None),
    ],
)
def test_progress_is_a_fraction_a_percentage_or_nothing(table: Table, value: object, progress: float | None) -> None:
    assert poll(table, {"status": "Pending", "progress": value}) == Pending(progress)


READY = [
    {"id": "t", "status": "Ready", "result": {"sample": SAMPLE, "seed": 42, "prompt": "p", "duration": 7.2}},
    {"id": "t", "state": "Ready", "result": {"sample": SAMPLE, "seed": 42}},
    {"id": "t", "status": "READY", "sample": SAMPLE, "seed": 42},
    {"code": "success", "data": {"status": "SUCCESS", "fail_reason": "", "data": {"sample": SAMPLE, "seed": 42}}},
    {"code": "success", "data": {"status": "SUCCESS", "data": {"result": {"sample": SAMPLE, "seed": 42}}}},
    {"data": {"status": "SUCCESS", "data": {"output": [SAMPLE], "seed": 42}}},
]


@pytest.mark.parametrize("data", READY)
def test_ready_names_the_picture_and_its_seed_in_every_envelope(table: Table, data: object) -> None:
    assert poll(table, data) == Ready(SAMPLE, 42)


@pytest.mark.parametrize("seed", [None, "42", 4.2, True, -1, 2**63, 10**400])
def test_a_seed_that_is_none_is_left_out(table: Table, seed: object) -> None:
    assert poll(table, {"status": "Ready", "result": {"sample": SAMPLE, "seed": seed}}) == Ready(SAMPLE, None)


def test_a_poll_may_ask_for_patience(table: Table) -> None:
    with pytest.raises(TryLaterError) as caught:
        poll(table, {}, 429, retry_after="12")
    assert caught.value.seconds == 12


# A free question.


def test_the_probe_tells_what_is_left(table: Table) -> None:
    sentence = read_probe(said(200, {"credits": 123.5}), table[BFL])
    assert sentence == "Black Forest Labs answered and took the key. 123.5 credits are left. Nothing was charged."


@pytest.mark.parametrize("data", [{"data": [], "success": True}, HTML, {"credits": None}, {"credits": 10**400}])
def test_the_probe_needs_no_credits(table: Table, data: object) -> None:
    assert "answered and took the key" in read_probe(said(200, data), table[COMET])


def test_the_probe_tells_a_refused_key(table: Table) -> None:
    with pytest.raises(KeyRefusedError, match="Black Forest Labs refused the API key"):
        read_probe(said(403, {"detail": "Not authenticated"}), table[BFL])


# Anything at all.

WORDS = ["Ready", "Pending", "Error", "SUCCESS", "success", SAMPLE]
KEYS = [
    "id",
    "status",
    "state",
    "data",
    "result",
    "sample",
    "seed",
    "progress",
    "details",
    "error",
    "code",
    "detail",
    "message",
    "loc",
    "msg",
    "cost",
    "credits",
    "output",
    "polling_url",
    "fail_reason",
    "Moderation Reasons",
]


@effort(8, seconds=20)
@given(bodies(WORDS, KEYS), st.sampled_from([200, 301, 400, 403, 404, 422, 429, 500, 503]))
def test_no_answer_breaks_the_reader(table: Table, data: object, status: int) -> None:
    answer = said(status, data)
    check_it_ends(*(partial(read, answer, table[COMET]) for read in (read_submission, read_result, read_probe)))
