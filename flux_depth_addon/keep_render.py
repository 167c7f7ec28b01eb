"""Chosen objects alone, as the scene's own engine renders them: what stands before them is cut out of them.

In the disposable scene all other objects are held out. They light the chosen ones, shade them and mirror in them as
ever, and leave a hole in the alpha where the camera sees them first. So one render is both, the objects' colours and
their mask with its soft edges, and the two fit each other. Workbench knows no holdout.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import bpy

from . import still
from .capture import check, current_layer, engine_id, failure_said, single_sample_cycles
from .core.errors import InputError
from .untouched import NAME, nothing_touched

if TYPE_CHECKING:
    from PIL.Image import Image

    from .capture import Engine
    from .core.framing import Framing

__all__ = ["View", "kept", "mask"]

SAMPLES = 16
"""Of the quick mask: its edges come in so many steps."""


class View(NamedTuple):
    """What is seen: everything but the choice of objects. The framing is the camera's frame, with nothing around it."""

    scene: bpy.types.Scene
    camera: bpy.types.Object
    framing: Framing
    view_layer: str = ""
    """Empty for the one that the window shows."""
    frame: float | None = None
    """None for the scene's current one."""


def kept(view: View, things: Collection[bpy.types.Object]) -> Image:
    """These objects as the scene renders them, RGBA, alpha not multiplied into the colours. Raises InputError."""
    engine = engine_id(view.scene, "SCENE")
    if engine != "CYCLES" and not engine.startswith("BLENDER_EEVEE"):
        raise InputError(
            "The scene's render engine cannot cut objects out of a picture: set it to Cycles or EEVEE, which can."
        )
    return _rendered(view, things, "SCENE", as_ever)


def mask(view: View, things: Collection[bpy.types.Object]) -> Image:
    """Where they will be kept, white on black, quickly, whatever the scene's engine. Raises InputError."""
    return _rendered(view, things, "CYCLES", quick).getchannel("A")


def _rendered(
    view: View, things: Collection[bpy.types.Object], engine: Engine, set_up: Callable[[bpy.types.Scene], None]
) -> Image:
    layer = view.view_layer or current_layer(view.scene)
    check(view.scene, view.camera, layer, view.framing, engine)
    with failure_said("objects to keep"), nothing_touched() as folder:
        copy = still.copied(view.scene, view.camera, layer, view.framing, view.frame)
        set_up(copy)
        with others_held_out(copy, layer, things):
            picture = still.rendered(copy, folder)
    if not picture.getchannel("A").getbbox():
        raise InputError(f"“{view.camera.name}” sees none of the objects to keep: look at Preview Mask.")
    return picture


def as_ever(copy: bpy.types.Scene) -> None:
    """Every dial as the scene has it; what is seen through glass belongs to it, as it does where there is a sky."""
    if cycles := getattr(copy, "cycles", None):
        cycles.film_transparent_glass = False


def quick(copy: bpy.types.Scene) -> None:
    """Cycles without light: it sees cut-out leaves, hair and displacement, and needs no window and no graphics card."""
    copy.render.engine = "CYCLES"
    cycles: Any = copy.cycles
    pixel_filter = cycles.pixel_filter_type
    single_sample_cycles(cycles)
    cycles.samples, cycles.pixel_filter_type = SAMPLES, pixel_filter
    copy.render.use_motion_blur = copy.camera.data.dof.use_dof = False
    copy.world = None


# Which objects are held out is said by collections of the disposable scene's own: the user's objects are not touched,
# and what a collection's instance shows goes with the instance. What is linked from another file cannot be put into
# them, or the file would hold it as linked by the user: there its own collections stay, and it says it itself.

Flags = tuple[bool, bool, bool]
"""Of a view layer's collection: excluded, held out, seen indirectly."""


@contextmanager
def others_held_out(copy: bpy.types.Scene, layer_name: str, things: Collection[bpy.types.Object]) -> Iterator[None]:
    """For the while, have the copy render all that it did, and hold out whatever is not among these."""
    layer, tops = copy.view_layers[layer_name], [copy.view_layers[layer_name].layer_collection]
    tops += [scene.view_layers[0].layer_collection for scene in own_backgrounds(copy)]
    rendered = [each for top in tops for each in rendered_collections(top)]
    groups = grouped((each for each in rendered if not each.collection.library), things, copy.render.engine)
    linked: dict[bpy.types.Collection, list[Flags]] = {
        each.collection: list(flags_below(each)) for each in rendered if each.collection.library
    }
    leave_collections(copy.collection)
    for (holdout, indirect), members in groups.items():
        group = bpy.data.collections.new(NAME)
        for thing in members:
            group.objects.link(thing)
        linked[group] = [(False, holdout, indirect)]
    for collection, flags in linked.items():
        copy.collection.children.link(collection)
        made = next(child for child in layer.layer_collection.children if child.collection == collection)
        give_flags(made, iter(flags))
    foreign = {thing for collection in linked for thing in collection.all_objects if thing.library}
    foreign |= set(copy.background_set.objects) if copy.background_set else set()
    with held_out(foreign.difference(things, *groups.values())):
        yield


def rendered_collections(collection: bpy.types.LayerCollection) -> Iterator[bpy.types.LayerCollection]:
    """Those below, itself included, that are on; of what is linked, only the topmost.

    One that is off for renders takes all below with it.
    """
    if collection.collection.hide_render:
        return
    if not collection.exclude:
        yield collection
    if not collection.collection.library:
        for child in collection.children:
            yield from rendered_collections(child)


def own_backgrounds(copy: bpy.types.Scene) -> Iterator[bpy.types.Scene]:
    """The scenes behind the copy that this file holds; it is left the first one that is linked."""
    seen = set[bpy.types.Scene]()
    while (scene := copy.background_set) and not scene.library:
        if scene not in seen:
            yield scene
        copy.background_set = None if scene in seen else scene.background_set
        seen.add(scene)


def grouped(
    collections: Iterable[bpy.types.LayerCollection], things: Collection[bpy.types.Object], engine: str
) -> dict[tuple[bool, bool], list[bpy.types.Object]]:
    """The objects of these by what a collection of theirs must be: holding out, seen indirectly."""
    found: dict[bpy.types.Object, tuple[bool, bool]] = {}
    for collection in collections:
        for thing in collection.collection.objects:
            held_out, indirect = found.get(thing, (False, False))
            found[thing] = held_out or collection.holdout, indirect or collection.indirect_only
    groups: defaultdict[tuple[bool, bool], list[bpy.types.Object]] = defaultdict(list)
    for thing, (held_out, indirect) in found.items():
        unseen = indirect and engine == "CYCLES"  # where it is held out besides, it is seen; EEVEE shows it in any case
        groups[not unseen and (held_out or thing not in things), indirect].append(thing)
    return groups


def leave_collections(root: bpy.types.Collection) -> None:
    for child in list(root.children):
        root.children.unlink(child)
    for thing in list(root.objects):
        root.objects.unlink(thing)


def flags_below(collection: bpy.types.LayerCollection) -> Iterator[Flags]:
    """Its own, and those of all below it, in their order."""
    yield collection.exclude, collection.holdout, collection.indirect_only
    for child in collection.children:
        yield from flags_below(child)


def give_flags(collection: bpy.types.LayerCollection, flags: Iterator[Flags]) -> None:
    for name, value in zip(("exclude", "holdout", "indirect_only"), next(flags), strict=True):
        if getattr(collection, name) != value:  # to include is to have simulations begin anew
            setattr(collection, name, value)
    for child in collection.children:
        give_flags(child, flags)


@contextmanager
def held_out(things: Collection[bpy.types.Object]) -> Iterator[None]:
    """Objects of other files, held out for the while."""
    shown = [thing for thing in things if not thing.is_holdout]
    try:
        for thing in shown:
            thing.is_holdout = True
        yield
    finally:
        for thing in shown:
            thing.is_holdout = False
