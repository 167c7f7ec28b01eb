"""The picture of docs/comfyui.md: `dev.py gui tests/gui/shots_comfyui.py` writes it, a person looks at it."""

from __future__ import annotations

import io
import json
import struct
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.core.emulators.comfyui import ComfyUI
from tests.gui.artist import Artist
from tests.gui.shots import DOCS, PROMPT, keep, studio  # noqa: F401  (a fixture)

MODEL = "comfyui:flux1-dev-depth-lora"


def so_far() -> bytes:
    """What the server shows of a picture at work: here one that the sandbox painted of the same room."""
    with Image.open(DOCS / "side-by-side.jpg") as shown:
        third = shown.crop((shown.width * 2 // 3, 0, shown.width, shown.height)).resize((512, 288))
    buffer = io.BytesIO()
    third.save(buffer, "JPEG")
    return struct.pack(">II", 1, 1) + buffer.getvalue()


@pytest.mark.timeout(300)
def test_a_picture_while_it_is_painted(studio: Artist, tmp_path: Path) -> None:  # noqa: F811
    with ComfyUI(pending=10_000) as server:
        data = tmp_path / "data"
        data.mkdir()
        (data / "models.toml").write_text(f'[providers.comfyui]\nbase = "{server.base}"\n', encoding="utf-8")
        studio.begin(data)
        studio.python(
            "bpy.context.preferences.system.use_online_access = True\n"
            f"dials = bpy.context.scene.flux_depth\ndials.model_id, dials.prompt = {MODEL!r}, {PROMPT!r}\n"
            "dials.use_seed, dials.seed = True, 7\npart('windows').redraw()"
        )
        studio.click("flux_depth.generate")
        studio.wait_for_steps("POLL")
        task = next(iter(server.tasks))
        step = {"value": 13, "max": 20, "prompt_id": task, "node": "12"}
        server.news = [json.dumps({"type": "progress", "data": step}), so_far()]
        studio.wait_until("part('unfinished')._known[0]", 60)
        time.sleep(2)
        keep(studio.picture("VIEW_3D"), "comfyui.jpg")
        studio.click("flux_depth.cancel")
