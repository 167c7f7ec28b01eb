"""A picture from outside is proven whole before it counts, cut to the frame, and written all or not at all."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from flux_depth_addon.core.errors import ProviderError
from flux_depth_addon.core.framing import Framing
from flux_depth_addon.core.picture import open_picture, store, write_whole
from tests.core.fuzzing import effort

Picture = Callable[..., bytes]
PACKAGE = Path(__file__).parents[2] / "flux_depth_addon"
WHOLE = Framing(width=320, height=256, left=0, top=0, crop_width=320, crop_height=256)
CUT = Framing(width=320, height=256, left=10, top=6, crop_width=300, crop_height=244)
NOT_WHOLE = r"What came back is not a whole PNG, JPEG or WebP picture\."


def black(width: int, height: int) -> bytes:
    """A PNG of few bytes and many pixels."""
    buffer = BytesIO()
    Image.new("1", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_kind_is_told_from_the_bytes(picture: Picture, kind: str) -> None:
    assert open_picture(picture(kind=kind)).format == kind


@pytest.mark.parametrize(
    "data",
    [b"", b"<!DOCTYPE html><html>Bad gateway</html>", b'{"detail": "gone"}', b"GIF89a\1\0\1\0\0\0\0;", b"%PDF-1.4"],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(ProviderError, match=NOT_WHOLE):
        open_picture(data)


WITHOUT_PILLOW = """
import sys, PIL
from pathlib import Path
from core.framing import Framing
from core.picture import load_codecs, store
load_codecs()
PIL.__path__[:] = []  # as when its folder is gone
framing = Framing(width=320, height=256, left=10, top=6, crop_width=300, crop_height=244)
print(*store(sys.stdin.buffer.read(), framing, Path(sys.argv[1])))
"""


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGB"), ("PNG", "P"), ("JPEG", "RGB"), ("WEBP", "RGB")])
def test_what_was_loaded_in_time_outlives_pillow_s_files(tmp_path: Path, kind: str, mode: str, suffix: str) -> None:
    data, exif = BytesIO(), Image.Exif()
    exif[0x0110] = "a camera"
    Image.linear_gradient("L").resize((320, 256)).convert(mode).save(data, kind, exif=exif)
    child = subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT_PILLOW, str(tmp_path / f"made.{suffix}")],
        input=data.getvalue(),
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(PACKAGE)},
    )
    assert (child.stdout.split(), child.stderr.decode()) == ([b"300", b"244"], "")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_truncated_picture_is_refused(picture: Picture, kind: str, share: float) -> None:
    data = picture(kind=kind, quality=100)
    with pytest.raises(ProviderError, match=NOT_WHOLE):
        open_picture(data[: int(len(data) * share)])


def test_a_picture_above_twenty_megapixels_is_not_decoded() -> None:
    with pytest.raises(ProviderError, match="is 5001 × 4000: too large to open"):
        open_picture(black(5001, 4000))


def test_a_decompression_bomb_is_not_decoded() -> None:
    with pytest.raises(ProviderError, match=NOT_WHOLE):
        open_picture(black(20_000, 10_000))


@effort(7, seconds=20)
@given(st.data())
def test_damaged_bytes_are_a_picture_or_one_error(picture: Picture, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "WEBP"]))
    damaged = bytearray(picture(width=40, height=32, kind=kind))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        open_picture(bytes(damaged)).convert("RGB")
    except ProviderError:
        return


def profile_of(*colourants: tuple[float, float, float], gamma: float = 2.2) -> bytes:
    """A colour profile, version 2: the XYZ of red, green and blue under D50, and one exponent for all."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv" + bytes(4) + struct.pack(">IHxx", 1, round(gamma * 256))
    tags = dict(
        zip((b"rXYZ", b"gXYZ", b"bXYZ"), (b"XYZ " + bytes(4) + fixed(*each) for each in colourants), strict=True)
    )
    tags |= {b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1.0, 0.8249), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    offset, directory, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        directory += name + struct.pack(">II", offset + len(body), len(value))
        body += value
    size = offset + len(body)
    header = struct.pack(">I4xI", size, 0x02100000) + b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28)
    return header + fixed(0.9642, 1.0, 0.8249) + bytes(48) + directory + body


DISPLAY_P3 = profile_of((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))


def with_profile(profile: bytes) -> bytes:
    """A whole frame in one green, told in that profile's values."""
    buffer = BytesIO()
    Image.new("RGB", (WHOLE.width, WHOLE.height), (60, 180, 60)).save(buffer, "PNG", icc_profile=profile)
    return buffer.getvalue()


def test_colours_of_another_profile_become_srgb(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    store(with_profile(DISPLAY_P3), WHOLE, path)
    with Image.open(path) as picture:
        red, green, blue = picture.getpixel((5, 5))
        assert "icc_profile" not in picture.info
    # Linear P3 to linear sRGB is a matrix; what is below its gamut is cut off.
    linear = [(value / 255) ** 2.2 for value in (60, 180, 60)]
    wanted = [1.2249 * linear[0] - 0.2247 * linear[1], -0.042 * linear[0] + 1.0419 * linear[1]]
    assert red == 0 == round(max(wanted[0], 0))
    assert green == pytest.approx(255 * (1.055 * wanted[1] ** (1 / 2.4) - 0.055), abs=2)
    assert blue < 60


@pytest.mark.parametrize("profile", [ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), b"no profile"])
def test_a_profile_that_changes_nothing_leaves_the_bytes_as_they_came(tmp_path: Path, profile: bytes) -> None:
    data, path = with_profile(profile), tmp_path / "out.png"
    store(data, WHOLE, path)
    assert path.read_bytes() == data


def test_the_frame_is_cut_out_to_the_pixel(picture: Picture, tmp_path: Path) -> None:
    size = store(picture(), CUT, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as cut, Image.open(BytesIO(picture())) as sent:
        assert size == cut.size == (300, 244)
        assert cut.tobytes() == sent.crop((10, 6, 310, 250)).tobytes()


def test_a_picture_at_another_size_still_lies_on_the_frame(picture: Picture, tmp_path: Path) -> None:
    store(picture(width=640, height=512), CUT, tmp_path / "out.png")
    store(picture(), CUT, tmp_path / "same.png")
    with Image.open(tmp_path / "out.png") as scaled, Image.open(tmp_path / "same.png") as cut:
        assert scaled.size == (300, 244)
        difference = max(
            abs(a - b)
            for at in [(5, 5), (150, 120), (290, 240)]
            for a, b in zip(scaled.getpixel(at), cut.getpixel(at), strict=True)
        )
        assert difference <= 3


def test_bytes_that_need_no_change_stay_as_they_came(picture: Picture, tmp_path: Path) -> None:
    store(picture(), WHOLE, tmp_path / "out.png")
    assert (tmp_path / "out.png").read_bytes() == picture()


@pytest.mark.parametrize("asked", ["out.png", "out.jpg", "out.webp"])
@pytest.mark.parametrize("came", ["PNG", "JPEG", "WEBP"])
def test_the_file_is_what_its_name_says_whatever_came(picture: Picture, tmp_path: Path, asked: str, came: str) -> None:
    store(picture(kind=came), WHOLE, tmp_path / asked)
    with Image.open(tmp_path / asked) as written:
        assert written.format == {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}[asked[4:]]


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK"])
def test_other_kinds_of_pixels_become_rgb(tmp_path: Path, mode: str) -> None:
    buffer = BytesIO()
    Image.new(mode, (320, 256)).save(buffer, "JPEG" if mode == "CMYK" else "PNG")
    store(buffer.getvalue(), CUT, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as written:
        assert written.mode == "RGB"


def test_nothing_is_written_of_a_broken_picture(tmp_path: Path) -> None:
    with pytest.raises(ProviderError):
        store(b"<html>", WHOLE, tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b" / "c.bin", b"whole")
    assert (tmp_path / "a" / "b" / "c.bin").read_bytes() == b"whole"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(tmp_path / "file", b"old")

    def full(_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "file", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]


def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr("os.fsync", killed)
        dying.setattr("pathlib.Path.unlink", killed)
        with pytest.raises(Killed):
            write_whole(tmp_path / "file", b"half")
    write_whole(tmp_path / "other", b"whole")
    assert len(list(tmp_path.glob(".*.part"))) == 1
    write_whole(tmp_path / "file", b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "other"]


def test_a_file_in_place_of_the_folder_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(OSError, match="file"):
        write_whole(tmp_path / "file" / "picture.png", b"x")
