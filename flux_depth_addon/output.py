"""Where a picture will be written, and which file it was asked from: decided while nothing is spent."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import bpy

from . import preferences
from .core.errors import InputError

if TYPE_CHECKING:
    from .core.request import Request

NAME_BYTES = 48
"""The most that a scene's or a camera's name takes in a file's name, of which some file systems allow 143 bytes."""


def output_of(request: Request) -> Path:
    """Where the picture will go; raises InputError while nothing is spent when it could not be written there."""
    return path_in(writable(preferences.output_folder(bpy.data.filepath)), request)


def writable(folder: Path) -> Path:
    """The folder, made where there is none; raises InputError where nothing can be written into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written ({error.strerror}): choose another folder in the preferences. "
            "Nothing was sent."
        ) from None
    return folder


def path_in(folder: Path, request: Request) -> Path:
    """What the picture will be called there; `{id}` becomes the job's."""
    name = f"{in_file_name(request.scene)}_{in_file_name(request.camera)}_{int(request.frame):04d}"
    return folder / f"{name}_{{id}}.png"


def in_file_name(name: str) -> str:
    """A data-block's name as part of a file's: without what a path, a template or a terminal would take for its own."""
    shown = "".join(letter if letter.isprintable() else "_" for letter in name)
    return bpy.path.clean_name(shown).encode()[:NAME_BYTES].decode(errors="ignore")


def origin() -> str:
    """The path of the open file; raises InputError for one that no text can hold, as Linux allows."""
    path = bpy.data.filepath
    if path != path.encode(errors="ignore").decode():
        raise InputError("The path of this file is not text: save it under another name. Nothing was sent.")
    return path
