"""Read one channel of an uncompressed OpenEXR picture, without the four-channel copy that Blender's loader makes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

__all__ = ["read_channel"]

MAGIC = b"v/1\x01"
NOT_SCAN_LINES = 0x1A00
"""Flags of the version field: tiled, deep, in several parts."""
PIXEL = ("<u4", "<f2", "<f4")
LINES = 64
"""Read at a time: the file is many times the size of one channel."""


def read_channel(path: Path, ending: str) -> np.ndarray:
    """The first channel whose name ends so, (height, width) float32, row 0 at the top.

    Reads scan lines in one part without compression, as https://openexr.com/en/latest/OpenEXRFileLayout.html has them.
    Raises ValueError for any other file, one that a full disk cut short among them.
    """
    try:
        return _read(path, ending)
    except (struct.error, LookupError):
        raise ValueError(f"{path.name} is not a whole OpenEXR picture") from None


def _read(path: Path, ending: str) -> np.ndarray:
    with path.open("rb") as file:
        magic, version = struct.unpack("<4sI", file.read(8))
        header = dict(attributes(file))
        table = file.tell()
    if magic != MAGIC or version & NOT_SCAN_LINES or header["compression"] != b"\0":
        raise ValueError(f"{path.name} is not a plain OpenEXR picture")
    left, top, right, bottom = struct.unpack("<4i", header["dataWindow"])
    width, height = right - left + 1, bottom - top + 1
    if min(width, height) < 1 or width * height > path.stat().st_size:  # before so much memory is taken
        raise ValueError(f"{path.name} is not a whole OpenEXR picture")
    channels = [(name, PIXEL[pixel], width) for name, pixel in channel_types(header["channels"])]
    name = next((name for name, *_ in channels if name.endswith(ending)), None)
    if name is None:
        raise ValueError(f"{path.name} has no channel {ending}")
    line = np.dtype([("row", "<i4"), ("length", "<i4"), *channels])
    values = np.empty((height, width), np.float32)
    for first in range(0, height, LINES):
        offset = table + 8 * height + first * line.itemsize
        values[first : first + LINES] = np.fromfile(path, line, min(LINES, height - first), offset=offset)[name]
    return values


def attributes(file: BinaryIO) -> Iterator[tuple[str, bytes]]:
    """The header's names and values; leaves the file at the table of line offsets."""
    while name := text(file):
        text(file)  # the type: only known names are looked at
        yield name, file.read(*struct.unpack("<i", file.read(4)))


def channel_types(value: bytes) -> Iterator[tuple[str, int]]:
    """Names and indices into PIXEL, in the order of the file."""
    while len(value) > 1:
        name, value = value.split(b"\0", 1)
        yield name.decode(), value[0]
        value = value[16:]


def text(file: BinaryIO) -> str:
    """Up to the next zero byte, or the end of the file."""
    letters = bytearray()
    while (letter := file.read(1)) not in (b"", b"\0"):
        letters += letter
    return letters.decode()
