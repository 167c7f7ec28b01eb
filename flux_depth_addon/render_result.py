"""The Render Result, the one picture that all renders show in: kept through a render of ours, and rid of what it left.

Blender has up to eight slots of it, and tells neither what a slot holds nor which of them the last render went to. Both
can be found out, and this is the only room that does so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import bpy

__all__ = ["find", "forget", "kept", "shows"]

DONE = "done"
"""Where the first frame of a render is written that has nothing to do: 0001 is added to it."""
ENOUGH = 1 << 16
"""Bytes: whoever cannot write so many cannot save a picture either."""


def find() -> bpy.types.Image | None:
    """The data-block of the Render Result; there is none before the first render."""
    return next((image for image in bpy.data.images if image.type == "RENDER_RESULT"), None)


@contextmanager
def kept(blank: bpy.types.Scene, folder: Path) -> Iterator[None]:
    """Bring every slot's picture, and the choice of the one on view, through a render. Raises OSError.

    `blank` was never rendered; the folder is for pictures that nobody looks at.
    """
    Path(folder, f"{DONE}0001").touch()
    image = find()
    on_view = image.render_slots.active_index if image else 0
    try:
        if image:
            image.render_slots.active_index = last_rendered_slot(image, blank, folder)
        yield
    finally:
        if image:
            image.render_slots.active_index = on_view


def last_rendered_slot(image: bpy.types.Image, blank: bpy.types.Scene, folder: Path) -> int:
    """The slot of the last render, the only one that the next render leaves alone: it drops what another holds.

    Its picture is kept with the scene, those of the others with the image: a scene that was never rendered can save
    the others and not this one.
    """
    slots, on_view = image.render_slots, image.render_slots.active_index
    free = [slot for slot in range(len(slots)) if not shows(image, slot, blank, folder)]
    if len(free) == len(slots) and on_view == 0:
        return 0  # one render at most and no choice of slots: spare the time of saving that picture
    rendered = (slot for slot in free if any(shows(image, slot, scene, folder) for scene in bpy.data.scenes))
    return next(rendered, free[0] if free else on_view)


def shows(image: bpy.types.Image, slot: int, scene: bpy.types.Scene, folder: Path) -> bool:
    """True when this slot has a picture, seen from that scene: it can be saved. Raises OSError where nothing can."""
    image.render_slots.active_index = slot
    path = folder / "slot"
    with suppress(RuntimeError):
        image.save_render(str(path), scene=scene)
    if path.exists():
        path.unlink()
        return True
    path.write_bytes(bytes(ENOUGH))
    path.unlink()
    return False


def forget(scene: bpy.types.Scene, folder: Path) -> None:
    """Free the picture of a scene's render, which Blender would keep beyond the scene's own end.

    It is freed when the next render begins: here is one that has nothing to do, as its only file exists already, made
    by `kept` while nothing was at stake. Left unfreed, it shows in the next scene that gets the same place in memory.
    """
    render = scene.render
    render.resolution_x = render.resolution_y = 4
    scene.frame_start, scene.frame_end = 1, 1
    render.filepath, render.use_file_extension, render.use_overwrite = str(folder / DONE), False, False
    bpy.ops.render.render(scene=scene.name, animation=True)
