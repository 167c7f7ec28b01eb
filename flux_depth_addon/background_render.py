"""The Z pass from a Blender without a window, for engines that take their time: this one stays usable meanwhile.

It renders a copy of the file, so there is nothing to put back, and to break off is to end it.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from . import worker_process
from .core.errors import InputError

if TYPE_CHECKING:
    from numpy import ndarray

    from .capture import Engine
    from .core.framing import Framing

SCENE, DEPTH, LOG = "scene.blend", "depth.npy", "blender.log"
FAILED = "FLUX Depth: "
"""Before the sentence in the log that says why there is no depth."""

TAIL = 4096
"""Bytes at the end of the log in which what is being done now is looked for."""


def can_render(scene: bpy.types.Scene, engine: Engine) -> bool:
    """Whether another Blender would see the same: the file says all, and no graphics card is needed."""
    from .capture import engine_id

    return engine_id(scene, engine) == "CYCLES" and not any(_drivers()) and not any(_simulations())


def _drivers() -> Iterator[bpy.types.FCurve]:
    """What is worked out by Python, which another Blender may not be allowed to run, or by an add-on's functions."""
    from .untouched import data_blocks

    for block in data_blocks().values():
        animation = getattr(block, "animation_data", None)
        for curve in animation.drivers if animation else ():
            if curve.driver.type == "SCRIPTED" and not curve.driver.is_simple_expression:
                yield curve


def _simulations() -> Iterator[bpy.types.Node]:
    """What no file holds unless it is baked."""
    for tree in bpy.data.node_groups:
        yield from (node for node in tree.nodes if node.bl_idname == "GeometryNodeSimulationOutput")


def rendering(
    *,
    scene: bpy.types.Scene,
    camera: bpy.types.Object,
    view_layer: str,
    framing: Framing,
    engine: Engine,
    frame: float | None = None,
) -> Generator[str, None, ndarray]:
    """As `capture.capture` returns it; yields, while it is under way, what is being done. Raises InputError.

    Whoever closes the generator ends the render.
    """
    import numpy as np

    from .capture import check

    check(scene, camera, view_layer, framing, engine)
    asked = {
        "scene": scene.name,
        "camera": camera.name,
        "view_layer": view_layer,
        "engine": engine,
        "framing": asdict(framing),
        "frame": scene.frame_current_final if frame is None else frame,
    }
    with tempfile.TemporaryDirectory(prefix="flux_depth_", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        _save_copy(folder / SCENE)
        child = worker_process.beside(_command(name, asked), log=folder / LOG)
        try:
            yield from _waited_for(child, folder / LOG)
        finally:
            child.kill()
            child.wait()
        if not (folder / DEPTH).is_file():
            raise InputError(_reason(folder / LOG, child.returncode))
        return np.load(folder / DEPTH)


def _command(folder: str, asked: dict[str, Any]) -> list[str]:
    """This very Blender, as it comes, without the artist's add-ons; Blender as a module is its Python."""
    code = f"from {worker_process.PACKAGE.name}.background_render import main; main({folder!r}, {asked!r})"
    if not bpy.app.binary_path:
        return [sys.executable, "-s", "-P", "-c", code]
    quiet = ["--background", "--factory-startup", "-noaudio", "--disable-autoexec"]
    return [bpy.app.binary_path, *quiet, "--python-use-system-env", "--python-exit-code", "1", "--python-expr", code]


def _save_copy(path: Path) -> None:
    """Without a word to other add-ons: nothing of the artist's is saved."""
    lists = bpy.app.handlers.save_pre, bpy.app.handlers.save_post, bpy.app.handlers.save_post_fail
    kept = [list(handlers) for handlers in lists]
    try:
        for handlers in lists:
            handlers.clear()
        bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, check_existing=False, compress=False)
    except RuntimeError as error:
        raise InputError(f"The scene could not be handed to the render: {str(error).strip()}") from None
    finally:
        for handlers, before in zip(lists, kept, strict=True):
            handlers[:] = before


def _waited_for(child: worker_process.Child, log: Path) -> Iterator[str]:
    began = time.monotonic()
    while child.poll() is None:
        yield f"{_doing(log)}  ·  {time.monotonic() - began:.0f} s"


def _doing(log: Path) -> str:
    """Cycles' own word for it: Updating Geometry BVH."""
    lines = _tail(log).splitlines()
    told = next((line for line in reversed(lines) if line.startswith("Fra:")), "")
    return told.rpartition("|")[2].strip() or "Opening the scene"


def _reason(log: Path, code: int) -> str:
    lines = [line for line in _tail(log).splitlines() if line.strip()]
    said = next((line.removeprefix(FAILED) for line in reversed(lines) if line.startswith(FAILED)), "")
    return said or f"Blender did not render the depth (exit code {code}): {lines[-1] if lines else 'it said nothing'}"


def _tail(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL))
        return file.read().decode(errors="replace")


def main(folder: str, asked: dict[str, Any]) -> None:
    """In the other Blender: open the copy, render, leave the depth."""
    import numpy as np

    from .capture import capture
    from .core.framing import Framing

    bpy.ops.wm.open_mainfile(filepath=str(Path(folder, SCENE)), load_ui=False, use_scripts=False)
    scene = bpy.data.scenes[asked["scene"]]
    frame = asked["frame"]
    if scene.frame_current_final != frame:
        scene.frame_set(math.floor(frame), subframe=frame % 1)
    try:
        z = capture(
            scene=scene,
            camera=scene.objects[asked["camera"]],
            view_layer=asked["view_layer"],
            framing=Framing(**asked["framing"]),
            engine=asked["engine"],
        )
    except InputError as error:
        print(f"{FAILED}{error}")
        sys.exit(1)
    unfinished = Path(folder, "unfinished.npy")
    np.save(unfinished, z)
    unfinished.rename(Path(folder, DEPTH))
