"""The chosen picture while it is painted, small, where its provider shows it: read by a timer, drawn from memory.

One at a time, as only one job is chosen. Drawing notes which one that is; the timer runs once after each news of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from . import watch, windows

if TYPE_CHECKING:
    from .core.job import Job

SIDE = 256
"""Pixels: what Blender keeps of a preview."""

MAX_BYTES = 4_000_000
"""Of such a file; they are of some ten kilobytes."""

_previews: Any = None
_wanted: Job | None = None
_known: tuple[str, int] = ("", 0)
"""The job whose picture is shown, and when its file was written, in nanoseconds."""

_asked: tuple[str, int] = ("", -1)
"""The job that was looked at last, and the number of the last change by then."""


def icon_of(job: Job) -> int:
    """The number of its picture, as Blender's layouts take it; 0 for none. Has a newer one brought."""
    global _wanted
    running = None if job.is_final else job
    if (running and _asked != (job.id, watch.last_shown)) or _is_another(running):
        _wanted = running
        if not bpy.app.timers.is_registered(_tick):
            bpy.app.timers.register(_tick, first_interval=0.01)
    return _previews[job.id].icon_id if running and _known[0] == job.id else 0


def forget() -> None:
    """Let go of it."""
    global _known
    _known = ("", 0)
    if _previews is not None:
        _previews.clear()


def _is_another(job: Job | None) -> bool:
    return _known[0] != "" and (job is None or job.id != _known[0])


def _tick() -> None:
    """Once: whoever draws asks for the next one."""
    global _asked
    _asked, before = (_wanted.id if _wanted else "", watch.last_shown), _known
    if _is_another(_wanted):
        forget()
    if _wanted:
        _bring(_wanted)
    if _known != before:
        windows.redraw()


def _bring(job: Job) -> None:
    """Read it where there is a newer one. It is a stranger's, and gone the moment that the job ends."""
    global _known
    from .core.errors import ProviderError

    try:
        written = job.preview.stat()
        if (job.id, written.st_mtime_ns) == _known or written.st_size > MAX_BYTES:
            return
        width, height, pixels = _pixels(job.preview.read_bytes())
    except (OSError, ProviderError):
        return
    _show(job.id, width, height, pixels)
    _known = (job.id, written.st_mtime_ns)


def _pixels(data: bytes) -> tuple[int, int, Any]:
    """Width, height, and each pixel as the four bytes that Blender takes for one number, the lowest row first."""
    import numpy as np
    from PIL import Image

    from .core.picture import open_picture

    picture = open_picture(data).convert("RGBA")
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    rows = np.ascontiguousarray(np.asarray(picture)[::-1])
    return picture.width, picture.height, rows.view(np.int32).ravel()


def _show(job_id: str, width: int, height: int, pixels: Any) -> None:
    global _previews
    if _previews is None:
        import bpy.utils.previews

        _previews = bpy.utils.previews.new()
    _previews.clear()
    preview = _previews.new(job_id)
    preview.image_size = (width, height)
    preview.image_pixels.foreach_set(pixels)


def register() -> None:
    """Nothing is wanted yet."""


def unregister() -> None:
    """Stop looking, and let go."""
    global _previews, _wanted
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    forget()
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
    _previews = _wanted = None
