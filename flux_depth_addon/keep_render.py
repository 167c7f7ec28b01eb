"""Chosen objects alone, as the scene's own engine renders them: what stands before them is cut out of them.

In the disposable scene all other objects are held out. They light the chosen ones, shade them and mirror in them as
ever, and leave a hole in the alpha where the camera sees them first. So one render is both, the objects' colours and
their mask with its soft edges, and the two fit each other. Workbench knows no holdout.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
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
        hold_out_others(copy, layer, things)
        set_up(copy)
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
# and what a collection's instance shows goes with the instance.


def hold_out_others(copy: bpy.types.Scene, layer_name: str, things: Collection[bpy.types.Object]) -> None:
    """Give the copy collections of its own, with all that it renders, and hold out whatever is not among these."""
    layer = copy.view_layers[layer_name]
    groups: defaultdict[tuple[bool, bool], list[bpy.types.Object]] = defaultdict(list)
    for thing, (held_out, indirect) in flags_by_object(layer).items():
        groups[held_out or thing not in things, indirect].append(thing)
    for thing in set(behind(copy)) - {each for group in groups.values() for each in group}:
        groups[True, False].append(thing)
    copy.background_set = None
    leave_collections(copy.collection)
    for flags, members in groups.items():
        link_group(copy, layer, members, flags)


def flags_by_object(layer: bpy.types.ViewLayer) -> dict[bpy.types.Object, tuple[bool, bool]]:
    """For every object that this layer renders, whether any of its collections holds it out, or shows it indirectly."""
    found: dict[bpy.types.Object, tuple[bool, bool]] = {}
    for collection in rendered_collections(layer.layer_collection):
        for thing in collection.collection.objects:
            held_out, indirect = found.get(thing, (False, False))
            found[thing] = held_out or collection.holdout, indirect or collection.indirect_only
    return found


def rendered_collections(collection: bpy.types.LayerCollection) -> Iterator[bpy.types.LayerCollection]:
    """Those below, itself included, that are on: one that is off for renders takes all below with it."""
    if collection.collection.hide_render:
        return
    if not collection.exclude:
        yield collection
    for child in collection.children:
        yield from rendered_collections(child)


def behind(scene: bpy.types.Scene) -> Iterator[bpy.types.Object]:
    """What background scenes add to a render, in Blender's own depth of them."""
    seen = {scene}
    while (scene := scene.background_set) and scene not in seen:
        seen.add(scene)
        yield from flags_by_object(scene.view_layers[0])


def leave_collections(root: bpy.types.Collection) -> None:
    for child in list(root.children):
        root.children.unlink(child)
    for thing in list(root.objects):
        root.objects.unlink(thing)


def link_group(
    copy: bpy.types.Scene, layer: bpy.types.ViewLayer, members: list[bpy.types.Object], flags: tuple[bool, bool]
) -> None:
    group = bpy.data.collections.new(NAME)
    for thing in members:
        group.objects.link(thing)
    copy.collection.children.link(group)
    made = next(child for child in layer.layer_collection.children if child.collection == group)
    made.holdout, made.indirect_only = flags
