"""The sandbox speaks the documented protocol, misbehaves on demand, and never leaves this computer."""

from __future__ import annotations

import base64
import io
import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from flux_depth_addon.core.sandbox import Answer, Behaviour, Post, Sandbox
from flux_depth_addon.core.sandbox.__main__ import main
from flux_depth_addon.core.sandbox.server import Handler

COMET = "/flux/v1/flux-pro-1-0-depth-finetuned"
BFL = "/v1/flux-pro-1.0-depth"
BFL_FINETUNED = "/v1/flux-pro-1.0-depth-finetuned"


def png(width: int = 256, height: int = 256) -> bytes:
    target = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(target, "PNG")
    return target.getvalue()


CONTROL = png()


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def body(**more: object) -> dict[str, object]:
    return {"prompt": "a room", "control_image": text(CONTROL), **more}


def post(sandbox: Sandbox, path: str = COMET, data: object = None, **more: Any) -> requests.Response:
    return requests.post(sandbox.base + path, json=body() if data is None else data, timeout=5, **more)


def get(url: str) -> requests.Response:
    return requests.get(url, timeout=5, allow_redirects=False)


def finished(sandbox: Sandbox, **more: object) -> dict[str, Any]:
    told = post(sandbox, data=body(**more)).json()
    result: dict[str, Any] = get(told["polling_url"]).json()
    return result


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(behaviour=Behaviour(delay=0, picture="echo")) as running:
        yield running


@pytest.fixture(scope="module")
def strict() -> Iterator[Sandbox]:
    with Sandbox(behaviour=Behaviour(delay=0, picture="echo")) as running:
        yield running


# The way to a picture


@pytest.mark.parametrize("path", [COMET, BFL, "/flux/v1/sandbox"])
def test_a_submission_ends_in_the_picture(sandbox: Sandbox, path: str) -> None:
    result = get(post(sandbox, path, body(seed=7)).json()["polling_url"]).json()
    assert (result["status"], result["result"]["seed"], result["result"]["prompt"]) == ("Ready", 7, "a room")
    assert get(result["result"]["sample"]).content == CONTROL


def test_the_times_of_a_result_add_up(sandbox: Sandbox) -> None:
    result = finished(sandbox)["result"]
    assert result["end_time"] - result["start_time"] == pytest.approx(result["duration"], abs=1e-6)


def test_each_provider_gets_its_own_polling_address(sandbox: Sandbox) -> None:
    assert post(sandbox, COMET).json()["polling_url"].startswith(sandbox.base + "/flux/v1/get_result?id=")
    assert post(sandbox, BFL).json()["polling_url"].startswith(sandbox.base + "/v1/get_result?id=")


def test_only_bfl_tells_the_cost(sandbox: Sandbox) -> None:
    assert post(sandbox, COMET).json().keys() == {"id", "polling_url"}
    assert post(sandbox, BFL).json().keys() == {"id", "polling_url", "cost", "input_mp", "output_mp"}


def test_progress_rises_until_the_picture_is_ready() -> None:
    with Sandbox(behaviour=Behaviour(delay=0.3, picture="echo")) as sandbox:
        url = post(sandbox).json()["polling_url"]
        seen = [get(url).json()]
        while seen[-1]["status"] == "Pending":
            time.sleep(0.03)
            seen.append(get(url).json())
    progress = [one["progress"] for one in seen]
    assert len(progress) > 3
    assert progress == sorted(progress)
    assert (seen[-1]["status"], progress[-1]) == ("Ready", 1.0)


def test_there_is_no_picture_before_it_is_ready() -> None:
    with Sandbox(behaviour=Behaviour(delay=60)) as sandbox:
        task = post(sandbox).json()["id"]
        assert get(f"{sandbox.base}/results/{task}.jpeg").status_code == 404


@pytest.mark.parametrize("asked", [{}, {"seed": 0}, {"seed": None}])
def test_no_seed_becomes_a_random_one_that_is_told(sandbox: Sandbox, asked: dict[str, object]) -> None:
    seeds = {finished(sandbox, **asked)["result"]["seed"] for _ in range(3)}
    assert len(seeds) == 3
    assert 0 not in seeds


@pytest.mark.parametrize(("asked", "form"), [({}, "JPEG"), ({"output_format": "png"}, "PNG")])
def test_a_painted_picture_has_the_format_and_the_size_asked_for(asked: dict[str, object], form: str) -> None:
    with Sandbox(behaviour=Behaviour(delay=0)) as sandbox:
        sample = finished(sandbox, **asked)["result"]["sample"]
        answer = get(sample)
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert (picture.format, picture.size) == (form, (256, 256))
    assert answer.headers["Content-Type"] == f"image/{form.lower()}"
    assert sample.endswith(form.lower())


def test_a_picture_is_painted_once() -> None:
    with Sandbox(behaviour=Behaviour(delay=0)) as sandbox:
        sample = finished(sandbox, control_image=text(png(512, 512)))["result"]["sample"]
        first = get(sample).content
        started = time.process_time()
        assert get(sample).content == first
        assert time.process_time() - started < 0.1


def test_an_enormous_map_is_painted_at_its_own_size() -> None:
    with Sandbox(behaviour=Behaviour(delay=0)) as sandbox:
        sample = finished(sandbox, control_image=text(png(2400, 1200)))["result"]["sample"]
        with Image.open(io.BytesIO(get(sample).content)) as picture:
            assert picture.size == (2400, 1200)


def test_an_unknown_task_is_told_as_each_provider_does(sandbox: Sandbox) -> None:
    comet = get(sandbox.base + "/flux/v1/get_result?id=nobody")
    assert (comet.status_code, comet.json()["status"]) == (200, "Task not found")
    assert get(sandbox.base + "/v1/get_result?id=nobody").status_code == 404


def test_a_poll_without_an_id_is_refused(sandbox: Sandbox) -> None:
    answer = get(sandbox.base + "/v1/get_result")
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["query", "id"])


def test_questions_that_cost_nothing_are_answered(sandbox: Sandbox) -> None:
    assert get(sandbox.base + "/v1/credits").json()["credits"] > 0
    assert "sandbox" in {model["id"] for model in get(sandbox.base + "/v1/models").json()["data"]}
    assert get(sandbox.base + "/").json()["status"] == "ok"


def test_any_other_address_does_not_exist(sandbox: Sandbox) -> None:
    for path in ("/v2/x", "/results", "/results/../posts", "/v1/a/b", "/http://[x", "/flux"):
        assert get(sandbox.base + path).status_code == 404


def test_the_tasks_of_many_clients_do_not_mix(sandbox: Sandbox) -> None:
    seeds: dict[int, int] = {}

    def ask(seed: int) -> None:
        seeds[seed] = finished(sandbox, seed=seed)["result"]["seed"]

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(1, 13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seeds == {seed: seed for seed in range(1, 13)}


def test_more_active_tasks_than_the_limit_are_refused() -> None:
    with Sandbox(behaviour=Behaviour(delay=60, active_limit=2)) as sandbox:
        assert [post(sandbox).status_code for _ in range(3)] == [200, 200, 429]
        assert "wait until a previous task" in post(sandbox).json()["error"]["message"]
        assert "wait until a previous task" in post(sandbox, BFL).json()["detail"]


def test_finished_tasks_do_not_count_as_active() -> None:
    with Sandbox(behaviour=Behaviour(delay=0, active_limit=1)) as sandbox:
        assert [post(sandbox).status_code for _ in range(3)] == [200, 200, 200]


# What it refuses


def complaint(answer: requests.Response) -> tuple[int, str, str]:
    detail = answer.json()["detail"][0]
    return answer.status_code, detail["loc"][-1], detail["type"]


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("steps", 14, "greater_than_equal"),
        ("steps", 51, "less_than_equal"),
        ("steps", 20.5, "integer_type"),
        ("steps", True, "integer_type"),
        ("guidance", 0.9, "greater_than_equal"),
        ("guidance", 100.1, "less_than_equal"),
        ("guidance", "15", "number_type"),
        ("guidance", math.inf, "less_than_equal"),
        ("safety_tolerance", -1, "greater_than_equal"),
        ("safety_tolerance", 7, "less_than_equal"),
        ("finetune_strength", 2.1, "less_than_equal"),
        ("output_format", "webp", "enum"),
        ("prompt_upsampling", 1, "boolean_type"),
        ("prompt", 5, "string_type"),
        ("seed", "one", "integer_type"),
    ],
)
def test_a_field_out_of_its_range_is_named(strict: Sandbox, field: str, value: object, kind: str) -> None:
    answer = requests.post(strict.base + BFL, data=json.dumps(body(**{field: value})), timeout=5)
    assert complaint(answer) == (422, field, kind)


@pytest.mark.parametrize(
    ("field", "value"),
    [("steps", 15), ("steps", 50), ("guidance", 1), ("guidance", 100.0), ("seed", -1), ("steps", None)],
)
def test_the_ends_of_a_range_and_nothing_at_all_are_taken(strict: Sandbox, field: str, value: object) -> None:
    assert post(strict, BFL, body(**{field: value})).status_code == 200


def test_all_complaints_come_at_once(strict: Sandbox) -> None:
    names = [one["loc"][-1] for one in post(strict, BFL, {"steps": 1, "guidance": 0}).json()["detail"]]
    assert names == ["prompt", "control_image", "steps", "guidance"]


def test_a_list_is_not_a_submission(strict: Sandbox) -> None:
    assert complaint(post(strict, data=[1]))[:2] == (422, "body")


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("data:image/png;base64," + text(CONTROL), "data:"),
        (text(png(255, 300)), "at least 256"),
        (text(png(5001, 4000)), "20 megapixels"),
        (text(CONTROL[:-40]), "decoded"),
        (text(b"no image"), "decoded"),
        ("not base64!", "base64"),
        (7, "base64"),
    ],
    ids=["data address", "small", "large", "cut", "no image", "no base64", "no text"],
)
def test_an_unfit_control_image_is_refused_with_a_reason(strict: Sandbox, image: object, words: str) -> None:
    answer = post(strict, data=body() | {"control_image": image})
    assert complaint(answer) == (422, "control_image", "value_error")
    assert words in answer.json()["detail"][0]["msg"]


def test_a_finished_map_may_take_the_place_of_the_control_image(strict: Sandbox) -> None:
    data = {"prompt": "a room", "preprocessed_image": text(CONTROL)}
    assert post(strict, BFL, data).status_code == 200
    assert complaint(post(strict, COMET, data)) == (422, "control_image", "missing")


def test_bfl_wants_the_fine_tune_that_the_fine_tuned_model_is_named_after(strict: Sandbox) -> None:
    assert complaint(post(strict, BFL_FINETUNED)) == (422, "finetune_id", "missing")
    assert post(strict, BFL_FINETUNED, body(finetune_id="mine")).status_code == 200


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000, b"9" * 5000])
def test_a_broken_body_answers_400(strict: Sandbox, data: bytes) -> None:
    assert requests.post(strict.base + COMET, data=data, timeout=5).status_code == 400


def test_a_body_beyond_the_limit_answers_413(strict: Sandbox) -> None:
    assert requests.post(strict.base + COMET, data=bytes(32 * 1024 * 1024 + 1), timeout=5).status_code == 413


def test_a_body_of_unknown_length_answers_411(strict: Sandbox) -> None:
    assert requests.post(strict.base + COMET, data=iter([b"{", b"}"]), timeout=5).status_code == 411


def test_nothing_that_is_sent_reaches_the_console(capfd: pytest.CaptureFixture[str]) -> None:
    with Sandbox(behaviour=Behaviour(poll_answers=[Answer(0)], delay=0)) as sandbox:
        post(sandbox, headers={"x-key": "secret"})
        post(sandbox, data=[])
        get(sandbox.base + "/http://[x?key=secret")
        with pytest.raises(requests.ConnectionError):
            get(sandbox.base + "/v1/get_result?id=secret")
    assert capfd.readouterr() == ("", "")


# What tests look at


def test_submissions_are_kept_with_their_headers_for_the_tests(sandbox: Sandbox) -> None:
    post(sandbox, headers={"X-Key": "secret"})
    (seen,) = sandbox.posts
    assert (seen.path, seen.headers["x-key"], seen.body["prompt"]) == (COMET, "secret", "a room")
    assert sandbox.requests == [f"POST {COMET}"]
    assert [headers["x-key"] for headers in sandbox.headers] == ["secret"]


def test_a_key_is_not_shown_when_a_submission_is_printed(sandbox: Sandbox) -> None:
    post(sandbox, headers={"Authorization": "Bearer secret"})
    assert "secret" not in repr(sandbox.posts)
    assert isinstance(sandbox.posts[0], Post)


# Misbehaviour


def with_answers(**answers: list[Answer | None]) -> Sandbox:
    return Sandbox(behaviour=Behaviour(delay=0, picture="echo", **answers))  # type: ignore[arg-type]


def test_scripted_answers_go_out_one_by_one_before_normal_service() -> None:
    html = Answer(502, {"Content-Type": "text/html", "Retry-After": "3"}, "<h1>Bad gateway</h1>")
    with with_answers(submit_answers=[html, None, Answer(503, body={"error": "busy"})]) as sandbox:
        first, *others = [post(sandbox) for _ in range(4)]
    assert (first.status_code, first.text, first.headers["Retry-After"]) == (502, "<h1>Bad gateway</h1>", "3")
    assert [one.status_code for one in others] == [200, 503, 200]
    assert others[1].json() == {"error": "busy"}


def test_a_refused_submission_is_seen_but_makes_no_task() -> None:
    with with_answers(submit_answers=[Answer(500)]) as sandbox:
        assert post(sandbox).status_code == 500
        assert len(sandbox.posts) == 1
        assert not sandbox._tasks


def test_another_envelope_may_name_the_real_task() -> None:
    submitted = Answer(body='{"code": "success", "data": {"id": "{id}"}}')
    ready = Answer(body={"data": {"status": "SUCCESS", "data": {"sample": "{base}/results/{id}.png"}}})
    with with_answers(submit_answers=[submitted], poll_answers=[ready]) as sandbox:
        task = post(sandbox).json()["data"]["id"]
        told = get(f"{sandbox.base}/flux/v1/get_result?id={task}").json()
        assert get(told["data"]["data"]["sample"]).content == CONTROL


def test_a_redirect_may_lead_elsewhere() -> None:
    with with_answers(result_answers=[Answer(302, {"Location": "{base}/elsewhere"})]) as sandbox:
        answer = get(sandbox.base + "/results/any.png")
        assert (answer.status_code, answer.headers["Location"]) == (302, sandbox.base + "/elsewhere")


def test_an_answer_may_be_held() -> None:
    with with_answers(poll_answers=[Answer(hold=0.2)]) as sandbox:
        started = time.perf_counter()
        get(sandbox.base + "/v1/get_result?id=any")
        assert time.perf_counter() - started >= 0.2


def test_an_answer_may_be_cut_short() -> None:
    with with_answers(result_answers=[Answer(body=bytes(1000), cut=10)]) as sandbox:
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            get(sandbox.base + "/results/any.png")
        assert get(sandbox.base + "/").status_code == 200


def test_a_connection_may_be_reset_without_an_answer() -> None:
    with with_answers(submit_answers=[Answer(0)]) as sandbox:
        with pytest.raises(requests.ConnectionError, match="reset"):
            post(sandbox)
        assert len(sandbox.posts) == 1


# Life and death


def test_it_listens_on_loopback_only(sandbox: Sandbox) -> None:
    assert sandbox.base.startswith("http://127.0.0.1:")
    assert sandbox._server is not None
    assert sandbox._server.server_address[0] == "127.0.0.1"


def test_stopping_is_prompt_whatever_is_under_way() -> None:
    def ask_and_be_cut_off(url: str) -> None:
        with pytest.raises(requests.ConnectionError):
            get(url)

    with with_answers(poll_answers=[Answer(hold=60)]) as sandbox, closing(requests.Session()) as idle:
        idle.get(sandbox.base + "/", timeout=5)
        held = threading.Thread(target=ask_and_be_cut_off, args=(sandbox.base + "/v1/get_result?id=any",))
        held.start()
        time.sleep(0.1)
        before = time.perf_counter()
        sandbox.stop()
        assert time.perf_counter() - before < 10
        held.join(timeout=1)
        assert not held.is_alive()


def test_no_thread_outlives_it() -> None:
    before = set(threading.enumerate())
    with Sandbox() as sandbox, closing(requests.Session()) as session:
        session.get(sandbox.base, timeout=5)
    assert set(threading.enumerate()) <= before


def test_a_stopped_sandbox_refuses_and_a_restarted_one_remembers(sandbox: Sandbox) -> None:
    url = post(sandbox).json()["polling_url"]
    sandbox.stop()
    with pytest.raises(requests.ConnectionError, match="refused"):
        get(url)
    sandbox.start()
    assert get(url).json()["status"] == "Ready"


def test_a_connection_that_says_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < Handler.timeout <= 60
    monkeypatch.setattr(Handler, "timeout", 0.1)
    with Sandbox() as sandbox, closing(requests.Session()) as session:
        session.get(sandbox.base, timeout=5)
        time.sleep(0.3)
        assert sandbox._server is not None
        assert not sandbox._server._connections


def command(*arguments: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "flux_depth_addon.core.sandbox", *arguments]
    root = Path(__file__).parents[2]
    pipe = subprocess.PIPE
    return subprocess.Popen(line, cwd=root, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_the_command_names_its_address_and_dies_with_its_starter(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"submit": [{"status": 418, "body": {"error": "a teapot"}}]}))
    options = ("--delay", "0", "--picture", "echo", "--script", str(script), "--until-stdin-closes")
    with command(*options) as process:
        assert process.stdout is not None
        base = process.stdout.readline().strip()
        assert requests.post(base + COMET, json=body(), timeout=5).json() == {"error": "a teapot"}
        assert requests.post(base + COMET, json=body(), timeout=5).status_code == 200
        assert process.communicate(timeout=5) == ("", "")
    assert process.returncode == 0


@pytest.mark.parametrize("script", ["[]", "{", '{"colour": []}', '{"poll": [{"colour": 1}]}', '{"poll": 5}'])
def test_a_script_that_makes_no_sense_is_a_usage_error(
    script: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "script.json").write_text(script)
    with pytest.raises(SystemExit, match="2"):
        main(["--script", str(tmp_path / "script.json")])
    assert "cannot start" in capsys.readouterr().err


def test_a_taken_port_is_a_usage_error(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--port", sandbox.base.rpartition(":")[2]])
    assert "cannot start" in capsys.readouterr().err
