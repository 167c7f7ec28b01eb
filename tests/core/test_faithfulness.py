"""The dial says truly what it sets; a shaped map keeps its background and its edges, and a neutral one its bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from flux_depth_addon.core import models
from flux_depth_addon.core.depth_map import DepthSettings, control_image, normalise, png
from flux_depth_addon.core.errors import InputError
from flux_depth_addon.core.faithfulness import DEFAULT, STOPS, guidance_at, stop_at
from flux_depth_addon.core.framing import Limits, fit
from flux_depth_addon.core.request import Request, fingerprint, from_json, to_json
from flux_depth_addon.core.shape import LIMITS, shaped
from tests.core.fuzzing import effort

Values = NDArray[np.float32]
HEIGHT, WIDTH = 192, 256
PRO = models.Dial(1.0, 100.0, 15.0)
NEUTRAL = {"detail": 1.0, "blur": 0.0, "gamma": 1.0}


def room() -> Values:
    """Z of a floor that runs to a wall, with nothing above it."""
    z = np.tile(np.linspace(9, 2, HEIGHT, dtype=np.float32)[:, None], (1, WIDTH))
    z[: HEIGHT // 4] = inf
    return z


def wall_with_mouldings(step: float = 0.0) -> Values:
    """A map, all hit: fine ribs of 2 % of the range, and in the middle a step."""
    ribs = 0.5 + 0.01 * np.sign(np.sin(np.arange(WIDTH, dtype=np.float32) * 2))
    ribs[WIDTH // 2 :] += step
    return np.tile(ribs.astype(np.float32), (HEIGHT, 1))


def all_hit(values: Values) -> NDArray[np.bool_]:
    return np.ones_like(values, dtype=bool)


def ribs_in(values: Values) -> float:
    """How high the ribs are on the left of the step."""
    middle = values[HEIGHT // 2, WIDTH // 8 : 3 * WIDTH // 8]
    return float(middle.max() - middle.min())


def map_of(z: Values, **form: float) -> Values:
    return np.asarray(control_image(z, DepthSettings(**form))[0])[..., 0]


# Neutral.


def test_neutral_settings_give_the_bytes_that_there_were_before_there_was_a_shape() -> None:
    z = room()
    values, _ = normalise(z, DepthSettings())
    plain = (values * 255 + np.float32(0.5)).astype(np.uint8)
    assert (map_of(z, **NEUTRAL) == plain).all()
    assert png(control_image(z, DepthSettings())[0]) == png(control_image(z, DepthSettings(**NEUTRAL))[0])


def test_neutral_settings_do_not_even_copy() -> None:
    values = wall_with_mouldings()
    assert shaped(values, all_hit(values), **NEUTRAL) is values


def test_a_request_from_before_there_was_a_shape_is_read_and_is_neutral() -> None:
    request = Request(prompt="a garden", model="sandbox", framing=fit(16 / 9, Limits()), seed=7)
    row = json.loads(to_json(request))
    for name in NEUTRAL:
        del row["depth"][name]
    assert from_json(json.dumps(row)) == request


def test_a_shape_survives_the_journal() -> None:
    request = Request(
        prompt="a garden",
        model="sandbox",
        framing=fit(1, Limits()),
        depth=DepthSettings(detail=0.5, blur=0.01, gamma=2),
    )
    assert from_json(to_json(request)) == request


def test_the_shape_decides_what_is_the_same_picture_by_the_map_alone() -> None:
    request = Request(prompt="a garden", model="sandbox", framing=fit(1, Limits()), seed=7)
    shaped_one = replace(request, depth=DepthSettings(blur=0.01))
    assert fingerprint(request, b"map") == fingerprint(shaped_one, b"map")
    z = room()
    assert fingerprint(request, map_of(z).tobytes()) != fingerprint(shaped_one, map_of(z, blur=0.01).tobytes())


# Detail.


def test_without_detail_fine_ribs_are_gone_and_the_wall_stays_where_it_was() -> None:
    wall = wall_with_mouldings()
    plain = shaped(wall, all_hit(wall), detail=0, blur=0, gamma=1)
    assert ribs_in(plain) < 0.5 * ribs_in(wall)
    assert plain.mean() == pytest.approx(wall.mean(), abs=0.005)


def test_more_detail_brings_the_ribs_out() -> None:
    wall = wall_with_mouldings()
    assert ribs_in(shaped(wall, all_hit(wall), detail=2, blur=0, gamma=1)) > 1.3 * ribs_in(wall)


def test_without_detail_the_edge_of_a_thing_stays_sharp() -> None:
    wall = wall_with_mouldings(step=0.4)
    plain = shaped(wall, all_hit(wall), detail=0, blur=0, gamma=1)[HEIGHT // 2]
    across = plain[WIDTH // 2 + 1] - plain[WIDTH // 2 - 2]
    assert across > 0.37


def test_a_floor_that_recedes_is_no_detail() -> None:
    floor = np.tile(np.linspace(0.1, 1, HEIGHT, dtype=np.float32)[:, None], (1, WIDTH))
    plain = shaped(floor, all_hit(floor), detail=0, blur=0, gamma=1)
    inside = np.s_[12:-12]
    assert plain[inside] == pytest.approx(floor[inside], abs=0.01)


# Blur.


def test_a_blur_softens_edges_and_keeps_the_mean() -> None:
    wall = wall_with_mouldings(step=0.4)
    soft = shaped(wall, all_hit(wall), detail=1, blur=0.02, gamma=1)
    row = soft[HEIGHT // 2]
    assert row[WIDTH // 2 + 1] - row[WIDTH // 2 - 2] < 0.25
    assert soft.mean() == pytest.approx(wall.mean(), abs=0.005)


def test_a_blur_is_the_same_at_every_size() -> None:
    small = wall_with_mouldings(step=0.4)
    large = small.repeat(4, axis=0).repeat(4, axis=1)
    soft = shaped(large, all_hit(large), detail=1, blur=0.03, gamma=1)[::4, ::4]
    assert soft == pytest.approx(shaped(small, all_hit(small), detail=1, blur=0.03, gamma=1), abs=0.03)


def test_the_whole_reach_of_a_blur_is_used_where_everything_is_hit() -> None:
    """An own grey that always had its say would leave a faint line where the step was."""
    wall = np.zeros((HEIGHT, WIDTH), np.float32)
    wall[:, WIDTH // 2 :] = 1
    row = shaped(wall, all_hit(wall), detail=1, blur=0.05, gamma=1)[HEIGHT // 2]
    assert np.abs(np.diff(row)).max() < 0.06


SHAPES = [{"detail": 0.0}, {"detail": 3.0}, {"blur": 0.1}, {"gamma": 5.0}, {"detail": 0.0, "blur": 0.03, "gamma": 1.5}]


@pytest.mark.parametrize("form", SHAPES, ids=str)
def test_the_background_stays_black_and_its_edge_sharp(form: dict[str, float]) -> None:
    z = room()
    z[HEIGHT // 2 :] = 2.0  # what stands before it is white, down to the edge of the picture
    z[HEIGHT // 4 : HEIGHT // 2] = inf
    z[:4] = 9.0
    picture = map_of(z, **form)
    assert (picture[z == inf] == 0).all()
    assert picture[HEIGHT // 2 + 1].min() > 240


def test_a_wire_before_the_sky_keeps_its_grey_under_a_blur() -> None:
    values = np.zeros((HEIGHT, WIDTH), np.float32)
    values[:, WIDTH // 2] = along = np.linspace(0.3, 0.9, HEIGHT, dtype=np.float32)
    soft = shaped(values, values > 0, detail=1, blur=0.1, gamma=1)
    assert soft[:, WIDTH // 2] == pytest.approx(along, abs=0.03)


# Gamma.


def test_gamma_sinks_or_lifts_the_distance_and_leaves_both_ends() -> None:
    values = np.linspace(0, 1, WIDTH, dtype=np.float32)[None].repeat(HEIGHT, axis=0)
    dark, light = (shaped(values, all_hit(values), detail=1, blur=0, gamma=gamma) for gamma in (2, 0.5))
    assert (dark <= values).all()
    assert (light >= values).all()
    assert [dark[0, 0], dark[0, -1], light[0, 0], light[0, -1]] == [0, 1, 0, 1]


# Any.

many = effort(5, seconds=20)
FORMS = st.fixed_dictionaries(
    {name.lower(): st.floats(low, high) for name, (low, high) in LIMITS.items()},
)


@many
@given(arrays(np.float32, (24, 32), elements=st.floats(0, 1, width=32)), FORMS)
def test_a_shaped_map_is_a_map_whose_background_is_black(values: Values, form: dict[str, float]) -> None:
    before, hit = values.copy(), values > 0.25
    values[~hit] = before[~hit] = 0
    made = shaped(values, hit, **form)
    assert made.dtype == np.float32
    assert made.shape == values.shape
    assert made.min() >= 0
    assert made.max() <= 1
    assert (made[~hit] == 0).all()
    assert (values == before).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (2, 3)])
def test_the_smallest_maps_are_shaped_too(size: tuple[int, int]) -> None:
    values = np.full(size, 0.5, np.float32)
    assert shaped(values, all_hit(values), detail=0, blur=0.1, gamma=2) == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"detail": -0.1}, "Detail must be from 0 to 3, not -0.1. Nothing was sent."),
        ({"blur": 0.2}, "Blur must be from 0 to 0.1, not 0.2. Nothing was sent."),
        ({"gamma": 0.0}, "Gamma must be from 0.2 to 5, not 0. Nothing was sent."),
        ({"detail": nan}, "Detail must be from 0 to 3, not nan. Nothing was sent."),
        ({"blur": inf}, "Blur must be from 0 to 0.1, not inf. Nothing was sent."),
    ],
)
def test_a_shape_that_is_none_is_one_sentence(form: dict[str, float], words: str) -> None:
    with pytest.raises(InputError) as refused:
        control_image(room(), DepthSettings(**form))
    assert str(refused.value) == words


def test_advice_on_the_range_leaves_the_shape_alone() -> None:
    z = np.full((HEIGHT, WIDTH), 900, np.float32)
    z[:, 8:] = np.linspace(40, 2, HEIGHT, dtype=np.float32)[:, None]
    _, verdict = control_image(z, DepthSettings(near=0.001, far=2000, blur=0.02, gamma=1.5))
    assert verdict.better
    assert (verdict.better.blur, verdict.better.gamma) == (0.02, 1.5)


# The dial.


def test_the_dial_goes_from_exact_to_inspired_and_begins_where_nothing_is_changed() -> None:
    assert [stop.name for stop in STOPS] == ["exact", "close", "balanced", "loose", "inspired"]
    table = models.load()
    default_model = table[table.default]
    assert default_model.guidance
    default = next(stop for stop in STOPS if stop.name == DEFAULT)
    assert default.values == (default_model.guidance.default, *NEUTRAL.values())


def test_every_stop_is_looser_than_the_one_before() -> None:
    for one, next_one in pairwise(STOPS):
        assert next_one.guidance < one.guidance
        assert next_one.detail <= one.detail
        assert next_one.blur >= one.blur
        assert next_one.gamma >= one.gamma


def test_every_stop_is_within_what_every_model_takes() -> None:
    for stop in STOPS:
        control_image(room(), DepthSettings(detail=stop.detail, blur=stop.blur, gamma=stop.gamma))
        for model in models.load().models.values():
            assert model.guidance.low <= stop.guidance <= model.guidance.high


def test_every_stop_makes_another_map_or_asks_for_other_guidance() -> None:
    made = {
        (stop.guidance, map_of(room(), detail=stop.detail, blur=stop.blur, gamma=stop.gamma).tobytes())
        for stop in STOPS
    }
    assert len(made) == len(STOPS)


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.name)
def test_a_stop_is_found_again_in_single_precision(stop: object) -> None:
    assert stop_at(*(float(np.float32(value)) for value in stop.values), dial=PRO) is stop


def test_other_values_are_no_stop() -> None:
    assert stop_at(15.0, 1.0, 0.0, 1.1, dial=PRO) is None
    assert stop_at(15.1, 1.0, 0.0, 1.0, dial=PRO) is None
    assert stop_at(nan, nan, nan, nan, dial=PRO) is None


def test_a_stop_s_guidance_is_in_proportion_to_the_model_s_own_and_within_what_it_takes() -> None:
    other = models.Dial(1.0, 6.0, 3.5)
    assert [guidance_at(stop, other) for stop in STOPS] == [6.0, 3.5, 2.33, 1.4, 1.0]
    assert [guidance_at(stop, PRO) for stop in STOPS] == [stop.guidance for stop in STOPS]
    for stop in STOPS:
        assert stop_at(guidance_at(stop, other) or 0.0, stop.detail, stop.blur, stop.gamma, dial=other) is stop


def test_a_model_without_guidance_has_the_stops_by_their_shape_alone() -> None:
    assert guidance_at(STOPS[0], None) is None
    assert stop_at(99.0, *STOPS[0].values[1:], dial=None) is STOPS[0]
