"""The command line's arguments; what a verb does is in the module of its name."""

from __future__ import annotations

import argparse
from pathlib import Path

MAX_FRAME = 1048574
"""Blender's own last frame."""


def parser() -> argparse.ArgumentParser:
    """What understands the command line; the verb is in `verb`."""
    whole = argparse.ArgumentParser(prog="flux_depth", description="The scene's depth and a prompt become a picture.")
    verbs = whole.add_subparsers(dest="verb", metavar="VERB", required=True)
    everywhere, shared = _everywhere(), _shared()
    depth = verbs.add_parser("depth", parents=[everywhere, shared], help="write the control image: no network, no key")
    depth.add_argument("-o", "--output", type=Path, required=True, metavar="MAP.png")
    painting = [everywhere, _online(), shared, _painting()]
    _add_restyle(verbs.add_parser("restyle", parents=painting, help="the whole job"))
    _add_grid(verbs.add_parser("grid", parents=painting, help="many at once: prompts, seeds, models, cameras, frames"))
    _add_shot(verbs.add_parser("shot", parents=painting, help="the missing frames of a shot"))
    _add_sheet(verbs.add_parser("sheet", parents=[everywhere], help="lay pictures small on one sheet"))
    provenance = verbs.add_parser("provenance", parents=[everywhere], help="what a picture says of itself")
    provenance.add_argument("picture", type=Path, metavar="PICTURE")
    provenance.add_argument("--sidecar", action="store_true", help="write it beside the picture too")
    _add_keep(verbs.add_parser("keep", parents=[everywhere], help="lay rendered objects over a picture: no network"))
    _add_project(verbs.add_parser("project", parents=[everywhere], help="lay pictures on what their cameras see"))
    verbs.add_parser("presets", parents=[everywhere], help="list the presets")
    verbs.add_parser("facts", parents=[everywhere, _scene()], help="print what a prompt could say of the scene")
    jobs = verbs.add_parser("jobs", parents=[everywhere, _online()], help="list the journal, or cancel one of its jobs")
    jobs.add_argument("--cancel", metavar="ID", help="give this job up, and have its provider stop where it can")
    _add_history(verbs.add_parser("history", parents=[everywhere], help="look for pictures; keep or delete one"))
    verbs.add_parser("resume", parents=[everywhere, _online()], help="finish what was left")
    sandbox = verbs.add_parser("sandbox", parents=[everywhere], help="serve the offline endpoint until stopped")
    sandbox.add_argument("--port", type=int, default=0, help="0: any that is free")
    return whole


def _everywhere() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--data-dir", metavar="DIR", help="the journal's folder (or $FLUX_DEPTH_DATA)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcome as one JSON object")
    return parser


def _online() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--online-mode", action="store_true", help="allow online access for this run")
    parser.add_argument(
        "--allow-http",
        action="store_true",
        help="ask another computer over plain http, which whoever is in between can read and change; never with a key",
    )
    return parser


def _scene() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("scene_file", type=Path, metavar="SCENE.blend")
    parser.add_argument("--scene", metavar="NAME", help="default: the file's active scene")
    parser.add_argument("--camera", metavar="NAME", help="default: the scene's active camera")
    parser.add_argument("--frame", type=_frame, metavar="N", help="default: the file's current frame")
    return parser


def _shared() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False, parents=[_scene()])
    parser.add_argument("--near", type=float, metavar="METRES", help="default: from the depths in view")
    parser.add_argument("--far", type=float, metavar="METRES", help="default: from the depths in view")
    parser.add_argument("--control", choices=("depth", "clay"), default="depth", help="what the model is shown")
    parser.add_argument("--curve", choices=("disparity", "linear"))
    parser.add_argument("--engine", choices=("workbench", "cycles", "scene"), type=str.lower)
    parser.add_argument("--megapixels", type=float, metavar="MP", help="default: the most that the model takes")
    parser.add_argument("--preset", metavar="NAME|FILE", help="a preset's settings, where nothing else is said")
    parser.add_argument(
        "--faithfulness", metavar="STOP", help="exact, close, balanced, loose or inspired", type=str.lower
    )
    parser.add_argument("--detail", type=float, metavar="X", help="fine relief: 0 none, 1 as rendered, up to 3")
    parser.add_argument("--blur", type=float, metavar="SHARE", help="of the map's height, up to 0.1")
    parser.add_argument("--gamma", type=float, metavar="X", help="above 1, the distance sinks into black")
    return parser


def _painting() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--provider", metavar="NAME", help="as in the table of models; default: its first choice")
    parser.add_argument("--url", default="", metavar="BASE", help="a base address in place of the provider's own")
    parser.add_argument(
        "--key-header",
        metavar="NAME",
        help="of a server of your own: the header that holds its key, as x-key or Authorization; '' for no key",
    )
    parser.add_argument(
        "--workflow", type=Path, metavar="FILE.json", help="a workflow of your own, in API format: it is the model"
    )
    parser.add_argument("--seed", type=int, metavar="N")
    parser.add_argument("--anew", action="store_true", help="pay again for what was painted with this very seed")
    parser.add_argument("--steps", type=int, metavar="N")
    parser.add_argument("--guidance", type=float, metavar="X")
    parser.add_argument("--finetune-id", default="", metavar="ID")
    parser.add_argument("--finetune-strength", type=float, metavar="X")
    parser.add_argument("--prompt-upsampling", action=argparse.BooleanOptionalAction)
    parser.add_argument("--safety-tolerance", type=int, metavar="N")
    parser.add_argument("--output-format", choices=("png", "jpeg", "webp"))
    parser.add_argument("--start", type=Path, metavar="FILE", help="a picture that is painted over")
    parser.add_argument("--strength", type=float, metavar="X", help="how far: 0 leaves it, 1 forgets it")
    parser.add_argument("--control-strength", type=float, metavar="X", help="how much the control image counts")
    parser.add_argument("--lora", action="append", default=[], metavar="PATH[=WEIGHT]", help="repeatable")
    parser.add_argument("--extra", action="append", default=[], metavar="NAME=JSON", help="passed through; repeatable")
    parser.add_argument(
        "--provenance",
        choices=("picture", "sidecar", "mark"),
        default="picture",
        help="how it was made: in the picture, beside it too, or only that AI made it",
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=600.0,
        metavar="SECONDS",
        help="without the picture, a further step or a queue",
    )
    return parser


def _add_restyle(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.png")
    parser.add_argument("--prompt", required=True, metavar="TEXT")
    parser.add_argument("--model", default="", metavar="NAME", help="default: the provider's first")


def _add_grid(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--prompt", action="append", required=True, metavar="TEXT", help="as often as there are")
    parser.add_argument("--model", action="append", metavar="NAME", help="as often as there are, of any provider")
    parser.add_argument("--seeds", type=_count, default=1, metavar="COUNT", help="from --seed on, else from any")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--cameras", action="append", metavar="A,B", help="names, with commas or one at a time")
    where.add_argument("--markers", action="store_true", help="cameras at timeline markers, at the markers' frames")
    parser.add_argument("--frames", metavar="1-48:12", help="default: the file's current frame")
    parser.add_argument("--note", action="append", default=[], metavar="CAMERA=TEXT", help="added to its prompts")
    parser.add_argument("--max-usd", type=float, metavar="X", help="refuse a grid that costs more")
    parser.add_argument("--dry-run", action="store_true", help="say how many and for how much, and end")
    parser.add_argument("--sheet", type=Path, metavar="SHEET.jpg", help="a contact sheet of them")


def _add_shot(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="its frames bear its name")
    parser.add_argument("--prompt", default="", metavar="TEXT", help="begins the shot; without it, it is gone on with")
    parser.add_argument("--frames", default="", metavar="A-B[:STEP]", help="of the whole shot; default: the scene's")
    parser.add_argument("--resume-at", type=int, metavar="N", help="leave out the frames before this one")
    parser.add_argument("--lock-only", action="store_true", help="find range and seed: no network, no key, free")
    parser.add_argument("--model", default="", metavar="NAME", help="default: the provider's first")


def _add_sheet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="SHEET.jpg")
    parser.add_argument("--batch", default="", metavar="ID", help="what was asked for together")
    parser.add_argument("--favourites", action="store_true")
    parser.add_argument("pictures", type=Path, nargs="*", metavar="PICTURE")


def _count(text: str) -> int:
    count = int(text)
    if not 0 < count <= 1000:
        raise argparse.ArgumentTypeError("must be from 1 to 1000")
    return count


def _add_keep(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scene_file", type=Path, metavar="SCENE.blend")
    picture = parser.add_mutually_exclusive_group(required=True)
    picture.add_argument("--picture", type=Path, metavar="RESULT.png", help="made from this camera, at this frame")
    picture.add_argument("--job", metavar="ID", help="its picture, scene, camera and frame")
    parser.add_argument("--object", action="append", default=[], metavar="NAME", help="what to keep; repeatable")
    parser.add_argument("--collection", action="append", default=[], metavar="NAME", help="repeatable")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.png")
    parser.add_argument("--mask", type=Path, metavar="MASK.png", help="write where they are, too")
    parser.add_argument("--scene", metavar="NAME", help="default: the job's, or the file's active scene")
    parser.add_argument("--camera", metavar="NAME", help="default: the job's, or the scene's active camera")
    parser.add_argument("--frame", type=_frame, metavar="N", help="default: the job's, or the file's current frame")


def _add_history(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--search", default="", metavar="WORDS", help="all of them are in the prompt")
    parser.add_argument("--scene", default="", metavar="NAME")
    parser.add_argument("--camera", default="", metavar="NAME")
    parser.add_argument("--favourites", action="store_true", help="only those with a star")
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--favourite", metavar="ID", help="give this picture a star")
    one.add_argument("--no-favourite", metavar="ID", help="take its star away")
    one.add_argument("--delete", metavar="ID", help="move this picture to the system's bin; with --yes")
    parser.add_argument("--yes", action="store_true", help="delete without a question")


def _add_project(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scene_file", type=Path, metavar="SCENE.blend")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.blend")
    parser.add_argument("--job", action="append", default=[], metavar="ID", help="a picture of the journal; repeatable")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="a picture of the camera's frame")
    parser.add_argument("--view", action="append", type=_view, default=[], metavar="CAMERA=FILE", help="repeatable")
    parser.add_argument("--object", action="append", metavar="NAME", help="repeatable; default: all that is seen")
    parser.add_argument("--scene", metavar="NAME", help="default: the file's active scene")
    parser.add_argument("--camera", metavar="NAME", help="of --picture; default: the scene's active camera")
    parser.add_argument("--frame", type=_frame, metavar="N", help="of --picture and --view; default: the file's own")
    parser.add_argument("--engine", choices=("workbench", "cycles", "scene"), default="workbench", type=str.lower)
    parser.add_argument("--look", choices=("painted", "lit"), help="default: the file's own")
    parser.add_argument("--falloff", type=float, metavar="X", help="default: the file's own")


def _view(text: str) -> tuple[str, Path]:
    camera, equals, file = text.partition("=")
    if not (camera and equals and file):
        raise argparse.ArgumentTypeError("must be CAMERA=FILE")
    return camera, Path(file)


def _frame(text: str) -> float:
    frame = float(text)
    if not abs(frame) <= MAX_FRAME:
        raise argparse.ArgumentTypeError(f"must be from -{MAX_FRAME} to {MAX_FRAME}")
    return frame


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 86400:
        raise argparse.ArgumentTypeError("must be more than 0 and at most 86400 seconds")
    return seconds
