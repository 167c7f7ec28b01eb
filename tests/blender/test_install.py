"""The built zip in Blender's own extension manager: installed, used, updated, disabled in mid-job, removed.

Each Blender is a process with folders of its own, and without Pillow and truststore but those that the zip brings.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import build
import pytest

from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.sandbox import Behaviour, Sandbox
from tests import lifecycle
from tests.campaigns.ledger import is_running, until
from tests.lifecycle import part
from tests.secrets_watch import marked_key, note_server

CHECKOUT = Path(__file__).resolve().parents[2]
OBEDIENT = Path(__file__).with_name("obedient.py")
NEXT = "0.1.999"
LIBRARIES = ("pil", "pillow", "truststore", "websockets")


class Obedient:
    """A Blender of its own, and the lines that go to and fro."""

    def __init__(self, python: Path, home: Path, **environment: str) -> None:
        self.log = home / "blender.log"
        inherited = {name: value for name, value in os.environ.items() if name != "FLUX_DEPTH_DATA"}
        own = {"BLENDER_USER_RESOURCES": str(home / "resources"), "PYTHONDONTWRITEBYTECODE": "1"}
        (home / "resources").mkdir()
        self.process = subprocess.Popen(
            [str(python), str(OBEDIENT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log.open("ab"),
            text=True,
            env=inherited | own | environment,
        )

    def python(self, code: str) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "Blender is gone"}')
        assert "error" not in answer, f"{answer['error']}\n{self.log.read_text(errors='replace')[-2000:]}"
        return answer["value"]

    def __enter__(self) -> Obedient:
        return self

    def __exit__(self, *failure: object) -> None:
        """It quits, and has had nothing to complain of."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(30)
        assert any(failure) or "Traceback" not in self.log.read_text(errors="replace")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with everything that this one has, without the libraries that the zip brings."""
    bare = tmp_path_factory.mktemp("python")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    packages, bares = (next(Path(root).glob("[Ll]ib*/**/site-packages")) for root in (sys.prefix, bare))
    for path in packages.iterdir():
        if not path.name.lower().startswith(LIBRARIES):
            (bares / path.name).symlink_to(path)
    return bare / Path(sys.executable).relative_to(sys.prefix)


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The zip as it is, and as the next version, made and validated by this Blender's own tool."""
    folder, tools = tmp_path_factory.mktemp("built"), [build.extension_tool(Path(sys.executable))]
    platforms, made = [build.this_platform()], {}
    for name, version in (("now", ""), ("next", NEXT)):
        build.stage(folder / "stage", platforms, build.wheels_for(platforms), version=version)
        (made[name],) = build.pack(folder / "stage", folder / name, tools)
    return made


@pytest.fixture
def served(tmp_path: Path, versions: dict[str, Path]) -> Iterator[tuple[Path, str]]:
    """A repository on a static web server: its folder, and the address of its index."""
    folder = tmp_path / "served" / "below" / "a" / "path"
    build.publish([versions["now"]], folder, build.extension_tool(Path(sys.executable)))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_words: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "served"))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}/below/a/path/index.json"
        server.shutdown()


@pytest.fixture
def blender(python: Path, tmp_path: Path) -> Iterator[Obedient]:
    with Obedient(python, tmp_path) as started:
        yield started


@pytest.fixture
def installed(blender: Obedient, served: tuple[Path, str]) -> Obedient:
    """With the extension, from the repository."""
    lifecycle.add_repository(blender, served[1])
    lifecycle.sync(blender)
    lifecycle.install(blender)
    return blender


def test_the_zip_holds_the_package_and_its_wheels_and_nothing_else(versions: dict[str, Path]) -> None:
    wheels = {f"wheels/{build.shipped_name(wheel)}" for wheel in build.wheels_for([build.this_platform()])}
    package = CHECKOUT / "flux_depth_addon"
    ours = {path.relative_to(package).as_posix() for path in package.rglob("*") if path.suffix in build.SHIPPED}
    with zipfile.ZipFile(versions["now"]) as archive:
        names = archive.namelist()
    assert sorted(names) == sorted(ours | wheels | {"LICENSE", build.MANIFEST})


def test_installed_from_disk_it_brings_its_own_libraries(
    blender: Obedient, versions: dict[str, Path], tmp_path: Path
) -> None:
    lifecycle.install_from_disk(blender, versions["now"])
    assert blender.python("'bl_ext.user_default.flux_depth' in bpy.context.preferences.addons")
    for library in ("PIL._imaging", "truststore", "websockets.sync.client"):
        found = blender.python(f"import importlib; importlib.import_module({library!r}).__file__")
        assert Path(found).is_relative_to(tmp_path / "resources" / "extensions" / ".local"), library


def test_an_update_in_the_middle_of_a_job_keeps_what_there_was_and_works_on(
    installed: Obedient, served: tuple[Path, str], versions: dict[str, Path], tmp_path: Path
) -> None:
    lifecycle.save(installed, tmp_path / "room.blend")
    first = lifecycle.click(installed, "sandbox")
    lifecycle.wait_until(installed, f"{part('watch')}.jobs[{first!r}].remote_id")
    build.sweep(served[0])
    build.publish([versions["next"]], served[0], build.extension_tool(Path(sys.executable)))
    lifecycle.sync(installed)
    lifecycle.upgrade(installed)
    assert installed.python(f"{part('preferences')}.version()") == NEXT
    assert lifecycle.result(installed, first) != lifecycle.picture(installed)


def test_removed_it_leaves_the_pictures_beside_the_file_and_nothing_else(installed: Obedient, tmp_path: Path) -> None:
    lifecycle.save(installed, tmp_path / "room.blend")
    beside, data = lifecycle.picture(installed), installed.python(f"str({part('preferences')}.data_folder())")
    worker = installed.python(f"{part('worker_process')}._worker.pid")
    assert lifecycle.leftovers(installed)
    lifecycle.uninstall(installed)
    assert lifecycle.leftovers(installed) == []
    assert beside.is_file()
    assert not Path(data).exists(), "Blender removes the folder that it gave: README and preferences say so"
    until(lambda: not is_running(worker), 10)


TABLE = '[providers.cometapi]\nbase = "{base}"\n'


@pytest.mark.key_is_planted("child's environment COMETAPI_KEY of *")  # Blender's own, where its user put the key
def test_disabled_in_the_middle_of_a_paid_job_it_fetches_the_picture_and_shows_it_later(
    python: Path, versions: dict[str, Path], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    key = {"COMETAPI_KEY": marked_key("cometapi"), "FLUX_DEPTH_DATA": str(data)}
    with Sandbox(behaviour=Behaviour(2.0, "echo")) as provider, Obedient(python, tmp_path, **key) as blender:
        note_server(provider)
        (data / "models.toml").write_text(TABLE.format(base=provider.base))
        lifecycle.install_from_disk(blender, versions["now"])
        lifecycle.save(blender, tmp_path / "room.blend")
        job = lifecycle.click(blender, "cometapi:flux-pro-1.0-depth", "user_default")
        watch, worker = part("watch", "user_default"), part("worker_process", "user_default")
        lifecycle.wait_until(blender, f"{watch}.jobs[{job!r}].remote_id")
        pid = blender.python(f"{worker}._worker.pid")
        blender.python("bpy.ops.preferences.addon_disable(module='bl_ext.user_default.flux_depth')")
        assert not list(tmp_path.glob("resources/extensions/.local/lib/*/site-packages/PIL")), "Blender took it away"
        until(lambda: not is_running(pid), 20)
        with closing(Journal(data)) as journal:
            assert (journal.get(job).step, journal.get(job).charged) == ("DONE", "yes")
        blender.python("bpy.ops.preferences.addon_enable(module='bl_ext.user_default.flux_depth')")
        on_camera = f"{part('placement', 'user_default')}.slot_of(bpy.context.scene.camera)"
        shown = lifecycle.wait_until(blender, f"{on_camera} and bpy.path.abspath({on_camera}.image.filepath)")
        assert Path(shown).parent == tmp_path / "flux_depth"
