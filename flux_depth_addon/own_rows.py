"""What the artist typed and added, as rows over the table of the files: addresses of servers, own workflows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .core import models
from .core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .core.own_workflows import OwnWorkflow

WORKFLOWS = "workflows"
"""The folder of the artist's own, beside the journal."""


@dataclass(frozen=True)
class OwnRows:
    """The whole table, the rows that it has over the files', and what is wrong with what was typed."""

    table: models.Table
    rows: models.Rows = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    """By provider, a sentence."""
    workflows: tuple[OwnWorkflow, ...] = ()
    """All files of the folder, models or not."""


Typed = Callable[[models.Provider], tuple[str, str]]
"""Of a server whose address is the artist's to give: the address, and the name of its key's header."""


def over(table: models.Table, files: list[Path], typed: Typed, folder: Path) -> OwnRows:
    """The files' table with what was typed over it, and the workflows that are kept in the journal's folder."""
    problems: dict[str, str] = {}
    providers = dict(_typed(table, typed, problems))
    workflows = _listed(folder / WORKFLOWS) if workflow_parent(table) else ()
    rows: models.Rows = {"providers": providers, "models": dict(_workflow_rows(table, workflows))}
    if not any(rows.values()):
        return OwnRows(table, {}, problems, workflows)
    try:
        return OwnRows(models.load(*files, more=rows), rows, problems, workflows)
    except InputError as error:  # the user's own table has rows that ours do not go over
        return OwnRows(table, {}, dict.fromkeys(providers, str(error)) | problems, workflows)


def _typed(table: models.Table, typed: Typed, problems: dict[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of the servers whose address is the artist's to give; one that is wrong is without an address."""
    from .core.places import row_of

    for name, provider in table.providers.items():
        if not provider.chosen_base:
            continue
        base, key_name = typed(provider)
        try:
            row = row_of(provider, base=base, key_name=key_name)
        except InputError as error:
            problems[name], row = str(error).removesuffix(" Nothing was sent.").removesuffix("."), {"base": ""}
        if row:
            yield name, row


def typed(chosen: object, provider: models.Provider) -> tuple[str, str]:
    """The same as it stands in the preferences, where there are any."""
    key_name = getattr(chosen, f"header_{provider.name}", provider.key_header)
    return getattr(chosen, f"base_{provider.name}", ""), key_name


def workflow_parent(table: models.Table) -> models.Model | None:
    """The model that the artist's own workflows are like: the first that is made by a workflow."""
    return next((model for model in table.models.values() if model.workflow), None)


def _listed(folder: Path) -> tuple[OwnWorkflow, ...]:
    if not folder.is_dir():
        return ()
    from .core.own_workflows import listed  # only for whoever has some: it would make every start of Blender slower

    return listed(folder)


def _workflow_rows(table: models.Table, own: tuple[OwnWorkflow, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    parent = workflow_parent(table)
    if parent and own:
        from .core.own_workflows import rows

        yield from rows(own, parent)
