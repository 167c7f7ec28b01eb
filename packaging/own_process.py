"""What is measured in a process of its own: nothing is warm there that would be cold, or already in memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def held(scene: str, rounds: int) -> str:
    """How long captures of that scene hold Blender, as one phrase."""
    command = [sys.executable, str(ROOT / "packaging" / "stall.py"), scene, str(rounds)]
    surroundings = os.environ | {"PYTHONPATH": str(ROOT)}
    printed = subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL, env=surroundings)
    bare, ours, cycles = (float(told) for told in printed.split()[-3:])
    return f"{ours:.1f} s, a bare render {bare:.1f} s, Cycles {cycles:.1f} s"


def install(home: Path) -> None:
    """Our extension, and one that does nothing."""
    for name in ("flux_depth", "nothing"):
        target = home / "extensions" / "user_default" / name
        if name == "nothing":
            target.mkdir(parents=True)
            (target / "__init__.py").write_text("def register(): pass\ndef unregister(): pass\n")
        else:
            shutil.copytree(ROOT / "flux_depth_addon", target, ignore=shutil.ignore_patterns("__pycache__"))
        manifest = (ROOT / "blender_manifest.toml").read_text(encoding="utf-8")
        (target / "blender_manifest.toml").write_text(manifest.replace('"flux_depth"', f'"{name}"'), encoding="utf-8")


def enabling(home: str, name: str) -> float:
    """Seconds that a fresh Blender takes for it."""
    code = (
        f"import os; os.environ['BLENDER_USER_RESOURCES'] = {home!r}\n"
        "import bpy, addon_utils, time; started = time.perf_counter()\n"
        f"addon_utils.enable('bl_ext.user_default.{name}', default_set=True)\n"
        "print(); print(time.perf_counter() - started)"
    )
    as_blender = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}  # which a developer may have set, and no Blender has
    return float(subprocess.check_output([sys.executable, "-c", code], text=True, env=as_blender).split()[-1])


def sheet_of(picture: Path) -> tuple[float, float]:
    """Seconds for a hundred of this picture on one sheet, and megabytes beyond an empty process."""
    code = (
        "import resource, sys, time; from pathlib import Path\n"
        "from flux_depth_addon.core.contact_sheet import Tile, drawing, write_sheet\n"
        "from PIL import Image; Image.preinit()\n"
        "def most(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "file, before, began = Path(sys.argv[1]), most(), time.perf_counter()\n"
        "for sheet in drawing([Tile(file, ('seed 7', 'a model', 'a garden in the morning'))] * 100): pass\n"
        "write_sheet(sheet, file.with_name('sheet.jpg'))\n"
        "print(time.perf_counter() - began, most() - before)"
    )
    printed = subprocess.check_output([sys.executable, "-c", code, str(picture)], cwd=ROOT, text=True)
    took, more = printed.split()
    return float(took), int(more) * (1 if sys.platform == "darwin" else 1024) / 1e6


def peak(what: str) -> float:
    """Megabytes of a process that captures once, or only renders."""
    code = (
        "import bpy, resource, sys\n"
        "from flux_depth_addon.capture import capture\n"
        "from flux_depth_addon.core.framing import Framing\n"
        "scene = bpy.context.scene; scene.render.engine = 'BLENDER_WORKBENCH'\n"
        "scene.render.resolution_x = scene.render.resolution_y = 4096; scene.render.resolution_percentage = 100\n"
        "big = Framing(4096, 4096, 0, 0, 4096, 4096)\n"
        "capture(scene=scene, framing=big) if sys.argv[1] == 'capture' else bpy.ops.render.render()\n"
        "print(); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    printed = subprocess.check_output([sys.executable, "-c", code, what], cwd=ROOT, text=True)
    unit = 1 if sys.platform == "darwin" else 1024
    return int(printed.split()[-1]) * unit / 1e6
