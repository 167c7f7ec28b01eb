"""The live preview: made anew when the artist has changed something and pauses, while an Image Editor shows it.

A change of near, far or curve needs no render: the map is made of the depth in memory, even while the mouse drags.
Anything else is rendered once nothing has changed for a moment and no tool is in use, and only where that is quick.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import bpy
from bpy.app.handlers import persistent

from . import depth_preview
from .button import failure
from .core.errors import InputError
from .properties import depth_settings_of

if TYPE_CHECKING:
    from .core.depth_map import DepthSettings

TICK_SECONDS = 0.05
QUIET_SECONDS = 0.3
"""How long nothing must have changed before it renders."""

SLOW_SECONDS = 0.7
"""A render that takes longer would be felt: the artist is told, and presses the button."""

NOT_SEEN = (bpy.types.Scene, bpy.types.Image, bpy.types.Screen, bpy.types.WindowManager, bpy.types.WorkSpace)
"""What may change without changing the view; of a scene, `depth_preview.View` has what matters."""

sentence = ""
"""What there is to say, or nothing."""

_changed_at: float | None = None
_outdated = False
_made_of: tuple[depth_preview.Seen, DepthSettings] | None = None
"""What the map on view was made of."""


def is_on() -> bool:
    """Whether the preview is kept up to date."""
    return bpy.app.timers.is_registered(_tick)


def switch(on: bool) -> None:
    """Begin, or leave off."""
    global _changed_at, _outdated, sentence
    if on == is_on():
        return
    _changed_at, _outdated, sentence = time.monotonic(), on, ""
    heard = bpy.app.handlers.depsgraph_update_post, bpy.app.handlers.frame_change_post
    if on:
        bpy.app.timers.register(_tick, persistent=True)
        for handlers in heard:
            handlers.append(_note)
    else:
        bpy.app.timers.unregister(_tick)
        for handlers in heard:
            handlers.remove(_note)


@persistent
def _note(_scene: bpy.types.Scene, graph: bpy.types.Depsgraph) -> None:
    global _changed_at, _outdated
    _changed_at = time.monotonic()
    _outdated = _outdated or any(not isinstance(update.id, NOT_SEEN) for update in graph.updates)


def _tick() -> float:
    """Blender drops a timer that raises: what goes wrong is said in the panel."""
    if not _is_busy() and (window := depth_preview.window_in_sight()):
        with bpy.context.temp_override(window=window):
            _say(failure(lambda: _keep_up(window)) or sentence)
    return TICK_SECONDS


def _is_busy() -> bool:
    """A render reads the scene, and an animation that plays is not to stutter."""
    playing = any(window.screen.is_animation_playing for window in bpy.context.window_manager.windows)
    return playing or bpy.app.is_job_running("RENDER")


def _keep_up(window: bpy.types.Window) -> None:
    global _changed_at
    _make_map(window.scene)
    if _changed_at is None or not _is_quiet():
        return
    _changed_at = None  # whatever comes of it
    view, seen = depth_preview.view_of(window.scene, window.view_layer), depth_preview.seen
    if _outdated or seen is None or seen.view != view:
        _render(view, seen)
        _make_map(window.scene)


def _is_quiet() -> bool:
    in_use = any(window.modal_operators for window in bpy.context.window_manager.windows)
    return not in_use and time.monotonic() - _changed_at >= QUIET_SECONDS


def _make_map(scene: bpy.types.Scene) -> None:
    """Of the depth in memory, unless the map on view is made of it already."""
    global _made_of
    seen, wanted = depth_preview.seen, depth_settings_of(scene)
    if seen is None or seen.view.scene != scene.session_uid or (seen, wanted) == _made_of:
        return
    _made_of = seen, wanted
    depth_preview.show(scene)
    _say("")


def _render(view: depth_preview.View, seen: depth_preview.Seen | None) -> None:
    global _outdated
    if seen and seen.view.scene == view.scene and seen.seconds > SLOW_SECONDS:
        raise InputError(f"Live waits: this scene takes {seen.seconds:.1f} s. Press Preview Depth.")
    _outdated = False
    for _ in depth_preview.rendering(view):
        pass


def _say(text: str) -> None:
    global sentence
    if text != sentence:
        sentence = text
        depth_preview.redraw()
