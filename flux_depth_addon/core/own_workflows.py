"""The artist's own workflows: files of one folder, each a model of the provider that is asked by workflow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import InputError
from .models import MAX_TEXT, Model
from .workflow import Workflow, marked, read, spots, unmarked, value_at, written

__all__ = ["OwnWorkflow", "choose", "keep", "listed", "rows"]

MAX_NAME = 40
MOST = 100
"""Files of the folder that are looked at."""

MAX_LORAS = 8

RANGES: dict[str, tuple[float, float, float]] = {
    "steps": (1, 150, 20),
    "guidance": (0.0, 100.0, 10.0),
    "strength": (0.0, 1.0, 1.0),
    "control_strength": (0.0, 2.0, 1.0),
}
"""Of the dials that a workflow may have a place for: lowest, highest, and what is set where the file says nothing."""


@dataclass(frozen=True)
class OwnWorkflow:
    """One file of the folder."""

    file: Path
    problem: str = ""
    """Why it is no model yet, as a sentence without its full stop."""
    workflow: Workflow | None = None

    @property
    def label(self) -> str:
        """As the menu shows it."""
        return f"{self.file.stem.replace('_', ' ')} (your workflow)"


def listed(folder: Path) -> tuple[OwnWorkflow, ...]:
    """The workflows in the folder by name, also those that need something first."""
    files = sorted(file for file in folder.glob("*.json") if file.is_file())
    return tuple(map(_looked_at, files[:MOST]))


def rows(own: Iterable[OwnWorkflow], parent: Model) -> Iterator[tuple[str, dict[str, Any]]]:
    """A row of the table for each that can be asked: like `parent`, but with what its own places can take."""
    for one in own:
        if one.workflow and not one.problem:
            yield f"{parent.provider.name}:{one.file.stem}", _row(one, one.workflow, parent)


def keep(file: Path, folder: Path) -> Path:
    """A copy of a workflow in the folder, under a name that is free; the same one twice is one. Raises InputError."""
    if not file.is_file():
        raise InputError(f"There is no file {file}. Nothing was sent.")
    data = written(read(file.absolute()))
    for path in _paths(folder, file.stem):
        if not path.exists():
            _write(path, data)
            return path
        if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
            return path
    raise InputError(f"There are {MOST} workflows of that name: remove some. Nothing was sent.")


def choose(file: Path, chosen: dict[str, str]) -> None:
    """Mark, by place, these nodes in a file of the folder; an empty node marks none. Raises InputError."""
    _write(file, written(marked(read(file.absolute()), chosen)))


def _looked_at(file: Path) -> OwnWorkflow:
    try:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,60}", file.stem):
            raise InputError("Its name may have letters, digits, “.”, “-” and “_” only: rename the file")
        if len(str(file)) > MAX_TEXT or not str(file).isprintable():
            raise InputError("The path to its folder is too long, or is no text")
        workflow = read(file.absolute())
    except InputError as error:
        return OwnWorkflow(file, str(error).removesuffix(" Nothing was sent.").removesuffix("."))
    return OwnWorkflow(file, _lack(unmarked(workflow)), workflow)


def _lack(places: tuple[str, ...]) -> str:
    """The sentence for places that are not marked."""
    *others, last = places or ("",)
    if others:
        return f"Its places for {', '.join(others)} and {last} are not marked: choose them"
    return f"Its place for the {last} is not marked: choose it" if last else ""


def _row(one: OwnWorkflow, workflow: Workflow, parent: Model) -> dict[str, Any]:
    dials = {name: _dial(workflow, name) for name in RANGES}
    return {
        "like": parent.id,
        "label": one.label,
        "path": one.file.stem,
        "workflow": str(one.file.absolute()),
        "price_usd": 0.0,
        "retired": "",
        "note": "A workflow of your own",
        "sends_size": bool(spots(workflow, "size")),
        "start": "required" if spots(workflow, "start") else "none",
        "loras": MAX_LORAS if spots(workflow, "lora") else 0,
        **dials,
    }


def _dial(workflow: Workflow, place: str) -> dict[str, float] | bool:
    """What the place takes, with what stands in the file set; False where it has none."""
    if not spots(workflow, place):
        return False
    low, high, otherwise = RANGES[place]
    found = value_at(workflow, place)
    inside = isinstance(found, int | float) and low <= found <= high  # JSON also has nan, and numbers without end
    return {"low": low, "high": high, "default": found if inside else otherwise}


def _paths(folder: Path, stem: str) -> Iterator[Path]:
    """Names for a file of that name: what a model's id can hold of it, and then with a number."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.")[:MAX_NAME] or "workflow"
    yield folder / f"{plain}.json"
    yield from (folder / f"{plain}-{number}.json" for number in range(2, MOST))


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    from .picture import write_whole  # only for whoever writes: it brings Pillow along, and lists are looked at always

    try:
        write_whole(path, data)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}). Nothing was sent.") from None
