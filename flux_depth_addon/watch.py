"""What the window knows of the journal: looks while something is on its way, and places what arrives.

A persistent timer, not a modal operator: Blender holds its auto-save back while any modal operator runs, and drops
modal operators at File > Open. A timer does neither, needs no window, and leaves mouse and Esc to the artist.
"""

from __future__ import annotations

import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

import bpy
from bpy.app.handlers import persistent

from . import placement, preferences, worker_process
from .core.errors import FluxDepthError, InputError, JournalError

if TYPE_CHECKING:
    from .core.job import Job
    from .core.journal import Journal

TICK_SECONDS = 0.25
PROBLEM_SECONDS = 5.0
RESTART_SECONDS = 5.0
JOURNAL_SECONDS = 0.2
"""How long the window waits for a journal that is being written; the next tick asks again."""

LISTED = 200
"""The newest jobs that the window lists; the journal keeps all."""

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
_told: list[str] = []
_from_this_file: set[str] = set()


def journal() -> Journal:
    """This Blender's journal, opened at the first need; raises InputError."""
    global _journal
    if _journal and not _journal.is_there():
        _let_go_of_journal()
    if _journal is None:
        from .core.journal import Journal

        _journal = Journal(preferences.data_folder(), patience=JOURNAL_SECONDS)
    return _journal


def follow(job: Job | None = None) -> None:
    """Begin to look; a job given here was asked for in the file that is open."""
    if job:
        _from_this_file.add(job.id)
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=0.01, persistent=True)


def start_worker() -> None:
    """Have a worker at the journal with every key that is known; raises InputError."""
    folder, table, files = preferences.data_folder(), preferences.table(), preferences.table_files()
    _told[:] = preferences.reachable()
    worker_process.start(folder, table, files, preferences.keys(), list(_told))


def on_their_way() -> list[Job]:
    """The jobs that are not finished."""
    return [job for job in jobs.values() if not job.is_final]


def hindrance(job: Job) -> str:
    """Why nobody can go on with a job now, or nothing."""
    model = preferences.table().models.get(job.request.model)
    if model is None:
        return f"The model “{job.request.model}” is not in the table of models any more"
    if not preferences.has_key(model.provider):
        return f"It goes on once there is a {model.provider.label} key"
    return preferences.offline_reason(model.provider, job.sent_to or job.base)


def refresh() -> None:
    """Read what was committed since the last look; place pictures that belong to the open file."""
    global _version
    version = journal().version()
    if version != _version:
        found, tested, waited = journal().jobs(LISTED), journal().connections(), len(on_their_way())
        jobs.clear()
        jobs.update((job.id, job) for job in found)
        connections.clear()
        connections.update(tested)
        _version = version
        _fill_list()
        if waited != len(on_their_way()):
            _redraw_status_bars()
    _place_arrivals()


def _tick() -> float | None:
    """Blender drops a timer that raises, and the pictures with it: what may pass is said, and looked at again."""
    global problem
    try:
        pause, problem = _look(), ""
    except (FluxDepthError, JournalError) as error:
        pause, problem = PROBLEM_SECONDS, str(error)
    except Exception as error:  # the window's edge, as the buttons are
        traceback.print_exc()
        pause, problem = PROBLEM_SECONDS, f"An unexpected problem ({type(error).__name__}); see the console"
    redraw()
    return pause


def _look() -> float | None:
    if not (preferences.data_folder() / "journal.sqlite3").is_file():
        _let_go_of_journal()
        return None
    refresh()
    _tell_worker()
    _keep_worker()
    return TICK_SECONDS if on_their_way() or _arrived() or is_testing() else None


def is_testing() -> bool:
    """Whether a connection test is under way."""
    return worker_process.running() and any(not sentence for sentence, _good in connections.values())


def _tell_worker() -> None:
    """When online access is switched, the worker must not go on asking whom it may not ask."""
    reachable = preferences.reachable()
    if worker_process.running() and reachable != _told:
        _told[:] = reachable
        worker_process.feed({"providers": reachable})


def _keep_worker() -> None:
    """A worker that idled out, or died, is replaced when there is work that it may do."""
    global _restart_at
    if worker_process.running() or time.monotonic() < _restart_at or all(map(hindrance, on_their_way())):
        return
    _restart_at = time.monotonic() + RESTART_SECONDS
    died_of = worker_process.last_words(preferences.data_folder())
    start_worker()
    if died_of:
        raise InputError(f"The worker stopped ({died_of}) and is started again. What was paid for is not lost.")


def _fill_list() -> None:
    rows = bpy.context.window_manager.flux_depth_jobs
    if [row.name for row in rows] == list(jobs):
        return
    rows.clear()
    for job_id in jobs:
        rows.add().name = job_id


def _arrived() -> list[Job]:
    """Pictures of the open file that were not shown yet, oldest first."""
    return [job for job in reversed(jobs.values()) if job.result and not job.seen and _belongs_here(job)]


def _place_arrivals() -> None:
    arrived = _arrived()
    if not arrived or bpy.app.is_job_running("RENDER"):  # a render reads what placing would change
        return
    for job in arrived:
        with suppress(InputError):  # deleted meanwhile: the list says so when it is asked to show it
            placement.place(job)
    journal().mark_seen([job.id for job in arrived])
    _push_undo()
    refresh()


def _belongs_here(job: Job) -> bool:
    return job.id in _from_this_file or bool(job.origin and job.origin == bpy.data.filepath)


def _push_undo() -> None:
    """A step of its own, so that taking back the last edit does not take the picture along."""
    windows = _idle_windows()
    if not bpy.app.background and windows == list(bpy.context.window_manager.windows):
        with bpy.context.temp_override(window=windows[0]):
            bpy.ops.ed.undo_push(message="FLUX Depth Picture")


def _idle_windows() -> list[bpy.types.Window]:
    return [window for window in bpy.context.window_manager.windows if not window.modal_operators]


def redraw() -> None:
    """Have everything drawn anew that shows what the journal or a button says."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            kind = SHOWN_IN.get(area.type)
            for region in (region for region in area.regions if region.type == kind):
                region.tag_redraw()


def _redraw_status_bars() -> None:
    for window in _idle_windows():  # a tool that is in use has its own words there
        with bpy.context.temp_override(window=window):
            window.workspace.status_text_set(None)  # the one call that redraws a status bar


def _let_go_of_journal() -> None:
    global _journal, _version
    if _journal:
        _journal.close()
    _journal = _version = None
    jobs.clear()
    connections.clear()


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
    bpy.app.handlers.load_post.remove(_another_file)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    worker_process.let_go()
    _from_this_file.clear()
    _let_go_of_journal()
