"""Pictures that were asked for together: cancel the rest, keep favourites, lay all of them on one sheet."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import bpy
from bpy.props import StringProperty

from . import placement, preferences, watch
from .button import Button, JobButton, RenderingButton
from .core.errors import InputError
from .drawing import is_narrow

if TYPE_CHECKING:
    from collections.abc import Generator

    from bpy.stub_internal.rna_enums import IconItems
    from PIL.Image import Image as PictureImage

    from .core.contact_sheet import Tile
    from .core.job import Job
    from .core.models import Table

AT_A_TIME = 0.1
"""Seconds that a contact sheet is drawn for before Blender has its turn."""


class FLUXDEPTH_OT_toggle_favourite(JobButton):
    """Keep this picture among the favourites, or no longer"""

    bl_idname = "flux_depth.toggle_favourite"
    bl_label = "Favourite"

    def run(self, _context: bpy.types.Context) -> None:
        from .core.history import mark_favourite

        journal = watch.journal()
        favourite = not journal.get(self.job_id).favourite
        mark_favourite(journal.database, [self.job_id], favourite=favourite)
        watch.refresh()


class FLUXDEPTH_OT_cancel_batch(Button):
    """Stop waiting for all that was asked for together with this picture. What was already sent stays paid"""

    bl_idname = "flux_depth.cancel_batch"
    bl_label = "Cancel the Rest"

    batch: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def run(self, _context: bpy.types.Context) -> None:
        from .core.batch import cancel_batch, what_it_cost

        cancelled = cancel_batch(watch.journal(), self.batch, there=preferences.stops)
        watch.follow()
        watch.refresh()
        self.report({"INFO"}, what_it_cost(cancelled))


class FLUXDEPTH_OT_contact_sheet(RenderingButton):
    """Lay pictures small on one sheet, with seed, model and prompt below each. Written beside them"""

    bl_idname = "flux_depth.contact_sheet"
    bl_label = "Contact Sheet"

    doing = "Drawing the contact sheet  ·  {}  ·  Esc breaks off"
    broken_off = "No contact sheet was written"

    batch: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    job_ids: StringProperty(description="In place of a batch, with spaces between", options={"HIDDEN", "SKIP_SAVE"})

    def steps(self, _context: bpy.types.Context, *, beside: bool) -> Generator[str]:
        from .core.contact_sheet import tile_of, write_sheet

        jobs = [watch.journal().get(job_id) for job_id in self.job_ids.split() or ids_of(self.batch)]
        path = _sheet_path(jobs)
        tiles = [tile_of(job, label_of(job, preferences.table())) for job in jobs]
        sheet = yield from _in_turns(tiles)
        write_sheet(sheet, path)
        image = placement.load(path)
        image.reload()
        placement.show_in_editor(image, open_one=True)
        self.report({"INFO"}, f"Written to {path}")


def _in_turns(tiles: list[Tile]) -> Generator[str, None, PictureImage]:
    """The sheet; Blender has its turn now and then."""
    from .core.contact_sheet import drawing

    sheets, began = drawing(tiles, fonts()), time.monotonic()
    for number in range(1, len(tiles)):
        next(sheets)
        if time.monotonic() > began + AT_A_TIME:
            yield f"{number} of {len(tiles)}"
            began = time.monotonic()
    return next(sheets)


def ids_of(batch: str) -> list[str]:
    """The finished pictures of a batch, in the order in which they were asked for."""
    from .core.history import Search, found

    return found(watch.journal().database, Search(batch=batch))[::-1] if batch else []


def _sheet_path(jobs: list[Job]) -> Path:
    """Beside the first of its pictures; one sheet for a batch, which is drawn anew."""
    if not jobs:
        raise InputError("None of these pictures is finished: wait for the first.")
    name = jobs[0].batch if len({job.batch for job in jobs}) == 1 and jobs[0].batch else time.strftime("%Y%m%d-%H%M%S")
    folder = Path(jobs[0].result).parent
    return (folder if folder.is_dir() else preferences.data_folder()) / f"contact_sheet_{name}.jpg"


def label_of(job: Job, table: Table) -> str:
    """Of its model and whose that is, as the table has it now."""
    model = table.models.get(job.request.model)
    return model.name if model else job.request.model


def fonts() -> list[Path]:
    """Blender's own, in the order in which a letter is looked for: that of the window, then small ones before large."""
    folder = Path(cast("Any", bpy.utils).system_resource("DATAFILES", path="fonts") or ".")
    last = ("DejaVu", "lastresort")
    sized = [(file.name.startswith(last), file.stat().st_size, file) for file in folder.glob("*.woff2")]
    found = [file for _last, _size, file in sorted(sized)]
    return sorted(found, key=lambda file: not file.name.startswith("Inter"))


def draw_star(row: bpy.types.UILayout, job: Job) -> None:
    """The mark of a favourite, on or off."""
    icon: IconItems = "SOLO_ON" if job.favourite else "SOLO_OFF"
    row.operator("flux_depth.toggle_favourite", text="", icon=icon, depress=job.favourite).job_id = job.id


def draw_batch(layout: bpy.types.UILayout, context: bpy.types.Context, job: Job) -> None:
    """What can be done with all that was asked for together with this picture; nothing for a single one."""
    if not job.batch:
        return
    waiting = sum(other.batch == job.batch for other in watch.on_their_way())
    box = layout.column(align=True)
    row = box if is_narrow(context) else box.row(align=True)
    row.operator("flux_depth.contact_sheet", icon="IMGDISPLAY").batch = job.batch
    if waiting:
        row.operator("flux_depth.cancel_batch", text=f"Cancel the Rest ({waiting})", icon="X").batch = job.batch


classes = (FLUXDEPTH_OT_toggle_favourite, FLUXDEPTH_OT_cancel_batch, FLUXDEPTH_OT_contact_sheet)
register, unregister = bpy.utils.register_classes_factory(classes)
