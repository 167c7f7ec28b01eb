"""The picture of docs/shots.md: a shot on its camera, its panel, and its strip in the sequencer."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.gui.artist import Artist
from tests.gui.shots import DARK, DOCS, LIGHT, LOOKED_AT, NARROW, PROMPT, WITHIN, keep, studio

__all__ = ["studio"]

MOVING = """
camera = bpy.context.scene.camera
for frame, x in ((1, 0.0), (24, 0.9)):
    camera.delta_location.x = x
    camera.keyframe_insert("delta_location", frame=frame)
scene = bpy.context.scene
scene.frame_start, scene.frame_end = 1, 24
scene.flux_depth.megapixels = 0.3
scene.flux_depth_shot.own_frames, scene.flux_depth_shot.start, scene.flux_depth_shot.end = True, 1, 24
scene.flux_depth_shot.step, scene.flux_depth_shot.title = 3, "living room"
"""


@pytest.fixture
def shot(studio: Artist, tmp_path: Path) -> Artist:
    """The interior with a camera that moves, and a shot of it that is painted."""
    studio.python(f"bpy.context.scene.flux_depth.prompt = {PROMPT!r}\n{MOVING}")
    studio.save_file(tmp_path / "room.blend")
    studio.panel("Shot")
    studio.python("bpy.ops.flux_depth.find_shot_range('INVOKE_DEFAULT')")
    studio.wait_until("bpy.context.scene.flux_depth_shot.far > 0", 180)
    studio.python("bpy.context.scene.flux_depth_shot.seed = 2; bpy.context.scene.flux_depth_shot.end = 16")
    studio.wait_until("part('shot').standing_of(bpy.context.scene)")
    time.sleep(0.5)
    studio.python("bpy.ops.flux_depth.generate_shot('INVOKE_DEFAULT')")
    studio.wait_until("len(part('shot').standing_of(bpy.context.scene).there) == 6", 180)
    studio.python("bpy.context.scene.flux_depth_shot.end = 24")
    studio.wait_until("part('shot').standing_of(bpy.context.scene).there", 60)
    studio.scroll_down()
    studio.python("bpy.ops.flux_depth.shot_on_camera(); bpy.ops.flux_depth.shot_to_sequencer()")
    return studio


def test_a_shot(shot: Artist) -> None:
    shot.python("area('IMAGE_EDITOR').ui_type = 'SEQUENCE_EDITOR'")
    time.sleep(0.5)
    shot.python("area('SEQUENCE_EDITOR').spaces.active.view_type = 'SEQUENCER_PREVIEW'\nbpy.context.scene.frame_set(7)")
    time.sleep(0.5)
    shot.python(
        f"{WITHIN}\neditor = area('SEQUENCE_EDITOR')\n"
        "with bpy.context.temp_override(window=window, screen=window.screen, area=editor, "
        "region=region(editor, 'WINDOW')): bpy.ops.sequencer.view_all()",
        in_window=False,
    )
    shot.move((800, 990))
    time.sleep(1.5)
    keep(shot.picture(), "shots.jpg", DOCS)
    keep(shot.picture("VIEW_3D"), "Shot usual.png", LOOKED_AT)
    shot.python(LIGHT)
    shot.python(f"{NARROW}\nbpy.context.preferences.view.ui_scale = 1.01")
    time.sleep(0.4)
    shot.python("bpy.context.preferences.view.ui_scale = 1")
    time.sleep(0.8)
    keep(shot.picture("VIEW_3D"), "Shot narrow.png", LOOKED_AT)
    shot.python(DARK)
