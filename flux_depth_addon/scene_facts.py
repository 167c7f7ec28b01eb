"""What Blender knows of a scene, gathered on a click: the lens, the sun, and the names of what the camera sees."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import bpy

from .capture import is_panoramic
from .core.facts import Fact, chosen, lens_words, sun_words, words_of
from .stored_text import text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Homes: TypeAlias = dict[bpy.types.Object, list[bpy.types.Collection]]

GEOMETRY = {"MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES", "POINTCLOUD", "VOLUME", "GREASEPENCIL", "GPENCIL"}
LEAST_SHARE = 0.0002
"""Of the camera's frame: what is smaller, 15 pixels square of 1344 × 768, no prompt has to name."""

NO_LENS = {"ORTHO": "orthographic view", "PANO": "panoramic view"}
EMPTY_BOX = ((-1, -1, -1), (1, 1, 1)) * 4
"""Of a collection instance, whose size Blender does not tell."""

WORTH_A_LOOK = 500
"""Of so many things, the largest in the frame, names are asked for."""

HORIZON = -0.5
"""Degrees: a sun light that is lower shines upwards, and is no sun."""


def gather(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer, camera: bpy.types.Object | None) -> list[Fact]:
    """The facts that a prompt may want, most telling first; none that is not known."""
    homes = _homes(scene)
    things = _in_view(scene, camera, [thing for thing in view_layer.objects if _is_rendered(thing, homes)])
    return chosen([*_of_camera(scene, camera), *_of_light(scene, view_layer), *_of_things(things, homes)])


def _homes(scene: bpy.types.Scene) -> Homes:
    """Where each thing is filed; asked of the collections, as each thing would have to search all of them."""
    homes: Homes = {}
    for collection in (scene.collection, *scene.collection.children_recursive):
        for thing in collection.objects:
            homes.setdefault(thing, []).append(collection)
    return homes


def _of_camera(scene: bpy.types.Scene, camera: bpy.types.Object | None) -> Iterator[Fact]:
    if camera is None:
        return
    data = cast("bpy.types.Camera", camera.data)
    if data.type == "PERSP":
        yield Fact("lens", lens_words(_full_frame(scene, data)))
    elif data.type in NO_LENS:
        yield Fact("lens", NO_LENS[data.type])


def _full_frame(scene: bpy.types.Scene, data: bpy.types.Camera) -> float:
    """The focal length that sees as much on a sensor of 36 mm, along the longer side of the picture."""
    render = scene.render
    width, height = render.resolution_x * render.pixel_aspect_x, render.resolution_y * render.pixel_aspect_y
    longer = max(width, height)
    along = {"HORIZONTAL": width, "VERTICAL": height}.get(data.sensor_fit, longer)
    sensor = data.sensor_height if data.sensor_fit == "VERTICAL" else data.sensor_width
    seen = sensor * longer
    return 36 * data.lens * along / seen if seen else 0.0  # a stranger's file may hold any number


def _of_light(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer) -> Iterator[Fact]:
    """The time of day as a sky or a sun has it; and the world's name, which may say more."""
    elevation = _elevation_of_sky(scene.world)
    if elevation is None:
        elevation = _elevation_of_sun(view_layer)
    if elevation is not None:
        yield Fact("time", sun_words(elevation))
    if scene.world and (words := words_of(text(scene.world))) != "World":
        yield Fact("world", words)


def _elevation_of_sky(world: bpy.types.World | None) -> float | None:
    """Degrees of the sun in a sky texture that lights the world; None without one."""
    tree = world.node_tree if world else None
    skies = (node for node in (tree.nodes if tree else ()) if node.bl_idname == "ShaderNodeTexSky")
    sky = next((node for node in skies if any(output.is_linked for output in node.outputs)), None)
    return None if sky is None else _elevation_in(sky)


def _elevation_in(sky: Any) -> float | None:
    """Blender's older skies have a direction towards the sun, its newer ones an elevation; one of them even no disc."""
    if sky.sky_type in ("PREETHAM", "HOSEK_WILKIE"):
        direction = sky.sun_direction
        return _degrees(direction.z / direction.length) if direction.length else None
    return math.degrees(sky.sun_elevation)


def _elevation_of_sun(view_layer: bpy.types.ViewLayer) -> float | None:
    """Degrees of the brightest sun light above the horizon; None without one that shines down."""
    lights = (thing for thing in view_layer.objects if thing.type == "LIGHT" and thing.data.type == "SUN")
    shining = [light for light in lights if light.data.energy > 0 and not light.hide_render]
    for light in sorted(shining, key=lambda light: -light.data.energy):
        towards = light.matrix_world.to_3x3().col[2].normalized()
        if (elevation := _degrees(towards.z)) >= HORIZON:
            return elevation
    return None


def _degrees(height: float) -> float:
    """Of elevation, from the height of a direction of length 1, as far as rounding lets it be that."""
    return math.degrees(math.asin(max(-1.0, min(1.0, height))))


def _of_things(things: list[bpy.types.Object], homes: Homes) -> Iterator[Fact]:
    """Their names, then those of what they are made of and where they are filed, largest in the frame first."""
    large = things[:WORTH_A_LOOK]
    yield from (Fact("object", words_of(text(thing))) for thing in large)
    yield from (Fact("material", words_of(text(slot.material))) for thing in large for slot in _slots(thing))
    filed = (home for thing in large for home in homes[thing])
    yield from (Fact("collection", words_of(text(home))) for home in filed if not home.is_embedded_data)


def _slots(thing: bpy.types.Object) -> Iterable[bpy.types.MaterialSlot]:
    return (slot for slot in list(thing.material_slots)[:8] if slot.material)


def _in_view(
    scene: bpy.types.Scene, camera: bpy.types.Object | None, things: list[bpy.types.Object]
) -> list[bpy.types.Object]:
    """What lies in the camera's frame by its box, largest first; what may hide it is not asked."""
    import numpy as np

    if camera is None or not things:
        return things
    with np.errstate(all="ignore"):  # a stranger's matrix may hold anything: what is no number is not in the frame
        boxes = _boxes(things)
        shares = _around(boxes, camera) if is_panoramic(camera) else _in_frame(boxes @ _projection(scene, camera).T)
    order = (-shares).argsort(kind="stable")
    return [things[number] for number in order if shares[number] >= LEAST_SHARE]


def _is_rendered(thing: bpy.types.Object, homes: Homes) -> bool:
    shown = thing.type in GEOMETRY or (thing.type == "EMPTY" and thing.instance_type == "COLLECTION")
    return shown and not thing.hide_render and any(not home.hide_render for home in homes.get(thing, ()))


def _boxes(things: list[bpy.types.Object]) -> NDArray[Any]:
    """The corners of each thing's box in the world, shape (things, 8, 4); of an empty, a box of its own."""
    import numpy as np

    corners = np.ones((len(things), 8, 4))
    corners[..., :3] = [EMPTY_BOX if thing.type == "EMPTY" else thing.bound_box for thing in things]
    matrices = np.array([thing.matrix_world for thing in things])
    boxes: NDArray[Any] = corners @ matrices.transpose(0, 2, 1)
    return boxes


def _projection(scene: bpy.types.Scene, camera: bpy.types.Object) -> NDArray[Any]:
    """From the world to the camera's frame, which is -1..1 once divided by the last number."""
    import numpy as np

    render = scene.render
    window = camera.calc_matrix_camera(
        bpy.context.evaluated_depsgraph_get(),
        x=render.resolution_x,
        y=render.resolution_y,
        scale_x=render.pixel_aspect_x,
        scale_y=render.pixel_aspect_y,
    )
    return np.array(window @ camera.matrix_world.normalized().inverted_safe())


def _in_frame(projected: NDArray[Any]) -> NDArray[Any]:
    """Which share of the frame the rectangle around each box takes; corners behind the camera have no place in it."""
    import numpy as np

    before = projected[..., 3:] > 1e-6
    flat = projected[..., :2] / projected[..., 3:]
    low, high = np.where(before, flat, np.inf).min(1), np.where(before, flat, -np.inf).max(1)
    shares: NDArray[Any] = (high.clip(-1, 1) - low.clip(-1, 1)).clip(0).prod(1) / 4
    return shares


def _around(boxes: NDArray[Any], camera: bpy.types.Object) -> NDArray[Any]:
    """How large each box is to a camera that sees all around."""
    import numpy as np

    away = np.linalg.norm(boxes.mean(1)[:, :3] - camera.matrix_world.translation, axis=1)
    shares: NDArray[Any] = (np.ptp(boxes[..., :3], axis=1).max(1) / away.clip(1e-6)) ** 2
    return shares
