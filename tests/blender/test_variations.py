"""A grid from one form: what it counts, what it asks before, what it sends, and what it never pays twice."""

import time
from dataclasses import replace

import bpy
import pytest
from PIL import Image

from tests.blender.hostile import button, drawn, drawn_by, look, words
from tests.secrets_watch import marked_key


@pytest.fixture
def form(ready, part):
    """The form of a scene of small pictures: one seed, fixed."""
    ready.flux_depth.megapixels = 0.1
    ready.flux_depth.use_seed, ready.flux_depth.seed = True, 7
    made = part("variations").form_of(ready)
    made.seeds = 1
    return made


@pytest.fixture(autouse=True)
def no_worker(part, monkeypatch):
    """Nobody paints but `paint`."""
    monkeypatch.setattr(part("watch"), "start_worker", lambda: None)
    monkeypatch.setattr(part("watch"), "_keep_worker", lambda: None)


def paint(part):
    """What the worker does, at once and in the order in which it was asked."""
    journal, Step = part("watch").journal(), part("core.job").Step
    for job in journal.unfinished():
        claimed = journal.claim(job_id=job.id)
        Image.new("RGB", (job.request.framing.crop_width, job.request.framing.crop_height)).save(job.output)
        done = replace(claimed, step=Step.DONE, result=str(job.output), finished=time.time(), width=1, height=1)
        journal.save(done, release=True)
        part("watch").refresh()


def generate(part):
    """Press the button; the jobs, newest first."""
    assert bpy.ops.flux_depth.generate_grid() == {"FINISHED"}
    return list(part("watch").jobs.values())


def add_camera(name, at, *, selected=False):
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    bpy.context.scene.collection.objects.link(camera)
    camera.matrix_world = bpy.context.scene.camera.matrix_world
    camera.location.x += at
    camera.select_set(selected)
    return camera


def test_one_form_asks_for_every_seed_prompt_and_frame(form, part):
    form.seeds, form.frames, form.start, form.end, form.step = 2, "RANGE", 1, 3, 2
    form.prompts.add().prompt = "a garden at night"
    bpy.context.scene.camera.keyframe_insert("location", frame=1)
    bpy.context.scene.camera.location.x += 1
    bpy.context.scene.camera.keyframe_insert("location", frame=3)
    jobs = generate(part)
    assert {(job.request.prompt, job.seed, job.request.frame) for job in jobs} == {
        (prompt, seed, frame)
        for prompt in ("a garden in the morning", "a garden at night")
        for seed in (7, 8)
        for frame in (1.0, 3.0)
    }
    assert len({job.batch for job in jobs}) == 1
    assert len({job.control.read_bytes() for job in jobs}) == 2
    assert len({job.request.camera_matrix for job in jobs}) == 2


def test_the_depth_is_rendered_once_for_all_that_share_it(form, part, monkeypatch):
    form.seeds = 3
    form.prompts.add().prompt = "a garden at night"
    rendered = []
    real = part("depth_preview").rendering
    monkeypatch.setattr(
        part("depth_preview"), "rendering", lambda *view, **how: rendered.append(view) or real(*view, **how)
    )
    assert len(generate(part)) == 6
    assert len(rendered) == 1


def test_every_selected_camera_has_its_own_note_in_its_prompt(form, part):
    left, right = add_camera("Left", -1, selected=True), add_camera("Right", 1, selected=True)
    part("variations").camera_form_of(left).note = "a lemon tree"
    form.cameras = "SELECTED"
    assert {job.request.camera: job.request.prompt for job in generate(part)} == {
        left.name: "a garden in the morning, a lemon tree",
        right.name: "a garden in the morning",
    }


def test_a_chosen_camera_without_a_tick_is_left_out(form, part):
    part("variations").camera_form_of(add_camera("Left", -1)).use = False
    form.cameras = "CHOSEN"
    assert [job.request.camera for job in generate(part)] == ["Camera"]


def test_cameras_at_markers_are_taken_at_the_markers_frames(form, part):
    scene = bpy.context.scene
    for name, frame in (("Left", 12), ("Right", 30)):
        scene.timeline_markers.new(name, frame=frame).camera = add_camera(name, frame / 10)
    scene.timeline_markers.new("a word only", frame=40)
    form.cameras, form.frames = "MARKERS", "RANGE"
    assert sorted((job.request.camera, job.request.frame) for job in generate(part)) == [("Left", 12), ("Right", 30)]


def test_a_random_grid_has_the_same_seeds_in_every_row(form, part):
    bpy.context.scene.flux_depth.use_seed = False
    form.seeds = 2
    form.prompts.add().prompt = "a garden at night"
    jobs = generate(part)
    assert len({job.seed for job in jobs}) == 2
    assert all(job.seed for job in jobs)


def test_what_was_painted_with_the_same_seed_is_not_paid_again(form, part):
    first = generate(part)
    paint(part)
    form.seeds = 2
    jobs = generate(part)
    assert [job.seed for job in jobs] == [8, 7]
    assert jobs[1].id == first[0].id
    with pytest.raises(RuntimeError, match=r"2 you have already: not paid again. Nothing was sent"):
        bpy.ops.flux_depth.generate_grid()


def test_frames_in_which_nothing_moves_are_one_picture(form, part):
    form.frames, form.start, form.end, form.step = "RANGE", 1, 4, 1
    assert len(generate(part)) == 1


def test_a_grid_that_costs_more_than_the_limit_renders_and_sends_nothing(form, part, monkeypatch):
    monkeypatch.setenv("COMETAPI_KEY", marked_key("cometapi"))
    monkeypatch.setattr(part("preferences"), "offline_reason", lambda *_: "")
    preferences = part("preferences").current()
    preferences.use_cap, preferences.cap_usd = True, 2.0
    bpy.context.scene.flux_depth.model_id = "cometapi:flux-pro-1-0-depth-finetuned"
    form.seeds = 40
    said = r"A grid of 40 pictures costs \$3.84, and of your limit of \$2.00 a month \$2.00 is left. Nothing was sent"
    monkeypatch.setattr(part("depth_preview"), "rendering", None)
    try:
        with pytest.raises(RuntimeError, match=said):
            bpy.ops.flux_depth.generate_grid()
    finally:
        preferences.use_cap = False
    assert not part("watch").journal().jobs()


def test_a_hundred_thousand_frames_are_refused_at_once(form, part):
    form.frames, form.start, form.end, form.step = "RANGE", 1, 100_000, 1
    began = time.process_time()
    assert not bpy.ops.flux_depth.generate_grid.poll()
    assert "This grid has 100,000 pictures, and 1,000 are the most" in words(drawn(part))
    assert time.process_time() - began < 1


def test_a_camera_that_is_bound_to_a_marker_and_not_in_the_scene_is_named(form, part):
    camera = add_camera("Left", 1)
    bpy.context.scene.timeline_markers.new("cut", frame=3).camera = camera
    bpy.context.scene.collection.objects.unlink(camera)
    form.cameras = "MARKERS"
    with pytest.raises(RuntimeError, match="has no camera “Left”"):
        bpy.ops.flux_depth.generate_grid()
    assert not part("watch").journal().jobs()


def test_a_camera_deleted_while_the_others_are_rendered_is_named_and_nothing_is_sent(form, part):
    add_camera("Left", -1, selected=True)
    right = add_camera("Right", 1, selected=True)
    form.cameras = "SELECTED"
    steps = part("takes").entries_of(
        part("takes").takes_of(bpy.context, part("variations").grid_of(bpy.context)), beside=False
    )
    assert next(steps) == "1 of 2"
    bpy.data.objects.remove(right)
    with pytest.raises(part("core.errors").InputError, match="Camera “Right”, frame 1: it was deleted meanwhile"):
        list(steps)


def test_a_camera_that_sees_nothing_is_named(form, part):
    camera = add_camera("Left", 0, selected=True)
    camera.rotation_euler = (3.14, 0, 0)
    camera.location.z += 50
    form.cameras = "SELECTED"
    with pytest.raises(RuntimeError, match="Camera “Left”, frame 1: "):
        bpy.ops.flux_depth.generate_grid()
    assert not part("watch").journal().jobs()


def test_a_panoramic_camera_among_them_is_named_before_anything_is_rendered(form, part, monkeypatch):
    add_camera("Left", -1, selected=True)
    add_camera("Right", 1, selected=True).data.type = "PANO"
    form.cameras = "SELECTED"
    monkeypatch.setattr(part("depth_preview"), "rendering", None)
    with pytest.raises(RuntimeError, match="Camera “Right” is panoramic"):
        bpy.ops.flux_depth.generate_grid()


def test_the_button_shows_what_it_does_and_does_nothing_else(form, part):
    form.seeds = 4
    label, click = button(drawn(part), "flux_depth.generate_grid")
    assert label == "Generate 4  ·  free"
    form.seeds = 5
    with pytest.raises(RuntimeError, match="has changed since it was drawn: it is 5 pictures · free now"):
        bpy.ops.flux_depth.generate_grid(**click)
    assert not part("watch").journal().jobs()


def test_the_question_says_what_it_does_to_the_month(form, part, monkeypatch):
    monkeypatch.setattr(part("preferences"), "cap", lambda: 20.0)
    bpy.context.scene.flux_depth.model_id = "cometapi:flux-pro-1-0-depth-finetuned"
    form.seeds = 40
    said = words(drawn_by(part("grid_buttons").FLUXDEPTH_OT_generate_grid.draw))
    assert "40 pictures  ·  $3.84" in said
    assert "This month nothing is spent" in said
    assert "it may come to $3.84; your limit is $20.00" in said


def test_models_beside_the_scene_s_own_are_kept_by_name(form, part, monkeypatch):
    for name, provider in (("BFL_API_KEY", "bfl"), ("COMETAPI_KEY", "cometapi")):
        monkeypatch.setenv(name, marked_key(provider))
    form.models = {"bfl:flux-pro-1.0-depth"}
    assert form.models == {"sandbox", "bfl:flux-pro-1.0-depth"}
    bpy.context.scene.flux_depth.model_id = "cometapi:flux-pro-1.0-depth"
    assert form.models == {"cometapi:flux-pro-1.0-depth", "bfl:flux-pro-1.0-depth"}
    grid = part("variations").grid_of(bpy.context)
    assert [model.id for model in grid.models] == ["cometapi:flux-pro-1.0-depth", "bfl:flux-pro-1.0-depth"]
    assert grid.price_usd == pytest.approx(0.11)


def test_cancelling_the_rest_cancels_all_of_them_and_says_what_it_cost(form, part):
    form.seeds = 3
    jobs = generate(part)
    assert bpy.ops.flux_depth.cancel_batch(batch=jobs[0].batch) == {"FINISHED"}
    assert {job.step for job in part("watch").jobs.values()} == {"CANCELLED"}


def test_a_favourite_is_marked_and_unmarked(form, part):
    job = generate(part)[0]
    paint(part)
    bpy.ops.flux_depth.toggle_favourite(job_id=job.id)
    assert part("watch").jobs[job.id].favourite
    bpy.ops.flux_depth.toggle_favourite(job_id=job.id)
    assert not part("watch").jobs[job.id].favourite


def test_of_a_batch_each_camera_keeps_the_first_that_arrives(form, part, monkeypatch):
    add_camera("Left", -1, selected=True)
    add_camera("Right", 1, selected=True)
    form.cameras, form.seeds = "SELECTED", 3
    put = {"place": [], "lay_on_camera": []}
    for name, placed in put.items():
        monkeypatch.setattr(part("placement"), name, placed.append)
    generate(part)
    paint(part)
    look(part)
    cameras = {name: [job.request.camera for job in placed] for name, placed in put.items()}
    assert cameras == {"place": ["Left"], "lay_on_camera": ["Right"]}
    assert all(job.seen for job in part("watch").jobs.values())


def test_a_contact_sheet_of_the_batch_is_written_beside_its_pictures(form, part, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "room.blend"))
    part("variations").form_of(bpy.context.scene).seeds = 3
    jobs = generate(part)
    with pytest.raises(RuntimeError, match="None of these pictures is finished"):
        bpy.ops.flux_depth.contact_sheet(batch="nothing")
    paint(part)
    assert bpy.ops.flux_depth.contact_sheet(batch=jobs[0].batch) == {"FINISHED"}
    sheet = tmp_path / "flux_depth" / f"contact_sheet_{jobs[0].batch}.jpg"
    assert Image.open(sheet).size[0] > 3 * 200


def test_the_fonts_of_this_blender_have_letters_of_every_kind(part):
    fonts = part("batch").fonts()
    assert fonts[0].name.startswith("Inter")
    assert any("CJK" in font.name for font in fonts)


def test_a_file_with_a_strangers_form_is_drawn_and_harmless(form, part):
    form.model_ids = "nowhere\n" * 50 + "x" * 100_000
    for _ in range(30):
        form.prompts.add().prompt = "y" * 3000
    assert len(part("variations").grid_of(bpy.context).prompts) == 2
    drawn(part)


def test_generating_a_grid_changes_nothing_in_the_scene(form, part):
    add_camera("Left", -1, selected=True)
    add_camera("Right", 1, selected=True)
    bpy.context.scene.flux_depth.destination = "EDITOR"
    form.cameras, form.frames, form.start, form.end, form.step = "SELECTED", "RANGE", 1, 2, 1
    kinds = ("scenes", "objects", "cameras", "images", "node_groups", "actions", "meshes")
    before = [len(getattr(bpy.data, kind)) for kind in kinds], bpy.context.scene.frame_current
    generate(part)
    assert ([len(getattr(bpy.data, kind)) for kind in kinds], bpy.context.scene.frame_current) == before
