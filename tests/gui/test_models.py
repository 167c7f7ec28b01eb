"""A model with LoRAs, by real clicks: the list, its word in the prompt, and a price by size."""

from __future__ import annotations

from pathlib import Path

from flux_depth_addon.core.sandbox import Behaviour, Sandbox
from tests.gui.artist import Artist

STYLE = """
[providers.cometapi]
base = "{base}"

[models."cometapi:style"]
label = "FLUX.1 Depth [dev], LoRA"
path = "style"
map_field = "control_image"
sends_size = true
price_usd = 0.04
per = "megapixel"
steps = {{ low = 1, high = 50, default = 28 }}
guidance = {{ low = 0.0, high = 35.0, default = 3.5 }}
strength = {{ low = 0.01, high = 1.0, default = 0.85 }}
control_strength = {{ low = 0.0, high = 2.0, default = 1.0 }}
start = "optional"
loras = 5
"""
ROWS = "bpy.context.scene.flux_depth_loras.rows"


def choose_style(artist: Artist, base: str, data: Path) -> None:
    """The model that takes LoRAs, at that address, with a key."""
    artist.begin_with(base, data)
    (data / "models.toml").write_text(STYLE.format(base=base), encoding="utf-8")
    artist.python(
        "part('preferences').forget_table(); part('properties')._items.cache_clear()\n"
        "part('properties').switch_model(bpy.context.scene.flux_depth, 'cometapi:style'); part('windows').redraw()"
    )


def test_a_lora_is_added_and_its_word_goes_with_the_prompt(artist: Artist, tmp_path: Path) -> None:
    with Sandbox(behaviour=Behaviour(delay=0.2)) as provider:
        choose_style(artist, provider.base, tmp_path / "data")
        artist.panel("Model Settings")
        artist.click("flux_depth.add_lora")
        artist.wait_until(f"len({ROWS}) == 1")
        artist.fill("rows[0].path", "author/clay-figures")
        artist.fill("rows[0].trigger", "clayfig")
        artist.wait_until(f"{ROWS}[0].trigger == 'clayfig'")
        artist.click("flux_depth.generate")
        artist.wait_for_steps("DONE")
        (post,) = provider.posts
        assert post.body["prompt"] == "clayfig, a stone cottage"
        assert artist.python("[job.price_usd for job in part('watch').jobs.values()]") == [0.04]
