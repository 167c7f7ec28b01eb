"""The history in the tab: every picture ever made, small, in a list that Blender scrolls; and what is known of one."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, IntProperty, PointerProperty, StringProperty

from . import gallery, staleness
from .drawing import Part, is_narrow, letter_size, lines, one_line, room_in, say
from .properties import camera_of
from .stored_text import text

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import IconItems

    from .core.history import Search
    from .core.job import Job

PROMPT_LETTERS = 200
PROMPT_LINES = 3
UNIT = 20
"""Pixels, at UI scale 1, of Blender's unit: a row of size 4 is four units high, and its small picture as wide."""

BESIDE = 92
"""Of the sidebar's width, what is taken by its edges, its tabs, the list's own, and a star."""

EDGES = 34
"""What a label takes besides its letters, in a row of a list."""

LINE = 0.95
"""Units: the height of a line of words beside a small picture."""


def _get_scene(filters: "FLUXDEPTH_PG_history") -> bool:
    return bool(text(filters, "scene"))


def _set_scene(filters: "FLUXDEPTH_PG_history", on: bool) -> None:
    filters.scene = text(bpy.context.scene) if on else ""


def _get_camera(filters: "FLUXDEPTH_PG_history") -> bool:
    return bool(text(filters, "camera"))


def _set_camera(filters: "FLUXDEPTH_PG_history", on: bool) -> None:
    camera = camera_of(bpy.context.scene)
    filters.camera = text(camera) if on and camera else ""


class FLUXDEPTH_PG_found(bpy.types.PropertyGroup):
    """A row of the history; which picture it shows is known by its place"""


class FLUXDEPTH_PG_history(bpy.types.PropertyGroup):
    """What is looked for in the history"""

    words: StringProperty(
        name="Search",
        description="Words that are in the prompt, in any order",
        options={"TEXTEDIT_UPDATE"},
    )
    scene: StringProperty(options={"HIDDEN"})
    camera: StringProperty(options={"HIDDEN"})
    this_scene: BoolProperty(
        name="This Scene", description="Only pictures of a scene of this name", get=_get_scene, set=_set_scene
    )
    this_camera: BoolProperty(
        name="This Camera", description="Only pictures of a camera of this name", get=_get_camera, set=_set_camera
    )
    favourites: BoolProperty(name="Favourites", description="Only pictures with a star")
    size: IntProperty(name="Size", description="How large the small pictures are", default=4, min=3, max=8)
    rows: CollectionProperty(type=FLUXDEPTH_PG_found)
    row: IntProperty(
        name="Picture",
        description="Click to show it in an open Image Editor, double-click to lay it on its camera",
        get=lambda _filters: gallery.row(),
        set=lambda _filters, number: gallery.click(number),
    )


class FLUXDEPTH_UL_history(bpy.types.UIList):
    """Small pictures, and what was asked"""

    def draw_item(  # Blender counts the arguments
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: FLUXDEPTH_PG_history,
        _item: FLUXDEPTH_PG_found,
        _icon: int,
        _active_data: FLUXDEPTH_PG_history,
        _active_property: str,
        index: int,
    ) -> None:
        if index < len(gallery.found):
            _draw_row(layout, context, gallery.found[index], data.size)


class History(Part):
    """Every picture that was ever made"""

    bl_label = "History"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, filters = self.layout, gallery.settings(context.window_manager)
        gallery.look(_search(filters), len(filters.rows))
        _draw_filters(layout, context, filters)
        if gallery.found:
            column, rows = layout.column(), min(_rows(filters.size), len(gallery.found))
            column.scale_y = filters.size  # which makes the whole row high, and all of it can be clicked
            column.template_list("FLUXDEPTH_UL_history", "", filters, "rows", filters, "row", rows=rows, maxrows=rows)
        _draw_count(layout, filters)
        say(layout, context, gallery.problem, "ERROR")
        job = gallery.entry(gallery.chosen) if gallery.row() >= 0 else None
        if job:
            _draw_chosen(layout, context, job)


def _search(filters: FLUXDEPTH_PG_history) -> "Search":
    from .core.history import Search

    words, scene, camera = (text(filters, name) for name in ("words", "scene", "camera"))
    return Search(words=words, scene=scene, camera=camera, favourite=filters.favourites)


def _rows(size: int) -> int:
    """About as high whatever the size."""
    return max(16 // size, 2)


def _draw_filters(layout: bpy.types.UILayout, context: bpy.types.Context, filters: FLUXDEPTH_PG_history) -> None:
    row = layout.row(align=True)
    row.prop(filters, "words", text="", icon="VIEWZOOM", placeholder="Words of the prompt")
    row.prop(filters, "favourites", text="", icon="SOLO_ON" if filters.favourites else "SOLO_OFF")
    camera = camera_of(context.scene)
    named = text(camera) if camera else "No Camera"
    scene, view = _pair(layout.column(align=True), context)
    labels = text(filters, "scene") or text(context.scene), text(filters, "camera") or named
    scene.prop(filters, "this_scene", text=labels[0], icon="SCENE_DATA", toggle=True)
    view.prop(filters, "this_camera", text=labels[1], icon="CAMERA_DATA", toggle=True)


def _draw_count(layout: bpy.types.UILayout, filters: FLUXDEPTH_PG_history) -> None:
    number = len(gallery.found)
    row = layout.row()
    row.label(text=f"{number:,} picture{'s' * (number != 1)}" if number else "None found")
    row.prop(filters, "size")


def _draw_row(layout: bpy.types.UILayout, context: bpy.types.Context, job_id: str, size: int) -> None:
    """The small picture, words where there is room for some, and the star."""
    job, narrow = gallery.entry(job_id), is_narrow(context)
    room, side = room_in(context, beside=BESIDE + UNIT * size), room_in(context, beside=BESIDE)
    parts = layout.split(factor=0.7 if narrow else max(1 - room / side, 0.1))
    if job is None:
        parts.label(text="")
        return
    _draw_picture(parts.row(), job)
    row = parts.row()
    words = row.column(align=True)
    words.scale_y = LINE / size
    if not narrow:
        _draw_words(words, job, _prompt(context, job, size))
    end = row.column()
    end.scale_y = 1 / size
    star: IconItems = "SOLO_ON" if job.favourite else "SOLO_OFF"
    end.operator("flux_depth.toggle_favourite", text="", icon=star, emboss=False).job_id = job_id
    if narrow and job_id in gallery.stale:
        end.label(icon="TIME")


def _draw_picture(row: bpy.types.UILayout, job: "Job") -> None:
    row.active = job.id not in gallery.missing
    if icon := gallery.thumbnail(job.id):
        row.template_icon(icon, scale=1.0)
    else:
        row.label(icon="LIBRARY_DATA_BROKEN")


def _prompt(context: bpy.types.Context, job: "Job", size: int) -> tuple[str, ...]:
    room = room_in(context, beside=BESIDE + UNIT * size + EDGES)
    return lines(one_line(job.request.prompt[:PROMPT_LETTERS]), room, letter_size(context), size - 2)


def _draw_words(column: bpy.types.UILayout, job: "Job", prompt: tuple[str, ...]) -> None:
    """As many lines as the small picture is high."""
    for line in prompt:
        column.label(text=line)
    if job.id in gallery.missing:
        column.label(text="File gone", icon="LIBRARY_DATA_BROKEN")
    elif job.id in gallery.stale:
        column.label(text="Stale", icon="TIME")
    else:
        column.label(text=job.request.camera)
    column.label(text=_when(job, "%d %b %Y"))


def _draw_chosen(layout: bpy.types.UILayout, context: bpy.types.Context, job: "Job") -> None:
    say(layout, context, one_line(job.request.prompt), most=PROMPT_LINES)
    say(layout, context, _facts(job))
    if why := gallery.stale.get(job.id):
        say(layout, context, f"Stale: {staleness.REASONS[why][0].lower()}{staleness.REASONS[why][1:]}", "TIME")
    column = layout.column(align=True)
    one, two = _pair(column, context)
    one.operator("flux_depth.show", icon="IMAGE_DATA").job_id = job.id
    two.operator("flux_depth.put_behind", icon="CAMERA_DATA").job_id = job.id
    one, two = _pair(column, context)
    one.operator("flux_depth.jump_back", icon="LOOP_BACK").job_id = job.id
    two.operator("flux_depth.restore_job", icon="FILE_REFRESH").job_id = job.id
    if gallery.stale.get(job.id) in {"gone", "camera"} and job.request.camera_matrix:
        column.operator("flux_depth.camera_as_it_was", icon="OUTLINER_OB_CAMERA").job_id = job.id
    row = column.row(align=True)
    row.operator("flux_depth.discard", icon="TRASH").job_id = job.id
    row.operator("wm.path_open", text="", icon="FILE_FOLDER").filepath = str(Path(job.result).parent)


def _pair(column: bpy.types.UILayout, context: bpy.types.Context) -> tuple[bpy.types.UILayout, bpy.types.UILayout]:
    """Places of two buttons: beside each other where their words fit."""
    if is_narrow(context):
        return column, column
    row = column.row(align=True)
    return row, row


def _facts(job: "Job") -> str:
    asked = job.request
    seed = [f"seed {job.seed}"] if job.seed is not None else []
    cost = f"${job.cost_usd:g}" if job.cost_usd else "free"
    where = [name for name in (asked.scene, asked.camera) if name] + [f"frame {asked.frame:g}"]
    size = f"{job.width} × {job.height}"
    return "  ·  ".join([size, *seed, asked.model.partition(":")[2] or asked.model, *where, _when(job), cost])


def _when(job: "Job", form: str = "%d %b %Y  %H:%M") -> str:
    return time.strftime(form, time.localtime(job.created))


classes = (FLUXDEPTH_PG_found, FLUXDEPTH_PG_history, FLUXDEPTH_UL_history)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(classes)


def register() -> None:
    """Hang what is looked for on the window manager, which is not saved."""
    _register_classes()
    owner: Any = bpy.types.WindowManager
    owner.flux_depth_history = PointerProperty(type=FLUXDEPTH_PG_history, options={"SKIP_SAVE"})
    gallery.register()


def unregister() -> None:
    """Take it down."""
    gallery.unregister()
    owner: Any = bpy.types.WindowManager
    del owner.flux_depth_history
    _unregister_classes()
