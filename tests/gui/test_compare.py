"""Two pictures over each other on the screen: the divider, the keys, and what ends it."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
from PIL import Image

from tests.gui.artist import Artist
from tests.gui.desk import HEIGHT

NEAR = 3
EDITOR = "area('IMAGE_EDITOR').spaces.active"
WIPING = "part('compare').wiping"


@pytest.fixture
def seen(artist: Artist) -> Artist:
    """A picture has arrived, and an Image Editor stands beside the 3D View."""
    artist.python(
        "with bpy.context.temp_override(area=area('VIEW_3D')):\n"
        "    bpy.ops.screen.area_split(direction='VERTICAL', factor=0.5)\n"
        "right = max((a for a in bpy.context.screen.areas if a.type == 'VIEW_3D'), key=lambda a: a.x)\n"
        "right.type = 'IMAGE_EDITOR'"
    )
    artist.python("bpy.context.scene.flux_depth.prompt = 'a cottage'; bpy.ops.flux_depth.generate()")
    artist.wait_for_steps("DONE")
    artist.wait_until(f"{EDITOR}.image")
    artist.python(
        "editor = area('IMAGE_EDITOR')\n"
        "with bpy.context.temp_override(area=editor, region=region(editor, 'WINDOW')):\n"
        "    bpy.ops.image.view_all(fit_view=True)"
    )
    artist.log_before = len(artist.log.read_text(errors="replace"))
    artist.tab()
    artist.panel("Compare")
    return artist


def test_the_divider_is_dragged_and_each_side_shows_its_own_picture(seen: Artist) -> None:
    seen.click("flux_depth.compare")
    at_half = seen.wait_until(f"{WIPING} and {WIPING}.divider")
    assert at_half == 0.5
    depth, result = files(seen)
    seen.wait_for_picture(lambda: shows(seen, {0.25: depth, 0.75: result}))
    left, right, middle = across(seen)
    seen.drag((round((left + right) / 2), middle), (round(left + 0.8 * (right - left)), middle))
    assert seen.python(f"{WIPING}.divider") == pytest.approx(0.8, abs=0.01)
    seen.wait_for_picture(lambda: shows(seen, {0.25: depth, 0.7: depth, 0.9: result}))


def test_escape_in_the_drag_leaves_the_divider_where_it_was(seen: Artist) -> None:
    seen.click("flux_depth.compare")
    seen.wait_until(WIPING)
    depth, result = files(seen)
    seen.wait_for_picture(lambda: shows(seen, {0.25: depth, 0.75: result}))
    left, right, middle = across(seen)
    seen.move((round((left + right) / 2), middle))
    seen.move((round((left + right) / 2), middle + 20))  # a second look, for a Blender that was busy at the first
    seen.screen.xdotool("mousedown", 1)
    for step in range(1, 6):
        seen.move((round((left + right) / 2) - 20 * step, middle))
    seen.wait_until(f"{WIPING}.divider < 0.45")
    seen.screen.xdotool("key", "Escape")  # Screen.key would let go of the mouse first
    seen.wait_until(f"{WIPING}.divider == 0.5")
    seen.screen.xdotool("mouseup", 1)


def test_one_key_shows_one_picture_and_then_the_other(seen: Artist) -> None:
    seen.click("flux_depth.compare")
    seen.wait_until(WIPING)
    depth, result = files(seen)
    left, right, middle = across(seen)
    seen.move((round(left + 0.3 * (right - left)), middle))
    for wanted in (result, depth, result):
        seen.key("shift+j")
        seen.wait_for_picture(lambda wanted=wanted: shows(seen, {0.25: wanted, 0.75: wanted}))


def test_a_picture_that_is_compared_looks_as_the_image_editor_shows_it(seen: Artist) -> None:
    seen.python(
        "view = bpy.context.scene.view_settings; view.look = 'AgX - Punchy'; view.exposure = 2.0\n"
        f"{EDITOR}.show_gizmo = False"
    )
    seen.wait_for_picture(lambda: shows(seen, dict.fromkeys((0.25, 0.75), files(seen)[1])))
    by_itself = frame(seen)
    seen.click("flux_depth.compare")
    seen.wait_until(WIPING)
    seen.python("bpy.ops.flux_depth.flip()")
    seen.wait_for_picture(lambda: shows(seen, dict.fromkeys((0.25, 0.75), files(seen)[1])))
    inner = slice(20, -60)  # without the divider at the edge and the label at its foot
    apart = abs(frame(seen) - by_itself)[inner, inner]
    assert numpy.percentile(apart, 99) <= NEAR


def test_a_render_is_shown_with_the_scene_s_view_transform(seen: Artist) -> None:
    seen.python(
        "scene = bpy.context.scene; scene.render.engine = 'BLENDER_WORKBENCH'\n"
        "scene.render.resolution_percentage = 70; scene.view_settings.exposure = 1.0; bpy.ops.render.render()\n"
        "bpy.context.window_manager.flux_depth_compare.left = 'RENDER'"
    )
    saved = seen.folder / "render.png"
    seen.python(f"part('render_result').find().save_render({str(saved)!r})")
    seen.click("flux_depth.compare")
    seen.wait_until(WIPING)
    seen.wait_for_picture(lambda: shows(seen, {0.25: picture(saved), 0.45: picture(saved), 0.75: files(seen)[1]}))


def test_what_has_no_picture_to_compare_says_what_to_do(artist: Artist) -> None:
    artist.panel("Compare")
    artist.click("flux_depth.compare")
    assert artist.python(WIPING) is None


def test_the_key_is_nobody_s_while_nothing_is_compared(seen: Artist) -> None:
    seen.python(
        "config = bpy.context.window_manager.keyconfigs.user.keymaps['Image']\n"
        "config.keymap_items.new('image.view_all', 'J', 'PRESS', shift=True)\n"
        "editor = area('IMAGE_EDITOR')\n"
        "with bpy.context.temp_override(area=editor, region=region(editor, 'WINDOW')):\n"
        "    bpy.ops.image.view_zoom_ratio(ratio=0.1)"
    )
    left, right, middle = across(seen)
    seen.move(((left + right) // 2, middle))
    seen.key("shift+j")
    seen.wait_until("region(area('IMAGE_EDITOR'), 'WINDOW').view2d.view_to_region(1, 0, clip=False)[0] > 400")
    seen.python(
        "config = bpy.context.window_manager.keyconfigs.user.keymaps['Image']\n"
        "config.keymap_items.remove(config.keymap_items.find_from_operator('image.view_all'))"
    )


@pytest.mark.parametrize(
    "deed",
    [
        "area('IMAGE_EDITOR').type = 'CONSOLE'",
        "bpy.data.images.remove(area('IMAGE_EDITOR').spaces.active.image)",
        "with bpy.context.temp_override(area=area('IMAGE_EDITOR')): bpy.ops.screen.area_close()",
    ],
    ids=["another editor", "image deleted", "area closed"],
)
def test_it_ends_with_what_it_is_shown_in(seen: Artist, deed: str) -> None:
    seen.click("flux_depth.compare")
    seen.wait_until(WIPING)
    seen.python(deed)
    seen.wait_until(f"{WIPING} is None")
    assert_no_trouble(seen)


def test_undo_in_the_middle_leaves_it_on(seen: Artist) -> None:
    seen.click("flux_depth.compare")
    seen.wait_until(WIPING)
    seen.python("bpy.data.objects['Cube'].location.x = 3; bpy.ops.ed.undo_push(message='Move')")
    seen.python("bpy.ops.ed.undo()")
    depth, result = files(seen)
    seen.wait_for_picture(lambda: shows(seen, {0.25: depth, 0.75: result}))
    assert seen.python(f"{WIPING}.is_shown()")
    assert_no_trouble(seen)


def test_another_file_ends_it(seen: Artist) -> None:
    seen.click("flux_depth.compare")
    seen.wait_until(WIPING)
    seen.new_file()
    seen.wait_until(f"{WIPING} is None")
    assert_no_trouble(seen)


def test_disabling_the_extension_in_the_middle_is_clean(seen: Artist) -> None:
    seen.click("flux_depth.compare")
    seen.wait_until(WIPING)
    name = "bl_ext.user_default.flux_depth"
    seen.python(f"bpy.ops.preferences.addon_disable(module={name!r})")
    seen.move((round(across(seen)[0]) + 50, across(seen)[2]))
    seen.python("area('IMAGE_EDITOR').tag_redraw()")
    seen.python(f"bpy.ops.preferences.addon_enable(module={name!r})")
    assert_no_trouble(seen)


def test_a_key_flips_the_picture_on_the_camera(seen: Artist) -> None:
    shown = "part('placement').slot_of(bpy.context.scene.camera).show_background_image"
    left, top, _, height = seen.box("VIEW_3D", "WINDOW")
    seen.move((left + 80, top + height - 80))
    seen.key("shift+j")
    assert seen.python(shown)  # the view is not the camera's
    seen.python("area('VIEW_3D').spaces.active.region_3d.view_perspective = 'CAMERA'")
    for wanted in (False, True):
        seen.key("shift+j")
        seen.wait_until(f"{shown} == {wanted}")


def picture(path: Path) -> Image.Image:
    """A file as the screen should show it."""
    return Image.open(path).convert("RGB")


def files(artist: Artist) -> tuple[Image.Image, Image.Image]:
    """The depth map, cut to the frame, and the result of the chosen picture."""
    control, result, crop = artist.python(
        "job = part('watch').chosen(bpy.context.window_manager)\n"
        "[str(job.control), job.result, list(job.request.framing.crop)]"
    )
    return picture(control).crop(crop), picture(result)


def edges(artist: Artist) -> tuple[float, float, float, float]:
    """Where the Image Editor shows its image: left, right, top and bottom, in pixels of the screen."""
    (x1, y1), (x2, y2) = artist.python(
        "place = region(area('IMAGE_EDITOR'), 'WINDOW')\n"
        "[place.view2d.view_to_region(*corner, clip=False) for corner in ((0, 0), (1, 1))]"
    )
    left, top, _, height = artist.box("IMAGE_EDITOR", "WINDOW")
    assert top + height <= HEIGHT
    return left + x1, left + x2, top + height - y2, top + height - y1


def across(artist: Artist) -> tuple[float, float, int]:
    """Left, right, and the height of the middle."""
    left, right, top, bottom = edges(artist)
    return left, right, round((top + bottom) / 2)


def frame(artist: Artist) -> numpy.ndarray:
    """What the screen shows where the image is."""
    left, right, top, bottom = map(round, edges(artist))
    return numpy.asarray(artist.picture(), dtype=int)[top:bottom, left:right]


def shows(artist: Artist, wanted: dict[float, Image.Image]) -> bool:
    """Whether a column of the frame, at these fractions of its width, looks like that picture."""
    screen = frame(artist)
    height, width, _ = screen.shape
    for at, image in wanted.items():
        column = slice(round(at * width) - 2, round(at * width) + 3)
        expected = numpy.asarray(image.resize((width, height), Image.Resampling.BOX), dtype=int)
        if numpy.median(abs(screen - expected)[:, column]) > NEAR:
            return False
    return True


def assert_no_trouble(artist: Artist) -> None:
    """Nothing went wrong in Blender since the fixture looked."""
    assert "Traceback" not in artist.log.read_text(errors="replace")[artist.log_before :]
