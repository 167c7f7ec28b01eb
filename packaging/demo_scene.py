"""Builds the interior that the demo restyles: a living room, the same in every Blender and every time."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import bpy
from demo_shapes import (
    Colour,
    Point,
    box,
    cloth,
    cushion,
    lathe,
    light,
    material,
    net,
    surface,
    thing,
    tube,
)
from mathutils import Vector

# Name -> linear colour, roughness, metallic, emission.
MATERIALS: dict[str, tuple[Colour, float, float, float]] = {
    "plaster": ((0.78, 0.75, 0.69), 0.9, 0.0, 0.0),
    "ceiling": ((0.85, 0.84, 0.81), 0.9, 0.0, 0.0),
    "green wall": ((0.19, 0.27, 0.25), 0.9, 0.0, 0.0),
    "trim": ((0.82, 0.80, 0.76), 0.5, 0.0, 0.0),
    "oak": ((0.36, 0.21, 0.11), 0.45, 0.0, 0.0),
    "oak light": ((0.42, 0.26, 0.14), 0.5, 0.0, 0.0),
    "oak dark": ((0.29, 0.165, 0.085), 0.45, 0.0, 0.0),
    "walnut": ((0.13, 0.065, 0.035), 0.4, 0.0, 0.0),
    "linen": ((0.56, 0.52, 0.45), 0.95, 0.0, 0.0),
    "ochre": ((0.60, 0.30, 0.06), 0.95, 0.0, 0.0),
    "rust": ((0.42, 0.12, 0.05), 0.95, 0.0, 0.0),
    "teal": ((0.05, 0.20, 0.22), 0.95, 0.0, 0.0),
    "rug": ((0.40, 0.17, 0.10), 1.0, 0.0, 0.0),
    "paper": ((0.80, 0.77, 0.70), 0.9, 0.0, 0.0),
    "leaf": ((0.05, 0.17, 0.045), 0.5, 0.0, 0.0),
    "soil": ((0.03, 0.02, 0.015), 1.0, 0.0, 0.0),
    "ceramic": ((0.72, 0.68, 0.62), 0.35, 0.0, 0.0),
    "terracotta": ((0.45, 0.17, 0.09), 0.8, 0.0, 0.0),
    "brass": ((0.72, 0.48, 0.18), 0.25, 1.0, 0.0),
    "black steel": ((0.02, 0.02, 0.02), 0.4, 0.8, 0.0),
    "shade": ((0.90, 0.75, 0.52), 0.9, 0.0, 1.6),
}
SPINES = ("rust", "teal", "ochre", "paper", "walnut", "green wall", "linen", "terracotta")
VASE = [(0, 0), (0.05, 0), (0.085, 0.08), (0.07, 0.17), (0.03, 0.22), (0.04, 0.25), (0.03, 0.25), (0, 0.05)]

Shapes = list[tuple[Callable[..., bpy.types.Object], tuple[Any, ...]]]


def build() -> bpy.types.Scene:
    """An empty file becomes the living room: x from -2.7 to 2.7, y from -2.9 to 2.9, z from 0 to 2.7."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    for name, look in MATERIALS.items():
        material(name, *look)
    _floor()
    _curtains()
    _throw()
    _books()
    _plant()
    for name, (at, turn, shapes) in PIECES.items():
        _piece(name, at, turn, shapes)
    _light_it()
    return _camera()


def _piece(name: str, at: Point, turn: float, shapes: Shapes) -> None:
    """A piece of furniture: its shapes around an origin on the floor, placed and turned as one."""
    origin = thing(name, None, at, (0.0, 0.0, turn))
    for shape, arguments in shapes:
        shape(name, *arguments).parent = origin


# Every piece: where it stands, how it is turned, and its shapes with their arguments.
PIECES: dict[str, tuple[Point, float, Shapes]] = {
    "Walls": ((0, 0, 0), 0, [
        (box, ((5.8, 6.2, 0.1), (0, 0, 2.7), "ceiling")),
        (box, ((5.4, 0.2, 2.7), (0, 3.0, 0), "green wall")),
        (box, ((5.4, 0.2, 2.7), (0, -3.0, 0), "plaster")),
        (box, ((0.2, 6.2, 2.7), (2.8, 0, 0), "plaster")),
        (box, ((5.4, 0.02, 0.12), (0, 2.89, 0), "trim", 0.006)),
        (box, ((0.02, 5.8, 0.12), (2.69, 0, 0), "trim", 0.006)),
        (box, ((0.02, 5.8, 0.12), (-2.69, 0, 0), "trim", 0.006)),
        (box, ((5.4, 0.07, 0.09), (0, 2.865, 2.61), "trim", 0.03)),
        (box, ((0.07, 5.8, 0.09), (2.665, 0, 2.61), "trim", 0.03)),
        (box, ((0.07, 5.8, 0.09), (-2.665, 0, 2.61), "trim", 0.03)),
    ]),
    "Window": ((-2.8, 1.2, 0), 0, [
        (box, ((0.2, 3.25, 2.7), (0, -2.675, 0), "plaster")),
        (box, ((0.2, 0.85, 2.7), (0, 1.475, 0), "plaster")),
        (box, ((0.2, 2.1, 0.75), (0, 0, 0), "plaster")),
        (box, ((0.2, 2.1, 0.4), (0, 0, 2.3), "plaster")),
        (box, ((0.32, 2.26, 0.035), (0.12, 0, 0.74), "trim", 0.008)),
        *[(box, ((0.06, 0.05, 1.55), (0, y, 0.75), "trim", 0.006)) for y in (-1.025, 0, 1.025)],
        *[(box, ((0.055, 2.1, 0.045), (0, 0, z), "trim", 0.006)) for z in (0.77, 1.8, 2.25)],
        (tube, ([(0.2, -1.55, 2.46), (0.2, 1.5, 2.46)], 0.014, "brass")),
    ]),
    "Sofa": ((-0.75, 2.28, 0), 0, [
        (box, ((2.2, 0.86, 0.2), (0, 0, 0.13), "linen", 0.05)),
        (box, ((2.2, 0.2, 0.62), (0, 0.4, 0.15), "linen", 0.07)),
        *[(box, ((0.2, 0.92, 0.46), (x, -0.01, 0.14), "linen", 0.07)) for x in (-1.06, 1.06)],
        *[(lathe, ([(0.015, 0), (0.025, 0.14)], (x, y, 0), "walnut")) for x in (-1, 1) for y in (-0.36, 0.4)],
        *[(cushion, ((0.64, 0.7, 0.19), (x, -0.08, 0.41), "linen", 0.3)) for x in (-0.635, 0, 0.635)],
        *[(cushion, ((0.63, 0.2, 0.5), (x, 0.2, 0.68), "linen", 0.4, (-12, 0, 0)))
          for x in (-0.635, 0, 0.635)],
        (cushion, ((0.46, 0.46, 0.19), (-0.78, -0.03, 0.7), "rust", 0.8, (70, 8, -14))),
        (cushion, ((0.4, 0.4, 0.19), (-0.44, -0.03, 0.7), "ochre", 0.8, (66, -6, 10))),
        (cushion, ((0.46, 0.46, 0.19), (0.78, -0.03, 0.7), "teal", 0.8, (70, -7, 16))),
    ]),
    "Armchair": ((1.5, 0.75, 0), -62, [
        (box, ((0.72, 0.72, 0.1), (0, 0, 0.24), "walnut", 0.02)),
        (cushion, ((0.68, 0.7, 0.2), (0, -0.02, 0.42), "teal", 0.35)),
        (cushion, ((0.68, 0.2, 0.66), (0, 0.34, 0.72), "teal", 0.4, (-14, 0, 0))),
        (cushion, ((0.42, 0.42, 0.16), (0.03, 0.13, 0.66), "paper", 0.8, (68, 4, 8))),
        *[(tube, ([(x, -0.38, 0), (x, -0.36, 0.56), (x, 0.1, 0.62), (x, 0.46, 0)], 0.022, "walnut"))
          for x in (-0.38, 0.38)],
        *[(box, ((0.075, 0.62, 0.03), (x, -0.08, 0.585), "walnut", 0.012, (4, 0, 0))) for x in (-0.38, 0.38)],
    ]),
    "Rug": ((-0.5, 0.9, 0), 0, [
        (box, ((2.9, 2.0, 0.014), (0, 0, 0), "rug", 0.006)),
        *[(box, ((2.8, wide, 0.003), (0, y / 10, 0.013), "linen"))
          for wide, rows in ((0.04, range(-8, 9, 4)), (0.12, range(-6, 9, 4))) for y in rows],
    ]),
    "Coffee table": ((-0.6, 0.75, 0), 0, [
        (lathe, ([(0, 0.37), (0.52, 0.37), (0.55, 0.39), (0.55, 0.41), (0, 0.41)], (0, 0, 0), "walnut")),
        *[(tube, ([(0.34 * x, 0.34 * y, 0.37), (0.44 * x, 0.44 * y, 0)], 0.02, "walnut"))
          for x, y in ((0.87, 0.5), (-0.87, 0.5), (0, -1))],
        (lathe, ([(0, 0), (0.06, 0), (0.15, 0.06), (0.17, 0.1), (0.155, 0.1), (0.13, 0.06), (0, 0.02)],
                 (0.2, 0.12, 0.41), "ceramic")),
        *[(cushion, ((0.085, 0.085, 0.08), (x, y, z), "ochre", 1.0))
          for x, y, z in ((0.15, 0.12, 0.48), (0.26, 0.15, 0.48), (0.2, 0.06, 0.485), (0.2, 0.14, 0.53))],
        (box, ((0.29, 0.21, 0.03), (-0.18, -0.12, 0.41), "paper", 0.004, (0, 0, 20))),
        (box, ((0.27, 0.21, 0.03), (-0.18, -0.12, 0.441), "rust", 0.004, (0, 0, 8))),
        (box, ((0.25, 0.21, 0.03), (-0.18, -0.12, 0.472), "teal", 0.004, (0, 0, 27))),
        (lathe, ([(0, 0), (0.038, 0), (0.042, 0.09), (0.037, 0.09), (0.034, 0.01), (0, 0.01)],
                 (0.1, -0.26, 0.41), "terracotta")),
    ]),
    "Bookshelf": ((1.7, 2.72, 0), 0, [
        *[(box, ((0.03, 0.32, 2.15), (x, 0, 0), "oak light", 0.004)) for x in (-0.665, 0.665)],
        (box, ((1.3, 0.015, 2.15), (0, 0.16, 0), "oak light")),
        *[(box, ((1.3, 0.32, 0.03), (0, 0, 0.08 + 0.408 * row), "oak light", 0.003)) for row in range(6)],
        *[(lathe, (VASE, (x, -0.03, z), cover)) for x, z, cover in (
            (0.42, 0.11, "terracotta"), (0.36, 0.926, "ceramic"), (0.47, 1.334, "brass"), 
            (0.3, 1.742, "teal"),
        )],
        (box, ((0.24, 0.22, 0.16), (0.22, 0, 0.11), "linen", 0.01)),
    ]),
    "Floor lamp": ((0.72, 2.45, 0), 0, [
        (lathe, ([(0, 0), (0.15, 0), (0.15, 0.02), (0.02, 0.03)], (0, 0, 0), "black steel")),
        (tube, ([(0, 0, 0.02), (0, 0, 1.5)], 0.012, "brass")),
        (lathe, ([(0.21, 1.38), (0.14, 1.7)], (0, 0, 0), "shade")),
    ]),
    "Pendant": ((-0.6, 0.75, 0), 0, [
        (tube, ([(0, 0, 2.7), (0, 0, 2.12)], 0.005, "black steel")),
        (lathe, ([(0.03, 0.22), (0.1, 0.2), (0.2, 0.12), (0.26, 0), (0.25, 0), (0.19, 0.11), (0.03, 0.2)],
                 (0, 0, 1.93), "brass")),
        (cushion, ((0.09, 0.09, 0.11), (0, 0, 2.02), "shade", 1.0)),
    ]),
    **{
        f"Picture {number}": ((x, 2.885, z), 0, [
            (box, ((wide, 0.03, tall), (0, 0, 0), "oak dark", 0.005)),
            (box, ((wide - 0.05, 0.01, tall - 0.05), (0, -0.014, 0.025), "paper")),
            (box, ((wide * 0.6, 0.006, tall * 0.34), (0, -0.018, tall * 0.18), low)),
            (lathe, ([(wide * 0.2, 0), (wide * 0.2, 0.006), (0, 0.006)],
                     (wide * 0.05, -0.017, tall * 0.66), high, (90, 0, 0))),
        ])
        for number, x, z, wide, tall, low, high in (
            (1, -1.45, 1.28, 0.56, 0.76, "rust", "ochre"),
            (2, -0.75, 1.2, 0.64, 0.9, "teal", "ochre"),
            (3, -0.05, 1.32, 0.52, 0.68, "ochre", "rust"),
        )
    },
}  # fmt: skip


def _floor() -> None:
    """Thirty rows of two boards each, over a dark ground that shows in the gaps."""
    chance = random.Random(4)
    box("Subfloor", (5.4, 5.8, 0.1), (0, 0, -0.13), "walnut")
    for row in range(30):
        seam = chance.uniform(-2.2, 2.2)
        for start, end in ((-2.9, seam), (seam, 2.9)):
            at = (-2.7 + (row + 0.5) * 0.18, (start + end) / 2, -0.02)
            wood = chance.choice(("oak", "oak", "oak light", "oak dark"))
            box("Floorboard", (0.177, end - start - 0.003, 0.02), at, wood)


def _curtains() -> None:
    """Two, gathered in seven folds that widen towards the floor."""
    for start, end in ((-0.25, 0.21), (2.19, 2.63)):
        shares = [column / 84 for column in range(85)]
        rows = [
            [(-2.6 + wave * math.sin(7 * math.tau * s), start + (end - start) * s, z) for s in shares]
            for z, wave in ((2.45, 0.025), (1.9, 0.04), (1.0, 0.05), (0.02, 0.055))
        ]
        cloth("Curtain", rows, "paper")


def _throw() -> None:
    """A blanket over the sofa's right arm: a profile across the arm, drawn out along it."""
    profile = [(-0.12, 0.44), (-0.115, 0.56), (-0.08, 0.612), (0, 0.622), (0.08, 0.612), (0.115, 0.56)]
    profile += [(0.125, 0.44), (0.13, 0.3), (0.15, 0.17)]
    rows = [
        [(0.31 + x + 0.006 * math.sin(step * 1.9), 2.16 + (step / 14 - 0.5) * (0.5 + 0.06 * row), z)
         for step in range(15)]
        for row, (x, z) in enumerate(profile)
    ]  # fmt: skip
    cloth("Throw", rows, "ochre", thick=0.012)


def _books() -> None:
    """Five shelves of books, each filled up to where its vase stands; now and then one leans."""
    chance = random.Random(11)
    for row, end in enumerate((1.9, 2.25, 1.85, 2.05, 1.8)):
        x = 1.07
        while x < end:
            thick, tall = chance.uniform(0.018, 0.05), chance.uniform(0.2, 0.33)
            deep, lean = chance.uniform(0.15, 0.21), 9.0 if chance.random() < 0.07 else 0.0
            x += math.sin(math.radians(lean)) * tall
            at = (x + thick / 2, 2.58 + deep / 2, 0.11 + 0.408 * row)
            box("Book", (thick, deep, tall), at, chance.choice(SPINES), 0.003, (0, -lean, 0))
            x += thick + 0.002


def _plant() -> None:
    """A pot in the corner by the window; its stems lean outwards and end in one broad leaf each."""
    pot = [(0, 0), (0.15, 0), (0.21, 0.36), (0.22, 0.4), (0.19, 0.4), (0.18, 0.34), (0, 0.34)]
    lathe("Pot", pot, (-2.18, 2.4, 0), "terracotta")
    lathe("Soil", [(0.18, 0.35), (0, 0.36)], (-2.18, 2.4, 0), "soil")
    chance = random.Random(7)
    for stem in range(17):
        around = stem * 2.4
        lean = Vector((math.cos(around), math.sin(around), 0)) * chance.uniform(0.08, 0.4)
        foot = Vector((-2.18, 2.4, 0.34)) + lean * 0.15
        tip = foot + lean + Vector((0, 0, chance.uniform(0.36, 1.31)))
        tube("Stem", [tuple(foot), tuple(foot.lerp(tip, 0.6) - lean * 0.25), tuple(tip)], 0.008, "leaf")
        _leaf(tuple(tip), around, long=chance.uniform(0.36, 0.5), droop=chance.uniform(0.4, 0.9))


def _leaf(root: Point, around: float, *, long: float, droop: float) -> None:
    """A broad leaf from `root` towards the angle `around`, bent down by `droop`, folded along its middle."""
    points = []
    for share in (row / 10 for row in range(11)):
        bend = share * (1 + droop)
        reach, rise = math.sin(bend / 1.6), 0.35 * (math.cos(bend) - 1) + 0.1 * share
        half = 0.34 * math.sin(math.pi * share**0.8) ** 0.8
        for side in (-1.0, -0.5, 0.0, 0.5, 1.0):
            points.append((long * reach, long * half * side, long * (rise + 0.12 * half * abs(side))))
    leaf = surface("Leaf", points, net(5, 11), "leaf", root, (0, 0, math.degrees(around)))
    leaf.modifiers.new("Smooth", "SUBSURF").levels = 1


def _light_it() -> None:
    """Late afternoon: low sun through the window, the sky, two lamps that are on."""
    warm, down = (1.0, 0.74, 0.45), (0.0, 0.0, 0.0)
    light("Sun", "SUN", 16, (1.0, 0.85, 0.65), (-6, 0, 6), (0, -57, -8), angle=0.02)
    opening = {"shape": "RECTANGLE", "size": 1.55, "size_y": 2.1}
    light("Sky", "AREA", 90, (0.72, 0.84, 1.0), (-2.95, 1.2, 1.525), (0, -90, 0), **opening)
    light("Fill", "AREA", 22, (1.0, 0.93, 0.84), (0.6, -1.6, 2.64), down, size=2.2)
    light("Floor lamp", "POINT", 28, warm, (0.72, 2.45, 1.52), down, shadow_soft_size=0.06)
    light("Pendant", "POINT", 22, warm, (-0.6, 0.75, 1.93), down, shadow_soft_size=0.06)
    world = bpy.data.worlds.new("Afternoon")
    world.use_nodes = True
    background = next(node for node in world.node_tree.nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (0.62, 0.78, 1.0, 1.0)
    background.inputs["Strength"].default_value = 1.2
    bpy.context.scene.world = world


def _camera() -> bpy.types.Scene:
    """A level camera, as interiors are photographed: the walls stay upright."""
    scene = bpy.context.scene
    data = bpy.data.cameras.new("Camera")
    data.lens, data.shift_y = 25.0, -0.04
    scene.camera = thing("Camera", data, (0.95, -2.7, 1.4), (90, 0, 14))
    scene.render.resolution_x, scene.render.resolution_y = 1920, 1080
    return scene
