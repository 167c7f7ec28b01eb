"""A prompt that one can write in: wrapped in the panel, written in Blender's own Text Editor where it grows long."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import bpy

from . import windows
from .button import Button
from .core.errors import InputError
from .drawing import MOST_LETTERS, letter_size, lines, one_line, room_in, say
from .properties import prompt_of, text_of
from .stored_text import UNREADABLE, contents, lines_of, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .properties import FLUXDEPTH_PG_settings

NAME = "FLUX Depth Prompt"
"""What a text of ours is called, with the scene's name after it where there are several."""

MOST_TO_EDIT = 100_000
"""Characters of the field that become a text: Blender 5.2.3 took 0.2 s for so many on one line, 3 s for four times as
many, and would be held for hours by what a stranger's file can hold."""

SHOWN_LINES = 12
BESIDE_FIELD = 90
"""Pixels at UI scale 1 of the sidebar's width that are not the field's: margins, tabs, two buttons."""

_followed: dict[int, str] = {}
"""By a text's id for this session, what the sidebar shows of it as far as is known."""


def draw_prompt(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The field, and below it what does not fit; or the text, while it is written in the Text Editor."""
    settings = context.scene.flux_depth
    if text_of(settings):
        _draw_text(layout, context, settings)
    else:
        _draw_field(layout, context, settings)


def _draw_field(layout: bpy.types.UILayout, context: bpy.types.Context, settings: FLUXDEPTH_PG_settings) -> None:
    row = layout.row(align=True)
    row.prop(settings, "prompt", text="", placeholder="What the picture should show")
    row.operator("flux_depth.paste_prompt", text="", icon="PASTEDOWN")
    row.operator("flux_depth.edit_prompt", text="", icon="TEXT")
    words = prompt_of(settings)[:MOST_LETTERS]
    if len(lines(words, room_in(context, beside=BESIDE_FIELD), letter_size(context), most=2)) > 1:
        say(layout.box(), context, words, most=SHOWN_LINES)


def _draw_text(layout: bpy.types.UILayout, context: bpy.types.Context, settings: FLUXDEPTH_PG_settings) -> None:
    words = prompt_of(settings)
    box = layout.box()
    box.active = bool(words)
    say(box, context, words or "Write in the Text Editor what the picture should show", most=SHOWN_LINES)
    row = layout.row(align=True)
    row.operator("flux_depth.edit_prompt", icon="TEXT")
    row.operator("flux_depth.paste_prompt", text="", icon="PASTEDOWN")
    row.operator("flux_depth.fold_prompt", text="", icon="X")


def put(scene: bpy.types.Scene, words: str) -> None:
    """Make these words the prompt: in its text while it is one, or where they have several lines, else in the field."""
    if text_of(scene.flux_depth) or "\n" in words:
        _write(_own_text(scene), words)
    else:
        scene.flux_depth.prompt = words


class PromptButton(Button):
    """A button that changes the prompt"""

    bl_options = {"UNDO"}  # with REGISTER, a change in Adjust Last Operation would paste again

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        linked = "The scene is linked from another file, and its prompt with it"
        return cls.allowed("" if context.scene.is_editable else linked)


class FLUXDEPTH_OT_edit_prompt(PromptButton):
    """Write the prompt in the Text Editor, in as many lines as it takes. The panel shows it as you type"""

    bl_idname = "flux_depth.edit_prompt"
    bl_label = "Edit in Text Editor"

    def run(self, context: bpy.types.Context) -> None:
        _show(_own_text(context.scene))


class FLUXDEPTH_OT_paste_prompt(PromptButton):
    """Replace the prompt with the clipboard's text, all lines of it"""

    bl_idname = "flux_depth.paste_prompt"
    bl_label = "Paste Prompt"

    def run(self, context: bpy.types.Context) -> None:
        words, whole = cleaned(text(context.window_manager, "clipboard"))
        if text_of(context.scene.flux_depth):
            _write(_own_text(context.scene), words)
        else:
            context.scene.flux_depth.prompt = one_line(words)
        if not whole:
            self.report({"WARNING"}, "Pasted without what was not text in it")


class FLUXDEPTH_OT_fold_prompt(PromptButton):
    """Put the prompt back into the one-line field. Line breaks become spaces"""

    bl_idname = "flux_depth.fold_prompt"
    bl_label = "Back to One Line"

    def run(self, context: bpy.types.Context) -> None:
        settings = context.scene.flux_depth
        written = text_of(settings)
        if written is None:
            raise InputError("The prompt is in the field already.")
        settings.prompt = one_line("\n".join(lines_of(written)))
        settings.prompt_text = None
        if _is_ours_alone(written):
            bpy.data.texts.remove(written)


def append(scene: bpy.types.Scene, words: str) -> None:
    """Put words at the prompt's end, after a comma, in the field or in its text. Raises InputError for too many."""
    from .core.request import MAX_PROMPT

    settings = scene.flux_depth
    longer = with_ending(prompt_of(settings), words)
    if len(longer) > MAX_PROMPT:
        raise InputError(f"The prompt would be longer than {MAX_PROMPT:,} characters, the most that can be sent.")
    if text_of(settings):
        _write(_own_text(scene), longer)
    else:
        settings.prompt = longer


def with_ending(prompt: str, words: str) -> str:
    """The prompt with these words after it; a comma between, unless it ends in a mark of its own."""
    said = prompt.rstrip()
    between = "" if not said else " " if said[-1] in ".,;:!?" else ", "
    return f"{said}{between}{words}"


def cleaned(clipboard: str) -> tuple[str, bool]:
    """A clipboard's text as a prompt, and whether that is all of it; raises InputError for one that can be none."""
    from .core.request import MAX_PROMPT

    whole = "\n".join(clipboard.expandtabs(1).splitlines()).strip()
    words = "".join(letter for letter in whole[: 2 * MAX_PROMPT] if _is_text(letter)).strip()
    if not words:
        raise InputError("The clipboard holds no text: copy a prompt first.")
    if len(words) > MAX_PROMPT:
        raise InputError(f"The clipboard holds more than {MAX_PROMPT:,} characters, the most that a prompt can have.")
    return words, len(words) == len(whole)


def _is_text(letter: str) -> bool:
    return letter == "\n" or (letter != UNREADABLE and unicodedata.category(letter) not in ("Cc", "Cs"))


def _own_text(scene: bpy.types.Scene) -> bpy.types.Text:
    """The text that is this scene's prompt and nobody else's: made or copied where there is none yet."""
    settings = scene.flux_depth
    written = text_of(settings)
    if written is None:
        words = text(settings, "prompt")
        if len(words) > MOST_TO_EDIT:
            raise InputError("The prompt is too long for the Text Editor: paste another one.")
        settings.prompt_text = bpy.data.texts.new(_name(scene))
        _write(settings.prompt_text, words)
    elif not written.is_editable or [*_scenes_of(written)] != [scene]:
        settings.prompt_text = written.copy()
        settings.prompt_text.name = _name(scene)
    return settings.prompt_text


def _name(scene: bpy.types.Scene) -> str:
    return f"{NAME}, {text(scene)}" if len(bpy.data.scenes) > 1 else NAME


def _write(written: bpy.types.Text, words: str) -> None:
    written.clear()
    written.write(words)


def _scenes_of(written: bpy.types.Text) -> Iterator[bpy.types.Scene]:
    """The scenes whose prompt that text is."""
    return (scene for scene in bpy.data.scenes if scene.flux_depth.prompt_text == written)


def _is_ours_alone(written: bpy.types.Text) -> bool:
    """Whether we made it, and nothing but an editor shows it."""
    users = bpy.data.user_map(subset=[written])[written]
    kept = any(user.id_type not in ("SCREEN", "WINDOWMANAGER") for user in users)  # Blender itself keeps every text
    return written.is_editable and text(written).startswith(NAME) and not kept


def _show(written: bpy.types.Text) -> None:
    """In an open Text Editor, rather one that shows it already, else in a new window."""
    spaces = [area.spaces.active for area in windows.areas() if area.type == "TEXT_EDITOR"]
    space = next((space for space in spaces if space.text == written), spaces[0] if spaces else None)
    if space is None and not bpy.app.background:
        space = windows.new_editor("TEXT_EDITOR").spaces.active
    if space is None:
        return
    if space.text is None:
        space.show_syntax_highlight = False  # a prompt is not Python, and nobody's script is here
    space.text, space.show_word_wrap = written, True


def _draw_footer(footer: bpy.types.Header, context: bpy.types.Context) -> None:
    """Whose prompt the text is; drawn at every key that is typed, so that the sidebar can follow."""
    written = context.space_data.text
    names = [text(scene) for scene in _scenes_of(written)] if written else []
    if not names:
        return
    words = contents(written)
    footer.layout.label(text=f"The prompt of {', '.join(names)}  ·  {len(words):,} characters", icon="RENDER_STILL")
    if _followed.get(written.session_uid) != words:
        _followed.clear()
        _followed[written.session_uid] = words
        windows.redraw()


classes = (FLUXDEPTH_OT_edit_prompt, FLUXDEPTH_OT_paste_prompt, FLUXDEPTH_OT_fold_prompt)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(classes)


def register() -> None:
    """Show the buttons, and in the Text Editor whose prompt it shows."""
    _register_classes()
    bpy.types.TEXT_HT_footer.append(_draw_footer)


def unregister() -> None:
    """Take them away."""
    bpy.types.TEXT_HT_footer.remove(_draw_footer)
    _unregister_classes()
    _followed.clear()
