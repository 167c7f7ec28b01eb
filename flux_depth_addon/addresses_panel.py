"""Servers of the artist's own in the preferences: their address, and the word that another computer may be asked.

Both are kept in Blender's preferences and nowhere else: no blend file says where anything is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import StringProperty

from . import preferences, watch, windows, worker_process
from .button import Button
from .core.addresses import origin_of
from .core.errors import InputError
from .drawing import letter_size, lines, say

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

    from .core.models import Provider

WIDTH = 420
"""Pixels of the dialog at UI scale 1."""

EXAMPLE = "https://flux.example.com"


class FLUXDEPTH_PG_address(bpy.types.PropertyGroup):
    """An address that the artist allowed: its name is scheme, host and port"""


class FLUXDEPTH_OT_allow_address(Button):
    """Say what it means to ask this computer, and allow it then"""

    bl_idname = "flux_depth.allow_address"
    bl_label = "Allow This Address"

    provider: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    address: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[OperatorReturnItems]:
        """A click: what it means is said first, in Blender's own dialog."""
        return context.window_manager.invoke_props_dialog(
            self, width=WIDTH, title=f"Allow {self.address}?"[:90], confirm_text="Allow"
        )

    def draw(self, context: bpy.types.Context) -> None:
        """The dialog."""
        from .core.places import explained, risk_of  # only for whoever is asked

        provider = preferences.table().providers.get(self.provider)
        column = self.layout.column()
        for sentence in explained(risk_of(provider, self.address)) if provider else ():
            _draw_words(column.column(align=True), context, sentence)
        _draw_words(column.column(align=True), context, "You can take this back in the preferences")

    def run(self, context: bpy.types.Context) -> None:
        provider = preferences.table().provider(self.provider)
        if not provider.base or origin_of(provider.base) != self.address:
            windows.redraw()
            raise InputError(
                f"The address of {provider.label} has changed since this was asked: nothing was allowed. Look at it, "
                "and press again."
            )
        if self.address not in preferences.allowed_bases():
            preferences.current().allowed.add().name = self.address
        told(context)


class FLUXDEPTH_OT_take_back_address(Button):
    """Allow this address no longer: nothing more is sent there before it is allowed anew"""

    bl_idname = "flux_depth.take_back_address"
    bl_label = "Take Back"

    address: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def run(self, context: bpy.types.Context) -> None:
        allowed = preferences.current().allowed
        if (number := allowed.find(self.address)) >= 0:
            allowed.remove(number)
        told(context)


def _renew_worker() -> None:
    """One that runs knows another table, or may ask others: one that knows better takes its place."""
    if worker_process.running():
        watch.start_worker()


def told(context: bpy.types.Context) -> None:
    """A word was given or taken back: it is kept with Blender's preferences, and the worker hears of it."""
    context.preferences.is_dirty = True
    _renew_worker()
    windows.redraw()


def typed(_preferences: bpy.types.AddonPreferences, _context: bpy.types.Context) -> None:
    """An address was typed, or what belongs to it."""
    take_over()


def take_over() -> None:
    """Read what was typed and added, now and not while drawing; the worker hears of it."""
    preferences.forget_own_rows()
    preferences.own_rows()
    _renew_worker()
    windows.redraw()


def fields(provider: Provider) -> dict[str, object]:
    """The fields of the preferences for a server whose address is the artist's to give, by name."""
    shown: dict[str, Any] = {"update": typed, "options": set()}
    made: dict[str, object] = {
        f"base_{provider.name}": StringProperty(
            name="Base Address",
            description=f"Where {provider.label} is asked, with its port; a path may follow. Empty: "
            f"{provider.base or 'it is not asked'}",
            maxlen=500,
            **shown,
        )
    }
    if provider.key_header:
        made[f"header_{provider.name}"] = StringProperty(
            name="Key Name",
            description="The header that holds the key. Authorization gets “Bearer ” before it. Empty: no key is sent",
            default=provider.key_header,
            maxlen=100,
            **shown,
        )
    return made


def draw_address(box: bpy.types.UILayout, context: bpy.types.Context, provider: Provider) -> None:
    """In the provider's box of the preferences."""
    chosen: Any = preferences.current()
    box.prop(chosen, f"base_{provider.name}", placeholder=preferences.movable()[provider.name].base or EXAMPLE)
    if hasattr(chosen, f"header_{provider.name}"):
        box.prop(chosen, f"header_{provider.name}", placeholder="no key")
    if problem := preferences.own_rows().problems.get(provider.name):
        say(box, context, problem, "ERROR")
    elif provider.base:
        draw_consent(box, context, provider)


def draw_consent(layout: bpy.types.UILayout, context: bpy.types.Context, provider: Provider) -> bool:
    """What stands against its address, with the button that helps; whether anything does."""
    reason = preferences.consent_reason(provider)
    if not reason:
        return False
    say(layout, context, reason, "ERROR")
    if provider.base:
        button = layout.operator("flux_depth.allow_address", icon="CHECKMARK")
        button.provider, button.address = provider.name, origin_of(provider.base)
    else:
        layout.operator("flux_depth.open_preferences", icon="PREFERENCES")
    return True


def draw_allowed(layout: bpy.types.UILayout) -> None:
    """The addresses that were allowed, each to be taken back."""
    rows = preferences.current().allowed
    if not rows:
        return
    column = layout.box().column(align=True)
    column.label(text="Addresses You Allowed")
    for address in rows:
        row = column.split(factor=0.7)
        row.label(text=address.name, icon="CHECKMARK")
        row.operator("flux_depth.take_back_address", icon="X").address = address.name


def _draw_words(column: bpy.types.UILayout, context: bpy.types.Context, words: str) -> None:
    """A sentence in the dialog, wrapped to its width."""
    column.scale_y = 0.8
    room = int((WIDTH - 60) * (context.preferences.system.ui_scale or 1.0))
    for number, line in enumerate(lines(words, room, letter_size(context))):
        column.label(text=line, icon="DOT" if number == 0 else "BLANK1")


classes = (FLUXDEPTH_PG_address, FLUXDEPTH_OT_allow_address, FLUXDEPTH_OT_take_back_address)
register, unregister = bpy.utils.register_classes_factory(classes)
