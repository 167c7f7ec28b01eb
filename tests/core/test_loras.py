"""LoRAs and extra fields, as people write them."""

from __future__ import annotations

import json

import pytest

from flux_depth_addon.core.extra import field_of, json_of
from flux_depth_addon.core.loras import lora_of, shareable, with_triggers, worded_loras
from flux_depth_addon.core.request import Lora


@pytest.mark.parametrize(
    ("text", "lora"),
    [
        ("author/style", Lora("author/style", 1.0)),
        ("author/style=0.8", Lora("author/style", 0.8)),
        ("style.safetensors=-0.5", Lora("style.safetensors", -0.5)),
        ("https://host/a?token=abc", Lora("https://host/a?token=abc")),
        ("https://host/a?id=12345", Lora("https://host/a?id=12345")),
        ("https://host/a?token=abc=0.5", Lora("https://host/a?token=abc", 0.5)),
        ("style=nan", Lora("style=nan")),
        ("=1", Lora("=1")),
    ],
)
def test_a_weight_may_follow_where_a_lora_is(text: str, lora: Lora) -> None:
    assert lora_of(text) == lora


@pytest.mark.parametrize(
    ("prompt", "words", "sent"),
    [
        ("a room", ["clayfig"], "clayfig, a room"),
        ("a CLAYFIG room", ["clayfig"], "a CLAYFIG room"),
        ("clayfigs", ["clayfig"], "clayfig, clayfigs"),
        ("a room in  the\nstyle of x", ["the style  of x"], "a room in  the\nstyle of x"),
        ("a room", ["one", "two", "one", " "], "one, two, a room"),
        ("c++, a room", ["c++"], "c++, a room"),
        ("a room", ["(x)*"], "(x)*, a room"),
        ("", ["clayfig"], ""),
    ],
)
def test_a_trigger_word_goes_before_a_prompt_that_does_not_hold_it(prompt: str, words: list[str], sent: str) -> None:
    assert with_triggers(prompt, words) == sent
    assert with_triggers(sent, words) == sent


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("author/style", "author/style"),
        ("https://me:key@host.com/a/b.safetensors?token=key#x", "https://host.com/a/b.safetensors"),
        ("/home/me/loras/style.safetensors", "style.safetensors"),
        (r"C:\Users\me\style.safetensors", "style.safetensors"),
        ("~/style.safetensors", "style.safetensors"),
        ("flux/style.safetensors", "flux/style.safetensors"),
    ],
)
def test_a_stranger_learns_of_a_lora_neither_a_key_nor_a_folder(path: str, told: str) -> None:
    assert shareable(Lora(path, 0.5)) == Lora(told, 0.5)


def test_loras_are_told_in_one_line() -> None:
    assert worded_loras([Lora("a/b", 0.8), Lora("c")]) == "a/b at 0.8, c at 1"


@pytest.mark.parametrize(
    ("value", "held"),
    [
        ("true", True),
        ("3", 3),
        ('{"a": [1]}', {"a": [1]}),
        ("high", "high"),
        ("", ""),
        ("NaN", "NaN"),
        ("[" * 100_000, "[" * 100_000),
        ('"quoted"', "quoted"),
    ],
)
def test_an_extra_field_s_value_is_json_or_else_text(value: str, held: object) -> None:
    assert json.loads(json_of(value)) == held


def test_an_extra_field_is_a_name_and_a_value() -> None:
    assert field_of("acceleration = high") == ("acceleration", '"high"')
    assert field_of("sync") == ("sync", '""')
    assert field_of("a=b=c") == ("a", '"b=c"')
