"""A picture looks the same in its file, in the Image Editor and on the camera: by the pixels of the screen."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
from PIL import Image

from tests.gui.artist import Artist
from tests.gui.desk import HEIGHT

DRAWN_SECONDS = 20.0
"""How long Blender may take to draw what was set, on a busy machine without a graphics card."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels of the screen."""

TONES = [
    *[(0, 0, 0), (12, 12, 12), (30, 30, 30), (50, 50, 50), (80, 80, 80), (128, 128, 128)],
    *[(180, 180, 180), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (250, 200, 100)],
    *[(90, 110, 200), (200, 120, 90), (100, 180, 80), (20, 35, 12), (40, 10, 60), (15, 60, 45)],
    *[(230, 80, 160), (77, 230, 230), (160, 100, 75), (110, 75, 190), (240, 240, 90), (72, 90, 110)],
]
COLUMNS, ROWS = 6, 4
NEAR = 2
"""Of 255: what nobody sees."""

DARK, LIFTED = 72, 8
"""Blender before 5.2 shows tones below 72 up to 8 of 255 lighter on a camera than they are in the file."""

BORDER = 1.5
"""Pixels: over its edge lies the frame's own dashed line, one pixel wide."""


@pytest.fixture
def both(artist: Artist) -> Artist:
    """A 3D View through the camera and an Image Editor beside it, with nothing else in either."""
    artist.sidebar(False)
    artist.python(
        "with bpy.context.temp_override(area=area('VIEW_3D')):\n"
        "    bpy.ops.screen.area_split(direction='VERTICAL', factor=0.5)\n"
        "right = max((a for a in bpy.context.screen.areas if a.type == 'VIEW_3D'), key=lambda a: a.x)\n"
        "right.type = 'IMAGE_EDITOR'\n"
        "for thing in ('Cube', 'Light'):\n"
        "    bpy.data.objects.remove(bpy.data.objects[thing])"
    )
    artist.python(
        "space = area('VIEW_3D').spaces.active; space.region_3d.view_perspective = 'CAMERA'\n"
        "space.show_gizmo = space.show_region_toolbar = space.overlay.show_floor = space.overlay.show_cursor = False\n"
        "space.overlay.show_axis_x = space.overlay.show_axis_y = space.overlay.show_text = False\n"
        "bpy.context.scene.camera.data.show_passepartout = False\n"
        "area('IMAGE_EDITOR').spaces.active.show_gizmo = False"
    )
    return artist


def test_a_picture_has_its_file_s_colours_wherever_it_is_shown(both: Artist, tmp_path: Path) -> None:
    path = patches(tmp_path)
    both.python("bpy.context.scene.render.resolution_x, bpy.context.scene.render.resolution_y = 1344, 756")
    place(both, path)
    for transform, look in (("AgX", "AgX - Punchy"), ("Filmic", "High Contrast"), ("Standard", "None")):
        look_through(both, transform, look)
        told = f"with {transform}"
        show_whole_image(both)
        assert_same(both, image_on_screen, NEAR, f"in the Image Editor {told}")
        for depth, shading in (("FRONT", "SOLID"), ("FRONT", "RENDERED"), ("BACK", "SOLID")):
            both.python(
                "scene = bpy.context.scene; scene.render.engine = 'BLENDER_WORKBENCH'\n"
                f"part('placement').slot_of(scene.camera).display_depth = {depth!r}\n"
                f"area('VIEW_3D').spaces.active.shading.type = {shading!r}"
            )
            lifted = both.python("bpy.app.version < (5, 2, 0)")
            assert_same(
                both,
                frame_on_screen,
                LIFTED if lifted else NEAR,
                f"on the camera {told}, {depth}, {shading}",
            )


def test_the_depth_preview_shows_the_values_that_are_sent(both: Artist) -> None:
    both.python("bpy.ops.mesh.primitive_plane_add(size=40)")
    look_through(both, "AgX", "AgX - Punchy")
    both.python("bpy.ops.flux_depth.preview_depth()")
    path = Path(both.python("area('IMAGE_EDITOR').spaces.active.image.filepath"))
    sent = numpy.asarray(Image.open(path).convert("L"), dtype=int)
    assert sent.max() - sent.min() > 200
    show_whole_image(both)

    def apart() -> int:
        """The most that the medians of four rows differ."""
        left, top, right, bottom = image_on_screen(both)
        shown = numpy.asarray(both.picture().convert("L"), dtype=int)[:, round(left + 4) : round(right - 4)]
        rows = [0.2, 0.4, 0.6, 0.8]
        expected = [numpy.median(sent[int(row * sent.shape[0])]) for row in rows]
        found = [numpy.median(shown[round(top + row * (bottom - top))]) for row in rows]
        return int(abs(numpy.subtract(expected, found)).max())

    both.wait_for_picture(lambda: apart() <= NEAR)


@pytest.mark.parametrize(
    ("width", "height", "shift", "zoom"),
    [(640, 360, (0.0, 0.0), 0), (360, 640, (0.0, 0.0), 0), (640, 360, (0.3, -0.2), 0), (640, 360, (0.1, 0.05), 14)],
    ids=["landscape", "portrait", "shifted", "zoomed"],
)
def test_a_picture_lies_on_the_camera_s_frame(
    both: Artist, tmp_path: Path, width: int, height: int, shift: tuple[float, float], zoom: int
) -> None:
    pixels = numpy.zeros((height, width, 3), numpy.uint8)
    pixels[:, : width // 2], pixels[:, width // 2 :] = (255, 0, 255), (0, 255, 255)
    path = tmp_path / "halves.png"
    Image.fromarray(pixels).save(path)
    both.python(
        f"scene = bpy.context.scene; scene.render.resolution_x, scene.render.resolution_y = {width}, {height}\n"
        f"scene.camera.data.shift_x, scene.camera.data.shift_y = {shift}\n"
        f"area('VIEW_3D').spaces.active.region_3d.view_camera_zoom = {zoom}"
    )
    place(both, path)
    left, top, right, bottom = frame_on_screen(both)
    both.wait_for_picture(lambda: colour(both, (255, 0, 255)).any())
    magenta, cyan = colour(both, (255, 0, 255)), colour(both, (0, 255, 255))
    found = (*extent(magenta.any(axis=0)), *extent(cyan.any(axis=0)), *extent((magenta | cyan).any(axis=1)))
    middle = (left + right) / 2
    assert found == pytest.approx((left, middle, middle, right, top, bottom), abs=BORDER)


def colour(artist: Artist, wanted: tuple[int, int, int]) -> numpy.ndarray:
    """Where on the screen the 3D View shows that colour; elsewhere nothing is true."""
    left, top, width, height = artist.box("VIEW_3D", "WINDOW")
    pixels = numpy.asarray(artist.picture(), dtype=int)
    found = numpy.zeros(pixels.shape[:2], bool)
    here = slice(top, top + height), slice(left, left + width)
    found[here] = abs(pixels[here] - wanted).max(axis=2) < 60
    return found


def extent(line: numpy.ndarray) -> tuple[int, int]:
    """Where a row of truths begins and ends."""
    places = numpy.flatnonzero(line)
    return int(places[0]), int(places[-1]) + 1


def patches(folder: Path) -> Path:
    """A picture of the tones, each a patch of its own."""
    pixels = numpy.zeros((756, 1344, 3), numpy.uint8)
    for number, tone in enumerate(TONES):
        row, column = divmod(number, COLUMNS)
        pixels[row * 189 : (row + 1) * 189, column * 224 : (column + 1) * 224] = tone
    path = folder / "patches.png"
    Image.fromarray(pixels).save(path)
    return path


def place(artist: Artist, path: Path) -> None:
    """As if it had arrived."""
    artist.python(
        "from types import SimpleNamespace as Job\n"
        "request = Job(scene=bpy.context.scene.name, camera=bpy.context.scene.camera.name)\n"
        f"part('placement').place(Job(request=request, result={str(path)!r}))"
    )


def look_through(artist: Artist, transform: str, look: str) -> None:
    """The scene's colour management, with everything in it that could change a colour."""
    artist.python(
        f"view = bpy.context.scene.view_settings; view.view_transform = {transform!r}; view.look = {look!r}\n"
        "view.exposure, view.gamma = 1.5, 0.8"
    )


def show_whole_image(artist: Artist) -> None:
    """As Home does in the Image Editor."""
    artist.python(
        "editor = area('IMAGE_EDITOR')\n"
        "with bpy.context.temp_override(area=editor, region=region(editor, 'WINDOW')):\n"
        "    bpy.ops.image.view_all(fit_view=True)"
    )
    artist.wait_until("region(area('IMAGE_EDITOR'), 'WINDOW').view2d.view_to_region(0, 0, clip=False)[0] >= 0")


def image_on_screen(artist: Artist) -> Box:
    """Where the Image Editor shows its image just now."""
    return corners(
        artist,
        "part_of = region(area('IMAGE_EDITOR'), 'WINDOW')\n"
        "[part_of.view2d.view_to_region(*corner, clip=False) for corner in ((0, 0), (1, 1))]",
        "IMAGE_EDITOR",
    )


def frame_on_screen(artist: Artist) -> Box:
    """Where the 3D View shows the camera's frame."""
    return corners(
        artist,
        "from bpy_extras.view3d_utils import location_3d_to_region_2d as on_screen\n"
        "scene, part_of = bpy.context.scene, region(area('VIEW_3D'), 'WINDOW')\n"
        "view = area('VIEW_3D').spaces.active.region_3d; view.update()\n"
        "frame = scene.camera.data.view_frame(scene=scene)\n"
        "[list(on_screen(part_of, view, scene.camera.matrix_world @ corner)) for corner in frame]",
        "VIEW_3D",
    )


def corners(artist: Artist, code: str, editor: str) -> Box:
    """The box around points of a region."""
    artist.python("import bpy; bpy.context.view_layer.update()")
    points = numpy.array(artist.python(code), dtype=float)
    left, top, _, height = artist.box(editor, "WINDOW")
    (x1, y1), (x2, y2) = points.min(axis=0), points.max(axis=0)
    assert top + height <= HEIGHT
    return left + x1, top + height - y2, left + x2, top + height - y1


def seen(artist: Artist, box: Box) -> list[tuple[int, ...]]:
    """The colour of every patch on the screen: the median of its middle."""
    left, top, right, bottom = box
    width, height = (right - left) / COLUMNS, (bottom - top) / ROWS
    pixels, found = numpy.asarray(artist.picture()), []
    for number in range(len(TONES)):
        row, column = divmod(number, COLUMNS)
        x, y = left + column * width, top + row * height
        middle = pixels[int(y + height / 4) : int(y + 3 * height / 4), int(x + width / 4) : int(x + 3 * width / 4)]
        found.append(tuple(int(value) for value in numpy.median(middle.reshape(-1, 3), axis=0)))
    return found


def assert_same(artist: Artist, place: Callable[[Artist], Box], of_the_dark: int, where: str) -> None:
    """Every patch as in the file, once it is drawn there; of its dark channels so much more."""
    until = time.monotonic() + DRAWN_SECONDS
    while wrong := wrong_in(seen(artist, place(artist)), of_the_dark):
        assert time.monotonic() < until, f"{where}: " + "; ".join(wrong)
        time.sleep(0.1)


def wrong_in(found: list[tuple[int, ...]], of_the_dark: int) -> list[str]:
    """The patches that differ, in words."""
    return [
        f"{tone} is {shown}"
        for tone, shown in zip(TONES, found, strict=True)
        if any(abs(a - b) > (NEAR if a >= DARK else of_the_dark) for a, b in zip(tone, shown, strict=True))
    ]
