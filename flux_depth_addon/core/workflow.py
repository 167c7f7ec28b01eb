"""A ComfyUI workflow as data: its places found, filled and marked, and the files that it needs.

A place is where something of a request goes: the picture, the prompt, the seed and so on. A workflow marks it by the
title of a node; where it does not, what could be the place is told, for a menu. Nothing of a workflow is ever run here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from .errors import InputError
from .graph import MAX_BYTES, graph_in

__all__ = [
    "FOLDERS",
    "PLACES",
    "TITLE",
    "ModelFile",
    "Place",
    "Spot",
    "Workflow",
    "candidates",
    "chained",
    "classes",
    "filled",
    "folder_of",
    "marked",
    "model_files",
    "parse",
    "read",
    "spots",
    "unmarked",
    "value_at",
    "written",
]

SHIPPED = Path(__file__).with_name("workflows")


class Place(NamedTuple):
    """Where something of a request goes."""

    word: str
    """How a node there is titled, behind “FLUX Depth”."""
    inputs: tuple[str, ...]
    """Which of its inputs are filled, of those that it has; all of them, as two prompts of one node are the same."""
    kind: type | tuple[type, ...]
    """What stands in such an input in the file."""
    needed: bool = False

    @property
    def title(self) -> str:
        """The whole title."""
        return f"{TITLE} {self.word}"


TITLE = "FLUX Depth"
"""How the title of a marked node begins; the words of its places follow, as in “FLUX Depth Seed, Steps”."""

PLACES: dict[str, Place] = {
    "picture": Place("Picture", ("image",), str, needed=True),
    "prompt": Place(
        "Prompt",
        ("text", "text_g", "text_l", "clip_l", "t5xxl", "prompt", "positive", "string", "value"),
        str,
        needed=True,
    ),
    "seed": Place("Seed", ("seed", "noise_seed", "value"), int, needed=True),
    "size": Place("Size", ("width", "height"), int),
    "steps": Place("Steps", ("steps", "value"), int),
    "guidance": Place("Guidance", ("guidance", "cfg", "value"), (int, float)),
    "strength": Place("Strength", ("denoise", "value"), (int, float)),
    "control_strength": Place("Control", ("strength", "strength_model", "value"), (int, float)),
    "lora": Place("LoRA", ("lora_name",), str),
    "start": Place("Start", ("image",), str),
    "result": Place("Result", ("images",), list),
}
"""The places of a workflow; what is marked as `result` is taken where several nodes save a picture."""

FOLDERS: dict[str, str] = {
    "unet_name": "diffusion_models",
    "ckpt_name": "checkpoints",
    "vae_name": "vae",
    "lora_name": "loras",
    "control_net_name": "controlnet",
    "style_model_name": "style_models",
    "gligen_name": "gligen",
    "hypernetwork_name": "hypernetworks",
    "photomaker_model_name": "photomaker",
    **dict.fromkeys(("clip_name", "clip_name1", "clip_name2", "clip_name3", "clip_name4"), "text_encoders"),
    "CLIPVisionLoader.clip_name": "clip_vision",
    "UpscaleModelLoader.model_name": "upscale_models",
    "ModelPatchLoader.name": "model_patches",
    "AudioEncoderLoader.audio_encoder_name": "audio_encoders",
}
"""Below `models`, where a file that is named in an input is looked for, as ComfyUI's nodes.py and comfy_extras say; an
input means the same to most classes, and of the others the class stands before it."""

FILES = (".safetensors", ".sft", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".gguf", ".pkl")
"""How a model's file ends: as ComfyUI's folder_paths.py has it, and besides what a known loader of others takes."""


class Spot(NamedTuple):
    """A node that is a place, or could be."""

    node: str
    label: str
    """As a menu shows it: title or class, and id."""
    inputs: tuple[str, ...]


class ModelFile(NamedTuple):
    """A file that a workflow needs on the server."""

    node: str
    kind: str
    """The class of the node."""
    input: str
    name: str
    folder: str
    """Below `models`; empty where nobody knows."""


@dataclass(frozen=True)
class Workflow:
    """A sound graph: by id, nodes that have a class and inputs, and whose links lead to one another."""

    name: str
    """The file's, for sentences."""
    nodes: Mapping[str, dict[str, Any]]


def read(path: Path | str) -> Workflow:
    """The workflow in that file; a name alone is one that ships. Raises InputError."""
    file = SHIPPED / path
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    except OSError:
        raise InputError(f"The workflow {file.name} cannot be read: choose it anew. Nothing was sent.") from None
    return parse(data, file.name)


def parse(data: bytes, name: str) -> Workflow:
    """The workflow that is written there, checked whole; raises InputError."""
    return Workflow(name, graph_in(data, name))


def written(workflow: Workflow) -> bytes:
    """As a file, which `parse` reads."""
    return json.dumps(workflow.nodes, indent=2).encode()


def classes(workflow: Workflow) -> tuple[str, ...]:
    """The classes of nodes that the server must have, each once, in order."""
    return tuple(dict.fromkeys(node["class_type"] for node in workflow.nodes.values()))


def model_files(workflow: Workflow) -> tuple[ModelFile, ...]:
    """The files that the server must have, in order."""
    return tuple(
        ModelFile(name, node["class_type"], key, value, folder_of(node["class_type"], key))
        for name, node in workflow.nodes.items()
        if "lora" not in _places(node)  # the request names those
        for key, value in node["inputs"].items()
        if isinstance(value, str) and value.lower().endswith(FILES)
    )


def folder_of(kind: str, name: str) -> str:
    """Below `models`, the folder for what that input of that class names; empty where nobody knows."""
    return FOLDERS.get(f"{kind}.{name}") or FOLDERS.get(name, "")


def spots(workflow: Workflow, place: str) -> tuple[Spot, ...]:
    """The nodes that are marked as that place."""
    return tuple(
        Spot(node, _label(node, workflow), _open_inputs(workflow.nodes[node], place))
        for node in workflow.nodes
        if place in _places(workflow.nodes[node])
    )


def candidates(workflow: Workflow, place: str) -> tuple[Spot, ...]:
    """The nodes that could be that place: one of its inputs holds such a value."""
    return tuple(
        Spot(node, _label(node, workflow), inputs)
        for node in workflow.nodes
        if (inputs := _open_inputs(workflow.nodes[node], place))
    )


def unmarked(workflow: Workflow) -> tuple[str, ...]:
    """The places that a request needs and that the workflow does not mark."""
    return tuple(
        place
        for place, facts in PLACES.items()
        if facts.needed and not any(spot.inputs for spot in spots(workflow, place))
    )


def marked(workflow: Workflow, chosen: Mapping[str, str]) -> Workflow:
    """A copy in which, by place, that node and no other is marked; an empty node marks none. Raises InputError."""
    nodes = deepcopy(dict(workflow.nodes))
    for place, node in chosen.items():
        if node and not any(spot.node == node for spot in candidates(workflow, place)):
            raise InputError(f"Node {node[:80]} of {workflow.name} cannot be the place of the {PLACES[place].word}.")
        for name, facts in nodes.items():
            before = _places(facts)
            after = [one for one in PLACES if (name == node if one == place else one in before)]
            if set(after) != set(before):
                title = f"{TITLE} {', '.join(PLACES[one].word for one in after)}" if after else facts["class_type"]
                facts["_meta"] = {"title": title}
    return Workflow(workflow.name, nodes)


def value_at(workflow: Workflow, place: str) -> Any:
    """What stands at that place in the file, or None."""
    found = (workflow.nodes[spot.node]["inputs"][spot.inputs[0]] for spot in spots(workflow, place) if spot.inputs)
    return next(found, None)


def filled(workflow: Workflow, values: Mapping[str, object]) -> dict[str, Any]:
    """The graph with these values at their places; `size` is (width, height), and a value of None leaves what is there.

    Without a place for the size, the picture's own size is the model's. `lora` is not filled here but chained.
    Raises InputError for any other value that has no place.
    """
    nodes = deepcopy(dict(workflow.nodes))
    for place, value in values.items():
        found = [(spot.node, name) for spot in spots(workflow, place) for name in spot.inputs]
        if value is not None and not found and place != "size":
            raise InputError(
                f"{workflow.name} has no node titled “{PLACES[place].title}”: choose its places. Nothing was sent."
            )
        for node, name in found if value is not None else ():
            nodes[node]["inputs"][name] = value[name == "height"] if isinstance(value, tuple) else value
    return nodes


def chained(graph: dict[str, Any], loras: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """The graph with as many LoRAs, one behind the other, as are given, where the marked one stands; none takes it out.

    Of marked ones in a row, the first stands for all. A graph in which none is marked stays as it is.
    """
    places = [node for node in graph if "lora" in _places(graph[node])]
    followers = [node for node in places if any(link[0] in places for link in _through(graph[node]).values())]
    for node in followers:
        _put(graph, node, ())
    for node in places:
        if node not in followers:
            _put(graph, node, loras)
    return graph


def _put(graph: dict[str, Any], first: str, loras: Sequence[tuple[str, float]]) -> None:
    """In the place of that node."""
    readers = [node for node in graph if node != first]
    pattern = graph.pop(first)
    through = _through(pattern)
    for number, (name, weight) in enumerate(loras):
        node = first if number == 0 else _unused(graph, f"{first}-lora-{number + 1}")
        graph[node] = _lora(pattern, through, name, weight)
        through = {slot: [node, slot] for slot in through}
    for reader in readers:
        for key, value in graph[reader]["inputs"].items():
            if isinstance(value, list) and value[:1] == [first] and value[1] in through:
                graph[reader]["inputs"][key] = through[value[1]]


def _through(node: Mapping[str, Any]) -> dict[int, list[Any]]:
    """By the number of its output, what goes through a LoRA."""
    links = [node["inputs"].get(name) for name in ("model", "clip")]
    return {slot: link for slot, link in enumerate(links) if isinstance(link, list)}


def _lora(pattern: Mapping[str, Any], through: Mapping[int, list[Any]], name: str, weight: float) -> dict[str, Any]:
    node = deepcopy(dict(pattern))
    inputs = node["inputs"]
    inputs["lora_name"] = name
    inputs |= {key: weight for key in ("strength_model", "strength_clip") if key in inputs}
    inputs |= {key: through[slot] for slot, key in enumerate(("model", "clip")) if slot in through}
    return node


def _unused(graph: Mapping[str, Any], name: str) -> str:
    while name in graph:
        name += "-"
    return name


def _title(node: Mapping[str, Any]) -> str:
    title = node.get("_meta", {}).get("title")
    return " ".join(title.split()) if isinstance(title, str) else ""


def _places(node: Mapping[str, Any]) -> list[str]:
    """The places that a node's title names."""
    title = _title(node).lower()
    words = re.split(r"\s*[,+&/]\s*|\s+and\s+", title.removeprefix(TITLE.lower()).strip(" :–-"))
    return [place for place, facts in PLACES.items() if title.startswith(TITLE.lower()) and facts.word.lower() in words]


def _label(node: str, workflow: Workflow) -> str:
    kind, title = workflow.nodes[node]["class_type"], _title(workflow.nodes[node])
    return f"{title} · {kind} ({node})" if title and title != kind else f"{kind} ({node})"


def _open_inputs(node: Mapping[str, Any], place: str) -> tuple[str, ...]:
    """The inputs that the place fills: a value of its kind stands there. A result is one by what leads to it."""
    kind = PLACES[place].kind
    return tuple(
        name
        for name in PLACES[place].inputs
        if isinstance(value := node["inputs"].get(name), kind) and not isinstance(value, bool)
    )
