"""The very same picture asked for again: it is offered back from the journal, for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty, StringProperty

from . import placement, watch
from .button import JobButton
from .core.errors import InputError

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

    from .core.job import Job


def offer(job: Job, price: str) -> None:
    """Ask what to do instead of paying twice; raises InputError where there is nothing to choose, or nobody to ask."""
    if not job.is_final:
        raise InputError("This very picture is on its way already. Nothing was sent: change the seed for another.")
    if bpy.app.background:
        raise InputError(
            f"This very picture was painted already, as job {job.id}. Nothing was sent: set “anew” to pay for it again."
        )
    bpy.ops.flux_depth.use("INVOKE_DEFAULT", job_id=job.id, price=price)


class FLUXDEPTH_OT_use(JobButton):
    """Show the picture where this scene wants its pictures"""

    bl_idname = "flux_depth.use"
    bl_label = "Use It"
    bl_options = {"UNDO"}  # with REGISTER, a change in Adjust Last Operation would pay

    anew: BoolProperty(
        name="Paint it anew and pay for it", description="Send the very same request again", options={"SKIP_SAVE"}
    )
    price: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[OperatorReturnItems]:
        """A dialog that is free unless it is told otherwise."""
        return context.window_manager.invoke_props_dialog(self, width=340, title="You Have This Picture")

    def draw(self, _context: bpy.types.Context) -> None:
        self.layout.label(text="It was painted with this prompt, seed and depth: use it, free", icon="CHECKMARK")
        self.layout.prop(self, "anew", text=f"Paint it anew for {self.price}")

    def run(self, _context: bpy.types.Context) -> None:
        job = watch.journal().get(self.job_id)
        if self.anew:
            shown = {"shown_model": job.request.model, "shown_price": self.price}
            bpy.ops.flux_depth.generate("INVOKE_DEFAULT", anew=True, confirmed=True, **shown)
        else:
            placement.place(job)


register, unregister = bpy.utils.register_classes_factory((FLUXDEPTH_OT_use,))
