"""What is disclosed is what is sent: compared with what a server receives."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from flux_depth_addon.core.client import Client
from flux_depth_addon.core.disclosure import disclosure
from flux_depth_addon.core.models import Table
from flux_depth_addon.core.providers import Pictures
from flux_depth_addon.core.request import Request

ALL = {
    "seed": 7, "steps": 30, "guidance": 20.0, "safety_tolerance": 1, "prompt_upsampling": True,
    "blend": "house.blend", "scene": "Hall", "camera": "Cam", "frame": 12.0,
}  # fmt: skip


@pytest.mark.parametrize("dials", [{}, ALL], ids=["no dials", "all dials"])
@pytest.mark.parametrize("model_id", ["cometapi:flux-pro-1-0-depth-finetuned", "bfl:flux-pro-1.0-depth", "sandbox"])
def test_every_field_that_is_sent_is_disclosed_and_no_other(
    table: Table, told: Callable[..., Any], wish: Callable[..., Request], model_id: str, dials: dict[str, Any]
) -> None:
    server = told((200, {}, b'{"id": "t1"}'))
    request, model = wish(model=model_id, **dials), table[model_id]
    Client(table, {"cometapi": "k", "bfl": "k"}).submit(request, server.base, Pictures(b"png"), "job")
    sent, shown = json.loads(server.seen[0].body), disclosure(request, model)
    assert sent.keys() == shown.fields.keys() | {shown.picture_field}
    assert all(str(sent[name]) == value for name, value in shown.fields.items())
    assert shown.key_header.lower() in (server.seen[0].headers | {"": ""})


def test_the_host_is_the_provider_s_own(table: Table, wish: Callable[..., Request]) -> None:
    model = table["cometapi:flux-pro-1-0-depth-finetuned"]
    assert disclosure(wish(), model).host == "api.cometapi.com"
    assert disclosure(wish(model="sandbox"), table["sandbox"]).host == ""


def test_no_name_of_the_user_s_is_sent(table: Table, wish: Callable[..., Request]) -> None:
    shown = disclosure(wish(blend="house.blend", scene="Hall", camera="Cam"), table["bfl:flux-pro-1.0-depth"])
    assert not {"house.blend", "Hall", "Cam"} & set(shown.fields.values())


def test_what_the_control_image_shows_is_named(table: Table, wish: Callable[..., Request]) -> None:
    model = table["cometapi:flux-pro-1-0-depth-finetuned"]
    assert disclosure(wish(), model).picture == "depth map"
    assert disclosure(wish(control="clay"), model).picture == "clay render"


def test_a_start_picture_is_disclosed_by_its_field_with_what_goes_along(
    table: Table, wish: Callable[..., Request]
) -> None:
    model = next(model for model in table.models.values() if model.start == "required")
    fields = disclosure(wish(model=model.id, start="0" * 64, strength=0.4), model).fields
    assert "the start picture, a PNG" in fields.values()
    assert "0.4" in fields.values()
    assert "the start picture, a PNG" not in disclosure(wish(model=model.id), model).fields.values()
