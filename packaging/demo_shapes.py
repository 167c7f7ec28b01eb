"""The few shapes that the demo's interior is made of: metres, degrees, linear colours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import bpy

Point = tuple[float, float, float]
Colour = tuple[float, float, float]

STRAIGHT: Point = (0.0, 0.0, 0.0)
"""No turn."""


def material(name: str, colour: Colour, roughness: float, metallic: float, emission: float) -> None:
    """Looks the same in Workbench and in Cycles."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    made.diffuse_color, made.roughness = (*colour, 1.0), roughness
    shader = next(node for node in made.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = roughness
    shader.inputs["Metallic"].default_value = metallic
    shader.inputs["Emission Color"].default_value = (*colour, 1.0)
    shader.inputs["Emission Strength"].default_value = emission


def thing(name: str, data: bpy.types.ID | None, at: Point, turn: Point = STRAIGHT) -> bpy.types.Object:
    """An object in the scene."""
    made = bpy.data.objects.new(name, data)
    made.location, made.rotation_euler = at, [math.radians(angle) for angle in turn]
    bpy.context.scene.collection.objects.link(made)
    return made


def surface(
    name: str, points: Sequence[Point], faces: Iterable[Sequence[int]], cover: str, at: Point = STRAIGHT,
    turn: Point = STRAIGHT, *, smooth: bool = True,
) -> bpy.types.Object:  # fmt: skip
    """A mesh covered with the material named."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points, [], list(faces))
    mesh.polygons.foreach_set("use_smooth", [smooth] * len(mesh.polygons))
    mesh.materials.append(bpy.data.materials[cover])
    return thing(name, mesh, at, turn)


def net(columns: int, rows: int) -> list[tuple[int, int, int, int]]:
    """The faces of points laid out row by row, each row `columns` long."""
    corners = [row * columns + column for row in range(rows - 1) for column in range(columns - 1)]
    return [(corner, corner + 1, corner + columns + 1, corner + columns) for corner in corners]


def box(name: str, size: Point, at: Point, cover: str, bevel: float = 0.0, turn: Point = STRAIGHT) -> bpy.types.Object:
    """A box that stands on `at`, the middle of its underside."""
    across, deep, high = size[0] / 2, size[1] / 2, size[2]
    outline = ((-across, -deep), (across, -deep), (across, deep), (-across, deep))
    points = [(x, y, z) for z in (0.0, high) for x, y in outline]
    faces = [(3, 2, 1, 0), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)]
    made = surface(name, points, faces, cover, at, turn, smooth=False)
    if bevel:
        rounding = made.modifiers.new("Bevel", "BEVEL")
        rounding.width, rounding.segments = bevel, 4
    return made


def cushion(name: str, size: Point, at: Point, cover: str, plump: float, turn: Point = STRAIGHT) -> bpy.types.Object:
    """A superellipsoid around `at`: square outline, sides as round as `plump` (0 a box, 1 a ball)."""
    rows, columns = 25, 49
    rings = [math.pi * (row / (rows - 1) - 0.5) for row in range(rows)]
    spokes = [2 * math.pi * column / (columns - 1) for column in range(columns)]
    points = [
        (
            size[0] / 2 * _power(math.cos(ring), plump) * _power(math.cos(spoke), 0.3),
            size[1] / 2 * _power(math.cos(ring), plump) * _power(math.sin(spoke), 0.3),
            size[2] / 2 * _power(math.sin(ring), plump),
        )
        for ring in rings
        for spoke in spokes
    ]
    return surface(name, points, net(columns, rows), cover, at, turn)


def lathe(
    name: str, profile: Sequence[tuple[float, float]], at: Point, cover: str, turn: Point = STRAIGHT
) -> bpy.types.Object:
    """(radius, height) pairs turned around the z axis."""
    angles = [math.tau * step / 48 for step in range(49)]
    points = [(radius * math.cos(a), radius * math.sin(a), z) for radius, z in profile for a in angles]
    made = surface(name, points, net(49, len(profile)), cover, at, turn)
    made.modifiers.new("Edges", "EDGE_SPLIT").split_angle = math.radians(40)
    return made


def tube(name: str, points: Sequence[Point], radius: float, cover: str) -> bpy.types.Object:
    """A round curve through the points."""
    curve = bpy.data.curves.new(name, "CURVE")
    curve.dimensions, curve.bevel_depth, curve.bevel_resolution, curve.use_fill_caps = "3D", radius, 4, True
    curve.materials.append(bpy.data.materials[cover])
    spline = curve.splines.new("BEZIER")
    spline.bezier_points.add(len(points) - 1)
    for knot, point in zip(spline.bezier_points, points, strict=True):
        knot.co, knot.handle_left_type, knot.handle_right_type = point, "AUTO", "AUTO"
    return thing(name, curve, STRAIGHT)


def cloth(name: str, rows: Sequence[Sequence[Point]], cover: str, thick: float = 0.0) -> bpy.types.Object:
    """A soft surface through rows of points."""
    points = [point for row in rows for point in row]
    made = surface(name, points, net(len(rows[0]), len(rows)), cover)
    if thick:
        made.modifiers.new("Thickness", "SOLIDIFY").thickness = thick
    made.modifiers.new("Smooth", "SUBSURF").levels = 2
    return made


def light(name: str, kind: str, energy: float, colour: Colour, at: Point, turn: Point, **settings: Any) -> None:
    """A lamp; `settings` are properties of its kind."""
    lamp = bpy.data.lights.new(name, kind)
    lamp.energy, lamp.color = energy, colour
    for setting, value in settings.items():
        setattr(lamp, setting, value)
    thing(name, lamp, at, turn)


def _power(value: float, exponent: float) -> float:
    return math.copysign(abs(value) ** exponent, value)
