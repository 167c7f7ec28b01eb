"""What all buttons share: an edge where a failure becomes one sentence, and what a button that spends keeps to."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Generator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty, StringProperty

from . import windows
from .core.errors import FluxDepthError, InputError, JournalError
from .core.models import Model

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

PAUSE_SECONDS = 0.1
"""Between two looks at a render in another Blender."""


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

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[OperatorReturnItems]:
        """A click."""
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        return self.ended(failure(lambda: self.run(context)))

    @classmethod
    def allowed(cls, reason: str) -> bool:
        """Whether it can be pressed: where there is a reason why not, Blender shows it."""
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def ended(self, sentence: str) -> set[OperatorReturnItems]:
        """What Blender is told at the end, and the artist if it failed."""
        if sentence:
            self.report({"ERROR"}, sentence)
        return {"CANCELLED"} if sentence else {"FINISHED"}

    def run(self, context: bpy.types.Context) -> None:
        raise NotImplementedError


class RenderingButton(Button):
    """A button that renders, in steps. A click goes on as a modal operator where that takes its time; a script waits"""

    doing = "Rendering the depth  ·  {}  ·  Esc breaks off, nothing is sent"
    broken_off = "The depth was not rendered, and nothing was sent"
    _timer: bpy.types.Timer | None = None
    _told_in = ""
    """The workspace whose status bar says what is being done."""

    def steps(self, context: bpy.types.Context, *, beside: bool) -> Generator[str]:
        """The work; yields what is being done while another Blender renders, with `beside` where that can be."""
        raise NotImplementedError

    def run(self, context: bpy.types.Context) -> None:
        for _ in self.steps(context, beside=False):
            pass

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[OperatorReturnItems]:
        """A click."""
        if bpy.app.background:
            return self.execute(context)
        self._steps = self.steps(context, beside=True)
        return self._step(context)

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Nothing is held back but Esc, which breaks off."""
        if event.type == "ESC" and event.value == "PRESS":
            self.cancel(context)
            self.report({"INFO"}, self.broken_off)
            return {"CANCELLED"}
        outcome: set[OperatorReturnItems] = self._step(context) if event.type == "TIMER" else {"RUNNING_MODAL"}
        return {"PASS_THROUGH"} if outcome == {"RUNNING_MODAL"} else outcome

    def cancel(self, context: bpy.types.Context) -> None:
        """By Esc; or the window closes, another file opens, Blender quits."""
        self._let_go(context)
        self._steps.close()

    def _step(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        doing: list[str] = []
        sentence = failure(lambda: doing.extend(islice(self._steps, 1)))
        if not doing:
            self._let_go(context)
            return self.ended(sentence)
        if self._timer is None:
            self._timer = context.window_manager.event_timer_add(PAUSE_SECONDS, window=context.window)
            context.window_manager.modal_handler_add(self)
        self._tell(context.workspace, self.doing.format(doing[0]))
        return {"RUNNING_MODAL"}

    def _let_go(self, context: bpy.types.Context) -> None:
        if self._timer:
            context.window_manager.event_timer_remove(self._timer)
            self._tell(None)
        self._timer = None

    def _tell(self, workspace: bpy.types.WorkSpace | None, words: str | None = None) -> None:
        """Words in the status bar; another workspace that had them, as the artist was there before, is rid of them."""
        if self._told_in and (workspace is None or workspace.name != self._told_in):
            windows.soon(partial(windows.free_status_bar, self._told_in))
        if workspace:
            workspace.status_text_set(words)
        self._told_in = workspace.name if workspace else ""


class JobButton(Button):
    """A button of one job"""

    job_id: StringProperty(options={"HIDDEN", "SKIP_SAVE"})


class PaidButton(Button):
    """A button that may spend: it does what it showed, or nothing. A script that calls it shows nothing"""

    shown_model: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    shown_price: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    confirmed: BoolProperty(options={"HIDDEN", "SKIP_SAVE"})
    asked = False

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
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
        windows.redraw()
        raise InputError(
            f"What this button would do has changed since it was drawn: it is {price} with {model.label} now. "
            "Nothing was sent: look at it, and press again."
        )
