"""Depth in the window: near and far dragged and picked, and the preview that keeps up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PIL import Image

from tests.gui.artist import Artist, Place
from tests.gui.desk import HEIGHT

ON_SCREEN = """
from bpy_extras.view3d_utils import location_3d_to_region_2d
from mathutils import Vector
place = location_3d_to_region_2d(bpy.context.region, bpy.context.region.data, Vector({point}))
region_ = bpy.context.region
(region_.x + place.x, bpy.context.window.height - 1 - region_.y - place.y)
"""
SETTINGS = "[getattr(bpy.context.scene.flux_depth, name) for name in ('use_near', 'near', 'use_far', 'far')]"
AXIS = "(bpy.context.scene.camera.matrix_world.normalized() @ Vector((0, 0, -{depth})))"


@pytest.fixture
def scene(artist: Artist) -> Iterator[Artist]:
    """A cube that takes its time in a render, the preview in an editor of its own, the Depth panel open."""
    artist.python(
        "cube = bpy.data.objects['Cube'].modifiers.new('Fine', 'SUBSURF')\n"
        "cube.levels, cube.render_levels = 1, 2\n"
        "area('DOPESHEET_EDITOR').type = 'IMAGE_EDITOR'\n"
        "bpy.ops.ed.undo_push(message='set up')"
    )
    artist.panel("Depth")
    yield artist
    artist.python(
        "part('live').SLOW_SECONDS = 0.7\n"
        "bpy.context.window_manager.flux_depth_live = bpy.context.window_manager.flux_depth_range = False"
    )


def on_screen(artist: Artist, point: str) -> Place:
    """Where a point of the scene is seen in the 3D view."""
    x, y = artist.python(ON_SCREEN.format(point=point))
    return round(x), round(y)


def set_by_hand(artist: Artist, near: float, far: float) -> None:
    artist.python(
        "settings = bpy.context.scene.flux_depth\n"
        f"settings.use_near, settings.near, settings.use_far, settings.far = True, {near}, True, {far}\n"
        "bpy.ops.ed.undo_push(message='by hand')"
    )


# Near and far, drawn and picked.


def test_near_is_dragged_in_the_view_and_one_undo_takes_it_back(scene: Artist) -> None:
    set_by_hand(scene, 3, 9)
    scene.click("flux_depth_range")
    assert scene.python("bpy.context.window_manager.flux_depth_range")
    begin, end = (on_screen(scene, AXIS.format(depth=depth)) for depth in (3, 5))
    scene.drag(begin, end)
    # What is moved before Blender takes it for a drag does not count.
    scene.wait_until("4 < bpy.context.scene.flux_depth.near < 5.3")
    assert scene.python(SETTINGS)[2:] == [True, 9]
    scene.move(end)
    scene.key("ctrl+z")
    scene.wait_until("abs(bpy.context.scene.flux_depth.near - 3) < 1e-4")


def test_a_click_on_an_end_that_was_found_does_not_set_it(scene: Artist) -> None:
    scene.click("flux_depth.preview_depth")
    scene.wait_until("part('depth_preview').verdicts")
    scene.click("flux_depth_range")
    near = scene.python("part('depth_preview').ends_of(bpy.context.scene)['near']")
    arrow = on_screen(scene, AXIS.format(depth=near))
    scene.move(arrow)
    scene.screen.xdotool("click", 1)
    use_near, _near, use_far, _far = scene.python(SETTINGS)
    assert not use_near
    assert not use_far
    away = on_screen(scene, AXIS.format(depth=near / 2))
    scene.drag(arrow, away)  # so it is true that this is where it is grabbed
    scene.wait_until("bpy.context.scene.flux_depth.use_near")


def test_the_eyedropper_takes_what_it_is_clicked_on(scene: Artist) -> None:
    scene.click("flux_depth.pick_depth", end="far")
    cube = on_screen(scene, "(0, 0, 0)")
    scene.move(cube)
    scene.screen.xdotool("click", 1)
    scene.wait_until("bpy.context.scene.flux_depth.use_far")
    distance = scene.python("bpy.context.scene.camera.matrix_world.translation.length")
    assert scene.python("bpy.context.scene.flux_depth.far") == pytest.approx(distance, abs=2)
    assert not scene.python("bpy.context.scene.flux_depth.use_near")


def test_esc_leaves_the_eyedropper_and_everything_as_it_was(scene: Artist) -> None:
    before = scene.python(SETTINGS)
    scene.click("flux_depth.pick_depth", end="near")
    scene.wait_until("len(bpy.context.window.modal_operators) == 1")
    scene.key("Escape")
    scene.wait_until("len(bpy.context.window.modal_operators) == 0")
    assert scene.python(SETTINGS) == before


def picked(artist: Artist, place: Place) -> float:
    """Far, once the eyedropper was clicked there."""
    artist.python("bpy.context.scene.flux_depth.use_far = False")
    artist.click("flux_depth.pick_depth", end="far")
    artist.move(place)
    artist.screen.xdotool("click", 1)
    artist.wait_until("bpy.context.scene.flux_depth.use_far")
    return float(artist.python("bpy.context.scene.flux_depth.far"))


def test_the_eyedropper_measures_through_an_orthographic_camera(scene: Artist) -> None:
    scene.python(
        "bpy.context.scene.camera.data.type = 'ORTHO'; bpy.context.scene.camera.data.ortho_scale = 12\n"
        "bpy.context.region.data.view_perspective = 'CAMERA'"
    )
    scene.wait_until("not bpy.context.region.data.is_perspective")
    distance = scene.python("bpy.context.scene.camera.matrix_world.translation.length")
    assert picked(scene, on_screen(scene, "(0, 0, 0)")) == pytest.approx(distance, abs=2)


QUARTER = """
from bpy_extras.view3d_utils import location_3d_to_region_2d
quarter = min((one for one in area("VIEW_3D").regions if one.type == "WINDOW"), key=lambda one: (one.x, one.y))
place = location_3d_to_region_2d(quarter, quarter.data, (3, -1, 0))
(quarter.x + place.x, bpy.context.window.height - 1 - quarter.y - place.y)
"""


def test_the_eyedropper_measures_in_the_front_view_of_a_quad_view(scene: Artist) -> None:
    scene.python(
        "bpy.data.objects['Cube'].modifiers.clear(); bpy.data.objects['Cube'].location.x = 3\n"
        "bpy.ops.screen.region_quadview()"
    )
    scene.wait_until("bpy.context.area.spaces.active.region_quadviews")
    x, y = scene.python(QUARTER)
    camera = "bpy.context.scene.camera.matrix_world.normalized().inverted()"
    depth = scene.python(f"from mathutils import Vector\n-({camera} @ Vector((3, -1, 0))).z")
    assert picked(scene, (round(x), round(y))) == pytest.approx(depth, abs=0.1)


def test_a_view_that_closes_under_the_eyedropper_is_let_go_of(scene: Artist) -> None:
    scene.click("flux_depth.pick_depth", end="near")
    scene.move(on_screen(scene, "(0, 0, 0)"))
    scene.python("bpy.ops.screen.area_close()")
    scene.wait_until("area('VIEW_3D') is None")
    scene.key("Escape")
    scene.wait_until("len(bpy.context.window.modal_operators) == 0")


# The preview that keeps up.


def test_a_change_shows_in_the_preview_by_itself(scene: Artist) -> None:
    scene.python("part('live').SLOW_SECONDS = 60")  # however slow the machine of this test is
    scene.click("flux_depth.preview_depth")
    scene.wait_until("part('depth_preview').seen")
    scene.click("flux_depth_live")
    verdict = "part('depth_preview').verdicts[bpy.context.scene.session_uid]"
    set_by_hand(scene, 3, 14)
    scene.wait_until(f"abs({verdict}.far - 14) < 1e-3")
    seen = scene.python("id(part('depth_preview').seen)")
    scene.python("bpy.data.objects['Cube'].location.x = 2")
    scene.wait_until(f"id(part('depth_preview').seen) != {seen}")


# What takes its time is rendered by another Blender.


@pytest.fixture
def cycles(scene: Artist) -> Artist:
    """Cycles, and a cube that it has something to do with."""
    scene.python("bpy.context.scene.flux_depth.engine = 'CYCLES'")
    return scene


def status_bar(artist: Artist) -> Image.Image:
    """Its left side, where it says what is under way."""
    return artist.picture().crop((0, HEIGHT - 20, 700, HEIGHT)).convert("L")


BUSY = "len(bpy.context.window.modal_operators)"


def test_while_cycles_renders_the_artist_works_on_and_then_sees_the_depth(cycles: Artist) -> None:
    idle = status_bar(cycles).getextrema()
    cycles.click("flux_depth.preview_depth")
    cycles.wait_until(f"{BUSY} == 1")
    cycles.wait_for_picture(lambda: status_bar(cycles).getextrema() != idle)
    cycles.fill("flux_depth.prompt", "written meanwhile")
    cycles.key("ctrl+z")  # an undo gives Blender another scene
    cycles.wait_until(f"{BUSY} == 0", 60)
    assert cycles.python("part('depth_preview').verdicts[bpy.context.scene.session_uid].sentence")
    cycles.wait_until("area('IMAGE_EDITOR').spaces.active.image.name == 'FLUX Depth Preview'")
    assert cycles.python("[scene.name for scene in bpy.data.scenes]") == ["Scene"]


def test_esc_breaks_a_cycles_render_off_and_nothing_is_shown_or_sent(cycles: Artist) -> None:
    cycles.python("bpy.context.scene.flux_depth.prompt = 'a garden'")
    cycles.click("flux_depth.generate")
    cycles.wait_until(f"{BUSY} == 1")
    cycles.key("Escape")
    cycles.wait_until(f"{BUSY} == 0")
    assert cycles.python("[*part('watch').jobs]") == []
    assert cycles.python("bpy.context.scene.flux_depth.engine") == "CYCLES"


def test_where_no_image_editor_is_open_the_depth_comes_in_a_window_and_nothing_stays_busy(cycles: Artist) -> None:
    cycles.python("area('IMAGE_EDITOR').type = 'DOPESHEET_EDITOR'")
    cycles.click("flux_depth.preview_depth")
    cycles.wait_until("len(bpy.context.window_manager.windows) == 2", 60)
    shown = "bpy.context.window_manager.windows[1].screen.areas[0].spaces.active.image"
    cycles.wait_until(f"{shown} and {shown}.name == 'FLUX Depth Preview'")
    assert cycles.python("[len(window.modal_operators) for window in bpy.context.window_manager.windows]") == [0, 0]
    cycles.close_other_windows()


def test_a_workspace_left_during_a_cycles_render_gets_its_status_bar_back(cycles: Artist) -> None:
    idle = status_bar(cycles).getextrema()
    cycles.click("flux_depth.preview_depth")
    cycles.wait_for_picture(lambda: status_bar(cycles).getextrema() != idle)
    cycles.move((500, 500))
    cycles.key("ctrl+Next")
    cycles.wait_until("bpy.context.window.workspace.name != 'Layout'")
    cycles.wait_until("len(bpy.context.window_manager.windows) == 2", 60)
    cycles.close_other_windows()
    cycles.key("ctrl+Prior")
    cycles.wait_until("bpy.context.window.workspace.name == 'Layout'")
    cycles.wait_for_picture(lambda: status_bar(cycles).getextrema() == idle)


def test_a_window_that_closes_ends_its_cycles_render(cycles: Artist) -> None:
    cycles.python(
        "bpy.ops.wm.window_new()\n"
        "with bpy.context.temp_override(window=bpy.context.window_manager.windows[1]):\n"
        "    bpy.ops.flux_depth.preview_depth('INVOKE_DEFAULT')"
    )
    cycles.wait_until("len(bpy.context.window_manager.windows[1].modal_operators) == 1")
    cycles.close_other_windows()
    cycles.wait_until("len(bpy.context.window_manager.windows) == 1")
    assert not cycles.python("part('depth_preview').verdicts")
    cycles.click("flux_depth.preview_depth")  # and the next one is as any other
    cycles.wait_until("part('depth_preview').verdicts", 60)


def test_another_file_ends_a_cycles_render(cycles: Artist) -> None:
    cycles.click("flux_depth.preview_depth")
    cycles.wait_until(f"{BUSY} == 1")
    cycles.new_file()
    assert cycles.python(BUSY) == 0
    assert not cycles.python("part('depth_preview').verdicts")
    cycles.tab()
