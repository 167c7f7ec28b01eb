"""The nodes of a projection: what is stored for a surface, what a material makes of it, and a material that has it.

All numbers of the camera are constants in them, so they mean the same in every version, on every farm, and without
this extension.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from mathutils import Matrix

    from .projector import Projector

__all__ = ["FALLOFF", "MARK", "ROWS", "geometry_group", "is_surface", "painted", "put_input", "shader_group"]

MARK = "flux_depth_projection"
"""The custom property of materials that are ours."""

OUTPUT = "ShaderNodeOutputMaterial"
FALLOFF = "Falloff"
"""The node whose second input says how much more a camera counts that looks straight at a surface."""

ROWS = ("Right", "Up", "Back", "Place", "Normal Right", "Normal Up", "Normal Back")
"""What a surface's modifier is given: the way from the object to the camera, and that of its normals."""

STEEPEST = 0.05
"""Of the facing ratio: beyond, a pixel's depth says nothing of the surface between it and the next."""

LEAST = 0.02
"""What the facing ratio counts as at least, so that what is seen at all is painted."""

TOLERANCE, BEHIND = 1e-3, 1e-4
"""Of the distance: what a surface may lie behind the depth and still be seen; the same seen from its back, so that thin
things are not painted on both sides while a face that was turned over is."""


class Sheet:
    """A node tree that is written from left to right."""

    def __init__(self, tree: bpy.types.NodeTree) -> None:
        self.tree = tree
        self.made = len(tree.nodes)

    def node(self, kind: str, *values: Any, **settings: Any) -> Any:
        """A node with these settings, and these values or sockets in the inputs that they leave it."""
        node = self.tree.nodes.new(kind)
        node.location = (self.made // 6 * 190, self.made % 6 * -190)
        self.made += 1
        for name, value in settings.items():
            setattr(node, name, value)
        inputs = [socket for socket in node.inputs if socket.enabled]
        for socket, value in zip(inputs, values, strict=False):
            self.put(socket, value)
        return node

    def put(self, socket: Any, value: Any) -> None:
        """Link what is a socket, set what is a value."""
        if value is not None and not isinstance(value, bpy.types.NodeSocket):
            socket.default_value = value
        elif value is not None:
            self.tree.links.new(value, socket)

    def add(self, kind: str, *values: Any, **settings: Any) -> Any:
        """The same; its first output."""
        return next(socket for socket in self.node(kind, *values, **settings).outputs if socket.enabled)

    def math(self, operation: str, *values: Any, **settings: Any) -> Any:
        return self.add("ShaderNodeMath", *values, operation=operation, **settings)

    def vector(self, operation: str, *values: Any) -> Any:
        return self.add("ShaderNodeVectorMath", *values, operation=operation)

    def transformed(self, vector: Any, rows: Sequence[Any], offset: Any = None) -> Any:
        """Three rows of a matrix, and what is added."""
        turned = self.add("ShaderNodeCombineXYZ", *(self.vector("DOT_PRODUCT", vector, row) for row in rows))
        return turned if offset is None else self.vector("ADD", turned, offset)

    def through(self, matrix: Matrix, vector: Any) -> Any:
        """A vector through a constant matrix."""
        return self.transformed(vector, [tuple(row[:3]) for row in matrix.to_3x3()], tuple(matrix.translation))

    def facing(self, projector: Projector, place: Any, normal: Any) -> Any:
        """How squarely the camera looks at a surface: 1 straight, 0 along it, below 0 at its back."""
        back = (0.0, 0.0, 1.0) if projector.parallel else self.vector("NORMALIZE", self.vector("SCALE", place, -1.0))
        return self.vector("DOT_PRODUCT", self.vector("NORMALIZE", normal), back)


def geometry_group(name: str, projector: Projector) -> bpy.types.NodeTree:
    """A modifier's nodes, which store for a surface where the picture lies on it, and change nothing else.

    `name` is the UV map. On large faces its interpolation knows no perspective, so the material takes what is stored
    beside it: where the surface lies before the camera, and its normal there. Each pixel does its own division.
    """
    tree, given, sheet = _group(f"{name} UV Map", "GeometryNodeTree", ("Geometry", *ROWS), ("Geometry",))
    rows = [given.outputs[row] for row in ROWS]
    place = sheet.transformed(sheet.add("GeometryNodeInputPosition"), rows[:3], rows[3])
    normal = _shading_normal(sheet, sheet.transformed(sheet.add("GeometryNodeInputNormal"), rows[4:]))
    uv = _of_each(sheet, "POINT", _divided(sheet, projector, sheet.through(projector.to_frame, place)))
    geometry = given.outputs["Geometry"]
    for kind, domain, attribute, value in (
        ("FLOAT2", "CORNER", name, uv),
        ("FLOAT_VECTOR", "POINT", f"{name} Place", place),
        ("FLOAT_VECTOR", "CORNER", f"{name} Normal", normal),
    ):
        geometry = sheet.add(
            "GeometryNodeStoreNamedAttribute", geometry, None, attribute, value, data_type=kind, domain=domain
        )
    sheet.node("NodeGroupOutput", geometry)
    return tree


def _shading_normal(sheet: Sheet, normal: Any) -> Any:
    """A corner's normal, flat or smooth as the face is; the Normal node's own differs with the version."""
    faces, points = (_of_each(sheet, domain, normal) for domain in ("FACE", "POINT"))
    return sheet.add(
        "GeometryNodeSwitch", sheet.add("GeometryNodeInputShadeSmooth"), faces, points, input_type="VECTOR"
    )


def _of_each(sheet: Sheet, domain: str, vector: Any) -> Any:
    """Worked out once for each face or point, not for each corner, of which there are four times as many."""
    return sheet.add("GeometryNodeFieldOnDomain", vector, data_type="FLOAT_VECTOR", domain=domain)


def shader_group(
    name: str, projector: Projector, picture: bpy.types.Image, depth: Any, falloff: float
) -> bpy.types.NodeTree:
    """Adds a projection to those before it: its colour times its weight, and the weight, 0 where it does not fall.

    `Stored` is 1 where a modifier has stored the place for the surface, so that the picture goes where that goes; with
    0 it stays where it was thrown.
    """
    tree, given, sheet = _group(name, "ShaderNodeTree", ("Colour", "Weight", "Stored"), ("Colour", "Weight"))
    place, normal = _place(sheet, projector, name, given.outputs["Stored"])
    on_frame, facing = sheet.through(projector.to_frame, place), sheet.facing(projector, place, normal)
    distance = sheet.node("ShaderNodeSeparateXYZ", on_frame).outputs["Z"]
    uv = _divided(sheet, projector, on_frame)
    visible = _visible(sheet, projector, depth, uv, distance, facing)
    inside = _inside(sheet, projector, uv, distance, 0.5 + 1 / max(depth.size))
    seen = sheet.math("MULTIPLY", inside, visible)
    squarely = sheet.math("MAXIMUM", sheet.math("ABSOLUTE", facing), LEAST)
    weight = sheet.math("MULTIPLY", seen, sheet.math("POWER", squarely, falloff, name=FALLOFF, label=FALLOFF))
    colour = sheet.add("ShaderNodeTexImage", uv, image=picture, extension="EXTEND")
    weighed = sheet.vector("SCALE", colour, weight)
    sheet.node(
        "NodeGroupOutput",
        sheet.vector("ADD", given.outputs["Colour"], weighed),
        sheet.math("ADD", given.outputs["Weight"], weight),
    )
    return tree


def _place(sheet: Sheet, projector: Projector, name: str, stored: Any) -> tuple[Any, Any]:
    """Where a pixel lies before the camera and its normal there: as stored for its surface, or as it is now."""
    surface = sheet.node("ShaderNodeNewGeometry").outputs
    place = sheet.through(projector.to_camera, surface["Position"])
    over = sheet.math("MULTIPLY_ADD", surface["Backfacing"], -2.0, 1.0)  # a shader's normals are turned to the viewer
    normal = sheet.transformed(
        sheet.vector("SCALE", surface["Normal"], over), [tuple(row) for row in projector.to_camera.to_3x3()]
    )
    kept = (sheet.node("ShaderNodeAttribute", attribute_name=f"{name} {each}") for each in ("Place", "Normal"))
    first, second = (
        sheet.add("ShaderNodeMix", stored, here, attribute.outputs["Vector"], data_type="VECTOR")
        for here, attribute in zip((place, normal), kept, strict=True)
    )
    return first, second


def _divided(sheet: Sheet, projector: Projector, on_frame: Any) -> Any:
    """(u, v) of a place on the frame."""
    if projector.parallel:
        return on_frame
    distance = sheet.node("ShaderNodeSeparateXYZ", on_frame).outputs["Z"]
    return sheet.vector("DIVIDE", on_frame, sheet.add("ShaderNodeCombineXYZ", distance, distance, distance))


def _inside(sheet: Sheet, projector: Projector, uv: Any, distance: Any, most: float) -> Any:
    """1 before the camera, within its frame and a pixel around that, which a render mixes into its edge."""
    off = sheet.vector("ABSOLUTE", sheet.vector("SUBTRACT", uv, (0.5, 0.5, 0.5)))
    parts = sheet.node("ShaderNodeSeparateXYZ", off).outputs
    across = sheet.math("LESS_THAN", sheet.math("MAXIMUM", parts["X"], parts["Y"]), most)
    return sheet.math("MULTIPLY", across, sheet.math("GREATER_THAN", distance, projector.near))


def _visible(sheet: Sheet, projector: Projector, depth: Any, uv: Any, distance: Any, facing: Any) -> Any:
    """1 where nothing lies before it: its distance against the depth, with as much to spare as a pixel slants."""
    wide, high = depth.size  # a pixel more than the picture has: see projector.reach
    scale, shift = ((wide - 1) / wide, (high - 1) / high, 1.0), (0.5 / wide, 0.5 / high, 0.0)
    between = sheet.vector("MULTIPLY_ADD", uv, scale, shift)
    far = sheet.add("ShaderNodeTexImage", between, image=depth, interpolation="Closest", extension="EXTEND")
    slant = sheet.math("DIVIDE", projector.pixel, sheet.math("MAXIMUM", facing, STEEPEST))
    if not projector.parallel:
        slant = sheet.math("MULTIPLY", slant, distance)
    spare = sheet.math("MULTIPLY_ADD", distance, TOLERANCE, slant)
    spare = sheet.math("MULTIPLY", spare, sheet.math("GREATER_THAN", facing, 0.0))
    spare = sheet.math("MULTIPLY_ADD", distance, BEHIND, spare)
    return sheet.math("LESS_THAN", distance, sheet.math("ADD", far, spare))


def painted(
    former: bpy.types.Material | None, layers: Iterable[tuple[bpy.types.NodeTree, bool]], *, lit: bool
) -> bpy.types.Material:
    """A material that shows what these groups project, and the former one, or grey, where nothing falls.

    With each group, whether a modifier stores for the surface where the picture lies.
    """
    material = _copied(former)
    material[MARK] = True
    if cycles := getattr(material, "cycles", None):
        cycles.emission_sampling = "NONE"  # the picture is no lamp
    sheet = Sheet(material.node_tree)
    outputs = [node for node in material.node_tree.nodes if node.bl_idname == OUTPUT]
    colour, weight = _blended(sheet, layers)
    seen = sheet.math("GREATER_THAN", weight, 0.0)
    look = sheet.add("ShaderNodeBsdfDiffuse" if lit else "ShaderNodeEmission", colour)
    for surface in (output.inputs["Surface"] for output in outputs):
        before = surface.links[0].from_socket if surface.is_linked else None
        sheet.put(surface, sheet.add("ShaderNodeMixShader", seen, before, look))
    return material


def is_surface(former: bpy.types.Material | None) -> bool:
    """False for fog and the like, which a picture would make a wall of."""
    tree = former and former.node_tree
    outputs = [node.inputs for node in tree.nodes if node.bl_idname == OUTPUT] if tree else []
    return not outputs or any(each["Surface"].is_linked or not each["Volume"].is_linked for each in outputs)


def _blended(sheet: Sheet, layers: Iterable[tuple[bpy.types.NodeTree, bool]]) -> tuple[Any, Any]:
    colour: Any = (0.0, 0.0, 0.0)
    weight: Any = 0.0
    for group, stored in layers:
        node = sheet.node("ShaderNodeGroup", node_tree=group, label=group.name)
        for socket, value in zip(node.inputs, (colour, weight, float(stored)), strict=True):
            sheet.put(socket, value)
        colour, weight = node.outputs["Colour"], node.outputs["Weight"]
    return sheet.vector("DIVIDE", colour, sheet.add("ShaderNodeCombineXYZ", weight, weight, weight)), weight


def _copied(former: bpy.types.Material | None) -> bpy.types.Material:
    """A copy with nodes; without a former one, the grey that Blender shows there."""
    material: Any = former.copy() if former else bpy.data.materials.new("")
    material.name = f"FLUX Depth {former.name if former else 'Grey'}"
    if bpy.app.version < (5, 0, 0) and not material.use_nodes:
        material.use_nodes = True
        for node in material.node_tree.nodes if former else ():
            if "Base Color" in node.inputs:
                node.inputs["Base Color"].default_value = former.diffuse_color
    return material


def put_input(modifier: Any, name: str, value: Sequence[float]) -> None:
    """Give a modifier's nodes a value; since 5.2 it is kept elsewhere."""
    sockets = modifier.node_group.interface.items_tree
    identifier = next(each.identifier for each in sockets if each.name == name and each.in_out == "INPUT")
    if hasattr(modifier, "properties"):
        getattr(modifier.properties.inputs, identifier).value = value
    else:
        modifier[identifier] = value


KINDS = {"Geometry": "NodeSocketGeometry", "Weight": "NodeSocketFloat", "Stored": "NodeSocketFloat"}
"""By name, of the sockets that are no vectors."""


def _group(
    name: str, kind: Any, inputs: Iterable[str], outputs: Iterable[str]
) -> tuple[bpy.types.NodeTree, Any, Sheet]:
    """A new group, the node that gives its inputs, and the sheet to write it on."""
    tree: Any = bpy.data.node_groups.new(name, kind)
    for names, where in ((inputs, "INPUT"), (outputs, "OUTPUT")):
        for each in names:
            tree.interface.new_socket(each, in_out=where, socket_type=KINDS.get(each, "NodeSocketVector"))
    if hasattr(tree, "is_modifier"):
        tree.is_modifier = kind == "GeometryNodeTree"
    sheet = Sheet(tree)
    return tree, sheet.node("NodeGroupInput"), sheet
