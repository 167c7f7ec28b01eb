"""A shot in the window: its range, one confirmation, Esc in time, and the frames where they belong."""

from __future__ import annotations

from flux_depth_addon.core.sandbox import Behaviour
from tests.gui.artist import Artist
from tests.gui.conftest import Paid

OWN = "bpy.context.scene.flux_depth_shot"
STANDING = "part('shot').standing_of(bpy.context.scene)"


def test_a_shot_is_painted_after_one_confirmation_and_lies_on_its_camera(artist: Artist, paid: Paid) -> None:
    provider = paid(Behaviour(delay=0.5, picture="echo"))
    artist.python(
        "scene = bpy.context.scene; scene.frame_start, scene.frame_end, scene.flux_depth.megapixels = 1, 3, 0.1"
    )
    artist.panel("Shot")
    artist.click("flux_depth.find_shot_range")
    artist.wait_until(f"0 < {OWN}.near < {OWN}.far")
    artist.wait_until(f"{STANDING} and {STANDING}.missing == [1, 2, 3]")
    artist.ask("flux_depth.generate_shot", shown_price="$0.18 for 3 frames")
    artist.see_change(lambda: artist.key("Escape"))
    assert provider.posts == []
    artist.ask("flux_depth.generate_shot")
    artist.key("Return")
    artist.wait_for_steps("DONE", "DONE", "DONE")
    assert len(provider.posts) == 3
    artist.wait_until(f"{STANDING}.missing == [] and not {STANDING}.on_its_way")
    artist.scroll_down()
    artist.click("flux_depth.shot_on_camera")
    artist.wait_until("[slot.image.source for slot in bpy.data.cameras['Camera'].background_images] == ['SEQUENCE']")
