"""A claim: the receipt of a shot's frame that was sent, beside the frames, where every computer of a farm sees it.

`shot/sent/shot_0007/receipt.json` appears, whole and only once, before frame 7 is sent. From then on no other computer
sends that frame: whoever is given it next fetches the picture by the task's id, or says that nobody knows whether it
was sent. Once the picture is there, or the provider has said that it costs nothing, the claim is gone.
"""

from __future__ import annotations

import re
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from . import receipt
from .errors import InputError
from .job import Job, Step

__all__ = ["forget", "found", "note", "place_of", "read", "release"]

FOLDER = "sent"
FRAME = re.compile(r"(.+)_\d{4,7}")
ID = re.compile(r"[0-9a-f]{12}")


def place_of(output: Path) -> Path | None:
    """The folder of the claim on that picture; None for what is no frame of a shot, by its name."""
    named = FRAME.fullmatch(output.stem)
    is_frame = named is not None and named[1] == output.parent.name
    return output.parent / FOLDER / output.stem if is_frame else None


def note(job: Job) -> None:
    """Keep the claim on the job's frame up to date, and take it before the job is sent.

    Raises InputError where another job may have been sent for that frame: then this one must not be.
    """
    place = place_of(job.output)
    if place is None:
        return
    if job.is_final and (job.step is Step.DONE or job.charged == "no"):
        release(job)
    elif job.remote_id or job.is_final:
        if _is_of(place, job):
            with suppress(OSError):  # the job's own receipt has it too
                receipt.write(_as_claim(job, place))
    else:
        _take(job, place)


def release(job: Job) -> None:
    """Take the job's own claim away."""
    place = place_of(job.output)
    if place and _is_of(place, job):
        forget(job.output)


def forget(output: Path) -> None:
    """Take the claim on that picture away, whoever made it: it may be sent once more."""
    if place := place_of(output):
        shutil.rmtree(place, ignore_errors=True)
        with suppress(OSError):
            place.parent.rmdir()  # with the last one


def found(folder: Path) -> set[str]:
    """The names of the frames in a shot's folder that have a claim, without their suffix."""
    try:
        return {path.name for path in (folder / FOLDER).iterdir() if path.is_dir() and FRAME.fullmatch(path.name)}
    except OSError:
        return set()


def read(output: Path) -> Job | None:
    """The job that claims that picture, as its computer left it; None where nobody does. Anyone may have written it."""
    place = place_of(output)
    job = receipt.read(place) if place else None
    return job if job and ID.fullmatch(job.id) else None


def _take(job: Job, place: Path) -> None:
    staged = place.with_name(f"{place.name}.{job.id}")
    try:
        receipt.write(_as_claim(job, staged))
        if not _moved(staged, place):
            _check_free(place, job)
            shutil.rmtree(place, ignore_errors=True)
            if not _moved(staged, place):
                raise _is_taken(job)
    except OSError as error:
        raise InputError(f"{place} cannot be written ({error.strerror}). Nothing was sent.") from None
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _moved(staged: Path, place: Path) -> bool:
    """Whether the whole claim is in its place now; of two computers, one moves first."""
    try:
        staged.rename(place)
    except OSError:
        if not place.exists():
            raise
        return False
    return True


def _check_free(place: Path, job: Job) -> None:
    there = receipt.read(place)
    if there is None or not (there.is_final or there.id == job.id):
        raise _is_taken(job, there)


def _is_taken(job: Job, there: Job | None = None) -> InputError:
    when = time.strftime(" at %H:%M", time.localtime(there.submit_started)) if there and there.submit_started else ""
    return InputError(
        f"{job.output.name} was sent by another computer{when}: it is fetched from there. Nothing was sent."
    )


def _is_of(place: Path, job: Job) -> bool:
    there = receipt.read(place)
    return there is not None and there.id == job.id


def _as_claim(job: Job, place: Path) -> Job:
    """Without the path of the file that asked: others read this."""
    return replace(job, folder=place, origin="")
