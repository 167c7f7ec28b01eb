"""The pictures of docs/switch.md: `dev.py gui tests/gui/shots_switch.py` writes them, a person looks at them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PIL import Image

from flux_depth_addon.core.sandbox import Behaviour, Sandbox
from tests.gui.artist import Artist
from tests.gui.shots import LOOKED_AT, NARROW, PROMPT, keep, studio  # noqa: F401  (a fixture)
from tests.secrets_watch import marked_key

RETIRED = "cometapi:flux-pro-1-0-depth-finetuned"
DIALS = f"""
dials = bpy.context.scene.flux_depth
dials.model_id, dials.prompt, dials.megapixels = {RETIRED!r}, {PROMPT!r}, 0.9
dials.use_seed, dials.seed = True, 7
part('windows').redraw()
"""
KEYS = {
    "COMETAPI_KEY": "cometapi",
    "FAL_KEY": "fal",
    "REPLICATE_API_TOKEN": "replicate",
    "COMFY_API_KEY": "comfyrouter",
}


@pytest.mark.timeout(400)
def test_the_warning_and_the_dialog(studio: Artist) -> None:  # noqa: F811
    keys = {name: marked_key(provider) for name, provider in KEYS.items()}
    studio.python(f"import os; os.environ.update({keys!r})\n{DIALS}")
    studio.python("bpy.context.preferences.system.use_online_access = True")
    time.sleep(2)
    warning = studio.picture("VIEW_3D")
    keep(warning, "switch warning.png", LOOKED_AT)
    studio.panel("Variations")
    x, y = studio.hover("flux_depth.compare_providers")
    studio.click("flux_depth.compare_providers")
    time.sleep(1)
    whole = studio.picture()
    keep(whole, "switch compare.png", LOOKED_AT)
    studio.key("Escape")
    dialog = whole.crop((x - 402, y - 170, x + 52, whole.height))
    keep(beside(warning.crop((0, 0, warning.width - 22, 340)), dialog), "switch.jpg")


def beside(panel: Image.Image, dialog: Image.Image) -> Image.Image:
    """The panel on the left, the dialog on the right."""
    both = Image.new("RGB", (panel.width + 12 + dialog.width, max(panel.height, dialog.height)), (24, 24, 24))
    both.paste(panel, (0, 0))
    both.paste(dialog, (panel.width + 12, 0))
    return both


@pytest.mark.timeout(400)
def test_the_warning_at_other_sizes(studio: Artist) -> None:  # noqa: F811
    studio.python(DIALS)
    studio.python(f"{NARROW}\nbpy.context.preferences.view.ui_scale = 1.01")
    time.sleep(0.4)
    studio.python("bpy.context.preferences.view.ui_scale = 1")
    time.sleep(2)
    keep(studio.picture("VIEW_3D"), "switch narrow.png", LOOKED_AT)


@pytest.mark.timeout(400)
def test_a_picture_while_it_is_painted(studio: Artist, tmp_path: Path) -> None:  # noqa: F811
    with Sandbox(behaviour=Behaviour(delay=30)) as server:
        studio.begin_with(server.base, tmp_path / "data")
        studio.click("flux_depth.generate")
        studio.wait_for_steps("POLL")
        studio.python(
            "from PIL import Image\n"
            "job = next(iter(part('watch').jobs.values()))\n"
            "picture = Image.open(job.control).convert('RGB').resize((512, 288))\n"
            "picture.save(job.preview, 'JPEG')"
        )
        studio.wait_until("part('unfinished')._known[0]")
        time.sleep(1)
        keep(studio.picture("VIEW_3D"), "switch painting.png", LOOKED_AT)
        studio.click("flux_depth.cancel")
