"""A picture as a material on what its camera sees: its colours where they belong, and gone without a trace."""

import json
import subprocess
import sys
import tempfile
from math import radians
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Vector
from PIL import Image

from tests.blender import hostile
from tests.blender.fingerprint import difference, settled
from tests.blender.scenes import Rays, add, add_box, add_camera, add_plane, add_sphere, empty_scene
from tests.blender.test_generate import finished, generate, wait

WIDE, HIGH = 160, 120
GREY = 0.5
BOX = ((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))


@pytest.fixture
def scene(part):
    """A wall eight metres before the camera, a box between them; all glows grey where nothing is projected."""
    scene = empty_scene(WIDE, HIGH)
    add_plane(scene, (0, 8, 0), (0, -1, 0), size=20).name = "Wall"
    add_box(scene, *BOX, at=(0.4, 4, 0.2))
    for thing in scene.objects:
        if thing.type == "MESH":
            thing.data.materials.append(glowing())
    bpy.context.view_layer.update()
    return scene


def glowing(grey=GREY):
    made = bpy.data.materials.get("Grey") or bpy.data.materials.new("Grey")
    if bpy.app.version < (5, 0, 0):
        made.use_nodes = True
    tree = made.node_tree
    emission = tree.nodes.new("ShaderNodeEmission")
    emission.inputs["Color"].default_value = (grey, grey, grey, 1)
    tree.links.new(emission.outputs[0], next(n for n in tree.nodes if n.type == "OUTPUT_MATERIAL").inputs["Surface"])
    return made


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """A folder of its own for what is temporary: the fingerprint looks at all that lies there."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


@pytest.fixture
def picture(tmp_path):
    """Red says how far from the left, green how far from the top, in pixels; blue is full."""
    path = tmp_path / "picture.png"
    pixels = np.full((HIGH, WIDE, 3), 255, np.uint8)
    pixels[..., 1], pixels[..., 0] = np.mgrid[:HIGH, :WIDE]
    Image.fromarray(pixels).save(path)
    return path


def flat(tmp_path, name, colour):
    path = tmp_path / f"{name}.png"
    Image.new("RGB", (WIDE, HIGH), colour).save(path)
    return path


@pytest.fixture
def project(part):
    """Projects as the button does."""

    def project(scene, picture, camera="Camera", chosen=None, **more):
        source = part("projection_view").Source(picture, camera, **more)
        return part("projection").project(scene, scene.view_layers[0], source, chosen)

    return project


@pytest.fixture
def ready(fresh_file, data, part):
    """A scene that may generate in the sandbox, small pictures, with a journal of its own."""
    dials = fresh_file.flux_depth
    dials.model_id, dials.prompt, dials.megapixels = "sandbox", "a garden", 0.1
    part("watch").unregister()
    part("watch").register()
    yield fresh_file
    part("worker_process").let_go()


@pytest.fixture
def run(part, tmp_path, capfd):
    """Runs the command line in this process: the exit code, the JSON, and what it said."""

    def run(*arguments):
        told = tmp_path / "outcome.json"
        words = ["--data-dir", str(tmp_path / "data"), *map(str, arguments)]
        code = part("cli").main([words[2], *words[:2], *words[3:], "--json", str(told)])
        return code, json.loads(told.read_text()), capfd.readouterr().err

    return run


def rendered(scene, tmp_path, camera=None):
    """What Cycles shows at every pixel's centre, (height, width, 3) in the picture's own values."""
    scene.camera = camera or scene.camera
    scene.render.engine, scene.view_settings.view_transform = "CYCLES", "Standard"
    scene.cycles.samples, scene.cycles.pixel_filter_type, scene.cycles.filter_width = 1, "GAUSSIAN", 0.01
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    scene.render.dither_intensity = 0
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(tmp_path / "rendered.png")
    bpy.ops.render.render(write_still=True)
    return np.asarray(Image.open(scene.render.filepath).convert("RGB")).astype(int)


def beside(scene, at=(4, 1, 1), towards=(0.3, 6, 0)):
    """A second camera that looks from the side."""
    camera = add_camera(scene, "Beside")
    camera.location = at
    camera.rotation_euler = (Vector(towards) - Vector(at)).to_track_quat("-Z", "Y").to_euler()
    bpy.context.view_layer.update()
    return camera


def shape(camera, kind):
    """Kinds of lenses that frame each in its own way."""
    data = camera.data
    if "ortho" in kind:
        data.type, data.ortho_scale = "ORTHO", 5
    if "shift" in kind:
        data.shift_x, data.shift_y = 0.15, -0.1
    if "vertical" in kind:
        data.sensor_fit, data.sensor_height = "VERTICAL", 20
    camera.location, camera.rotation_euler = (0.3, -0.5, 0.4), (radians(86), radians(4), radians(3))
    bpy.context.view_layer.update()


KINDS = ("plain", "shift vertical", "ortho", "ortho shift vertical")


@pytest.mark.parametrize("kind", KINDS)
def test_from_where_it_was_painted_the_render_is_the_picture(scene, project, picture, tmp_path, kind):
    shape(scene.camera, kind)
    assert len(project(scene, picture).things) == 2
    off = np.abs(rendered(scene, tmp_path) - np.asarray(Image.open(picture)).astype(int))
    assert off.max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_from_elsewhere_each_colour_lies_where_its_pixel_looked_and_nowhere_hidden(
    scene, project, picture, tmp_path, kind
):
    """On the wall, whose places are known: the pixel that saw them, and grey where the box was in between."""
    from bl_ext.user_default.flux_depth.core.framing import Framing

    shape(scene.camera, kind)
    project(scene, picture)
    box, projecting, other = bpy.data.objects["Box"], scene.camera, beside(scene)
    box.hide_render = True
    shown = rendered(scene, tmp_path, other)
    rays = Rays(scene, Framing(WIDE, HIGH, 0, 0, WIDE, HIGH), other)
    points = rays.origin + rays.direction * rays.plane((0, 8, 0), (0, -1, 0))[..., None]
    u, v = on_frame(scene, projecting, points)
    edge = behind_box(projecting, points, box, grown=0.1)
    clear = within(u, v, -1) & ~edge
    assert clear.mean() > 0.1
    assert behind_box(projecting, points, box).sum() > 100
    assert np.abs(shown[clear][:, 0] - (u[clear] - 0.5)).max() < 0.51
    assert np.abs(shown[clear][:, 1] - (v[clear] - 0.5)).max() < 0.51
    covered = behind_box(projecting, points, box, grown=-0.1)
    assert np.ptp(shown[covered | ~within(u, v, 1.5)]) == 0


def on_frame(scene, camera, points):
    """In pixels of the picture, by Blender's own projection."""
    depsgraph = bpy.context.evaluated_depsgraph_get()
    matrix = camera.calc_matrix_camera(depsgraph, x=WIDE, y=HIGH) @ camera.matrix_world.normalized().inverted()
    clip = np.concatenate([points, np.ones((*points.shape[:-1], 1))], -1) @ np.array(matrix).T
    across, up = clip[..., 0] / clip[..., 3], clip[..., 1] / clip[..., 3]
    return (across + 1) / 2 * WIDE, (1 - up) / 2 * HIGH


def within(u, v, margin):
    """Whether pixels lie within the picture, or that far around it."""
    return (-margin < u) & (u < WIDE + margin) & (-margin < v) & (v < HIGH + margin)


def behind_box(camera, points, box, grown=0.0):
    """Whether the line of sight from a point to the camera meets the box."""
    if camera.data.type == "ORTHO":
        back = np.array(camera.matrix_world.to_3x3() @ Vector((0, 0, 50)))
        eye = points + back
    else:
        eye = np.broadcast_to(np.array(camera.matrix_world.translation), points.shape)
    low, high = (np.array(corner) * (1 + grown) + np.array(box.location) for corner in BOX)
    with np.errstate(divide="ignore", invalid="ignore"):
        enter, leave = (low - points) / (eye - points), (high - points) / (eye - points)
    first, last = np.minimum(enter, leave).max(-1), np.maximum(enter, leave).min(-1)
    return (first < last) & (last > 0) & (first < 1)


def test_the_picture_goes_where_its_object_goes(scene, project, picture, tmp_path):
    box = bpy.data.objects["Box"]
    box.rotation_euler, box.scale = (0.2, 0.5, 0.4), (1.2, 0.7, 1)
    bpy.context.view_layer.update()
    project(scene, picture, chosen=[box])
    bpy.data.objects["Wall"].hide_render = True
    before = rendered(scene, tmp_path)
    turn = Matrix.Translation((3, -2, 1)) @ Matrix.Rotation(1.1, 4, "Z") @ Matrix.Rotation(0.4, 4, "X")
    for thing in (box, scene.camera):
        thing.matrix_world = turn @ thing.matrix_world
    assert np.abs(rendered(scene, tmp_path) - before).max() <= 2


def test_several_cameras_count_by_how_squarely_they_look(scene, project, part, tmp_path):
    """On the wall: red from the front, blue from the side; the share of each is the cosine's power."""
    from bl_ext.user_default.flux_depth.core.framing import Framing

    bpy.data.objects.remove(bpy.data.objects["Box"])
    front, side = scene.camera, beside(scene, (7, 3, 0), (0, 8, 0))
    project(scene, flat(tmp_path, "red", (255, 0, 0)), "Camera")
    project(scene, flat(tmp_path, "blue", (0, 0, 255)), "Beside")
    rays = Rays(scene, Framing(WIDE, HIGH, 0, 0, WIDE, HIGH), front)
    points = rays.origin + rays.direction * rays.plane((0, 8, 0), (0, -1, 0))[..., None]
    u, v = on_frame(scene, side, points)
    both = within(u, v, -2)
    for falloff in (4.0, 0.0, 1.5):
        if falloff != 4.0:  # as it comes
            part("projection_data").settings_of(scene).falloff = falloff
        red, blue = (
            (
                ((camera.location - Vector((0, 8, 0))).y * -1)
                / np.linalg.norm(points - np.array(camera.location), axis=-1)
            )
            ** falloff
            for camera in (front, side)
        )
        share = red / (red + blue)
        shown = rendered(scene, tmp_path, front)
        linear = np.where(shown < 11, shown / 255 / 12.92, ((shown / 255 + 0.055) / 1.055) ** 2.4)
        assert both.sum() > 1000
        assert np.abs(linear[..., 0] - share)[both].max() < 0.01
        assert np.abs(linear[..., 2] - 1 + share)[both].max() < 0.01
        assert (shown[~within(u, v, 2)] == (255, 0, 0)).all()


def test_remove_brings_everything_back(scene, project, part, picture, tmp_path):
    shared = add(scene, "Shared", bpy.data.objects["Box"].data, (-1, 4, 0))
    shared.material_slots[0].link = "OBJECT"
    add_sphere(scene, (1, 5, 1), 0.4, rings=12).modifiers.new("Smooth", "SMOOTH")
    bpy.context.view_layer.update()
    beside(scene)
    before = settled(tmp_path)
    for camera in ("Camera", "Beside"):
        project(scene, picture, camera)
    assert difference(before, settled(tmp_path))
    projection, settings = part("projection"), part("projection_data").settings_of(scene)
    projection.remove(settings, settings.projections[0])
    assert len(bpy.data.objects["Wall"].modifiers) == 1
    projection.remove(settings, settings.projections[0])
    assert not difference(before, settled(tmp_path))


def test_remove_all_brings_everything_back(scene, project, part, picture, tmp_path):
    beside(scene)
    before = settled(tmp_path)
    for camera in ("Camera", "Beside"):
        project(scene, picture, camera)
    part("projection").remove_all(scene)
    assert not difference(before, settled(tmp_path))


def test_what_had_no_material_is_grey_where_nothing_falls_and_has_no_slot_afterwards(
    scene, project, part, picture, tmp_path
):
    bare = add_box(scene, *BOX, at=(-1, 4, 0))
    twin = add(scene, "Twin", bare.data, (1.5, 5, 0))
    apart = add(scene, "Apart", bare.data, (0, -9, 0))
    before = settled(tmp_path)
    outcome = project(scene, picture)
    assert {bare, twin} <= set(outcome.things)
    assert apart not in outcome.things
    assert apart.material_slots[0].material is None
    assert np.abs(rendered(scene, tmp_path) - np.asarray(Image.open(picture)).astype(int)).max() <= 1
    fresh = [image for image in bpy.data.images if image.type == "RENDER_RESULT"]
    part("projection").remove_all(scene)
    bpy.data.batch_remove(fresh)
    assert not bare.data.materials
    assert {path for path in difference(before, settled(tmp_path)) if "materials" in path or "objects" in path} == set()


def test_whoever_shares_a_mesh_keeps_their_material(scene, project, picture):
    box = bpy.data.objects["Box"]
    twin = add(scene, "Twin", box.data, (-1, 4, 0))
    project(scene, picture, chosen=[box])
    assert twin.material_slots[0].material.name == "Grey"
    assert box.data.materials[0].name == "Grey"
    assert box.material_slots[0].link == "OBJECT"
    assert not box.data.attributes.get("FLUX Depth 1")


def test_texts_curves_and_balls_are_painted_too(scene, project, picture, tmp_path):
    bpy.data.objects.remove(bpy.data.objects["Box"])
    text, curve, ball = (
        bpy.data.curves.new("Text", "FONT"),
        bpy.data.curves.new("Curve", "CURVE"),
        bpy.data.metaballs.new("Ball"),
    )
    text.body, text.extrude, curve.bevel_depth = "Depth", 0.1, 0.1
    spline = curve.splines.new("POLY")
    spline.points.add(1)
    spline.points[1].co = (0, 0, 1, 1)
    ball.elements.new().radius = 0.6
    things = [add(scene, data.name, data, (x, 4, 0)) for x, data in ((-1, text), (0.8, curve), (1.3, ball))]
    things[0].rotation_euler.x = radians(80)
    bpy.context.view_layer.update()
    assert set(project(scene, picture).things) == {*things, bpy.data.objects["Wall"]}
    assert np.abs(rendered(scene, tmp_path) - np.asarray(Image.open(picture)).astype(int)).max() <= 1


def test_instances_are_each_painted_where_they_stand(scene, project, picture, tmp_path):
    box = bpy.data.objects["Box"]
    collection = bpy.data.collections.new("Boxes")
    scene.collection.objects.unlink(box)
    collection.objects.link(box)
    for place in ((-1.4, 0, 0), (0.2, 0, 0.4)):
        empty = add(scene, "Empty", None, place)
        empty.instance_type, empty.instance_collection = "COLLECTION", collection
    bpy.context.view_layer.update()
    assert box in project(scene, picture).things
    assert np.abs(rendered(scene, tmp_path) - np.asarray(Image.open(picture)).astype(int)).max() <= 1


def test_what_the_camera_does_not_see_is_left_alone(scene, project, picture):
    hidden = add_box(scene, *BOX, at=(0, 20, 0))
    away = add_box(scene, *BOX, at=(0, -20, 0))
    off = add_box(scene, *BOX, at=(-1, 4, 0))
    off.hide_render = True
    things = project(scene, picture).things
    assert {thing.name for thing in things} == {"Wall", "Box"}
    assert not any(thing.modifiers or thing.material_slots for thing in (hidden, away, off))


def test_the_uv_map_says_where_each_corner_lies_on_the_picture(scene, project, picture):
    box = bpy.data.objects["Box"]
    project(scene, picture)
    data = box.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    stored = data.uv_layers["FLUX Depth 1"]
    points = np.array([box.matrix_world @ data.vertices[loop.vertex_index].co for loop in data.loops])
    u, v = on_frame(scene, scene.camera, points)
    uv = np.array([tuple(each.vector) for each in stored.uv])
    assert np.abs(uv * (WIDE, HIGH) - np.stack([u, HIGH - v], -1)).max() < 0.01


def test_another_picture_from_the_same_place_takes_the_first_one_s_place(scene, project, part, tmp_path):
    red, blue = flat(tmp_path, "red", (255, 0, 0)), flat(tmp_path, "blue", (0, 0, 255))
    project(scene, red)
    project(scene, blue, chosen=[bpy.data.objects["Box"]])
    projections = part("projection_data").settings_of(scene).projections
    assert [each.name for each in projections] == ["red.png", "blue.png"]
    assert len(bpy.data.objects["Box"].modifiers) == 1
    project(scene, blue)
    assert [each.name for each in projections] == ["blue.png"]
    assert "red.png" not in bpy.data.images
    assert (rendered(scene, tmp_path) == (0, 0, 255)).all()


def test_it_is_there_when_the_file_is_opened_again_and_can_be_removed(scene, project, part, picture, tmp_path):
    project(scene, picture)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    scene = bpy.context.scene
    assert np.abs(rendered(scene, tmp_path) - np.asarray(Image.open(picture)).astype(int)).max() <= 1
    part("projection").remove_all(scene)
    assert bpy.data.objects["Wall"].material_slots[0].material.name == "Grey"
    assert not [each for each in bpy.data.materials if "FLUX" in each.name]


def test_fog_stays_fog(scene, project, picture):
    """A surface in its place would be a wall before everything."""
    fog, box = bpy.data.materials.new("Fog"), bpy.data.objects["Box"]
    if bpy.app.version < (5, 0, 0):
        fog.use_nodes = True
    nodes = fog.node_tree.nodes
    nodes.clear()
    volume, output = nodes.new("ShaderNodeVolumePrincipled"), nodes.new("ShaderNodeOutputMaterial")
    fog.node_tree.links.new(volume.outputs[0], output.inputs["Volume"])
    box.data.materials[0] = fog
    project(scene, picture)
    assert box.material_slots[0].material == fog


def test_a_material_that_was_chosen_since_stays(scene, project, part, picture):
    box, other = bpy.data.objects["Box"], bpy.data.materials.new("Other")
    project(scene, picture)
    box.material_slots[0].material = other
    part("projection").remove_all(scene)
    assert box.material_slots[0].material == other


def test_objects_that_were_deleted_since_do_no_harm(scene, project, part, picture):
    project(scene, picture)
    bpy.data.objects.remove(bpy.data.objects["Box"])
    part("projection").remove_all(scene)
    assert not bpy.data.objects["Wall"].modifiers


def test_lit_by_the_scene_s_lamps_or_as_it_was_painted(scene, project, part, picture, tmp_path):
    project(scene, picture)
    part("projection_data").settings_of(scene).look = "LIT"
    assert rendered(scene, tmp_path)[..., 2].mean() < 30  # there are no lamps, only the glow of what is not seen
    part("projection_data").settings_of(scene).look = "PAINTED"
    assert rendered(scene, tmp_path)[..., 2].min() == 255


def test_the_depth_is_that_of_the_frame_it_was_painted_at(scene, project, picture, tmp_path):
    box = bpy.data.objects["Box"]
    for frame, x in ((1, 0.4), (10, -0.8)):
        box.location.x = x
        box.keyframe_insert("location", frame=frame)
    scene.frame_set(1)
    project(scene, picture, frame=10.0)
    assert scene.frame_current == 1
    scene.frame_set(10)
    assert np.abs(rendered(scene, tmp_path) - np.asarray(Image.open(picture)).astype(int)).max() <= 1


def refused(part, words):
    return pytest.raises(part("core.errors").InputError, match=words)


def linked(tmp_path, scene):
    library = tmp_path / "library.blend"
    thing = add_box(scene, *BOX, at=(-1, 4, 0))
    thing.name = "Rock"
    bpy.data.libraries.write(str(library), {thing})
    bpy.data.objects.remove(thing)
    with bpy.data.libraries.load(str(library), link=True) as (there, here):
        here.objects = there.objects
    scene.collection.objects.link(here.objects[0])
    bpy.context.view_layer.update()
    return here.objects[0]


def test_what_is_linked_from_another_file_is_left_out_and_named(scene, project, part, picture, tmp_path):
    rock = linked(tmp_path, scene)
    assert "left out, as linked from another file: “Rock”" in project(scene, picture).sentence
    part("projection").remove_all(scene)
    with refused(part, "“Rock” is linked from another file"):
        project(scene, picture, chosen=[rock])


def test_what_cannot_be_projected_is_one_sentence_and_changes_nothing(scene, project, part, picture, tmp_path):
    narrow, broken = tmp_path / "narrow.png", tmp_path / "broken.png"
    Image.new("RGB", (64, 64)).save(narrow)
    broken.write_bytes(b"no picture")
    before = settled(tmp_path)
    with refused(part, "has no camera “Gone”"):
        project(scene, picture, "Gone")
    with refused(part, "“Box” is not a camera"):
        project(scene, picture, "Box")
    with refused(part, "moved or deleted"):
        project(scene, tmp_path / "gone.png")
    with refused(part, "no picture that can be opened"):
        project(scene, broken)
    with refused(part, "another shape than the camera's frame"):
        project(scene, narrow)
    with refused(part, "sees none of the chosen"):
        project(scene, picture, chosen=[scene.camera])
    with refused(part, "has moved since this picture was painted"):
        project(scene, picture, matrix=tuple(float(each) for each in np.eye(4).ravel()))
    assert not difference(before, settled(tmp_path))
    scene.camera.data.type = "PANO"
    with refused(part, "is panoramic"):
        project(scene, picture)


def test_a_failure_half_way_leaves_nothing_behind(scene, project, part, picture, tmp_path, monkeypatch):
    def fail(*_arguments, **_named):
        raise MemoryError

    before = settled(tmp_path)
    monkeypatch.setattr(part("projection_nodes"), "painted", fail)
    with pytest.raises(MemoryError):
        project(scene, picture)
    assert not difference(before, settled(tmp_path))


def test_a_stranger_s_records_are_drawn_and_removed_like_any(scene, part):
    """Nothing behind the names, kinds of material links that there are not, and more slots than there are."""
    settings, box = part("projection_data").settings_of(scene), bpy.data.objects["Box"]
    settings.projections.add().camera = "Nowhere"
    for link in ("nonsense", "DATA"):
        part("projection_data").record_of(box).slots.add().link = link
    part("projection_data").record_of(box).layers.add()
    settings.falloff, settings.look = 2.0, "LIT"
    with hostile.in_the_sidebar():
        assert "Nowhere" in hostile.words(hostile.drawn_by(part("project_panel").Project.draw))
    part("projection").remove_all(scene)
    assert not settings.projections
    assert not part("projection_data").record_of(box).slots
    assert box.material_slots[0].link == "DATA"


def test_a_surface_takes_six_cameras_and_no_more(scene, project, part, picture):
    for number in range(7):
        camera = add_camera(scene, f"Camera {number}")
        bpy.context.view_layer.update()
        if number < 6:
            project(scene, picture, camera.name)
    with refused(part, "remove one first"):
        project(scene, picture, "Camera 6")


def test_the_button_projects_the_chosen_picture_and_undo_takes_it_back(ready, part):
    job = generate(part)
    wait(part, finished(part, job))
    part("projection_data").settings_of(ready).onto = "SEEN"
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.flux_depth.project("EXEC_DEFAULT", True) == {"FINISHED"}
    assert [each.type for each in bpy.data.objects["Cube"].modifiers] == ["NODES"]
    bpy.ops.ed.undo()
    cube = bpy.data.objects["Cube"]
    assert not cube.modifiers
    assert cube.material_slots[0].material.name == "Material"
    assert not part("projection_data").settings_of(bpy.context.scene).projections
    assert not [image for image in bpy.data.images if image.name.startswith("FLUX Depth 1")]
    bpy.ops.ed.redo()
    assert bpy.ops.flux_depth.remove_projection(number=0) == {"FINISHED"}
    assert bpy.data.objects["Cube"].material_slots[0].material.name == "Material"
    with pytest.raises(RuntimeError, match="removed already"):
        bpy.ops.flux_depth.remove_projection(number=0)


def test_the_button_says_why_it_cannot(scene, part, monkeypatch):
    panel, context = part("project_panel"), bpy.context
    job = SimpleNamespace(result="", request=SimpleNamespace(camera="Camera"))
    monkeypatch.setattr(part("watch"), "chosen", lambda _manager: job)
    assert "that has arrived" in panel.hindrance(context)
    job.result = "picture.png"
    assert panel.hindrance(context) == ""
    part("projection_data").settings_of(scene).onto = "SELECTED"
    assert "Select what" in panel.hindrance(context)
    scene.camera.name = "Other"
    assert "no camera “Camera”" in panel.hindrance(context)
    assert not bpy.ops.flux_depth.project.poll()


def test_the_command_line_projects_from_several_cameras(scene, run, picture, tmp_path):
    beside(scene)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "room.blend"))
    out = tmp_path / "made" / "out.blend"
    views = ("--view", f"Camera={picture}", "--view", f"Beside={picture}")
    code, outcome, said = run(
        "project", tmp_path / "room.blend", *views, "--object", "Wall", "--look", "lit", "-o", out
    )
    assert (code, outcome["result"], outcome["projected"]) == (0, str(out), ["Wall"])
    assert "Projected onto 1 object" in said
    bpy.ops.wm.open_mainfile(filepath=str(out))
    assert [each.type for each in bpy.data.objects["Wall"].modifiers] == ["NODES", "NODES"]
    assert not bpy.data.objects["Box"].modifiers


def test_the_command_line_projects_where_no_extension_is_enabled(scene, picture, tmp_path):
    blend, painted = tmp_path / "room.blend", tmp_path / "painted.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend), copy=True)
    words = ["project", blend, "--picture", picture, "-o", painted]
    command = [sys.executable, "-m", "flux_depth_addon", *map(str, words)]
    assert subprocess.run(command, cwd=Path(__file__).parents[2]).returncode == 0
    assert painted.is_file()


def test_the_command_line_takes_a_job_of_the_journal(ready, run, part, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "room.blend"))
    job = generate(part)
    wait(part, finished(part, job))
    folder = part("preferences").data_folder()
    code, outcome, _ = run(
        "project", tmp_path / "room.blend", "--job", job.id, "-o", tmp_path / "o.blend", "--data-dir", folder
    )
    assert (code, outcome["projected"]) == (0, ["Cube"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing to project"),
        (("--view", "Gone=x.png"), "has no camera “Gone”"),
        (("--picture", "gone.png"), "moved or deleted"),
        (("--picture", "gone.png", "--object", "Gone"), "has no object “Gone”"),
        (("--job", "nothing"), "nothing"),
    ],
)
def test_the_command_line_refuses_in_one_sentence_and_writes_nothing(scene, run, tmp_path, words, said):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "room.blend"))
    code, _, told = run("project", tmp_path / "room.blend", *words, "-o", tmp_path / "out.blend")
    assert code in (2, 4)
    assert said in told
    assert not (tmp_path / "out.blend").exists()
