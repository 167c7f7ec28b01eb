"""A grid from its form to the contact sheet, click by click."""

from __future__ import annotations

from flux_depth_addon.core.sandbox import Behaviour
from tests.gui.artist import TABS, Artist
from tests.gui.conftest import Paid


def test_four_pictures_from_one_form_and_a_sheet_of_them(artist: Artist, paid: Paid) -> None:
    provider = paid(Behaviour(delay=0.5))
    artist.panel("Variations")
    artist.hover("flux_depth_variations.cameras")
    artist.ask("flux_depth.generate_grid")
    assert provider.posts == []
    artist.see_change(lambda: artist.key("Escape"))
    assert artist.steps() == []
    artist.ask("flux_depth.generate_grid")
    artist.key("Return")
    artist.wait_for_steps(*["DONE"] * 4)
    assert len(provider.posts) == 4
    assert artist.is_told("4 pictures are on their way")
    artist.wait_until("bpy.data.cameras['Camera'].background_images")
    star(artist)
    artist.wait_until("[job.favourite for job in part('watch').jobs.values()] == [True, False, False, False]")
    artist.click("flux_depth.contact_sheet")
    artist.wait_until("area('IMAGE_EDITOR') and area('IMAGE_EDITOR').spaces.active.image.name[:13] == 'contact_sheet'")


def test_the_rest_of_a_batch_is_cancelled_by_one_click(artist: Artist, paid: Paid) -> None:
    paid(Behaviour(delay=60))
    artist.hover("flux_depth.generate")  # the panels are where they belong once it is found
    artist.panel("Variations")
    artist.ask("flux_depth.generate_grid")
    artist.key("Return")
    artist.wait_for_steps(*["POLL"] * 4)
    artist.click("flux_depth.cancel_batch")
    artist.wait_for_steps(*["CANCELLED"] * 4)
    assert artist.is_told("4 cancelled; 4 of them had been sent and cost $0.24")


def star(artist: Artist) -> None:
    """Press the star in the row of the chosen picture, the last button but one."""
    left, _top, width, _height = artist.box()
    _x, row = artist.hover("flux_depth.show")
    artist.move((left + round(0.82 * (width - TABS)), row))
    artist.screen.press()
