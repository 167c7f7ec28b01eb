"""The same picture from several models at once: which ones, what each costs and leaves out, in one dialog."""

import secrets
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, StringProperty

from . import grid_buttons, obstacles, preferences, switch
from .button import RenderingButton, failure
from .core.errors import InputError
from .core.models import dollars
from .drawing import in_pixels, letter_size, lines
from .properties import MAX_SEED, camera_of, framing_of, model_of, prompt_of, request_of
from .stored_text import text

if TYPE_CHECKING:
    from collections.abc import Generator

    from bpy.stub_internal.rna_enums import IconItems, OperatorReturnItems

    from .core.grid import Grid
    from .core.models import Model
    from .core.request import Request

WIDTH = 420
"""Of the dialog, in pixels at UI scale 1."""

MOST = 12
"""Models that are listed; a dialog does not scroll."""


class FLUXDEPTH_PG_compared(bpy.types.PropertyGroup):
    """A model in the dialog; its name is the model's id"""

    use: BoolProperty(name="Take Part", description="Whether this model paints it too", default=True)


class FLUXDEPTH_OT_compare_providers(RenderingButton):
    """Ask several models for this very picture, with the same seed, and lay the results side by side. Each is paid"""

    bl_idname = "flux_depth.compare_providers"
    bl_label = "Compare Providers"

    model_ids: StringProperty(
        description="The models, with spaces between; none: all that can be asked", options={"SKIP_SAVE"}
    )
    clay: BoolProperty(
        name="Clay for Those That Estimate Depth",
        description="Models that estimate depth themselves are shown a clay render, which looks more like a photo",
        options={"SKIP_SAVE"},
    )
    rows: CollectionProperty(type=FLUXDEPTH_PG_compared, options={"HIDDEN", "SKIP_SAVE"})
    shown: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    confirmed: BoolProperty(options={"HIDDEN", "SKIP_SAVE"})
    asked = False

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return cls.allowed(obstacle(context))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> "set[OperatorReturnItems]":
        """A click opens the dialog; a script that calls it is not asked."""
        if self.confirmed or bpy.app.background:
            return RenderingButton.invoke(self, context, event)
        for model in askable(context):
            self.rows.add().name = model.id
        self.asked = True
        return context.window_manager.invoke_props_dialog(self, width=WIDTH, confirm_text="Send Them")

    def draw(self, context: bpy.types.Context) -> None:
        """Each model with its price and what it leaves out, and below them what all that are ticked cost."""
        _draw_rows(self.layout, context, self)
        self.layout.separator()
        column = self.layout.column(align=True)
        if any(model.control == "picture" for model in _ticked(self)):
            column.prop(self, "clay")
        grids: list[Grid] = []
        if sentence := failure(lambda: grids.append(grid_of(context, _ticked(self), clay=self.clay))):
            _say(column, context, sentence, "ERROR")
            return
        self.shown = grids[0].words
        column.label(text=self.shown, icon="RENDER_STILL")
        column.label(text=grid_buttons.renders(grids[0]), icon="IMAGE_ZDEPTH")
        for number, line in enumerate(grid_buttons.month_words(grids[0])):
            column.label(text=line, icon="BLANK1" if number else "INFO")

    def execute(self, context: bpy.types.Context) -> "set[OperatorReturnItems]":
        """A script's call, or the end of the dialog, which lets no operator wait."""
        if self.asked:
            ids = " ".join(model.id for model in _ticked(self)) or "none"
            again: dict[str, Any] = {"model_ids": ids, "clay": self.clay, "shown": self.shown, "confirmed": True}
            return bpy.ops.flux_depth.compare_providers("INVOKE_DEFAULT", **again)
        return super().execute(context)

    def steps(self, context: bpy.types.Context, *, beside: bool) -> "Generator[str]":
        table, ids = preferences.table(), self.model_ids.split()
        models = [] if ids == ["none"] else [table[name] for name in ids] or askable(context)
        for model in models:
            if reason := obstacles.no_way(model):
                raise InputError(f"{reason}. Nothing was sent.")
        grid = grid_of(context, models, clay=self.clay, first_seed=secrets.randbelow(MAX_SEED) + 1)
        return grid_buttons.sending(self, context, grid_buttons.checked(grid, self.shown), beside=beside)


def obstacle(context: bpy.types.Context) -> str:
    """Why nothing can be compared now, or nothing; looks at memory only."""
    missing = obstacles.no_view(context) or obstacles.no_prompt(context.scene.flux_depth)
    if missing or len(candidates()) > 1:
        return missing
    return "There are not two living models whose keys are here: enter another key in the preferences"


def candidates() -> "list[Model]":
    """The living models that can be asked now, in the table's order; not the sandbox, which is no FLUX."""
    from .core.nearest import living

    ready = switch.ready()
    found = (model for model in living(preferences.table(), switch.refused()) if not model.provider.is_ours)
    return [
        model for model in found if model.provider.name in ready and not preferences.offline_reason(model.provider)
    ][:MOST]


def askable(context: bpy.types.Context) -> "list[Model]":
    """Of these, those that want nothing that is not there: a start picture, or a fine-tune."""
    return [model for model in candidates() if _can_be_asked(context, model)]


def _can_be_asked(context: bpy.types.Context, model: "Model") -> bool:
    try:
        request_of(context, model=model, control=_control(model, context.scene.flux_depth.control, clay=False))
    except InputError:
        return False
    return True


def grid_of(
    context: bpy.types.Context, models: "list[Model]", *, clay: bool = False, first_seed: int | None = None
) -> "Grid":
    """One picture of each, from this camera, at this frame, with one seed. Raises InputError."""
    from . import capture
    from .core.grid import Grid, Stand, check

    scene, settings = context.scene, context.scene.flux_depth
    if not models:
        raise InputError("No model is ticked: tick the ones to compare. Nothing was sent.")
    camera = camera_of(scene) or capture.camera_of(scene)
    grid = Grid(
        stands=[Stand(text(camera), (scene.frame_current_final,))],
        models=models,
        prompts=[prompt_of(settings)],
        seeds=[settings.seed if settings.use_seed else first_seed or 1],
        sizes={(text(camera), model.id): framing_of(scene, model, camera) for model in models},
        controls={model.id: _control(model, settings.control, clay=clay) for model in models},
    )
    check(grid)
    return grid


def _control(model: "Model", chosen: str, *, clay: bool) -> Any:
    """What it is shown: clay only where it would not take it for a map."""
    if model.control == "map":
        return "depth"
    return "clay" if clay and model.control == "picture" else chosen


def _ticked(button: FLUXDEPTH_OT_compare_providers) -> "list[Model]":
    models = preferences.table().models
    return [models[row.name] for row in button.rows if row.use and row.name in models]


def _draw_rows(layout: bpy.types.UILayout, context: bpy.types.Context, button: FLUXDEPTH_OT_compare_providers) -> None:
    request = switch.request_or_none(context)
    for row in button.rows:
        model = preferences.table().models.get(row.name)
        if model:
            line = layout.column(align=True).split(factor=0.72)
            line.prop(row, "use", text=model.name)
            line.label(text=dollars(model.price_of(framing_of(context.scene, model))))
            _draw_left_out(layout, context, request, model)


def _draw_left_out(
    layout: bpy.types.UILayout, context: bpy.types.Context, request: "Request | None", model: "Model"
) -> None:
    from .core.carried import left_out

    if request and (behind := left_out(request, model_of(context.scene.flux_depth), model)):
        _say(layout, context, f"Without {switch.listed(behind)}", "BLANK1")


def _say(layout: bpy.types.UILayout, context: bpy.types.Context, words: str, icon: "IconItems") -> None:
    """Wrapped to the dialog's width, where `drawing.say` would ask for the sidebar's."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    for number, line in enumerate(lines(words, in_pixels(context, WIDTH - 60), letter_size(context))):
        column.label(text=line, icon="BLANK1" if number else icon)


def draw_compare(layout: bpy.types.UILayout) -> None:
    """The button that opens the dialog."""
    layout.operator("flux_depth.compare_providers", text="Compare Providers…", icon="MOD_ARRAY")


register, unregister = bpy.utils.register_classes_factory((FLUXDEPTH_PG_compared, FLUXDEPTH_OT_compare_providers))
