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

from . import arrivals, preferences, worker_process
from .core.errors import DamagedJournalError, FluxDepthError, InputError, JournalError

if TYPE_CHECKING:
    from .core.job import Job
    from .core.journal import Journal
    from .core.ledger import Ledger
    from .core.recovery import Offer

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

damaged = False
"""Whether that is because its file is damaged, for which there is a button."""

session: Ledger | None = None
month: Ledger | None = None
"""What was spent since this Blender started, and this month."""

offers: list[Offer] = []
"""Journals of other Blenders that could be brought in."""

_journal: Journal | None = None
_version: tuple[int, int] | None = None
_restart_at = 0.0
_told: list[str] = []
_started = time.time()
_looked_elsewhere = False


def journal() -> Journal:
    """This Blender's journal, opened at the first need; raises InputError."""
    global _journal
    if _journal and not _journal.is_there():
        let_go_of_journal()
    if _journal is None:
        from .core.journal import Journal

        _journal = Journal(preferences.data_folder(), patience=JOURNAL_SECONDS)
    return _journal


def follow(job: Job | None = None) -> None:
    """Begin to look; a job given here was asked for in the file that is open."""
    if job:
        arrivals.from_this_file.add(job.id)
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
    global _version, session, month
    version = journal().version()
    if version != _version:
        from .core.ledger import month_began

        found, tested, waited = journal().jobs(LISTED), journal().connections(), len(on_their_way())
        session, month = journal().ledger(_started), journal().ledger(month_began())
        jobs.clear()
        jobs.update((job.id, job) for job in found)
        connections.clear()
        connections.update(tested)
        _version = version
        arrivals.note_news(found)
        _fill_list()
        if waited != len(on_their_way()):
            _redraw_status_bars()
    _place_arrivals()


def _tick() -> float | None:
    """Blender drops a timer that raises, and the pictures with it: what may pass is said, and looked at again."""
    global problem, damaged
    damaged = False
    try:
        pause, problem = _look(), ""
    except (FluxDepthError, JournalError) as error:
        pause, problem, damaged = PROBLEM_SECONDS, str(error), isinstance(error, DamagedJournalError)
    except Exception as error:  # the window's edge, as the buttons are
        traceback.print_exc()
        pause, problem = PROBLEM_SECONDS, f"An unexpected problem ({type(error).__name__}); see the console"
    redraw()
    return pause


def _look() -> float | None:
    _look_elsewhere()
    folder = preferences.data_folder()
    if not ((folder / preferences.JOURNAL).is_file() or (folder / "jobs").is_dir()):
        let_go_of_journal()
        return None
    refresh()
    _tell_worker()
    _keep_worker()
    return TICK_SECONDS if on_their_way() or arrivals.unplaced(jobs.values()) or is_testing() else None


def _look_elsewhere() -> None:
    """Once: an older Blender's folder may hold pictures that were paid for."""
    global _looked_elsewhere
    if _looked_elsewhere:
        return
    _looked_elsewhere = True
    if folders := preferences.other_folders():
        from .core.recovery import look

        for folder in folders:
            with suppress(DamagedJournalError):  # not this Blender's, and none of its business
                offers.extend(filter(None, [look(folder, journal())]))


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


def _place_arrivals() -> None:
    arrived = arrivals.unplaced(reversed(jobs.values()))
    if arrived and bpy.app.is_job_running("RENDER"):  # a render reads what placing would change
        return
    told = arrived + arrivals.failed_in_sight(jobs.values())
    if arrived:
        arrivals.place(arrived)
    if told:
        journal().mark_seen([job.id for job in told])
        refresh()


def redraw() -> None:
    """Have everything drawn anew that shows what the journal or a button says."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            kind = SHOWN_IN.get(area.type)
            for region in (region for region in area.regions if region.type == kind):
                region.tag_redraw()


def _redraw_status_bars() -> None:
    for window in arrivals.idle_windows():  # a tool that is in use has its own words there
        with bpy.context.temp_override(window=window):
            window.workspace.status_text_set(None)  # the one call that redraws a status bar


def let_go_of_journal() -> None:
    """Close it; the next look opens it anew."""
    global _journal, _version
    if _journal:
        _journal.close()
    _journal = _version = None
    jobs.clear()
    connections.clear()


@persistent
def _another_file(*_ignored: object) -> None:
    global _version
    arrivals.another_file()
    _version = None
    follow()


def register() -> None:
    """Look once, soon: a picture may have arrived, or a job may have to be finished."""
    bpy.app.handlers.load_post.append(_another_file)
    bpy.app.timers.register(_tick, first_interval=1.0, persistent=True)


def unregister() -> None:
    """Stop looking. The worker fetches what is paid for, then ends by itself."""
    global _looked_elsewhere
    bpy.app.handlers.load_post.remove(_another_file)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    worker_process.let_go()
    arrivals.forget()
    offers.clear()
    _looked_elsewhere = False
    let_go_of_journal()
