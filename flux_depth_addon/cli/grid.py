"""`grid`: prompts x seeds x models x cameras x frames, all at once, with one price before anything is rendered."""

from __future__ import annotations

import argparse
import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import preferences, staleness, worker_process
from ..core.errors import BudgetError, FluxDepthError, InputError
from .instead import ended_or_led_on
from .outcome import check_writable, say, write
from .places import allowed_of
from .scene import check_names, framing_of, looked_at, opened, request_of, started
from .sheet import SUFFIXES, write_tiles
from .work import client_for, folder_of, journal_of, model_of, own_rows_of, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import bpy

    from ..core.entry import Entry
    from ..core.grid import Cell, Grid, Stand
    from ..core.job import Job
    from ..core.journal import Journal
    from ..core.models import Model, Table
    from ..core.request import Request

LOOK_SECONDS = 0.2
MOST_RESTARTS = 3


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from ..core.grid import check

    table = table_of(arguments)
    models = _models(arguments, table)
    scene = opened(arguments)
    grid = _grid(arguments, scene, models)
    check(grid)
    _check_price(arguments, grid)
    words = f"{grid.words}  ·  {grid.captures:,} render{'s' * (grid.captures != 1)} of the depth"
    each = list(_each(arguments, scene, grid))
    priced = {"pictures": grid.count, "captures": grid.captures, "price_usd": grid.price_usd, "models": each}
    for line in (*_lines(table, each), words):
        print(line) if arguments.dry_run else say(line)
    if arguments.dry_run:
        return priced | {"jobs": []}, 0
    _check_places(arguments)
    with journal_of(arguments) as journal:
        jobs = _painted(arguments, scene, grid, journal, table)
    ends = [ended_or_led_on(job, table) for job in jobs]
    sheet = write_tiles(arguments.sheet, jobs, table) if arguments.sheet else None
    outcome = {"jobs": [told for told, _code in ends], "sheet": sheet and str(sheet)}
    return priced | outcome, max(code for _told, code in ends)


def _each(arguments: argparse.Namespace, scene: bpy.types.Scene, grid: Grid) -> Iterator[dict[str, Any]]:
    """What each model costs, and what it does not take of what was set."""
    from ..core.carried import left_out

    for model in grid.models if len(grid.models) > 1 else ():
        asked = replace(_asked(arguments, scene, grid, model), start="a picture" if arguments.start else "")
        behind = left_out(asked, grid.models[0], model)
        yield {"model": model.id, "price_usd": grid.usd_of(model), "without": behind}


def _lines(table: Table, each: list[dict[str, Any]]) -> Iterator[str]:
    """The same as a table."""
    from ..core.grid import dollars

    widest = max((len(table[row["model"]].name) for row in each), default=0)
    for row in each:
        without = f"  without {', '.join(row['without'])}" if row["without"] else ""
        yield f"{table[row['model']].name:<{widest}}  {dollars(row['price_usd']):>8}{without}"


def _models(arguments: argparse.Namespace, table: Table) -> list[Model]:
    """Each of them reachable, or what stands against it raised before the file is opened; a price is told to anyone."""
    names = arguments.model or [""]
    models = {name: model_of(argparse.Namespace(**vars(arguments) | {"model": name}), table) for name in names}
    for model in () if arguments.dry_run else models.values():
        client_for(arguments, table, model)
    return list({model.id: model for model in models.values()}.values())


def _grid(arguments: argparse.Namespace, scene: bpy.types.Scene, models: list[Model]) -> Grid:
    from .. import capture
    from ..core.grid import Grid, seeds_from
    from ..core.request import MAX_SEED

    first = secrets.randbelow(MAX_SEED) + 1 if arguments.seed is None else arguments.seed
    if not 1 <= first <= MAX_SEED:
        raise InputError(f"Seed must be from 1 to {MAX_SEED}, not {first}. Nothing was sent.")
    prompts = list(dict.fromkeys(prompt.strip() for prompt in arguments.prompt))
    stands = list(_stands(arguments, scene))
    check_names(arguments.scene_file, scene)
    sizes = {
        (stand.camera, model.id): framing_of(arguments, scene, capture.camera_of(scene, stand.camera), model)
        for stand in stands
        for model in models
    }
    return Grid(stands=stands, models=models, prompts=prompts, seeds=seeds_from(first, arguments.seeds), sizes=sizes)


def _stands(arguments: argparse.Namespace, scene: bpy.types.Scene) -> Iterator[Stand]:
    from ..core.grid import Stand, parse_frames

    frames = parse_frames(arguments.frames) if arguments.frames else (scene.frame_current_final,)
    if arguments.markers and (arguments.frames or arguments.frame is not None):
        raise InputError("Cameras at markers are taken at the markers' frames: leave --frames out.")
    places = _at_markers(scene) if arguments.markers else [(name, frames) for name in _names(arguments, scene)]
    notes = _notes(arguments, {name for name, _frames in places})
    for name, when in places:
        yield Stand(name, when, notes.get(name, ""))


def _at_markers(scene: bpy.types.Scene) -> list[tuple[str, tuple[int, ...]]]:
    bound = [(marker.frame, marker.camera) for marker in scene.timeline_markers if marker.camera]
    if not bound:
        raise InputError(f"No timeline marker of scene “{scene.name}” switches the camera. Nothing was sent.")
    pairs = dict.fromkeys((frame, camera.name) for frame, camera in sorted(bound, key=lambda pair: pair[0]))
    return [(name, (frame,)) for frame, name in pairs]


def _names(arguments: argparse.Namespace, scene: bpy.types.Scene) -> list[str]:
    """The cameras' own names, checked; a comma may be part of one."""
    from .. import capture

    asked: list[str | None] = [arguments.camera]
    if arguments.cameras:
        parts = ([name] if name in scene.objects else name.split(",") for name in arguments.cameras)
        asked = [name.strip() for names in parts for name in names]
    cameras = [capture.camera_of(scene, name) for name in asked]
    check_names(arguments.scene_file, *cameras)
    return list(dict.fromkeys(camera.name for camera in cameras))


def _notes(arguments: argparse.Namespace, names: set[str]) -> dict[str, str]:
    """By camera; a name may hold an equals sign."""
    notes = {}
    for note in arguments.note:
        named = [name for name in names if note.startswith(f"{name}=")]
        if not named:
            raise InputError(f"--note “{note[:60]}” begins with no camera of this grid and “=”. Nothing was sent.")
        name = max(named, key=len)
        notes[name] = note[len(name) + 1 :]
    return notes


def _check_price(arguments: argparse.Namespace, grid: Grid) -> None:
    from ..core.grid import dollars

    if arguments.max_usd is not None and not grid.price_usd <= arguments.max_usd:
        raise BudgetError(
            f"A grid of {grid.count:,} pictures costs {dollars(grid.price_usd)}, more than --max-usd "
            f"{arguments.max_usd:g} allows",
            cost="unsent",
            remedy="take fewer, or allow more",
        )


def _check_places(arguments: argparse.Namespace) -> None:
    check_writable(arguments.output / "picture.png", {".png"})
    if arguments.sheet:
        check_writable(arguments.sheet, SUFFIXES)


def _painted(
    arguments: argparse.Namespace, scene: bpy.types.Scene, grid: Grid, journal: Journal, table: Table
) -> list[Job]:
    """Every picture of the grid, in its order, whatever became of it."""
    from ..core.batch import Sifted, sift, timeout_for
    from ..core.grid import check_budget
    from ..core.ledger import month_began

    check_budget(grid, cap_usd=preferences.cap(), spent_usd=journal.ledger(month_began()).most)
    entries = list(_entries(arguments, scene, grid))
    sifted = Sifted(entries, [], 0) if arguments.anew else sift(journal, entries)
    if sifted.saved_words:
        say(f"{sifted.saved_words}. --anew pays for them again.")
    timeout = timeout_for(len(sifted.new), single=arguments.timeout)
    jobs = journal.add_many(sifted.new, base=arguments.url, timeout=timeout, cap_usd=preferences.cap())
    ids = [job.id for job in (*jobs, *sifted.known)]
    _wait(arguments, grid, journal, table, ids)
    journal.mark_seen(ids)
    copied = [_copied(arguments, journal.get(job.id)) for job in sifted.known]
    return [*(journal.get(job.id) for job in jobs), *copied]


def _entries(arguments: argparse.Namespace, scene: bpy.types.Scene, grid: Grid) -> Iterator[Entry]:
    """Rendered camera by camera and frame by frame; nothing is sent before the last one."""
    from .. import capture
    from ..control_picture import as_sent, like
    from ..core.entry import Entry
    from ..output import path_in

    folder, seen = arguments.output.absolute(), None
    for model, request in list(_requests(arguments, scene, grid)):  # all are checked before the first is rendered
        camera = capture.camera_of(scene, request.camera)
        if (place := (request.camera, request.frame, request.framing)) != seen:
            say(f"Rendering the depth: camera “{request.camera}”, frame {request.frame:g}")
            seen, frame = place, request.frame
            control, noted, _verdict = as_sent(
                looked_at(arguments, scene, camera, request.framing, frame),
                replace(staleness.marked(request, scene), camera_matrix=capture.camera_matrix(scene, camera, frame)),
            )
        standing = like(noted, request)
        _request, start = _started(arguments, standing, model, grid)
        yield Entry(standing, control, model.price_of(standing.framing), path_in(folder, standing), start)


def _requests(arguments: argparse.Namespace, scene: bpy.types.Scene, grid: Grid) -> Iterator[tuple[Model, Request]]:
    """Each checked; those of one render one after the other."""
    from ..core.request import check

    sound = {model.id: _sound(arguments, scene, grid, model) for model in grid.models}
    for cell in grid.cells():
        request, _start = _started(arguments, _request(sound[cell.model.id], cell, grid), cell.model, grid)
        check(request, cell.model)
        yield cell.model, request


def _sound(arguments: argparse.Namespace, scene: bpy.types.Scene, grid: Grid, model: Model) -> Request:
    """What that model is asked, but for what the cells say: beside others, as much of what was said as it takes."""
    from ..core.carried import carried

    asked = _asked(arguments, scene, grid, model)
    return carried(asked, grid.models[0], model) if len(grid.models) > 1 else asked


def _asked(arguments: argparse.Namespace, scene: bpy.types.Scene, grid: Grid, model: Model) -> Request:
    from .. import capture

    one = argparse.Namespace(**vars(arguments) | {"prompt": grid.prompts[0]})
    return request_of(one, scene, capture.camera_of(scene, grid.stands[0].camera), model)


def _started(arguments: argparse.Namespace, request: Request, model: Model, grid: Grid) -> tuple[Request, bytes]:
    """With its start picture, unless it is one of several models that has no place for one."""
    leaves_it_out = len(grid.models) > 1 and model.start == "none"
    return (request, b"") if leaves_it_out else started(arguments, request)


def _request(sound: Request, cell: Cell, grid: Grid) -> Request:
    framing = grid.sizes[cell.stand.camera, cell.model.id]
    asked = replace(sound, prompt=cell.prompt, seed=cell.seed, framing=framing)
    return replace(asked, camera=cell.stand.camera, frame=float(cell.frame), camera_matrix=())


def _wait(arguments: argparse.Namespace, grid: Grid, journal: Journal, table: Table, ids: list[str]) -> None:
    """Have a worker paint them, many at once, until each has come to its end. Ctrl-C sends nothing more."""
    from ..core.batch import cancel_batch, what_it_cost

    said, starts, waiting = "", 0, list["Job"]()
    try:
        while waiting := [job for job in journal.unfinished() if job.id in ids]:
            if not worker_process.running():
                _start(arguments, grid, table, starts)
                starts += 1
            said = _told(waiting, len(ids), said)
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        batches = {job.batch for job in waiting if job.batch}
        rest = [job for batch in batches for job in cancel_batch(journal, batch, only_unsent=True)]
        say(f"Not sent: {what_it_cost(rest)}.")
        raise
    finally:
        worker_process.let_go()


def _start(arguments: argparse.Namespace, grid: Grid, table: Table, starts: int) -> None:
    folder = folder_of(arguments)
    if starts > MOST_RESTARTS:
        died_of = worker_process.last_words(folder)
        raise FluxDepthError(f"The worker stops ({died_of}). `resume` fetches what was paid for.", cost="unknown")
    providers = sorted({model.provider.name for model in grid.models})
    bases = [arguments.url, *(model.provider.base for model in grid.models)]
    worker_process.start(
        folder,
        table,
        [folder / "models.toml"],
        preferences.keys(table),
        providers,
        rows=own_rows_of(arguments).rows,
        allowed=allowed_of(arguments, bases),
    )


def _told(waiting: list[Job], count: int, said: str) -> str:
    unsent = sum(job.submit_started is None for job in waiting)
    words = f"{count - len(waiting)} of {count} done, {len(waiting) - unsent} on their way, {unsent} in line"
    if words != said:
        say(words)
    return words


def _copied(arguments: argparse.Namespace, job: Job) -> Job:
    """A picture that was there already, once more where these are wanted; it costs nothing."""
    from ..output import path_in

    if not job.result:
        return job
    named = path_in(arguments.output.absolute(), job.request)
    path = named.with_name(named.name.replace("{id}", job.id))
    if path != Path(job.result):
        try:
            write(path, Path(job.result).read_bytes())
        except OSError as error:
            raise InputError(f"{job.result} cannot be read ({error.strerror}). Nothing was sent.") from None
    return replace(job, result=str(path), price_usd=0.0, billed_usd=None, charged="no")
