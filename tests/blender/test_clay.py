"""The clay render: exactly what the depth map shows, in soft grey, made without touching the scene."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from bl_ext.user_default.flux_depth.capture import capture
from bl_ext.user_default.flux_depth.clay import BACKDROP, clay
from bl_ext.user_default.flux_depth.core.errors import InputError
from bl_ext.user_default.flux_depth.core.framing import Framing
from PIL import Image

from .fingerprint import difference, fingerprint, settled
from .hurting_scenes import HURTING, room
from .scenes import add_box, empty_scene
from .test_generate import generate

SMALL = Framing(160, 120, 0, 4, 160, 112)
TAKES_CLAY = "[models.sandbox]\ncontrol = 'either'\n"
MAP_ONLY = "would take a clay render for a depth map"


@pytest.fixture
def box() -> bpy.types.Scene:
    scene = empty_scene(160, 112)
    add_box(scene, (-1, 4, -0.7), (0.6, 5, 0.9))
    return scene


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where everything is written that a test lets Blender write."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path


@pytest.fixture
def ready(fresh_file: bpy.types.Scene, data: Path, part: Callable) -> Iterator[bpy.types.Scene]:
    """A scene that may generate in the sandbox, with a journal of its own."""
    fresh_file.flux_depth.model_id, fresh_file.flux_depth.prompt = "sandbox", "a garden"
    part("watch").unregister()
    part("watch").register()
    yield fresh_file
    part("worker_process").let_go()


@pytest.fixture
def takes_clay(ready: bpy.types.Scene, data: Path, part: Callable) -> bpy.types.Scene:
    """The scene of a model that estimates depth itself."""
    data.mkdir()
    (data / "models.toml").write_text(TAKES_CLAY)
    part("preferences").forget_table()
    ready.flux_depth.control, ready.flux_depth.megapixels = "clay", 0.1
    return ready


def test_clay_lies_where_the_depth_map_lies(box: bpy.types.Scene) -> None:
    box.camera.data.shift_x = 0.1
    shown = np.asarray(clay(scene=box, framing=SMALL)).astype(int)
    hit = np.isfinite(capture(scene=box, framing=SMALL))
    is_clay = np.abs(shown - BACKDROP).max(-1) > 12
    assert 0.05 < hit.mean() < 0.5
    assert not (is_clay != hit)[~at_an_edge(hit)].any()


def at_an_edge(hit: np.ndarray) -> np.ndarray:
    """The pixels on either side of an outline, which are soft."""
    padded = np.pad(hit, 1, mode="edge")
    near = [padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1]]
    return np.any([each != hit for each in near], axis=0)


def test_clay_is_grey_whatever_the_scene_s_materials_look_and_exposure(box: bpy.types.Scene) -> None:
    plain = np.asarray(clay(scene=box, framing=SMALL))
    red = bpy.data.materials.new("Red")
    red.diffuse_color = (1, 0, 0, 1)
    bpy.data.objects["Box"].data.materials.append(red)
    box.view_settings.exposure, box.view_settings.view_transform = 3, "AgX"
    box.display.shading.light, box.display.shading.show_xray = "FLAT", True
    shown = np.asarray(clay(scene=box, framing=SMALL))
    assert shown.shape == (120, 160, 3)
    assert np.ptp(shown.astype(int), axis=-1).max() < 16
    assert np.abs(shown.astype(int) - plain).max() <= 2


@pytest.mark.parametrize("name", ["pictured", "driven", "film", "several_scenes"])
def test_a_clay_render_touches_nothing(folder: Path, name: str) -> None:
    scene = HURTING[name](folder)
    bpy.context.view_layer.update()
    before = settled(folder)
    clay(scene=scene, framing=SMALL, frame=3.5)
    assert difference(before, fingerprint(folder)) == {}


def test_a_clay_render_of_another_frame_shows_that_frame(box: bpy.types.Scene) -> None:
    thing = bpy.data.objects["Box"]
    thing.keyframe_insert("location", frame=1)
    thing.location.x = 3
    thing.keyframe_insert("location", frame=11)
    box.frame_set(11)
    there, here = clay(scene=box, framing=SMALL), clay(scene=box, framing=SMALL, frame=1)
    box.frame_set(1)
    assert clay(scene=box, framing=SMALL).tobytes() == here.tobytes() != there.tobytes()


def test_a_panoramic_camera_is_refused(box: bpy.types.Scene) -> None:
    box.camera.data.type = "PANO"
    with pytest.raises(InputError, match="is panoramic, which no clay render can be: set Control to Depth Map"):
        clay(scene=box, framing=SMALL)


def test_a_disk_that_fails_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = room()
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "nowhere"))
    with pytest.raises(InputError, match="Blender did not render the clay"):
        clay(scene=scene, framing=SMALL)


# In the window


def test_what_is_previewed_is_what_is_sent(takes_clay: bpy.types.Scene, part: Callable) -> None:
    assert bpy.ops.flux_depth.preview_depth() == {"FINISHED"}
    shown = Image.open(bpy.path.abspath(bpy.data.images["FLUX Depth Preview"].filepath))
    job = generate(part)
    assert job.request.control == "clay"
    assert Image.open(job.control).tobytes() == shown.tobytes()
    assert np.asarray(shown).max() > np.asarray(shown).min()
    assert takes_clay.session_uid not in part("depth_preview").verdicts


def test_a_preview_of_depth_after_one_of_clay_shows_depth(takes_clay: bpy.types.Scene, part: Callable) -> None:
    bpy.ops.flux_depth.preview_depth()
    takes_clay.flux_depth.control = "depth"
    bpy.ops.flux_depth.preview_depth()
    assert part("depth_preview").verdicts[takes_clay.session_uid]
    assert part("depth_preview").seen.view.control == "depth"


@pytest.mark.parametrize("button", ["preview_depth", "generate"])
def test_a_model_that_wants_a_map_gets_no_clay_and_nothing_is_rendered(
    ready: bpy.types.Scene, part: Callable, monkeypatch: pytest.MonkeyPatch, button: str
) -> None:
    ready.flux_depth.control = "clay"
    monkeypatch.setattr(part("control_picture"), "rendered", lambda **_: pytest.fail("it was rendered"))
    with pytest.raises(RuntimeError, match=rf"{MAP_ONLY}|poll\(\) failed"):
        getattr(bpy.ops.flux_depth, button)()
    assert not part("watch").jobs
    assert MAP_ONLY in part("obstacles").no_request(bpy.context)


def test_the_range_of_a_shot_in_clay_is_still_found_in_its_depth(takes_clay: bpy.types.Scene, part: Callable) -> None:
    view = part("depth_preview").view_of(takes_clay, bpy.context.view_layer)
    finding = part("shot_buttons")._finding(view, [1, 2], part("core.depth_map").DepthSettings(), beside=False)
    found = come_to(finding)
    assert 0 < found.near < found.far


def come_to(steps: Generator[str, None, Any]) -> Any:
    """What they return at their end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


# On the command line


@pytest.fixture
def blend(box: bpy.types.Scene, tmp_path: Path) -> Path:
    path = tmp_path / "box.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


def test_the_command_line_writes_clay(blend: Path, tmp_path: Path, part: Callable) -> None:
    words = ["depth", blend, "-o", tmp_path / "clay.png", "--control", "clay", "--megapixels", "0.1"]
    assert part("cli").main([*map(str, words)]) == 0
    picture = np.asarray(Image.open(tmp_path / "clay.png"))
    assert tuple(picture[0, 0]) == BACKDROP


def test_the_command_line_refuses_clay_for_a_map(blend: Path, tmp_path: Path, part: Callable, capfd) -> None:
    words = ["restyle", blend, "-o", tmp_path / "o.png", "--control", "clay", "--prompt", "x", "--provider", "sandbox"]
    assert part("cli").main([*map(str, words), "--data-dir", str(tmp_path / "data")]) == 2
    assert MAP_ONLY in capfd.readouterr().err
    assert not (tmp_path / "data").exists()
