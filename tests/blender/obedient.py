"""A Blender that does what it is told: each line of its standard input is code, as JSON; each answer is a line too.

`{"value": of the last expression}` or `{"error": the traceback}`. Before each it does what the window's timers do, as
there is no window. Whatever Blender itself prints goes to the error output.
"""

from __future__ import annotations

import ast
import json
import os
import sys
import traceback
from typing import Any

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import bpy  # noqa: E402


class CompleteApp:
    """4.2 as a module lacks what its extension manager asks of the program."""

    python_args = ()

    def __init__(self, app: Any) -> None:
        self._app = app

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)


def tick() -> None:
    """The add-on's timer, as long as it is one."""
    watches = [module for name, module in sys.modules.items() if name.endswith(".flux_depth.watch")]
    for watch in watches:
        if bpy.app.timers.is_registered(watch._tick) and watch._tick() is None:
            bpy.app.timers.unregister(watch._tick)


def run(code: str) -> Any:
    """The value of the last expression."""
    body = ast.parse(code)
    names: dict[str, Any] = {"bpy": bpy}  # anew: what a name holds on to is not left over
    last = body.body.pop() if body.body and isinstance(body.body[-1], ast.Expr) else None
    exec(compile(body, "<test>", "exec"), names)
    return eval(compile(ast.Expression(last.value), "<test>", "eval"), names) if last else None


if __name__ == "__main__":
    if not hasattr(bpy.app, "python_args"):
        bpy.app = CompleteApp(bpy.app)
    for line in sys.stdin:
        try:
            tick()
            told = {"value": run(json.loads(line))}
        except Exception:
            told = {"error": traceback.format_exc()}
        print(json.dumps(told, default=str), file=answers, flush=True)
