"""Somebody who works in a real Blender: looks, moves the mouse, presses keys, and may be asked what they see.

Positions are pixels of the screen from its upper left corner. `what` names a button by the operator it calls
("flux_depth.generate", with arguments to tell two apart) or by the end of its property's path ("flux_depth.prompt").
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy
from PIL import Image, ImageChops

from tests.gui.desk import GLANCE, HEIGHT, SETTLE, WIDTH, Screen
from tests.secrets_watch import marked_key

TAB = "FLUX Depth"
COLUMNS = {0.5: True, 0.82: False, 0.2: False, 0.66: False, 0.74: False, 0.35: False, 0.08: False, 0.9: True}
"""Where in a sidebar's width buttons are looked for, the wide ones first; and whether from top to bottom, or only
beside what was met in the middle. To the right of a password, of which Blender tells nothing, there may be a button.
"""

ROW = 13
"""Less than a button's height at a UI scale of 1."""

Place = tuple[int, int]


class Artist:
    """One Blender at one screen, with folders of its own below `folder`; `environment` is added to Blender's."""

    def __init__(self, screen: Screen, blender: str, folder: Path, **environment: str) -> None:
        self.screen, self.blender, self.folder = screen, blender, folder
        self.environment = environment
        self.socket = folder / "artist"
        self.log = folder / "blender.log"
        self.seen: dict[str, dict[str, Place]] = {}
        self.process: subprocess.Popen[bytes] | None = None

    # Blender itself.

    def start(self, *arguments: str) -> None:
        """Start Blender and wait for its window; `arguments` are Blender's own."""
        self.socket.unlink(missing_ok=True)
        (self.folder / "home").mkdir(exist_ok=True)
        inside = shutil.copy(Path(__file__).with_name("inside.py"), self.folder)
        own = {
            "HOME": str(self.folder / "home"),
            "BLENDER_USER_RESOURCES": str(self.folder / "resources"),
            "FLUX_DEPTH_ARTIST": str(self.socket),
        }
        (self.folder / "resources").mkdir(exist_ok=True)
        command = [self.blender, "--gpu-backend", "opengl", "--window-geometry", "0", "0", str(WIDTH), str(HEIGHT)]
        self.process = self.screen.start([*command, *arguments, "--python", inside], own | self.environment, self.log)
        self._wait_for_window()

    def _wait_for_window(self, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process and self.process.poll() is None:
            try:
                self.python("bpy.app.version_string")
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(f"Blender did not start:\n{self.log.read_text(errors='replace')[-2000:]}")

    def quit(self) -> None:
        """Quit Blender without saving, and wait until it is gone."""
        self.python("bpy.app.timers.register(lambda: bpy.ops.wm.quit_blender() and None)", in_window=False)
        assert self.process
        self.process.wait(30)

    def kill(self) -> None:
        """As a crash would."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def python(self, code: str, *, in_window: bool = True) -> Any:
        """The value of the last expression of this code, run in Blender between two events.

        `in_window` false for what opens a file. `part("watch")` is a module of the extension, `area("VIEW_3D")` the
        largest such editor. Sequences come back as lists, what JSON does not know as text. Raises AssertionError with
        Blender's traceback.
        """
        try:
            answer = json.loads(self._told(json.dumps({"code": code, "in_window": in_window})))
        except ConnectionResetError:
            raise AssertionError(f"Blender ended:\n{self.log.read_text(errors='replace')[-2000:]}") from None
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def _told(self, question: str) -> bytes:
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(90)
            caller.connect(str(self.socket))
            caller.sendall(question.encode())
            caller.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: caller.recv(1 << 16), b""))

    def wait_until(self, expression: str, seconds: float = 30) -> Any:
        """The expression's value once it is true in Blender; raises AssertionError when it stays false."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with suppress(AssertionError):  # what it looks at is not there yet
                if value := self.python(expression):
                    return value
            time.sleep(0.05)
        raise AssertionError(f"after {seconds} s still not: {expression}\n{self.python(STATE)}")

    # Files.

    def install(self, extension: Path) -> None:
        """Install a zip as Preferences > Get Extensions > Install from Disk does, enabled, and keep that for later."""
        self.python(
            f"bpy.ops.extensions.package_install_files(filepath={str(extension)!r}, repo='user_default', "
            "enable_on_install=True)\nbpy.ops.wm.save_userpref()"
        )

    def new_file(self) -> None:
        """File > New > General."""
        self.python("bpy.ops.wm.read_homefile(app_template='')", in_window=False)
        self.seen.clear()

    def open_file(self, path: Path) -> None:
        """File > Open."""
        self.python(f"bpy.ops.wm.open_mainfile(filepath={str(path)!r})", in_window=False)
        self.seen.clear()

    def save_file(self, path: Path) -> None:
        """File > Save As."""
        self.python(f"bpy.ops.wm.save_as_mainfile(filepath={str(path)!r})", in_window=False)

    def begin(self, data: Path) -> None:
        """A new file, an empty journal in that folder, the sandbox as the model of small pictures, our tab open."""
        self.environment["FLUX_DEPTH_DATA"] = str(data)
        self.close_other_windows()
        self.python(
            f"import os; os.environ['FLUX_DEPTH_DATA'] = {str(data)!r}\n"
            "part('worker_process').let_go(); part('watch').let_go_of_journal(); part('arrivals').forget()\n"
            "part('preferences').forget_table(); part('preferences').forget_keys()\n"
            "part('watch').session = part('watch').month = None"
        )
        self.new_file()
        self.python("dials = bpy.context.scene.flux_depth; dials.model_id = 'sandbox'; dials.megapixels = 0.1")
        self.tab()
        self.reports()

    def begin_with(self, base: str, data: Path) -> None:
        """The same with CometAPI at that address on loopback, its key typed, and a prompt."""
        data.mkdir(parents=True, exist_ok=True)
        (data / "models.toml").write_text(f'[providers.cometapi]\nbase = "{base}"\n', encoding="utf-8")
        self.begin(data)
        self.python(
            f"part('preferences').current().key_cometapi = {marked_key('cometapi')!r}\n"
            f"dials = bpy.context.scene.flux_depth; dials.model_id, dials.prompt = {MODEL!r}, 'a stone cottage'"
        )

    def close_other_windows(self) -> None:
        """Preferences, Image Editors: all but the first."""
        self.close_windows("[1:]")

    def close_windows(self, which: str) -> None:
        """Of Blender's list of windows this slice, as the button in a window's frame does."""
        self.python(
            f"for window in list(bpy.context.window_manager.windows){which}:\n"
            "    with bpy.context.temp_override(window=window): bpy.ops.wm.window_close()",
            in_window=False,
        )
        self.seen.clear()

    def steps(self) -> list[str]:
        """Of every job in the list, newest first, its step."""
        return list(self.python(STEPS))

    def wait_for_steps(self, *steps: str, seconds: float = 30) -> None:
        """Until the list has exactly these, newest first."""
        self.wait_until(f"{STEPS} == {list(steps)!r}", seconds)

    def is_told(self, words: str, seconds: float = 30) -> str:
        """The sentence with these words, once Blender has told it; raises AssertionError where it does not."""
        until, told = time.monotonic() + seconds, list[str]()
        while time.monotonic() < until:
            told += self.reports()
            if found := next((line for line in told if words in line), None):
                return found
            time.sleep(0.1)
        raise AssertionError(f"“{words}” was not told, but {told}")

    def reports(self) -> list[str]:
        """What Blender told the user since the last time this was asked."""
        return [line for line in str(self.python("reports()")).splitlines() if not line.startswith("bpy.")]

    # Mouse and keys.

    def click(
        self, what: str, *, editor: str = "VIEW_3D", region: str = "UI", button: int = 1, **arguments: Any
    ) -> None:
        """Press the button that does this, wherever it is in that editor."""
        self.hover(what, editor=editor, region=region, **arguments)
        self.screen.press(button)

    def ask(self, what: str, **where: Any) -> None:
        """Press the button that does this, and wait for the question that it asks first."""
        self.hover(what, **where)
        self.see_change(self.screen.press)

    def see_change(self, act: Callable[[], object]) -> None:
        """Do what opens or closes a menu or a question, and wait until that is seen: keys went elsewhere before."""
        before = self.screen.picture()
        act()
        self.wait_for_picture(lambda: pixels_changed(before, self.screen.picture()) > A_QUESTION)

    def hover(self, what: str, *, editor: str = "VIEW_3D", region: str = "UI", **arguments: Any) -> Place:
        """Move the mouse onto that button; where it is. Raises AssertionError where there is none."""
        seen = self.seen.setdefault(f"{editor} {region}", {})
        for told, place in list(seen.items()):
            if is_that(told, what, arguments) and self._is_under(told, place, editor, region):
                return place
        seen.clear()
        for told, place in self._look_around(editor, region):
            seen[told] = place
            if is_that(told, what, arguments) and self._is_under(told, place, editor, region):
                return place
        raise AssertionError(f"there is no {what} {arguments or ''} here; there are:\n" + "\n".join(seen))

    def sees(self, what: str, *, editor: str = "VIEW_3D", region: str = "UI", **arguments: Any) -> bool:
        """Whether there is such a button, greyed or not."""
        try:
            return bool(self.hover(what, editor=editor, region=region, **arguments))
        except AssertionError:
            return False

    def fill(self, what: str, text: str, **where: Any) -> None:
        """Click into a text field, and write this in place of what stands there."""
        self.click(what, **where)
        self.key("ctrl+a")
        self.type(text)
        self.key("Return")

    def key(self, *keys: str) -> None:
        """Press keys by their X names, one after the other, where the mouse is: Escape, ctrl+z."""
        self.screen.key(*keys)

    def type(self, text: str) -> None:
        """Write a text into what is active, key by key."""
        self.screen.type(text)

    def drag(self, begin: Place, end: Place) -> None:
        """Press, move, let go: from one place to the other as slowly as Blender sees it."""
        self.move(begin)
        self.screen.xdotool("mousedown", 1)
        for step in range(1, DRAG_STEPS + 1):
            x, y = (round(a + (b - a) * step / DRAG_STEPS) for a, b in zip(begin, end, strict=True))
            self.move((x, y))
            self.python("0")  # a busy Blender would know of the last place alone
        self.screen.xdotool("mouseup", 1)

    def search(self, words: str) -> None:
        """F3, and Return on the first that Blender finds."""
        self.key("F3")
        self.type(words)
        time.sleep(0.5)  # it looks while one types
        self.key("Return")

    def scroll_down(self, editor: str = "VIEW_3D", region: str = "UI") -> None:
        """To the end of what is shown there, with the wheel."""
        left, top, width, height = self.box(editor, region)
        self.move((left + width // 2, top + height // 2))
        self.screen.xdotool("click", "--repeat", 60, "--delay", 5, 5)
        self._headers_at_rest(editor)
        self.seen.clear()

    def move(self, place: Place) -> None:
        """The mouse alone."""
        self.screen.move(*place)

    def _look_around(self, editor: str, region: str) -> Iterator[tuple[str, Place]]:
        """Every button once or more: down the middle first, then left and right of what was met there."""
        left, top, width, height = self.box(editor, region)
        rows = range(top + ROW // 2, top + height, ROW)
        met: list[int] = []
        for column, everywhere in COLUMNS.items():
            for row in rows if everywhere else list(met):
                place = left + int(column * (width - TABS)), row
                if told := self._under(place, editor, region, GLANCE):
                    met += [row] if everywhere else []
                    yield told, place

    def _is_under(self, told: str, place: Place, editor: str, region: str) -> bool:
        """Asked twice: a busy Blender still speaks of where the mouse was before."""
        self._under(place, editor, region)
        return self._under(place, editor, region) == told

    def _under(self, place: Place, editor: str, region: str, settle: float = SETTLE) -> str:
        self.screen.move(*place, settle)
        return str(self.python(f"button_under({editor!r}, {region!r})"))

    # What is seen.

    def box(self, editor: str = "VIEW_3D", region: str = "UI") -> tuple[int, int, int, int]:
        """Left, top, width and height of that part of the editor, on the screen."""
        x, y, width, height = self.python(
            f"place = area({editor!r}); window = window_of(place); part_of = region(place, {region!r})\n"
            "[window.x + part_of.x, window.y + part_of.y, part_of.width, part_of.height]"
        )
        return x, HEIGHT - y - height, width, height

    def picture(self, editor: str = "", region: str = "UI") -> Image.Image:
        """The whole screen, RGB, or what is seen of that part of an editor."""
        whole = self.screen.picture()
        if not editor:
            return whole
        left, top, width, height = self.box(editor, region)
        return whole.crop((left, top, left + width, top + height))

    def sidebar(self, on: bool = True, editor: str = "VIEW_3D") -> None:
        """Show or hide the sidebar, as N does."""
        self.python(f"area({editor!r}).spaces.active.show_region_ui = {on}")
        self.wait_until(f"(region(area({editor!r}), 'UI').width > 1) == {on}")
        self.seen.clear()

    def tab(self, name: str = TAB, editor: str = "VIEW_3D") -> None:
        """Choose a tab of the sidebar, which is shown first."""
        self.sidebar(editor=editor)
        active = f"region(area({editor!r}), 'UI').active_panel_category"
        self.wait_until(f"{active} != 'UNSUPPORTED'")
        left, top, width, height = self.box(editor)
        for row in range(30, height, 30):
            if self.python(active) == name:
                return
            self.move((left + width - TABS // 2, top + row))
            self.screen.press()
        raise AssertionError(f"there is no tab {name} in the {editor}")

    def panel(self, label: str, editor: str = "VIEW_3D") -> None:
        """Open the panel of our tab with this title, by its header; at a UI scale of 1, in the dark theme."""
        titles = self.python(f"panels_of({editor!r}, {TAB!r})")
        headers = self._headers_at_rest(editor)
        if len(headers) != len(titles):
            self._fold_all_but_first(editor)
            headers = self._headers_at_rest(editor)
        assert len(headers) == len(titles), f"{len(headers)} panels are seen of {titles}"
        number = titles.index(label)
        if not self._is_open(headers[number], editor):
            self.move(headers[number])
            self.screen.press()
            # where the header is by now: what lies above it may have grown
            self.wait_for_picture(lambda: any(self._is_open(at, editor) for at in self._headers(editor)[number:][:1]))
        self._headers_at_rest(editor)
        self.seen.clear()

    def _headers_at_rest(self, editor: str) -> list[Place]:
        """Once they do not move any more: a panel takes its time to open."""
        before: list[Place] = []
        while (now := self._headers(editor)) != before:
            before = now
            time.sleep(0.25)
        return now

    def _headers(self, editor: str) -> list[Place]:
        """Where a header can be pressed: by its handle, four bright dots with shadows, twice."""
        left, top, width, _ = self.box(editor)
        edge = width - TABS - 32
        shades = numpy.asarray(self.picture(editor).convert("L"), dtype=int)[:, edge : width - TABS]
        dot = (shades[1:] == 0) & (shades[:-1] > shades[:-1].min(axis=1, keepdims=True) + 40)
        rows = [row for row in range(len(dot) - 3) if dot[row].sum() == 4 and (dot[row] == dot[row + 3]).all()]
        return [(left + width // 2, top + row + 2) for row in rows]

    def _is_open(self, header: Place, editor: str) -> bool:
        """By its triangle: only the one that points down reaches that far to the left."""
        left, _, _, _ = self.box(editor)
        triangle = self.screen.picture().convert("L").crop((left + 15, header[1] - 4, left + 18, header[1] + 5))
        return triangle.getextrema()[1] > 150

    def _fold_all_but_first(self, editor: str) -> None:
        left, top, width, height = self.box(editor)
        self.move((left + width // 2, top + height // 2))
        self.screen.xdotool("click", "--repeat", 60, "--delay", 5, 4)
        self.move(self._headers_at_rest(editor)[0])
        self.screen.xdotool("keydown", "ctrl", "click", 1, "keyup", "ctrl")
        titles = self.python(f"panels_of({editor!r}, {TAB!r})")
        self.wait_for_picture(lambda: len(self._headers(editor)) == len(titles))

    def wait_for_picture(self, shows: Callable[[], bool], seconds: float = 20) -> None:
        """Until the screen shows it; raises AssertionError when it does not."""
        until = time.monotonic() + seconds
        while not shows():
            assert time.monotonic() < until, f"the screen did not change within {seconds} s"
            time.sleep(0.05)


MODEL = "cometapi:flux-pro-1.0-depth"
STEPS = "[job.step for job in part('watch').jobs.values()]"

STATE = "{name: str(value) for name, value in vars(part('watch')).items() if name in part('watch').__annotations__}"
"""What the window knows of the journal."""

A_QUESTION = 8000
"""Pixels: no menu or question is smaller, and no button under the mouse is as large."""

DRAG_STEPS = 8

TABS = 22
"""The width of the column of tabs beside a sidebar."""


def pixels_changed(before: Image.Image, now: Image.Image) -> int:
    """How many have another colour."""
    return int(numpy.asarray(ImageChops.difference(before, now)).any(axis=2).sum())


def is_that(told: str, what: str, arguments: dict[str, Any]) -> bool:
    """Whether Blender's words for a button mean this operator with these arguments, or this property."""
    if told.startswith("bpy.ops."):
        # Blender writes a text in double quotes, and an item of a menu in single ones.
        forms = ((f"{name}={json.dumps(value)}", f"{name}={value!r}") for name, value in arguments.items())
        given = all(any(form in told for form in both) for both in forms)
        return given and told.startswith(f"bpy.ops.{what}(")
    return told.endswith(f".{what}")
