"""The Keep Objects panel: which objects stay as rendered, and what to do with them."""

import bpy

from . import keep
from .drawing import Part, in_columns, is_narrow, say
from .stored_text import text


class Keep(Part):
    """Objects that stay as rendered while the rest is restyled"""

    bl_label = "Keep Objects"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, keep.settings_of(context.scene)
        _draw_list(layout, settings)
        column = layout.column()
        in_columns(column, context)
        column.prop(settings, "collection", text="" if is_narrow(context) else "Collection")
        layout.operator("flux_depth.preview_mask", icon="IMAGE_ALPHA")
        _draw_keep(layout, context)
        _draw_nodes(layout)


class FLUXDEPTH_UL_keep(bpy.types.UIList):
    """The objects that stay, and which of them are gone"""

    def draw_item(  # Blender counts the arguments
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        _data: bpy.types.PropertyGroup,
        item: keep.FLUXDEPTH_PG_kept,
        _icon: int,
        _active_data: bpy.types.PropertyGroup,
        _active_property: str,
    ) -> None:
        if thing := keep.thing_of(item, context.scene):
            layout.label(text=text(thing), icon="OBJECT_DATA")
        else:
            layout.label(text=f"{text(item, otherwise='?')}: not in this scene", icon="ERROR")


def _draw_list(layout: bpy.types.UILayout, settings: keep.FLUXDEPTH_PG_keep) -> None:
    column = layout.column(align=True)
    column.active = keep.collection_of(settings) is None
    column.template_list("FLUXDEPTH_UL_keep", "", settings, "things", settings, "active", rows=2, maxrows=6)
    row = column.row(align=True)
    row.operator("flux_depth.keep_add", icon="ADD")
    remove = row.row(align=True)
    remove.enabled = bool(settings.things)
    remove.operator("flux_depth.keep_remove", text="", icon="REMOVE")


def _draw_keep(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    text = "Keep in Picture" if is_narrow(context) else "Keep Them in the Chosen Picture"
    layout.operator("flux_depth.keep", text=text, icon="RENDER_STILL")
    reason = keep.hindrance(context)
    say(layout, context, reason or "Renders your scene once, with its own engine. Nothing is sent", "INFO")


def _draw_nodes(layout: bpy.types.UILayout) -> None:
    column = layout.column(align=True)
    column.operator("flux_depth.keep_nodes", icon="NODETREE")
    column.operator("flux_depth.keep_nodes", text="Put into Compositor", icon="NODE_COMPOSITING").insert = True
