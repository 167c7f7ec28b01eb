"""What ComfyUI says besides where a job is: what it lacks, why a graph failed, and its events.

Each function names the source of what it reads.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..causes import failure
from ..errors import FluxDepthError
from ..models import Model
from ..workflow import FILES, Workflow, classes, folder_of, model_files
from . import Answer, Event
from ._reading import check_probe, number_in, object_in, one_line, text_in

__all__ = ["check_server", "ended_badly", "event_in", "refused"]

PREVIEW, PREVIEW_WITH_FACTS = 1, 4
"""Kinds of binary events with an encoded picture (protocol.py: BinaryEventTypes)."""

TOLD = 8
"""Missing things that one sentence names."""

NO_SUCH_NODE = re.compile(r"node (.{1,100}) does not exist")
"""How 0.3 says that it lacks a class (execution.py: validate_prompt); later ones say it in fields."""


def refused(data: Mapping[str, Any], model: Model) -> FluxDepthError | None:
    """The error of a graph that was not taken, or None (server.py: post_prompt; execution.py: validate_prompt)."""
    error = object_in(data.get("error"))
    kind = text_in(object_in(error.get("extra_info")).get("class_type"))
    old = NO_SUCH_NODE.search(_words(error))
    if kind and error.get("type") == "missing_node_type":
        return _lacks([], [kind], model)
    if old:
        return _lacks([], [old[1]], model)
    complaints = list(_complaints(object_in(data.get("node_errors"))))
    if files := [(name, folder) for name, folder, _ in complaints if name]:
        return _lacks(files, [], model)
    words = next((words for _, _, words in complaints), "") or _words(error)
    return failure("setting_refused", provider=model.provider.label, reason=f": “{words}”") if words else None


def _complaints(errors: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Of each node's errors (execution.py: validate_inputs) the missing file and its folder, or words."""
    for facts in map(object_in, errors.values()):
        kind = text_in(facts.get("class_type"))
        listed = facts.get("errors")
        for error in map(object_in, listed if isinstance(listed, list) else []):
            info = object_in(error.get("extra_info"))
            name, value = text_in(info.get("input_name")), text_in(info.get("received_value"))
            if error.get("type") == "value_not_in_list" and (value.lower().endswith(FILES) or folder_of(kind, name)):
                yield value, folder_of(kind, name), ""
            else:
                yield "", "", f"{kind}: {_words(error)}"


def _words(error: Mapping[str, Any]) -> str:
    said = [error.get("message"), error.get("details")]
    return one_line(" ".join(words for words in said if isinstance(words, str)), 300)


def _lacks(files: Sequence[tuple[str, str]], nodes: Sequence[str], model: Model) -> FluxDepthError:
    """What is missing, and what to do about it: files with their folders below `models`, and classes of nodes."""
    wanted = list(dict.fromkeys(files))
    named = [one_line(name, 100) + (f" (models/{folder})" if folder else "") for name, folder in wanted]
    parts = [*named, *(f"the node {one_line(kind, 100)}" for kind in dict.fromkeys(nodes))]
    more = f", and {len(parts) - TOLD} more" if len(parts) > TOLD else ""
    put = f"put {'it into its folder' if len(wanted) == 1 else 'each file into its folder'}"
    remedies = [put] * bool(wanted) + ["install the extensions that have the nodes"] * bool(nodes)
    what = ", ".join(parts[:TOLD]) + more
    return failure("server_lacks", provider=model.provider.label, what=what, remedy=", and ".join(remedies))


def ended_badly(entry: Mapping[str, Any], status: Mapping[str, Any], model: Model) -> FluxDepthError:
    """Why a job ended without a picture (execution.py: handle_execution_error; jobs.py: normalize_history_item)."""
    label = model.provider.label
    messages = status.get("messages")
    events = {
        name: object_in(facts)
        for name, facts in (message[:2] for message in messages or [] if isinstance(message, list) and len(message) > 1)
        if isinstance(name, str)
    }
    if "execution_interrupted" in events or entry.get("status") == "cancelled":
        return failure("stopped_there", provider=label)
    error = object_in(entry.get("execution_error")) or events.get("execution_error", {})
    kind, words = text_in(error.get("node_type")), one_line(str(error.get("exception_message", "")), 300)
    full = "OutOfMemory" in text_in(error.get("exception_type")) or "out of memory" in words.lower()
    problem = f"stopped at its node {kind}" if kind else "stopped"
    remedy = "choose a smaller size, or model files of fewer bits" if full else "look at its own window, then retry"
    reason = f": “{words.rstrip(' .')}”" if words else ""
    return failure("graph_failed", provider=label, problem=problem + reason, remedy=remedy)


def check_server(answers: Sequence[Answer], workflow: Workflow, model: Model) -> None:
    """Raise what the server lacks, from /system_stats and /object_info/CLASS (server.py: system_stats, node_info)."""
    for answer in answers:
        check_probe(answer, model)
    if not object_in(object_in(answers[0].json).get("system")):
        raise failure("no_endpoint", provider=model.provider.label, status=answers[0].status)
    asked = zip(classes(workflow), answers[1:], strict=False)
    known = {kind: object_in(object_in(answer.json).get(kind)) for kind, answer in asked}
    nodes = [kind for kind, facts in known.items() if not facts]
    files = [
        (file.name, file.folder)
        for file in model_files(workflow)
        if (options := _options(known.get(file.kind, {}), file.input)) is not None and file.name not in options
    ]
    if nodes or files:
        raise _lacks(files, nodes, model)


def _options(facts: Mapping[str, Any], name: str) -> list[Any] | None:
    """What an input may be set to; None where that is open. The list is the type, or stands beside the type COMBO."""
    inputs = object_in(facts.get("input"))
    for group in ("required", "optional"):
        match object_in(inputs.get(group)).get(name):
            case [list(options), *_]:
                return options
            case ["COMBO", {"options": list(options)}, *_]:
                return options
    return None


def event_in(message: str | bytes, prompt_id: str) -> Event | None:
    """What a message of the WebSocket tells of that job (main.py: hijack_progress; progress.py; server.py: send_image).

    A picture without facts names no job: it comes right after a step of its own.
    """
    if isinstance(message, bytes):
        return _picture_in(message, prompt_id)
    with suppress(ValueError, RecursionError):
        event = object_in(json.loads(message))
        data = object_in(event.get("data"))
        if data.get("prompt_id") == prompt_id and event.get("type") in ("progress", "progress_state"):
            nodes = data.get("nodes")
            parts = list(nodes.values()) if isinstance(nodes, dict) else [data]
            share = max((share for part in parts if (share := _share(object_in(part))) is not None), default=None)
            return None if share is None else Event(share)
    return None


def _share(part: Mapping[str, Any]) -> float | None:
    """Of a node at work; one with a single step tells nothing."""
    done, most = number_in(part.get("value")), number_in(part.get("max"))
    if done is None or most is None or most <= 1 or part.get("state", "running") != "running":
        return None
    return min(max(done / most, 0.0), 1.0)


def _picture_in(message: bytes, prompt_id: str) -> Event | None:
    if len(message) < 8:
        return None
    kind, number = struct.unpack(">II", message[:8])
    if kind == PREVIEW:
        return Event(preview=message[8:])
    if kind != PREVIEW_WITH_FACTS:
        return None
    with suppress(ValueError, RecursionError):
        facts = object_in(json.loads(message[8 : 8 + number]))
        return Event(preview=message[8 + number :]) if facts.get("prompt_id") == prompt_id else None
    return None
