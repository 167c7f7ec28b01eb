"""The pictures of README and docs, taken of a real window: `dev.py gui --shots` writes them, a person looks at them.

No test by its name, so that it runs only when it is asked for. What is for the eye alone goes to
.dev/reports/shots.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.gui.artist import Artist

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LOOKED_AT = ROOT / ".dev" / "reports" / "shots"

PROMPT = "a mediterranean living room in the afternoon, terracotta, plaster and olive wood"
LONG_PROMPT = (
    "A mediterranean living room in the late afternoon, low sun through linen curtains, terracotta floor, walls of "
    "rough plaster, olive wood, a rust-coloured throw on the sofa, dust in the light, photographed on 35 mm film."
)


WITHIN = """
window = bpy.context.window_manager.windows[0]
def within(kind): return bpy.context.temp_override(window=window, screen=window.screen, area=area(kind))
"""
LAYOUT = (
    *(f"{WITHIN}\nwith within({kind!r}): bpy.ops.screen.area_close()" for kind in ("OUTLINER", "PROPERTIES")),
    f"{WITHIN}\nwith within('DOPESHEET_EDITOR'): bpy.ops.screen.area_close()",
    f"{WITHIN}\nwith within('VIEW_3D'): bpy.ops.screen.area_split(direction='VERTICAL', factor=0.62)",
    "max((one for one in bpy.data.screens['Layout'].areas), key=lambda one: one.x).type = 'IMAGE_EDITOR'",
    "space = area('VIEW_3D').spaces.active\n"
    "space.shading.color_type = 'MATERIAL'; space.shading.show_cavity = True\n"
    "space.region_3d.view_perspective = 'CAMERA'; space.show_gizmo_navigate = False\n"
    "space.overlay.show_floor = space.overlay.show_axis_x = space.overlay.show_axis_y = False\n"
    "space.overlay.show_extras = space.overlay.show_cursor = space.show_region_toolbar = False\n"
    "space.region_3d.view_camera_zoom = 9; space.region_3d.view_camera_offset = (0.115, 0)",
)
"""Two editors: the interior through its camera on the left, an Image Editor on the right. One at a time, as Blender
knows the new sizes only after the next redraw."""


@pytest.fixture
def studio(artist: Artist) -> Artist:
    """The demo's interior, seen through its camera, with an Image Editor beside it."""
    for name in ("demo_scene.py", "demo_shapes.py"):
        shutil.copy(ROOT / "packaging" / name, artist.folder)
    artist.python(
        f"import sys; sys.path.insert(0, {str(artist.folder)!r}); import demo_scene\n"
        "demo_scene.build(); bpy.context.scene.flux_depth.model_id = 'sandbox'"
    )
    for step in LAYOUT:
        artist.python(step, in_window=False)
        time.sleep(0.3)
    artist.tab()
    return artist


def keep(picture: Image.Image, name: str, folder: Path = DOCS) -> None:
    """As small as it can be and still be read: PNG for what is drawn, JPEG for what is photographed."""
    folder.mkdir(parents=True, exist_ok=True)
    extra = {"quality": 88} if name.endswith(".jpg") else {"optimize": True}
    picture.save(folder / name, **extra)


@pytest.fixture
def pictured(studio: Artist) -> Artist:
    """The same, with a picture that has arrived."""
    studio.python(
        f"settings = bpy.context.scene.flux_depth; settings.prompt = {PROMPT!r}\n"
        "settings.use_seed, settings.seed = True, 2"
    )
    studio.click("flux_depth.generate")
    studio.wait_until("[job.step for job in part('watch').jobs.values()] == ['DONE']", 30)
    studio.wait_until("area('IMAGE_EDITOR').spaces.active.image")
    fit(studio)
    return studio


def fit(artist: Artist) -> None:
    """The whole picture in the Image Editor, as Home does it; the mouse out of the way, and a moment to draw it."""
    artist.move((800, 990))
    artist.python(
        "window, editor = bpy.context.window_manager.windows[0], area('IMAGE_EDITOR')\n"
        "with bpy.context.temp_override(window=window, screen=window.screen, area=editor, "
        "region=region(editor, 'WINDOW')): bpy.ops.image.view_all(fit_view=True)",
        in_window=False,
    )
    time.sleep(1)


def test_the_first_look(artist: Artist) -> None:
    artist.python("bpy.context.scene.flux_depth.property_unset('model_id'); part('windows').redraw()")
    time.sleep(1)
    keep(artist.picture("VIEW_3D").crop((0, 0, 291, 520)), "first.png")


def test_the_whole_window(pictured: Artist) -> None:
    keep(pictured.picture(), "window.jpg")


def test_near_and_far_in_the_view(studio: Artist) -> None:
    studio.python(f"bpy.context.scene.flux_depth.prompt = {PROMPT!r}; part('windows').redraw()")
    time.sleep(0.5)
    studio.panel("Depth")
    studio.click("flux_depth.preview_depth")
    studio.wait_until("part('depth_preview').verdicts")
    fit(studio)
    studio.python(
        "from mathutils import Quaternion, Vector\n"
        "view = area('VIEW_3D').spaces.active.region_3d; view.view_perspective = 'PERSP'\n"
        "view.view_rotation = Quaternion((0.78, 0.5, 0.2, 0.32)); view.view_distance = 15\n"
        "view.view_location = Vector((1.4, -2.2, 0.6)); area('VIEW_3D').spaces.active.shading.show_xray = True\n"
        "bpy.context.window_manager.flux_depth_range = True"
    )
    time.sleep(1)
    keep(studio.picture(), "depth.jpg")


def test_a_wipe_between_the_depth_and_the_picture(pictured: Artist) -> None:
    pictured.panel("Compare")
    pictured.click("flux_depth.compare")
    pictured.wait_until("part('compare').wiping")
    fit(pictured)
    keep(pictured.picture(), "compare.jpg")


def test_a_long_prompt(studio: Artist) -> None:
    studio.python("area('IMAGE_EDITOR').type = 'TEXT_EDITOR'")
    studio.click("flux_depth.edit_prompt")
    studio.python(f"text = bpy.data.texts[0]; text.clear(); text.write({LONG_PROMPT!r})")
    studio.move((800, 990))
    time.sleep(1.5)
    keep(studio.picture().crop((990 - 305, 28, 1600, 480)), "prompt.png")


def test_the_preferences(artist: Artist) -> None:
    artist.python("bpy.ops.flux_depth.open_preferences('INVOKE_DEFAULT')")
    time.sleep(2)
    keep(artist.picture(), "preferences.png", LOOKED_AT)


NARROW = """
import ctypes, struct
sidebar = region(area("VIEW_3D"), "UI")
raw = ctypes.string_at(sidebar.as_pointer(), 700)
box = sidebar.x, sidebar.x + sidebar.width - 1, sidebar.y, sidebar.y + sidebar.height - 1
width = ctypes.cast(sidebar.as_pointer() + raw.find(struct.pack("4i", *box)) + 52, ctypes.POINTER(ctypes.c_short))
assert width[0] == 279
width[0] = 188
"""
"""A sidebar of 200 pixels in Blender 4.3, which no script can set otherwise, and xdotool cannot drag."""

LIGHT = (
    "path = bpy.utils.system_resource('SCRIPTS') + '/presets/interface_theme/Blender_Light.xml'\n"
    "bpy.ops.script.execute_preset(filepath=path, menu_idname='USERPREF_MT_interface_theme_presets')"
)
DARK = LIGHT.replace("_Light", "_Dark")


@pytest.mark.parametrize(
    "title", ["Depth", "Camera", "Model Settings", "Result", "Compare", "Keep Objects", "What Is Sent"]
)
def test_each_panel_at_each_size(pictured: Artist, title: str) -> None:
    """For the eye alone: usual, 200 pixels wide, in the light theme, at twice the size."""
    pictured.panel(title)
    keep(pictured.picture("VIEW_3D"), f"{title} usual.png", LOOKED_AT)
    pictured.python("bpy.context.preferences.view.ui_scale = 1.6")
    time.sleep(0.8)
    keep(pictured.picture("VIEW_3D"), f"{title} large.png", LOOKED_AT)
    pictured.python(f"bpy.context.preferences.view.ui_scale = 1.0\n{LIGHT}")
    time.sleep(0.8)
    pictured.python(f"{NARROW}\nbpy.context.preferences.view.ui_scale = 1.01")
    time.sleep(0.4)
    pictured.python("bpy.context.preferences.view.ui_scale = 1")
    time.sleep(0.8)
    keep(pictured.picture("VIEW_3D"), f"{title} narrow.png", LOOKED_AT)
    pictured.python(DARK)
