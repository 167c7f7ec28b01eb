"""Objects that stay as rendered: which they are, and where the picture they stay in was looked at from."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import bpy
from bpy.props import CollectionProperty, IntProperty, PointerProperty

from . import watch
from .core.errors import InputError
from .stored_text import text

if TYPE_CHECKING:
    from .core.job import Job
    from .core.request import Request
    from .keep_render import View

MOVED = 1e-4
"""Of a camera's matrix: what is less came of reckoning."""

LISTED = 1000
"""Objects in the list that are looked at: a stranger's file can hold a million; a collection may have more."""


class FLUXDEPTH_PG_kept(bpy.types.PropertyGroup):
    """An object that stays; its name is what it was called, to tell of it once it is gone"""

    thing: PointerProperty(name="Object", type=bpy.types.Object)


class FLUXDEPTH_PG_keep(bpy.types.PropertyGroup):
    """What stays as rendered in a scene. Saved in the blend file"""

    things: CollectionProperty(type=FLUXDEPTH_PG_kept)
    active: IntProperty(name="Object to Keep", min=0)
    collection: PointerProperty(
        name="Collection", description="Keep what is in it, in place of the list", type=bpy.types.Collection
    )


class Files(NamedTuple):
    """What is written beside a picture."""

    picture: Path
    objects: Path
    """The kept objects alone, on nothing: for any compositor."""


def settings_of(scene: bpy.types.Scene) -> FLUXDEPTH_PG_keep:
    """What stays in that scene."""
    owner: Any = scene
    return owner.flux_depth_keep


def collection_of(settings: FLUXDEPTH_PG_keep) -> bpy.types.Collection | None:
    """The collection that stands for the list; a file can hold any data-block there."""
    return settings.collection if isinstance(settings.collection, bpy.types.Collection) else None


def thing_of(row: FLUXDEPTH_PG_kept, scene: bpy.types.Scene) -> bpy.types.Object | None:
    """The object of a row while it is in the scene: one that was deleted lives on for whoever points at it."""
    thing = row.thing if isinstance(row.thing, bpy.types.Object) else None
    return thing if thing and scene.objects.get(text(thing)) == thing else None


def kept_in(scene: bpy.types.Scene) -> tuple[set[bpy.types.Object], str]:
    """What stays, and a sentence on what is gone, or none. Raises InputError where nothing is left."""
    settings = settings_of(scene)
    if collection := collection_of(settings):
        members = set(collection.all_objects)
        found, gone = {thing for thing in scene.objects if thing in members}, list[str]()
    else:
        rows = list(settings.things)[:LISTED]
        found = {thing for row in rows if (thing := thing_of(row, scene))}
        gone = [text(row, otherwise="an object") for row in rows if not thing_of(row, scene)]
    if not found:
        raise InputError("There is nothing to keep: add selected objects to the list, or choose a collection.")
    return {each for thing in found for each in with_what_hangs_on(thing)}, sentence_on(gone)


def with_what_hangs_on(thing: bpy.types.Object) -> Iterator[bpy.types.Object]:
    """An empty stands for its children, as it shows nothing of its own."""
    yield thing
    if thing.type == "EMPTY":
        yield from thing.children_recursive


def sentence_on(gone: list[str]) -> str:
    """That these are not in the scene any more."""
    if not gone:
        return ""
    more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
    return f"“{gone[0]}”{more} cannot be kept: no longer in this scene. The others are"


def files_of(result: Path) -> Files:
    """Where the kept objects of a picture are written."""
    return Files(*(result.with_name(f"{result.stem}_kept{part}.png") for part in ("", "_objects")))


def view_of(scene: bpy.types.Scene, request: "Request", size: tuple[int, int]) -> "View":
    """Where the picture of that size was looked at from. Raises InputError where that is gone, or moved."""
    if request.scene != scene.name and request.scene in bpy.data.scenes:
        raise InputError(f"The chosen picture was made in scene “{request.scene}”: switch to it first.")
    camera: bpy.types.Object | None = scene.objects.get(request.camera)
    if camera is None or camera.type != "CAMERA":
        raise InputError(
            f"The camera of the chosen picture, “{request.camera}”, is not in this scene: nothing would lie in its "
            "place. Bring it back, or choose another picture."
        )
    check_unmoved(scene, camera, request)
    return view_through(scene, camera, size, view_layer=request.view_layer, frame=request.frame)


def view_through(
    scene: bpy.types.Scene,
    camera: bpy.types.Object,
    size: tuple[int, int],
    *,
    view_layer: str = "",
    frame: float | None = None,
) -> "View":
    """The camera's frame at the size of a picture. Raises InputError when that has another shape."""
    from .capture import frame_aspect, is_panoramic
    from .core.composite import frame_of
    from .keep_render import View

    aspect = size[0] / size[1] if is_panoramic(camera) else frame_aspect(scene)
    return View(scene, camera, frame_of(size, aspect), view_layer, frame)


def check_unmoved(scene: bpy.types.Scene, camera: bpy.types.Object, request: "Request") -> None:
    """Raises InputError when the camera stands elsewhere than when the picture was made, as far as that was noted."""
    from .capture import camera_matrix

    before = request.camera_matrix
    now = camera_matrix(scene, camera, request.frame) if before else ()
    if any(abs(a - b) > MOVED * max(1, abs(a)) for a, b in zip(before, now, strict=False)):
        raise InputError(
            f"“{camera.name}” has moved since that picture was made, and nothing would lie in its place: "
            "move it back, or make the picture anew."
        )


def picture_chosen(context: bpy.types.Context) -> "Job":
    """The job whose picture is chosen in the list. Raises InputError."""
    job = watch.chosen(context.window_manager)
    if job is None or not job.result:
        raise InputError("Choose a picture that has arrived, in the list of pictures.")
    return job


def hindrance(context: bpy.types.Context) -> str:
    """Why nothing can be kept in the chosen picture, or nothing; looks at memory only."""
    settings = settings_of(context.scene)
    if not (settings.things or collection_of(settings)):
        return "Add objects to the list, or choose a collection"
    try:
        picture_chosen(context)
    except InputError as error:
        return str(error).removesuffix(".")
    return ""


classes = (FLUXDEPTH_PG_kept, FLUXDEPTH_PG_keep)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(classes)
_owner: Any = bpy.types.Scene


def register() -> None:
    """Hang the list on scenes."""
    _register_classes()
    _owner.flux_depth_keep = PointerProperty(type=FLUXDEPTH_PG_keep)


def unregister() -> None:
    """Take it down; what a blend file holds stays in it."""
    del _owner.flux_depth_keep
    _unregister_classes()
