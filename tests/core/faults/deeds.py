"""What is done to the world of a job, before it begins, while a call is served, or in the pause after one."""

from __future__ import annotations

import errno
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flux_depth_addon.core.client import Client
from flux_depth_addon.core.recovery import start_anew

from .proxy import Call, Door, Play, shows
from .row import KEY, Happening


def while_waiting(happening: Happening) -> Play:
    """It happens in the pause after this call."""
    return during(lambda world: world.clock.after(0.2, lambda: happening(world)))


def during(happening: Happening) -> Play:
    """It happens while the provider serves this call as usual."""

    def play(call: Call) -> None:
        answer = call.answer()
        happening(call.proxy.world)
        call.say(answer)

    return play


def clock_jumps(seconds: float) -> Happening:
    return lambda world: world.clock.jump(seconds)


def refuses_connections(seconds: float) -> Happening:
    """The provider's machine takes no connections for a while."""

    def happening(world: Any) -> None:
        world.proxy.stop_listening()
        world.clock.after(seconds, world.proxy.listen_again)

    return happening


def journal_is_locked(seconds: float) -> Happening:
    """Another program holds the journal for a while."""

    def happening(world: Any) -> None:
        blocker = sqlite3.connect(
            world.journal.folder / "journal.sqlite3", isolation_level=None, check_same_thread=False, timeout=5
        )
        blocker.execute("BEGIN IMMEDIATE")
        world.clock.after(seconds, blocker.close)

    return happening


def mount(folder: Path, size: str, *, read_only: bool = False) -> Callable[[], None]:
    """Lay a small disk of its own over the folder; returns what takes it away again. Raises OSError without leave."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={size},{'ro' if read_only else 'rw'}"
    ran("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder)
    return lambda: ran("umount", "--lazy", folder)


def ran(*command: str | Path) -> None:
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise PermissionError(errno.EPERM, f"no leave to {command[0]}")


@cache
def can_mount() -> bool:
    """Whether this user of this system may: it takes root, on Linux."""
    try:
        with TemporaryDirectory() as folder:
            mount(Path(folder), "4k")()
    except OSError:
        return False
    return True


def fill(folder: Path) -> Path:
    """Write until not a byte more goes onto the disk; returns the file that takes up the room."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            with suppress(OSError):
                while file.write(b"x" * size):
                    pass
    return path


def disk_fills(seconds: float) -> Happening:
    """The disk with the journal and everything else on it is full for a while."""

    def happening(world: Any) -> None:
        filler = fill(world.folder)
        world.clock.after(seconds, filler.unlink)

    return happening


def disks_at(*places: str, size: str = "64k", read_only: bool = False, seconds: float = 1e6) -> Happening:
    """Full disks, or read-only ones, lie over these folders of the job for a while."""

    def happening(world: Any) -> None:
        for place in places:
            folder = {"output": world.job.output.parent, "job": world.job.folder}[place]
            unmount = mount(folder, size, read_only=read_only)
            world.clock.after(seconds, unmount)
            if not read_only:
                fill(folder)

    return happening


def journal_starts_anew(damage: Callable[[Path], None]) -> Happening:
    """The file is damaged between two sessions; in the second, the button that starts a new one is pressed."""

    def happening(world: Any) -> None:
        world.journal.close()
        damage(world.journal.folder / "journal.sqlite3")
        start_anew(world.journal.folder)
        world.open_journal()

    return happening


def is_cancelled(world: Any) -> None:
    world.journal.cancel(world.job.id)


def control_is_deleted(world: Any) -> None:
    world.job.control.unlink()


def was_being_sent(world: Any) -> None:
    """Its worker died with the request on its way."""
    claimed = world.journal.claim(job_id=world.job.id)
    world.journal.save(replace(claimed, submit_started=claimed.created, sent_to=world.proxy.base), release=True)


def a_night_passes(world: Any) -> None:
    world.clock.sleep(8 * 3600)


SECURE = "https://127.0.0.1:{port}"


class BrokenClient(Client):
    """With a mistake of ours in it, whose text nobody should see."""

    def submit(self, *_what: Any) -> Any:
        raise RuntimeError(KEY)

    poll = submit


def client_breaks(world: Any) -> None:
    world.client = BrokenClient(world.client.table, world.client.keys)


def goes_to(base: str, door: Door | None = None, **variables: str) -> Happening:
    """The job goes to that address, where {port} is the proxy's, in an environment with these variables."""

    def happening(world: Any) -> None:
        world.proxy.door = door
        for name, value in variables.items():
            world.around.set_variable(name, value.format(port=world.proxy.port))
        world.change(base=base.format(port=world.proxy.port))

    return happening


def is_shown(*names: str, vouched_for: bool = True, **dates: datetime) -> Happening:
    """A certificate for these names, of an authority that this computer trusts, or not."""

    def happening(world: Any) -> None:
        variables = {"REQUESTS_CA_BUNDLE": str(world.around.authority)} if vouched_for else {}
        goes_to(SECURE, shows(world.around.identity(*names, **dates)), **variables)(world)

    return happening


def output_is_below_a_file(world: Any) -> None:
    world.job.output.parent.write_bytes(b"in the way")


def output_has_no_name(world: Any) -> None:
    world.change(output=world.job.output.with_name("no\0such.png"))


def stops_listening_first(world: Any) -> None:
    world.proxy.stop_listening()


def overwrite(file: Path) -> None:
    """Everything but the first page, as by a disk that lost its mind."""
    data = file.read_bytes()
    file.write_bytes(data[:4096] + b"\xa5" * (len(data) - 4096))


def cut(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])


def comes_from_the_future(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA user_version = 999")
