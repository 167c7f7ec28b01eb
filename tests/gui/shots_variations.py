"""The picture of docs/variations.md: `dev.py gui tests/gui/shots_variations.py` writes it, a person looks at it."""

from __future__ import annotations

import time

import pytest
from PIL import Image

from tests.gui.artist import Artist
from tests.gui.shots import LIGHT, LOOKED_AT, NARROW, PROMPT, fit, keep, studio  # noqa: F401  (a fixture)

CAMERAS = f"""
scene = bpy.context.scene
dials = scene.flux_depth; dials.prompt, dials.use_seed, dials.seed = {PROMPT!r}, True, 7
dials.megapixels = 0.4
for name, turn, note in (("From the Window", 0.12, "olive trees outside"), ("At the Table", -0.2, "a bowl of lemons")):
    camera = scene.camera.copy(); camera.data = camera.data.copy(); camera.name = name
    camera.rotation_euler.z += turn; camera.data.lens *= 1.2
    scene.collection.objects.link(camera); camera.flux_depth_camera.note = note
form = scene.flux_depth_variations
form.prompts.clear(); form.prompts.add().prompt = "a japanese tea room on a rainy morning, cedar, paper, moss"
form.cameras, form.seeds = "CHOSEN", 2
part("windows").redraw()
"""


@pytest.mark.timeout(400)
def test_the_form_and_the_sheet(studio: Artist) -> None:  # noqa: F811
    studio.python(CAMERAS)
    studio.panel("Variations")
    time.sleep(1)
    keep(studio.picture("VIEW_3D"), "variations usual.png", LOOKED_AT)
    studio.click("flux_depth.generate_grid")
    time.sleep(0.5)
    keep(studio.picture(), "variations question.png", LOOKED_AT)
    studio.key("Return")
    studio.wait_until("len(part('watch').jobs) == 12", 60)
    keep(studio.picture(), "variations on their way.png", LOOKED_AT)
    studio.wait_for_steps(*["DONE"] * 12, seconds=240)
    form = studio.picture("VIEW_3D")
    studio.python(
        "batch = next(iter(part('watch').jobs.values())).batch\n"
        "bpy.ops.flux_depth.contact_sheet('INVOKE_DEFAULT', batch=batch)"
    )
    studio.wait_until("area('IMAGE_EDITOR').spaces.active.image.name[:13] == 'contact_sheet'")
    fit(studio)
    keep(studio.picture(), "variations sheet in window.png", LOOKED_AT)
    path = studio.python("bpy.path.abspath(area('IMAGE_EDITOR').spaces.active.image.filepath)")
    keep(beside(form.crop((0, 0, 260, 900)), Image.open(path)), "variations.jpg")


def beside(form: Image.Image, sheet: Image.Image) -> Image.Image:
    """The form on the left, the sheet as large as it is high on the right."""
    sheet.thumbnail((1100, form.height))
    both = Image.new("RGB", (form.width + 12 + sheet.width, form.height), (24, 24, 24))
    both.paste(form, (0, 0))
    both.paste(sheet, (form.width + 12, 0))
    return both


def test_the_form_at_other_sizes(studio: Artist) -> None:  # noqa: F811
    studio.python(CAMERAS)
    studio.panel("Variations")
    studio.python("bpy.context.preferences.view.ui_scale = 1.6")
    time.sleep(0.8)
    keep(studio.picture("VIEW_3D"), "variations large.png", LOOKED_AT)
    studio.python(f"bpy.context.preferences.view.ui_scale = 1.0\n{LIGHT}")
    time.sleep(0.8)
    studio.python(f"{NARROW}\nbpy.context.preferences.view.ui_scale = 1.01")
    time.sleep(0.4)
    studio.python("bpy.context.preferences.view.ui_scale = 1")
    time.sleep(0.8)
    keep(studio.picture("VIEW_3D"), "variations narrow.png", LOOKED_AT)
