"""The add-on's preferences as Blender shows them: a box for each provider, then where pictures go."""

from functools import cache
from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, FloatProperty, StringProperty

from . import addresses_panel, preferences, watch, workflow_buttons
from .core.models import Provider
from .drawing import say

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import IconItems
from .extra_fields import FLUXDEPTH_PG_extra

LOST_WITH_IT = (
    "Blender deletes that folder when the extension is uninstalled: the journal, what is on its way, and pictures of "
    "files that were never saved. Updating and disabling delete nothing"
)


def _provider_items(_preferences: object, _context: object) -> list[tuple[str, str, str]]:
    return _items()


@cache
def _items() -> list[tuple[str, str, str]]:
    # Blender keeps no reference to these texts, so they must stay alive here.
    return [
        (name, provider.label, f"Ask {provider.label} first")
        for name, provider in preferences.table().providers.items()
    ]


class FLUXDEPTH_AP_preferences(bpy.types.AddonPreferences):
    """Whom to ask, with which key, and where pictures go"""

    bl_idname = __package__

    provider: EnumProperty(name="Provider", description="Whose models new scenes start with", items=_provider_items)
    output: EnumProperty(
        name="Pictures Go",
        description="Where finished pictures are written",
        items=[
            (
                "BLEND",
                "Beside the Blend File",
                "A folder flux_depth beside the file; the add-on's own while it is unsaved",
            ),
            ("OWN", "To the Add-on's Folder", "The folder that Blender gives to this extension"),
            ("CHOSEN", "To a Folder", "A folder of your choice"),
        ],
    )
    provenance: EnumProperty(
        name="Pictures Say",
        description="What a picture's file says of how it was made",
        items=[
            (
                "picture",
                "How They Were Made",
                "Prompt, dials, camera, cost and file name are in the picture's own file",
            ),
            ("sidecar", "The Same, and Beside Them", "In a file of the same name and .xmp besides"),
            ("mark", "Only That AI Made Them", "Nothing else, for pictures that strangers get"),
        ],
    )
    use_cap: BoolProperty(name="Monthly Limit", description="Send nothing that would make a month cost more than this")
    cap_usd: FloatProperty(
        name="Monthly Limit",
        description="US dollars. What is charged, perhaps charged and still waiting counts",
        default=10.0,
        min=0.0,
        soft_max=100.0,
        precision=2,
    )
    asks_above_usd: FloatProperty(
        name="Ask Above",
        description="US dollars. A click that costs more than this is asked about first",
        default=0.5,
        min=0.0,
        soft_max=10.0,
        precision=2,
    )
    allowed: CollectionProperty(type=addresses_panel.FLUXDEPTH_PG_address)
    folder: StringProperty(name="Folder", description="Where finished pictures are written", subtype="DIR_PATH")
    extras: CollectionProperty(type=FLUXDEPTH_PG_extra, options={"HIDDEN"})

    def draw(self, _context: bpy.types.Context) -> None:
        """Keys first: without one only the sandbox works."""
        _draw(self.layout, self)


def _draw(layout: bpy.types.UILayout, chosen: FLUXDEPTH_AP_preferences) -> None:
    layout.use_property_split, layout.use_property_decorate = True, False
    layout.prop(chosen, "provider")
    for provider in preferences.table().providers.values():
        if not provider.is_ours and f"show_{provider.name}" in chosen.bl_rna.properties:
            _draw_provider(layout.box(), chosen, provider)
    addresses_panel.draw_allowed(layout)
    row = layout.row(heading="Monthly Limit, $")
    row.prop(chosen, "use_cap", text="")
    limit = row.row()
    limit.active = chosen.use_cap
    limit.prop(chosen, "cap_usd", text="")
    layout.prop(chosen, "asks_above_usd", text="Ask Above, $")
    layout.prop(chosen, "output")
    if chosen.output == "CHOSEN":
        layout.prop(chosen, "folder")
    layout.prop(chosen, "provenance")
    layout.operator("flux_depth.open_folder", icon="FILE_FOLDER")
    say(layout, bpy.context, LOST_WITH_IT, "INFO")


def _draw_provider(box: bpy.types.UILayout, chosen: FLUXDEPTH_AP_preferences, provider: Provider) -> None:
    """Its name and what it lacks; what can be set for it once it is opened."""
    row = box.row()
    is_open = getattr(chosen, f"show_{provider.name}")
    icon: IconItems = "DISCLOSURE_TRI_DOWN" if is_open else "DISCLOSURE_TRI_RIGHT"
    title, state = row.row(), row.row()
    title.use_property_split, title.alignment = False, "LEFT"  # of a row, its own rows do not take it over
    title.prop(chosen, f"show_{provider.name}", text=provider.label, icon=icon, emboss=False)
    state.alignment = "RIGHT"
    state.label(text=_state(provider))
    if is_open:
        _draw_settings(box, chosen, provider)


def _state(provider: Provider) -> str:
    if not preferences.has_address(provider):
        return "No Address"
    if preferences.consent_reason(provider):
        return "Not Allowed Yet"
    return "" if preferences.has_key(provider) else "No Key"


def _draw_settings(box: bpy.types.UILayout, chosen: FLUXDEPTH_AP_preferences, provider: Provider) -> None:
    if provider.chosen_base:
        addresses_panel.draw_address(box, bpy.context, provider)
    if provider.key_header:
        _draw_key(box, chosen, provider)
    workflow_buttons.draw_workflows(box, bpy.context, provider)
    row = box.row()
    row.operator("flux_depth.test_connection", icon="URL").provider = provider.name
    if provider.key_page:
        row.operator("wm.url_open", text="Get a Key", icon="INTERNET").url = provider.key_page
    if reason := preferences.offline_reason(provider):
        row.operator("extensions.userpref_show_online", text="Allow Online Access", icon="INTERNET_OFFLINE")
        box.label(text=reason, icon="ERROR")
    elif provider.name in watch.connections:
        sentence, good = watch.connections[provider.name]
        waiting = "Asking…" if watch.is_testing() else "There was no answer: test again"
        say(box, bpy.context, sentence or waiting, ("CHECKMARK" if good else "ERROR") if sentence else "SORTTIME")


def _draw_key(box: bpy.types.UILayout, chosen: FLUXDEPTH_AP_preferences, provider: Provider) -> None:
    if variable := preferences.key_in_environment(provider):
        box.label(text=f"{provider.label}: the key comes from {variable}", icon="CHECKMARK")
    else:
        box.prop(chosen, f"key_{provider.name}")
        box.label(text=f"Kept until Blender quits; to keep it longer, set {provider.key_env[0]}", icon="INFO")


def _opener(name: str, provider: Provider) -> object:
    """Whether its box is open; at first that of whom a new scene asks."""
    return BoolProperty(
        name=provider.label,
        description="Show what can be set for it",
        default=name == preferences.table().default.partition(":")[0],
        options=set(),
    )


def register() -> None:
    """Give each provider of the table its fields, then show the preferences to Blender."""
    preferences.forget_table()
    preferences.table_problem()  # now, from the disk, and not while drawing
    for name, provider in preferences.keyed().items():
        FLUXDEPTH_AP_preferences.__annotations__[f"key_{name}"] = preferences.key_property(provider)
    for provider in preferences.movable().values():
        FLUXDEPTH_AP_preferences.__annotations__ |= addresses_panel.fields(provider)
    for name, provider in preferences.table().providers.items():
        FLUXDEPTH_AP_preferences.__annotations__[f"show_{name}"] = _opener(name, provider)
    bpy.utils.register_class(FLUXDEPTH_AP_preferences)
    preferences.own_rows()  # what was typed is known from here on


def unregister() -> None:
    """Take the preferences back, and the keys with them."""
    bpy.utils.unregister_class(FLUXDEPTH_AP_preferences)
    preferences.forget_keys()
    _items.cache_clear()
