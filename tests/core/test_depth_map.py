"""The control image says near and far truly, and the verdict on it gives advice that works."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from math import inf, nan

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from flux_depth_addon.core.depth_map import DepthSettings, Verdict, control_image, normalise, png
from flux_depth_addon.core.errors import EmptyDepthError, InputError
from tests.core.fuzzing import effort

Depths = NDArray[np.float32]
AUTOMATIC = DepthSettings()
LINEAR = DepthSettings(curve="linear")
SIDE = 256


def stairs(*distances: float) -> Depths:
    """Equally high steps that face the camera at these distances, the first on top."""
    steps = np.array(distances, np.float32).repeat(SIDE // len(distances))
    return np.tile(steps[:, None], (1, SIDE))


def floor(near: float, far: float) -> Depths:
    """A floor seen from above, row 0 far: 1/z grows evenly down the picture."""
    rows = 1 / np.linspace(1 / far, 1 / near, SIDE, dtype=np.float32)
    return np.tile(rows[:, None], (1, SIDE))


def sphere(distance: float, radius: float) -> Depths:
    """The near half of a sphere that fills the middle of the picture, on nothing."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j].astype(np.float32) * radius * 2
    inside = radius**2 - x**2 - y**2
    return np.where(inside > 0, distance - np.sqrt(np.maximum(inside, 0)), np.inf).astype(np.float32)


def with_patch(z: Depths, distance: float, share: float) -> Depths:
    """The same view with something at one distance over this share of the picture, from the top left."""
    patched = z.copy()
    patched.ravel()[: round(share * z.size)] = distance
    return patched


def verdict_on(z: Depths, settings: DepthSettings = AUTOMATIC) -> Verdict:
    return normalise(z, settings)[1]


def test_a_range_by_hand_gives_normalised_disparity() -> None:
    values, _ = normalise(stairs(8, 4, 2, 1), DepthSettings(near=1, far=8))
    assert values[::64, 0] == pytest.approx([0, 1 / 7, 3 / 7, 1])


def test_the_linear_curve_is_even_in_metres() -> None:
    values, _ = normalise(stairs(9, 7, 3, 1), DepthSettings(near=1, far=9, curve="linear"))
    assert values[::64, 0] == pytest.approx([0, 0.25, 0.75, 1])


def test_a_sphere_is_whitest_in_its_middle_and_stands_out_from_the_background() -> None:
    values, _ = normalise(sphere(distance=5, radius=1), AUTOMATIC)
    assert values[SIDE // 2, SIDE // 2] == values.max() == 1
    rim = values[SIDE // 2][values[SIDE // 2] > 0]
    assert rim.min() > 0.05
    assert values[0, 0] == 0


@pytest.mark.parametrize("curve", ["disparity", "linear"])
def test_the_farthest_wall_stands_out_from_the_background_by_a_tenth(curve: str) -> None:
    view = stairs(2, 3, 4, 5)
    view[:10] = inf
    values, _ = normalise(view, DepthSettings(curve=curve))
    assert values[-1, 0] == pytest.approx(0.1, abs=1e-3)
    assert values[0, 0] == 0


def test_what_lies_outside_a_range_by_hand_is_clipped() -> None:
    values, _ = normalise(stairs(1, 2, 4, 8), DepthSettings(near=2, far=4))
    assert list(values[::64, 0]) == [1, 1, 0, 0]


def test_the_background_has_no_say_in_the_rest() -> None:
    room = floor(2, 8)
    sky = np.full_like(room, inf)
    alone, _ = normalise(room, AUTOMATIC)
    below_sky, _ = normalise(np.vstack([sky, room]), AUTOMATIC)
    assert (below_sky[SIDE:] == alone).all()
    assert (below_sky[:SIDE] == 0).all()


def test_the_depths_given_are_not_changed() -> None:
    z = with_patch(floor(2, 8), inf, 0.1)
    before = z.copy()
    control_image(z, AUTOMATIC)
    assert (z == before).all()


def test_distances_at_and_behind_the_camera_are_white() -> None:
    values, _ = normalise(stairs(-1, 0, 2, 8), DepthSettings(near=1, far=10))
    assert (values[:128] == 1).all()


VIEWS = arrays(np.float32, (24, 24), elements=st.floats(0.125, 4096, width=32) | st.just(inf))
RANGES = st.sampled_from([None, 0.5, 3.0]), st.sampled_from([None, 40.0, 5000.0])
SETTINGS = st.builds(DepthSettings, *RANGES, curve=st.sampled_from(["disparity", "linear"]))
many = effort(5, seconds=20)


@many
@given(VIEWS, SETTINGS)
def test_nearer_is_never_darker_and_every_value_lies_between_black_and_white(
    z: Depths, settings: DepthSettings
) -> None:
    try:
        values, _ = normalise(z, settings)
    except InputError:
        assume(False)
    assert values.dtype == np.float32
    assert values.min() >= 0
    assert values.max() <= 1
    assert (np.diff(values.ravel()[np.argsort(z, axis=None)]) <= 0).all()
    assert (values[z == inf] == 0).all()


@many
@given(VIEWS, SETTINGS)
def test_the_same_depths_give_the_same_bytes(z: Depths, settings: DepthSettings) -> None:
    try:
        first, again = (png(control_image(z.copy(), settings)[0]) for _ in range(2))
    except InputError:
        assume(False)
    assert first == again


@many
@given(VIEWS, st.sampled_from(["disparity", "linear"]), st.floats(0.01, 100))
def test_a_scene_built_in_other_units_gives_the_same_picture(z: Depths, curve: str, scale: float) -> None:
    try:
        values, _ = normalise(z, DepthSettings(curve=curve))
    except InputError:
        assume(False)
    scaled, _ = normalise((z * np.float32(scale)).astype(np.float32), DepthSettings(curve=curve))
    # Of a range at the edge of "all one depth", rounding of the scaled distances takes up to a thousandth.
    assert scaled == pytest.approx(values, abs=2e-3)


def test_the_automatic_range_spans_what_is_seen() -> None:
    verdict = verdict_on(floor(2, 8))
    assert verdict.near == pytest.approx(2, rel=0.02)
    assert 8 <= verdict.far <= 16


@pytest.mark.parametrize("settings", [AUTOMATIC, LINEAR])
def test_a_few_far_pixels_do_not_flatten_the_range(settings: DepthSettings) -> None:
    calm = verdict_on(floor(2, 8), settings)
    disturbed = verdict_on(with_patch(floor(2, 8), 900, 0.005), settings)
    assert disturbed.spread == pytest.approx(calm.spread, abs=0.03)


@pytest.mark.parametrize("settings", [AUTOMATIC, LINEAR])
def test_a_wire_before_the_lens_does_not_flatten_the_range(settings: DepthSettings) -> None:
    calm = verdict_on(floor(2, 8), settings)
    disturbed = verdict_on(with_patch(floor(2, 8), 0.1, 0.005), settings)
    assert disturbed.spread == pytest.approx(calm.spread, abs=0.03)


def test_a_wall_with_one_small_ball_before_it_keeps_the_ball() -> None:
    values, _ = normalise(with_patch(stairs(5), 2, 0.005), AUTOMATIC)
    assert values[0, 0] == 1
    assert values[-1, -1] == pytest.approx(0.1, abs=0.01)


def test_one_distance_by_hand_leaves_the_other_automatic() -> None:
    verdict = verdict_on(floor(2, 8), DepthSettings(far=6))
    assert verdict.far == 6
    assert verdict.near == pytest.approx(2, rel=0.02)


def test_a_sample_of_a_large_view_finds_the_same_range_as_all_its_pixels() -> None:
    small = verdict_on(floor(2, 8))
    large = verdict_on(np.tile(floor(2, 8), (4, 8)))
    assert large.near == pytest.approx(small.near, rel=0.01)
    assert large.far == pytest.approx(small.far, rel=0.01)
    assert large.spread == pytest.approx(small.spread, abs=0.01)


def test_a_room_is_good_and_the_sentence_says_so_in_numbers() -> None:
    verdict = verdict_on(with_patch(floor(1.9, 7.4), inf, 0.06))
    assert verdict.good
    assert verdict.better is None
    assert verdict.sentence == "Good depth: 1.9 m to 6.2 m, 94 % of the frame covered, 82 % of the range used"


def test_the_spread_is_the_share_that_the_middle_nine_tenths_use() -> None:
    assert verdict_on(floor(2, 8), DepthSettings(near=2, far=8)).spread == pytest.approx(0.9, abs=0.01)


def test_something_far_away_is_named_with_the_far_that_helps() -> None:
    verdict = verdict_on(with_patch(floor(2, 40), 900, 0.04), LINEAR)
    assert not verdict.good
    assert verdict.sentence == (
        "Most of the picture sits in 1 % of the range because something 900 m away is in view: set Far to 22 m"
    )
    assert verdict.better == replace(LINEAR, far=22)


def test_something_before_the_lens_is_named_with_the_near_that_helps() -> None:
    verdict = verdict_on(with_patch(floor(2, 6), 0.12, 0.04))
    assert not verdict.good
    assert verdict.sentence == (
        "Most of the picture sits in 3 % of the range because something 12 cm away is in view: set Near to 2 m"
    )
    assert verdict.better == DepthSettings(near=2)


def test_a_distance_by_hand_that_spoils_the_range_is_blamed() -> None:
    verdict = verdict_on(floor(2, 6), DepthSettings(near=0.05))
    assert verdict.sentence.endswith("because Near is 5 cm: set Near to 2 m")


def test_a_range_by_hand_past_mending_is_sent_back_to_automatic() -> None:
    verdict = verdict_on(floor(2, 6), DepthSettings(near=0.001, far=2.1))
    assert verdict.sentence.endswith("because the range is set by hand: make Near automatic and make Far automatic")
    assert verdict.better == AUTOMATIC


def test_advice_may_take_one_distance_back_to_set_the_other() -> None:
    verdict = verdict_on(with_patch(floor(1, 6), 200, 0.06), replace(LINEAR, near=3))
    assert verdict.sentence.endswith("because the range is set by hand: make Near automatic and set Far to 4.1 m")


HOGS = st.one_of(st.floats(0.05, 0.3), st.floats(200, 5000)), st.floats(0.02, 0.12)
ROOMS = st.builds(floor, st.floats(1, 4), st.floats(6, 60))


@many
@given(ROOMS, *HOGS, SETTINGS)
@example(floor(2, 8), 900.0, 0.04, LINEAR)
def test_whoever_follows_the_advice_gets_good_depth(
    room: Depths, distance: float, share: float, settings: DepthSettings
) -> None:
    view = with_patch(room, distance, share)
    before = verdict_on(view, settings)
    assume(before.better)
    assert verdict_on(view, before.better).good


@many
@given(ROOMS, *HOGS, st.sampled_from([AUTOMATIC, LINEAR]))
def test_a_room_is_good_or_there_is_advice_that_makes_it_so(
    room: Depths, distance: float, share: float, settings: DepthSettings
) -> None:
    view = with_patch(room, distance, share)
    verdict = verdict_on(view, settings)
    assert verdict.good or verdict_on(view, verdict.better).good


def test_a_nearly_flat_view_is_told_to_turn_the_camera() -> None:
    verdict = verdict_on(with_patch(stairs(5), 3, 0.03))
    assert not verdict.good
    assert verdict.better is None
    assert verdict.sentence.startswith("Nearly flat: most of the view is about 5 m away")


def test_a_mostly_empty_view_is_named() -> None:
    verdict = verdict_on(with_patch(floor(2, 8), inf, 0.97))
    assert not verdict.good
    assert verdict.hit == pytest.approx(0.03, abs=1e-3)
    assert verdict.sentence.startswith("Only 3 % of the frame is covered")


def test_distances_that_are_close_together_are_told_apart() -> None:
    assert "500.2 m to 500.45 m" in verdict_on(floor(500.2, 500.45)).sentence


def test_a_view_of_nothing_is_refused() -> None:
    with pytest.raises(EmptyDepthError, match="The camera sees nothing"):
        normalise(np.full((8, 8), inf, np.float32), AUTOMATIC)


@pytest.mark.parametrize("settings", [AUTOMATIC, LINEAR])
def test_a_flat_wall_that_faces_the_camera_is_refused(settings: DepthSettings) -> None:
    wall = stairs(5) * np.linspace(1, 1.00005, SIDE, dtype=np.float32)
    with pytest.raises(EmptyDepthError, match=r"Everything in view is 5 m away.*turn the camera"):
        normalise(wall, settings)


@pytest.mark.parametrize("broken", [nan, -inf])
def test_depths_that_are_no_numbers_are_refused(broken: float) -> None:
    z = floor(2, 8)
    z[3, 4] = broken
    with pytest.raises(InputError, match="1 pixels that are no number"):
        normalise(z, AUTOMATIC)


@pytest.mark.parametrize("distance", [0.0, -2.0, nan, inf, -inf])
@pytest.mark.parametrize("name", ["near", "far"])
def test_a_distance_that_is_none_is_refused(name: str, distance: float) -> None:
    with pytest.raises(InputError, match=f"{name.title()} is .* above zero"):
        normalise(floor(2, 8), DepthSettings(**{name: distance}))


@pytest.mark.parametrize(("near", "far"), [(5, 3), (5, 5), (5, 5.00000001)])
def test_near_that_is_not_below_far_is_refused(near: float, far: float) -> None:
    with pytest.raises(InputError, match=r"Near \(5 m\) is not below Far"):
        normalise(floor(2, 8), DepthSettings(near, far))


def test_a_range_before_everything_is_refused() -> None:
    with pytest.raises(InputError, match=r"farther than Far \(1 m\): set Far above 2 m"):
        normalise(floor(2, 8), DepthSettings(near=0.5, far=1))


def test_a_range_behind_everything_is_refused() -> None:
    with pytest.raises(InputError, match=r"nearer than Near \(10 m\): set Near below 8 m"):
        normalise(floor(2, 8), DepthSettings(near=10))


def test_a_refusal_costs_nothing() -> None:
    with pytest.raises(InputError) as refused:
        normalise(floor(2, 8), DepthSettings(near=-1))
    assert refused.value.charged == "no"


def test_the_control_image_has_three_equal_channels_from_black_to_white() -> None:
    image, _ = control_image(with_patch(floor(2, 8), inf, 0.1), AUTOMATIC)
    red, green, blue = image.split()
    assert image.mode == "RGB"
    assert image.getextrema()[0] == (0, 255)
    assert red.tobytes() == green.tobytes() == blue.tobytes()


def test_greys_are_rounded_and_the_top_row_stays_on_top() -> None:
    image, _ = control_image(stairs(1, 3, 5, 9), DepthSettings(near=1, far=9, curve="linear"))
    assert [image.getpixel((0, y))[0] for y in (0, 64, 128, 192)] == [255, 191, 128, 0]


def test_the_png_holds_the_picture_and_nothing_about_colour() -> None:
    image, _ = control_image(floor(2, 8), AUTOMATIC)
    image.info["icc_profile"] = b"a profile that came along"
    data = png(image)
    assert Image.open(BytesIO(data)).tobytes() == image.tobytes()
    assert [data[at : at + 4] for at in chunk_names(data)] == [b"IHDR", b"IDAT", b"IEND"]


def chunk_names(data: bytes) -> list[int]:
    """Where in the PNG each chunk's name stands, runs of IDAT counted once."""
    places, at = [], 8
    while at < len(data):
        if data[at + 4 : at + 8] != b"IDAT" or not places or data[places[-1] : places[-1] + 4] != b"IDAT":
            places.append(at + 4)
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return places


def test_a_smooth_megapixel_stays_below_half_a_megabyte() -> None:
    large = np.tile(sphere(5, 1), (4, 4))
    assert len(png(control_image(large, AUTOMATIC)[0])) < 500_000
