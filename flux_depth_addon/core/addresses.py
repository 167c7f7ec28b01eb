"""Which addresses may be talked to: https anywhere, http on this computer and where the artist allowed it by name."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Container
from urllib.parse import SplitResult, urlsplit

from .errors import InputError

__all__ = ["belongs_to", "check_address", "check_base", "host_of", "is_loopback", "is_within", "origin_of"]

HOST = re.compile(r"[a-z0-9._:-]+")
"""A backslash or the like ends the host for one reader of addresses and not for another: a key would go astray."""


SUCH_AS = "such as https://flux.example.com or, of a server of your own, http://192.168.1.20:8188"


def host_of(url: str) -> str:
    """The host that an address names, as people know it; nothing where there is none."""
    return urlsplit(url).netloc


NUMBERS = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)\.?")
"""A host that ends so is an IPv4 address to whoever connects (URL Standard, 3.5), in some way of writing it."""


def is_loopback(url: str) -> bool:
    """Whether the address is on this computer (127.0.0.0/8, ::1, localhost, and what stands for all of its own)."""
    host = (urlsplit(url).hostname or "").removesuffix(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    plain = getattr(address, "ipv4_mapped", None) or address
    return plain.is_loopback or plain.is_unspecified


def origin_of(url: str) -> str:
    """Scheme, host and port of an address: what the artist allows when one is allowed."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def is_within(url: str, base: str) -> bool:
    """Whether an address lies below a base address: same host, same port."""
    return bool(base) and url.startswith(f"{base}/")


def check_base(url: str, allowed: Container[str] = ()) -> str:
    """A provider's base address without its last slash, scheme and host in lower case; raises InputError.

    `allowed`: the origins at which plain http was allowed by the artist.
    """
    check_address(url, allowed)
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        raise InputError(f"{url[:200]} is not a base address: leave out everything from the “?” or “#” on.")
    return (origin_of(url) + url[len(origin_of(url)) :]).rstrip("/")


def check_address(url: str, allowed: Container[str] = ()) -> str:
    """The same address when it may be asked; raises InputError, before anything is sent."""
    parts = _split(url)
    if parts.username is not None or parts.password is not None:
        raise InputError("An address with a user name or password in it is refused: keys have a field of their own.")
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url)):
        return url
    if parts.scheme == "http" and origin_of(url) in allowed:
        return url
    if parts.scheme == "http":
        raise InputError(f"http://{parts.hostname} would send in the clear: use https. Nothing was sent.")
    raise InputError(f"“{url[:200]}” is not a web address {SUCH_AS}.")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        sound = (
            HOST.fullmatch(host)
            and _is_one_way_to_write(host)
            and (parts.port or 1) > 0
            and url.isascii()
            and url.isprintable()
            and " " not in url
        )
    except ValueError:
        sound = False
    if not sound:
        shown = "That" if "@" in url else f"“{ascii(url[:200])[1:-1]}”"  # before an @ may stand a password
        raise InputError(f"{shown} is not a web address {SUCH_AS}.")
    return parts


def _is_one_way_to_write(host: str) -> bool:
    """127.1 and 0x7f000001 are this computer too, unseen by who looks for 127.0.0.1; raises ValueError for some."""
    return not NUMBERS.fullmatch(host) or str(ipaddress.IPv4Address(host)) == host


def belongs_to(url: str, domain: str) -> bool:
    """Whether the address is https at the domain or below it, on the usual port."""
    try:
        parts = _split(check_address(url))
    except InputError:
        return False
    host = parts.hostname or ""
    return bool(domain) and parts.scheme == "https" and parts.port in (None, 443) and f".{host}".endswith(f".{domain}")
