"""What the buttons do. Thin: the work is in plain functions elsewhere, and every failure ends here as one sentence."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.app.handlers import persistent
from bpy.props import BoolProperty

from . import obstacles, offer, output, placement, preferences, watch
from .button import Button, JobButton, PaidButton
from .core.errors import InputError
from .properties import (
    camera_of,
    choice_of,
    depth_settings_of,
    framing_of,
    model_of,
    model_or_none,
    request_of,
)

if TYPE_CHECKING:
    from PIL.Image import Image as PictureImage

    from .core.depth_map import DepthSettings, Verdict
    from .core.framing import Framing
    from .core.job import Job

PREVIEW = "FLUX Depth Preview"
verdicts: dict[int, "Verdict"] = {}
"""By the scene's id for this session, what the last preview found; forgotten with the file."""


class FLUXDEPTH_OT_preview_depth(Button):
    """Render the depth map into the Image Editor. Free, and nothing leaves this computer"""

    bl_idname = "flux_depth.preview_depth"
    bl_label = "Preview Depth"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _allowed(cls, obstacles.no_view(context))

    def run(self, context: bpy.types.Context) -> None:
        scene, settings = context.scene, context.scene.flux_depth
        framing, depth = framing_of(scene, model_of(settings)), depth_settings_of(scene)
        picture, verdict = _depth_map(context, framing, depth, choice_of(settings, "engine"))
        verdicts[scene.session_uid] = verdict
        placement.show_in_editor(_preview_image(picture), open_one=True)
        self.report({"INFO"} if verdict.good else {"WARNING"}, verdict.sentence)


class FLUXDEPTH_OT_follow_advice(Button):
    """Set near and far as the preview advises, and preview again"""

    bl_idname = "flux_depth.follow_advice"
    bl_label = "Set It So"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        verdict = verdicts.get(context.scene.session_uid)
        return _allowed(cls, "" if verdict and verdict.better else "The preview advises nothing")

    def run(self, context: bpy.types.Context) -> None:
        from .capture import metres

        settings, better = context.scene.flux_depth, verdicts[context.scene.session_uid].better
        for end in ("near", "far"):
            distance = getattr(better, end)
            setattr(settings, f"use_{end}", distance is not None)
            setattr(settings, end, (distance or 0) / metres(context.scene) or getattr(settings, end))
        FLUXDEPTH_OT_preview_depth.run(self, context)


class FLUXDEPTH_OT_generate(PaidButton):
    """Render the depth of the camera's view, send it with the prompt, and go on working while the picture is made"""

    bl_idname = "flux_depth.generate"
    bl_label = "Generate"

    anew: BoolProperty(description="Paint again what was painted with this very seed", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _allowed(cls, obstacles.obstacle(context))

    def question(self, context: bpy.types.Context) -> str:
        """A price above what the preferences let pass without a word."""
        model = model_or_none(context.scene.flux_depth)
        return f"This costs {model.price}." if model and model.price_usd > preferences.asks_above() else ""

    def run(self, context: bpy.types.Context) -> None:
        from .core.depth_map import png
        from .core.request import fingerprint

        asked = time.time()
        request = request_of(context)  # once: what the render below may change in the scene is not asked again
        model = preferences.table()[request.model]
        self.check_shown(model, model.price)
        path, origin = output.output_of(request), output.origin()
        picture, _verdict = _depth_map(context, request.framing, request.depth, request.engine)
        control = png(picture)
        same = watch.journal().same_as(fingerprint(request, control)) if request.seed and not self.anew else None
        if same:
            offer.offer(same, model.price)
            return
        job = watch.journal().add(
            request,
            control,
            price_usd=model.price_usd,
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
    """Stop waiting for this picture. What was already sent stays paid"""

    bl_idname = "flux_depth.cancel"
    bl_label = "Cancel"

    def run(self, _context: bpy.types.Context) -> None:
        job = watch.journal().cancel(self.job_id)
        watch.refresh()
        self.report({"INFO"}, job.error_message or "It was already finished")


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
        limits = {"price_usd": model.price_usd, "cap_usd": preferences.cap(), "free": job.is_waiting_there}
        job = watch.journal().retry(self.job_id, **limits)
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
        placement.put_behind(camera, placement.load(Path(job.result)))


def price_of_retry(job: "Job") -> str:
    """What it costs to try again, as a label: nothing while the provider may still have the picture."""
    model = preferences.table().models.get(job.request.model)
    return "free" if job.is_waiting_there or model is None else model.price


def _allowed(cls: type[bpy.types.Operator], reason: str) -> bool:
    if reason:
        cls.poll_message_set(reason)
    return not reason


def _depth_map(context: bpy.types.Context, framing: "Framing", depth: "DepthSettings", engine: str) -> tuple:
    from .capture import capture
    from .core.depth_map import control_image

    scene = context.scene
    z = capture(
        scene=scene,
        camera=camera_of(scene),
        view_layer=context.view_layer.name,
        framing=framing,
        engine=engine,
    )
    return control_image(z, depth)


def _preview_image(picture: "PictureImage") -> bpy.types.Image:
    """The picture as one image data-block that is used again and again.

    From a file: what is only in memory Blender would ask to save when it quits. Taken for sRGB, as the file is by who
    gets it, it shows on the screen the very values that are sent.
    """
    from .core.depth_map import png
    from .core.picture import write_whole

    path = preferences.data_folder() / "preview.png"
    try:
        write_whole(path, png(picture))
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}).") from None
    image = next((image for image in bpy.data.images if _shows(image, path)), None) or bpy.data.images.load(str(path))
    image.name = PREVIEW
    image.reload()
    return image


def _shows(image: bpy.types.Image, path: Path) -> bool:
    """Whether an image shows that file as it is: a stranger's may have its name, and show what is not sent."""
    as_it_is = image.source == "FILE" and image.colorspace_settings.name == "sRGB"
    altered = image.library or image.use_view_as_render or image.use_multiview
    here = os.path.normpath(bpy.path.abspath(image.filepath))
    return as_it_is and not altered and here == os.path.normpath(path)


classes = (
    FLUXDEPTH_OT_preview_depth,
    FLUXDEPTH_OT_follow_advice,
    FLUXDEPTH_OT_generate,
    FLUXDEPTH_OT_cancel,
    FLUXDEPTH_OT_retry,
    FLUXDEPTH_OT_show,
    FLUXDEPTH_OT_put_behind,
)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(classes)


@persistent
def _forget_verdicts(*_ignored: object) -> None:
    verdicts.clear()


def register() -> None:
    """Show the buttons to Blender."""
    _register_classes()
    bpy.app.handlers.load_post.append(_forget_verdicts)


def unregister() -> None:
    """Take them away."""
    bpy.app.handlers.load_post.remove(_forget_verdicts)
    _unregister_classes()
