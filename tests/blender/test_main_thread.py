"""Where the artist waits for us, nothing is asked of the disk, the network or the clock's hands."""

import socket
import subprocess
import sys
import time
from dataclasses import replace
from itertools import count

import bpy
import pytest

from tests.blender.hostile import drawn, look, open_file, save
from tests.main_thread import Trespasses

TELLS_OF_SLEEP = pytest.mark.skipif(sys.version_info < (3, 13), reason="Python tells of sleep from 3.13 on")


@pytest.fixture
def ready(fresh_file, data, part):
    """A scene that may generate in the sandbox, with a journal of its own."""
    fresh_file.flux_depth.model_id = "sandbox"
    fresh_file.flux_depth.prompt = "a garden in the morning"
    fresh_file.flux_depth.megapixels = 0.1
    part("preferences").table(), part("preferences").table_problem()  # as they were read when it was enabled
    part("watch").unregister()
    part("watch").register()
    yield fresh_file
    part("worker_process").let_go()


def enter(part, number, **changes):
    """That many jobs, as they would be after this."""
    journal, request = part("watch").journal(), part("properties").request_of(bpy.context)
    for seed in range(1, number + 1):
        job = journal.claim(job_id=journal.add(replace(request, seed=seed), b"png").id)
        journal.save(replace(job, **changes), release=True)


def test_drawing_everything_asks_only_memory(ready, part):
    enter(part, 3, step=part("core.job").Step.FAILED, error_message="It failed.", error_action="report")
    part("watch").refresh()
    drawn(part)
    with Trespasses() as trespasses:
        assert drawn(part)
    assert trespasses.found == []


def test_ticks_from_click_to_picture_ask_only_the_journal(ready, part):
    watch = part("watch")
    with Trespasses() as trespasses:
        bpy.ops.flux_depth.generate()
        end = time.monotonic() + 30
        while watch.on_their_way() or part("arrivals").shown:
            assert time.monotonic() < end
            watch._tick()
            time.sleep(0.05)
    assert [job.step for job in watch.jobs.values()] == ["DONE"]
    assert part("placement").slot_of(ready.camera)
    assert trespasses.found == []


def test_opening_a_file_asks_nothing(ready, part, tmp_path):
    blend = save(tmp_path / "room.blend")
    enter(part, 2)
    part("watch").refresh()
    with Trespasses() as trespasses:
        open_file(blend)
    assert trespasses.found == []


@pytest.mark.parametrize(
    ("trespass", "told"),
    [
        (lambda folder: (folder / "new").open("w").close(), "open"),
        (lambda folder: list(folder.iterdir()), "os."),
        (lambda folder: list(folder.glob("*")), "os.scandir"),
        pytest.param(lambda _folder: time.sleep(0), "time.sleep", marks=TELLS_OF_SLEEP),
        (lambda _folder: socket.create_server(("127.0.0.1", 0)).close(), "socket."),
        (lambda _folder: subprocess.run(["true"], check=True), "subprocess.Popen"),
    ],
)
def test_an_attempt_is_noticed(ready, part, monkeypatch, tmp_path, trespass, told):
    monkeypatch.setattr(part("obstacles"), "obstacle", lambda *_asked: str(trespass(tmp_path)))
    monkeypatch.setattr(part("watch"), "_tell_worker", lambda: trespass(tmp_path))
    enter(part, 1)
    with Trespasses() as trespasses:
        drawn(part)
        look(part)
    assert any(found.startswith(f"panels._Main.draw: {told}") for found in trespasses.found)
    assert any(found.startswith(f"watch._tick: {told}") for found in trespasses.found)


def test_a_tick_without_news_has_nothing_drawn(ready, part, monkeypatch):
    watch, redrawn = part("watch"), []
    look(part)  # that the journal of the test before is gone is drawn, too
    monkeypatch.setattr(part("windows"), "redraw", lambda: redrawn.append(1))
    monkeypatch.setattr(watch, "NEWS_SECONDS", 0.0)
    for number in (1, 2):
        enter(part, 1, step=part("core.job").Step.CANCELLED)
        look(part)
        assert len(redrawn) == number
        watch._tick()
        assert len(redrawn) == number


def test_another_file_leaves_the_sums_as_they_are(ready, part, monkeypatch, tmp_path):
    watch, summed = part("watch"), []
    blend = save(tmp_path / "room.blend")
    enter(part, 3, step=part("core.job").Step.FAILED, price_usd=0.06, charged="yes", submit_started=time.time())
    look(part)
    monkeypatch.setattr(watch, "_sum_up", lambda: summed.append(1))
    open_file(blend)
    look(part)
    assert not summed
    assert [row.name for row in bpy.context.window_manager.flux_depth_jobs] == list(watch.jobs)


def test_what_moves_all_the_time_is_read_now_and_then(ready, part, monkeypatch):
    watch, moments = part("watch"), count(time.monotonic(), 0.5)
    monkeypatch.setattr(watch, "NEWS_SECONDS", 3.0)
    enter(part, 1)
    look(part)
    looks, read = [], watch._read
    monkeypatch.setattr(watch, "_read", lambda: looks.append(1) or read())
    monkeypatch.setattr(watch.time, "monotonic", lambda: next(moments))
    enter(part, 1)
    watch._tick()
    assert looks == []
    while not looks:
        watch._tick()
    look(part)
    assert len(watch.jobs) == 2


def test_after_a_start_many_jobs_are_read_over_several_ticks(ready, part, monkeypatch):
    watch = part("watch")
    monkeypatch.setattr(watch, "ENOUGH_SECONDS", 0.0)
    enter(part, 20, step=part("core.job").Step.CANCELLED)
    watch.let_go_of_journal()
    assert watch._tick() == watch.AT_ONCE
    assert 0 < len(watch.jobs) <= watch.ROWS
    pauses = look(part)
    assert pauses == [watch.AT_ONCE] * (20 // watch.ROWS + 1) + [None]
    assert [row.name for row in bpy.context.window_manager.flux_depth_jobs] == list(watch.jobs)
    assert list(watch.jobs) == [job.id for job in watch.journal().jobs()]


def test_a_click_sees_its_job_though_a_tick_left_something_to_do(ready, part, monkeypatch):
    watch = part("watch")
    monkeypatch.setattr(watch, "ENOUGH_SECONDS", 0.0)
    enter(part, 1)
    while not watch._steps:
        watch._tick()
    enter(part, 1)
    watch.refresh()
    assert len(watch.jobs) == 2
    assert len(watch.on_their_way()) == 2


def test_a_picture_is_laid_once_though_another_process_is_writing(ready, part, data, monkeypatch):
    import sqlite3

    from PIL import Image

    watch, laid = part("watch"), []
    monkeypatch.setattr(watch, "NEWS_SECONDS", 0.0)
    bpy.ops.wm.save_as_mainfile(filepath=str(data.parent / "room.blend"))
    picture = data.parent / "picture.png"
    Image.new("RGB", (64, 36)).save(picture)
    monkeypatch.setattr(part("placement"), "place", lambda job, **_where: laid.append(job))
    journal, request = watch.journal(), part("properties").request_of(bpy.context)
    job = journal.claim(job_id=journal.add(request, b"png", origin=bpy.data.filepath).id)
    done = {"step": part("core.job").Step.DONE, "result": str(picture), "finished": time.time()}
    journal.save(replace(job, **done), release=True)
    writer = sqlite3.connect(data / "journal.sqlite3", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert [look(part)[-1], look(part)[-1]] == [watch.TICK_SECONDS] * 2
    assert not journal.get(job.id).seen
    writer.execute("ROLLBACK")
    writer.close()
    assert look(part)[-1] is None
    assert journal.get(job.id).seen
    assert len(laid) == 1
