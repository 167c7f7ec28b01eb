"""The whole job from an empty file to a picture on the camera, and everything it made in one folder."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import bpy
import demo_scene
from PIL import Image

from flux_depth_addon import cli, placement

EPILOG = "--bpy VERSION chooses the Blender, as for every verb."
PROMPT = "a mediterranean living room in the afternoon, terracotta, plaster and olive wood"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line's exit code; 0 once everything lies in the folder."""
    options = _parser().parse_args(arguments)
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    scene = options.blend.absolute() if options.blend else build_scene(out / "interior.blend")
    result, report = out / "result.png", out / "outcome.json"
    asked = ["--provider", options.provider, "--prompt", options.prompt, "--seed", str(options.seed)]
    if options.provider != "sandbox":
        asked.append("--online-mode")
    kept = ["--data-dir", str(out / "journal"), "-o", str(result), "--json", str(report)]
    code = cli.main(["restyle", str(scene), *asked, *kept])
    if code:
        return code
    outcome = json.loads(report.read_text(encoding="utf-8"))
    made = {
        "the camera's view": render_view(scene, result, out / "view.png"),
        "the depth map": copy_picture(Path(outcome["control"]), out / "depth.png"),
        "the picture": result,
    }
    made["all three, side by side"] = side_by_side([*made.values()], out / "side-by-side.png")
    made["the scene with the picture on its camera"] = place_result(scene, result, out / "restyled.blend")
    for what, path in made.items():
        print(f"{path}  {what}")
    return 0


def build_scene(path: Path) -> Path:
    """The interior, saved."""
    demo_scene.build()
    bpy.ops.wm.save_as_mainfile(filepath=str(path), check_existing=False)
    return path


def place_result(blend: Path, result: Path, path: Path) -> Path:
    """Opens the scene anew, loads the picture, lays it on the camera, saves it all as `path`."""
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    placement.show_in_editor(placement.load(result))
    placement.put_behind(bpy.context.scene.camera, result)
    for image in bpy.data.images:
        if image.source == "FILE":  # the folder can be moved as a whole
            image.filepath = bpy.path.relpath(bpy.path.abspath(image.filepath), start=str(path.parent))
    bpy.ops.wm.save_as_mainfile(filepath=str(path), check_existing=False)
    return path


def render_view(blend: Path, like: Path, path: Path) -> Path:
    """A Workbench picture of the camera's view, as wide as `like`; the changed scene is not saved."""
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    scene = bpy.context.scene
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.display.shading.color_type = "MATERIAL"
    scene.display.shading.show_cavity = True
    scene.render.use_compositing = scene.render.use_sequencer = False
    scene.render.resolution_percentage = max(1, round(100 * Image.open(like).width / scene.render.resolution_x))
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return path


def copy_picture(source: Path, path: Path) -> Path:
    """The same bytes under a name that says what they are."""
    path.write_bytes(source.read_bytes())
    return path


def side_by_side(paths: Sequence[Path], path: Path) -> Path:
    """The pictures in a row, all as high as the lowest."""
    pictures = [Image.open(one).convert("RGB") for one in paths]
    height = min(picture.height for picture in pictures)
    fitted = [picture.resize((round(picture.width * height / picture.height), height)) for picture in pictures]
    row = Image.new("RGB", (sum(picture.width for picture in fitted), height))
    left = 0
    for picture in fitted:
        row.paste(picture, (left, 0))
        left += picture.width
    row.save(path)
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dev.py demo", description=__doc__, epilog=EPILOG)
    parser.add_argument("--out", type=Path, default=Path("demo-out"), metavar="DIR", help="default: demo-out/")
    parser.add_argument("--blend", type=Path, metavar="FILE", help="your own scene instead of the interior")
    parser.add_argument("--provider", default="sandbox", metavar="NAME", help="sandbox (offline), cometapi, bfl")
    parser.add_argument("--prompt", default=PROMPT, metavar="TEXT")
    parser.add_argument("--seed", type=int, default=2, metavar="N", help="the same seed, the same picture")
    return parser


if __name__ == "__main__":
    sys.exit(main())
