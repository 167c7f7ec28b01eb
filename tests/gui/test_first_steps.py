"""From the installed zip to the first picture: key, preferences, offline, the sandbox, and why a button is greyed."""

from __future__ import annotations

import numpy

from flux_depth_addon.core.sandbox import Behaviour
from tests.gui.artist import Artist
from tests.gui.conftest import Paid
from tests.secrets_watch import marked_key

CAN_GENERATE = "bpy.ops.flux_depth.generate.poll()"
OBSTACLE = "part('obstacles').obstacle(bpy.context)"


def type_key(artist: Artist) -> None:
    """Into the field beside the wheel that opens the preferences: Blender gives no name to a field of preferences."""
    x, y = artist.hover("flux_depth.open_preferences")
    artist.move((x - 100, y))
    artist.screen.press()
    artist.type(marked_key("cometapi"))
    artist.key("Return")
    artist.wait_until("'cometapi' in part('preferences').keys()")


def test_the_built_zip_is_installed_and_enabled(artist: Artist) -> None:
    found = artist.python("import sys; sys.modules['bl_ext.user_default.flux_depth'].__file__")
    assert found.startswith(str(artist.folder / "resources" / "extensions" / "user_default"))
    assert artist.python("part('preferences').version()") != "not installed"


def test_the_window_is_drawn(artist: Artist) -> None:
    shades = numpy.unique(numpy.asarray(artist.picture().convert("L")))
    assert len(shades) > 50


def test_the_sandbox_is_one_click_away_and_paints(artist: Artist) -> None:
    artist.python("bpy.context.scene.flux_depth.model_id = ''")
    artist.python("area('DOPESHEET_EDITOR').type = 'IMAGE_EDITOR'")
    artist.click("flux_depth.use_sandbox")
    artist.wait_until("bpy.context.scene.flux_depth.model_id == 'sandbox'")
    artist.fill("flux_depth.prompt", "a stone cottage")
    artist.click("flux_depth.generate")
    artist.wait_for_steps("DONE")
    shown = artist.wait_until("area('IMAGE_EDITOR').spaces.active.image.filepath")
    assert shown == artist.python("[job.result for job in part('watch').jobs.values()][0]")


def test_a_key_typed_into_the_panel_is_taken_and_leaves_the_panel(artist: Artist) -> None:
    artist.python("bpy.context.scene.flux_depth.model_id = ''")
    assert "key" in artist.wait_until(OBSTACLE) or "prompt" in artist.python(OBSTACLE)
    type_key(artist)
    assert artist.python("part('preferences').keys()") == {"cometapi": marked_key("cometapi")}
    assert not artist.sees("flux_depth.open_preferences")


def test_online_access_that_is_off_greys_generate_and_a_button_leads_to_it(artist: Artist) -> None:
    artist.python("bpy.context.scene.flux_depth.model_id = ''")
    artist.fill("flux_depth.prompt", "a stone cottage")
    type_key(artist)
    assert not artist.python(CAN_GENERATE)
    assert "online access is off" in artist.python(OBSTACLE)
    artist.click("extensions.userpref_show_online")
    artist.wait_until("area('PREFERENCES') and bpy.context.preferences.active_section == 'SYSTEM'")


def test_the_wheel_beside_the_key_opens_our_preferences(artist: Artist) -> None:
    artist.python("bpy.context.scene.flux_depth.model_id = ''")
    artist.click("flux_depth.open_preferences")
    artist.wait_until("area('PREFERENCES') and bpy.context.preferences.active_section == 'ADDONS'")
    artist.hover("flux_depth.test_connection", editor="PREFERENCES", region="WINDOW", provider="cometapi")


def test_the_connection_is_tested_for_nothing(artist: Artist, paid: Paid) -> None:
    provider = paid(Behaviour())
    artist.python("bpy.ops.flux_depth.open_preferences()")
    artist.wait_until("area('PREFERENCES')")
    artist.click("flux_depth.test_connection", editor="PREFERENCES", region="WINDOW", provider="cometapi")
    artist.wait_until("part('watch').connections.get('cometapi', ['', False])[1]")
    assert provider.posts == []


def test_without_a_camera_generate_is_greyed_and_says_why(artist: Artist) -> None:
    artist.fill("flux_depth.prompt", "a stone cottage")
    artist.wait_until(CAN_GENERATE)
    artist.python("bpy.data.objects.remove(bpy.data.objects['Camera'])")
    assert artist.python(OBSTACLE) == "The scene has no camera: add one, or make one active"
    artist.click("flux_depth.generate")
    assert artist.steps() == []
