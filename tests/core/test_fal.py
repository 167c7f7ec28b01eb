"""What fal is asked, and how its answers are read: pure functions. What becomes of a job there is in test_contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flux_depth_addon.core.errors import (
    FluxDepthError,
    FundsError,
    KeyRefusedError,
    ModelError,
    ModeratedError,
    ParameterError,
    TryLaterError,
    UnknownSubmissionError,
)
from flux_depth_addon.core.framing import Framing
from flux_depth_addon.core.models import Model, Table
from flux_depth_addon.core.providers import (
    Accepted,
    Answer,
    Cancelled,
    Elsewhere,
    Missing,
    Pending,
    Pictures,
    Ready,
    Task,
)
from flux_depth_addon.core.providers.fal import PROTOCOL, body
from flux_depth_addon.core.request import Lora, Request
from tests.core.answers import said

Wish = Callable[..., Request]
ID = "764cabcf-b745-4b3e-ae38-1200304cf45b"
PLACE = f"https://queue.fal.run/fal-ai/flux-control-lora-depth/requests/{ID}"
PATH = f"/fal-ai/flux-control-lora-depth/requests/{ID}"
SAMPLE = "https://v3b.fal.media/files/b/panda/picture.png"
TASK = Task("job", ID, f"{PLACE}/status")
AT_RESULT = Task("job", ID, PLACE)


@pytest.fixture
def depth(table: Table) -> Model:
    return table["fal:flux-control-lora-depth"]


@pytest.fixture
def over(table: Table) -> Model:
    """The model that paints over a picture."""
    return table["fal:flux-control-lora-depth/image-to-image"]


def complaint(kind: str, words: str = "words", field: str = "prompt") -> dict[str, Any]:
    return {
        "detail": [{"loc": ["body", field], "msg": words, "type": kind, "url": f"https://docs.fal.ai/errors#{kind}"}]
    }


# The submission.


def test_a_depth_map_is_sent_as_one(wish: Wish, depth: Model) -> None:
    request = wish(model=depth.id, seed=5, steps=28, guidance=3.5, control_strength=0.9)
    assert body(request, depth, Pictures(b"map")) == {
        "prompt": "a quiet room",
        "control_lora_image_url": "data:image/png;base64,bWFw",
        "preprocess_depth": False,
        "control_lora_strength": 0.9,
        "image_size": {"width": 320, "height": 256},
        "num_inference_steps": 28,
        "guidance_scale": 3.5,
        "seed": 5,
        "output_format": "png",
        "num_images": 1,
        "sync_mode": False,
    }


def test_depth_is_estimated_from_a_clay_render(wish: Wish, depth: Model) -> None:
    assert body(wish(model=depth.id, control="clay"), depth, Pictures(b"clay"))["preprocess_depth"] is True


def test_loras_go_along_with_their_weights(wish: Wish, depth: Model) -> None:
    sent = body(wish(model=depth.id, loras=(Lora("a/b", 0.5), Lora("https://c/d.safetensors"))), depth, Pictures(b""))
    assert sent["loras"] == [{"path": "a/b", "scale": 0.5}, {"path": "https://c/d.safetensors", "scale": 1.0}]
    assert "loras" not in body(wish(model=depth.id), depth, Pictures(b""))


def test_a_start_picture_is_painted_over(wish: Wish, over: Model) -> None:
    sent = body(wish(model=over.id, strength=0.6, start="0" * 64), over, Pictures(b"map", b"start"))
    assert (sent["image_url"], sent["strength"]) == ("data:image/png;base64,c3RhcnQ=", 0.6)
    assert "preprocess_depth" not in sent, "that endpoint documents no such field"


def test_whether_pictures_are_checked_is_left_to_them_unless_the_artist_says(wish: Wish, depth: Model) -> None:
    assert "enable_safety_checker" not in body(wish(model=depth.id), depth, Pictures(b""))
    extra = (("enable_safety_checker", "false"), ("acceleration", '"none"'))
    sent = body(wish(model=depth.id, extra=extra), depth, Pictures(b""))
    assert (sent["enable_safety_checker"], sent["acceleration"]) == (False, "none")


def test_an_extra_field_cannot_have_pictures_paid_for_that_nobody_fetches(wish: Wish, depth: Model) -> None:
    sent = body(wish(model=depth.id, extra=(("num_images", "4"), ("sync_mode", "true"))), depth, Pictures(b""))
    assert (sent["num_images"], sent["sync_mode"]) == (1, False)


def test_an_endpoint_of_the_app_is_asked_by_its_whole_name(wish: Wish, over: Model) -> None:
    call = PROTOCOL.submission(wish(model=over.id), over, Pictures(b"", b""), "ticket")
    assert (call.method, call.path) == ("POST", "/fal-ai/flux-control-lora-depth/image-to-image")


# The answer to it.


def test_a_request_id_means_accepted(depth: Model) -> None:
    told = {"request_id": ID, "response_url": PLACE, "status_url": f"{PLACE}/status", "cancel_url": f"{PLACE}/cancel"}
    assert PROTOCOL.read_submission(said(200, told), depth) == Accepted(ID, f"{PLACE}/status", None)


REFUSED = [
    (401, {"detail": "Unauthorized"}, KeyRefusedError),
    (403, {"detail": "Access denied"}, KeyRefusedError),
    (403, {"detail": "User is locked. Reason: Admin lock. Please contact support@fal.ai."}, KeyRefusedError),
    (403, {"detail": "User is locked. Reason: Exhausted balance. Top up your balance at x."}, FundsError),
    (403, {"detail": "User is locked. Reason: TOP_UP."}, FundsError),
    (402, {"detail": "Payment required"}, FundsError),
    (404, {"detail": "Application 'x' not found"}, ModelError),
    (422, complaint("less_than_equal", field="guidance_scale"), ParameterError),
    (422, complaint("content_policy_violation"), ModeratedError),
    (400, {"detail": "Malformed request", "error_type": "bad_request"}, ParameterError),
    (413, {"detail": "too large"}, ParameterError),
    (429, {"detail": "rate limited"}, TryLaterError),
]


@pytest.mark.parametrize(("status", "data", "kind"), REFUSED, ids=str)
def test_a_refusal_is_told_as_what_it_is_and_costs_nothing(
    status: int, data: object, kind: type[FluxDepthError], depth: Model
) -> None:
    with pytest.raises(kind) as caught:
        PROTOCOL.read_submission(said(status, data), depth)
    assert caught.value.charged == "no"


@pytest.mark.parametrize(
    "answer",
    [
        said(200, {"status": "IN_QUEUE"}),
        said(200, {"request_id": 5}),
        said(200, {"request_id": "x" * 501}),
        said(500, {"detail": "Internal error", "error_type": "internal_error"}),
        said(504, {"detail": "Request timed out", "error_type": "request_timeout"}),
        Answer(502, {}, b"<html>nginx"),
    ],
)
def test_an_answer_that_leaves_it_open_is_the_end(answer: Answer, depth: Model) -> None:
    with pytest.raises(UnknownSubmissionError):
        PROTOCOL.read_submission(answer, depth)


# Where a task is asked for.


@pytest.mark.parametrize(
    ("polling_url", "path"),
    [
        (f"{PLACE}/status", f"{PATH}/status"),
        ("", f"{PATH}/status"),
        (PLACE, PATH),
        (f"{PLACE}/response", PATH),
        ("https://evil.example/status", f"{PATH}/status"),
        ("https://evil.example/response", PATH),
    ],
)
def test_a_task_is_asked_for_where_it_was_named_or_by_owner_and_app(polling_url: str, path: str, over: Model) -> None:
    call = PROTOCOL.question(over, Task("job", ID, polling_url))
    assert (call.method, call.path, call.url) == ("GET", path, polling_url)


@pytest.mark.parametrize(
    ("polling_url", "url"),
    [
        (f"{PLACE}/status", f"{PLACE}/cancel"),
        (f"{PLACE}/response", f"{PLACE}/cancel"),
        (PLACE, f"{PLACE}/cancel"),
        ("", ""),
        ("https://evil.example/", ""),
    ],
)
def test_a_task_is_stopped_beside_where_it_was_named(polling_url: str, url: str, over: Model) -> None:
    call = PROTOCOL.cancellation(over, Task("job", ID, polling_url))
    assert (call.method, call.path, call.url) == ("PUT", f"{PATH}/cancel", url)


def test_an_id_cannot_lead_elsewhere(depth: Model) -> None:
    assert PROTOCOL.question(depth, Task("job", "../../x?y#z")).path.endswith("/requests/..%2F..%2Fx%3Fy%23z/status")


# The answer to a question.


def poll(model: Model, data: object, status: int = 200, task: Task = TASK, **headers: str) -> object:
    return PROTOCOL.read_result(said(status, data, **headers), model, task)


@pytest.mark.parametrize("status", [200, 202])
@pytest.mark.parametrize("word", ["IN_QUEUE", "IN_PROGRESS", "CANCELLATION_REQUESTED", "UNHEARD_OF", "", None, 5])
def test_every_state_but_one_is_waited_out(word: object, status: int, depth: Model) -> None:
    waits = Pending(is_queued=word == "IN_QUEUE")
    assert poll(depth, {"status": word, "request_id": ID, "queue_position": 3}, status) == waits


def test_a_result_that_is_asked_for_too_early_is_waited_for(depth: Model) -> None:
    assert poll(depth, {"detail": "Request is still in progress"}, 400, AT_RESULT) == Pending()


@pytest.mark.parametrize(("named", "there"), [(PLACE, PLACE), (f"{PLACE}/response", f"{PLACE}/response"), (None, PATH)])
def test_a_completed_task_leads_to_its_result(named: object, there: str, depth: Model) -> None:
    assert poll(depth, {"status": "COMPLETED", "response_url": named, "metrics": {}}) == Elsewhere(there)
    assert poll(depth, {"status": "COMPLETED", "response_url": named, "error": "Invalid status: 422"}) == Elsewhere(
        there
    )


RESULT = {"images": [{"url": SAMPLE, "width": 320}], "seed": 42, "has_nsfw_concepts": [False], "prompt": "p"}


@pytest.mark.parametrize("more", [{}, {"has_nsfw_concepts": None}, {"has_nsfw_concepts": "x"}, {"status": "OK"}])
def test_the_models_own_answer_names_the_picture_and_its_seed(more: dict[str, Any], depth: Model) -> None:
    assert poll(depth, RESULT | more, task=AT_RESULT) == Ready(SAMPLE, 42)


UNITS = {"1": 0.04, "2": 0.08, "1.049": 0.04196, "0": 0.0, "-1": None, "x": None, "nan": None, "inf": None, "": None}


@pytest.mark.parametrize(("units", "usd"), UNITS.items())
def test_what_it_costs_is_what_the_units_come_to(units: str, usd: float | None, depth: Model) -> None:
    assert poll(depth, RESULT, x_fal_billable_units=units) == Ready(SAMPLE, 42, usd)


@pytest.mark.parametrize("images", [[], [{}], [{"url": ""}], [{"url": 5}], ["x"], [None], None, {}, "x"])
def test_a_result_without_a_picture_is_asked_for_anew(images: object, depth: Model) -> None:
    assert poll(depth, RESULT | {"images": images}) == Missing()


def test_a_picture_that_was_blacked_out_is_moderated_and_charged(depth: Model) -> None:
    with pytest.raises(ModeratedError, match=r"content filter.*It is charged") as caught:
        poll(depth, RESULT | {"has_nsfw_concepts": [True]})
    assert caught.value.charged == "yes"


@pytest.mark.parametrize("status", [404, 410])
def test_a_task_that_is_not_known_is_missing(status: int, depth: Model) -> None:
    assert poll(depth, {"detail": "Request not found"}, status) == Missing()


FAILED = [
    (422, complaint("content_policy_violation", "flagged"), "content filter: “prompt: flagged”", "unknown"),
    (
        422,
        complaint("less_than_equal", "too much", "guidance_scale"),
        "it: “guidance_scale: too much”",
        "unknown",
    ),
    (422, complaint("no_media_generated"), "refused it", "unknown"),
    (422, complaint("a_type_of_next_year"), "refused it", "unknown"),
    (500, complaint("internal_server_error"), "broke down", "no"),
    (504, complaint("generation_timeout"), "broke down", "no"),
    (400, complaint("downstream_service_error"), "failed to make", "unknown"),
    (504, {"detail": "Request timed out", "error_type": "request_timeout"}, "broke down", "no"),
    (503, {"detail": "x", "error_type": "runner_scheduling_failure"}, "broke down", "no"),
    (502, {"detail": "x", "error_type": "runner_incomplete_response"}, "broke down", "no"),
    (499, {"detail": "x", "error_type": "client_cancelled"}, "failed to make", "unknown"),
    (400, {"detail": "x", "error_type": "bad_request"}, "failed to make", "unknown"),
    (200, {"status": "COMPLETED", "error": "gone", "error_type": "runner_disconnected"}, "broke down", "no"),
    (200, {"status": "COMPLETED", "error": "late", "error_type": "request_timeout"}, "broke down", "no"),
    (200, {"status": "COMPLETED", "error": "late", "error_type": "startup_timeout"}, "over the picture: “late”", "no"),
    (200, {"status": "COMPLETED", "error": "no", "error_type": "content_policy_violation"}, "filter: “no”", "unknown"),
    (200, {"status": "COMPLETED", "error_type": "client_cancelled"}, "(client_cancelled)", "unknown"),
]


@pytest.mark.parametrize(("status", "data", "words", "charged"), FAILED, ids=str)
def test_a_task_that_failed_says_why_and_what_it_costs(
    status: int, data: object, words: str, charged: str, depth: Model
) -> None:
    with pytest.raises(FluxDepthError) as caught:
        poll(depth, data, status, AT_RESULT)
    assert not isinstance(caught.value, TryLaterError)
    assert words in str(caught.value)
    assert caught.value.charged == charged


@pytest.mark.parametrize(
    "answer",
    [
        Answer(502, {}, b"<html>nginx</html>"),
        Answer(200, {}, b"<html>a hotel</html>"),
        Answer(403, {}, b"<html>a firewall</html>"),
        said(500, {"detail": "Internal Server Error"}),
        said(500, {"detail": "Unexpected", "error_type": "internal_error"}),
        said(503, {"detail": "No runner", "error_type": "runner_scheduling_failure"}),
        said(429, {"detail": "slow down"}, retry_after="5"),
        said(200, {}),
        said(200, []),
    ],
)
def test_what_says_nothing_of_the_task_is_asked_again(answer: Answer, depth: Model) -> None:
    with pytest.raises(TryLaterError):
        PROTOCOL.read_result(answer, depth, TASK)


def test_trouble_of_the_platform_with_a_result_loses_no_picture(depth: Model) -> None:
    with pytest.raises(TryLaterError):
        poll(depth, {"detail": "Unexpected", "error_type": "internal_error"}, 500, AT_RESULT)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_later_loses_nothing(status: int, depth: Model) -> None:
    with pytest.raises(KeyRefusedError, match="took the request, then refused the API key"):
        poll(depth, {"detail": "Unauthorized"}, status)


# Stopping, and testing the connection.


@pytest.mark.parametrize(
    ("status", "data", "outcome"),
    [
        (200, {"status": "OK"}, Cancelled(is_free=True)),
        (202, {"status": "CANCELLATION_REQUESTED"}, Cancelled()),
        (200, {"status": "CANCELLATION_REQUESTED"}, Cancelled()),
        (200, {}, Cancelled()),
        (400, {"status": "ALREADY_COMPLETED"}, Cancelled(is_late=True)),
        (404, {"status": "NOT_FOUND"}, Cancelled()),
    ],
)
def test_only_what_left_the_queue_is_certain_to_be_free(
    status: int, data: object, outcome: Cancelled, depth: Model
) -> None:
    assert PROTOCOL.read_cancellation(said(status, data), depth) == outcome


@pytest.mark.parametrize("status", [401, 404, 405, 429, 500, 502])
def test_a_stop_that_was_not_understood_is_said_again(status: int, depth: Model) -> None:
    with pytest.raises(TryLaterError):
        PROTOCOL.read_cancellation(Answer(status, {}, b"<html>"), depth)


def test_a_task_that_there_is_not_shows_that_the_key_is_taken(depth: Model) -> None:
    call = PROTOCOL.probes(depth)[0]
    assert (call.method, call.path) == ("GET", PATH.replace(ID, "00000000-0000-0000-0000-000000000000") + "/status")
    assert "Nothing was charged" in PROTOCOL.read_probes([said(404, {"detail": "Request not found"})], depth)
    with pytest.raises(KeyRefusedError):
        PROTOCOL.read_probes([said(401, {"detail": "Unauthorized"})], depth)
    with pytest.raises(FundsError):
        PROTOCOL.read_probes([said(403, {"detail": "User is locked. Reason: Exhausted balance."})], depth)


# The price.


@pytest.mark.parametrize(
    ("width", "height", "usd"), [(320, 256, 0.04), (1024, 1024, 0.04), (1440, 704, 0.04), (1056, 1024, 0.08)]
)
def test_a_megapixel_that_is_begun_counts_whole(width: int, height: int, usd: float, depth: Model) -> None:
    assert depth.price_of(Framing(width, height, 0, 0, width, height)) == usd
