"""An artist's workflow file becomes a model of its own, or one sentence says why it does not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flux_depth_addon.core.errors import InputError
from flux_depth_addon.core.models import Model, load
from flux_depth_addon.core.own_workflows import MAX_LORAS, OwnWorkflow, choose, keep, listed, rows
from flux_depth_addon.core.workflow import SHIPPED

PARENT = replace(load()["sandbox"], workflow="any.json")
"""Which model they are like is not asked here."""


def node(kind: str, title: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": title}}


GRAPH = {
    "1": node("LoadImage", "FLUX Depth Picture", image="a.png"),
    "2": node("CLIPTextEncode", "FLUX Depth Prompt", text="a room"),
    "3": node("KSampler", "FLUX Depth Seed, Steps", seed=1, steps=28, cfg=1.0, denoise=0.8),
    "4": node("SaveImage", "Save", images=["1", 0]),
}


@pytest.fixture
def written(tmp_path: Path) -> Any:
    """Writes a graph, or bytes, into a file of that name."""

    def write(content: object, name: str = "Living Room.json") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "workflows"


def only(folder: Path) -> OwnWorkflow:
    (own,) = listed(folder)
    return own


def test_a_marked_workflow_is_a_model(written: Any, folder: Path) -> None:
    kept = keep(written(GRAPH), folder)
    ((model_id, row),) = rows(listed(folder), PARENT)
    assert (kept.name, model_id) == ("Living-Room.json", "sandbox:Living-Room")
    assert row["steps"] == {"low": 1, "high": 150, "default": 28}
    assert (row["guidance"], row["sends_size"], row["loras"], row["start"]) == (False, False, 0, "none")


def test_a_place_for_a_start_picture_wants_one(written: Any, folder: Path) -> None:
    keep(written(GRAPH | {"9": node("LoadImage", "FLUX Depth Start", image="x.png")}), folder)
    ((_, row),) = rows(listed(folder), PARENT)
    assert row["start"] == "required"


def test_its_row_is_one_that_the_table_takes(written: Any, folder: Path) -> None:
    keep(SHIPPED / "flux1-dev-depth-lora.json", folder)
    table = load(more={"models": dict(rows(listed(folder), PARENT))})
    model: Model = table["sandbox:flux1-dev-depth-lora"]
    assert Path(model.workflow) == folder / "flux1-dev-depth-lora.json"
    assert (model.price, model.loras, model.sends_size) == ("free", MAX_LORAS, True)
    assert model.guidance is not None
    assert model.control_strength is not None
    assert model.safety_tolerance is None or model.safety_tolerance == PARENT.safety_tolerance


@pytest.mark.parametrize("value", [10**400, -5, True, 1e308])
def test_a_number_out_of_all_bounds_is_not_set(written: Any, folder: Path, value: object) -> None:
    keep(
        written(GRAPH | {"3": node("KSampler", "FLUX Depth Seed, Steps, Strength", seed=1, steps=3, denoise=value)}),
        folder,
    )
    load(more={"models": dict(rows(listed(folder), PARENT))})


def test_without_its_places_it_says_what_is_missing_and_can_be_given_them(written: Any, folder: Path) -> None:
    bare = {name: one | {"_meta": {"title": one["class_type"]}} for name, one in GRAPH.items()}
    kept = keep(written(bare), folder)
    assert only(folder).problem == "Its places for picture, prompt and seed are not marked: choose them"
    assert not list(rows(listed(folder), PARENT))
    choose(kept, {"picture": "1", "prompt": "2"})
    assert only(folder).problem == "Its place for the seed is not marked: choose it"
    choose(kept, {"picture": "1", "prompt": "2", "seed": "3", "steps": "3"})
    assert only(folder).problem == ""
    ((_, row),) = rows(listed(folder), PARENT)
    assert row["steps"]["default"] == 28


def test_the_same_file_twice_is_one_model_and_another_of_its_name_is_a_second(written: Any, folder: Path) -> None:
    first, again = keep(written(GRAPH), folder), keep(written(GRAPH), folder)
    other = keep(written(GRAPH | {"5": node("PreviewImage", "More", images=["1", 0])}), folder)
    assert first == again
    assert other.name == "Living-Room-2.json"
    assert [own.file for own in listed(folder)] == [other, first]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "is not a workflow"),
        (b"\xff\xfe", "is not a workflow"),
        (b"[" * 100_000, "is not a workflow"),
        (b"[]", "no nodes"),
        ({"nodes": [], "links": [], "version": 0.4}, "Export (API)"),
        (b'{"1": ' + b" " * 3_000_000 + b"{}}", "is larger than"),
        ({"1": {"class_type": "X", "inputs": {"a": ["9", 0]}}}, "leads nowhere"),
    ],
    ids=["cut off", "no text", "deep", "a list", "saved for the window", "large", "a link to nothing"],
)
def test_a_bad_file_is_one_sentence_and_nothing_is_written(
    written: Any, folder: Path, content: object, words: str
) -> None:
    with pytest.raises(InputError) as refused:
        keep(written(content), folder)
    assert words in str(refused.value)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Küche (2) Ω.json", "K-che-2.json"),
        ("..json", "workflow.json"),
        ("-rf.json", "rf.json"),
        ("a\nb.json", "a-b.json"),
        ("x" * 120 + ".json", "x" * 40 + ".json"),
        ("居間.json", "workflow.json"),
    ],
)
def test_a_name_that_no_model_can_have_is_made_one(written: Any, folder: Path, name: str, kept: str) -> None:
    assert keep(written(GRAPH, name), folder) == folder / kept


def test_what_is_no_file_is_said(tmp_path: Path, folder: Path) -> None:
    for path in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(InputError, match="There is no file"):
            keep(path, folder)


def test_a_folder_that_cannot_be_written_is_said_and_nothing_stays(written: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be written"):
        keep(written(GRAPH), tmp_path / "file")


def test_a_damaged_file_of_the_folder_does_not_keep_the_others_away(written: Any, folder: Path) -> None:
    keep(written(GRAPH), folder)
    (folder / "broken.json").write_bytes(b"{")
    (folder / "odd name.json").write_text(json.dumps(GRAPH))
    (folder / "folder.json").mkdir()
    assert len(dict(rows(listed(folder), PARENT))) == 1
    assert {own.file.stem: bool(own.problem) for own in listed(folder)} == {
        "Living-Room": False,
        "broken": True,
        "odd name": True,
    }


def test_a_node_that_cannot_be_the_place_is_refused_and_the_file_stays(written: Any, folder: Path) -> None:
    kept = keep(written(GRAPH), folder)
    before = kept.read_bytes()
    for place in ({"picture": "2"}, {"seed": "99"}):
        with pytest.raises(InputError, match="cannot be the"):
            choose(kept, place)
    assert kept.read_bytes() == before
