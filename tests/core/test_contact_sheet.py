"""Many pictures small on one sheet, and words that tell them apart."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from flux_depth_addon.core.contact_sheet import PAPER, Layout, Tile, drawing, layout_of, tile_of, write_sheet
from flux_depth_addon.core.errors import InputError
from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.request import Request


@pytest.fixture
def red(tmp_path: Path) -> Path:
    path = tmp_path / "red.png"
    Image.new("RGB", (400, 200), (200, 0, 0)).save(path)
    return path


def drawn(*tiles: Tile) -> tuple[Image.Image, Layout]:
    sheets = list(drawing(tiles))
    assert len(sheets) == len(tiles)
    return sheets[-1], layout_of(len(tiles), 2)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 24, 40, 100, 1000])
@pytest.mark.parametrize("aspect", [16 / 9, 1.0, 9 / 16, 100.0])
def test_every_picture_has_a_place_of_its_own(count: int, aspect: float) -> None:
    layout = layout_of(count, aspect)
    assert layout.columns * layout.rows >= count > layout.columns * (layout.rows - 1)
    width, height = layout.size
    assert width * height < 60_000_000
    places = {layout.place(number) for number in range(count)}
    assert len(places) == count
    assert all(left + layout.width < width and top + layout.height + layout.caption <= height for left, top in places)


@pytest.mark.parametrize("count", [0, 1001])
def test_more_than_a_sheet_holds_is_refused(count: int) -> None:
    with pytest.raises(InputError, match=r"from one to 1,000 pictures\. (There are none|These are 1,001): choose"):
        layout_of(count, 1.5)


def test_the_picture_is_there_and_words_below_it(red: Path) -> None:
    sheet, layout = drawn(Tile(red, ("seed 7", "Camera", "a room")), Tile(red))
    left, top = layout.place(0)
    assert sheet.getpixel((left + layout.width // 2, top + layout.height // 2)) == (200, 0, 0)
    below = (0, top + layout.height, layout.width, top + layout.height + layout.caption)
    assert sheet.crop(below).getcolors(1 << 20) != [(layout.width * layout.caption, PAPER)]
    left, top = layout.place(1)
    unnamed = (left, top + layout.height + 1, left + layout.width, top + layout.height + layout.caption)
    assert sheet.crop(unnamed).getcolors(1) is not None


def test_what_is_missing_or_broken_is_grey_and_the_others_are_drawn(red: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(red.read_bytes()[:-40])
    text = tmp_path / "text.png"
    text.write_text("no picture")
    sheet, layout = drawn(Tile(tmp_path / "gone.png"), Tile(broken), Tile(text), Tile(None), Tile(tmp_path), Tile(red))
    for number in range(5):
        left, top = layout.place(number)
        assert sheet.getpixel((left + 2, top + 2)) == (60, 60, 60), number
    left, top = layout.place(5)
    assert sheet.getpixel((left + layout.width // 2, top + layout.height // 2)) == (200, 0, 0)


def test_words_stay_below_their_own_picture(red: Path) -> None:
    words = ("seed " * 500, "x" * 5000, "word " * 500)
    sheet, layout = drawn(Tile(red, words), Tile(red))
    left, _top = layout.place(0)
    gap = (left + layout.width + 1, 0, left + layout.width + layout.gap, layout.size[1])
    assert sheet.crop(gap).getcolors(1) is not None


def test_letters_of_every_kind_do_not_stop_it(red: Path) -> None:
    words = ("★ 客厅 غرفة कमरा \N{FAMILY} e\u0301 \u202e", "\U0010ffff\ud7ff", "\n\t \0")
    drawn(Tile(red, words))


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "I;16", "CMYK", "1"])
def test_pictures_of_any_kind_are_drawn(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("picture.jpg" if mode == "CMYK" else "picture.png")
    Image.new(mode, (300, 150)).save(path)
    drawn(Tile(path))


def test_a_picture_beyond_all_bounds_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    Image.new("1", (30_000, 30_000)).save(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sheet, layout = drawn(Tile(path))
    assert sheet.getpixel((layout.gap + 2, layout.gap + 2)) == (60, 60, 60)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def test_many_pictures_take_the_memory_of_a_few(tmp_path: Path) -> None:
    path = tmp_path / "one.png"
    Image.linear_gradient("L").resize((1344, 768)).convert("RGB").save(path, compress_level=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sheets = list(drawing([Tile(path, ("seed 7",))] * 60))  # one sheet, as it grows
    write_sheet(sheets[-1], tmp_path / "sheet.jpg")
    assert Image.open(tmp_path / "sheet.jpg").format == "JPEG"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000


def test_a_sheet_that_cannot_be_written_is_said(red: Path, tmp_path: Path) -> None:
    sheet, _layout = drawn(Tile(red))
    with pytest.raises(InputError, match="cannot be written"):
        write_sheet(sheet, red / "below" / "sheet.png")


def test_a_job_is_told_by_what_tells_it_from_others(tmp_path: Path, wish: Callable[..., Request]) -> None:
    with Journal(tmp_path) as journal:
        job = journal.add(wish(seed=7, camera="Left", frame=12.0), b"map", price_usd=0.096)
    tile = tile_of(job, "FLUX")
    assert tile == Tile(None, ("seed 7  ·  $0.096", "FLUX  ·  Left  ·  frame 12", "a quiet room"))
