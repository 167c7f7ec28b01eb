"""The Open Job Description template: checked, and run by its own engine on two workers at the same time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from flux_depth_addon.core.sandbox import Answer, Behaviour, Sandbox
from tests.farm.conftest import ROOT, Worker

TEMPLATE = ROOT / "docs" / "farm" / "flux_depth_shot.openjd.yaml"
OPENJD = [sys.executable, "-m", "openjd"]
MODEL = "flux-pro-1.0-depth"

lost = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="A task's processes are found in /proc")

Workers = Callable[[str], Worker]


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """The template for two cameras, as its first lines say."""
    job: dict[str, Any] = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    for step in job["steps"]:
        step["parameterSpace"]["taskParameterDefinitions"][0]["range"] = ["Camera", "Side"]
    path = tmp_path / "shot.yaml"
    path.write_text(yaml.safe_dump(job), encoding="utf-8")
    return path


class Job:
    """A job of that template, whose tasks any worker runs."""

    def __init__(self, template: Path, blend: Path, folder: Path, provider: Sandbox) -> None:
        self.template, self.blend, self.folder, self.provider = template, blend, folder, provider

    def run(self, worker: Worker, step: str, tasks: list[dict[str, Any]]) -> subprocess.Popen[str]:
        given = {
            "SceneFile": self.blend,
            "Folder": self.folder,
            "Prompt": "a garden\nin the morning",
            "Frames": "1-4",
            "Url": self.provider.base,
            "Model": MODEL,
            "Megapixels": 0.1,
            "Blender": worker.blender,
        }
        values = json.dumps({name: str(value) for name, value in given.items()})
        return worker.start(*OPENJD, "run", self.template, "--step", step, "-p", values, "--tasks", json.dumps(tasks))

    def done(self, worker: Worker, step: str, tasks: list[dict[str, Any]]) -> tuple[int, str]:
        running = self.run(worker, step, tasks)
        said, _ = running.communicate(timeout=110)
        return running.returncode, said


@pytest.fixture
def job(template: Path, blend: Path, tmp_path: Path, provider: Sandbox) -> Job:
    return Job(template, blend, tmp_path / "shared", provider)


def tasks(camera: str, *frames: int) -> list[dict[str, Any]]:
    return [{"Camera": camera, "Frame": frame} for frame in frames]


def lock(job: Job, worker: Worker, *cameras: str) -> None:
    code, said = job.done(worker, "Lock", [{"Camera": camera} for camera in cameras])
    assert code == 0, said


def test_the_shipped_template_is_a_valid_job() -> None:
    checked = subprocess.run([*OPENJD, "check", str(TEMPLATE)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    given = json.dumps({"SceneFile": "a.blend", "Folder": "out", "Prompt": "x", "Frames": "1-48"})
    told = subprocess.run([*OPENJD, "summary", str(TEMPLATE), "-p", given], capture_output=True, text=True, check=False)
    assert "49" in told.stdout, told.stdout + told.stderr


def test_two_workers_paint_two_cameras_at_the_same_time_with_one_range_each(job: Job, worker: Workers) -> None:
    one, two = worker("one"), worker("two")
    lock(job, one, "Camera", "Side")
    runs = [job.run(one, "Paint", tasks("Camera", 1, 2)), job.run(two, "Paint", tasks("Side", 1, 2))]
    said = [run.communicate(timeout=110)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    painted = sorted(path.relative_to(job.folder).as_posix() for path in job.folder.rglob("*.png"))
    assert painted == [f"{camera}/{camera}_000{frame}.png" for camera in ("Camera", "Side") for frame in (1, 2)]
    for path in job.folder.rglob("*.png"):
        Image.open(path).load()
    assert len(job.provider.posts) == 4
    assert len({post.body["seed"] for post in job.provider.posts}) == 2
    assert all(post.body["prompt"] == "a garden\nin the morning" for post in job.provider.posts)


def kill(running: subprocess.Popen[str]) -> None:
    """As a power cut would: the engine, and Blender, which it puts into a session of its own."""
    for process in [*children(running.pid), running.pid]:
        with suppress(ProcessLookupError):
            os.killpg(os.getpgid(process), signal.SIGKILL)
    running.communicate(timeout=20)


def children(parent: int) -> list[int]:
    """The processes that it started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            if f"\nPPid:\t{parent}\n" in status.read_text():
                found.append(int(status.parent.name))
    return found


def wait_until(holds: Callable[[], bool], running: subprocess.Popen[str], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, kill(running)
        time.sleep(0.02)


@lost
def test_a_task_lost_after_it_was_sent_is_run_again_for_nothing(job: Job, worker: Workers) -> None:
    one, two = worker("one"), worker("two")
    with Sandbox(behaviour=Behaviour(delay=4.0, picture="echo")) as slow:
        job.provider = slow
        lock(job, one, "Camera")
        running = job.run(one, "Paint", tasks("Camera", 3))
        receipt = job.folder / "Camera" / "sent" / "Camera_0003" / "receipt.json"
        wait_until(lambda: receipt.is_file() and bool(json.loads(receipt.read_bytes())["remote_id"]), running)
        kill(running)
        assert not list(job.folder.rglob("*.png"))
        code, said = job.done(two, "Paint", tasks("Camera", 3))
        assert code == 0, said
        assert len(slow.posts) == 1
    assert (job.folder / "Camera" / "Camera_0003.png").is_file()


@lost
def test_a_task_lost_after_its_picture_arrived_is_run_again_for_nothing(job: Job, worker: Workers) -> None:
    one, two = worker("one"), worker("two")
    lock(job, one, "Camera")
    running = job.run(one, "Paint", tasks("Camera", 3))
    wait_until((job.folder / "Camera" / "Camera_0003.png").is_file, running)
    kill(running)
    code, said = job.done(two, "Paint", tasks("Camera", 3))
    assert code == 0, said
    assert "already there" in said
    assert len(job.provider.posts) == 1


@lost
def test_a_task_lost_while_it_was_being_sent_is_told_and_not_paid_for_again(job: Job, worker: Workers) -> None:
    one, two = worker("one"), worker("two")
    held = [Answer(body='{"id": "{id}"}', hold=8.0)]
    with Sandbox(behaviour=Behaviour(picture="echo", submit_answers=held)) as slow:
        job.provider = slow
        lock(job, one, "Camera")
        running = job.run(one, "Paint", tasks("Camera", 3))
        wait_until(lambda: bool(slow.posts), running)
        kill(running)
        code, said = job.done(two, "Paint", tasks("Camera", 3))
        assert code != 0
        assert "nobody knows whether it was taken" in said
        assert len(slow.posts) == 1


def test_a_task_that_is_taken_back_notes_what_it_was_sending(job: Job, worker: Workers, blend: Path) -> None:
    one, two = worker("one"), worker("two")
    held = [Answer(body='{"id": "{id}"}', hold=1.0)]
    with Sandbox(behaviour=Behaviour(delay=0.3, picture="echo", submit_answers=held)) as slow:
        job.provider = slow
        lock(job, one, "Camera")
        command = ["--command", "flux_depth", "shot", blend, f"--output={job.folder}/Camera", "--frames=3"]
        running = one.start(one.blender, *command, f"--url={slow.base}")
        wait_until(lambda: bool(slow.posts), running)
        running.terminate()
        said, _ = running.communicate(timeout=30)
        assert running.returncode == 130, said
        code, said = job.done(two, "Paint", tasks("Camera", 3))
        assert code == 0, said
        assert len(slow.posts) == 1
