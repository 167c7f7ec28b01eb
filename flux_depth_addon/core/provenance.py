"""What a picture's file says of how it was made: XMP, put beside the pixels and read back, with no pixel touched.

XMP is where PNG and JPEG keep such things and where every viewer looks for them: the prompt is the description, and
IPTC's digital source type says whose work it is. The settings themselves are JSON in a property of our own.

What is read is a stranger's: headers only, bounded, without entities; what the JSON says is judged in record.py.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple
from xml.parsers import expat

from .errors import InputError

__all__ = ["VERSION", "Said", "Source", "embedded", "packet", "read", "says", "sidecar_of"]

VERSION = "0.1.0"
"""Of FLUX Depth, as its manifest has it."""

Source = Literal["trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicMedia"]
"""IPTC's words for: painted whole by a trained model; partly so; by an algorithm that was trained on nothing."""

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
OURS = "urn:flux-depth:1:"
"""The namespace of our own property."""

NAMESPACES = {
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "fluxdepth": OURS,
}
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
END_OF_RDF = b"</rdf:RDF>"

AS_BLENDER_SAVES_IT = b"fluxdepth:Settings\0"
"""What Blender makes of our property when it saves a PNG: a text of its own, in UTF-8."""

MAX_PACKET = 65_502
"""Bytes: what one segment of a JPEG holds besides its header."""

MAX_READ = 1024 * 1024
"""Bytes of a packet that are looked at: other programs write their own history into it."""

MAX_PARTS = 100_000
"""Of a file: a picture of 64 MB whose pixels come in pieces of 1 kB has fewer."""

SHOWN_PROMPT = 2_000
"""Characters of the prompt that stand in the description too."""

NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a picture is to say of itself; what is empty is not said."""

    source: Source
    system: str = ""
    """The model that painted it."""
    prompt: str = ""
    settings: str = ""
    """JSON."""


class _Part(NamedTuple):
    """A PNG's chunk or a JPEG's segment: where it begins, where what it holds begins and ends, where the next is."""

    kind: bytes
    start: int
    inside: int
    outside: int
    end: int


class _Png:
    """How a PNG keeps XMP: in a text chunk."""

    begins = b"\x89PNG\r\n\x1a\n"
    keyword = b"XML:com.adobe.xmp\0"

    def parts(self, file: BinaryIO) -> Iterator[_Part]:
        """Every chunk, without what it holds."""
        start = len(self.begins)
        for _ in range(MAX_PARTS):
            file.seek(start)
            head = file.read(8)
            if len(head) < 8:
                return
            length, kind = struct.unpack(">I4s", head)
            part = _Part(kind, start, start + 8, start + 8 + length, start + 12 + length)
            yield part
            start = part.end

    def packet(self, part: _Part, held: bytes) -> bytes:
        """The XMP in a chunk, or nothing."""
        if part.kind != b"iTXt" or not held.startswith(self.keyword):
            return b""
        packed, text = held[len(self.keyword)], held[len(self.keyword) + 2 :]
        text = text.split(b"\0", 2)[-1]  # behind a language and a translated keyword
        return zlib.decompressobj().decompress(text, MAX_READ) if packed else text

    def is_signature(self, part: _Part, _held: bytes) -> bool:
        """Whether it holds Content Credentials (C2PA), which vouch for every byte of the file."""
        return part.kind == b"caBX"

    def wrapped(self, packet: bytes) -> bytes:
        """A chunk that holds it."""
        held = b"iTXt" + self.keyword + b"\0\0\0\0" + packet
        return struct.pack(">I", len(held) - 4) + held + struct.pack(">I", zlib.crc32(held))

    def place(self, parts: list[_Part]) -> int:
        """Where a new chunk goes: behind the header."""
        return parts[0].end


class _Jpeg:
    """How a JPEG keeps XMP: in a segment for applications."""

    begins = b"\xff\xd8"
    keyword = b"http://ns.adobe.com/xap/1.0/\0"

    def parts(self, file: BinaryIO) -> Iterator[_Part]:
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
            yield _Part(head[1:2], start, start + 4, end, end)
            start = end

    def packet(self, part: _Part, held: bytes) -> bytes:
        """The XMP in a segment, or nothing."""
        return held[len(self.keyword) :] if part.kind == b"\xe1" and held.startswith(self.keyword) else b""

    def is_signature(self, part: _Part, held: bytes) -> bool:
        """Whether it holds Content Credentials (C2PA), which vouch for every byte of the file."""
        return part.kind == b"\xeb" and held.startswith(b"JP")

    def wrapped(self, packet: bytes) -> bytes:
        """A segment that holds it."""
        held = self.keyword + packet
        return b"\xff\xe1" + struct.pack(">H", len(held) + 2) + held

    def place(self, parts: list[_Part]) -> int:
        """Where a new segment goes: behind those of JFIF and Exif, which must come first."""
        first = next((part for part in parts if part.kind not in (b"\xe0", b"\xe1")), None)
        return first.start if first else len(self.begins)


KINDS = (_Png(), _Jpeg())
Kind = _Png | _Jpeg


# Into a picture.


def embedded(data: bytes, said: Said) -> bytes:
    """The picture's bytes with what is to be said put among them; all else stays, byte for byte.

    They stay as they are altogether where it cannot be put in: a kind of file that we do not write it into, a packet
    of another program's that we do not understand, or a signature that would be broken.
    """
    file = BytesIO(data)
    try:
        kind = _kind_of(file)
        return _embedded(data, file, kind, said) if kind else data
    except (ValueError, LookupError, struct.error, zlib.error):
        return data


def _embedded(data: bytes, file: BinaryIO, kind: Kind, said: Said) -> bytes:
    parts = list(kind.parts(file))
    held = {part: _held(file, part) for part in parts}
    if any(kind.is_signature(part, held[part]) for part in parts):
        return data
    old = next((part for part in parts if kind.packet(part, held[part])), None)
    theirs = kind.packet(old, held[old]) if old else b""
    start, end = (old.start, old.end) if old else (kind.place(parts),) * 2
    both = packet(said) if not theirs or OURS.encode() in theirs else _added(theirs, said)
    return data[:start] + kind.wrapped(both) + data[end:]


def packet(said: Said) -> bytes:
    """A whole XMP packet, as a file of its own can hold it; raises ValueError for more than a JPEG can hold."""
    start = f'<x:xmpmeta xmlns:x="adobe:ns:meta/">\n<rdf:RDF xmlns:rdf="{RDF}">\n'
    body = start.encode() + _description(said, b"") + b"\n" + END_OF_RDF + b"\n</x:xmpmeta>\n"
    begin = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    return _fitting(begin.encode() + body + b'<?xpacket end="w"?>')


def _added(theirs: bytes, said: Said) -> bytes:
    """Another program's packet with a description of ours; what it says itself, it says already."""
    before, mark, behind = theirs.rpartition(END_OF_RDF)
    if not mark:
        raise ValueError("no XMP that can be added to")
    return _fitting(before + _description(said, theirs) + b"\n" + mark + behind)


def _fitting(packet: bytes) -> bytes:
    if len(packet) > MAX_PACKET:
        raise ValueError("too much to say")
    return packet


def _description(said: Said, theirs: bytes) -> bytes:
    names = "".join(f'\n  xmlns:{prefix}="{address}"' for prefix, address in NAMESPACES.items())
    new = (text for name, text in _properties(said) if f":{name.partition(':')[2]}".encode() not in theirs)
    return f' <rdf:Description rdf:about=""{names}>\n{"".join(new)} </rdf:Description>'.encode()


def _properties(said: Said) -> Iterator[tuple[str, str]]:
    """Each property that has a value: its name, and its element."""
    prompt = said.prompt[:SHOWN_PROMPT]
    simple = {
        "xmp:CreatorTool": f"FLUX Depth {VERSION}",
        "Iptc4xmpExt:DigitalSourceType": SOURCE_TYPES + said.source,
        "Iptc4xmpExt:AISystemUsed": said.system,
        "Iptc4xmpExt:AIPromptInformation": prompt,
        "fluxdepth:Settings": said.settings,
    }
    yield from ((name, f"  <{name}>{_in_xml(text)}</{name}>\n") for name, text in simple.items() if text)
    if prompt:
        item = f'<rdf:Alt><rdf:li xml:lang="x-default">{_in_xml(prompt)}</rdf:li></rdf:Alt>'
        yield "dc:description", f"  <dc:description>{item}</dc:description>\n"


def _in_xml(text: str) -> str:
    """What XML cannot hold as JSON writes it, which is also how it is read back from the settings."""
    return escape(NOT_XML.sub(lambda letter: f"\\u{ord(letter[0]):04x}", text), quote=False)


# Out of a picture.


def sidecar_of(picture: Path) -> Path:
    """The file beside a picture that says the same: `wall.png.xmp`."""
    return picture.with_name(f"{picture.name}.xmp")


def says(data: bytes) -> bool:
    """Whether there are settings of ours among a picture's bytes."""
    return bool(_settings_in(BytesIO(data)))


def read(picture: Path) -> str:
    """The settings that a picture, or the file beside it, was given: JSON of whoever wrote it. Raises InputError."""
    try:
        if not picture.is_file():  # a pipe would never end
            raise InputError(f"There is no file {picture.name}.")
        settings = _settings_of(picture)
        beside = sidecar_of(picture)
        if not settings and beside.is_file():
            settings = _settings_of(beside)
    except (OSError, ValueError) as error:  # ValueError: a name that no disk can hold
        problem = getattr(error, "strerror", None) or "that is no name of a file"
        raise InputError(f"{picture.name} cannot be read ({problem}).") from None
    if not settings:
        raise InputError(
            f"{picture.name} does not say how it was made: it is no picture of FLUX Depth, or a program that saved it "
            "since left that out."
        )
    return settings


def _settings_of(path: Path) -> str:
    with path.open("rb") as file:
        return _settings_in(file)


def _settings_in(file: BinaryIO) -> str:
    kind = _kind_of(file)
    if kind is None:
        file.seek(0)
        start = file.read(MAX_READ)
        return _settings(start) if OURS.encode() in start else ""
    try:
        for part in kind.parts(file):
            held = _held(file, part)
            if part.kind == b"tEXt" and held.startswith(AS_BLENDER_SAVES_IT):
                return held[len(AS_BLENDER_SAVES_IT) :].decode(errors="replace")
            if found := kind.packet(part, held):
                return _settings(found)
    except (LookupError, zlib.error):
        pass
    return ""


def _kind_of(file: BinaryIO) -> Kind | None:
    file.seek(0)
    start = file.read(8)
    return next((kind for kind in KINDS if start.startswith(kind.begins)), None)


def _held(file: BinaryIO, part: _Part) -> bytes:
    """What is in a part that may hold XMP or a signature; of more than that may be, nothing."""
    if part.kind not in (b"iTXt", b"tEXt", b"\xe1", b"\xeb") or part.outside - part.inside > MAX_READ:
        return b""
    file.seek(part.inside)
    return file.read(max(part.outside - part.inside, 0))


def _settings(packet: bytes) -> str:
    """Our property's text in a packet, whichever way XMP writes it; nothing where there is none, or no XML."""
    finder = _Finder()
    parser = expat.ParserCreate("utf-8", " ")  # whatever encoding it claims to have
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = finder.refuse
    parser.StartElementHandler = finder.start
    parser.EndElementHandler = finder.end
    parser.CharacterDataHandler = finder.text
    try:
        parser.Parse(packet.rstrip(b"\0"), True)
    except (expat.ExpatError, _NoXmpError):
        return ""
    return "".join(finder.found)


class _NoXmpError(Exception):
    """XMP declares no document type: without one, there are no entities that blow up a thousandfold."""


class _Finder:
    """Looks for our property while XML is read."""

    name = f"{OURS} Settings"

    def __init__(self) -> None:
        self.found: list[str] = []
        self.inside = False

    def refuse(self, *_declared: object) -> None:
        """A document type."""
        raise _NoXmpError

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins; short values may stand in an attribute of it."""
        self.inside = name == self.name and not self.found
        if not self.found and self.name in attributes:
            self.found.append(attributes[self.name])

    def end(self, _name: str) -> None:
        """An element ends."""
        self.inside = False

    def text(self, text: str) -> None:
        """What stands in it."""
        if self.inside:
            self.found.append(text)
