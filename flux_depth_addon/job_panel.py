"""One job in the panel: how far it is, what came of it, and the button that helps when it failed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from . import batch, operators, placement, preferences, switch, unfinished
from .drawing import elapsed, in_pixels, is_narrow, room_in, say
from .properties import camera_of

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import IconItems

    from .core.job import Job

STEP_ICONS: dict[str, IconItems] = {
    "SUBMIT": "SORTTIME",
    "POLL": "SORTTIME",
    "DOWNLOAD": "IMPORT",
    "CANCEL": "CANCEL",
    "DONE": "IMAGE_DATA",
    "FAILED": "ERROR",
    "CANCELLED": "X",
}
STEP_WORDS = {"SUBMIT": "Sending", "POLL": "Painting", "DOWNLOAD": "Fetching", "CANCEL": "Asking the provider to stop"}

LARGEST = 12
"""Blender's units: as far as a picture that is being painted grows with the sidebar."""

UNIT = 20
"""Pixels, at UI scale 1, of one."""


def draw_job(layout: bpy.types.UILayout, context: bpy.types.Context, job: Job) -> None:
    column = layout.column(align=True)
    batch.draw_batch(layout, context, job)
    icon = unfinished.icon_of(job)
    if not job.is_final:
        words = "In the queue" if job.step == "POLL" and job.is_queued else STEP_WORDS[job.step]
        say(column, context, f"{words}  ·  {elapsed(job.created)}", STEP_ICONS[job.step])
        if icon:
            column.template_icon(icon, scale=min(room_in(context, beside=60) / in_pixels(context, UNIT), LARGEST))
        stop = "Stop Waiting" if job.step == "CANCEL" else "Cancel"
        column.operator("flux_depth.cancel", text=stop, icon="X").job_id = job.id
        say(column, context, preferences.hindrance(job), "ERROR")
        return
    if job.discarded:
        say(column, context, "Deleted: its file is in the system's bin", "TRASH")
        return
    if job.result:
        _draw_places(column, context, job)
        say(column, context, _facts(job))
        return
    say(column, context, job.error_message, STEP_ICONS[job.step])
    if job.is_waiting_there or not job.retried_as:
        _draw_remedies(layout, context, job)


def _draw_places(column: bpy.types.UILayout, context: bpy.types.Context, job: Job) -> None:
    """Where the picture can be looked at; on two lines where one would cut the words off."""
    row = column.row(align=True)
    row.operator("flux_depth.show", icon="IMAGE_DATA").job_id = job.id
    second = column.row(align=True) if is_narrow(context) else row
    second.operator("flux_depth.put_behind", icon="CAMERA_DATA").job_id = job.id
    _draw_eye(second, camera_of(context.scene))
    batch.draw_star(row, job)
    row.operator("wm.path_open", text="", icon="FILE_FOLDER").filepath = str(Path(job.result).parent)


def _draw_remedies(layout: bpy.types.UILayout, context: bpy.types.Context, job: Job) -> None:
    """The one button that helps, then the same once more, and a report."""
    column = layout.column(align=True)
    if draw := REMEDIES.get(job.error_action):
        draw(column, context, job)
    row = column.row(align=True)
    _draw_retry(row, job)
    row.operator("flux_depth.copy_report", text="", icon="COPYDOWN").job_id = job.id


def _draw_retry(row: bpy.types.UILayout, job: Job) -> None:
    price = operators.price_of_retry(job)
    verb = "Fetch" if job.is_waiting_there else "Retry"
    button = row.operator("flux_depth.retry", text=f"{verb}  ·  {price}", icon="FILE_REFRESH")
    button.job_id, button.shown_model, button.shown_price = job.id, job.request.model, price


def _draw_preferences(column: bpy.types.UILayout, _context: bpy.types.Context, _job: Job) -> None:
    column.operator("flux_depth.open_preferences", icon="PREFERENCES")


def _draw_online(column: bpy.types.UILayout, _context: bpy.types.Context, _job: Job) -> None:
    column.operator("extensions.userpref_show_online", text="Allow Online Access", icon="INTERNET_OFFLINE")


def _draw_account(column: bpy.types.UILayout, _context: bpy.types.Context, job: Job) -> None:
    column.operator("flux_depth.open_account", icon="URL").job_id = job.id


def _draw_models(column: bpy.types.UILayout, context: bpy.types.Context, job: Job) -> None:
    switch.draw_instead(column, context, job)
    column.prop_menu_enum(context.scene.flux_depth, "model", text="Choose Another Model")


def _draw_settings(column: bpy.types.UILayout, _context: bpy.types.Context, _job: Job) -> None:
    column.popover("FLUXDEPTH_PT_model_view3d", text="Change Settings", icon="PREFERENCES")


def _draw_report(column: bpy.types.UILayout, _context: bpy.types.Context, job: Job) -> None:
    column.operator("flux_depth.copy_report", icon="COPYDOWN").job_id = job.id


REMEDIES = {
    "preferences": _draw_preferences,
    "online": _draw_online,
    "account": _draw_account,
    "model": _draw_models,
    "settings": _draw_settings,
    "report": _draw_report,
}
"""By the action of the cause, the button that helps; to retry has a button in any case."""


def _draw_eye(row: bpy.types.UILayout, camera: bpy.types.Object | None) -> None:
    """Our background on or off, in one click."""
    if camera and (slot := placement.slot_of(camera)):
        icon: IconItems = "HIDE_OFF" if slot.show_background_image else "HIDE_ON"
        row.prop(slot, "show_background_image", text="", icon=icon)


def _facts(job: Job) -> str:
    seed = f"  ·  seed {job.seed}" if job.seed is not None else ""
    cost = f"${job.cost_usd:g}" if job.cost_usd else "free"
    return f"{job.width} × {job.height}{seed}  ·  {cost}"
