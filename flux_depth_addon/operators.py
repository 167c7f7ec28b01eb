"""What the buttons do. Thin: the work is in plain functions elsewhere, and every failure ends here as one sentence."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.app.handlers import persistent
from bpy.props import BoolProperty, EnumProperty

from . import depth_preview, obstacles, offer, output, placement, preferences, prices, staleness, start_picture, watch
from .button import Button, JobButton, PaidButton, RenderingButton, failure
from .core.errors import InputError
from .core.models import dollars
from .properties import camera_of, model_or_none, request_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from bpy.stub_internal.rna_enums import OperatorReturnItems

    from .core.job import Job


class FLUXDEPTH_OT_preview_depth(RenderingButton):
    """Render what would be sent into the Image Editor. Free, and nothing leaves this computer"""

    bl_idname = "flux_depth.preview_depth"
    bl_label = "Preview Depth"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return cls.allowed(obstacles.no_view(context))

    def steps(self, context: bpy.types.Context, *, beside: bool) -> "Generator[str]":
        return _preview(self, context, beside=beside)


class FLUXDEPTH_OT_follow_advice(RenderingButton):
    """Set near and far as the preview advises, and preview again"""

    bl_idname = "flux_depth.follow_advice"
    bl_label = "Set It So"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        verdict = depth_preview.verdicts.get(context.scene.session_uid)
        return cls.allowed("" if verdict and verdict.better else "The preview advises nothing")

    def steps(self, context: bpy.types.Context, *, beside: bool) -> "Generator[str]":
        from .capture import metres

        settings, better = context.scene.flux_depth, depth_preview.verdicts[context.scene.session_uid].better
        for end in ("near", "far"):
            distance = getattr(better, end)
            setattr(settings, f"use_{end}", distance is not None)
            setattr(settings, end, (distance or 0) / metres(context.scene) or getattr(settings, end))
        yield from _preview(self, context, beside=beside)


class FLUXDEPTH_OT_pick_depth(Button):
    """Click on what is to be this near or this far; with Ctrl, the whole object counts"""

    bl_idname = "flux_depth.pick_depth"
    bl_label = "Pick Depth"
    bl_options = {"UNDO"}

    end: EnumProperty(items=[("near", "Near", ""), ("far", "Far", "")], options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return cls.allowed(obstacles.no_view(context))

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> "set[OperatorReturnItems]":
        from .eyedropper import Eyedropper  # only for whoever picks: it would make every start of Blender slower

        self.eyedropper = Eyedropper(context, self.end)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> "set[OperatorReturnItems]":
        outcome: set[OperatorReturnItems] = set()
        if sentence := failure(lambda: outcome.update(self.eyedropper.handle(context, event))):
            self.report({"WARNING"}, sentence)
            outcome = {"CANCELLED"}
        if outcome & {"CANCELLED", "FINISHED"}:
            self.cancel(context)
        return outcome

    def cancel(self, context: bpy.types.Context) -> None:
        self.eyedropper.put_away(context)


class FLUXDEPTH_OT_generate(PaidButton, RenderingButton):
    """Render the depth of the camera's view, send it with the prompt, and go on working while the picture is made"""

    bl_idname = "flux_depth.generate"
    bl_label = "Generate"

    anew: BoolProperty(description="Paint again what was painted with this very seed", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return cls.allowed(obstacles.obstacle(context))

    def question(self, context: bpy.types.Context) -> str:
        """A price above what the preferences let pass without a word."""
        scene, model = context.scene, model_or_none(context.scene.flux_depth)
        dear = model and prices.usd_of(scene, model) > preferences.asks_above()
        return f"This costs {prices.price_of(scene, model)}." if model and dear else ""

    def execute(self, context: bpy.types.Context) -> "set[OperatorReturnItems]":
        """A script's call, or the end of Blender's own question, which lets no operator wait."""
        if self.asked:
            shown = {"shown_model": self.shown_model, "shown_price": self.shown_price}
            return bpy.ops.flux_depth.generate("INVOKE_DEFAULT", confirmed=True, anew=self.anew, **shown)
        return super().execute(context)

    def steps(self, context: bpy.types.Context, *, beside: bool) -> "Generator[str]":
        from .control_picture import as_sent
        from .core.request import fingerprint

        asked = time.time()
        request = request_of(context)  # once: what the render below may change in the scene is not asked again
        starts = start_picture.Starts(context.scene)
        request = starts.given(staleness.marked(request, context.scene))
        model = preferences.table()[request.model]
        usd = model.price_of(request.framing)
        self.check_shown(model, dollars(usd))
        path, origin = output.output_of(request), output.origin()
        view = depth_preview.view_of(context.scene, context.view_layer)
        z = yield from depth_preview.rendering(view, beside=beside)
        control, request, _verdict = as_sent(z, request)
        same = watch.journal().same_as(fingerprint(request, control)) if request.seed and not self.anew else None
        if same:
            offer.offer(same, dollars(usd))
            return
        job = watch.journal().add(
            request,
            control,
            start=starts.of(request),
            price_usd=usd,
            output=path,
            origin=origin,
            asked=asked,
            cap_usd=preferences.cap(),
        )
        watch.start_worker()
        watch.follow(job)
        watch.refresh()
        context.window_manager.flux_depth_job = 0


class FLUXDEPTH_OT_cancel(JobButton):
    """Stop waiting for this picture, and have its provider stop where it can. What was sent may stay paid"""

    bl_idname = "flux_depth.cancel"
    bl_label = "Cancel"

    def run(self, _context: bpy.types.Context) -> None:
        journal = watch.journal()
        job = journal.cancel(self.job_id, there=preferences.stops(journal.get(self.job_id)))
        watch.follow()
        watch.refresh()
        stopping = "" if job.is_final else "The provider is asked to stop; then it says here what that costs"
        self.report({"INFO"}, stopping or job.error_message or "It was already finished")


class FLUXDEPTH_OT_retry(JobButton, PaidButton):
    """Try again: a picture that is already paid for is fetched for nothing, anything else is sent and paid anew"""

    bl_idname = "flux_depth.retry"
    bl_label = "Retry"

    def question(self, _context: bpy.types.Context) -> str:
        """What it may cost, where the first may have cost something too."""
        job = watch.jobs.get(self.job_id)
        if job is None or job.charged != "unknown" or job.is_waiting_there:
            return ""
        return f"The first may have been charged. This costs {price_of_retry(job)}, perhaps for the second time."

    def run(self, _context: bpy.types.Context) -> None:
        job = watch.journal().get(self.job_id)
        model = preferences.table()[job.request.model]
        obstacles.check_reachable(model, job)
        self.check_shown(model, price_of_retry(job))
        free = job.is_waiting_there
        usd = model.price_of(job.request.framing)
        job = watch.journal().retry(self.job_id, price_usd=usd, cap_usd=preferences.cap(), free=free)
        watch.start_worker()
        watch.follow(job)
        watch.refresh()


class FLUXDEPTH_OT_show(JobButton):
    """Show the picture in an Image Editor"""

    bl_idname = "flux_depth.show"
    bl_label = "Show"

    def run(self, _context: bpy.types.Context) -> None:
        image = placement.load(Path(watch.journal().get(self.job_id).result))
        placement.show_in_editor(image, open_one=True)


class FLUXDEPTH_OT_put_behind(JobButton):
    """Lay the picture on the frame of the camera it was made from"""

    bl_idname = "flux_depth.put_behind"
    bl_label = "On Camera"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> None:
        job = watch.journal().get(self.job_id)
        camera = context.scene.objects.get(job.request.camera) or camera_of(context.scene)
        if camera is None or camera.type != "CAMERA":
            raise InputError("There is no camera here to lay it on.")
        placement.put_behind(camera, Path(job.result))


def price_of_retry(job: "Job") -> str:
    """What it costs to try again, as a label: nothing while the provider may still have the picture."""
    model = preferences.table().models.get(job.request.model)
    return "free" if job.is_waiting_there or model is None else dollars(model.price_of(job.request.framing))


def _preview(button: RenderingButton, context: bpy.types.Context, *, beside: bool) -> "Generator[str]":
    view = depth_preview.view_of(context.scene, context.view_layer)
    yield from depth_preview.rendering(view, beside=beside)
    verdict = depth_preview.show(depth_preview.scene_of(view), open_one=True)
    told = verdict.sentence if verdict else "This clay render is what would be sent"
    button.report({"INFO"} if verdict is None or verdict.good else {"WARNING"}, told)


classes = (
    FLUXDEPTH_OT_preview_depth,
    FLUXDEPTH_OT_follow_advice,
    FLUXDEPTH_OT_pick_depth,
    FLUXDEPTH_OT_generate,
    FLUXDEPTH_OT_cancel,
    FLUXDEPTH_OT_retry,
    FLUXDEPTH_OT_show,
    FLUXDEPTH_OT_put_behind,
)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(classes)


@persistent
def _forget_previews(*_ignored: object) -> None:
    depth_preview.forget()


def register() -> None:
    """Show the buttons to Blender."""
    _register_classes()
    bpy.app.handlers.load_post.append(_forget_previews)


def unregister() -> None:
    """Take them away."""
    bpy.app.handlers.load_post.remove(_forget_previews)
    _unregister_classes()
