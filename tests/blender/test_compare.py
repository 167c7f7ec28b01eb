"""Two pictures are compared: which ones, on which frame, and what is left when it ends."""

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from PIL import Image

from tests.blender.test_generate import wait


@pytest.fixture
def editor():
    """An open Image Editor, as its area; the last test's comparison is over."""
    area = bpy.context.window_manager.windows[0].screen.areas[0]
    area.ui_type = "IMAGE_EDITOR"
    return area


def arrived(part, scene):
    """A picture that was asked for as the button does, and came at once: how it is painted is tried elsewhere."""
    watch, request = part("watch"), part("properties").request_of(bpy.context)
    z = part("capture").capture(scene=scene, framing=request.framing)
    control, request, _verdict = part("control_picture").as_sent(z, request)
    asked = {"output": part("output").output_of(request), "origin": part("output").origin()}
    claimed = watch.journal().claim(job_id=watch.journal().add(request, control, **asked).id)
    size = request.framing.crop_width, request.framing.crop_height
    Image.effect_noise(size, 40 * request.seed).convert("RGB").save(claimed.output)
    came = {"step": part("core.job").Step.DONE, "result": str(claimed.output), "width": size[0], "height": size[1]}
    watch.journal().save(replace(claimed, finished=time.time(), **came), release=True)
    watch.follow(claimed)
    wait(part, lambda: claimed.id in watch.jobs and watch.jobs[claimed.id].seen)
    return watch.jobs[claimed.id]


@pytest.fixture
def two(ready, part, editor):
    """Two pictures that arrived, the newest first and chosen."""
    compare, jobs = part("compare"), []
    for seed in (1, 2):
        ready.flux_depth.use_seed, ready.flux_depth.seed = True, seed
        jobs.insert(0, arrived(part, ready))
    yield jobs
    compare.end()
    bpy.context.window_manager.flux_depth_compare.left = "DEPTH"
    bpy.context.window_manager.flux_depth_compare.right = "CHOSEN"


def menus():
    return bpy.context.window_manager.flux_depth_compare


def press():
    """The button's result; what it reports is raised."""
    return bpy.ops.flux_depth.compare()


def shown(part):
    return [picture.path for picture in part("compare").wiping.pictures]


def test_a_click_compares_the_depth_with_the_chosen_picture(two, part, editor):
    assert press() == {"FINISHED"}
    assert shown(part) == [two[0].control, Path(two[0].result)]
    assert part("placement").shows(editor.spaces.active.image, Path(two[0].result))


def test_two_results_are_compared(two, part):
    menus().left = two[1].id
    press()
    assert shown(part) == [Path(two[1].result), Path(two[0].result)]


def test_without_a_picture_it_says_what_to_choose(ready, part, editor):
    assert "Choose a picture that has arrived" in part("compare").hindrance(bpy.context.window_manager)
    assert not bpy.ops.flux_depth.compare.poll()


def test_the_same_picture_on_both_sides_is_refused(two, part):
    menus().left = two[0].id
    assert "the same picture" in part("compare").hindrance(bpy.context.window_manager)


def test_what_was_never_rendered_is_not_compared(two, part, editor):
    before = editor.spaces.active.image
    menus().left = "RENDER"
    with pytest.raises(RuntimeError, match="render first"):
        press()
    assert part("compare").wiping is None
    assert editor.spaces.active.image == before


def test_the_render_is_what_the_editor_shows_itself(two, part, editor, ready):
    ready.render.resolution_percentage = 5
    ready.render.engine = "CYCLES"
    ready.cycles.samples = 1
    bpy.ops.render.render()
    menus().left = "RENDER"
    press()
    assert editor.spaces.active.image.type == "RENDER_RESULT"
    assert part("compare").wiping.sides[0].pixels is None


def test_the_depth_is_cut_to_the_frame_pixel_for_pixel(two, part):
    press()
    pixels = part("compare").wiping.sides[0].pixels
    control = np.asarray(Image.open(two[0].control).convert("RGB"))
    framing = two[0].request.framing
    assert not framing.whole  # else nothing would be cut
    rows = slice(framing.top, framing.top + framing.crop_height)
    columns = slice(framing.left, framing.left + framing.crop_width)
    assert pixels.shape == (two[0].height, two[0].width, 4)
    assert np.array_equal(np.rint(pixels[::-1, :, :3] * 255), control[rows, columns])


def test_the_same_key_shows_one_then_the_other(two, part):
    press()
    seen = []
    for _ in range(3):
        bpy.ops.flux_depth.flip()
        seen.append(part("compare").wiping.divider)
    assert seen == [0.0, 1.0, 0.0]


def test_the_key_is_for_the_editor_alone_in_which_something_is_compared(two, part, editor):
    other = SimpleNamespace(area=SimpleNamespace(type="IMAGE_EDITOR"), space_data=None)
    here = SimpleNamespace(area=editor, space_data=editor.spaces.active)
    flip = part("compare").FLUXDEPTH_OT_flip
    assert not flip.poll(here)
    press()
    assert flip.poll(here)
    assert not flip.poll(other)


def test_another_choice_in_the_list_is_followed(two, part):
    press()
    bpy.context.window_manager.flux_depth_job = 1
    part("compare")._follow()
    assert shown(part) == [two[1].control, Path(two[1].result)]


def test_a_choice_that_cannot_be_shown_leaves_what_is_shown_and_says_so(two, part):
    press()
    before = shown(part)
    Path(two[1].result).unlink()
    menus().left = two[1].id
    part("compare")._follow()
    assert shown(part) == before
    assert "moved, deleted or damaged" in part("compare").wiping.problem


def test_pressing_again_ends_it_and_gives_the_editor_its_image_back(two, part, editor):
    theirs = bpy.data.images.new("theirs", 8, 8)
    editor.spaces.active.image = theirs
    press()
    assert editor.spaces.active.image != theirs
    press()
    assert part("compare").wiping is None
    assert editor.spaces.active.image == theirs
    assert not bpy.app.timers.is_registered(part("compare")._follow)


def test_comparing_adds_no_image_but_the_result(two, part):
    before = set(bpy.data.images)
    menus().left = two[1].id
    press()
    assert set(bpy.data.images) <= before | {part("placement").load(Path(two[0].result))}


def test_what_arrives_leaves_the_editor_alone_in_which_something_is_compared(two, part, editor):
    press()
    under = editor.spaces.active.image
    part("placement").place(two[1])
    assert editor.spaces.active.image == under


def test_a_click_on_show_ends_it(two, part, editor):
    press()
    bpy.ops.flux_depth.show(job_id=two[1].id)
    part("compare")._follow()
    assert part("compare").wiping is None
    assert part("placement").shows(editor.spaces.active.image, Path(two[1].result))


def test_an_image_that_the_artist_deletes_ends_it(two, part, editor):
    press()
    bpy.data.images.remove(editor.spaces.active.image)
    part("compare")._follow()
    assert part("compare").wiping is None


def test_an_editor_that_becomes_another_ends_it(two, part, editor):
    press()
    editor.ui_type = "VIEW_3D"
    part("compare")._follow()
    assert part("compare").wiping is None


def test_another_file_ends_it(two, part):
    press()
    bpy.ops.wm.read_homefile(use_empty=False)
    part("compare")._follow()
    assert part("compare").wiping is None


def test_disabling_the_extension_in_the_middle_leaves_nothing(two, part):
    press()
    handlers = part("compare").wiping.handlers
    part("compare").unregister()
    assert not hasattr(bpy.types, "FLUXDEPTH_GT_divider")
    with pytest.raises(ValueError, match="callback"):
        bpy.types.SpaceImageEditor.draw_handler_remove(handlers[0], "WINDOW")
    part("compare").register()


def test_a_choice_that_a_file_made_up_is_the_usual_one(two, part):
    menus()["left_id"] = "nobody"
    assert menus().left == "DEPTH"


def test_flipping_on_the_camera_hides_the_picture_and_shows_it_again(two, part, ready):
    placement = part("placement")
    slot = placement.slot_of(ready.camera)
    seen = []
    for _ in range(2):
        placement.flip(ready.camera)
        seen.append(slot.show_background_image)
    assert seen == [False, True]


def test_a_picture_on_a_camera_that_shows_none_is_shown_by_the_first_flip(two, part, ready):
    ready.camera.data.show_background_images = False
    part("placement").flip(ready.camera)
    assert ready.camera.data.show_background_images
    assert part("placement").slot_of(ready.camera).show_background_image
