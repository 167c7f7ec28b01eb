"""The gallery: which of the journal's pictures are found, and what the window knows of those that it draws.

Drawing asks memory only: what it misses it notes here, and a timer, which ends when nothing is missing, brings a little
of it at a time. Blender itself decodes the small pictures, in threads of its own. The last drawn ones are kept.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import bpy
from bpy.app.handlers import persistent

from . import arrivals, placement, preferences, staleness, watch, windows
from .button import failure
from .core.errors import InputError

if TYPE_CHECKING:
    from .core.database import Database
    from .core.history import Search
    from .core.job import Job

AT_ONCE = 0.01
"""Seconds until the next tick while something is missing."""

ROWS = 6
"""How many pictures' rows are read at once: about a millisecond."""

IN_SIGHT = 40
"""At least as many rows as can be seen: what was scrolled past before it was read is not read any more."""

KEPT = 300
"""Pictures that are remembered, the last drawn ones; a small picture takes 256 kB."""

DOUBLE_CLICK_SECONDS = 0.4
COMPARE_SECONDS = 1.0
"""At the shortest between two looks at whether pictures are stale."""

PATIENCE = 50
"""So many times as long as such a look took is waited for the next one."""

TROUBLE_SECONDS = 5.0
"""After trouble with the journal, until it is asked again."""

found: list[str] = []
"""The ids of the pictures that are found, newest first."""

entries: dict[str, Job | None] = {}
"""By id, what the journal says of the pictures drawn last; None where it has none."""

missing: set[str] = set()
"""By id, the pictures whose files are gone."""

stale: dict[str, str] = {}
"""By id, why a picture is stale."""

chosen = ""
"""The id of the picture that was clicked."""

problem = ""
"""What a click, or a look, failed with; or nothing."""

_row = -1
_wanted: Search | None = None
_asked: Search | None = None
"""What is found, and what is to be found."""

_database: Database | None = None
_since = 0
"""The number of the last change of that journal that is in all this."""

_as_of = -1
_ask_at = 0.0
_lacking: dict[str, None] = {}
_thumbnails: Any = None
_clicked: tuple[str, float] = ("", 0.0)
_browsed = ""
"""The image that a click loaded, to be let go of at the next one."""

_scene_changes = 0
_compared: tuple[object, ...] = ()
_compare_at = 0.0


def settings(manager: bpy.types.WindowManager) -> Any:
    """What is looked for, and the list."""
    return cast("Any", manager).flux_depth_history


# What drawing asks for.


def look(search: Search, rows: int) -> None:
    """Have it looked for, if that was not done yet; `rows`: how many the list has."""
    global _wanted
    _wanted = search
    moved = _as_of != watch.last_shown or _scene_changes != (_compared and _compared[0])
    if search != _asked or rows != len(found) or moved:
        _follow()


def entry(job_id: str) -> Job | None:
    """What the journal says of it, as far as that is known yet."""
    if job_id in entries:
        entries[job_id] = entries.pop(job_id)  # drawn last, forgotten last
        return entries[job_id]
    _lacking[job_id] = None
    _follow()
    return None


def thumbnail(job_id: str) -> int:
    """The number of its small picture, as Blender's layouts take it; 0 for none."""
    return _thumbnails[job_id].icon_id if _thumbnails is not None and job_id in _thumbnails else 0


def row() -> int:
    """Where the chosen picture is among those that are found; -1 for nowhere."""
    return _row


def click(number: int) -> None:
    """A click on that row shows its picture, a second one soon after lays it on its camera."""
    global chosen, problem, _row, _clicked
    if not 0 <= number < len(found):
        return
    chosen, problem, _row = found[number], "", number
    now = time.monotonic()
    twice = _clicked[0] == chosen and now - _clicked[1] < DOUBLE_CLICK_SECONDS
    _clicked = ("", 0.0) if twice else (chosen, now)
    windows.soon(partial(_act, place if twice else show, chosen))


def forget() -> None:
    """As if nothing had been looked for yet."""
    global chosen, problem, _row, _asked, _database, _compared
    chosen, problem, _row, _asked, _database, _compared = "", "", -1, None, None, ()
    found.clear()
    for known in (entries, missing, stale, _lacking):
        known.clear()
    if _thumbnails is not None:
        _thumbnails.clear()


# What a click does.


def _act(work: Any, job_id: str) -> None:
    global problem
    problem = failure(partial(work, job_id))
    windows.redraw()


def show(job_id: str) -> None:
    """In the largest open Image Editor. Raises InputError.

    Whoever looks through a hundred does not want a hundred images in the file: the one before is let go of.
    """
    global _browsed
    path = Path(watch.journal().get(job_id).result)
    before, number = _browsed, len(bpy.data.images)
    image = placement.load(path)
    placement.show_in_editor(image)
    if len(bpy.data.images) == number and image.name == before:
        return
    _browsed = image.name if len(bpy.data.images) > number else ""
    if before:
        _let_go_of(before)


def place(job_id: str) -> None:
    """On the camera that it was made from, as its button does. Raises InputError."""
    try:
        bpy.ops.flux_depth.put_behind("EXEC_DEFAULT", True, job_id=job_id)
    except RuntimeError as error:
        raise InputError(str(error).removeprefix("Error: ").strip()) from None


def _let_go_of(name: str) -> None:
    image: bpy.types.Image | None = bpy.data.images.get(name)
    if image and not image.use_fake_user and not bpy.data.user_map(subset=[image])[image]:
        bpy.data.images.remove(image)


# The timer.


def _follow() -> None:
    if time.monotonic() > _ask_at and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=AT_ONCE)


def _tick() -> float | None:
    global problem, _ask_at
    pause: list[float | None] = [None]
    if sentence := failure(lambda: pause.append(_bring())):
        problem, _ask_at = sentence, time.monotonic() + TROUBLE_SECONDS
        windows.redraw()
    return pause[-1]


def _bring() -> float | None:
    """Bring one thing that is missing; the seconds until the next look, or None where nothing is."""
    if _journal_is_there() and (_find() or _read()):
        windows.redraw()
        return AT_ONCE
    return _compare()


def _journal_is_there() -> bool:
    return (preferences.data_folder() / preferences.JOURNAL).is_file()


def _find() -> bool:
    """Look again where something else is asked for, or something has changed; whether that was so."""
    global _asked, problem
    rows = settings(bpy.context.window_manager).rows
    changed = _changed()
    if not changed and _wanted == _asked and len(rows) == len(found):
        return False
    from .core import history

    _fill(history.found(watch.journal().database, _wanted), rows)
    _asked, problem = _wanted, ""
    return True


def _changed() -> bool:
    """Whether pictures came, were marked or deleted since this was asked last; what was known of them is forgotten."""
    global _database, _since, _as_of
    from .core import history

    database = watch.journal().database
    if database is not _database:
        forget()
        _database, _since = database, history.changed(database, sys.maxsize)[1]
    elif _as_of == watch.last_shown:
        return False
    _as_of = watch.last_shown
    changed, _since = history.changed(database, _since)
    for job_id in changed:
        entries.pop(job_id, None)
    return bool(changed)


def _fill(ids: list[str], rows: Any) -> None:
    global _row
    found[:] = ids
    if len(rows) > len(ids):
        rows.clear()
    for _ in range(len(ids) - len(rows)):
        rows.add()
    _row = ids.index(chosen) if chosen in ids else -1


def _read() -> bool:
    """Read what the journal says of a few pictures that were drawn, and begin to load them small; whether any was."""
    global _compared
    ids = list(_lacking)[-ROWS:]  # what was drawn last is in sight
    if not ids:
        return False
    for job_id in [*ids, *list(_lacking)[:-IN_SIGHT]]:
        _lacking.pop(job_id, None)
    for job in watch.journal().several(ids):
        entries[job.id] = job
        _load(job)
    for job_id in ids:
        entries.setdefault(job_id, None)
    for job_id in list(entries)[: max(len(entries) - KEPT, 0)]:
        _forget(job_id)
    _compared = ()
    return True


def _load(job: Job) -> None:
    """An older picture has no small one: Blender makes it, and keeps it where the File Browser's are."""
    global _thumbnails
    if _thumbnails is None:
        import bpy.utils.previews

        _thumbnails = bpy.utils.previews.new()
    result = Path(job.result)
    missing.discard(job.id) if result.is_file() else missing.add(job.id)
    small = job.thumbnail if job.thumbnail.is_file() else result
    if job.id not in _thumbnails and small.is_file():
        _thumbnails.load(job.id, str(small), "IMAGE")


def _forget(job_id: str) -> None:
    del entries[job_id]
    missing.discard(job_id)
    stale.pop(job_id, None)
    if _thumbnails is not None and job_id in _thumbnails:
        del _thumbnails[job_id]


def _compare() -> float | None:
    """See which of the drawn pictures are stale, where that is due: not while the scene is played."""
    global _compared, _compare_at
    shown = bpy.context.window_manager.windows
    scenes = {window.scene.name: window.scene for window in shown}  # others are not evaluated
    now = (_scene_changes, *((name, scene.frame_current_final) for name, scene in scenes.items()))
    if now == _compared or any(window.screen.is_animation_playing for window in shown):
        return None
    began = time.monotonic()
    if began < _compare_at:
        return _compare_at - began
    reasons = _reasons(scenes)
    _compared, _compare_at = now, began + max(COMPARE_SECONDS, PATIENCE * (time.monotonic() - began))
    if reasons != stale:
        stale.clear()
        stale.update(reasons)
        windows.redraw()
    return None


def _reasons(scenes: dict[str, bpy.types.Scene]) -> dict[str, str]:
    drawn = [job for job in entries.values() if job and job.request.scene in scenes and _belongs_here(job)]
    marks = {name: staleness.objects_mark(scenes[name]) for name in {job.request.scene for job in drawn}}
    reasons = {job.id: staleness.reason(job, scenes[job.request.scene], marks[job.request.scene]) for job in drawn}
    return {job_id: reason for job_id, reason in reasons.items() if reason}


def _belongs_here(job: Job) -> bool:
    return job.id in arrivals.from_this_file or staleness.belongs_here(job)


@persistent
def _note_change(*_ignored: object) -> None:
    global _scene_changes
    _scene_changes += 1


@persistent
def _another_file(*_ignored: object) -> None:
    global _browsed, _compared
    _browsed, _compared = "", ()
    stale.clear()


def register() -> None:
    """Notice when the scene changes."""
    bpy.app.handlers.depsgraph_update_post.append(_note_change)
    bpy.app.handlers.load_post.append(_another_file)


def unregister() -> None:
    """Stop looking, and forget."""
    global _thumbnails
    bpy.app.handlers.load_post.remove(_another_file)
    bpy.app.handlers.depsgraph_update_post.remove(_note_change)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    forget()
    if _thumbnails is not None:
        bpy.utils.previews.remove(_thumbnails)
    _thumbnails = None
