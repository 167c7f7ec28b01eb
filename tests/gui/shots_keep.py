"""The pictures of docs/keep.md and docs/control.md, taken like those of shots.py: a person looks at them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PIL import Image

from tests.gui.artist import Artist
from tests.gui.shots import LOOKED_AT, PROMPT, fit, keep
from tests.gui.shots import studio as studio

SLOT = "part('placement').slot_of(bpy.context.scene.camera)"


@pytest.fixture
def pictured(studio: Artist) -> Artist:
    """With a small picture that has arrived: what is kept is rendered on a machine without a graphics card."""
    studio.python(
        f"settings = bpy.context.scene.flux_depth; settings.prompt = {PROMPT!r}\n"
        "settings.use_seed, settings.seed, settings.megapixels = True, 2, 0.3\nbpy.ops.flux_depth.generate()"
    )
    studio.wait_for_steps("DONE")
    studio.wait_until("area('IMAGE_EDITOR').spaces.active.image")
    return studio


@pytest.mark.timeout(400)
def test_the_armchair_stays_as_rendered(pictured: Artist) -> None:
    pictured.python(
        "scene = bpy.context.scene; scene.render.engine = 'CYCLES'; scene.cycles.samples = 24\n"
        "scene.cycles.use_denoising = False  # Debian's Blender cannot\n"
        "[thing.select_set(thing.name.startswith('Armchair')) for thing in scene.objects]"
    )
    pictured.panel("Keep Objects")
    pictured.python("bpy.ops.flux_depth.keep_add()")
    pictured.click("flux_depth.keep")
    pictured.wait_until(f"{SLOT}.image.name.endswith('_kept.png')", 240)
    fit(pictured)
    keep(pictured.picture(), "keep.jpg")
    kept = Path(pictured.python(f"bpy.path.abspath({SLOT}.image.filepath)"))
    keep(Image.open(kept), "kept.png", LOOKED_AT)


def test_a_clay_render_is_what_the_model_wants(studio: Artist) -> None:
    studio.python(
        "settings = bpy.context.scene.flux_depth; settings.control = 'clay'\n"
        "settings.model_id = 'cometapi:flux-pro-1-0-depth-finetuned'; part('windows').redraw()"
    )
    time.sleep(0.5)
    studio.panel("Depth")
    studio.click("flux_depth.preview_depth")
    studio.wait_until("'FLUX Depth Preview' in bpy.data.images", 60)
    fit(studio)
    keep(studio.picture(), "control.jpg")
