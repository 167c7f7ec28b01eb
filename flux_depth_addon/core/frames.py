"""What is to be done about each frame of a shot, so that none is paid for twice: by this computer or by another."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from . import claim
from .addresses import check_base, origin_of
from .entry import new_job
from .errors import InputError
from .framing import Framing
from .job import Job, Step
from .journal import Journal
from .models import Model
from .picture import store
from .request import Request, fingerprint
from .shot import fetched, is_whole, path_of

__all__ = ["Plan", "known", "planned"]


@dataclass
class Plan:
    """Frames of a shot by what is to be done about them."""

    there: list[int] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    """To be rendered and sent."""

    on_its_way: dict[int, Job] = field(default_factory=dict)
    """Asked for already, by this computer or by another one: each is fetched, for nothing."""

    unknown: list[int] = field(default_factory=list)
    """Nobody knows whether these were sent: they are not sent again by themselves."""


def planned(
    journal: Journal,
    folder: Path,
    frames: Iterable[int],
    shared: Request,
    model: Model,
    base: str,
    *,
    timeout: float,
    anew: bool = False,
) -> Plan:
    """What is to be done about these frames of the shot in that folder, which this computer would send to `base`.

    With `anew`, what is there, or is claimed, is sent once more; a picture stays until the new one takes its place.
    """
    plan, claims, base = Plan(), claim.found(folder), base and check_base(base, {origin_of(base)})
    waiting = {job.output: job for job in journal.unfinished()}
    for frame in frames:
        path = path_of(folder, frame)
        if path in waiting:
            plan.on_its_way[frame] = waiting[path]
        elif not anew and is_whole(path):
            plan.there.append(frame)
        elif anew or path.stem not in claims:
            claim.forget(path)
            plan.missing.append(frame)
        elif job := _taken_over(journal, path, shared, model, base, timeout):
            plan.on_its_way[frame] = job
        elif model.price_usd:
            plan.unknown.append(frame)
        else:  # the sandbox that had it is gone, and nothing is lost with it
            claim.forget(path)
            plan.missing.append(frame)
    return plan


def _taken_over(journal: Journal, path: Path, shared: Request, model: Model, base: str, timeout: float) -> Job | None:
    """The job that fetches what the claim on that picture says was sent; None where it cannot be had."""
    claimed = claim.read(path)
    if claimed is None or not claimed.is_waiting_there or claimed.sent_to != base:
        return None  # no key of ours goes to an address that only the claim names
    new = new_job(
        journal.folder,
        shared,
        price_usd=model.price_of(shared.framing),
        base=base,
        output=path,
        timeout=timeout,
        origin="",
    )
    journal.take_over(fetched(claimed, new))
    here = journal.get(claimed.id)
    if here.output != path or here.step is Step.DONE:
        return None
    with suppress(InputError):  # the provider has given it up
        return journal.retry(here.id, free=True) if here.is_final else here
    return None


def known(journal: Journal, request: Request, control: bytes, path: Path) -> bool:
    """Whether the very same picture was painted already; it is at that path then. Raises InputError."""
    same = journal.same_as(fingerprint(request, control))
    if same is None or not same.result:
        return False
    try:
        whole = Framing(same.width, same.height, 0, 0, same.width, same.height)
        store(Path(same.result).read_bytes(), whole, path)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}). Nothing was sent.") from None
    return True
