"""Scenes that hurt: each holds what a careless capture would change. Built in the running Blender, small and quick."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bmesh
import bpy
import numpy as np

from .scenes import add, add_box, add_camera, add_plane, add_sphere, compositor_that_writes, empty_scene

BEFORE_5 = bpy.app.version < (5, 0, 0)
NAMES = ("Ünïcödé 深度 🚪", "a/b\\c.d e", "n" * 63, " ", "FLUX Depth")


def count_users(folder: Path) -> None:
    """Have Blender count as when it opens a file: 4.2 miscounts when scenes are copied; a capture sets it right."""
    path = str(folder / "count.blend")
    bpy.data.libraries.write(path, {bpy.data.texts.new("Count")})
    with bpy.data.libraries.load(path) as (there, here):
        here.texts = there.texts
    bpy.data.batch_remove([*bpy.data.texts, *(each for each in bpy.data.libraries if each.filepath == path)])


def room(width: int = 64, height: int = 48) -> bpy.types.Scene:
    """Something in view, with a world and a material whose nodes are changed from what they are at first."""
    scene = empty_scene(width, height)
    add_plane(scene, (0, 9, 0), (0, -1, 0))
    box = add_box(scene, (-1, 4, -1), (1, 5, 1))
    box["owner"] = {"name": "someone", "numbers": [1, 2.5]}
    box.show_in_front = True
    collection = bpy.data.collections.new("Furniture")
    scene.collection.children.link(collection)
    collection.objects.link(bpy.data.objects.new("Chair", box.data))
    material = bpy.data.materials.new("Wood")
    material.diffuse_color = (0.8, 0.2, 0.1, 1)  # or no render would tell where the box is
    if BEFORE_5:
        material.use_nodes = True
    curves = material.node_tree.nodes.new("ShaderNodeRGBCurve")
    curves.mapping.curves[3].points.new(0.3, 0.7)
    box.data.materials.append(material)
    scene.world = bpy.data.worlds.new("Sky")
    return scene


def compositor(folder: Path) -> bpy.types.Scene:
    """A compositor with a group, curves, and a node that writes files."""
    scene = room()
    tree = compositor_that_writes(scene, folder / "written")
    group = bpy.data.node_groups.new("Grade", "CompositorNodeTree")
    group.interface.new_socket("Image", in_out="INPUT", socket_type="NodeSocketColor")
    group.nodes.new("CompositorNodeCurveRGB").mapping.curves[3].points.new(0.4, 0.6)
    group.nodes.new("NodeGroupInput")
    tree.nodes.new("CompositorNodeGroup").node_tree = group
    tree.nodes.new("CompositorNodeCurveRGB").mapping.curves[0].points.new(0.2, 0.1)
    tree.nodes.new("CompositorNodeViewer")
    count_users(folder)
    scene.render.use_compositing = True
    return scene


def linked(folder: Path) -> bpy.types.Scene:
    """A linked collection, one of its objects overridden, and a linked scene as the background of ours."""
    path = folder / "library.blend"
    room()
    collection = bpy.data.collections["Furniture"]
    collection.objects.link(bpy.data.objects["Box"])
    bpy.data.libraries.write(str(path), {collection, bpy.context.scene})
    scene = room()
    with bpy.data.libraries.load(str(path), link=True) as (there, here):
        here.collections, here.scenes = ["Furniture"], there.scenes
    ours = here.collections[0].override_hierarchy_create(scene, bpy.context.view_layer)
    thing = next(thing for thing in ours.all_objects if thing.override_library)
    thing.location.x = 0.25
    instance = add(scene, "Instance", None, (0, 6, 0))
    instance.instance_type, instance.instance_collection = "COLLECTION", here.collections[0]
    scene.background_set = here.scenes[0]
    return scene


def several_scenes(folder: Path) -> bpy.types.Scene:
    """Odd names everywhere, view layers that hide different things, and a window that shows another scene."""
    scene = room()
    scene.name = NAMES[0]
    for number, name in enumerate(NAMES):
        other = scene.copy() if number % 2 else bpy.data.scenes.new(name)
        other.name = name
        layer = scene.view_layers.new(name)
        layer.use_pass_z = layer.use = bool(number % 2)
        child = layer.layer_collection.children[0]
        child.exclude, child.holdout, child.indirect_only = number == 1, number == 2, number == 3
        layer.objects.active = bpy.data.objects["Chair"] if number != 1 else None
    bpy.data.objects["Box"].hide_set(True, view_layer=scene.view_layers[0])
    bpy.data.objects["Chair"].select_set(True, view_layer=scene.view_layers[0])
    bpy.data.objects["Plane"].hide_render = True
    bpy.data.cameras.new("FLUX Depth").use_fake_user = True
    scene.frame_set(7, subframe=0.25)
    bpy.context.window.scene = bpy.data.scenes[NAMES[2]]
    count_users(folder)
    return scene


def film(folder: Path) -> bpy.types.Scene:
    """Strips, two eyes, a border, stamps, Freestyle, motion blur, persistent data, simplify, and every dial turned."""
    scene = room()
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    end = {"frame_end": 30} if bpy.app.version < (5, 0, 0) else {"length": 30}
    red = strips.new_effect("Red", "COLOR", 1, 1, **end)
    if bpy.app.version[:2] != (5, 0):  # it crashes there, without a window
        red.modifiers.new("Curves", "CURVES")
    strips.new_scene("Shot", scene, 2, 1)
    render = scene.render
    render.use_multiview = render.use_border = render.use_crop_to_border = render.use_stamp = True
    render.use_freestyle = render.use_motion_blur = render.use_persistent_data = render.use_simplify = True
    render.use_sequencer = render.use_single_layer = render.use_overwrite = True
    render.views.new("middle").use = False
    render.border_min_x, render.border_max_y, render.resolution_percentage = 0.25, 0.75, 51
    render.film_transparent, render.use_lock_interface, render.stamp_note_text = True, True, "nötes"
    render.image_settings.file_format, render.filepath = "JPEG", str(folder / "film" / "####")
    scene.view_settings.use_curve_mapping = True
    scene.view_settings.curve_mapping.curves[3].points.new(0.5, 0.6)
    scene.view_layers[0].use_freestyle = True
    scene.view_layers[0].freestyle_settings.linesets.new("Lines")
    scene.timeline_markers.new("cut", frame=1).camera = add_camera(scene, "Second")
    scene.use_preview_range, scene.frame_preview_end, scene.frame_step = True, 9, 3
    scene.unit_settings.scale_length = 0.5
    return scene


def driven(_folder: Path) -> bpy.types.Scene:
    """Keys, drivers and NLA on the scene, the camera and its data, between two frames."""
    scene = room()
    camera = scene.camera
    for frame, value in ((1, 20), (11, 60)):
        camera.data.lens, camera.location.x, scene.audio_volume = value, value / 100, value / 60
        camera.data.keyframe_insert("lens", frame=frame)
        camera.keyframe_insert("location", frame=frame)
        scene.keyframe_insert("audio_volume", frame=frame)
    drive(camera.data, "shift_x", "frame / 100")
    drive(scene, "cycles.samples", "frame + 3")
    drive(scene.world, "color", "frame / 50", 0)
    drive(bpy.data.objects["Box"], "show_in_front", "frame > 2")
    strip = add_box(scene, (2, 5, 0), (3, 6, 1)).animation_data_create().nla_tracks.new().strips
    strip.new("Sway", 1, bpy.data.actions.new("Sway"))
    scene.frame_set(5, subframe=0.375)
    return scene


def drive(owner: bpy.types.ID, path: str, expression: str, *index: int) -> None:
    """An expression that Blender works out without Python."""
    owner.driver_add(path, *index).driver.expression = expression


def edited(_folder: Path) -> bpy.types.Scene:
    """In edit mode, with a face moved and a selection that is not flushed."""
    scene = active("EDIT")
    mesh = bmesh.from_edit_mesh(bpy.context.object.data)
    mesh.faces.ensure_lookup_table()
    for face in mesh.faces:
        face.select_set(face.index == 2)
    mesh.select_history.add(mesh.faces[2])
    mesh.faces[2].verts[0].co.z += 0.1
    bpy.context.object.data.uv_layers.new(name="Second")
    return scene


def sculpted(_folder: Path) -> bpy.types.Scene:
    return active("SCULPT")


def weighted(_folder: Path) -> bpy.types.Scene:
    scene = active("WEIGHT_PAINT")
    bpy.context.object.vertex_groups.new(name="Half").add([0, 1], 0.5, "REPLACE")
    return scene


def active(mode: str) -> bpy.types.Scene:
    scene = room()
    bpy.context.view_layer.objects.active = bpy.data.objects["Box"]
    bpy.data.objects["Box"].select_set(True)
    bpy.ops.object.mode_set(mode=mode)
    return scene


def posed(_folder: Path) -> bpy.types.Scene:
    """In pose mode, with a pose that has no keys and would not come back."""
    scene = room()
    armature = add(scene, "Rig", bpy.data.armatures.new("Rig"))
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    armature.data.edit_bones.new("Arm").tail = (0, 0, 1)
    bpy.ops.object.mode_set(mode="POSE")
    armature.pose.bones["Arm"].rotation_quaternion = (0.8, 0.6, 0, 0)
    box = bpy.data.objects["Box"]
    box.modifiers.new("Rig", "ARMATURE").object = armature
    box.vertex_groups.new(name="Arm").add(range(8), 1, "REPLACE")
    return scene


def simulated(_folder: Path) -> bpy.types.Scene:
    """Rigid bodies, cloth and particles, played up to a frame and not baked."""
    scene = room()
    box = bpy.data.objects["Box"]
    bpy.ops.rigidbody.world_add()
    scene.rigidbody_world.collection = bpy.data.collections.new("Bodies")
    scene.rigidbody_world.collection.objects.link(box)
    cloth = add_sphere(scene, (-1.5, 5, 1), 0.5, rings=4)
    cloth.modifiers.new("Cloth", "CLOTH")
    emitter = add_sphere(scene, (1.5, 5, 1), 0.3, rings=4)
    emitter.modifiers.new("Sparks", "PARTICLE_SYSTEM")
    emitter.particle_systems[0].settings.count = 20
    for frame in range(1, 9):
        scene.frame_set(frame)
    return scene


def pictured(folder: Path) -> bpy.types.Scene:
    """Render Results in two slots, a painted image that is not saved, a packed one, and a background image."""
    scene = room()
    scene.render.engine = "BLENDER_WORKBENCH"
    for slot in (0, 2):
        bpy.ops.render.render(scene=scene.name)
        result = next(image for image in bpy.data.images if image.type == "RENDER_RESULT")
        while len(result.render_slots) < 4:
            result.render_slots.new()
        result.render_slots.active_index = 2 - slot
        bpy.data.objects["Box"].location.x += 0.3
    painted = bpy.data.images.new("Painted", 8, 8)
    painted.pixels.foreach_set(np.linspace(0, 1, 256, dtype=np.float32))
    packed = bpy.data.images.new("Packed", 4, 4)
    packed.pack()
    packed.pixels[0] = 0.5
    saved = folder / "saved.png"
    painted.save_render(str(saved))
    background = scene.camera.data.background_images.new()
    background.image, background.alpha = bpy.data.images.load(str(saved)), 0.3
    scene.camera.data.show_background_images = True
    return scene


def drawn(_folder: Path) -> bpy.types.Scene:
    """Grease pencil in the scene, text, a curve, a lattice, a speaker and a metaball."""
    scene = room()
    bpy.ops.object.grease_pencil_add(type="MONKEY") if not bpy.app.version < (4, 3, 0) else bpy.ops.object.gpencil_add(
        type="MONKEY"
    )
    for kind in ("text", "speaker"):
        getattr(bpy.ops.object, f"{kind}_add")()
    bpy.ops.object.metaball_add(type="BALL", location=(2, 6, 0))
    bpy.ops.curve.primitive_bezier_curve_add(location=(-2, 6, 0))
    bpy.context.view_layer.objects.active = bpy.data.objects["Box"]
    return scene


def with_rude_handlers(_folder: Path) -> bpy.types.Scene:
    """Other add-ons' handlers around renders and frames, that change the scene and then raise."""
    scene = room()
    for name in ("render_pre", "render_init", "render_complete", "render_cancel", "frame_change_pre",
                 "frame_change_post", "depsgraph_update_post", "render_write", "render_post"):  # fmt: skip
        getattr(bpy.app.handlers, name).append(rude)
    return scene


def rude(*_ignored: object) -> None:
    """What no handler should do."""
    scene = bpy.data.scenes[0]
    scene["calls"] = scene.get("calls", 0) + 1
    bpy.data.objects.new("Rubbish", None)
    raise ValueError("rude")


BUILDERS: tuple[Callable[[Path], bpy.types.Scene], ...] = (
    compositor, linked, several_scenes, film, driven, edited, sculpted, weighted, posed, simulated, pictured, drawn,
    with_rude_handlers,
)  # fmt: skip
HURTING = {build.__name__: build for build in BUILDERS}
"""By name: Blender 4.2 does not end well where a test is parametrised with functions of another module."""
