"""The window itself: the built extension is there, and what is pressed is done."""

from __future__ import annotations

import numpy

from tests.gui.artist import Artist


def test_the_built_zip_is_installed_and_enabled(artist: Artist) -> None:
    found = artist.python("import sys; sys.modules['bl_ext.user_default.flux_depth'].__file__")
    assert found.startswith(str(artist.folder / "resources" / "extensions" / "user_default"))
    assert artist.python("part('preferences').version()") != "not installed"


def test_the_window_is_drawn(artist: Artist) -> None:
    shades = numpy.unique(numpy.asarray(artist.picture().convert("L")))
    assert len(shades) > 50


def test_a_sandbox_picture_comes_into_the_image_editor(artist: Artist) -> None:
    artist.fill("flux_depth.prompt", "a stone cottage")
    assert artist.python("bpy.context.scene.flux_depth.prompt") == "a stone cottage"
    artist.python("area('DOPESHEET_EDITOR').type = 'IMAGE_EDITOR'")
    artist.click("flux_depth.generate")
    artist.wait_until("[job.step for job in part('watch').jobs.values()] == ['DONE']", 30)
    artist.wait_until("area('IMAGE_EDITOR').spaces.active.image")
    shown = artist.python("area('IMAGE_EDITOR').spaces.active.image.filepath")
    assert shown == artist.python("[job.result for job in part('watch').jobs.values()][0]")
