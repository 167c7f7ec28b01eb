"""The painter shows the forms of the depth map, the mood of the prompt, and that it is not FLUX."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageChops

from flux_depth_addon.core.sandbox.painter import paint, sky_of

WIDTH, HEIGHT = 384, 256


def depth_map(levels: NDArray[np.floating]) -> Image.Image:
    return Image.fromarray(np.round(levels).astype(np.uint8)).convert("RGB")


def room() -> Image.Image:
    """A floor that comes nearer downwards, a far wall, and a ball."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    floor = np.where(y > 100, 40 + (y - 100) * 1.2, 40)
    bulge = 1 - ((x - 192) ** 2 + (y - 130) ** 2) / 50**2
    return depth_map(np.where(bulge > 0, 150 + 25 * np.sqrt(np.maximum(bulge, 0)), floor))


def open_field() -> Image.Image:
    """A ground plane under nothing."""
    y = np.mgrid[0:HEIGHT, 0:WIDTH][0]
    return depth_map(np.clip((y - 120) * 1.8, 0, 255))


def pixels(picture: Image.Image) -> NDArray[np.float64]:
    return np.asarray(picture.convert("RGB"), dtype=np.float64)


def brightness(picture: Image.Image) -> NDArray[np.float64]:
    return np.asarray(pixels(picture).mean(axis=-1))


def test_the_same_map_prompt_and_seed_give_the_same_bytes() -> None:
    assert paint(room(), "a loft", 5).tobytes() == paint(room(), "a loft", 5).tobytes()


def test_a_picture_is_rgb_and_as_large_as_its_map() -> None:
    picture = paint(room(), "a loft", 5)
    assert (picture.mode, picture.size) == ("RGB", (WIDTH, HEIGHT))


def test_another_seed_is_visibly_another_picture() -> None:
    first, second = (paint(room(), "a loft", seed) for seed in (1, 2))
    assert np.abs(pixels(first) - pixels(second)).mean() > 5


def test_two_seeds_in_a_row_light_the_ball_from_both_sides() -> None:
    left, right = (brightness(paint(room(), "a loft", seed))[100:150] for seed in (2, 3))
    assert left[:, 150:175].mean() > left[:, 210:235].mean() + 10
    assert right[:, 150:175].mean() < right[:, 210:235].mean() - 10


def test_a_floor_shows_no_bands_of_eight_bits() -> None:
    rows = brightness(paint(open_field(), "sand", 3))[150:250, 250:].mean(axis=1)
    smooth = np.convolve(rows, np.ones(9) / 9, mode="valid")
    assert np.abs(rows[4:-4] - smooth).max() < 1.5


def test_a_ball_stands_out_from_the_wall_behind_it() -> None:
    picture = pixels(paint(room(), "a loft", 3))
    ball, wall = (part.mean(axis=(0, 1)) for part in (picture[90:110, 180:200], picture[40:60, 40:60]))
    assert np.abs(ball - wall).max() > 15


def sky_in_the_middle(levels: Image.Image) -> float:
    fractions = np.asarray(levels.convert("L"), dtype=np.float32) / np.float32(255)
    return float(sky_of(fractions)[90:100, 180:200].mean())


def test_nothing_above_the_ground_is_sky() -> None:
    assert sky_in_the_middle(open_field()) == 1


def test_the_black_far_wall_of_a_room_is_no_sky() -> None:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    walls = np.maximum(np.abs(x - 192) - 90, np.abs(y - 128) - 60)
    assert sky_in_the_middle(depth_map(walls.clip(0) * 2)) == 0


def test_a_window_in_a_wall_is_sky() -> None:
    levels = np.full((HEIGHT, WIDTH), 120.0)
    levels[80:160, 100:260] = 0
    assert sky_in_the_middle(depth_map(levels)) == 1


def blueness(part: NDArray[np.float64]) -> float:
    red, _, blue = part.mean(axis=(0, 1)).tolist()
    return float(blue - red)


@pytest.mark.parametrize(("darker", "brighter"), [("at night", "at noon"), ("a storm", "snow")])
def test_the_words_set_the_mood(darker: str, brighter: str) -> None:
    night, noon = (brightness(paint(room(), prompt, 3)).mean() for prompt in (darker, brighter))
    assert night < noon - 25


def test_a_sunset_is_warmer_than_the_moon() -> None:
    sunset, moon = (blueness(pixels(paint(open_field(), prompt, 3))) for prompt in ("Sunset!", "moonlight"))
    assert sunset < moon - 30


def test_words_that_no_table_knows_still_change_the_colours() -> None:
    first, second = (pixels(paint(room(), prompt, 3)) for prompt in ("zyx", "abcd"))
    assert np.abs(first - second).max() > 30


def test_every_picture_says_in_its_corner_that_it_is_not_flux(monkeypatch: pytest.MonkeyPatch) -> None:
    labelled = paint(room(), "a loft", 3)
    monkeypatch.setattr("flux_depth_addon.core.sandbox.painter.label", lambda drawn: drawn)
    difference = ImageChops.difference(labelled, paint(room(), "a loft", 3))
    left, top, right, bottom = difference.getbbox() or (0, 0, 0, 0)
    assert 10 < left < right < WIDTH / 2
    assert HEIGHT * 0.8 < top < bottom < HEIGHT - 10


@pytest.mark.parametrize("prompt", ["", "日本の家", "sunset " * 10_000])
def test_any_prompt_is_painted(prompt: str) -> None:
    assert brightness(paint(room(), prompt, 3)).std() > 5


@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_a_map_without_any_form_is_painted(level: int) -> None:
    assert np.isfinite(pixels(paint(depth_map(np.full((256, 256), level)), "a loft", -1))).all()


@pytest.mark.parametrize("size", [(16, 16), (17, 400), (400, 17), (257, 255)])
def test_any_size_is_painted(size: tuple[int, int]) -> None:
    assert paint(room().resize(size), "a loft", 2**63).size == size


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1"])
def test_any_kind_of_image_is_painted(mode: str) -> None:
    assert paint(room().convert(mode), "a loft", 3).mode == "RGB"
