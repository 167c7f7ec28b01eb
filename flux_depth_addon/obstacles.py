"""Why nothing can be sent now, in words: shown beside the button and asked again when it is pressed.

Everything here is asked at every redraw, so it looks at memory only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from . import preferences
from .core.errors import InputError
from .properties import camera_of, model_id_of, model_or_none, prompt_of, request_of
from .stored_text import text

if TYPE_CHECKING:
    from .core.job import Job
    from .core.models import Model
    from .core.request import Request
    from .properties import FLUXDEPTH_PG_settings


def obstacle(context: bpy.types.Context, request: Request | None = None) -> str:
    """Why nothing can be generated now, or nothing; with the scene's request where it was made already."""
    settings = context.scene.flux_depth
    model = model_or_none(settings)
    if model is None:
        return f"The model “{model_id_of(settings)}” is not in the table of models: choose another"
    return no_view(context) or no_prompt(settings) or no_way(model) or ("" if request else no_request(context))


def no_view(context: bpy.types.Context) -> str:
    """The obstacle that nothing can be rendered, or nothing."""
    camera = camera_of(context.scene)
    if camera is None:
        return "The scene has no camera: add one, or make one active"
    named = {"scene": context.scene, "view layer": context.view_layer, "camera": camera}
    unreadable = (kind for kind, thing in named.items() if not text(thing))
    return next((f"The name of the {kind} is not text: rename it" for kind in unreadable), "")


def no_prompt(settings: FLUXDEPTH_PG_settings) -> str:
    """The obstacle that nothing is asked for, or nothing."""
    return "" if prompt_of(settings) else "There is no prompt: write what the picture should show"


def no_request(context: bpy.types.Context) -> str:
    """What the model would not take, or nothing."""
    try:
        request_of(context)
    except InputError as error:
        return reason(error)
    return ""


def reason(error: InputError) -> str:
    """Its sentence as it stands beside a button: nothing was pressed yet, so nothing is said of what was sent."""
    return str(error).removesuffix(" Nothing was sent.").removesuffix(".")


def no_key(model: Model) -> str:
    """The obstacle that nobody may ask this model, or nothing."""
    if preferences.has_key(model.provider):
        return ""
    return f"There is no {model.provider.label} key: enter one above, or try the sandbox"


def no_consent(model: Model) -> str:
    """The obstacle that its provider has no address yet, or one that was not allowed, or nothing."""
    return preferences.consent_reason(model.provider)


def no_way(model: Model) -> str:
    """Why this model cannot be asked, whatever it would be asked for, or nothing."""
    return no_consent(model) or no_key(model) or preferences.offline_reason(model.provider)


def check_reachable(model: Model, job: Job) -> None:
    """Raises InputError when a job cannot be sent or fetched now."""
    base = job.sent_to if job.is_waiting_there else job.base
    barred = preferences.consent_reason(model.provider, base)
    if reason := barred or no_key(model) or preferences.offline_reason(model.provider, base):
        raise InputError(f"{reason}. Nothing was sent.")
