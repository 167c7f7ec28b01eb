"""A request back into a scene's settings: what would change, what cannot be restored, and the buttons for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from math import ceil, isclose
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import bpy
from bpy.props import StringProperty

from . import loras, preferences, prompt
from .button import Button, failure
from .core.errors import InputError
from .core.framing import MEGAPIXEL, fit
from .drawing import MOST_LETTERS, Part, distance, in_pixels, letter_size, lines, one_line, say
from .properties import camera_of, model_id_of, model_or_none, prompt_of, switch_model
from .stored_text import UNREADABLE, text

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

    from .core.record import Record
    from .core.request import Request

TAB = "FLUX Depth"
SUFFIXES = (".png", ".jpg", ".jpeg")
WIDTH = 420
"""Of the dialog, at UI scale 1."""

SHOWN_LINES = 8
PLAIN = (
    *("control", "steps", "guidance", "safety_tolerance", "prompt_upsampling", "output_format", "finetune_strength"),
    *("strength", "control_strength", "engine"),
)
"""Dials that a request and a scene call by the same name. Of these None is what the provider chose itself."""


class Change(NamedTuple):
    """One thing that a request wants otherwise than a scene has it."""

    label: str
    before: str
    after: str
    values: dict[str, Any]
    """By the name of the setting, in the scene's own units."""


def apply(scene: bpy.types.Scene, request: Request) -> list[str]:
    """Set the scene's settings as the request had them; what could not be restored, a sentence each. Raises InputError.

    Camera and frame stay where they are, but for the choice of a camera in the settings.
    """
    if not scene.is_editable:
        raise InputError("The scene is linked from another file, and its settings with it: nothing was restored.")
    if request.model in preferences.table().models:  # before the rest: it brings its own dials
        switch_model(scene.flux_depth, request.model)
    found, kept = changes(scene, request)
    for change in found:
        for name, value in change.values.items():
            _set(scene, name, value)
    return kept


def changes(scene: bpy.types.Scene, request: Request) -> tuple[list[Change], list[str]]:
    """What restoring a request would change in a scene, and what cannot be restored, a sentence each."""
    found, kept = [], list(_differences(scene, request))
    for values in _wanted(scene, request):
        name = list(values)[-1]
        if not _fits(scene, name, values[name]):
            kept.append(f"{_label(scene, name)} was {_cut(values[name])}, which it cannot be here: it stays.")
        elif not _same(scene, values):
            now = {each: _get(scene, each) for each in (*values, name.removeprefix("use_"))}
            found.append(Change(_label(scene, name), _shown(scene, now), _shown(scene, values), values))
    return found, kept


def _wanted(scene: bpy.types.Scene, request: Request) -> Iterator[dict[str, Any]]:
    """The settings that make such a request, those together that belong together, what shows last."""
    from .capture import metres

    yield {"prompt": request.prompt}
    model = preferences.table().models.get(request.model)
    if model:
        yield {"model_id": model.id}
    yield {"use_seed": False} if request.seed is None else {"use_seed": True, "seed": request.seed}
    yield from ({name: value} for name in PLAIN if (value := getattr(request, name)) is not None)
    if model and model.finetune != "none":
        yield {"finetune_id": request.finetune_id}
    if model and model.loras:
        yield {"rows": loras.found_again(scene, request.loras)}
    for end in ("near", "far"):
        value = getattr(request.depth, end)
        yield {f"use_{end}": False} if value is None else {f"use_{end}": True, end: value / metres(scene)}
    shape = (each.name for each in fields(request.depth) if each.name not in ("near", "far"))
    yield from ({name: getattr(request.depth, name)} for name in shape)
    yield from ({"megapixels": value} for value in _megapixels(scene, request))
    camera = _camera(scene, request)
    if camera and camera != camera_of(scene):
        yield {"camera": camera}


def _differences(scene: bpy.types.Scene, request: Request) -> Iterator[str]:
    """What no setting can bring back."""
    if request.model not in preferences.table().models:
        yield f"The model “{_cut(request.model)}” is not in the table of models: choose one."
    if request.start:
        yield "It was painted over a start picture, which is not brought back: choose one."
    if request.camera and not _camera(scene, request):
        yield f"There is no camera “{_cut(request.camera)}” in this scene: the camera stays."


def _camera(scene: bpy.types.Scene, request: Request) -> bpy.types.Object | None:
    named: bpy.types.Object | None = scene.objects.get(request.camera)
    return named if named and named.type == "CAMERA" else None


def _megapixels(scene: bpy.types.Scene, request: Request) -> Iterator[float]:
    """The budget, where another one than is set makes the picture as large as it was."""
    from . import capture

    model, was = preferences.table().models.get(request.model), request.framing
    if model is None:
        return
    budget = ceil(1000 * was.width * was.height / MEGAPIXEL) / 1000
    with suppress(InputError):  # a scene without a frame has no size
        aspect = capture.frame_aspect(scene)
        if fit(aspect, model.limits, megapixels=budget) != fit(
            aspect, model.limits, megapixels=scene.flux_depth.megapixels
        ):
            yield budget


def _owner(scene: bpy.types.Scene, name: str) -> Any:
    """Who holds a setting."""
    owners = (scene.flux_depth, scene.flux_depth_shape, loras.settings_of(scene))
    return next(owner for owner in owners if name in owner.bl_rna.properties)


def _setting(scene: bpy.types.Scene, name: str) -> Any:
    """What Blender knows of a setting: its name, its type, its limits."""
    return _owner(scene, name).bl_rna.properties[name]


def _get(scene: bpy.types.Scene, name: str) -> Any:
    settings = scene.flux_depth
    match name:
        case "prompt":
            return prompt_of(settings)
        case "model_id":
            return model_id_of(settings)
        case "finetune_id":
            return text(settings, name)
        case "rows":
            model = model_or_none(settings)
            return loras.loras_of(scene, model) if model else ()
    return getattr(_owner(scene, name), name)


def _set(scene: bpy.types.Scene, name: str, value: Any) -> None:
    if name == "prompt":
        prompt.put(scene, value)
    elif name == "rows":
        loras.put(scene, value)
    else:
        setattr(_owner(scene, name), name, value)


def _same(scene: bpy.types.Scene, values: dict[str, Any]) -> bool:
    return all(_equal(_get(scene, name), value) for name, value in values.items())


def _equal(now: Any, then: Any) -> bool:
    """Blender keeps seven digits of a number."""
    return isclose(now, then, rel_tol=1e-6) if isinstance(now, float) else now == then


def _fits(scene: bpy.types.Scene, name: str, value: Any) -> bool:
    """Whether Blender takes the value as it is: it cuts numbers down, and raises for items that there are not."""
    setting = _setting(scene, name)
    match setting.type:
        case "INT" | "FLOAT":
            return setting.hard_min <= value <= setting.hard_max
        case "ENUM":
            return value in setting.enum_items
    return True


def _label(scene: bpy.types.Scene, name: str) -> str:
    named = {"model_id": "Model", "rows": "LoRAs"}
    return named.get(name) or _setting(scene, name.removeprefix("use_")).name


def _shown(scene: bpy.types.Scene, values: dict[str, Any]) -> str:
    """Settings that belong together, in words."""
    from .core.loras import worded_loras

    name, value = list(values.items())[-1]
    switch = values.get(f"use_{name.removeprefix('use_')}", True)
    setting = _setting(scene, name)
    match setting.type:
        case _ if not switch:
            return "random" if name.endswith("seed") else "from the depths in view"
        case "BOOLEAN":
            return "on" if value else "off"
        case "ENUM":
            return setting.enum_items[value].name if value else "unknown"
        case "FLOAT":
            return distance(scene, value) if setting.subtype == "DISTANCE" else f"{value:.4g}"
        case "POINTER":
            return text(value) if value else "the scene's own"
        case "COLLECTION":
            return worded_loras(value) or "none"
    if name == "model_id" and (model := preferences.table().models.get(value)):
        return f"{model.provider.label}: {model.label}"
    return str(value) or "none"


def _cut(value: object) -> str:
    words = f"{value:.4g}" if isinstance(value, float) else one_line(str(value))[:60]
    return "".join(letter if letter.isprintable() else UNREADABLE for letter in words)


class FLUXDEPTH_OT_restore(Button):
    """Set prompt, seed, model, guidance and depth as they were for this picture, which says so in its file"""

    bl_idname = "flux_depth.restore"
    bl_label = "Restore FLUX Depth Settings"
    bl_options = {"UNDO"}

    filepath: StringProperty(subtype="FILE_PATH", options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[OperatorReturnItems]:
        """A click or a drop: first it is shown what would change."""
        if sentence := failure(self._look):
            return self.ended(sentence)
        if bpy.app.background or not self.found:
            return self.execute(context)
        title = f"Restore from {_cut(self._path().name)}"
        return context.window_manager.invoke_props_dialog(self, width=WIDTH, title=title, confirm_text="Restore")

    def run(self, context: bpy.types.Context) -> None:
        self._look()
        kept = apply(context.scene, self.record.request)
        said = "Restored" if self.found else "All is set as it was for this picture"
        self.report({"WARNING"} if kept else {"INFO"}, " ".join([f"{said}.", *kept]) if kept else said)

    def draw(self, context: bpy.types.Context) -> None:
        """The dialog, from what was read when it opened."""
        column = self.layout.column(align=True)
        for change in self.found:
            _draw_change(column, context, change)
        for sentence in (*self.kept, _whence(self.record)):
            _draw_lines(self.layout, context, sentence, WIDTH - 60, icon="INFO")

    def _look(self) -> None:
        from .core import record  # only for whoever restores: it would make every start of Blender slower

        self.record = record.read(self._path())
        self.found, self.kept = changes(bpy.context.scene, self.record.request)

    def _path(self) -> Path:
        return Path(bpy.path.abspath(text(self, "filepath")))


class FLUXDEPTH_OT_restore_from_file(Button):
    """Choose a picture of FLUX Depth, and set all as it was for it; first it is shown what would change"""

    bl_idname = "flux_depth.restore_from_file"
    bl_label = "Restore from File…"

    filepath: StringProperty(subtype="FILE_PATH", options={"HIDDEN", "SKIP_SAVE"})
    filter_glob: StringProperty(
        default=";".join(f"*{suffix}" for suffix in (*SUFFIXES, ".xmp")), options={"HIDDEN", "SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[OperatorReturnItems]:
        """A click: Blender's file browser, where this file's pictures are."""
        if not self.filepath:
            with suppress(InputError):
                self.filepath = os.path.join(preferences.output_folder(bpy.data.filepath), "")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, _context: bpy.types.Context) -> None:
        bpy.ops.flux_depth.restore("INVOKE_DEFAULT", filepath=text(self, "filepath"))


class FLUXDEPTH_FH_picture(bpy.types.FileHandler):
    """A picture that is dropped where our tab is open may be one of ours; elsewhere Blender does as it always does"""

    bl_idname = "FLUXDEPTH_FH_picture"
    bl_label = "Restore FLUX Depth Settings"
    bl_import_operator = "flux_depth.restore"
    bl_file_extensions = ";".join(SUFFIXES)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Blender asks before it says which file: where others can take it too, it lets the artist choose."""
        area = context.area
        return bool(area) and area.type in {"VIEW_3D", "IMAGE_EDITOR"} and any(map(_is_our_tab, area.regions))


def _is_our_tab(region: bpy.types.Region) -> bool:
    return region.type == "UI" and region.width > 1 and region.active_panel_category == TAB


class Restore(Part):
    """Settings out of a picture's file"""

    bl_label = "Restore"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.operator("flux_depth.restore_from_file", icon="FILEBROWSER")
        image = context.space_data.image if context.space_data.type == "IMAGE_EDITOR" else None
        if image and image.source == "FILE" and (path := text(image, "filepath")):
            layout.operator("flux_depth.restore", text="Restore from This Picture", icon="IMAGE_DATA").filepath = path
        say(layout, context, "Or drop a PNG or JPEG of FLUX Depth into this editor", "INFO")


def _whence(record: Record) -> str:
    """Where a picture says that it comes from."""
    request = record.request
    cost = "" if record.cost_usd is None else f"${record.cost_usd:g}" if record.cost_usd else "free"
    words = (request.blend, request.camera, f"frame {request.frame:g}", cost, record.made[:10], record.software)
    return "  ·  ".join(_cut(word) for word in words if word)


def _draw_change(column: bpy.types.UILayout, context: bpy.types.Context, change: Change) -> None:
    row = column.split(factor=0.3)
    _draw_lines(row, context, change.label, WIDTH * 0.3)
    words = change.after if change.label == "Prompt" else f"{one_line(change.before)}  →  {one_line(change.after)}"
    _draw_lines(row, context, words, WIDTH * 0.7 - 40)


def _draw_lines(
    layout: bpy.types.UILayout, context: bpy.types.Context, words: str, width: float, *, icon: Any = "NONE"
) -> None:
    column = layout.column(align=True)
    column.scale_y = 0.8
    room = in_pixels(context, width)
    for number, line in enumerate(lines(words[:MOST_LETTERS], room, letter_size(context), SHOWN_LINES)):
        column.label(text=line, icon=icon if number == 0 else "BLANK1" if icon != "NONE" else "NONE")


classes = (FLUXDEPTH_OT_restore, FLUXDEPTH_OT_restore_from_file, FLUXDEPTH_FH_picture)
register, unregister = bpy.utils.register_classes_factory(classes)
