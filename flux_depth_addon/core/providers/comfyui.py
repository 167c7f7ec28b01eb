"""The protocol of ComfyUI, on the artist's own machine or network: upload, prompt, a question, a view; free.

Routes and fields follow ComfyUI's server.py and execution.py, of 0.3.64 and 0.33.0. From 0.6 on, one question tells of
a job in any state (/api/jobs/ID); of an older server the queue is asked while the job is in it, and then the history.
Which of them is asked next is kept as the task's polling_url, a path: QUEUED, RUNNING, or the history's. The id of a
job is ours from 0.3.45 on, and must be a UUID from 0.25 on.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

from ..causes import failure
from ..errors import InputError
from ..models import Model
from ..request import MAX_SEED, Request
from ..workflow import Workflow, chained, classes, filled, read, spots, value_at
from . import (
    Accepted,
    Answer,
    Call,
    Cancelled,
    Elsewhere,
    Event,
    Missing,
    Pending,
    Pictures,
    Protocol,
    Ready,
    Result,
    Task,
)
from ._comfyui import check_server, ended_badly, event_in, refused
from ._reading import object_in, refusal, seed_in, text_in, unusable

__all__ = ["PROTOCOL"]

SUBFOLDER = "flux_depth"
"""Of the server's folder of inputs: what we bring lies apart."""

QUEUED, RUNNING = "/queue", "/queue?running"
"""Where an older server is asked, by what it said last; it reads no query there."""

MAX_PROBED = 100
"""Classes of nodes that are asked about, one question each."""

SPACE = uuid.UUID("7e5ac9f1-7f0b-5c0e-9d61-0d6f2a4b8c13")
"""Of the ids that are made of a ticket."""


class ComfyUI(Protocol):
    """Upload, queue a graph, ask by id; the id is ours, so that a lost answer can be looked up."""

    def uploads(self, request: Request, model: Model, pictures: Pictures) -> Sequence[Call]:
        """The pictures, under names of their own: the same bytes have the same, and may be brought again."""
        _graph(request, model, pictures, "")  # what the workflow lacks is told before anything is sent
        return [_upload(picture) for picture in (pictures.control, pictures.start) if picture]

    def read_upload(self, answer: Answer, model: Model) -> None:
        """Whether it lies there."""
        if answer.status >= 500:
            raise unusable(answer, model)
        if answer.status >= 300:
            raise refusal(answer, model)
        if not text_in(object_in(answer.json).get("name")):
            raise failure("no_endpoint", provider=model.provider.label, status=answer.status)

    def submission(self, request: Request, model: Model, pictures: Pictures, ticket: str) -> Call:
        """The graph with everything at its place."""
        payload = {
            "prompt": _graph(request, model, pictures, ticket),
            "client_id": ticket,
            "prompt_id": _id(ticket),
            "extra_data": {"preview_method": "auto"},  # from 0.5 on; before, the server decides
        }
        return Call("POST", "/prompt", payload=payload)

    def read_submission(self, answer: Answer, model: Model) -> Accepted:
        """It is queued, for nothing; or which file or node is missing, and where it goes."""
        data = object_in(answer.json)
        if answer.status >= 300:
            raise refused(data, model) or refusal(answer, model)
        if prompt_id := text_in(data.get("prompt_id")):
            return Accepted(prompt_id, cost_usd=0.0)
        raise failure("answer_without_id", provider=model.provider.label)

    def question(self, model: Model, task: Task) -> Call:
        """The job in any state, or where an older server tells of it."""
        if task.polling_url.startswith("/queue"):
            return Call("GET", "/queue")
        return Call("GET", task.polling_url or f"/api/jobs/{quote(_id_of(task), safe='')}")

    def read_result(self, answer: Answer, model: Model, task: Task) -> Result:
        """Waiting, at work, done, or ended otherwise."""
        data = answer.json
        if answer.status == 404 and not task.polling_url:
            return Missing() if object_in(data) else Elsewhere(QUEUED)
        if answer.status >= 300 or not isinstance(data, dict):
            raise unusable(answer, model)
        if task.polling_url.startswith("/queue"):
            return _in_queue(answer, model, task)
        if task.polling_url:
            entry = object_in(data.get(_id_of(task)))
            return _judge(entry, object_in(entry.get("status")), _prompt_of(entry), model) if entry else Missing()
        if (state := text_in(data.get("status"))) not in ("completed", "failed", "cancelled"):
            return Pending(is_queued=state == "pending")
        prompt = object_in(object_in(data.get("workflow")).get("prompt"))
        return _judge(data, object_in(data.get("execution_status")), prompt, model)

    def shown(self, call: Call) -> Mapping[str, object]:
        """Every value by its node's title or class, and the classes of all nodes, in place of the graph itself."""
        rest = dict(call.payload or {})
        graph = object_in(rest.pop("prompt", None))
        rows: dict[str, object] = {}
        for node, facts in graph.items():
            values = {key: value for key, value in facts["inputs"].items() if not isinstance(value, list)}
            for key, value in values.items():
                label = _title(facts) or facts["class_type"]
                name = label if len(values) == 1 else f"{label}: {key}"
                rows[f"{name} ({node})" if name in rows else name] = value
        kinds = ", ".join(facts["class_type"] for facts in graph.values())
        return {**rows, "nodes": kinds, **super().shown(replace(call, payload=rest))}

    def stops(self, model: Model, task: Task) -> Sequence[Call]:
        """One call for a job in any state, which is there from 0.26 on; before, one for each state."""
        waiting = Call("POST", "/queue", payload={"delete": [_id_of(task)]})
        at_work = Call("POST", "/interrupt", payload={"prompt_id": _id_of(task)})
        any_state = Call("POST", f"/api/jobs/{quote(_id_of(task), safe='')}/cancel", payload={})
        # Before 0.3.57 an interruption stopped whatever was at work, whoever's it was: only where ours is known to be.
        return {QUEUED: (waiting,), RUNNING: (at_work,)}.get(task.polling_url, (any_state, waiting, at_work))

    def read_cancellation(self, answer: Answer, model: Model) -> Cancelled | None:
        """The calls for one state say nothing, nor do servers that have no such call; nothing costs anything here."""
        if answer.status >= 300 and answer.status not in (404, 405):
            raise unusable(answer, model)
        told = object_in(answer.json).get("cancelled")
        return Cancelled(is_free=True, is_late=not told) if isinstance(told, bool) else None

    def probes(self, model: Model) -> Sequence[Call]:
        """Who is there, and what it knows of each class of nodes that the workflow has."""
        kinds = classes(read(model.workflow))[:MAX_PROBED]
        return [Call("GET", "/system_stats"), *(Call("GET", f"/object_info/{quote(kind, safe='')}") for kind in kinds)]

    def read_probes(self, answers: Sequence[Answer], model: Model) -> str:
        """That all is there; raises what is missing, and where it goes."""
        check_server(answers, read(model.workflow), model)
        version = text_in(object_in(object_in(answers[0].json).get("system")).get("comfyui_version"))
        server = f"{model.provider.label} {version}".strip()
        return f"{server} answered and has all that this workflow needs. It costs nothing."

    def channel(self, model: Model, task: Task) -> str:
        """By the name that the submission gave itself: what is told there is told of its job."""
        return f"/ws?clientId={quote(task.ticket, safe='')}"

    def read_event(self, message: str | bytes, task: Task) -> Event | None:
        """A step of this job, or the picture so far."""
        return event_in(message, _id_of(task))


PROTOCOL = ComfyUI()


def _id(ticket: str) -> str:
    """Newer servers take only a UUID, written as this one is."""
    return str(uuid.uuid5(SPACE, ticket))


def _id_of(task: Task) -> str:
    return task.remote_id or _id(task.ticket)


def _name(picture: bytes) -> str:
    return f"{hashlib.sha256(picture).hexdigest()[:40]}.png"


def _upload(picture: bytes) -> Call:
    fields = {"type": "input", "subfolder": SUBFOLDER, "overwrite": "true"}
    return Call("POST", "/upload/image", payload=fields, files={"image": (_name(picture), picture, "image/png")})


def _graph(request: Request, model: Model, pictures: Pictures, ticket: str) -> dict[str, Any]:
    """The workflow for this request. Raises InputError where the workflow has no place for something of it."""
    workflow = read(model.workflow)
    drawn = int.from_bytes(hashlib.sha256(ticket.encode()).digest()[:8], "big") % MAX_SEED + 1
    values = {
        "picture": f"{SUBFOLDER}/{_name(pictures.control)}",
        "start": f"{SUBFOLDER}/{_name(pictures.start)}" if request.start else None,
        "prompt": request.prompt,
        # The file's own seed would make the same picture each time.
        "seed": drawn if request.seed is None else request.seed,
        "size": (request.framing.width, request.framing.height),
        **{name: getattr(request, name) for name in ("steps", "guidance", "strength", "control_strength")},
    }
    if request.loras and not spots(workflow, "lora"):
        raise InputError(f"{workflow.name} has no place for a LoRA: take the LoRAs away. Nothing was sent.")
    if spots(workflow, "start") and not request.start:
        raise InputError(f"{workflow.name} paints over a start picture: choose one. Nothing was sent.")
    graph = chained(filled(workflow, values), [(lora.path.strip(), lora.scale) for lora in request.loras])
    return _with_extra(graph, request.extra_fields, workflow.name)


def _with_extra(graph: dict[str, Any], fields: Mapping[str, object], name: str) -> dict[str, Any]:
    """What is passed through goes into an input: by the node's id, its title or its class, a dot, and its name."""
    for field, value in fields.items():
        wanted, _, key = field.rpartition(".")
        found = [node for node, facts in graph.items() if wanted in (node, facts["class_type"], _title(facts))]
        if not found or not key or isinstance(value, list):
            raise InputError(f"{name} has no input “{field}”: write it as NODE.INPUT. Nothing was sent.")
        for node in found:
            graph[node]["inputs"][key] = value
    return graph


def _title(node: Mapping[str, Any]) -> str:
    return str(object_in(node.get("_meta")).get("title", ""))


def _in_queue(answer: Answer, model: Model, task: Task) -> Result:
    """An older server's queue: once the job has left it, its history has it."""
    data = object_in(answer.json)
    if not isinstance(data.get("queue_running"), list):
        raise unusable(answer, model)
    if _has(data.get("queue_running"), _id_of(task)):
        return Pending() if task.polling_url == RUNNING else Elsewhere(RUNNING)
    if _has(data.get("queue_pending"), _id_of(task)):
        return Pending(is_queued=True) if task.polling_url == QUEUED else Elsewhere(QUEUED)
    return Elsewhere(f"/history/{quote(_id_of(task), safe='')}")


def _has(items: object, prompt_id: str) -> bool:
    """Whether a list of the queue's items, which are (number, id, graph, …), has that id."""
    return isinstance(items, list) and any(isinstance(item, list) and item[1:2] == [prompt_id] for item in items)


def _prompt_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The graph in an entry of the history."""
    item = entry.get("prompt")
    return object_in(item[2]) if isinstance(item, list) and len(item) > 2 else {}


def _judge(entry: Mapping[str, Any], status: Mapping[str, Any], prompt: dict[str, Any], model: Model) -> Result:
    """A job that has ended: its picture, or the error that it ended with."""
    if text_in(status.get("status_str")) == "error" or text_in(entry.get("status")) in ("failed", "cancelled"):
        raise ended_badly(entry, status, model)
    workflow = Workflow("", _sound(prompt))
    marked = [spot.node for spot in spots(workflow, "result")]
    if sample := _picture(object_in(entry.get("outputs")), marked, workflow.nodes):
        return Ready(sample, seed_in(value_at(workflow, "seed")), cost_usd=0.0)
    raise failure(
        "graph_failed",
        provider=model.provider.label,
        problem="ended the workflow without a picture",
        remedy="give the workflow a Save Image node, or choose another model",
    )


def _sound(prompt: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Of a graph that came back, the nodes that are some."""
    return {
        name: node
        for name, node in prompt.items()
        if isinstance(node, dict)
        and isinstance(node.get("inputs"), dict)
        and isinstance(node.get("class_type"), str)
        and isinstance(node.get("_meta", {}), dict)
    }


def _picture(outputs: Mapping[str, Any], marked: Sequence[str], nodes: Iterable[str]) -> str:
    """Where the picture is seen: a marked node's, else one that is kept, else any, in the order of the nodes."""
    found = [
        (node not in marked, item.get("type") != "output", order, item)
        for order, node in enumerate(dict.fromkeys([*marked, *nodes, *outputs]))
        for item in _items(object_in(outputs.get(node)).get("images"))
    ]
    if not found:
        return ""
    *_, item = min(found, key=lambda one: one[:3])
    return "/view?" + urlencode({name: text_in(item.get(name)) for name in ("filename", "subfolder", "type")})


def _items(images: object) -> list[dict[str, Any]]:
    listed = images if isinstance(images, list) else []
    return [item for item in listed if isinstance(item, dict) and text_in(item.get("filename"))]
