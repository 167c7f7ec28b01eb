"""The presets' button: Blender's own popover, files and folders, with a look before one is applied."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel
from bpy.props import StringProperty

from . import windows
from .button import Button, failure
from .core.errors import InputError
from .drawing import letter_size, lines

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

    from .preset_diff import Look

SUBDIR = "flux_depth"
"""Of Blender's folders of presets; `preset_diff` looks there too."""

WIDTH = 380
"""Pixels of the dialog at UI scale 1."""


class FLUXDEPTH_PT_presets(PresetPanel, bpy.types.Panel):
    """Settings under a name. What one would change is shown before it is applied"""

    bl_label = "Presets"
    preset_subdir = SUBDIR
    preset_operator = "flux_depth.apply_preset"
    preset_add_operator = "flux_depth.add_preset"

    def draw(self, context: bpy.types.Context) -> None:
        """As Blender's own, but a click asks first: theirs would run the file at once."""
        self.layout.emboss = "PULLDOWN_MENU"
        self.layout.operator_context = "INVOKE_DEFAULT"
        bpy.types.Menu.draw_preset(cast("bpy.types.Menu", self), context)


class FLUXDEPTH_OT_add_preset(AddPresetBase, Button):
    """Keep the present settings under a name, or forget such a preset of yours"""

    bl_idname = "flux_depth.add_preset"
    bl_label = "Add Preset"
    bl_options = {"REGISTER", "INTERNAL"}
    preset_menu = "FLUXDEPTH_PT_presets"
    preset_subdir = SUBDIR

    ending: StringProperty(
        name="Add to Prompt",
        description="Words that this preset puts at the prompt's end, as “overcast, 35 mm film”; may be empty",
        options={"SKIP_SAVE"},
    )

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Blender's own work, at our edge."""
        return Button.execute(self, context)

    def run(self, context: bpy.types.Context) -> None:
        AddPresetBase.execute(self, context)
        FLUXDEPTH_PT_presets.bl_label = "Presets"  # Blender would have it say the last one's name

    def add(self, context: bpy.types.Context, filepath: str) -> None:
        """Called by Blender with the file to write."""
        from .core.preset import ENDING, ending_of, write
        from .preset_diff import of_scene

        values = of_scene(context.scene)
        if self.ending.strip():
            values[ENDING] = ending_of(self.ending)
            if values[ENDING] is None:
                raise InputError("The words for the prompt must be one line of at most 300 characters.")
        try:
            Path(filepath).write_bytes(write(values))
        except OSError as error:
            raise InputError(f"The preset cannot be written ({error.strerror}).") from None


class FLUXDEPTH_OT_apply_preset(Button):
    """Show what this preset would change, and apply it then"""

    bl_idname = "flux_depth.apply_preset"
    bl_label = "Apply Preset"
    bl_options = {"UNDO"}

    filepath: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    preset_name = ""
    seen: Any = None
    """The `Look` that the dialog shows; Blender reads the annotations here, so it must know every name in them."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        linked = "The scene is linked from another file, and its settings with it"
        return cls.allowed("" if context.scene.is_editable else linked)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[OperatorReturnItems]:
        """A click: what would change is asked about first, in Blender's own dialog."""
        if sentence := failure(lambda: self._look(context)):
            return self.ended(sentence)
        if not (self.seen.changes or self.seen.ending or self.seen.notes):
            self.report({"INFO"}, f"“{self.preset_name}” changes nothing: all is set so")
            return {"CANCELLED"}
        return context.window_manager.invoke_props_dialog(
            self, width=WIDTH, title=f"Apply “{self.preset_name}”?", confirm_text="Apply"
        )

    def draw(self, context: bpy.types.Context) -> None:
        """The dialog: each change as it was and as it would be."""
        column = self.layout.column()
        _draw_changes(column.column(align=True), context, self.seen)
        for note in self.seen.notes:
            _draw_words(column.column(align=True), context, note, "INFO")

    def run(self, context: bpy.types.Context) -> None:
        from .preset_diff import apply

        if self.seen is None:  # a script's call shows nothing
            self._look(context)
        apply(context.scene, self.seen)
        for note in self.seen.notes:
            self.report({"INFO"}, note)
        windows.redraw()

    def _look(self, context: bpy.types.Context) -> None:
        from .core.preset import read
        from .preset_diff import look

        preset = read(Path(self.filepath))
        self.preset_name, self.seen = preset.name, look(context.scene, preset)


def _draw_changes(column: bpy.types.UILayout, context: bpy.types.Context, seen: Look) -> None:
    from .preset_diff import lines_of  # only for whoever looks: it would make every start of Blender slower

    for label, words in lines_of(context.scene, seen):
        row = column.split(factor=0.32)
        _draw_words(row.column(align=True), context, label, share=0.32)
        _draw_words(row.column(align=True), context, words, share=0.66)
    if not (seen.changes or seen.ending):
        column.label(text="All that it can set is set so")


def _draw_words(
    column: bpy.types.UILayout, context: bpy.types.Context, words: str, icon: Any = "NONE", *, share: float = 1.0
) -> None:
    """Words in the dialog, wrapped to its width."""
    column.scale_y = 0.8
    scale = context.preferences.system.ui_scale or 1.0
    room = int((WIDTH * share - (60 if icon != "NONE" else 30)) * scale)
    for number, line in enumerate(lines(words, room, letter_size(context))):
        column.label(text=line, icon=icon if number == 0 else "BLANK1" if icon != "NONE" else "NONE")


def draw_presets(layout: bpy.types.UILayout) -> None:
    """The button that opens them."""
    layout.popover("FLUXDEPTH_PT_presets", text="Presets", icon="PRESET")


classes = (FLUXDEPTH_PT_presets, FLUXDEPTH_OT_add_preset, FLUXDEPTH_OT_apply_preset)
_paths: Any = bpy.utils  # 4.2's stubs know nothing of preset paths
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(classes)


def register() -> None:
    """Show the buttons, and Blender where the shipped presets lie."""
    _register_classes()
    _paths.register_preset_path(str(Path(__file__).parent))


def unregister() -> None:
    """Take them away; the artist's own files stay."""
    _paths.unregister_preset_path(str(Path(__file__).parent))
    _unregister_classes()
