"""What the model would refuse is refused here, in one sentence, before any money is spent."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_depth_addon.core.depth_map import DepthSettings
from flux_depth_addon.core.errors import InputError
from flux_depth_addon.core.framing import MAX_SIDE, Framing
from flux_depth_addon.core.models import Table
from flux_depth_addon.core.request import MAX_PROMPT, MAX_SEED, Request, check, fingerprint, from_json, to_json

Wish = Callable[..., Request]
PLAIN = "cometapi:flux-pro-1.0-depth"
REQUIRED = "bfl:flux-pro-1.0-depth-finetuned"

GOOD = [
    {},
    {"prompt": "x" * MAX_PROMPT},
    {"prompt": "ein Zimmer, 静かな部屋 🛋\nwith a second line"},
    {"steps": 15, "guidance": 1.0, "safety_tolerance": 0, "seed": 1, "finetune_strength": 0.0},
    {"steps": 50, "guidance": 100, "safety_tolerance": 6, "seed": MAX_SEED, "finetune_strength": 2.0},
    {"output_format": "jpeg", "prompt_upsampling": True},
    {"finetune_id": "my-finetune"},
    {"model": PLAIN},
    {"model": REQUIRED, "finetune_id": "my-finetune"},
    {"model": "sandbox"},
    {"control": "clay"},
]

BAD: list[tuple[dict[str, Any], str]] = [
    ({"prompt": ""}, "There is no prompt: write what the picture should show."),
    ({"prompt": " \n\t"}, "There is no prompt: write what the picture should show."),
    ({"prompt": "x" * 100_000}, "The prompt is longer than 10,000 characters, the most that can be sent: shorten it."),
    ({"prompt": "a\ud800b"}, "The prompt holds a character that is not text: type it again."),
    ({"prompt": "a\0b"}, "The prompt holds a character that is not text: type it again."),
    ({"prompt": "a\ufffdb"}, "The prompt holds a character that is not text: type it again."),
    ({"steps": 14}, "Steps must be from 15 to 50, not 14."),
    ({"steps": 51}, "Steps must be from 15 to 50, not 51."),
    ({"guidance": 0.5}, "Guidance must be from 1 to 100, not 0.5."),
    ({"guidance": 101}, "Guidance must be from 1 to 100, not 101."),
    ({"guidance": math.nan}, "Guidance must be from 1 to 100, not nan."),
    ({"guidance": math.inf}, "Guidance must be from 1 to 100, not inf."),
    ({"safety_tolerance": -1}, "Safety tolerance must be from 0 to 6, not -1."),
    ({"safety_tolerance": 7}, "Safety tolerance must be from 0 to 6, not 7."),
    ({"seed": 0}, "Seed must be from 1 to 2147483647, not 0."),
    ({"seed": MAX_SEED + 1}, "Seed must be from 1 to 2147483647, not 2147483648."),
    ({"seed": 10**400}, "Seed must be from 1 to 2147483647, not 1000"),
    ({"output_format": "webp"}, "The output format must be one of png, jpeg, not “webp”."),
    ({"control": "clay", "model": PLAIN}, "FLUX.1 Depth [pro] would take a clay render for a depth map: choose"),
    ({"control": "sketch"}, "The control picture must be one of depth, clay, not “sketch”."),
    ({"finetune_strength": 2.1}, "Fine-tune strength must be from 0 to 2, not 2.1."),
    ({"finetune_id": "x" * 201}, "That is not a fine-tune id: it must be one line of at most 200 characters."),
    ({"finetune_id": "a\nb"}, "That is not a fine-tune id: it must be one line of at most 200 characters."),
    ({"model": PLAIN, "finetune_id": "mine"}, "FLUX.1 Depth [pro] takes no fine-tune: clear the fine-tune id"),
    ({"model": PLAIN, "finetune_strength": 1.0}, "FLUX.1 Depth [pro] takes no fine-tune: clear the fine-tune id"),
    ({"model": REQUIRED}, "FLUX.1 Depth [pro] fine-tuned needs the id of a fine-tune trained in your account"),
    ({"model": REQUIRED, "finetune_id": "  "}, "FLUX.1 Depth [pro] fine-tuned needs the id of a fine-tune"),
]


def named(row: tuple[dict[str, Any], str]) -> str:
    return ", ".join(f"{name}={value!r:.20}" for name, value in row[0].items())


@pytest.mark.parametrize("changes", GOOD, ids=lambda changes: ", ".join(changes) or "as it is")
def test_a_sound_request_passes(wish: Wish, table: Table, changes: dict[str, Any]) -> None:
    request = wish(**changes)
    check(request, table[request.model])


@pytest.mark.parametrize(("changes", "sentence"), BAD, ids=map(named, BAD))
def test_a_bad_request_is_one_sentence(wish: Wish, table: Table, changes: dict[str, Any], sentence: str) -> None:
    request = wish(**changes)
    with pytest.raises(InputError) as caught:
        check(request, table[request.model])
    assert str(caught.value).startswith(sentence)
    assert str(caught.value).endswith(". Nothing was sent.")
    assert len(str(caught.value)) < 250
    assert caught.value.charged == "no"


texts = st.text(max_size=20)
floats = st.floats(allow_nan=False, allow_infinity=False)
integers = st.integers(1 - 2**63, 2**63 - 1)
numbers = st.none() | integers | floats
sides = st.integers(1, MAX_SIDE)
framings = st.builds(lambda width, height: Framing(width, height, width // 3, 0, width - width // 3, 1), sides, sides)
requests = st.builds(
    Request,
    prompt=texts,
    model=texts,
    framing=framings,
    depth=st.builds(DepthSettings, near=st.none() | floats, curve=st.sampled_from(["disparity", "linear"])),
    seed=st.none() | integers,
    guidance=numbers,
    prompt_upsampling=st.none() | st.booleans(),
    finetune_id=texts,
    scene=texts,
    frame=floats,
)


@given(requests)
def test_a_request_survives_the_journal(request: Request) -> None:
    assert from_json(to_json(request)) == request


@given(requests)
def test_the_check_never_fails_in_another_way(table: Table, request: Request) -> None:
    try:
        check(request, table[table.default])
    except InputError:
        return


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", "{", '{"framing": 1}', '{"framing": {}, "depth": {}}', "[" * 9999]
)
def test_a_damaged_entry_is_said_to_be_one(text: str) -> None:
    with pytest.raises(InputError, match=r"This entry of the journal cannot be read\."):
        from_json(text)


def test_an_entry_from_before_there_was_clay_is_one_of_depth(wish: Wish) -> None:
    row = json.loads(to_json(wish()))
    del row["control"]
    assert from_json(json.dumps(row)).control == "depth"
    assert fingerprint(wish(), b"map") == fingerprint(from_json(json.dumps(row)), b"map")


def test_an_entry_of_another_make_is_said_to_be_one(wish: Wish) -> None:
    row = json.loads(to_json(wish())) | {"colour": "red"}
    with pytest.raises(InputError, match="cannot be read"):
        from_json(json.dumps(row))
