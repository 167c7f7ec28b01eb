"""The built zip in the extension manager of a Blender with a window: used, updated, disabled in mid-job, removed."""

from __future__ import annotations

import os
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests import lifecycle
from tests.campaigns.ledger import is_running, until
from tests.gui.artist import Artist
from tests.gui.desk import Screen, at_root
from tests.lifecycle import part

NEXT = "0.1.999"


@pytest.fixture
def blender(desk: Screen, folder: Path, request: pytest.FixtureRequest) -> Iterator[Artist]:
    """A Blender in which nothing was installed yet, in front of all others; it has had nothing to complain of."""
    home = folder / f"own{len(list(folder.iterdir()))}"
    home.mkdir()
    started = Artist(desk, os.environ["FLUX_DEPTH_WINDOW_BLENDER"], home)
    started.start()
    yield started
    started.quit()
    assert "Traceback" not in started.log.read_text(errors="replace")


@pytest.fixture
def served(folder: Path, extension: Path) -> Iterator[tuple[Path, str]]:
    """A repository on a static web server: its folder, and the address of its index."""
    repository = folder / "served" / "below"
    repository.mkdir(parents=True)
    publish(repository, extension)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_words: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(repository.parent))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield repository, f"http://127.0.0.1:{server.server_port}/below/index.json"
        server.shutdown()


def publish(repository: Path, extension: Path, version: str = "") -> None:
    """Have Blender list this zip, as that version."""
    for old in repository.glob("*.zip"):
        old.unlink()
    with zipfile.ZipFile(extension) as source, zipfile.ZipFile(repository / extension.name, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "blender_manifest.toml" and version:
                content = content.replace(b'version = "0.1.0"', f'version = "{version}"'.encode())
            target.writestr(name, content)
    listing = ["--command", "extension", "server-generate", "--repo-dir", str(repository)]
    subprocess.run(at_root([os.environ["FLUX_DEPTH_WINDOW_BLENDER"], *listing]), check=True, capture_output=True)


def test_it_is_installed_used_updated_and_removed_and_leaves_the_pictures_beside_the_file(
    blender: Artist, served: tuple[Path, str], extension: Path
) -> None:
    lifecycle.add_repository(blender, served[1])
    lifecycle.sync(blender)
    lifecycle.install(blender)
    lifecycle.save(blender, blender.folder / "room.blend")
    blender.python("bpy.context.scene.flux_depth.model_id = 'sandbox'")
    blender.tab()
    blender.fill("flux_depth.prompt", "a stone cottage")
    blender.click("flux_depth.generate")
    job = lifecycle.wait_until(blender, f"next(iter({part('watch')}.jobs), '')")
    first = lifecycle.result(blender, job)
    publish(served[0], extension, NEXT)
    lifecycle.sync(blender)
    lifecycle.upgrade(blender)
    assert blender.python(f"{part('preferences')}.version()") == NEXT
    second = lifecycle.picture(blender)
    assert {first.parent, second.parent} == {blender.folder / "flux_depth"}
    lifecycle.uninstall(blender)
    assert lifecycle.leftovers(blender) == []
    assert first.is_file()


def test_disabled_in_the_middle_of_a_job_it_fetches_the_picture_and_shows_it_later(
    blender: Artist, extension: Path
) -> None:
    lifecycle.install_from_disk(blender, extension)
    lifecycle.save(blender, blender.folder / "room.blend")
    job = lifecycle.click(blender, "sandbox", "user_default")
    watch = part("watch", "user_default")
    lifecycle.wait_until(blender, f"{watch}.jobs[{job!r}].remote_id")
    worker = blender.python(f"{part('worker_process', 'user_default')}._worker.pid")
    blender.python("bpy.ops.preferences.addon_disable(module='bl_ext.user_default.flux_depth')")
    assert is_running(worker)
    until(lambda: not is_running(worker), 20)
    assert list((blender.folder / "flux_depth").glob("*.png"))
    blender.python("bpy.ops.preferences.addon_enable(module='bl_ext.user_default.flux_depth')")
    on_camera = f"{part('placement', 'user_default')}.slot_of(bpy.context.scene.camera)"
    lifecycle.wait_until(blender, f"{on_camera} and {on_camera}.image.filepath")
