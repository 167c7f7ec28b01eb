"""Another computer is asked only after the artist's word, given in the panel and taken back in the preferences."""

from __future__ import annotations

import json

from tests.gui.artist import Artist

LAN = "http://192.168.17.20:9000"
ALLOWED = "list(part('preferences').allowed_bases())"
TYPED = (
    "bpy.context.preferences.system.use_online_access = True\n"
    "chosen = part('preferences').current()\n"
    f"chosen.base_gateway, chosen.header_gateway = {LAN!r}, ''\n"
    "dials = bpy.context.scene.flux_depth\n"
    "dials.model_id, dials.prompt = 'gateway:flux-pro-1.0-depth', 'a stone cottage'\n"
    "part('windows').redraw()"
)
PREFERENCES = """
import addon_utils
found = [one for one in addon_utils.modules(refresh=False) if one.__name__ == 'bl_ext.user_default.flux_depth']
bpy.context.preferences.active_section = 'ADDONS'
bpy.context.window_manager.addon_search = 'FLUX Depth'
addon_utils.module_bl_info(found[0])['show_expanded'] = True
area('VIEW_3D').type = 'PREFERENCES'
chosen = part('preferences').current()
for name in part('preferences').table().providers: setattr(chosen, 'show_' + name, name in ('gateway', 'comfyui'))
"""
"""In the largest editor: their own window shows a part of them only."""

RESET = """
for name in ('base_gateway', 'header_gateway'): part('preferences').current().property_unset(name)
part('preferences').current().allowed.clear()
bpy.context.preferences.system.use_online_access = False
"""

GRAPH = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a room"}},
    "3": {"class_type": "KSampler", "inputs": {"seed": 1, "steps": 28, "cfg": 1.0, "denoise": 1.0}},
    "4": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
}


def test_an_address_is_allowed_beside_generate_and_taken_back_in_the_preferences(artist: Artist) -> None:
    artist.python(TYPED)
    artist.wait_until("not bpy.ops.flux_depth.generate.poll()")
    artist.ask("flux_depth.allow_address")
    assert artist.python(ALLOWED) == []
    artist.key("Return")
    artist.wait_until(f"{ALLOWED} == [{LAN!r}]")
    artist.wait_until("bpy.ops.flux_depth.generate.poll()")
    artist.python(PREFERENCES)
    artist.wait_until("area('PREFERENCES')")
    artist.click("flux_depth.take_back_address", editor="PREFERENCES", region="WINDOW")
    artist.wait_until(f"{ALLOWED} == []")
    artist.python(RESET)


def test_a_workflow_s_places_are_chosen_in_menus(artist: Artist) -> None:
    file = artist.folder / "warm evening.json"
    file.write_text(json.dumps(GRAPH))
    artist.python(f"bpy.ops.flux_depth.add_workflow(filepath={str(file)!r})")
    artist.python(PREFERENCES)
    artist.wait_until("area('PREFERENCES')")
    artist.ask("flux_depth.choose_places", editor="PREFERENCES", region="WINDOW")
    artist.key("Return")
    artist.wait_until("any(model.endswith(':warm-evening') for model in part('preferences').table().models)")
    _, row = artist.hover("flux_depth.choose_places", editor="PREFERENCES", region="WINDOW")
    left, _, width, _ = artist.box("PREFERENCES", "WINDOW")
    artist.move((left + width - 33, row))  # the cross at the row's end
    artist.screen.press()
    artist.wait_until("not part('preferences').own_rows().workflows")
