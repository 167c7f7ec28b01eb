"""The command line: `blender --command flux_depth VERB …`, or `python -m flux_depth_addon VERB …` with the wheel.

A verb is the module here of its name, whose `run` does what the arguments say.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..core.errors import FluxDepthError, JournalError
from .outcome import NO_OUTCOME, check_writable, say, write_json

if TYPE_CHECKING:
    import argparse

INTERRUPTED = 130


def main(argv: list[str]) -> int:
    """Do what the arguments say; returns the exit code that the README lists."""
    from .arguments import parser

    try:
        arguments = parser().parse_args(argv)
    except SystemExit as end:  # argparse has said what is wrong; Blender must not be left like this
        return int(end.code or 0)
    outcome, code = _outcome_of(arguments)
    if arguments.json:
        return write_json(arguments.json, outcome) or code
    return code


def _outcome_of(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    try:
        if arguments.json:
            check_writable(arguments.json, {arguments.json.suffix.lower()})
        if "preset" in arguments:
            import_module(".dials", __package__).complete(arguments)
        import_module("bpy")  # first: what else comes from Blender is only there with it
        return import_module(f".{arguments.verb}", __package__).run(arguments)
    except FluxDepthError as error:
        say(f"Error: {error}")
        described = {"error": {"kind": error.kind, "message": str(error)}, "charged": error.charged}
        return NO_OUTCOME | {"step": "FAILED"} | described, error.exit_code
    except JournalError as error:
        say(f"Error: {error}")
        return NO_OUTCOME | {
            "error": {"kind": "journal", "message": str(error)},
            "charged": "unknown",
        }, FluxDepthError.exit_code
    except KeyboardInterrupt:
        message = "Interrupted. What was already sent is in the journal: `resume` fetches it."
        say(message)
        return NO_OUTCOME | {"error": {"kind": "interrupted", "message": message}, "charged": "unknown"}, INTERRUPTED
