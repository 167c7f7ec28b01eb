"""Comparing pictures of one frame: which two, and the buttons and keys that show one in place of the other."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import bpy
from bpy.props import EnumProperty, PointerProperty, StringProperty

from . import placement, watch, windows
from .button import Button
from .core.errors import InputError
from .core.framing import Framing
from .drawing import one_line
from .stored_text import text

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import EventTypeItems, SpaceTypeItems

    from .core.job import Job
    from .wipe import Wipe

RENDER, DEPTH, CHOSEN = "RENDER", "DEPTH", "CHOSEN"
LISTED = 24
"""Pictures in the menus, newest first: more make no menu."""

LABEL_LETTERS = 32
FOLLOW_SECONDS = 0.1
KEY: "EventTypeItems" = "J"
"""With Shift. J alone goes through render slots in the Image Editor; no editing mode of the 3D View knows Shift J."""

wiping: "Wipe | None" = None
"""The comparison that is on."""

_wipe: ModuleType | None = None
"""What wipes, once it was needed."""

_items: list[tuple[str, str, str, str, int]] = []
_keys: list[tuple[bpy.types.KeyMap, bpy.types.KeyMapItem]] = []


@dataclass(frozen=True)
class Picture:
    """One of the two. Without a path it is the Render Result, which an Image Editor shows by itself."""

    label: str
    path: Path | None = None
    framing: Framing | None = None
    """Where the camera's frame is in it; None when it is the frame."""


def pictures(manager: bpy.types.WindowManager) -> tuple[Picture, Picture]:
    """What the menus name, left and right, looked up in memory; raises InputError that says what is missing."""
    job = watch.chosen(manager)
    if job is None or not job.result:
        raise InputError("Choose a picture that has arrived, in the list of pictures.")
    left, right = (_picture(getattr(manager.flux_depth_compare, side), job) for side in ("left", "right"))
    if left == right:
        raise InputError("Left and right are the same picture: choose another.")
    return left, right


def _picture(choice: str, job: "Job") -> Picture:
    if choice == RENDER:
        return Picture("Render")
    if choice == DEPTH:
        return Picture(job.request.control.title(), job.control, job.request.framing)
    shown = job if choice == CHOSEN else watch.jobs[choice]
    return Picture(_label(shown), Path(shown.result))


def _label(job: "Job") -> str:
    prompt = one_line(job.request.prompt[: 2 * LABEL_LETTERS])
    short = prompt if len(prompt) <= LABEL_LETTERS else f"{prompt[:LABEL_LETTERS]}…"
    return f"{short}  ·  {job.seed}" if job.seed is not None else short


def _menu(_settings: object, _context: object) -> list[tuple[str, str, str, str, int]]:
    results = list(islice((job for job in watch.jobs.values() if job.result), LISTED))
    fixed = [
        (RENDER, "Render", "The last render, as the Image Editor shows it", "RENDER_RESULT"),
        (DEPTH, "Depth", "The depth map, or clay render, that the chosen picture was painted from", "IMAGE_ZDEPTH"),
        (CHOSEN, "Chosen Picture", "The one that is chosen in the list of pictures", "IMAGE_DATA"),
    ]
    rows = fixed + [(job.id, _label(job), "This picture, whichever is chosen in the list", "PINNED") for job in results]
    if [item[0] for item in _items] != [row[0] for row in rows]:  # Blender keeps no reference to these texts
        _items[:] = [(*row, number) for number, row in enumerate(rows)]
    return _items


def _side(name: str, otherwise: str) -> object:
    """A menu that keeps a job's id, as its place in the list changes."""
    field = f"{name.lower()}_id"

    def read(settings: bpy.types.PropertyGroup) -> int:
        ids = [item[0] for item in _menu(settings, None)]
        stored = text(settings, field)
        return ids.index(stored if stored in ids else otherwise)

    def write(settings: bpy.types.PropertyGroup, number: int) -> None:
        setattr(settings, field, _menu(settings, None)[number][0])

    return EnumProperty(name=name, description=f"What lies {name.lower()} of the divider", items=_menu,
                        get=read, set=write, options=set())  # fmt: skip


class FLUXDEPTH_PG_compare(bpy.types.PropertyGroup):
    """What is compared"""

    left_id: StringProperty(options={"HIDDEN"})
    right_id: StringProperty(options={"HIDDEN"})
    left: _side("Left", DEPTH)
    right: _side("Right", CHOSEN)


class FLUXDEPTH_OT_compare(Button):
    """Lay the two pictures over each other in an Image Editor, with a divider to drag; press again to stop"""

    bl_idname = "flux_depth.compare"
    bl_label = "Compare"
    bl_options = {"UNDO"}  # so that taking back the next edit does not take away what the editor shows

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return cls.allowed("" if wiping else hindrance(context.window_manager))

    def run(self, context: bpy.types.Context) -> None:
        if wiping:
            end()
        else:
            begin(context)


class FLUXDEPTH_OT_flip(bpy.types.Operator):
    """Show one of the two pictures whole, and the other one at the next press"""

    bl_idname = "flux_depth.flip"
    bl_label = "Flip"
    bl_options = set()

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        elsewhere = context.area is None or context.area.type != "IMAGE_EDITOR"
        return bool(wiping and (elsewhere or wiping.is_in(context.space_data)))

    def execute(self, _context: bpy.types.Context) -> set[str]:
        wiping.flip()
        return {"FINISHED"}


class FLUXDEPTH_OT_flip_background(bpy.types.Operator):
    """Show the scene in place of the picture on the camera, and the picture again at the next press"""

    bl_idname = "flux_depth.flip_background"
    bl_label = "Flip"
    bl_options = {"UNDO_GROUPED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if _looked_through(context) is None:
            cls.poll_message_set("Look through a camera that has a picture on it")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        placement.flip(_looked_through(context))
        return {"FINISHED"}


def hindrance(manager: bpy.types.WindowManager) -> str:
    """Why the two cannot be compared, or nothing; looks at memory only."""
    try:
        pictures(manager)
    except InputError as error:
        return str(error)
    return ""


def begin(context: bpy.types.Context) -> None:
    """Compare in the editor that was clicked in, else in the largest, else in a new window. Raises InputError."""
    global wiping, _wipe
    from . import wipe  # only when it is used: it would make every start of Blender slower

    _wipe = wipe
    _wipe.register()
    both = pictures(context.window_manager)
    result = Path(watch.chosen(context.window_manager).result)
    here = context.area if context.area and context.area.ui_type == "IMAGE_EDITOR" else None
    area = here or placement.editor(clicked=True) or windows.new_editor("IMAGE_EDITOR")
    wiping = wipe.Wipe(both, placement.load(result), area)
    bpy.app.timers.register(_follow, first_interval=FOLLOW_SECONDS, persistent=True)
    windows.redraw()


def end() -> None:
    """Stop comparing; nothing is left of it."""
    global wiping
    if wiping:
        wiping.close()
        wiping = None
        windows.redraw()
    if bpy.app.timers.is_registered(_follow):
        bpy.app.timers.unregister(_follow)


def _follow() -> float | None:
    """Keep to what the menus and the list say, and end with the editor: closed, showing something else, or undone."""
    if wiping is None or not wiping.is_shown():
        end()
        return None
    try:
        wiping.show(pictures(bpy.context.window_manager))
    except InputError as error:  # what is shown stays
        wiping.problem = str(error)
        windows.redraw()
    return FOLLOW_SECONDS


def _looked_through(context: bpy.types.Context) -> bpy.types.Object | None:
    """The camera that a 3D View looks through, when a picture of ours lies on it and it can be changed."""
    view = context.region_data
    if not isinstance(view, bpy.types.RegionView3D) or view.view_perspective != "CAMERA":
        return None
    camera = context.space_data.camera
    ours = camera and camera.type == "CAMERA" and camera.data.is_editable and placement.slot_of(camera)
    return camera if ours else None


def key_of(operator: str, keymap: str) -> str:
    """The key of one of these, as the artist may have changed it in the preferences; Shift J."""
    config = bpy.context.window_manager.keyconfigs.user
    found = config and keymap in config.keymaps and config.keymaps[keymap].keymap_items.find_from_operator(operator)
    return found.to_string() if found else ""


classes = (FLUXDEPTH_PG_compare, FLUXDEPTH_OT_compare, FLUXDEPTH_OT_flip, FLUXDEPTH_OT_flip_background)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(classes)


def register() -> None:
    """Show the buttons to Blender, and give them keys, where there is a keyboard."""
    _register_classes()
    bpy.types.WindowManager.flux_depth_compare = PointerProperty(type=FLUXDEPTH_PG_compare, options={"SKIP_SAVE"})
    if config := bpy.context.window_manager.keyconfigs.addon:
        places: tuple[tuple[str, SpaceTypeItems, str], ...] = (
            ("Image", "IMAGE_EDITOR", "flux_depth.flip"),
            ("3D View", "VIEW_3D", "flux_depth.flip_background"),
        )
        for name, space, operator in places:
            keymap = config.keymaps.new(name, space_type=space)
            _keys.append((keymap, keymap.keymap_items.new(operator, KEY, "PRESS", shift=True)))


def unregister() -> None:
    """End what is on, and take them away."""
    end()
    if _wipe:
        _wipe.unregister()
    for keymap, item in _keys:
        keymap.keymap_items.remove(item)
    _keys.clear()
    del bpy.types.WindowManager.flux_depth_compare
    _unregister_classes()
