"""Whatever bytes come back for a picture, they are a whole picture in its place, or an error and nothing."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from flux_depth_addon.core.errors import ProviderError
from flux_depth_addon.core.framing import Framing
from flux_depth_addon.core.picture import MAX_PIXELS, open_picture, store
from tests.core.fuzzing import check_sentence, effort

CHECKOUT = Path(__file__).parents[2]
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of what it finds odd in a file

FRAME = Framing(width=64, height=48, left=2, top=1, crop_width=60, crop_height=46)
WHOLE = Framing(width=64, height=48, left=0, top=0, crop_width=64, crop_height=48)
MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I", "I;16", "F"]


@cache
def saved(mode: str, kind: str, size: tuple[int, int]) -> bytes:
    """A picture with something in it, or nothing where that kind has no such mode."""
    ramp = Image.linear_gradient("L").resize(size)
    picture = Image.new(mode, size) if mode in ("I;16", "PA") else ramp.convert(mode)
    buffer = BytesIO()
    try:
        picture.save(buffer, kind)
    except (OSError, ValueError):
        return b""
    return buffer.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    """One chunk of a PNG, its checksum right."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, depth: int, colour: int, *chunks: bytes, rows: bytes | None = None) -> bytes:
    """A PNG of these chunks, whose pixels are zeros unless they are given."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
    line = 1 + (width * depth * channels + 7) // 8
    data = zlib.compress(bytes(line * height)) if rows is None else rows
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


NAMES = b"tRNS PLTE iCCP gAMA cHRM pHYs tEXt zTXt iTXt eXIf sRGB acTL fcTL fdAT IDAT IHDR IEND tIME bKGD sBIT abcd"
names = st.sampled_from([*NAMES.split(), b"\xff\xfe\xfd\xfc"])
packed = st.binary(max_size=40).map(lambda data: b"name\0\0" + zlib.compress(data))
chunks = st.builds(chunk, names, st.binary(max_size=40) | packed)
pngs = st.builds(
    lambda size, depth, colour, more: png(*size, depth, colour, *more),
    st.tuples(st.integers(0, 70), st.integers(0, 60)) | st.just((64, 48)),
    st.sampled_from([1, 2, 4, 8, 16, 3]),
    st.sampled_from([0, 2, 3, 4, 6, 5]),
    st.lists(chunks, max_size=3),
)

sound = st.builds(
    saved,
    st.sampled_from(MODES),
    st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP"]),
    st.sampled_from([(64, 48), (1, 1), (1, 300), (300, 1), (63, 49), (640, 480)]),
)


@st.composite
def damaged(draw: Callable[..., Any]) -> bytes:
    """A picture with some bytes changed, moved, repeated or gone."""
    data = bytearray(draw(sound))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        match draw(st.sampled_from(["change", "cut", "drop", "repeat", "insert"])):
            case "change":
                data[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
            case "cut":
                del data[place:]
            case "drop":
                del data[place : place + draw(st.integers(1, 20))]
            case "repeat":
                data[place:place] = data[place : place + draw(st.integers(1, 60))]
            case "insert":
                data[place:place] = draw(st.binary(max_size=8))
    return bytes(data)


pictures = st.binary(max_size=80) | sound | damaged() | pngs
OWN = {"jfif", "jfif_version", "jfif_unit", "jfif_density", "loop", "background", "timestamp", "duration"}
"""What Pillow itself says of a JPEG or WebP that says nothing."""

SUFFIXES = [".png", ".jpg", ".webp", ".odd"]


def grey_with_a_see_through_level() -> bytes:
    """16 bits of grey, of which one level is transparent."""
    return png(64, 48, 16, 0, chunk(b"tRNS", b"\x12\x34"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@example(grey_with_a_see_through_level(), FRAME, ".png")
@given(pictures, st.sampled_from([FRAME, WHOLE]), st.sampled_from(SUFFIXES))
@effort(8)
def test_a_picture_is_whole_in_its_place_or_nothing_is(
    folder: Path, data: bytes, framing: Framing, suffix: str
) -> None:
    with TemporaryDirectory(dir=folder) as place:
        path = Path(place, f"picture{suffix}")
        try:
            size = store(data, framing, path)
        except ProviderError as error:
            sentence = str(error)
        else:
            sentence = "Stored."
            with Image.open(path) as picture:
                picture.load()
                assert picture.size == size == (framing.crop_width, framing.crop_height)
                # What was made here tells nothing but its colours.
                assert path.read_bytes() == data or picture.mode == "RGB"
                assert path.read_bytes() == data or not set(picture.info) - OWN
        check_sentence(sentence)
        assert [entry.name for entry in Path(place).iterdir()] == [path.name] * (sentence == "Stored.")


@given(st.integers(1, 90), st.integers(1, 90), st.data())
@effort(2)
def test_a_picture_of_any_size_becomes_the_frame(folder: Path, width: int, height: int, data: st.DataObject) -> None:
    crop_width, crop_height = data.draw(st.integers(1, 64)), data.draw(st.integers(1, 48))
    left, top = data.draw(st.integers(0, 64 - crop_width)), data.draw(st.integers(0, 48 - crop_height))
    path = folder / "frame.png"
    size = store(saved("RGB", "PNG", (width, height)), Framing(64, 48, left, top, crop_width, crop_height), path)
    path.unlink()
    assert size == (crop_width, crop_height)


def animated() -> bytes:
    """A hundred and one frames, of which only the first is looked at."""
    buffer = BytesIO()
    first, then = (Image.new("RGB", (640, 480), colour) for colour in ("red", "blue"))
    first.save(buffer, "WEBP", save_all=True, append_images=[then, first] * 50)
    return buffer.getvalue()


def zeros(count: int) -> bytes:
    """That many, packed to a thousandth."""
    return zlib.compress(bytes(count), 1)


BOMBS: dict[str, Callable[[], bytes]] = {
    "more pixels than it says": lambda: png(64, 48, 8, 2, rows=zeros(100_000_000)),
    "fewer pixels than it says": lambda: png(30_000, 30_000, 8, 2, rows=zeros(1_000_000)),
    "too many pixels": lambda: png(4_500, 4_500, 8, 6, rows=zeros(4_500 * 18_001)),
    "endless text": lambda: png(64, 48, 8, 2, *[chunk(b"zTXt", b"x\0\0" + zeros(30_000_000))] * 12),
    "an endless profile": lambda: png(64, 48, 8, 2, chunk(b"iCCP", b"x\0\0" + zeros(100_000_000))),
    "frames": animated,
    "a wide WebP": lambda: saved("L", "WEBP", (16_383, 1_300)),
    "a wide JPEG": lambda: saved("L", "JPEG", (20_000, 1_100)),
}
MEASURE = """
import re, sys
from pathlib import Path
from flux_depth_addon.core.errors import ProviderError
from flux_depth_addon.core.framing import Framing
from flux_depth_addon.core.picture import store
whole = Framing(64, 48, 0, 0, 64, 48)
def kilobytes(name):
    return int(re.search(name + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
before = kilobytes("VmRSS")
try:
    store(Path(sys.argv[1]).read_bytes(), whole, Path(sys.argv[1] + ".png"))
except ProviderError:
    pass
print(kilobytes("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_takes_no_large_memory(name: str, tmp_path: Path) -> None:
    (tmp_path / "bomb").write_bytes(BOMBS[name]())
    told = subprocess.check_output([sys.executable, "-c", MEASURE, str(tmp_path / "bomb")], cwd=CHECKOUT, timeout=60)
    print(f"{name}: {int(told):,} kB")
    assert int(told) < 50_000, f"{int(told):,} kB"


def test_a_picture_at_the_limit_is_opened_and_one_beyond_it_is_not() -> None:
    assert open_picture(saved("1", "PNG", (5_000, 4_000))).size == (5_000, 4_000)
    assert MAX_PIXELS == 5_000 * 4_000
    with pytest.raises(ProviderError, match="too large"):
        open_picture(saved("1", "PNG", (5_000, 4_001)))
