"""The artist's own servers and workflows: as the preferences have them, and as the arguments say for this run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import own_rows, preferences
from ..core import models
from ..core.addresses import check_base, origin_of
from ..core.errors import InputError
from ..core.places import is_in_the_clear, risk_of, whole
from .outcome import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable
    from pathlib import Path

    from ..core.models import Provider


def own_rows_in(folder: Path, arguments: argparse.Namespace) -> own_rows.OwnRows:
    """The table with the preferences' rows and the arguments' over it; `folder` is the journal's. Raises InputError."""
    file, provider = folder / "models.toml", getattr(arguments, "provider", None)
    rows = own_rows.over(models.load(file), [file], lambda row: _typed(arguments, row), folder)
    if problem := rows.problems.get(provider or ""):
        raise InputError(f"{problem}. Nothing was sent.")
    return rows


def _typed(arguments: argparse.Namespace, provider: Provider) -> tuple[str, str]:
    """The address and the name of the key's header: an argument goes before the preferences."""
    base, key_name = own_rows.typed(preferences.current(), provider)
    if getattr(arguments, "provider", None) != provider.name:
        return base, key_name
    named = getattr(arguments, "key_header", None)
    return getattr(arguments, "url", "") or base, key_name if named is None else named


def choose_workflow(arguments: argparse.Namespace, folder: Path) -> None:
    """Keep the workflow that the arguments name where `resume` finds it, and ask its model. Raises InputError."""
    from ..core.own_workflows import keep, listed

    parent = own_rows.workflow_parent(models.load(folder / "models.toml"))
    if parent is None or arguments.provider not in (None, parent.provider.name) or arguments.model:
        raise InputError("--workflow is a model of its own: leave --provider and --model out. Nothing was sent.")
    kept = keep(arguments.workflow, folder / own_rows.WORKFLOWS)
    if problem := next((own.problem for own in listed(kept.parent) if own.file == kept), ""):
        raise InputError(f"{kept}: {problem}. Nothing was sent.")
    arguments.provider, model = parent.provider.name, f"{parent.provider.name}:{kept.stem}"
    arguments.model = [model] if isinstance(arguments.model, list) or arguments.verb == "grid" else model
    say(f"The workflow is kept as {kept}: its model is {model}.")


def check_place(arguments: argparse.Namespace, provider: Provider, base: str) -> None:
    """Raises InputError where this provider may not be asked: without an address, or at one that nobody allowed."""
    if not (base or preferences.has_address(provider)):
        raise InputError(f"{provider.label} has no address: give it with --url. Nothing was sent.")
    address = base or provider.base
    risk = risk_of(provider, address)
    if not risk or origin_of(address) in preferences.allowed_bases():
        return
    if risk == "plain" and not arguments.allow_http:
        raise InputError(
            f"{origin_of(address)} is another computer, asked over plain http: anyone on the network in between can "
            "read the prompt and the pictures, and put others in their place. Use https, or add --allow-http. "
            "Nothing was sent."
        )
    if risk == "network" and not base:
        raise InputError(
            f"{origin_of(address)} is another computer, and was not allowed in the preferences: name it with --url. "
            "Nothing was sent."
        )


def checked_base(provider: Provider, base: str) -> str:
    """The base address that the arguments name, or nothing where they name none. Raises InputError."""
    if not base:
        return ""
    base = whole(base, keyed=bool(provider.key_header))
    base = check_base(base, {origin_of(base)})
    if provider.key_header and is_in_the_clear(base):
        raise InputError(
            f"{provider.label} has a key, and a key is never sent over plain http to another computer: use https. "
            "Nothing was sent."
        )
    return base


def allowed_of(arguments: argparse.Namespace, bases: Iterable[str]) -> frozenset[str]:
    """The origins that may be asked over plain http: the preferences', and with the word for it these."""
    said = {origin_of(base) for base in bases if is_in_the_clear(base)} if arguments.allow_http else set()
    return preferences.allowed_bases() | said
