"""The picture of docs/project.md: `dev.py gui tests/gui/shots_project.py` writes it, a person looks at it."""

from __future__ import annotations

import time

import pytest

from tests.gui.artist import Artist
from tests.gui.shots import LOOKED_AT, NARROW, fit, keep, pictured, studio

__all__ = ["pictured", "studio"]

FROM_BESIDE = """
from mathutils import Quaternion, Vector
scene = bpy.context.scene
scene.render.engine, cycles = "CYCLES", scene.cycles
cycles.preview_samples, cycles.use_fast_gi, cycles.fast_gi_method, cycles.ao_bounces = 24, True, "REPLACE", 1
scene.world.light_settings.distance, scene.world.light_settings.ao_factor = 1.0, 0.6
scene.view_settings.view_transform = "Standard"
space = area("VIEW_3D").spaces.active
view, camera = space.region_3d, scene.camera.matrix_world
view.view_perspective = "PERSP"
view.view_rotation = Quaternion((0, 0, 1), -0.3) @ camera.to_quaternion()
view.view_location, view.view_distance = camera.translation + camera.to_quaternion() @ Vector((0.8, 0, -3.4)), 2.6
space.lens = 30
space.shading.type = "RENDERED"
"""


@pytest.mark.timeout(400)
def test_a_room_that_was_painted_seen_from_beside(pictured: Artist) -> None:
    pictured.panel("Project")
    pictured.click("flux_depth.project")
    pictured.wait_until("part('projection_data').settings_of(bpy.context.scene).projections")
    fit(pictured)
    pictured.python(FROM_BESIDE)
    pictured.python("area('VIEW_3D').spaces.active.overlay.show_overlays = False")
    pictured.move((800, 990))
    time.sleep(60)
    keep(pictured.picture().resize((1280, 800)), "project.jpg")


@pytest.mark.timeout(400)
def test_the_panel_at_each_size(pictured: Artist) -> None:
    pictured.panel("Project")
    pictured.click("flux_depth.project")
    pictured.wait_until("part('projection_data').settings_of(bpy.context.scene).projections")
    time.sleep(5)
    keep(pictured.picture("VIEW_3D"), "Project usual.png", LOOKED_AT)
    pictured.python(f"{NARROW}\nbpy.context.preferences.view.ui_scale = 1.01")
    time.sleep(0.4)
    pictured.python("bpy.context.preferences.view.ui_scale = 1")
    time.sleep(0.8)
    keep(pictured.picture("VIEW_3D"), "Project narrow.png", LOOKED_AT)
