"""What all buttons share: an edge where a failure becomes one sentence, and what a button that spends keeps to."""

from __future__ import annotations

import traceback

import bpy
from bpy.props import StringProperty

from . import watch
from .core.errors import FluxDepthError, InputError, JournalError
from .core.models import Model


class Button(bpy.types.Operator):
    """An operator whose `run` may raise: the edge where errors become a report"""

    bl_options = set()  # not for Repeat Last, which would pay again

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            self.run(context)
        except (FluxDepthError, JournalError) as error:
            self.report({"ERROR"}, str(error).encode(errors="replace").decode())  # a path may be no text
            return {"CANCELLED"}
        except Exception as error:
            traceback.print_exc()
            self.report({"ERROR"}, f"FLUX Depth met an unexpected problem ({type(error).__name__}); see the console")
            return {"CANCELLED"}
        return {"FINISHED"}

    def run(self, context: bpy.types.Context) -> None:
        raise NotImplementedError


class JobButton(Button):
    """A button of one job"""

    job_id: StringProperty(options={"HIDDEN", "SKIP_SAVE"})


class PaidButton(Button):
    """A button that may spend: it does what it showed, or nothing. A script that calls it shows nothing"""

    shown_model: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    shown_price: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """A click; a script that calls it is not asked."""
        if question := self.question(context):
            return context.window_manager.invoke_confirm(
                self, event, title=self.bl_label, message=question, confirm_text="Send It"
            )
        return self.execute(context)

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
