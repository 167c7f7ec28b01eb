"""What is done with a picture of the history: back to where it was made, back to its settings, into the bin."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from mathutils import Matrix

from . import placement, watch, windows
from .bin import throw_away
from .button import JobButton
from .core.errors import InputError
from .stored_text import text

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

    from .core.job import Job
    from .core.journal import Journal
    from .core.request import Request


class FLUXDEPTH_OT_jump_back(JobButton):
    """Go to the scene and the frame that this picture was made of, and look through its camera"""

    bl_idname = "flux_depth.jump_back"
    bl_label = "Jump Back"
    bl_options = {"UNDO"}

    def run(self, context: bpy.types.Context) -> None:
        request = watch.journal().get(self.job_id).request
        scene = _go_to_scene(context, request)
        camera: bpy.types.Object | None = scene.objects.get(request.camera)
        if camera is None or camera.type != "CAMERA":
            raise InputError(
                f"The camera “{request.camera}” is not in this scene any more: make one as it was, or look yourself."
            )
        _look_through(context, scene, camera, request)


class FLUXDEPTH_OT_camera_as_it_was(JobButton):
    """Add a camera where this picture's camera stood, go to its frame, and look through it. The others stay"""

    bl_idname = "flux_depth.camera_as_it_was"
    bl_label = "Camera as It Was"
    bl_options = {"UNDO"}

    def run(self, context: bpy.types.Context) -> None:
        request = watch.journal().get(self.job_id).request
        if not request.camera_matrix:
            raise InputError("This picture is of a version that did not note where the camera stood.")
        scene = _go_to_scene(context, request)
        like = scene.objects.get(request.camera) or scene.camera
        known = like is not None and like.type == "CAMERA"
        lens = like.data.copy() if known else bpy.data.cameras.new(request.camera or "Camera")
        camera = bpy.data.objects.new(f"{request.camera or 'Camera'} as It Was", lens)
        lens.animation_data_clear()
        scene.collection.objects.link(camera)
        row = request.camera_matrix
        camera.matrix_world = Matrix([row[0:4], row[4:8], row[8:12], row[12:16]])
        _look_through(context, scene, camera, request)
        self.report({"INFO"}, "The camera stands where it stood, with the lens of the one that is here now")


class FLUXDEPTH_OT_restore_job(JobButton):
    """Set prompt, seed, model, guidance and depth as they were for this picture"""

    bl_idname = "flux_depth.restore_job"
    bl_label = "Restore Settings"
    bl_options = {"UNDO"}

    def run(self, context: bpy.types.Context) -> None:
        from . import restore

        job = watch.journal().get(self.job_id)
        # the seed that was used, also where it was left to the provider
        kept = restore.apply(context.scene, replace(job.request, seed=job.seed))
        self.report({"WARNING"} if kept else {"INFO"}, " ".join(["The settings are as they were.", *kept]))


class FLUXDEPTH_OT_discard(JobButton):
    """Move this picture's file into the system's bin. What it cost stays in the sums"""

    bl_idname = "flux_depth.discard"
    bl_label = "Delete"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """A click is asked about; a script is not."""
        path = Path(watch.journal().get(self.job_id).result)
        shown = any(placement.shows(image, path) for image in bpy.data.images)
        used = " This file shows it: it will be missing there." if shown else ""
        return context.window_manager.invoke_confirm(
            self,
            event,
            title="Delete Picture",
            message=f"{path.name} goes to the system's bin.{used}",
            confirm_text="Delete",
            icon="WARNING",
        )

    def run(self, _context: bpy.types.Context) -> None:
        discard(watch.journal(), watch.journal().get(self.job_id))
        watch.refresh()
        windows.redraw()


def discard(journal: Journal, job: Job) -> None:
    """Its file, and the one beside it that tells of it, into the bin; the journal keeps its row. Raises InputError."""
    from .core import history
    from .core.provenance import sidecar_of

    path = Path(job.result)
    throw_away([path, sidecar_of(path)])
    history.discard(journal.database, [job.id])


def _go_to_scene(context: bpy.types.Context, request: Request) -> bpy.types.Scene:
    scene = next((scene for scene in bpy.data.scenes if text(scene) == request.scene), None)
    if scene is None:
        raise InputError(f"There is no scene “{request.scene}” in this file: open {request.blend or 'the file'} first.")
    if context.window:
        context.window.scene = scene
    scene.frame_set(int(request.frame // 1), subframe=request.frame % 1)
    return scene


def _look_through(
    context: bpy.types.Context, scene: bpy.types.Scene, camera: bpy.types.Object, request: Request
) -> None:
    """In the 3D View that was clicked in, or in the largest; what is made next is made from there too."""
    scene.camera = camera
    if scene.flux_depth.camera:
        scene.flux_depth.camera = camera
    views = [area for area in windows.areas() if area.type == "VIEW_3D"]
    largest = max(views, key=lambda area: area.width * area.height, default=None)
    if here := context.area if context.area in views else largest:
        here.spaces.active.region_3d.view_perspective = "CAMERA"


classes = (FLUXDEPTH_OT_jump_back, FLUXDEPTH_OT_camera_as_it_was, FLUXDEPTH_OT_restore_job, FLUXDEPTH_OT_discard)
register, unregister = bpy.utils.register_classes_factory(classes)
