"""Blend files as a stranger would make them, and what is needed to see that opening one does nothing.

Up to 4.5, what a registered property holds is a custom property like any other; from 5.0 on it lies in a storage of its
own, which Python cannot reach by name. So a stranger's Blender is played by another add-on: it registers properties of
the same names and other types, and whatever Blender it is, that writes them to where ours are read from.
"""

from __future__ import annotations

import ast
import os
import select
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)


class Group(bpy.types.PropertyGroup):
    """What a stranger stores where a value is expected"""

    note: StringProperty()


class Pile(list):
    """The notes of a collection of such groups"""


def save(path: Path) -> Path:
    """The open file, written without compression, so that its bytes can be changed."""
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=False)
    return path


def open_file(path: Path, *, scripts: bool = False) -> bpy.types.Scene:
    """As Blender opens a file from its menu, scripts off unless told otherwise."""
    bpy.ops.wm.open_mainfile(filepath=str(path), use_scripts=scripts)
    return bpy.context.scene


def patch(path: Path, changes: Mapping[bytes, bytes]) -> None:
    """Change the bytes of a saved file, as no Blender would; the new ones are as many as the old."""
    content = path.read_bytes()
    for old, new in changes.items():
        assert len(old) == len(new)
        assert old in content
        content = content.replace(old, new)
    path.write_bytes(content)


@contextmanager
def foreign(extension: Any, owner: type, values: Mapping[str, Any]) -> Iterator[None]:
    """The extension away, and in its place an add-on that stores these values under the same names on every `owner`."""
    extension.unregister()
    bpy.utils.register_class(Group)
    annotations = {name: declared(value) for name, value in values.items()}
    kind = type("Stranger", (bpy.types.PropertyGroup,), {"__annotations__": annotations})
    bpy.utils.register_class(kind)
    owner.flux_depth = PointerProperty(type=kind)
    try:
        yield
    finally:
        del owner.flux_depth
        bpy.utils.unregister_class(kind)
        bpy.utils.unregister_class(Group)
        extension.register()


def declared(value: Any) -> Any:
    """A property that can hold the value."""
    match value:
        case bool():
            return BoolProperty()
        case int():
            return IntProperty()
        case float():
            return FloatProperty()
        case str():
            return StringProperty()
        case tuple():
            return FloatVectorProperty(size=len(value))
        case Pile():
            return CollectionProperty(type=Group)
        case dict():
            return PointerProperty(type=Group)
    return PointerProperty(type=type(value))


def store(settings: Any, values: Mapping[str, Any]) -> None:
    """Put the values there."""
    for name, value in values.items():
        match value:
            case Pile():
                for note in value:
                    getattr(settings, name).add().note = note
            case dict():
                getattr(settings, name).note = "note"
            case _:
                setattr(settings, name, value)


def saved_with(extension: Any, path: Path, values: Mapping[str, Any]) -> Path:
    """The open file, saved with these raw values as the settings of its scene."""
    scene = bpy.context.scene
    with foreign(extension, bpy.types.Scene, values):
        store(scene.flux_depth, values)
        if bpy.app.version >= (5, 0, 0):  # which look there no more
            scene["flux_depth"] = {"base": "http://127.0.0.1:9", "model_id": "nowhere"}
        return save(path)


def look(part: Any) -> list[float | None]:
    """What the window's timer does until nothing is left to do at once, as no window is there; the pauses asked for."""
    pauses = [part("watch")._tick()]
    while pauses[-1] == part("watch").AT_ONCE:
        pauses.append(part("watch")._tick())
    return pauses


def drawn(part: Any) -> list[dict[str, Any]]:
    """Every line and button that the tab draws, drawn by Blender itself into real layouts.

    Without a window no region is drawn; the layout of a pop-up can do all that a region's can.
    """
    panels = part("panels")
    parts = [kind.draw for kind in panels.classes if issubclass(kind, bpy.types.Panel)]
    rows = [row_of(panels, row) for row in bpy.context.window_manager.flux_depth_jobs]
    with in_the_sidebar():
        return [item for draw in (*parts, *rows, panels._draw_status) for item in drawn_by(draw)]


def row_of(panels: Any, row: Any) -> Any:
    def draw(owner: Any, context: Any) -> None:
        panels.FLUXDEPTH_UL_jobs.draw_item(owner, context, owner.layout, None, row, 0, None, "")

    return draw


def drawn_by(draw: Any) -> list[dict[str, Any]]:
    popup = bpy.context.window_manager.popmenu_begin__internal("Drawn")
    draw(SimpleNamespace(layout=popup.layout), bpy.context)
    try:
        return list(leaves(popup.layout.introspect()))
    except SyntaxError:  # Blender draws bytes that are no text, and cannot tell Python about them
        return []


def leaves(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        yield from leaves(item["items"]) if "items" in item else [item]


def words(items: list[dict[str, Any]]) -> str:
    """What they say, without the breaks of its lines."""
    return " ".join(item["draw_string"] for item in items if item.get("draw_string"))


def button(items: list[dict[str, Any]], operator: str) -> tuple[str, dict[str, str]]:
    """The label of the first button of that operator, and what a click on it passes on."""
    item = next(item for item in items if item.get("operator", "").startswith(f"bpy.ops.{operator}("))
    call = ast.parse(item["operator"], mode="eval").body
    return item["draw_string"], {word.arg: ast.literal_eval(word.value) for word in call.keywords}


@contextmanager
def in_the_sidebar() -> Iterator[None]:
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "UI")
    with bpy.context.temp_override(window=window, area=area, region=region):
        yield


class Endpoint:
    """A port that would be connected to: the system completes connections to it, and nobody answers."""

    def __enter__(self) -> Endpoint:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()

    def was_asked(self, seconds: float) -> bool:
        """Whether somebody connects within that time."""
        return bool(select.select([self._socket], [], [], seconds)[0])


class Deeds:
    """What Python does to the world: files written, programs started, connections made."""

    WATCHED = ("subprocess.Popen", "socket.connect", "os.system", "os.exec", "os.posix_spawn")
    _open: ClassVar[list[Deeds]] = []
    _hooked = False

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __enter__(self) -> Deeds:
        if not Deeds._hooked:  # a hook stays for good
            sys.addaudithook(Deeds._hook)
            Deeds._hooked = True
        Deeds._open.append(self)
        return self

    def __exit__(self, *_error: object) -> None:
        Deeds._open.remove(self)

    @staticmethod
    def _hook(event: str, arguments: tuple[Any, ...]) -> None:
        for deeds in Deeds._open:
            if event == "open" and writes(arguments):
                deeds.seen.append(f"open {arguments[0]}")
            elif event in ("os.mkdir", "os.rename", "os.symlink", "os.link") or event in Deeds.WATCHED:
                deeds.seen.append(f"{event} {arguments[0]}")


def writes(arguments: tuple[Any, ...]) -> bool:
    _path, mode, flags = arguments
    return bool(mode and set(mode) & set("wax+")) or bool((flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
