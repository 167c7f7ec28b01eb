"""The history in a window: looked through, shown, laid on the camera, thrown away, and quick with ten thousand."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PIL import Image

from flux_depth_addon.core.framing import Limits, fit
from flux_depth_addon.core.job import Job, Step
from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.request import Request
from tests import main_thread
from tests.gui.artist import Artist
from tests.gui.test_responsiveness import learn, measure, measured

MANY = 10_000
PICTURES = 40
"""So many files, which many pictures share."""

PROMPT = "a quiet living room in the evening, warm light falls through tall windows, oak floor, linen curtains"
TITLES = ("a red barn", "a blue boat", "a green hill")
SHOWN = "area('IMAGE_EDITOR') and area('IMAGE_EDITOR').spaces.active.image"
FOUND = "len(part('gallery').found)"
ON_CAMERA = "[slot.image.name for slot in bpy.context.scene.camera.data.background_images]"
TOLERANCE = 10
"""Milliseconds: ten times the goal, as other programs share the machine."""


def picture(number: int, folder: Path, prompt: str) -> Job:
    """A picture that arrived that many minutes ago."""
    began = time.time() - 60 * number
    asked = Request(
        prompt=prompt, model="sandbox", framing=fit(16 / 9, Limits()), seed=number + 1, scene="Scene", camera="Camera"
    )
    result = folder / "pictures" / f"{number % PICTURES}.png"
    times = {"created": began, "submit_started": began, "finished": began, "deadline": began, "due": began}
    home = folder / "jobs" / f"{number:012x}"
    return Job(id=home.name, request=asked, folder=home, output=result, result=str(result), step=Step.DONE,
               width=256, height=144, seen=True, **times)  # fmt: skip


def fill(data: Path, jobs: list[Job]) -> None:
    """A journal of these pictures."""
    (data / "pictures").mkdir(parents=True)
    for number in range(min(PICTURES, len(jobs))):
        Image.radial_gradient("L").resize((256, 144)).convert("RGB").point(
            lambda value, number=number: (value * (number + 7)) % 256
        ).save(data / "pictures" / f"{number}.png")
    with Journal(data) as journal, journal.database.writing():
        for job in jobs:
            journal._insert(job)  # whose own way asks for each whether it is there


def begin_with(artist: Artist, data: Path, jobs: list[Job]) -> None:
    fill(data, jobs)
    artist.begin(data)
    artist.python("area('DOPESHEET_EDITOR').type = 'IMAGE_EDITOR'")
    artist.wait_until(f"len(part('watch').jobs) == {min(len(jobs), 200)}")
    open_alone(artist)
    artist.wait_until(f"{FOUND} == {len(jobs)}")


def open_alone(artist: Artist) -> None:
    """The panel, and all others folded, as Ctrl does it: what is below the list is seen."""
    titles, headers = artist.python("panels_of('VIEW_3D', 'FLUX Depth')"), artist._headers_at_rest("VIEW_3D")
    artist.move(headers[titles.index("History")])
    artist.screen.xdotool("keydown", "ctrl", "click", 1, "keyup", "ctrl")
    artist._headers_at_rest("VIEW_3D")
    artist.seen.clear()


def test_pictures_are_found_shown_laid_on_the_camera_and_thrown_away(artist: Artist, tmp_path: Path) -> None:
    data = tmp_path / "more"
    begin_with(artist, data, [picture(number, data, prompt) for number, prompt in enumerate(TITLES)])
    artist.python("bpy.ops.ed.undo_push(message='The model is chosen')")
    artist.fill("flux_depth_history.words", "boat BLUE")
    artist.wait_until(f"{FOUND} == 1")
    artist.click("flux_depth_history.row")
    artist.wait_until(f"{SHOWN} and {SHOWN}.name == '1.png'")
    assert artist.python(ON_CAMERA) == []
    artist.screen.xdotool("click", "--repeat", 2, "--delay", 90, 1)
    artist.wait_until(f"{ON_CAMERA} == ['1.png']")
    artist.key("ctrl+z")
    artist.wait_until(f"{ON_CAMERA} == []")
    artist.ask("flux_depth.discard")
    artist.key("Return")
    artist.wait_until(f"{FOUND} == 0")
    assert not (data / "pictures" / "1.png").exists()
    assert (artist.folder / "home/.local/share/Trash/files/1.png").exists()


@pytest.mark.timeout(300)
def test_ten_thousand_pictures_are_looked_through_without_a_stutter(
    artist: Artist, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not artist.python("import sys; hasattr(sys, 'monitoring')"):
        pytest.skip("This Blender's Python is older than 3.12, which has nothing to time it with")
    data = tmp_path / "more"
    begin_with(artist, data, [picture(number, data, f"{PROMPT}, number {number}") for number in range(MANY)])
    learn(artist)
    artist.wait_until(f"{FOUND} == {MANY}")
    look_through(artist, "number")
    measure(artist)
    look_through(artist, "number 99")
    seconds, worked, trespasses = measured(artist)
    with capsys.disabled():
        print(f"\nWith {MANY:,} pictures in the history:")
        print(main_thread.histogram(seconds, worked))
    assert trespasses == []
    [drawn] = [entry for entry in seconds if entry.endswith("History.draw")]
    assert main_thread.median(seconds[drawn]) * 1000 < TOLERANCE
    assert len(seconds[drawn]) > 10


def look_through(artist: Artist, words: str) -> None:
    """By the wheel, to the end, and by words."""
    artist.fill("flux_depth_history.words", "")
    artist.wait_until(f"{FOUND} == {MANY}")
    artist.hover("flux_depth_history.row")
    for button in (5, 4):
        for _ in range(20):
            artist.screen.xdotool("click", "--repeat", 5, "--delay", 15, button)
            time.sleep(0.1)
    artist.fill("flux_depth_history.words", words)
    artist.wait_until(f"{FOUND} > 10 and part('gallery')._asked.words == {words!r}")
