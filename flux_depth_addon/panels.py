"""What the artist sees. Everything here draws from memory: no disk, no network, no database."""

from functools import lru_cache
from typing import TYPE_CHECKING

import bpy

from . import model_panel, obstacles, preferences, start_picture, watch
from .addresses_panel import draw_consent
from .chips import draw_beside_prompt
from .core.errors import InputError
from .core.models import Model, Provider
from .depth_panel import Depth
from .drawing import Part, elapsed, in_columns, one_line, say
from .faithfulness import draw_dial
from .gallery_panel import History
from .job_panel import STEP_ICONS, draw_job
from .keep_panel import FLUXDEPTH_UL_keep, Keep
from .loras import draw_sent_with
from .model_panel import draw_estimates
from .notices import draw_money, draw_notices
from .prices import price_of
from .project_panel import Project
from .prompt import draw_prompt
from .properties import framing_of, model_of, model_or_none, request_of
from .restore import Restore
from .result_panel import Compare, Result
from .shot_panel import Shot
from .stored_text import text as name_of
from .switch import draw_warning, request_or_none
from .variations_panel import Variations

if TYPE_CHECKING:
    from .core.disclosure import Disclosure
    from .core.request import Request


class _Tab:
    bl_category = "FLUX Depth"
    bl_region_type = "UI"


class _View3D(_Tab):
    bl_space_type = "VIEW_3D"


class _ImageEditor(_Tab):
    bl_space_type = "IMAGE_EDITOR"


class _Main(Part):
    bl_label = "FLUX Depth"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.flux_depth
        model = model_or_none(settings)
        request = request_or_none(context) if model else None  # once for all that is said of it below
        if model and not preferences.has_key(model.provider):
            _draw_doors(layout, context, model.provider)
        column = layout.column()
        draw_prompt(column, context)
        draw_sent_with(column, context, model)
        draw_beside_prompt(column, context)
        column.prop(settings, "model", text="")
        draw_dial(column, context)
        if model is None:
            say(layout, context, obstacles.obstacle(context), "ERROR")
        else:
            draw_warning(layout, context, model, request)
        draw_estimates(layout, context, model)
        if problem := preferences.table_problem():
            say(layout, context, problem, "ERROR")
        _draw_generate(layout, context, model, request)
        draw_money(layout, context)


class _Jobs(Part):
    bl_label = "Pictures"

    def draw(self, context: bpy.types.Context) -> None:
        owner = context.window_manager
        draw_notices(self.layout, context)
        if not owner.flux_depth_jobs:
            self.layout.label(text="None yet", icon="IMAGE_DATA")
            return
        self.layout.template_list(
            "FLUXDEPTH_UL_jobs", "", owner, "flux_depth_jobs", owner, "flux_depth_job", rows=3, maxrows=6
        )
        if job := watch.chosen(owner):
            draw_job(self.layout, context, job)


class _Sent(Part):
    bl_label = "What Is Sent"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        if reason := obstacles.no_view(context):
            say(self.layout, context, reason, "INFO")
            return
        try:
            model = model_of(context.scene.flux_depth)
            sent = _disclosed(request_of(context), model, preferences.changes)
        except InputError as error:
            say(self.layout, context, obstacles.reason(error), "INFO")
            return
        _draw_disclosure(self.layout, context, sent, model)


@lru_cache(8)
def _disclosed(request: "Request", model: Model, _changes: int) -> "Disclosure":
    """Made once for each request: what a workflow sends stands in its file."""
    from .core.disclosure import disclosure  # only for whoever looks: it would make every start of Blender slower

    return disclosure(request, model)


class _Camera(Part):
    bl_label = "Camera"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.flux_depth
        in_columns(layout, context)
        layout.prop(settings, "camera")
        layout.prop(settings, "megapixels")
        _draw_size(layout, context)


class FLUXDEPTH_UL_jobs(bpy.types.UIList):
    """The newest pictures: what was asked, and how far it is"""

    def draw_item(  # Blender counts the arguments
        self,
        _context: bpy.types.Context,
        layout: bpy.types.UILayout,
        _data: bpy.types.WindowManager,
        item: bpy.types.PropertyGroup,
        _icon: int,
        _active_data: bpy.types.WindowManager,
        _active_property: str,
    ) -> None:
        job = watch.jobs.get(item.name)
        if job is None:
            return
        layout.label(text=one_line(job.request.prompt[:200]), icon=STEP_ICONS[job.step])
        if not job.is_final:
            layout.progress(factor=job.progress or 0.0, text=elapsed(job.created))
            layout.operator("flux_depth.cancel", text="", icon="X", emboss=False).job_id = job.id


def _draw_doors(layout: bpy.types.UILayout, context: bpy.types.Context, provider: Provider) -> None:
    box = layout.box()
    say(box, context, f"Enter the {provider.label} key", "KEYINGSET")
    row = box.row(align=True)
    row.prop(preferences.current(), f"key_{provider.name}", text="")
    row.operator("flux_depth.open_preferences", text="", icon="PREFERENCES")
    say(box, context, "Or try it now: free, offline, painted on this computer")
    box.operator("flux_depth.use_sandbox", icon="BRUSH_DATA")


def _draw_generate(
    layout: bpy.types.UILayout, context: bpy.types.Context, model: Model | None, request: "Request | None"
) -> None:
    column = layout.column()
    column.scale_y = 1.5
    price = price_of(context.scene, model) if model else ""
    text = f"Generate  ·  {price}" if price else "Generate"
    button = column.operator("flux_depth.generate", text=text, icon="RENDER_STILL")
    if model:
        button.shown_model, button.shown_price = model.id, price
    if not model or draw_consent(layout, context, model.provider) or not preferences.has_key(model.provider):
        return
    if preferences.offline_reason(model.provider):
        layout.operator("extensions.userpref_show_online", text="Allow Online Access", icon="INTERNET_OFFLINE")
    elif reason := obstacles.obstacle(context, request):
        say(layout, context, reason, "INFO")


def _draw_disclosure(layout: bpy.types.UILayout, context: bpy.types.Context, sent: "Disclosure", model: Model) -> None:
    say(layout, context, f"To {sent.host}" if sent.host else "To the sandbox, on this computer", "URL")
    shown = sent.picture, sent.picture_field, "Preview Clay" if sent.picture == "clay render" else "Preview Depth"
    say(layout, context, "The {} as “{}”, a PNG: {} shows it".format(*shown), "IMAGE_ZDEPTH")
    if image := start_picture.image_of(context.scene, model):
        say(layout, context, f"The start picture “{name_of(image, otherwise='?')}”, a PNG", "IMAGE_DATA")
    for name, value in sent.fields.items():
        say(layout, context, f"{name}: {value}", "DOT")
    if sent.key_header:
        say(layout, context, f"Your {model.provider.label} key, in the header {sent.key_header}", "KEYINGSET")
    say(layout, context, "Nothing else: no names, no folders, no scene, no statistics", "CHECKMARK")


def _draw_size(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    model = model_or_none(context.scene.flux_depth)
    if model is None or obstacles.no_view(context):
        return
    try:
        framing = framing_of(context.scene, model)
    except InputError as error:
        say(layout, context, str(error), "ERROR")
        return
    rounded = "" if model.sends_size else ", about: the provider chooses the size itself, and it is cut to the frame"
    say(layout, context, f"{framing.crop_width} × {framing.crop_height} pixels{rounded}", "IMAGE_DATA")


def _draw_status(header: bpy.types.Header, _context: bpy.types.Context) -> None:
    waiting = len(watch.on_their_way())
    if waiting:
        header.layout.label(text=f"FLUX Depth: {waiting} picture{'s' * (waiting > 1)} on the way", icon="SORTTIME")


def _panel(space: type, part: type[Part], number: int) -> type:
    """A part of the tab, as the panel of one editor."""
    place = "view3d" if space is _View3D else "image"
    name = f"FLUXDEPTH_PT_{part.__name__.strip('_').lower()}_{place}"
    fields = {"bl_idname": name, "bl_label": part.bl_label, "bl_order": number}
    return type(name, (space, part, bpy.types.Panel), fields)


PARTS = (
    *(_Main, _Jobs, Variations, Shot, History),
    *(Depth, _Camera, model_panel.Model),
    *(Result, Compare, Keep, Project, Restore, _Sent),
)
classes = (
    FLUXDEPTH_UL_jobs,
    FLUXDEPTH_UL_keep,
    *(_panel(space, part, number) for space in (_View3D, _ImageEditor) for number, part in enumerate(PARTS)),
)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(classes)


def register() -> None:
    """Show the panels, and what runs in the status bar."""
    _register_classes()
    bpy.types.STATUSBAR_HT_header.append(_draw_status)


def unregister() -> None:
    """Take them down."""
    bpy.types.STATUSBAR_HT_header.remove(_draw_status)
    _unregister_classes()
