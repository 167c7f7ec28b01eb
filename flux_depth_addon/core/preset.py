"""A preset, read as data. Blender's presets are Python files; one from a stranger must not run, so none ever does.

What is taken from such a file is values: the statements that set one, and nothing else may stand there.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from .errors import InputError
from .faithfulness import USUAL, scaled
from .models import Model

__all__ = ["ENDING", "MAX_ENDING", "Preset", "Value", "ending_of", "name_of", "read", "suited", "values_in", "write"]

Value: TypeAlias = bool | int | float | str | None

MAX_BYTES = 16_384
MAX_LINE = 1_000
MAX_ENDING = 300
MAX_NAME = 64

ENDING = "ending"
"""The words that a preset adds to the prompt, by this name in its file."""

HEAD = (
    "import bpy\n"
    "settings = bpy.context.scene.flux_depth\n"
    "shape = bpy.context.scene.flux_depth_shape\n"
    "\n"
)  # fmt: skip
"""What stands above the values: whoever runs such a file as Python, as Blender does with others, gets the same."""


USUALLY = {"settings.guidance": USUAL, "settings.steps": 50.0}
"""Of a preset that names no model, the scale: what FLUX.1 Depth [pro] has as its own."""


@dataclass(frozen=True)
class Preset:
    """What a preset sets: values by their place, as `settings.steps`."""

    name: str
    values: Mapping[str, Value]


def suited(values: Mapping[str, Value], model: Model | None) -> dict[str, Value]:
    """A preset's values as that model takes them.

    One that names no model is meant for any: what it sets is brought to the model's own scale, or left out where the
    model has no such dial. One that names its model is on that one's scale.
    """
    if model is None or "settings.model_id" in values:
        return dict(values)
    brought = {place: _brought(place, value, model) for place, value in values.items() if place in USUALLY}
    return {
        place: value for place, value in (dict(values) | brought).items() if place not in brought or value is not None
    }


def _brought(place: str, value: Value, model: Model) -> Value:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    found = scaled(value, USUALLY[place], model.dial(place.partition(".")[2]))
    return round(found) if found is not None and isinstance(value, int) else found


def read(path: Path) -> Preset:
    """The preset in that file, which is not run. Raises InputError for what is none."""
    name = name_of(path)
    try:
        if not path.is_file():  # a pipe would hold up who reads it
            raise InputError(f"There is no preset “{name}”. Nothing was changed.")
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is no file's"
        raise InputError(f"The preset “{name}” cannot be read ({reason}). Nothing was changed.") from None
    return Preset(name, values_in(text, name))


def ending_of(value: Value) -> str | None:
    """The words that a preset adds to the prompt, as one line; None for what is too long or not to be shown."""
    words = " ".join(value.split()) if isinstance(value, str) else ""
    return words if words.isprintable() and 0 < len(words) <= MAX_ENDING else None


def name_of(path: Path) -> str:
    """A preset's name, as its file has it, for people: bounded and printable."""
    letters = path.stem.replace("_", " ")[:MAX_NAME]
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in letters)


def values_in(text: bytes, name: str) -> dict[str, Value]:
    """The values that a preset's text sets. Raises InputError where it is too long, no Python, or does more."""
    if len(text) > MAX_BYTES or any(len(line) > MAX_LINE for line in text.split(b"\n")):
        raise InputError(f"“{name}” is too long for a preset: nothing of it was read or changed.")
    try:
        return dict(_values(ast.parse(text.decode()).body))
    except _MoreThanAPresetError as error:
        line = error.args[0]
    except SyntaxError as error:
        line = error.lineno or 1
    except (ValueError, RecursionError, MemoryError):
        line = 1
    raise InputError(f"“{name}” is no preset: line {line} does not just set a value. Nothing of it was run or changed.")


class _MoreThanAPresetError(Exception):
    """A statement that does anything but set a value, by its line."""


def _values(body: list[ast.stmt]) -> Iterator[tuple[str, Value]]:
    for statement in body:
        match statement:
            case ast.Import(names=[ast.alias(name="bpy", asname=None)]):
                continue
            case ast.Assign(targets=[ast.Name()], value=ast.Attribute() as value) if _is_of_blender(value):
                continue
            case ast.Assign(targets=[ast.Name(id=place)], value=value) if place == ENDING:
                yield place, _literal(value, statement)
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=owner), attr=name)], value=value):
                yield f"{owner}.{name}", _literal(value, statement)
            case _:
                raise _MoreThanAPresetError(statement.lineno)


def _is_of_blender(value: ast.expr) -> bool:
    """Whether it only names something of bpy, for the lines below it to set values of."""
    while isinstance(value, ast.Attribute):
        value = value.value
    return isinstance(value, ast.Name) and value.id == "bpy"


def _literal(value: ast.expr, statement: ast.stmt) -> Value:
    """What stands there, if it stands there as such; None for a kind of value that fits no setting of ours."""
    try:
        found = ast.literal_eval(value)
    except (ValueError, TypeError, RecursionError, MemoryError):
        raise _MoreThanAPresetError(statement.lineno) from None
    fits = type(found) in (bool, int, str) or (type(found) is float and math.isfinite(found))
    return found if fits else None


def write(values: Mapping[str, Value]) -> bytes:
    """The text of a preset: `read` gives back the same values."""
    return (HEAD + "".join(f"{place} = {_rounded(value)!r}\n" for place, value in values.items())).encode()


def _rounded(value: Value) -> Value:
    """As a person typed it: Blender holds numbers in single precision, which makes 0.03 of it 0.029999999329447746."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
