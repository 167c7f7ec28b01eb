"""`keep`: lays objects, as their scene renders them, over a picture. No network, no key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..core.errors import InputError
from .outcome import NO_OUTCOME, check_writable, write
from .scene import open_scene
from .work import journal_of

if TYPE_CHECKING:
    import argparse

    from ..core.job import Job

SUFFIXES = {".png"}


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from .. import keep, keep_render
    from ..core.composite import laid_over, png, read

    for output in filter(None, (arguments.output, arguments.mask)):
        check_writable(output, SUFFIXES)
    job = _job(arguments) if arguments.job else None
    path = Path(job.result) if job else arguments.picture
    picture = read(path)
    scene, camera = open_scene(arguments)
    things = _things(arguments, scene)
    if job and camera.name == job.request.camera:
        keep.check_unmoved(scene, camera, job.request)
    layer = job.request.view_layer if job else ""
    render = keep_render.kept(keep.view_through(scene, camera, picture.size, view_layer=layer), things)
    write(arguments.output, png(laid_over(picture, render), over=path))
    if arguments.mask:
        write(arguments.mask, png(render.getchannel("A")))
    print(arguments.output)
    told = {"id": job and job.id, "result": str(arguments.output), "width": render.width, "height": render.height}
    return NO_OUTCOME | {"step": "DONE"} | told, 0


def _job(arguments: argparse.Namespace) -> Job:
    """The job, from whose scene, camera and frame it is rendered unless the arguments say otherwise."""
    with journal_of(arguments) as journal:
        job = journal.get(arguments.job)
    if not job.result:
        raise InputError(f"Job {job.id} has no picture: choose one that is done.")
    arguments.scene = arguments.scene or job.request.scene
    arguments.camera = arguments.camera or job.request.camera
    arguments.frame = job.request.frame if arguments.frame is None else arguments.frame
    return job


def _things(arguments: argparse.Namespace, scene: bpy.types.Scene) -> set[bpy.types.Object]:
    """The objects that the arguments name, those in collections with them. Raises InputError."""
    from ..keep import with_what_hangs_on

    found = [_named(name, scene.objects, f"object in scene “{scene.name}”") for name in arguments.object]
    for name in arguments.collection:
        found += _named(name, bpy.data.collections, "collection").all_objects
    if not found:
        raise InputError("There is nothing to keep: name objects with --object, or collections with --collection.")
    return {each for thing in found for each in with_what_hangs_on(thing)}


def _named(name: str, blocks: Any, kind: str) -> Any:
    if (block := blocks.get(name)) is None:
        raise InputError(f"There is no {kind} called “{name}”: nothing was rendered.")
    return block
