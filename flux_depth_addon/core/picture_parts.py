"""The parts of a picture's file, a PNG's chunks or a JPEG's segments, and where among them XMP is kept.

The file is a stranger's: its parts are counted, and none is read that is longer than it may be.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

__all__ = ["KINDS", "MAX_READ", "Kind", "Part", "held_in", "kind_of"]

MAX_READ = 1024 * 1024
"""Bytes of a packet that are looked at: other programs write their own history into it."""

MAX_PARTS = 100_000
"""Of a file: a picture of 64 MB whose pixels come in pieces of 1 kB has fewer."""


class Part(NamedTuple):
    """A PNG's chunk or a JPEG's segment: where it begins, where what it holds begins and ends, where the next is."""

    kind: bytes
    start: int
    inside: int
    outside: int
    end: int


class Png:
    """How a PNG keeps XMP: in a text chunk."""

    begins = b"\x89PNG\r\n\x1a\n"
    keyword = b"XML:com.adobe.xmp\0"

    def parts(self, file: BinaryIO) -> Iterator[Part]:
        """Every chunk, without what it holds."""
        start = len(self.begins)
        for _ in range(MAX_PARTS):
            file.seek(start)
            head = file.read(8)
            if len(head) < 8:
                return
            length, kind = struct.unpack(">I4s", head)
            part = Part(kind, start, start + 8, start + 8 + length, start + 12 + length)
            yield part
            start = part.end

    def packet(self, part: Part, held: bytes) -> bytes:
        """The XMP in a chunk, or nothing."""
        if part.kind != b"iTXt" or not held.startswith(self.keyword):
            return b""
        packed, text = held[len(self.keyword)], held[len(self.keyword) + 2 :]
        text = text.split(b"\0", 2)[-1]  # behind a language and a translated keyword
        return zlib.decompressobj().decompress(text, MAX_READ) if packed else text

    def is_signature(self, part: Part, held_in: bytes) -> bool:
        """Whether it holds Content Credentials (C2PA), which vouch for every byte of the file."""
        return part.kind == b"caBX"

    def wrapped(self, packet: bytes) -> bytes:
        """A chunk that holds it."""
        held = b"iTXt" + self.keyword + b"\0\0\0\0" + packet
        return struct.pack(">I", len(held) - 4) + held + struct.pack(">I", zlib.crc32(held))

    def place(self, parts: list[Part]) -> int:
        """Where a new chunk goes: behind the header."""
        return parts[0].end


class Jpeg:
    """How a JPEG keeps XMP: in a segment for applications."""

    begins = b"\xff\xd8"
    keyword = b"http://ns.adobe.com/xap/1.0/\0"

    def parts(self, file: BinaryIO) -> Iterator[Part]:
        """Every segment before the pixels, without what it holds."""
        start = len(self.begins)
        for _ in range(MAX_PARTS):
            file.seek(start)
            head = file.read(4)
            if len(head) < 4 or head[0] != 0xFF or head[1] == 0xDA:
                return
            if head[1] == 0xFF:  # any number of these may fill the space before
                start += 1
                continue
            end = start + 2 + int.from_bytes(head[2:], "big")
            yield Part(head[1:2], start, start + 4, end, end)
            start = end

    def packet(self, part: Part, held: bytes) -> bytes:
        """The XMP in a segment, or nothing."""
        return held[len(self.keyword) :] if part.kind == b"\xe1" and held.startswith(self.keyword) else b""

    def is_signature(self, part: Part, held: bytes) -> bool:
        """Whether it holds Content Credentials (C2PA), which vouch for every byte of the file."""
        return part.kind == b"\xeb" and held.startswith(b"JP")

    def wrapped(self, packet: bytes) -> bytes:
        """A segment that holds it."""
        held = self.keyword + packet
        return b"\xff\xe1" + struct.pack(">H", len(held) + 2) + held

    def place(self, parts: list[Part]) -> int:
        """Where a new segment goes: behind those of JFIF and Exif, which must come first."""
        first = next((part for part in parts if part.kind not in (b"\xe0", b"\xe1")), None)
        return first.start if first else len(self.begins)


KINDS = (Png(), Jpeg())
Kind = Png | Jpeg


def kind_of(file: BinaryIO) -> Kind | None:
    """How this file keeps XMP; None for a kind that we do not write it into."""
    file.seek(0)
    start = file.read(8)
    return next((kind for kind in KINDS if start.startswith(kind.begins)), None)


def held_in(file: BinaryIO, part: Part) -> bytes:
    """What is in a part that may hold XMP or a signature; of more than that may be, nothing."""
    if part.kind not in (b"iTXt", b"tEXt", b"\xe1", b"\xeb") or part.outside - part.inside > MAX_READ:
        return b""
    file.seek(part.inside)
    return file.read(max(part.outside - part.inside, 0))
