"""What the window knows of the journal: looks while something is on its way, and places what arrives.

A persistent timer, not a modal operator: Blender holds its auto-save back while any modal operator runs, and drops
modal operators at File > Open. A timer does neither, needs no window, and leaves mouse and Esc to the artist.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.app.handlers import persistent

from . import placement, preferences, worker_process
from .core.errors import FluxDepthError, InputError, JournalError

if TYPE_CHECKING:
    from .core.job import Job
    from .core.journal import Journal

TICK_SECONDS = 0.25
LISTED = 200
"""The newest jobs that the window lists; the journal keeps all."""

RESTART_SECONDS = 5.0
PROBLEM_SECONDS = 5.0
SHOWN_IN = {"VIEW_3D": "UI", "IMAGE_EDITOR": "UI", "PREFERENCES": "WINDOW"}
"""The regions that show what the journal says, by editor."""

jobs: dict[str, Job] = {}
"""The newest jobs by id, newest first, as of the last tick."""

connections: dict[str, tuple[str, bool]] = {}
"""By provider, what the last connection test said and whether it is good; an empty text while it runs."""

problem = ""
"""Why the journal cannot be looked at, or nothing."""

_journal: Journal | None = None
_version: tuple[int, int] | None = None
_restart_at = 0.0
_from_this_file: set[str] = set()


def journal() -> Journal:
    """This Blender's journal, opened at the first need; raises InputError."""
    global _journal
    if _journal is None:
        from .core.journal import Journal

        _journal = Journal(preferences.data_folder())
    return _journal


def follow(job: Job | None = None) -> None:
    """Begin to look; a job given here was asked for in the file that is open."""
    if job:
        _from_this_file.add(job.id)
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=0.01, persistent=True)


def start_worker() -> None:
    """Have a worker at the journal with every key that is known; raises InputError."""
    worker_process.start(preferences.data_folder(), preferences.table(), preferences.table_files(), preferences.keys())


def on_their_way() -> list[Job]:
    """The jobs that are not finished."""
    return [job for job in jobs.values() if not job.is_final]


def refresh() -> None:
    """Read what was committed since the last look; place pictures that belong to the open file."""
    global _version
    version = journal().version()
    if version == _version:
        return
    _version = version
    waiting = len(on_their_way())
    jobs.clear()
    jobs.update((job.id, job) for job in journal().jobs(LISTED))
    if waiting != len(on_their_way()):
        _redraw_status_bars()
    connections.clear()
    connections.update(journal().connections())
    _fill_list()
    _place_arrivals()


def _tick() -> float | None:
    """Blender drops a timer that raises, and the pictures with it: what may pass is said, and looked at again."""
    global problem
    try:
        pause, problem = _look(), ""
    except (FluxDepthError, JournalError, OSError, RuntimeError) as error:
        pause, problem = PROBLEM_SECONDS, str(error)
    return pause


def _look() -> float | None:
    if not (preferences.data_folder() / "journal.sqlite3").is_file():
        return None
    refresh()
    _keep_worker()
    _redraw()
    testing = any(not sentence for sentence, _good in connections.values())
    return TICK_SECONDS if on_their_way() or testing else None


def _keep_worker() -> None:
    """A worker that idled out, or died, is replaced when there is work that it may do."""
    global _restart_at
    if worker_process.running() or time.monotonic() < _restart_at or not any(map(_can_go_on, on_their_way())):
        return
    _restart_at = time.monotonic() + RESTART_SECONDS
    start_worker()


def _can_go_on(job: Job) -> bool:
    model = preferences.table().models.get(job.request.model)
    if model is None or not preferences.has_key(model.provider):
        return False
    return not preferences.offline_reason(model.provider, job.sent_to or job.base)


def _fill_list() -> None:
    rows = bpy.context.window_manager.flux_depth_jobs
    if [row.name for row in rows] == list(jobs):
        return
    rows.clear()
    for job_id in jobs:
        rows.add().name = job_id


def _place_arrivals() -> None:
    arrived = [job for job in jobs.values() if job.result and not job.seen and _belongs_here(job)]
    for job in reversed(arrived):
        with suppress(InputError):  # deleted meanwhile: the list says so when it is asked to show it
            placement.place(job)
    if arrived:
        journal().mark_seen([job.id for job in arrived])
        _push_undo()
        refresh()


def _belongs_here(job: Job) -> bool:
    name = Path(bpy.data.filepath).name
    same_file = job.id in _from_this_file or bool(name and job.request.blend == name)
    return same_file and job.request.scene in bpy.data.scenes


def _push_undo() -> None:
    """A step of its own, so that taking back the last edit does not take the picture along."""
    windows = bpy.context.window_manager.windows
    if bpy.app.background or any(window.modal_operators for window in windows):
        return
    with bpy.context.temp_override(window=windows[0]):
        bpy.ops.ed.undo_push(message="FLUX Depth Picture")


def _redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            kind = SHOWN_IN.get(area.type)
            for region in (region for region in area.regions if region.type == kind):
                region.tag_redraw()


def _redraw_status_bars() -> None:
    for window in bpy.context.window_manager.windows:
        with bpy.context.temp_override(window=window):
            window.workspace.status_text_set(None)  # the one call that redraws a status bar


@persistent
def _another_file(*_ignored: object) -> None:
    global _version
    _from_this_file.clear()
    _version = None
    follow()


def register() -> None:
    """Look once, soon: a picture may have arrived, or a job may have to be finished."""
    bpy.app.handlers.load_post.append(_another_file)
    bpy.app.timers.register(_tick, first_interval=1.0, persistent=True)


def unregister() -> None:
    """Stop looking. The worker fetches what is paid for, then ends by itself."""
    global _journal, _version
    bpy.app.handlers.load_post.remove(_another_file)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    worker_process.let_go()
    if _journal:
        _journal.close()
    _journal = _version = None
    jobs.clear()
