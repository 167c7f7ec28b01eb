"""Objects that stay as rendered, by real clicks: the list, and the picture with them on the camera."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from tests.gui.artist import Artist

SLOT = "part('placement').slot_of(bpy.context.scene.camera)"


def test_the_hero_is_listed_and_kept_in_the_picture_with_three_clicks(artist: Artist) -> None:
    artist.python(
        "scene = bpy.context.scene; scene.render.engine = 'CYCLES'; scene.cycles.samples = 1\n"
        "scene.cycles.use_denoising = False  # Debian's Blender cannot\n"
        "scene.flux_depth.prompt = 'a cottage'; bpy.ops.flux_depth.generate()"
    )
    artist.wait_for_steps("DONE")
    artist.wait_until(SLOT)
    artist.panel("Keep Objects")
    artist.click("flux_depth.keep_add")
    artist.wait_until("[row.name for row in bpy.context.scene.flux_depth_keep.things] == ['Cube']")
    artist.click("flux_depth.keep")
    artist.wait_until(f"{SLOT}.image.name.endswith('_kept.png')")
    kept = Path(artist.python(f"bpy.path.abspath({SLOT}.image.filepath)"))
    objects = Image.open(kept.with_name(f"{kept.stem}_objects.png"))
    assert Image.open(kept).size == objects.size
    assert objects.getchannel("A").getextrema() == (0, 255)
    artist.key("ctrl+z")
    artist.wait_until(f"not {SLOT}.image.name.endswith('_kept.png')")
