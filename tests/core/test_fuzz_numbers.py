"""Whatever the camera, the Z pass and the file it was written to hold, it is a control image or a sentence."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from flux_depth_addon.core.depth_map import DepthSettings, control_image
from flux_depth_addon.core.errors import InputError
from flux_depth_addon.core.framing import Framing, Limits, fit
from flux_depth_addon.exr import read_channel
from tests.core.fuzzing import check_sentence, effort

HARD = [
    0.0,
    -0.0,
    -1.0,
    1e-45,
    1e-7,
    1e-6,
    1.0,
    1.00001,
    3.4e38,
    1e10,
    1.1e10,
    float("inf"),
    float("-inf"),
    float("nan"),
]
singles = st.sampled_from(HARD).map(np.float32).map(float) | st.floats(width=32)
depths = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=12), elements=singles)
"""Z as an array of any small shape, none and one pixel among them."""

distances = st.none() | st.sampled_from([*HARD, 1e300, 5e-324]) | st.floats()
settings_of = st.builds(DepthSettings, distances, distances, st.sampled_from(["disparity", "linear"]))


@example(np.zeros((0, 5), np.float32), DepthSettings())
@given(depths, settings_of)
@effort(6)
def test_any_z_is_a_control_image_or_a_sentence(z: np.ndarray, settings: DepthSettings) -> None:
    before = z.copy()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            picture, verdict = control_image(z, settings)
    except InputError as error:
        check_sentence(error)
        return
    np.testing.assert_array_equal(z, before)
    assert (picture.mode, picture.size) == ("RGB", z.shape[::-1])
    grey = np.asarray(picture)[..., 0]
    assert not grey[z == np.inf].any()
    order = np.argsort(z, axis=None)
    assert (np.diff(grey.ravel()[order].astype(int)) <= 0).all()  # nearer is never darker
    check_sentence(verdict.sentence)
    assert 0 < verdict.hit <= 1
    assert 0 < verdict.near < verdict.far < 1e12


aspects = st.sampled_from([*HARD, 5e-324, 1e308, 16 / 9]) | st.floats()
limits_of = st.builds(
    Limits,
    st.integers(1, 600),
    st.integers(1, 2000),
    st.integers(1, 4000),
    st.sampled_from([0.01, 1.0, 100.0]) | st.floats(0.01, 100),
)


@given(aspects, limits_of, st.none() | st.sampled_from(HARD) | st.floats(), st.booleans())
@effort(3, seconds=5)
def test_any_frame_has_a_framing_or_a_sentence(
    aspect: float, limits: Limits, megapixels: float | None, overscan: bool
) -> None:
    try:
        framing = fit(aspect, limits, megapixels=megapixels, overscan=overscan)
    except InputError as error:
        check_sentence(error)
        return
    for side in (framing.width, framing.height):
        assert side % limits.multiple == 0
        assert limits.min_side <= side <= limits.max_side
    assert framing.width * framing.height <= limits.max_megapixels * 1024 * 1024


@given(st.lists(st.integers(-(2**70), 2**70) | st.integers(-3, 3000), min_size=6, max_size=6))
@effort()
def test_a_framing_is_a_box_in_its_picture_or_none(numbers: list[int]) -> None:
    try:
        framing = Framing(*numbers)
    except ValueError:
        return
    left, top, right, bottom = framing.crop
    assert 0 <= left < right <= framing.width
    assert 0 <= top < bottom <= framing.height


def attribute(name: bytes, value: bytes) -> bytes:
    """One entry of an OpenEXR header."""
    return name + b"\0type\0" + struct.pack("<i", len(value)) + value


def exr(
    box: tuple[int, int, int, int], channels: list[tuple[bytes, int]], *, flags: int = 0, squeeze: int = 0
) -> bytes:
    """An OpenEXR file of scan lines, zeros all of them."""
    listed = b"".join(name + b"\0" + struct.pack("<iB3xii", kind, 0, 1, 1) for name, kind in channels) + b"\0"
    head = b"v/1\x01" + struct.pack("<I", 2 | flags)
    head += attribute(b"channels", listed) + attribute(b"compression", bytes([squeeze]))
    head += attribute(b"dataWindow", struct.pack("<4i", *box)) + b"\0"
    width, height = max(0, box[2] - box[0] + 1), max(0, box[3] - box[1] + 1)
    line = 8 + sum(width * (2 if kind == 1 else 4) for _, kind in channels)
    return head + bytes(8 * height) + bytes(line * height) if line * height < 10**6 else head


sides = st.integers(-3, 9) | st.sampled_from([2**31 - 1, -(2**31)])
files = st.builds(
    exr,
    st.tuples(sides, sides, sides, sides),
    st.lists(
        st.tuples(
            st.sampled_from([b"V.Depth.Z", b"R", b"row", b"length", b"", b"\xff", b"x" * 300]), st.integers(0, 4)
        ),
        max_size=4,
    ),
    flags=st.sampled_from([0, 0, 0x200, 0x1000]),
    squeeze=st.sampled_from([0, 0, 3]),
)


@st.composite
def damaged(draw: Any) -> bytes:
    """A file with a few bytes changed, or its end gone."""
    data = bytearray(draw(files))
    for _ in range(draw(st.integers(0, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)) | st.just(len(data)))])


SOUND = exr((0, 0, 6, 4), [(b"V.Depth.Z", 2)])


@example(SOUND[:9])
@example(exr((0, 0, 2**31 - 2, 2**31 - 2), [(b"V.Depth.Z", 2)]))
@example(SOUND.replace(b"compression", b"comparision"))
@given(damaged() | st.binary(max_size=60))
@effort(6)
def test_any_file_is_a_channel_or_refused(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "depth.exr")
        path.write_bytes(data)
        try:
            values = read_channel(path, ".Depth.Z")
        except ValueError:
            return
    assert values.dtype == np.float32
    assert values.ndim == 2
    assert values.nbytes <= 4 * len(data)


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "depth.exr").write_bytes(SOUND)
    assert read_channel(tmp_path / "depth.exr", ".Depth.Z").shape == (5, 7)
    with pytest.raises(ValueError, match="no channel"):
        read_channel(tmp_path / "depth.exr", ".Mist")
