"""The fingerprint is not blind: one thing of every kind is changed, and its path alone is in the difference."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bmesh
import bpy
import pytest

from .fingerprint import LEFT_OUT, difference, fingerprint, settled
from .hurting_scenes import HURTING, NAMES, rude

SCENE, BOX = "data.scenes['Scene']", "data.objects['Box']"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    yield tmp_path
    while rude in bpy.app.handlers.save_pre:
        bpy.app.handlers.save_pre.remove(rude)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def box() -> bpy.types.Object:
    return bpy.data.objects["Box"]


def put(owner: Any, name: str, value: Any) -> None:
    setattr(owner, name, value)


def tree_of_compositor() -> Any:
    scene = bpy.data.scenes["Scene"]
    return scene.node_tree if bpy.app.version < (5, 0, 0) else scene.compositing_node_group


def compositor_path() -> str:
    return f"{SCENE}.node_tree" if bpy.app.version < (5, 0, 0) else "data.node_groups['User']"


def edit_a_vertex() -> None:
    mesh = bmesh.from_edit_mesh(bpy.context.object.data)
    mesh.verts.ensure_lookup_table()
    mesh.verts[3].co.x += 1


def strip_of(scene: bpy.types.Scene) -> Any:
    editor = scene.sequence_editor
    return (editor.strips if hasattr(editor, "strips") else editor.sequences)["Red"]


def paint_a_pixel() -> None:
    bpy.data.images["Painted"].pixels[7] = 0.75


def render_again() -> None:
    bpy.data.objects["Box"].location.y = 2
    bpy.ops.render.render(scene="Scene")


CHANGES: dict[str, tuple[str, Callable[[], Any], tuple[str, ...]]] = {
    "a render setting": ("film", lambda: put(bpy.context.scene.render, "use_border", False), (f"{SCENE}.render",)),
    "a format of pictures": (
        "film",
        lambda: put(bpy.context.scene.render.image_settings, "quality", 12),
        (f"{SCENE}.render.image_settings.quality",),
    ),
    "a colour setting": (
        "film",
        lambda: put(bpy.context.scene.view_settings, "exposure", 1),
        (f"{SCENE}.view_settings",),
    ),
    "a point of a view curve": (
        "film",
        lambda: put(bpy.context.scene.view_settings.curve_mapping.curves[3].points[1], "location", (0.5, 0.2)),
        (f"{SCENE}.view_settings.curve_mapping.curves[3].points[1].location",),
    ),
    "a strip": ("film", lambda: put(strip_of(bpy.context.scene), "blend_alpha", 0.5), (f"{SCENE}.sequence_editor",)),
    "a marker": (
        "film",
        lambda: put(bpy.context.scene.timeline_markers[0], "frame", 5),
        (f"{SCENE}.timeline_markers[0]",),
    ),
    "a view of several": (
        "film",
        lambda: put(bpy.context.scene.render.views["middle"], "use", True),
        (f"{SCENE}.render.views[2].use",),
    ),
    "a line set": (
        "film",
        lambda: put(bpy.context.scene.view_layers[0].freestyle_settings.linesets[0], "select_crease", False),
        (f"{SCENE}.view_layers[0].freestyle_settings.linesets[0].select_crease",),
    ),
    "a preference": (
        "film",
        lambda: put(bpy.context.preferences.edit, "undo_steps", bpy.context.preferences.edit.undo_steps + 1),
        ("preferences.edit.undo_steps", "preferences.is_dirty"),
    ),
    "a space of the window": (
        "film",
        lambda: put(bpy.data.screens["Layout"].areas[-1].spaces[0].overlay, "show_floor", False),
        ("data.screens['Layout'].areas",),
    ),
    "a node's value": (
        "compositor",
        lambda: put(tree_of_compositor().nodes[0], "mute", True),
        ("{compositor}.nodes[0].mute",),
    ),
    "a point in a group's curve": (
        "compositor",
        lambda: put(bpy.data.node_groups["Grade"].nodes[0].mapping.curves[3].points[1], "location", (0.4, 0.1)),
        ("data.node_groups['Grade'].nodes[0].mapping.curves[3].points[1].location",),
    ),
    "a link": ("compositor", lambda: tree_of_compositor().links.clear(), ("{compositor}",)),
    "an override": (
        "linked",
        lambda: put(next(t for t in bpy.data.objects if t.override_library), "hide_render", True),
        ("data.objects",),
    ),
    "a layer collection": (
        "several_scenes",
        lambda: put(bpy.data.scenes[NAMES[0]].view_layers[0].layer_collection.children[0], "indirect_only", True),
        (f"data.scenes[{NAMES[0]!r}].view_layers[0]", f"data.scenes[{NAMES[0]!r}].view_layers"),
    ),
    "a workspace": (
        "film",
        lambda: put(bpy.data.workspaces["Layout"], "use_filter_by_owner", True),
        ("data.workspaces['Layout'].use_filter_by_owner",),
    ),
    "a hidden object": ("posed", lambda: box().hide_set(True), (f"{SCENE}.view_layers", "context")),
    "a selection": ("posed", lambda: box().select_set(True), (f"{SCENE}.view_layers", "context")),
    "a pose": (
        "posed",
        lambda: put(bpy.data.objects["Rig"].pose.bones[0], "rotation_quaternion", (1, 0, 0, 0)),
        ("data.objects['Rig'].pose.bones[0]", BOX, "data.objects['Rig']"),
    ),
    "a mode": ("posed", lambda: bpy.ops.object.mode_set(mode="OBJECT"), ("data.objects['Rig'].mode", "context", SCENE,
               "data.workspaces")),
    "a custom property": ("posed", lambda: box()["owner"]["numbers"].__setitem__(1, 9.0), (f"{BOX}['owner']",)),
    "a weight": ("posed", lambda: box().vertex_groups["Arm"].add([1], 0.25, "REPLACE"), ("data.meshes['Box']", BOX)),
    "a subframe": ("driven", lambda: bpy.context.scene.frame_set(5, subframe=0.5), (
        f"{SCENE}.frame", "data.objects['Camera']", "data.cameras['Camera']", f"{SCENE}.audio_volume",
        "data.worlds['Sky'].color", f"{SCENE}.cycles.samples", "context",
    )),
    "a driver": (
        "driven",
        lambda: put(bpy.data.cameras["Camera"].animation_data.drivers[0].driver, "expression", "frame / 99"),
        ("data.cameras['Camera'].animation_data.drivers[0].driver", "data.cameras['Camera'].shift_x"),
    ),
    "a key": (
        "driven",
        lambda: put(bpy.data.objects["Camera"].animation_data, "action_influence", 0.5),
        ("data.objects['Camera'].animation_data.action_influence",),
    ),
    "a strip of NLA": (
        "driven",
        lambda: put(bpy.data.objects["Box.001"].animation_data.nla_tracks[0].strips[0], "scale", 2),
        ("data.objects['Box.001'].animation_data.nla_tracks[0]",),
    ),
    "a vertex that is edited": ("edited", edit_a_vertex, (f"{BOX}", "data.meshes['Box']", "data.objects['Chair']")),
    "a cache": ("simulated", lambda: bpy.context.scene.frame_set(9), (SCENE, "data.objects")),
    "the length of a cache": (
        "simulated",
        lambda: put(bpy.data.objects["Sphere"].modifiers["Cloth"].point_cache, "frame_end", 99),
        ("data.objects['Sphere'].modifiers[0].point_cache",),
    ),
    "a pixel": ("pictured", paint_a_pixel, ("data.images['Painted'].pixels",)),
    "a rendered picture": (
        "pictured",
        render_again,
        ("data.images['Render Result'].pixels[0]", BOX),
    ),
    "a slot on view": (
        "pictured",
        lambda: put(bpy.data.images["Render Result"].render_slots, "active_index", 1),
        ("data.images['Render Result'].render_slots",),
    ),
    "a background image": (
        "pictured",
        lambda: put(bpy.data.cameras["Camera"].background_images[0], "alpha", 0.5),
        ("data.cameras['Camera'].background_images[0].alpha",),
    ),
    "a letter": (
        "drawn",
        lambda: put(bpy.data.curves["Text"], "body", "Texts"),
        ("data.curves['Text'].body", "data.objects['Text']", "data.curves['Text'].texspace"),
    ),
    "a handler": ("film", lambda: bpy.app.handlers.save_pre.append(rude), ("handlers.save_pre",)),
    "a data-block": ("film", lambda: bpy.data.worlds.new("More"), ("data.worlds",)),
    "a user": ("film", lambda: put(bpy.data.worlds["Sky"], "use_fake_user", True), ("data.worlds['Sky']",)),
    "a block replaced by its copy": ("film", lambda: replaced(bpy.data.cameras["Second"]), ("data.cameras['Second']",)),
    "a file": ("film", lambda: Path(bpy.app.tempdir, "left.txt").write_text("left"), ("files.",)),
}  # fmt: skip


def replaced(camera: bpy.types.Camera) -> None:
    copy, name = camera.copy(), camera.name
    camera.user_remap(copy)
    bpy.data.cameras.remove(camera)
    copy.name = name


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_seen_where_it_is_and_nowhere_else(folder: Path, what: str) -> None:
    name, change, paths = CHANGES[what]
    HURTING[name](folder)
    bpy.context.view_layer.update()
    before = settled(folder)
    change()
    bpy.context.view_layer.update()
    changes = difference(before, fingerprint(folder))
    allowed = tuple(path.format(compositor=compositor_path()) for path in paths)
    assert changes, "it is seen"
    assert any(path.startswith(allowed[0]) for path in changes), list(changes)
    assert [path for path in changes if not path.startswith(allowed)] == []
    Path(bpy.app.tempdir, "left.txt").unlink(missing_ok=True)


def test_what_is_left_out_is_little_and_has_its_reason() -> None:
    assert len(LEFT_OUT) < 25
    assert all(LEFT_OUT.values())


def test_everything_in_the_file_is_in_the_fingerprint(folder: Path) -> None:
    HURTING["film"](folder)
    found = fingerprint(folder)
    for kind in (each.identifier for each in bpy.data.bl_rna.properties if each.type == "COLLECTION"):
        if kind != "all_ids":
            assert found[f"data.{kind}"] == len(getattr(bpy.data, kind))
    assert len(found) > 10_000
