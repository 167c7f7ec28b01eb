"""One Blender with a window for many tests: the built extension is installed, and each test begins with a new file."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flux_depth_addon.core.sandbox import Behaviour, Sandbox
from tests.gui.artist import Artist
from tests.gui.desk import Screen, screen

HARNESS = "FLUX_DEPTH_WINDOW_ROOT"


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """Of this run: Blender's folders, sockets, logs. Not pytest's: the path of a socket must be short."""
    if HARNESS not in os.environ:
        pytest.skip("Window tests need a Blender with a window: python3 packaging/dev.py gui")
    made = Path(tempfile.mkdtemp(prefix="flux-gui-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def extension(folder: Path) -> Path:
    """The built zip."""
    return Path(shutil.copy(os.environ["FLUX_DEPTH_WINDOW_EXTENSION"], folder))


@pytest.fixture(scope="session")
def desk(folder: Path) -> Iterator[Screen]:
    """The screen that the shared Blender stands on."""
    with screen(folder / "screen.log") as made:
        yield made


@pytest.fixture(scope="session")
def blender(desk: Screen, folder: Path, extension: Path) -> Iterator[Artist]:
    """The shared Blender, with the extension installed."""
    home = folder / "shared"
    home.mkdir()
    made = Artist(desk, os.environ["FLUX_DEPTH_WINDOW_BLENDER"], home, FLUX_DEPTH_DATA=str(home / "data"))
    made.start()
    made.install(extension)
    yield made
    made.quit()


@pytest.fixture
def artist(blender: Artist, tmp_path: Path) -> Iterator[Artist]:
    """The artist, in a new file with an empty journal, our tab open, the sandbox chosen."""
    if blender.process and blender.process.poll() is not None:  # a test before left it so
        blender.start()
    blender.begin(tmp_path / "data")
    yield blender
    blender.key("Escape")


Paid = Callable[[Behaviour], Sandbox]


@pytest.fixture
def paid(artist: Artist, tmp_path: Path) -> Iterator[Paid]:
    """Makes a paid provider on loopback that behaves so: its key is known, its model chosen, there is a prompt."""
    with ExitStack() as open_ones:

        def open_one(behaviour: Behaviour) -> Sandbox:
            provider = open_ones.enter_context(Sandbox(behaviour=behaviour))
            artist.begin_with(provider.base, tmp_path / "data")
            return provider

        yield open_one


@pytest.fixture(scope="session")
def other(folder: Path, blender: Artist) -> Iterator[Artist]:
    """A second Blender with folders and a screen of its own, in which the same extension is installed."""
    home = Path(tempfile.mkdtemp(dir=folder))
    shutil.copytree(blender.folder / "resources", home / "resources")
    with screen(home / "screen.log") as desk:
        made = Artist(desk, blender.blender, home, FLUX_DEPTH_DATA=str(home / "data"))
        made.start()
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> object:
    """What the screen showed when a test failed stays in .dev/reports."""
    report = yield
    if report.failed and call.when == "call" and (found := item.funcargs.get("desk")):
        path = item.config.rootpath / ".dev" / "reports" / f"{item.name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        found.picture().save(path)
        report.sections.append(("screen", str(path)))
    return report
