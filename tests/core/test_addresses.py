"""Only https, or this computer, is ever asked; and a look-alike is not the provider."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from flux_depth_addon.core.addresses import belongs_to, check_address, check_base, is_loopback
from flux_depth_addon.core.errors import InputError

LOOKALIKES = [
    "https://api.bfl.ai:x@evil/",
    "https://api.bfl.ai@evil.com/",
    "https://bfl.ai.evil.com/",
    "https://notbfl.ai/",
    "https://evil.com/api.bfl.ai",
    "https://evil.com#.bfl.ai",
    "https://evil.com?.bfl.ai",
    r"https://evil.com\.bfl.ai/",
    r"https://evil.com\@api.bfl.ai/",
    "https://evil.com%2f.bfl.ai/",
    "https://evil.com;.bfl.ai/",
    "https://api.bfl.ai\n.evil.com/",
    "https://аpi.bfl.ai/",  # a Cyrillic letter
    "http://api.bfl.ai/",
    "https://api.bfl.ai:8443/",
    "ftp://api.bfl.ai/",
    "//api.bfl.ai/",
    "",
]


@pytest.mark.parametrize(
    "url", ["https://api.bfl.ai/v1", "https://api.us1.bfl.ai/v1/get_result?id=1", "https://BFL.ai:443"]
)
def test_a_host_of_the_domain_belongs_to_it(url: str) -> None:
    assert belongs_to(url, "bfl.ai")


@pytest.mark.parametrize("url", LOOKALIKES)
def test_a_lookalike_does_not_belong(url: str) -> None:
    assert not belongs_to(url, "bfl.ai")


def test_no_address_belongs_to_no_domain() -> None:
    assert not belongs_to("https://api.bfl.ai/", "")


@given(st.text("/\\@:#?%;.[] \tabe", max_size=12))
def test_what_belongs_is_what_would_be_asked(text: str) -> None:
    url = f"https://evil{text}.bfl.ai/"
    if belongs_to(url, "bfl.ai"):
        host = parse_url(url).host or ""
        assert host.endswith(".bfl.ai")
        assert host.replace(".", "").isalnum()


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.0x1", "127.0.0.1.", "1", "evil.1", "1.0x"]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_number_that_stands_for_an_address_is_none(scheme: str, host: str) -> None:
    with pytest.raises(InputError, match="is not a web address"):
        check_address(f"{scheme}://{host}/a.png")


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "[::1]", "localhost."])
def test_this_computer_is_known_by_its_other_names(host: str) -> None:
    assert is_loopback(f"https://{host}/a.png")


@pytest.mark.parametrize("url", ["http://127.0.0.1:80", "http://127.8.8.8/", "http://[::1]:5", "http://localhost:1/x"])
def test_http_is_for_this_computer(url: str) -> None:
    assert is_loopback(url)
    assert check_address(url) == url


@pytest.mark.parametrize(
    "url", ["http://example.com", "http://192.168.1.5", "http://localhost.evil.com", "http://[::2]/"]
)
def test_http_to_anywhere_else_is_refused(url: str) -> None:
    with pytest.raises(InputError, match=r"in the clear: use https\. Nothing was sent\."):
        check_address(url)


@pytest.mark.parametrize("url", ["https://user:secret@api.bfl.ai", "https://secret@api.bfl.ai", "https://@api.bfl.ai"])
def test_a_login_in_an_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InputError, match="keys have a field of their own") as caught:
        check_address(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.bfl.ai",
        "https://",
        "https:///x",
        "file:///etc/passwd",
        "https://a b",
        "https://a\r\nHost: b",
        "https://[::1",
        "https://a:port",
        "https://a:99999",
        "https://é.com",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_web_address_is_said_to_be_none(url: str) -> None:
    with pytest.raises(InputError, match="is not a web address such as https://"):
        check_address(url)


def test_a_broken_address_does_not_repeat_its_login() -> None:
    with pytest.raises(InputError) as caught:
        check_address("https://user:secret@bad host/")
    assert "secret" not in str(caught.value)


def test_a_base_loses_its_last_slash() -> None:
    assert check_base("https://api.cometapi.com/") == "https://api.cometapi.com"


@pytest.mark.parametrize("url", ["https://api.bfl.ai/?key=1", "https://api.bfl.ai/#x"])
def test_a_base_has_no_query(url: str) -> None:
    with pytest.raises(InputError, match="is not a base address"):
        check_base(url)
