"""Every camera aspect gives a size the model accepts and a crop that is the frame."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from flux_depth_addon.core.errors import InputError
from flux_depth_addon.core.framing import MEGAPIXEL, Framing, Limits, crop_picture, fit
from tests.core.fuzzing import effort

FLUX = Limits()
ASPECTS = st.floats(1 / 200, 200)
LIMITS = st.builds(
    Limits,
    multiple=st.sampled_from([8, 16, 32, 64]),
    min_side=st.integers(1, 512),
    max_side=st.integers(600, 4096),
    max_megapixels=st.floats(0.3, 16),
)
many = effort(33, seconds=20)


def accepted_sizes(limits: Limits, megapixels: float) -> list[tuple[int, int]]:
    """Every size the limits allow, counted out one by one."""
    multiples = range(limits.multiple, limits.max_side + 1, limits.multiple)
    sides = [side for side in multiples if side >= limits.min_side]
    budget = min(megapixels, limits.max_megapixels) * MEGAPIXEL
    return [(width, height) for width in sides for height in sides if width * height <= budget]


def frame_times_share(width: int, height: int, aspect: float) -> float:
    frame = min(width, height * aspect) * min(height, width / aspect)
    return frame * frame / (width * height)


@pytest.mark.parametrize(
    ("aspect", "size", "crop"),
    [
        (16 / 9, (1344, 768), (1344, 756)),
        (9 / 16, (768, 1344), (756, 1344)),
        (1, (1024, 1024), (1024, 1024)),
        (3 / 2, (1248, 832), (1248, 832)),
        (4 / 3, (1152, 864), (1152, 864)),
        (2.39, (1440, 608), (1440, 603)),
        (2, (1408, 704), (1408, 704)),
    ],
)
def test_a_common_ratio_wastes_almost_nothing(aspect: float, size: tuple[int, int], crop: tuple[int, int]) -> None:
    framing = fit(aspect, FLUX)
    assert (framing.width, framing.height) == size
    assert (framing.crop_width, framing.crop_height) == crop
    assert framing.whole == (size == crop)


@many
@given(ASPECTS, LIMITS, st.floats(0.3, 16), st.booleans())
def test_every_size_is_one_the_model_accepts(aspect: float, limits: Limits, megapixels: float, overscan: bool) -> None:
    framing = fit(aspect, limits, megapixels=megapixels, overscan=overscan)
    for side in (framing.width, framing.height):
        assert side % limits.multiple == 0
        assert limits.min_side <= side <= limits.max_side
    assert framing.width * framing.height <= min(megapixels, limits.max_megapixels) * MEGAPIXEL


@many
@given(ASPECTS, LIMITS)
def test_the_crop_lies_inside_the_picture_and_in_its_middle(aspect: float, limits: Limits) -> None:
    framing = fit(aspect, limits)
    left, top, right, bottom = framing.crop
    assert 0 <= left < right <= framing.width
    assert 0 <= top < bottom <= framing.height
    assert 0 <= (framing.width - right) - left <= 1
    assert 0 <= (framing.height - bottom) - top <= 1


@many
@given(ASPECTS, LIMITS)
def test_the_crop_has_the_frames_aspect_to_half_a_pixel(aspect: float, limits: Limits) -> None:
    framing = fit(aspect, limits)
    assume(framing.crop_width > 1 and framing.crop_height > 1)
    across = framing.crop_width - framing.crop_height * aspect
    down = framing.crop_height - framing.crop_width / aspect
    assert min(abs(across), abs(down)) <= 0.5 + 1e-9


@effort(2, seconds=20)
@given(st.floats(1 / 20, 20), st.floats(0.07, 2), st.sampled_from([16, 32, 64]))
def test_no_other_accepted_size_shows_more_of_the_frame(aspect: float, megapixels: float, multiple: int) -> None:
    limits = Limits(multiple=multiple, max_megapixels=2)
    framing = fit(aspect, limits, megapixels=megapixels)
    best = max(frame_times_share(*size, aspect) for size in accepted_sizes(limits, megapixels))
    assert frame_times_share(framing.width, framing.height, aspect) == pytest.approx(best)


@many
@given(ASPECTS, st.floats(0.0625, 1), st.floats(0.0625, 1))
def test_a_larger_budget_never_shows_less_of_the_frame(aspect: float, one: float, other: float) -> None:
    small, large = (fit(aspect, FLUX, megapixels=budget) for budget in sorted((one, other)))
    assert small.crop_width <= large.crop_width
    assert small.crop_height <= large.crop_height


@many
@given(st.floats(0.25, 4))
def test_an_ordinary_frame_fills_at_least_nine_tenths_of_the_picture(aspect: float) -> None:
    framing = fit(aspect, FLUX)
    assert framing.crop_width * framing.crop_height >= 0.9 * framing.width * framing.height


@many
@given(st.floats(0.25, 4))
def test_without_overscan_the_picture_is_the_frame_at_nearly_its_aspect(aspect: float) -> None:
    framing = fit(aspect, FLUX, overscan=False)
    assert framing.whole
    assert framing.width / framing.height == pytest.approx(aspect, rel=0.1)


@pytest.mark.parametrize("aspect", [100, 1 / 100, 1e5, 1e-5, 1e300, 1e-300])
def test_an_extreme_aspect_still_gives_a_picture_and_a_crop(aspect: float) -> None:
    framing = fit(aspect, FLUX)
    assert min(framing.crop_width, framing.crop_height) >= 1


def test_a_narrow_frame_is_as_long_as_the_model_allows() -> None:
    assert fit(30, FLUX).crop_width == 1440
    assert fit(1 / 30, FLUX).crop_height == 1440


def test_more_megapixels_than_the_model_takes_change_nothing() -> None:
    assert fit(1.5, FLUX, megapixels=50) == fit(1.5, FLUX)


@pytest.mark.parametrize("aspect", [0.0, -1.0, nan, inf])
def test_a_frame_without_a_shape_is_refused(aspect: float) -> None:
    with pytest.raises(InputError, match="set a resolution above zero"):
        fit(aspect, FLUX)


@pytest.mark.parametrize("megapixels", [0.05, 0.0, -1.0, nan])
def test_too_few_megapixels_are_refused_with_the_number_needed(megapixels: float) -> None:
    with pytest.raises(InputError, match=r"set Megapixels to 0\.063 or more"):
        fit(1.0, FLUX, megapixels=megapixels)


def test_the_number_of_megapixels_asked_for_is_enough() -> None:
    assert fit(1.0, FLUX, megapixels=0.063).width == 256


def test_limits_that_hold_no_size_are_refused() -> None:
    with pytest.raises(InputError, match="No multiple of 64"):
        fit(1.0, Limits(multiple=64, min_side=100, max_side=120))


def coordinates(width: int, height: int) -> Image.Image:
    """A picture whose red is x and whose green is y, in 256ths of the picture."""
    picture = Image.new("RGB", (width, height))
    picture.putdata([(256 * x // width, 256 * y // height, 0) for y in range(height) for x in range(width)])
    return picture


FRAME = Framing(256, 256, 0, 32, 256, 192)


def test_a_picture_of_the_size_asked_for_is_cropped_pixel_for_pixel() -> None:
    frame = crop_picture(coordinates(256, 256), FRAME)
    assert frame.size == (256, 192)
    assert frame.getpixel((7, 0)) == (7, 32, 0)
    assert frame.getpixel((255, 191)) == (255, 223, 0)


@pytest.mark.parametrize("size", [(512, 512), (128, 128), (300, 200)])
def test_a_picture_of_another_size_still_gives_the_frame(size: tuple[int, int]) -> None:
    frame = crop_picture(coordinates(*size), FRAME)
    assert frame.size == (256, 192)
    for point in ((20, 20), (128, 96), (230, 170)):
        red, green, _ = frame.getpixel(point)
        assert red == pytest.approx(point[0], abs=2)
        assert green == pytest.approx(point[1] + 32, abs=2)
