"""Grids and contact sheets on the command line."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import bpy
import pytest
from PIL import Image

from tests import living_models
from tests.blender.scenes import add_camera
from tests.blender.test_cli import CHECKOUT, endpoint, run  # noqa: F401  (fixtures)
from tests.secrets_watch import marked_key


@pytest.fixture(scope="module")
def blend(tmp_path_factory):
    """A cube seen by three cameras, two of them at markers; the first moves."""
    path = tmp_path_factory.mktemp("scenes") / "cube.blend"
    bpy.ops.wm.read_factory_settings(use_empty=False)
    scene = bpy.context.scene
    for number, name in enumerate(("Left", "Right, far")):
        camera = add_camera(scene, name)
        camera.matrix_world = scene.camera.matrix_world
        camera.location.x += number + 1
        scene.timeline_markers.new(name, frame=10 * number + 2).camera = camera
    scene.camera.keyframe_insert("location", frame=1)
    scene.camera.location.x += 2
    scene.camera.keyframe_insert("location", frame=48)
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


@pytest.fixture
def grid(run, blend, tmp_path, endpoint):  # noqa: F811
    """Runs `grid` with small pictures, into a folder."""
    fixed = ("--provider", "sandbox", "--url", endpoint.base, "--megapixels", "0.1", "--prompt", "a garden")
    return lambda *more: run("grid", blend, *fixed, "-o", tmp_path / "out", *more)


def test_prompts_seeds_and_frames_become_so_many_pictures_and_a_sheet(grid, tmp_path, endpoint):  # noqa: F811
    more = ("--prompt", "a desert", "--seeds", 2, "--seed", 7, "--frames", "1-48:47")
    code, outcome, said = grid(*more, "--sheet", tmp_path / "sheet.jpg")
    assert code == 0, said
    assert (outcome["pictures"], outcome["captures"], outcome["price_usd"]) == (8, 2, 0)
    assert len(endpoint.posts) == len(list((tmp_path / "out").glob("*.png"))) == 8
    assert sorted(job["seed"] for job in outcome["jobs"]) == [7] * 4 + [8] * 4
    assert len({Path(job["control"]).read_bytes() for job in outcome["jobs"]}) == 2
    assert "8 pictures  ·  free  ·  2 renders of the depth" in said
    assert Image.open(tmp_path / "sheet.jpg").width > 1000


def test_what_was_painted_already_is_copied_for_nothing(grid, tmp_path, endpoint):  # noqa: F811
    grid("--seed", 7)
    code, outcome, said = grid("--seed", 7, "--seeds", 2, "-o", tmp_path / "again")
    assert (code, len(endpoint.posts)) == (0, 2)
    assert "1 you have already: not paid again" in said
    assert [job["charged"] for job in outcome["jobs"]] == ["no", "no"]
    assert len(list((tmp_path / "again").glob("*.png"))) == 2


def test_each_camera_has_its_own_note(grid, endpoint):  # noqa: F811
    code, _, _ = grid("--cameras", "Left,Camera", "--cameras", "Right, far", "--note", "Right, far=a lemon tree")
    assert code == 0
    assert sorted(post.body["prompt"] for post in endpoint.posts) == ["a garden", "a garden", "a garden, a lemon tree"]


def test_cameras_at_markers_are_taken_at_the_markers_frames(grid, tmp_path):
    code, outcome, _ = grid("--markers")
    names = sorted(Path(job["result"]).name[:-17] for job in outcome["jobs"])
    assert (code, names) == (0, ["Scene_Left_0002", "Scene_Right__far_0012"])


def test_a_dry_run_tells_the_price_and_does_nothing(grid, tmp_path, endpoint):  # noqa: F811
    code, outcome, _ = grid("--seeds", 40, "--dry-run")
    assert (code, outcome["pictures"], endpoint.posts) == (0, 40, [])
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "data").exists()


def test_a_price_is_told_without_a_key_and_offline(run, blend, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.delenv("FAL_KEY", raising=False)
    asked = ("--prompt", "a", "--model", "fal:flux-control-lora-depth", "-o", tmp_path / "out", "--dry-run")
    code, outcome, said = run("grid", blend, *asked)
    assert (code, outcome["price_usd"]) == (0, 0.04), said


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--frames", "1-100000"), 2, "This grid has 100,000 pictures, and 1,000 are the most"),
        (("--cameras", "Left,Gone"), 2, "has no camera “Gone”"),
        (("--cameras", "Cube"), 2, "“Cube” is not a camera"),
        (("--note", "Gone=a tree"), 2, "begins with no camera of this grid"),
        (("--frames", "5-1"), 2, "are no frames"),
        (("--markers", "--frames", "1-4"), 2, "leave --frames out"),
        (("--seed", 0), 2, "Seed must be from 1"),
        (("--model", "nowhere"), 2, "There is no model"),
        (("--prompt", "x" * 10001), 2, "longer than 10,000 characters"),
    ],
)
def test_what_cannot_be_asked_is_said_and_nothing_is_sent(grid, endpoint, arguments, code, sentence):  # noqa: F811
    found, outcome, said = grid(*arguments)
    assert (found, endpoint.posts) == (code, [])
    assert sentence in said
    assert outcome["charged"] == "no"


def test_a_grid_dearer_than_allowed_is_refused_before_anything_is_rendered(run, blend, tmp_path, endpoint, monkeypatch):  # noqa: F811
    monkeypatch.setenv("COMETAPI_KEY", marked_key("cometapi"))
    where = ("grid", blend, "--prompt", "a garden", "-o", tmp_path / "out", "--url", endpoint.base)
    code, outcome, said = run(*where, "--seeds", 40, "--max-usd", 3)
    assert (code, outcome["error"]["kind"], endpoint.posts) == (3, "budget", [])
    assert "A grid of 40 pictures costs $3.84, more than --max-usd 3 allows. Nothing was sent" in said
    code, _, said = run(*where, "--seeds", 40, "--max-usd", "nan")
    assert code == 3


def test_the_worst_end_is_the_exit_code(run, blend, tmp_path, part):  # noqa: F811
    sandbox = part("core.sandbox")
    broke = sandbox.Answer(402, body={"detail": "Insufficient credits"})
    with sandbox.Sandbox(behaviour=sandbox.Behaviour(delay=0.0, picture="echo", submit_answers=[broke])) as server:
        code, outcome, said = run(
            "grid", blend, "--provider", "sandbox", "--url", server.base, "--prompt", "a", "--seeds", 3, "-o",
            tmp_path / "out", "--megapixels", 0.1, "--sheet", tmp_path / "sheet.png",
        )  # fmt: skip
    assert code == 3
    assert sorted(job["step"] for job in outcome["jobs"]) == ["DONE", "DONE", "FAILED"]
    assert "no credit left" in said
    assert Image.open(tmp_path / "sheet.png")


def test_a_sheet_of_files_or_of_a_batch(run, grid, tmp_path):  # noqa: F811
    _, outcome, _ = grid("--seeds", 2)
    pictures = [job["result"] for job in outcome["jobs"]]
    code, told, _ = run("sheet", "-o", tmp_path / "files.png", *pictures, tmp_path / "gone.png")
    assert (code, told["result"]) == (0, str(tmp_path / "files.png"))
    code, _, said = run("sheet", "-o", tmp_path / "batch.jpg", "--batch", "nothing")
    assert (code, "There are none" in said) == (2, True)
    code, _, said = run("sheet", "-o", tmp_path / "none.jpg")
    assert (code, "one of the three" in said) == (2, True)
    jobs = json.loads((tmp_path / "outcome.json").read_text())
    assert jobs["charged"] == "no"


def test_ctrl_c_sends_nothing_more_and_loses_nothing(blend, tmp_path, part):
    sandbox = part("core.sandbox")
    with sandbox.Sandbox(behaviour=sandbox.Behaviour(delay=3.0, picture="echo")) as server:
        words = ("grid", blend, "--provider", "sandbox", "--url", server.base, "--prompt", "a", "--seeds", "30")
        words += ("--megapixels", "0.1", "-o", tmp_path / "out", "--data-dir", tmp_path / "data")
        process = subprocess.Popen(
            [sys.executable, "-m", "flux_depth_addon", *words], cwd=CHECKOUT, stderr=subprocess.PIPE, text=True
        )
        said = next(line for line in process.stderr if "24 on their way, 6 in line" in line)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=30)[1]
        with part("core.journal").Journal(tmp_path / "data") as journal:
            while journal.unfinished():
                pass
            steps = [job.step for job in journal.jobs()]
    assert process.returncode == 130
    assert "Not sent: 6 cancelled; nothing was charged for them" in said
    assert (steps.count("DONE"), steps.count("CANCELLED"), len(server.posts)) == (24, 6, 24)


NEAR, FAR = "near:map", "far:map"


@pytest.fixture
def two(run, blend, tmp_path, endpoint, monkeypatch):  # noqa: F811
    """Runs `grid` with two models of other ranges, both at the sandbox's address."""
    (tmp_path / "data").mkdir()
    ranges = 'guidance = { low = 1.0, high = 20.0, default = 3.5 }\nper = "megapixel"', "price_usd = 0.02\nloras = 1"
    text = living_models.rows(
        near__map=ranges[0], far__map=f"{ranges[1]}\nsteps = {{ low = 1, high = 28, default = 20 }}"
    )
    (tmp_path / "data" / "models.toml").write_text(text, encoding="utf-8")
    for name in ("near", "far"):
        monkeypatch.setenv(f"{name.upper()}_KEY", marked_key("bfl"))  # whose header it is
    fixed = ("--url", endpoint.base, "--megapixels", "0.1", "--prompt", "a garden", "--seed", 7)
    return lambda *more: run("grid", blend, *fixed, "-o", tmp_path / "out", "--model", NEAR, "--model", FAR, *more)


def test_each_model_s_price_stands_first_with_what_it_leaves_out(two, endpoint):  # noqa: F811
    code, outcome, said = two("--dry-run", "--lora", "a", "--guidance", 15)
    assert (code, endpoint.posts) == (0, []), said
    assert outcome["models"] == [
        {"model": NEAR, "price_usd": 0.04, "without": ["the LoRA"]},
        {"model": FAR, "price_usd": 0.02, "without": []},
    ]
    assert outcome["price_usd"] == pytest.approx(0.06)


def test_what_was_said_goes_to_each_model_as_far_as_it_takes_it(two, endpoint, tmp_path):  # noqa: F811
    _code, outcome, said = two("--steps", 25, "--guidance", 15, "--sheet", tmp_path / "sheet.jpg")
    assert "Near: Map     $0.04  without steps 25" in said
    asked = {job["remote_id"]: job for job in outcome["jobs"]}
    bodies = [post.body for post in endpoint.posts]
    assert len(asked) == 2, said
    assert sorted(body.get("steps", 0) for body in bodies) == [0, 25]
    assert [body["guidance"] for body in bodies] == [15, 15]
    assert {body["seed"] for body in bodies} == {7}


def test_one_model_alone_is_asked_for_just_what_was_said(run, blend, two, tmp_path, endpoint):  # noqa: F811
    where = ("grid", blend, "--prompt", "a", "-o", tmp_path / "out", "--url", endpoint.base, "--model", NEAR)
    code, _, said = run(*where, "--steps", 25)
    assert (code, endpoint.posts) == (2, [])
    assert "Map takes no steps" in said
