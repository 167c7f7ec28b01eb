"""What an artist's day brings: each behaves as one would hope, or says one clear sentence."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy
import pytest

from flux_depth_addon.core.sandbox import Behaviour
from tests.gui.artist import Artist
from tests.gui.conftest import Paid
from tests.gui.desk import root
from tests.secrets_watch import marked_key

BACKGROUND = "[slot.show_background_image for slot in bpy.context.scene.camera.data.background_images]"
ON_ITS_WAY = "len(part('watch').on_their_way()) == 1"
VIEWPORT = (500, 500)
BLUE = (71, 114, 179)


def generate(artist: Artist) -> None:
    artist.click("flux_depth.generate")
    artist.wait_until(ON_ITS_WAY)


def arrives(artist: Artist) -> None:
    artist.wait_for_steps("DONE")
    artist.wait_until(f"{BACKGROUND} == [True]")


def test_the_first_of_two_windows_is_closed_in_mid_job(artist: Artist, paid: Paid) -> None:
    paid(Behaviour(delay=4))
    generate(artist)
    artist.python("bpy.ops.wm.window_new_main()")
    artist.wait_until("len(bpy.context.window_manager.windows) == 2")
    artist.python("bpy.context.window_manager.windows[1].screen.areas[0].type = 'IMAGE_EDITOR'")
    artist.close_windows("[:1]")
    artist.wait_until("len(bpy.context.window_manager.windows) == 1")
    arrives(artist)
    assert artist.python("area('IMAGE_EDITOR').spaces.active.image.filepath")


def test_a_picture_comes_into_the_image_editor_of_a_second_window(artist: Artist, paid: Paid) -> None:
    paid(Behaviour(delay=2))
    artist.python("bpy.ops.wm.window_new()")
    artist.wait_until("len(bpy.context.window_manager.windows) == 2")
    artist.python("bpy.context.window_manager.windows[1].screen.areas[0].type = 'IMAGE_EDITOR'")
    artist.python("bpy.app.timers.register(lambda: bpy.ops.flux_depth.generate('INVOKE_DEFAULT') and None)")
    arrives(artist)
    shown = artist.python("area('IMAGE_EDITOR').spaces.active.image.filepath")
    assert shown == artist.python("[job.result for job in part('watch').jobs.values()][0]")


def test_two_blenders_share_one_folder_and_pay_once(artist: Artist, paid: Paid, other: Artist, tmp_path: Path) -> None:
    provider = paid(Behaviour(delay=15))
    generate(artist)
    other.begin(tmp_path / "data")
    other.python(f"part('preferences').current().key_cometapi = {marked_key('cometapi')!r}")
    other.wait_until(ON_ITS_WAY)
    arrives(artist)
    other.wait_for_steps("DONE")
    assert other.python(BACKGROUND) == []
    assert len(provider.posts) == 1


def test_what_one_blender_cancels_the_other_shows_as_cancelled(
    artist: Artist, paid: Paid, other: Artist, tmp_path: Path
) -> None:
    paid(Behaviour(delay=60))
    generate(artist)
    other.begin(tmp_path / "data")
    other.wait_until(ON_ITS_WAY)
    other.click("flux_depth.cancel")
    artist.wait_for_steps("CANCELLED")


def test_the_editor_with_the_panel_is_closed_in_mid_job(artist: Artist, paid: Paid) -> None:
    paid(Behaviour(delay=3))
    generate(artist)
    artist.move(VIEWPORT)
    artist.search("Close Area")
    artist.wait_until("not area('VIEW_3D')")
    arrives(artist)


def test_the_sidebar_is_hidden_in_mid_job(artist: Artist, paid: Paid) -> None:
    paid(Behaviour(delay=3))
    generate(artist)
    artist.move(VIEWPORT)
    artist.key("n")
    artist.wait_until("region(area('VIEW_3D'), 'UI').width <= 1")
    arrives(artist)


def test_another_workspace_is_shown_when_the_picture_arrives(artist: Artist, paid: Paid) -> None:
    paid(Behaviour(delay=3))
    generate(artist)
    artist.move(VIEWPORT)
    artist.key("ctrl+Next")
    artist.wait_until("bpy.context.window.workspace.name != 'Layout'")
    arrives(artist)
    artist.key("ctrl+Prior")
    artist.wait_until("bpy.context.window.workspace.name == 'Layout'")


def test_a_capture_asked_for_during_a_render_is_refused_in_one_sentence(artist: Artist) -> None:
    artist.python("bpy.context.scene.flux_depth.prompt = 'a stone cottage'")
    with rendering(artist):
        artist.click("flux_depth.generate")
        assert artist.is_told("Blender is rendering: wait until it is done, or press Esc in its window.")
    assert artist.steps() == []


def test_a_picture_that_arrives_during_a_render_waits_for_its_end(artist: Artist, paid: Paid) -> None:
    paid(Behaviour(delay=4))
    generate(artist)
    with rendering(artist):
        artist.wait_for_steps("DONE")
        assert artist.python(BACKGROUND) == []
    arrives(artist)


@contextmanager
def rendering(artist: Artist) -> Iterator[None]:
    """F12, until Esc ends it: a render that would take hours, in the Image Editor, beside the panel."""
    artist.python(
        "area('DOPESHEET_EDITOR').type = 'IMAGE_EDITOR'\n"
        "bpy.context.preferences.view.render_display_type = 'AREA'\n"
        "scene = bpy.context.scene; scene.render.engine = 'CYCLES'; scene.cycles.samples = 100000\n"
        "scene.cycles.use_denoising = False"
    )
    artist.move(VIEWPORT)
    artist.key("F12")
    artist.wait_until("bpy.app.is_job_running('RENDER')")
    yield
    assert artist.python("bpy.app.is_job_running('RENDER')"), "it went on in peace"
    artist.move(VIEWPORT)
    artist.key("Escape")
    artist.wait_until("not bpy.app.is_job_running('RENDER')")


def test_a_job_is_sent_and_arrives_while_the_animation_plays(artist: Artist, paid: Paid) -> None:
    paid(Behaviour(delay=2))
    artist.move(VIEWPORT)
    artist.key("space")
    artist.wait_until("bpy.context.screen.is_animation_playing")
    generate(artist)
    arrives(artist)
    assert artist.python("bpy.context.screen.is_animation_playing")
    artist.move(VIEWPORT)
    artist.key("space")


def test_a_file_whose_scripts_may_not_run_gives_a_picture(artist: Artist, paid: Paid, tmp_path: Path) -> None:
    paid(Behaviour(delay=0.5))
    artist.python(
        "driver = bpy.data.objects['Cube'].driver_add('location', 0).driver\n"
        "driver.expression = '__import__(\"os\").getpid()'"
    )
    artist.save_file(tmp_path / "driven.blend")
    artist.open_file(tmp_path / "driven.blend")
    assert artist.python("bpy.data.objects['Cube'].matrix_world.translation[0]") == 0
    artist.wait_for_picture(lambda: ignore_button(artist) != [])
    artist.move(ignore_button(artist)[0])
    artist.screen.press()
    artist.wait_for_picture(lambda: ignore_button(artist) == [])
    artist.tab()
    generate(artist)
    arrives(artist)


def ignore_button(artist: Artist) -> list[tuple[int, int]]:
    """Where Blender's question whether scripts may run has its blue button, if it is asked."""
    middle = numpy.asarray(artist.picture().crop((500, 400, 1100, 600)))
    rows, columns = numpy.nonzero((middle == BLUE).all(axis=2))
    return [(500 + int(numpy.median(columns)), 400 + int(numpy.median(rows)))] if len(rows) > 1000 else []


def test_a_file_of_a_newer_blender_gives_a_picture(artist: Artist, paid: Paid, tmp_path: Path) -> None:
    paid(Behaviour(delay=0.5))
    artist.python("bpy.context.preferences.filepaths.use_file_compression = False")
    artist.save_file(tmp_path / "newer.blend")
    data = bytearray((tmp_path / "newer.blend").read_bytes())
    assert data[:7] == b"BLENDER"
    data[9:12] = b"%03d" % (int(data[9:12]) + 1)
    (tmp_path / "newer.blend").write_bytes(data)
    artist.open_file(tmp_path / "newer.blend")
    assert artist.python("bpy.data.version > bpy.app.version")
    artist.tab()
    generate(artist)
    arrives(artist)


def test_a_file_in_place_of_the_data_folder_is_said_in_one_sentence(artist: Artist, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    artist.begin(tmp_path / "file")
    artist.fill("flux_depth.prompt", "a stone cottage")
    artist.click("flux_depth.generate")
    assert str(tmp_path / "file") in artist.is_told("Nothing was sent")


def test_a_data_folder_that_is_read_only_is_said_in_one_sentence(artist: Artist, tmp_path: Path) -> None:
    with read_only(tmp_path / "shut"):
        artist.begin(tmp_path / "shut")
        artist.fill("flux_depth.prompt", "a stone cottage")
        artist.click("flux_depth.generate")
        assert str(tmp_path / "shut") in artist.is_told("Nothing was sent")


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder in which not even root may write, as Blender sees it."""
    folder.mkdir()
    if not shutil.which("mount") or root() == Path("/"):
        pytest.skip("Only in the window's own Debian may a folder be mounted read-only")
    seen = root() / folder.relative_to("/")
    subprocess.run(["mount", "--bind", seen, seen], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", seen], check=True)
    yield
    subprocess.run(["umount", "--lazy", seen], check=True)


FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


def test_a_clock_that_is_years_behind_is_no_obstacle(artist: Artist, paid: Paid) -> None:
    if not (root() / FAKETIME[1:]).is_file():
        pytest.skip("Putting the clock back needs Debian's libfaketime")
    paid(Behaviour(delay=0.5))
    # Blender itself hangs under libfaketime as it starts; its Python and its children stand for it.
    artist.python(
        f"import os, time; os.environ |= dict(LD_PRELOAD={FAKETIME!r}, FAKETIME='-6y'); time.now = time.time\n"
        "time.time = lambda: time.now() - 6 * 365 * 86400"
    )
    try:
        generate(artist)
        arrives(artist)
        assert (
            artist.python(
                "import time; time.localtime(min(job.finished for job in part('watch').jobs.values())).tm_year"
            )
            < 2022
        )
    finally:
        artist.python("import os, time; time.time = time.now; del os.environ['LD_PRELOAD'], os.environ['FAKETIME']")
