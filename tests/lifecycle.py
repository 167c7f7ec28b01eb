"""What happens to an extension in a Blender, from its installation to its removal, with or without a window."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Protocol

REPOSITORY = "ours"
"""The name of the repository that is added; nothing that is installed has it in its own name."""


class Blender(Protocol):
    """Somebody who has one."""

    def python(self, code: str) -> Any:
        """The value of the last expression of this code, run in that Blender."""


def wait_until(blender: Blender, expression: str, seconds: float = 30) -> Any:
    """The expression's value once it is true in Blender."""
    end = time.monotonic() + seconds
    while not (value := blender.python(expression)):
        assert time.monotonic() < end, f"after {seconds} s still not: {expression}"
        time.sleep(0.05)
    return value


def part(name: str, repository: str = REPOSITORY) -> str:
    """The expression for a module of the extension."""
    return f"__import__('sys').modules['bl_ext.{repository}.flux_depth.{name}']"


# The extension manager.


def add_repository(blender: Blender, url: str) -> None:
    """Preferences > Get Extensions > Repositories > Add Remote Repository, and Allow Online Access."""
    blender.python(
        "preferences = bpy.context.preferences\n"
        "preferences.system.use_online_access = True\n"
        f"preferences.extensions.repos.new(name='Ours', module={REPOSITORY!r}, remote_url={url!r})"
    )


def sync(blender: Blender) -> None:
    """Check for Updates."""
    _manage(blender, "repo_sync")


def install(blender: Blender) -> None:
    """Install, from the repository."""
    _manage(blender, "package_install", "pkg_id='flux_depth', enable_on_install=True")


def upgrade(blender: Blender) -> None:
    """Install Available Updates."""
    assert "FINISHED" in blender.python("list(bpy.ops.extensions.package_upgrade_all())")


def uninstall(blender: Blender) -> None:
    """Uninstall."""
    _manage(blender, "package_uninstall", "pkg_id='flux_depth'")


def install_from_disk(blender: Blender, extension: Path) -> None:
    """Install from Disk."""
    done = f"filepath={str(extension)!r}, repo='user_default', enable_on_install=True"
    assert "FINISHED" in blender.python(f"list(bpy.ops.extensions.package_install_files({done}))")


def _manage(blender: Blender, operator: str, arguments: str = "") -> None:
    done = blender.python(
        f"modules = [repo.module for repo in bpy.context.preferences.extensions.repos]\n"
        f"list(bpy.ops.extensions.{operator}(repo_index=modules.index({REPOSITORY!r}), {arguments}))"
    )
    assert "FINISHED" in done


# The extension.


def save(blender: Blender, path: Path) -> None:
    """File > Save As, in a form that the watch over keys can read wherever it runs."""
    blender.python(f"bpy.ops.wm.save_as_mainfile(filepath={str(path)!r}, compress=False)")


def picture(blender: Blender) -> Path:
    """One more picture, out of the sandbox."""
    return result(blender, click(blender, "sandbox"))


def result(blender: Blender, job: str) -> Path:
    """The picture of that job, once it is there."""
    jobs = f"{part('watch')}.jobs"
    told = f"{jobs}[{job!r}]"
    wait_until(blender, f"{job!r} in {jobs} and {told}.is_final")
    assert blender.python(f"{told}.error_message") == ""
    return Path(blender.python(f"{told}.result"))


def click(blender: Blender, model: str, repository: str = REPOSITORY) -> str:
    """Press Generate; the job's id."""
    return str(
        blender.python(
            "settings = bpy.context.scene.flux_depth\n"
            f"settings.model_id, settings.prompt, settings.megapixels = {model!r}, 'a garden', 0.1\n"
            "bpy.ops.flux_depth.generate()\n"
            f"next(iter({part('watch', repository)}.jobs))"
        )
    )


LEFTOVERS = """
import gc
import sys
from pathlib import Path

def is_ours(thing):
    module = getattr(thing, "__module__", None)
    return isinstance(module, str) and module.startswith("bl_ext.") and ".flux_depth" in module

def everywhere():
    yield from (f"module {name}" for name in sys.modules if name.startswith("bl_ext.") and ".flux_depth" in name)
    for name in dir(bpy.types):
        kind = getattr(bpy.types, name)
        if name.upper().startswith(("FLUXDEPTH_", "FLUX_DEPTH")):
            yield f"class {name}"
        if rna := getattr(kind, "bl_rna", None):
            yield from (f"property {name}.{one}" for one in rna.properties.keys() if one.startswith("flux_depth"))
        draws = getattr(getattr(kind, "draw", None), "_draw_funcs", ())
        yield from (f"entry of {name}" for draw in draws if is_ours(draw))
    for name in dir(bpy.app.handlers):
        handlers = getattr(bpy.app.handlers, name)
        if isinstance(handlers, list):
            yield from (f"handler {name}" for handler in handlers if is_ours(handler))
    for configuration in bpy.context.window_manager.keyconfigs:
        for keymap in configuration.keymaps:
            yield from (f"key {item.idname}" for item in keymap.keymap_items if item.idname.startswith("flux_depth."))
    gc.collect()
    ours = [thing for thing in gc.get_objects() if is_ours(thing)]
    yield from (f"timer {thing}" for thing in ours if callable(thing) and bpy.app.timers.is_registered(thing))
    if bpy.app.version >= (4, 5):  # before, Blender itself holds on to property groups and to all that they know
        yield from (f"object {thing}" for thing in ours)
    for path in Path(bpy.utils.resource_path("USER")).rglob("*"):
        if path.name.lower().startswith(("flux_depth", "pil", "send2trash", "truststore", "websockets")):
            yield f"file {path}"

sorted(everywhere())
"""
"""What there still is of the extension and its libraries, in Blender and in its folders."""


def leftovers(blender: Blender) -> list[str]:
    """What there still is of the extension, in words; Blender takes a moment to make its key maps anew."""
    until = time.monotonic() + 3
    while (found := list(blender.python(LEFTOVERS))) and time.monotonic() < until:
        time.sleep(0.2)
    return found
