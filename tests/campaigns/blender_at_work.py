"""One Blender of the kill campaign: `python blender_at_work.py FOLDER BLEND`.

It loads the extension that is installed in the folder, opens the blend file, and obeys the lines on its standard
input: at `look` it ticks until every job has ended and is shown, at `click PROMPT` it presses Generate and ticks until
somebody kills it. It says on its standard output how far it is.
"""

from __future__ import annotations

import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

EXTENSION = "bl_ext.user_default.flux_depth"
TICK = 0.05


def part(name: str) -> Any:
    """A module of the extension."""
    return import_module(f"{EXTENSION}.{name}")


def say(words: str) -> None:
    """To who started this Blender; its own words go there too."""
    print(f"@ {words}", flush=True)


def load(folder: Path, blend: str) -> None:
    """The extension as Blender loads it, and the scene."""
    os.environ["BLENDER_USER_RESOURCES"] = str(folder / "blender")
    os.environ["FLUX_DEPTH_DATA"] = str(folder / "data")
    import bpy

    import_module("addon_utils").enable(EXTENSION, default_set=True, persistent=True)  # there is one once bpy is
    bpy.ops.wm.open_mainfile(filepath=blend)
    say(f"ready {bpy.app.version_string}")


def click(prompt: str) -> None:
    """Press the button, as the artist does."""
    import bpy

    settings = bpy.context.scene.flux_depth
    settings.model_id, settings.prompt = "cometapi:flux-pro-1.0-depth", prompt
    settings.megapixels = 0.1
    say("clicking")
    assert bpy.ops.flux_depth.generate() == {"FINISHED"}
    say("clicked")
    while True:
        tick()


def look() -> None:
    """Until every job has ended, and every picture of this file is here."""
    import bpy

    watch = part("watch")
    while tick() == watch.AT_ONCE:  # the first look takes several
        pass
    shown_before = {job.id for job in watch.jobs.values() if job.seen}
    while watch.on_their_way() or any(job.result and not job.seen for job in watch.jobs.values()):
        tick()
    here = {Path(bpy.path.abspath(image.filepath)) for image in bpy.data.images if image.filepath}
    arrived = {Path(job.result) for job in watch.jobs.values() if job.result and job.id not in shown_before}
    say(f"seen {len(arrived)}, missing {len(arrived - here)}")


def tick() -> float | None:
    """What the window's timer does, as no window is there to do it; the pause that it asks for."""
    pause: float | None = part("watch")._tick()
    worker = part("worker_process")._worker
    if worker and worker.pid not in told:
        told.add(worker.pid)
        say(f"worker {worker.pid}")
    if problem := part("watch").problem:
        say(f"problem {problem}")
    time.sleep(TICK)
    return pause


told: set[int] = set()


if __name__ == "__main__":
    load(Path(sys.argv[1]), sys.argv[2])
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "look":
            look()
        else:
            click(rest)
