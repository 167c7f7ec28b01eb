"""No scene is touched: the fingerprint of everything is the same before and after, however a capture ends."""

from __future__ import annotations

import ast
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import bpy
import numpy as np
import pytest
from bl_ext.user_default.flux_depth import capture as module
from bl_ext.user_default.flux_depth import exr, render_result, viewplane
from bl_ext.user_default.flux_depth import untouched as restoring
from bl_ext.user_default.flux_depth.capture import capture
from bl_ext.user_default.flux_depth.core.errors import InputError
from bl_ext.user_default.flux_depth.core.framing import Framing

from .fingerprint import difference, fingerprint, settled
from .hurting_scenes import HURTING, pictured, room, rude, simulated
from .scenes import box_mesh

SMALL = Framing(32, 32, 0, 4, 32, 24)
BETWEEN_LOOKS = 12
"""Interruptions after which everything is looked at: what one of them has touched does not come back by another."""
Place = tuple[str, int]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where everything is written that a test lets Blender write; rude handlers end with the test."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    yield tmp_path
    for name in dir(bpy.app.handlers):
        handlers = getattr(bpy.app.handlers, name)
        if isinstance(handlers, list) and rude in handlers:
            handlers.remove(rude)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    """Whatever happens within, everything is as before."""
    bpy.context.view_layer.update()
    before = settled(folder)
    try:
        yield
    finally:
        assert difference(before, fingerprint(folder)) == {}


# When all goes well


@pytest.mark.parametrize("name", list(HURTING))
def test_a_capture_touches_nothing(folder: Path, name: str) -> None:
    scene = HURTING[name](folder)
    with untouched(folder):
        capture(scene=scene, framing=SMALL)


@pytest.mark.parametrize("engine", ["CYCLES", "SCENE"])
@pytest.mark.parametrize("name", ["pictured", "simulated", "driven", "with_rude_handlers"])
def test_no_more_does_any_other_engine(folder: Path, name: str, engine: Any) -> None:
    scene = HURTING[name](folder)
    scene.render.engine = "CYCLES"
    with untouched(folder):
        capture(scene=scene, framing=SMALL, engine=engine)


def test_a_capture_at_another_frame_touches_nothing(folder: Path) -> None:
    scene = animated()
    with untouched(folder):
        near, far = (np.nanmin(capture(scene=scene, framing=SMALL, frame=frame)) for frame in (1.0, 10.5))
        stood = module.camera_matrix(scene, scene.camera, 10.5)
    assert far - near == pytest.approx(9.5, abs=0.01)
    assert stood[11] == pytest.approx(scene.camera.matrix_world.translation.z + 9.5, abs=0.01)


def animated() -> bpy.types.Scene:
    """A camera above a floor that rises by a unit a frame; the scene is at the first one."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    scene.collection.objects.link(bpy.data.objects.new("Floor", box_mesh((0, 0, -1), (50, 50, 1))))
    scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(scene.camera)
    for frame in (1, 100):
        scene.camera.location.z = 5 + frame - 1
        scene.camera.keyframe_insert("location", frame=frame)
    animation = scene.camera.animation_data
    for point in curves_of(animation)[2].keyframe_points:
        point.interpolation = "LINEAR"
    scene.frame_set(1)
    return scene


def curves_of(animation: Any) -> Any:
    """From 4.4 on, in the one slot of a layered action."""
    action = animation.action
    return action.fcurves if hasattr(action, "fcurves") else action.layers[0].strips[0].channelbags[0].fcurves


@pytest.mark.parametrize("saved", [True, False])
def test_a_capture_leaves_no_unsaved_change_and_keeps_one(folder: Path, saved: bool) -> None:
    scene = room()
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "room.blend"))
    if not saved:
        bpy.ops.ed.undo_push(message="a change")
    assert bpy.data.is_dirty is not saved or bpy.app.version < (5, 1, 0)  # without a window, it is never clean there
    with untouched(folder):
        capture(scene=scene, framing=SMALL)


def test_a_simulation_goes_on_as_it_would_have(folder: Path) -> None:
    def played(captured: bool) -> list[tuple[float, ...]]:
        scene = simulated(folder)
        if captured:
            capture(scene=scene, framing=SMALL)
        places = []
        for frame in (9, 10, 4):
            scene.frame_set(frame)
            graph = bpy.context.evaluated_depsgraph_get()
            places += [tuple(thing.evaluated_get(graph).matrix_world.translation) for thing in scene.objects]
            places += [tuple(bpy.data.objects["Sphere"].evaluated_get(graph).data.vertices[3].co)]
        return places

    assert played(captured=True) == played(captured=False)


def test_handlers_hear_of_what_the_user_changed_and_not_of_the_capture(folder: Path) -> None:
    heard: list[str] = []

    def listener(_scene: object, graph: Any) -> None:
        heard.extend(update.id.name for update in graph.updates)

    scene = room()
    bpy.context.view_layer.update()
    bpy.app.handlers.depsgraph_update_post.append(listener)
    try:
        bpy.data.objects["Chair"].location.x = 1
        capture(scene=scene, framing=SMALL)
        bpy.context.view_layer.update()
    finally:
        bpy.app.handlers.depsgraph_update_post.remove(listener)
    assert set(heard) <= {"Chair", "Scene"}
    assert "Chair" in heard


# When it breaks off


STEPS = ("evaluated_camera", "go_to", "disposable_scene", "keep_simulated", "disposable_camera", "frame_control_image",
         "keep_one_layer", "keep_only_depth", "rendered_depth", "read_channel")  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_fails_when_its_work_is_done_leaves_nothing(folder: Path, monkeypatch, step: str) -> None:
    scene, work = everything_at_once(folder), getattr(module, step)

    def fails(*arguments: Any) -> None:
        work(*arguments)
        raise RuntimeError("out of luck")

    monkeypatch.setattr(module, step, fails)
    with untouched(folder), pytest.raises(InputError, match="did not render the depth: out of luck"):
        capture(scene=scene, framing=SMALL)


def test_an_interruption_at_any_line_leaves_nothing(folder: Path) -> None:
    scene = everything_at_once(folder)
    places = [place for place in lines_run(scene) if place not in CLEANING_UP]
    assert len(places) > 100
    for first in range(0, len(places), BETWEEN_LOOKS):
        with untouched(folder):
            for place in places[first : first + BETWEEN_LOOKS]:
                with pytest.raises(KeyboardInterrupt), tracing(interrupting(place)):
                    capture(scene=scene, framing=SMALL)


def everything_at_once(folder: Path) -> bpy.types.Scene:
    """One scene for all that is put back: slots, handlers, In Front, a simulation, users' counts."""
    scene = pictured(folder)
    bpy.ops.rigidbody.world_add()
    scene.rigidbody_world.collection = bpy.data.collections.new("Bodies")
    scene.rigidbody_world.collection.objects.link(bpy.data.objects["Box"])
    scene.frame_set(2)
    bpy.context.view_layer.update()
    bpy.app.handlers.render_init.append(rude)
    bpy.app.handlers.frame_change_post.append(rude)
    return scene


SOURCES = {
    part.__file__: ast.parse(Path(part.__file__).read_text())
    for part in (module, restoring, render_result, exr, viewplane)
}
CLEANING_UP = {
    (file, line)
    for file, tree in SOURCES.items()
    for node in ast.walk(tree)
    if isinstance(node, ast.Try)
    for line in range(node.finalbody[0].lineno if node.finalbody else 0, (node.end_lineno or 0) + 1)
    if node.finalbody
} | {
    (render_result.__file__, line)
    for node in ast.walk(SOURCES[render_result.__file__])
    if isinstance(node, ast.FunctionDef) and node.name == "forget"
    for line in range(node.lineno, (node.end_lineno or 0) + 1)
}
"""What an interruption must not hit: the lines that put everything back, and `forget`, which runs among them."""


def lines_run(scene: bpy.types.Scene) -> list[Place]:
    """Every line of ours that a capture runs, in the order of their first time."""
    places: dict[Place, None] = {}

    def note(frame: FrameType, event: str, _value: object) -> Callable | None:
        if frame.f_code.co_filename not in SOURCES:
            return None
        if event == "line":
            places[frame.f_code.co_filename, frame.f_lineno] = None
        return note

    with tracing(note):
        capture(scene=scene, framing=SMALL)
    return list(places)


def interrupting(place: Place) -> Callable:
    """A tracer that does once what Ctrl-C does, as that line is about to run."""

    def interrupt(frame: FrameType, event: str, _value: object) -> Callable | None:
        if frame.f_code.co_filename != place[0]:
            return None
        if event == "line" and frame.f_lineno == place[1]:
            raise KeyboardInterrupt
        return interrupt

    return interrupt


@contextmanager
def tracing(tracer: Callable) -> Iterator[None]:
    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        yield
    finally:
        sys.settrace(before)


def test_ctrl_c_while_the_picture_is_read_leaves_nothing(folder: Path, monkeypatch) -> None:
    scene = everything_at_once(folder)
    monkeypatch.setattr(module, "read_channel", lambda *_: signal.raise_signal(signal.SIGINT))
    with untouched(folder), pytest.raises(KeyboardInterrupt):
        capture(scene=scene, framing=SMALL)


def test_a_render_that_blender_refuses_leaves_nothing(folder: Path, monkeypatch) -> None:
    scene = everything_at_once(folder)
    monkeypatch.setattr(module, "keep_only_depth", lambda copy, _engine: setattr(copy, "camera", None))
    with untouched(folder), pytest.raises(InputError, match="did not render the depth"):
        capture(scene=scene, framing=SMALL)


def test_an_engine_that_is_missing_leaves_nothing(folder: Path, monkeypatch) -> None:
    scene = everything_at_once(folder)
    monkeypatch.setitem(module.ENGINE_IDS, "CYCLES", "NOWHERE")
    monkeypatch.setattr(module, "ENGINES", {"NOWHERE"})
    with untouched(folder), pytest.raises(InputError, match="This Blender has no Cycles"):
        capture(scene=scene, framing=SMALL, engine="CYCLES")


def test_a_temporary_folder_that_is_gone_leaves_nothing(folder: Path, monkeypatch) -> None:
    scene = everything_at_once(folder)
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "nowhere"))
    with untouched(folder), pytest.raises(InputError, match="did not render the depth"):
        capture(scene=scene, framing=SMALL)


@pytest.mark.parametrize("room_for", [0, 1_000, 10_000])
def test_a_full_disk_leaves_nothing(folder: Path, room_for: int) -> None:
    scene = everything_at_once(folder)
    with untouched(folder), pytest.raises(InputError, match="did not render the depth"), files_up_to(room_for):
        capture(scene=scene, framing=SMALL)


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """The system refuses to write further than so many bytes into any file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# The buttons


@pytest.fixture
def ready(folder: Path, data: Path, part: Callable) -> Iterator[bpy.types.Scene]:
    """Everything at once, ready to generate in the sandbox."""
    scene = everything_at_once(folder)
    scene.flux_depth.model_id, scene.flux_depth.prompt = "sandbox", "a garden"
    part("watch").unregister()
    part("watch").register()
    yield scene
    part("worker_process").let_go()


@contextmanager
def adding(folder: Path, *allowed: str) -> Iterator[None]:
    """Whatever happens within, only paths that begin so have changed."""
    bpy.context.view_layer.update()
    before = settled(folder)
    yield
    changes = difference(before, fingerprint(folder))
    assert {path: change for path, change in changes.items() if not path.startswith(allowed)} == {}


def test_a_preview_adds_its_own_image_and_nothing_else(ready: bpy.types.Scene, folder: Path, data: Path) -> None:
    ours = ("data.images['FLUX Depth Preview']", f"files.{data}")
    with adding(folder, "data.images", *ours):
        bpy.ops.flux_depth.preview_depth()
    with adding(folder, *ours):
        bpy.ops.flux_depth.preview_depth()


def test_generating_adds_nothing_to_the_file(ready: bpy.types.Scene, folder: Path, data: Path) -> None:
    with adding(folder, "data.window_managers['WinMan'].flux_depth_job", "timers.bl_ext", f"files.{data}"):
        bpy.ops.flux_depth.generate()


def test_a_preview_that_sees_nothing_adds_nothing(ready: bpy.types.Scene, folder: Path, data: Path) -> None:
    ready.camera.rotation_euler.x = -1.5
    with adding(folder), pytest.raises(RuntimeError, match="sees nothing"):
        bpy.ops.flux_depth.preview_depth()
