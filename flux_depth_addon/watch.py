"""What the window knows of the journal: looks while something is on its way, and places what arrives.

Blender stands still while it looks. So a look reads what changed since the last one, a few rows at a time, waits for
nobody, and has drawn anew only what shows something else by now.

A persistent timer, not a modal operator: Blender holds its auto-save back while any modal operator runs, and drops
modal operators at File > Open. A timer does neither, needs no window, and leaves mouse and Esc to the artist.
"""

from __future__ import annotations

import sys
import time
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.app.handlers import persistent

from . import arrivals, preferences, windows, worker_process
from .core.errors import DamagedJournalError, FluxDepthError, InputError, JournalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .core.job import Job
    from .core.journal import Journal
    from .core.ledger import Ledger
    from .core.recovery import Offer

TICK_SECONDS = 0.25
AT_ONCE = 0.01
"""Seconds until the next tick while there is more to do, so that the window can draw in between."""

ENOUGH_SECONDS = 0.0003
"""After this long a tick leaves the rest to the next one."""

ROWS = 4
"""How many of the journal's rows are read at once: some 120 microseconds each."""

NEWS_SECONDS = 0.9
"""How long nothing is looked at after news: with many pictures on their way, one of them moves at every tick."""

FOLDER_SECONDS = 5.0
"""How often the disk is asked whether the journal is still there: it may be a slow one."""

PROBLEM_SECONDS = RESTART_SECONDS = 5.0
JOURNAL_SECONDS = 0.2
"""How long the window waits for a journal that is being written; the next tick asks again."""

LISTED = 200
"""The newest jobs that the window lists; the journal keeps all."""

TO_LOOK = ("core.depth_map", "core.request", "core.job", "core.journal")
"""What a look needs, imported before the first one, one module a tick."""

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
"""The journal's as of the last look that read all there was."""

_steps: list[Callable[[], None]] = []
"""What is left to do with what was read."""

_last_change = 0
"""The number of the last change that was read."""

last_shown = 0
"""The number of the last change from which all was worked out that is shown."""

_before: dict[str, Job | None] = {}
"""What changed and was not worked out yet, as it was before; None for what is new."""

_waiting: dict[str, Job] = {}
_drawn: tuple[object, ...] = ()
"""What was shown when redrawing was last asked for."""

_news_at = 0.0
"""When news was found last, on the clock that always goes forward."""

_ask_disk_at = _restart_at = 0.0
_told_online: bool | None = None
_started = time.time()
_elsewhere: list[Path] | None = None
"""Where other Blenders may have a journal that was not looked at yet; None before these folders are known."""


def journal() -> Journal:
    """This Blender's journal, opened at the first need; raises InputError."""
    if _journal and not _journal.is_there():
        let_go_of_journal()
    return _opened()


def _opened() -> Journal:
    """The same without asking the disk whether its file is still there: to read from, not to write to."""
    global _journal
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
    global _told_online
    _told_online = bpy.app.online_access
    worker_process.start(**preferences.for_worker())


def on_their_way() -> list[Job]:
    """The jobs that are not finished."""
    return list(_waiting.values())


def chosen(manager: bpy.types.WindowManager) -> Job | None:
    """The job that is chosen in the list, or None."""
    rows = manager.flux_depth_jobs
    return jobs.get(rows[min(max(manager.flux_depth_job, 0), len(rows) - 1)].name) if rows else None


def refresh() -> None:
    """Read all that was committed since the last look; place pictures that belong to the open file."""
    while _steps:  # of a look before: what came since is not among it
        _read()
    while not _read():
        pass
    _place_arrivals()


def _read() -> bool:
    """Take one step towards what was committed since the last look; whether there is none left."""
    global _version, _last_change
    if _steps:
        _steps[0]()
        _steps.pop(0)
        return not _steps
    version = _opened().version()
    if version == _version:
        return True
    newest = LISTED if _version is None else None
    found, _last_change, whole = _opened().changes(_last_change, limit=ROWS, newest=newest)
    _take_over(found)
    if whole:
        _version = version
        _steps.extend(([_sum_up] if _has_money_moved() else []) + [_work_out])
    return False


def _take_over(found: list[Job]) -> None:
    for job in found:
        _before.setdefault(job.id, jobs.get(job.id))
    grown = any(job.id not in jobs for job in found)
    jobs.update((job.id, job) for job in found)
    if grown:
        newest = sorted(jobs.values(), key=lambda job: job.created, reverse=True)
        for job in newest[LISTED:]:
            _before.setdefault(job.id, job)
        jobs.clear()
        jobs.update((job.id, job) for job in newest[:LISTED])


def _has_money_moved() -> bool:
    return session is None or any(_money(jobs.get(job_id)) != _money(job) for job_id, job in _before.items())


def _sum_up() -> None:
    global session, month
    from .core.ledger import month_began

    session, month = _opened().ledger(_started), _opened().ledger(month_began())


def _work_out() -> None:
    """What follows from the changes, so that nobody goes through all jobs at a redraw."""
    from .core import connection

    global _news_at, last_shown
    _news_at, last_shown = time.monotonic(), _last_change
    connections.clear()
    connections.update(connection.connections(_opened().database))
    changed = {job_id: jobs.get(job_id) for job_id in _before}
    _fill_list()
    waited = len(_waiting)
    for job_id, job in changed.items():
        _waiting.pop(job_id, None)
        if job and not job.is_final:
            _waiting[job_id] = job
    arrivals.note(changed)
    _before.clear()
    if waited != len(_waiting):
        windows.redraw_status_bars()


def _money(job: Job | None) -> tuple[object, ...]:
    """What the ledger sums up: nothing of what is free."""
    return (job.step == "SUBMIT", job.submit_started, job.charged, job.cost_usd) if job and job.cost_usd else ()


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
    _redraw_what_changed()
    return pause


def _look() -> float | None:
    if _version is not None and not _steps and time.monotonic() < _news_at + NEWS_SECONDS:
        return TICK_SECONDS
    folders = _other_folders()
    if not (folders or _is_there()):
        let_go_of_journal()
        return None
    if _journal is None and _import_next():
        return AT_ONCE
    if folders:
        _look_elsewhere(folders.pop(0))
        return AT_ONCE
    enough = time.perf_counter() + ENOUGH_SECONDS
    while not _read():
        if time.perf_counter() > enough:
            return AT_ONCE
    _place_arrivals()
    _tell_worker()
    _keep_worker()
    return TICK_SECONDS if _waiting or arrivals.unplaced() or arrivals.shown or is_testing() else None


def _is_there() -> bool:
    """Whether there is a journal to look at; for an open one the disk is asked now and then."""
    global _ask_disk_at
    if _journal and time.monotonic() < _ask_disk_at:
        return True
    _ask_disk_at = time.monotonic() + FOLDER_SECONDS
    folder = preferences.data_folder()
    return (folder / preferences.JOURNAL).is_file() or (folder / "jobs").is_dir()


def _import_next() -> bool:
    """Import one module that a look needs; False when all are there."""
    missing = (name for name in TO_LOOK if f"{__package__}.{name}" not in sys.modules)
    if name := next(missing, ""):
        import_module(f".{name}", __package__)
    return bool(name)


def _other_folders() -> list[Path]:
    """Of Blenders that may hold pictures that were paid for and were not looked at yet; found once."""
    global _elsewhere
    if _elsewhere is None:
        _elsewhere = preferences.other_folders()
    return _elsewhere


def _look_elsewhere(folder: Path) -> None:
    from .core.recovery import look

    with suppress(DamagedJournalError):  # not this Blender's, and none of its business
        offers.extend(filter(None, [look(folder, journal())]))


def is_testing() -> bool:
    """Whether a connection is tested."""
    return ("", True) in connections.values() and worker_process.running()


def _tell_worker() -> None:
    """When online access is switched, the worker must not go on asking whom it may not ask."""
    global _told_online
    if bpy.app.online_access != _told_online and worker_process.running():
        _told_online = bpy.app.online_access
        worker_process.feed({"providers": preferences.reachable()})


def _keep_worker() -> None:
    """A worker that idled out, or died, is replaced when there is work that it may do."""
    global _restart_at
    if (
        not _waiting
        or worker_process.running()
        or time.monotonic() < _restart_at
        or all(map(preferences.hindrance, on_their_way()))
    ):
        return
    _restart_at = time.monotonic() + RESTART_SECONDS
    died_of = worker_process.last_words(preferences.data_folder())
    start_worker()
    if died_of:
        raise InputError(f"The worker stopped ({died_of}) and is started again. What was paid for is not lost.")


def _fill_list() -> None:
    rows = bpy.context.window_manager.flux_depth_jobs
    if None not in _before.values() and len(rows) == len(jobs):
        return
    rows.clear()
    for job_id in jobs:
        rows.add().name = job_id


def _place_arrivals() -> None:
    arrived = arrivals.unplaced()
    if arrived and not bpy.app.is_job_running("RENDER"):  # a render reads what placing would change
        arrivals.place(arrived)
    arrivals.note_failed_in_sight()
    if arrivals.shown and _opened().mark_seen(arrivals.shown, wait=False):
        while not _read():
            pass


def _redraw_what_changed() -> None:
    """Where somebody waits, the seconds change as well."""
    global _drawn
    second = int(time.time()) if _waiting else 0
    news, asked = arrivals.summary(), tuple(connections.items())
    shown = (last_shown, problem, second, news, len(offers), asked, is_testing(), bpy.app.online_access)
    if shown != _drawn:
        _drawn = shown
        windows.redraw()


def let_go_of_journal() -> None:
    """Close it; the next look opens it anew."""
    global _journal, _version, _last_change, last_shown, session, month
    if _journal:
        _journal.close()
    _journal = _version = session = month = None
    _last_change, last_shown = 0, -1
    _before.update(jobs)
    _steps.clear()
    for known in (jobs, connections, _waiting, arrivals.unseen):
        known.clear()


@persistent
def _another_file(*_ignored: object) -> None:
    """Its jobs are others: all is worked out anew."""
    global _version
    arrivals.another_file()
    _before.update(jobs | _before)
    _version = None
    follow()


def register() -> None:
    """Look once, soon: a picture may have arrived, or a job may have to be finished."""
    bpy.app.handlers.load_post.append(_another_file)
    bpy.app.timers.register(_tick, first_interval=1.0, persistent=True)


def unregister() -> None:
    """Stop looking. The worker fetches what is paid for, then ends by itself."""
    global _elsewhere
    bpy.app.handlers.load_post.remove(_another_file)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    worker_process.let_go()
    arrivals.forget()
    offers.clear()
    _elsewhere = None
    let_go_of_journal()
