"""A picture on its way: its cancel, which the provider hears where it can, and the small picture of how far it is."""

import time
from dataclasses import replace
from io import BytesIO

import bpy
import pytest
from PIL import Image

from tests.blender.hostile import drawn, words
from tests.blender.test_switch import press, table
from tests.secrets_watch import marked_key


@pytest.fixture
def scene(ready, data, part, monkeypatch):
    """One that asks a provider that can stop a task."""
    monkeypatch.setattr(part("watch"), "start_worker", lambda: None)
    monkeypatch.setattr(part("watch"), "_keep_worker", lambda: None)
    monkeypatch.setattr(part("preferences"), "offline_reason", lambda *_: "")
    monkeypatch.setenv("NEAR_KEY", marked_key("bfl"))
    table(part, data, cancels=True, near__map="")
    ready.flux_depth.model_id, ready.flux_depth.megapixels = "near:map", 0.1
    yield ready
    part("unfinished").unregister()


@pytest.fixture
def sent(scene, part):
    """Enters a job that the provider has, told to the window."""

    def enter(**changes):
        journal, Step = part("watch").journal(), part("core.job").Step
        request = part("properties").request_of(bpy.context)
        job = journal.claim(job_id=journal.add(request, b"png", price_usd=0.04).id)
        there = {"step": Step.POLL, "submit_started": time.time(), "remote_id": "a", "charged": "yes"}
        journal.save(replace(job, **there | changes), release=True)
        part("watch").refresh()
        return part("watch").jobs[job.id]

    return enter


def moved(part, job, **changes):
    """What a worker has found out meanwhile, told to the window."""
    journal = part("watch").journal()
    journal.save(replace(journal.claim(job_id=job.id), **changes), release=True)
    part("watch").refresh()
    return part("watch").jobs[job.id]


def show(job, colour, kind="JPEG"):
    """Write how far it is, as a worker does."""
    buffer = BytesIO()
    Image.new("RGB", (64, 36), colour).save(buffer, kind)
    job.preview.write_bytes(buffer.getvalue())


def shown(part, job):
    """The first pixel of what is there to be shown of it, or None; after the timer had its turn.

    A Blender without a window gives no number to an icon.
    """
    unfinished = part("unfinished")
    unfinished.icon_of(job)
    unfinished._tick()
    if job.id not in (unfinished._previews or ()):
        return None
    preview = unfinished._previews[job.id]
    assert tuple(preview.image_size) == (64, 36)
    return tuple(round(value, 1) for value in preview.image_pixels_float[:3])


def test_a_provider_that_can_is_asked_to_stop(sent, part):
    job = sent()
    assert press("cancel", job_id=job.id) == ""
    stopping = part("watch").jobs[job.id]
    assert (stopping.step, stopping.is_final) == ("CANCEL", False)
    assert "Asking the provider to stop" in words(drawn(part))
    assert "Stop Waiting" in words(drawn(part))


def test_a_job_that_waits_for_its_turn_says_so_until_it_is_painted(sent, part):
    job = sent(is_queued=True)
    assert "In the queue" in words(drawn(part))
    assert part("cli.outcome").report(job, "") == f"{job.id}: POLL in the queue"
    moved(part, job, is_queued=False)
    assert "In the queue" not in words(drawn(part))
    assert "Painting" in words(drawn(part))


def test_a_second_click_waits_for_the_provider_no_more(sent, part):
    job = sent()
    press("cancel", job_id=job.id)
    press("cancel", job_id=job.id)
    assert part("watch").jobs[job.id].step == "CANCELLED"


def test_one_that_was_not_sent_yet_is_cancelled_at_once(sent, part):
    job = sent(step=part("core.job").Step.SUBMIT, submit_started=None, remote_id="", charged="no")
    press("cancel", job_id=job.id)
    ended = part("watch").jobs[job.id]
    assert (ended.step, ended.charged) == ("CANCELLED", "no")


def test_a_provider_that_cannot_stop_is_not_asked(sent, part, data):
    job = sent()
    table(part, data, near__map="")
    press("cancel", job_id=job.id)
    ended = part("watch").jobs[job.id]
    assert ended.step == "CANCELLED"
    assert "already sent and costs $0.04" in ended.error_message


def test_one_whose_provider_nobody_may_ask_now_does_not_wait_for_it(sent, part, monkeypatch):
    job = sent()
    monkeypatch.delenv("NEAR_KEY")
    press("cancel", job_id=job.id)
    assert part("watch").jobs[job.id].step == "CANCELLED"


def test_the_rest_of_a_batch_is_stopped_at_the_provider_too(scene, part):
    scene.flux_depth.use_seed, scene.flux_depth.seed = True, 7
    part("variations").form_of(scene).seeds = 2
    assert press("generate_grid") == ""
    first, second = part("watch").jobs.values()
    moved(part, first, step=part("core.job").Step.POLL, submit_started=time.time(), remote_id="a")
    assert press("cancel_batch", batch=first.batch) == ""
    steps = {job.id: str(job.step) for job in part("watch").jobs.values()}
    assert steps == {first.id: "CANCEL", second.id: "CANCELLED"}


def test_a_picture_that_is_painted_is_shown_as_it_grows(sent, part):
    job = sent()
    assert shown(part, job) is None
    show(job, "red")
    job = moved(part, job, progress=0.3)
    assert shown(part, job) == (1.0, 0.0, 0.0)
    show(job, "blue", "PNG")
    job = moved(part, job, progress=0.6)
    assert shown(part, job) == (0.0, 0.0, 1.0)


def test_it_goes_with_the_end_of_the_job(sent, part):
    job = sent()
    show(job, "red")
    assert shown(part, job)
    job = moved(part, job, step=part("core.job").Step.CANCELLED, finished=time.time())
    assert shown(part, job) is None
    assert not list(part("unfinished")._previews)


def test_another_job_is_not_shown_with_it(sent, part):
    first, second = sent(), sent(remote_id="b")
    show(first, "red")
    assert shown(part, first)
    assert shown(part, second) is None
    show(second, "blue")
    second = moved(part, second, progress=0.5)
    assert shown(part, second) == (0.0, 0.0, 1.0)


def test_the_disk_is_asked_once_for_each_news(sent, part, monkeypatch):
    job, unfinished = sent(), part("unfinished")
    show(job, "red")
    shown(part, job)
    registered = []
    monkeypatch.setattr(bpy.app.timers, "register", lambda *args, **more: registered.append(args), raising=False)
    drawn(part)
    unfinished.icon_of(job)
    assert not [args for args in registered if args[0] == unfinished._tick]


@pytest.mark.parametrize("content", [b"", b"<html>", b"\xff\xd8\xff" + b"\0" * 40, b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_not_shown(sent, part, content):
    job = sent()
    job.preview.write_bytes(content)
    assert shown(part, job) is None


def test_one_that_is_far_too_large_is_not_read(sent, part, monkeypatch):
    job = sent()
    show(job, "red")
    monkeypatch.setattr(part("unfinished"), "MAX_BYTES", 10)
    assert shown(part, job) is None
