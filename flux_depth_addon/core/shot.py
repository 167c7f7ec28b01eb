"""A shot: frames of one camera, painted with one request, one depth range and one seed.

On the disk it is a folder. `shot.json` is the request that all its frames share, so that any computer goes on with the
very same; `shot_0001.png` and so on, named after the folder, are the frames, and a frame that is not there is missing.
Each frame is painted on its own: nothing here makes one follow from the last.
"""

from __future__ import annotations

import glob
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from math import ceil, floor, isclose, log10
from pathlib import Path
from typing import TYPE_CHECKING

from . import claim
from .depth_map import CLOSEST, FARTHEST, DepthSettings, normalise
from .errors import Charged, EmptyDepthError, InputError
from .job import Job, Step
from .request import MAX_SEED, Request, from_json, to_json

if TYPE_CHECKING:
    from .depth_map import Depths

__all__ = [
    "FILE",
    "MAX_FRAMES",
    "begun_with",
    "fetched",
    "frames_between",
    "frames_from",
    "going_on",
    "is_unknown",
    "is_whole",
    "lock",
    "locked_range",
    "name_of",
    "path_of",
    "present",
    "random_seed",
    "read",
    "sampled",
    "settled",
    "spans",
]

FILE = "shot.json"
MAX_BYTES = 256 * 1024
"""Of that file: the longest prompt takes 120 kB there."""

MAX_FRAMES = 2000
"""The most frames of one shot, and of one click: 83 seconds at 24 frames a second."""

MAX_FRAME = 1048574
"""Blender's own last frame."""

SAMPLES = 9
"""How many frames the range is found on, the first and the last among them."""

DIGITS = 3
"""To so many digits, outwards, is a range rounded: for people to read."""

PART = re.compile(r"(\d{1,7})(?:(?:-|\.\.)(\d{1,7})(?::(\d{1,7}))?)?")
ENDINGS = {b"\x89PNG\r\n\x1a\n": b"\x00\x00\x00\x00IEND\xaeB`\x82", b"\xff\xd8\xff": b"\xff\xd9"}
"""By how a picture's file begins, how it ends."""

OWN = {"blend", "scene", "view_layer", "camera_matrix", "scene_mark", "frame", "map_near", "map_far", "provenance"}
"""What of a request may differ from frame to frame, or from computer to computer."""

WORDS = {
    "framing": "size",
    "finetune_id": "fine-tune",
    "finetune_strength": "fine-tune strength",
    "loras": "list of LoRAs",
    "start": "start picture",
    "extra": "set of extra fields",
}


def frames_between(start: int, end: int, step: int = 1) -> range:
    """Every `step`-th frame from start to end, both included. Raises InputError."""
    if not 0 <= start <= MAX_FRAME or not 0 <= end <= MAX_FRAME:
        raise InputError(f"Frames of a shot are from 0 to {MAX_FRAME:,}. Nothing was sent.")
    if end < start or step < 1:
        raise InputError(f"There is no frame from {start} to {end}: set the end behind the start. Nothing was sent.")
    frames = range(start, end + 1, step)
    if len(frames) > MAX_FRAMES:
        raise InputError(
            f"A shot of {len(frames):,} frames is too long: {MAX_FRAMES:,} are the most, so split it. Nothing was sent."
        )
    return frames


def frames_from(text: str) -> list[int]:
    """The frames that a text such as 1-48, 1-48:2 or 3,7-9 means, in order. Raises InputError."""
    found: set[int] = set()
    for part in text.split(",")[: MAX_FRAMES + 1]:
        match = PART.fullmatch(part.strip())
        if match is None:
            raise InputError(
                f"“{text[:40]}” is no frame range: write 1-48, or 1-48:2 for every second. Nothing was sent."
            )
        start, end, step = (int(number) if number else None for number in match.groups())
        found.update(frames_between(start or 0, start or 0 if end is None else end, 1 if step is None else step))
        if len(found) > MAX_FRAMES:
            raise InputError(f"A shot has at most {MAX_FRAMES:,} frames, so split it. Nothing was sent.")
    return sorted(found)


def spans(frames: Iterable[int], *, step: int = 1, most: int = 8) -> str:
    """Frames for people, as they would type them: 7, 12-14, or 1-22:3; an ellipsis after so many spans."""
    runs: list[list[int]] = []
    for frame in sorted(frames):
        if runs and frame - runs[-1][-1] == step:
            runs[-1].append(frame)
        else:
            runs.append([frame])
    told = [_span(run, step) for run in runs[:most]]
    return ", ".join(told + ["…"] * (len(runs) > most))


def _span(run: list[int], step: int) -> str:
    if len(run) < 3:
        return ", ".join(map(str, run))
    return f"{run[0]}-{run[-1]}" + (f":{step}" if step > 1 else "")


def name_of(folder: Path, frame: int) -> str:
    """The name of a frame's file in the folder of its shot."""
    return f"{folder.name}_{frame:04d}.png"


def path_of(folder: Path, frame: int) -> Path:
    """Where a frame of the shot in that folder is."""
    return folder / name_of(folder, frame)


def is_whole(path: Path) -> bool:
    """Whether a picture is there, from its first byte to its last; it is not decoded."""
    try:
        with path.open("rb") as file:
            begin = file.read(8)
            file.seek(-12, os.SEEK_END)
            end = file.read()
    except OSError:
        return False
    return any(begin.startswith(head) and end.endswith(tail) for head, tail in ENDINGS.items())


def present(folder: Path, frames: Iterable[int]) -> set[int]:
    """Which of these frames of the shot in that folder are there."""
    return {frame for frame in frames if is_whole(path_of(folder, frame))}


def sampled(frames: Sequence[int]) -> list[int]:
    """The frames that a range is found on: spread evenly, the first and the last among them."""
    last = len(frames) - 1
    if last < SAMPLES:
        return list(frames)
    return [frames[round(number * last / (SAMPLES - 1))] for number in range(SAMPLES)]


def locked_range(views: Iterable[Depths], settings: DepthSettings) -> DepthSettings:
    """Near and far that fit all of these views, in metres, where they are not set; the curve as it is.

    Each view's own range lies within, so none is clipped more than it would be alone. A view that has no depth has no
    say. Raises EmptyDepthError when none has, and InputError as `normalise` does.
    """
    near, far = [], []
    for z in views:
        with suppress(EmptyDepthError):
            _values, verdict = normalise(z, settings)
            near.append(verdict.near)
            far.append(verdict.far)
    if not near:
        raise EmptyDepthError(
            "The camera sees no depth in any frame of the shot: look through it, and check its clip range."
        )
    return replace(
        settings, near=settings.near or _rounded(min(near), floor), far=settings.far or _rounded(max(far), ceil)
    )


def _rounded(distance: float, towards: Callable[[float], int]) -> float:
    unit = 10.0 ** (floor(log10(distance)) - DIGITS + 1)
    return float(f"{towards(distance / unit) * unit:.{DIGITS}g}")


def random_seed() -> int:
    """For a shot that is given none."""
    return 1 + secrets.randbelow(MAX_SEED)


def read(folder: Path) -> Request | None:
    """What the frames of the shot in that folder share; None for a shot that was not begun.

    Raises InputError for a file that says something else: anyone may have written it.
    """
    held = _held(folder)
    return held and held[0]


def begun_with(folder: Path) -> list[int]:
    """The frames that the shot in that folder was begun with; none for one that was not begun. Raises InputError."""
    held = _held(folder)
    return held[1] if held else []


def _held(folder: Path) -> tuple[Request, list[int]] | None:
    try:
        with (folder / FILE).open("rb") as file:
            content = file.read(MAX_BYTES)
    except OSError:
        return None
    try:
        row = json.loads(content)
        frames = frames_from(row.pop("frames"))
        request = from_json(json.dumps(row))
    except (InputError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
        raise _unreadable(folder) from None
    if not _is_locked(request):
        raise _unreadable(folder)
    return request, frames


def _is_locked(request: Request) -> bool:
    near, far, seed = request.depth.near, request.depth.far, request.seed
    return (
        bool(near and far and seed) and CLOSEST <= (near or 0) < (far or 0) <= FARTHEST and 1 <= (seed or 0) <= MAX_SEED
    )


def _unreadable(folder: Path) -> InputError:
    return InputError(
        f"{folder / FILE} does not say how this shot is painted: give the shot another name, or delete that file. "
        "Nothing was sent."
    )


def lock(folder: Path, request: Request, frames: Sequence[int], *, anew: bool = False) -> Request:
    """Note the frames and what they share, unless another computer was quicker; what holds. Raises InputError."""
    if not _is_locked(request):
        raise InputError("Near is not below Far: make it smaller. Nothing was sent.")
    shared = replace(request, view_layer="", camera_matrix=(), frame=0.0)
    row = json.loads(to_json(shared)) | {"frames": spans(frames, most=MAX_FRAMES)}
    path, text = folder / FILE, json.dumps(row) + "\n"
    staged = folder / f".{FILE}.{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staged.write_text(text, encoding="utf-8")
        if anew:
            staged.replace(path)
        else:
            _put(staged, path)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}). Nothing was sent.") from None
    finally:
        staged.unlink(missing_ok=True)
    return read(folder) or shared


def _put(staged: Path, path: Path) -> None:
    """Under that name, if nothing is; where a disk has no links, the last one wins."""
    try:
        path.hardlink_to(staged)
    except FileExistsError:
        return
    except OSError:
        if not path.exists():
            staged.replace(path)


def going_on(asked: Request, held: Request, name: str) -> Request:
    """What is asked for with the shot's own range and seed.

    Raises InputError where anything else is asked for than what the shot was begun with.
    """
    depth = replace(asked.depth, near=asked.depth.near or held.depth.near, far=asked.depth.far or held.depth.far)
    asked = replace(asked, depth=depth, seed=asked.seed or held.seed)
    if other := sorted(_differences(held, asked)):
        raise InputError(
            f"The shot “{name[:60]}” was begun with another {' and another '.join(other)}: set it back, or give the "
            "shot another name. Nothing was sent."
        )
    return replace(asked, depth=held.depth)


def settled(folder: Path, asked: Request, *, anew: bool = False) -> Request | None:
    """What is asked for with the range and seed that the shot was begun with; None for one that is to begin.

    With `anew`, or where no frame was painted yet, a shot may begin otherwise. Raises InputError as `going_on` does.
    """
    held = None if anew else read(folder)
    if held is None:
        return None
    try:
        return going_on(asked, held, folder.name)
    except InputError:
        if any(folder.glob(f"{glob.escape(folder.name)}_*.png")) or claim.found(folder):
            raise
        (folder / FILE).unlink(missing_ok=True)
        return None


def _differences(held: Request, asked: Request) -> Iterator[str]:
    before, now = asdict(held), asdict(asked)
    for name in before.keys() - OWN - {"depth"}:
        if before[name] != now[name]:
            yield WORDS.get(name, name.replace("_", " "))
    if not _is_same_depth(held.depth, asked.depth):
        yield "depth range"
    if not _is_same_shape(held.depth, asked.depth):
        yield "shape of its depth maps"


def _is_same_depth(one: DepthSettings, other: DepthSettings) -> bool:
    """Blender keeps 1.23 as 1.2300000190734863."""
    ends = ((one.near, other.near), (one.far, other.far))
    return one.curve == other.curve and all(isclose(a or 0, b or 0, rel_tol=1e-6) for a, b in ends)


def _is_same_shape(one: DepthSettings, other: DepthSettings) -> bool:
    pairs = ((one.detail, other.detail), (one.blur, other.blur), (one.gamma, other.gamma))
    return all(isclose(a, b, rel_tol=1e-6, abs_tol=1e-9) for a, b in pairs)


def is_unknown(claimed: Job) -> bool:
    """Whether nobody can say what became of the job that claims a frame: then it is not sent again by itself."""
    return not claimed.is_waiting_there


def fetched(claimed: Job, fresh: Job) -> Job:
    """The job that fetches what another computer has sent. `fresh`: this computer's own for that frame, not sent.

    Of the claim, which anyone may have written, no more is believed than which task it was; `fresh` says whom to ask.
    """
    names = ("id", "remote_id", "polling_url", "submit_started")
    task = {name: getattr(claimed, name) for name in names}
    charged: Charged = "yes" if fresh.price_usd else "no"
    folder = fresh.folder.with_name(claimed.id)
    return replace(fresh, **task, step=Step.POLL, sent_to=fresh.base, charged=charged, folder=folder)
