"""`sheet`: pictures small on one sheet, those of a batch, the favourites, or any files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.errors import InputError
from .outcome import NO_OUTCOME, check_writable
from .work import journal_of, table_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable
    from pathlib import Path

    from ..core.contact_sheet import Tile
    from ..core.job import Job
    from ..core.models import Table

SUFFIXES = {".png", ".jpg", ".jpeg"}


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from ..core.contact_sheet import Tile

    check_writable(arguments.output, SUFFIXES)
    if sum(map(bool, (arguments.batch, arguments.favourites, arguments.pictures))) != 1:
        raise InputError("Name pictures, or --batch with an id, or --favourites: one of the three.")
    if arguments.pictures:
        _written(arguments.output, [Tile(path, (path.name,)) for path in arguments.pictures])
    else:
        write_tiles(arguments.output, _found(arguments), table_of(arguments))
    print(arguments.output)
    return NO_OUTCOME | {"step": "DONE", "result": str(arguments.output)}, 0


def write_tiles(path: Path, jobs: Iterable[Job], table: Table) -> Path:
    """A sheet of what these jobs painted; raises InputError."""
    from ..batch import label_of
    from ..core.contact_sheet import tile_of

    _written(path, [tile_of(job, label_of(job, table)) for job in jobs])
    return path


def _found(arguments: argparse.Namespace) -> list[Job]:
    """In the order in which they were asked for."""
    from ..core.history import Search, found

    with journal_of(arguments) as journal:
        search = Search(batch=arguments.batch, favourite=arguments.favourites)
        return [journal.get(job_id) for job_id in found(journal.database, search)[::-1]]


def _written(path: Path, tiles: list[Tile]) -> None:
    from ..batch import fonts
    from ..core.contact_sheet import drawing, write_sheet

    *_earlier, sheet = drawing(tiles, fonts())
    write_sheet(sheet, path)
