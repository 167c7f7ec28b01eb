"""`shot`: frames of one camera, painted with one depth range and one seed; what is there already costs nothing."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import preferences, worker_process
from ..core.errors import InputError, UnknownSubmissionError
from .outcome import NO_OUTCOME, check_writable, ended, report, say
from .scene import open_scene, request_of, started
from .work import client_for, journal_of, model_of, table_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    import bpy

    from ..core import models
    from ..core.client import Client
    from ..core.entry import Entry
    from ..core.frames import Plan
    from ..core.job import Job
    from ..core.journal import Journal
    from ..core.request import Request


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from ..core.request import check
    from ..core.shot import path_of

    folder: Path = arguments.output.absolute()
    held, table = _held(arguments, folder), table_of(arguments)
    model = model_of(arguments, table) if held is None else table[held.model]
    client = None if arguments.lock_only else client_for(arguments, table, model)
    scene, camera = open_scene(arguments)
    frames = _frames(arguments, scene)
    check_writable(path_of(folder, frames[0]), {".png"})
    shared, start = _begun(folder, held) if held else started(arguments, request_of(arguments, scene, camera, model))
    check(shared, model)
    shared = _locked(arguments, folder, shared, start, scene, camera, frames)
    outcome = {"folder": str(folder), "near": shared.depth.near, "far": shared.depth.far, "seed": shared.seed}
    if client is None:
        return NO_OUTCOME | outcome | {"step": "DONE", "frames": []}, 0
    wanted = _wanted(arguments, frames)
    with ExitStack() as stack:
        stack.enter_context(_ended_gently())
        journal = stack.enter_context(journal_of(arguments))
        base = arguments.url or model.provider.base or stack.enter_context(worker_process.sandbox(table))
        told, code = _Work(arguments, folder, shared, start, model, base, journal, client).done(scene, camera, wanted)
    return NO_OUTCOME | outcome | told, code


@contextmanager
def _ended_gently() -> Iterator[None]:
    """A farm that takes a task back asks first, as Ctrl-C does: what is being sent is noted before the end."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _held(arguments: argparse.Namespace, folder: Path) -> Request | None:
    """Without a prompt, the shot is gone on with as its folder says. Raises InputError."""
    from ..core.shot import FILE, read

    if arguments.prompt:
        return None
    held = read(folder)
    if held is None:
        raise InputError(f"There is no {FILE} in {folder}: add --prompt to begin the shot. Nothing was sent.")
    arguments.scene, arguments.camera = arguments.scene or held.scene, arguments.camera or held.camera
    arguments.engine = held.engine
    return held


def _begun(folder: Path, held: Request) -> tuple[Request, bytes]:
    """What the shot's folder holds besides, which any computer goes on with; what is passed through is told."""
    from ..core.start import kept

    for name, value in held.extra:
        say(f"The shot sends the extra field {name!a}: {value!a}")
    return held, kept(folder, held.start)


def _frames(arguments: argparse.Namespace, scene: bpy.types.Scene) -> list[int]:
    from ..core.shot import begun_with, frames_between, frames_from

    if arguments.frames:
        return frames_from(arguments.frames)
    if not arguments.prompt and (frames := begun_with(arguments.output.absolute())):
        return frames
    return list(frames_between(scene.frame_start, scene.frame_end, scene.frame_step))


def _wanted(arguments: argparse.Namespace, frames: list[int]) -> list[int]:
    """The frames that are to be there at the end. Raises InputError."""
    if arguments.frame is not None:
        frames = [frame for frame in frames if frame == arguments.frame]
    if arguments.resume_at is not None:
        frames = [frame for frame in frames if frame >= arguments.resume_at]
    if not frames:
        raise InputError("None of the shot's frames is asked for: see --frames. Nothing was sent.")
    return frames


def _locked(
    arguments: argparse.Namespace,
    folder: Path,
    shared: Request,
    start: bytes,
    scene: bpy.types.Scene,
    camera: bpy.types.Object,
    frames: list[int],
) -> Request:
    """The request with the shot's range and seed: as its folder has them, or found now and kept there."""
    from ..core.shot import FILE, going_on, lock, random_seed, settled
    from ..core.start import keep
    from ..shot_range import found

    anew = arguments.anew and arguments.prompt and arguments.frame is None and arguments.resume_at is None
    held = settled(folder, shared, anew=anew)
    if held is None:
        depth = shared.depth if shared.depth.near and shared.depth.far else found(shared, scene, camera, frames)
        whole = replace(shared, depth=depth, seed=shared.seed or random_seed())
        keep(folder, start)
        held = lock(folder, whole, frames, anew=anew)
        say(f"Locked in {folder / FILE}: {held.depth.near:g} m to {held.depth.far:g} m, seed {held.seed}")
    return going_on(shared, held, folder.name)


class _Work:
    """One run: what each frame came to."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        folder: Path,
        shared: Request,
        start: bytes,
        model: models.Model,
        base: str,
        journal: Journal,
        client: Client,
    ) -> None:
        self.arguments, self.folder, self.shared, self.model = arguments, folder, shared, model
        self.start, self.base, self.journal, self.client = start, base, journal, client
        self.told: dict[int, dict[str, Any]] = {}
        self.code = 0

    def done(self, scene: bpy.types.Scene, camera: bpy.types.Object, frames: list[int]) -> tuple[dict[str, Any], int]:
        """The outcome and the exit code."""
        plan = self._plan(frames)
        entries = dict(self._entries(scene, camera, plan.missing))
        jobs = dict(plan.on_its_way)
        added = self.journal.add_many(
            entries.values(), base=self.base, timeout=self.arguments.timeout, cap_usd=preferences.cap()
        )
        jobs |= dict(zip(entries, added, strict=True))
        self._finish(jobs)
        costs = sum(told["cost_usd"] for told in self.told.values() if told["charged"] == "yes")
        ended = "DONE" if self.code == 0 else "FAILED"
        told = [self.told[frame] for frame in sorted(self.told)]
        return {
            "step": ended,
            "frames": told,
            "cost_usd": round(costs, 6),
            "charged": "yes" if costs else "no",
        }, self.code

    def _plan(self, frames: list[int]) -> Plan:
        from ..core.frames import planned
        from ..core.shot import path_of

        anew, timeout = self.arguments.anew, self.arguments.timeout
        plan = planned(
            self.journal, self.folder, frames, self.shared, self.model, self.base, timeout=timeout, anew=anew
        )
        for frame in plan.there:
            say(f"Frame {frame}: already there")
            self.told[frame] = NO_OUTCOME | {"frame": frame, "step": "DONE", "result": str(path_of(self.folder, frame))}
        for frame in plan.unknown:
            self._tell_unknown(frame)
        return plan

    def _tell_unknown(self, frame: int) -> None:
        error = UnknownSubmissionError(
            f"Frame {frame} was being sent when its computer stopped, and nobody knows whether it was taken",
            cost="unsure",
            remedy=f"Add --anew --frame {frame} to send it once more, which may cost a second time",
        )
        say(f"Frame {frame}: {error}")
        described = {"kind": error.kind, "message": str(error)}
        self.told[frame] = NO_OUTCOME | {"frame": frame, "step": "FAILED", "charged": "unknown", "error": described}
        self.code = max(self.code, error.exit_code)

    def _entries(
        self, scene: bpy.types.Scene, camera: bpy.types.Object, frames: list[int]
    ) -> Iterator[tuple[int, Entry]]:
        """What is to be sent: rendered now. The very same picture, from the journal, needs no sending."""
        from ..core.entry import Entry
        from ..core.frames import known
        from ..core.shot import path_of
        from ..shot_range import control_of, request_at

        began = time.monotonic()
        for number, frame in enumerate(frames, 1):
            request, path = request_at(self.shared, scene, camera, frame), path_of(self.folder, frame)
            control, request = control_of(request, scene, camera)
            say(f"Frame {frame}: depth rendered, {number} of {len(frames)}, {time.monotonic() - began:.0f} s")
            if not self.arguments.anew and known(self.journal, request, control, path):
                say(f"Frame {frame}: this very picture was painted already: it was copied, and nothing was sent")
                self.told[frame] = NO_OUTCOME | {"frame": frame, "step": "DONE", "result": str(path)}
            else:
                yield frame, Entry(request, control, self.model.price_of(request.framing), path, self.start)

    def _finish(self, jobs: dict[int, Job]) -> None:
        from ..core.worker import finish

        frame_of, said = {job.id: frame for frame, job in jobs.items()}, dict[str, str]()
        for job in finish(jobs.values(), self.client, self.journal):
            said[job.id] = report(job, said.get(job.id, ""))
            if job.is_final:
                self._tell(frame_of[job.id], job)

    def _tell(self, frame: int, job: Job) -> None:
        self.journal.mark_seen([job.id])
        told, code = ended(job)
        self.told[frame], self.code = told | {"frame": frame}, max(self.code, code)
