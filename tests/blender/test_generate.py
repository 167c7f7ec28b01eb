"""The whole way of a picture in Blender: click, worker, sandbox, journal, and where it lands."""

import time
from dataclasses import replace
from pathlib import Path

import bpy
import pytest
from PIL import Image

from tests.blender.hostile import look
from tests.secrets_watch import marked_key


def generate(part):
    """Press the button; the newest job."""
    assert bpy.ops.flux_depth.generate() == {"FINISHED"}
    return next(iter(part("watch").jobs.values()))


def wait(part, until, seconds=30):
    """What the window's timer does, as no window is there to do it."""
    watch, end = part("watch"), time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, watch.jobs
        look(part)
        time.sleep(0.1)


def finished(part, job):
    return lambda: part("watch").jobs[job.id].is_final


def test_a_click_becomes_a_picture_on_the_camera_s_frame(ready, part):
    job = generate(part)
    wait(part, finished(part, job))
    done = part("watch").jobs[job.id]
    assert (done.step, done.charged, done.error_message) == ("DONE", "no", "")
    slot = part("placement").slot_of(ready.camera)
    assert Path(bpy.path.abspath(slot.image.filepath)) == Path(done.result)
    assert Image.open(done.result).size == (1344, 756)


def test_the_button_returns_before_the_picture_is_made(ready, part):
    job = generate(part)
    assert not job.is_final
    wait(part, finished(part, job))


def test_a_picture_for_another_file_waits_until_that_file_is_open_again(ready, part, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "room.blend"))
    job = generate(part)
    bpy.ops.wm.read_homefile(use_empty=False)
    wait(part, finished(part, job))
    assert not part("watch").jobs[job.id].seen
    assert part("placement").slot_of(bpy.context.scene.camera) is None
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "room.blend"))
    look(part)
    assert part("watch").jobs[job.id].seen
    assert part("placement").slot_of(bpy.context.scene.camera)


def test_a_new_unsaved_file_does_not_get_the_last_one_s_picture(ready, part):
    job = generate(part)
    bpy.ops.wm.read_homefile(use_empty=False)
    wait(part, finished(part, job))
    assert part("placement").slot_of(bpy.context.scene.camera) is None
    assert Path(part("watch").jobs[job.id].result).is_file()


def test_disabling_in_the_middle_of_a_job_loses_nothing(ready, part, extension, data):
    job = generate(part)
    wait(part, lambda: part("watch").jobs[job.id].remote_id)
    extension.unregister()
    journal = part("core.journal").Journal(data)
    end = time.monotonic() + 20
    while not journal.get(job.id).is_final and time.monotonic() < end:
        time.sleep(0.1)
    journal.close()
    extension.register()
    wait(part, lambda: job.id in part("watch").jobs)
    assert part("watch").jobs[job.id].step == "DONE"


def test_cancelling_says_what_it_cost(ready, part):
    job = generate(part)
    wait(part, lambda: part("watch").jobs[job.id].remote_id)
    bpy.ops.flux_depth.cancel(job_id=job.id)
    cancelled = part("watch").jobs[job.id]
    assert cancelled.step == "CANCELLED"
    assert "it costs nothing" in cancelled.error_message


def test_a_cancelled_picture_can_still_be_fetched(ready, part):
    job = generate(part)
    wait(part, lambda: part("watch").jobs[job.id].remote_id)
    bpy.ops.flux_depth.cancel(job_id=job.id)
    bpy.ops.flux_depth.retry(job_id=job.id)
    wait(part, finished(part, job))
    assert part("watch").jobs[job.id].step == "DONE"


def test_pictures_of_a_saved_file_are_written_beside_it(ready, part, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "room.blend"))
    job = generate(part)
    wait(part, finished(part, job))
    assert Path(part("watch").jobs[job.id].result).parent == tmp_path / "flux_depth"


def test_generating_changes_nothing_in_the_scene(ready, part):
    before = [
        (name, len(getattr(bpy.data, name))) for name in ("scenes", "objects", "cameras", "images", "node_groups")
    ]
    ready.flux_depth.destination = "EDITOR"
    job = generate(part)
    assert [(name, len(getattr(bpy.data, name))) for name, _ in before] == before
    wait(part, finished(part, job))


def test_a_failed_capture_spends_nothing(ready, part, data):
    for thing in list(ready.objects):
        if thing.type == "MESH":
            bpy.data.objects.remove(thing)
    with pytest.raises(RuntimeError, match="camera sees nothing"):
        bpy.ops.flux_depth.generate()
    assert not part("watch").jobs


def test_a_journal_that_fails_is_said_and_looked_at_again(ready, part, monkeypatch):
    watch = part("watch")
    job = generate(part)
    error = part("core.errors").JournalError("The journal cannot be used (disk full): make room on the disk.")
    monkeypatch.setattr(watch, "NEWS_SECONDS", 0.0)
    with monkeypatch.context() as broken:
        broken.setattr(watch, "_read", lambda: (_ for _ in ()).throw(error))
        assert look(part)[-1] == watch.PROBLEM_SECONDS
        assert watch.problem == str(error)
    wait(part, finished(part, job))
    assert watch.problem == ""


def test_a_picture_deleted_before_it_was_shown_stops_nothing(ready, part):
    bpy.context.scene.flux_depth.destination = "BOTH"
    job = generate(part)
    journal = part("watch").journal()
    while not journal.get(job.id).is_final:
        time.sleep(0.1)
    Path(journal.get(job.id).result).unlink()
    wait(part, finished(part, job))
    assert part("watch").problem == ""


def test_a_file_of_the_same_name_elsewhere_does_not_get_the_picture(ready, part, tmp_path):
    (tmp_path / "other").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "other" / "room.blend"))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "room.blend"))
    job = generate(part)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "other" / "room.blend"))
    wait(part, finished(part, job))
    assert not part("watch").jobs[job.id].seen
    assert part("placement").slot_of(bpy.context.scene.camera) is None


def test_a_scene_renamed_meanwhile_still_gets_its_picture(ready, part):
    job = generate(part)
    ready.name, ready.camera.name = "Renamed", "Also Renamed"
    wait(part, finished(part, job))
    assert part("watch").jobs[job.id].seen
    assert part("placement").slot_of(ready.camera)


def test_a_failed_look_is_made_again(ready, part, monkeypatch):
    watch = part("watch")
    job = generate(part)
    error = part("core.errors").JournalError("The journal cannot be used (locked).")
    while not watch.journal().get(job.id).is_final:
        time.sleep(0.1)
    monkeypatch.setattr(watch, "NEWS_SECONDS", 0.0)
    with monkeypatch.context() as broken:
        broken.setattr(watch.journal(), "changes", lambda *_, **__: (_ for _ in ()).throw(error))
        look(part)
    assert job.id in watch.jobs
    wait(part, finished(part, job))


def test_while_offline_a_queued_paid_job_is_not_sent_by_a_worker_for_the_sandbox(ready, part, monkeypatch):
    monkeypatch.setenv("COMETAPI_KEY", marked_key("cometapi"))
    watch = part("watch")
    request = part("properties").request_of(bpy.context)
    paid = watch.journal().add(replace(request, model="cometapi:flux-pro-1.0-depth"), b"")
    job = generate(part)
    wait(part, finished(part, job))
    assert watch.journal().get(paid.id).submit_started is None


def test_a_worker_that_dies_at_once_is_said(ready, part, monkeypatch, tmp_path):
    watch = part("watch")
    broken = tmp_path / "broken.toml"
    broken.write_text("[")
    monkeypatch.setattr(part("preferences"), "table_files", lambda: [broken])
    generate(part)
    end = time.monotonic() + 20
    while "The worker stopped" not in watch.problem and time.monotonic() < end:
        monkeypatch.setattr(watch, "_restart_at", 0.0)
        look(part)
        time.sleep(0.2)
    assert "broken.toml" in watch.problem


def test_retrying_without_a_key_says_so_and_sends_nothing(ready, part):
    watch = part("watch")
    request = part("properties").request_of(bpy.context)
    job = watch.journal().add(replace(request, model="cometapi:flux-pro-1.0-depth"), b"")
    watch.journal().cancel(job.id)
    with pytest.raises(RuntimeError, match="no CometAPI key"):
        bpy.ops.flux_depth.retry(job_id=job.id)
    assert len(watch.journal().jobs()) == 1
