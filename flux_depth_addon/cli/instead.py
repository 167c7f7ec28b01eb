"""What else could paint a picture whose model is gone: its name, its price, and what it takes to ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..switch import lacking
from .outcome import ended, say

if TYPE_CHECKING:
    from ..core.job import Job
    from ..core.models import Model, Table
    from ..core.request import Request


def ended_or_led_on(job: Job, table: Table) -> tuple[dict[str, Any], int]:
    """As `outcome.ended`; where its provider does not serve the model, with the nearest one that lives."""
    outcome, code = ended(job)
    old = table.models.get(job.request.model)
    if job.error_action != "model" or old is None:
        return outcome, code
    new = nearest_to(old, table, job.request)
    if new:
        say(f"The nearest that lives is {words(old, new, job.request)}: --model {new.id}")
    instead = {"instead": new.id, "price_usd": new.price_of(job.request.framing)} if new else {"instead": None}
    return outcome | {"error": outcome["error"] | instead}, code


def nearest_to(model: Model, table: Table, request: Request | None = None) -> Model | None:
    """The living model that is nearest, as far as keys and addresses are there now."""
    from ..core.nearest import nearest

    ready = {name for name, provider in table.providers.items() if not lacking(provider)}
    return nearest(model, table, ready, request=request, refused={model.id})


def words(old: Model, new: Model, request: Request) -> str:
    """Its name and price, what that is beside the old one's, what it lacks and leaves out."""
    from ..core.carried import left_out
    from ..core.models import dollars
    from ..core.nearest import difference

    usd, before = (model.price_of(request.framing) for model in (new, old))
    beside = [difference(usd, before), lacking(new.provider)]
    without = [f"without {part}" for part in left_out(request, old, new)]
    return f"{new.name}, {dollars(usd)} ({', '.join(filter(None, beside + without))})"
