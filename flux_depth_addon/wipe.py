"""Two pictures over each other in one Image Editor, left and right of a divider that can be dragged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import bpy
import gpu
import numpy as np

from . import compare, overlay, placement, render_result
from .core.errors import InputError, ProviderError
from .core.framing import crop_picture
from .core.picture import open_picture
from .overlay import Box

if TYPE_CHECKING:
    from .compare import Picture

GRIP = 7
"""Pixels, at a UI scale of 1, to either side of the divider from which it can be dragged."""

OVERLAPPING = {"UI", "TOOLS", "HEADER", "TOOL_HEADER"}


class Side:
    """One picture, on its way to the graphics card, where only drawing may bring it."""

    def __init__(self, picture: Picture) -> None:
        self.pixels = pixels_of(picture) if picture.path else None
        self.texture: gpu.types.GPUTexture | None = None

    def on_card(self) -> gpu.types.GPUTexture | None:
        """None for what the editor shows by itself."""
        if self.pixels is not None:
            height, width, _channels = self.pixels.shape
            data = gpu.types.Buffer("FLOAT", self.pixels.size, self.pixels)
            self.texture, self.pixels = gpu.types.GPUTexture((width, height), format="RGBA8", data=data), None
        return self.texture


class Wipe:
    """A comparison that is on, in one editor, over one image of it that gives the frame."""

    def __init__(self, pictures: tuple[Picture, Picture], result: bpy.types.Image, area: bpy.types.Area) -> None:
        """Raises InputError, with nothing changed, for a picture that cannot be opened."""
        under = _render_under(pictures) or result
        self.divider = 0.5
        self.pictures = self.asked = pictures
        self.problem = ""
        self.sides = [Side(picture) for picture in pictures]
        space = area.spaces.active
        self.space = space.as_pointer()
        self.before = space.image.session_uid if space.image else 0
        self._put_under(space, under)
        placement.comparing.add(self.space)
        add = bpy.types.SpaceImageEditor.draw_handler_add
        self.handlers = [
            add(self.draw_pictures, (), "WINDOW", "POST_VIEW"),  # below the divider and the editor's own buttons
            add(self.draw_labels, (), "WINDOW", "POST_PIXEL"),
        ]
        redraw()

    def close(self) -> None:
        """Leave the editor as it was found."""
        placement.comparing.discard(self.space)
        for handler in self.handlers:
            bpy.types.SpaceImageEditor.draw_handler_remove(handler, "WINDOW")
        before = next((image for image in bpy.data.images if image.session_uid == self.before), None)
        for space in filter(self.is_in, _spaces()):
            space.image = before or space.image
        redraw()

    def show(self, pictures: tuple[Picture, Picture]) -> None:
        """Other pictures in the same place; each is tried once. Raises InputError."""
        if pictures == self.asked:
            return
        self.asked, self.problem = pictures, ""
        image, sides = _render_under(pictures), [Side(picture) for picture in pictures]
        self.pictures, self.sides = pictures, sides
        if image:
            for space in filter(self.is_in, list(_spaces())):
                self._put_under(space, image)
        redraw()

    def _put_under(self, space: bpy.types.SpaceImageEditor, image: bpy.types.Image) -> None:
        if space.image != image:
            space.image = image
            _fit(space)
        self.image = image.session_uid

    def is_in(self, space: bpy.types.SpaceImageEditor | None) -> bool:
        """Whether this is the editor, and it still shows what it was given."""
        return bool(
            space and space.as_pointer() == self.space and space.image and space.image.session_uid == self.image
        )

    def is_shown(self) -> bool:
        """Whether the editor is there, in this workspace or another."""
        return any(map(self.is_in, _spaces()))

    def flip(self) -> None:
        """The right picture whole; when it is, the left one."""
        self.divider = 0.0 if self.divider else 1.0
        redraw()

    def line(self, region: bpy.types.Region, area: bpy.types.Area) -> float:
        """Where the divider is, in pixels of the region: it waits at the border while its place is out of sight."""
        frame = frame_of(region)
        seen = frame.within(clear_of(region, area))
        return min(max(frame.left + self.divider * frame.width, seen.left), seen.right)

    def drag(self, x: float, region: bpy.types.Region) -> None:
        """Move the divider to this pixel of the region."""
        frame = frame_of(region)
        self.divider = min(max((x - frame.left) / max(frame.width, 1.0), 0.0), 1.0)
        region.tag_redraw()

    def draw_pictures(self) -> None:
        """Called by Blender for every Image Editor, whose image lies from 0 to 1 either way."""
        context = bpy.context
        if not self.is_in(context.space_data):
            return
        frame = frame_of(context.region)
        line = (self.line(context.region, context.area) - frame.left) / frame.width
        left, right = self.sides
        overlay.draw_picture(left.on_card(), 0.0, line)
        overlay.draw_picture(right.on_card(), line, 1.0)

    def draw_labels(self) -> None:
        """Called by Blender for every Image Editor: what lies left and right, at the foot of the divider."""
        context = bpy.context
        if not self.is_in(context.space_data):
            return
        seen = frame_of(context.region).within(clear_of(context.region, context.area))
        line = self.line(context.region, context.area)
        left, right = self.pictures
        if line > seen.left:
            overlay.draw_label(left.label, line, seen.bottom, ends=True)
        if line < seen.right:
            overlay.draw_label(right.label, line, seen.bottom)


class FLUXDEPTH_GT_divider(bpy.types.Gizmo):
    """The line between the two pictures"""

    bl_idname = "FLUXDEPTH_GT_divider"

    def draw(self, context: bpy.types.Context) -> None:
        wiping, region = compare.wiping, context.region
        if wiping and wiping.is_in(context.space_data):
            seen = frame_of(region).within(clear_of(region, context.area))
            overlay.draw_divider(wiping.line(region, context.area), seen, held=self.is_highlight)

    def test_select(self, context: bpy.types.Context, location: tuple[int, int]) -> int:
        """0 for the whole of it near the line, -1 elsewhere."""
        line = compare.wiping.line(context.region, context.area) if compare.wiping else -GRIP * 100.0
        return 0 if abs(location[0] - line) <= GRIP * overlay.scale() else -1

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        self.was = compare.wiping.divider
        context.window.cursor_modal_set("MOVE_X")
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event, _tweak: set[str]) -> set[str]:
        if compare.wiping:
            compare.wiping.drag(event.mouse_region_x, context.region)
        return {"RUNNING_MODAL"}

    def exit(self, context: bpy.types.Context, cancel: bool) -> None:
        context.window.cursor_modal_restore()
        if cancel and compare.wiping:
            compare.wiping.divider = self.was
            context.region.tag_redraw()


class FLUXDEPTH_GGT_divider(bpy.types.GizmoGroup):
    """In the editor where two pictures are compared"""

    bl_idname = "FLUXDEPTH_GGT_divider"
    bl_label = "Divider"
    bl_space_type = "IMAGE_EDITOR"
    bl_region_type = "WINDOW"
    bl_options = {"PERSISTENT", "SHOW_MODAL_ALL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return bool(compare.wiping and compare.wiping.is_in(context.space_data))

    def setup(self, _context: bpy.types.Context) -> None:
        self.gizmos.new(FLUXDEPTH_GT_divider.bl_idname).use_draw_modal = True


def pixels_of(picture: Picture) -> np.ndarray:
    """The frame, (height, width, 4) float32 in 0..1 as in the file, row 0 at the bottom. Raises InputError."""
    try:
        image = open_picture(picture.path.read_bytes()).convert("RGBA")
    except (OSError, ProviderError):
        raise InputError(f"{picture.path.name} cannot be opened: it was moved, deleted or damaged.") from None
    frame = crop_picture(image, picture.framing) if picture.framing else image
    return np.ascontiguousarray(np.asarray(frame)[::-1], dtype=np.float32) / 255


def frame_of(region: bpy.types.Region) -> Box:
    """Where an Image Editor shows its image; Blender's own function for it rounds to whole pixels."""
    view = region.view2d
    (left, bottom), (right, top) = view.region_to_view(0, 0), view.region_to_view(region.width, region.height)
    across, up = region.width / (right - left), region.height / (top - bottom)
    return Box(-left * across, -bottom * up, (1 - left) * across, (1 - bottom) * up)


def clear_of(region: bpy.types.Region, area: bpy.types.Area) -> Box:
    """The part of a region that no sidebar and no header of its editor covers."""
    left, right, top = region.x, region.x + region.width, region.y + region.height
    for other in area.regions:
        if other.type in OVERLAPPING and min(other.width, other.height) > 1:
            match other.alignment:
                case "LEFT":
                    left = max(left, other.x + other.width)
                case "RIGHT":
                    right = min(right, other.x)
                case "TOP":
                    top = min(top, other.y)
    return Box(left - region.x, 0, max(right, left) - region.x, top - region.y)


def redraw() -> None:
    """Have the pictures themselves drawn anew."""
    for window in bpy.context.window_manager.windows:
        for area in (area for area in window.screen.areas if area.type == "IMAGE_EDITOR"):
            area.tag_redraw()


def _fit(space: bpy.types.SpaceImageEditor) -> None:
    """Show the whole frame, as images of other sizes lie elsewhere in the editor."""
    for window in bpy.context.window_manager.windows:
        for area in (area for area in window.screen.areas if area.spaces.active == space):
            region = next(region for region in area.regions if region.type == "WINDOW")
            with bpy.context.temp_override(window=window, area=area, region=region):
                bpy.ops.image.view_all(fit_view=True)


def _spaces() -> Iterator[bpy.types.SpaceImageEditor]:
    for screen in bpy.data.screens:
        yield from (area.spaces.active for area in screen.areas if area.type == "IMAGE_EDITOR")


def _render_under(pictures: tuple[Picture, Picture]) -> bpy.types.Image | None:
    """What must lie under the two when one of them is the render. Raises InputError when nothing was rendered."""
    if all(picture.path for picture in pictures):
        return None
    image = render_result.find()
    try:
        with TemporaryDirectory() as folder:
            if image and render_result.shows(image, image.render_slots.active_index, bpy.context.scene, Path(folder)):
                return image
    except OSError as error:
        raise InputError(f"Nothing can be written to the temporary folder ({error.strerror}).") from None
    raise InputError("There is no render to compare with: render first (F12).")


_register_classes, _unregister_classes = bpy.utils.register_classes_factory(
    (FLUXDEPTH_GT_divider, FLUXDEPTH_GGT_divider)
)
_registered = False


def register() -> None:
    """Show the divider to Blender, at the first comparison: most sessions have none."""
    global _registered
    if not _registered:
        _register_classes()
        _registered = True


def unregister() -> None:
    """Take it away, and what is on the graphics card."""
    global _registered
    overlay.forget()
    if _registered:
        _unregister_classes()
        _registered = False
