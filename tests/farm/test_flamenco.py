"""The Flamenco job type: compiled as Flamenco's documented API does, and its commands run."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flux_depth_addon.core.sandbox import Sandbox
from tests.farm.conftest import ROOT, Worker

SCRIPT = ROOT / "docs" / "farm" / "flux_depth_shot.js"
NODE = shutil.which("node") or shutil.which("nodejs")

pytestmark = pytest.mark.skipif(NODE is None, reason="Node.js is not installed: Flamenco's scripts are JavaScript")

GIVEN = {
    "frames": "1-2, 4",
    "cameras": "Camera, Side",
    "prompt": 'a garden, "in the morning"',
    "blendfile": "/shared/cube.blend",
    "scene": "Scene",
    "render_output_root": "/shared/out",
}


def compiled(**changes: Any) -> subprocess.CompletedProcess[str]:
    command = [str(NODE), str(Path(__file__).with_name("flamenco.mjs")), str(SCRIPT)]
    return subprocess.run(command, input=json.dumps(GIVEN | changes), capture_output=True, text=True, check=False)


def tasks(**changes: Any) -> list[dict[str, Any]]:
    done = compiled(**changes)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def test_every_frame_of_every_camera_is_a_task_that_waits_for_its_lock() -> None:
    names = [(task["name"], task["type"], task["dependencies"]) for task in tasks()]
    for camera, chosen in (("Camera", names[:4]), ("Side", names[4:])):
        assert chosen[0] == (f"lock-{camera}", "blender", [])
        assert chosen[1:] == [(f"paint-{camera}-{frame}", "blender", [f"lock-{camera}"]) for frame in (1, 2, 4)]


def test_a_prompt_is_one_argument_whatever_it_holds() -> None:
    command = tasks(prompt="--anew; rm -rf 'x' {blender}")[0]["commands"][0]
    assert command["name"] == "exec"
    assert command["parameters"]["exe"] == "{blender}"
    assert "--prompt=--anew; rm -rf 'x' {blender}" in command["parameters"]["args"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"frames": "1-100000"}, "100000 frames is too long"),
        ({"frames": ""}, "empty range"),
        ({"frames": "x"}, "invalid range"),
        ({"cameras": " , "}, "No camera is named"),
        ({"prompt": None}, "setting prompt is required"),
        ({"seed": "7"}, "setting seed is no int32"),
    ],
)
def test_what_cannot_be_a_job_is_told_when_it_is_submitted(changes: dict[str, Any], sentence: str) -> None:
    done = compiled(**changes)
    assert done.returncode != 0
    assert sentence in done.stderr


def test_the_tasks_run_on_a_worker_and_again_for_nothing(
    worker: Callable[[str], Worker], blend: Path, tmp_path: Path, provider: Sandbox
) -> None:
    one = worker("one")
    given = {"frames": "2", "cameras": "Side", "megapixels": 0.1, "model": "flux-pro-1.0-depth", "seed": 5}
    where = {"blendfile": str(blend), "render_output_root": str(tmp_path / "out"), "url": provider.base}
    for task in (*(made := tasks(**given, **where)), made[-1]):
        parameters = task["commands"][0]["parameters"]
        assert parameters["exe"] == "{blender}"
        running = one.start(one.blender, *parameters["args"])
        said, _ = running.communicate(timeout=60)
        assert running.returncode == 0, said
    assert (tmp_path / "out" / "Side" / "Side_0002.png").is_file()
    assert [post.body["seed"] for post in provider.posts] == [5]
