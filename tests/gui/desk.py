"""The artist's desk: a screen that exists in memory only, with its mouse and keys, in the system that has Blender."""

from __future__ import annotations

import os
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 1600, 1000
SETTLE = 0.06
"""Seconds in which Blender has seen where the mouse is."""

GLANCE = 0.02
"""Seconds in which it mostly has."""


def root() -> Path:
    """The folder of the system that has Blender, mouse and screen: packaging/window.py names it."""
    return Path(os.environ["FLUX_DEPTH_WINDOW_ROOT"])


def at_root(command: list[str]) -> list[str]:
    """The command as it runs in that system."""
    return command if root() == Path("/") else ["chroot", str(root()), *command]


@dataclass
class Screen:
    """One X screen, from `screen()`."""

    display: str
    memory: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """Of a program that shows its windows here; no key of ours, no GPU."""
        kept = {name: value for name, value in os.environ.items() if not name.endswith("_KEY")}
        return kept | {"DISPLAY": self.display, "LIBGL_ALWAYS_SOFTWARE": "1"}

    def start(self, command: list[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
        """A program in front of this screen; it is ended with the screen at the latest."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                at_root(command), env=self.environment() | environment, stdout=output, stderr=output
            )
        self.processes.append(process)
        return process

    def xdotool(self, *arguments: object, stdin: str = "") -> str:
        """Moves the mouse and presses keys; what is typed is not told on the command line."""
        command = at_root(["xdotool", *map(str, arguments)])
        done = subprocess.run(command, env=self.environment(), input=stdin.encode(), capture_output=True, check=True)
        return done.stdout.decode()

    def move(self, x: int, y: int, settle: float = SETTLE) -> None:
        """The mouse, from the upper left corner of the screen, in pixels."""
        self.xdotool("mousemove", x - 1, y, "mousemove", x, y)
        time.sleep(settle)

    def press(self, button: int = 1) -> None:
        """Click where the mouse is: 1 left, 2 middle, 3 right, 4 and 5 the wheel."""
        self.xdotool("click", button)
        time.sleep(SETTLE)

    def key(self, *keys: str) -> None:
        """Keys and chords by their X names, one after the other: Escape, ctrl+z."""
        for one in keys:
            self.xdotool("key", "--clearmodifiers", one)
            time.sleep(SETTLE)

    def type(self, text: str) -> None:
        """The text, key by key, to what is under the mouse."""
        self.xdotool("type", "--delay", 8, "--file", "-", stdin=text)
        time.sleep(SETTLE)

    def picture(self) -> Image.Image:
        """What is on the screen, RGB: the server keeps it in a file, as an X window dump of 32 bits a pixel."""
        dump = self.memory.read_bytes()
        header = struct.unpack(">25I", dump[:100])
        width, height, row, colours = header[4], header[5], header[12], header[19]
        begin = header[0] + 12 * colours
        return Image.frombuffer("RGB", (width, height), dump[begin:], "raw", "BGRX", row, 1).copy()


@contextmanager
def screen(log: Path, width: int = WIDTH, height: int = HEIGHT) -> Iterator[Screen]:
    """A screen of that size, on a display that nobody else has; whatever runs in front of it ends with it."""
    size = f"{width}x{height}x24"
    with tempfile.TemporaryDirectory(prefix="flux-screen-") as memory, log.open("ab") as errors:
        command = ["Xvfb", "-displayfd", "1", "-screen", "0", size, "-fbdir", memory, "-nolisten", "tcp"]
        server = subprocess.Popen(at_root(command), stdout=subprocess.PIPE, stderr=errors)
        assert server.stdout
        number = server.stdout.readline().decode().strip()
        assert number, f"the screen did not come up: {log.read_text()}"
        here = Screen(f":{number}", Path(memory, "Xvfb_screen0"))
        try:
            yield here
        finally:
            for process in [*here.processes, server]:
                process.kill()
                process.wait()
