"""What the extension does on Blender's main thread, where the artist waits for it: how long, and what it must not do.

Nothing of the extension is changed for it. Python itself tells when a function is entered and left, and which file,
connection or process is opened; what counts is an *entry*, where Blender calls us: a panel's draw, the timer's tick, a
handler, a poll, a getter. Runs in the tests' own Blender, or is sent as text into an artist's.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from types import CodeType, FrameType, TracebackType

EXTENSION = "bl_ext.user_default.flux_depth"

CLICKS = {"execute", "invoke", "register", "unregister"}
"""Entries that the user asked for, and which may take their time."""

BLENDERS_OWN = {"placement.load": "loads an image", "arrivals._push_undo": "makes an undo step"}
"""Functions that wait for Blender's own work and do little else; told apart, and taken off what called them."""

TRESPASSES = ("open", "os.", "glob.", "shutil.", "tempfile.", "socket.", "sqlite3.connect", "subprocess.", "time.sleep")
"""The beginnings of Python's audit events of disk, network, other programs, and sleep."""

ALLOWED = {
    "watch._other_folders": "once after the start: other Blenders' journals, of pictures that were paid for",
    "watch._look_elsewhere": "the same, and reads them",
    "watch._opened": "opens this Blender's journal, once",
    "unfinished._tick": "reads the small picture of the chosen job while it is painted, once after each news of it",
    "watch._keep_worker": "starts a worker in place of one that idled out or died, at most every five seconds",
}
"""Who in a tick may, and what for. Imports may, too: each happens once."""

BUCKETS = (0.1, 0.5, 1.0, 8.0)
"""Milliseconds: the columns of the histogram."""


def folder() -> str:
    """Where the extension's code lies."""
    return str(Path(sys.modules[EXTENSION].__file__ or "").parent)


def name_of(code: CodeType) -> str:
    """watch._tick, panels._Main.draw."""
    return f"{Path(code.co_filename).stem}.{code.co_qualname}"


class Stopwatch:
    """The seconds of each entry; needs sys.monitoring, which Python has from 3.12 on.

    First it learns which functions are entries, then it listens to these alone: to be told of every function that an
    entry calls would take longer than what is measured.
    """

    TOOL = 4

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.worked: dict[str, list[float]] = defaultdict(list)
        """The same without the time in which the machine did something else."""
        self._folder = folder()
        self._codes: set[CodeType] = set()
        self._of_blender: set[CodeType] = set()
        self._running: CodeType | None = None
        self._depth = 0
        self._began = self._aside_began = (0.0, 0.0)
        self._aside: CodeType | None = None

    def learn(self) -> None:
        """From now on, remember whom Blender calls."""
        listen, events = sys.monitoring, sys.monitoring.events
        listen.use_tool_id(self.TOOL, "main thread")
        listen.register_callback(self.TOOL, events.PY_START, self._learn)
        listen.set_events(self.TOOL, events.PY_START)

    def start(self) -> None:
        """From now on, time them."""
        listen, events = sys.monitoring, sys.monitoring.events
        listen.register_callback(self.TOOL, events.PY_START, self._entered)
        listen.register_callback(self.TOOL, events.PY_RETURN, self._left)
        listen.register_callback(self.TOOL, events.PY_UNWIND, self._left)
        listen.set_events(self.TOOL, events.PY_UNWIND)
        for code in self._codes:
            listen.set_local_events(self.TOOL, code, events.PY_START | events.PY_RETURN)

    def stop(self) -> None:
        """Listen no more."""
        sys.monitoring.set_events(self.TOOL, 0)
        for code in self._codes:
            sys.monitoring.set_local_events(self.TOOL, code, 0)
        sys.monitoring.free_tool_id(self.TOOL)

    def _learn(self, code: CodeType, _offset: int) -> object:
        if not code.co_filename.startswith(self._folder):
            return sys.monitoring.DISABLE  # of this function nothing is told again
        callers = list(frames())[2:]  # without this function and the one that it is about
        if name_of(code) in BLENDERS_OWN:
            self._of_blender.add(code)
        if code in self._of_blender or not any(is_within(frame.f_code, self._folder) for frame in callers):
            self._codes.add(code)
        return None

    def _entered(self, code: CodeType, _offset: int) -> None:
        if self._running is None:
            self._running, self._depth = code, 1
            self._began = moment()
        elif code is self._running:
            self._depth += 1
        elif self._aside is None and code in self._of_blender:
            self._aside, self._aside_began = code, moment()

    def _left(self, code: CodeType, _offset: int, _value: object) -> None:
        if code is self._running:
            self._depth -= 1
            if not self._depth:
                self._note(name_of(code), self._began)
                self._running = None
        elif code is self._aside:
            taken = self._note(f"{name_of(code)}: {BLENDERS_OWN[name_of(code)]}", self._aside_began)
            self._began = (self._began[0] + taken[0], self._began[1] + taken[1])
            self._aside = None

    def _note(self, name: str, began: tuple[float, float]) -> tuple[float, float]:
        passed, worked = (now - then for now, then in zip(moment(), began, strict=True))
        self.seconds[name].append(passed)
        self.worked[name].append(worked)
        return passed, worked


def moment() -> tuple[float, float]:
    """Seconds on the clock, and seconds that this thread has worked."""
    return time.perf_counter(), time.thread_time()


def is_within(code: CodeType, path: str) -> bool:
    """Whether it is written in a file below that folder."""
    return code.co_filename.startswith(path)


def histogram(seconds: Mapping[str, list[float]], worked: Mapping[str, list[float]]) -> str:
    """A line for each entry: its milliseconds, those in which it worked itself, and how many fell into which bucket."""
    heads = [
        "median",
        "p99",
        "worst",
        "own med.",
        "own p99",
        "own worst",
        *(f"< {bucket:g}" for bucket in BUCKETS),
        "more",
    ]
    lines = [f"{'milliseconds of':48} {'count':>6}" + "".join(f"{head:>10}" for head in heads)]
    for entry, found in sorted(seconds.items()):
        figures = [figure(each) for each in (found, worked[entry]) for figure in (median, p99, max)]
        told = "".join(f"{figure * 1e3:10.3f}" for figure in figures)
        lines.append(f"{entry:48} {len(found):6}{told}" + "".join(f"{each:10}" for each in counted(found)))
    return "\n".join(lines)


def p99(seconds: list[float]) -> float:
    """What one in a hundred exceeds."""
    return sorted(seconds)[int(len(seconds) * 0.99 - 1e-9)]


def counted(seconds: list[float]) -> list[int]:
    """How many fell into each bucket, and how many above the last."""
    upto = [sum(each * 1e3 < bucket for each in seconds) for bucket in BUCKETS] + [len(seconds)]
    return [high - low for low, high in zip([0, *upto], upto, strict=False)]


class Trespasses:
    """Within it, what an entry did that it must not: watch._tick: os.listdir /home."""

    _listening: Trespasses | None = None
    _hooked = False

    def __init__(self) -> None:
        self.found: list[str] = []
        self._folder = folder()
        self._thread = threading.get_ident()

    def __enter__(self) -> Trespasses:
        if not Trespasses._hooked:  # a hook stays for good
            sys.addaudithook(Trespasses._heard)
            Trespasses._hooked = True
        Trespasses._listening = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        Trespasses._listening = None

    @staticmethod
    def _heard(event: str, arguments: tuple[object, ...]) -> None:
        listening = Trespasses._listening
        if listening and event.startswith(TRESPASSES) and threading.get_ident() == listening._thread:
            listening._judge(event, arguments)

    def _judge(self, event: str, arguments: tuple[object, ...]) -> None:
        stack = list(frames())
        ours = [frame.f_code for frame in stack if is_within(frame.f_code, self._folder)]
        importing = any("importlib._bootstrap" in frame.f_code.co_filename for frame in stack)
        if not ours or importing or ours[-1].co_name in CLICKS or any(name_of(code) in ALLOWED for code in ours):
            return
        self.found.append(f"{name_of(ours[-1])}: {event} {arguments[0] if arguments else ''} in {name_of(ours[0])}")


def frames() -> Iterator[FrameType]:
    """The stack, innermost first."""
    frame: FrameType | None = sys._getframe(1)
    while frame:
        yield frame
        frame = frame.f_back
