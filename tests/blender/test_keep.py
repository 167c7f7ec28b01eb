"""Kept objects: exactly as the scene renders them, in their place, cut by what stands before them, nothing touched."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from bl_ext.user_default.flux_depth import keep, keep_nodes, still
from bl_ext.user_default.flux_depth.capture import camera_matrix, capture
from bl_ext.user_default.flux_depth.core.composite import laid_over
from bl_ext.user_default.flux_depth.core.depth_map import DepthSettings
from bl_ext.user_default.flux_depth.core.errors import InputError
from bl_ext.user_default.flux_depth.core.framing import Framing
from bl_ext.user_default.flux_depth.core.request import Request
from bl_ext.user_default.flux_depth.keep_render import View, kept, mask
from PIL import Image

from .fingerprint import difference, fingerprint, settled
from .hurting_scenes import BEFORE_5, HURTING, rude
from .scenes import add, add_box, add_plane, add_sphere, box_mesh, empty_scene
from .test_clay import at_an_edge

WIDTH, HEIGHT = 96, 64
FRAME = Framing(WIDTH, HEIGHT, 0, 0, WIDTH, HEIGHT)
OVERSCANNED = Framing(128, 96, 16, 16, WIDTH, HEIGHT)
"""As a control image has it: the frame, and some more around it."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where everything is written that a test lets Blender write; rude handlers end with the test."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    yield tmp_path
    for name in dir(bpy.app.handlers):
        handlers = getattr(bpy.app.handlers, name)
        if isinstance(handlers, list) and rude in handlers:
            handlers.remove(rude)


@pytest.fixture
def scene() -> bpy.types.Scene:
    return studio()


def studio() -> bpy.types.Scene:
    """A red hero on a floor, half behind a box, lit by a sun; Cycles, as artists have it with few samples."""
    scene = empty_scene(WIDTH, HEIGHT)
    add_plane(scene, (0, 0, -1), (0, 0, 1))
    hero = add_sphere(scene, (0, 5, 0), 0.9, rings=24)
    hero.name = "Hero"
    paint(hero, (0.8, 0.1, 0.05))
    paint(add_box(scene, (0.1, 3, -1), (1.5, 3.5, 0.2)), (0.1, 0.3, 0.8))
    sun = add(scene, "Sun", bpy.data.lights.new("Sun", "SUN"), (0, 0, 5))
    sun.rotation_euler, sun.data.energy = (0.6, 0.2, 0), 3
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 16, False
    scene.cycles.use_adaptive_sampling, scene.render.dither_intensity = False, 0
    bpy.context.view_layer.update()
    return scene


def paint(thing: bpy.types.Object, colour: tuple[float, float, float]) -> None:
    material = bpy.data.materials.new("Paint")
    if BEFORE_5:
        material.use_nodes = True
    material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (*colour, 1)
    thing.data.materials.append(material)


def view(scene: bpy.types.Scene, **more: Any) -> View:
    return View(scene, scene.camera, FRAME, **more)


def hero() -> bpy.types.Object:
    return bpy.data.objects["Hero"]


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture).astype(int)


def as_the_user_renders(scene: bpy.types.Scene, path: Path) -> np.ndarray:
    scene.render.filepath, scene.render.image_settings.file_format = str(path), "PNG"
    bpy.ops.render.render(scene=scene.name, write_still=True)
    return pixels(Image.open(path).convert("RGB"))


# The render


def test_what_is_kept_looks_exactly_as_in_the_user_s_render(scene: bpy.types.Scene, tmp_path: Path) -> None:
    scene.view_settings.view_transform, scene.view_settings.exposure = "AgX", 0.7
    got, expected = pixels(kept(view(scene), {hero()})), as_the_user_renders(scene, tmp_path / "render.png")
    whole = got[..., 3] == 255
    assert 0.05 < whole.mean() < 0.4
    assert np.abs(got[..., :3] - expected)[whole].max() <= 1


def test_an_edge_lands_on_the_pixel_where_the_control_image_has_it(scene: bpy.types.Scene) -> None:
    scene.camera.data.shift_x = 0.07
    alone = is_seen_of(scene, hero())
    alpha = np.asarray(kept(view(scene), {hero()}).getchannel("A"))
    assert alone.any()
    assert not ((alpha > 127) != alone)[~at_an_edge(alone)].any()
    assert set(np.unique(alpha)) - {0, 255}, "its edges are soft"


def is_seen_of(scene: bpy.types.Scene, thing: bpy.types.Object) -> np.ndarray:
    """Where the depth in the frame is another without the object: the way of the control image."""
    with_it = capture(scene=scene, framing=OVERSCANNED)
    thing.hide_render = True
    without = capture(scene=scene, framing=OVERSCANNED)
    thing.hide_render = False
    left, top, right, bottom = OVERSCANNED.crop
    return ~np.isclose(with_it, without)[top:bottom, left:right]


def test_the_quick_mask_shows_what_will_be_kept(scene: bpy.types.Scene) -> None:
    shown, alpha = (pixels(each) for each in (mask(view(scene), {hero()}), kept(view(scene), {hero()}).getchannel("A")))
    assert np.abs(shown - alpha).mean() < 1
    scene.render.engine = "BLENDER_WORKBENCH"
    assert np.array_equal(pixels(mask(view(scene), {hero()})), shown)


def test_the_picture_is_untouched_where_nothing_is_kept(scene: bpy.types.Scene) -> None:
    picture = Image.effect_noise((WIDTH, HEIGHT), 90).convert("RGB")
    render = kept(view(scene), {hero()})
    got, alpha = pixels(laid_over(picture, render)), pixels(render.getchannel("A"))
    assert np.array_equal(got[alpha == 0], pixels(picture)[alpha == 0])
    assert np.array_equal(got[alpha == 255], pixels(render)[..., :3][alpha == 255])


def test_an_instance_of_a_collection_is_kept_and_its_twin_is_not(scene: bpy.types.Scene) -> None:
    collection = bpy.data.collections.new("Vase")
    collection.objects.link(bpy.data.objects.new("Vase", box_mesh((-0.3, 0, -0.3), (0.3, 0.3, 0.3))))
    left, right = (add(scene, name, None, (x, 2.5, 0.8)) for name, x in (("Left", -0.8), ("Right", 0.8)))
    for empty in (left, right):
        empty.instance_type, empty.instance_collection = "COLLECTION", collection
    columns = pixels(mask(view(scene), {left})).max(axis=0)
    assert columns[: WIDTH // 2].max() == 255
    assert columns[WIDTH // 2 :].max() == 0


def test_collections_that_are_off_stay_off(scene: bpy.types.Scene) -> None:
    before = mask(view(scene), {hero()}).tobytes()
    for number, name in enumerate(("hide_render", "exclude", "indirect_only")):
        collection = bpy.data.collections.new(name)
        scene.collection.children.link(collection)
        collection.objects.link(bpy.data.objects.new(name, box_mesh((-3, 2, -3), (3, 2.1 + number / 10, 3))))
        layer = scene.view_layers[0].layer_collection.children[name]
        setattr(collection if name == "hide_render" else layer, name, True)
    assert mask(view(scene), {hero()}).tobytes() == before


def test_a_background_scene_stands_before_it_too(scene: bpy.types.Scene) -> None:
    wall = bpy.data.scenes.new("Wall")
    add_box(wall, (-3, 2, -3), (0, 2.1, 3))
    scene.background_set = wall
    columns = pixels(mask(view(scene), {hero()})).max(axis=0)
    assert columns[: WIDTH // 2 - 1].max() == 0
    assert columns.max() == 255


def test_what_is_linked_stands_before_it_or_is_kept_and_stays_linked_as_it_was(
    folder: Path,
) -> None:
    library = folder / "library.blend"
    empty_scene()
    walls = bpy.data.collections.new("Walls")
    for name, low, high in (("Left", (-3, 2, -3), (-0.2, 2.1, 3)), ("Right", (0.6, 2.5, -3), (3, 2.6, 3))):
        walls.objects.link(bpy.data.objects.new(name, box_mesh(low, high)))
    bpy.data.libraries.write(str(library), {walls})
    scene = studio()
    with bpy.data.libraries.load(str(library), link=True) as (_, here):
        here.collections = ["Walls"]
    scene.collection.children.link(here.collections[0])
    bpy.context.view_layer.update()
    before = settled(folder)
    columns = pixels(mask(view(scene), {hero(), bpy.data.objects["Right"]})).max(axis=0)
    assert difference(before, fingerprint(folder)) == {}
    assert columns[: WIDTH // 2 - 14].max() == 0
    assert columns[-1] == columns[WIDTH // 2 + 2] == 255


def test_another_frame_is_rendered_at_that_frame(scene: bpy.types.Scene) -> None:
    hero().keyframe_insert("location", frame=1)
    hero().location.x = -1.5
    hero().keyframe_insert("location", frame=11)
    scene.frame_set(1)
    here, there = mask(view(scene), {hero()}), mask(view(scene, frame=11), {hero()})
    assert scene.frame_current == 1
    scene.frame_set(11)
    assert mask(view(scene), {hero()}).tobytes() == there.tobytes() != here.tobytes()


@pytest.mark.parametrize("name", ["pictured", "film", "linked", "several_scenes", "simulated", "with_rude_handlers"])
def test_keeping_touches_nothing(folder: Path, name: str) -> None:
    scene = HURTING[name](folder)
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    things = {thing for thing in scene.objects if not thing.name.startswith("Plane")}
    for thing in things:
        row = scene.flux_depth_keep.things.add()
        row.name, row.thing = thing.name, thing
    bpy.context.view_layer.update()
    before = settled(folder)
    kept(view(scene), things)
    assert difference(before, fingerprint(folder)) == {}


@pytest.mark.parametrize("step", ["copied", "rendered"])
def test_a_step_that_fails_when_its_work_is_done_leaves_nothing(folder: Path, monkeypatch, step: str) -> None:
    scene, work = HURTING["linked"](folder), getattr(still, step)
    scene.render.engine, scene.cycles.samples = "CYCLES", 1

    def fails(*arguments: Any) -> None:
        work(*arguments)
        raise RuntimeError("out of luck")

    monkeypatch.setattr(still, step, fails)
    bpy.context.view_layer.update()
    before = settled(folder)
    with pytest.raises(InputError, match="did not render the objects to keep: out of luck"):
        kept(view(scene), {bpy.data.objects["Box"]})
    assert difference(before, fingerprint(folder)) == {}


def test_workbench_is_told_that_it_cannot_cut(scene: bpy.types.Scene) -> None:
    scene.render.engine = "BLENDER_WORKBENCH"
    with pytest.raises(InputError, match="set it to Cycles or EEVEE"):
        kept(view(scene), {hero()})


def test_what_the_camera_does_not_see_is_said(scene: bpy.types.Scene) -> None:
    hero().location.y = -5
    with pytest.raises(InputError, match="“Camera” sees none of the objects to keep"):
        mask(view(scene), {hero()})


# The list, and a picture of the journal's


@pytest.fixture
def job(scene: bpy.types.Scene, data: Path, part: Callable, tmp_path: Path) -> Iterator[Any]:
    """A grey picture that arrived, chosen in the list, and the hero to keep in it."""
    watch = part("watch")
    watch.unregister()
    watch.register()
    result = tmp_path / "picture.png"
    Image.new("RGB", (WIDTH, HEIGHT), (60, 60, 60)).save(result)
    done = arrived(watch.journal(), scene, result)
    watch.refresh()
    listed(hero())
    yield done
    part("worker_process").let_go()


def arrived(journal: Any, scene: bpy.types.Scene, result: Path) -> Any:
    """The job of a picture that was made of this scene."""
    job = journal.claim(job_id=journal.add(request(scene), b"map", output=result).id)
    journal.save(replace(job, step="DONE", result=str(result), width=WIDTH, height=HEIGHT, seen=True), release=True)
    return journal.get(job.id)


def request(scene: bpy.types.Scene) -> Request:
    return Request(
        prompt="x", model="sandbox", framing=OVERSCANNED, depth=DepthSettings(), scene=scene.name,
        view_layer=scene.view_layers[0].name, camera="Camera", frame=1.0,
        camera_matrix=camera_matrix(scene, scene.camera),
    )  # fmt: skip


def listed(*things: bpy.types.Object) -> None:
    for thing in bpy.context.scene.objects:
        thing.select_set(thing in things)
    assert bpy.ops.flux_depth.keep_add() == {"FINISHED"}


def test_a_click_lays_them_over_the_chosen_picture(job: Any, scene: bpy.types.Scene, part: Callable) -> None:
    assert bpy.ops.flux_depth.keep() == {"FINISHED"}
    files = keep.files_of(Path(job.result))
    picture, objects = pixels(Image.open(files.picture)), pixels(Image.open(files.objects))
    assert picture.shape[:2] == objects.shape[:2] == (HEIGHT, WIDTH)
    assert (picture[objects[..., 3] == 0] == 60).all()
    assert np.array_equal(picture[objects[..., 3] == 255], objects[..., :3][objects[..., 3] == 255])
    slot = part("placement").slot_of(scene.camera)
    assert Path(bpy.path.abspath(slot.image.filepath)) == files.picture
    assert pixels(Image.open(job.result)).std() == 0, "the picture itself stays"


def test_a_second_time_shows_the_new_one(job: Any, scene: bpy.types.Scene, part: Callable) -> None:
    bpy.ops.flux_depth.keep()
    image = part("placement").slot_of(scene.camera).image
    before = tuple(image.pixels)
    hero().location.x -= 0.5
    bpy.ops.flux_depth.keep()
    assert part("placement").slot_of(scene.camera).image == image
    assert tuple(image.pixels) != before


def test_the_mask_is_previewed_free_and_offline(job: Any, scene: bpy.types.Scene) -> None:
    assert bpy.ops.flux_depth.preview_mask() == {"FINISHED"}
    shown = Image.open(bpy.path.abspath(bpy.data.images["FLUX Depth Mask"].filepath))
    assert (shown.size, shown.getextrema()) == ((WIDTH, HEIGHT), (0, 255))


def test_an_empty_stands_for_its_children(scene: bpy.types.Scene) -> None:
    root = add(scene, "Root", None)
    hero().parent = root
    listed(root)
    assert keep.kept_in(scene) == ({root, hero()}, "")


def test_a_collection_stands_for_the_list(scene: bpy.types.Scene) -> None:
    listed(bpy.data.objects["Box"])
    collection = scene.flux_depth_keep.collection = bpy.data.collections.new("Heroes")
    collection.objects.link(hero())
    assert keep.kept_in(scene) == ({hero()}, "")


def test_cameras_and_lights_are_nothing_to_keep(scene: bpy.types.Scene) -> None:
    for thing in scene.objects:
        thing.select_set(thing.type in {"CAMERA", "LIGHT"})
    with pytest.raises(RuntimeError, match="Nothing is selected that a render would show"):
        bpy.ops.flux_depth.keep_add()


def test_nothing_is_listed_twice_and_all_can_be_taken_off(scene: bpy.types.Scene) -> None:
    listed(hero())
    listed(hero(), bpy.data.objects["Box"])
    assert [row.name for row in scene.flux_depth_keep.things] == ["Hero", "Box"]
    for _ in range(3):
        bpy.ops.flux_depth.keep_remove()
    assert not scene.flux_depth_keep.things


@pytest.mark.parametrize("deleted", [lambda thing: bpy.data.objects.remove(thing), lambda _: bpy.ops.object.delete()])
def test_an_object_deleted_since_is_told_and_the_others_are_kept(
    job: Any, scene: bpy.types.Scene, deleted: Callable
) -> None:
    listed(bpy.data.objects["Box"])
    deleted(bpy.data.objects["Box"])
    things, told = keep.kept_in(scene)
    assert things == {hero()}
    assert told == "“Box” cannot be kept: no longer in this scene. The others are"
    assert bpy.ops.flux_depth.keep() == {"FINISHED"}
    bpy.ops.flux_depth.keep_remove(gone=True)
    assert [row.name for row in scene.flux_depth_keep.things] == ["Hero"]


def test_when_all_are_deleted_nothing_is_rendered_and_nothing_lost(job: Any, scene: bpy.types.Scene) -> None:
    bpy.data.objects.remove(hero())
    with pytest.raises(RuntimeError, match="There is nothing to keep: add selected objects"):
        bpy.ops.flux_depth.keep()
    assert Path(job.result).is_file()
    assert [row.name for row in scene.flux_depth_keep.things] == ["Hero"]


def no_camera(scene: bpy.types.Scene, _job: Any) -> None:
    bpy.data.objects.remove(scene.camera)


def moved_camera(scene: bpy.types.Scene, _job: Any) -> None:
    scene.camera.location.x += 0.1
    bpy.context.view_layer.update()


def other_shape(scene: bpy.types.Scene, _job: Any) -> None:
    scene.render.resolution_x *= 2


def no_picture(_scene: bpy.types.Scene, job: Any) -> None:
    Path(job.result).unlink()


def broken_picture(_scene: bpy.types.Scene, job: Any) -> None:
    Path(job.result).write_bytes(Path(job.result).read_bytes()[:60])


def other_scene(scene: bpy.types.Scene, _job: Any) -> None:
    other = scene.copy()
    bpy.context.window.scene = other
    listed(hero())


def no_layer(scene: bpy.types.Scene, _job: Any) -> None:
    scene.view_layers[0].name = "Renamed"


TROUBLES = {
    no_camera: "The camera of the chosen picture, “Camera”, is not in this scene",
    moved_camera: "“Camera” has moved since that picture was made",
    other_shape: "another shape",
    no_picture: "moved or deleted",
    broken_picture: "is not a whole PNG",
    other_scene: "was made in scene “Scene”: switch to it first",
    no_layer: "no view layer",
}


@pytest.mark.parametrize("name", [trouble.__name__ for trouble in TROUBLES])
def test_what_does_not_fit_is_one_sentence_and_nothing_is_written(job: Any, scene: bpy.types.Scene, name: str) -> None:
    trouble, sentence = next((each, words) for each, words in TROUBLES.items() if each.__name__ == name)
    trouble(scene, job)
    with pytest.raises(RuntimeError, match=sentence):
        bpy.ops.flux_depth.keep()
    assert not keep.files_of(Path(job.result)).picture.exists()


def test_what_a_stranger_s_file_holds_in_the_list_is_not_believed(scene: bpy.types.Scene) -> None:
    row = scene.flux_depth_keep.things.add()
    row.name = "Nothing"
    assert keep.thing_of(row, scene) is None
    with pytest.raises(InputError, match="There is nothing to keep"):
        keep.kept_in(scene)


# The node group


def test_the_node_group_composes_as_the_file_does(job: Any, scene: bpy.types.Scene, tmp_path: Path) -> None:
    bpy.ops.flux_depth.keep()
    assert bpy.ops.flux_depth.keep_nodes(insert=True) == {"FINISHED"}
    tree = keep_nodes.tree_of(scene)
    group = next(node for node in tree.nodes if getattr(node, "node_tree", None))
    assert group.node_tree.name == "FLUX Depth Keep"
    assert not group.outputs[0].is_linked
    output = next(node for node in tree.nodes if node.bl_idname in {"CompositorNodeComposite", "NodeGroupOutput"})
    tree.links.new(group.outputs[0], output.inputs[0])
    scene.view_settings.view_transform, scene.render.use_compositing = "Standard", True
    shown = as_the_user_renders(scene, tmp_path / "composed.png")
    expected = pixels(Image.open(keep.files_of(Path(job.result)).picture))
    alpha = pixels(Image.open(keep.files_of(Path(job.result)).objects))[..., 3]
    assert np.abs(shown - expected)[(alpha == 0) | (alpha == 255)].max() <= 2


def test_a_scene_without_a_compositor_renders_as_before_with_the_group_in_it(job: Any, scene, tmp_path: Path) -> None:
    before = as_the_user_renders(scene, tmp_path / "before.png")
    bpy.ops.flux_depth.keep()
    bpy.ops.flux_depth.keep_nodes(insert=True)
    assert np.abs(as_the_user_renders(scene, tmp_path / "after.png") - before).max() <= 1


def test_the_node_group_is_made_once_and_put_nowhere_unless_asked(job: Any, scene: bpy.types.Scene) -> None:
    for _ in range(2):
        bpy.ops.flux_depth.keep_nodes()
    assert [group.name for group in bpy.data.node_groups] == ["FLUX Depth Keep"]
    with pytest.raises(RuntimeError, match="no kept objects of the chosen picture yet"):
        bpy.ops.flux_depth.keep_nodes(insert=True)


# The command line


@pytest.fixture
def run(scene: bpy.types.Scene, part: Callable, tmp_path: Path, capfd) -> Callable:
    """Runs `keep` on the studio: the exit code, the outcome, what it said."""
    blend, told = tmp_path / "studio.blend", tmp_path / "told.json"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    Image.new("RGB", (WIDTH, HEIGHT), (60, 60, 60)).save(tmp_path / "picture.png")

    def run(*words: Any) -> tuple[int, dict[str, Any], str]:
        every = ["keep", blend, "-o", tmp_path / "out.png", "--json", told, "--data-dir", tmp_path / "data", *words]
        code = part("cli").main([*map(str, every)])
        return code, json.loads(told.read_text()) if told.exists() else {}, capfd.readouterr().err

    return run


def test_the_command_line_keeps_objects_in_a_picture(run: Callable, tmp_path: Path) -> None:
    words = ("--picture", tmp_path / "picture.png", "--object", "Hero", "--mask", tmp_path / "mask.png")
    code, outcome, said = run(*words)
    assert (code, outcome["step"], outcome["charged"], outcome["width"]) == (0, "DONE", "no", WIDTH), said
    alpha = pixels(Image.open(tmp_path / "mask.png"))
    assert (pixels(Image.open(tmp_path / "out.png"))[alpha == 0] == 60).all()
    assert alpha.max() == 255


def test_the_command_line_takes_scene_camera_and_frame_from_a_job(run: Callable, tmp_path: Path, part: Any) -> None:
    with part("core.journal").Journal(tmp_path / "data") as journal:
        done = arrived(journal, bpy.context.scene, tmp_path / "picture.png")
    code, outcome, said = run("--job", done.id, "--object", "Hero")
    assert (code, outcome["id"]) == (0, done.id), said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--object", "Nobody"), "There is no object in scene “Scene” called “Nobody”"),
        (("--collection", "Nothing"), "There is no collection called “Nothing”"),
        ((), "There is nothing to keep: name objects with --object"),
        (("--object", "Hero", "--camera", "Nowhere"), "no camera “Nowhere”"),
        (("--object", "Hero", "--mask", "mask.jpg"), "must end in .png"),
        (("--object", "Hero", "--picture", "studio.blend"), "is not a whole PNG"),
        (("--object", "Hero", "--picture", "nowhere.png"), "cannot be opened"),
        (("--object", "Hero", "--picture", "square.png"), "another shape"),
        (("--job", "nobody", "--object", "Hero"), "no job"),
    ],
)
def test_bad_words_are_one_sentence(run: Callable, tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    Image.new("RGB", (50, 50)).save(tmp_path / "square.png")
    words = tuple(tmp_path / word if word.endswith((".png", ".blend", ".jpg")) else word for word in words)
    more = () if {"--picture", "--job"} & set(words) else ("--picture", tmp_path / "picture.png")
    code, _, said = run(*words, *more)
    assert code == 2
    assert sentence in said
    assert not (tmp_path / "out.png").exists()
