"""The picture of docs/addresses.md: `dev.py gui tests/gui/shots_places.py` writes it, a person looks at it."""

from __future__ import annotations

import json
import time

from tests.gui.artist import Artist
from tests.gui.shots import LOOKED_AT, keep
from tests.gui.test_places import GRAPH, LAN, PREFERENCES, RESET, TYPED


def preferences(artist: Artist) -> None:
    """With a workflow of the artist's own, and one that is not marked yet."""
    marked = {"1": "Picture", "2": "Prompt", "3": "Seed, Steps"}
    whole = {
        name: node | {"_meta": {"title": f"FLUX Depth {marked[name]}" if name in marked else "Save"}}
        for name, node in GRAPH.items()
    }
    for name, graph in (("warm_evening", whole), ("with_my_lora", GRAPH)):
        (artist.folder / f"{name}.json").write_text(json.dumps(graph))
        artist.python(f"bpy.ops.flux_depth.add_workflow(filepath={str(artist.folder / f'{name}.json')!r})")
    artist.python(PREFERENCES)
    artist.wait_until("area('PREFERENCES')")


def test_what_is_asked_about(artist: Artist) -> None:
    artist.python(TYPED)
    time.sleep(1)
    keep(artist.picture("VIEW_3D"), "places panel.png", LOOKED_AT)
    artist.click("flux_depth.allow_address")
    time.sleep(1)
    keep(artist.picture(), "places dialog.png", LOOKED_AT)
    artist.key("Escape")
    preferences(artist)
    artist.python(
        "part('preferences').current().allowed.add().name = 'http://192.168.17.31:8188'; part('windows').redraw()"
    )
    time.sleep(1)
    artist.move((800, 990))
    time.sleep(1)
    keep(artist.picture(), "places preferences.png", LOOKED_AT)
    artist.click("flux_depth.choose_places", editor="PREFERENCES", region="WINDOW", workflow="with_my_lora")
    time.sleep(1)
    keep(artist.picture(), "places menus.png", LOOKED_AT)
    artist.key("Escape")
    artist.click("flux_depth.allow_address", editor="PREFERENCES", region="WINDOW", address=LAN)
    time.sleep(1)
    keep(artist.picture().crop((160, 300, 1320, 900)), "addresses.jpg")
    artist.key("Escape")
    artist.python(RESET)
