"""`depth`: the control image only. No network, no key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .outcome import NO_OUTCOME, check_writable, say, write
from .scene import depth_settings, framing_of, looked_at, open_scene
from .work import table_of

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from ..control_picture import picture_of
    from ..core.depth_map import png

    check_writable(arguments.output, {".png"})
    table = table_of(arguments)
    model = table[table.default]
    scene, camera = open_scene(arguments)
    seen = looked_at(arguments, scene, camera, framing_of(arguments, scene, camera, model))
    picture, verdict = picture_of(seen, depth_settings(arguments))
    write(arguments.output, png(picture))
    if verdict:
        say(verdict.sentence)
    print(arguments.output)
    size = {"width": picture.width, "height": picture.height}
    return NO_OUTCOME | {"step": "DONE", "control": str(arguments.output)} | size, 0
