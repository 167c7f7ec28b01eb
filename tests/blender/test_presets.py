"""Presets and the faithfulness dial in Blender: shown first, applied as shown, kept by Blender, and never run."""

import json
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from PIL import Image

from tests.blender import hostile
from tests.blender.hostile import words

MINE = "My Look"


@pytest.fixture
def scene(fresh_file, data):
    """Blender's factory scene, ready to generate in the sandbox."""
    fresh_file.flux_depth.model_id = "sandbox"
    fresh_file.flux_depth.prompt = "a garden"
    return fresh_file


@pytest.fixture
def preset(tmp_path):
    """Writes a preset file."""

    def write(text, name="A_Look.py"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


@pytest.fixture
def kept(scene, part):
    """A preset of the artist's own, until the test is over."""
    bpy.ops.flux_depth.add_preset(name=MINE, ending="grainy film")
    yield next(file for file in part("preset_diff").files() if file.stem == "My_Look")
    bpy.ops.flux_depth.add_preset(name=MINE, remove_name=True)


def shipped(part, stem):
    return str(part("preset_diff").shipped_folder() / f"{stem}.py")


def apply(path):
    return bpy.ops.flux_depth.apply_preset(filepath=path)


def seen(part, scene, path):
    """What the dialog would show: its lines, and its notes."""
    diff = part("preset_diff")
    look = diff.look(scene, part("core.preset").read(Path(path)))
    return dict(diff.lines_of(scene, look)), look.notes


# The dial.


def test_a_new_scene_stands_on_the_stop_that_changes_nothing(scene, part):
    assert scene.flux_depth_shape.faithfulness == "close"
    assert part("properties").depth_settings_of(scene) == part("core.depth_map").DepthSettings()


def test_a_stop_sets_guidance_and_shape_and_the_request_has_them(scene, part):
    scene.flux_depth_shape.faithfulness = "inspired"
    request = part("properties").request_of(bpy.context)
    assert request.guidance == 3.5
    assert (request.depth.detail, request.depth.gamma) == (0, 1.5)
    assert request.depth.blur == pytest.approx(0.03)


def test_a_value_by_hand_is_custom_and_a_stop_takes_it_back(scene):
    shape = scene.flux_depth_shape
    scene.flux_depth.guidance = 17
    assert shape.faithfulness == "custom"
    shape.faithfulness = "custom"
    assert scene.flux_depth.guidance == 17
    shape.faithfulness = "close"
    assert scene.flux_depth.guidance == 15


def test_custom_is_no_choice_while_a_stop_holds(scene):
    with pytest.raises(TypeError):
        scene.flux_depth_shape.faithfulness = "custom"


def test_the_dial_is_saved_with_the_file(scene, tmp_path):
    scene.flux_depth_shape.faithfulness = "loose"
    opened = hostile.open_file(hostile.save(tmp_path / "a.blend"))
    assert opened.flux_depth_shape.faithfulness == "loose"


def test_the_preview_shows_the_shaped_map(scene, part):
    bpy.ops.flux_depth.preview_depth()
    path = part("depth_preview")._path()
    plain = np.asarray(Image.open(path))
    scene.flux_depth_shape.faithfulness = "inspired"
    bpy.ops.flux_depth.preview_depth()
    assert (np.asarray(Image.open(path)) != plain).any()


def test_a_shape_that_only_a_stranger_s_file_can_have_is_one_sentence(scene, part, monkeypatch):
    monkeypatch.setattr(
        part("faithfulness"), "shape_of", lambda _scene: {"detail": 1, "blur": float("nan"), "gamma": 1}
    )
    with pytest.raises(RuntimeError, match=r"Blur must be from 0 to 0.1, not nan. Nothing was sent."):
        bpy.ops.flux_depth.generate()


# Shown.


def test_what_a_preset_would_change_is_told_line_by_line(scene, part):
    lines, notes = seen(part, scene, shipped(part, "Product_on_White"))
    assert lines == {
        "Faithfulness": "Close → Exact",
        "Guidance": "15 → 30",
        "Detail": "1 → 1.5",
        "Prompt": "+ “product photography, seamless white background, softbox light, sharp focus”",
    }
    assert notes == []
    assert scene.flux_depth.guidance == 15


def test_a_preset_that_chooses_a_model_tells_its_price(scene, part, preset):
    lines, _ = seen(part, scene, preset("settings.model_id = 'bfl:flux-pro-1.0-depth'"))
    assert lines["Model"].startswith("Sandbox")
    assert lines["Model"].endswith("Black Forest Labs: FLUX.1 Depth [pro], $0.05")


def test_the_dialog_draws_every_line_and_note(scene, part, preset):
    menu, diff = part("preset_menu"), part("preset_diff")
    path = preset("settings.steps = 20\nlook.grain = 1\nlook.fog = 2\nending = 'dusk'")
    look = diff.look(scene, part("core.preset").read(Path(path)))

    def draw(owner, context):
        menu.FLUXDEPTH_OT_apply_preset.draw(SimpleNamespace(layout=owner.layout, seen=look), context)

    said = words(hostile.drawn_by(draw))
    assert "Steps 50 → 20" in said
    assert "Prompt + “dusk”" in said
    assert "2 settings of this preset are unknown to this version and are left as they are" in said


def test_the_popover_lists_each_preset_once_and_a_click_asks_first(scene, part, kept):
    menu = part("preset_menu")
    panel = menu.FLUXDEPTH_PT_presets

    def draw(owner, context):
        own = {name: getattr(panel, name) for name in ("preset_subdir", "preset_operator", "preset_add_operator")}
        stand_in = type("Popover", (menu.PresetPanel,), own | {"layout": owner.layout, "bl_idname": ""})()
        panel.draw(stand_in, context)

    items = hostile.drawn_by(draw)
    listed = [item["draw_string"] for item in items if "apply_preset(" in item.get("operator", "")]
    assert listed.count(MINE) == 1
    assert len(listed) == len(set(listed)) == 10


def test_it_can_be_drawn_in_a_tab_that_is_200_pixels_wide(scene, part, monkeypatch):
    for narrow in (True, False):
        monkeypatch.setattr(part("faithfulness"), "is_narrow", lambda _context, narrow=narrow: narrow)
        assert "Presets" in words(hostile.drawn(part))


# Applied.


def test_a_preset_sets_what_was_shown_and_nothing_else(scene, part):
    scene.flux_depth.seed, scene.flux_depth.use_seed, scene.flux_depth.safety_tolerance = 7, True, 1
    assert apply(shipped(part, "Interior_Evening")) == {"FINISHED"}
    settings = scene.flux_depth
    assert settings.prompt == "a garden, interior photography in the evening, warm lamps, soft shadows"
    assert (settings.model_id, settings.seed, settings.use_seed, settings.safety_tolerance) == ("sandbox", 7, True, 1)
    assert scene.flux_depth_shape.faithfulness == "close"


def test_a_shipped_preset_is_on_the_scale_of_the_scene_s_model(scene, part):
    part("properties").switch_model(scene.flux_depth, "fal:flux-control-lora-depth")
    lines, _notes = seen(part, scene, shipped(part, "Architecture_Daylight"))
    assert lines["Guidance"] == "3.5 → 7"
    assert "Steps" not in lines
    apply(shipped(part, "Architecture_Daylight"))
    assert scene.flux_depth.guidance == pytest.approx(7)
    assert scene.flux_depth_shape.faithfulness == "exact"


def test_applied_twice_its_words_are_in_the_prompt_once(scene, part):
    for _ in range(2):
        apply(shipped(part, "Product_on_Black"))
    assert scene.flux_depth.prompt.count("black background") == 1


def test_words_go_into_the_text_while_the_prompt_is_written_there(scene, preset):
    bpy.ops.flux_depth.edit_prompt()
    apply(preset("ending = 'dusk'"))
    assert scene.flux_depth.prompt_text.as_string().strip() == "a garden, dusk"
    assert scene.flux_depth.prompt == "a garden"


def test_words_for_which_there_is_no_room_leave_everything_as_it_was(scene, preset):
    scene.flux_depth.prompt = "x" * 9_990
    with pytest.raises(RuntimeError, match="would be longer than 10,000 characters"):
        apply(preset("settings.steps = 20\nending = 'dusk and dawn'"))
    assert scene.flux_depth.steps == 50


# Kept.


def test_a_preset_of_one_s_own_lies_where_blender_keeps_presets_and_brings_all_back(scene, part, kept):
    assert kept.parent == Path(bpy.utils.user_resource("SCRIPTS", path="presets/flux_depth"))
    scene.flux_depth_shape.faithfulness, scene.flux_depth.steps, scene.flux_depth.curve = "loose", 20, "linear"
    apply(str(kept))
    assert scene.flux_depth_shape.faithfulness == "close"
    assert (scene.flux_depth.steps, scene.flux_depth.curve) == (50, "disparity")
    assert scene.flux_depth.prompt == "a garden, grainy film"


def test_a_preset_holds_no_key_address_folder_camera_prompt_or_place(scene, part, kept, monkeypatch):
    settings = scene.flux_depth
    settings.finetune_id, settings.camera = "my-own-finetune", scene.camera
    bpy.ops.flux_depth.edit_prompt()
    bpy.ops.flux_depth.add_preset(name="Another")
    text = kept.with_name("Another.py").read_text()
    bpy.ops.flux_depth.add_preset(name="Another", remove_name=True)
    for secret in ("my-own-finetune", "Camera", "garden", "near", "far", "seed", "key", "/", "http"):
        assert secret not in text.partition("\n\n")[2]


def test_a_name_that_exists_is_not_written_over_and_shipped_ones_are_not_removed(scene, part, kept):
    before = kept.read_bytes()
    scene.flux_depth.steps = 33
    bpy.ops.flux_depth.add_preset(name=MINE)
    assert kept.read_bytes() == before
    bpy.ops.flux_depth.add_preset(name="Product on White", remove_name=True)
    assert Path(shipped(part, "Product_on_White")).is_file()


def test_words_that_are_too_long_are_not_kept(scene, part):
    with pytest.raises(RuntimeError, match="at most 300 characters"):
        bpy.ops.flux_depth.add_preset(name="Long", ending="x" * 301)
    assert "Long" not in [file.stem for file in part("preset_diff").files()]


def test_what_a_file_has_set_to_nothing_is_not_kept(scene, part, extension, tmp_path):
    hostile.saved_with(extension, tmp_path / "a.blend", {"curve": 77, "prompt": "a garden"})
    opened = hostile.open_file(tmp_path / "a.blend")
    assert "settings.curve" not in part("preset_diff").of_scene(opened)


# A stranger's.


def test_a_preset_with_code_is_refused_and_not_run(scene, preset, tmp_path):
    marker = tmp_path / "run"
    path = preset(f"settings.steps = 20\nopen({str(marker)!r}, 'w')\n")
    with hostile.Deeds() as deeds, pytest.raises(RuntimeError, match="line 2 does not just set a value"):
        apply(path)
    assert deeds.seen == []
    assert not marker.exists()
    assert scene.flux_depth.steps == 50


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("settings.steps = 0", "Steps is not what this version takes, and is left as it is"),
        ("settings.steps = 20.5", "Steps is not what this version takes, and is left as it is"),
        ("settings.steps = True", "Steps is not what this version takes, and is left as it is"),
        ("settings.steps = 10 ** 9", None),
        ("settings.steps = 99999999999999999999", "Steps is not what this version takes, and is left as it is"),
        ("settings.guidance = -1.0", "Guidance is not what this version takes, and is left as it is"),
        ("settings.guidance = 1e999", "Guidance is not what this version takes, and is left as it is"),
        ("settings.guidance = 'high'", "Guidance is not what this version takes, and is left as it is"),
        ("settings.prompt_upsampling = 1", "Enrich Prompt is not what this version takes, and is left as it is"),
        ("settings.curve = 'bent'", "Curve is not what this version takes, and is left as it is"),
        ("settings.engine = ['CYCLES']", "Engine is not what this version takes, and is left as it is"),
        ("shape.blur = 0.5", "Blur is not what this version takes, and is left as it is"),
        ("settings.model_id = 'gone:model'", "Its model is not in the table of models: yours is left as it is"),
        ("ending = 'x' * 9", None),
        ("ending = '" + "x" * 400 + "'", "Its words for the prompt are too long, or no text: they are left out"),
        ("settings.fog = 1", "1 setting of this preset is unknown to this version and is left as it is"),
    ],
)
def test_a_value_that_does_not_fit_is_told_and_left_while_the_rest_is_applied(scene, part, preset, line, note):
    path = preset(f"{line}\nsettings.megapixels = 0.5")
    if note is None:
        with pytest.raises(RuntimeError, match="line 1"):
            apply(path)
        return
    assert seen(part, scene, path) == ({"Megapixels": "1 → 0.5"}, [note])
    before = part("preset_diff").of_scene(scene)
    apply(path)
    assert part("preset_diff").of_scene(scene) == before | {"settings.megapixels": 0.5}
    assert scene.flux_depth.prompt == "a garden"


@pytest.mark.parametrize("name", ["prompt", "camera", "seed", "key_cometapi", "finetune_id", "safety_tolerance", "far"])
def test_what_is_not_a_preset_s_to_set_is_left(scene, part, preset, name):
    lines, notes = seen(part, scene, preset(f"settings.{name} = 'stolen'"))
    assert lines == {}
    assert "1 setting of this preset is unknown" in notes[0]


@pytest.mark.parametrize("path", ["/nowhere/none.py", "", "/dev/zero", "//"])
def test_a_file_that_is_none_is_one_sentence(scene, path):
    with pytest.raises(RuntimeError, match="preset"):
        apply(path)


# On the command line.


@pytest.fixture
def run(scene, part, tmp_path, capfd):
    """Runs the command line in this process: the exit code, the JSON, and what it said."""
    blend = tmp_path / "cube.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))

    def run(verb, *arguments):
        told = tmp_path / "outcome.json"
        told.unlink(missing_ok=True)
        scenes = [] if verb == "presets" else [str(blend)]
        named = ["--json", str(told), "--data-dir", str(tmp_path / "data")]
        code = part("cli").main([verb, *scenes, *map(str, arguments), *named])
        return code, json.loads(told.read_text()) if told.exists() else None, capfd.readouterr().err

    return run


@pytest.fixture
def asked(run, part, tmp_path):
    """What `restyle` asks for with these arguments."""
    sandbox = part("core.sandbox")
    with sandbox.Sandbox(behaviour=sandbox.Behaviour(delay=0.0, picture="echo")) as endpoint:

        def asked(*arguments):
            named = [
                "--prompt",
                "a garden",
                "-o",
                tmp_path / "out.png",
                "--provider",
                "sandbox",
                "--url",
                endpoint.base,
            ]
            code, outcome, said = run("restyle", *named, *arguments)
            assert code == 0, said
            with part("core.journal").Journal(tmp_path / "data") as journal:
                return journal.get(outcome["id"]).request, said

        yield asked


def test_presets_are_listed_with_what_they_set(run, kept):
    code, outcome, _ = run("presets")
    assert code == 0
    listed = {preset["name"]: preset for preset in outcome["presets"]}
    assert listed[MINE]["settings"]["settings.model_id"] == "sandbox"
    assert (listed[MINE]["shipped"], listed["Product on White"]["shipped"]) == (False, True)


def test_one_preset_that_cannot_be_read_keeps_no_other_from_being_listed(run, kept):
    (kept.parent / "broken.py").write_text("import os")
    try:
        code, outcome, said = run("presets")
    finally:
        (kept.parent / "broken.py").unlink()
    assert code == 0
    assert "“broken” is no preset" in said
    assert len(outcome["presets"]) == 11


def test_a_preset_by_name_sets_dials_and_says_what_it_adds(asked):
    request, said = asked("--preset", "look-dev quick ideas")
    assert (request.steps, request.guidance, request.prompt_upsampling) == (25, 6.0, True)
    assert request.depth.blur == 0.01
    request, said = asked("--preset", "Interior_Daylight")
    assert request.prompt == "a garden, interior photography, soft daylight from the windows, natural materials"
    assert "The preset adds to the prompt: “interior photography" in said


def test_what_is_said_holds_before_the_stop_and_the_stop_before_the_preset(asked, preset):
    path = preset("settings.guidance = 40.0\nsettings.steps = 20\nshape.gamma = 2.0\nsettings.engine = 'CYCLES'")
    request, _ = asked("--preset", path, "--engine", "workbench")
    assert (request.guidance, request.steps, request.depth.gamma, request.engine) == (40, 20, 2, "WORKBENCH")
    request, _ = asked("--preset", path, "--engine", "workbench", "--faithfulness", "loose", "--blur", "0")
    assert (request.guidance, request.steps, request.depth.gamma, request.depth.blur) == (6, 20, 1, 0)


def test_a_preset_s_model_is_taken_only_where_no_provider_is_asked_for(asked, preset):
    request, _ = asked("--preset", preset("settings.model_id = 'bfl:flux-pro-1.0-depth'"))
    assert request.model == "sandbox"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--preset", "nobody"], "There is no preset “nobody”: `presets` lists them. Nothing was sent."),
        (["--preset", "/nowhere/none.py"], "There is no preset “none”."),
        (
            ["--faithfulness", "perfect"],
            "There is no stop “perfect”: choose one of exact, close, balanced, loose, insp",
        ),
        (["--blur", "0.5"], "Blur must be from 0 to 0.1, not 0.5."),
        (["--detail", "nan"], "Detail must be from 0 to 3, not nan."),
    ],
)
def test_bad_input_on_the_command_line_is_one_sentence(run, tmp_path, arguments, sentence):
    code, _, said = run("depth", "-o", tmp_path / "map.png", *arguments)
    assert code == 2
    assert sentence in said
    assert not (tmp_path / "map.png").exists()


def test_the_depth_verb_shapes_its_map(run, tmp_path):
    run("depth", "-o", tmp_path / "a.png")
    run("depth", "-o", tmp_path / "b.png", "--faithfulness", "inspired")
    run("depth", "-o", tmp_path / "c.png", "--detail", 0, "--blur", 0.03, "--gamma", 1.5)
    plain, stop, by_hand = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert plain != stop == by_hand
