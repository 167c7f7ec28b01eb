"""Texts that a blend file holds. Its bytes need be no text, and what is one may be too long: reading ends well."""

from collections.abc import Iterator

import bpy

UNREADABLE = "\N{REPLACEMENT CHARACTER}"


def text(owner: bpy.types.bpy_struct, name: str = "name", *, otherwise: str = "") -> str:
    """A text that the file holds; `otherwise` for bytes that are no text, which Blender loads and cannot read."""
    try:
        return getattr(owner, name)
    except UnicodeDecodeError:
        return otherwise


def contents(written: bpy.types.Text) -> str:
    """What a text says, as memory has it; of one that no prompt can be, as much as shows that it is too long."""
    from .core.request import MAX_PROMPT

    found, length = [], 0
    for line in lines_of(written):
        found.append(line)
        length += len(line) + 1
        if length > 2 * MAX_PROMPT:
            return "\n".join(found)  # empty lines at its end too: more may come after them
    return "\n".join(found).strip()


def lines_of(written: bpy.types.Text) -> Iterator[str]:
    """Every line of a text; a mark in place of one whose bytes are no text."""
    return (text(line, "body", otherwise=UNREADABLE) for line in written.lines)
