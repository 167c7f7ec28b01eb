"""Words in a panel: sentences that wrap, and times that read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

import blf
import bpy

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import IconItems


class Part:
    """A part of our tab, of which a panel is made for each editor: what Blender gives to a panel"""

    layout: bpy.types.UILayout
    bl_label: str


FONT = 0
"""Blender's interface font, and behind it those for every other writing."""

MOST_LETTERS = 10_000
"""Of a text, looked at for drawing: a stranger's file can hold a million."""


def say(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    text: str,
    icon: IconItems = "NONE",
    *,
    most: int | None = None,
) -> None:
    """A text, wrapped to the sidebar's width; an ellipsis for what does not fit into `most` lines."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    room = room_in(context, beside=66 if icon == "NONE" else 88)
    for number, line in enumerate(lines(text[:MOST_LETTERS], room, letter_size(context), most)):
        column.label(text=line, icon=icon if number == 0 else "BLANK1" if icon != "NONE" else "NONE")


def is_narrow(context: bpy.types.Context) -> bool:
    """Whether two buttons with words would not fit beside each other."""
    return context.region.width < 260 * _scale(context)


def in_columns(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Names on the left and values on the right, as Blender has it, where there is room for both."""
    layout.use_property_split, layout.use_property_decorate = not is_narrow(context), False


def distance(scene: bpy.types.Scene, units: float) -> str:
    """A distance in Blender units as the scene's own fields show it."""
    shown = scene.unit_settings
    if shown.system == "NONE":
        return f"{units:.4g}"
    return bpy.utils.units.to_string(shown.system, "LENGTH", units * shown.scale_length, precision=3)


def room_in(context: bpy.types.Context, *, beside: float) -> int:
    """Pixels of the sidebar's width for words, where so many at UI scale 1 are taken; some letters in any case."""
    scale = _scale(context)
    return int(max(context.region.width - beside * scale, 60 * scale))


def in_pixels(context: bpy.types.Context, width: float) -> int:
    """A width at UI scale 1 as it is on this screen."""
    return int(width * _scale(context))


def letter_size(context: bpy.types.Context) -> float:
    """The size of a label's letters, as Blender's font drawing takes it."""
    return context.preferences.ui_styles[0].widget.points * _scale(context)


def _scale(context: bpy.types.Context) -> float:
    return context.preferences.system.ui_scale or 1.0  # 0 where there is no window


def width_of(text: str, size: float) -> float:
    """Pixels that a text takes on one line."""
    blf.size(FONT, size)
    return blf.dimensions(FONT, text)[0]


@lru_cache(256)
def lines(text: str, room: int, size: float, most: int | None = None) -> tuple[str, ...]:
    """The lines of at most `room` pixels; where there are more than `most`, the last one ends in an ellipsis."""
    found = list(islice(_wrapped(text, room, size), most and most + 1))
    if most and len(found) > most:
        found[most - 1 :] = [next(_broken(f"{found[most - 1]} {found[most]}", room - width_of("…", size), size)) + "…"]
    return tuple(found)


def _wrapped(text: str, room: int, size: float) -> Iterator[str]:
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            if width_of(longer, size) <= room:
                line = longer
            elif width_of(word, size) <= room:
                yield line
                line = word
            else:  # a word of its own length, or a writing without spaces
                *full, line = _broken(longer, room, size)
                yield from full
        yield line


def _broken(text: str, room: float, size: float) -> Iterator[str]:
    line = ""
    for letter in text:
        if line and width_of(line + letter, size) > room:
            yield line.rstrip()
            line = ""
        line = (line + letter).lstrip()
    yield line.rstrip()


def one_line(text: str) -> str:
    """Its words with a space between them, and nothing else."""
    return " ".join(text.split())


def elapsed(since: float) -> str:
    """Minutes and seconds since then."""
    minutes, seconds = divmod(max(int(time.time() - since), 0), 60)
    return f"{minutes}:{seconds:02d}"
