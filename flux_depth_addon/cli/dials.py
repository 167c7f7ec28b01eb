"""The dials as they are in the end: what the arguments say, else the faithfulness stop, else the preset, else ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError
from ..core.faithfulness import guidance_at
from .outcome import say
from .places import choose_workflow
from .work import folder_of, table_of

if TYPE_CHECKING:
    import argparse

    from ..core.faithfulness import Stop
    from ..core.models import Model

OURS: dict[str, Any] = {
    "curve": "disparity",
    "engine": "workbench",
    "detail": 1.0,
    "blur": 0.0,
    "gamma": 1.0,
}
"""What holds where nobody says anything."""


def complete(arguments: argparse.Namespace) -> None:
    """Fill in every dial that the arguments leave open. Raises InputError for a preset or a stop that is none."""
    if getattr(arguments, "workflow", None):
        choose_workflow(arguments, folder_of(arguments))
    stop = _stop(arguments.faithfulness) if arguments.faithfulness else {}
    preset = _preset(arguments) if arguments.preset else {}
    first = table_of(arguments).default.partition(":")[0]
    arguments.unsaid = set[str]()
    arguments.preset_model = {name: value for name, value in preset.items() if name == "settings.model_id"}
    for name, value in (OURS | {"provider": first} | preset | stop).items():
        if name in arguments and getattr(arguments, name) is None:  # else said, or not of this verb
            setattr(arguments, name, value)
            arguments.unsaid.add(name)


def dials_of(arguments: argparse.Namespace, model: Model) -> dict[str, Any]:
    """The dials as this model takes them: what was said goes to it as it is, what a preset or a stop sets, if it can.

    None for what is left to the provider.
    """
    from ..core.models import DIALS
    from ..core.preset import suited

    values = {name: getattr(arguments, name) for name in DIALS}
    unsaid = arguments.unsaid.intersection(DIALS)
    meant = suited({f"settings.{name}": values[name] for name in unsaid} | arguments.preset_model, model)
    for name in unsaid:
        values[name] = meant.get(f"settings.{name}") if model.dial(name) else None
    if "guidance" in arguments.unsaid and arguments.faithfulness:
        values["guidance"] = guidance_at(_stop_of(arguments.faithfulness), model.guidance)
    return values


def _stop(name: str) -> dict[str, Any]:
    return dict(zip(("guidance", "detail", "blur", "gamma"), _stop_of(name).values, strict=True))


def _stop_of(name: str) -> Stop:
    from ..core.faithfulness import STOPS

    for stop in STOPS:
        if stop.name == name:
            return stop
    raise InputError(f"There is no stop “{name[:40]}”: choose one of {', '.join(stop.name for stop in STOPS)}.")


def _preset(arguments: argparse.Namespace) -> dict[str, Any]:
    """By the arguments' names, what it sets; its model only where neither model nor provider is asked for."""
    from ..core.preset import ENDING, ending_of, read
    from ..preset_diff import fitting

    preset = read(_file(arguments.preset))
    values, notes = fitting(preset, table_of(arguments))
    for note in notes:
        say(f"“{preset.name}”: {note}.")
    dials: dict[str, Any] = {place.partition(".")[2]: value for place, value in values.items() if place != ENDING}
    if model := dials.pop("model_id", None):
        _choose(arguments, str(model))
        dials["settings.model_id"] = model  # on whose scale the others are
    if "engine" in dials:
        dials["engine"] = dials["engine"].lower()
    if ENDING in values and "prompt" in arguments:
        _add(arguments, ending_of(values[ENDING]) or "")
    return dials


def _file(named: str) -> Path:
    """The file of that name, else the preset; the artist's own goes before a shipped one."""
    from ..preset_diff import files

    if named.endswith(".py") or Path(named).is_file():
        return Path(named)
    wanted = named.replace("_", " ").casefold()
    found = next((file for file in files() if file.stem.replace("_", " ").casefold() == wanted), None)
    if found is None:
        raise InputError(f"There is no preset “{named[:60]}”: `presets` lists them. Nothing was sent.")
    return found


def _choose(arguments: argparse.Namespace, model: str) -> None:
    if "provider" in arguments and arguments.provider is None and not arguments.model:
        arguments.provider, arguments.model = table_of(arguments)[model].provider.name, model
        say(f"The preset chooses the model {model}.")


def _add(arguments: argparse.Namespace, ending: str) -> None:
    from ..prompt import with_ending

    if ending.casefold() not in arguments.prompt.casefold():
        arguments.prompt = with_ending(arguments.prompt, ending)
        say(f"The preset adds to the prompt: “{ending}”")
