"""The same picture asked for again: it is offered back from the journal, for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from .core.errors import InputError

if TYPE_CHECKING:
    from .core.job import Job
    from .core.models import Model


def offer(context: bpy.types.Context, job: Job, model: Model) -> None:
    """Ask what to do instead of paying twice; raises InputError where there is no window to ask in."""
    happened = "This very picture was painted already" if job.is_final else "This very picture is on its way already"
    if bpy.app.background:
        raise InputError(f"{happened}, as job {job.id}. Nothing was sent: set “anew” to pay for it again.")

    def draw(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
        if job.is_final:
            menu.layout.operator("flux_depth.use", text="Use It  ·  free", icon="CHECKMARK").job_id = job.id
        again = menu.layout.operator(
            "flux_depth.generate", text=f"Paint It Anew  ·  {model.price}", icon="RENDER_STILL"
        )
        again.anew, again.shown_model, again.shown_price = True, model.id, model.price

    context.window_manager.popup_menu(draw, title=happened, icon="INFO")
