"""What the buttons do. Thin: the work is in plain functions elsewhere, and every failure ends here as one sentence."""

import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.app.handlers import persistent
from bpy.props import StringProperty

from . import obstacles, output, placement, preferences, watch, worker_process
from .core.errors import FluxDepthError, InputError, JournalError
from .core.models import Model
from .properties import (
    camera_of,
    choice_of,
    depth_settings_of,
    framing_of,
    model_of,
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


class _Button(bpy.types.Operator):
    """An operator whose `run` may raise: the edge where errors become a report"""

    bl_options = set()  # not for Repeat Last, which would pay again

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            self.run(context)
        except (FluxDepthError, JournalError) as error:
            self.report({"ERROR"}, str(error).encode(errors="replace").decode())  # a path may be no text
            return {"CANCELLED"}
        except Exception as error:
            traceback.print_exc()
            self.report({"ERROR"}, f"FLUX Depth met an unexpected problem ({type(error).__name__}); see the console")
            return {"CANCELLED"}
        return {"FINISHED"}

    def run(self, context: bpy.types.Context) -> None:
        raise NotImplementedError


class _JobButton(_Button):
    job_id: StringProperty(options={"HIDDEN", "SKIP_SAVE"})


class _PaidButton(_Button):
    """A button that may spend: it does what it showed, or nothing. A script that calls it shows nothing"""

    shown_model: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    shown_price: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def check_shown(self, model: Model, price: str) -> None:
        """Raises InputError when the button was drawn with another model or another price than these."""
        if (self.shown_model or model.id, self.shown_price or price) == (model.id, price):
            return
        watch.redraw()
        raise InputError(
            f"What this button would do has changed since it was drawn: it is {price} with {model.label} now. "
            "Nothing was sent: look at it, and press again."
        )


class FLUXDEPTH_OT_preview_depth(_Button):
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


class FLUXDEPTH_OT_follow_advice(_Button):
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


class FLUXDEPTH_OT_generate(_PaidButton):
    """Render the depth of the camera's view, send it with the prompt, and go on working while the picture is made"""

    bl_idname = "flux_depth.generate"
    bl_label = "Generate"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _allowed(cls, obstacles.obstacle(context))

    def run(self, context: bpy.types.Context) -> None:
        from .core.depth_map import png

        request = request_of(context)  # once: what the render below may change in the scene is not asked again
        model = preferences.table()[request.model]
        self.check_shown(model, model.price)
        path, origin = output.output_of(request), output.origin()
        picture, _verdict = _depth_map(context, request.framing, request.depth, request.engine)
        job = watch.journal().add(request, png(picture), price_usd=model.price_usd, output=path, origin=origin)
        watch.start_worker()
        watch.follow(job)
        watch.refresh()
        context.window_manager.flux_depth_job = 0


class FLUXDEPTH_OT_cancel(_JobButton):
    """Stop waiting for this picture. What was already sent stays paid"""

    bl_idname = "flux_depth.cancel"
    bl_label = "Cancel"

    def run(self, _context: bpy.types.Context) -> None:
        job = watch.journal().cancel(self.job_id)
        watch.refresh()
        self.report({"INFO"}, job.error_message or "It was already finished")


class FLUXDEPTH_OT_retry(_JobButton, _PaidButton):
    """Try again: a picture that is already paid for is fetched for nothing, anything else is sent and paid anew"""

    bl_idname = "flux_depth.retry"
    bl_label = "Retry"

    def run(self, _context: bpy.types.Context) -> None:
        job = watch.journal().get(self.job_id)
        model = preferences.table()[job.request.model]
        obstacles.check_reachable(model, job)
        self.check_shown(model, price_of_retry(job))
        job = watch.journal().retry(self.job_id)
        watch.start_worker()
        watch.follow(job)
        watch.refresh()


class FLUXDEPTH_OT_show(_JobButton):
    """Show the picture in an Image Editor"""

    bl_idname = "flux_depth.show"
    bl_label = "Show"

    def run(self, _context: bpy.types.Context) -> None:
        image = placement.load(Path(watch.journal().get(self.job_id).result))
        placement.show_in_editor(image, open_one=True)


class FLUXDEPTH_OT_put_behind(_JobButton):
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


class FLUXDEPTH_OT_use_sandbox(_Button):
    """Use the sandbox: it paints from the depth on this computer, needs no key, and costs nothing"""

    bl_idname = "flux_depth.use_sandbox"
    bl_label = "Try the Sandbox"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> None:
        context.scene.flux_depth.model_id = "sandbox"


class FLUXDEPTH_OT_open_preferences(_Button):
    """Open this add-on's preferences"""

    bl_idname = "flux_depth.open_preferences"
    bl_label = "Open Preferences"

    def run(self, _context: bpy.types.Context) -> None:
        bpy.ops.preferences.addon_show(module=__package__)


class FLUXDEPTH_OT_open_folder(_Button):
    """Open the folder with the journal, its pictures, and a models.toml of your own"""

    bl_idname = "flux_depth.open_folder"
    bl_label = "Open the Add-on's Folder"

    def run(self, _context: bpy.types.Context) -> None:
        folder = preferences.data_folder()
        folder.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.path_open(filepath=str(folder))


class FLUXDEPTH_OT_test_connection(_Button):
    """Ask the provider a question that costs nothing, to see whether it can be reached and takes the key"""

    bl_idname = "flux_depth.test_connection"
    bl_label = "Test Connection"

    provider: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def run(self, _context: bpy.types.Context) -> None:
        provider = preferences.table().provider(self.provider)
        model = next(preferences.table().of(provider.name), None)
        if model is None:
            raise InputError(f"The table has no model of {provider.label} to ask for. Nothing was sent.")
        if reason := preferences.offline_reason(provider):
            raise InputError(f"{reason}. Nothing was sent.")
        watch.journal().note_connection(provider.name, "", good=True)
        watch.start_worker()
        worker_process.feed({"probe": model.id})
        watch.follow()


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
    FLUXDEPTH_OT_use_sandbox,
    FLUXDEPTH_OT_open_preferences,
    FLUXDEPTH_OT_open_folder,
    FLUXDEPTH_OT_test_connection,
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
