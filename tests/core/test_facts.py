"""Facts in words: a lens, a sun, and names, which are a stranger's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_depth_addon.core.facts import LONGEST, MOST, Fact, chosen, lens_words, sun_words, words_of
from tests.core.fuzzing import effort


@pytest.mark.parametrize(
    ("millimetres", "words"),
    [
        (14, "14 mm ultra-wide-angle lens"),
        (24, "24 mm wide-angle lens"),
        (35, "35 mm wide-angle lens"),
        (50, "50 mm lens"),
        (85, "85 mm portrait lens"),
        (200, "200 mm telephoto lens"),
        (600, "600 mm super-telephoto lens"),
        (0.2, ""),
        (float("nan"), ""),
        (float("inf"), ""),
    ],
)
def test_a_lens_is_told_as_photographers_do(millimetres: float, words: str) -> None:
    assert lens_words(millimetres) == words


@pytest.mark.parametrize(
    ("elevation", "words"),
    [
        (-20, "night"),
        (-3, "twilight, blue hour"),
        (3, "golden hour, sun on the horizon"),
        (12, "low sun, long shadows"),
        (35, "sunlight, clear daylight"),
        (90, "high midday sun, short shadows"),
        (float("nan"), ""),
        (float("inf"), ""),
    ],
)
def test_a_sun_is_told_by_its_height(elevation: float, words: str) -> None:
    assert sun_words(elevation) == words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Armchair", "Armchair"),
        ("Armchair.001", "Armchair"),
        ("SM_Armchair_01", "SM Armchair"),
        ("Armchair_02.014", "Armchair"),
        ("Level 2", "Level 2"),
        ("oak  dark\n", "oak dark"),
        ("a\u202eb\x1b[31m\0", "a b [31m"),
        ("a\u200b\ufeffb", "a b"),
        ("\ufffd", ""),
        (".001", ""),
        ("   ", ""),
        ("苔むした庭", "苔むした庭"),
        ("word " * 50, "word word word word word word word word"),
        ("x" * 1_000_000, "x" * LONGEST),
    ],
)
def test_a_name_becomes_words_on_one_line(name: str, words: str) -> None:
    assert words_of(name) == words


@effort(20)
@given(st.text(max_size=80))
def test_whatever_the_name_its_words_are_short_and_printable(name: str) -> None:
    words = words_of(name)
    assert words.isprintable()
    assert len(words) <= LONGEST
    assert words == words.strip()
    words.encode()


def test_facts_are_offered_once_named_ones_first_and_not_too_many() -> None:
    things = [Fact("object", word) for word in ("Cube", "Sofa", "sofa", "", "Plane", "Lamp")]
    assert [fact.words for fact in chosen(things)] == ["Sofa", "Lamp", "Cube", "Plane"]
    many = [Fact(kind, f"{kind} {number}") for kind in ("collection", "material", "object") for number in range(50)]
    offered = chosen(many)
    assert len(offered) <= MOST == 24
    assert [fact.kind for fact in offered] == ["object"] * 12 + ["material"] * 6 + ["collection"] * 3


def test_a_name_that_several_kinds_have_is_offered_once() -> None:
    assert chosen([Fact("material", "Oak"), Fact("object", "Oak")]) == [Fact("object", "Oak")]
