"""The picture of docs/history.md: `dev.py gui tests/gui/shots_history.py` writes it, a person looks at it."""

from __future__ import annotations

import time

from tests.gui.artist import Artist
from tests.gui.shots import DARK, LIGHT, LOOKED_AT, NARROW, fit, keep, studio  # noqa: F401
from tests.gui.test_history import open_alone

PROMPTS = (
    "a japanese room in the morning, tatami, cedar and paper screens",
    "a scandinavian living room in winter light, birch, wool and white plaster",
    "a library at night, walnut, green leather, brass lamps",
    "a concrete loft in the rain, steel, teal velvet, neon through the window",
    "a mediterranean living room in the afternoon, terracotta, plaster and olive wood",
)
ONE = "settings = bpy.context.scene.flux_depth; settings.prompt = {!r}\nbpy.ops.flux_depth.generate()"
DONE = "[job.step for job in part('watch').jobs.values()].count('DONE') == {}"


def test_the_history(studio: Artist) -> None:  # noqa: F811
    for number, prompt in enumerate(PROMPTS):
        if number == 3:
            studio.python("bpy.context.scene.camera.location.x += 0.12")
        studio.python(ONE.format(prompt))
        studio.wait_until(DONE.format(number + 1), 60)
    studio.python(
        "jobs = list(part('watch').jobs)\n"
        "bpy.ops.flux_depth.toggle_favourite(job_id=jobs[0]); bpy.ops.flux_depth.toggle_favourite(job_id=jobs[3])"
    )
    open_alone(studio)
    studio.wait_until("len(part('gallery').stale) == 2")
    studio.python("part('gallery').click(3)")
    studio.wait_until("area('IMAGE_EDITOR').spaces.active.image")
    fit(studio)
    keep(studio.picture().crop((0, 28, 1600, 1000)).resize((1280, 778)), "history.jpg")
    keep(studio.picture("VIEW_3D"), "history usual.png", LOOKED_AT)
    studio.python("bpy.context.preferences.view.ui_scale = 1.6")
    time.sleep(0.8)
    keep(studio.picture("VIEW_3D"), "history large.png", LOOKED_AT)
    studio.python(f"bpy.context.preferences.view.ui_scale = 1.0\n{LIGHT}")
    time.sleep(0.8)
    studio.python(f"{NARROW}\nbpy.context.preferences.view.ui_scale = 1.01")
    time.sleep(0.4)
    studio.python("bpy.context.preferences.view.ui_scale = 1")
    time.sleep(0.8)
    keep(studio.picture("VIEW_3D"), "history narrow.png", LOOKED_AT)
    studio.python(DARK)
