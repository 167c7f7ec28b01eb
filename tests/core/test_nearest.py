"""Where a model that is gone leads, what is carried there, and what that costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flux_depth_addon.core.carried import carried, left_out
from flux_depth_addon.core.framing import Framing
from flux_depth_addon.core.models import Model, Table, load
from flux_depth_addon.core.nearest import difference, living, nearest
from flux_depth_addon.core.request import Lora, Request, check
from tests import living_models

MAP, MAP_TOO, PHOTO = "near:map", "far:map", "near:photo"
FRAMING = Framing(width=320, height=256, left=10, top=6, crop_width=300, crop_height=244)

Rows = Callable[..., Table]


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """The shipped table, of whose models none lives but the sandbox, with these rows besides."""

    def made(**more: str) -> Table:
        file = tmp_path / "models.toml"
        file.write_text(living_models.rows(**more), encoding="utf-8")
        return load(file)

    return made


@pytest.fixture
def gone(rows: Rows) -> Model:
    table = rows()
    return table[table.default]


@pytest.fixture
def asked(gone: Model) -> Callable[..., Request]:
    """A request to the model that is gone, with the given differences."""

    def made(**changes: Any) -> Request:
        return Request(**{"prompt": "a quiet room", "model": gone.id, "framing": FRAMING} | changes)

    return made


def found(table: Table, gone: Model, *ready: str, **more: Any) -> str:
    """The id of the nearest, or nothing."""
    model = nearest(gone, table, ready, **more)
    return model.id if model else ""


def test_a_retired_model_leads_to_a_living_one(rows: Rows, gone: Model) -> None:
    assert gone.retired
    assert found(rows(near__map=""), gone) == MAP


def test_the_sandbox_is_offered_where_nothing_else_lives_and_never_before(rows: Rows, gone: Model) -> None:
    assert found(rows(), gone) == "sandbox"
    assert found(rows(near__photo='control = "picture"'), gone, "sandbox") == PHOTO


def test_where_nothing_lives_nothing_is_offered(rows: Rows, gone: Model) -> None:
    table = rows()
    assert nearest(table["sandbox"], table) is None


def test_a_model_is_not_offered_in_its_own_place(rows: Rows) -> None:
    table = rows(near__map="", far__map="")
    assert found(table, table[MAP]) == MAP_TOO


def test_one_that_was_refused_is_not_offered_again(rows: Rows, gone: Model) -> None:
    table = rows(near__map="", near__photo='control = "picture"')
    assert found(table, gone, refused={MAP}) == PHOTO
    assert MAP not in [model.id for model in living(table, {MAP})]


def test_a_finished_depth_map_counts_more_than_a_key_that_is_there(rows: Rows, gone: Model) -> None:
    table = rows(near__photo='control = "picture"', far__map="")
    assert found(table, gone, "near") == MAP_TOO


def test_one_that_only_takes_a_map_goes_before_one_that_might_not(rows: Rows) -> None:
    table = rows(near__map="", far__map='control = "either"', far__other="price_usd = 0.03")
    assert found(table, table[MAP]) == "far:other"
    assert found(table, table[MAP], request=None, refused={"far:other"}) == MAP_TOO


def test_for_one_that_might_not_take_it_either_will_do(rows: Rows, gone: Model) -> None:
    assert gone.control == "either"
    assert found(rows(near__map="", far__map='control = "either"'), gone, "far") == MAP_TOO


def test_a_clay_render_is_sent_to_no_model_that_would_take_it_for_a_map(
    rows: Rows, gone: Model, asked: Callable[..., Request]
) -> None:
    table = rows(far__map="", near__photo='control = "picture"')
    assert found(table, gone, request=asked(control="clay")) == PHOTO


def test_what_was_set_counts_more_than_a_key_that_is_there(
    rows: Rows, gone: Model, asked: Callable[..., Request]
) -> None:
    table = rows(near__map="", far__map="loras = 2")
    assert found(table, gone, "near", request=asked(loras=(Lora("a"),))) == MAP_TOO
    assert found(table, gone, "near", request=asked()) == MAP


def test_one_that_misses_a_start_picture_or_a_fine_tune_comes_last(rows: Rows, gone: Model) -> None:
    for need in ('start = "required"', 'finetune = "required"'):
        assert found(rows(far__map=need, near__photo='control = "picture"'), gone) == PHOTO


def test_one_that_paints_over_a_start_picture_is_near_once_there_is_one(
    rows: Rows, gone: Model, asked: Callable[..., Request]
) -> None:
    table = rows(near__map="", far__map='start = "required"')
    assert found(table, gone, request=asked(start="0" * 64)) == MAP_TOO


def test_a_key_that_is_there_counts_more_than_the_price(rows: Rows, gone: Model) -> None:
    table = rows(near__map="price_usd = 0.095", far__map="price_usd = 0.01")
    assert found(table, gone, "far") == MAP_TOO


def test_a_key_is_sooner_there_than_a_server_of_one_s_own(rows: Rows, gone: Model, tmp_path: Path) -> None:
    rows(near__map=f"price_usd = {gone.price_usd}", far__map="")
    file = tmp_path / "models.toml"
    own = file.read_text(encoding="utf-8").replace("[providers.near]", "[providers.near]\nchosen_base = true")
    file.write_text(own, encoding="utf-8")
    assert found(load(file), gone) == MAP_TOO
    assert found(load(file), gone, "near") == MAP


def test_the_same_provider_counts_more_than_the_price(rows: Rows) -> None:
    table = rows(near__photo="price_usd = 0.04", near__map="price_usd = 0.4", far__map="price_usd = 0.04")
    assert found(table, table[PHOTO]) == MAP


def test_a_fine_tune_leads_to_where_loras_are_taken(rows: Rows, gone: Model) -> None:
    table = rows(near__map=f"price_usd = {gone.price_usd}", far__map="loras = 2")
    assert found(table, gone) == MAP_TOO


def test_at_last_the_price_decides_by_what_is_paid_for_that_size(
    rows: Rows, gone: Model, asked: Callable[..., Request]
) -> None:
    table = rows(near__map='price_usd = 0.05\nper = "megapixel"', far__map="price_usd = 0.06")
    large = Framing(1408, 1024, 0, 0, 1408, 1024)
    assert found(table, gone) == MAP_TOO
    assert table[MAP].price_of(large) == pytest.approx(0.1)
    assert found(table, gone, request=asked(framing=large)) == MAP


@pytest.mark.parametrize(
    ("new", "old", "words"),
    [
        (0.04, 0.096, "$0.056 less"),
        (0.05, 0.04, "$0.01 more"),
        (0.04, 0.04, "the same price"),
        (0.0, 0.096, "$0.096 less"),
        (0.1 + 0.2, 0.3, "the same price"),
    ],
)
def test_the_difference_is_told_in_words(new: float, old: float, words: str) -> None:
    assert difference(new, old) == words


def test_what_both_models_have_is_carried_and_the_request_is_one_that_is_taken(
    rows: Rows, gone: Model, asked: Callable[..., Request]
) -> None:
    new = rows(near__map="")[MAP]
    before = asked(seed=7, guidance=12.0, steps=50, safety_tolerance=2, prompt_upsampling=True)
    after = carried(before, gone, new)
    check(after, new)
    assert (after.prompt, after.seed, after.framing, after.guidance) == ("a quiet room", 7, FRAMING, 12.0)
    assert (after.steps, after.safety_tolerance, after.prompt_upsampling) == (None, None, None)
    assert left_out(before, gone, new) == []  # what is gone stood where the old model has it by itself


def test_a_default_becomes_the_new_models_own(rows: Rows, gone: Model, asked: Callable[..., Request]) -> None:
    new = rows(near__map="")[MAP]
    assert gone.guidance
    assert carried(asked(guidance=gone.guidance.default), gone, new).guidance == 3.5


def test_what_was_left_to_the_provider_is_left_to_the_next(
    rows: Rows, gone: Model, asked: Callable[..., Request]
) -> None:
    assert carried(asked(), gone, rows(near__map="")[MAP]).guidance is None


def test_what_stays_behind_is_told(rows: Rows, gone: Model, asked: Callable[..., Request]) -> None:
    table = rows(near__map="")
    before = asked(guidance=30.0, steps=20, finetune_id="mine", finetune_strength=1.0, start="0" * 64)
    assert left_out(before, gone, table[MAP]) == ["the fine-tune", "the start picture", "steps 20", "guidance 30"]
    check(carried(before, gone, table[MAP]), table[MAP])


def test_of_the_loras_as_many_as_it_takes_are_carried(rows: Rows, gone: Model, asked: Callable[..., Request]) -> None:
    table = rows(near__map="", far__map="loras = 2")
    three = asked(loras=(Lora("a"), Lora("b"), Lora("c")))
    assert carried(three, gone, table[MAP_TOO]).loras == (Lora("a"), Lora("b"))
    assert left_out(three, gone, table[MAP_TOO]) == ["1 of 3 LoRAs"]
    assert left_out(asked(loras=(Lora("a"),)), gone, table[MAP]) == ["the LoRA"]


def test_a_field_that_only_one_provider_knows_does_not_go_to_another(
    rows: Rows, gone: Model, asked: Callable[..., Request]
) -> None:
    new, before = rows(near__map="")[MAP], asked(extra=(("new_dial", "3"),))
    assert carried(before, gone, new).extra == before.extra  # they speak the same protocol
    assert carried(before, None, new).extra == ()
    assert left_out(before, None, new) == ["the extra fields"]


def test_a_picture_format_that_is_not_sent_becomes_one_that_is(
    rows: Rows, gone: Model, asked: Callable[..., Request]
) -> None:
    new = rows(near__map='formats = ["jpeg"]')[MAP]
    assert carried(asked(output_format="png"), gone, new).output_format == "jpeg"


def test_one_that_takes_the_size_goes_before_one_that_does_not(
    rows: Rows, gone: Model, asked: Callable[..., Request]
) -> None:
    table = rows(near__map="multiple = 48", far__map="")
    assert found(table, gone, "near", request=asked()) == MAP_TOO
