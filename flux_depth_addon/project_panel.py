"""The Project panel: the chosen picture onto what its camera sees, and the projections that are there."""

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import bpy
from bpy.props import IntProperty

from . import watch, windows
from .button import Button, JobButton
from .core.errors import InputError
from .drawing import Part, in_columns, one_line, say
from .projection_data import settings_of
from .stored_text import text

if TYPE_CHECKING:
    from .core.job import Job
    from .projection_data import FLUXDEPTH_PG_projecting
    from .projection_view import Source

LETTERS = 40
"""Of a prompt, shown."""

LISTED = 24
"""Projections: a stranger's file can hold any number."""


class FLUXDEPTH_OT_project(JobButton):
    """Lay the picture on the surfaces that its camera sees, as a material. Remove brings back what was there"""

    bl_idname = "flux_depth.project"
    bl_label = "Project"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return cls.allowed(hindrance(context))

    def run(self, context: bpy.types.Context) -> None:
        from . import projection

        job = watch.journal().get(self.job_id) if self.job_id else watch.chosen(context.window_manager)
        chosen = context.selected_objects if settings_of(context.scene).onto == "SELECTED" else None
        outcome = projection.project(context.scene, context.view_layer, source_of(job), chosen)
        windows.redraw()
        self.report({"WARNING"} if outcome.left_out else {"INFO"}, outcome.sentence)


class FLUXDEPTH_OT_remove_projection(Button):
    """Take this picture off again: surfaces with no other look as they did before"""

    bl_idname = "flux_depth.remove_projection"
    bl_label = "Remove"
    bl_options = {"UNDO"}

    number: IntProperty(options={"HIDDEN", "SKIP_SAVE"})

    def run(self, context: bpy.types.Context) -> None:
        from . import projection

        settings = settings_of(context.scene)
        if not 0 <= self.number < len(settings.projections):
            raise InputError("This projection was removed already.")
        projection.remove(settings, settings.projections[self.number])
        windows.redraw()


class FLUXDEPTH_OT_remove_projections(Button):
    """Take all pictures off the surfaces of this scene: every object looks as it did before"""

    bl_idname = "flux_depth.remove_projections"
    bl_label = "Remove All"
    bl_options = {"UNDO"}

    def run(self, context: bpy.types.Context) -> None:
        from . import projection

        projection.remove_all(context.scene)
        windows.redraw()


class Project(Part):
    """A picture as a material on what its camera sees"""

    bl_label = "Project"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, settings_of(context.scene)
        reason = hindrance(context)
        say(layout, context, reason or _told(watch.chosen(context.window_manager)), "INFO" if reason else "IMAGE_DATA")
        in_columns(layout, context)
        layout.row().prop(settings, "onto", expand=True)
        layout.operator("flux_depth.project", icon="MOD_UVPROJECT")
        if not settings.projections:
            return
        _draw_shading(layout, context)
        layout.row().prop(settings, "look", expand=True)
        if len(settings.projections) > 1:
            layout.prop(settings, "falloff")
        _draw_projections(layout, settings)


def hindrance(context: bpy.types.Context) -> str:
    """Why nothing can be projected now, or nothing."""
    job = watch.chosen(context.window_manager)
    if job is None or not job.result:
        return "Choose a picture that has arrived, in the list of pictures"
    camera: bpy.types.Object | None = context.scene.objects.get(job.request.camera)
    if camera is None or camera.type != "CAMERA":
        return f"This scene has no camera “{job.request.camera[:LETTERS]}”, from which the picture was painted"
    if settings_of(context.scene).onto == "SELECTED" and not context.selected_objects:
        return "Select what to project onto, or choose All Seen"
    return ""


def source_of(job: "Job") -> "Source":
    """What a job's picture is projected from. Raises InputError."""
    from .capture import Engine
    from .projection_view import Source

    if not job.result:
        raise InputError("This job has no picture to project.")
    request = job.request
    engine: Engine = next((each for each in get_args(Engine) if each == request.engine), "WORKBENCH")
    title = _title(job)
    return Source(Path(job.result), request.camera, request.frame, engine, request.camera_matrix, title)


def _told(job: "Job") -> str:
    return f"{_title(job)}  ·  from {job.request.camera[:LETTERS]}"


def _title(job: "Job") -> str:
    """The beginning of its prompt."""
    prompt = one_line(job.request.prompt[: 2 * LETTERS])
    return prompt if len(prompt) <= LETTERS else f"{prompt[:LETTERS]}…"


def _draw_projections(layout: bpy.types.UILayout, settings: "FLUXDEPTH_PG_projecting") -> None:
    column = layout.box().column(align=True)
    for number, projection in enumerate(islice(settings.projections, LISTED)):
        row = column.row()
        row.label(text=f"{text(projection, 'camera')}  ·  {text(projection)}", icon="CAMERA_DATA")
        row.operator("flux_depth.remove_projection", text="", icon="X", emboss=False).number = number
    layout.operator("flux_depth.remove_projections", icon="TRASH")


def _draw_shading(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Solid shading shows no materials: say so, with Blender's own button for one that does."""
    if context.area.type != "VIEW_3D" or context.space_data.shading.type in {"MATERIAL", "RENDERED"}:
        return
    say(layout, context, "This view's shading shows no materials", "INFO")
    button = layout.operator("wm.context_set_enum", text="Material Preview", icon="SHADING_TEXTURE")
    button.data_path, button.value = "space_data.shading.type", "MATERIAL"


classes = (FLUXDEPTH_OT_project, FLUXDEPTH_OT_remove_projection, FLUXDEPTH_OT_remove_projections)
register, unregister = bpy.utils.register_classes_factory(classes)
