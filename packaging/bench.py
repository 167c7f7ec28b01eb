"""Measurements, side by side in one run: each figure is a ratio, or a time beyond what is not ours.

The machine's own speed drops out of a ratio; pairs are taken in turn, and medians are told.
"""

from __future__ import annotations

import argparse
import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import own_process

ROOT = Path(__file__).resolve().parent.parent
MEASURES: dict[str, tuple[Callable[[int], str], str]] = {}
"""By name: what measures it in that many rounds, and the goal."""


def measure(name: str, goal: str) -> Callable[[Callable[[int], str]], Callable[[int], str]]:
    """Enter a measurement in the table."""

    def enter(function: Callable[[int], str]) -> Callable[[int], str]:
        MEASURES[name] = (function, goal)
        return function

    return enter


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each measurement asked for, or for all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*MEASURES, []], help="default: all")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    for name in options.names or MEASURES:
        function, goal = MEASURES[name]
        print(f"{name:10}  {function(options.rounds)}  (goal: {goal})", flush=True)
    return 0


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def paired(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> str:
    """The median of the ratios ours / theirs, taken in turn, after one warm-up of each."""
    theirs(), ours()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(rounds)]
    ratio = statistics.median(own / other for own, other in pairs)
    own, other = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
    return f"ratio {ratio:.2f}: {own:.0f} ms against {other:.0f} ms, median of {rounds}"


@measure("capture", "1.15 times a bare Workbench render of the same scene and size, or less")
def capture(rounds: int) -> str:
    """Depth as an array, against a render that is thrown away."""
    import bpy
    import demo_scene

    from flux_depth_addon.capture import capture, frame_aspect
    from flux_depth_addon.core.framing import Limits, fit

    demo_scene.build()
    scene = bpy.context.scene
    framing = fit(frame_aspect(scene), Limits())
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.resolution_x, scene.render.resolution_y = framing.width, framing.height
    scene.render.resolution_percentage = 100
    default = paired(lambda: capture(scene=scene, framing=framing), bpy.ops.render.render, rounds)
    scene.display.render_aa = "OFF"
    bare = paired(lambda: capture(scene=scene, framing=framing), bpy.ops.render.render, rounds)
    return f"{bare}, both without anti-aliasing; against Workbench as it comes: {default.partition(':')[0]}"


@measure("stall", "told: how long a capture holds Blender")
def stall(rounds: int) -> str:
    """Scene by scene: a capture with Workbench, next to a bare Workbench render of the same, and one with Cycles."""
    from stall import WHAT

    return "; ".join(f"{words}: {own_process.held(scene, min(rounds, 3))}" for scene, words in WHAT.items())


@measure("png", "1.5 times Pillow alone saving the same picture, or less, at a megapixel")
def png(rounds: int) -> str:
    """From Z to the bytes that are sent, against Pillow's own PNG of the same 8-bit picture."""
    from flux_depth_addon.core.depth_map import DepthSettings, control_image
    from flux_depth_addon.core.depth_map import png as encode

    z = _landscape()
    picture, _verdict = control_image(z, DepthSettings())
    ours = paired(
        lambda: encode(control_image(z, DepthSettings())[0]),
        lambda: picture.save(io.BytesIO(), "PNG"),
        rounds,
    )
    level = paired(
        lambda: encode(control_image(z, DepthSettings())[0]),
        lambda: picture.save(io.BytesIO(), "PNG", compress_level=1),
        rounds,
    )
    return f"{ours}; against Pillow at our own compression level: {level.partition(':')[0]}"


@measure("projection", "told, on a million faces")
def projection(rounds: int) -> str:
    """A picture onto a mesh and off again, against capturing its depth; then what its modifier adds to an edit."""
    import bpy
    from PIL import Image

    from flux_depth_addon import capture, projection, projection_data
    from flux_depth_addon.core.framing import Framing
    from flux_depth_addon.projection_view import Source

    projection_data.register()
    scene, layer, thing = _million_faces()
    framing = Framing(1344, 756, 0, 0, 1344, 756)
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        Image.new("RGB", (framing.width, framing.height)).save(file.name)

        def project() -> None:
            projection.project(scene, layer, Source(Path(file.name), scene.camera.name))
            layer.update()

        def there_and_back() -> None:
            project()
            projection.remove_all(scene)

        whole = paired(there_and_back, lambda: capture.capture(scene=scene, framing=framing), rounds)
        project()
    ours = statistics.median(seconds(lambda: _edit(thing)) for _ in range(rounds))
    projection.remove_all(scene)
    thing.modifiers.new("UV", "UV_PROJECT").projectors[0].object = scene.camera
    theirs = statistics.median(seconds(lambda: _edit(thing)) for _ in range(rounds))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    projection_data.unregister()
    beside = f"{ours * 1000:.0f} ms against {theirs * 1000:.0f} ms of Blender's UV Project"
    return f"{whole}, capture alone; after each edit {beside}"


@measure("enable", "30 ms beyond an add-on that does nothing, or less")
def enable(rounds: int) -> str:
    """In a fresh Blender each time: enabling the extension, and enabling an empty one.

    The first time, Python compiles what it imports and keeps that beside it; every later start finds it there.
    """
    with tempfile.TemporaryDirectory() as home:
        own_process.install(Path(home))
        first = (own_process.enabling(home, "flux_depth") - own_process.enabling(home, "nothing")) * 1000
        pairs = [
            (own_process.enabling(home, "flux_depth"), own_process.enabling(home, "nothing")) for _ in range(rounds)
        ]
    own, other = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
    beyond = f"{own - other:.1f} ms: {own:.1f} ms against {other:.1f} ms, median of {rounds}"
    return f"{beyond}; the very first time, when Python compiles it: {first:.0f} ms"


@measure("overhead", "0.5 s beyond the endpoint's own 5 s, or less")
def overhead(rounds: int) -> str:
    """From the click to the picture on the disk, worker started anew each time."""
    extra = statistics.median(_jobs(1, 5.0) - 5.0 for _ in range(rounds))
    return f"{extra:.2f} s, median of {rounds}"


@measure("many", "24 jobs at once take 1.3 times what one takes, or less")
def many(rounds: int) -> str:
    """The same endpoint, which takes 5 s for each picture, with 24 jobs and with one."""
    pairs = [(_jobs(24, 5.0), _jobs(1, 5.0)) for _ in range(max(rounds // 2, 1))]
    ratio = statistics.median(own / other for own, other in pairs)
    return f"ratio {ratio:.2f}: {pairs[0][0]:.1f} s against {pairs[0][1]:.1f} s"


@measure("grid", "a grid of 200 pictures takes 1.3 times the endpoint's own time, or less")
def grid(_rounds: int) -> str:
    """The same endpoint, which takes 5 s for each picture and 24 at a time."""
    own = -(-200 // 24) * 5.0
    took = _jobs(200, 5.0)
    return f"ratio {took / own:.2f}: {took:.1f} s against {own:.1f} s"


@measure("sheet", "told: a contact sheet of 100 pictures of 1344 × 768")
def sheet(rounds: int) -> str:
    """From the files to a JPEG, and the most memory that a process takes for it."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder, "picture.png")
        picture.write_bytes(_control())
        took, megabytes = zip(*(own_process.sheet_of(picture) for _ in range(min(rounds, 3))), strict=True)
    return f"{statistics.median(took):.1f} s, median of {len(took)}; {max(megabytes):.0f} MB beyond an empty process"


@measure("memory", "told, at 4096 × 4096")
def memory(_rounds: int) -> str:
    """The peak of a whole process that captures once, beyond one that renders the same size with Workbench."""
    own, other = (own_process.peak(what) for what in ("capture", "render"))
    return (
        f"{own - other:.0f} MB beyond a bare Workbench render ({own:.0f} MB against {other:.0f} MB); Z itself is 67 MB"
    )


@measure("history", "told: what a search of 10,000 pictures takes")
def history(rounds: int) -> str:
    """Searching, and the rows of Blender's list. What drawing takes is told by tests/gui/test_history.py."""
    import bpy

    from flux_depth_addon.core.history import Search, found
    from flux_depth_addon.core.journal import Journal
    from flux_depth_addon.gallery_panel import FLUXDEPTH_PG_found, FLUXDEPTH_PG_history

    for kind in (FLUXDEPTH_PG_found, FLUXDEPTH_PG_history):
        bpy.utils.register_class(kind)
    bpy.types.WindowManager.flux_depth_history = bpy.props.PointerProperty(type=FLUXDEPTH_PG_history)
    rows = bpy.context.window_manager.flux_depth_history.rows
    searches = {"all": Search(), "two words": Search("garden 77"), "a camera": Search(scene="Scene", camera="Camera")}
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder)) as journal:
        _remember(journal, 10_000)
        work = {name: partial(found, journal.database, search) for name, search in searches.items()}
        work["filling the list"] = partial(_fill, rows, 10_000)
        took = {name: statistics.median(seconds(each) for _ in range(rounds)) for name, each in work.items()}
    return "; ".join(f"{name} {each * 1000:.1f} ms" for name, each in took.items())


def _remember(journal: object, number: int) -> None:
    """Enter that many finished pictures."""
    from dataclasses import replace

    from flux_depth_addon.core.entry import new_job
    from flux_depth_addon.core.job import Step

    with journal.database.writing():
        for seed in range(1, number + 1):
            asked = replace(
                _request(), prompt=f"a garden with a pond, {seed}", seed=seed, scene="Scene", camera="Camera"
            )
            job = new_job(journal.folder, asked, price_usd=0.06, base="", output=None, timeout=600, origin="")
            journal._insert(replace(job, step=Step.DONE, result=str(job.output)))


def _fill(rows: object, number: int) -> None:
    rows.clear()
    for _ in range(number):
        rows.add()


def _million_faces() -> tuple[Any, Any, Any]:
    """The scene, its layer, and a grid of hills before the camera."""
    import bpy
    import numpy as np

    bpy.ops.wm.read_factory_settings(use_empty=False)
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=1000, y_subdivisions=1000, size=8)
    grid = bpy.context.object
    points = np.empty(3 * len(grid.data.vertices), np.float32)
    grid.data.vertices.foreach_get("co", points)
    points[2::3] = np.sin(points[0::3] * 3) * np.cos(points[1::3] * 2) / 4
    grid.data.vertices.foreach_set("co", points)
    return bpy.context.scene, bpy.context.view_layer, grid


def _edit(thing: Any) -> None:
    """What follows an edit of the mesh."""
    import bpy

    thing.data.update()
    bpy.context.view_layer.update()


def _landscape() -> object:
    import numpy as np

    y, x = np.mgrid[0:768, 0:1344].astype(np.float32)
    return (4 + 60 * (1 - y / 768) ** 2 + np.sin(x / 90) * np.cos(y / 70)).astype(np.float32)


def _jobs(count: int, delay: float) -> float:
    """Seconds until that many jobs are done, from the first click; the endpoint answers with the map itself."""
    from flux_depth_addon import worker_process
    from flux_depth_addon.core import models
    from flux_depth_addon.core.entry import Entry
    from flux_depth_addon.core.journal import Journal

    table = models.load()
    endpoint = [sys.executable, "-m", "flux_depth_addon.core.sandbox", "--port", "0", "--until-stdin-closes"]
    endpoint += ["--delay", str(delay), "--picture", "echo"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(endpoint, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sandbox,
        Journal(Path(folder)) as journal,
    ):
        base = sandbox.stdout.readline().strip() if sandbox.stdout else ""
        request, control = _request(), _control()
        started = time.perf_counter()
        wanted = (replace(request, seed=seed) for seed in range(1, count + 1))
        journal.add_many([Entry(each, control, 0.0, None) for each in wanted], base=base)
        worker_process.start(Path(folder), table, [], {}, list(table.providers))
        while journal.unfinished():
            time.sleep(0.02)
        took = time.perf_counter() - started
        assert len([job for job in journal.jobs() if job.result]) == count, [
            job.error_message for job in journal.jobs()
        ]
        worker_process.let_go()
        sandbox.communicate()
    return took


def _request() -> Any:
    from flux_depth_addon.core.framing import Limits, fit
    from flux_depth_addon.core.request import Request

    return Request(prompt="a garden", model="sandbox", framing=fit(16 / 9, Limits()), seed=7)


def _control() -> bytes:
    from flux_depth_addon.core.depth_map import DepthSettings, control_image
    from flux_depth_addon.core.depth_map import png as encode

    return encode(control_image(_landscape(), DepthSettings())[0])


if __name__ == "__main__":
    sys.exit(main())
