"""A scene's shot: which frames, the range and seed they share, and which of them its folder holds by now.

The folder is looked at from a timer, a few files at a time, as a panel may not ask the disk.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import bpy
from bpy.app.handlers import persistent
from bpy.props import BoolProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from . import output, preferences, prices, watch, windows
from .core.errors import InputError
from .core.models import dollars
from .properties import MAX_SEED, request_of
from .stored_text import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .core.models import Model
    from .core.request import Request

LOOK_SECONDS = 1.0
"""Between two looks at the folder while frames are on their way."""

STALE_SECONDS = 5.0
"""After that a panel that is drawn has the folder looked at anew."""

AT_ONCE = 50
"""How many files one look opens, to see whether they are whole."""

FARTHEST = 1048574


class FLUXDEPTH_PG_shot(bpy.types.PropertyGroup):
    """A scene's shot. Saved in the blend file"""

    title: StringProperty(name="Name", description="Of the shot, its folder and its frames", default="shot")
    own_frames: BoolProperty(name="Own Frames", description="Off: from the scene's first frame to its last")
    start: IntProperty(name="Start", description="First frame", default=1, min=0, max=FARTHEST)
    end: IntProperty(name="End", description="Last frame", default=48, min=0, max=FARTHEST)
    step: IntProperty(name="Step", description="2: every second frame", default=1, min=1, max=FARTHEST)
    near: FloatProperty(
        name="Near", description="White in every frame; 0: to be found", min=0.0, subtype="DISTANCE", precision=3
    )
    far: FloatProperty(
        name="Far", description="Black in every frame; 0: to be found", min=0.0, subtype="DISTANCE", precision=3
    )
    seed: IntProperty(name="Seed", description="Of every frame; 0: one is drawn and kept", min=0, max=MAX_SEED)
    use_resume: BoolProperty(name="Resume at Frame", description="Leave the frames before it alone")
    resume_at: IntProperty(name="Frame", description="The first frame to be painted", default=1, min=0, max=FARTHEST)
    anew: BoolProperty(
        name="Paint All Anew",
        description="Pay again for the frames that are there; each stays until the new one takes its place",
    )


class Wanted(NamedTuple):
    """Which frames are asked for, in which file: by memory alone."""

    blend: str
    title: str
    start: int
    end: int
    step: int

    @property
    def frames(self) -> Sequence[int]:
        """Raises InputError."""
        from .core.shot import frames_between

        return frames_between(self.start, self.end, self.step)


@dataclass
class Standing:
    """What the folder of a shot held at the last look."""

    folder: Path = field(default_factory=Path)
    frames: Sequence[int] = ()
    there: set[int] = field(default_factory=set)
    on_its_way: set[int] = field(default_factory=set)
    problem: str = ""
    looked_at: float = field(default_factory=time.monotonic, compare=False)

    @cached_property
    def missing(self) -> list[int]:
        """The frames that are not there and not on their way."""
        return [frame for frame in self.frames if frame not in self.there and frame not in self.on_its_way]

    @cached_property
    def told(self) -> str:
        """24 missing of 48: 7, 12-34; 3 on the way."""
        from .core.shot import spans

        total, step = len(self.frames), self.frames[1] - self.frames[0] if len(self.frames) > 1 else 1
        if self.missing:
            told = f"{len(self.missing)} missing of {total}: {spans(self.missing, step=step)}"
        else:
            told = f"{len(self.there)} of {total} there" if self.on_its_way else f"All {total} frames there"
        return f"{told}; {len(self.on_its_way)} on the way" if self.on_its_way else told


standings: dict[Wanted, Standing] = {}
"""By what is asked for, as of the last look; forgotten with the file."""

_whole: dict[Path, set[str]] = {}
"""By folder, the files that were seen to be whole."""

_looked_for: list[Wanted] = []


def settings_of(scene: bpy.types.Scene) -> FLUXDEPTH_PG_shot:
    """The scene's shot."""
    return cast("FLUXDEPTH_PG_shot", cast("Any", scene).flux_depth_shot)


def wanted_of(scene: bpy.types.Scene) -> Wanted:
    """What the scene's shot asks for."""
    shot = settings_of(scene)
    own = (shot.start, shot.end, shot.step)
    frames = own if shot.own_frames else (scene.frame_start, scene.frame_end, scene.frame_step)
    return Wanted(bpy.data.filepath, text(shot, "title").strip(), *frames)


def standing_of(scene: bpy.types.Scene) -> Standing | None:
    """What is known of the scene's shot; None until the folder was looked at, which is soon then."""
    wanted = wanted_of(scene)
    known = standings.get(wanted)
    if known is None or time.monotonic() > known.looked_at + STALE_SECONDS:  # others may paint it too
        look_soon(wanted)
    return known


def to_paint(scene: bpy.types.Scene, standing: Standing) -> list[int]:
    """The frames that a click would paint."""
    shot = settings_of(scene)
    first = shot.resume_at if shot.use_resume else 0
    frames = [frame for frame in standing.frames if frame not in standing.on_its_way] if shot.anew else standing.missing
    return [frame for frame in frames if frame >= first] if first else frames


def price_of(scene: bpy.types.Scene, model: Model, number: int) -> str:
    """The price of so many frames as a label: $2.304, or free; of each of them where the scene has no size."""
    try:
        return dollars(round(prices.usd_of(scene, model) * number, 6))
    except InputError:
        return f"{number} × {model.price}"


def is_locked(shot: FLUXDEPTH_PG_shot) -> bool:
    """Whether near and far are known."""
    return 0 < shot.near < shot.far


def shared_of(context: bpy.types.Context) -> Request:
    """The request of the context's scene, with the shot's own range and seed as far as they are known."""
    from .capture import metres

    shot, request = settings_of(context.scene), request_of(context)
    depth, seed = request.depth, request.seed
    if is_locked(shot):
        scale = metres(context.scene)
        depth = replace(depth, near=shot.near * scale, far=shot.far * scale)
    if shot.seed and not shot.anew:
        seed = shot.seed
    return replace(request, depth=depth, seed=seed)


def keep(scene: bpy.types.Scene, shared: Request) -> None:
    """Show the range and the seed that the frames share."""
    from .capture import metres

    shot, depth = settings_of(scene), shared.depth
    if not _same_range(shot, depth.near or 0, depth.far or 0, metres(scene)):
        shot.near, shot.far = (depth.near or 0) / metres(scene), (depth.far or 0) / metres(scene)
    shot.seed = shared.seed or 0


def _same_range(shot: FLUXDEPTH_PG_shot, near: float, far: float, scale: float) -> bool:
    return (shot.near * scale, shot.far * scale) == (near, far)


def folder_of(wanted: Wanted) -> Path:
    """The folder of the shot, beside the file as all pictures are. Raises InputError."""
    if not wanted.title:
        raise InputError("The shot has no name: give it one. Nothing was sent.")
    return preferences.output_folder(wanted.blend) / output.in_file_name(wanted.title)


def look(wanted: Wanted) -> Standing:
    """Look at the folder; what it holds, which the panels show from now on."""
    standing = standings[wanted] = _looked(wanted)
    return standing


def _looked(wanted: Wanted) -> Standing:
    from .core import claim
    from .core.shot import name_of

    try:
        folder, frames = folder_of(wanted), wanted.frames
    except InputError as error:
        return Standing(problem=str(error).removesuffix(" Nothing was sent."))
    listed = _names(folder)
    files = {frame: name_of(folder, frame) for frame in frames}
    there = _those_whole(folder, [name for name in files.values() if name in listed])
    waiting = {job.output.name for job in watch.on_their_way() if job.output.parent == folder}
    waiting |= {f"{stem}.png" for stem in claim.found(folder)}
    here = {frame for frame, name in files.items() if name in there}
    away = {frame for frame, name in files.items() if name in waiting} - here
    return Standing(folder, frames, here, away)


def _names(folder: Path) -> set[str]:
    try:
        return {entry.name for entry in os.scandir(folder)}
    except OSError:
        return set()


def _those_whole(folder: Path, names: list[str]) -> set[str]:
    """Those that are whole; a look opens so many files, and the next one so many more."""
    from .core.shot import is_whole

    known = _whole.setdefault(folder, set())
    unknown = [name for name in names if name not in known][:AT_ONCE]
    whole = {name for name in unknown if is_whole(folder / name)}
    known |= whole
    return set(names) - set(unknown) | whole


def look_soon(wanted: Wanted) -> None:
    """From a timer: Blender is drawing."""
    if wanted not in _looked_for:
        _looked_for.append(wanted)
    if not bpy.app.timers.is_registered(_look):
        bpy.app.timers.register(_look, first_interval=0.0)


def _look() -> float | None:
    """What was asked for, and what is in a window while something is on its way there."""
    shown = [wanted_of(window.scene) for window in bpy.context.window_manager.windows]
    before = {wanted: standings.get(wanted) for wanted in {*_looked_for, *shown}}
    _looked_for.clear()
    after = {wanted: look(wanted) for wanted in before}
    if before != after:
        windows.redraw()
    return LOOK_SECONDS if any(standing.on_its_way for standing in after.values()) else None


@persistent
def _another_file(*_ignored: object) -> None:
    standings.clear()
    _whole.clear()


_register_classes, _unregister_classes = bpy.utils.register_classes_factory((FLUXDEPTH_PG_shot,))


def register() -> None:
    """Hang the shot on scenes."""
    _register_classes()
    cast("Any", bpy.types.Scene).flux_depth_shot = PointerProperty(type=FLUXDEPTH_PG_shot)
    bpy.app.handlers.load_post.append(_another_file)


def unregister() -> None:
    """Take it down; what a blend file holds stays in it."""
    bpy.app.handlers.load_post.remove(_another_file)
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)
    standings.clear()
    del cast("Any", bpy.types.Scene).flux_depth_shot
    _unregister_classes()
