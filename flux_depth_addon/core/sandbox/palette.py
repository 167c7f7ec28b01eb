"""The colours of a painted picture: what the prompt's words call for, and the seed's own version of it."""

from __future__ import annotations

import colorsys
import hashlib
import re
from dataclasses import dataclass, replace

import numpy as np

__all__ = ["Palette", "palette_of", "vary"]


@dataclass(frozen=True)
class Palette:
    """Colours as RRGGBB; how strong the sun is and how bright the whole picture, each 0..1."""

    sky: str = "7fa3c4"
    horizon: str = "e9e1d2"
    light: str = "fff3e2"
    shade: str = "b3bfd0"
    ground: str = "b39c82"
    wall: str = "dcd2c2"
    accent: str = "b8694a"
    sun: float = 0.8
    key: float = 0.55


WORDS: dict[str, str] = {
    # Land
    "desert": "sky 86abc6 horizon f2dfbd ground d3a66c wall dcb384 accent a8623c",
    "beach": "sky 7fb4d2 horizon eef0e4 ground dcc69c accent 3f98a4",
    "ocean": "sky 7aa8c6 horizon dbe8e8 ground 5f8f9c accent d8c49a",
    "forest": "sky 9db8b4 horizon dde4cc ground 7c7f52 wall 98a077 accent 5c7a48",
    "jungle": "sky 9cb8a8 horizon dbe4c0 ground 5f7042 wall 7f9a62 accent 3f7a4a",
    "garden": "ground 8a9a5c accent c86a72",
    "mars": "sky b48868 horizon e2b890 light ffd8b4 ground b0643c wall c07c54",
    # Season
    "spring": "sky 93bcd6 horizon f1ead9 ground 9db26f accent e09aa8",
    "summer": "sky 5f9fd0 horizon e9e9d8 ground a8ad6a accent e2a13c sun 1.0",
    "autumn": "horizon eadbc0 ground a9763f wall cfa878 accent b5502a",
    "winter": "sky a9bccb horizon e8eef2 light f8f4ee shade b3c3d8 ground e9eef3",
    "snow": "sky a3b6c6 horizon eaf0f4 light fbf8f4 shade b0c2da ground eff3f7",
    # Matter
    "white": "wall f0ede7 ground dcd8d0",
    "black": "wall 6a696e ground 58585c accent 39393c key 0.4",
    "red": "accent b63c34",
    "orange": "accent dd8437",
    "yellow": "accent e0b840",
    "green": "accent 5c8a50",
    "blue": "accent 3f6fa8",
    "purple": "accent 7a5a9c",
    "pink": "accent d98c9c",
    "brick": "wall b4694e accent 7d4a3a",
    "wood": "ground a5764c wall cba67c accent 7e5232",
    "oak": "ground b08a5c wall d6bc94 accent 8c6840",
    "concrete": "ground a8a59f wall bdbab4 accent 8a8d90",
    "brutalis": "ground 9e9b94 wall b4b0a8 accent 86837c",
    "marble": "ground e0dcd6 wall ebe7e1 accent 9a9aa2",
    "stone": "ground 9a9286 wall b8afa1 accent 77736e",
    "steel": "ground 8e959b wall a9b2ba accent 71808e",
    "glass": "wall c4d8dc accent 7fb0b8",
    "clay": "ground bd8f74 wall d4ae98 accent a8664a",
    "paper": "ground e8e0d0 wall f0eadd accent c9b79a",
    "velvet": "accent 8a3352 wall a98c94",
    "copper": "accent b8704a wall c9a58c",
    "gold": "accent d6a63c wall dcc79a",
    "moss": "ground 76824a accent 5f7a3c",
    "grass": "ground 86a055",
    "watercolo": "sky a4c0d4 horizon f5efe2 wall ece2d1 shade b3c2d8 key 0.62",
    # Weather
    "fog": "sky b9c0c4 horizon d6d9d8 light e9e8e4 shade c0c6ca sun 0.3",
    "mist": "sky b4bfc4 horizon dadfdc light ece9e2 shade bcc6cb sun 0.4",
    "rain": "sky 77848f horizon b5bfc5 light d4dadd shade 97a4b2 sun 0.3 key 0.46",
    "storm": "sky 4c5662 horizon 98a3a8 light ccd2d5 shade 7f8c9c sun 0.4 key 0.4",
    # Hour
    "golden": "sky 93a9bb horizon f5d9a8 light ffdba4 shade b0a8a6 sun 1.0",
    "sunrise": "sky 8fa8cc horizon f8d4b6 light ffd9b4 shade aaaecb sun 1.0",
    "sunset": "sky 77779f horizon f2bd90 light ffc896 shade 9c96b4 sun 1.0 key 0.5",
    "dusk": "sky 4d5a86 horizon d9a79c light e8b8a4 shade 7f8bb8 sun 0.6 key 0.42",
    "night": "sky 1a2440 horizon 3c4e74 light b4c6ea shade 5a6c9c sun 0.7 key 0.3",
    "moon": "sky 1c2845 horizon 445a80 light bccdec shade 5a70a0 sun 0.8 key 0.32",
    "neon": "sky 1b1436 horizon 6a3f88 light f59ccf shade 5a78b8 accent 49bfc8 key 0.36",
    "cyberpunk": "sky 171433 horizon 584082 light ee96cc shade 5074b0 accent 4cc0be key 0.34",
}
"""What the prompt's words change, later rows over earlier ones; a word counts when it begins like one."""


def palette_of(prompt: str) -> Palette:
    """The colours the prompt's words call for; all its words together turn the hue of what stands out."""
    words = re.findall(r"[a-z]+", prompt.lower())
    hue = hashlib.sha256(" ".join(words).encode()).digest()[0] / 256
    palette = Palette(accent=tint(hue, 0.42, 0.68), wall=tint(hue + 0.5, 0.05, 0.86))
    for key, change in WORDS.items():
        if any(word.startswith(key) for word in words):
            palette = replace(palette, **fields_of(change))  # type: ignore[arg-type]
    return palette


def fields_of(change: str) -> dict[str, str | float]:
    """The fields of Palette that a row of WORDS names: colours, and numbers with a point."""
    names, values = change.split()[::2], change.split()[1::2]
    return {name: float(value) if "." in value else value for name, value in zip(names, values, strict=True)}


def vary(palette: Palette, dice: np.random.Generator) -> Palette:
    """The seed's own version of the palette: hues a little to one side, all a little lighter or darker."""
    names, shift = ("ground", "wall", "accent", "horizon"), dice.uniform(-0.03, 0.03)
    colours = {name: nudge(getattr(palette, name), shift) for name in names}
    return replace(palette, key=palette.key * dice.uniform(0.9, 1.08), **colours)  # type: ignore[arg-type]


def nudge(colour: str, shift: float) -> str:
    """The colour with its hue turned."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(part / 255 for part in bytes.fromhex(colour)))
    return tint(hue + shift, saturation, value)


def tint(hue: float, saturation: float, value: float) -> str:
    """A colour as RRGGBB; the hue goes round at 1."""
    return "".join(f"{round(255 * part):02x}" for part in colorsys.hsv_to_rgb(hue % 1, saturation, value))
