"""The window stays quick while pictures are made: what it asks of us is timed, and waits for nothing."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from flux_depth_addon.core.framing import Limits, fit
from flux_depth_addon.core.job import Job, Step
from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.request import Request
from tests import main_thread
from tests.gui.artist import Artist

IN_THE_JOURNAL = 1000
RUNNING = 6
SECONDS = 15.0
"""How long a picture takes at the endpoint, and how long is measured at least."""

MEDIANS = {"watch._tick": 0.1, "draw": 0.5}
"""Milliseconds, of the goals; what is asserted is TOLERANCE times as much, as other programs share the machine."""

TOLERANCE = 10

THERE = "all(job.step in ('DONE', 'FAILED') for job in part('watch').jobs.values()) and len(part('watch').jobs)"
LISTED = "len(bpy.context.window_manager.flux_depth_jobs)"

PROMPT = "a quiet living room in the evening, warm light falls through tall windows, oak floor, linen curtains, 35 mm"


@pytest.fixture
def panels_open(artist: Artist, tmp_path: Path) -> Iterator[Artist]:
    """Every panel of the tab is open, as nobody has them: Blender has no word for it but how they begin."""
    artist.python(CLOSED + "for kind in kinds: begin_open(kind, True)")
    artist.begin(tmp_path / "data")
    yield artist
    artist.python(CLOSED + "for kind in kinds: begin_open(kind, False)")
    artist.new_file()


CLOSED = """
def begin_open(kind, opened):
    bpy.utils.unregister_class(kind)
    kind.bl_options = {"HEADER_LAYOUT_EXPAND"} if opened else {"DEFAULT_CLOSED"}
    bpy.utils.register_class(kind)
known = bpy.types.Panel.__subclasses__()
kinds = [kind for kind in known if kind.__module__.startswith("bl_ext.user_default.flux_depth")
         and getattr(kind, "bl_options", set()) & {"DEFAULT_CLOSED", "HEADER_LAYOUT_EXPAND"}]
"""


@contextmanager
def endpoint(seconds: float) -> Iterator[str]:
    """A sandbox that takes that long; its address."""
    command = [sys.executable, "-m", "flux_depth_addon.core.sandbox", "--delay", str(seconds), "--until-stdin-closes"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        yield child.stdout.readline().strip()
        child.communicate()


def request(seed: int) -> Request:
    return Request(prompt=f"{PROMPT}, number {seed}", model="sandbox", framing=fit(16 / 9, Limits()), seed=seed)


def old(number: int, folder: Path) -> Job:
    """A job of days ago, paid for and seen; every third failed."""
    began = time.time() - 86_400 - number
    ended = {"step": Step.DONE, "result": str(folder / "gone.png")}
    if number % 3 == 0:
        ended = {"step": Step.FAILED, "error_kind": "network", "error_message": "The connection broke. Try again."}
    times = {"created": began, "submit_started": began, "finished": began + 60, "deadline": began, "due": began}
    paid = {"price_usd": 0.06, "charged": "yes", "remote_id": f"t{number}", "seen": True}
    return Job(id=f"{number:012x}", request=request(number + 1), folder=folder, output=folder, **ended, **times, **paid)


def fill(data: Path, base: str) -> None:
    """A long history, and some pictures to be made."""
    control = io.BytesIO()
    Image.linear_gradient("L").resize((1344, 768)).convert("RGB").save(control, "PNG")
    with Journal(data) as journal:
        for number in range(IN_THE_JOURNAL - RUNNING):
            journal.take_over(old(number, data / "jobs" / f"{number:012x}"))
        for number in range(RUNNING):
            journal.add(request(10_000 + number), control.getvalue(), base=base)


def learn(artist: Artist) -> None:
    """Begin to watch what is called, and to learn what Blender calls."""
    artist.python("part('preferences').table_problem(), part('preferences').table()")  # as when it was enabled
    source = Path(main_thread.__file__).read_text(encoding="utf-8")
    artist.python(
        "import sys, types; sys.modules['main_thread'] = ours = types.ModuleType('main_thread')\n"
        f"exec({source!r}, ours.__dict__)\n"
        "ours.stopwatch, ours.trespasses = ours.Stopwatch(), ours.Trespasses()\n"
        "ours.stopwatch.learn(); ours.trespasses.__enter__(); None"
    )


def measure(artist: Artist) -> None:
    """Begin to time what Blender called so far."""
    artist.python("import main_thread; main_thread.stopwatch.start()")


def measured(artist: Artist) -> tuple[dict[str, list[float]], dict[str, list[float]], list[str]]:
    """End: the seconds by entry, those of them in which it worked, and the trespasses."""
    found = artist.python(
        "import main_thread as ours\n"
        "ours.stopwatch.stop(); ours.trespasses.__exit__(None, None, None)\n"
        "[dict(ours.stopwatch.seconds), dict(ours.stopwatch.worked), ours.trespasses.found]"
    )
    return found[0], found[1], found[2]


def test_the_window_stays_quick_while_pictures_are_made(
    panels_open: Artist, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    artist = panels_open
    if not artist.python("import sys; hasattr(sys, 'monitoring')"):
        pytest.skip("This Blender's Python is older than 3.12, which has nothing to time it with")
    learn(artist)
    artist.fill("flux_depth.prompt", PROMPT)
    artist.click("flux_depth.generate")
    artist.wait_until(THERE, 30)
    with endpoint(SECONDS) as base:
        fill(tmp_path / "data", base)
        artist.new_file()
        artist.wait_until(f"{LISTED} == 200")
        measure(artist)
        artist.new_file()
        artist.python("bpy.context.scene.flux_depth.model_id = 'sandbox'")
        artist.tab()
        artist.fill("flux_depth.prompt", PROMPT)
        artist.click("flux_depth.generate")
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            artist.hover("flux_depth.generate")
            artist.hover("flux_depth.prompt")
        artist.wait_until(THERE, 60)
        seconds, worked, trespasses = measured(artist)
    with capsys.disabled():
        print(f"\nWith {IN_THE_JOURNAL:,} jobs in the journal, {RUNNING + 1} of them on their way:")
        print(main_thread.histogram(seconds, worked))
    # a shot is what lies in its folder: that is looked at while its panel is open
    assert [told for told in trespasses if not told.startswith("shot._look:")] == []
    for entry, goal in ((entry, goal) for entry in seconds for name, goal in MEDIANS.items() if entry.endswith(name)):
        assert main_thread.median(seconds[entry]) * 1000 < TOLERANCE * goal, entry
    assert len(seconds["watch._tick"]) > 20
    assert any(entry.endswith("_Sent.draw") for entry in seconds)
