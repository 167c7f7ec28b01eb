"""A prompt that one can write in: shown whole, written in the Text Editor, pasted, and a stranger's."""

import time

import bpy
import pytest

from tests.blender import hostile
from tests.blender.hostile import drawn, open_file, words

LONG = (
    "A sunlit Japanese living room with tatami mats, a low table and paper lanterns, and beyond the open doors "
    "a mossy garden in soft morning mist, photorealistic, 35mm film"
)
WRITINGS = {
    "words": LONG,
    "one long word": "w" * 300,
    "a writing without spaces": "静かな部屋に朝の光が差し込み、障子の向こうに苔むした庭が見える" * 3,
    "wide letters": "WWWW MMMMMMMM WWWW WWWWWWWWWWW M WWWWWWWWWWWWWWW " * 3,
    "a long word among short ones": f"a {'x' * 120} b {'漢' * 60} c",
}


@pytest.fixture
def settings(fresh_file):
    """The scene's settings, ready to generate in the sandbox."""
    fresh_file.flux_depth.model_id = "sandbox"
    fresh_file.flux_depth.prompt = "a garden"
    return fresh_file.flux_depth


@pytest.fixture
def written(settings):
    """The prompt as a text, as the button makes it."""
    bpy.ops.flux_depth.edit_prompt()
    return settings.prompt_text


def prompt(part, settings=None):
    return part("properties").prompt_of(settings or bpy.context.scene.flux_depth)


def why_not(part):
    return part("obstacles").obstacle(bpy.context)


# Shown.


@pytest.mark.parametrize("text", WRITINGS.values(), ids=WRITINGS.keys())
@pytest.mark.parametrize(("room", "size"), [(80, 11), (134, 11), (225, 11), (68, 22), (450, 22), (900, 11)])
def test_every_line_fits_and_no_letter_is_lost(part, text, room, size):
    drawing = part("drawing")
    lines = drawing.lines(text, room, size)
    assert all(drawing.width_of(line, size) <= room for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(line == line.strip() for line in lines)


def test_lines_are_as_full_as_words_allow(part):
    drawing = part("drawing")
    lines = drawing.lines(LONG, 225, 11)
    first_words = [line.split()[0] for line in lines[1:]]
    assert all(drawing.width_of(f"{line} {word}", 11) > 225 for line, word in zip(lines, first_words, strict=False))


def test_line_breaks_are_kept(part):
    assert part("drawing").lines("a room\n\nwarm light", 225, 11) == ("a room", "", "warm light")


def test_more_lines_than_are_shown_end_in_an_ellipsis_that_fits(part):
    drawing = part("drawing")
    lines = drawing.lines(LONG * 20, 134, 11, 12)
    assert len(lines) == 12
    assert lines[-1].endswith("…")
    assert drawing.width_of(lines[-1], 11) <= 134
    assert lines[:11] == drawing.lines(LONG * 20, 134, 11)[:11]


def test_a_prompt_that_fits_the_field_is_shown_there_only(settings, part):
    assert "a garden" not in labels(part)


def test_a_prompt_that_does_not_fit_is_shown_whole_below_the_field(settings, part):
    settings.prompt = "a garden in soft morning mist"
    assert settings.prompt in labels(part)


def labels(part):
    """The words of the main panel that are no button's and no field's."""
    with hostile.in_the_sidebar():
        items = hostile.drawn_by(part("panels")._Main.draw)
    return words([item for item in items if not {"operator", "rna"} & set(item)])


# In the Text Editor.


def test_the_text_is_the_prompt_from_then_on(written, part):
    assert (written.name, prompt(part)) == ("FLUX Depth Prompt", "a garden")
    written.write(" at noon\n  with a pond  ")
    assert prompt(part) == "a garden at noon\n  with a pond"
    assert "a garden at noon with a pond" in words(drawn(part))


def test_the_request_has_the_line_breaks_and_the_list_one_line(written, part):
    written.write("\nwith a pond\n\n")
    assert part("properties").request_of(bpy.context).prompt == "a garden\nwith a pond"
    assert part("drawing").one_line("a garden\n with\ta pond ") == "a garden with a pond"


def test_an_empty_text_is_no_prompt(written, part):
    written.clear()
    assert "no prompt" in why_not(part)
    assert "Write in the Text Editor" in words(drawn(part))


def test_an_open_text_editor_shows_it_and_wraps(settings):
    area = bpy.context.window_manager.windows[0].screen.areas[0]
    area.type = "TEXT_EDITOR"
    bpy.ops.flux_depth.edit_prompt()
    space = area.spaces.active
    assert (space.text, space.show_word_wrap) == (settings.prompt_text, True)


def test_editing_again_goes_on_with_the_same_text(written, settings):
    bpy.ops.flux_depth.edit_prompt()
    assert settings.prompt_text == written
    assert len(bpy.data.texts) == 1


def test_back_in_the_field_it_is_one_line_and_our_text_is_gone(written, settings):
    written.write("\nwith a pond")
    bpy.ops.flux_depth.fold_prompt()
    assert (settings.prompt, settings.prompt_text) == ("a garden with a pond", None)
    assert not bpy.data.texts


def test_a_text_that_is_not_ours_or_used_elsewhere_stays(settings):
    for name, user in (("notes", None), ("FLUX Depth Prompt", bpy.data.objects["Cube"])):
        text = bpy.data.texts.new(name)
        settings.prompt_text = text
        if user:
            user["note"] = text
        bpy.ops.flux_depth.fold_prompt()
        assert name in bpy.data.texts


def test_a_text_that_is_deleted_leaves_what_the_field_held(written, part):
    written.write(" at noon")
    bpy.data.texts.remove(written)
    assert prompt(part) == "a garden"
    assert why_not(part) == ""


def test_each_scene_has_a_text_of_its_own(written, settings, part):
    bpy.ops.scene.new(type="FULL_COPY")
    copy = bpy.context.scene
    assert copy.flux_depth.prompt_text == written  # as Blender copies pointers
    bpy.ops.flux_depth.edit_prompt()
    copy.flux_depth.prompt_text.from_string("a garden at night")
    assert (prompt(part), prompt(part, settings)) == ("a garden at night", "a garden")
    assert copy.flux_depth.prompt_text.name == f"FLUX Depth Prompt, {copy.name}"


def test_it_is_saved_with_the_file(written, part, tmp_path):
    written.write("\nwith a pond")
    open_file(hostile.save(tmp_path / "a.blend"))
    assert prompt(part) == "a garden\nwith a pond"


def test_the_footer_says_whose_prompt_a_text_is_and_has_the_sidebar_follow(written, part, monkeypatch):
    redrawn = []
    monkeypatch.setattr(part("windows"), "redraw", lambda: redrawn.append(True))
    area = bpy.context.window_manager.windows[0].screen.areas[0]
    area.type = "TEXT_EDITOR"
    area.spaces.active.text = written
    with bpy.context.temp_override(area=area):
        for _ in range(3):
            said = words(hostile.drawn_by(part("prompt")._draw_footer))
        assert said == "Drawn The prompt of Scene  ·  8 characters"
        assert len(redrawn) == 1
        written.write("s")
        hostile.drawn_by(part("prompt")._draw_footer)
        assert len(redrawn) == 2
        area.spaces.active.text = bpy.data.texts.new("script.py")
        assert words(hostile.drawn_by(part("prompt")._draw_footer)) == "Drawn"


# Pasted.


@pytest.mark.parametrize(
    ("clipboard", "pasted", "whole"),
    [
        ("a room", "a room", True),
        ("  a room\r\nwarm\rlight\n\n", "a room\nwarm\nlight", True),
        ("a\tb\vc\u2028d", "a b\nc\nd", True),
        ("家族👨‍👩‍👧 é", "家族👨‍👩‍👧 é", True),
        ("a\x01\x1b[31mb\x7f\0", "a[31mb", False),
        ("a\ud800b\ufffd", "ab", False),
        ("x" * 10_000, "x" * 10_000, True),
    ],
)
def test_what_is_pasted_is_text_with_its_lines(part, clipboard, pasted, whole):
    assert part("prompt").cleaned(clipboard) == (pasted, whole)


@pytest.mark.parametrize(
    ("clipboard", "sentence"),
    [
        ("", "The clipboard holds no text: copy a prompt first."),
        (" \n\t\0\x01", "The clipboard holds no text: copy a prompt first."),
        ("x" * 10_001, "The clipboard holds more than 10,000 characters, the most that a prompt can have."),
        ("lorem\n" * 1_000_000, "The clipboard holds more than 10,000 characters, the most that a prompt can have."),
    ],
)
def test_a_clipboard_that_is_no_prompt_is_one_sentence(part, clipboard, sentence):
    with pytest.raises(part("core.errors").InputError) as refused:
        part("prompt").cleaned(clipboard)
    assert str(refused.value) == sentence


# A stranger's.


def test_a_gigantic_text_is_one_sentence_and_holds_nobody_up(written, part):
    written.from_string("start" + "\n" * 1_000_000 + "end")
    for _ in range(2):
        started = time.process_time()
        assert "longer than 10,000 characters" in why_not(part)
        drawn(part)
        assert time.process_time() - started < 2
        written.lines[0].body = "word " * 2_000_000


def test_a_gigantic_field_is_not_made_a_text(settings):
    settings.prompt = "word " * 2_000_000
    with pytest.raises(RuntimeError, match="too long for the Text Editor"):
        bpy.ops.flux_depth.edit_prompt()
    assert not bpy.data.texts


def test_bytes_that_are_no_text_are_told_and_not_sent(written, part, tmp_path):
    written.from_string("a garden\nPOND--")
    hostile.save(tmp_path / "a.blend")
    hostile.patch(tmp_path / "a.blend", {b"POND--": b"POND\xff\x80"})
    open_file(tmp_path / "a.blend")
    drawn(part)
    assert "holds a character that is not text" in why_not(part)
    bpy.ops.flux_depth.edit_prompt()
    bpy.context.scene.flux_depth.prompt_text.from_string("a pond")
    assert why_not(part) == ""


def test_a_data_block_that_is_no_text_is_no_prompt(settings, part, extension, tmp_path):
    hostile.saved_with(extension, tmp_path / "a.blend", {"prompt": "a garden", "prompt_text": bpy.data.objects["Cube"]})
    open_file(tmp_path / "a.blend")
    drawn(part)
    assert prompt(part) == "a garden"
    bpy.ops.flux_depth.edit_prompt()
    assert bpy.context.scene.flux_depth.prompt_text.as_string() == "a garden"


def test_the_file_that_a_text_names_is_never_read(written, part, tmp_path):
    (tmp_path / "secret.txt").write_text("a secret")
    hostile.save(tmp_path / "a.blend")
    text = bpy.data.texts.load(str(tmp_path / "secret.txt"))
    text.from_string("what memory has")
    bpy.context.scene.flux_depth.prompt_text = text
    with hostile.Deeds() as deeds:
        drawn(part)
        assert prompt(part) == "what memory has"
    assert deeds.seen == []
    assert (tmp_path / "secret.txt").read_text() == "a secret"


def test_a_linked_text_is_read_and_edited_as_a_copy(settings, part, tmp_path):
    library = tmp_path / "library.blend"
    text = bpy.data.texts.new("Notes")
    text.write("a linked garden")
    bpy.data.libraries.write(str(library), {text})
    bpy.data.texts.remove(text)
    with bpy.data.libraries.load(str(library), link=True) as (_there, here):
        here.texts = ["Notes"]
    settings.prompt_text = here.texts[0]
    assert prompt(part) == "a linked garden"
    bpy.ops.flux_depth.edit_prompt()
    assert settings.prompt_text.library is None
    assert prompt(part) == "a linked garden"
    assert bpy.data.texts["Notes"].library


def test_bytes_that_are_no_text_do_not_keep_a_text_from_the_field(written, part, tmp_path):
    written.from_string("a garden\nPOND--")
    hostile.save(tmp_path / "a.blend")
    hostile.patch(tmp_path / "a.blend", {b"POND--": b"POND\xff\x80"})
    settings = open_file(tmp_path / "a.blend").flux_depth
    bpy.ops.flux_depth.fold_prompt()
    assert settings.prompt == "a garden \ufffd"
    assert "holds a character that is not text" in why_not(part)
