"""Kept objects over a picture: every pixel as arithmetic has it, and what is no picture of that frame refused."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flux_depth_addon.core import record
from flux_depth_addon.core.composite import frame_of, laid_over, png, read
from flux_depth_addon.core.errors import InputError
from flux_depth_addon.core.framing import Framing
from flux_depth_addon.core.provenance import embedded
from flux_depth_addon.core.request import Request


def test_every_pixel_is_picture_and_render_by_the_alpha() -> None:
    values = np.random.default_rng(7)
    picture = values.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    render = values.integers(0, 256, (64, 64, 4), dtype=np.uint8)
    a = render[..., 3:] / 255
    expected = picture * (1 - a) + render[..., :3] * a
    got = np.asarray(laid_over(Image.fromarray(picture), Image.fromarray(render)))
    assert np.abs(got - expected).max() <= 0.51


def test_where_nothing_is_kept_the_picture_stays_to_the_bit_and_where_all_is_the_render() -> None:
    picture = Image.linear_gradient("L").convert("RGB")
    for alpha, expected in ((0, picture.tobytes()), (255, Image.new("RGB", picture.size, (9, 8, 7)).tobytes())):
        assert laid_over(picture, Image.new("RGBA", picture.size, (9, 8, 7, alpha))).tobytes() == expected


def test_a_render_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match="The picture is 4 × 4 pixels, and what is laid over it 5 × 4"):
        laid_over(Image.new("RGB", (4, 4)), Image.new("RGBA", (5, 4)))


@pytest.mark.parametrize("size", [(1344, 756), (1343, 756), (2688, 1512), (640, 360), (641, 360)])
def test_a_picture_of_the_frame_s_shape_is_the_frame_at_any_size(size: tuple[int, int]) -> None:
    assert frame_of(size, 16 / 9).crop == (0, 0, *size)


@pytest.mark.parametrize("size", [(1344, 768), (756, 1344), (1, 1000), (640, 364)])
def test_a_picture_of_another_shape_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=r"camera's frame has another shape \(1\.778 : 1\)"):
        frame_of(size, 16 / 9)


def test_a_picture_is_read_without_its_alpha(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(Image.new("RGBA", (3, 2), (10, 20, 30, 0))))
    assert read(tmp_path / "a.png").getpixel((2, 1)) == (10, 20, 30)


def test_what_is_no_picture_is_one_sentence(tmp_path: Path) -> None:
    whole = BytesIO()
    Image.effect_noise((64, 64), 90).save(whole, "PNG")
    for name, content in {"text.png": b"not a picture", "cut.png": whole.getvalue()[:999], "none.png": b""}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"^{name} is not a whole PNG, JPEG or WebP picture: choose another.$"):
            read(tmp_path / name)


@pytest.mark.parametrize("name", ["gone.png", ".", "a\0b.png"])
def test_what_cannot_be_opened_is_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be opened"):
        read(tmp_path / name)


def test_a_file_beyond_all_bounds_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flux_depth_addon.core.composite.MAX_BYTES", 10)
    (tmp_path / "large.png").write_bytes(bytes(11))
    with pytest.raises(InputError, match="larger than 10 bytes"):
        read(tmp_path / "large.png")


def test_what_is_laid_over_a_picture_tells_its_story_and_that_a_part_is_not_a_model_s(tmp_path: Path) -> None:
    framing = Framing(64, 64, 0, 0, 64, 64)
    request = Request(prompt="a quiet room", model="bfl:flux-pro-1.0-depth", framing=framing, seed=7)
    told = record.said(record.made_now(request, seed=7, cost_usd=0.05, asked=0.0))
    plain = tmp_path / "plain.png"
    plain.write_bytes(embedded(png(Image.new("RGB", (64, 64))), told))
    laid = tmp_path / "laid.png"
    laid.write_bytes(png(Image.new("RGB", (64, 64)), over=plain))
    assert record.read(laid).request.seed == 7
    assert b"compositeWithTrainedAlgorithmicMedia" in laid.read_bytes()


def test_over_a_picture_that_says_nothing_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "plain.png").write_bytes(png(Image.new("RGB", (64, 64))))
    assert b"xmp" not in png(Image.new("RGB", (64, 64)), over=tmp_path / "plain.png")
