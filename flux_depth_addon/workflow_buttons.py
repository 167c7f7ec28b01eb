"""Workflows of the artist's own in the preferences: added from a file, their places chosen, tested, removed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import EnumProperty, StringProperty

from . import addresses_panel, preferences
from .button import Button, failure
from .core.errors import InputError
from .drawing import say
from .own_rows import WORKFLOWS, workflow_parent

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

    from .core.models import Provider
    from .core.own_workflows import OwnWorkflow

WIDTH = 460
"""Pixels of the dialog at UI scale 1."""

PLACES = {
    "picture": "Picture",
    "prompt": "Prompt",
    "seed": "Seed",
    "size": "Size",
    "steps": "Steps",
    "guidance": "Guidance",
    "control_strength": "Control Strength",
    "start": "Start Picture",
    "strength": "Strength",
    "lora": "LoRA",
    "result": "Result",
}
"""What the places of a workflow are called here."""

NEEDED = 3
"""So many of them it must have."""

NONE, NODE = "-", "+"
"""What an item of a menu begins with: no node, or the node whose id follows."""

NOTHING = [(NONE, "None", "")]

_menus: dict[str, list[tuple[str, str, str]]] = {}
"""By place, what the dialog's menu lists. Blender keeps no reference to these texts, so they must stay alive here."""


class FLUXDEPTH_OT_add_workflow(Button):
    """Choose a workflow file in API format; a copy of it becomes a model of its own"""

    bl_idname = "flux_depth.add_workflow"
    bl_label = "Add Workflow"

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[OperatorReturnItems]:
        """A click: Blender's file browser."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, _context: bpy.types.Context) -> None:
        from .core.own_workflows import keep

        path = keep(Path(bpy.path.abspath(self.filepath)), preferences.data_folder() / WORKFLOWS)
        addresses_panel.take_over()
        self.report({"INFO"}, f"“{path.stem}” was added")


class FLUXDEPTH_OT_choose_places(Button):
    """Choose the nodes that get the picture, the prompt, the seed and so on"""

    bl_idname = "flux_depth.choose_places"
    bl_label = "Choose Places"

    workflow: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[OperatorReturnItems]:
        """A click: a dialog with a menu for each place."""
        if sentence := failure(self._show):
            return self.ended(sentence)
        return context.window_manager.invoke_props_dialog(
            self, width=WIDTH, title=f"Places of “{self.workflow}”"[:90], confirm_text="Mark Them"
        )

    def draw(self, _context: bpy.types.Context) -> None:
        """The dialog: what is needed first; a place that no node could be is left out."""
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        for number, place in enumerate(PLACES):
            if number == NEEDED:
                layout.separator()
            if number < NEEDED or len(_menus[place]) > 1:
                layout.prop(self, place)

    def run(self, _context: bpy.types.Context) -> None:
        from .core.own_workflows import choose

        own = _own(self.workflow)
        asked = {place: getattr(self, place) for place in PLACES if self.properties.is_property_set(place)}
        changed = {place: node for place, node in asked.items() if node and node != _marked(own, place)}
        choose(own.file, {place: node.removeprefix(NODE) for place, node in changed.items() if node != NONE})
        choose(own.file, {place: "" for place, node in changed.items() if node == NONE})
        addresses_panel.take_over()

    def _show(self) -> None:
        """The menus as the file has it; what is not marked and could be one node only is set to that."""
        own = _own(self.workflow)
        fill_menus(own)
        for place in PLACES:
            marked = _marked(own, place)
            only = _menus[place][1][0] if len(_menus[place]) == 2 and place in list(PLACES)[:NEEDED] else NONE
            setattr(self, place, marked if marked != NONE else only)


class FLUXDEPTH_OT_remove_workflow(Button):
    """Move this workflow to the system's bin; pictures that were made with it stay"""

    bl_idname = "flux_depth.remove_workflow"
    bl_label = "Remove Workflow"

    workflow: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def run(self, _context: bpy.types.Context) -> None:
        from .bin import throw_away

        throw_away([_own(self.workflow).file])
        addresses_panel.take_over()


def _own(name: str) -> OwnWorkflow:
    found = next((own for own in preferences.own_rows().workflows if own.file.stem == name), None)
    if found is None:
        raise InputError(f"There is no workflow “{name[:60]}” any more.")
    return found


def _marked(own: OwnWorkflow, place: str) -> str:
    """The item of the menu that stands for the node that is marked."""
    from .core.workflow import spots

    found = (spot for spot in spots(own.workflow, place) if spot.inputs) if own.workflow else ()
    return next((NODE + spot.node for spot in found), NONE)


def fill_menus(own: OwnWorkflow) -> None:
    """With the nodes of this workflow that could be each place. Raises InputError."""
    from .core.workflow import candidates

    if own.workflow is None:
        raise InputError(f"{own.problem}. Nothing was sent.")
    for place in PLACES:
        found = [(NODE + spot.node, spot.label, "") for spot in candidates(own.workflow, place)]
        _menus[place] = [(NONE, "None", "Nothing of a request goes here"), *found]


def _menu(place: str, label: str) -> object:
    def items(_button: object, _context: object) -> list[tuple[str, str, str]]:
        return _menus.get(place) or NOTHING

    return EnumProperty(name=label, description="The node that gets it", items=items, options={"SKIP_SAVE"})


for _place, _label in PLACES.items():
    FLUXDEPTH_OT_choose_places.__annotations__[_place] = _menu(_place, _label)


def draw_workflows(box: bpy.types.UILayout, context: bpy.types.Context, provider: Provider) -> None:
    """In the box of the provider that is asked by workflow: the artist's own, and how to add one."""
    parent = workflow_parent(preferences.table())
    if parent is None or parent.provider.name != provider.name:
        return
    for own in preferences.own_rows().workflows:
        _draw_workflow(box, context, provider, own)
    box.operator("flux_depth.add_workflow", text="Add Workflow…", icon="ADD")


def _draw_workflow(box: bpy.types.UILayout, context: bpy.types.Context, provider: Provider, own: OwnWorkflow) -> None:
    row = box.row(align=True)
    row.label(text=own.file.stem[:60], icon="ERROR" if own.problem else "NODETREE")
    if own.workflow:
        row.operator("flux_depth.choose_places").workflow = own.file.stem
    if not own.problem:
        button = row.operator("flux_depth.test_connection", text="Test")
        button.provider, button.model = provider.name, f"{provider.name}:{own.file.stem}"
    row.operator("flux_depth.remove_workflow", text="", icon="X").workflow = own.file.stem
    if own.problem:
        say(box, context, own.problem, "BLANK1")


classes = (FLUXDEPTH_OT_add_workflow, FLUXDEPTH_OT_choose_places, FLUXDEPTH_OT_remove_workflow)
register, unregister = bpy.utils.register_classes_factory(classes)
