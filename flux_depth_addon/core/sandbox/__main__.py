"""The sandbox as a program of its own: `python -m core.sandbox --port N --delay S`."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core_dump import forbid_core_dumps
from .answers import Answer
from .endpoint import Behaviour, Sandbox


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted, or until stdin closes; the first line on stdout is the base address."""
    forbid_core_dumps()
    options = (parser := make_parser()).parse_args(argv)
    try:
        scripts = read_script(options.script) if options.script else {}
        behaviour = Behaviour(delay=options.delay, picture=options.picture, **scripts)
        with Sandbox(options.port, behaviour) as sandbox, contextlib.suppress(KeyboardInterrupt):
            print(sandbox.base, flush=True)
            wait(until_stdin_closes=options.until_stdin_closes)
    except (OSError, ValueError, TypeError, OverflowError) as error:
        parser.error(f"the sandbox cannot start: {error}")
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="sandbox", description="An offline endpoint that paints.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--delay", type=float, default=2.0, help="seconds until a picture is ready (2)")
    parser.add_argument("--picture", choices=("paint", "echo"), default="paint", help="echo: the map as sent")
    parser.add_argument("--script", type=Path, help="JSON: lists of first answers: submit, poll, result")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with whoever started this")
    return parser


def read_script(path: Path) -> dict[str, Any]:
    """The scripted answers of a JSON file as Behaviour's fields. Raises OSError, ValueError, TypeError."""
    script = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(script, dict):
        raise ValueError("the script is not a JSON object")
    return {f"{name}_answers": [one and Answer(**one) for one in answers] for name, answers in script.items()}


def wait(*, until_stdin_closes: bool) -> None:
    """Return when stdin ends, or never."""
    if until_stdin_closes:
        while sys.stdin.buffer.read(4096):
            pass
    else:
        for _ in itertools.count():
            time.sleep(3600)


if __name__ == "__main__":
    raise SystemExit(main())
