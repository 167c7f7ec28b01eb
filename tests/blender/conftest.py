"""Loads the extension as Blender does, as bl_ext.user_default.flux_depth, into a Blender with folders of its own."""

import os
import shutil
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
HOME = Path(tempfile.mkdtemp(prefix="flux-depth-blender-"))
EXTENSION = "bl_ext.user_default.flux_depth"

# Before bpy is imported: it reads its folders once.
os.environ["BLENDER_USER_RESOURCES"] = str(HOME)
os.environ["FLUX_DEPTH_DATA"] = str(HOME / "data")
for name in ("COMETAPI_KEY", "COMETAPI_API_KEY", "BFL_API_KEY"):
    os.environ.pop(name, None)

import bpy  # noqa: E402


def _install() -> None:
    target = HOME / "extensions" / "user_default" / "flux_depth"
    shutil.copytree(CHECKOUT / "flux_depth_addon", target, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "blender_manifest.toml", target)


def _enable() -> None:
    import addon_utils

    addon_utils.enable(EXTENSION, default_set=True, persistent=True)


_install()
_enable()


@pytest.fixture(autouse=True)
def enabled():
    """At the beginning of each test: one that opened the factory's settings left the extension disabled."""
    if not hasattr(bpy.types.Scene, "flux_depth"):
        _enable()


@pytest.fixture(scope="session")
def extension():
    """The extension's root module."""
    return sys.modules[EXTENSION]


@pytest.fixture
def part():
    """A module of the extension by its dotted name below the root."""
    return lambda name: import_module(f"{EXTENSION}.{name}")


@pytest.fixture
def data(tmp_path, monkeypatch, part):
    """An empty folder for the journal."""
    monkeypatch.setenv("FLUX_DEPTH_DATA", str(tmp_path / "data"))
    part("preferences").forget_table()
    yield tmp_path / "data"
    part("preferences").forget_table()


@pytest.fixture
def fresh_file():
    """Blender's factory scene."""
    bpy.ops.wm.read_factory_settings(use_empty=False)
    _enable()
    return bpy.context.scene


@pytest.fixture
def ready(fresh_file, data, part):
    """A scene that may generate in the sandbox, with a journal of its own."""
    fresh_file.flux_depth.model_id = "sandbox"
    fresh_file.flux_depth.prompt = "a garden in the morning"
    part("watch").unregister()
    part("watch").register()
    yield fresh_file
    part("worker_process").let_go()


def pytest_unconfigure() -> None:
    import addon_utils

    # Else Blender does it as it ends, when the files are gone.
    addon_utils.disable(EXTENSION)
    shutil.rmtree(HOME, ignore_errors=True)
