"""Workflows as data: read, places found and filled, marked, LoRAs chained; and files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flux_depth_addon.core import workflow
from flux_depth_addon.core.errors import InputError
from flux_depth_addon.core.workflow import PLACES, Workflow, candidates, chained, filled, marked, parse, read, spots

SHIPPED = ("flux1-depth-dev.json", "flux1-dev-depth-lora.json")
NOT_FINITE = b'{"1": {"class_type": "A", "inputs": {"x": NaN}}}'
SAMPLER = {"seed": 1, "steps": 20, "cfg": 7.0, "denoise": 1.0, "model": ["1", 0]}


def node(kind: str, title: str | None = None, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs} | ({"_meta": {"title": title}} if title is not None else {})


GRAPH: dict[str, Any] = {
    "1": node("CheckpointLoaderSimple", ckpt_name="sd.safetensors"),
    "2": node("LoadImage", image="a.png"),
    "3": node("LoadImage", image="b.png"),
    "4": node("CLIPTextEncode", text="good", clip=["1", 1]),
    "5": node("CLIPTextEncode", text="bad", clip=["1", 1]),
    "6": node("KSampler", **SAMPLER),
    "7": node("SaveImage", images=["6", 0], filename_prefix="x"),
}


def made(graph: Any, name: str = "mine.json") -> Workflow:
    return parse(json.dumps(graph).encode(), name)


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_marks_every_place_and_names_every_folder(name: str) -> None:
    shipped = read(name)
    assert workflow.unmarked(shipped) == ()
    for place in ("picture", "prompt", "seed", "size", "steps", "guidance", "lora", "result"):
        assert len(spots(shipped, place)) == 1
    assert bool(spots(shipped, "control_strength")) == (name == SHIPPED[1])
    files = workflow.model_files(shipped)
    assert len(files) == (5 if name == SHIPPED[1] else 4)
    assert all(file.folder for file in files)
    assert not any("style" in file.name for file in files), "the placeholder of the LoRAs is no file that is needed"


def test_one_node_may_be_several_places() -> None:
    for title in (
        "FLUX Depth: Seed, Steps",
        "FLUX Depth – Seed, Steps",
        "FLUX Depth Seed, Steps",
        "flux depth  steps + SEED",
        "FLUX Depth Seed and Steps",
        "FLUX Depth Seed/Steps",
    ):
        graph = {**GRAPH, "6": node("KSampler", title, **SAMPLER)}
        assert [bool(spots(made(graph), place)) for place in ("seed", "steps", "strength")] == [True, True, False]


@pytest.mark.parametrize("title", ["Seed", "FLUX Depth", "FLUX Depth Seeds", "My FLUX Depth Seed", ""])
def test_another_title_marks_nothing(title: str) -> None:
    graph = {**GRAPH, "6": node("KSampler", title, **SAMPLER)}
    assert not any(spots(made(graph), place) for place in PLACES)


def test_what_could_be_a_place_is_told_for_a_menu() -> None:
    found = {place: [spot.node for spot in candidates(made(GRAPH), place)] for place in PLACES}
    assert found["picture"] == ["2", "3"]
    assert found["prompt"] == ["4", "5"]
    assert found["seed"] == found["steps"] == found["guidance"] == found["strength"] == ["6"]
    assert found["size"] == found["lora"] == []
    assert found["result"] == ["7"]
    assert candidates(made(GRAPH), "seed")[0].label == "KSampler (6)"


def test_marking_writes_titles_into_a_copy_and_one_node_takes_over_from_another() -> None:
    first = marked(made(GRAPH), {"picture": "2", "prompt": "4", "seed": "6", "steps": "6"})
    assert workflow.unmarked(first) == ()
    assert first.nodes["6"]["_meta"]["title"] == "FLUX Depth Seed, Steps"
    assert workflow.unmarked(made(GRAPH)) == ("picture", "prompt", "seed")
    assert "_meta" not in GRAPH["6"]
    again = marked(first, {"picture": "3", "steps": ""})
    assert [spot.node for spot in spots(again, "picture")] == ["3"]
    assert again.nodes["2"]["_meta"]["title"] == "LoadImage"
    assert again.nodes["6"]["_meta"]["title"] == "FLUX Depth Seed"
    assert parse(workflow.written(again), "mine.json") == again


@pytest.mark.parametrize(("place", "name"), [("picture", "6"), ("seed", "2"), ("prompt", "99"), ("size", "6")])
def test_a_node_that_cannot_be_a_place_is_not_marked_as_one(place: str, name: str) -> None:
    with pytest.raises(InputError, match="cannot be the place"):
        marked(made(GRAPH), {place: name})


def test_values_are_filled_in_and_the_file_stays_as_it_is() -> None:
    mine = marked(made(GRAPH), {"picture": "2", "prompt": "4", "seed": "6", "guidance": "6"})
    graph = filled(
        mine, {"picture": "x.png", "prompt": "new", "seed": 5, "guidance": 3.5, "steps": None, "size": (8, 8)}
    )
    assert graph["2"]["inputs"]["image"] == "x.png"
    assert graph["4"]["inputs"]["text"] == "new"
    assert graph["5"]["inputs"]["text"] == "bad"
    assert (graph["6"]["inputs"]["seed"], graph["6"]["inputs"]["cfg"], graph["6"]["inputs"]["steps"]) == (5, 3.5, 20)
    assert mine.nodes["4"]["inputs"]["text"] == "good"


def test_both_prompts_of_one_node_are_filled_and_all_nodes_of_one_title() -> None:
    graph = {
        "1": node("CLIPTextEncodeFlux", "FLUX Depth Prompt", clip_l="a", t5xxl="b", guidance=3.5),
        "2": node("EmptyLatentImage", "FLUX Depth Size", width=1, height=1),
        "3": node("ImageScale", "FLUX Depth Size", width=1, height=1),
    }
    got = filled(made(graph), {"prompt": "p", "size": (640, 480)})
    assert got["1"]["inputs"] == {"clip_l": "p", "t5xxl": "p", "guidance": 3.5}
    assert [(got[name]["inputs"]["width"], got[name]["inputs"]["height"]) for name in "23"] == [(640, 480)] * 2


@pytest.mark.parametrize("place", ["picture", "steps", "start", "control_strength"])
def test_a_value_without_a_place_is_refused_with_the_title_to_give(place: str) -> None:
    with pytest.raises(InputError, match=f"no node titled “{PLACES[place].title}”.*Nothing was sent"):
        filled(made(GRAPH), {place: "x"})


def lora_graph(kind: str) -> dict[str, Any]:
    inputs = {"model": ["1", 0], "lora_name": "x", "strength_model": 1.0}
    inputs |= {"clip": ["1", 1], "strength_clip": 1.0} if kind == "LoraLoader" else {}
    return {
        "1": node("CheckpointLoaderSimple", ckpt_name="sd.safetensors"),
        "2": node(kind, "FLUX Depth LoRA", **inputs),
        "2-lora-2": node("VAEDecode", vae=["1", 2]),
        "4": node("CLIPTextEncode", text="", clip=["2", 1] if kind == "LoraLoader" else ["1", 1]),
        "6": node("KSampler", **{**SAMPLER, "model": ["2", 0]}),
    }


@pytest.mark.parametrize("kind", ["LoraLoader", "LoraLoaderModelOnly"])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_loras_are_chained_where_the_marked_one_stands(kind: str, count: int) -> None:
    loras = [(f"{number}.safetensors", number / 2) for number in range(count)]
    graph = chained(filled(made(lora_graph(kind)), {}), loras)
    found, link = [], graph["6"]["inputs"]["model"]
    while graph[link[0]]["class_type"] == kind:
        inputs = graph[link[0]]["inputs"]
        found.append((inputs["lora_name"], inputs["strength_model"]))
        link = inputs["model"]
    assert found == loras[::-1]
    assert link == ["1", 0]
    clip = graph["4"]["inputs"]["clip"]
    assert clip == (["1", 1] if kind != "LoraLoader" or not count else [graph["6"]["inputs"]["model"][0], 1])
    assert graph["2-lora-2"]["class_type"] == "VAEDecode", "nothing else is overwritten"
    assert made(graph)


@pytest.mark.parametrize("loras", [(), (("a", 0.5),), (("a", 0.5), ("b", 0.6))])
def test_of_marked_loras_in_a_row_the_first_stands_for_all_and_each_branch_has_its_own(loras: Any) -> None:
    def lora(source: str) -> dict[str, Any]:
        return node("LoraLoaderModelOnly", "FLUX Depth LoRA", model=[source, 0], lora_name="old", strength_model=1.0)

    row = {"1": lora("0"), "2": lora("1"), "3": lora("2"), "4": node("KSampler", model=["3", 0])}
    graph = {"0": node("UNETLoader"), **row, "8": lora("0"), "9": node("KSampler", model=["8", 0])}
    filled_in = chained(graph, loras)
    for sampler in ("4", "9"):
        found, at = [], filled_in[sampler]["inputs"]["model"][0]
        while at != "0":
            found.append((filled_in[at]["inputs"]["lora_name"], filled_in[at]["inputs"]["strength_model"]))
            at = filled_in[at]["inputs"]["model"][0]
        assert tuple(reversed(found)) == loras


def test_a_graph_without_a_place_for_loras_stays_as_it_is() -> None:
    assert chained(filled(made(GRAPH), {}), [("a", 1.0)]) == GRAPH


# Files.


def test_a_workflow_as_it_is_posted_is_read_too() -> None:
    assert made({"prompt": GRAPH, "client_id": "x"}).nodes == GRAPH


def test_a_workflow_of_the_window_says_how_to_export_it() -> None:
    with pytest.raises(InputError, match=r"Workflow › Export \(API\).*Nothing was sent"):
        made({"last_node_id": 3, "nodes": [{"id": 1, "type": "KSampler"}], "links": [], "version": 0.4})


@pytest.mark.parametrize(
    "graph",
    [
        *(None, [], {}, 5, "x", {"1": None}, {"1": {}}, {"1": {"class_type": "A"}}, {"1": {"inputs": {}}}),
        *({"1": {"class_type": 5, "inputs": {}}}, {"1": {"class_type": "A", "inputs": []}}, {"": node("A")}),
        *({"1": {"class_type": "A", "inputs": {}, "_meta": "x"}}, {"a\nb": node("A")}, {"1": node("A" * 300)}),
        *({"1": node("A", x=["2", 0])}, {"1": node("A", x=["1"])}, {"1": node("A", x=[1, 0])}, {"1": node("A", x=[])}),
        *({"1": node("A", x=["1", True])}, {str(number): node("A") for number in range(2001)}),
        {"1": node("A", **{f"x{number}": 1 for number in range(201)})},
    ],
)
def test_what_is_no_whole_graph_is_refused_in_one_line(graph: Any) -> None:
    with pytest.raises(InputError) as caught:
        made(graph)
    assert str(caught.value).isprintable()
    assert str(caught.value).endswith("Nothing was sent.")


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"{", b"[" * 100_000, b'{"1": NaN}', NOT_FINITE, b" " * 2_000_001])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="Nothing was sent"):
        parse(data, "mine.json")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mine\.json cannot be read"):
        read(tmp_path / "mine.json")
    (tmp_path / "mine.json").write_text(json.dumps(GRAPH))
    assert read(str(tmp_path / "mine.json")).nodes == GRAPH


def test_a_title_that_is_no_text_harms_nothing() -> None:
    graph = {**GRAPH, "6": {**GRAPH["6"], "_meta": {"title": ["x"]}}}
    assert not spots(made(graph), "seed")
    assert candidates(made(graph), "seed")[0].label == "KSampler (6)"


def test_a_switch_is_no_number() -> None:
    graph = {"1": node("PrimitiveBoolean", "FLUX Depth Steps", value=True)}
    assert candidates(made(graph), "steps") == ()
