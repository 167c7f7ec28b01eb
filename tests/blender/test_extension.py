"""The extension in Blender: enabled, disabled, and what its buttons say when they are off."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from mathutils import Vector

from tests.secrets_watch import marked_key

SECRET = marked_key("cometapi")


@pytest.fixture
def settings(fresh_file):
    """The scene's settings, ready to generate in the sandbox."""
    fresh_file.flux_depth.model_id = "sandbox"
    fresh_file.flux_depth.prompt = "a garden in the morning"
    return fresh_file.flux_depth


def why_not(part, context=None):
    return part("obstacles").obstacle(context or bpy.context)


def test_disabling_and_enabling_again_leaves_nothing_behind(fresh_file, extension):
    before = set(dir(bpy.types))
    extension.unregister()
    gone = before - set(dir(bpy.types))
    assert any("FLUXDEPTH" in name for name in gone)
    assert not hasattr(bpy.types.Scene, "flux_depth")
    extension.register()
    assert set(dir(bpy.types)) == before


def test_the_default_model_is_the_one_it_was_made_for(fresh_file):
    assert fresh_file.flux_depth.model == "cometapi:flux-pro-1-0-depth-finetuned"


def test_everything_in_place_leaves_no_obstacle(settings, part):
    assert why_not(part) == ""
    assert bpy.ops.flux_depth.generate.poll()


def test_no_camera_is_said(settings, part):
    bpy.context.scene.camera = None
    assert "no camera" in why_not(part)
    assert not bpy.ops.flux_depth.generate.poll()
    assert not bpy.ops.flux_depth.preview_depth.poll()


def test_no_prompt_is_said(settings, part):
    settings.prompt = "   "
    assert "no prompt" in why_not(part)


def test_no_key_is_said(settings, part):
    settings.model_id = ""
    assert "no CometAPI key" in why_not(part)


def test_offline_is_said_once_there_is_a_key(settings, part, monkeypatch):
    settings.model_id = ""
    monkeypatch.setenv("COMETAPI_KEY", SECRET)
    assert not bpy.app.online_access
    assert "online access is off" in why_not(part)


def test_a_model_of_a_stranger_s_file_that_is_not_in_the_table_is_said(settings, part):
    settings.model_id = "evil:model"
    assert "not in the table" in why_not(part)
    assert not bpy.ops.flux_depth.generate.poll()


def test_a_typed_key_is_found_and_written_nowhere(settings, part, tmp_path):
    preferences = part("preferences")
    preferences.current().key_cometapi = f"  {SECRET}\n"
    assert preferences.keys()["cometapi"] == SECRET
    bpy.ops.wm.save_userpref()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"), compress=False)
    home = os.environ["BLENDER_USER_RESOURCES"]
    written = [path for root, _, names in os.walk(home) for path in (os.path.join(root, name) for name in names)]
    for path in [*written, tmp_path / "scene.blend"]:
        with open(path, "rb") as file:
            assert SECRET.encode() not in file.read(), path
    preferences.current().key_cometapi = ""


def test_the_environment_s_key_comes_first(part, fresh_file, monkeypatch):
    preferences = part("preferences")
    preferences.current().key_cometapi = "typed"
    monkeypatch.setenv("COMETAPI_API_KEY", SECRET + "second")
    assert preferences.keys()["cometapi"] == SECRET + "second"
    monkeypatch.setenv("COMETAPI_KEY", SECRET + "first")
    assert preferences.keys()["cometapi"] == SECRET + "first"
    preferences.current().key_cometapi = ""


def test_the_child_gets_an_environment_without_keys(part, fresh_file, monkeypatch):
    monkeypatch.setenv("COMETAPI_KEY", SECRET)
    monkeypatch.setenv("PYTHONSTARTUP", "/somewhere")
    environment = part("worker_process")._environment(part("core.models").load())
    assert SECRET not in environment.values()
    assert "PYTHONSTARTUP" not in environment


def test_the_child_finds_truststore(part):
    process = part("worker_process")
    child = subprocess.run(
        [sys.executable, "-s", "-P", "-c", "from core.certificates import trust; print(type(trust()).__module__)"],
        env=process._environment(part("core.models").load()),
        capture_output=True,
        text=True,
    )
    assert (child.stdout.strip(), child.stderr) == ("truststore._api", "")


def test_the_child_works_outside_of_what_an_update_replaces(part, monkeypatch):
    process, places = part("worker_process"), []
    monkeypatch.setattr(process.subprocess, "Popen", lambda command, cwd, **_others: places.append(Path(cwd)))
    process._child(["core.worker"], part("core.models").load())
    extensions = Path(bpy.utils.user_resource("EXTENSIONS"))
    assert [place.is_dir() and not place.is_relative_to(extensions) for place in places] == [True]


def test_a_blender_without_truststore_still_has_children(part, monkeypatch):
    process = part("worker_process")
    monkeypatch.setattr(process, "find_spec", lambda name: None if name == "truststore" else find_spec(name))
    assert process._environment(part("core.models").load())["PYTHONPATH"]


def test_pictures_go_beside_a_saved_file(part, fresh_file, data):
    folder = part("preferences").output_folder
    assert folder("/film/shots/room.blend").as_posix() == "/film/shots/flux_depth"
    assert folder("") == data / "pictures"


def test_a_request_holds_what_the_panel_shows(settings, part):
    settings.use_seed, settings.seed, settings.guidance = True, 77, 20.0
    request = part("properties").request_of(bpy.context)
    assert (request.prompt, request.seed, request.guidance, request.model) == (settings.prompt, 77, 20.0, "sandbox")
    assert (request.scene, request.camera) == ("Scene", "Camera")


def test_a_fine_tune_is_not_sent_to_a_model_without_one(settings, part):
    settings.finetune_id = "my-finetune"
    settings.model_id = "cometapi:flux-pro-1.0-depth"
    request = part("properties").request_of(bpy.context)
    assert (request.finetune_id, request.finetune_strength) == ("", None)


def test_near_and_far_are_metres_whatever_the_scene_s_unit(settings, part):
    bpy.context.scene.unit_settings.scale_length = 0.01
    settings.use_far, settings.far = True, 500.0
    assert part("properties").depth_settings_of(bpy.context.scene).far == pytest.approx(5.0)


def test_a_preview_shows_the_map_and_says_what_it_is_worth(settings, part):
    assert bpy.ops.flux_depth.preview_depth() == {"FINISHED"}
    depth_preview = part("depth_preview")
    image = bpy.data.images[depth_preview.PREVIEW]
    assert tuple(image.size) == (1344, 768)
    assert depth_preview.verdicts[bpy.context.scene.session_uid].sentence
    assert not image.is_dirty, "Blender would ask to save it"
    assert image.colorspace_settings.name == "sRGB", "the screen shows the values that are sent"


def test_an_unforeseen_problem_in_a_button_is_one_sentence(part):
    said = []
    button = SimpleNamespace(run=lambda _context: 1 / 0, report=lambda _kind, text: said.append(text))
    button.ended = lambda sentence: part("button").Button.ended(button, sentence)
    result = part("button").Button.execute(button, None)
    assert result == {"CANCELLED"}
    assert "ZeroDivisionError" in said[0]


def test_a_distant_thing_makes_the_preview_advise_and_the_button_follows(settings, part):
    camera = bpy.context.scene.camera
    camera.data.clip_end = 5000
    bpy.ops.mesh.primitive_plane_add(size=13)
    bpy.ops.mesh.primitive_plane_add(size=900, rotation=camera.matrix_world.to_euler())
    bpy.context.object.location = camera.matrix_world @ Vector((0, 0, -900))
    settings.curve = "linear"
    bpy.ops.flux_depth.preview_depth()
    verdicts = part("depth_preview").verdicts
    assert not verdicts[bpy.context.scene.session_uid].good
    assert "set Far to" in verdicts[bpy.context.scene.session_uid].sentence
    assert bpy.ops.flux_depth.follow_advice() == {"FINISHED"}
    assert settings.use_far
    assert verdicts[bpy.context.scene.session_uid].good
    bpy.ops.wm.read_homefile(use_empty=False)
    assert not verdicts


def test_an_object_that_is_no_camera_is_no_camera(settings, part):
    bpy.context.scene.camera = bpy.data.objects["Cube"]
    assert "no camera" in why_not(part)


def test_a_chosen_camera_that_was_deleted_is_not_used(settings, part):
    other = bpy.data.objects.new("Other", bpy.data.cameras.new("Other"))
    bpy.context.scene.collection.objects.link(other)
    settings.camera = other
    assert part("properties").camera_of(bpy.context.scene) == other
    bpy.context.scene.collection.objects.unlink(other)
    assert part("properties").camera_of(bpy.context.scene).name == "Camera"


def test_what_the_model_would_refuse_is_said_on_the_button(settings, part):
    settings.steps = 4000
    assert "Steps must be from 15 to 50" in why_not(part)


def test_a_folder_relative_to_an_unsaved_file_is_the_add_on_s_own(settings, part, data):
    preferences = part("preferences")
    chosen = preferences.current()
    chosen.output, chosen.folder = "CHOSEN", "//renders"
    assert preferences.output_folder("") == data / "pictures"
    chosen.output = "BLEND"


def test_an_output_folder_that_cannot_be_written_is_said_before_anything_is_sent(settings, part, data, tmp_path):
    (tmp_path / "file").write_text("")
    chosen = part("preferences").current()
    chosen.output, chosen.folder = "CHOSEN", str(tmp_path / "file" / "pictures")
    with pytest.raises(RuntimeError, match="cannot be written"):
        bpy.ops.flux_depth.generate()
    chosen.output = "BLEND"
    assert not list((data / "jobs").glob("*"))


def test_a_broken_table_of_models_is_said_and_left_out(settings, part, data):
    data.mkdir()
    (data / "models.toml").write_text("[providers")
    preferences = part("preferences")
    preferences.forget_table()
    assert "models.toml" in preferences.table_problem()
    assert preferences.table_files() == []
    assert "sandbox" in preferences.table().models


def test_offline_providers_are_not_reachable(part, fresh_file):
    assert part("preferences").reachable() == ["sandbox", "comfyui"]  # both on this computer
