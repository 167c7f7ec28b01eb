"""What the artist should know beside the work: news, money, other journals, a journal that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from . import arrivals, preferences, watch
from .drawing import say

if TYPE_CHECKING:
    from .core.recovery import Offer


def draw_notices(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Boxes above the list of pictures; nothing where there is nothing to say."""
    if watch.problem:
        say(layout, context, watch.problem, "ERROR")
        if watch.damaged:
            layout.operator("flux_depth.start_new_journal", icon="FILE_REFRESH")
    if words := arrivals.summary():
        _draw_news(layout.box(), context, words)
    for offer in watch.offers:
        _draw_offer(layout.box(), context, offer)


def _draw_news(box: bpy.types.UILayout, context: bpy.types.Context, words: str) -> None:
    say(box, context, words, "INFO")
    row = box.row(align=True)
    row.operator("flux_depth.show_news", icon="IMAGE_DATA")
    row.operator("flux_depth.dismiss_news", text="", icon="X")


def _draw_offer(box: bpy.types.UILayout, context: bpy.types.Context, offer: Offer) -> None:
    waiting = f" and {offer.waiting} on their way" if offer.waiting else ""
    say(box, context, f"{_place(offer)} has a journal with {offer.pictures} pictures{waiting}", "INFO")
    row = box.row(align=True)
    row.operator("flux_depth.adopt_journal", icon="IMPORT").folder = str(offer.folder)
    row.operator("flux_depth.decline_journal", text="", icon="X").folder = str(offer.folder)


def _place(offer: Offer) -> str:
    """As people name it: Blender 4.5."""
    version = offer.folder.parents[3].name
    return f"Blender {version}" if version[:1].isdigit() else "Another Blender"


def draw_money(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What was spent, once anything was."""
    session, month, cap = watch.session, watch.month, preferences.cap()
    if session is None or month is None or not (month.most or cap):
        return
    limit = f" of ${cap:.2f}" if cap else ""
    perhaps = f", perhaps ${month.unknown:.2f} more" if month.unknown else ""
    say(layout, context, f"Spent: ${session.charged:.2f} since start, ${month.charged:.2f}{limit} this month{perhaps}")
