"""A preset is read as data: what its values are, and that nothing else of it is taken, be it from whomever."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_depth_addon.core.errors import InputError
from flux_depth_addon.core.faithfulness import STOPS
from flux_depth_addon.core.models import load
from flux_depth_addon.core.preset import MAX_ENDING, ending_of, name_of, read, suited, values_in, write
from tests.core.fuzzing import check_sentence, effort

SHIPPED = sorted((Path(__file__).parents[2] / "flux_depth_addon" / "presets" / "flux_depth").glob("*.py"))


def test_what_is_written_is_read_back() -> None:
    values = {"settings.steps": 25, "settings.prompt_upsampling": True, "shape.blur": 0.03, "ending": "it’s “dusk”\\"}
    assert values_in(write(values), "a") == values


def test_single_precision_is_written_as_it_was_typed() -> None:
    assert b"shape.blur = 0.03\n" in write({"shape.blur": 0.029999999329447746})


def test_a_preset_is_python_that_sets_the_same_values() -> None:
    """So that it is one to Blender too; here the names above it are played."""
    lines = write({"settings.steps": 25, "ending": "dusk"}).decode().splitlines()
    assert lines[:3] == [
        "import bpy",
        "settings = bpy.context.scene.flux_depth",
        "shape = bpy.context.scene.flux_depth_shape",
    ]
    assert lines[4:] == ["settings.steps = 25", "ending = 'dusk'"]


def test_settings_of_another_version_are_read_and_left_to_whoever_knows_them() -> None:
    head = b"import bpy\nlook = bpy.context.scene.flux_depth_look\n"
    text = b"look.grain = 0.5\nlook.tint = [1, 2, 3]\nsettings.steps = 9\n"
    assert values_in(head + text, "a") == {"look.grain": 0.5, "look.tint": None, "settings.steps": 9}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("import os", 1),
        ("import bpy as os", 1),
        ("import bpy, os", 1),
        ("from os import system", 1),
        ("settings.steps = __import__('os').system('true')", 1),
        ("import bpy\nbpy.ops.wm.quit_blender()", 2),
        ("bpy.context.scene.flux_depth.steps = 3", 1),
        ("settings = print", 1),
        ("settings = open('x')", 1),
        ("settings.steps = other.steps", 1),
        ("settings.steps = [print() for _ in range(3)]", 1),
        ("settings.steps += 3", 1),
        ("settings['steps'] = 3", 1),
        ("a.b.c = 3", 1),
        ("a.b = c.d = 3", 1),
        ("settings.steps: int = 3", 1),
        ("settings.steps = f'{print()}'", 1),
        ("settings.steps = 3 if print() else 4", 1),
        ("settings.steps = 10 ** 10 ** 10", 1),
        ("settings.steps = 'a' * 10 ** 10", 1),
        ("class settings:\n    steps = 3", 1),
        ("for settings.steps in (1,): pass", 1),
        ("del settings.steps", 1),
        ("lambda: 0", 1),
        ("'a note'\n@print\ndef f(): pass", 1),
        ("settings.steps = 3\nsettings.guidance = (yield)", 2),
        ("not python at all", 1),
        ("settings.steps = ", 1),
        ("settings.steps = 3\n\n  settings.guidance = 3", 3),
    ],
)
def test_a_preset_that_does_more_than_set_values_is_refused_whole_with_its_line(text: str, line: int) -> None:
    with pytest.raises(InputError) as refused:
        values_in(text.encode(), "a look")
    sentence = f"“a look” is no preset: line {line} does not just set a value. Nothing of it was run or changed."
    assert str(refused.value) == sentence


DEEP = {
    "signs": "a.b = (" + "-\n" * 7000 + "1)",
    "brackets": "a.b = " + "(" * 900 + ")" * 10,
    "sums": "a.b = (" + "1+\n" * 4000 + "1)",
    "powers": "a.b = (" + "1**\n" * 3000 + "1)",
    "calls": "a.b = (x" + "\n()" * 5000 + ")",
    "functions": "a.b = (" + "lambda:\n" * 1800 + "1)",
    "blocks": "\n".join(" " * depth + "if 1:" for depth in range(150)),
    "branches": "if 1:\n pass\n" + "elif 1:\n pass\n" * 1000,
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP.keys())
def test_a_depth_that_breaks_parsers_is_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match="is no preset"):
        values_in(text.encode(), "a")


@pytest.mark.parametrize("text", [b"a.b = 1\n" * 5000, b"a.b = '" + b"x" * 2000 + b"'", b"#" * 1_000_000])
def test_a_text_that_is_too_long_is_one_sentence(text: bytes) -> None:
    with pytest.raises(InputError) as refused:
        values_in(text, "a")
    assert str(refused.value) == "“a” is too long for a preset: nothing of it was read or changed."


@pytest.mark.parametrize("text", [b"\xff\xfe\0", b"\x89PNG\r\n\x1a\n", b"a.b = 1\0", b"\0" * 900])
def test_what_is_no_text_is_one_sentence(text: bytes) -> None:
    with pytest.raises(InputError, match="is no preset: line 1"):
        values_in(text, "a")


@pytest.mark.parametrize("value", ["1e999", "-1e999", "1j", "b'x'", "{1: 2}", "{1}", "None", "(1, 2)", "[[]]"])
def test_a_kind_of_value_that_no_setting_has_fits_nowhere(value: str) -> None:
    assert values_in(f"settings.steps = {value}".encode(), "a") == {"settings.steps": None}


@effort(20)
@given(st.binary(max_size=200) | st.text("abs.=()[]{}'\"\\\n -+*,:1e9", max_size=200).map(str.encode))
def test_whatever_the_bytes_are_there_are_values_or_one_sentence(text: bytes) -> None:
    try:
        values = values_in(text, "a")
    except InputError as error:
        check_sentence(error)
    else:
        assert all(value is None or type(value) in (bool, int, float, str) for value in values.values())


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("overcast, 35 mm film", "overcast, 35 mm film"),
        ("  a\n b ", "a b"),
        ("", None),
        ("x" * (MAX_ENDING + 1), None),
        ("a\ud800", None),
        ("a\u202eb", None),
        ("a\x1b[31m", None),
        (3, None),
        (None, None),
    ],
)
def test_words_for_the_prompt_are_one_printable_line_or_none(value: str | int | None, words: str | None) -> None:
    assert ending_of(value) == words


# Files.


def test_a_file_is_read_by_its_name_for_people(tmp_path: Path) -> None:
    file = tmp_path / "My_Look.py"
    file.write_bytes(write({"settings.steps": 25}))
    preset = read(file)
    assert (preset.name, preset.values) == ("My Look", {"settings.steps": 25})


def test_a_hostile_name_is_bounded_and_printable() -> None:
    assert name_of(Path("a\u202e\n" + "x" * 500 + ".py")).isprintable()
    assert len(name_of(Path("x" * 200 + ".py"))) == 64


@pytest.mark.parametrize("name", ["none.py", ".", "a\0b.py", "x" * 300 + ".py", "pipe.py"])
def test_what_is_no_file_is_one_sentence_and_holds_nobody_up(tmp_path: Path, name: str) -> None:
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.py")
    with pytest.raises(InputError, match="preset") as refused:
        read(tmp_path / name)
    check_sentence(refused.value)


# For another model.


def test_one_that_names_no_model_is_brought_to_the_scale_of_the_model_that_is_asked() -> None:
    model = load()["fal:flux-control-lora-depth"]
    shipped = {"settings.guidance": 30.0, "settings.steps": 50, "shape.detail": 1.5}
    assert suited(shipped, model) == {"settings.guidance": 7.0, "settings.steps": 28, "shape.detail": 1.5}
    assert type(suited(shipped, model)["settings.steps"]) is int


def test_one_that_names_its_model_is_on_that_model_s_scale() -> None:
    own = {"settings.model_id": "fal:flux-control-lora-depth", "settings.guidance": 3.0}
    assert suited(own, load()["bfl:flux-pro-1.0-depth"]) == own


def test_a_dial_that_the_model_lacks_is_left_out() -> None:
    model = replace(load()["fal:flux-control-lora-depth"], steps=None)
    assert suited({"settings.steps": 50, "settings.guidance": 15}, model) == {"settings.guidance": 4}


# What is shipped.


def test_there_are_presets_for_each_trade() -> None:
    trades = {file.stem.partition("_")[0] for file in SHIPPED}
    assert trades == {"Architecture", "Interior", "Product", "Look-dev"}


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_preset_is_written_as_ours_and_stands_on_a_stop_of_the_dial(file: Path) -> None:
    values = read(file).values
    assert file.read_bytes() == write(values)
    dial = tuple(values[place] for place in ("settings.guidance", "shape.detail", "shape.blur", "shape.gamma"))
    assert dial in [stop.values for stop in STOPS]
    assert "settings.model_id" not in values  # and so no price changes
    assert "ending" not in values or ending_of(values["ending"]) == values["ending"]
