"""The start picture, brought over the frame."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from flux_depth_addon.core.errors import InputError
from flux_depth_addon.core.framing import Framing
from flux_depth_addon.core.start import fitted, mark_of

FRAMING = Framing(width=320, height=256, left=10, top=6, crop_width=300, crop_height=244)


def png(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(data: bytes) -> np.ndarray:
    with Image.open(BytesIO(data)) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        return np.asarray(image)


def test_a_picture_of_the_frame_lies_on_it_pixel_on_pixel_and_its_edge_goes_on_around_it(
    picture: Callable[..., bytes],
) -> None:
    source = picture(300, 244)
    made, own = pixels(fitted(source, FRAMING)), pixels(source)
    assert made.shape == (256, 320, 3)
    assert np.array_equal(made[6:250, 10:310], own)
    assert np.array_equal(made[100, :10], np.repeat(own[94:95, 0], 10, axis=0))
    assert np.array_equal(made[255, 10:310], own[-1])


def test_a_picture_of_another_shape_keeps_its_own_and_covers_the_frame() -> None:
    wide = Image.new("RGB", (1000, 244), "red")
    wide.paste("blue", (350, 0, 650, 244))
    made = pixels(fitted(png(wide), FRAMING))
    assert tuple(made[128, 160]) == (0, 0, 255)
    assert tuple(made[128, 20]) == (0, 0, 255)
    assert tuple(made[128, 0]) == (0, 0, 255)


def test_the_same_picture_gives_the_same_bytes_and_so_the_same_mark(picture: Callable[..., bytes]) -> None:
    one, other = (fitted(picture(640, 480), FRAMING) for _ in range(2))
    assert one == other
    assert len(mark_of(one)) == 64
    assert mark_of(b"") == ""


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        (Image.new("RGBA", (30, 24), (255, 255, 255, 0)), (0, 0, 0)),
        (Image.new("LA", (30, 24), (200, 255)), (200, 200, 200)),
        (Image.new("I;16", (30, 24), 0x8000), (128, 128, 128)),
        (Image.new("L", (30, 24), 7), (7, 7, 7)),
        (Image.new("1", (30, 24), 1), (255, 255, 255)),
        (Image.new("RGB", (30, 24), (1, 2, 3)).convert("P"), None),
    ],
)
def test_every_kind_of_picture_becomes_plain_colours(image: Image.Image, shown: tuple[int, int, int] | None) -> None:
    made = pixels(fitted(png(image), FRAMING))
    assert shown is None or tuple(made[128, 160]) == shown


def test_a_photo_that_lies_on_its_side_is_stood_up() -> None:
    image = Image.new("RGB", (244, 300), "red")
    image.paste("blue", (0, 0, 244, 150))
    turned = Image.Exif()
    turned[0x0112] = 6
    made = pixels(fitted(png(image, "JPEG", exif=turned, quality=100), FRAMING))
    assert made[128, 300, 2] > 200
    assert made[128, 20, 0] > 200


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_what_is_no_picture_is_said(data: bytes) -> None:
    with pytest.raises(InputError, match=r"^The start picture is no whole .* Nothing was sent\.$"):
        fitted(data, FRAMING)


def test_a_gigantic_picture_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(InputError, match="20 megapixels"):
        fitted(png(Image.new("1", (6000, 6000))), FRAMING)
