"""A picture on its way: preview, generate, watch, go on working, cancel, retry, look at it."""

from __future__ import annotations

from itertools import pairwise

import numpy

from flux_depth_addon.core.sandbox import Answer, Behaviour
from tests.gui.artist import Artist
from tests.gui.conftest import Paid

VIEWPORT = (500, 500)
CUBE = "[round(number, 4) for number in bpy.data.objects['Cube'].location]"
BACKGROUND = "[slot.show_background_image for slot in bpy.data.cameras['Camera'].background_images]"


def is_on_its_way(artist: Artist) -> None:
    artist.wait_until("len(part('watch').on_their_way()) == 1")


def test_preview_depth_shows_the_map_and_its_verdict(artist: Artist) -> None:
    artist.panel("Depth")
    artist.click("flux_depth.preview_depth")
    artist.wait_until("area('IMAGE_EDITOR') and area('IMAGE_EDITOR').spaces.active.image.name == 'FLUX Depth Preview'")
    assert artist.is_told("Good depth")
    assert artist.steps() == []


def test_a_job_is_watched_in_panel_and_status_bar(artist: Artist, paid: Paid) -> None:
    paid(Behaviour(delay=4))
    bar = artist.box("VIEW_3D", "UI")
    before = artist.picture("VIEW_3D", "UI")
    artist.click("flux_depth.generate")
    is_on_its_way(artist)
    artist.hover("flux_depth.cancel")
    assert artist.box("VIEW_3D", "UI") == bar
    assert artist.picture("VIEW_3D", "UI").tobytes() != before.tobytes()
    artist.wait_for_steps("DONE")


def test_esc_stays_with_the_tool_in_hand_and_the_job_goes_on(artist: Artist, paid: Paid) -> None:
    paid(Behaviour(delay=3))
    artist.click("flux_depth.generate")
    is_on_its_way(artist)
    artist.move(VIEWPORT)
    artist.key("Escape", "g")
    artist.wait_until(
        "'TRANSFORM_OT_translate' in [tool.bl_idname for tool in window_of(area('VIEW_3D')).modal_operators]"
    )
    artist.move((700, 600))
    artist.wait_until(f"{CUBE} != [0, 0, 0]")
    artist.key("Escape")
    artist.wait_until(f"{CUBE} == [0, 0, 0]")
    artist.key("Escape", "Escape")
    artist.wait_for_steps("DONE")


def test_cancel_stops_the_wait_and_says_what_stays_paid(artist: Artist, paid: Paid) -> None:
    paid(Behaviour(delay=60))
    artist.click("flux_depth.generate")
    artist.wait_for_steps("POLL")
    artist.click("flux_depth.cancel")
    artist.wait_for_steps("CANCELLED")
    assert artist.is_told("ancel")
    artist.hover("flux_depth.retry")


def test_several_jobs_are_on_their_way_at_once(artist: Artist, paid: Paid) -> None:
    provider = paid(Behaviour(delay=5))
    for word in ("stone", "brick", "straw"):
        artist.python(f"bpy.context.scene.flux_depth.prompt = 'a {word} cottage'")
        artist.click("flux_depth.generate")
        artist.wait_until(f"[job.request.prompt for job in part('watch').jobs.values()][:1] == ['a {word} cottage']")
    assert artist.python("len(part('watch').on_their_way())") == 3
    artist.wait_for_steps("DONE", "DONE", "DONE")
    assert len(provider.posts) == 3


def test_what_failed_is_sent_again_by_one_click(artist: Artist, paid: Paid) -> None:
    provider = paid(Behaviour(delay=0.5, submit_answers=[Answer(402, body={"detail": "Insufficient credits"})]))
    artist.click("flux_depth.generate")
    artist.wait_for_steps("FAILED")
    artist.hover("flux_depth.open_account")
    artist.click("flux_depth.retry")
    artist.wait_for_steps("DONE", "FAILED")
    assert len(provider.posts) == 2


def test_a_double_click_sends_one(artist: Artist, paid: Paid) -> None:
    provider = paid(Behaviour(delay=3))
    artist.hover("flux_depth.generate")
    artist.screen.press()
    artist.screen.press()
    artist.wait_for_steps("DONE")
    assert len(provider.posts) == 1
    assert artist.is_told("asked for a moment ago")


def test_the_picture_behind_the_camera_goes_on_and_off(artist: Artist, paid: Paid) -> None:
    paid(Behaviour(delay=0.5))
    artist.click("flux_depth.generate")
    artist.wait_for_steps("DONE")
    artist.wait_until(f"{BACKGROUND} == [True]")
    artist.python("area('VIEW_3D').spaces.active.region_3d.view_perspective = 'CAMERA'")
    seen = []
    for shown in (True, False, True):
        artist.wait_until(f"{BACKGROUND} == [{shown}]")
        seen.append(numpy.asarray(at_rest(artist)))
        artist.click("background_images[0].show_background_image")
    assert all((before != after).mean() > 0.1 for before, after in pairwise(seen))
    assert (seen[0] == seen[2]).mean() > 0.99


def at_rest(artist: Artist) -> numpy.ndarray:
    """The viewport left of its sidebar, once nothing moves there; the mouse is elsewhere."""
    artist.move((800, 970))
    left, top, width, height = artist.box("VIEW_3D", "WINDOW")
    frames = [numpy.zeros(0), numpy.asarray(artist.picture())]
    while not numpy.array_equal(*frames):
        frames = [frames[1], numpy.asarray(artist.picture())]
        artist.wait_until("True")
    return frames[1][top + 60 : top + height, left + 60 : left + width - 320]


def test_undo_in_mid_job_takes_back_the_edit_and_not_the_job(artist: Artist, paid: Paid) -> None:
    provider = paid(Behaviour(delay=4))
    artist.python("bpy.ops.ed.undo_push()\nbpy.data.objects['Cube'].location = (1, 0, 0)\nbpy.ops.ed.undo_push()")
    artist.click("flux_depth.generate")
    is_on_its_way(artist)
    artist.move(VIEWPORT)
    artist.key("ctrl+z")
    artist.wait_until(f"{CUBE} == [0, 0, 0]")
    artist.wait_for_steps("DONE")
    artist.wait_until(f"{BACKGROUND} == [True]")
    assert len(provider.posts) == 1
