"""What leaves this computer when a request is sent: every field, and to whom."""

from __future__ import annotations

from base64 import b64encode
from typing import NamedTuple

from .addresses import host_of
from .models import Model
from .providers import Pictures, protocol
from .request import Request

__all__ = ["Disclosure", "disclosure"]

START = b"start picture"
"""What stands in the body for it, to be found again."""


class Disclosure(NamedTuple):
    """One submission, as the provider will see it."""

    host: str
    """Empty for the sandbox, which is on this computer."""
    key_header: str
    """The header that holds the key; empty where none is sent."""
    picture: str
    """What the control image is: the depth map, or the clay render."""
    picture_field: str
    """The field that holds the control image."""
    fields: dict[str, str]
    """All other fields of the body, in order."""


def disclosure(request: Request, model: Model) -> Disclosure:
    """What would be sent for this request; made from the very body that is sent."""
    speech = protocol(model.provider.protocol)
    pictures = Pictures(b"", START if request.start else b"")  # no panel has the pixels at hand
    shown = speech.shown(speech.submission(request, model, pictures, "…"))
    fields = {name: _told(value) for name, value in shown.items() if name.rpartition(".")[2] != model.map_field}
    picture = "clay render" if request.control == "clay" else "depth map"
    return Disclosure(host_of(model.provider.base), model.provider.key_header, picture, model.map_field, fields)


def _told(value: object) -> str:
    return "the start picture, a PNG" if b64encode(START).decode() in str(value) else str(value)
