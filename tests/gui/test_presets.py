"""A preset asks before it changes anything, a chip goes into the prompt; each is undone by one key."""

from __future__ import annotations

from tests.gui.artist import Artist

PROMPT = "bpy.context.scene.flux_depth.prompt"
AN_ARCHITECTURE = 62
"""Pixels below the button at which the popover has one of the presets for architecture."""


def undo(artist: Artist) -> None:
    left, top, width, height = artist.box("VIEW_3D", "WINDOW")
    artist.move((left + width // 3, top + height // 2))
    artist.key("ctrl+z")


def test_a_chip_goes_into_the_prompt_and_one_key_takes_it_out(artist: Artist) -> None:
    artist.fill("flux_depth.prompt", "a garden")
    artist.click("flux_depth.scene_facts")
    artist.wait_until("part('chips').shown")
    artist.seen.clear()
    artist.click("flux_depth.insert_fact", words="50 mm lens")
    artist.wait_until(f"{PROMPT} == 'a garden, 50 mm lens'")
    undo(artist)
    artist.wait_until(f"{PROMPT} == 'a garden'")


def ask_for_a_preset(artist: Artist) -> None:
    """Open the popover and click on a preset, so that the dialog shows what it would change."""
    artist.fill("flux_depth.prompt", "a garden")
    left, _, width, _ = artist.box("VIEW_3D", "UI")
    button = left + round(0.7 * width), artist.hover("flux_depth.scene_facts")[1]
    artist.move(button)
    artist.see_change(artist.screen.press)
    artist.move((button[0], button[1] + AN_ARCHITECTURE))
    artist.see_change(artist.screen.press)
    assert artist.python(PROMPT) == "a garden"


def test_a_preset_is_applied_once_it_is_confirmed_and_one_key_undoes_it(artist: Artist) -> None:
    ask_for_a_preset(artist)
    artist.key("Return")
    artist.wait_until(f"{PROMPT}.startswith('a garden, architectural photography')")
    undo(artist)
    artist.wait_until(f"{PROMPT} == 'a garden'")


def test_a_preset_that_is_not_confirmed_changes_nothing(artist: Artist) -> None:
    before = artist.python("part('preset_diff').of_scene(bpy.context.scene)")
    ask_for_a_preset(artist)
    artist.see_change(lambda: artist.key("Escape"))
    assert artist.python("part('preset_diff').of_scene(bpy.context.scene)") == before
    assert artist.python(PROMPT) == "a garden"
