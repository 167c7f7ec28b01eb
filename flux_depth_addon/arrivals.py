"""Pictures that arrived: laid where the open file wants them, and told of when nobody was looking."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import bpy

from . import placement
from .core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .core.job import Job

from_this_file: set[str] = set()
"""The jobs that were asked for in the file that is open, saved or not."""

news: dict[str, Job] = {}
"""By id, what ended while nobody was looking at its file: told until it is looked at or waved away."""

_opened = time.time()


def another_file() -> None:
    """The file that asked is gone; whatever ended before now ended while it was away."""
    global _opened
    from_this_file.clear()
    _opened = time.time()


def forget() -> None:
    """As if nothing had arrived yet."""
    from_this_file.clear()
    news.clear()


def unplaced(jobs: Iterable[Job]) -> list[Job]:
    """Pictures of the open file that were not shown yet, in the order given."""
    return [job for job in jobs if job.result and not job.seen and _belongs_here(job)]


def failed_in_sight(jobs: Iterable[Job]) -> list[Job]:
    """What failed for the open file and was not noted as seen: the list shows it."""
    return [job for job in jobs if job.step == "FAILED" and not job.seen and _belongs_here(job)]


def place(jobs: list[Job]) -> None:
    """Lay pictures where the open file wants them."""
    for job in jobs:
        with suppress(InputError):  # deleted meanwhile: the list says so when it is asked to show it
            placement.place(job)
        if (job.finished or 0) < _opened:
            news[job.id] = job
    _push_undo()


def note_news(jobs: Iterable[Job]) -> None:
    """Remember which jobs ended for a file that is not open: pictures, and what failed when nobody saw it."""
    there = {job.id: job for job in jobs}
    for job_id in [job_id for job_id in news if there.get(job_id) is None]:
        del news[job_id]
    news.update((job.id, job) for job in _elsewhere(there.values()))


def _elsewhere(jobs: Iterable[Job]) -> Iterator[Job]:
    for job in jobs:
        if job.step in {"DONE", "FAILED"} and not job.seen and not _belongs_here(job):
            yield job


def summary() -> str:
    """The news as a sentence: 2 pictures arrived while you were away."""
    pictures = sum(bool(job.result) for job in news.values())
    failed = len(news) - pictures
    parts = [_counted(pictures, "picture", "arrived")] if pictures else []
    parts += [_counted(failed, "job", "failed")] if failed else []
    return f"{' and '.join(parts)} while you were away" if parts else ""


def _counted(number: int, thing: str, verb: str) -> str:
    return f"{number} {thing}{'s' * (number > 1)} {verb}"


def _belongs_here(job: Job) -> bool:
    return job.id in from_this_file or bool(job.origin and job.origin == bpy.data.filepath)


def _push_undo() -> None:
    """A step of its own, so that taking back the last edit does not take the picture along."""
    windows = idle_windows()
    if not bpy.app.background and windows == list(bpy.context.window_manager.windows):
        with bpy.context.temp_override(window=windows[0]):
            bpy.ops.ed.undo_push(message="FLUX Depth Picture")


def idle_windows() -> list[bpy.types.Window]:
    """The windows in which nobody uses a tool."""
    return [window for window in bpy.context.window_manager.windows if not window.modal_operators]
