"""What an artist sets for a scene, and the request it makes."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from . import dials, preferences
from .core.errors import InputError
from .core.framing import Framing, fit
from .core.models import Model
from .stored_text import UNREADABLE, contents, text

if TYPE_CHECKING:
    from .core.depth_map import DepthSettings
    from .core.request import Control, Request

MAX_SEED = 2**31 - 1
MAX_MODEL_ID = 80
"""Characters of what a file gives as a model's id: more would be shown, and read at every redraw, for nothing."""


def _model_items(_settings: object, _context: object) -> list[tuple[str, str, str, int]]:
    return _items(preferences.changes)


@cache
def _items(_changes: int) -> list[tuple[str, str, str, int]]:
    # Blender keeps no reference to these texts, so they must stay alive here.
    return [
        (model.id, menu_label(model), model.warning or model.note, number)
        for number, model in enumerate(preferences.table().models.values())
        if preferences.has_address(model.provider)
    ]


def menu_label(model: Model) -> str:
    """What a menu calls it: with its provider, where there is one, its price, and whether its maker retired it."""
    named = model.label if model.provider.is_ours else f"{model.provider.label}: {model.label}"
    return f"{named}  ·  {model.price}{'  ·  retired' * bool(model.retired)}"


def _get_model(settings: "FLUXDEPTH_PG_settings") -> int:
    ids = list(preferences.table().models)
    wanted = model_id_of(settings)
    return ids.index(wanted) if wanted in ids else -1


def _set_model(settings: "FLUXDEPTH_PG_settings", number: int) -> None:
    switch_model(settings, list(preferences.table().models)[number])


def switch_model(settings: "FLUXDEPTH_PG_settings", model_id: str) -> None:
    """Ask that model from now on. What it takes of what was set stays; what was the old one's default becomes its own.

    Raises InputError when the table has no such model.
    """
    new = preferences.table()[model_id]
    dials.carry(settings, model_or_none(settings), new)
    if len(new.formats) > 1 and settings.output_format not in new.formats:  # where there is one, nobody is asked
        settings.output_format = new.formats[0]
    if new.control == "map":
        settings.control = "depth"
    settings.model_id = new.id


def _is_camera(_settings: object, thing: bpy.types.Object) -> bool:
    return thing.type == "CAMERA"


class FLUXDEPTH_PG_settings(dials.Dials, bpy.types.PropertyGroup):
    """A scene's prompt and dials. Saved in the blend file, so never an address, a key or a folder"""

    prompt: StringProperty(name="Prompt", description="What the picture should show; the depth keeps the composition")
    prompt_text: PointerProperty(
        name="Prompt Text",
        description="The text that is the prompt in place of the field: written in the Text Editor",
        type=bpy.types.Text,
    )
    model_id: StringProperty(options={"HIDDEN"})
    model: EnumProperty(
        name="Model",
        description="Which model paints, and at which provider",
        items=_model_items,
        get=_get_model,
        set=_set_model,
        options=set(),
    )
    use_seed: BoolProperty(name="Fixed Seed", description="Use this seed; off: another one for every picture")
    seed: IntProperty(name="Seed", description="Same seed, same picture", default=1, min=1, max=MAX_SEED)
    prompt_upsampling: BoolProperty(
        name="Enrich Prompt", description="The provider adds to the prompt; the same seed then gives another picture"
    )
    output_format: EnumProperty(
        name="Format",
        description="What the provider sends",
        items=[
            ("png", "PNG", "Lossless"),
            ("jpeg", "JPEG", "Smaller, with compression artefacts"),
            ("webp", "WebP", "Smaller, with few compression artefacts"),
        ],
    )
    finetune_id: StringProperty(name="Fine-tune ID", description="The id of a fine-tune trained in your own account")
    use_near: BoolProperty(name="Set Near", description="Off: the nearest depth in view, outliers left out")
    near: FloatProperty(
        name="Near", description="This near is white", default=1.0, min=0.0001, soft_max=1000.0, subtype="DISTANCE"
    )
    use_far: BoolProperty(name="Set Far", description="Off: the farthest depth in view, outliers left out")
    far: FloatProperty(
        name="Far", description="This far is black", default=20.0, min=0.0001, soft_max=10000.0, subtype="DISTANCE"
    )
    control: EnumProperty(
        name="Control",
        description="What the model is shown of the scene",
        items=[
            ("depth", "Depth Map", "Near is white, far is black: exact, where the model takes it as it stands"),
            ("clay", "Clay Render", "The scene in soft grey, for models that estimate depth themselves"),
        ],
    )
    curve: EnumProperty(
        name="Curve",
        description="How metres become grey",
        items=[
            ("disparity", "Disparity", "1 / distance, as the models were trained on: detail where it is near"),
            ("linear", "Linear", "Even steps from near to far"),
        ],
    )
    engine: EnumProperty(
        name="Engine",
        description="What renders the Z pass",
        items=[
            ("WORKBENCH", "Workbench", "Fast; every surface is solid"),
            ("CYCLES", "Cycles", "One sample; sees displacement and cut-out materials, and panoramic cameras"),
            ("SCENE", "The Scene's", "The engine that the scene renders with"),
        ],
    )
    megapixels: FloatProperty(
        name="Megapixels",
        description="The size to ask for; the camera's aspect is kept",
        default=1.0,
        min=0.1,
        max=4.0,
        precision=2,
    )
    camera: PointerProperty(name="Camera", description="None: the scene's own", type=bpy.types.Object, poll=_is_camera)
    destination: EnumProperty(
        name="Show In",
        description="Where a finished picture appears; its file is written in any case",
        items=[
            ("BOTH", "Both", "In an open Image Editor, and on the camera"),
            ("EDITOR", "Image Editor", "In an open Image Editor"),
            ("CAMERA", "Camera", "On the camera's frame, as its background image"),
        ],
    )


def _get_live(_owner: object) -> bool:
    from . import live

    return live.is_on()


def _set_live(_owner: object, on: bool) -> None:
    from . import live

    live.switch(on)


def _get_range(_owner: object) -> bool:
    from . import range_gizmo

    return range_gizmo.is_shown()


def _set_range(_owner: object, shown: bool) -> None:
    from . import range_gizmo

    range_gizmo.show(shown)


class FLUXDEPTH_PG_job(bpy.types.PropertyGroup):
    """A row of the job list; its name is the job's id"""


def text_of(settings: "FLUXDEPTH_PG_settings") -> bpy.types.Text | None:
    """The text that is the prompt while it is written in the Text Editor; a file can hold any data-block there."""
    return settings.prompt_text if isinstance(settings.prompt_text, bpy.types.Text) else None


def prompt_of(settings: "FLUXDEPTH_PG_settings") -> str:
    """The prompt as it is sent; of one that is too long, no more than shows it."""
    written = text_of(settings)
    return contents(written) if written else text(settings, "prompt").strip()


def model_id_of(settings: "FLUXDEPTH_PG_settings") -> str:
    """The id of the model that a scene asks, be there such a model or not; fit to be shown."""
    stored = text(settings, "model_id", otherwise=UNREADABLE)[:MAX_MODEL_ID] or preferences.default_model()
    if stored.isprintable():  # asked at every redraw many times over, so the usual case must be quick
        return stored
    return "".join(letter if letter.isprintable() else UNREADABLE for letter in stored)


def model_of(settings: "FLUXDEPTH_PG_settings") -> Model:
    """The model that a scene asks; raises InputError when the table has no such model."""
    return preferences.table()[model_id_of(settings)]


def model_or_none(settings: "FLUXDEPTH_PG_settings") -> Model | None:
    """The same, or None: for drawing."""
    return preferences.table().models.get(model_id_of(settings))


def choice_of(settings: "FLUXDEPTH_PG_settings", name: str) -> Any:
    """What a menu is set to; raises InputError for a number that stands for none of its items, as a file can hold."""
    if chosen := getattr(settings, name):
        return chosen
    label = settings.bl_rna.properties[name].name
    raise InputError(f"{label} is set to something unknown: choose it again. Nothing was sent.")


def camera_of(scene: bpy.types.Scene) -> bpy.types.Object | None:
    """The camera that a scene's pictures are made from: the chosen one while it is in the scene, else its own."""
    chosen = scene.flux_depth.camera
    camera = chosen if chosen and scene.objects.get(text(chosen)) == chosen else scene.camera
    return camera if camera and camera.type == "CAMERA" else None


def framing_of(scene: bpy.types.Scene, model: Model, camera: bpy.types.Object | None = None) -> Framing:
    """The size that the model gets for this scene's camera, and the frame in it; raises InputError."""
    from . import capture

    overscan = not capture.is_panoramic(camera or camera_of(scene) or capture.camera_of(scene))
    megapixels = scene.flux_depth.megapixels
    return fit(capture.frame_aspect(scene), model.limits, megapixels=megapixels, overscan=overscan)


def depth_settings_of(scene: bpy.types.Scene) -> "DepthSettings":
    """Near, far, curve and shape as set; near and far in metres, whatever unit the scene shows."""
    from .capture import metres
    from .core.depth_map import DepthSettings
    from .faithfulness import shape_of

    settings = scene.flux_depth
    near = settings.near * metres(scene) if settings.use_near else None
    far = settings.far * metres(scene) if settings.use_far else None
    return DepthSettings(near=near, far=far, curve=choice_of(settings, "curve"), **shape_of(scene))


def request_of(
    context: bpy.types.Context,
    *,
    camera: bpy.types.Object | None = None,
    frame: float | None = None,
    model: Model | None = None,
    control: "Control | None" = None,
) -> "Request":
    """The request that the context's scene makes; raises InputError for what cannot be asked.

    Of its own camera, at its own frame, to its own model, which is shown what is chosen, unless others are named. Its
    start picture is not read yet: `start_picture.Starts` does that.
    """
    from . import capture, extra_fields, loras, start_picture
    from .core.request import Request, check

    scene, settings = context.scene, context.scene.flux_depth
    model = model or model_of(settings)
    camera = camera or camera_of(scene) or capture.camera_of(scene)
    finetune_id = text(settings, "finetune_id").strip() if model.finetune != "none" else ""
    start = start_picture.mark_of(scene, model)
    without = {"finetune_strength": not finetune_id, "strength": not start}
    request = Request(
        prompt=loras.sent_prompt(scene, model),
        model=model.id,
        framing=framing_of(scene, model, camera),
        depth=depth_settings_of(scene),
        engine=choice_of(settings, "engine"),
        control=control or choice_of(settings, "control"),
        seed=settings.seed if settings.use_seed else None,
        prompt_upsampling=settings.prompt_upsampling if model.prompt_upsampling else None,
        output_format=_format_of(settings, model),
        finetune_id=finetune_id,
        loras=loras.loras_of(scene, model),
        start=start,
        extra=extra_fields.fields_of(model),
        **dials.asked_of(settings, model, without=without),
        blend=Path(bpy.data.filepath).name,
        scene=scene.name,
        view_layer=context.view_layer.name,
        camera=camera.name,
        camera_matrix=capture.camera_matrix(scene, camera, frame),
        frame=scene.frame_current_final if frame is None else frame,
        provenance=preferences.provenance(),
    )
    check(request, model)
    return request


def _format_of(settings: FLUXDEPTH_PG_settings, model: Model) -> str:
    """The one that was chosen, where the model has it: it may be another than the scene's own."""
    chosen = choice_of(settings, "output_format")
    return chosen if chosen in model.formats else model.formats[0]


classes = (FLUXDEPTH_PG_settings, FLUXDEPTH_PG_job)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(classes)


def register() -> None:
    """Hang the settings on scenes, and the job list on the window manager, which is not saved."""
    _register_classes()
    bpy.types.Scene.flux_depth = PointerProperty(type=FLUXDEPTH_PG_settings)
    bpy.types.WindowManager.flux_depth_jobs = CollectionProperty(type=FLUXDEPTH_PG_job, options={"SKIP_SAVE"})
    bpy.types.WindowManager.flux_depth_job = IntProperty(name="Job", min=0, options={"SKIP_SAVE"})
    bpy.types.WindowManager.flux_depth_live = BoolProperty(
        name="Live", description="Keep the preview up to date while you work", get=_get_live, set=_set_live
    )
    bpy.types.WindowManager.flux_depth_range = BoolProperty(
        name="Range in View",
        description="Draw near (white) and far (black) before the camera; drag them to set them",
        get=_get_range,
        set=_set_range,
    )


def unregister() -> None:
    """Take them down again; what a blend file holds stays in it."""
    _set_live(None, False)
    _set_range(None, False)
    del bpy.types.WindowManager.flux_depth_range
    del bpy.types.WindowManager.flux_depth_live
    del bpy.types.WindowManager.flux_depth_job
    del bpy.types.WindowManager.flux_depth_jobs
    del bpy.types.Scene.flux_depth
    _unregister_classes()
    _items.cache_clear()
