"""What a file remembers of projections: which there are, and what the objects that have them looked like before.

It is saved with the file, and a stranger's file can hold anything: what is read here is held to its kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    PointerProperty,
    StringProperty,
)

SCENE, OBJECT = "flux_depth_projecting", "flux_depth_projected"
"""The properties' names on scenes and on objects."""


def _turn_falloff(settings: FLUXDEPTH_PG_projecting, _context: bpy.types.Context) -> None:
    from .projection_nodes import FALLOFF

    for projection in settings.projections:
        if node := projection.shader and projection.shader.nodes.get(FALLOFF):
            node.inputs[1].default_value = settings.falloff


def _turn_look(settings: FLUXDEPTH_PG_projecting, _context: bpy.types.Context) -> None:
    from . import projection

    scene: Any = settings.id_data
    projection.dress(projection.projected_on(scene), settings)


class FLUXDEPTH_PG_slot(bpy.types.PropertyGroup):
    """A material slot of an object as it was"""

    link: StringProperty()
    own: PointerProperty(type=bpy.types.Material)
    former: PointerProperty(type=bpy.types.Material)


class FLUXDEPTH_PG_layer(bpy.types.PropertyGroup):
    """A projection on an object, by its nodes, and whether a modifier stores where it lies"""

    group: PointerProperty(type=bpy.types.NodeTree)
    stored: BoolProperty()


class FLUXDEPTH_PG_projected(bpy.types.PropertyGroup):
    """What an object has from us, and what it looked like before"""

    slots: CollectionProperty(type=FLUXDEPTH_PG_slot)
    layers: CollectionProperty(type=FLUXDEPTH_PG_layer)
    added: BoolProperty(description="Whether its data had no slot for a material before")


class FLUXDEPTH_PG_projection(bpy.types.PropertyGroup):
    """A picture that is projected from where a camera stood"""

    camera: StringProperty()
    matrix: FloatVectorProperty(size=16)
    picture: PointerProperty(type=bpy.types.Image)
    loaded: BoolProperty(description="Whether the picture was not in the file before")
    depth: PointerProperty(type=bpy.types.Image)
    shader: PointerProperty(type=bpy.types.NodeTree)
    geometry: PointerProperty(type=bpy.types.NodeTree)


class FLUXDEPTH_PG_projecting(bpy.types.PropertyGroup):
    """A scene's projections, and how the next is made"""

    onto: EnumProperty(
        name="Onto",
        description="What the picture is projected onto",
        items=[
            ("SEEN", "All Seen", "Everything that the camera sees"),
            ("SELECTED", "Selected", "The selected objects, where the camera sees them"),
        ],
        options=set(),
    )
    look: EnumProperty(
        name="Look",
        description="How projected surfaces show the picture",
        items=[
            ("PAINTED", "As Painted", "The picture's own colours: its light is painted already"),
            ("LIT", "Lit", "The scene's lamps light it once more"),
        ],
        update=_turn_look,
        options=set(),
    )
    falloff: FloatProperty(
        name="Falloff",
        description="Of several cameras that see a surface: how much more the one counts that looks straight at it",
        default=4.0,
        min=0.0,
        max=16.0,
        precision=1,
        update=_turn_falloff,
        options=set(),
    )
    projections: CollectionProperty(type=FLUXDEPTH_PG_projection)


def settings_of(scene: bpy.types.Scene) -> FLUXDEPTH_PG_projecting:
    return getattr(scene, SCENE)


def record_of(thing: bpy.types.Object) -> FLUXDEPTH_PG_projected:
    return getattr(thing, OBJECT)


def layers_of(thing: bpy.types.Object) -> tuple[tuple[bpy.types.NodeTree, bool], ...]:
    """The nodes of what is projected onto an object, and whether each is stored for its surface."""
    layers = record_of(thing).layers
    return tuple((layer.group, layer.stored) for layer in layers if is_shader(layer.group))


def is_shader(group: object) -> bool:
    return isinstance(group, bpy.types.ShaderNodeTree)


def material(owner: FLUXDEPTH_PG_slot, name: str) -> bpy.types.Material | None:
    """A material that was remembered."""
    kept = getattr(owner, name)
    return kept if isinstance(kept, bpy.types.Material) else None


def with_record() -> Iterator[bpy.types.Object]:
    """Every object that has something from us."""
    return (thing for thing in bpy.data.objects if record_of(thing).slots)


classes = (
    FLUXDEPTH_PG_slot,
    FLUXDEPTH_PG_layer,
    FLUXDEPTH_PG_projected,
    FLUXDEPTH_PG_projection,
    FLUXDEPTH_PG_projecting,
)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(classes)


def register() -> None:
    """Hang it on scenes and objects."""
    _register_classes()
    setattr(bpy.types.Scene, SCENE, PointerProperty(type=FLUXDEPTH_PG_projecting))
    setattr(bpy.types.Object, OBJECT, PointerProperty(type=FLUXDEPTH_PG_projected))


@contextmanager
def known() -> Iterator[None]:
    """For the while, also where the extension is not enabled: 4.2 as a module ends badly with what is left of it."""
    if hasattr(bpy.types.Scene, SCENE):
        yield
        return
    register()
    try:
        yield
    finally:
        unregister()


def unregister() -> None:
    """Take it down; what a file holds stays in it, and is shown as it is without us."""
    delattr(bpy.types.Object, OBJECT)
    delattr(bpy.types.Scene, SCENE)
    _unregister_classes()
