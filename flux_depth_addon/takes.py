"""What a grid has rendered and asked: each camera's depth once a frame, and every request that goes with it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import bpy

from . import depth_preview, loras, output, preferences, staleness, start_picture
from .core.errors import InputError
from .properties import request_of

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from numpy import ndarray

    from .core.entry import Entry
    from .core.grid import Cell, Grid
    from .core.models import Model
    from .core.request import Request


class Take(NamedTuple):
    """One render of the depth, and all that is asked with it."""

    view: depth_preview.View
    requests: list[Request]
    starts: start_picture.Starts

    @property
    def place(self) -> str:
        """As it is told: Camera “Left”, frame 12."""
        return f"Camera “{self.requests[0].camera}”, frame {self.requests[0].frame:g}"


def takes_of(context: bpy.types.Context, grid: Grid) -> list[Take]:
    """All that will be rendered and asked, decided and checked before anything is; raises InputError."""
    from . import capture
    from .core.request import check

    scene, takes = context.scene, dict[depth_preview.View, Take]()
    starts = start_picture.Starts(scene)
    first = capture.camera_of(scene, grid.stands[0].camera)
    sound = {model.id: _sound(context, first, model, grid) for model in grid.models}
    for cell in grid.cells():
        request = starts.given(_request(scene, sound[cell.model.id], cell, grid))
        check(request, cell.model)
        view = depth_preview.view_of_request(scene, request)
        takes.setdefault(view, Take(view, [], starts)).requests.append(request)
    for view, take in takes.items():
        camera = capture.camera_of(scene, take.requests[0].camera)
        capture.check(scene, camera, view.view_layer, view.framing, view.engine)
    return list(takes.values())


def _sound(context: bpy.types.Context, camera: bpy.types.Object, model: Model, grid: Grid) -> Request:
    """What that model is asked, but for what the cells say."""
    control = grid.controls.get(model.id)
    return request_of(context, camera=camera, model=model, control=control)


def _request(scene: bpy.types.Scene, sound: Request, cell: Cell, grid: Grid) -> Request:
    framing = grid.sizes[cell.stand.camera, cell.model.id]
    prompt = loras.sent_prompt(scene, cell.model, cell.prompt)
    asked = replace(sound, prompt=prompt, seed=cell.seed, framing=framing)
    return replace(asked, camera=cell.stand.camera, frame=float(cell.frame), camera_matrix=())


def entries_of(takes: list[Take], *, beside: bool) -> Generator[str, None, list[Entry]]:
    """Render them one after the other; yields before each, and while another Blender renders. Raises InputError."""
    folder = output.writable(preferences.output_folder(bpy.data.filepath))
    entries: list[Entry] = []
    for number, take in enumerate(takes, 1):
        told = f"{number} of {len(takes)}"
        yield told
        z = yield from _rendered(take, told, beside=beside)
        entries += _entries(take, z, folder)
    return entries


def _rendered(take: Take, told: str, *, beside: bool) -> Generator[str, None, ndarray]:
    """Its depth; what another Blender does meanwhile is told with how far the whole is."""
    _check_still_there(take)
    rendering = depth_preview.rendering(take.view, beside=beside)
    try:
        while True:
            try:
                doing = next(rendering)
            except StopIteration as end:
                return end.value
            yield f"{told}  ·  {doing}"
    except InputError as error:
        raise InputError(f"{take.place}: {error}") from None
    finally:
        rendering.close()


def _check_still_there(take: Take) -> None:
    """The artist works on while the others are rendered, and may have deleted it."""
    scene = depth_preview.scene_of(take.view)
    if not any(thing.session_uid == take.view.camera for thing in scene.objects):
        raise InputError(f"{take.place}: it was deleted meanwhile. Nothing was sent.")


def _entries(take: Take, z: ndarray, folder: Path) -> list[Entry]:
    from . import capture
    from .control_picture import as_sent, like
    from .core.entry import Entry

    try:
        control, noted, _verdict = as_sent(z, take.requests[0])
    except InputError as error:
        raise InputError(f"{take.place}: {error}") from None
    scene, table = depth_preview.scene_of(take.view), preferences.table()
    camera = next(thing for thing in scene.objects if thing.session_uid == take.view.camera)
    matrix = capture.camera_matrix(scene, camera, take.view.frame)
    noted = replace(staleness.marked(noted, scene), camera_matrix=matrix)  # a take is of one camera at one frame
    requests = [like(noted, request) for request in take.requests]
    return [
        Entry(
            request,
            control,
            table[request.model].price_of(request.framing),
            output.path_in(folder, request),
            take.starts.of(request),
        )
        for request in requests
    ]
