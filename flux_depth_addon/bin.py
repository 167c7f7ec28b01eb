"""The system's bin, out of which the user can take back what was deleted. The only place that imports send2trash."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .core.errors import InputError


def throw_away(files: Iterable[Path]) -> None:
    """Move those of these files that are there into the bin. Raises InputError where that cannot be: they stay then."""
    from send2trash import send2trash  # only for whoever deletes: it would make every start of Blender slower

    for file in files:
        try:
            if file.exists():
                send2trash(file)
        except OSError as error:  # a disk without a bin, most often
            reason = error.strerror or str(error) or type(error).__name__
            raise InputError(
                f"{file.name} cannot be moved to the system's bin ({reason}), so it was not deleted: "
                "delete it in its folder."
            ) from None
