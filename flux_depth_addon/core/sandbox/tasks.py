"""One accepted submission: how far it is, what a poll is told of it, and its picture."""

from __future__ import annotations

import io
import math
import secrets
import time
from dataclasses import dataclass, field

from PIL import Image

from .painter import paint

__all__ = ["Task", "megapixels", "painted", "state", "state_of"]

BRUSH_PIXELS = 2_500_000


@dataclass
class Task:
    """One accepted submission, and its picture once somebody asked for that."""

    prompt: str
    control: bytes
    seed: int
    output_format: str
    delay: float
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    started: float = field(default_factory=time.time)
    clock: float = field(default_factory=time.monotonic)
    picture: bytes = b""

    @property
    def progress(self) -> float:
        """0..1, by the clock alone."""
        return min(1.0, (time.monotonic() - self.clock) / self.delay) if self.delay > 0 else 1.0


def state_of(task: Task, base: str) -> dict[str, object]:
    """The body of a poll for this task; base is the endpoint's address."""
    if (progress := task.progress) < 1:
        return state(task.id, "Pending", progress=round(progress, 3))
    times = {"start_time": task.started, "end_time": task.started + task.delay, "duration": task.delay}
    sample = f"{base}/results/{task.id}.{task.output_format}"
    result = {"sample": sample, "prompt": task.prompt, "seed": task.seed, **times}
    return state(task.id, "Ready", result=result, progress=1.0)


def state(task_id: str, status: str, **more: object) -> dict[str, object]:
    """The body of a poll."""
    nothing = dict.fromkeys(("result", "progress", "details", "preview"))
    return {"id": task_id, "status": status, **nothing, **more}


def megapixels(task: Task) -> dict[str, float]:
    """What BFL tells of sizes, in and out being the same here."""
    with Image.open(io.BytesIO(task.control)) as image:
        size = round(image.width * image.height / 1e6, 2)
    return {"input_mp": size, "output_mp": size}


def painted(task: Task) -> bytes:
    """The painted picture, encoded as the submission asked."""
    with Image.open(io.BytesIO(task.control)) as image:
        control = image.convert("RGB")
    # 20 megapixels would take gigabytes to paint: this is a placeholder, so a smaller one is enlarged.
    smaller = control.reduce(math.ceil((control.width * control.height / BRUSH_PIXELS) ** 0.5))
    picture = paint(smaller, task.prompt, task.seed).resize(control.size)
    target = io.BytesIO()
    picture.save(target, task.output_format, compress_level=2, quality=92)
    return target.getvalue()
