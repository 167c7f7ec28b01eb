"""What a user can send us about a job: enough to find the fault, without prompt, names, folders or keys."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from .addresses import host_of
from .job import Job

__all__ = ["report"]

SHOWN_LINES = 15
"""Of the worker's log, from its end."""


def report(job: Job, surroundings: Mapping[str, str], log: str = "", hidden: Iterable[str] = ()) -> str:
    """A text of a few lines. `surroundings`: versions and the like; `hidden`: keys, replaced wherever they stand."""
    lines = [f"{name}: {value}" for name, value in (*surroundings.items(), *_facts(job))]
    lines += ["worker:", *log.strip().splitlines()[-SHOWN_LINES:]] if log.strip() else []
    return _without("\n".join(lines), job, hidden)


def _facts(job: Job) -> Iterator[tuple[str, object]]:
    request, size = job.request, job.request.framing
    yield "job", f"{job.id}, {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(job.created))} UTC"
    yield "model", f"{request.model} at {host_of(job.sent_to or job.base) or 'its own address'}"
    yield "asked for", f"{size.width} x {size.height}, steps {request.steps}, guidance {request.guidance}"
    yield "prompt", f"{len(request.prompt)} characters"
    yield "step", f"{job.step}, {job.attempts} attempts, {job.misses} misses, task {job.remote_id or 'unknown'}"
    yield "money", f"expected ${job.price_usd:g}, told ${job.billed_usd}, charged: {job.charged}"
    yield "ended", f"{job.error_kind or 'well'}: {job.error_message or 'with a picture'}"


def _without(text: str, job: Job, hidden: Iterable[str]) -> str:
    names = dict.fromkeys(hidden, "[key]")
    names |= {job.request.prompt: "[prompt]", job.request.finetune_id: "[fine-tune]"}
    names |= {str(folder): "[folder]" for folder in (job.folder, job.output.parent, Path(job.origin).parent)}
    names |= {str(Path.home()): "[home]"}
    names |= {name: "[name]" for name in (job.request.blend, job.request.scene, job.request.camera) if len(name) > 3}
    for name in sorted((name for name in names if name not in ("", ".", "/")), key=len, reverse=True):
        text = text.replace(name, names[name])
    return text
