"""Pictures that arrived: laid where the open file wants them, and told of when nobody was looking."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import bpy

from . import placement, windows
from .core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .core.job import Job

from_this_file: set[str] = set()
"""The jobs that were asked for in the file that is open, saved or not."""

news: dict[str, Job] = {}
"""By id, what ended while nobody was looking at its file: told until it is looked at or waved away."""

unseen: dict[str, Job] = {}
"""By id, what ended and was neither shown nor noted as seen."""

shown: set[str] = set()
"""By id, what was shown and is not noted as seen in the journal yet."""

led: set[tuple[str, str]] = set()
"""The batches of which a camera has its picture, by batch and camera; an empty camera stands for the Image Editor."""

ENDED = {"DONE", "FAILED"}
_opened = time.time()


def another_file() -> None:
    """The file that asked is gone; whatever ended before now ended while it was away."""
    global _opened
    from_this_file.clear()
    led.clear()
    _opened = time.time()


def forget() -> None:
    """As if nothing had arrived yet."""
    from_this_file.clear()
    led.clear()
    unseen.clear()
    shown.clear()
    news.clear()


def note(changed: Mapping[str, Job | None]) -> None:
    """Remember which of these ended and were not seen, and which of them ended for a file that is not open.

    None stands for a job that is not listed any more.
    """
    for job_id, job in changed.items():
        unseen.pop(job_id, None)
        if job is None or job.seen or job.step not in ENDED:
            shown.discard(job_id)
        elif job_id not in shown:
            unseen[job_id] = job
        if job is None:
            news.pop(job_id, None)
        elif job_id in unseen and not _belongs_here(job):
            news[job_id] = job


def unplaced() -> list[Job]:
    """Pictures of the open file that were not shown yet, oldest first."""
    pictures = [job for job in unseen.values() if job.result and _belongs_here(job)]
    return sorted(pictures, key=lambda job: job.created)


def place(jobs: list[Job]) -> None:
    """Lay pictures where the open file wants them.

    Of a batch the Image Editor gets the first that arrives, and each camera its own first: forty pictures one after the
    other would be a flicker, and forty steps of undo that push the artist's own out. The others are in the list.
    """
    from .core.claim import place_of

    stills = [job for job in jobs if not place_of(job.output)]  # a shot is looked at as a whole
    leading = False
    for job in stills:
        if not job.batch or (job.batch, job.request.camera) not in led:
            _lead(job)
            leading = True
        if (job.finished or 0) < _opened:
            news[job.id] = job
    if leading:
        _push_undo()
    _were_shown(jobs)


def _lead(job: Job) -> None:
    put = placement.lay_on_camera if (job.batch, "") in led else placement.place
    with suppress(InputError):  # deleted meanwhile: the list says so when it is asked to show it
        put(job)
    if job.batch:
        led.update({(job.batch, ""), (job.batch, job.request.camera)})


def note_failed_in_sight() -> None:
    """What failed for the open file was shown: it is in the list."""
    _were_shown([job for job in unseen.values() if job.step == "FAILED" and _belongs_here(job)])


def _were_shown(jobs: list[Job]) -> None:
    for job in jobs:
        shown.add(job.id)
        del unseen[job.id]


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
    idle = windows.idle()
    if not bpy.app.background and idle == list(bpy.context.window_manager.windows):
        with bpy.context.temp_override(window=idle[0]):
            bpy.ops.ed.undo_push(message="FLUX Depth Picture")
