"""Small scenes whose depth is known by geometry, built in the running Blender."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import cos, pi, radians, sin
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from bl_ext.user_default.flux_depth.core.framing import Framing
from mathutils import Matrix, Vector

Point = Sequence[float]


def empty_scene(width: int = 320, height: int = 240) -> bpy.types.Scene:
    """A new file with nothing in it, and a camera at the origin that looks along +Y."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.camera = add_camera(scene)
    return scene


def add_camera(scene: bpy.types.Scene, name: str = "Camera") -> bpy.types.Object:
    camera = add(scene, name, bpy.data.cameras.new(name))
    camera.rotation_euler.x = radians(90)
    return camera


def add(scene: bpy.types.Scene, name: str, data: bpy.types.ID | None, at: Point = (0, 0, 0)) -> bpy.types.Object:
    thing = bpy.data.objects.new(name, data)
    thing.location = at
    scene.collection.objects.link(thing)
    return thing


def mesh(name: str, points: Iterable[Point], faces: Iterable[Sequence[int]]) -> bpy.types.Mesh:
    made = bpy.data.meshes.new(name)
    made.from_pydata([tuple(point) for point in points], [], [tuple(face) for face in faces])
    return made


def add_plane(scene: bpy.types.Scene, point: Point, normal: Point, size: float = 100) -> bpy.types.Object:
    """A square whose plane holds the point; large enough to fill any view unless told otherwise."""
    turn = Vector(normal).to_track_quat("Z", "Y")
    corners = [(-size, -size, 0), (size, -size, 0), (size, size, 0), (-size, size, 0)]
    return add(scene, "Plane", mesh("Plane", [turn @ Vector(corner) for corner in corners], [(0, 1, 2, 3)]), point)


def add_box(scene: bpy.types.Scene, low: Point, high: Point, at: Point = (0, 0, 0)) -> bpy.types.Object:
    return add(scene, "Box", box_mesh(low, high), at)


def box_mesh(low: Point, high: Point) -> bpy.types.Mesh:
    points = [(x, y, z) for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return mesh("Box", points, faces)


def add_sphere(scene: bpy.types.Scene, centre: Point, radius: float, rings: int = 384) -> bpy.types.Object:
    """So finely divided that its facets lie within 2e-5 of the radius."""
    turns = 2 * rings
    points = [
        (sin(a) * cos(b), sin(a) * sin(b), cos(a))
        for a in (pi * ring / rings for ring in range(rings + 1))
        for b in (2 * pi * turn / turns for turn in range(turns))
    ]
    faces = [
        (ring * turns + turn, (ring + 1) * turns + turn, (ring + 1) * turns + after, ring * turns + after)
        for ring in range(rings)
        for turn, after in ((turn, (turn + 1) % turns) for turn in range(turns))
    ]
    ball = add(scene, "Sphere", mesh("Sphere", points, faces), centre)
    ball.scale = (radius,) * 3
    return ball


class Rays:
    """One ray per pixel of the control image, from the frame that Blender itself draws for the user's camera.

    `origin` and `direction` are (height, width, 3) in world space; a step of 1 along `direction` is 1 of depth.
    """

    def __init__(self, scene: bpy.types.Scene, framing: Framing, camera: bpy.types.Object | None = None) -> None:
        camera = camera or scene.camera
        bpy.context.view_layer.update()
        right_top, _, left_bottom, left_top = (np.array(corner) for corner in camera.data.view_frame(scene=scene))
        across, down = right_top - left_top, left_bottom - left_top
        u, v = pixel_centres(framing)
        on_frame = left_top + u[..., None] * across + v[..., None] * down
        if camera.data.type == "ORTHO":
            origin, direction = on_frame * (1, 1, 0), np.broadcast_to((0.0, 0.0, -1.0), on_frame.shape)
        else:
            origin, direction = np.zeros_like(on_frame), on_frame / -on_frame[..., 2:]
        self.place(origin, direction, camera.matrix_world)

    def place(self, origin: np.ndarray, direction: np.ndarray, matrix: Matrix) -> None:
        turn, shift = np.array(matrix.to_3x3()), np.array(matrix.to_translation())
        self.origin, self.direction = origin @ turn.T + shift, direction @ turn.T

    def plane(self, point: Point, normal: Point) -> np.ndarray:
        """Depth at which every ray meets the plane, inf where it never does."""
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = ((np.array(point) - self.origin) @ np.array(normal)) / (self.direction @ np.array(normal))
        return np.where(depth > 0, depth, np.inf)

    def sphere(self, centre: Point, radius: float) -> tuple[np.ndarray, np.ndarray]:
        """Depth of the near side and the cosine of incidence; inf and 0 where the ray misses."""
        away = self.origin - np.array(centre)
        a = (self.direction**2).sum(-1)
        b = (away * self.direction).sum(-1)
        root = b**2 - a * ((away**2).sum(-1) - radius**2)
        half_chord = np.sqrt(np.where(b < 0, root, 0).clip(0))
        return np.where(half_chord > 0, (-b - half_chord) / a, np.inf), half_chord / np.sqrt(a) / radius


class PanoramicRays(Rays):
    """The rays of a full equirectangular camera: a step of 1 along `direction` is 1 of distance."""

    def __init__(self, scene: bpy.types.Scene, framing: Framing) -> None:
        bpy.context.view_layer.update()
        u, v = pixel_centres(framing)
        longitude, latitude = (u - 0.5) * 2 * pi, (0.5 - v) * pi
        direction = np.stack(
            [np.sin(longitude) * np.cos(latitude), np.sin(latitude), -np.cos(longitude) * np.cos(latitude)], axis=-1
        )
        self.place(np.zeros_like(direction), direction, scene.camera.matrix_world)


def pixel_centres(framing: Framing) -> tuple[np.ndarray, np.ndarray]:
    """Where the centres of the control image's pixels lie on the frame: 0..1 from its left and from its top."""
    across = (np.arange(framing.width) + 0.5 - framing.left) / framing.crop_width
    down = (np.arange(framing.height) + 0.5 - framing.top) / framing.crop_height
    u, v = np.meshgrid(across, down)
    return u, v


def compositor_that_writes(scene: bpy.types.Scene, folder: Path) -> Any:
    """Give the scene a compositor whose File Output node would leave a picture in the folder; returns the tree."""
    if bpy.app.version < (5, 0, 0):
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
    else:
        tree = scene.compositing_node_group = bpy.data.node_groups.new("User", "CompositorNodeTree")
    layers, output = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeOutputFile")
    if bpy.app.version < (5, 0, 0):
        output.base_path = str(folder)
    else:
        output.directory, output.file_name = str(folder), "user"
        output.file_output_items.new("RGBA", "Image")
    tree.links.new(layers.outputs["Image"], output.inputs[0])
    return tree


def instances_on_one_point(instance: bpy.types.Object) -> bpy.types.NodeTree:
    """Geometry nodes that put an instance of the object at their own origin."""
    tree = bpy.data.node_groups.new("Instances", "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    points, on_points = tree.nodes.new("GeometryNodePoints"), tree.nodes.new("GeometryNodeInstanceOnPoints")
    info, output = tree.nodes.new("GeometryNodeObjectInfo"), tree.nodes.new("NodeGroupOutput")
    info.inputs["Object"].default_value = instance
    tree.links.new(points.outputs[0], on_points.inputs["Points"])
    tree.links.new(info.outputs["Geometry"], on_points.inputs["Instance"])
    tree.links.new(on_points.outputs[0], output.inputs[0])
    return tree
