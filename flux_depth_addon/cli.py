"""The command line: `blender --command flux_depth VERB …`, or `python -m flux_depth_addon VERB …` with the wheel."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from . import preferences, worker_process
from .core import models
from .core.addresses import check_base
from .core.errors import DamagedJournalError, FluxDepthError, InputError, JournalError, OfflineError
from .core.framing import fit
from .drawing import one_line
from .outcome import NO_OUTCOME, check_writable, described, ended, report, say, write, write_json

if TYPE_CHECKING:
    import argparse

    from PIL import Image

    from .core.client import Client
    from .core.depth_map import DepthSettings, Verdict
    from .core.framing import Framing
    from .core.job import Job
    from .core.journal import Journal
    from .core.request import Request

INTERRUPTED = 130
SUFFIXES = {".png", ".jpg", ".jpeg"}


def main(argv: list[str]) -> int:
    """Do what the arguments say; returns the exit code that the README lists."""
    from .arguments import parser

    try:
        arguments = parser().parse_args(argv)
    except SystemExit as end:  # argparse has said what is wrong; Blender must not be left like this
        return int(end.code or 0)
    outcome, code = _outcome_of(arguments)
    if arguments.json:
        return write_json(arguments.json, outcome) or code
    return code


def _outcome_of(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    try:
        if arguments.json:
            check_writable(arguments.json, {arguments.json.suffix.lower()})
        return VERBS[arguments.verb](arguments)
    except FluxDepthError as error:
        say(f"Error: {error}")
        described = {"error": {"kind": error.kind, "message": str(error)}, "charged": error.charged}
        return NO_OUTCOME | {"step": "FAILED"} | described, error.exit_code
    except JournalError as error:
        say(f"Error: {error}")
        return NO_OUTCOME | {
            "error": {"kind": "journal", "message": str(error)},
            "charged": "unknown",
        }, FluxDepthError.exit_code
    except KeyboardInterrupt:
        message = "Interrupted. What was already sent is in the journal: `resume` fetches it."
        say(message)
        return NO_OUTCOME | {"error": {"kind": "interrupted", "message": message}, "charged": "unknown"}, INTERRUPTED


# The verbs.


def _depth(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from .core.depth_map import png

    check_writable(arguments.output, {".png"})
    model = _table(arguments)[models.DEFAULT]
    scene, camera = _open(arguments)
    picture, verdict = _map(arguments, scene, camera, _framing(arguments, scene, camera, model))
    write(arguments.output, png(picture))
    say(verdict.sentence)
    print(arguments.output)
    size = {"width": picture.width, "height": picture.height}
    return NO_OUTCOME | {"step": "DONE", "control": str(arguments.output)} | size, 0


def _restyle(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from .core.depth_map import png
    from .core.request import check, fingerprint

    check_writable(arguments.output, SUFFIXES)
    table = _table(arguments)
    model = _model(arguments, table)
    client = _client(arguments, table, model)
    scene, camera = _open(arguments)
    request = _request(arguments, scene, camera, model)
    check(request, model)
    picture, verdict = _map(arguments, scene, camera, request.framing)
    say(verdict.sentence)
    with ExitStack() as stack:
        journal = stack.enter_context(_journal(arguments))
        control = png(picture)
        if request.seed and not arguments.anew and (same := journal.same_as(fingerprint(request, control))):
            return _copied(arguments, _finish(journal, client, same))
        base = arguments.url or model.provider.base or stack.enter_context(worker_process.sandbox(table))
        job = journal.add(
            request,
            control,
            price_usd=model.price_usd,
            base=base,
            output=arguments.output.absolute(),
            timeout=arguments.timeout,
            cap_usd=preferences.cap(),
        )
        return ended(_finish(journal, client, job))


def _copied(arguments: argparse.Namespace, job: Job) -> tuple[dict[str, Any], int]:
    """The picture of a job that asked for the very same: this one costs nothing."""
    from .core.framing import Framing
    from .core.picture import store

    if not job.result:
        return ended(job)
    whole = Framing(job.width, job.height, 0, 0, job.width, job.height)
    try:
        store(Path(job.result).read_bytes(), whole, arguments.output)
    except OSError as error:
        raise InputError(f"{arguments.output} cannot be written ({error.strerror}). Nothing was sent.") from None
    say(f"Job {job.id} painted this very picture: it was copied, and nothing was sent. --anew pays for it again.")
    print(arguments.output)
    return described(job) | {"result": str(arguments.output), "charged": "no", "cost_usd": 0.0}, 0


def _jobs(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from .core.ledger import month_began

    with _journal(arguments) as journal:
        jobs, month = journal.jobs(), journal.ledger(month_began())
    for job in jobs:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.created))
        cost = f"${job.cost_usd:g} charged: {job.charged}"
        told = job.result or job.error_message or one_line(job.request.prompt)[:60]
        print(f"{job.id}  {when}  {job.step:9}  {cost}  {told}")
    say(f"This month: ${month.charged:.2f} charged, ${month.unknown:.2f} perhaps, ${month.waiting:.2f} not sent yet")
    return {"jobs": [described(job) for job in jobs]}, 0


def _resume(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from .core.client import Client

    table, worst, outcomes = _table(arguments), 0, []
    with ExitStack() as stack:
        journal = stack.enter_context(_journal(arguments))
        client = Client(
            table, preferences.keys(table), sandbox=cache(lambda: stack.enter_context(worker_process.sandbox(table)))
        )
        for job in journal.unfinished():
            outcome, code = _resumed(arguments, table, journal, client, job)
            outcomes.append(outcome)
            worst = max(worst, code)
    if not outcomes:
        say("Nothing was left to finish.")
    return {"jobs": outcomes}, worst


def _resumed(
    arguments: argparse.Namespace, table: models.Table, journal: Journal, client: Client, job: Job
) -> tuple[dict[str, Any], int]:
    """One job must not keep the others from being finished."""
    try:
        provider = table[job.request.model].provider
        _check_online(arguments, provider, job.sent_to or job.base)
        _check_key(client, provider)
    except FluxDepthError as error:
        say(f"{job.id}: {error}")
        return described(job) | {"error": {"kind": error.kind, "message": str(error)}}, error.exit_code
    return ended(_finish(journal, client, job))


def _sandbox(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    with worker_process.sandbox(models.load(), arguments.port) as base:
        print(base, flush=True)
        say("Serving until stopped with Ctrl-C.")
        while True:
            time.sleep(3600)


VERBS = {"depth": _depth, "restyle": _restyle, "jobs": _jobs, "resume": _resume, "sandbox": _sandbox}


# What they share.


def _open(arguments: argparse.Namespace) -> tuple[bpy.types.Scene, bpy.types.Object]:
    """The scene and the camera that the arguments name, at the frame they name. Raises InputError."""
    from . import capture
    from .properties import text

    path: Path = arguments.scene_file
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    try:
        # Scripts of a stranger's file do not run: nothing in it may decide anything here.
        bpy.ops.wm.open_mainfile(filepath=str(path.absolute()), load_ui=False, use_scripts=False)
    except RuntimeError:
        raise InputError(f"{path} is not a blend file that this Blender can open.") from None
    scene = bpy.data.scenes.get(arguments.scene) if arguments.scene else bpy.context.scene
    if scene is None:
        raise InputError(f"{path.name} has no scene “{arguments.scene}”: it has {', '.join(bpy.data.scenes.keys())}.")
    if arguments.frame is not None:
        subframe, frame = math.modf(arguments.frame)
        scene.frame_set(int(frame), subframe=subframe)
    camera = capture.camera_of(scene, arguments.camera)
    if not (text(scene) and text(camera)):
        raise InputError(
            f"{path.name} holds a name that is not text: rename its scene and its camera. Nothing was sent."
        )
    return scene, camera


def _framing(
    arguments: argparse.Namespace, scene: bpy.types.Scene, camera: bpy.types.Object, model: models.Model
) -> Framing:
    from . import capture

    overscan = not capture.is_panoramic(camera)
    return fit(capture.frame_aspect(scene), model.limits, megapixels=arguments.megapixels, overscan=overscan)


def _depth_settings(arguments: argparse.Namespace) -> DepthSettings:
    from .core.depth_map import DepthSettings

    return DepthSettings(near=arguments.near, far=arguments.far, curve=arguments.curve)


def _map(
    arguments: argparse.Namespace, scene: bpy.types.Scene, camera: bpy.types.Object, framing: Framing
) -> tuple[Image.Image, Verdict]:
    from . import capture
    from .core.depth_map import control_image

    z = capture.capture(scene=scene, camera=camera, framing=framing, engine=arguments.engine.upper())
    return control_image(z, _depth_settings(arguments))


def _request(
    arguments: argparse.Namespace, scene: bpy.types.Scene, camera: bpy.types.Object, model: models.Model
) -> Request:
    from .core.request import Request

    return Request(
        prompt=arguments.prompt,
        model=model.id,
        framing=_framing(arguments, scene, camera, model),
        depth=_depth_settings(arguments),
        engine=arguments.engine.upper(),
        seed=arguments.seed,
        steps=arguments.steps,
        guidance=arguments.guidance,
        safety_tolerance=arguments.safety_tolerance,
        prompt_upsampling=arguments.prompt_upsampling or None,
        output_format=arguments.output_format,
        finetune_id=arguments.finetune_id,
        finetune_strength=arguments.finetune_strength,
        blend=arguments.scene_file.name,
        scene=scene.name,
        camera=camera.name,
        frame=scene.frame_current_final,
    )


def _table(arguments: argparse.Namespace) -> models.Table:
    return models.load(_folder(arguments) / "models.toml")


def _model(arguments: argparse.Namespace, table: models.Table) -> models.Model:
    table.provider(arguments.provider)
    wanted = arguments.model or next((model.id for model in table.of(arguments.provider)), "")
    model = table[wanted if wanted in table.models else f"{arguments.provider}:{wanted}"]
    if model.warning:
        say(f"Warning: {model.warning}")
    return model


def _client(arguments: argparse.Namespace, table: models.Table, model: models.Model) -> Client:
    """A client that may ask this model: every reason against it is found before anything is rendered."""
    from .core.client import Client

    if arguments.url:
        arguments.url = check_base(arguments.url)
    _check_online(arguments, model.provider, arguments.url)
    client = Client(table, preferences.keys(table))
    _check_key(client, model.provider)
    return client


def _check_key(client: Client, provider: models.Provider) -> None:
    from .core.client import usable_key

    if provider.key_header:
        usable_key(client.keys.get(provider.name, ""), provider)


def _check_online(arguments: argparse.Namespace, provider: models.Provider, base: str) -> None:
    if arguments.online_mode:
        bpy.context.preferences.system.use_online_access = True  # for this process: it is not saved
    if reason := preferences.offline_reason(provider, base):
        raise OfflineError(f"{reason}, or add --online-mode. Nothing was sent.")


def _folder(arguments: argparse.Namespace) -> Path:
    return Path(arguments.data_dir) if arguments.data_dir else preferences.data_folder()


def _journal(arguments: argparse.Namespace) -> Journal:
    from .core.journal import Journal

    return Journal(_folder(arguments))


def _finish(journal: Journal, client: Client, job: Job) -> Job:
    """Advance a job, in this process, until nothing more will happen; says how it goes."""
    said = ""
    while not job.is_final:
        job = _gone_on(journal, client, job)
        said = report(job, said)
        if not job.is_final:
            time.sleep(min(max(job.due - time.time(), 0.05), 0.5))
    journal.mark_seen([job.id])  # its end is on this terminal: no news for the window
    return job


def _gone_on(journal: Journal, client: Client, job: Job) -> Job:
    """The job one step on. What was sent is not given up over a full disk or a locked journal while there is time."""
    from .core.worker import step

    try:
        if claimed := journal.claim(job_id=job.id):  # else a worker of an open Blender has it: wait for what it does
            with _interrupted_later():
                step(claimed, client, journal)
        return journal.get(job.id)
    except JournalError as error:
        lasting = isinstance(error, DamagedJournalError) or time.time() > job.deadline
        if lasting or job.submit_started is None:
            raise
        return job


@contextmanager
def _interrupted_later() -> Iterator[None]:
    """Ctrl-C waits for the end of what is done within: an answer that is on its way has the id of what was paid for."""
    pressed = False

    def note(*_signal: object) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, before)
        say("Stopping after this step, so that nothing paid is lost; press Ctrl-C again to stop at once.")

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt
