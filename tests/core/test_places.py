"""What an artist types of a server of their own becomes its row, and what asking it means is told first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_depth_addon.core.addresses import is_loopback
from flux_depth_addon.core.errors import InputError
from flux_depth_addon.core.models import Provider, load
from flux_depth_addon.core.places import explained, is_in_the_clear, risk_of, row_of

TABLE = load()
GATEWAY = TABLE.provider("gateway")
OPEN = replace(GATEWAY, name="studio", label="Studio", key_header="", key_env=())
"""A server without a key."""


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("https://flux.studio.example/flux/", "https://flux.studio.example/flux"),
        ("  https://flux.studio.example  ", "https://flux.studio.example"),
        ("flux.studio.example", "https://flux.studio.example"),
        ("localhost:9000", "http://localhost:9000"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("HTTPS://Flux.Studio.example/Flux", "https://flux.studio.example/Flux"),
    ],
)
def test_an_address_is_understood_as_it_is_meant(typed: str, base: str) -> None:
    assert row_of(GATEWAY, base=typed) == {"base": base}


def test_without_a_key_an_address_without_a_scheme_is_plain_http() -> None:
    assert row_of(OPEN, base="192.168.1.20:8188") == {"base": "http://192.168.1.20:8188"}


def test_nothing_typed_changes_nothing() -> None:
    assert row_of(GATEWAY) == row_of(GATEWAY, base=" ", key_name="x-key") == {}


@pytest.mark.parametrize(
    "typed",
    [
        "ftp://flux.example.com",
        "https://",
        "https://[::1",
        "https://studio:secret@flux.example.com",
        "https://flux.example.com?key=1",
        "https://flux.example.com/#x",
        "https://evil.com\\@flux.example.com",
        "http://127.1:8188",
        "javascript:alert(1)",
        "http:/192.168.1.20:8188",
        "https://flux.example.com\nX: y",
        "https://flüx.example.com",
        "https://flux.example.com:99999",
        "h" * 600,
        "\N{RIGHT-TO-LEFT OVERRIDE}https://flux.example.com",
    ],
)
@pytest.mark.parametrize("provider", [GATEWAY, OPEN], ids=["with a key", "without"])
def test_what_is_no_address_is_refused_in_one_sentence(provider: Provider, typed: str) -> None:
    with pytest.raises(InputError) as refused:
        row_of(provider, base=typed)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_key_is_never_meant_for_plain_http_elsewhere() -> None:
    with pytest.raises(InputError, match="never sent over plain http"):
        row_of(GATEWAY, base="http://10.0.0.7:9000")
    row = row_of(GATEWAY, base="http://10.0.0.7:9000", key_name="")
    assert row == {"base": "http://10.0.0.7:9000", "key_header": "", "key_prefix": ""}


def test_authorization_is_a_bearer_s() -> None:
    assert row_of(GATEWAY, key_name="Authorization") == {"key_header": "Authorization", "key_prefix": "Bearer "}
    assert row_of(GATEWAY, key_name="api-key") == {"key_header": "api-key", "key_prefix": ""}


@pytest.mark.parametrize("name", ["x key", "x-key: 1", "Host", "content-length", "x\nkey", "ключ", "k" * 101])
def test_a_header_that_no_key_could_have_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="no name for the header"):
        row_of(GATEWAY, key_name=name)


@pytest.mark.parametrize(
    ("provider", "base", "risk"),
    [
        (OPEN, "", ""),
        (OPEN, "http://127.0.0.1:8188", ""),
        (OPEN, "http://localhost:8188", ""),
        (OPEN, "http://[::1]:8188", ""),
        (OPEN, "http://192.168.1.20:8188", "plain"),
        (OPEN, "HTTP://render.local:8188", "plain"),
        (OPEN, "https://render.local", "network"),
        (GATEWAY, "https://flux.studio.example", ""),
        (GATEWAY, "http://flux.studio.example", "plain"),
        (TABLE.provider("bfl"), "", ""),
    ],
)
def test_what_an_address_means_is_known(provider: Provider, base: str, risk: str) -> None:
    assert risk_of(provider, base) == risk


def test_plain_http_is_explained_as_what_it_is() -> None:
    words = " ".join(explained("plain"))
    assert "can read" in words
    assert "put another picture" in words
    assert not explained("")


def test_a_table_takes_a_row_over_plain_http_only_where_the_address_is_the_artist_s() -> None:
    table = load(more={"providers": {"gateway": row_of(GATEWAY, base="http://10.0.0.7:9000", key_name="")}})
    assert table.provider("gateway").base == "http://10.0.0.7:9000"
    with pytest.raises(InputError, match="https"):
        load(more={"providers": {"bfl": {"base": "http://10.0.0.7:9000"}}})


def test_the_gateway_speaks_as_black_forest_labs_and_says_what_its_price_is() -> None:
    models = list(TABLE.of("gateway"))
    assert [model.price_usd for model in models] == [TABLE[f"bfl:{model.path}"].price_usd for model in models]
    assert (GATEWAY.protocol, GATEWAY.base, GATEWAY.key_header, GATEWAY.is_ours) == ("bfl", "", "x-key", False)


@given(st.text(max_size=60), st.text(max_size=20))
def test_whatever_is_typed_ends_in_a_sound_row_or_in_one_sentence(base: str, key_name: str) -> None:
    for provider in (GATEWAY, OPEN):
        told, row = "", dict[str, Any]()
        try:
            row = row_of(provider, base=base, key_name=key_name)
        except InputError as error:
            told = str(error)
        assert told.isprintable()
        table = load(more={"providers": {"gateway": {"key_header": provider.key_header} | row}})
        made = table.provider("gateway")
        assert not (made.key_header and is_in_the_clear(made.base))
        assert is_loopback(made.base) or made.base[:8] == "https://" or risk_of(made) == "plain" or not made.base
