"""The one table of causes: whatever ends a job says what happened, what it cost and what to do, and offers a button."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest

import flux_depth_addon
from flux_depth_addon.core.causes import CAUSES, failure
from flux_depth_addon.core.errors import COSTS, Action

CORE = Path(flux_depth_addon.__file__).parent / "core"
FACTS = {
    "provider": "CometAPI", "model": "FLUX.1 Depth", "reason": ": “why”", "status": 418, "minutes": "10 minutes",
    "or_set": ", or set COMETAPI_KEY", "problem": "CometAPI gave no usable answer", "error": "KeyError",
    "cap": 5.0, "spent": 4.96, "variable": "SSL_CERT_FILE", "keeps": "for about ten minutes",
    "what": "a node", "remedy": "install it",
}  # fmt: skip


@pytest.mark.parametrize("name", CAUSES)
def test_a_cause_says_what_happened_what_it_cost_and_what_to_do(name: str) -> None:
    error = failure(name, **FACTS)
    happened, cost_and_remedy = str(error).split(f". {COSTS[error.cost][1]}: ")
    assert re.match(r"[A-Z]", happened)
    assert cost_and_remedy.endswith(".")
    assert cost_and_remedy[0].islower()
    assert str(error).isprintable()


@pytest.mark.parametrize("name", CAUSES)
def test_a_cause_offers_a_button(name: str) -> None:
    assert failure(name, **FACTS).action in set(get_args(Action)) - {""}


def test_every_fact_of_the_table_is_one_that_is_known() -> None:
    texts = [text for cause in CAUSES.values() for text in (cause.happened, cause.remedy)]
    assert {name for text in texts for _, name, _, _ in Formatter().parse(text) if name} == FACTS.keys()


def test_every_cause_is_raised_somewhere_and_no_other_is() -> None:
    assert raised() == CAUSES.keys()


def raised() -> set[str]:
    """Every text in core that could name a cause: the arguments of `failure`, and the tables that feed it."""
    texts = set()
    for file in CORE.rglob("*.py"):
        if file.name != "causes.py":
            tree = ast.parse(file.read_text(encoding="utf-8"))
            texts |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "failure":
                    named = node.args[0]
                    assert not isinstance(named, ast.Constant) or named.value in CAUSES, named.value
    return texts & CAUSES.keys()
