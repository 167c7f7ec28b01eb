"""A picture becomes a material on what its camera sees, and goes again without a trace."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

from . import placement, projection_nodes
from .core.errors import InputError
from .projection_data import OBJECT, layers_of, material, record_of, settings_of, with_record
from .projection_view import Source, View, seen_from

if TYPE_CHECKING:
    from .projection_data import FLUXDEPTH_PG_projecting, FLUXDEPTH_PG_projection, FLUXDEPTH_PG_slot
    from .projector import Projector, Stand

__all__ = ["Outcome", "dress", "project", "projected_on", "remove", "remove_all"]

NAME = "FLUX Depth"
MOST = 6
"""Projections on a surface: each takes two of the fifteen values that graphics cards let a surface's points have."""


@dataclass(frozen=True)
class Outcome:
    """What it came to."""

    things: list[bpy.types.Object]
    left_out: list[str]
    """The names of what would have been painted and cannot be changed."""

    @property
    def sentence(self) -> str:
        """For the artist."""
        said = f"Projected onto {len(self.things)} object{'s' * (len(self.things) != 1)}"
        if not self.left_out:
            return said
        more = f" and {len(self.left_out) - 1} more" if len(self.left_out) > 1 else ""
        return f"{said}; left out, as linked from another file: “{self.left_out[0]}”{more}"


def project(
    scene: bpy.types.Scene,
    layer: bpy.types.ViewLayer,
    source: Source,
    chosen: Collection[bpy.types.Object] | None = None,
) -> Outcome:
    """Project a picture onto the chosen objects, or all that the camera sees. Raises InputError with nothing changed.

    Another picture that was projected from the same place goes from these objects.
    """
    view, settings = seen_from(scene, layer, source), settings_of(scene)
    wanted = [thing for thing in (view.stands if chosen is None else chosen) if thing in view.stands]
    things = [thing for thing in wanted if _can_change(thing)]
    outcome = Outcome(things, [thing.name for thing in wanted if thing not in things])
    replaced = [each.shader for each in settings.projections if _is_same_view(each, source, view.projector)]
    _check(outcome, source, replaced, everything=chosen is None)
    projection = settings.projections.add()
    try:
        _make(projection, source, view, settings)
        for thing in things:
            _put_on(thing, view.stands[thing], projection, view.projector)
        for thing in things:
            _take_off(thing, replaced)
        dress(things, settings)
    except BaseException:
        remove(settings, projection)
        raise
    _remove_unused(settings)
    return outcome


def remove(settings: FLUXDEPTH_PG_projecting, projection: FLUXDEPTH_PG_projection) -> None:
    """Take one projection off all that has it; what has no other looks as it did before."""
    having = list(with_record())
    for thing in having:
        _take_off(thing, [projection.shader])
    dress(having, settings)
    _delete(settings, projection)


def remove_all(scene: bpy.types.Scene) -> None:
    """Every projection of the scene, and whatever its objects have from us otherwise, such as from another file."""
    settings = settings_of(scene)
    while settings.projections:
        remove(settings, settings.projections[0])
    for thing in [thing for thing in with_record() if scene.objects.get(thing.name) == thing]:
        _take_off(thing, [group for group, _stored in layers_of(thing)])
        _restore(thing)
    _purge_materials()


def projected_on(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """What has a projection of this scene."""
    shaders = {each.shader for each in settings_of(scene).projections}
    return [thing for thing in with_record() if any(group in shaders for group, _stored in layers_of(thing))]


def dress(things: Iterable[bpy.types.Object], settings: FLUXDEPTH_PG_projecting) -> None:
    """Give objects the materials that show what is projected onto them; their former ones where nothing is."""
    made: dict[object, bpy.types.Material] = {}
    for thing in things:
        if layers := layers_of(thing):
            for slot, before in _our_slots(thing):
                former = material(before, "former")
                if not projection_nodes.is_surface(former):
                    continue
                look = former, layers
                if look not in made:
                    made[look] = projection_nodes.painted(former, layers, lit=settings.look == "LIT")
                slot.link, slot.material = "OBJECT", made[look]
        else:
            _restore(thing)
    _purge_materials()


def _our_slots(thing: bpy.types.Object) -> list[tuple[bpy.types.MaterialSlot, FLUXDEPTH_PG_slot]]:
    """The slots that show what they showed before, or a material of ours: not what was chosen there since."""
    pairs = zip(thing.material_slots, record_of(thing).slots, strict=False)
    return [
        (slot, before)
        for slot, before in pairs
        if slot.material == material(before, "former") or _is_ours(slot.material)
    ]


def _can_change(thing: bpy.types.Object) -> bool:
    """Not what is linked, nor an override of it; where there is no slot for a material, its data must take one."""
    own = thing.is_editable and not thing.override_library
    return own and bool(thing.material_slots or thing.data.is_editable)


def _check(outcome: Outcome, source: Source, replaced: Sequence[bpy.types.NodeTree], *, everything: bool) -> None:
    if not outcome.things and outcome.left_out:
        raise InputError(f"“{outcome.left_out[0]}” is linked from another file: make it local. Nothing was changed.")
    if not outcome.things:
        what = "nothing that has a surface" if everything else "none of the chosen objects"
        raise InputError(f"Camera “{source.camera}” sees {what}. Nothing was changed.")
    for thing in outcome.things:
        if len([group for group, _stored in layers_of(thing) if group not in replaced]) >= MOST:
            raise InputError(
                f"“{thing.name}” has {MOST} projections already, as many as a graphics card can show: "
                "remove one first. Nothing was changed."
            )


def _is_same_view(projection: FLUXDEPTH_PG_projection, source: Source, projector: Projector) -> bool:
    there = np.reshape(projection.matrix, (4, 4))
    return projection.camera == source.camera and np.allclose(there, np.array(projector.to_camera), atol=1e-4)


def _make(projection: FLUXDEPTH_PG_projection, source: Source, view: View, settings: FLUXDEPTH_PG_projecting) -> None:
    """All that a projection consists of but for its objects."""
    name = _free_name()
    before = set(bpy.data.images) - {each.picture for each in settings.projections if each.loaded}
    projection.name, projection.camera = source.title or source.picture.name, source.camera
    projection.matrix = [number for row in view.projector.to_camera for number in row]
    projection.picture = placement.load(source.picture)
    projection.loaded = projection.picture not in before
    projection.depth = _depth_image(f"{name} Depth", view.reached)
    projection.geometry = projection_nodes.geometry_group(name, view.projector)
    projection.shader = projection_nodes.shader_group(
        name, view.projector, projection.picture, projection.depth, settings.falloff
    )


def _free_name() -> str:
    """A name for nodes and for what they store on surfaces: two of one name would show each other's picture."""
    numbers = iter(range(1, len(bpy.data.node_groups) + 2))
    return next(name for number in numbers if (name := f"{NAME} {number}") not in bpy.data.node_groups)


def _depth_image(name: str, reached: np.ndarray) -> bpy.types.Image:
    """As a picture of numbers within the file: no folder to lose it from."""
    height, width = reached.shape
    image = bpy.data.images.new(name, width, height, alpha=False, float_buffer=True, is_data=True)
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = reached[::-1, :, None]
    stored: Any = image.pixels
    stored.foreach_set(pixels.ravel())
    image.use_half_precision = False  # a graphics card would have a thousandth of the distance for it
    image.pack()
    return image


def _put_on(thing: bpy.types.Object, stand: Stand, projection: FLUXDEPTH_PG_projection, projector: Projector) -> None:
    if not record_of(thing).slots:
        _remember(thing)
    layer = record_of(thing).layers.add()
    layer.group = projection.shader
    layer.stored = thing.type == "MESH" and not stand.repeated
    if layer.stored:
        _add_modifier(thing, stand, projection, projector)


def _remember(thing: bpy.types.Object) -> None:
    """What the object's slots hold, in the object and in its data."""
    record = record_of(thing)
    if not thing.material_slots:
        thing.data.materials.append(None)
        record.added = True
    for slot in thing.material_slots:
        before = record.slots.add()
        before.link, before.former = slot.link, slot.material
        slot.link = "OBJECT"
        before.own = slot.material
        slot.link = before.link


def _add_modifier(
    thing: bpy.types.Object, stand: Stand, projection: FLUXDEPTH_PG_projection, projector: Projector
) -> None:
    active = thing.modifiers.active
    modifier: Any = thing.modifiers.new(projection.shader.name, "NODES")
    modifier.node_group, modifier.show_expanded = projection.geometry, False
    to_camera = projector.to_camera @ stand.matrix
    normals = to_camera.to_3x3().inverted_safe().transposed()
    vectors = [*to_camera.to_3x3(), to_camera.translation, *normals]
    for name, vector in zip(projection_nodes.ROWS, vectors, strict=True):
        projection_nodes.put_input(modifier, name, tuple(vector))
    thing.modifiers.active = active or modifier
    thing.update_tag()


def _take_off(thing: bpy.types.Object, shaders: Collection[bpy.types.NodeTree]) -> None:
    """Its modifiers and its layers; `dress` sees to the materials."""
    layers = record_of(thing).layers
    gone = [number for number, layer in enumerate(layers) if layer.group in shaders]
    for number in reversed(gone):
        name = layers[number].group.name if layers[number].group else ""
        if name in thing.modifiers:
            thing.modifiers.remove(thing.modifiers[name])
        layers.remove(number)


def _restore(thing: bpy.types.Object) -> None:
    """The materials as they were, and no memory of us."""
    record = record_of(thing)
    for slot, before in _our_slots(thing):
        slot.link = "OBJECT"
        slot.material = material(before, "own")
        slot.link = "OBJECT" if before.link == "OBJECT" else "DATA"
    if record.added:
        _take_slot_away(thing)
    thing.property_unset(OBJECT)


def _take_slot_away(thing: bpy.types.Object) -> None:
    """The slot that its data had not; while another of our objects has the same data, that one will do it."""
    sharing = [other for other in with_record() if other != thing and other.data == thing.data]
    if sharing:
        record_of(sharing[0]).added = True
    elif thing.data.is_editable and len(thing.data.materials) == 1 and thing.data.materials[0] is None:
        thing.data.materials.clear()


def _remove_unused(settings: FLUXDEPTH_PG_projecting) -> None:
    """Projections that are on nothing any more."""
    used = {group for thing in with_record() for group, _stored in layers_of(thing)}
    for projection in [each for each in settings.projections if each.shader not in used]:
        _delete(settings, projection)


def _delete(settings: FLUXDEPTH_PG_projecting, projection: FLUXDEPTH_PG_projection) -> None:
    """A projection that is on nothing, with all that was made for it."""
    made = [projection.shader, projection.geometry, projection.depth]
    if projection.loaded:
        made.append(projection.picture)
    settings.projections.remove(list(settings.projections).index(projection))
    for block in made:
        if block and not block.users:
            bpy.data.batch_remove([block])


def _is_ours(look: Any) -> bool:
    return projection_nodes.MARK in look


def _purge_materials() -> None:
    """Ours that nothing shows."""
    unused = [each for each in bpy.data.materials if _is_ours(each) and not each.users]
    bpy.data.batch_remove(unused)
