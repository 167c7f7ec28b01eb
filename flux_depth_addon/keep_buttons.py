"""The buttons of what stays as rendered: the list, the mask, the picture with it, and the node group."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty

from . import placement, watch
from .button import Button
from .core.errors import InputError
from .keep import files_of, hindrance, kept_in, picture_chosen, settings_of, thing_of, view_of, view_through
from .properties import camera_of, framing_of, model_of
from .stored_text import text

if TYPE_CHECKING:
    from PIL.Image import Image

    from .keep_render import View

NOT_RENDERED = {"CAMERA", "LIGHT", "LIGHT_PROBE", "SPEAKER", "LATTICE", "ARMATURE"}
MASK, MASK_FILE = "FLUX Depth Mask", "mask.png"


class FLUXDEPTH_OT_keep_add(Button):
    """Add the selected objects to those that stay as rendered; an empty stands for its children"""

    bl_idname = "flux_depth.keep_add"
    bl_label = "Add Selected"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> None:
        settings = settings_of(context.scene)
        listed = {row.thing for row in settings.things}
        seen = [thing for thing in context.selected_objects if thing.type not in NOT_RENDERED]
        if not seen:
            raise InputError("Nothing is selected that a render would show: select the objects to keep.")
        for thing in seen:
            if thing not in listed:
                row = settings.things.add()
                row.name, row.thing = text(thing), thing
        settings.active = len(settings.things) - 1


class FLUXDEPTH_OT_keep_remove(Button):
    """Take the object off the list; with Shift, all that are no longer in the scene"""

    bl_idname = "flux_depth.keep_remove"
    bl_label = "Remove"
    bl_options = {"REGISTER", "UNDO"}

    gone: BoolProperty(name="All That Are Gone", options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Any:
        self.gone = event.shift
        return self.execute(context)

    def run(self, context: bpy.types.Context) -> None:
        settings, scene = settings_of(context.scene), context.scene
        for number in reversed(range(len(settings.things))):
            chosen = not thing_of(settings.things[number], scene) if self.gone else number == settings.active
            if chosen:
                settings.things.remove(number)
        settings.active = min(settings.active, max(len(settings.things) - 1, 0))


class FLUXDEPTH_OT_preview_mask(Button):
    """Show in white what would be kept: seen as the chosen picture is, or else as the scene stands. Free"""

    bl_idname = "flux_depth.preview_mask"
    bl_label = "Preview Mask"

    def run(self, context: bpy.types.Context) -> None:
        from . import depth_preview, keep_render

        things, told = kept_in(context.scene)
        picture = keep_render.mask(self._view(context), things)
        image = depth_preview.image_of(picture, MASK, MASK_FILE)
        placement.show_in_editor(image, open_one=True)
        if told:
            self.report({"WARNING"}, told)

    def _view(self, context: bpy.types.Context) -> "View":
        job = watch.chosen(context.window_manager)
        if job and job.result:
            return view_of(context.scene, job.request, (job.width, job.height))
        camera = camera_of(context.scene)
        if camera is None:
            raise InputError("The scene has no camera: add one, or make one active.")
        framing = framing_of(context.scene, model_of(context.scene.flux_depth))
        size = framing.crop_width, framing.crop_height
        return view_through(context.scene, camera, size, view_layer=context.view_layer.name)


class FLUXDEPTH_OT_keep(Button):
    """Render your scene once, with its own engine, and lay these objects over the chosen picture. Blender is busy
    meanwhile; nothing is sent"""

    bl_idname = "flux_depth.keep"
    bl_label = "Keep Them in the Chosen Picture"
    bl_options = {"UNDO"}  # with REGISTER, Adjust Last Operation would render again

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return cls.allowed(hindrance(context))

    def run(self, context: bpy.types.Context) -> None:
        from . import keep_render
        from .core.composite import laid_over, read

        job, (things, told) = picture_chosen(context), kept_in(context.scene)
        picture, files = read(Path(job.result)), files_of(Path(job.result))
        view = view_of(context.scene, job.request, picture.size)
        render = keep_render.kept(view, things)
        write(files.objects, render)
        write(files.picture, laid_over(picture, render), over=Path(job.result))
        reload(files.objects)
        show(context.scene, view.camera, files.picture)
        self.report({"WARNING"} if told else {"INFO"}, told or f"They lie over the picture in {files.picture.name}")


class FLUXDEPTH_OT_keep_nodes(Button):
    """Make a node group for the compositor that lays a render over a picture by a mask"""

    bl_idname = "flux_depth.keep_nodes"
    bl_label = "Make Node Group"
    bl_options = {"UNDO"}

    insert: BoolProperty(
        name="Into the Compositor",
        description="Put it into this scene's compositor, with the picture and the kept objects, and no more",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        return cls.bl_rna.properties["insert"].description if properties.insert else cls.__doc__

    def run(self, context: bpy.types.Context) -> None:
        from . import keep_nodes

        if not self.insert:
            group = keep_nodes.group()
            self.report({"INFO"}, f"“{group.name}” is under Add > Group in the compositor")
            return
        result = Path(picture_chosen(context).result)
        if not files_of(result).objects.is_file():
            raise InputError("There are no kept objects of the chosen picture yet: keep them in it first.")
        keep_nodes.insert(context.scene, placement.load(result), placement.load(files_of(result).objects))
        self.report({"INFO"}, "It is in the compositor, to the right: connect its Image where you want it")


def write(path: Path, picture: "Image", over: Path | None = None) -> None:
    """Raises InputError. `over`: the picture that it was laid over, whose story it tells."""
    from .core.composite import png
    from .core.picture import write_whole

    try:
        write_whole(path, png(picture, over))
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}): make room there, and try again.") from None


def reload(path: Path) -> None:
    """Have Blender read the file anew wherever it is shown: it was written a second time."""
    for image in bpy.data.images:
        if any(placement.shows(image, path, colours) for colours in (placement.FILE_COLOURS, placement.CAMERA_COLOURS)):
            image.reload()


def show(scene: bpy.types.Scene, camera: bpy.types.Object, path: Path) -> None:
    """Where this scene wants its pictures."""
    destination = scene.flux_depth.destination
    reload(path)
    if destination != "CAMERA":
        placement.show_in_editor(placement.load(path), open_one=destination == "EDITOR")
    if destination != "EDITOR" and camera.data.is_editable:
        placement.put_behind(camera, path)


classes = (
    FLUXDEPTH_OT_keep_add,
    FLUXDEPTH_OT_keep_remove,
    FLUXDEPTH_OT_preview_mask,
    FLUXDEPTH_OT_keep,
    FLUXDEPTH_OT_keep_nodes,
)
register, unregister = bpy.utils.register_classes_factory(classes)
