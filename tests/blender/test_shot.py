"""Shots in Blender: what the button shows and does, the command line, the sequencer and the camera."""

import json
import os
from pathlib import Path
from types import MethodType, SimpleNamespace

import bpy
import pytest
from PIL import Image

from tests.blender.hostile import drawn, look, words
from tests.blender.test_generate import wait
from tests.secrets_watch import marked_key


@pytest.fixture
def scene(fresh_file, data, part, tmp_path):
    """A cube that moves for six frames, in a file of its own, small and in the sandbox."""
    cube = bpy.data.objects["Cube"]
    cube.keyframe_insert("location", frame=1)
    cube.location = (1.5, -2, 0)
    cube.keyframe_insert("location", frame=6)
    scene = fresh_file
    scene.frame_start, scene.frame_end = 1, 6
    scene.flux_depth.model_id, scene.flux_depth.prompt, scene.flux_depth.megapixels = "sandbox", "a garden", 0.1
    (tmp_path / "work").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "work" / "room.blend"))
    part("watch").unregister()
    part("watch").register()
    yield bpy.context.scene
    part("worker_process").let_go()


@pytest.fixture
def endpoint(part):
    """The sandbox, answering at once with the control image; its posts can be counted."""
    sandbox = part("core.sandbox")
    with sandbox.Sandbox(behaviour=sandbox.Behaviour(delay=0.0, picture="echo")) as running:
        yield running


@pytest.fixture
def folder(tmp_path):
    """Where the window's shot is."""
    return tmp_path / "work" / "flux_depth" / "shot"


@pytest.fixture
def run(part, tmp_path, capfd):
    """Runs the command line in this process, on one of a farm's computers: exit code, JSON, and what it said."""

    def run(*arguments, computer="one"):
        told = tmp_path / "outcome.json"
        told.unlink(missing_ok=True)
        words = [*map(str, arguments), "--json", str(told), "--data-dir", str(tmp_path / computer)]
        code = part("cli").main(words)
        return code, json.loads(told.read_text()) if told.exists() else None, capfd.readouterr().err

    return run


def standing(part):
    """What the panel knows once the folder was looked at."""
    shot = part("shot")
    return shot.look(shot.wanted_of(bpy.context.scene))


def all_there(part, number=6):
    return lambda: len(standing(part).there) == number


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def painted(folder, *frames):
    """Frames as they would be there, each in a colour of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame in frames:
        Image.new("RGB", (64, 36), (frame * 9, 80, 120)).save(folder / f"{folder.name}_{frame:04d}.png")


# The window.


def test_a_shot_becomes_a_sequence_with_one_range_and_one_seed(scene, part, folder):
    own = part("shot").settings_of(scene)
    assert standing(part).missing == [1, 2, 3, 4, 5, 6]
    assert bpy.ops.flux_depth.generate_shot() == {"FINISHED"}
    assert 0 < own.near < own.far
    assert own.seed
    jobs = part("watch").jobs.values()
    assert len({(job.request.depth, job.request.seed, job.batch) for job in jobs}) == 1
    assert sorted(job.request.frame for job in jobs) == [1, 2, 3, 4, 5, 6]
    assert len({job.request.camera_matrix for job in jobs}) == 1
    wait(part, lambda: all_there(part)() and not part("watch").on_their_way())
    assert names(folder) == sorted([*(f"shot_000{frame}.png" for frame in range(1, 7)), "shot.json"])
    assert part("placement").slot_of(scene.camera) is None
    assert scene.frame_current == 1


def test_only_what_is_missing_is_painted_and_with_the_range_it_was_begun_with(scene, part, folder):
    own = part("shot").settings_of(scene)
    own.own_frames, own.start, own.end, own.step = True, 1, 5, 4
    bpy.ops.flux_depth.generate_shot()
    wait(part, all_there(part, 2))
    before = (folder / "shot_0001.png").stat().st_mtime_ns
    own.step, own.near, own.far, own.seed = 2, 0.0, 0.0, 0
    standing(part)
    bpy.ops.flux_depth.generate_shot()
    wait(part, all_there(part, 3))
    assert (folder / "shot_0001.png").stat().st_mtime_ns == before
    jobs = part("watch").jobs.values()
    assert len(jobs) == 3
    assert len({(job.request.depth, job.request.seed) for job in jobs}) == 1


def test_the_range_is_found_for_nothing_and_can_be_undone(scene, part, data):
    scene.flux_depth.prompt = ""
    bpy.ops.flux_depth.find_shot_range()
    own = part("shot").settings_of(scene)
    assert 4 < own.near < 8.6 < own.far < 30
    assert not (data / "journal.sqlite3").exists()


def test_the_button_tells_what_is_missing_and_what_it_costs(scene, part, folder, monkeypatch):
    monkeypatch.setenv("COMETAPI_KEY", marked_key("cometapi"))
    scene.flux_depth.model_id = "cometapi:flux-pro-1.0-depth"
    painted(folder, 1, 2, 4)
    standing(part)
    told = words(drawn(part))
    assert "3 missing of 6: 3, 5, 6" in told
    assert "3 Missing  ·  $0.18" in told
    assert "expect flicker in texture and light" in told
    own = part("shot").settings_of(scene)
    own.use_resume, own.resume_at = True, 5
    assert "2 Missing  ·  $0.12" in words(drawn(part))
    own.use_resume, own.anew = False, True
    assert "6 Anew  ·  $0.36" in words(drawn(part))


def test_a_click_does_what_the_button_showed_or_nothing(scene, part, folder):
    standing(part)
    shown = {"shown_model": "sandbox", "shown_price": "free for 5 frames"}
    with pytest.raises(RuntimeError, match="has changed since it was drawn: it is free for 6 frames"):
        bpy.ops.flux_depth.generate_shot(**shown)
    assert not part("watch").jobs


def test_the_monthly_limit_holds_for_all_frames_together(scene, part, monkeypatch):
    monkeypatch.setenv("COMETAPI_KEY", marked_key("cometapi"))
    scene.flux_depth.model_id = "cometapi:flux-pro-1.0-depth"
    monkeypatch.setattr(part("preferences"), "cap", lambda: 0.3)
    monkeypatch.setattr(part("preferences"), "offline_reason", lambda *_: "")
    standing(part)
    with pytest.raises(RuntimeError, match="limit"):
        bpy.ops.flux_depth.generate_shot()
    assert not part("watch").journal().jobs()
    assert part("shot").settings_of(scene).seed == 0


def test_another_prompt_within_a_shot_is_told(scene, part, folder):
    own = part("shot").settings_of(scene)
    own.own_frames, own.end = True, 1
    bpy.ops.flux_depth.generate_shot()
    wait(part, all_there(part, 1))
    scene.flux_depth.prompt, own.end = "a desert", 2
    standing(part)
    with pytest.raises(RuntimeError, match="begun with another prompt"):
        bpy.ops.flux_depth.generate_shot()
    assert len(part("watch").jobs) == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"end": 100_000}, "100,000 frames is too long"),
        ({"end": 0}, "no frame from 1 to 0"),
        ({"title": " "}, "has no name"),
    ],
)
def test_what_is_no_shot_is_one_sentence_in_the_panel(scene, part, change, sentence):
    own = part("shot").settings_of(scene)
    own.own_frames = True
    for name, value in change.items():
        setattr(own, name, value)
    assert sentence in standing(part).problem
    assert sentence in words(drawn(part))
    with pytest.raises(RuntimeError, match=sentence):
        bpy.ops.flux_depth.generate_shot()


def test_a_name_stays_within_its_folder(scene, part, folder):
    part("shot").settings_of(scene).title = "../../x"
    assert standing(part).folder.parent == folder.parent


def test_a_frame_without_depth_is_named_and_nothing_is_sent(scene, part):
    camera = scene.camera
    for frame, hidden in ((1, False), (4, True), (5, False)):
        bpy.data.objects["Cube"].hide_render = hidden
        bpy.data.objects["Cube"].keyframe_insert("hide_render", frame=frame)
    assert camera
    standing(part)
    with pytest.raises(RuntimeError, match=r"Frame 4: .*Nothing was sent"):
        bpy.ops.flux_depth.generate_shot()
    assert not part("watch").journal().jobs()


def test_what_is_broken_off_sends_nothing_and_begins_no_shot(scene, part, folder):
    buttons, preview = part("shot_buttons"), part("depth_preview")
    bpy.ops.flux_depth.preview_depth()
    seen = preview.seen
    standing(part)
    button = buttons.FLUXDEPTH_OT_generate_shot
    stand_in = SimpleNamespace(check_shown=lambda *_: None, report=lambda *_: None)
    stand_in._work = MethodType(button._work, stand_in)
    steps = button.steps(stand_in, bpy.context, beside=False)
    said = [next(steps) for _ in range(9)]
    assert "Range: frame 1, 1 of 6" in said
    assert "Frame 2, 2 of 6" in said
    with pytest.raises(RuntimeError, match="is being rendered"):
        bpy.ops.flux_depth.generate_shot()
    steps.close()
    assert not part("watch").journal().jobs()
    assert not (folder / "shot.json").exists()
    assert preview.seen is seen
    assert bpy.ops.flux_depth.generate_shot.poll()


# Where it is seen.


def test_the_frames_lie_on_the_camera_each_at_its_own(scene, part, folder):
    painted(folder, 3, 4, 5, 6)
    standing(part)
    bpy.ops.flux_depth.shot_on_camera()
    slot = part("placement").slot_of(scene.camera)
    user = slot.image_user
    assert (slot.image.source, slot.frame_method) == ("SEQUENCE", "STRETCH")
    assert (user.frame_start, user.frame_duration, user.frame_offset) == (3, 4, 2)
    bpy.ops.flux_depth.shot_on_camera()
    assert len(scene.camera.data.background_images) == 1
    assert len([image for image in bpy.data.images if image.source == "SEQUENCE"]) == 1


def test_the_sequencer_shows_each_frame_at_its_own_and_holds_what_is_missing(scene, part, folder):
    painted(folder, 2, 3, 5)
    standing(part)
    bpy.ops.flux_depth.shot_to_sequencer()
    editor = scene.sequence_editor
    (strip,) = editor.strips if hasattr(editor, "strips") else editor.sequences
    assert strip.type == "IMAGE"
    assert [element.filename for element in strip.elements] == [f"shot_000{frame}.png" for frame in (2, 3, 3, 5, 5)]
    assert (int(strip.frame_final_start), int(strip.frame_final_end)) == (2, 7)
    assert Path(bpy.path.abspath(strip.directory)).resolve() == folder.resolve()
    bpy.ops.flux_depth.shot_to_sequencer()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    assert sorted(strip.channel for strip in strips) == [1, 2]


def test_without_a_frame_there_is_nothing_to_show(scene, part):
    standing(part)
    for operator in (bpy.ops.flux_depth.shot_on_camera, bpy.ops.flux_depth.shot_to_sequencer):
        with pytest.raises(RuntimeError, match="No frame of the shot is there yet"):
            operator()


def test_a_frame_that_broke_off_counts_as_missing(scene, part, folder):
    painted(folder, 1, 2, 3)
    (folder / "shot_0002.png").write_bytes((folder / "shot_0002.png").read_bytes()[:-20])
    assert standing(part).missing == [2, 4, 5, 6]


def test_a_deleted_frame_is_missing_again(scene, part, folder):
    painted(folder, 1, 2)
    standing(part)
    (folder / "shot_0001.png").unlink()
    assert standing(part).missing == [1, 3, 4, 5, 6]


def test_a_panel_has_the_folder_looked_at_anew_after_a_while(scene, part, folder, monkeypatch):
    shot = part("shot")
    standing(part)
    painted(folder, 1)
    assert shot.standing_of(scene).missing == [1, 2, 3, 4, 5, 6]
    assert not bpy.app.timers.is_registered(shot._look)
    monkeypatch.setattr(shot, "STALE_SECONDS", -1.0)
    shot.standing_of(scene)
    assert bpy.app.timers.is_registered(shot._look)
    shot._look()
    assert shot.standing_of(scene).missing == [2, 3, 4, 5, 6]


def test_the_timer_looks_when_a_panel_asks(scene, part, folder):
    shot = part("shot")
    assert shot.standing_of(scene) is None
    assert shot._look() is None
    assert shot.standing_of(scene).missing == [1, 2, 3, 4, 5, 6]
    look(part)


# The command line.


def shot_of(run, scene, out, *more, **where):
    return run("shot", bpy.data.filepath, "-o", out, "--provider", "sandbox", *more, **where)


BEGUN = ("--prompt", "a garden", "--megapixels", "0.1")


def test_the_command_line_paints_what_is_missing(run, scene, tmp_path, endpoint):
    out = tmp_path / "out"
    painted(out, 2)
    code, outcome, said = shot_of(run, scene, out, *BEGUN, "--frames", "1-3", "--url", endpoint.base)
    assert code == 0, said
    assert [(told["frame"], told["step"]) for told in outcome["frames"]] == [(1, "DONE"), (2, "DONE"), (3, "DONE")]
    assert "Frame 2: already there" in said
    assert len(endpoint.posts) == 2
    code, _, said = shot_of(run, scene, out, "--frames", "1-3", "--url", endpoint.base)
    assert (code, len(endpoint.posts)) == (0, 2)


def test_a_shot_is_locked_offline_and_gone_on_with_by_another_computer(run, scene, tmp_path, endpoint):
    out = tmp_path / "out"
    code, locked, _ = shot_of(run, scene, out, *BEGUN, "--frames", "1-6", "--seed", 5, "--lock-only")
    assert (code, locked["seed"], names(out)) == (0, 5, ["shot.json"])
    for frame, computer in ((2, "two"), (5, "three")):
        more = ("--frames", "1-6", "--frame", frame, "--url", endpoint.base)
        code, outcome, said = shot_of(run, scene, out, *more, computer=computer)
        assert code == 0, said
        assert (outcome["near"], outcome["far"], outcome["seed"]) == (locked["near"], locked["far"], 5)
    assert names(out) == ["out_0002.png", "out_0005.png", "shot.json"]
    assert {post.body["seed"] for post in endpoint.posts} == {5}


def test_a_shot_is_gone_on_with_for_the_frames_that_it_was_begun_with(run, scene, tmp_path, endpoint):
    out = tmp_path / "out"
    shot_of(run, scene, out, *BEGUN, "--frames", "1,3", "--lock-only")
    code, outcome, said = shot_of(run, scene, out, "--url", endpoint.base)
    assert code == 0, said
    assert [told["frame"] for told in outcome["frames"]] == [1, 3]


def test_what_another_computer_has_sent_is_fetched(run, scene, tmp_path, endpoint, part, monkeypatch):
    out = tmp_path / "out"
    more = (*BEGUN, "--frames", "1-2", "--url", endpoint.base)
    worker = part("core.worker")

    def lost(jobs, client, journal):
        for job in jobs:
            worker.step(journal.claim(job_id=job.id), client, journal)
        raise KeyboardInterrupt

    with monkeypatch.context() as cut_off:
        cut_off.setattr(worker, "finish", lost)
        assert shot_of(run, scene, out, *more)[0] == 130
    assert (len(endpoint.posts), names(out)) == (2, ["sent", "shot.json"])
    code, outcome, said = shot_of(run, scene, out, *more, computer="two")
    assert code == 0, said
    assert [told["step"] for told in outcome["frames"]] == ["DONE", "DONE"]
    assert (len(endpoint.posts), names(out)) == (2, ["out_0001.png", "out_0002.png", "shot.json"])


def test_resuming_leaves_the_frames_before_alone_and_anew_pays_again(run, scene, tmp_path, endpoint):
    out = tmp_path / "out"
    more = (*BEGUN, "--frames", "1-4", "--url", endpoint.base)
    shot_of(run, scene, out, *more, "--resume-at", 3)
    assert names(out) == ["out_0003.png", "out_0004.png", "shot.json"]
    shot_of(run, scene, out, *more, "--frame", 4, "--anew")
    assert len(endpoint.posts) == 3
    assert len({post.body["seed"] for post in endpoint.posts}) == 1


@pytest.mark.parametrize(
    ("more", "code", "sentence"),
    [
        (["--frames", "1-100000", *BEGUN], 2, "100,000 frames is too long"),
        (["--frames", "4-1", *BEGUN], 2, "no frame from 4 to 1"),
        (["--frames", "x", *BEGUN], 2, "no frame range"),
        (["--frames", "1-4"], 2, "add --prompt to begin the shot"),
        (["--frames", "1-4", "--frame", "9", *BEGUN], 2, "None of the shot's frames"),
        (["--frames", "1-4", "--resume-at", "9", *BEGUN], 2, "None of the shot's frames"),
        (["--camera", "Nobody", *BEGUN], 2, "Nobody"),
        (["--near", "9", "--far", "3", *BEGUN], 2, "Near"),
        (["--seed", "0", *BEGUN], 2, "Seed"),
        (["--provider", "bfl", *BEGUN], 3, "online access"),
    ],
)
def test_bad_input_is_one_sentence_and_sends_nothing(run, scene, tmp_path, endpoint, more, code, sentence):
    base = [] if "bfl" in more else ["--url", endpoint.base]
    got, _, said = shot_of(run, scene, tmp_path / "out", *base, *more)
    assert got == code, said
    assert sentence in said
    assert "Traceback" not in said
    assert not endpoint.posts


def test_a_stranger_s_shot_file_is_told(run, scene, tmp_path, endpoint):
    out = tmp_path / "out"
    out.mkdir()
    (out / "shot.json").write_text('{"near": 1}')
    code, _, said = shot_of(run, scene, out, *BEGUN, "--url", endpoint.base)
    assert (code, len(endpoint.posts)) == (2, 0)
    assert "does not say how this shot is painted" in said


def test_one_frame_that_is_refused_keeps_no_other_from_being_painted(run, scene, tmp_path, part):
    sandbox = part("core.sandbox")
    answers = [sandbox.Answer(422, body={"detail": "no"})]
    with sandbox.Sandbox(behaviour=sandbox.Behaviour(0.0, "echo", submit_answers=answers)) as endpoint:
        code, outcome, _ = shot_of(run, scene, tmp_path / "out", *BEGUN, "--frames", "1-3", "--url", endpoint.base)
    assert code == 3
    assert sorted(told["step"] for told in outcome["frames"]) == ["DONE", "DONE", "FAILED"]
    assert not os.path.exists(tmp_path / "out" / "sent")
