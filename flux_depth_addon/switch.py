"""From a model that is gone to the nearest one that lives: in the scene, or for one job, in one click."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import bpy
from bpy.props import StringProperty

from . import obstacles, preferences, watch
from .button import Button, JobButton, PaidButton
from .core.errors import InputError
from .core.models import dollars
from .drawing import letter_size, room_in, say, width_of
from .properties import camera_of, framing_of, model_id_of, model_of, request_of, switch_model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpy.stub_internal.rna_enums import IconItems

    from .core.framing import Framing
    from .core.job import Job
    from .core.models import Model, Provider, Table
    from .core.request import Request

BESIDE_BUTTON = 74
"""Of the sidebar's width, what a button's edges and its icon take."""

_table: Table | None = None
"""The one that the answers below were found in."""


class FLUXDEPTH_OT_switch_model(Button):
    """Ask this model from now on: prompt, seed and depth stay, and so does what it takes of what was set"""

    bl_idname = "flux_depth.switch_model"
    bl_label = "Switch Model"
    bl_options = {"REGISTER", "UNDO"}

    model_id: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def run(self, context: bpy.types.Context) -> None:
        settings = context.scene.flux_depth
        new = preferences.table()[self.model_id] if self.model_id else _found(_of_scene(context))
        switch_model(settings, new.id)
        self.report({"INFO"}, f"{new.name} paints from now on")


class FLUXDEPTH_OT_send_instead(JobButton, PaidButton):
    """Send the same prompt, seed and control image to this model, which is paid, and leave the scene as it is"""

    bl_idname = "flux_depth.send_instead"
    bl_label = "Send It to Another Model"

    def question(self, _context: bpy.types.Context) -> str:
        """What it may cost twice, or costs more than passes without a word."""
        job, new = watch.jobs.get(self.job_id), preferences.table().models.get(self.shown_model)
        if job is None or new is None:
            return ""
        if job.charged != "no":
            return f"The first may have been charged. This costs {self.shown_price}, perhaps for the second time."
        above = new.price_of(job.request.framing) > preferences.asks_above()
        return f"This costs {self.shown_price}." if above else ""

    def run(self, _context: bpy.types.Context) -> None:
        from .core.instead import send_instead

        job = watch.journal().get(self.job_id)
        new = _found(nearest_to_job(job))
        price = new.price_of(job.request.framing)
        self.check_shown(new, dollars(price))
        if reason := obstacles.no_way(new):
            raise InputError(f"{reason}. Nothing was sent.")
        again = send_instead(watch.journal(), job.id, _model_of(job), new, price_usd=price, cap_usd=preferences.cap())
        watch.start_worker()
        watch.follow(again)
        watch.refresh()


# Which model it is. Asked at every redraw, so it looks at memory only.


def ready() -> frozenset[str]:
    """The providers that can be asked without an account or an address first."""
    return frozenset(name for name, provider in preferences.table().providers.items() if not lacking(provider))


def lacking(provider: Provider) -> str:
    """What the artist has yet to give before it can be asked, as words behind a price, or nothing."""
    if not preferences.has_key(provider):
        return "needs a key"
    if not provider.chosen_base:
        return ""
    if not (provider.base and _was_there(provider.name)):
        return "needs its server"
    return "needs your word for its address" if preferences.consent_reason(provider) else ""


def _was_there(name: str) -> bool:
    """Whether a server that the artist runs was ever met: its address alone says nothing."""
    words, is_good = watch.connections.get(name, ("", False))
    painted = (job.request.model.partition(":")[0] == name for job in watch.jobs.values() if job.result)
    return bool(words and is_good) or any(painted)


def refused() -> frozenset[str]:
    """The models whose newest job ended because its provider does not serve them."""
    newest: dict[str, bool] = {}
    for job in watch.jobs.values():
        if job.step in ("DONE", "FAILED"):
            newest.setdefault(job.request.model, job.error_action == "model")
    return frozenset(model_id for model_id, was in newest.items() if was)


def nearest_to(model: Model, request: Request | None) -> Model | None:
    """The living model that is nearest for what is asked; nothing is asked twice while nothing changed."""
    if request:  # what decides nothing here, and changes with every step in the view
        request = replace(request, prompt="", camera_matrix=(), scene_mark="", frame=0.0, seed=None)
    global _table
    if preferences.table() is not _table:
        _nearest.cache_clear()
        _table = preferences.table()
    return _nearest(model, request, ready(), refused())


@lru_cache(maxsize=16)
def _nearest(model: Model, request: Request | None, ready: frozenset[str], refused: frozenset[str]) -> Model | None:
    from .core.nearest import nearest  # only for whoever needs it: it would make every start of Blender slower

    return nearest(model, preferences.table(), ready, request=request, refused=refused)


def nearest_to_job(job: Job) -> Model | None:
    """The same for what a job asked; None too where its own model is in the table no more."""
    model = _model_of(job)
    return nearest_to(model, job.request) if model else None


def _model_of(job: Job) -> Model | None:
    return preferences.table().models.get(job.request.model)


def _of_scene(context: bpy.types.Context) -> Model | None:
    return nearest_to(model_of(context.scene.flux_depth), request_or_none(context))


def request_or_none(context: bpy.types.Context) -> Request | None:
    """What the scene asks, as far as it can be asked already."""
    if obstacles.no_view(context):
        return None
    try:
        return request_of(context)
    except InputError:
        return None


def _found(model: Model | None) -> Model:
    if model is None:
        raise InputError("There is no living model to switch to. Nothing was sent.")
    return model


# How it is drawn.


def draw_warning(layout: bpy.types.UILayout, context: bpy.types.Context, model: Model, request: Request | None) -> None:
    """What to know before paying for the scene's model; and where it is gone, the way to one that lives.

    `request`: what the scene asks, as far as it can be asked already.
    """
    gone = model.warning
    if not gone and model.id in refused():
        gone = f"{model.provider.label} did not serve it when it was asked last"
    if words := gone or _worth_knowing(model):
        say(layout, context, words, "INFO")
    if gone and (new := nearest_to(model, request)):
        _draw_switch(layout, context, model, new, request)


def _worth_knowing(model: Model) -> str:
    """Of a model that lives, what its row says about paying for it, as that its price is a guess."""
    return f"{model.note}." if model.note and model.price_usd else ""


def draw_instead(layout: bpy.types.UILayout, context: bpy.types.Context, job: Job) -> None:
    """The way on for a job whose model is not served: the same to another model, or else the scene's own switch."""
    from .core.carried import asked_of

    old, new = _model_of(job), nearest_to_job(job)
    if old is None or new is None or job.retried_as:
        return
    try:
        asked_of(job.request, old, new)
    except InputError as error:
        say(layout, context, obstacles.reason(error), "INFO")
        _draw_switch(layout, context, old, new, request_or_none(context))
        return
    if lacking(new.provider):
        _draw_switch(layout, context, old, new, request_or_none(context))
        return
    _draw_left_out(layout, context, job.request, old, new)
    words = _words(old, new, job.request.framing, job.request.framing)
    button = _draw_button(layout, context, "flux_depth.send_instead", "Send It", words, "EXPORT")
    button.job_id, button.shown_model, button.shown_price = job.id, new.id, words.price


def _draw_switch(
    layout: bpy.types.UILayout, context: bpy.types.Context, old: Model, new: Model, request: Request | None
) -> None:
    if model_id_of(context.scene.flux_depth) == new.id:
        say(layout, context, f"This scene asks {new.name} already: generate there", "FORWARD")
        return
    if request:
        _draw_left_out(layout, context, request, old, new)
    words = _words(old, new, *(_framing(context, model) for model in (old, new)))
    _draw_button(layout, context, "flux_depth.switch_model", "Switch", words, "FORWARD").model_id = new.id


def _draw_left_out(
    layout: bpy.types.UILayout, context: bpy.types.Context, request: Request, old: Model, new: Model
) -> None:
    from .core.carried import left_out

    if behind := left_out(request, old, new):
        say(layout, context, f"It does not take {listed(behind)}", "DOT")


def listed(words: Iterable[str]) -> str:
    """One, two and three."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _framing(context: bpy.types.Context, model: Model) -> Framing | None:
    """The size that it would get for this scene, or None where it cannot be told."""
    try:
        return framing_of(context.scene, model) if camera_of(context.scene) else None
    except InputError:
        return None


class Words(NamedTuple):
    """What a button says of a model."""

    label: str
    """With its provider."""
    price: str
    beside: str
    """What that is beside the old one's, and what is lacking."""


def _words(old: Model, new: Model, old_framing: Framing | None, new_framing: Framing | None) -> Words:
    from .core.nearest import difference

    usd = new.price_of(new_framing) if new_framing else new.price_usd
    before = old.price_of(old_framing) if old_framing else old.price_usd
    beside = ", ".join(filter(None, [difference(usd, before), lacking(new.provider)]))
    return Words(new.name, dollars(usd) if new_framing else new.price, beside)


def _draw_button(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    operator: str,
    verb: str,
    words: Words,
    icon: IconItems,
) -> bpy.types.OperatorProperties:
    """All of it on the button where there is room; else as much as fits, and above it what the button leaves out."""
    price = f"{words.price} ({words.beside})"
    whole, shorter = f"{verb} to {words.label}  ·  {price}", f"{verb}  ·  {price}"
    room = room_in(context, beside=BESIDE_BUTTON)
    fitting = (text for text in (whole, shorter) if width_of(text, letter_size(context)) <= room)
    shown = next(fitting, f"{verb}  ·  {words.price}")
    if shown != whole:
        told = f"{words.label}: {price}" if shown != shorter else words.label
        say(layout, context, f"Nearest is {told}", icon)
    return layout.operator(operator, text=shown, icon=icon)


register, unregister = bpy.utils.register_classes_factory((FLUXDEPTH_OT_switch_model, FLUXDEPTH_OT_send_instead))
