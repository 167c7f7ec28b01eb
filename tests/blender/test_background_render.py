"""The Z pass from another Blender: the same depth, and nothing of it left however it ends."""

import tempfile
import time

import bpy
import numpy as np
import pytest
from bl_ext.user_default.flux_depth import background_render as module
from bl_ext.user_default.flux_depth.capture import capture
from bl_ext.user_default.flux_depth.core.errors import InputError
from bl_ext.user_default.flux_depth.core.framing import Framing

from tests.blender.fingerprint import difference, fingerprint, settled

SMALL = Framing(64, 48, 0, 0, 64, 48)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where files for a while go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def scene(fresh_file):
    fresh_file.render.resolution_x, fresh_file.render.resolution_y = 64, 48
    return fresh_file


def asked(scene, engine="CYCLES"):
    layer = scene.view_layers[0].name
    return {"scene": scene, "camera": scene.camera, "view_layer": layer, "framing": SMALL, "engine": engine}


def ended(steps):
    """What it returns, and what was said to be done meanwhile."""
    said = []
    while True:
        try:
            said.append(next(steps))
        except StopIteration as end:
            return end.value, said
        time.sleep(0.05)


def test_another_blender_sees_the_very_depth_that_this_one_would(scene):
    scene.frame_set(7, subframe=0.5)
    scene.camera.location.z += 0.5
    z, said = ended(module.rendering(**asked(scene)))
    assert np.array_equal(z, capture(**asked(scene)))
    assert any(text.startswith("Opening the scene") for text in said)


def test_nothing_is_touched_and_no_other_add_on_hears_of_the_copy(scene, folder):
    heard = []
    bpy.app.handlers.save_pre.append(heard.append)
    before = settled(folder)
    ended(module.rendering(**asked(scene)))
    assert not difference(before, fingerprint(folder))
    assert not heard
    assert heard.append in bpy.app.handlers.save_pre
    bpy.app.handlers.save_pre.remove(heard.append)


def test_whoever_breaks_off_ends_the_other_blender_and_leaves_no_file(scene, monkeypatch, folder):
    children, beside = [], module.worker_process.beside
    monkeypatch.setattr(
        module.worker_process, "beside", lambda *a, **k: children.append(beside(*a, **k)) or children[0]
    )
    steps = module.rendering(**asked(scene))
    next(steps)
    steps.close()
    assert children[0].poll() is not None
    assert not list(folder.iterdir())


def test_what_the_other_blender_could_not_do_is_one_sentence(scene, monkeypatch):
    monkeypatch.setattr(module, "_save_copy", lambda path: path.write_bytes(b"no blend"))
    with pytest.raises(InputError, match="did not render the depth"):
        ended(module.rendering(**asked(scene)))


def test_what_cannot_be_rendered_is_said_before_anything_is_begun(scene):
    scene.camera.data.type = "PANO"
    with pytest.raises(InputError, match="panoramic"):
        next(module.rendering(**asked(scene, "WORKBENCH")))


def test_only_cycles_is_handed_over(scene):
    assert module.can_render(scene, "CYCLES")
    assert not module.can_render(scene, "WORKBENCH")
    scene.render.engine = "CYCLES"
    assert module.can_render(scene, "SCENE")


def test_what_python_drives_stays_here_as_another_blender_may_not_run_it(scene):
    curve = scene.camera.driver_add("location", 0)
    curve.driver.expression = "frame * 2"
    assert module.can_render(scene, "CYCLES")
    curve.driver.expression = "max(frame for frame in (1, 2))"
    assert not module.can_render(scene, "CYCLES")


def test_what_is_simulated_stays_here_as_no_file_holds_it(scene):
    tree = bpy.data.node_groups.new("Waves", "GeometryNodeTree")
    tree.nodes.new("GeometryNodeSimulationOutput")
    assert not module.can_render(scene, "CYCLES")
