"""The form of a grid of pictures: what is on its axes, and the grid that it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from . import obstacles, preferences
from .core.errors import InputError
from .properties import camera_of, framing_of, menu_label, model_id_of, model_of, prompt_of
from .stored_text import UNREADABLE, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .core.framing import Framing
    from .core.grid import Grid, Stand
    from .core.models import Model

MAX_PROMPTS = 20
MAX_MODELS = 31
"""As many as one of Blender's properties has bits."""

_model_items: list[tuple[str, str, str, int]] = []
"""Blender keeps no reference to these texts, so they must stay alive here."""


def _items(form: FLUXDEPTH_PG_variations, _context: object) -> list[tuple[str, str, str, int]]:
    """Those that can be asked, or are chosen; each has its bit whoever else is listed."""
    rows = enumerate(list(preferences.table().models.values())[:MAX_MODELS])
    chosen = _chosen_models(form) if form else set()
    found = [
        (model.id, menu_label(model), model.warning or model.note, 1 << number)
        for number, model in rows
        if model.id in chosen or (preferences.has_key(model.provider) and preferences.has_address(model.provider))
    ]
    if found != _model_items:
        _model_items[:] = found
    return _model_items


def _get_models(form: FLUXDEPTH_PG_variations) -> int:
    ids = list(preferences.table().models)[:MAX_MODELS]
    chosen = _chosen_models(form)
    return sum(1 << number for number, model_id in enumerate(ids) if model_id in chosen)


def _set_models(form: FLUXDEPTH_PG_variations, bits: int) -> None:
    ids = list(preferences.table().models)[:MAX_MODELS]
    form.model_ids = "\n".join(model_id for number, model_id in enumerate(ids) if bits >> number & 1)


def _chosen_models(form: FLUXDEPTH_PG_variations) -> set[str]:
    """The scene's own and those beside it."""
    scene = cast("bpy.types.Scene", form.id_data)
    return {model_id_of(scene.flux_depth), *text(form, "model_ids")[:10_000].split("\n")}


class FLUXDEPTH_PG_prompt(bpy.types.PropertyGroup):
    """Another prompt of a grid"""

    prompt: StringProperty(name="Prompt", description="Painted besides, in place of the scene's own prompt")


class FLUXDEPTH_PG_camera(bpy.types.PropertyGroup):
    """What a camera brings to a grid. Saved in the blend file, and sent only as the form shows it"""

    use: BoolProperty(name="Take Part", description="Whether this camera is taken", default=True)
    note: StringProperty(
        name="Note", description="Added to the prompt in pictures from this camera: what only it can see"
    )


class FLUXDEPTH_PG_variations(bpy.types.PropertyGroup):
    """The axes of a scene's grid"""

    seeds: IntProperty(
        name="Seeds", description="How many; every prompt, model and view gets the same", default=4, min=1, max=100
    )
    prompts: CollectionProperty(type=FLUXDEPTH_PG_prompt)
    model_ids: StringProperty(options={"HIDDEN"})
    models: EnumProperty(
        name="Models",
        description="Which models paint; the scene's own always does",
        items=_items,
        get=_get_models,
        set=_set_models,
        options={"ENUM_FLAG"},
    )
    cameras: EnumProperty(
        name="Cameras",
        description="Where the pictures are taken from",
        items=[
            ("THIS", "This One", "The camera that single pictures are made from"),
            ("SELECTED", "Selected", "Every selected camera"),
            ("CHOSEN", "Chosen", "The scene's cameras that have a tick here"),
            ("MARKERS", "At Markers", "Every camera that a timeline marker switches to, at the marker's frame"),
        ],
    )
    frames: EnumProperty(
        name="Frames",
        description="When the pictures are taken",
        items=[("CURRENT", "Current", "The current frame"), ("RANGE", "Range", "From start to end")],
    )
    start: IntProperty(name="Start", description="The first frame", default=1)
    end: IntProperty(name="End", description="The last frame", default=48)
    step: IntProperty(name="Step", description="From one frame to the next", default=12, min=1)


def form_of(scene: bpy.types.Scene) -> FLUXDEPTH_PG_variations:
    """The scene's."""
    return cast("Any", scene).flux_depth_variations


def camera_form_of(camera: bpy.types.Object) -> FLUXDEPTH_PG_camera:
    """The camera's part in it."""
    return cast("Any", camera).flux_depth_camera


def cameras_in(context: bpy.types.Context) -> list[bpy.types.Object]:
    """Those that the form lists; of the chosen ones also those without a tick."""
    scene = context.scene
    match form_of(scene).cameras:
        case "SELECTED":
            return _cameras(context.view_layer.objects.selected)
        case "CHOSEN":
            return _cameras(scene.objects)
        case "MARKERS":
            return list(dict.fromkeys(camera for camera, _frame in _at_markers(scene)))
    camera = camera_of(scene)
    return [camera] if camera else []


def _cameras(things: Any) -> list[bpy.types.Object]:
    return [thing for thing in things if thing.type == "CAMERA"]


def _at_markers(scene: bpy.types.Scene) -> list[tuple[bpy.types.Object, int]]:
    """Cameras and frames, in the order of time."""
    bound = [(marker.camera, marker.frame) for marker in scene.timeline_markers if marker.camera]
    return sorted(dict.fromkeys(bound), key=lambda pair: pair[1])


def grid_of(context: bpy.types.Context, first_seed: int | None = None) -> Grid:
    """What the form asks for; raises InputError. Quick however much that is: nothing is rendered, or counted out.

    `first_seed` where the scene has none of its own: the button draws one.
    """
    from .core.grid import Grid, check, seeds_from

    scene, form, settings = context.scene, form_of(context.scene), context.scene.flux_depth
    first = settings.seed if settings.use_seed else first_seed or 1
    others = (text(row, "prompt").strip() for row in form.prompts[:MAX_PROMPTS])
    stands, models = list(_stands(context)), _models(scene)
    grid = Grid(
        stands=stands,
        models=models,
        prompts=list(dict.fromkeys([prompt_of(settings), *filter(None, others)])),
        seeds=seeds_from(first, form.seeds),
        sizes=_sizes(scene, stands, models),
    )
    check(grid)
    return grid


def _sizes(scene: bpy.types.Scene, stands: list[Stand], models: list[Model]) -> dict[tuple[str, str], Framing]:
    cameras: dict[str, Any] = {stand.camera: scene.objects.get(stand.camera) for stand in stands}
    return {(name, model.id): framing_of(scene, model, camera) for name, camera in cameras.items() for model in models}


def _models(scene: bpy.types.Scene) -> list[Model]:
    """The scene's own first; of the others those that the table still has."""
    own, chosen = model_of(scene.flux_depth), _chosen_models(form_of(scene))
    return [own, *(model for name, model in preferences.table().models.items() if name in chosen and model != own)]


def _stands(context: bpy.types.Context) -> Iterator[Stand]:
    from .core.grid import Stand

    scene, form = context.scene, form_of(context.scene)
    if form.cameras == "MARKERS":
        for camera, frame in _at_markers(scene):
            yield Stand(_name(camera), (frame,), _note(camera))
        return
    now = (scene.frame_current_final,)
    frames = range(form.start, form.end + 1, form.step) if form.frames == "RANGE" else now
    for camera in cameras_in(context):
        if form.cameras != "CHOSEN" or camera_form_of(camera).use:
            yield Stand(_name(camera), frames, _note(camera))


def _name(camera: bpy.types.Object) -> str:
    if name := text(camera):
        return name
    raise InputError("The name of a camera is not text: rename it. Nothing was sent.")


def _note(camera: bpy.types.Object) -> str:
    return text(camera_form_of(camera), "note", otherwise=UNREADABLE)


def obstacle(context: bpy.types.Context) -> str:
    """Why this grid cannot be asked for now, or nothing; looks at memory only."""
    try:
        grid = grid_of(context)
    except InputError as error:
        return obstacles.reason(error)
    reasons = (obstacles.no_way(model) for model in grid.models)
    return obstacles.no_prompt(context.scene.flux_depth) or next(filter(None, reasons), "")


classes = (FLUXDEPTH_PG_prompt, FLUXDEPTH_PG_camera, FLUXDEPTH_PG_variations)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(classes)


def register() -> None:
    """Hang the form on scenes, and a camera's part in it on objects."""
    _register_classes()
    types = cast("Any", bpy.types)
    types.Scene.flux_depth_variations = PointerProperty(type=FLUXDEPTH_PG_variations)
    types.Object.flux_depth_camera = PointerProperty(type=FLUXDEPTH_PG_camera)


def unregister() -> None:
    """Take them down again; what a blend file holds stays in it."""
    types = cast("Any", bpy.types)
    del types.Object.flux_depth_camera
    del types.Scene.flux_depth_variations
    _unregister_classes()
