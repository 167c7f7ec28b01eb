"""A farm on this computer: workers that find a `blender` with FLUX Depth in it, each with a folder of its own."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flux_depth_addon.core.sandbox import Behaviour, Sandbox

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "FLUX_DEPTH_FARM_BLENDER"

SCENE = """
import sys, bpy
bpy.ops.wm.read_factory_settings(use_empty=False)
cube, scene = bpy.data.objects["Cube"], bpy.context.scene
scene.frame_start, scene.frame_end = 1, 4
for frame, x in ((1, 0.0), (4, 1.5)):
    cube.location.x = x
    cube.keyframe_insert("location", frame=frame)
other = scene.camera.copy()
other.name = "Side"
other.location.z += 1
scene.collection.objects.link(other)
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])
"""


@pytest.fixture(scope="session")
def python() -> str:
    """Where Blender is a Python module."""
    if PYTHON not in os.environ:
        pytest.skip("The farm needs a Blender: python3 packaging/dev.py test tests/farm")
    return os.environ[PYTHON]


@pytest.fixture(scope="session")
def blend(python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cube that moves for four frames, seen by two cameras."""
    path = tmp_path_factory.mktemp("scenes") / "cube.blend"
    subprocess.run([python, "-c", SCENE, path], check=True, capture_output=True)
    return path


@pytest.fixture
def provider() -> Iterator[Sandbox]:
    """A paid provider on loopback, whose submissions are counted."""
    with Sandbox(behaviour=Behaviour(delay=0.3, picture="echo")) as running:
        yield running


class Worker:
    """One computer of the farm."""

    def __init__(self, folder: Path, python: str) -> None:
        folder.mkdir()
        self.blender = folder / "blender"
        self.environment = {name: value for name, value in os.environ.items() if not name.endswith("_KEY")} | {
            "COMETAPI_KEY": "of-this-worker-for-loopback",  # not marked: an engine hands its environment to its tasks
            "FLUX_DEPTH_DATA": str(folder / "data"),
            "PYTHONPATH": str(ROOT),
        }
        # The wheel has no `--command flux_depth`: the same verbs are a module there.
        lines = ["#!/bin/sh", "shift 2", f'exec {shlex.quote(python)} -m flux_depth_addon "$@"']
        self.blender.write_text("\n".join(lines) + "\n")
        self.blender.chmod(0o755)

    def start(self, *command: object) -> subprocess.Popen[str]:
        """A program on that computer; it can be killed with all that it started."""
        return subprocess.Popen(
            [str(word) for word in command],
            env=self.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


@pytest.fixture
def worker(tmp_path: Path, python: str) -> object:
    """Sets up such computers, by name."""
    return lambda name: Worker(tmp_path / name, python)
