"""Mends the type stubs of Blender that the shell is checked against: adds what our extension registers, corrects what
they have wrong. They describe Blender from its documentation, so what is not written there is not known to them.
"""

from __future__ import annotations

import re
import sysconfig
from pathlib import Path

ADDED = {
    "Scene(ID, bpy_struct)": "flux_depth: FLUXDEPTH_PG_settings\n    flux_depth_keep: FLUXDEPTH_PG_keep\n"
    "    flux_depth_shape: FLUXDEPTH_PG_shape\n    flux_depth_shot: FLUXDEPTH_PG_shot\n"
    "    flux_depth_variations: typing.Any\n    flux_depth_loras: typing.Any\n    flux_depth_start: typing.Any",
    "Object(ID, bpy_struct)": "flux_depth_camera: typing.Any",
    "WindowManager(ID, bpy_struct)": "flux_depth_job: int\n    flux_depth_live: bool\n    flux_depth_range: bool\n"
    "    flux_depth_jobs: bpy_prop_collection_idprop[FLUXDEPTH_PG_job]\n    flux_depth_compare: FLUXDEPTH_PG_compare\n"
    "    flux_depth_history: FLUXDEPTH_PG_history",
    "Gizmo(bpy_struct)": "end: str",
    "ContextTempOverride": "def __enter__(self) -> typing.Self: ...\n    def __exit__(self, *_: object) -> None: ...",
}
"""By class, what it has besides: our properties, and what 5.2's stubs leave out."""

SILENT = ("dimensions", "is_job_running", "load", "ray_cast", "register_classes_factory", "register_cli_command")
"""Functions of which 4.2's stubs say that they return nothing."""

PROPERTY = r"(?:Bool|Collection|Enum|Float|Int|Pointer|String)Property"
"""What is assigned to a class here, and read as a value from its instances."""

ARGUMENTS = r"(?:\[[^\]]*\])?\((?:[^()]|\([^()]*\))*\)"
CORRECTED = {
    rf"(def (?:{'|'.join(SILENT)}){ARGUMENTS}) -> None:": r"\1 -> typing.Any:",
    rf"(def {PROPERTY}{ARGUMENTS}) -> [^:]+:": r"\1 -> typing.Any:",
    r"(def (?:active|space_data)\(self\)) -> (?:None \| )?Space \| None:": r"\1 -> typing.Any:",  # its editor decides
    r"draw_func: collections\.abc\.Callable\[\[Context\], None\]": "draw_func: typing.Any",  # it gets the panel too
    rf"(def user_map){ARGUMENTS} -> [^:]+:": r"\1(self, **_: typing.Any) -> typing.Any:",  # 4.2: nothing optional
    r"(    engine: )typing\.Literal\[\"BLENDER_EEVEE\w*\"\]": r"\1str",  # add-ons register others
    r"(    name: )(?:typing\.Literal\[)?[\w.]*ColorSpaceConvertDefaultItems\]?": r"\1str",  # a file does
    rf"(def region_to_view{ARGUMENTS}) -> [^:]+:": r"\1 -> typing.Any:",  # it returns an array that they cannot walk
    r"list\[\s*collections\.abc\.Callable\[\[bpy\.types\.Scene[^\]]*\], None\]\s*\]": "list[typing.Any]",  # handlers
    r"^persistent: typing.Any$": "def persistent[F](function: F) -> F: ...",
}
"""By pattern, what stands there instead."""

PLACES = ("bpy-stubs/*", "bpy-stubs/app/handlers", "blf-stubs", "*bpy_types-stubs")


def mend(packages: Path) -> None:
    """Change the stubs that were installed there, once; ends where they are not as expected."""
    for file in (file for place in PLACES for file in packages.glob(f"{place}/__init__.pyi")):
        text = file.read_text(encoding="utf-8")
        for pattern, better in CORRECTED.items():
            text = re.sub(pattern, better, text, flags=re.MULTILINE)
        file.write_text(text, encoding="utf-8")
    _add(packages / "bpy-stubs/types/__init__.pyi")
    operators = packages / "bpy-stubs/ops/__init__.pyi"
    operators.write_text("from . import flux_depth as flux_depth\n" + operators.read_text(encoding="utf-8"))
    operators.with_name("flux_depth.pyi").write_text("import typing\n\ndef __getattr__(name: str) -> typing.Any: ...\n")


def _add(types: Path) -> None:
    for header, lines in ADDED.items():
        _replace(types, f"\nclass {header}:\n", f"\nclass {header}:\n    {lines}\n")
    ours = "from flux_depth_addon.compare import FLUXDEPTH_PG_compare\n"
    ours += "from flux_depth_addon.keep import FLUXDEPTH_PG_keep\n"
    ours += "from flux_depth_addon.faithfulness import FLUXDEPTH_PG_shape\n"
    ours += "from flux_depth_addon.gallery_panel import FLUXDEPTH_PG_history\n"
    ours += "from flux_depth_addon.properties import FLUXDEPTH_PG_job, FLUXDEPTH_PG_settings\n"
    ours += "from flux_depth_addon.shot import FLUXDEPTH_PG_shot\n"
    types.write_text(ours + types.read_text(encoding="utf-8"), encoding="utf-8")


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise SystemExit(f"{file} is not as packaging/stubs.py expects it: look for {old.strip()!r}.")
    file.write_text(text.replace(old, new), encoding="utf-8")


if __name__ == "__main__":
    mend(Path(sysconfig.get_path("purelib")))
