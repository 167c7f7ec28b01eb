"""The table of models says what each takes and costs; the user's own file beside it adds and overrides."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from flux_depth_addon.core.errors import InputError
from flux_depth_addon.core.models import SHIPPED, Model, Table, load

Beside = Callable[[str | bytes], Table]
FINETUNED = "cometapi:flux-pro-1-0-depth-finetuned"


@pytest.fixture
def beside(tmp_path: Path) -> Beside:
    """Loads the shipped table and then a user's file with this text."""

    def with_text(text: str | bytes) -> Table:
        file = tmp_path / "models.toml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(file)

    return with_text


@pytest.fixture
def bfls(table: Table) -> list[Model]:
    """The models of Black Forest Labs' own protocol, wherever they are offered."""
    return [model for model in table.models.values() if model.provider.protocol == "bfl"]


def test_the_models_of_the_makers_protocol_are_offered(bfls: list[Model]) -> None:
    assert [model.id for model in bfls] == [
        FINETUNED,
        "cometapi:flux-pro-1.0-depth",
        "bfl:flux-pro-1.0-depth-finetuned",
        "bfl:flux-pro-1.0-depth",
        "gateway:flux-pro-1.0-depth",
        "gateway:flux-pro-1.0-depth-finetuned",
        "sandbox",
    ]


def test_the_default_is_the_fine_tuned_one_at_cometapi(table: Table) -> None:
    assert table.default == FINETUNED
    assert table[table.default].price == "$0.096"


def test_the_fine_tuned_model_takes_the_map_as_control_image(table: Table) -> None:
    assert {table[name].map_field for name in table.models if "finetuned" in name} == {"control_image"}


def test_the_plain_model_takes_a_finished_map(table: Table) -> None:
    plain = [table["cometapi:flux-pro-1.0-depth"], table["bfl:flux-pro-1.0-depth"]]
    assert {model.map_field for model in plain} == {"preprocessed_image"}


def test_a_model_without_a_field_for_a_finished_map_may_get_a_clay_render(bfls: list[Model]) -> None:
    wanted = {model.id: model.control for model in bfls}
    assert wanted == {name: "either" if "finetuned" in name else "map" for name in wanted}


def test_a_model_says_which_control_image_it_wants_and_why(table: Table) -> None:
    assert table[FINETUNED].wants.endswith("from “control_image” itself, as from a photo: clay looks more like one")
    assert table["bfl:flux-pro-1.0-depth"].wants.startswith("This model wants the depth map: it takes “preproc")


def test_a_row_that_says_nothing_of_it_is_sent_no_clay(beside: Beside) -> None:
    row = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))["models"][FINETUNED]
    row = {key: value for key, value in row.items() if key != "control"}
    lines = [f"{key} = {toml(value)}" for key, value in row.items()]
    assert beside('[models."cometapi:own"]\n' + "\n".join(lines))["cometapi:own"].control == "map"


def toml(value: object) -> str:
    """A value of the table, written as TOML."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)


def test_of_the_makers_protocol_only_cometapi_is_told_the_size(bfls: list[Model]) -> None:
    sent = {model.provider.name for model in bfls if model.sends_size}
    assert sent == {"cometapi", "sandbox"}


def test_the_ranges_are_the_documented_ones(table: Table) -> None:
    model = table[table.default]
    dials = (model.steps, model.guidance, model.safety_tolerance, model.finetune_strength)
    ranges = [(dial.low, dial.high, dial.default) for dial in dials]
    assert ranges == [(15, 50, 50), (1, 100, 15), (0, 6, 2), (0, 2, 1.1)]


def test_every_paid_model_of_the_maker_warns_that_it_was_retired(bfls: list[Model]) -> None:
    for model in bfls:
        assert model.warning.startswith("Retired by its maker on 2025-10-31: it may fail.") == (model.price_usd > 0)


def test_the_sandbox_is_free_and_needs_no_key(table: Table) -> None:
    assert table["sandbox"].price == "free"
    assert not table["sandbox"].provider.key_header


def test_keys_are_looked_for_under_their_documented_names(table: Table) -> None:
    assert table.provider("cometapi").key_env == ("COMETAPI_KEY", "COMETAPI_API_KEY")
    assert table.provider("bfl").key_env == ("BFL_API_KEY",)


def test_an_unknown_model_is_named_with_those_that_are_near(table: Table) -> None:
    told = r"There is no model “bfl:flux-pro-1.1-depth”: choose another one, such as bfl:flux.*\. Nothing was sent\."
    with pytest.raises(InputError, match=told):
        table["bfl:flux-pro-1.1-depth"]
    with pytest.raises(InputError, match="such as") as refused:
        table["x" * 500]
    assert len(str(refused.value)) < 400


def test_an_unknown_provider_is_named_with_the_choices(table: Table) -> None:
    with pytest.raises(InputError, match=r"There is no provider “x”: choose one of cometapi, bfl, .*sandbox"):
        table.provider("x")


def test_models_are_listed_by_provider(table: Table) -> None:
    assert [model.path for model in table.of("bfl")] == ["flux-pro-1.0-depth-finetuned", "flux-pro-1.0-depth"]


def test_no_file_beside_is_no_error(tmp_path: Path) -> None:
    assert load(tmp_path / "models.toml") == load()


def test_a_file_beside_overrides_one_key(beside: Beside) -> None:
    model = beside(f'[models."{FINETUNED}"]\npath = "flux-pro-1.0-depth-finetuned"')[FINETUNED]
    assert (model.path, model.price_usd) == ("flux-pro-1.0-depth-finetuned", 0.096)


def test_rows_that_are_alike_follow_an_override(beside: Beside) -> None:
    table = beside(f'[models."{FINETUNED}"]\nmax_side = 1024')
    assert {table[name].limits.max_side for name in (FINETUNED, "bfl:flux-pro-1.0-depth", "sandbox")} == {1024}


def test_a_file_beside_adds_a_model(beside: Beside) -> None:
    text = '[models."bfl:new"]\nlike = "bfl:flux-pro-1.0-depth"\nlabel = "New"\npath = "new"\nretired = ""'
    model = beside(text)["bfl:new"]
    assert (model.label, model.map_field, model.warning) == ("New", "preprocessed_image", "")


def test_a_file_beside_adds_a_provider(beside: Beside) -> None:
    text = """
        [providers.mine]
        label = "Mine"
        protocol = "bfl"
        base = "https://flux.example/"
        submit = "/v1/{model}"
        poll = "/v1/get_result"
        probe = "/"
        [models."mine:depth"]
        like = "bfl:flux-pro-1.0-depth"
    """
    assert beside(text)["mine:depth"].provider.base == "https://flux.example"


BAD = {
    "not TOML": b"[models",
    "not text": b"\xff\xfe",
    "a number too long": b"[models.sandbox]\nprice_usd = " + b"9" * 5000,
    "nested too deep": b"x = " + b"[" * 5000,
    "models is a list": b"models = []",
    "a row is text": b"[models]\nsandbox = 'x'",
    "no such provider": b"[models.'nobody:x']\nlike = 'sandbox'",
    "like itself": b"[models.sandbox]\nlike = 'sandbox'",
    "like nothing there": b"[models.sandbox]\nlike = 'nothing'",
    "a key is missing": b"[models.'bfl:x']\nlabel = 'x'",
    "a key is unknown": b"[models.sandbox]\ncolour = 'red'",
    "an id of its own": b"[models.sandbox]\nid = 'x'",
    "a negative price": b"[models.sandbox]\nprice_usd = -1",
    "a price in words": b"[models.sandbox]\nprice_usd = 'cheap'",
    "a price that is no number": b"[models.sandbox]\nprice_usd = nan",
    "a path with a slash": b"[models.sandbox]\npath = '../x'",
    "a date without quotes": b"[models.sandbox]\nretired = 2025-10-31",
    "a dial that is a number": b"[models.sandbox]\nsteps = 5",
    "a dial of words": b"[models.sandbox]\nsteps = { low = 'a', high = 'b', default = 'c' }",
    "a dial upside down": b"[models.sandbox]\nsteps = { low = 50, high = 15, default = 20 }",
    "a dial with its default outside": b"[models.sandbox]\nsteps = { low = 15, high = 50, default = 60 }",
    "a dial without its high end": b"[models.sandbox]\nsteps = { low = 15, default = 20 }",
    "sides in words": b"[models.sandbox]\nmax_side = 'long'",
    "sides of nothing": b"[models.sandbox]\nmultiple = 0",
    "a switch in words": b"[models.sandbox]\nsends_size = 'no'",
    "a kind of control image that is none": b"[models.sandbox]\ncontrol = 'clay'",
    "a control image that is no word": b"[models.sandbox]\ncontrol = ['map']",
    "a kind of fine-tune that is none": b"[models.sandbox]\nfinetune = 'maybe'",
    "an insecure address": b"[providers.bfl]\nbase = 'http://api.bfl.ai'",
    "an address with a login": b"[providers.bfl]\nbase = 'https://me:secret@api.bfl.ai'",
    "a protocol nobody speaks": b"[providers.bfl]\nprotocol = 'soap'",
    "key names that are a number": b"[providers.bfl]\nkey_env = 5",
    "a provider of numbers": b"[providers.bfl]\nlabel = 5",
    "a way in that names another host": b"[providers.bfl]\nsubmit = '.evil.com/{model}'",
    "a way in with an unknown blank": b"[providers.bfl]\nsubmit = '/v1/{colour}'",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_bad_file_beside_is_one_clear_error_naming_it(beside: Beside, text: bytes) -> None:
    with pytest.raises(InputError, match=r"models\.toml.*\.$") as caught:
        beside(text)
    assert "secret" not in str(caught.value)
    assert "__init__" not in str(caught.value)


@pytest.mark.parametrize("text", [b"[models.'bfl:odd']\nlabel='x'", b"[providers.odd]\nlabel='x'"])
def test_the_error_names_the_row(beside: Beside, text: bytes) -> None:
    with pytest.raises(InputError, match="odd"):
        beside(text)


def test_a_file_too_large_to_be_a_table_is_not_read(beside: Beside) -> None:
    with pytest.raises(InputError, match=r"models\.toml is larger than 1,000,000 bytes"):
        beside(b"#" * 1_000_001)


def test_a_folder_in_its_place_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "models.toml").mkdir()
    assert load(tmp_path / "models.toml") == load()
