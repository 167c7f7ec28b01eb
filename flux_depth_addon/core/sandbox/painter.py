"""Paint a placeholder picture from a depth map alone: enough to judge a composition by, and not FLUX."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from .fields import Field, box, mix, noise, resized, resized_to, turned
from .light import exposed, land, linear, sun_of
from .palette import Palette, palette_of, vary
from .surfaces import LEVEL, Joints, smooth, spread

__all__ = ["LABEL", "paint"]

LABEL = "sandbox, not FLUX"
"""What every painted picture says in its lower left corner."""

CONTRAST = [round(level + 28 * math.sin((level / 127.5 - 1) * math.pi) / math.pi) for level in range(256)]
"""Display level to display level: darks a little darker, lights a little lighter."""


def paint(control: Image.Image, prompt: str, seed: int) -> Image.Image:
    """An RGB picture of the control image's size (16 or more a side); same arguments, same bytes."""
    dice = np.random.default_rng(abs(seed))
    palette = vary(palette_of(prompt), dice)
    sun = sun_of(dice, side=1 if seed % 2 else -1)
    levels = np.asarray(control.convert("L"), dtype=np.float32) * LEVEL
    ground = exposed(land(smooth(levels), palette, sun), palette.key)
    light = mix(ground, heaven(levels.shape, palette, dice), sky_of(levels))
    light *= paper(levels.shape, dice)
    return label(soften(picture(light), control))


def sky_of(levels: Field) -> Field:
    """How much of each pixel is open air, 0..1: black that reaches the top, or that is cut out sharply.

    A far wall is as black as the sky, but the room fades into it. Specks are no sky.
    """
    black = Image.fromarray((levels == 0).astype(np.uint8) * 255).filter(ImageFilter.BoxBlur(1))
    air = (np.asarray(black) > 127).astype(np.float32)
    return air * resized_to(openness(levels, air), levels.shape) if air.any() else air


def openness(levels: Field, air: Field) -> Field:
    """How many of the rims of each patch of air are steps and not slopes, 0..1, at a quarter of the size."""
    rims = np.clip(box(air, 2) * 25, 0, 1) * (1 - air)
    steps = rims * (levels > 6 * LEVEL)
    for part in (steps, rims):
        part[:8] += 1
    patches = (resized(air, 0.25) > np.float32(0.3)).astype(np.float32)
    seen, total = (patches * resized(box(part, 2), 0.25) for part in (steps, rims))
    joined = Joints(*(part * np.roll(part, 1, axis=0) for part in (patches, turned(patches))))
    seen, total = spread(np.stack((seen, total), axis=1), joined, 150).swapaxes(0, 1)
    return np.asarray(np.clip(seen / (total + np.float32(1e-6)) * 6 - np.float32(3.5), 0, 1), np.float32)


def heaven(shape: tuple[int, ...], palette: Palette, dice: np.random.Generator) -> Field:
    """The sky, shape (3, H, W): from its own colour down to the horizon's, with drifts of thin cloud."""
    fall = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None] ** np.float32(0.75)
    cloud = noise(shape, (5, 11), dice) * np.float32(0.5) + noise(shape, (14, 40), dice) * np.float32(0.2)
    share = np.clip(fall + np.clip(cloud, 0, 1) * (1 - fall), 0, 1)
    return mix(linear(palette.sky), linear(palette.horizon), share)


def paper(shape: tuple[int, ...], dice: np.random.Generator) -> Field:
    """A factor around 1: the wash of a wide brush and a fine grain, which also hides the steps of 8 bits."""
    wash = noise(shape, (30, 18), dice) * np.float32(0.02)
    return 1 + wash + dice.standard_normal(shape, dtype=np.float32) * np.float32(0.016)


def picture(light: Field) -> Image.Image:
    """Light, shape (3, H, W), to display: bright parts roll off before they clip, then the square root."""
    rolled = light * (1 + light * np.float32(0.2)) / (1 + light * np.float32(0.42))
    display = (np.sqrt(np.clip(rolled, 0, 1)) * 255 + np.float32(0.5)).astype(np.uint8)
    return Image.merge("RGB", [Image.fromarray(channel) for channel in display]).point(CONTRAST * 3)


def soften(drawn: Image.Image, control: Image.Image) -> Image.Image:
    """Outlines are hard steps in a depth map: blur along them, and nowhere else."""
    edges = control.convert("L").filter(ImageFilter.FIND_EDGES)
    near_edges = edges.point([0] * 4 + [255] * 252).filter(ImageFilter.BoxBlur(2))
    mask = near_edges.point([min(255, 3 * level) for level in range(256)])
    return Image.composite(drawn.filter(ImageFilter.BoxBlur(0.7)), drawn, mask)


def label(drawn: Image.Image) -> Image.Image:
    """Say in the corner what this is, far enough in that cropping to the frame leaves it whole."""
    size = max(11, min(drawn.size) // 45)
    font, corner = ImageFont.load_default(size), (size * 2, drawn.height - size * 2)
    veil = Image.new("L", drawn.size)
    left, top, right, bottom = ImageDraw.Draw(veil).textbbox(corner, LABEL, font, anchor="ls")
    plate = (left - size / 2, top - size / 2, right + size / 2, bottom + size / 2)
    ImageDraw.Draw(veil).rounded_rectangle(plate, size / 2, 90)
    drawn.paste((20, 20, 24), mask=veil)
    ImageDraw.Draw(drawn).text(corner, LABEL, (238, 236, 230), font, anchor="ls")
    return drawn
