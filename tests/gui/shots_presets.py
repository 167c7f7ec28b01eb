"""Pictures of the presets, the faithfulness dial and the scene facts, taken of a real window.

`python3 packaging/dev.py gui tests/gui/shots_presets.py` writes them to docs/; a person looks at them.
"""

from __future__ import annotations

import time

import pytest

from tests.gui.artist import Artist
from tests.gui.shots import LOOKED_AT, NARROW, PROMPT, fit, keep, studio

__all__ = ["studio"]


def beside_facts(artist: Artist) -> tuple[int, int]:
    """The Presets button: right of the Scene Facts."""
    left, _, width, _ = artist.box("VIEW_3D", "UI")
    return left + round(0.7 * width), artist.hover("flux_depth.scene_facts")[1]


@pytest.fixture
def prompted(studio: Artist) -> Artist:
    studio.python(f"bpy.context.scene.flux_depth.prompt = {PROMPT!r}; part('windows').redraw()")
    time.sleep(0.5)
    return studio


def test_what_a_preset_would_change(prompted: Artist) -> None:
    path = "part('preset_diff').shipped_folder() / 'Product_on_White.py'"
    prompted.move(beside_facts(prompted))
    prompted.screen.press()
    time.sleep(1)
    keep(prompted.picture(), "presets popover.png", LOOKED_AT)
    prompted.move((800, 990))
    prompted.move((700, 500))
    prompted.python(
        "bpy.app.timers.register(lambda: bpy.ops.flux_depth.apply_preset("
        f"'INVOKE_DEFAULT', filepath=str({path})) and None)"
    )
    time.sleep(1)
    keep(prompted.picture(), "presets.jpg")
    prompted.key("Escape")


def test_the_chips(prompted: Artist) -> None:
    prompted.click("flux_depth.scene_facts")
    time.sleep(0.8)
    prompted.move((800, 990))
    time.sleep(0.5)
    keep(prompted.picture("VIEW_3D"), "scene-facts.jpg")


def test_the_dial(prompted: Artist) -> None:
    prompted.panel("Depth")
    prompted.python("bpy.context.scene.flux_depth_shape.faithfulness = 'loose'")
    prompted.click("flux_depth.preview_depth")
    prompted.wait_until("part('depth_preview').verdicts")
    fit(prompted)
    keep(prompted.picture(), "faithfulness.jpg")


def test_at_200_pixels(prompted: Artist) -> None:
    prompted.click("flux_depth.scene_facts")
    prompted.python(f"{NARROW}\nbpy.context.preferences.view.ui_scale = 1.01")
    time.sleep(0.4)
    prompted.python("bpy.context.preferences.view.ui_scale = 1")
    time.sleep(0.8)
    keep(prompted.picture("VIEW_3D"), "chips narrow.png", LOOKED_AT)
