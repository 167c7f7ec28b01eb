"""The history in Blender: what is found, shown, stale, jumped back to, and thrown away."""

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from PIL import Image

from tests.blender.hostile import drawn, drawn_by, in_the_sidebar, words
from tests.main_thread import Trespasses


@pytest.fixture
def ready(fresh_file, data, part):
    """A scene of a saved file, with a journal of its own."""
    bpy.ops.wm.save_as_mainfile(filepath=str(data.parent / "room.blend"))
    scene = bpy.context.scene
    scene.flux_depth.model_id = "sandbox"
    scene.flux_depth.prompt = "a garden in the morning"
    part("watch").unregister()
    part("watch").register()
    part("gallery").forget()
    filters = part("gallery").settings(bpy.context.window_manager)
    filters.words, filters.favourites, filters.this_scene, filters.this_camera = "", False, False, False
    yield scene
    part("gallery").forget()
    part("watch").let_go_of_journal()


@pytest.fixture
def paint(ready, part, tmp_path):
    """Makes a picture that arrived, of the scene as it is."""

    def paint(prompt="a garden", **changes):
        journal = part("watch").journal()
        request = part("staleness").marked(part("properties").request_of(bpy.context), bpy.context.scene)
        request = replace(request, prompt=prompt, **changes)
        job = journal.claim(job_id=journal.add(request, b"png", origin=bpy.data.filepath).id)
        path = tmp_path / f"{job.id}.png"
        Image.new("RGB", (64, 36), "red").save(path)
        done = {"step": part("core.job").Step.DONE, "result": str(path), "finished": time.time(), "seen": True}
        journal.save(replace(job, **done), release=True)
        return journal.get(job.id)

    return paint


def look(part):
    """Open the history, and let the timer bring what it lacks."""
    part("watch").refresh()
    gallery = part("gallery")
    for _ in range(4):
        drawn(part)
        for job_id in gallery.found:
            gallery.entry(job_id)  # without a window Blender draws no rows
        gallery._compare_at = 0.0
        while (pause := gallery._tick()) is not None:
            assert pause < 1


def of(part, **filters):
    chosen = part("gallery").settings(bpy.context.window_manager)
    for name, value in filters.items():
        setattr(chosen, name, value)
    look(part)
    return list(part("gallery").found)


def test_pictures_are_found_by_words_scene_camera_and_star(ready, part, paint):
    one, two = paint("a red barn"), paint("a blue boat", camera="Other")
    assert of(part) == [two.id, one.id]
    assert of(part, words="BARN red") == [one.id]
    assert of(part, words="", this_camera=True) == [one.id]
    bpy.ops.flux_depth.toggle_favourite(job_id=two.id)
    assert of(part, this_camera=False, favourites=True) == [two.id]
    assert of(part, favourites=False, this_scene=True) == [two.id, one.id]


def test_a_picture_that_arrives_while_one_looks_is_there(ready, part, paint):
    one = paint()
    assert of(part) == [one.id]
    two = paint()
    assert of(part) == [two.id, one.id]


def test_the_history_outlives_the_file(ready, part, paint):
    one = paint()
    bpy.ops.wm.read_homefile(use_empty=False)
    assert of(part) == [one.id]
    assert len(part("gallery").settings(bpy.context.window_manager).rows) == 1


def test_drawing_the_history_asks_only_memory(ready, part, paint):
    paint(), paint()
    part("preferences").table(), part("preferences").table_problem()  # as they were read when it was enabled
    part("watch").refresh()
    with Trespasses() as trespasses:
        drawn(part)
        look(part)
        part("gallery").click(0)
        drawn(part)
    assert trespasses.found == []


def test_a_click_shows_and_a_second_one_places(ready, part, paint, monkeypatch):
    one, done = paint(), []
    monkeypatch.setattr(part("gallery").windows, "soon", lambda work: done.append(work.args[0].__name__))
    look(part)
    part("gallery").click(0)
    part("gallery").click(0)
    part("gallery").click(0)
    assert done == ["show", "place", "show"]
    assert part("gallery").chosen == one.id
    assert "a garden" in words(drawn(part))


def test_placing_lays_it_on_its_camera(ready, part, paint):
    one = paint()
    part("gallery").place(one.id)
    slot = part("placement").slot_of(ready.camera)
    assert Path(bpy.path.abspath(slot.image.filepath)) == Path(one.result)


def test_whoever_looks_through_many_has_no_more_images_for_it(ready, part, paint):
    number = len(bpy.data.images)
    for job in [paint(), paint(), paint()]:
        part("gallery").show(job.id)
    assert len(bpy.data.images) == number + 1


def test_a_picture_that_is_gone_says_so(ready, part, paint):
    one = paint()
    Path(one.result).unlink()
    look(part)
    assert part("gallery").missing == {one.id}
    part("gallery")._act(part("gallery").show, one.id)
    assert "was moved or deleted" in part("gallery").problem
    assert "was moved or deleted" in words(drawn(part))


# Stale.


def reason(part, job):
    look(part)
    return part("gallery").stale.get(job.id, "")


def test_a_picture_of_the_scene_as_it_is_is_not_stale(ready, part, paint):
    one = paint()
    assert one.request.scene_mark
    assert reason(part, one) == ""
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    assert reason(part, one) == ""


def move_camera(scene):
    scene.camera.location.x += 0.1


def change_lens(scene):
    scene.camera.data.lens += 5


def change_frame(scene):
    scene.render.resolution_x += 200


def move_cube(scene):
    bpy.data.objects["Cube"].location.x += 0.1


def reshape_cube(scene):
    mesh = bpy.data.objects["Cube"].data
    mesh.vertices[0].co.x += 1
    mesh.update()


def add_object(scene):
    scene.collection.objects.link(bpy.data.objects.new("Second", bpy.data.meshes["Cube"]))


def delete_camera(scene):
    bpy.data.objects.remove(scene.camera)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (move_camera, "camera"),
        (change_lens, "lens"),
        (change_frame, "lens"),
        (move_cube, "scene"),
        (reshape_cube, "scene"),
        (add_object, "scene"),
        (delete_camera, "gone"),
    ],
)
def test_a_change_makes_it_stale(ready, part, paint, change, why):
    one = paint()
    assert reason(part, one) == ""
    change(ready)
    bpy.context.view_layer.update()
    assert reason(part, one) == why


def test_what_no_depth_map_shows_makes_nothing_stale(ready, part, paint):
    one = paint()
    bpy.data.objects["Light"].location.x += 1
    bpy.data.objects["Cube"].active_material.diffuse_color = (1, 0, 0, 1)
    bpy.context.view_layer.update()
    assert reason(part, one) == ""


def test_at_another_frame_and_in_another_file_nobody_knows(ready, part, paint, tmp_path):
    one = paint()
    move_camera(ready)
    ready.frame_set(7)
    assert reason(part, one) == ""
    ready.frame_set(1)
    assert reason(part, one) == "camera"
    (tmp_path / "else").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "else" / "room.blend"))
    bpy.context.scene.frame_set(1)
    part("gallery")._compared = ()
    part("arrivals").from_this_file.clear()
    assert reason(part, one) == ""


# Back to where it was made.


def test_jump_back_goes_to_frame_and_camera(ready, part, paint):
    ready.frame_set(5)
    one, camera = paint(), ready.camera
    ready.frame_set(9)
    ready.camera = None
    assert bpy.ops.flux_depth.jump_back(job_id=one.id) == {"FINISHED"}
    assert (ready.frame_current, ready.camera) == (5, camera)


def test_jump_back_to_a_camera_that_is_gone_says_so_and_makes_one_as_it_was(ready, part, paint):
    one, stood = paint(), ready.camera.matrix_world.copy()
    name = ready.camera.name
    bpy.data.objects.remove(ready.camera)
    with pytest.raises(RuntimeError, match=f"The camera “{name}” is not in this scene any more"):
        bpy.ops.flux_depth.jump_back(job_id=one.id)
    bpy.ops.flux_depth.camera_as_it_was(job_id=one.id)
    bpy.context.view_layer.update()
    assert ready.camera.name == f"{name} as It Was"
    assert all(
        abs(a - b) < 1e-5
        for one, other in zip(ready.camera.matrix_world, stood, strict=True)
        for a, b in zip(one, other, strict=True)
    )


def test_jump_back_to_another_file_says_which(ready, part, paint):
    one = paint(scene="Attic")
    with pytest.raises(RuntimeError, match=r"no scene “Attic” in this file: open room\.blend first"):
        bpy.ops.flux_depth.jump_back(job_id=one.id)


def test_settings_are_restored(ready, part, paint):
    one = paint("a red barn", seed=77)
    ready.flux_depth.prompt = "something else"
    bpy.ops.flux_depth.restore_job(job_id=one.id)
    assert (ready.flux_depth.prompt, ready.flux_depth.use_seed, ready.flux_depth.seed) == ("a red barn", True, 77)


# Into the bin.


@pytest.fixture
def thrown(part, monkeypatch):
    """What went into the bin."""
    import send2trash

    found = []

    def throw(file):
        found.append(Path(file).name)
        Path(file).unlink()

    monkeypatch.setattr(send2trash, "send2trash", throw)
    return found


def test_a_deleted_picture_goes_to_the_bin_with_what_lies_beside_it_and_stays_in_the_sums(ready, part, paint, thrown):
    one, two = paint(), paint()
    beside = Path(f"{one.result}.xmp")
    beside.write_text("<x/>")
    assert bpy.ops.flux_depth.discard(job_id=one.id) == {"FINISHED"}
    assert thrown == [Path(one.result).name, beside.name]
    assert of(part) == [two.id]
    assert part("watch").journal().get(one.id).discarded


def test_where_there_is_no_bin_nothing_is_deleted(ready, part, paint, monkeypatch):
    import send2trash

    def refuse(file):
        raise PermissionError(13, "no bin on this disk")

    monkeypatch.setattr(send2trash, "send2trash", refuse)
    one = paint()
    with pytest.raises(RuntimeError, match=r"cannot be moved to the system's bin \(no bin on this disk\)"):
        bpy.ops.flux_depth.discard(job_id=one.id)
    assert Path(one.result).exists()
    assert of(part) == [one.id]


def test_no_more_is_remembered_than_was_drawn_last(ready, part, paint, monkeypatch):
    monkeypatch.setattr(part("gallery"), "KEPT", 2)
    for _ in range(5):
        paint()
    look(part)
    assert len(part("gallery").entries) <= 2


@pytest.mark.parametrize("narrow", [False, True])
def test_a_row_is_drawn_whatever_is_known_of_it(ready, part, paint, monkeypatch, narrow):
    one, panel, gallery = paint(), part("gallery_panel"), part("gallery")
    monkeypatch.setattr(panel, "is_narrow", lambda _context: narrow)

    def row(owner, context):
        draw = panel.FLUXDEPTH_UL_history.draw_item
        draw(owner, context, owner.layout, SimpleNamespace(size=4), None, 0, None, "", 0)

    def said():
        with in_the_sidebar():
            return words(drawn_by(row))

    look(part)
    assert ("a garden" in said()) is not narrow
    gallery.stale[one.id] = "camera"
    assert ("Stale" in said()) is not narrow
    gallery.missing.add(one.id)
    assert ("File gone" in said()) is not narrow
    gallery.entries.clear()
    said()


def test_what_was_scrolled_past_is_not_read(ready, part, paint, monkeypatch):
    gallery = part("gallery")
    monkeypatch.setattr(gallery, "IN_SIGHT", 2)
    monkeypatch.setattr(gallery, "ROWS", 1)
    ids = [paint().id for _ in range(5)]
    look(part)
    gallery.entries.clear()
    for job_id in ids:
        gallery.entry(job_id)
    while gallery._tick() is not None:
        gallery._compare_at = 0.0
    assert list(gallery.entries) == ids[:-3:-1]
