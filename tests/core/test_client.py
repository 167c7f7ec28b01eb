"""The HTTP, over real connections: a key reaches its own provider and nobody else, and no POST goes out twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from flux_depth_addon.core import client as module
from flux_depth_addon.core.client import Client, usable_key
from flux_depth_addon.core.errors import (
    FluxDepthError,
    InputError,
    KeyRefusedError,
    ProviderError,
    TryLaterError,
    UnknownSubmissionError,
)
from flux_depth_addon.core.models import Table
from flux_depth_addon.core.providers import Pending, Pictures, Task
from flux_depth_addon.core.request import Request
from tests.secrets_watch import marked_key

Wish = Callable[..., Request]
Server = Callable[..., Any]
KEY, BFL_KEY = marked_key("cometapi"), marked_key("bfl")
BFL = "bfl:flux-pro-1.0-depth"
COMET = "cometapi:flux-pro-1-0-depth-finetuned"
ACCEPTED = (200, {}, b'{"id": "t1"}')
PENDING = (200, {}, b'{"status": "Pending"}')


@pytest.fixture
def client(table: Table) -> Client:
    return Client(table, {"cometapi": KEY, "bfl": BFL_KEY})


@pytest.fixture
def proxy(told: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stands between this computer and all others: what would be asked of them is seen here, and goes no further."""
    server = told((502, {}, b""))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, server.base)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    return server


def endless(handler: BaseHTTPRequestHandler) -> None:
    """An answer with no end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    try:
        while True:
            handler.wfile.write(b"x" * 65536)
    except OSError:
        pass


# Where the key goes.


@pytest.mark.parametrize(
    ("model", "target", "header", "value"),
    [
        (COMET, "/flux/v1/flux-pro-1-0-depth-finetuned", "authorization", f"Bearer {KEY}"),
        (BFL, "/v1/flux-pro-1.0-depth", "x-key", BFL_KEY),
    ],
)
def test_a_submission_goes_to_the_models_path_with_the_providers_header(
    client: Client, told: Server, wish: Wish, model: str, target: str, header: str, value: str
) -> None:
    server = told(ACCEPTED)
    client.submit(wish(model=model), server.base, Pictures(b"png"), "job")
    (seen,) = server.seen
    assert (seen.method, seen.target, seen.headers[header]) == ("POST", target, value)
    assert KEY not in seen.target + seen.body.decode()


def test_the_sandbox_is_shown_no_key(told: Server, wish: Wish, table: Table) -> None:
    server = told(ACCEPTED)
    Client(table, {"sandbox": KEY, "cometapi": KEY}).submit(wish(model="sandbox"), server.base, Pictures(b"png"), "job")
    assert KEY not in str(server.seen)


def test_the_body_arrives_as_json(client: Client, told: Server, wish: Wish) -> None:
    server = told(ACCEPTED)
    client.submit(wish(prompt="静かな\n“room”"), server.base, Pictures(b"png"), "job")
    (seen,) = server.seen
    assert seen.headers["content-type"] == "application/json"
    assert json.loads(seen.body)["prompt"] == "静かな\n“room”"


@pytest.mark.parametrize(
    "polling_url", ["", "https://evil.example/get", "http://127.0.0.1:1/", "https://api.cometapi.com/x"]
)
def test_cometapi_is_polled_by_id_whatever_it_names(client: Client, told: Server, wish: Wish, polling_url: str) -> None:
    server = told(PENDING)
    assert client.poll(wish(), server.base, Task("job", "a/b&c=d", polling_url)) == Pending(None)
    (seen,) = server.seen
    assert (seen.method, seen.target) == ("GET", "/flux/v1/get_result?id=a%2Fb%26c%3Dd")
    assert seen.headers["authorization"] == f"Bearer {KEY}"


def test_bfl_at_another_base_is_polled_there(client: Client, told: Server, wish: Wish) -> None:
    server = told(PENDING)
    client.poll(wish(model=BFL), server.base, Task("job", "t1", "https://api.eu.bfl.ai/v1/get_result?id=t1"))
    assert [(seen.target, seen.headers["x-key"]) for seen in server.seen] == [("/v1/get_result?id=t1", BFL_KEY)]


def test_bfl_is_polled_at_the_cluster_it_names(client: Client, proxy: Any, wish: Wish) -> None:
    with pytest.raises(TryLaterError):
        client.poll(
            wish(model=BFL), "https://api.bfl.ai", Task("job", "t1", "https://api.eu.bfl.ai/v1/get_result?id=t1")
        )
    assert [(seen.method, seen.target) for seen in proxy.seen] == [("CONNECT", "api.eu.bfl.ai:443")]


@pytest.mark.parametrize(
    "polling_url",
    [
        "https://api.bfl.ai:x@evil/",
        "https://api.bfl.ai@evil.com/",
        "https://bfl.ai.evil.com/",
        "https://notbfl.ai/",
        r"https://evil.com\.bfl.ai/",
        "http://api.bfl.ai/",
        "https://api.bfl.ai:8443/",
        "https://127.0.0.1/",
        "",
        "nonsense",
    ],
)
def test_a_foreign_polling_address_is_never_asked(client: Client, proxy: Any, wish: Wish, polling_url: str) -> None:
    with pytest.raises(TryLaterError):
        client.poll(wish(model=BFL), "https://api.bfl.ai", Task("job", "t1", polling_url))
    assert [seen.target for seen in proxy.seen] == ["api.bfl.ai:443"]


def test_this_computer_is_not_asked_through_a_proxy(client: Client, proxy: Any, told: Server, wish: Wish) -> None:
    server = told(ACCEPTED)
    client.submit(wish(), server.base, Pictures(b"png"), "job")
    assert (len(server.seen), len(proxy.seen)) == (1, 0)


@pytest.mark.key_is_planted("header authorization of a request to POST http://flux.example/*")  # through the proxy
def test_a_login_from_netrc_does_not_replace_the_key(
    client: Client, proxy: Any, wish: Wish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine flux.example login me password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(UnknownSubmissionError):  # the proxy's 502
        client.submit(wish(), "http://flux.example", Pictures(b"png"), "job")
    (seen,) = proxy.seen
    assert (seen.target, seen.headers["authorization"]) == (
        "http://flux.example/flux/v1/flux-pro-1-0-depth-finetuned",
        f"Bearer {KEY}",
    )


@pytest.mark.key_is_planted("file netrc")
def test_the_host_of_a_picture_is_shown_no_key(
    client: Client, told: Server, picture: Callable[..., bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login me password {KEY}")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server = told((200, {}, picture()))
    assert client.download(f"{server.base}/a.png?sig=1", server.base) == picture()
    (seen,) = server.seen
    assert seen.target == "/a.png?sig=1"
    assert not {"authorization", "x-key", "cookie"} & seen.headers.keys()


@pytest.mark.parametrize("body", [f"Incorrect API key: {KEY}", f"{KEY}", f"Bearer {KEY} is wrong"])
@pytest.mark.parametrize("escaped", [False, True], ids=["as it is", "in escapes"])
def test_a_key_that_the_server_quotes_is_in_no_error(
    client: Client, told: Server, wish: Wish, body: str, escaped: bool
) -> None:
    text = "".join(f"\\u{ord(letter):04x}" for letter in body) if escaped else body.replace("/", r"\/")
    server = told((401, {}, f'{{"error": {{"message": "{text}"}}}}'.encode()))
    with pytest.raises(KeyRefusedError, match=r"\[key\]") as caught:
        client.submit(wish(), server.base, Pictures(b"png"), "job")
    assert KEY not in repr(caught.value)
    assert caught.value.__context__ is None or KEY not in repr(caught.value.__context__)


def test_the_client_does_not_show_its_keys(client: Client) -> None:
    assert KEY not in repr(client)


# Keys.


@pytest.mark.parametrize("keys", [{}, {"cometapi": ""}, {"cometapi": "  \n"}, {"bfl": KEY}])
def test_without_a_key_nothing_is_sent(table: Table, told: Server, wish: Wish, keys: dict[str, str]) -> None:
    server = told(ACCEPTED)
    with pytest.raises(KeyRefusedError) as caught:
        Client(table, keys).submit(wish(), server.base, Pictures(b"png"), "job")
    assert str(caught.value) == (
        "There is no CometAPI key. Nothing was sent: enter it in the preferences, or set COMETAPI_KEY."
    )
    assert not server.seen


@pytest.mark.parametrize("key", ["sk-a\nX-Evil: 1", "sk-a\r\n", "sk a", "schlüssel", "sk-\x00", "k" * 1001], ids=repr)
def test_a_key_that_no_header_can_hold_is_refused_and_not_repeated(
    table: Table, told: Server, wish: Wish, key: str
) -> None:
    server = told(ACCEPTED)
    if key.strip() == "sk-a":  # a line break at the end is only white space
        assert usable_key(key, table.provider("cometapi")) == "sk-a"
        return
    with pytest.raises(KeyRefusedError, match=r"Nothing was sent: copy it again\.") as caught:
        Client(table, {"cometapi": key}).submit(wish(), server.base, Pictures(b"png"), "job")
    assert key not in str(caught.value)
    assert not server.seen


def test_a_provider_without_a_variable_for_its_key_still_has_a_sentence(table: Table) -> None:
    with pytest.raises(KeyRefusedError, match=r"Nothing was sent: enter it in the preferences\.$"):
        usable_key("", replace(table.provider("cometapi"), key_env=()))


# The base address.


def test_the_base_is_the_providers_own_unless_one_is_given(client: Client, table: Table) -> None:
    assert client.base_of(table[COMET]) == "https://api.cometapi.com"
    assert client.base_of(table[COMET], "https://mirror.example/") == "https://mirror.example"


@pytest.mark.parametrize(
    "base", ["http://api.cometapi.com", "https://me:pw@api.cometapi.com", "ftp://x", "api.cometapi.com"]
)
def test_an_unsafe_base_is_refused(client: Client, table: Table, base: str) -> None:
    with pytest.raises(InputError):
        client.base_of(table[COMET], base)


def test_the_sandbox_is_started_when_it_is_needed(table: Table) -> None:
    assert Client(table, {}, sandbox=lambda: "http://127.0.0.1:5").base_of(table["sandbox"]) == "http://127.0.0.1:5"


def test_where_no_sandbox_can_be_started_its_address_must_be_given(client: Client, table: Table) -> None:
    with pytest.raises(InputError, match="The sandbox is not running here: give its address"):
        client.base_of(table["sandbox"])


# A picture.


def test_no_more_is_read_than_a_picture_can_have(client: Client, told: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 200_000)
    server = told(endless)
    with pytest.raises(FluxDepthError):
        client.download(f"{server.base}/a.png", server.base)


@pytest.mark.parametrize("url", ["http://pictures.example/a.png", "ftp://x/a", "", "https://a@b/c", r"https://a\.b/c"])
def test_an_unsafe_link_is_refused_and_the_picture_is_paid(client: Client, url: str) -> None:
    with pytest.raises(ProviderError, match="unsafe address") as caught:
        client.download(url, "https://api.bfl.ai")
    assert caught.value.charged == "yes"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8188/view", "https://localhost/", "http://[::1]/"])
def test_a_link_into_this_computer_is_refused(client: Client, url: str) -> None:
    with pytest.raises(ProviderError, match="an address on this computer"):
        client.download(url, "https://api.bfl.ai")


# A free question.


def test_the_probe_asks_something_free_with_the_key(client: Client, table: Table, told: Server) -> None:
    server = told((200, {}, b'{"credits": 12}'))
    assert "12 credits are left" in client.probe(table[BFL], server.base)
    assert [(seen.method, seen.target, seen.headers["x-key"]) for seen in server.seen] == [
        ("GET", "/v1/credits", BFL_KEY)
    ]


def test_the_probe_of_a_closed_port_says_so(client: Client, table: Table, closed_port: str) -> None:
    with pytest.raises(FluxDepthError, match="could not be reached"):
        client.probe(table[BFL], closed_port)


LAN = "http://studio.example:8188"


def test_a_key_never_goes_over_plain_http_even_where_that_was_allowed(table: Table, wish: Wish) -> None:
    client = Client(table, {"cometapi": KEY}, allowed={LAN})
    with pytest.raises(KeyRefusedError, match="would go over plain http"):
        client.submit(wish(), client.base_of(table[wish().model], LAN), Pictures(b"png"), "job")


def test_plain_http_is_for_the_very_address_that_was_allowed(table: Table) -> None:
    client, model = Client(table, {}, allowed={LAN}), table["sandbox"]
    assert client.base_of(model, f"{LAN}/") == LAN
    for other in ("http://studio.example", "http://studio.example:8189", "http://studio.example:8188@evil.example"):
        with pytest.raises(InputError):
            client.base_of(model, other)
