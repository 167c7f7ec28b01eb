"""The chosen picture onto what its camera sees, by a click, and off again by another, or by Ctrl-Z."""

from __future__ import annotations

from tests.gui.artist import Artist
from tests.gui.test_work import VIEWPORT

MODIFIERS = "[each.type for each in bpy.data.objects['Cube'].modifiers]"
MATERIAL = "bpy.data.objects['Cube'].material_slots[0].material.name"


def test_a_picture_is_projected_and_taken_off_again(artist: Artist) -> None:
    artist.python("bpy.context.scene.flux_depth.prompt = 'a wooden crate'")
    artist.click("flux_depth.generate")
    artist.wait_for_steps("DONE")
    artist.panel("Project")
    artist.click("flux_depth.project")
    artist.wait_until(f"{MODIFIERS} == ['NODES']")
    assert artist.is_told("Projected onto 1 object")
    assert artist.python(MATERIAL) == "FLUX Depth Material"
    artist.move(VIEWPORT)
    artist.key("ctrl+z")
    artist.wait_until(f"({MODIFIERS}, {MATERIAL}) == ([], 'Material')")
    artist.key("ctrl+shift+z")
    artist.wait_until(f"{MODIFIERS} == ['NODES']")
    artist.hover("wm.context_set_enum")
    artist.scroll_down()
    artist.click("flux_depth.remove_projections")
    artist.wait_until(f"({MODIFIERS}, {MATERIAL}) == ([], 'Material')")
