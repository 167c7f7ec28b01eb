"""A shot's frames as Blender sees them: the range that fits all of them, and each one's control image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from .core.errors import InputError
from .core.framing import Framing

if TYPE_CHECKING:
    import bpy

    from .capture import Engine
    from .core.depth_map import DepthSettings
    from .core.request import Request

SMALLER = 4
"""By so much is a side of the views on which a range is found: its percentiles need no more."""


def found(shared: Request, scene: bpy.types.Scene, camera: bpy.types.Object, frames: Iterable[int]) -> DepthSettings:
    """Near and far that fit these frames, where they are not set. Raises InputError."""
    from . import capture
    from .core.shot import locked_range, sampled

    views = (
        capture.capture(
            scene=scene,
            camera=camera,
            view_layer=shared.view_layer or None,
            framing=small(shared.framing),
            engine=cast("Engine", shared.engine),
            frame=frame,
        )
        for frame in sampled(list(frames))
    )
    return locked_range(views, shared.depth)


def small(framing: Framing) -> Framing:
    """The same frame in fewer pixels, without what is cut off."""
    width, height = (max(side // SMALLER, 4) for side in (framing.crop_width, framing.crop_height))
    return Framing(width, height, 0, 0, width, height)


def request_at(shared: Request, scene: bpy.types.Scene, camera: bpy.types.Object, frame: int) -> Request:
    """The shot's request for one of its frames."""
    from . import capture

    return replace(shared, frame=float(frame), camera_matrix=capture.camera_matrix(scene, camera, frame))


def control_of(request: Request, scene: bpy.types.Scene, camera: bpy.types.Object) -> tuple[bytes, Request]:
    """That frame's control image, rendered here and now, and its request. Raises InputError, which names the frame."""
    from .control_picture import as_sent, rendered

    with named(request):
        seen = rendered(
            scene=scene,
            camera=camera,
            view_layer=request.view_layer or None,
            framing=request.framing,
            control=request.control,
            engine=cast("Engine", request.engine),
            frame=request.frame,
        )
        return as_sent(seen, request)[:2]


@contextmanager
def named(request: Request) -> Iterator[None]:
    """A failure within says at which frame."""
    try:
        yield
    except InputError as error:
        said = str(error).removesuffix(" Nothing was sent.")
        raise InputError(f"Frame {request.frame:.0f}: {said} Nothing was sent.") from None
