"""A picture that says how it was made gives its settings back, and a stranger's gives no more than settings."""

import json
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from PIL import Image

from tests.blender.hostile import look

DIALS = {
    "prompt": "a greenhouse at dawn", "use_seed": True, "seed": 42, "steps": 31, "guidance": 8.5,
    "safety_tolerance": 5, "prompt_upsampling": True, "output_format": "jpeg", "use_near": True, "near": 2.0,
    "use_far": True, "far": 11.5, "curve": "linear", "engine": "CYCLES", "megapixels": 0.5,
}  # fmt: skip


@pytest.fixture
def scene(fresh_file, data):
    """Blender's own, whose model is the sandbox."""
    fresh_file.flux_depth.model_id = "sandbox"
    fresh_file.flux_depth.prompt = "a garden"
    return fresh_file


@pytest.fixture
def request_of(part):
    """What the scene asks now."""
    return lambda: part("properties").request_of(bpy.context)


@pytest.fixture
def picture_of(part, tmp_path):
    """A picture that says it was made by that request."""

    def made(request, name="wall.png"):
        Image.new("RGB", (64, 48)).save(tmp_path / name)
        record, provenance = part("core.record"), part("core.provenance")
        said = record.said(record.made_now(request, seed=None, cost_usd=0.06, asked=0.0))
        (tmp_path / name).write_bytes(provenance.embedded((tmp_path / name).read_bytes(), said))
        return str(tmp_path / name)

    return made


def dialled(scene, dials):
    for name, value in dials.items():
        setattr(scene.flux_depth, name, value)


def settings(scene):
    return {name: getattr(scene.flux_depth, name) for name in (*DIALS, "model_id", "camera", "prompt_text")}


def test_every_dial_comes_back(scene, part, request_of, picture_of):
    scene.unit_settings.scale_length = 0.5
    dialled(scene, DIALS)
    shape = scene.flux_depth_shape
    shape.detail, shape.blur, shape.gamma = 0.5, 0.01, 1.25
    wanted, before = request_of(), settings(scene)
    path = picture_of(wanted)
    dialled(scene, {name: scene.flux_depth.bl_rna.properties[name].default for name in DIALS})
    scene.flux_depth.model_id = "bfl:flux-pro-1.0-depth"
    shape.detail, shape.blur, shape.gamma = 1, 0, 1
    assert bpy.ops.flux_depth.restore(filepath=path) == {"FINISHED"}
    assert request_of() == wanted
    assert settings(scene) | {"megapixels": 0.5} == before


def test_the_kind_of_control_picture_comes_back(scene, part, request_of):
    assert part("restore").apply(scene, replace(request_of(), control="clay")) == []
    assert scene.flux_depth.control == "clay"


def test_what_is_so_already_is_left_alone(scene, part, request_of):
    dialled(scene, DIALS)
    assert part("restore").changes(scene, request_of()) == ([], [])


def test_what_would_change_is_said_in_words(scene, part, request_of):
    wanted = replace(
        request_of(), seed=7, guidance=8.0, prompt="a barn", depth=part("core.depth_map").DepthSettings(far=9)
    )
    told = {change.label: (change.before, change.after) for change in part("restore").changes(scene, wanted)[0]}
    assert told == {
        "Prompt": ("a garden", "a barn"),
        "Seed": ("random", "7"),
        "Guidance": ("15", "8"),
        "Far": ("from the depths in view", "9 m"),
    }


def test_a_dial_that_is_let_go_of_is_shown_as_it_was(scene, part, request_of):
    wanted = request_of()
    dialled(scene, {"use_far": True, "far": 9.0, "use_seed": True, "seed": 3})
    told = {change.label: (change.before, change.after) for change in part("restore").changes(scene, wanted)[0]}
    assert told == {"Seed": ("3", "random"), "Far": ("9 m", "from the depths in view")}


def test_a_prompt_of_several_lines_becomes_a_text(scene, part, request_of):
    wanted = replace(request_of(), prompt="a barn\nat dusk")
    assert part("restore").apply(scene, wanted) == []
    assert request_of() == wanted
    part("restore").apply(scene, replace(wanted, prompt="a mill"))
    assert scene.flux_depth.prompt_text.as_string().strip() == "a mill"


def test_what_is_gone_is_said_and_the_rest_restored(scene, part, request_of):
    wanted = replace(request_of(), prompt="a barn", camera="Gone", model="gone:model")
    kept = part("restore").apply(scene, wanted)
    assert kept == [
        "The model “gone:model” is not in the table of models: choose one.",
        "There is no camera “Gone” in this scene: the camera stays.",
    ]
    assert (scene.flux_depth.prompt, scene.flux_depth.model_id) == ("a barn", "sandbox")


def test_another_camera_is_chosen_and_the_scene_s_own_stays(scene, part, request_of):
    second = bpy.data.objects.new("Second", bpy.data.cameras.new("Second"))
    scene.collection.objects.link(second)
    part("restore").apply(scene, replace(request_of(), camera="Second"))
    assert (scene.flux_depth.camera, scene.camera.name) == (second, "Camera")


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({"seed": 2**40}, "Seed"),
        ({"guidance": -1.0}, "Guidance"),
        ({"engine": "O\nD"}, "Engine"),
        ({"steps": -3}, "Steps"),
    ],
)
def test_what_no_dial_can_show_stays_and_is_said(scene, part, request_of, changes, label):
    before = settings(scene)
    [sentence] = part("restore").apply(scene, replace(request_of(), **changes))
    assert settings(scene) == before
    assert sentence.startswith(f"{label} was ")
    assert sentence.isprintable()


@pytest.mark.parametrize("name", ["gone.png", "plain.png", "text.png", "forged.png"])
def test_a_picture_without_sound_settings_changes_nothing(scene, part, tmp_path, name):
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    (tmp_path / "text.png").write_text("no picture")
    Image.new("RGB", (8, 8)).save(tmp_path / "forged.png")
    provenance = part("core.provenance")
    said = provenance.Said(source="algorithmicMedia", settings=json.dumps({"request": {"prompt": 3}}))
    (tmp_path / "forged.png").write_bytes(provenance.embedded((tmp_path / "forged.png").read_bytes(), said))
    before = settings(scene)
    with pytest.raises(RuntimeError, match=rf"{name}"):
        bpy.ops.flux_depth.restore(filepath=str(tmp_path / name))
    assert settings(scene) == before


def test_blender_s_own_save_as_png_keeps_it(scene, part, request_of, picture_of, tmp_path):
    image = bpy.data.images.load(picture_of(replace(request_of(), prompt="a café\n<& bar>")))
    assert image.pixels[0] == 0.0
    image.filepath_raw = str(tmp_path / "again.png")
    image.save()
    assert part("core.record").read(tmp_path / "again.png").request.prompt == "a café\n<& bar>"


def sidebar(tab, width=300):
    return SimpleNamespace(type="UI", width=width, active_panel_category=tab)


@pytest.mark.parametrize(
    ("kind", "region", "takes"),
    [
        ("VIEW_3D", sidebar("FLUX Depth"), True),
        ("IMAGE_EDITOR", sidebar("FLUX Depth"), True),
        ("VIEW_3D", sidebar("Item"), False),
        ("VIEW_3D", sidebar("FLUX Depth", width=1), False),
        ("NODE_EDITOR", sidebar("FLUX Depth"), False),
    ],
)
def test_a_drop_is_taken_only_where_our_tab_is_open(extension, kind, region, takes):
    context = SimpleNamespace(area=SimpleNamespace(type=kind, regions=[region]))
    assert bpy.types.FLUXDEPTH_FH_picture.poll_drop.__func__(None, context) is takes
    assert bpy.types.FLUXDEPTH_FH_picture.bl_file_extensions == ".png;.jpg;.jpeg"


@pytest.fixture
def generated(scene, part):
    """Presses the button, and waits for the picture as the window's timer would; its job as asked and as done."""

    def generated():
        watch, end = part("watch"), time.monotonic() + 30
        assert bpy.ops.flux_depth.generate() == {"FINISHED"}
        job = next(iter(watch.jobs.values()))
        while not watch.jobs[job.id].is_final and time.monotonic() < end:
            look(part)
            time.sleep(0.1)
        return job, watch.jobs[job.id]

    part("watch").unregister()
    part("watch").register()
    yield generated
    part("worker_process").let_go()


def test_a_generated_picture_says_how_it_was_made(generated, part, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "room.blend"))
    part("preferences").current().provenance = "sidecar"
    try:
        job, done = generated()
    finally:
        part("preferences").current().provenance = "picture"
    said = part("core.record").read(Path(done.result))
    assert replace(said.request, seed=job.request.seed, provenance="sidecar") == job.request
    assert (said.request.blend, said.request.camera, said.request.seed) == ("room.blend", "Camera", done.seed)
    assert 0 < said.request.map_near < said.request.map_far
    assert said.request.camera_matrix[3::4] == (*bpy.context.scene.camera.matrix_world.translation, 1.0)
    beside = tmp_path / "flux_depth" / f"{part('core.record').Path(done.result).name}.xmp"
    for file in (beside, beside.with_suffix("")):
        assert str(tmp_path).encode() not in file.read_bytes()


@pytest.fixture
def run(part, tmp_path, capfd):
    """Runs the command line in this process: the exit code, the JSON, and what it said."""

    def run(*words):
        told = tmp_path / "outcome.json"
        code = part("cli").main([*map(str, words), "--json", str(told), "--data-dir", str(tmp_path / "data")])
        return code, json.loads(told.read_text()), capfd.readouterr().err

    return run


@pytest.fixture
def restyle(scene, part, run, tmp_path):
    """Has the sandbox paint the open file, into that one."""
    sandbox = part("core.sandbox")
    blend = tmp_path / "cube.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    words = ("restyle", blend, "--prompt", "a garden", "--provider", "sandbox", "--seed", 5)
    with sandbox.Sandbox(behaviour=sandbox.Behaviour(delay=0.0, picture="echo")) as running:
        yield lambda out, *more: run(*words, "--url", running.base, "-o", out, *more)
        assert len(running.posts) == 1


def test_the_command_line_says_what_a_picture_says(run, restyle, tmp_path):
    out = tmp_path / "out.jpg"
    assert restyle(out, "--provenance", "sidecar")[0] == 0
    (tmp_path / "outcome.json").unlink()
    code, outcome, _ = run("provenance", out)
    assert (code, outcome["request"]["seed"], outcome["request"]["blend"]) == (0, 5, "cube.blend")
    assert outcome["cost_usd"] == 0.0
    assert (tmp_path / "out.jpg.xmp").is_file()
    code, outcome, said = run("provenance", out, "--sidecar")
    assert (code, outcome["error"]["kind"]) == (2, "input")
    assert "is there already" in said
    (tmp_path / "out.jpg.xmp").unlink()
    assert run("provenance", out, "--sidecar")[0] == 0
    assert run("provenance", tmp_path / "out.jpg.xmp")[1]["request"]["seed"] == 5


def test_a_copy_from_the_journal_says_the_same_in_another_format(run, restyle, tmp_path):
    restyle(tmp_path / "out.png")
    restyle(tmp_path / "copy.jpg")
    assert run("provenance", tmp_path / "copy.jpg")[1] == run("provenance", tmp_path / "out.png")[1]


def test_the_command_line_says_when_a_picture_says_nothing(run, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    code, outcome, said = run("provenance", tmp_path / "plain.png")
    assert (code, outcome["error"]["kind"]) == (2, "input")
    assert "plain.png does not say how it was made" in said
