"""What helps to set near and far: the eyedropper's depth, the frames in the view, the preview that keeps up."""

from __future__ import annotations

from collections.abc import Iterator
from math import radians
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from bl_ext.user_default.flux_depth import depth_preview, drawing, eyedropper, live, range_gizmo
from mathutils import Vector

from .scenes import add_box, add_plane, empty_scene


@pytest.fixture
def scene(data: Any) -> Iterator[bpy.types.Scene]:
    """A wall 10 units before a camera at the origin that looks along +Y."""
    made = empty_scene()
    add_plane(made, (0, 10, 0), (0, -1, 0))
    made.flux_depth.model_id = "sandbox"
    bpy.context.view_layer.update()
    yield made
    live.switch(False)
    range_gizmo.show(False)


# The eyedropper.


def test_a_point_is_measured_along_the_view_axis_as_a_render_measures(scene):
    assert eyedropper.depth_of(scene.camera, [Vector((7, 10, 3))], "near") == pytest.approx(10)


def test_a_scaled_camera_measures_what_an_unscaled_one_does(scene):
    scene.camera.scale = (3, 3, 3)
    bpy.context.view_layer.update()
    assert eyedropper.depth_of(scene.camera, [Vector((7, 10, 3))], "near") == pytest.approx(10)


def test_a_whole_object_counts_from_its_nearest_or_to_its_farthest_point_before_the_camera(scene):
    places = [Vector((0, y, 0)) for y in (-4, 2, 6)]
    assert eyedropper.depth_of(scene.camera, places, "near") == pytest.approx(2)
    assert eyedropper.depth_of(scene.camera, places, "far") == pytest.approx(6)


def test_a_panoramic_camera_measures_along_the_ray(scene):
    scene.camera.data.type = "PANO"
    assert eyedropper.depth_of(scene.camera, [Vector((3, 4, 0))], "far") == pytest.approx(5)


class OrthographicCameraView:
    """What a region knows of the view through an orthographic camera: 100 pixels square, clipped at 0.1 and 100."""

    width = height = 100

    def __init__(self, camera: bpy.types.Object) -> None:
        seen = camera.calc_matrix_camera(bpy.context.evaluated_depsgraph_get(), x=100, y=100)
        inverted = camera.matrix_world.normalized().inverted()
        self.data = SimpleNamespace(
            view_perspective="CAMERA", is_perspective=False, view_matrix=inverted, perspective_matrix=seen @ inverted
        )


def test_a_look_through_an_orthographic_camera_meets_what_is_before_the_middle_of_its_clip_range(scene):
    scene.camera.data.type = "ORTHO"
    origin, direction = eyedropper.ray_under(OrthographicCameraView(scene.camera), Vector((50, 50)))
    assert origin.y == pytest.approx(scene.camera.data.clip_start, abs=1e-3)
    assert tuple(direction) == pytest.approx((0, 1, 0), abs=1e-5)


# The frames in the view.


def test_an_orthographic_range_without_a_near_begins_with_a_whole_frame_at_the_camera(scene):
    scene.camera.data.type = "ORTHO"
    begin, end = range_gizmo.beginning(scene, scene.camera), range_gizmo.frame_at(scene, scene.camera, 5.0)
    edges = [end @ corner - begin @ corner for corner in range_gizmo.CORNERS]
    assert [tuple(edge) for edge in edges] == [pytest.approx((0, 5, 0), abs=1e-5)] * 4


def test_a_perspective_range_without_a_near_begins_in_a_point(scene):
    begin = range_gizmo.beginning(scene, scene.camera)
    assert [tuple(begin @ corner) for corner in range_gizmo.CORNERS] == [pytest.approx((0, 0, 0), abs=1e-6)] * 4


def corners(scene: bpy.types.Scene, depth: float) -> list[tuple[float, float]]:
    """Where in the camera's picture the corners of the drawn frame are, 0..1."""
    from bpy_extras.object_utils import world_to_camera_view

    frame = range_gizmo.frame_at(scene, scene.camera, depth)
    seen = [world_to_camera_view(scene, scene.camera, frame @ corner) for corner in range_gizmo.CORNERS]
    assert [each.z for each in seen] == pytest.approx([depth] * 4, rel=1e-4)
    return [(each.x, each.y) for each in seen]


@pytest.mark.parametrize("fit", ["AUTO", "HORIZONTAL", "VERTICAL"])
@pytest.mark.parametrize("kind", ["PERSP", "ORTHO"])
@pytest.mark.parametrize("size", [(320, 240), (240, 320)])
def test_the_drawn_frame_is_what_the_camera_frames(scene, kind, fit, size):
    scene.render.resolution_x, scene.render.resolution_y = size
    data = scene.camera.data
    data.type, data.sensor_fit, data.shift_x, data.shift_y = kind, fit, 0.2, -0.1
    scene.camera.rotation_euler.z, scene.camera.location = radians(30), (1, 2, 3)
    bpy.context.view_layer.update()
    flat = [number for corner in corners(scene, 4.0) for number in corner]
    assert flat == pytest.approx([0, 0, 1, 0, 1, 1, 0, 1], abs=1e-4)


def test_near_stays_before_far_however_far_it_is_dragged():
    assert range_gizmo.within("near", 30, 9) < 9
    assert range_gizmo.within("far", 2, 9) > 9
    assert range_gizmo.within("near", -5, None) > 0


def test_a_drag_that_snaps_gives_two_digits():
    assert [range_gizmo.to_two_digits(each) for each in (4.782, 0.0137, 128)] == pytest.approx([4.8, 0.014, 130])


def test_an_automatic_end_is_where_the_preview_found_it_in_the_scene_s_own_unit(scene):
    assert depth_preview.ends_of(scene) == {"near": None, "far": None}
    add_box(scene, (-1, -1, -1), (1, 1, 1), at=(0, 5, 0))
    scene.unit_settings.scale_length = 0.01
    bpy.ops.flux_depth.preview_depth()
    assert depth_preview.ends_of(scene)["near"] == pytest.approx(4, rel=0.01)
    scene.flux_depth.use_near, scene.flux_depth.near = True, 2.0
    assert depth_preview.ends_of(scene)["near"] == 2.0


def test_the_switch_says_whether_the_range_is_drawn(scene):
    owner = bpy.context.window_manager
    assert not owner.flux_depth_range
    owner.flux_depth_range = True
    assert owner.flux_depth_range
    owner.flux_depth_range = False
    assert not owner.flux_depth_range


def test_a_distance_reads_as_the_scene_s_fields_do(scene):
    assert drawing.distance(scene, 2.1) == "2.1 m"
    scene.unit_settings.scale_length = 0.01
    assert drawing.distance(scene, 210) == "2.1 m"
    scene.unit_settings.system = "NONE"
    assert drawing.distance(scene, 2.1) == "2.1"


# The preview that keeps up.


@pytest.fixture
def at_work(scene: bpy.types.Scene, monkeypatch: Any) -> SimpleNamespace:
    """Live is on over a preview; counts what is rendered and mapped, and waits until it is quiet."""
    add_box(scene, (-1, -1, -1), (1, 1, 1), at=(0, 5, 0))
    bpy.ops.flux_depth.preview_depth()
    made = SimpleNamespace(renders=0, maps=0, scene=scene)
    rendering, show = depth_preview.rendering, depth_preview.show

    def counted_render(*given: Any, **named: Any) -> Any:
        made.renders += 1
        return rendering(*given, **named)

    def counted_map(*given: Any, **named: Any) -> Any:
        made.maps += 1
        return show(*given, **named)

    monkeypatch.setattr(depth_preview, "rendering", counted_render)
    monkeypatch.setattr(depth_preview, "show", counted_map)
    monkeypatch.setattr(depth_preview, "window_in_sight", lambda: bpy.context.window_manager.windows[0])
    monkeypatch.setattr(live, "QUIET_SECONDS", 0.0)
    live.switch(True)
    look(made)
    return made


def look(made: SimpleNamespace) -> None:
    bpy.context.view_layer.update()
    live._tick()
    bpy.context.view_layer.update()
    made.renders_before, made.maps_before = made.renders, made.maps


def news(made: SimpleNamespace) -> tuple[int, int]:
    """Renders and maps of one look."""
    bpy.context.view_layer.update()
    live._tick()
    bpy.context.view_layer.update()
    found = made.renders - made.renders_before, made.maps - made.maps_before
    made.renders_before, made.maps_before = made.renders, made.maps
    return found


def test_nothing_is_done_while_nothing_changes_and_our_own_render_is_no_change(at_work):
    assert [news(at_work) for _ in range(3)] == [(0, 0)] * 3


def test_a_change_of_near_far_or_curve_needs_no_render(at_work):
    at_work.scene.flux_depth.use_far, at_work.scene.flux_depth.far = True, 30.0
    assert news(at_work) == (0, 1)
    assert depth_preview.verdicts[at_work.scene.session_uid].far == pytest.approx(30)
    at_work.scene.flux_depth.curve = "linear"
    assert news(at_work) == (0, 1)


def test_a_change_of_the_map_s_shape_needs_no_render(at_work):
    at_work.scene.flux_depth_shape.faithfulness = "inspired"
    assert news(at_work) == (0, 1)
    at_work.scene.flux_depth_shape.detail = 0.5
    assert news(at_work) == (0, 1)


def test_a_thing_that_moves_is_rendered_anew(at_work):
    bpy.data.objects["Box"].location.x = 2
    assert news(at_work) == (1, 1)


@pytest.mark.parametrize("change", ["frame", "size", "engine"])
def test_another_frame_size_or_engine_is_rendered_anew(at_work, change):
    if change == "frame":
        at_work.scene.frame_set(7)
    elif change == "size":
        at_work.scene.flux_depth.megapixels = 0.5
        at_work.scene.update_tag()
    else:
        at_work.scene.flux_depth.engine = "CYCLES"
        at_work.scene.update_tag()
    assert news(at_work)[0] == 1


def test_a_selection_is_no_change(at_work):
    bpy.data.objects["Box"].select_set(True)
    assert news(at_work) == (0, 0)


def test_it_waits_until_nothing_has_changed_for_a_moment(at_work, monkeypatch):
    monkeypatch.setattr(live, "QUIET_SECONDS", 60.0)
    bpy.data.objects["Box"].location.x = 2
    assert news(at_work) == (0, 0)
    monkeypatch.setattr(live, "QUIET_SECONDS", 0.0)
    assert news(at_work) == (1, 1)


def test_a_slow_scene_is_not_rendered_by_itself_and_that_is_said(at_work, monkeypatch):
    monkeypatch.setattr(live, "SLOW_SECONDS", 0.0)
    bpy.data.objects["Box"].location.x = 2
    assert news(at_work) == (0, 0)
    assert "Live waits: this scene takes" in live.sentence
    bpy.ops.flux_depth.preview_depth()
    news(at_work)
    assert not live.sentence


def test_what_goes_wrong_is_one_sentence_until_it_is_put_right(at_work):
    settings = at_work.scene.flux_depth
    settings.use_near, settings.near, settings.use_far, settings.far = True, 50.0, True, 9.0
    news(at_work)
    assert live.sentence == "Near (50 m) is not below Far (9 m): make it smaller."
    settings.near = 2.0
    news(at_work)
    assert not live.sentence


def test_switched_off_it_hears_of_nothing(at_work):
    bpy.context.window_manager.flux_depth_live = False
    assert not bpy.app.timers.is_registered(live._tick)
    assert live._note not in list(bpy.app.handlers.depsgraph_update_post)
    assert live._note not in list(bpy.app.handlers.frame_change_post)


def test_another_file_leaves_it_on_and_with_nothing_to_do(at_work):
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert live.is_on()
    assert depth_preview.seen is None
    live._tick()
    assert not live.sentence
