"""A scene's dials. One that was never turned stands where its model has it, and goes along to the next model's.

What Blender stores is only what was set: in a property of its own beside each dial, which nobody is shown.
"""

from typing import TYPE_CHECKING, Any

from bpy.props import FloatProperty, IntProperty

if TYPE_CHECKING:
    from .core.models import Model
    from .properties import FLUXDEPTH_PG_settings

OTHERWISE = {
    "steps": 50,
    "guidance": 15.0,
    "safety_tolerance": 2,
    "finetune_strength": 1.1,
    "strength": 0.9,
    "control_strength": 1.0,
}
"""Where a dial stands for a model that is not in the table, or does not have it."""


def _kept(name: str) -> dict[str, Any]:
    """How Blender asks and tells where a dial stands."""

    def read(settings: "FLUXDEPTH_PG_settings") -> float:
        return _stands_at(settings, name)

    def write(settings: "FLUXDEPTH_PG_settings", value: float) -> None:
        setattr(settings, _own(name), value)

    return {"get": read, "set": write, "default": OTHERWISE[name]}


class Dials:
    """The numbers that a model may take; what Blender adds to the settings of a scene"""

    steps: IntProperty(
        name="Steps", description="More steps take longer and refine more", min=1, soft_max=50, **_kept("steps")
    )
    guidance: FloatProperty(
        name="Guidance",
        description="How closely the prompt is followed; lower looks more natural",
        min=0.0,
        soft_max=100.0,
        precision=1,
        **_kept("guidance"),
    )
    safety_tolerance: IntProperty(
        name="Safety Tolerance",
        description="0 is the strictest content filter, and each number more is more lenient",
        min=0,
        soft_max=6,
        **_kept("safety_tolerance"),
    )
    finetune_strength: FloatProperty(
        name="Fine-tune Strength",
        description="How much of the fine-tune; 1 is its full influence",
        min=0.0,
        max=2.0,
        **_kept("finetune_strength"),
    )
    strength: FloatProperty(
        name="Strength",
        description="How far the start picture is painted over: 0 leaves it, 1 forgets it",
        min=0.0,
        max=1.0,
        **_kept("strength"),
    )
    control_strength: FloatProperty(
        name="Control Strength",
        description="How much the control image counts: less leaves more to the prompt",
        min=0.0,
        soft_max=2.0,
        **_kept("control_strength"),
    )
    own_steps: IntProperty(min=1, options={"HIDDEN"})
    own_guidance: FloatProperty(min=0.0, options={"HIDDEN"})
    own_safety_tolerance: IntProperty(min=0, options={"HIDDEN"})
    own_finetune_strength: FloatProperty(min=0.0, max=2.0, options={"HIDDEN"})
    own_strength: FloatProperty(min=0.0, max=1.0, options={"HIDDEN"})
    own_control_strength: FloatProperty(min=0.0, options={"HIDDEN"})


def value_of(settings: "FLUXDEPTH_PG_settings", name: str) -> Any:
    """Where a dial stands, as it was typed: Blender keeps 1.1 as 1.10000002384."""
    value = getattr(settings, name)
    return float(f"{value:.6g}") if isinstance(value, float) else value


def asked_of(settings: "FLUXDEPTH_PG_settings", model: "Model", *, without: dict[str, bool]) -> dict[str, Any]:
    """Where each dial stands that the model has; None for others, and for those it is asked `without`.

    Of another model than the scene's own, as they would be carried there.
    """
    from .core.request import fitted
    from .properties import model_or_none

    taken = [name for name in OTHERWISE if model.dial(name) and not without.get(name)]
    own, values = model_or_none(settings), {name: value_of(settings, name) for name in taken}
    if own is None or own.id != model.id:
        values = fitted(values, own, model)
    return dict.fromkeys(OTHERWISE) | {name: type(OTHERWISE[name])(values[name]) for name in taken}


def carry(settings: "FLUXDEPTH_PG_settings", old: "Model | None", new: "Model") -> None:
    """Let go of each dial that stood where the old model has it, or stands where the new one does not take it."""
    from .core.request import fitted

    before = {name: value_of(settings, name) if _is_set(settings, name) else None for name in OTHERWISE}
    for name, value in fitted(before, old, new).items():
        dial = old.dial(name) if old else None
        was_left_alone = dial is not None and before[name] == dial.default
        if was_left_alone or (value is not None and value != before[name]):
            settings.property_unset(_own(name))


def _own(name: str) -> str:
    """The property that holds what a dial was set to."""
    return f"own_{name}"


def _is_set(settings: "FLUXDEPTH_PG_settings", name: str) -> bool:
    return bool(settings.is_property_set(_own(name)))


def _stands_at(settings: "FLUXDEPTH_PG_settings", name: str) -> float:
    from .properties import model_or_none

    if _is_set(settings, name):
        return getattr(settings, _own(name))
    model = model_or_none(settings)
    dial = model.dial(name) if model else None
    return type(OTHERWISE[name])(dial.default if dial else OTHERWISE[name])
