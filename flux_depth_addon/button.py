"""What all buttons share: an edge where a failure becomes one sentence, and what a button that spends keeps to."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from itertools import islice

import bpy
from bpy.props import BoolProperty, StringProperty

from . import watch
from .core.errors import CancelledError, FluxDepthError, InputError, JournalError
from .core.models import Model

AS_JOB = False
"""Off: with it, 4.3.2 on a software screen has hung in mid-render (GLXBadContext), which costs unsaved work."""

PAUSE_SECONDS = 0.1
"""Between two looks at a render that runs as a job."""


def failure(work: Callable[[], object]) -> str:
    """Do it; what went wrong, as one sentence, or nothing. The edge of all that the window does for the artist."""
    try:
        work()
    except (FluxDepthError, JournalError) as error:
        return str(error).encode(errors="replace").decode()  # a path may be no text
    except Exception as error:
        traceback.print_exc()
        return f"FLUX Depth met an unexpected problem ({type(error).__name__}); see the console"
    return ""


class Button(bpy.types.Operator):
    """An operator whose `run` may raise: the edge where errors become a report"""

    bl_options = set()  # not for Repeat Last, which would pay again

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """A click."""
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.ended(failure(lambda: self.run(context)))

    def ended(self, sentence: str) -> set[str]:
        """What Blender is told at the end, and the artist if it failed."""
        if sentence:
            self.report({"ERROR"}, sentence)
        return {"CANCELLED"} if sentence else {"FINISHED"}

    def run(self, context: bpy.types.Context) -> None:
        raise NotImplementedError


class RenderingButton(Button):
    """A button that renders, in steps. A click waits between them as a modal operator; a script is held up"""

    def steps(self, context: bpy.types.Context, *, as_job: bool) -> Iterator[None]:
        """The work; yields while a render runs as a job, for which there must be a window."""
        raise NotImplementedError

    def run(self, context: bpy.types.Context) -> None:
        for _ in self.steps(context, as_job=False):
            pass

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """A click."""
        if bpy.app.background:
            return self.execute(context)
        self._steps, self._timer, self._cancelled = self.steps(context, as_job=AS_JOB), None, False
        return self._step(context)

    def _step(self, context: bpy.types.Context) -> set[str]:
        waits: list[None] = []
        if (sentence := failure(lambda: waits.extend(self._next()))) or not waits:
            self._let_go(context)
            return {"CANCELLED"} if self._cancelled else self.ended(sentence)
        if self._timer is None:
            owner = context.window_manager
            self._timer = owner.event_timer_add(PAUSE_SECONDS, window=context.window)
            owner.modal_handler_add(self)
            context.workspace.status_text_set("Rendering the depth: Esc cancels, and nothing is sent")
        return {"RUNNING_MODAL"}

    def _next(self) -> list[None]:
        """The next step, or none."""
        try:
            return list(islice(self._steps, 1))
        except CancelledError as end:
            self._cancelled = True
            self.report({"INFO"}, str(end))
            return []

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Blender's lock of its interface holds everything back but Esc, and that must reach the render."""
        outcome = self._step(context) if event.type == "TIMER" else {"RUNNING_MODAL"}
        return {"PASS_THROUGH"} if outcome == {"RUNNING_MODAL"} else outcome

    def cancel(self, context: bpy.types.Context) -> None:
        """The window closes, another file opens, or Blender quits: put back what was touched once nobody renders."""
        self._let_go(context)
        _close(self._steps)

    def _let_go(self, context: bpy.types.Context) -> None:
        if self._timer:
            context.window_manager.event_timer_remove(self._timer)
            context.workspace.status_text_set(None)
        self._timer = None


def _close(steps: Iterator[None]) -> None:
    def when_done() -> float | None:
        if bpy.app.is_job_running("RENDER"):
            return PAUSE_SECONDS
        failure(steps.close)
        return None

    if when_done():
        bpy.app.timers.register(when_done, first_interval=PAUSE_SECONDS, persistent=True)


class JobButton(Button):
    """A button of one job"""

    job_id: StringProperty(options={"HIDDEN", "SKIP_SAVE"})


class PaidButton(Button):
    """A button that may spend: it does what it showed, or nothing. A script that calls it shows nothing"""

    shown_model: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    shown_price: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    confirmed: BoolProperty(options={"HIDDEN", "SKIP_SAVE"})
    asked = False

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """A click; a script that calls it is not asked."""
        if question := "" if self.confirmed else self.question(context):
            self.asked = True
            return context.window_manager.invoke_confirm(
                self, event, title=self.bl_label, message=question, confirm_text="Send It"
            )
        return super().invoke(context, event)

    def question(self, context: bpy.types.Context) -> str:
        """What the artist must confirm first, or nothing; looks at memory only."""
        raise NotImplementedError

    def check_shown(self, model: Model, price: str) -> None:
        """Raises InputError when the button was drawn with another model or another price than these."""
        if (self.shown_model or model.id, self.shown_price or price) == (model.id, price):
            return
        watch.redraw()
        raise InputError(
            f"What this button would do has changed since it was drawn: it is {price} with {model.label} now. "
            "Nothing was sent: look at it, and press again."
        )
