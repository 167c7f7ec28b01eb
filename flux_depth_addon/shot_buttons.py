"""The buttons of a shot: find its range, paint what is missing, and lay it into the sequencer or on its camera."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import bpy

from . import depth_preview, obstacles, output, preferences, shot, start_picture, watch
from .button import Button, PaidButton, RenderingButton
from .core.errors import InputError
from .properties import camera_of, depth_settings_of, model_of, model_or_none

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from bpy.stub_internal.rna_enums import OperatorReturnItems
    from numpy import ndarray

    from .core.depth_map import DepthSettings
    from .core.entry import Entry
    from .core.frames import Plan
    from .core.request import Request


class FLUXDEPTH_OT_find_shot_range(RenderingButton):
    """Find near and far that fit the whole shot, on some of its frames. Free, and nothing leaves this computer"""

    bl_idname = "flux_depth.find_shot_range"
    bl_label = "Find Range"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return cls.allowed(obstacles.no_view(context))

    def steps(self, context: bpy.types.Context, *, beside: bool) -> Generator[str]:
        from .core.shot import read

        scene, own = context.scene, shot.settings_of(context.scene)
        standing = _looked(scene)
        if standing.there and (held := read(standing.folder)):
            shot.keep(scene, held)
            self.report({"INFO"}, "As the frames that are there were painted: a shot keeps its range and its seed")
            return
        view = depth_preview.view_of(scene, context.view_layer)
        depth = yield from _finding(view, standing.frames, depth_settings_of(scene), beside=beside)
        own.near, own.far = depth_preview.units(scene, depth)
        self.report({"INFO"}, f"White at {depth.near:.3g} m, black at {depth.far:.3g} m, in every frame")


class FLUXDEPTH_OT_generate_shot(PaidButton, RenderingButton):
    """Render the depth of every missing frame, send them all with one range and one seed, and go on working"""

    bl_idname = "flux_depth.generate_shot"
    bl_label = "Generate Shot"
    bl_options = {"UNDO"}

    _busy = False
    """Whether one is rendering: a second one would render the same frames, to no use."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        busy = "The depth of a shot is being rendered" if FLUXDEPTH_OT_generate_shot._busy else ""
        return cls.allowed(busy or obstacles.obstacle(context) or _nothing_to_paint(context))

    def question(self, context: bpy.types.Context) -> str:
        """Once for all frames, where they cost."""
        model, standing = model_or_none(context.scene.flux_depth), shot.standing_of(context.scene)
        if model is None or standing is None or not model.price_usd:
            return ""
        number = len(shot.to_paint(context.scene, standing))
        return f"{number} frames cost {shot.price_of(context.scene, model, number)} with {model.label}."

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """A script's call, or the end of Blender's own question, which lets no operator wait."""
        if self.asked:
            shown = {"shown_model": self.shown_model, "shown_price": self.shown_price}
            return bpy.ops.flux_depth.generate_shot("INVOKE_DEFAULT", confirmed=True, **shown)
        return super().execute(context)

    def steps(self, context: bpy.types.Context, *, beside: bool) -> Generator[str]:
        FLUXDEPTH_OT_generate_shot._busy = True
        try:
            yield from self._work(context, beside=beside)
        finally:
            FLUXDEPTH_OT_generate_shot._busy = False

    def _work(self, context: bpy.types.Context, *, beside: bool) -> Generator[str]:
        from .core import start
        from .core.shot import lock

        scene, model = context.scene, model_of(context.scene.flux_depth)
        standing = _looked(scene)
        frames = shot.to_paint(scene, standing)
        self.check_shown(model, told_price(scene, standing))
        origin = output.origin()
        output.writable(standing.folder.parent)
        starts = start_picture.Starts(scene)
        shared = yield from _shared(context, standing, starts, beside=beside)
        plan = _planned(standing.folder, frames, shared, anew=shot.settings_of(scene).anew)
        entries = yield from _entries(context, standing.folder, plan.missing, shared, starts, beside=beside)
        # only now: whoever broke off may begin it otherwise
        start.keep(standing.folder, starts.of(shared))
        lock(standing.folder, shared, standing.frames, anew=_is_whole_anew(scene))
        for job in watch.journal().add_many(entries, origin=origin, cap_usd=preferences.cap()):
            watch.follow(job)
        shot.keep(scene, shared)
        watch.start_worker()
        watch.follow()
        watch.refresh()
        _looked(scene)
        shot.look_soon(shot.wanted_of(scene))
        _tell(self, plan, len(entries))


class FLUXDEPTH_OT_shot_to_sequencer(Button):
    """Put the frames into the Video Sequencer as one image strip, each at its own frame"""

    bl_idname = "flux_depth.shot_to_sequencer"
    bl_label = "Load into Sequencer"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return cls.allowed(_nothing_to_show(context))

    def run(self, context: bpy.types.Context) -> None:
        from . import sequence  # only for whoever shows them: it would make every start of Blender slower

        standing = _looked(context.scene)
        sequence.to_sequencer(context, standing.folder, standing.frames, standing.there)
        _tell_gaps(self, standing)


class FLUXDEPTH_OT_shot_on_camera(Button):
    """Lay the frames on the camera: at every frame of the scene its own picture"""

    bl_idname = "flux_depth.shot_on_camera"
    bl_label = "On Camera"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return cls.allowed(_nothing_to_show(context) or obstacles.no_view(context))

    def run(self, context: bpy.types.Context) -> None:
        from . import sequence

        standing, camera = _looked(context.scene), camera_of(context.scene)
        if camera is None:
            raise InputError("There is no camera here to lay it on.")
        sequence.on_camera(camera, standing.folder, standing.frames, standing.there)
        _tell_gaps(self, standing)


def told_price(scene: bpy.types.Scene, standing: shot.Standing) -> str:
    """What a click would cost, as the button says it and passes it on."""
    model = model_of(scene.flux_depth)
    number = len(shot.to_paint(scene, standing))
    return f"{shot.price_of(scene, model, number)} for {number} frame{'s' * (number != 1)}"


def _looked(scene: bpy.types.Scene) -> shot.Standing:
    """The shot as it stands on the disk now. Raises InputError."""
    standing = shot.look(shot.wanted_of(scene))
    if standing.problem:
        raise InputError(f"{standing.problem} Nothing was sent.")
    return standing


def _is_whole_anew(scene: bpy.types.Scene) -> bool:
    """Whether every frame is painted again, so that the shot may look otherwise."""
    own = shot.settings_of(scene)
    return own.anew and not own.use_resume


def _shared(
    context: bpy.types.Context, standing: shot.Standing, starts: start_picture.Starts, *, beside: bool
) -> Generator[str, None, Request]:
    """What all frames share: as the shot was begun, or found now. Raises InputError."""
    from .core.shot import random_seed, settled

    asked = starts.given(shot.shared_of(context))
    if held := settled(standing.folder, asked, anew=_is_whole_anew(context.scene)):
        return held
    depth = asked.depth
    if not (depth.near and depth.far):
        view = depth_preview.view_of_request(context.scene, asked)
        depth = yield from _finding(view, standing.frames, depth, beside=beside)
    return replace(asked, depth=depth, seed=asked.seed or random_seed())


def _finding(
    view: depth_preview.View, frames: Sequence[int], settings: DepthSettings, *, beside: bool
) -> Generator[str, None, DepthSettings]:
    from .core.shot import locked_range, sampled
    from .shot_range import small

    views: list[ndarray] = []
    chosen = sampled(frames)
    for number, frame in enumerate(chosen, 1):
        at = view._replace(frame=float(frame), framing=small(view.framing), control="depth")
        views.append((yield from _rendered(at, f"Range: frame {frame}, {number} of {len(chosen)}", beside=beside)))
    return locked_range(views, settings)


def _rendered(view: depth_preview.View, doing: str, *, beside: bool) -> Generator[str, None, ndarray]:
    """The preview goes on showing what it showed."""
    yield doing
    kept = depth_preview.seen
    try:
        rendering = depth_preview.rendering(view, beside=beside)
        while True:
            try:
                yield f"{doing}  ·  {next(rendering)}"
            except StopIteration as end:
                return cast("ndarray", end.value)
    finally:
        depth_preview.seen = kept


def _planned(folder: Path, frames: list[int], shared: Request, *, anew: bool) -> Plan:
    from .core.frames import planned
    from .core.job import DEFAULT_TIMEOUT

    model = preferences.table()[shared.model]
    asked = (watch.journal(), folder, frames, shared, model, model.provider.base)
    plan = planned(*asked, timeout=DEFAULT_TIMEOUT, anew=anew)
    if plan.unknown and not plan.missing and not plan.on_its_way:
        raise InputError(_unknown(plan, folder))
    return plan


def _unknown(plan: Plan, folder: Path) -> str:
    from .core.shot import spans

    return (
        f"Nobody knows whether frame {spans(plan.unknown)} was taken, as its computer stopped while it was sending: "
        f"delete {folder / 'sent'} to send it once more, which may cost a second time. Nothing was sent."
    )


def _entries(
    context: bpy.types.Context,
    folder: Path,
    frames: list[int],
    shared: Request,
    starts: start_picture.Starts,
    *,
    beside: bool,
) -> Generator[str, None, list[Entry]]:
    """What is to be sent: rendered one frame a step. The very same picture, from the journal, needs no sending."""
    from .control_picture import as_sent
    from .core.entry import Entry
    from .core.frames import known
    from .core.shot import path_of
    from .shot_range import named, request_at

    entries, price = [], preferences.table()[shared.model].price_of(shared.framing)
    scene = context.scene
    for number, frame in enumerate(frames, 1):
        view = depth_preview.view_of_request(scene, replace(shared, frame=float(frame)))
        request, path = request_at(shared, scene, depth_preview.camera_of_view(view), frame), path_of(folder, frame)
        with named(request):
            z = yield from _rendered(view, f"Frame {frame}, {number} of {len(frames)}", beside=beside)
            control, request, _verdict = as_sent(z, request)
        if shot.settings_of(scene).anew or not known(watch.journal(), request, control, path):
            entries.append(Entry(request, control, price, path, starts.of(request)))
    return entries


def _tell(button: Button, plan: Plan, sent: int) -> None:
    from .core.shot import spans

    fetched, copied = len(plan.on_its_way), len(plan.missing) - sent
    told = [f"{sent} frame{'s are' if sent != 1 else ' is'} on the way"]
    told += [f"{fetched} sent before fetched for nothing"] * bool(fetched)
    told += [f"{copied} copied from the journal for nothing"] * bool(copied)
    told += [f"unknown whether frame {spans(plan.unknown)} was sent"] * bool(plan.unknown)
    button.report({"WARNING" if plan.unknown else "INFO"}, ", ".join(told))


def _tell_gaps(button: Button, standing: shot.Standing) -> None:
    from .core.shot import spans

    step = standing.frames[1] - standing.frames[0] if len(standing.frames) > 1 else 1
    gone = [frame for frame in standing.frames if frame not in standing.there]
    if gone:
        told = f"{len(gone)} of {len(standing.frames)} frames are missing: {spans(gone, step=step)}"
        button.report({"WARNING"}, told)


def _nothing_to_paint(context: bpy.types.Context) -> str:
    standing = shot.standing_of(context.scene)
    if standing is None:
        return "" if bpy.app.background else "The shot's folder is being looked at"
    return standing.problem or ("" if shot.to_paint(context.scene, standing) else "No frame is missing")


def _nothing_to_show(context: bpy.types.Context) -> str:
    standing = shot.standing_of(context.scene)
    if standing is None:
        return "" if bpy.app.background else "The shot's folder is being looked at"
    return standing.problem or ("" if standing.there else "No frame of the shot is there yet")


classes = (
    FLUXDEPTH_OT_find_shot_range,
    FLUXDEPTH_OT_generate_shot,
    FLUXDEPTH_OT_shot_to_sequencer,
    FLUXDEPTH_OT_shot_on_camera,
)
register, unregister = bpy.utils.register_classes_factory(classes)
