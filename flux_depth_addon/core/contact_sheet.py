"""A contact sheet: many pictures small on one, each with words below that tell them apart."""

from __future__ import annotations

import math
import os
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .errors import InputError
from .job import Job
from .picture import FORMATS, MAX_BYTES, MAX_PIXELS, SUFFIX_FORMATS, write_whole

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

__all__ = ["MAX_TILES", "Layout", "Tile", "drawing", "layout_of", "tile_of", "write_sheet"]

MAX_TILES = 1000
SHEET_WIDTH, SHEET_ASPECT = 4096, 3 / 2
WIDEST, NARROWEST = 512, 160
"""Pixels of a picture on the sheet."""

PAPER, GREY, INK, FAINT = (24, 24, 24), (60, 60, 60), (230, 230, 230), (160, 160, 160)
LINES = 4
"""Below a picture: what it is, where it is from, and two of its prompt."""

LONGEST_LINE = 400
"""Characters that are looked at for one line."""


class Tile(NamedTuple):
    """One picture, and what stands below it, line by line; the last one may take two."""

    picture: Path | None
    lines: Sequence[str] = ()


class Layout(NamedTuple):
    """Where everything goes, in pixels."""

    columns: int
    rows: int
    width: int
    """Of a picture."""
    height: int
    gap: int
    letters: int
    """The size of the font."""

    @property
    def caption(self) -> int:
        """The height of the words below a picture."""
        return round(self.letters * 1.35) * LINES + self.gap // 2

    @property
    def size(self) -> tuple[int, int]:
        """Of the whole sheet."""
        down = self.height + self.caption + self.gap
        return self.columns * (self.width + self.gap) + self.gap, self.rows * down + self.gap

    def place(self, number: int) -> tuple[int, int]:
        """The upper left corner of that picture, counted from 0."""
        row, column = divmod(number, self.columns)
        across, down = self.width + self.gap, self.height + self.caption + self.gap
        return self.gap + column * across, self.gap + row * down


def tile_of(job: Job, model: str) -> Tile:
    """A job's picture and what tells it from others; `model` is the label of its model."""
    asked = job.request
    seed = "" if job.seed is None else f"seed {job.seed}  ·  "
    price = f"${job.cost_usd:g}" if job.cost_usd else "free"
    star = "★ " if job.favourite else ""
    where = f"{asked.camera}  ·  frame {asked.frame:g}"
    lines = (f"{star}{seed}{price}", f"{model}  ·  {where}", asked.prompt)
    return Tile(Path(job.result) if job.result else None, lines)


def layout_of(count: int, aspect: float) -> Layout:
    """For so many pictures of that width / height: as large as fits, on a sheet that is wider than high.

    Raises InputError for none, and for more than a sheet holds.
    """
    if not 0 < count <= MAX_TILES:
        many = f"These are {count:,}" if count else "There are none"
        raise InputError(f"A contact sheet holds from one to {MAX_TILES:,} pictures. {many}: choose others.")
    aspect = min(max(aspect, 0.2), 5.0)
    layouts = (_with_columns(columns, count, aspect) for columns in range(1, count + 1))
    return min(layouts, key=lambda layout: _ugliness(layout, count))


def _with_columns(columns: int, count: int, aspect: float) -> Layout:
    width = max(min(SHEET_WIDTH // columns, WIDEST), NARROWEST)
    rows = -(-count // columns)
    return Layout(columns, rows, width, round(width / aspect), max(width // 24, 8), max(width // 26, 10))


def _ugliness(layout: Layout, count: int) -> float:
    width, height = layout.size
    empty = layout.columns * layout.rows - count
    return abs(math.log(width / height / SHEET_ASPECT)) + empty / count


def drawing(tiles: Sequence[Tile], fonts: Sequence[Path] = ()) -> Iterator[Image.Image]:
    """The sheet, as it is after each picture; one picture at a time is in memory. Raises InputError.

    `fonts`: files in the order in which a letter is looked for in them; without any, only Latin ones are shown.
    """
    from PIL import Image, ImageDraw

    layout = layout_of(len(tiles), _aspect(tiles))
    sheet = Image.new("RGB", layout.size, PAPER)
    pen = _Pen(ImageDraw.Draw(sheet), layout, fonts)
    for number, tile in enumerate(tiles):
        left, top = layout.place(number)
        _draw_picture(sheet, pen, tile, left, top)
        pen.caption(left, top + layout.height + layout.gap // 4, tile.lines)
        yield sheet


def write_sheet(sheet: Image.Image, path: Path) -> None:
    """Write it whole or not at all, in the format of the path's suffix; raises InputError."""
    buffer = BytesIO()
    sheet.save(buffer, SUFFIX_FORMATS.get(path.suffix.lower(), "PNG"), quality=90)
    try:
        write_whole(path, buffer.getvalue())
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}).") from None


def _aspect(tiles: Sequence[Tile]) -> float:
    """Of the first picture that can be looked at."""
    from PIL import Image

    for tile in tiles:
        with suppress(OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            if tile.picture:
                with Image.open(tile.picture, formats=FORMATS) as picture:
                    return picture.width / picture.height
    return 16 / 9


def _draw_picture(sheet: Image.Image, pen: _Pen, tile: Tile, left: int, top: int) -> None:
    small = _small(tile.picture, (pen.layout.width, pen.layout.height))
    if isinstance(small, str):
        sheet.paste(GREY, (left, top, left + pen.layout.width, top + pen.layout.height))
        pen.line(left + pen.layout.gap, top + pen.layout.height // 2, small, pen.layout.width - 2 * pen.layout.gap)
        return
    sheet.paste(small, (left + (pen.layout.width - small.width) // 2, top + (pen.layout.height - small.height) // 2))


def _small(path: Path | None, size: tuple[int, int]) -> Image.Image | str:
    """The picture, at most of that size; or why there is none."""
    from PIL import Image

    if path is None:
        return "No picture"
    try:
        if os.stat(path).st_size > MAX_BYTES:
            return "Too large to open"
        with Image.open(path, formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return "Too large to open"
            picture.draft("RGB", size)
            picture.thumbnail(size, reducing_gap=2.0)
            return picture.convert("RGB")
    except FileNotFoundError:
        return "Moved or deleted"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return "Cannot be opened"


class _Pen:
    """Writes lines, each letter in the first font that has it."""

    def __init__(self, draw: ImageDraw.ImageDraw, layout: Layout, fonts: Sequence[Path]) -> None:
        self.draw = draw
        self.layout = layout
        self._files = [*fonts, None]
        self._fonts: dict[Path | None, ImageFont.FreeTypeFont | None] = {}
        self._font_of = lru_cache(4096)(self._first_with)

    def caption(self, left: int, top: int, lines: Sequence[str]) -> None:
        """Below a picture; the last line may take two."""
        shown = [" ".join(line[: 4 * LONGEST_LINE].split()) for line in lines[: LINES - 1]]
        if shown:
            first, rest = self._split(shown[-1], self.layout.width)
            shown[-1:] = [first, rest] if rest else [first]
        for number, line in enumerate(shown):
            ink = INK if number == 0 else FAINT
            self.line(left, top + number * round(self.layout.letters * 1.35), line, self.layout.width, ink)

    def line(self, left: float, top: float, text: str, room: float, ink: tuple[int, int, int] = INK) -> None:
        """One line, with an ellipsis for what does not fit."""
        shown = text[:LONGEST_LINE]
        if self._width(shown) > room or shown != text:
            shown = f"{self._fitting(shown, room - self._width('…'))}…"
        for run, font in self._runs(shown):
            self.draw.text((left, top + self.layout.letters), run, font=font, fill=ink, anchor="ls")
            left += font.getlength(run)

    def _split(self, text: str, room: float) -> tuple[str, str]:
        """Where the first line ends: between two words where there are some."""
        fitting = self._fitting(text[:LONGEST_LINE], room)
        if fitting == text:
            return text, ""
        words = fitting if text[len(fitting)] == " " else fitting.rpartition(" ")[0] or fitting
        return words, text[len(words) :].lstrip()

    def _fitting(self, text: str, room: float) -> str:
        """As much of its beginning as fits."""
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._width(text[:middle]) <= room else (low, middle - 1)
        return text[:low].rstrip()

    def _width(self, text: str) -> float:
        return sum(font.getlength(run) for run, font in self._runs(text))

    def _runs(self, text: str) -> Iterator[tuple[str, ImageFont.FreeTypeFont]]:
        """Its parts, each in one font: a letter alone would not be joined to its neighbours as its writing wants."""
        run, used = "", None
        for letter in text:
            goes_along = letter == " " or unicodedata.category(letter).startswith("M")
            font = used if used and goes_along else self._font_of(letter)
            if used and font is not used:
                yield run, used
                run = ""
            run, used = run + letter, font
        if used:
            yield run, used

    def _first_with(self, letter: str) -> ImageFont.FreeTypeFont:
        """The first font that has it, else the last, whose box stands for it."""
        found = None
        for file in self._files:
            found = self._opened(file) or found
            if found and (letter.isspace() or _has(found, letter)):
                return found
        assert found
        return found

    def _opened(self, file: Path | None) -> ImageFont.FreeTypeFont | None:
        """At the first letter that no font before it has: the largest is of eleven megabytes."""
        from PIL import ImageFont

        if file not in self._fonts:
            self._fonts[file] = None
            with suppress(OSError):
                size = self.layout.letters
                font = ImageFont.truetype(file, size) if file else ImageFont.load_default(size)
                self._fonts[file] = font if isinstance(font, ImageFont.FreeTypeFont) else None
        return self._fonts[file]


def _has(font: ImageFont.FreeTypeFont, letter: str) -> bool:
    """Whether what it draws is not what it draws for a letter that no font has."""
    return bytes(font.getmask(letter)) != bytes(font.getmask("\U0010ffff"))
