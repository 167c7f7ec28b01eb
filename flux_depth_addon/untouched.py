"""The user's Blender as it was, however a capture ends: handlers, In Front, data-blocks and the counts of users."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import bpy

from . import render_result

__all__ = ["NAME", "nothing_touched"]

NAME = "FLUX Depth"
"""What every disposable data-block is called."""
RUN_BY_A_RENDER = ("render_", "frame_change_", "depsgraph_update_", "composite_")
"""How the names of the handlers begin that a render calls."""
COUNTS_WRONG = bpy.app.version < (4, 3, 0)
"""Whether `Scene.copy()` leaves a user too many of what lies right under the scene's collection."""


@contextmanager
def nothing_touched() -> Iterator[Path]:
    """A folder for the while, and afterwards the user's Blender as it was, however the while ends.

    What is to be restored is read before anything changes, so that an interruption at any line finds it.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flux_depth_")))
        stack.enter_context(silent_handlers())
        stack.enter_context(nothing_left_behind())
        stack.enter_context(render_result.kept(bpy.data.scenes.new(NAME), folder))
        stack.enter_context(nothing_in_front())
        stack.enter_context(users_counted_anew(folder))
        stack.enter_context(nothing_left_behind())
        yield folder


@contextmanager
def silent_handlers() -> Iterator[None]:
    """Keep other add-ons out of our render: their handlers may raise, save files or change the user's scene.

    They hear of what the user changed just before, and not of what we set off.
    """
    bpy.context.view_layer.update()
    names = (name for name in dir(bpy.app.handlers) if name.startswith(RUN_BY_A_RENDER))
    lists = [getattr(bpy.app.handlers, name) for name in names]
    kept = [list(handlers) for handlers in lists]
    try:
        for handlers in lists:
            handlers.clear()
        yield
    finally:
        bpy.context.view_layer.update()
        for handlers, before in zip(lists, kept, strict=True):
            handlers[:] = before + [each for each in handlers if each not in before]  # added meanwhile


@contextmanager
def nothing_in_front() -> Iterator[None]:
    """Turn objects' In Front off for the while: Workbench would give them the depth of the near clip plane."""
    things = {thing for thing in bpy.data.objects if thing.show_in_front}
    try:
        show_in_front(things, False)
        yield
    finally:
        show_in_front(things, True)


def show_in_front(things: set[bpy.types.Object], shown: bool) -> None:
    """Set together, objects are not marked as changed, for which Blender would call their simulations outdated.

    What is linked it passes over and takes no value for: that is set one by one.
    """
    own = [thing for thing in bpy.data.objects if not thing.is_property_readonly("show_in_front")]
    values = [shown if thing in things else thing.show_in_front for thing in own]
    bpy.data.objects.foreach_set("show_in_front", values + [False] * (len(bpy.data.objects) - len(own)))
    for thing in things.difference(own):
        thing.show_in_front = shown


@contextmanager
def nothing_left_behind() -> Iterator[None]:
    """Remove every data-block that was made meanwhile, whoever made it."""
    before = set(data_blocks())
    try:
        yield
    finally:
        bpy.data.batch_remove([block for uid, block in data_blocks().items() if uid not in before])


def data_blocks() -> dict[int, bpy.types.ID]:
    """All that is in the file, by the number that is given once in a session."""
    kinds = (each.identifier for each in bpy.data.bl_rna.properties if each.type == "COLLECTION")
    return {block.session_uid: block for kind in kinds for block in getattr(bpy.data, kind)}


@contextmanager
def users_counted_anew(folder: Path) -> Iterator[None]:
    """Where a copied scene would leave wrong counts of users: appending anything makes Blender count, as opening does.

    Too many users would keep what the user deletes in the file.
    """
    if not COUNTS_WRONG:
        yield
        return
    library = str(folder / "count.blend")
    with nothing_left_behind():
        bpy.data.libraries.write(library, {bpy.data.texts.new(NAME)})
    try:
        yield
    finally:
        with nothing_left_behind():
            with bpy.data.libraries.load(library) as (there, here):
                here.texts = there.texts
            if render_result.find():  # it has a user that nothing but a render gives
                render_result.forget(bpy.data.scenes.new(NAME), folder)
