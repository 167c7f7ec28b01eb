"""The clay render: the scene in one soft grey, for models that estimate depth themselves from a picture they get."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import bpy

from . import still
from .capture import camera_of, check, current_layer, failure_said, is_panoramic, switch_off
from .core.errors import InputError
from .untouched import nothing_touched

if TYPE_CHECKING:
    from PIL.Image import Image

    from .core.framing import Framing

__all__ = ["clay"]

GREY = 0.8
"""Of the surfaces, as light that is reflected: plaster, of which such models are made."""

BACKDROP = (226, 226, 226)
"""A pale paper, as behind a photographed model: black, an estimator might take for a thing that is near."""

SAMPLES = "8"


def clay(
    *,
    scene: bpy.types.Scene,
    framing: Framing,
    camera: bpy.types.Object | None = None,
    view_layer: str | None = None,
    frame: float | None = None,
) -> Image:
    """The clay render, RGB of the framing's size, of exactly what `capture` would measure. Raises InputError."""
    from PIL import Image

    camera = camera or camera_of(scene)
    layer = view_layer or current_layer(scene)
    if is_panoramic(camera):
        raise InputError(f"Camera “{camera.name}” is panoramic, which no clay render can be: set Control to Depth Map.")
    check(scene, camera, layer, framing, "WORKBENCH")
    with failure_said("clay"), nothing_touched() as folder:
        copy = still.copied(scene, camera, layer, framing, frame)
        model_in_clay(copy)
        shown = still.rendered(copy, folder)
    backdrop = Image.new("RGBA", shown.size, (*BACKDROP, 255))
    return Image.alpha_composite(backdrop, shown).convert("RGB")


def model_in_clay(copy: bpy.types.Scene) -> None:
    """Blender's quickest engine with one colour, its soft studio light, and what shows edges and contact."""
    copy.render.engine = "BLENDER_WORKBENCH"
    copy.render.use_motion_blur = copy.camera.data.dof.use_dof = False
    copy.render.dither_intensity = 0
    light_softly(copy.display)
    show_plainly(copy.display_settings, copy.view_settings)


def light_softly(display: Any) -> None:
    shading, display.render_aa = display.shading, SAMPLES
    shading.light, shading.color_type, shading.single_color = "STUDIO", "SINGLE", (GREY,) * 3
    with suppress(TypeError):  # a studio may have thrown Blender's own lights out
        shading.studio_light = "Default"
    switch_off(shading, "show_backface_culling", "show_object_outline", "show_specular_highlight", "show_xray",
               "use_dof", "use_world_space_lighting")  # fmt: skip
    shading.show_cavity = shading.show_shadows = True
    shading.cavity_type, shading.shadow_intensity = "BOTH", 0.25
    shading.curvature_ridge_factor = shading.curvature_valley_factor = 0.5
    shading.cavity_ridge_factor, shading.cavity_valley_factor = 0.5, 1.0
    display.shadow_focus, display.shadow_shift, display.light_direction = 0.0, 0.1, (0.4, 0.4, 0.8)


def show_plainly(screen: Any, view: Any) -> None:
    """As a plain screen shows it: the scene's own look and exposure are for its own light."""
    with suppress(TypeError):  # a studio's own colour configuration may have other names
        screen.display_device = "sRGB"
        view.view_transform = "Standard"
        view.look = "None"
    view.exposure, view.gamma, view.use_curve_mapping = 0.0, 1.0, False
