"""Scene facts as chips below the prompt: gathered when asked for, put into the prompt by a click, else sent nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import bpy
from bpy.app.handlers import persistent
from bpy.props import BoolProperty, StringProperty

from . import windows
from .drawing import is_narrow, letter_size, one_line, room_in, say, width_of
from .prompt import PromptButton, append
from .properties import camera_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bpy.stub_internal.rna_enums import IconItems

    from .core.facts import Fact

ICONS: dict[str, IconItems] = {
    "lens": "CAMERA_DATA",
    "time": "LIGHT_SUN",
    "world": "WORLD",
    "object": "OBJECT_DATA",
    "material": "MATERIAL",
    "collection": "OUTLINER_COLLECTION",
}
BESIDE_WORDS = 36
"""Pixels at UI scale 1 of a chip that are not its words': its icon and its edges."""

BESIDE_CHIPS = 50
"""Those of the sidebar's width that are not the chips'."""

shown: dict[int, list[Fact]] = {}
"""By the scene's id for this session, the facts whose chips are shown; forgotten with the file."""


def draw_beside_prompt(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What helps to write a prompt: the facts of the scene, and presets; and the chips, while they are shown."""
    are_shown = context.scene.session_uid in shown
    parts = layout.column() if is_narrow(context) else layout.split(factor=0.56)
    facts = parts.row(align=True)
    facts.operator("flux_depth.scene_facts", icon="VIEWZOOM", depress=are_shown).hide = are_shown
    if are_shown:
        facts.operator("flux_depth.scene_facts", text="", icon="FILE_REFRESH").hide = False
    parts.popover("FLUXDEPTH_PT_presets", text="Presets", icon="PRESET")
    _draw_chips(layout, context)


def _draw_chips(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The chips, as many beside each other as there is room for."""
    facts = shown.get(context.scene.session_uid)
    if facts is None:
        return
    box = layout.box().column(align=True)
    if not facts:
        say(box, context, "Nothing is known of this scene that a prompt could use", "INFO")
    for row in rows(facts, room_in(context, beside=BESIDE_CHIPS), letter_size(context)):
        line = box.row(align=True)
        line.alignment = "LEFT" if len(row) > 1 else "EXPAND"
        for fact in row:
            line.operator("flux_depth.insert_fact", text=fact.words, icon=ICONS[fact.kind]).words = fact.words


def rows(facts: Iterable[Fact], room: float, size: float) -> Iterator[list[Fact]]:
    """The chips line by line; one that is wider than the room has a line of its own."""
    row: list[Fact] = []
    taken = 0.0
    for fact in facts:
        wide = width_of(fact.words, size) + BESIDE_WORDS * size / 11
        if row and taken + wide > room:
            yield row
            row, taken = [], 0.0
        row.append(fact)
        taken += wide
    if row:
        yield row


class FLUXDEPTH_OT_scene_facts(PromptButton):
    """Look up lens, light and names of what the camera sees, to put them into the prompt. Nothing is sent or changed"""

    bl_idname = "flux_depth.scene_facts"
    bl_label = "Scene Facts"
    bl_options = set()

    hide: BoolProperty(description="Put the facts away instead", options={"HIDDEN", "SKIP_SAVE"})

    def run(self, context: bpy.types.Context) -> None:
        from .scene_facts import gather

        if self.hide:
            shown.pop(context.scene.session_uid, None)
        else:
            shown[context.scene.session_uid] = gather(context.scene, context.view_layer, camera_of(context.scene))
        windows.redraw()


class FLUXDEPTH_OT_insert_fact(PromptButton):
    """Put these words at the end of the prompt"""

    bl_idname = "flux_depth.insert_fact"
    bl_label = "Insert into Prompt"

    words: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        """The tooltip: the words whole, which a narrow chip cuts."""
        return f"Put “{one_line(cast('FLUXDEPTH_OT_insert_fact', properties).words)}” at the end of the prompt"

    def run(self, context: bpy.types.Context) -> None:
        append(context.scene, one_line(self.words))
        windows.redraw()


classes = (FLUXDEPTH_OT_scene_facts, FLUXDEPTH_OT_insert_fact)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(classes)


@persistent
def _forget(*_ignored: object) -> None:
    shown.clear()


def register() -> None:
    """Show the buttons to Blender."""
    _register_classes()
    bpy.app.handlers.load_post.append(_forget)


def unregister() -> None:
    """Take them away."""
    bpy.app.handlers.load_post.remove(_forget)
    _unregister_classes()
    shown.clear()
