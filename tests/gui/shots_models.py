"""The picture of docs/models.md: `dev.py gui tests/gui/shots_models.py` writes it, a person looks at it."""

from __future__ import annotations

import time

from PIL import Image

from tests.gui.artist import Artist
from tests.gui.shots import LIGHT, LOOKED_AT, NARROW, PROMPT, keep, studio  # noqa: F401  (a fixture)

FILLED = f"""
scene = bpy.context.scene; scene.flux_depth.prompt = {PROMPT!r}
for path, weight, word in (("author/plaster-interiors", 0.8, "plasterroom"), ("author/film-grain", 0.4, "")):
    row = scene.flux_depth_loras.rows.add(); row.path, row.weight, row.trigger = path, weight, word
image = bpy.data.images.new("Last Week's Mood", 672, 378)
scene.flux_depth_start.image = image
part("preferences").current().extras.clear()
bpy.ops.flux_depth.add_extra(model_id=scene.flux_depth.model_id)
row = part("preferences").current().extras[0]; row.field, row.value = "acceleration", "high"
part("windows").redraw()
"""


def beside(above: Image.Image, whole: Image.Image) -> Image.Image:
    """The prompt and its button on the left, Model Settings on the right, from its header to its end."""
    settings = whole.crop((0, 240, 262, whole.height - 168))
    both = Image.new("RGB", (above.width + 12 + settings.width, settings.height), (24, 24, 24))
    both.paste(above, (0, 0))
    both.paste(settings, (above.width + 12, 0))
    return both


def test_model_settings(studio: Artist) -> None:  # noqa: F811
    studio.python(
        "bpy.context.preferences.system.use_online_access = True\n"
        "part('preferences').current().key_fal = 'x' * 20\n"
        "model = 'fal:flux-control-lora-depth/image-to-image'\n"
        "part('properties').switch_model(bpy.context.scene.flux_depth, model)"
    )
    studio.python(FILLED)
    studio.panel("Model Settings")
    studio.move((800, 990))
    time.sleep(1)
    above = studio.picture("VIEW_3D").crop((0, 0, 262, 240))
    studio.scroll_down()
    time.sleep(1)
    keep(beside(above, studio.picture("VIEW_3D")), "models.png")
    studio.python("bpy.context.scene.flux_depth.steps = 80; part('windows').redraw()")
    time.sleep(0.8)
    keep(studio.picture("VIEW_3D"), "models out of range.png", LOOKED_AT)
    studio.python(f"{LIGHT}\n{NARROW}\nbpy.context.preferences.view.ui_scale = 1.01")
    time.sleep(0.4)
    studio.python("bpy.context.preferences.view.ui_scale = 1")
    time.sleep(0.8)
    keep(studio.picture("VIEW_3D"), "models narrow.png", LOOKED_AT)
