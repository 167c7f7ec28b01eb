"""`facts`: prints what a prompt could say of the scene. No network, no key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .scene import open_scene

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from ..capture import current_layer
    from ..scene_facts import gather

    scene, camera = open_scene(arguments)
    facts = gather(scene, scene.view_layers[current_layer(scene)], camera)
    for fact in facts:
        print(f"{fact.kind}: {fact.words}")
    return {"facts": [fact._asdict() for fact in facts]}, 0
