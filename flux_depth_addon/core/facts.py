"""Scene facts in words that a prompt can take: of a lens, of the sun, of names. All of them short, and on one line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

__all__ = ["MOST", "Fact", "chosen", "lens_words", "sun_words", "words_of"]

LONGEST = 40
"""Characters of a name: what is longer is a file's or a stranger's, and no word."""

SHARES = {"lens": 1, "time": 1, "world": 1, "object": 12, "material": 6, "collection": 3}
"""The kinds, in the order in which they are shown, and how many of each there may be at the most."""

MOST = sum(SHARES.values())
"""Facts that are offered, 24: more would be a list to search, and no help."""

LENSES = ((20.0, "ultra-wide-angle "), (35.0, "wide-angle "), (70.0, ""), (135.0, "portrait "), (300.0, "telephoto "))
SUNS = (
    (-6.0, "night"),
    (-0.5, "twilight, blue hour"),
    (6.0, "golden hour, sun on the horizon"),
    (20.0, "low sun, long shadows"),
    (50.0, "sunlight, clear daylight"),
    (90.1, "high midday sun, short shadows"),
)
"""Degrees above the horizon below which the words hold; which half of the day it is, an elevation does not say."""

GIVEN = frozenset(
    {"Area", "BezierCircle", "BezierCurve", "Camera", "Circle", "Collection", "Cone", "Cube", "Curve", "Cylinder"}
    | {"Empty", "Geometry", "Grid", "Icosphere", "Light", "Material", "Mball", "NurbsPath", "Plane", "Point", "Scene"}
    | {"Sphere", "Spot", "Suzanne", "Sun", "Surface", "Text", "Torus", "Volume", "World"}
)
"""Names that Blender gives by itself: they say little, so they come last."""

NUMBER = re.compile(r"(\.\d{3,4}|[. ]0\d{1,5})$")
"""At a name's end: Blender's .001, and 01 as people count. A level 2 is no second level."""

BLANK = str.maketrans("_\ufffd", "  ")
"""What stands for a space in a name, and for bytes that were no text."""


class Fact(NamedTuple):
    """What is known of a scene, and the words that a click inserts."""

    kind: str
    words: str


def words_of(name: str) -> str:
    """A name as words on one printable line, without the number that tells copies apart; nothing if nothing is left.

    Of a stranger's name no mark that turns the writing round, no line break, and no more than fits.
    """
    plain = "".join(letter if letter.isprintable() else " " for letter in name[: 4 * LONGEST].translate(BLANK))
    words = " ".join(plain.split())
    words = NUMBER.sub("", NUMBER.sub("", words)).strip(" .,;:-")
    return words if len(words) <= LONGEST else words[:LONGEST].rsplit(" ", 1)[0].strip()


def lens_words(millimetres: float) -> str:
    """A focal length on full frame, as photographers say it: 24 mm wide-angle lens."""
    kind = next((kind for longest, kind in LENSES if millimetres <= longest), "super-telephoto ")
    return f"{millimetres:.0f} mm {kind}lens" if 1 <= millimetres < 10_000 else ""


def sun_words(elevation: float) -> str:
    """The light of a sun at so many degrees above the horizon."""
    return next((words for below, words in SUNS if elevation < below), "")


def chosen(facts: Iterable[Fact]) -> list[Fact]:
    """Those that are offered, by kind: each once, the first of each kind first, and Blender's own names last."""
    given = list(dict.fromkeys(fact for fact in facts if fact.words))
    named = sorted(given, key=lambda fact: fact.words in GIVEN)  # stable: what is first stays first among its like
    seen: set[str] = set()
    return [fact for kind in SHARES for fact in _first(kind, named, seen)]


def _first(kind: str, facts: Iterable[Fact], seen: set[str]) -> Iterator[Fact]:
    left = SHARES[kind]
    for fact in facts:
        if fact.kind == kind and left and fact.words.casefold() not in seen:
            seen.add(fact.words.casefold())
            left -= 1
            yield fact
