"""Draws over an editor: pictures with the very values of their files, lines, and labels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import blf
import bpy
import gpu
from gpu_extras.batch import batch_for_shader

DARK, LIGHT, BRIGHT = (0.05, 0.05, 0.05, 0.7), (0.85, 0.85, 0.85, 1.0), (1.0, 1.0, 1.0, 1.0)

OVERLAY_EXPONENT = 2.2
"""What is drawn over an editor passes through an exponent of 1 / 2.2 on its way to the screen."""

VERTEX = """
void main() {
  uv = vec2(mix(span.x, span.y, pos.x), pos.y);
  gl_Position = ModelViewProjectionMatrix * vec4(pos, 0.0, 1.0);
}
"""
FRAGMENT = """
void main() {
  vec2 size = vec2(textureSize(picture, 0));
  vec2 texels = fwidth(uv) * size;
  ivec2 taps = clamp(ivec2(ceil(texels - 0.01)), ivec2(1), ivec2(8));
  vec4 sum = vec4(0.0);
  for (int y = 0; y < taps.y; y++) {
    for (int x = 0; x < taps.x; x++) {
      vec2 at = uv * size + ((vec2(x, y) + 0.5) / vec2(taps) - 0.5) * texels;
      sum += texelFetch(picture, clamp(ivec2(at), ivec2(0), ivec2(size) - 1), 0);
    }
  }
  colour = vec4(pow(sum.rgb / float(taps.x * taps.y), vec3(OVERLAY_EXPONENT)), 1.0);
}
"""
"""Whole pixels when enlarged, as the Image Editor shows them; the mean of those that meet when made smaller."""


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of a region, from its lower left corner."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def width(self) -> float:
        return self.right - self.left

    def within(self, other: Box) -> Box:
        """What lies in both; empty, with its right at its left, when nothing does."""
        left, bottom = max(self.left, other.left), max(self.bottom, other.bottom)
        return Box(left, bottom, max(min(self.right, other.right), left), max(min(self.top, other.top), bottom))


def scale() -> float:
    """Pixels for one pixel of an interface at a UI scale of 1."""
    return bpy.context.preferences.system.ui_scale


@cache
def _picture_shader() -> gpu.types.GPUShader:
    between = gpu.types.GPUStageInterfaceInfo("flux_depth_wipe")
    between.smooth("VEC2", "uv")
    info = gpu.types.GPUShaderCreateInfo()
    info.vertex_in(0, "VEC2", "pos")
    info.vertex_out(between)
    info.push_constant("MAT4", "ModelViewProjectionMatrix")
    info.push_constant("VEC2", "span")
    info.sampler(0, "FLOAT_2D", "picture")
    info.fragment_out(0, "VEC4", "colour")
    info.define("OVERLAY_EXPONENT", str(OVERLAY_EXPONENT))
    info.vertex_source(VERTEX)
    info.fragment_source(FRAGMENT)
    return gpu.shader.create_from_info(info)


@cache
def _square(shader: gpu.types.GPUShader) -> gpu.types.GPUBatch:
    return batch_for_shader(shader, "TRI_FAN", {"pos": [(0, 0), (1, 0), (1, 1), (0, 1)]})


@contextmanager
def _at(box: Box) -> Iterator[None]:
    with gpu.matrix.push_pop():
        gpu.matrix.translate((box.left, box.bottom))
        gpu.matrix.scale((box.width, box.top - box.bottom))
        yield


def draw_picture(texture: gpu.types.GPUTexture | None, begin: float, end: float) -> None:
    """The part of a picture between two fractions of the frame's width."""
    if texture is None or end <= begin:
        return
    shader = _picture_shader()
    shader.bind()
    shader.uniform_sampler("picture", texture)
    shader.uniform_float("span", (begin, end))
    with _at(Box(begin, 0, end, 1)):
        matrix = gpu.matrix.get_projection_matrix() @ gpu.matrix.get_model_view_matrix()
        shader.uniform_float("ModelViewProjectionMatrix", matrix)
        _square(shader).draw(shader)


def draw_box(box: Box, colour: tuple[float, ...]) -> None:
    """A rectangle in one colour, red, green, blue and opacity, where a pixel is a unit."""
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    shader.bind()
    shader.uniform_float("color", colour)
    gpu.state.blend_set("ALPHA")
    with _at(box):
        _square(shader).draw(shader)
    gpu.state.blend_set("NONE")


def draw_divider(x: float, seen: Box, *, held: bool) -> None:
    """A line from top to bottom of what is seen, with a grip in its middle; brighter in the hand."""
    unit, middle, x = scale(), (seen.bottom + seen.top) / 2, round(x)
    colour = BRIGHT if held else LIGHT
    draw_box(Box(x - 2 * unit, seen.bottom, x + 2 * unit, seen.top), DARK)
    draw_box(Box(x - 1 * unit, seen.bottom, x + 1 * unit, seen.top), colour)
    draw_box(Box(x - 6 * unit, middle - 16 * unit, x + 6 * unit, middle + 16 * unit), DARK)
    draw_box(Box(x - 5 * unit, middle - 15 * unit, x + 5 * unit, middle + 15 * unit), colour)
    for offset in (-2, 1):
        draw_box(Box(x + offset * unit, middle - 8 * unit, x + (offset + 1) * unit, middle + 8 * unit), DARK)


def draw_label(label: str, x: float, bottom: float, *, ends: bool = False) -> None:
    """Words on a dark ground above `bottom`, that begin at x or end there."""
    unit = scale()
    blf.size(0, 11 * unit)
    width, height = blf.dimensions(0, label)[0], blf.dimensions(0, "X")[1]
    pad, gap = 6 * unit, 8 * unit
    left, bottom = x - width - 2 * pad - gap if ends else x + gap, bottom + gap
    draw_box(Box(left, bottom, left + width + 2 * pad, bottom + height + 2 * pad), DARK)
    blf.color(0, *BRIGHT)
    blf.position(0, left + pad, bottom + pad, 0)
    blf.draw(0, label)


def forget() -> None:
    """Give back what is on the graphics card."""
    _square.cache_clear()
    _picture_shader.cache_clear()
