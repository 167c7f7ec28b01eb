"""Runs in the artist's Blender: answers on a local socket what a test asks of it, between Blender's own events.

`blender --python inside.py` with the socket's path in $FLUX_DEPTH_ARTIST. A request is JSON, {"code", "in_window"};
the answer too: {"value": of the last expression} or {"error": the traceback}.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import socket
import traceback
from importlib import import_module
from typing import Any

import bpy

PAUSE = 0.01
EXTENSION = "bl_ext.user_default.flux_depth"

server = socket.socket(socket.AF_UNIX)
server.bind(os.environ["FLUX_DEPTH_ARTIST"])
server.listen()
server.setblocking(False)


def answer_all() -> float:
    """The timer: everyone who has called by now."""
    with contextlib.suppress(BlockingIOError):
        while True:
            caller, _ = server.accept()
            with caller:
                caller.setblocking(True)
                caller.sendall(json.dumps(answer(**json.loads(heard(caller))), default=shown).encode())
    return PAUSE


def heard(caller: socket.socket) -> str:
    """What is asked: it is on its way already."""
    parts = iter(lambda: caller.recv(1 << 16), b"")
    return b"".join(parts).decode()


def answer(code: str, in_window: bool) -> dict[str, Any]:
    """The value of the last expression, or how it failed. What opens a file must not run in a window that it closes."""
    try:
        with bpy.context.temp_override(**surroundings()) if in_window else contextlib.nullcontext():
            return {"value": run(code)}
    except Exception:
        return {"error": traceback.format_exc()}


def run(code: str) -> Any:
    """The value of the last expression."""
    body = ast.parse(code)
    last = body.body.pop() if body.body and isinstance(body.body[-1], ast.Expr) else None
    known = (part, area, region, window_of, button_under, panels_of, reports)
    names = {"bpy": bpy, **{one.__name__: one for one in known}}
    exec(compile(body, "<test>", "exec"), names)
    return eval(compile(ast.Expression(last.value), "<test>", "eval"), names) if last else None


def surroundings() -> dict[str, Any]:
    """The first window and its largest 3D Viewport, as far as there is one."""
    window = bpy.context.window_manager.windows[0]
    found = {"window": window, "screen": window.screen}
    viewports = [area for area in window.screen.areas if area.type == "VIEW_3D"]
    if viewports:
        largest = max(viewports, key=lambda area: area.width * area.height)
        found |= {"area": largest, "region": region(largest, "WINDOW")}
    return found


def part(name: str) -> Any:
    """A module of the extension."""
    return import_module(f"{EXTENSION}.{name}")


def area(kind: str) -> bpy.types.Area | None:
    """The largest editor of that kind in any window."""
    found = [area for window in bpy.context.window_manager.windows for area in window.screen.areas if area.type == kind]
    return max(found, key=lambda area: area.width * area.height, default=None)


def region(area: bpy.types.Area, kind: str) -> bpy.types.Region:
    """The part of an editor: WINDOW, UI (the sidebar), HEADER."""
    return next(region for region in area.regions if region.type == kind)


def window_of(area: bpy.types.Area) -> bpy.types.Window:
    """The window that shows it."""
    windows = bpy.context.window_manager.windows
    return next(window for window in windows if area in list(window.screen.areas))


def button_under(editor: str, kind: str) -> str:
    """What the mouse is on there: bpy.ops.flux_depth.generate(…), or the full path of a property; else nothing.

    Blender tells it by what Copy Python Command and Copy Full Data Path put on the clipboard, which greyed ones allow.
    """
    place, manager = area(editor), bpy.context.window_manager
    kept, told = manager.clipboard, ""
    with bpy.context.temp_override(window=window_of(place), area=place, region=region(place, kind)):
        if bpy.ops.ui.copy_python_command_button.poll():
            bpy.ops.ui.copy_python_command_button()
            told = manager.clipboard
        elif bpy.ops.ui.copy_data_path_button.poll():
            bpy.ops.ui.copy_data_path_button(full_path=True)
            told = manager.clipboard
    if told:
        manager.clipboard = kept
    return told


def reports() -> str:
    """What stands in the Info editor, line by line, which is empty then."""
    place, manager = area("PROPERTIES"), bpy.context.window_manager
    kept, kind = manager.clipboard, place.type
    manager.clipboard = ""
    place.type = "INFO"
    with bpy.context.temp_override(window=window_of(place), area=place, region=region(place, "WINDOW")):
        bpy.ops.info.select_all(action="SELECT")
        bpy.ops.info.report_copy()
        bpy.ops.info.report_delete()
    told, place.type, manager.clipboard = manager.clipboard, kind, kept
    return told


def panels_of(editor: str, tab: str) -> list[str]:
    """The titles in a tab of an editor's sidebar, from above."""
    kinds = [kind for kind in bpy.types.Panel.__subclasses__() if getattr(kind, "bl_category", "") == tab]
    chosen = [kind for kind in kinds if kind.bl_space_type == editor and not getattr(kind, "bl_parent_id", "")]
    drawn = [kind for kind in chosen if not hasattr(kind, "poll") or kind.poll(bpy.context)]
    return [kind.bl_label for kind in sorted(drawn, key=lambda kind: kind.bl_order)]


def shown(value: Any) -> Any:
    """What JSON has no form for: sequences as lists, the rest as text."""
    return list(value) if hasattr(value, "__iter__") else str(value)


bpy.context.preferences.view.show_splash = False
bpy.context.preferences.use_preferences_save = False
bpy.context.preferences.system.viewport_aa = "OFF"  # there is no GPU
bpy.app.timers.register(answer_all, persistent=True)
