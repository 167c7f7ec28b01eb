"""What a preset would change in a scene, told before it is done, and done as it was told."""

from __future__ import annotations

import math
from inspect import get_annotations
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty

from . import preferences, prompt
from .core import faithfulness
from .faithfulness import FLUXDEPTH_PG_shape, guidance_of
from .properties import FLUXDEPTH_PG_settings, model_id_of, model_or_none, prompt_of, switch_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .core.models import Table
    from .core.preset import Preset, Value

SUBDIR = "flux_depth"
OWNERS: dict[str, type] = {"settings": FLUXDEPTH_PG_settings, "shape": FLUXDEPTH_PG_shape}
DIALS = (
    "settings.model_id",
    "settings.steps",
    "settings.guidance",
    "settings.strength",
    "settings.control_strength",
    "settings.prompt_upsampling",
    "settings.output_format",
    "settings.megapixels",
    "settings.curve",
    "settings.engine",
    "shape.detail",
    "shape.blur",
    "shape.gamma",
)
"""What a preset may set. Not a key, an address, a folder, a camera, a seed, a distance, a fine-tune, a content filter:
those are of a person, a scene, or nobody else's to choose."""

DIAL = ("settings.guidance", "shape.detail", "shape.blur", "shape.gamma")
"""What a stop of the faithfulness dial sets, in its order."""

LARGEST = 2**31 - 1
"""Where a property has no limit of its own."""


class Change(NamedTuple):
    """What a preset would set, and how that is told."""

    place: str
    value: Value
    label: str
    before: str
    after: str


class Look(NamedTuple):
    """What there is to see of a preset before it is applied."""

    changes: list[Change]
    ending: str
    """What is added to the prompt, or nothing."""

    notes: list[str]
    """What of it is left out, and why."""

    values: dict[str, Value]
    """All that it sets, what is so already too: another model brings dials of its own."""


def look(scene: bpy.types.Scene, preset: Preset) -> Look:
    """What the preset would change in this scene."""
    from .core.preset import ENDING, ending_of, suited

    values, notes = fitting(preset, preferences.table())
    values = suited(values, model_or_none(scene.flux_depth))
    changes = [_change(scene, place, value) for place, value in values.items() if place != ENDING]
    ending = ending_of(values.get(ENDING)) or ""
    return Look(
        [change for change in changes if not _is_same(change.value, _now(scene, change.place))],
        "" if ending.casefold() in prompt_of(scene.flux_depth).casefold() else ending,
        notes,
        {place: value for place, value in values.items() if place != ENDING},
    )


def fitting(preset: Preset, table: Table) -> tuple[dict[str, Value], list[str]]:
    """The values that this version knows and takes, and a sentence about each kind of others."""
    from .core.preset import ENDING, ending_of

    known = {place: value for place, value in preset.values.items() if place in (*DIALS, ENDING)}
    problems = {place: _problem(place, value, table) for place, value in known.items() if place != ENDING}
    if ENDING in known and ending_of(known[ENDING]) is None:
        problems[ENDING] = "Its words for the prompt are too long, or no text: they are left out"
    notes = [problem for problem in problems.values() if problem]
    if unknown := len(preset.values) - len(known):
        many = unknown > 1
        notes.append(
            f"{unknown} setting{'s' * many} of this preset {'are' if many else 'is'} unknown to this version "
            f"and {'are left as they are' if many else 'is left as it is'}"
        )
    return {place: value for place, value in known.items() if not problems.get(place)}, notes


def _problem(place: str, value: Value, table: Table) -> str:
    """Why a setting cannot have that value, or nothing."""
    if place == "settings.model_id":
        fits = isinstance(value, str) and value in table.models
        return "" if fits else "Its model is not in the table of models: yours is left as it is"
    return "" if _fits(place, value) else f"{_label(place)} is not what this version takes, and is left as it is"


def _fits(place: str, value: Value) -> bool:
    """Whether its property takes the value, as it was declared, be it registered or not."""
    declared = _declared(place)
    kind, takes = declared.function, declared.keywords
    if kind is EnumProperty:
        return value in [item[0] for item in takes["items"]]
    if kind is BoolProperty:
        return isinstance(value, bool)
    if type(value) not in ((int,) if kind is IntProperty else (int, float)):
        return False
    return takes.get("min", -LARGEST) <= cast("float", value) <= takes.get("max", LARGEST)


def _declared(place: str) -> Any:
    owner, name = place.split(".")
    declared = map(get_annotations, OWNERS[owner].__mro__)
    return next(properties[name] for properties in declared if name in properties)


def _label(place: str) -> str:
    return "Model" if place == "settings.model_id" else _declared(place).keywords["name"]


def _change(scene: bpy.types.Scene, place: str, value: Value) -> Change:
    return Change(place, value, _label(place), _told(place, _now(scene, place)), _told(place, value))


def _now(scene: bpy.types.Scene, place: str) -> Value:
    if place == "settings.model_id":
        return model_id_of(scene.flux_depth)
    owner, name = place.split(".")
    return getattr(scene.flux_depth if owner == "settings" else scene.flux_depth_shape, name)


def _is_same(one: Value, other: Value) -> bool:
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-6)  # Blender holds them in single precision
    return one == other


def _told(place: str, value: Value) -> str:
    """A value as the panel shows it."""
    if place == "settings.model_id":
        model = preferences.table().models.get(str(value))
        return f"{model.provider.label}: {model.label}, {model.price}" if model else str(value)
    if isinstance(value, bool):
        return "On" if value else "Off"
    if isinstance(value, int | float):
        return f"{value:.4g}"
    names = {item[0]: item[1] for item in _declared(place).keywords["items"]}
    return names.get(value, "unknown")


def apply(scene: bpy.types.Scene, seen: Look) -> None:
    """Set what was shown, and nothing else."""
    if seen.ending:
        prompt.append(scene, seen.ending)  # first: it may be refused
    for place in sorted(seen.values, key=lambda place: place != "settings.model_id"):
        _set(scene, place, seen.values[place])


def _set(scene: bpy.types.Scene, place: str, value: Value) -> None:
    owner, name = place.split(".")
    if name == "model_id":
        switch_model(scene.flux_depth, str(value))
    else:
        setattr(scene.flux_depth if owner == "settings" else scene.flux_depth_shape, name, value)


def of_scene(scene: bpy.types.Scene) -> dict[str, Value]:
    """What a preset of this scene's settings holds; a menu that a file has set to nothing is left out."""
    values = {place: _now(scene, place) for place in DIALS}
    return {place: value for place, value in values.items() if not _problem(place, value, preferences.table())}


def files() -> list[Path]:
    """Every preset that there is, the artist's own first."""
    own = Path(bpy.utils.user_resource("SCRIPTS", path=f"presets/{SUBDIR}"))
    folders = [own, *(Path(folder) for folder in bpy.utils.preset_paths(SUBDIR)), shipped_folder()]
    return [file for folder in dict.fromkeys(folders) if folder.is_dir() for file in sorted(folder.glob("*.py"))]


def shipped_folder() -> Path:
    """Where those lie that come with the extension."""
    return Path(__file__).parent / "presets" / SUBDIR


def lines_of(scene: bpy.types.Scene, seen: Look) -> Iterator[tuple[str, str]]:
    """What would change, as a label and words."""
    if dial := _dial(scene, seen.changes):
        yield "Faithfulness", dial
    yield from ((change.label, f"{change.before} → {change.after}") for change in seen.changes)
    if seen.ending:
        yield "Prompt", f"+ “{seen.ending}”"


def _dial(scene: bpy.types.Scene, changes: list[Change]) -> str:
    """From which stop to which, where these changes move the dial."""
    before: dict[str, Any] = {place: _now(scene, place) for place in DIAL}
    after = before | {change.place: change.value for change in changes if change.place in DIAL}
    dial = guidance_of(scene.flux_depth)
    stops = [faithfulness.stop_at(*values.values(), dial=dial) for values in (before, after)]
    names = [stop.label if stop else "Custom" for stop in stops]
    return " → ".join(names) if names[0] != names[1] else ""
