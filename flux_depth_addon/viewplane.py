"""What a camera frames, as a rectangle; and the camera numbers that show a rectangle of our choosing instead."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .core.framing import Framing

__all__ = ["Lens", "Viewplane", "frame_viewplane", "overscanned"]


@dataclass(frozen=True)
class Viewplane:
    """A rectangle across the view: one unit from a perspective camera, at any distance from an orthographic one."""

    width: float
    height: float
    centre_x: float
    centre_y: float


@dataclass(frozen=True)
class Lens:
    """The numbers of a Blender camera that decide its frame and its range, named as Blender names them."""

    type: str
    lens: float
    ortho_scale: float
    sensor_fit: str
    sensor_width: float
    sensor_height: float
    shift_x: float
    shift_y: float
    clip_start: float
    clip_end: float

    @property
    def scale(self) -> float:
        """Length of the fitted side of the viewplane."""
        if self.type == "ORTHO":
            return self.ortho_scale
        return (self.sensor_height if self.sensor_fit == "VERTICAL" else self.sensor_width) / self.lens

    def framing(self, plane: Viewplane) -> Lens:
        """The same kind of lens turned on this rectangle, for a picture of its shape."""
        focal = max(self.lens, 1 / plane.width)  # Blender takes no sensor below 1 mm
        return replace(
            self,
            lens=focal,
            ortho_scale=plane.width,
            sensor_fit="HORIZONTAL",
            sensor_width=plane.width * focal,
            shift_x=plane.centre_x / plane.width,
            shift_y=plane.centre_y / plane.width,
        )


def frame_viewplane(lens: Lens, width: float, height: float) -> Viewplane:
    """What the lens frames in a picture of this shape; follows BKE_camera_params_compute_viewplane of Blender."""
    horizontal = lens.sensor_fit == "HORIZONTAL" or (lens.sensor_fit == "AUTO" and width >= height)
    unit = lens.scale / (width if horizontal else height)
    return Viewplane(width * unit, height * unit, lens.shift_x * lens.scale, lens.shift_y * lens.scale)


def overscanned(frame: Viewplane, framing: Framing) -> Viewplane:
    """The rectangle of the whole control image when the crop box shows exactly the frame."""
    across, down = frame.width / framing.crop_width, frame.height / framing.crop_height
    right = framing.left + framing.crop_width / 2 - framing.width / 2
    below = framing.top + framing.crop_height / 2 - framing.height / 2
    return Viewplane(
        framing.width * across, framing.height * down,
        frame.centre_x - right * across, frame.centre_y + below * down,
    )  # fmt: skip
