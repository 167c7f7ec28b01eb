"""Whatever stands in models.toml, in an entry of the journal or in an address, it is read or refused in a sentence."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flux_depth_addon.core import request as requests_of
from flux_depth_addon.core.addresses import belongs_to, check_address, check_base
from flux_depth_addon.core.depth_map import DepthSettings
from flux_depth_addon.core.errors import InputError
from flux_depth_addon.core.framing import Framing, fit
from flux_depth_addon.core.models import SHIPPED, Table, load
from flux_depth_addon.core.providers import Pictures, bfl
from flux_depth_addon.core.request import Request, check, from_json, to_json
from tests.core.fuzzing import TABLE, anything, check_sentence, effort

ROW_NAMES = sorted(
    {name for line in SHIPPED.read_text().splitlines() if "=" in line for name in [line.split("=")[0].strip()]}
)
IDS = [*TABLE.models, *TABLE.providers, "new:model", "bfl:new"]


def toml(value: object) -> str:
    """One value in TOML's own spelling."""
    match value:
        case bool():
            return str(value).lower()
        case int() if abs(value) >= 2**63:
            return f"{'-' * (value < 0)}{abs(value)}" if abs(value) < 10**4000 else hex(value)
        case dict():
            return "{" + ", ".join(f"{json.dumps(name)} = {toml(inner)}" for name, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case str():
            return json.dumps(value.encode("utf-8", "replace").decode(), ensure_ascii=False).replace("\x7f", "")
        case None:
            return '""'
    return repr(value)


hard = st.sampled_from([10**400, 16**6000, -1, 0, 1, 2**31, 1e308, "x" * 5000, "a\nb", "\u202eevil", "\0", "", "/{x}"])
dials = st.fixed_dictionaries({}, optional=dict.fromkeys(("low", "high", "default", "odd"), anything | hard))
row_values = anything | hard | dials | st.sampled_from(list(TABLE.models))
rows = st.dictionaries(st.sampled_from(ROW_NAMES) | st.text(max_size=5), row_values, max_size=4)
tables = st.fixed_dictionaries(
    {},
    optional={
        name: st.dictionaries(st.sampled_from(IDS) | st.text(max_size=5), rows | anything, max_size=3)
        for name in ("models", "providers")
    },
)


def written(table: dict[str, Any]) -> bytes:
    """The table as a file."""
    return "\n".join(f"{name} = {toml(rows)}" for name, rows in table.items()).encode("utf-8", "replace")


@st.composite
def changed_rows(draw: Any) -> bytes:
    """Sound rows with one value exchanged, so that the file is often taken."""
    name = draw(st.sampled_from(ROW_NAMES))
    value = draw(row_values)
    if name in {"base", "submit", "poll", "probe", "key_header", "key_prefix", "key_env", "key_page", "protocol"}:
        return written({"providers": {draw(st.sampled_from(list(TABLE.providers))): {name: value}}})
    row = {"like": draw(st.sampled_from(list(TABLE.models))), name: value}
    return written({"models": {draw(st.sampled_from(IDS)): row}})


def sentences_of(table: Table) -> None:
    """Everything of a table that stands in the window or in a sentence."""
    for provider in table.providers.values():
        check_sentence(provider.label)
        assert len(provider.label) <= 100
    for model in table.models.values():
        for shown in (model.id, model.label, model.price, model.warning or "-"):
            check_sentence(shown)
        assert len(model.label) <= 100
        framing = fit(1.5, model.limits)
        for wrong in (-1e300, 10**30, float("nan")):
            wish = Request(prompt="x", model=model.id, framing=framing, guidance=wrong)
            with pytest.raises(InputError) as caught:
                check(wish, model)
            check_sentence(caught.value)
        json.dumps(bfl.body(wish, model, Pictures(b"")))
    with pytest.raises(InputError) as caught:
        table["no\nsuch"]
    check_sentence(caught.value)


@example(written({"models": {"bfl:flux-pro-1.0-depth": {"steps": {"low": 1, "high": 16**6000, "default": 1}}}}))
@example(written({"models": {"bfl:new": {"like": 16**6000}}}))
@example(b"a=" + b"[" * 5000)
@example(b"\xff\xfe" + "models = 1".encode("utf-16-le"))
@given(changed_rows() | tables.map(written) | st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@effort(6)
def test_any_models_file_is_a_table_or_a_sentence(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder, "models.toml")
        file.write_bytes(data)
        try:
            table = load(file)
        except InputError as error:
            refusal = error
        else:
            sentences_of(table)
            return
    check_sentence(refusal)
    assert "models.toml" in str(refusal)


FRAMING = Framing(width=320, height=256, left=10, top=6, crop_width=300, crop_height=244)
SOUND = asdict(Request(prompt="a quiet room", model="bfl:flux-pro-1.0-depth", framing=FRAMING))
entries = st.builds(
    lambda top, framing, depth: SOUND | top | {"framing": SOUND["framing"] | framing, "depth": SOUND["depth"] | depth},
    st.dictionaries(st.sampled_from([*SOUND, "odd"]), anything, max_size=3),
    st.dictionaries(st.sampled_from([*SOUND["framing"], "odd"]), anything | st.integers(-5, 2000), max_size=2),
    st.dictionaries(st.sampled_from([*SOUND["depth"], "odd"]), anything, max_size=2),
)


@example(json.dumps(SOUND | {"prompt": 5}))
@example(json.dumps(SOUND | {"model": "\ud800:x"}))
@example(json.dumps(SOUND | {"framing": SOUND["framing"] | {"width": 0}}))
@example("[" * 100_000)
@given(entries.map(json.dumps) | anything.map(json.dumps) | st.text(max_size=50))
@effort(6)
def test_any_entry_of_the_journal_is_a_request_that_can_be_judged_or_a_sentence(text: str) -> None:
    try:
        request = from_json(text)
    except InputError as error:
        refusal = error
    else:
        assert from_json(to_json(request)) == request or "NaN" in to_json(request)
        request.model.encode()
        assert isinstance(request.depth, DepthSettings)
        framing = request.framing
        assert 0 <= framing.left <= framing.left + framing.crop_width <= framing.width <= 2**15
        assert 0 <= framing.top <= framing.top + framing.crop_height <= framing.height <= 2**15
        try:
            check(request, TABLE["bfl:flux-pro-1.0-depth"])
        except InputError as error:
            refusal = error
        else:
            json.dumps(bfl.body(request, TABLE["bfl:flux-pro-1.0-depth"], Pictures(b"")), allow_nan=False).encode()
            return
    check_sentence(refusal)


hosts = st.sampled_from(
    ["api.bfl.ai", "127.0.0.1", "[::1]", "localhost", "a..b", "[", "x" * 70, "é", "bfl.ai\\@evil", ""]
)
addresses = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["https://", "http://", "file:///", "//", "https:", "HTTPS://u:p@", ""]),
    hosts | st.text(max_size=6),
    st.sampled_from(["", ":443", ":0", ":99999", ":²", ":-1", ":8 0"]),
    st.text(max_size=6) | st.sampled_from(["/x?a=b", "#f", "/" + "a" * 5000, "\r\nX: y", "\ud800"]),
)


@given(addresses | st.text(max_size=40))
@effort(4)
def test_any_address_is_taken_or_refused_in_a_sentence(url: str) -> None:
    belongs_to(url, "bfl.ai")
    for checked in (check_address, check_base):
        try:
            checked(url)
        except InputError as error:
            check_sentence(error)
        else:
            assert url.isascii()
            assert url.isprintable()


def test_a_request_s_entry_comes_back_as_it_was() -> None:
    wish = Request(prompt="été \u202e", model="bfl:flux-pro-1.0-depth", framing=FRAMING, blend="\udcff.blend", seed=7)
    assert requests_of.from_json(to_json(wish)) == wish
