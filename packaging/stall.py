"""How long a capture holds Blender: `python stall.py SCENE ROUNDS` prints three medians in seconds, on its last line.

Of a bare Workbench render, of our capture with Workbench, taken in turn, and of one capture with Cycles.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

SIDE = 1000
"""A grid of so many faces a side is a million."""


def light() -> None:
    """The demonstration's interior: some 650 objects, few faces."""
    import demo_scene

    demo_scene.build()


def single() -> None:
    """Ten million faces in one mesh."""
    grid(round(SIDE * 10**0.5))


def copies() -> None:
    """Ten million faces as ten objects that share one mesh."""
    import bpy

    mesh = grid(SIDE).data
    for number in range(1, 10):
        twin = bpy.data.objects.new("Twin", mesh)
        twin.location.z = -number / 10
        bpy.context.collection.objects.link(twin)


def grid(side: int) -> Any:
    """A flat grid in front of the startup file's camera."""
    import bpy

    bpy.ops.mesh.primitive_grid_add(x_subdivisions=side, y_subdivisions=side, size=8)
    return bpy.context.object


def main(name: str, rounds: int) -> None:
    """Measure one scene, without anti-aliasing, after one warm-up of each."""
    import bpy

    from flux_depth_addon.capture import capture, frame_aspect
    from flux_depth_addon.core.framing import Limits, fit

    SCENES[name]()
    scene = bpy.context.scene
    framing, render = fit(frame_aspect(scene), Limits()), scene.render
    render.engine, scene.display.render_aa = "BLENDER_WORKBENCH", "OFF"
    render.resolution_x, render.resolution_y, render.resolution_percentage = framing.width, framing.height, 100
    works = (bpy.ops.render.render, lambda: capture(scene=scene, framing=framing))
    turns = [[seconds(work) for work in works] for _ in range(rounds + 1)][1:]
    cycles = seconds(lambda: capture(scene=scene, framing=framing, engine="CYCLES"))
    print()
    print(*(statistics.median(column) for column in zip(*turns, strict=True)), cycles)


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


SCENES = {"light": light, "single": single, "copies": copies}
WHAT = {"light": "the interior", "single": "10 million faces in one mesh", "copies": "in ten objects of one mesh"}

if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
