"""The captured depth against geometry, and what Blender keeps of a render against what it kept before."""

from __future__ import annotations

from contextlib import nullcontext
from math import radians
from pathlib import Path
from tempfile import TemporaryDirectory

import bmesh
import bpy
import numpy as np
import pytest
from bl_ext.user_default.flux_depth import capture as module
from bl_ext.user_default.flux_depth import render_result
from bl_ext.user_default.flux_depth.capture import camera_of, capture, frame_aspect, is_panoramic
from bl_ext.user_default.flux_depth.core.errors import InputError
from bl_ext.user_default.flux_depth.core.framing import Framing, Limits, fit

from .scenes import (
    PanoramicRays,
    Rays,
    add,
    add_box,
    add_camera,
    add_plane,
    add_sphere,
    box_mesh,
    empty_scene,
    instances_on_one_point,
    mesh,
)

SMALL = Framing(160, 120, 0, 0, 160, 120)
TILTED = ((0.5, 6, -0.3), (0.35, -1, 0.5))
"""A point and the normal of a plane whose depth differs from pixel to pixel in both directions."""


@pytest.fixture
def scene() -> bpy.types.Scene:
    return empty_scene()


def assert_same_depth(z: np.ndarray, expected: np.ndarray, where: np.ndarray | None = None) -> None:
    where = np.ones(z.shape, bool) if where is None else where
    assert z.shape == expected.shape
    assert z.dtype == np.float32
    assert where.mean() > 0.05, "there is something to compare"
    assert np.array_equal(np.isfinite(z[where]), np.isfinite(expected[where]))
    hit = where & np.isfinite(expected)
    assert np.abs(z[hit] / expected[hit] - 1).max() < 1e-4


# The camera


def shifted(scene: bpy.types.Scene) -> None:
    scene.camera.data.shift_x, scene.camera.data.shift_y = 0.31, -0.17


def long_lens(scene: bpy.types.Scene) -> None:
    scene.camera.data.lens = 85


def orthographic(scene: bpy.types.Scene) -> None:
    scene.camera.data.type, scene.camera.data.ortho_scale = "ORTHO", 2.5


def orthographic_shifted_portrait(scene: bpy.types.Scene) -> None:
    orthographic(scene)
    portrait(scene)
    shifted(scene)


def portrait(scene: bpy.types.Scene) -> None:
    scene.render.resolution_x, scene.render.resolution_y = 203, 311


def portrait_with_horizontal_fit(scene: bpy.types.Scene) -> None:
    portrait(scene)
    scene.camera.data.sensor_fit = "HORIZONTAL"


def vertical_fit_shifted(scene: bpy.types.Scene) -> None:
    scene.camera.data.sensor_fit, scene.camera.data.sensor_height = "VERTICAL", 19
    shifted(scene)


def wide_pixels(scene: bpy.types.Scene) -> None:
    scene.render.pixel_aspect_x = 2


def tall_pixels_shifted(scene: bpy.types.Scene) -> None:
    scene.render.pixel_aspect_y = 2
    shifted(scene)


def percentage_is_not_the_frame(scene: bpy.types.Scene) -> None:
    scene.render.resolution_percentage = 33


def tiny_sensor(scene: bpy.types.Scene) -> None:
    scene.camera.data.sensor_fit, scene.camera.data.sensor_width = "HORIZONTAL", 1
    scene.camera.data.lens = 1.5


def sheared_by_its_parent(scene: bpy.types.Scene) -> None:
    parent = add(scene, "Parent", None)
    parent.scale, parent.rotation_euler = (1.6, 1, 1), (0, 0, 0.2)
    scene.camera.parent = parent
    scene.camera.rotation_euler.y = 0.2


def turned_by_a_constraint(scene: bpy.types.Scene) -> None:
    scene.camera.location = (0.3, -0.5, 0.4)
    scene.camera.constraints.new("TRACK_TO").target = add(scene, "Target", None, (-0.4, 5, 0.7))


def animated_and_driven(scene: bpy.types.Scene) -> None:
    data = scene.camera.data
    for frame, lens, x in ((1, 20, 0), (9, 70, 0.8)):
        data.lens, scene.camera.location.x = lens, x
        data.keyframe_insert("lens", frame=frame)
        scene.camera.keyframe_insert("location", frame=frame)
    data.driver_add("shift_x").driver.expression = "frame / 50"
    scene.frame_set(4, subframe=0.5)


def bound_to_a_marker(scene: bpy.types.Scene) -> None:
    other = add_camera(scene, "Other")
    scene.timeline_markers.new("cut", frame=1).camera = other


CAMERAS = [
    long_lens, shifted, orthographic, orthographic_shifted_portrait, portrait, portrait_with_horizontal_fit,
    vertical_fit_shifted, wide_pixels, tall_pixels_shifted, percentage_is_not_the_frame, tiny_sensor,
    turned_by_a_constraint, animated_and_driven, bound_to_a_marker,
]  # fmt: skip


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_crop_box_is_exactly_the_frame(scene: bpy.types.Scene, camera) -> None:
    camera(scene)
    add_plane(scene, *TILTED)
    for framing in (fit(frame_aspect(scene), Limits()), Framing(320, 256, 21, 37, 211, 173)):
        expected = Rays(scene, framing).plane(*TILTED)
        assert_same_depth(capture(scene=scene, framing=framing), expected, expected < 40)


@pytest.mark.parametrize("camera", [shifted, orthographic_shifted_portrait, tall_pixels_shifted, vertical_fit_shifted])
def test_cycles_agrees_with_the_geometry(scene: bpy.types.Scene, camera) -> None:
    camera(scene)
    add_plane(scene, *TILTED)
    framing = Framing(160, 128, 11, 17, 103, 91)
    expected = Rays(scene, framing).plane(*TILTED)
    assert_same_depth(capture(scene=scene, framing=framing, engine="CYCLES"), expected, expected < 40)


def test_a_sheared_camera_shows_what_blender_shows(scene: bpy.types.Scene) -> None:
    sheared_by_its_parent(scene)
    add_plane(scene, *TILTED)
    bpy.context.view_layer.update()
    z = capture(scene=scene, framing=SMALL)
    assert_same_depth(z, bare_render(scene))


def test_a_facing_plane_has_one_depth(scene: bpy.types.Scene) -> None:
    add_plane(scene, (0, 7.25, 0), (0, -1, 0))
    assert_same_depth(capture(scene=scene, framing=SMALL), np.full((120, 160), 7.25))


@pytest.mark.parametrize("engine", ["WORKBENCH", "CYCLES"])
def test_a_sphere_is_round(scene: bpy.types.Scene, engine) -> None:
    scene.camera.data.shift_x = 0.1
    add_sphere(scene, (0.4, 5, 0.2), 1.3)
    framing = fit(frame_aspect(scene), Limits(), megapixels=0.25)
    expected, incidence = Rays(scene, framing).sphere((0.4, 5, 0.2), 1.3)
    z = capture(scene=scene, framing=framing, engine=engine)
    assert_same_depth(z, expected, incidence > 0.3)
    outside = Rays(scene, framing).sphere((0.4, 5, 0.2), 1.31)[0] == np.inf
    assert np.isinf(z[outside]).all()


def test_every_step_of_a_stair_is_at_its_depth(scene: bpy.types.Scene) -> None:
    scene.camera.data.type, scene.camera.data.ortho_scale = "ORTHO", 4
    for step in range(8):
        add_box(scene, (-3, 3 + 0.37 * step, -1.6 + 0.4 * step), (3, 9, -1.2 + 0.4 * step))
    z = capture(scene=scene, framing=Framing(320, 320, 0, 40, 320, 240))
    height = 2 - (np.arange(320) + 0.5) / 80
    step = np.floor((height + 1.6) / 0.4)
    expected = np.where((step >= 0) & (step < 8), 3 + 0.37 * step, np.inf)
    assert_same_depth(z, np.repeat(expected[:, None], 320, axis=1))


def test_a_panorama_has_the_distance_along_the_ray(scene: bpy.types.Scene) -> None:
    panoramic(scene)
    scene.camera.rotation_euler.z = 0.4
    add_sphere(scene, (0.5, 2, 0.3), 1)
    add_plane(scene, (0, 0, -1.5), (0, 0, 1))
    framing = Framing(320, 160, 0, 0, 320, 160)
    rays = PanoramicRays(scene, framing)
    sphere, incidence = rays.sphere((0.5, 2, 0.3), 1)
    near_edge = np.isfinite(rays.sphere((0.5, 2, 0.3), 1.03)[0]) & (incidence < 0.5)
    expected = np.minimum(sphere, rays.plane((0, 0, -1.5), (0, 0, 1)))
    z = capture(scene=scene, framing=framing, engine="CYCLES")
    assert_same_depth(z, expected, ~near_edge & ~((expected > 10) & np.isfinite(expected)))


def panoramic(scene: bpy.types.Scene) -> None:
    data = scene.camera.data
    data.type = "PANO"
    owner = data if hasattr(data, "panorama_type") else data.cycles
    owner.panorama_type = "EQUIRECTANGULAR"
    scene.render.resolution_x, scene.render.resolution_y = 320, 160


@pytest.mark.parametrize("engine", ["WORKBENCH", "CYCLES"])
def test_the_clip_range_is_honoured(scene: bpy.types.Scene, engine) -> None:
    scene.camera.data.clip_start, scene.camera.data.clip_end = 2.5, 5
    add_box(scene, (-9, 2, -9), (-0.5, 2, 9))
    add_box(scene, (-9, 3, -9), (0.5, 3, 9))
    add_box(scene, (-9, 6, -9), (9, 6, 9))
    z = capture(scene=scene, framing=SMALL, engine=engine)
    assert np.allclose(z[:, :80], 3, rtol=1e-4)
    assert np.isinf(z[:, 120:]).all()


def test_a_camera_out_of_sight_is_where_its_keys_put_it(scene: bpy.types.Scene) -> None:
    hidden = bpy.data.collections.new("Hidden")
    scene.collection.children.link(hidden)
    other = add_camera(scene, "Other")
    hidden.objects.link(other)
    scene.collection.objects.unlink(other)
    for frame in (1, 11):
        other.location.y, other.data.lens = frame / 10, 10 + frame
        other.keyframe_insert("location", frame=frame)
        other.data.keyframe_insert("lens", frame=frame)
    add_plane(scene, *TILTED)
    scene.frame_set(7, subframe=0.25)
    expected = Rays(scene, SMALL, other).plane(*TILTED)
    scene.frame_set(2)
    bpy.context.view_layer.layer_collection.children["Hidden"].exclude = True
    scene.frame_set(7, subframe=0.25)
    assert_same_depth(capture(scene=scene, framing=SMALL, camera=other), expected, expected < 40)


# What is in the picture


def nearest_in_the_middle(scene: bpy.types.Scene, **options) -> float:
    add_plane(scene, (0, 20, 0), (0, -1, 0))
    return float(capture(scene=scene, framing=SMALL, **options)[40:80, 60:100].min())


def test_modifiers_are_included(scene: bpy.types.Scene) -> None:
    array = add_box(scene, (-30, 4, -1), (-28, 5, 1)).modifiers.new("Array", "ARRAY")
    array.use_relative_offset, array.use_constant_offset = False, True
    array.constant_offset_displace = (29, 0, 0)
    assert nearest_in_the_middle(scene) == pytest.approx(4, rel=1e-4)


def test_collection_instances_are_included(scene: bpy.types.Scene) -> None:
    collection = bpy.data.collections.new("Parts")
    collection.objects.link(bpy.data.objects.new("Part", box_mesh((-1, 0, -1), (1, 1, 1))))
    instance = add(scene, "Instance", None, (0, 4, 0))
    instance.instance_type, instance.instance_collection = "COLLECTION", collection
    assert nearest_in_the_middle(scene) == pytest.approx(4, rel=1e-4)


def test_curves_with_a_bevel_are_included(scene: bpy.types.Scene) -> None:
    curve = bpy.data.curves.new("Pipe", "CURVE")
    curve.dimensions, curve.bevel_depth, curve.bevel_resolution = "3D", 0.5, 16
    spline = curve.splines.new("POLY")
    spline.points.add(1)
    spline.points[0].co, spline.points[1].co = (-9, 4.5, 0, 1), (9, 4.5, 0, 1)
    add(scene, "Pipe", curve)
    assert nearest_in_the_middle(scene) == pytest.approx(4, rel=1e-3)


def test_text_is_included(scene: bpy.types.Scene) -> None:
    text = bpy.data.curves.new("Text", "FONT")
    text.body, text.size, text.extrude, text.align_x, text.align_y = "MMM", 2, 0.25, "CENTER", "CENTER"
    add(scene, "Text", text, (0, 4.25, 0)).rotation_euler.x = radians(90)
    assert nearest_in_the_middle(scene) == pytest.approx(4, rel=1e-3)


def test_particle_hair_is_included(scene: bpy.types.Scene) -> None:
    skin = add_plane(scene, (0, 5, 0), (0, -1, 0), size=1)
    skin.modifiers.new("Hair", "PARTICLE_SYSTEM")
    hair = skin.particle_systems[0].settings
    hair.type, hair.count, hair.hair_length = "HAIR", 500, 1
    nearest = nearest_in_the_middle(scene)
    assert 3.9 < nearest < 4.7


def test_geometry_nodes_and_their_instances_are_included(scene: bpy.types.Scene) -> None:
    part = bpy.data.objects.new("Part", box_mesh((-1, 0, -1), (1, 1, 1)))
    nodes = add(scene, "Nodes", mesh("Nothing", [], []), (0, 4, 0)).modifiers.new("Nodes", "NODES")
    nodes.node_group = instances_on_one_point(part)
    assert nearest_in_the_middle(scene) == pytest.approx(4, rel=1e-4)


def test_the_moment_is_the_subframe(scene: bpy.types.Scene) -> None:
    box = add_box(scene, (-2, 0, -2), (2, 1, 2))
    for frame, y in ((1, 3), (2, 8)):
        box.location.y = y
        box.keyframe_insert("location", frame=frame)
    scene.frame_set(1, subframe=0.3)
    assert 3.2 < box.location.y < 7
    assert nearest_in_the_middle(scene) == pytest.approx(box.location.y, rel=1e-4)


def test_what_the_current_view_layer_excludes_is_left_out(scene: bpy.types.Scene) -> None:
    front = bpy.data.collections.new("Front")
    scene.collection.children.link(front)
    front.objects.link(bpy.data.objects.new("Box", box_mesh((-2, 4, -2), (2, 5, 2))))
    bare = scene.view_layers.new("Bare")
    bare.use_pass_z = scene.view_layers[0].use_pass_z = True
    bare.layer_collection.children["Front"].exclude = True
    assert nearest_in_the_middle(scene) == pytest.approx(4, rel=1e-4)
    assert nearest_in_the_middle(scene, view_layer="Bare") == pytest.approx(20, rel=1e-4)
    bpy.context.window.view_layer = bare
    assert nearest_in_the_middle(scene) == pytest.approx(20, rel=1e-4)


def test_hidden_for_renders_is_left_out_and_hidden_in_the_viewport_is_in(scene: bpy.types.Scene) -> None:
    add_box(scene, (-2, 3, -2), (2, 4, 2)).hide_render = True
    add_box(scene, (-2, 5, -2), (2, 6, 2)).hide_set(True)
    assert nearest_in_the_middle(scene) == pytest.approx(5, rel=1e-4)


def test_edits_of_a_mesh_in_edit_mode_are_in_and_the_mode_stays(scene: bpy.types.Scene) -> None:
    box = add_box(scene, (-2, 5, -2), (2, 6, 2))
    bpy.context.view_layer.objects.active = box
    bpy.ops.object.mode_set(mode="EDIT")
    edited = bmesh.from_edit_mesh(box.data)
    bmesh.ops.translate(edited, verts=edited.verts, vec=(0, -1, 0))
    assert nearest_in_the_middle(scene) == pytest.approx(4, rel=1e-4)
    assert box.mode == "EDIT"


def test_rigid_bodies_are_where_the_simulation_has_them(scene: bpy.types.Scene) -> None:
    box = add_box(scene, (-1, 4, -1), (1, 5, 1))
    bpy.ops.rigidbody.world_add()
    scene.rigidbody_world.collection = bpy.data.collections.new("Bodies")
    scene.rigidbody_world.collection.objects.link(box)
    scene.gravity = (0, 9.81, 0)
    for frame in range(1, 16):
        scene.frame_set(frame)
    moved = box.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world.translation.y
    assert moved > 0.5
    assert nearest_in_the_middle(scene) == pytest.approx(4 + moved, rel=1e-4)
    assert not scene.rigidbody_world.point_cache.is_baked


def test_objects_shown_in_front_keep_their_depth_and_the_setting(scene: bpy.types.Scene) -> None:
    box = add_box(scene, (-2, 4, -2), (2, 5, 2))
    box.show_in_front = True
    assert nearest_in_the_middle(scene) == pytest.approx(4, rel=1e-4)
    assert box.show_in_front


def test_a_unit_scale_counts_unless_the_scene_has_no_units(scene: bpy.types.Scene) -> None:
    add_box(scene, (-2, 4, -2), (2, 6, 2))
    scene.unit_settings.system, scene.unit_settings.scale_length = "METRIC", 0.01
    assert nearest_in_the_middle(scene) == pytest.approx(0.04, rel=1e-4)
    scene.unit_settings.system = "NONE"
    assert nearest_in_the_middle(scene) == pytest.approx(4, rel=1e-4)


def test_settings_that_bend_a_render_do_not_bend_the_depth(scene: bpy.types.Scene) -> None:
    add_plane(scene, *TILTED)
    expected = Rays(scene, SMALL).plane(*TILTED)
    render, shading = scene.render, scene.display.shading
    render.use_border = render.use_crop_to_border = render.use_multiview = render.use_motion_blur = True
    render.border_max_x = 0.5
    render.use_freestyle = render.use_stamp = render.use_single_layer = True
    shading.show_xray, shading.show_backface_culling, scene.display.render_aa = True, True, "32"
    scene.camera.data.dof.use_dof = True
    scene.view_layers[0].use = False
    assert_same_depth(capture(scene=scene, framing=SMALL), expected, expected < 40)


def test_the_scenes_own_engine_serves_too(scene: bpy.types.Scene) -> None:
    add_plane(scene, *TILTED)
    expected = Rays(scene, SMALL).plane(*TILTED)
    scene.render.engine = "CYCLES"
    assert_same_depth(capture(scene=scene, framing=SMALL, engine="SCENE"), expected, expected < 40)


# The Render Result, and handlers


def bare_render(scene: bpy.types.Scene) -> np.ndarray:
    """The depth of the user's own scene rendered as it is, at the size of SMALL."""
    scene.render.resolution_x, scene.render.resolution_y = SMALL.width, SMALL.height
    scene.view_layers[0].use_pass_z = True
    module.keep_only_depth(scene, "WORKBENCH")
    with TemporaryDirectory() as folder:
        return module.rendered_depth(scene, Path(folder))


def test_no_render_result_appears(scene: bpy.types.Scene) -> None:
    for image in list(bpy.data.images):
        bpy.data.images.remove(image)
    capture(scene=scene, framing=SMALL)
    assert not bpy.data.images


def test_the_users_render_result_is_byte_identical(scene: bpy.types.Scene, tmp_path: Path) -> None:
    add_sphere(scene, (0, 5, 0), 1, rings=16)
    rendered(scene)
    before = saved_render_result(scene, tmp_path)
    capture(scene=scene, framing=SMALL)
    assert saved_render_result(scene, tmp_path) == before


def test_every_render_slot_keeps_its_picture(scene: bpy.types.Scene, tmp_path: Path) -> None:
    image, before = rendered(scene), {}
    while len(image.render_slots) < 5:
        image.render_slots.new()
    for slot, distance in ((1, 4), (2, 6), (4, 8)):
        add_sphere(scene, (0, distance, 0), 1, rings=16)
        image.render_slots.active_index = slot
        bpy.ops.render.render()
    for slot in (1, 2, 4):
        image.render_slots.active_index = slot
        before[slot] = saved_render_result(scene, tmp_path)
    for on_view in (4, 1, 3):
        image.render_slots.active_index = on_view
        capture(scene=scene, framing=SMALL)
        assert image.render_slots.active_index == on_view
        for slot in (1, 2, 4):
            image.render_slots.active_index = slot
            assert saved_render_result(scene, tmp_path) == before[slot]


def saved_render_result(scene: bpy.types.Scene, folder: Path) -> bytes:
    path = folder / "result.png"
    render_result.find().save_render(str(path), scene=scene)
    return path.read_bytes()


@pytest.mark.parametrize("fails", [False, True])
def test_blender_keeps_no_picture_of_a_scene_that_is_gone(scene: bpy.types.Scene, tmp_path, monkeypatch, fails) -> None:
    if fails:
        monkeypatch.setattr(module, "read_channel", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError) if fails else nullcontext():
        capture(scene=scene, framing=SMALL)
    later = [scene.copy() for _ in range(5)]
    assert not any(render_result.shows(render_result.find() or rendered(scene), 0, each, tmp_path) for each in later)


def rendered(scene: bpy.types.Scene) -> bpy.types.Image:
    """A Render Result, which there is none of before the first render."""
    scene.render.engine = "BLENDER_WORKBENCH"
    bpy.ops.render.render()
    return render_result.find()


def test_other_peoples_handlers_stay_quiet_and_in_place(scene: bpy.types.Scene) -> None:
    called = []

    def noisy(*_: object) -> None:
        called.append(True)

    handlers = (bpy.app.handlers.render_init, bpy.app.handlers.render_complete, bpy.app.handlers.frame_change_pre)
    for handler in handlers:
        handler.append(noisy)
    try:
        capture(scene=scene, framing=SMALL)
        assert [handler[-1] for handler in handlers] == [noisy] * 3
    finally:
        for handler in handlers:
            handler.remove(noisy)
    assert not called


# What cannot be done


def test_a_scene_without_a_camera_is_named(scene: bpy.types.Scene) -> None:
    scene.camera = None
    with pytest.raises(InputError, match=r"^Scene “Scene” has no camera: add one, or make one active\.$"):
        capture(scene=scene, framing=SMALL)


def test_only_a_camera_is_taken_for_one(scene: bpy.types.Scene) -> None:
    box = add_box(scene, (0, 0, 0), (1, 1, 1))
    with pytest.raises(InputError, match="“Box” is not a camera"):
        capture(scene=scene, framing=SMALL, camera=box)
    with pytest.raises(InputError, match="“Box” is not a camera"):
        camera_of(scene, "Box")
    with pytest.raises(InputError, match="has no camera “Nowhere”"):
        camera_of(scene, "Nowhere")
    assert camera_of(scene, "Camera") == camera_of(scene) == scene.camera


@pytest.mark.parametrize(("width", "height", "reason"), [(2, 64, "too small"), (16000, 16000, "memory")])
def test_a_size_out_of_bounds_is_refused(scene: bpy.types.Scene, width, height, reason) -> None:
    with pytest.raises(InputError, match=reason):
        capture(scene=scene, framing=Framing(width, height, 0, 0, 1, 1))


def test_a_panoramic_camera_needs_cycles(scene: bpy.types.Scene) -> None:
    panoramic(scene)
    assert is_panoramic(scene.camera)
    with pytest.raises(InputError, match="panoramic: set Engine to Cycles"):
        capture(scene=scene, framing=SMALL)


def test_a_foreign_engine_is_refused(scene: bpy.types.Scene) -> None:
    bpy.utils.register_class(ForeignEngine)
    try:
        scene.render.engine = "FOREIGN"
        with pytest.raises(InputError, match="“FOREIGN” is not one of Blender's own"):
            capture(scene=scene, framing=SMALL, engine="SCENE")
    finally:
        scene.render.engine = "CYCLES"
        bpy.utils.unregister_class(ForeignEngine)


class ForeignEngine(bpy.types.RenderEngine):
    bl_idname, bl_label = "FOREIGN", "Foreign"


def test_an_unknown_view_layer_is_named(scene: bpy.types.Scene) -> None:
    with pytest.raises(InputError, match="no view layer “Nowhere”"):
        capture(scene=scene, framing=SMALL, view_layer="Nowhere")


def test_the_aspect_of_the_frame_counts_the_pixels_shape(scene: bpy.types.Scene) -> None:
    scene.render.pixel_aspect_x = 1.5
    assert frame_aspect(scene) == pytest.approx(2)


def test_a_machine_without_opengl_is_told_instead_of_losing_the_process(scene: bpy.types.Scene, monkeypatch) -> None:
    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(module.ctypes, "CDLL", missing)
    with pytest.raises(InputError, match=r"libEGL\.so\.1"):
        capture(scene=scene, framing=SMALL)
