"""`presets`: lists the presets that there are, and what each sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.errors import InputError
from .outcome import say
from .work import table_of

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from ..core.models import Table


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from ..preset_diff import files

    table = table_of(arguments)
    return {"presets": [_described(file, table) for file in files()]}, 0


def _described(file: Path, table: Table) -> dict[str, Any]:
    """One that cannot be read must not keep the others from being listed."""
    from ..core.preset import name_of, read
    from ..preset_diff import fitting, shipped_folder

    told: dict[str, Any] = {"name": name_of(file), "file": str(file), "shipped": file.parent == shipped_folder()}
    try:
        values, notes = fitting(read(file), table)
    except InputError as error:
        say(f"{error}")
        return told | {"settings": {}, "notes": [], "error": str(error)}
    print(told["name"])
    for place, value in values.items():
        print(f"    {place.rpartition('.')[2]}: {value}")
    for note in notes:
        say(f"“{told['name']}”: {note}.")
    return told | {"settings": values, "notes": notes, "error": None}
