"""What a submission may hold: the fields a model must have, their ranges, and images that decode."""

from __future__ import annotations

import base64
import binascii
import io
import warnings
from collections.abc import Iterator
from typing import Any

from PIL import Image, UnidentifiedImageError

from .answers import Refusal, complaint, invalid

__all__ = ["read_submission", "required_fields"]

MAX_TEXT = 20 * 1024 * 1024
"""Characters of one base64 image. Like the next two: what BFL's own SDK accepts."""
MAX_PIXELS = 20_000_000
MIN_SIDE = 256

Names = tuple[str, ...]

KINDS: dict[str, tuple[type, str]] = {
    "prompt": (str, "string"),
    "finetune_id": (str, "string"),
    "output_format": (str, "string"),
    "prompt_upsampling": (bool, "boolean"),
}
RANGES: dict[str, tuple[str, float, float]] = {
    "steps": ("integer", 15, 50),
    "guidance": ("number", 1, 100),
    "safety_tolerance": ("integer", 0, 6),
    "finetune_strength": ("number", 0, 2),
    "seed": ("integer", -(2**63), 2**63),
}
FORMATS = ("jpeg", "png")


def read_submission(path: str, data: object) -> dict[str, Any]:
    """The fields of a body, unset ones left out; raises Refusal with one complaint per field."""
    if not isinstance(data, dict):
        raise Refusal(invalid([complaint("", "dict_type", "Input should be a valid dictionary")]))
    fields = {name: value for name, value in data.items() if value is not None}
    if complaints := list(complaints_about(fields, *required_fields(path))):
        raise Refusal(invalid(complaints))
    return fields


def required_fields(path: str) -> tuple[Names, Names]:
    """The fields a model must have, and the fields of which one must hold its map.

    The fine-tuned model has no `preprocessed_image`. BFL wants a `finetune_id`, CometAPI documents none.
    """
    if not path.endswith("finetuned"):
        return ("prompt",), ("preprocessed_image", "control_image")
    return ("prompt",) if path.startswith("/flux/") else ("prompt", "finetune_id"), ("control_image",)


def complaints_about(fields: dict[str, Any], required: Names, maps: Names) -> Iterator[object]:
    """All that is wrong with the known fields, in the words of the framework that BFL runs on."""
    needed = required if any(name in fields for name in maps) else (*required, maps[-1])
    yield from (complaint(name, "missing", "Field required") for name in needed if name not in fields)
    for name, value in fields.items():
        if name in maps:
            yield from wrong_image(name, value)
        elif name in RANGES:
            yield from wrong_number(name, value, *RANGES[name])
        elif name in KINDS:
            yield from wrong_kind(name, value, *KINDS[name])


def wrong_kind(name: str, value: object, kind: type, word: str) -> Iterator[object]:
    """A complaint when the value is not of that kind, or names a format that does not exist."""
    if not isinstance(value, kind):
        yield complaint(name, f"{word}_type", f"Input should be a valid {word}")
    elif name == "output_format" and value not in FORMATS:
        yield complaint(name, "enum", "Input should be 'jpeg' or 'png'")


def wrong_number(name: str, value: object, word: str, low: float, high: float) -> Iterator[object]:
    """A complaint when the value is no number of that kind in the range, both ends included."""
    if isinstance(value, bool) or not isinstance(value, int if word == "integer" else int | float):
        yield complaint(name, f"{word}_type", f"Input should be a valid {word}")
    elif not value >= low:
        yield complaint(name, "greater_than_equal", f"Input should be greater than or equal to {low:g}")
    elif not value <= high:
        yield complaint(name, "less_than_equal", f"Input should be less than or equal to {high:g}")


def wrong_image(name: str, value: object) -> Iterator[object]:
    """A complaint when the value is not the plain base64 of an image that the model takes."""
    try:
        read_image(value)
    except ValueError as error:
        yield complaint(name, "value_error", f"Value error, {error}")


def read_image(text: object) -> bytes:
    """The bytes of a base64 image that decodes whole; raises ValueError with the reason."""
    if not isinstance(text, str) or text.startswith("data:"):
        raise ValueError("image must be plain base64 without a data: prefix")
    if len(text) > MAX_TEXT:
        raise ValueError("image is larger than 20 MB of base64")
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("image is not valid base64") from None
    check_image(data)
    return data


def check_image(data: bytes) -> None:
    """Raises ValueError unless the bytes are a whole image of an accepted size."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP", "GIF")) as image:
                check_size(*image.size)
                image.load()
        except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError):
            raise ValueError("image cannot be decoded") from None


def check_size(width: int, height: int) -> None:
    """Raises ValueError for a size that BFL's SDK refuses."""
    if min(width, height) < MIN_SIDE:
        raise ValueError(f"image dimensions must be at least {MIN_SIDE} pixels, not {width}x{height}")
    if width * height > MAX_PIXELS:
        raise ValueError(f"image must not exceed 20 megapixels, not {width}x{height}")
