"""ComfyUI: on the emulator in its two ages, and on a real server where FLUX_DEPTH_COMFYUI names its address.

FLUX_DEPTH_COMFYUI=http://127.0.0.1:8188 python -m pytest tests/core/test_comfyui.py -k real
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flux_depth_addon.core.client import Client
from flux_depth_addon.core.disclosure import disclosure
from flux_depth_addon.core.errors import FluxDepthError, InputError, TryLaterError
from flux_depth_addon.core.job import Job, Step
from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.listener import Listener
from flux_depth_addon.core.models import Table, load
from flux_depth_addon.core.providers import (
    Answer,
    Call,
    Cancelled,
    Elsewhere,
    Event,
    Missing,
    Pending,
    Pictures,
    Ready,
    Task,
)
from flux_depth_addon.core.providers.comfyui import PROTOCOL
from flux_depth_addon.core.request import Lora, Request
from flux_depth_addon.core.worker import step

from .emulators import Emulator, all_emulators

REAL = os.environ.get("FLUX_DEPTH_COMFYUI", "").rstrip("/")
JPEG = b"\xff\xd8\xff and so on"

PLAIN = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "depth.png"}, "_meta": {"title": "FLUX Depth Picture"}},
    "2": {
        "class_type": "ImageScale",
        "inputs": {"image": ["1", 0], "upscale_method": "lanczos", "width": 64, "height": 64, "crop": "disabled"},
        "_meta": {"title": "FLUX Depth Size"},
    },
    "3": {"class_type": "ImageInvert", "inputs": {"image": ["2", 0]}},
    "4": {"class_type": "PrimitiveString", "inputs": {"value": ""}, "_meta": {"title": "FLUX Depth Prompt"}},
    "5": {"class_type": "PrimitiveInt", "inputs": {"value": 0}, "_meta": {"title": "FLUX Depth Seed"}},
    "6": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "FLUX-Depth"}},
}
"""Core nodes that need no model: the picture comes back as its negative."""


def over(workflow: Path, **row: object) -> Table:
    """The table with a model of one's own."""
    bare = {"steps": False, "guidance": False, "loras": 0, "label": "Plain", "path": "plain"}
    return load(
        more={
            "models": {"comfyui:plain": {"like": "comfyui:flux1-depth-dev", **bare, **row, "workflow": str(workflow)}}
        }
    )


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    file = tmp_path / "plain.json"
    file.write_text(json.dumps(PLAIN))
    return file


@pytest.fixture(params=[True, False], ids=["of today", "of 0.3"])
def server(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    with all_emulators()["comfyui"](jobs_api=request.param) as emulator:  # type: ignore[call-arg]
        yield emulator


@pytest.fixture
def errand(tmp_path: Path, control: bytes) -> Iterator[Callable[..., Job]]:
    """Enters a job and takes it to its end, or to a step."""
    journals: list[Journal] = []

    def runs(request: Request, table: Table, base: str, *, until: Step | None = None, seconds: float = 20.0) -> Job:
        journal = Journal(tmp_path / f"journal-{len(journals)}")
        journals.append(journal)
        job = journal.add(request, control, price_usd=0.0, base=base, output=tmp_path / "out.png", timeout=600.0)
        client, end = Client(table, {}), time.monotonic() + seconds
        while not (job := journal.get(job.id)).is_final and job.step is not until and time.monotonic() < end:
            if claimed := journal.claim(job_id=job.id):
                step(claimed, client, journal)
            else:
                time.sleep(0.02)
        return job

    yield runs
    for journal in journals:
        journal.close()


def sent(emulator: Emulator) -> Mapping[str, Any]:
    """The last graph that was posted."""
    return emulator.calls("submit")[-1].json["prompt"]  # type: ignore[no-any-return]


# A job.


def test_a_picture_comes_back_from_either_age_of_the_server(
    server: Emulator, errand: Callable[..., Job], wish: Callable[..., Request]
) -> None:
    job = errand(wish(model="comfyui:flux1-depth-dev", seed=41, steps=12, guidance=8.5), load(), server.base)
    assert (job.step, job.charged, job.cost_usd, job.seed) == (Step.DONE, "no", 0.0, 41), job.error_message
    inputs = {name: node["inputs"] for name, node in sent(server).items()}
    assert (inputs["2"]["width"], inputs["2"]["height"]) == (320, 256)
    assert inputs["8"]["text"] == "a quiet room"
    assert (inputs["12"]["seed"], inputs["12"]["steps"], inputs["10"]["guidance"]) == (41, 12, 8.5)
    asked = {seen.path.split("/")[1] for seen in server.calls("poll")}
    assert asked == ({"api"} if server.jobs_api else {"api", "queue", "history"})  # type: ignore[attr-defined]


def test_the_picture_is_uploaded_under_its_own_name_and_only_there(
    server: Emulator, errand: Callable[..., Job], wish: Callable[..., Request], control: bytes
) -> None:
    name = f"flux_depth/{hashlib.sha256(control).hexdigest()[:40]}.png"
    server.inputs[name] = b"half of it"  # type: ignore[attr-defined]
    for _ in range(2):
        assert errand(wish(model="comfyui:flux1-depth-dev"), load(), server.base).step is Step.DONE
    assert list(server.inputs.values()) == [control]  # type: ignore[attr-defined]
    assert list(server.inputs) == [name] == [sent(server)["1"]["inputs"]["image"]]  # type: ignore[attr-defined]


def test_without_a_seed_each_job_has_one_of_its_own_and_says_which(
    server: Emulator, errand: Callable[..., Job], wish: Callable[..., Request]
) -> None:
    jobs = [errand(wish(model="comfyui:flux1-depth-dev"), load(), server.base) for _ in range(2)]
    seeds = [call.json["prompt"]["12"]["inputs"]["seed"] for call in server.calls("submit")]
    assert [job.seed for job in jobs] == seeds
    assert len(set(seeds)) == 2
    assert all(0 < seed < 2**31 for seed in seeds)


def test_loras_stand_one_behind_the_other_and_none_stands_where_none_is_asked_for(
    server: Emulator, errand: Callable[..., Job], wish: Callable[..., Request]
) -> None:
    server.files["loras"] += ["a.safetensors", "b.safetensors"]  # type: ignore[attr-defined]
    loras = (Lora("a.safetensors", 0.5), Lora("b.safetensors"))
    errand(wish(model="comfyui:flux1-dev-depth-lora", loras=loras, control_strength=0.8), load(), server.base)
    graph = sent(server)
    last = graph[graph["12"]["inputs"]["model"][0]]["inputs"]
    first = graph[last["model"][0]]["inputs"]
    depth = graph[first["model"][0]]["inputs"]
    assert (last["lora_name"], first["lora_name"], first["strength_model"]) == ("b.safetensors", "a.safetensors", 0.5)
    assert (depth["lora_name"], depth["strength_model"]) == ("flux1-depth-dev-lora.safetensors", 0.8)
    errand(wish(model="comfyui:flux1-depth-dev"), load(), server.base)
    assert sent(server)["12"]["inputs"]["model"] == ["3", 0]
    assert "LoraLoaderModelOnly" not in {node["class_type"] for node in sent(server).values()}


def test_an_extra_field_sets_an_input_of_a_node(
    server: Emulator, errand: Callable[..., Job], wish: Callable[..., Request]
) -> None:
    extra = (("KSampler.scheduler", '"beta"'), ("13.nothing", "1"), ("Load VAE.vae_name", '"pixel_space"'))
    errand(wish(model="comfyui:flux1-depth-dev", extra=extra), load(), server.base)
    assert sent(server)["12"]["inputs"]["scheduler"] == "beta"
    assert sent(server)["7"]["inputs"]["vae_name"] == "pixel_space"


@pytest.mark.parametrize("name", ["cfg", "Nobody.cfg", "KSampler."])
def test_an_extra_field_that_no_node_has_is_told_before_anything_is_sent(
    server: Emulator, errand: Callable[..., Job], wish: Callable[..., Request], name: str
) -> None:
    job = errand(wish(model="comfyui:flux1-depth-dev", extra=((name, "1"),)), load(), server.base)
    assert "NODE.INPUT" in job.error_message
    assert not server.seen


@pytest.mark.parametrize("place", ["Prompt", "Picture"])
def test_a_workflow_without_a_place_is_told_before_anything_is_sent(
    server: Emulator, errand: Callable[..., Job], wish: Callable[..., Request], tmp_path: Path, place: str
) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(PLAIN).replace(f"FLUX Depth {place}", "Mine"))
    job = errand(wish(model="comfyui:plain"), over(file), server.base)
    assert f"mine.json has no node titled “FLUX Depth {place}”" in job.error_message
    assert not server.seen


def test_a_start_picture_goes_where_it_belongs_and_is_asked_for_where_it_is_missing(
    server: Emulator, wish: Callable[..., Request], control: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "mine.json"
    graph = PLAIN | {"9": {"class_type": "LoadImage", "inputs": {"image": ""}, "_meta": {"title": "FLUX Depth Start"}}}
    file.write_text(json.dumps(graph))
    model, request = over(file, start="optional")["comfyui:plain"], wish(model="comfyui:plain", start="ab" * 32)
    with pytest.raises(InputError, match=r"mine\.json paints over a start picture"):
        PROTOCOL.uploads(wish(model="comfyui:plain"), model, Pictures(control))
    pictures = Pictures(control, b"another")
    assert len(PROTOCOL.uploads(request, model, pictures)) == 2
    payload = PROTOCOL.submission(request, model, pictures, "t").payload or {}
    inputs = [payload["prompt"][name]["inputs"]["image"] for name in "19"]  # type: ignore[index]
    assert inputs == [f"flux_depth/{hashlib.sha256(data).hexdigest()[:40]}.png" for data in (control, b"another")]


@pytest.mark.parametrize("polls", [0, 1, 4])
def test_a_job_that_is_waiting_or_at_work_is_stopped(
    server: Emulator, errand: Callable[..., Job], wish: Callable[..., Request], polls: int
) -> None:
    server.pending = 1000
    job = errand(wish(model="comfyui:flux1-depth-dev"), load(), server.base, until=Step.POLL)
    client, task = Client(load(), {}), job.task
    model = client.table[job.request.model]
    for _ in range(polls):
        result = PROTOCOL.read_result(ask(server.base, PROTOCOL.question(model, task)), model, task)
        task = replace(task, polling_url=getattr(result, "polling_url", task.polling_url))
    told = client.cancel(job.request, server.base, task)
    assert server.tasks[job.remote_id].is_stopped
    assert told == (Cancelled(is_free=True) if server.jobs_api else None)  # type: ignore[attr-defined]
    assert len(server.calls("cancel")) == (1 if server.jobs_api or polls else 3)  # type: ignore[attr-defined]


def ask(base: str, call: Any) -> Answer:
    from flux_depth_addon.core.wire import exchange

    return exchange(call.method, base + call.path, limit=10**6, seconds=5.0, payload=call.payload)


def test_what_was_stopped_in_its_own_window_says_so(
    server: Emulator, errand: Callable[..., Job], wish: Callable[..., Request]
) -> None:
    job = errand(wish(model="comfyui:flux1-depth-dev"), load(), server.base, until=Step.POLL)
    server.tasks[job.remote_id].is_stopped = True
    with pytest.raises(FluxDepthError, match="stopped at ComfyUI itself"):
        polled(server, job)


def polled(server: Emulator, job: Job) -> object:
    """The last word on that job."""
    model, task = load()[job.request.model], job.task
    for _ in range(5):
        result = PROTOCOL.read_result(ask(server.base, PROTOCOL.question(model, task)), model, task)
        task = replace(task, polling_url=getattr(result, "polling_url", task.polling_url))
    return result


def test_a_node_that_runs_out_of_memory_is_named(
    server: Emulator, errand: Callable[..., Job], wish: Callable[..., Request]
) -> None:
    server.ending = "failed"
    job = errand(wish(model="comfyui:flux1-depth-dev"), load(), server.base)
    assert "ComfyUI stopped at its node KSampler: “Allocation on device" in job.error_message
    assert job.error_message.endswith("Nothing was charged: choose a smaller size, or model files of fewer bits.")


def test_a_server_that_was_started_anew_no_longer_knows_the_job(server: Emulator) -> None:
    model, task = load()["comfyui:flux1-depth-dev"], Task("nobody")
    for _ in range(3):
        result = PROTOCOL.read_result(ask(server.base, PROTOCOL.question(model, task)), model, task)
        task = replace(task, polling_url=getattr(result, "polling_url", task.polling_url))
    assert result == Missing()


@pytest.mark.parametrize("name", ["comfyui:flux1-depth-dev", "comfyui:flux1-dev-depth-lora"])
def test_what_is_sent_is_shown_by_the_titles_of_the_nodes(name: str, wish: Callable[..., Request]) -> None:
    loras = (Lora("a.safetensors", 0.5), Lora("b.safetensors"))
    told = disclosure(wish(model=name, seed=5, loras=loras), load()[name])
    assert told.host == "127.0.0.1:8188"
    assert told.picture_field == "FLUX Depth Picture" not in told.fields
    assert told.fields["FLUX Depth Prompt"] == "a quiet room"
    assert told.fields["FLUX Depth Seed, Steps: seed"] == "5"
    assert told.fields["FLUX Depth Size: width"] == "320"
    assert [value for field, value in told.fields.items() if field.startswith("FLUX Depth LoRA: lora_name")] == [
        "a.safetensors",
        "b.safetensors",
    ]
    assert told.fields["nodes"].startswith("LoadImage, ImageScale")
    assert {"client_id", "prompt_id", "extra_data.preview_method"} < told.fields.keys()


# What a server lacks.


def test_the_connection_test_names_each_missing_file_and_its_folder(server: Emulator) -> None:
    client = Client(load(), {})
    model = client.table["comfyui:flux1-depth-dev"]
    version = "0.33.0" if server.jobs_api else "0.3.64"  # type: ignore[attr-defined]
    assert client.probe(model, server.base).startswith(f"ComfyUI {version} answered and has all")
    server.files["diffusion_models"].clear()  # type: ignore[attr-defined]
    with pytest.raises(FluxDepthError) as caught:
        client.probe(model, server.base)
    assert str(caught.value) == (
        "ComfyUI lacks flux1-depth-dev.safetensors (models/diffusion_models). "
        "Nothing was charged: put it into its folder."
    )
    server.files["text_encoders"].clear()  # type: ignore[attr-defined]
    server.lacks.add("FluxGuidance")  # type: ignore[attr-defined]
    with pytest.raises(FluxDepthError) as caught:
        client.probe(model, server.base)
    for words in ("clip_l.safetensors (models/text_encoders)", "the node FluxGuidance", "each file into its folder"):
        assert words in str(caught.value)


def test_a_refused_graph_says_the_same(
    server: Emulator, errand: Callable[..., Job], wish: Callable[..., Request]
) -> None:
    server.files["vae"].clear()  # type: ignore[attr-defined]
    job = errand(wish(model="comfyui:flux1-depth-dev"), load(), server.base)
    assert job.error_message.startswith("ComfyUI lacks ae.safetensors (models/vae).")
    server.lacks.add("KSampler")  # type: ignore[attr-defined]
    job = errand(wish(model="comfyui:flux1-depth-dev"), load(), server.base)
    assert job.error_message.startswith("ComfyUI lacks the node KSampler.")
    assert job.charged == "no"


def test_choices_are_read_in_the_form_of_newer_nodes_too() -> None:
    model = load()["comfyui:flux1-depth-dev"]
    kinds = [call.path.rpartition("/")[2] for call in PROTOCOL.probes(model)[1:]]
    answers = [Answer(200, {}, json.dumps({"system": {"os": "nt"}}).encode())]
    for kind in kinds:
        combo = {"unet_name": ["COMBO", {"options": ["other.safetensors"]}]} if kind == "UNETLoader" else {}
        answers.append(Answer(200, {}, json.dumps({kind: {"input": {"required": combo}}}).encode()))
    with pytest.raises(FluxDepthError, match=r"lacks flux1-depth-dev\.safetensors"):
        PROTOCOL.read_probes(answers, model)


def test_another_program_at_that_address_is_told_as_that() -> None:
    model = load()["comfyui:flux1-depth-dev"]
    with pytest.raises(FluxDepthError, match="does not take requests at this address"):
        PROTOCOL.read_probes([Answer(200, {}, b"<html>")] * 20, model)
    with pytest.raises(FluxDepthError, match="does not take requests at this address"):
        PROTOCOL.read_upload(Answer(200, {}, b"<html>"), model)


@pytest.mark.parametrize("place", ["/queue", "/queue?running", ""])
def test_it_tells_what_waits_for_its_turn_from_what_is_at_work(place: str) -> None:
    model, task = load()["comfyui:flux1-depth-dev"], Task("t", "x", place)
    waits: dict[str, object] = {"status": "pending"}
    works: dict[str, object] = {"status": "in_progress"}
    if place:
        waits = {"queue_running": [], "queue_pending": [[1, "x", {}]]}
        works = {"queue_running": [[1, "x", {}]], "queue_pending": []}
    told = [PROTOCOL.read_result(Answer(200, {}, json.dumps(data).encode()), model, task) for data in (waits, works)]
    expected = {
        "": [Pending(is_queued=True), Pending()],
        "/queue": [Pending(is_queued=True), Elsewhere("/queue?running")],
        "/queue?running": [Elsewhere("/queue"), Pending()],
    }
    assert told == expected[place]


# Nonsense.


@pytest.mark.parametrize("polling_url", ["", "/queue", "/queue?running", "/history/x"])
@pytest.mark.parametrize(
    "data",
    [
        *(
            {},
            [],
            None,
            5,
            {"status": "completed"},
            {"status": 7},
            {"queue_running": "x"},
            {"queue_running": [1, [], [1]]},
        ),
        {"status": "completed", "outputs": {"9": {"images": ["x", {"filename": 5}, {"filename": "\n"}]}}},
        {"status": "failed", "execution_error": "x", "execution_status": {"messages": [1, [], ["a"], [[], {}]]}},
        *({"x": 5}, {"x": {"prompt": 5, "outputs": [], "status": []}}, {"x": {"prompt": [1, 2, {"1": 5, "2": {}}]}}),
        {
            "x": {
                "prompt": [1, "x", {"1": {"class_type": "A", "inputs": {}, "_meta": 5}}],
                "status": {"status_str": "error"},
            }
        },
    ],
)
def test_nonsense_is_an_error_of_ours_or_waited_out(data: object, polling_url: str) -> None:
    model, task = load()["comfyui:flux1-depth-dev"], Task("t", "x", polling_url)
    with suppress(FluxDepthError):
        PROTOCOL.read_result(Answer(200, {}, json.dumps(data).encode()), model, task)


def test_a_picture_that_is_kept_goes_before_one_that_is_shown_and_a_marked_one_before_all() -> None:
    def judged(prompt: object, outputs: object) -> str:
        told = {"status": "completed", "outputs": outputs, "workflow": {"prompt": prompt}}
        task = Task("t", "x")
        result = PROTOCOL.read_result(
            Answer(200, {}, json.dumps(told).encode()), load()["comfyui:flux1-depth-dev"], task
        )
        assert isinstance(result, Ready)
        return result.sample

    def saved(name: str, kind: str) -> dict[str, object]:
        return {"images": [{"filename": name, "subfolder": "a b", "type": kind}]}

    saver = {"class_type": "SaveImage", "inputs": {}}
    outputs = {"1": saved("shown.png", "temp"), "2": saved("first.png", "output"), "3": saved("marked.png", "output")}
    assert judged({"1": saver, "2": saver, "3": saver}, outputs) == "/view?filename=first.png&subfolder=a+b&type=output"
    marked = {**saver, "_meta": {"title": "flux depth result"}}
    assert "marked.png" in judged({"1": saver, "2": saver, "3": marked}, outputs)
    assert "shown.png" in judged({"1": marked, "2": saver, "3": saver}, outputs)
    assert "shown.png" in judged({}, {"1": saved("shown.png", "temp")})


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_stop_that_was_not_heard_is_said_again(status: int) -> None:
    with pytest.raises(TryLaterError):
        PROTOCOL.read_cancellation(Answer(status, {}, b""), load()["comfyui:flux1-depth-dev"])


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, b'{"cancelled": true}', Cancelled(is_free=True)),
        (200, b'{"cancelled": false}', Cancelled(is_free=True, is_late=True)),
        *((status, b"", None) for status in (200, 404, 405)),
    ],
)
def test_whether_a_stop_was_in_time_is_told_by_newer_servers(status: int, body: bytes, told: object) -> None:
    assert PROTOCOL.read_cancellation(Answer(status, {}, body), load()["comfyui:flux1-depth-dev"]) == told


# News.


def preview(kind: int, facts: dict[str, object] | None = None) -> bytes:
    """server.py: send_image, send_image_with_metadata."""
    if facts is None:
        return struct.pack(">II", kind, 1) + JPEG
    written = json.dumps(facts).encode()
    return struct.pack(">II", kind, len(written)) + written + JPEG


def progress(prompt_id: str, value: float, most: float) -> str:
    """main.py: hijack_progress."""
    return json.dumps({"type": "progress", "data": {"value": value, "max": most, "prompt_id": prompt_id, "node": "12"}})


@pytest.mark.parametrize(
    ("message", "event"),
    [
        (progress("x", 5, 20), Event(0.25)),
        (progress("another", 5, 20), None),
        (progress("x", 1, 1), None),
        (progress("x", 5, 0), None),
        (progress("x", float("nan"), 20), None),
        (preview(1), Event(preview=JPEG)),
        (preview(4, {"prompt_id": "x", "image_type": "image/jpeg"}), Event(preview=JPEG)),
        (preview(4, {"prompt_id": "another"}), None),
        (preview(3), None),
        *((text, None) for text in ("", "[]", "{", "[" * 100_000, '{"type": "progress", "data": 5}')),
        *((data, None) for data in (b"", b"\0\0\0\1", b"\0\0\0\4\xff\xff\xff\xff{}")),
    ],
)
def test_an_event_is_read_for_this_job_only(message: str | bytes, event: Event | None) -> None:
    assert PROTOCOL.read_event(message, Task("t", "x")) == event


def test_the_state_of_all_nodes_tells_how_far_the_one_at_work_is() -> None:
    nodes = {
        "8": {"value": 1, "max": 1, "state": "finished"},
        "9": {"value": 30, "max": 30, "state": "finished"},
        "12": {"value": 3, "max": 20, "state": "running"},
    }
    told = json.dumps({"type": "progress_state", "data": {"prompt_id": "x", "nodes": nodes}})
    assert PROTOCOL.read_event(told, Task("t", "x")) == Event(0.15)


def test_steps_and_pictures_are_heard_and_those_of_others_are_not(server: Emulator) -> None:
    task = Task("t", "x")
    server.news = [preview(1), progress("other", 1, 2), progress("x", 4, 8), preview(1)]  # type: ignore[attr-defined]
    listener, heard = Listener(), None
    model = load()["comfyui:flux1-depth-dev"]
    end = time.monotonic() + 5
    while heard is None and time.monotonic() < end:
        time.sleep(0.1)
        heard = listener.news(server.base, PROTOCOL.channel(model, task), task, PROTOCOL)
    listener.close()
    assert heard == Event(0.5, JPEG)
    server.news = [preview(1)]  # type: ignore[attr-defined]


# A real server.

if REAL:

    def test_a_real_server_makes_a_picture(
        errand: Callable[..., Job], wish: Callable[..., Request], plain: Path, control: bytes
    ) -> None:
        table = over(plain)
        assert "has all that this workflow needs" in Client(table, {}).probe(table["comfyui:plain"], REAL)
        job = errand(wish(model="comfyui:plain", seed=int(time.time())), table, REAL)
        assert (job.step, job.charged, job.cost_usd) == (Step.DONE, "no", 0.0), job.error_message
        with Image.open(job.result) as made, Image.open(io.BytesIO(control)) as shown:
            assert made.size == (300, 244)
            there = made.convert("RGB").getpixel((150, 122))
            before = shown.convert("RGB").getpixel((160, 128))
        assert there == pytest.approx([255 - part for part in before], abs=1)  # type: ignore[union-attr]

    @pytest.mark.parametrize("name", ["comfyui:flux1-depth-dev", "comfyui:flux1-dev-depth-lora"])
    def test_a_real_server_knows_every_node_and_input_that_ships(
        name: str, errand: Callable[..., Job], wish: Callable[..., Request]
    ) -> None:
        """Whether or not it has the files: what it says is about them, or it takes the graph."""
        job = errand(wish(model=name, seed=1), load(), REAL, until=Step.POLL)
        if job.step is Step.POLL:
            Client(load(), {}).cancel(job.request, REAL, job.task)
        else:
            assert job.error_message.startswith("ComfyUI lacks "), job.error_message
            assert "node" not in job.error_message

    def test_a_real_server_cannot_stop_what_is_done(
        errand: Callable[..., Job], wish: Callable[..., Request], plain: Path
    ) -> None:
        job = errand(wish(model="comfyui:plain", seed=int(time.time()) + 1), over(plain), REAL)
        told = Client(over(plain), {}).cancel(job.request, REAL, job.task)
        assert told in (Cancelled(is_free=True, is_late=True), None)

    def test_the_emulator_takes_what_a_real_server_takes(plain: Path) -> None:
        """Input for input, of every class that it plays."""
        from .emulators.comfyui import nodes

        files = {name: [] for name in ("diffusion_models", "text_encoders", "vae", "loras")}
        for kind, spec in nodes(files).items():
            told = json.loads(ask(REAL, Call("GET", f"/object_info/{kind}")).body)[kind]["input"]["required"]
            assert told.keys() == spec.keys(), kind
            for name, (sort, *_) in spec.items():
                assert type(told[name][0]) is type(sort), (kind, name)
