"""A picture lands in the Image Editor and exactly on the camera's frame."""

import bpy
import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def picture(tmp_path):
    """Four unequal corners: no flip or turn of it is itself."""
    pixels = np.zeros((36, 64, 3), np.uint8)
    pixels[:18, :32], pixels[:18, 32:], pixels[18:, :32] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    path = tmp_path / "corners.png"
    Image.fromarray(pixels).save(path)
    return path


def test_the_same_file_is_the_same_image(fresh_file, part, picture):
    placement = part("placement")
    assert placement.load(picture) is placement.load(picture)


def test_an_image_of_the_user_s_that_shows_the_file_otherwise_is_left_as_it_is(fresh_file, part, picture):
    rendered, data = bpy.data.images.load(str(picture)), bpy.data.images.load(str(picture))
    rendered.use_view_as_render = True
    data.colorspace_settings.name = "Non-Color"
    ours = part("placement").load(picture)
    assert ours not in (rendered, data)
    assert (ours.use_view_as_render, ours.colorspace_settings.name) == (False, "sRGB")
    assert (rendered.use_view_as_render, data.colorspace_settings.name) == (True, "Non-Color")


def test_the_camera_s_image_is_read_so_that_the_view_shows_the_file_s_values(fresh_file, part, picture):
    image = part("placement").put_behind(fresh_file.camera, picture).image
    undone = bpy.app.version >= (5, 2, 0)  # the exponent of 2.2 that Blender lays backgrounds with
    assert image.colorspace_settings.name == ("Gamma 2.2 Encoded Rec.709" if undone else "sRGB")
    assert not image.use_view_as_render


def test_a_picture_that_was_deleted_is_one_sentence(fresh_file, part, picture):
    picture.unlink()
    with pytest.raises(part("core.errors").InputError, match="moved or deleted"):
        part("placement").load(picture)


def test_the_background_is_the_frame_and_nothing_else(fresh_file, part, picture):
    placement = part("placement")
    slot = placement.put_behind(fresh_file.camera, picture)
    assert slot.frame_method == "STRETCH"
    assert (tuple(slot.offset), slot.scale, slot.rotation) == ((0, 0), 1, 0)
    assert (slot.use_flip_x, slot.use_flip_y) == (False, False)
    assert fresh_file.camera.data.show_background_images


def test_the_next_picture_takes_the_same_slot_and_leaves_others_alone(fresh_file, part, picture, tmp_path):
    placement, camera = part("placement"), fresh_file.camera
    theirs = camera.data.background_images.new()
    theirs.image = bpy.data.images.new("theirs", 8, 8)
    first = placement.put_behind(camera, picture)
    first.alpha, first.display_depth = 0.3, "BACK"
    second_path = tmp_path / "second.png"
    Image.open(picture).save(second_path)
    second = placement.put_behind(camera, second_path)
    assert len(camera.data.background_images) == 2
    assert second.image.filepath.endswith("second.png")
    assert (round(second.alpha, 3), second.display_depth) == (0.3, "BACK")
    assert theirs.image.name == "theirs"


def test_an_empty_slot_of_the_user_s_is_left_alone(fresh_file, part, picture):
    placement, camera = part("placement"), fresh_file.camera
    theirs = camera.data.background_images.new()
    theirs.frame_method = "STRETCH"
    placement.put_behind(camera, picture)
    assert theirs.image is None
    assert len(camera.data.background_images) == 2


def test_a_linked_camera_is_refused_in_one_sentence(fresh_file, part, picture, tmp_path):
    library = tmp_path / "library.blend"
    bpy.data.libraries.write(str(library), {fresh_file.camera})
    with bpy.data.libraries.load(str(library), link=True) as (there, here):
        here.objects = there.objects
    linked = here.objects[0]
    with pytest.raises(part("core.errors").InputError, match="linked from another file"):
        part("placement").put_behind(linked, picture)
