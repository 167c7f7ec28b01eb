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
from typing import BinaryIO, Literal
from xml.parsers import expat

from .errors import InputError
from .picture_parts import MAX_READ, Kind, held_in, kind_of

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


# Into a picture.


def embedded(data: bytes, said: Said) -> bytes:
    """The picture's bytes with what is to be said put among them; all else stays, byte for byte.

    They stay as they are altogether where it cannot be put in: a kind of file that we do not write it into, a packet
    of another program's that we do not understand, or a signature that would be broken.
    """
    file = BytesIO(data)
    try:
        kind = kind_of(file)
        return _embedded(data, file, kind, said) if kind else data
    except (ValueError, LookupError, struct.error, zlib.error):
        return data


def _embedded(data: bytes, file: BinaryIO, kind: Kind, said: Said) -> bytes:
    parts = list(kind.parts(file))
    held = {part: held_in(file, part) for part in parts}
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
    kind = kind_of(file)
    if kind is None:
        file.seek(0)
        start = file.read(MAX_READ)
        return _settings(start) if OURS.encode() in start else ""
    try:
        for part in kind.parts(file):
            held = held_in(file, part)
            if part.kind == b"tEXt" and held.startswith(AS_BLENDER_SAVES_IT):
                return held[len(AS_BLENDER_SAVES_IT) :].decode(errors="replace")
            if found := kind.packet(part, held):
                return _settings(found)
    except (LookupError, zlib.error):
        pass
    return ""


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
