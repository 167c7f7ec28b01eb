"""Everything a user can see or save in the running Blender, as one flat dict from path to value.

The walk knows no property by name: it asks RNA what there is, in whatever Blender runs. What it leaves out is written
down in LEFT_OUT with the reason; what RNA does not hold is added by the functions under `beyond_rna`.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple
from warnings import catch_warnings

import bmesh
import bpy
import numpy as np

Fingerprint = dict[str, Any]

LEFT_OUT = {
    ("BlendData", "all_ids"): "every data-block once more",
    ("ID", "use_extra_user"): "a note beside `users`, which is looked at itself; Blender 4.2 forgets and makes it",
    ("ViewLayer", "depsgraph"): "made from the file when it is asked for; what it writes back is seen in the data",
    ("Image", "bindcode"): "a number of the graphics card",
    ("Image", "pixels"): "reading them loads the picture; hashed apart where they are not those of its file",
    ("SpaceNodeEditor", "cursor_location"): "reading it without a window crashes Blender 4.5",
    ("SpaceProperties", "tab_search_results"): "reading it without a window crashes Blender 4.2",
    ("SpaceProperties", "search_filter"): "reading it without a window crashes Blender 4.2",
    ("ToolSettings", "uv_sculpt"): "reading into it crashes Blender 4.2",
    ("WindowManager", "keyconfigs"): "thousands of keys of the program, none of the file",
    ("WindowManager", "clipboard"): "the desktop's, which other programs change",
    ("PreferencesSystem", "gpu_preferred_device"): "not known before Blender has drawn for the first time",
    ("Preferences", "themes"): "thousands of colours of the program, none of the file",
    ("Preferences", "studio_lights"): "read from the program's own files",
}
"""By type and property. Nothing is left out because it changes from session to session: addresses in memory are in no
property, and `session_uid` says that a block is the same one and not a copy of the same name. Of `bpy.app` only what
add-ons may change is looked at, and not `driver_namespace`: once it is read, Blender 4.5 without a window hangs as it
ends."""

LOADS = {"channels", "depth", "frame_duration", "has_data", "is_float", "resolution", "size", "tiles"}
"""What an image has while it is loaded. Without changes, Blender drops and loads it as it likes; to ask is to load."""

SHORT = 64
"""Longer arrays are kept as a digest."""

NOT_FOLLOWED = {"rna_type", "bl_rna"}


class Found(NamedTuple):
    """A struct that is still to be read."""

    path: str
    struct: Any


def fingerprint(*folders: Path) -> Fingerprint:
    """All that is in Blender, and every file in these folders and in those where Blender and Python write for a while.

    Edits in edit mode and sculpt mode are flushed first, as Blender does itself before it saves or renders: until then
    a mesh in RNA is older than what the user sees.
    """
    bpy.ops.ed.flush_edits()
    with quiet():
        found = {**rna("data", bpy.data), **rna("preferences", bpy.context.preferences)}
        for part in beyond_rna:
            found.update(part())
    for folder in {*folders, Path(bpy.app.tempdir), Path(tempfile.gettempdir())}:
        found.update(files(folder))
    return found


def settled(*folders: Path) -> Fingerprint:
    """The fingerprint to compare with: the first reading makes what Blender makes only when it is asked for it.

    That the reading itself changes nothing else is asserted here, each time.
    """
    fingerprint(*folders)
    before = fingerprint(*folders)
    assert not difference(before, fingerprint(*folders)), "reading changes nothing"
    return before


@contextmanager
def quiet() -> Iterator[None]:
    """Blender warns of each number that it has no word for, of which its own files are full."""
    kept = [(number, os.dup(number)) for number in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for number, _ in kept:
            os.dup2(nowhere, number)
        with catch_warnings(action="ignore"):
            yield
    finally:
        for number, copy in kept:
            os.dup2(copy, number)
            os.close(copy)
        os.close(nowhere)


def difference(before: Fingerprint, after: Fingerprint) -> dict[str, tuple[Any, Any]]:
    """The paths whose values differ, with both values; `...` where there was none."""
    paths = dict.fromkeys((*before, *after))
    return {
        path: (before.get(path, ...), after.get(path, ...))
        for path in paths
        if before.get(path, ...) != after.get(path, ...)
    }


# RNA


def rna(root: str, struct: Any) -> Fingerprint:
    """Every property below a struct, nearest first, so that what can be reached twice has its shortest path."""
    found: Fingerprint = {}
    queue, seen = deque([Found(root, struct)]), {}
    while queue:
        here = queue.popleft()
        for name, kind in readable(here.struct):
            path = f"{here.path}.{name}"
            try:
                value = getattr(here.struct, name)
            except (AttributeError, RuntimeError, TypeError, UnicodeDecodeError) as error:
                found[path] = type(error)
                continue
            if kind == "POINTER":
                pointer(path, value, found, queue, seen)
            elif kind == "COLLECTION":
                collection(path, value, found, queue, seen)
            else:
                found[path] = plain(value)
        found.update(custom_properties(here))
    return found


def readable(struct: Any) -> list[tuple[str, str]]:
    """The properties of a struct that can be read without changing it."""
    every = properties(struct.bl_rna)
    if isinstance(struct, bpy.types.Image) and not struct.is_dirty:
        return [(name, kind) for name, kind in every if name not in LOADS]
    return every


def properties(struct: Any, cache: dict[str, list[tuple[str, str]]] = {}) -> list[tuple[str, str]]:  # noqa: B006
    """Names and kinds of what to read of a type."""
    if struct.identifier not in cache:
        left_out = NOT_FOLLOWED | {name for kind, name in LEFT_OUT if kind in bases(struct)}
        cache[struct.identifier] = [
            (each.identifier, each.type)
            for each in struct.properties
            if each.identifier not in left_out and not (struct.identifier == "Mesh" and in_layers(each))
        ]
    return cache[struct.identifier]


def in_layers(each: Any) -> bool:
    """Whether a property of a mesh leads into its layers: they move in memory as they are read, so are read apart."""
    layers = each.type == "COLLECTION" and "ID" not in bases(each.fixed_type)
    return layers or each.identifier.startswith("uv_layer_")


def bases(struct: Any) -> Iterator[str]:
    """The names of an RNA type and all that it is a kind of."""
    while struct:
        yield struct.identifier
        struct = struct.base


def pointer(path: str, value: Any, found: Fingerprint, queue: deque, seen: dict) -> None:
    """A data-block is named, unless it is part of another; anything else is followed once."""
    if value is None or is_block(value):
        found[path] = value and named(value)
        return
    key = (value.as_pointer(), value.bl_rna.identifier)
    if key in seen:
        found[path] = f"see {seen[key]}"
        return
    seen[key] = path
    found[path] = value.bl_rna.identifier
    queue.append(Found(path, value))


def collection(path: str, value: Any, found: Fingerprint, queue: deque, seen: dict) -> None:
    """Count, order and content; what the collection itself knows, such as which is active, as well."""
    found[path] = len(value)
    is_main = path.count(".") == 1 and path.startswith("data.")
    if is_main:
        found[f"{path}.names"] = [named(block) for block in value]
    for number, item in enumerate(value):
        if is_main:
            queue.append(Found(f"{path}[{named(item)}]", item))
        else:
            pointer(f"{path}[{number}]", item, found, queue, seen)
    if own := getattr(value, "rna_type", None) and getattr(value, "bl_rna", None):
        for name, kind in properties(own):
            member = getattr(value, name)
            if kind == "POINTER":
                pointer(f"{path}.{name}", member, found, queue, seen)
            elif kind != "COLLECTION":
                found[f"{path}.{name}"] = plain(member)


def is_block(value: Any) -> bool:
    """Whether it is a data-block of the file's own, and not a node tree or a collection inside another."""
    return isinstance(value, bpy.types.ID) and not value.is_embedded_data


def named(block: bpy.types.ID) -> str:
    """What a data-block is called, wherever it comes from."""
    source = f", {block.library.filepath!r}" if block.library else ""
    return f"{block.name!r}{source}"


def plain(value: Any) -> Any:
    """The value as Python's own, equal to itself even where it is not a number."""
    if isinstance(value, float) and isnan(value):
        return "nan"
    if isinstance(value, str | int | float | bytes | set | None):
        return value
    values = tuple(plain(item) for item in value)
    return values if len(values) <= SHORT else digest(repr(values).encode())


def digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def custom_properties(here: Found) -> Fingerprint:
    """What RNA does not know: the user's own properties."""
    try:
        names = set(here.struct.keys())
    except TypeError:
        return {}
    names -= {each.identifier for each in here.struct.bl_rna.properties}
    return {f"{here.path}[{name!r}]": custom(here.struct[name]) for name in sorted(names)}


def custom(value: Any) -> Any:
    """A custom property's value, groups and arrays included."""
    if isinstance(value, bpy.types.ID):
        return named(value)
    if hasattr(value, "items"):
        return {name: custom(item) for name, item in value.items()}
    return plain(value) if not isinstance(value, list) else [custom(item) for item in value]


# Beyond RNA


def handlers() -> Fingerprint:
    """The very functions in every list of handlers."""
    lists = {name: getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers)}
    return {f"handlers.{name}": list(each) for name, each in lists.items() if isinstance(each, list)}


def timers() -> Fingerprint:
    """Functions of extensions that are registered as timers: Blender has no list, but answers for each function."""
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("bl_ext.")]
    functions = {each for module in modules for each in vars(module).values() if type(each) is type(timers)}
    return {
        f"timers.{each.__module__}.{each.__qualname__}": True
        for each in functions
        if bpy.app.timers.is_registered(each)
    }


def context() -> Fingerprint:
    """What operators would work on; two members apart that the walk has seen, and whose reading upsets Blender 4.2."""
    names = {name for name in dir(bpy.context) if not name.startswith("_")} - {"layer_collection", "tool_settings"}
    return {f"context.{name}": shown(getattr(bpy.context, name, None)) for name in sorted(names - NOT_FOLLOWED)}


def shown(value: Any) -> Any:
    """A member of the context by name."""
    if isinstance(value, list):
        return [shown(item) for item in value]
    if isinstance(value, bpy.types.ID):
        return named(value)
    if isinstance(value, bpy.types.bpy_struct):
        return f"{value.bl_rna.identifier} {getattr(value, 'name', '')}"
    return value if isinstance(value, str | bool | int | float | None) else type(value).__name__


def base_flags() -> Fingerprint:
    """Selected, hidden and the like: what a view layer says of an object is behind functions."""
    asked = [function.identifier for function in bpy.types.Object.bl_rna.functions if asks_a_view_layer(function)]
    return {
        f"data.scenes[{named(scene)}].view_layers[{layer.name!r}].objects[{named(thing)}].{ask}": getattr(thing, ask)(
            view_layer=layer
        )
        for scene in bpy.data.scenes
        for layer in scene.view_layers
        for thing in layer.objects
        for ask in asked
    }


def asks_a_view_layer(function: bpy.types.Function) -> bool:
    given = [each.identifier for each in function.parameters if not each.is_output]
    return function.identifier.endswith("_get") and given == ["view_layer"]


def pictures() -> Fingerprint:
    """The pixels of every image that is loaded, and of every slot of the Render Result, as each scene shows it."""
    found = {}
    for image in bpy.data.images:
        path = f"data.images[{named(image)}].pixels"
        if image.type == "RENDER_RESULT":
            found.update(slots(path, image))
        elif image.is_dirty:
            found[path] = pixels(image)
    return found


def pixels(image: bpy.types.Image) -> str:
    values = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(values)
    return digest(values.tobytes())


def slots(path: str, image: bpy.types.Image) -> Fingerprint:
    """A picture of Blender's own can only be saved, and only out of the slot on view."""
    slots, found = image.render_slots, {}
    on_view = slots.active_index
    with tempfile.TemporaryDirectory(dir=bpy.app.tempdir) as folder:
        file = Path(folder, "slot")
        for slot in range(len(slots)):
            slots.active_index = slot
            for scene in bpy.data.scenes:
                with suppress(RuntimeError):
                    image.save_render(str(file), scene=scene)
                    found[f"{path}[{slot}][{named(scene)}]"] = digest(file.read_bytes())
    slots.active_index = on_view
    return found


def meshes() -> Fingerprint:
    """Every layer of every mesh, fetched anew for each reading."""
    found = {}
    for mesh in bpy.data.meshes:
        path = f"data.meshes[{named(mesh)}]"
        for index in range(len(mesh.attributes)):
            layer = mesh.attributes[index]
            found[f"{path}.attributes[{layer.name!r}]"] = (layer.domain, layer.data_type, values(layer.data))
        found[f"{path}.polygons"] = [(face.loop_start, face.loop_total) for face in mesh.polygons]
        found[f"{path}.weights"] = [[(each.group, each.weight) for each in v.groups] for v in mesh.vertices]
        colors = mesh.color_attributes
        found[f"{path}.active"] = (mesh.attributes.active_index, mesh.uv_layers.active_index)
        found[f"{path}.active_color"] = (colors.active_color_index, colors.render_color_index)
    return found


def values(items: Any) -> list[Any]:
    """What the elements of a layer hold, whichever of the three names its type has for it."""
    name = next((name for name in ("value", "vector", "color") if items and hasattr(items[0], name)), "")
    return [plain(getattr(item, name)) for item in items]


def edited_meshes() -> Fingerprint:
    """What is edited right now, which is not the mesh in RNA but one beside it."""
    found = {}
    for thing in (thing for thing in bpy.data.objects if thing.type == "MESH" and thing.mode == "EDIT"):
        path, edited = f"data.objects[{named(thing)}].edited", bmesh.from_edit_mesh(thing.data)
        found[f"{path}.vertices"] = [(tuple(v.co), v.select, v.hide) for v in edited.verts]
        found[f"{path}.edges"] = [(e.select, e.hide, e.seam, e.smooth) for e in edited.edges]
        found[f"{path}.faces"] = [(f.select, f.hide, f.material_index) for f in edited.faces]
        found[f"{path}.history"] = [(type(each).__name__, each.index) for each in edited.select_history]
    return found


def process() -> Fingerprint:
    """What the program itself has set for all that runs in it."""
    return {
        "process.folder": os.getcwd(),
        "process.temporary_folder": tempfile.tempdir,
        "process.environment": dict(os.environ),
        "process.search_path": list(sys.path),
        "process.interrupt": signal.getsignal(signal.SIGINT),
    }


beyond_rna = (handlers, timers, context, base_flags, pictures, meshes, edited_meshes, process)


def files(folder: Path) -> Fingerprint:
    """Every file below, by its content, and every folder."""
    paths = sorted(folder.rglob("*"))
    return {f"files.{path}": digest(path.read_bytes()) if path.is_file() else "folder" for path in paths}
