"""A prompt that one writes in: seen whole, typed in the Text Editor, pasted with its lines, and undone."""

from __future__ import annotations

import numpy
import pytest

from tests.gui.artist import TABS, Artist

LINES = "A sunlit room\nwith tatami mats\nand paper lanterns"
BLOCK = "\N{FULL BLOCK}"
"""Many in a row are one bar; a cut would be seen in it."""

PROMPT = "part('properties').prompt_of(bpy.context.scene.flux_depth)"


@pytest.fixture
def writing(artist: Artist) -> Artist:
    """With a Text Editor below the viewport that shows the prompt."""
    artist.python("area('DOPESHEET_EDITOR').type = 'TEXT_EDITOR'")
    artist.python("bpy.context.scene.flux_depth.prompt = 'A sunlit room'")
    artist.seen.clear()
    artist.click("flux_depth.edit_prompt")
    artist.wait_until("area('TEXT_EDITOR').spaces.active.text")
    return artist


def put_on_clipboard(artist: Artist, text: str) -> None:
    artist.python(f"bpy.context.window_manager.clipboard = {text!r}")


def into_the_text(artist: Artist) -> None:
    """Click into the text, and go to its end."""
    left, top, width, height = artist.box("TEXT_EDITOR", "WINDOW")
    artist.move((left + width // 2, top + height // 2))
    artist.screen.press()
    artist.key("ctrl+End")


def top_of_sidebar(artist: Artist) -> numpy.ndarray:
    """What it shows of the prompt."""
    return numpy.asarray(artist.picture("VIEW_3D"))[:150]


def test_what_is_typed_in_the_text_editor_is_seen_in_the_sidebar_at_once(writing: Artist) -> None:
    before = top_of_sidebar(writing)
    into_the_text(writing)
    writing.key("Return")
    writing.type("with tatami mats")
    writing.wait_for_picture(lambda: (top_of_sidebar(writing) != before).any(), 1)
    assert writing.python(PROMPT) == "A sunlit room\nwith tatami mats"


def test_without_a_text_editor_a_window_with_one_opens_and_wraps(artist: Artist) -> None:
    artist.click("flux_depth.edit_prompt")
    artist.wait_until("len(bpy.context.window_manager.windows) == 2")
    try:
        space = "area('TEXT_EDITOR').spaces.active"
        assert artist.python(f"[{space}.text.name, {space}.show_word_wrap]") == ["FLUX Depth Prompt", True]
    finally:
        artist.python("with bpy.context.temp_override(window=bpy.context.window_manager.windows[-1]):\n"
                      "    bpy.ops.wm.window_close()")  # fmt: skip


def test_the_field_takes_every_line_of_the_clipboard_by_its_button(artist: Artist) -> None:
    put_on_clipboard(artist, LINES)
    artist.click("flux_depth.paste_prompt")
    artist.wait_until(f"{PROMPT} == {LINES.replace(chr(10), ' ')!r}")


def test_a_text_takes_the_clipboard_line_by_line_and_gives_it_back(writing: Artist) -> None:
    put_on_clipboard(writing, LINES)
    writing.click("flux_depth.paste_prompt")
    writing.wait_until(f"{PROMPT} == {LINES!r}")
    left, top, width, height = writing.box("VIEW_3D", "WINDOW")
    writing.move((left + width // 3, top + height // 2))
    writing.key("ctrl+z")
    writing.wait_until(f"{PROMPT} == 'A sunlit room'")
    writing.key("ctrl+shift+z")
    writing.wait_until(f"{PROMPT} == {LINES!r}")


def test_a_clipboard_of_megabytes_changes_nothing(artist: Artist) -> None:
    artist.fill("flux_depth.prompt", "a garden")
    put_on_clipboard(artist, "lorem ipsum\n" * 500_000)
    artist.click("flux_depth.paste_prompt")
    assert artist.python(PROMPT) == "a garden"


def test_back_to_one_line_is_one_click_and_undone_by_one_key(writing: Artist) -> None:
    into_the_text(writing)
    writing.key("Return")
    writing.type("with tatami mats")
    writing.click("flux_depth.fold_prompt")
    writing.wait_until("bpy.context.scene.flux_depth.prompt == 'A sunlit room with tatami mats'")
    assert writing.python("len(bpy.data.texts)") == 0
    left, top, width, height = writing.box("VIEW_3D", "WINDOW")
    writing.move((left + width // 3, top + height // 2))
    writing.key("ctrl+z")
    writing.wait_until(f"{PROMPT} == 'A sunlit room\\nwith tatami mats'")


@pytest.mark.parametrize("scale", [1, 2])
def test_a_long_prompt_is_cut_nowhere_at_any_scale(artist: Artist, scale: int) -> None:
    artist.python(f"bpy.context.scene.flux_depth.prompt = {BLOCK * 80!r}")
    artist.python(f"bpy.context.preferences.view.ui_scale = {scale}")
    try:
        artist.wait_for_picture(lambda: len(bars(artist, scale)) > 20 * scale)
        assert min(last(bar) for bar in bars(artist, scale)) > 4 * scale  # where Blender cuts, it ends in small dots
    finally:
        artist.python("bpy.context.preferences.view.ui_scale = 1")


def bars(artist: Artist, scale: int) -> list[numpy.ndarray]:
    """The columns that are bright in each row of pixels with a line of blocks, below the field and left of the tabs."""
    bright = numpy.asarray(artist.picture("VIEW_3D").convert("L"))[60 * scale :, : -TABS * scale] > 120
    return [row.nonzero()[0] for row in bright if row.sum() > 0.5 * len(row)]


def last(columns: numpy.ndarray) -> int:
    """The pixels of the rightmost block, up to the dark beside it."""
    gaps = numpy.flatnonzero(numpy.diff(columns) > 1)
    return int(columns[-1] - columns[gaps[-1] + 1 if len(gaps) else 0]) + 1
