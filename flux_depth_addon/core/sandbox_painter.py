"""Paint a placeholder picture from a depth map alone: enough to judge a composition by, and not FLUX.

Everything is worked out in disparity, because under perspective a plane is linear in it: its slopes give the
normal without knowing one distance in metres. The work is then to get clean slopes out of 8 bits.
"""

from __future__ import annotations

import colorsys
import hashlib
import math
import re
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

__all__ = ["LABEL", "paint"]

LABEL = "sandbox, not FLUX"
"""What every painted picture says in its lower left corner."""

Field = NDArray[np.float32]
"""One number per pixel, shape (H, W); colours and layers say their own shape."""

LEVEL = np.float32(1 / 255)
"""The step of an 8-bit depth map, in disparity."""

FARTHEST = np.float32(0.16)
"""Disparity of the far end; that of the near end is 1 + FARTHEST: far is seven times near, as in a room."""

HALF_VIEW = 0.58
"""Tangent of half the angle of view along the longer side: 60 degrees, between a wide and a normal lens."""

CONTRAST = [round(level + 28 * math.sin((level / 127.5 - 1) * math.pi) / math.pi) for level in range(256)]
"""Display level to display level: darks a little darker, lights a little lighter."""


class Sun(NamedTuple):
    """Unit vector from the scene to the sun."""

    right: float
    up: float
    toward: float


class Joints(NamedTuple):
    """How well a pixel holds to the one above it, shape (H, W), and left of it, shape (W, H), 0..1."""

    above: Field
    left: Field


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


# Palette: from the words and the seed


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


def linear(colour: str) -> Field:
    """Light, shape (3, 1, 1), of a display colour; a square stands in for the sRGB curve."""
    display = np.array([[[part]] for part in bytes.fromhex(colour)], dtype=np.float32) / 255
    return np.square(display)


# Surfaces: disparity without its steps, what belongs together, and which way it faces


def smooth(levels: Field) -> Field:
    """Disparity without the steps of 8 bits, shape (H, W), within half a step of what was given."""
    coarse = relaxed(levels[::2, ::2], levels[::2, ::2], (16, 8, 4, 2, 1, 3, 2, 1, 5, 3, 2, 1))
    fine = resized_to(coarse, levels.shape)
    foreign = np.abs(fine - levels) > LEVEL / 2
    return relaxed(np.where(foreign, levels, fine), levels, (2, 1, 1))


def relaxed(field: Field, levels: Field, strides: tuple[int, ...]) -> Field:
    """The field after one pass per stride, each held within half a step of the levels."""
    low, high = levels - LEVEL / 2, levels + LEVEL / 2
    field = np.clip(field, low, high)
    for stride in strides:
        bend(field, stride)
        bend(field.T, stride)
        np.clip(field, low, high, out=field)
    return field


def bend(field: Field, stride: int) -> None:
    """Move rows half the way to the mean of two around each, where the three lie on a line but for a step."""
    middle = field[stride:-stride]
    if middle.size:
        curve = field[: -2 * stride] + field[2 * stride :] - 2 * middle
        curve *= np.abs(curve) < 1.4 * LEVEL
        middle += curve / 4


def joints(disparity: Field) -> Joints:
    """Where neighbouring pixels belong to one surface: 1, else 0."""
    return Joints(joints_above(disparity), joints_above(turned(disparity)))


def joints_above(field: Field) -> Field:
    """A joint holds where the step from the row above is like one of the two steps next to it."""
    step = np.diff(field, axis=0, prepend=field[:1])
    odd = np.minimum(np.abs(step - np.roll(step, 1, axis=0)), np.abs(step - np.roll(step, -1, axis=0)))
    return np.asarray(odd < 2 * LEVEL, dtype=np.float32)


def normals(disparity: Field, layers: Field, firm: Joints) -> tuple[Field, Field, Field]:
    """Unit normals (right, up, towards the eye), each of shape (H, W)."""
    across, upwards = (middle_out(side) * pixel_of(disparity) for side in disparity.shape[::-1])
    right, up = weighed(spread(layers, firm, 24)).swapaxes(0, 1)
    toward = disparity + FARTHEST + right * across - up * upwards[:, None]
    length = np.sqrt(right * right + up * up + toward * toward) + np.float32(1e-6)
    return right / length, up / length, toward / length


def pixel_of(field: Field) -> np.float32:
    """How wide a pixel is, in tangents."""
    return np.float32(2 * HALF_VIEW / max(field.shape))


def middle_out(count: int) -> Field:
    """Positions of that many pixels from the middle, shape (count,)."""
    return np.arange(count, dtype=np.float32) - np.float32((count - 1) / 2)


def slopes_of(disparity: Field, joined: Joints) -> Field:
    """Layers (H, 3, W): how fast the surface falls away to the right and upwards, and how sure that is.

    Averaged along each surface over a few pixels; the first two are weighed by the third.
    """
    left, left_sure = slope(turned(disparity), joined.left)
    up, up_sure = slope(disparity, joined.above)
    sure = up_sure * turned(left_sure) + np.float32(0.01)
    pixel = pixel_of(disparity)
    return spread(np.stack((-turned(left) / pixel * sure, up / pixel * sure, sure), axis=1), joined, 5)


def weighed(layers: Field) -> Field:
    """The slopes alone, shape (H, 2, W)."""
    slopes: Field = layers[:, :2] / layers[:, 2:]
    return slopes


def slope(field: Field, joined: Field) -> tuple[Field, Field]:
    """Change per row, from the joints that hold, and whether both do (1) or not (0)."""
    step = np.diff(field, axis=0, prepend=field[:1]) * joined
    above, below = joined, np.roll(joined, -1, axis=0)
    return (step + np.roll(step, -1, axis=0)) / np.maximum(above + below, 1), above * below


def creased(slopes: Field, joined: Joints) -> Joints:
    """The joints, weaker where the surface bends; slopes of shape (H, 2, W)."""
    return Joints(joined.above * flatness(slopes), joined.left * flatness(turned(slopes)))


def flatness(slopes: Field) -> Field:
    """1 where slopes stay the same from row to row, towards 0 at a crease."""
    change = np.abs(np.roll(slopes, -2, axis=0) - np.roll(slopes, 2, axis=0)).sum(axis=1)
    return np.asarray(1 / (1 + np.square(change * 6)), dtype=np.float32)


def spread(layers: Field, joined: Joints, radius: float) -> Field:
    """Layers, shape (H, N, W), averaged over about that many pixels, never across a joint that is 0."""
    held = np.float32(np.exp(-(2**0.5) / radius))
    for _ in range(2):
        run(layers := layers.copy(), joined.above * held)
        run(layers := turned(layers), joined.left * held)
        layers = turned(layers)
    return layers


def run(layers: Field, joined: Field) -> None:
    """Carry each row into the next, down and up again, as far as the joints hold."""
    carried = np.empty_like(layers[0])
    for row in range(1, len(layers)):
        carry(layers[row - 1], layers[row], joined[row], carried)
    for row in range(len(layers) - 2, -1, -1):
        carry(layers[row + 1], layers[row], joined[row + 1], carried)


def carry(source: Field, target: Field, joined: Field, carried: Field) -> None:
    """Mix one row into its neighbour; the inner loop of it all, hence without a new array."""
    np.subtract(source, target, out=carried)
    np.multiply(carried, joined, out=carried)
    np.add(target, carried, out=target)


def figure(disparity: Field, joined: Joints) -> Field:
    """How much a thing stands out in front of what is around it, 0..1, much the same all over the thing."""
    gap = (disparity - blurred(disparity, 0.1)) / (disparity + FARTHEST)
    whole = spread(np.clip(gap, -0.2, 0.4)[:, None], joined, 250)[:, 0]
    return np.asarray(np.clip(whole * 9 - np.float32(0.5), 0, 1), dtype=np.float32)


# Light: sun with shadows, sky with hollows, air


def land(disparity: Field, palette: Palette, sun: Sun) -> Field:
    """What was hit: matter times light, then haze with distance. Shape (3, H, W), in light."""
    layers = slopes_of(disparity, joined := joints(disparity))
    right, up, toward = normals(disparity, layers, creased(weighed(layers), joined))
    matter = matter_of(figure(disparity, joined), up, palette)
    facing = np.clip(right * sun.right + up * sun.up + toward * sun.toward, 0, 1)
    sunlit = facing * shadow(disparity, up, sun) * np.float32(1.2 * palette.sun)
    ambient = (np.float32(0.5) + np.float32(0.22) * up) * hollow(disparity)
    light = sunlit * linear(palette.light) + ambient * linear(palette.shade)
    return mix(matter * light, linear(palette.horizon) * np.float32(0.6), haze(disparity))


def sun_of(dice: np.random.Generator, side: int) -> Sun:
    """From the side, over the shoulder; -1 is from the left."""
    right = side * dice.uniform(0.45, 0.9)
    up, toward = dice.uniform(0.55, 0.95), dice.uniform(0.25, 0.6)
    length = (right**2 + up**2 + toward**2) ** 0.5
    return Sun(float(right / length), float(up / length), float(toward / length))


def matter_of(standing_out: Field, up: Field, palette: Palette) -> Field:
    """Ground colour where it lies, wall colour where it stands, the accent where it stands out; (3, H, W)."""
    flat = np.clip(up * 3 - np.float32(1.3), 0, 1)
    base = mix(linear(palette.wall), linear(palette.ground), flat)
    return mix(base, linear(palette.accent), standing_out * np.float32(0.8))


def shadow(disparity: Field, up: Field, sun: Sun) -> Field:
    """Where the sun reaches, 0..1: rays walk through the depth map towards it. What faces down casts none.

    A step of `reach` times the pixel's own distance lands on a row that depends on the row alone and a column
    that depends on the column alone, so each step is one lookup for the whole picture.
    """
    depth = resized(disparity, 0.4) + FARTHEST
    casts = depth * (resized(up, 0.4) > np.float32(-0.35))
    hidden = np.zeros_like(depth)
    for reach in np.linspace(0.1, 0.85, 36) ** 2:
        closer = np.float32(1 - reach * sun.toward)
        ahead = shifted(casts, reach * sun.right, reach * sun.up, float(closer)) * closer / depth - 1
        np.maximum(hidden, np.clip(ahead * 25 - 1, 0, np.float32(1 - reach)) * (ahead < 0.3), out=hidden)
    return 1 - resized_to(box(hidden, 2), disparity.shape) * np.float32(0.85)


def shifted(field: Field, right: float, up: float, closer: float) -> Field:
    """What each pixel sees at (x + right, y + up) / closer, in tangents; 0 outside the picture."""
    pixel = 2 * HALF_VIEW / max(field.shape)
    rows, rows_in = places(field.shape[0], -up / pixel, closer)
    columns, columns_in = places(field.shape[1], right / pixel, closer)
    return field[np.ix_(rows, columns)] * (rows_in[:, None] & columns_in)


def places(count: int, move: float, closer: float) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where to look along one side, and whether that is inside."""
    there = np.rint((middle_out(count) + move) / closer + (count - 1) / 2).astype(np.int64)
    return there.clip(0, count - 1), (there >= 0) & (there < count)


def hollow(disparity: Field) -> Field:
    """Sky light left in corners and behind edges, 0..1: less where the surroundings are nearer."""
    light = np.ones_like(disparity)
    for radius, weight in ((0.008, 5), (0.03, 2.5)):
        nearer = np.clip((blurred(disparity, radius) - disparity) / (disparity + FARTHEST), 0, 0.25)
        light /= 1 + np.float32(weight) * nearer
    return light


def haze(disparity: Field) -> Field:
    """How much of what is seen is air, 0..1."""
    far = (1 / (disparity + FARTHEST) - 1 / (1 + FARTHEST)) * FARTHEST * (1 + FARTHEST)
    return np.asarray(far * far / 2, dtype=np.float32)


def exposed(light: Field, key: float) -> Field:
    """The light scaled so that its mean on the display is near the key."""
    return light * np.float32(key**2 / max(float(light.mean()), 1e-3))


# Sky, paper, outline, label


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


def noise(shape: tuple[int, ...], cells: tuple[int, int], dice: np.random.Generator) -> Field:
    """Smooth noise around 0 with that many cells across and down."""
    return resized_to(dice.standard_normal((cells[1], cells[0]), dtype=np.float32), shape)


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


# Fields


def mix(here: Field, there: Field, share: Field) -> Field:
    """From one to the other by a share in 0..1."""
    return here + (there - here) * share


def turned(layers: Field) -> Field:
    """The field with rows and columns exchanged, as a copy in that order: work along columns is quick."""
    return np.ascontiguousarray(layers.swapaxes(0, -1))


def blurred(field: Field, radius: float) -> Field:
    """The field seen through a soft square; the radius is a share of the longer side."""
    small = resized(field, 0.25)
    reach = max(1, round(radius * max(small.shape)))
    return resized_to(box(box(small, reach), reach), field.shape)


def box(field: Field, radius: int) -> Field:
    """The mean over a square of 2 radius + 1; beyond the edges a slope goes on as it was."""
    return row_mean(row_mean(field, radius).T, radius).T


def row_mean(field: Field, radius: int) -> Field:
    """The mean over 2 radius + 1 rows."""
    size = 2 * radius + 1
    padded = np.pad(field, ((radius + 1, radius), (0, 0)), mode="reflect", reflect_type="odd")
    total = np.cumsum(padded, axis=0, dtype=np.float64)
    return ((total[size:] - total[:-size]) / size).astype(np.float32)


def resized(field: Field, scale: float) -> Field:
    """The field at a share of its size."""
    return resized_to(field, tuple(max(2, round(side * scale)) for side in field.shape))


def resized_to(field: Field, shape: tuple[int, ...]) -> Field:
    """The field at another shape (H, W)."""
    image = Image.fromarray(np.ascontiguousarray(field))
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR), dtype=np.float32)
