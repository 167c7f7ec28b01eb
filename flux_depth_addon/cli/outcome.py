"""What a verb of the command line came to: said on the terminal, and written as JSON."""

from __future__ import annotations

import json
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import FluxDepthError, InputError

if TYPE_CHECKING:
    from ..core.job import Job

NO_OUTCOME: dict[str, Any] = {
    "id": None,
    "step": None,
    "result": None,
    "control": None,
    "remote_id": None,
    "seed": None,
    "width": None,
    "height": None,
    "cost_usd": 0.0,
    "charged": "no",
    "error": None,
}


def report(job: Job, said: str) -> str:
    """Say how far a job is, unless that was said last; what is said now."""
    progress = f" {job.progress:.0%}" if job.progress is not None else ""
    words = f"{job.id}: {job.step}{progress}{' in the queue' * (job.step == 'POLL' and job.is_queued)}"
    if words != said:
        say(words)
    return words


def ended(job: Job) -> tuple[dict[str, Any], int]:
    """Say what a finished job came to: its outcome and the exit code."""
    if job.result:
        print(job.result)
        return described(job), 0
    say(f"Error: {job.error_message}")
    codes = {kind.kind: kind.exit_code for kind in FluxDepthError.__subclasses__() if kind.kind != "error"}
    return described(job), codes.get(job.error_kind, FluxDepthError.exit_code)


def described(job: Job) -> dict[str, Any]:
    """A job as an outcome."""
    names = ("id", "step", "remote_id", "seed", "width", "height", "cost_usd", "charged")
    error = {"kind": job.error_kind, "message": job.error_message} if job.error_kind else None
    told = {name: getattr(job, name) for name in names}
    return NO_OUTCOME | told | {"result": job.result or None, "control": str(job.control), "error": error}


def check_writable(path: Path, suffixes: set[str]) -> None:
    """Raise InputError now rather than lose a picture later."""
    if path.suffix.lower() not in suffixes:
        raise InputError(f"{path} must end in {' or '.join(sorted(suffixes))}.")
    try:
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        if stat.S_ISDIR(path.stat().st_mode if path.exists() else 0):
            raise InputError(f"{path} is a folder: name a file in it.")
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}). Nothing was sent.") from None


def write(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all; raises InputError."""
    from ..core.picture import write_whole

    try:
        write_whole(path, data)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}).") from None


def say(sentence: str) -> None:
    """To whoever is at the terminal, not into what a script reads."""
    print(sentence, file=sys.stderr, flush=True)


def write_json(path: Path, outcome: dict[str, Any]) -> int:
    """Write the outcome; 0, or the exit code when it could not be."""
    try:
        write(path, json.dumps(outcome, indent=2).encode() + b"\n")
    except InputError as error:
        say(f"Error: {error}")
        return error.exit_code
    return 0
