"""A picture that is dropped or chosen gives its settings back, after it was shown what would change."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PIL import Image

from tests.gui.artist import Artist

DIALS = "[dials.prompt, dials.guidance, dials.use_seed, dials.seed] if (dials := bpy.context.scene.flux_depth) else 0"
THEN, NOW = ["a barn", 12.0, True, 5], ["a cottage", 8.0, False, 1]


def drop(artist: Artist, path: str) -> None:
    """As when a file manager lets go of a picture: what Blender's own drop calls, once it knows the place."""
    artist.move((400, 300))
    folder, name = str(Path(path).parent), Path(path).name
    artist.python(
        "editor = area('VIEW_3D')\n"
        "with bpy.context.temp_override(area=editor, region=region(editor, 'WINDOW')):\n"
        f"    bpy.ops.wm.drop_import_file('INVOKE_DEFAULT', directory={folder!r}, files=[{{'name': {name!r}}}])"
    )


def dial(artist: Artist, dials: list[object]) -> None:
    """Set these, as one step of undo."""
    artist.python(
        "dials = bpy.context.scene.flux_depth\n"
        f"dials.prompt, dials.guidance, dials.use_seed, dials.seed = {dials!r}\n"
        "bpy.ops.ed.undo_push(message='dials')"
    )


@pytest.fixture
def painted(artist: Artist) -> str:
    """A picture that was made with other settings than the scene has now."""
    dial(artist, [*THEN])
    artist.python("bpy.ops.flux_depth.generate()")
    artist.wait_for_steps("DONE")
    dial(artist, [*NOW])
    return str(artist.python("next(iter(part('watch').jobs.values())).result"))


def test_a_dropped_picture_restores_its_settings_and_one_undo_takes_them_back(artist: Artist, painted: str) -> None:
    artist.see_change(lambda: drop(artist, painted))
    artist.see_change(lambda: artist.key("r"))  # of the menu in which Blender asks who takes it
    assert artist.python(DIALS) == NOW
    artist.key("Return")
    artist.wait_until(f"({DIALS}) == {THEN!r}")
    artist.key("ctrl+z")
    artist.wait_until(f"({DIALS}) == {NOW!r}")


def test_a_picture_is_chosen_in_the_file_browser_where_the_pictures_are(artist: Artist, painted: str) -> None:
    artist.panel("Restore")
    artist.click("flux_depth.restore_from_file")
    browser = "next((each for each in part('windows').areas() if each.type == 'FILE_BROWSER'), None)"
    artist.wait_until(f"({browser}) and ({browser}).spaces.active.params")
    assert artist.python(f"({browser}).spaces.active.params.directory.decode()").rstrip("/") == str(
        Path(painted).parent
    )
    choose = (
        f"editor = {browser}; window = window_of(editor)\n"
        f"editor.spaces.active.params.filename = {Path(painted).name!r}\n"
        "with bpy.context.temp_override(window=window, area=editor, region=region(editor, 'WINDOW')):\n"
        "    bpy.ops.file.execute()"
    )
    artist.python(choose)
    artist.wait_until(f"({browser}) is None")
    time.sleep(0.5)
    assert artist.python(DIALS) == NOW
    artist.key("Return")
    artist.wait_until(f"({DIALS}) == {THEN!r}")


def test_a_picture_lands_as_ever_where_our_tab_is_not_open(artist: Artist, painted: str) -> None:
    artist.sidebar(on=False)
    drop(artist, painted)
    artist.wait_until("[thing for thing in bpy.data.objects if thing.type == 'EMPTY']")
    assert artist.python(DIALS) == NOW


def test_a_picture_that_says_nothing_is_said_to(artist: Artist, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "holiday.png")
    artist.see_change(lambda: drop(artist, str(tmp_path / "holiday.png")))
    artist.key("r")
    artist.is_told("holiday.png does not say how it was made")
