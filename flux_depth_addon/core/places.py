"""Servers of the artist's own: what was typed of one, as a row of the table, and what must be allowed first.

A key is never sent over plain http to another computer, whatever was allowed.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from .addresses import check_base, is_loopback, origin_of
from .errors import InputError
from .models import Provider

__all__ = ["Risk", "explained", "risk_of", "row_of", "whole"]

Risk = Literal["", "network", "plain"]
"""What asking an address would mean: nothing to allow, another computer, or another computer in the clear."""

MEANING: dict[Risk, tuple[str, ...]] = {
    "": (),
    "network": (
        "The prompt and the depth map go to that computer",
        "They travel encrypted, and no key is asked for",
    ),
    "plain": (
        "The prompt and the depth map go to that computer over plain http, unencrypted",
        "Anyone on the network in between can read the prompt, the depth map and the picture, and put another picture "
        "in its place",
        "A key is never sent this way",
    ),
}

MAX_ADDRESS = 500
TAKEN = {"host", "connection", "content-length", "content-type", "transfer-encoding", "accept-encoding", "user-agent"}
"""Headers that say how a request is to be read."""


def whole(typed: str, *, keyed: bool) -> str:
    """An address as it was typed, with the scheme that is meant where it was left out."""
    typed = typed.strip()
    if not typed or re.match(r"[a-z]+:/|.*://", typed, re.IGNORECASE):
        return typed
    return f"{'https' if keyed and not is_loopback(f'http://{typed}') else 'http'}://{typed}"


def row_of(provider: Provider, *, base: str = "", key_name: str | None = None) -> dict[str, Any]:
    """What was typed of a provider, as keys over its row; empty where nothing was. Raises InputError, one sentence."""
    row = _key_row(provider, provider.key_header if key_name is None else key_name.strip())
    key_header = str(row.get("key_header", provider.key_header))
    if base.strip():
        row["base"] = _base(provider, base, keyed=bool(key_header))
    if key_header and is_in_the_clear(str(row.get("base", provider.base))):
        raise InputError(
            f"{provider.label} has a key, and a key is never sent over plain http to another computer: use https, or "
            "leave the key's name empty. Nothing was sent."
        )
    return row


def _base(provider: Provider, typed: str, *, keyed: bool) -> str:
    if len(typed) > MAX_ADDRESS:
        raise InputError(f"The address of {provider.label} is longer than {MAX_ADDRESS} characters.")
    try:
        base = whole(typed, keyed=keyed)
        return check_base(base, {origin_of(base)})
    except ValueError:  # a bracket that is left open
        raise InputError(f"The address of {provider.label} is no web address. Nothing was sent.") from None


def _key_row(provider: Provider, name: str) -> dict[str, Any]:
    """`Authorization` says what kind of key it holds; other headers hold the key alone."""
    if name == provider.key_header:
        return {}
    if len(name) > 100 or not re.fullmatch(r"[A-Za-z0-9-]*", name) or name.lower() in TAKEN:
        raise InputError(f"“{name[:60]}” is no name for the header of a key, such as x-key. Nothing was sent.")
    return {"key_header": name, "key_prefix": "Bearer " if name.lower() == "authorization" else ""}


def risk_of(provider: Provider, base: str = "") -> Risk:
    """What asking it there would mean: a key that was entered is a word already, plain http is never one."""
    address = base or provider.base
    if is_in_the_clear(address):
        return "plain"
    is_elsewhere = bool(address) and not is_loopback(address)
    return "network" if is_elsewhere and provider.chosen_base and not provider.key_header else ""


def explained(risk: Risk) -> tuple[str, ...]:
    """What it means to allow that, in sentences without their full stops."""
    return MEANING[risk]


def is_in_the_clear(address: str) -> bool:
    """Whether what is sent there could be read on its way."""
    return address[:7].lower() == "http://" and not is_loopback(address)
