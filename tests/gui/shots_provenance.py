"""The picture of docs/provenance.md: `dev.py gui tests/gui/shots_provenance.py` writes it, a person looks at it."""

from __future__ import annotations

import time

from tests.gui.artist import Artist
from tests.gui.shots import LOOKED_AT, keep, pictured, studio  # noqa: F401
from tests.gui.test_restore import drop

OTHERWISE = (
    "dials = bpy.context.scene.flux_depth; dials.prompt, dials.guidance, dials.use_seed = 'a cottage', 8, False\n"
    "dials.use_far, dials.far = True, 9; part('windows').redraw()"
)
RESULT = "next(iter(part('watch').jobs.values())).result"


def test_a_dropped_picture(pictured: Artist) -> None:  # noqa: F811
    pictured.python(OTHERWISE)
    pictured.see_change(lambda: drop(pictured, pictured.python(RESULT)))
    keep(pictured.picture(), "menu.png", LOOKED_AT)
    pictured.key("Escape")
    pictured.see_change(lambda: drop(pictured, pictured.python(RESULT)))
    pictured.key("r")
    time.sleep(1)
    pictured.move((800, 990))
    time.sleep(0.5)
    keep(pictured.picture().crop((0, 28, 970, 720)), "provenance.jpg")
    pictured.key("Escape")
    pictured.tab(editor="IMAGE_EDITOR")
    pictured.panel("Restore", "IMAGE_EDITOR")
    keep(pictured.picture(), "restore panel.png", LOOKED_AT)
    pictured.click("flux_depth.restore_from_file", editor="IMAGE_EDITOR")
    time.sleep(2)
    keep(pictured.picture(), "file browser.png", LOOKED_AT)
    pictured.key("Escape")
