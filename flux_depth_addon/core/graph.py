"""A ComfyUI graph in a stranger's file: read within bounds, and checked whole before anything else looks at it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .errors import InputError

__all__ = ["MAX_BYTES", "graph_in"]

MAX_BYTES = 2_000_000
MAX_NODES = 2000
MAX_INPUTS = 200
MAX_NAME = 200
"""Characters of a node's id, class, title, or of an input's name."""

EXPORT = "choose Workflow › Export (API) where it was made, and take that file"


def graph_in(data: bytes, name: str) -> dict[str, dict[str, Any]]:
    """The nodes that are written there, by id; raises InputError for what is no whole graph of sound nodes."""
    if len(data) > MAX_BYTES:
        raise InputError(f"{name} is larger than {MAX_BYTES:,} bytes: that is no workflow. Nothing was sent.")
    try:
        graph = json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise InputError(f"{name} is not a workflow: {EXPORT}. Nothing was sent.") from None
    if isinstance(graph, dict) and isinstance(graph.get("prompt"), dict) and "class_type" not in graph["prompt"]:
        graph = graph["prompt"]  # as it is posted
    if isinstance(graph, dict) and isinstance(graph.get("nodes"), list):
        raise InputError(f"{name} was saved for the window that it was made in: {EXPORT}. Nothing was sent.")
    if problem := next(_problems(graph), ""):
        raise InputError(f"{name} is not a whole workflow, {problem}: {EXPORT}. Nothing was sent.")
    nodes: dict[str, dict[str, Any]] = graph
    return nodes


def _problems(graph: object) -> Iterator[str]:
    """What is wrong with it, as the middle of a sentence."""
    if not isinstance(graph, dict) or not graph:
        yield "as it has no nodes"
        return
    if len(graph) > MAX_NODES:
        yield f"as it has more than {MAX_NODES:,} nodes"
        return
    for name, node in graph.items():
        if not (_is_name(name) and isinstance(node, dict) and _is_node(node)):
            yield f"as node {ascii(name)[1:40]} has no class or no inputs"
        else:
            lost = [key for key, value in node["inputs"].items() if _is_lost(value, graph)]
            yield from (f"as the input {key} of node {name} leads nowhere" for key in lost)


def _no_number(word: str) -> None:
    """Infinity and nan, which Python reads and no server does."""
    raise ValueError(word)


def _is_node(node: dict[str, Any]) -> bool:
    inputs, meta = node.get("inputs"), node.get("_meta", {})
    return (
        _is_name(node.get("class_type"))
        and isinstance(inputs, dict)
        and len(inputs) <= MAX_INPUTS
        and all(map(_is_name, inputs))
        and isinstance(meta, dict)
    )


def _is_lost(value: object, graph: Mapping[str, Any]) -> bool:
    """Whether it is a link, which is a node's id and the number of its output, to what is not there."""
    if not isinstance(value, list):
        return False
    return not (len(value) == 2 and isinstance(value[0], str) and value[0] in graph and type(value[1]) is int)


def _is_name(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text) <= MAX_NAME and text.isprintable()
