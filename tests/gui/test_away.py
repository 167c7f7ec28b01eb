"""Away from the file, away from Blender: nothing that was paid for is lost, and it comes where it belongs."""

from __future__ import annotations

from pathlib import Path

from flux_depth_addon.core.sandbox import Behaviour
from tests.gui.artist import Artist
from tests.gui.conftest import Paid
from tests.secrets_watch import marked_key

BACKGROUND = "[slot.show_background_image for slot in bpy.context.scene.camera.data.background_images]"


def test_a_picture_whose_file_was_left_is_told_of_and_laid_on_its_camera_later(
    artist: Artist, paid: Paid, tmp_path: Path
) -> None:
    paid(Behaviour(delay=3))
    artist.save_file(tmp_path / "mine.blend")
    artist.click("flux_depth.generate")
    artist.wait_until("len(part('watch').on_their_way()) == 1")
    artist.new_file()
    artist.save_file(tmp_path / "other.blend")
    artist.open_file(tmp_path / "other.blend")
    artist.wait_for_steps("DONE")
    artist.tab()
    artist.hover("flux_depth.show_news")
    assert artist.python(BACKGROUND) == []
    artist.open_file(tmp_path / "mine.blend")
    artist.wait_until(f"{BACKGROUND} == [True]")
    artist.tab()


def test_a_job_outlives_blender_and_the_next_blender_shows_it(artist: Artist, paid: Paid, tmp_path: Path) -> None:
    provider = paid(Behaviour(delay=2))
    artist.save_file(tmp_path / "mine.blend")
    artist.click("flux_depth.generate")
    artist.wait_for_steps("POLL")
    artist.quit()
    artist.start(str(tmp_path / "mine.blend"))
    artist.wait_for_steps("DONE")
    artist.wait_until(f"{BACKGROUND} == [True]")
    assert len(provider.posts) == 1


def test_a_job_outlives_a_crash_of_blender(artist: Artist, paid: Paid, tmp_path: Path) -> None:
    provider = paid(Behaviour(delay=2))
    artist.save_file(tmp_path / "mine.blend")
    artist.click("flux_depth.generate")
    artist.wait_for_steps("POLL")
    artist.kill()
    artist.start(str(tmp_path / "mine.blend"))
    artist.python(f"part('preferences').current().key_cometapi = {marked_key('cometapi')!r}")
    artist.wait_for_steps("DONE")
    artist.wait_until(f"{BACKGROUND} == [True]")
    assert len(provider.posts) == 1
