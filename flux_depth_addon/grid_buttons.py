"""The buttons of the form of a grid: one asks for all of its pictures at once, two change its prompts."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty

from . import preferences, takes, variations, watch, windows
from .button import Button, RenderingButton, failure
from .core.errors import InputError
from .drawing import say
from .properties import MAX_SEED

if TYPE_CHECKING:
    from collections.abc import Generator

    from bpy.stub_internal.rna_enums import OperatorReturnItems

    from .core.grid import Grid


class FLUXDEPTH_OT_generate_grid(RenderingButton):
    """Render every view's depth, then send all pictures of this form at once. Esc while it renders: nothing is sent"""

    bl_idname = "flux_depth.generate_grid"
    bl_label = "Generate"

    shown: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    confirmed: BoolProperty(options={"HIDDEN", "SKIP_SAVE"})
    asked = False

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return cls.allowed(variations.obstacle(context))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """A click; a script that calls it is not asked."""
        grid: list[Grid] = []
        if sentence := failure(lambda: grid.append(self._checked(context))):
            return self.ended(sentence)
        single = grid[0].count == 1 and grid[0].price_usd <= preferences.asks_above()
        if self.confirmed or single or bpy.app.background:
            return RenderingButton.invoke(self, context, event)
        self.asked = True
        return context.window_manager.invoke_props_dialog(
            self, width=360, title=f"Generate {grid[0].count:,} Pictures", confirm_text="Send Them"
        )

    def draw(self, context: bpy.types.Context) -> None:
        """The question: how many, for how much, and what that does to the month."""
        try:
            grid = variations.grid_of(context)
        except InputError as error:
            say(self.layout, context, str(error), "ERROR")
            return
        column = self.layout.column(align=True)
        column.label(text=grid.words, icon="RENDER_STILL")
        column.label(text=renders(grid), icon="IMAGE_ZDEPTH")
        for number, line in enumerate(month_words(grid)):
            column.label(text=line, icon="BLANK1" if number else "INFO")

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """A script's call, or the end of the question, which lets no operator wait."""
        if self.asked:
            return bpy.ops.flux_depth.generate_grid("INVOKE_DEFAULT", confirmed=True, shown=self.shown)
        return super().execute(context)

    def steps(self, context: bpy.types.Context, *, beside: bool) -> Generator[str]:
        return sending(self, context, self._checked(context), beside=beside)

    def _checked(self, context: bpy.types.Context) -> Grid:
        return checked(variations.grid_of(context, secrets.randbelow(MAX_SEED) + 1), self.shown)


def checked(grid: Grid, shown: str) -> Grid:
    """The grid that the button showed; raises InputError for another, and BudgetError."""
    from .core.grid import check_budget
    from .core.ledger import month_began

    if shown not in ("", grid.words):
        windows.redraw()
        raise InputError(
            f"What this button would do has changed since it was drawn: it is {' '.join(grid.words.split())} now. "
            "Nothing was sent: look at it, and press again."
        )
    spent = watch.journal().ledger(month_began()).most if grid.price_usd else 0.0
    check_budget(grid, cap_usd=preferences.cap(), spent_usd=spent)
    return grid


def sending(button: RenderingButton, context: bpy.types.Context, grid: Grid, *, beside: bool) -> Generator[str]:
    """Render what the grid needs, then send all of it as one batch; what is there already is not paid again."""
    from . import output
    from .core.batch import sift, timeout_for

    origin, prepared = output.origin(), takes.takes_of(context, grid)
    entries = yield from takes.entries_of(prepared, beside=beside)
    sifted = sift(watch.journal(), entries)
    if not sifted.new:
        raise InputError(f"{sifted.saved_words.capitalize()}. Nothing was sent: change the seed for others.")
    jobs = watch.journal().add_many(
        sifted.new, origin=origin, timeout=timeout_for(len(sifted.new)), cap_usd=preferences.cap()
    )
    watch.start_worker()
    for job in jobs:
        watch.follow(job)
    watch.refresh()
    bpy.context.window_manager.flux_depth_job = 0
    left_out = f"; {sifted.saved_words}" if sifted.saved_words else ""
    button.report({"INFO"}, f"{len(jobs)} pictures are on their way{left_out}")


class FLUXDEPTH_OT_add_prompt(Button):
    """Another prompt, painted besides"""

    bl_idname = "flux_depth.add_prompt"
    bl_label = "Add Prompt"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return len(variations.form_of(context.scene).prompts) < variations.MAX_PROMPTS

    def run(self, context: bpy.types.Context) -> None:
        form = variations.form_of(context.scene)
        form.prompts.add().prompt = context.scene.flux_depth.prompt


class FLUXDEPTH_OT_remove_prompt(Button):
    """Take this prompt away"""

    bl_idname = "flux_depth.remove_prompt"
    bl_label = "Remove Prompt"
    bl_options = {"REGISTER", "UNDO"}

    number: IntProperty(options={"HIDDEN", "SKIP_SAVE"})

    def run(self, context: bpy.types.Context) -> None:
        variations.form_of(context.scene).prompts.remove(self.number)


def renders(grid: Grid) -> str:
    """How often the depth is rendered, in words."""
    return f"{grid.captures:,} render{'s' * (grid.captures != 1)} of the depth"


def month_words(grid: Grid) -> list[str]:
    """What the grid does to this month, as far as memory has it."""
    from .core.grid import dollars

    if not grid.price_usd:
        return ["Free: nothing is charged"]
    spent, cap = watch.month.most if watch.month else 0.0, preferences.cap()
    limit = f"your limit is {dollars(cap)}" if cap is not None else "there is no limit"
    return [
        f"This month {dollars(spent) if spent else 'nothing'} is spent or on its way",
        f"With these it may come to {dollars(spent + grid.price_usd)}; {limit}",
    ]


classes = (FLUXDEPTH_OT_generate_grid, FLUXDEPTH_OT_add_prompt, FLUXDEPTH_OT_remove_prompt)
register, unregister = bpy.utils.register_classes_factory(classes)
