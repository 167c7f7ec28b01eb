"""`project`: lays pictures on what their cameras see, and saves that as another file. No network, no key."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import bpy

from ..core.errors import InputError
from .outcome import NO_OUTCOME, check_writable, say
from .scene import open_scene
from .work import journal_of

if TYPE_CHECKING:
    from ..projection_view import Source


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from ..projection_data import known

    check_writable(arguments.output, {".blend"})
    with known():
        return _projected(arguments), 0


def _projected(arguments: argparse.Namespace) -> dict[str, Any]:
    from .. import projection, projection_data

    opening = argparse.Namespace(**vars(arguments) | {"frame": None})  # the file stays at its own frame
    scene, camera = open_scene(opening)
    chosen, settings = _chosen(arguments, scene), projection_data.settings_of(scene)
    settings.look = (arguments.look or settings.look).upper()
    settings.falloff = settings.falloff if arguments.falloff is None else arguments.falloff
    things: list[str] = []
    left_out: list[str] = []
    for source in _sources(arguments, camera.name):
        came_to = projection.project(scene, _layer(scene), source, chosen)
        things += [thing.name for thing in came_to.things]
        left_out += came_to.left_out
        say(f"{source.picture.name}: {came_to.sentence}")
    _save(arguments)
    told = {"projected": sorted(set(things)), "left_out": sorted(set(left_out))}
    return NO_OUTCOME | {"step": "DONE", "result": str(arguments.output)} | told


def _sources(arguments: argparse.Namespace, camera: str) -> list[Source]:
    """All that is asked for. Raises InputError for nothing, and for a job without a picture."""
    from ..projection_view import Source

    views = [(camera, arguments.picture)] if arguments.picture else []
    engine = arguments.engine.upper()
    sources = [Source(file.absolute(), name, arguments.frame, engine) for name, file in views + arguments.view]
    sources += _of_jobs(arguments) if arguments.job else []
    if not sources:
        raise InputError("There is nothing to project: name a --job, a --picture, or a --view.")
    return sources


def _of_jobs(arguments: argparse.Namespace) -> Iterator[Source]:
    from ..project_panel import source_of

    with journal_of(arguments) as journal:
        yield from [source_of(journal.get(job)) for job in arguments.job]


def _chosen(arguments: argparse.Namespace, scene: bpy.types.Scene) -> list[bpy.types.Object] | None:
    for name in arguments.object or ():
        if name not in scene.objects:
            raise InputError(f"Scene “{scene.name}” has no object “{name}”: choose one of its own.")
    return [scene.objects[name] for name in arguments.object] if arguments.object else None


def _layer(scene: bpy.types.Scene) -> bpy.types.ViewLayer:
    from ..capture import current_layer

    return scene.view_layers[current_layer(scene)]


def _save(arguments: argparse.Namespace) -> None:
    try:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(filepath=str(arguments.output.absolute()), copy=True)
    except (RuntimeError, OSError) as error:
        raise InputError(f"{arguments.output} cannot be written ({str(error).strip()}).") from None
    print(arguments.output)
