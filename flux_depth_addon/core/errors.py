"""What can go wrong, one class per thing the user can do about it; str() is the sentence the UI shows.

Why a job ended is in causes.py, sentence by sentence.
"""

from __future__ import annotations

from typing import ClassVar, Literal

__all__ = [
    "COSTS",
    "Action",
    "BudgetError",
    "Charged",
    "Cost",
    "DamagedJournalError",
    "DeadlineError",
    "EmptyDepthError",
    "ExpiredError",
    "FailedThereError",
    "FluxDepthError",
    "FundsError",
    "InputError",
    "JournalError",
    "KeyRefusedError",
    "ModelError",
    "ModeratedError",
    "NetworkError",
    "OfflineError",
    "ParameterError",
    "ProviderError",
    "TryLaterError",
    "UnknownSubmissionError",
]

Charged = Literal["no", "yes", "unknown"]
"""Whether money was spent: certain that not, certain that it was, or not known."""

Cost = Literal["unsent", "no", "yes", "unknown", "unsure"]
"""The same as it is told: what was never sent, and what was perhaps never taken, have words of their own."""

COSTS: dict[Cost, tuple[Charged, str]] = {
    "unsent": ("no", "Nothing was sent"),
    "no": ("no", "Nothing was charged"),
    "yes": ("yes", "It is charged"),
    "unknown": ("unknown", "It is unknown whether it was charged"),
    "unsure": ("unknown", "It is unknown whether this was submitted and charged"),
}

Action = Literal["", "preferences", "online", "account", "model", "settings", "retry", "report"]
"""The button that helps: the preferences at the key, online access, the account at the provider, another model, the
dials of the panel, the same once more (for nothing where the provider has the picture), or a report to copy."""


LONGEST_HAPPENED, LONGEST_REMEDY = 700, 200
"""Characters: what a stranger's file or server is quoted with may be of any length."""


class FluxDepthError(Exception):
    """Base of every error a user may see. Foreign exceptions are never shown as they are.

    Whatever is quoted in its sentence, that is one printable line, which a panel and the journal can take.
    """

    kind: ClassVar[str] = "error"
    """The stable word for scripts: `error.kind` of the command line's JSON."""

    exit_code: ClassVar[int] = 4
    """What the command line returns."""

    action: Action = ""
    """The button that helps where the cause names none."""

    def __init__(self, happened: str, *, cost: Cost = "no", remedy: str = "", action: Action = "") -> None:
        """`happened` is the whole sentence, or with a remedy its beginning: what it cost and what to do come behind."""
        self.happened = _one_line(happened, LONGEST_HAPPENED)
        super().__init__(self.happened)
        self.cost: Cost = cost
        self.remedy = _one_line(remedy, LONGEST_REMEDY)
        self.action = action or self.action

    @property
    def charged(self) -> Charged:
        """Whether money was spent."""
        return COSTS[self.cost][0]

    def __str__(self) -> str:
        return f"{self.happened}. {COSTS[self.cost][1]}: {self.remedy}." if self.remedy else self.happened


def _one_line(words: str, longest: int) -> str:
    line = "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(words.split()))
    half = longest // 2 - 1
    return line if len(line) <= longest else f"{line[:half]}…{line[-half:]}"  # the end may tell of the money


class JournalError(Exception):
    """The database fails: the disk is full, the file is damaged, or another program holds it. Nobody's job has failed.

    No FluxDepthError, because a job must not end over it: its step is taken again once the journal can be written.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(_one_line(sentence, LONGEST_HAPPENED))  # SQLite quotes what a damaged file holds


class DamagedJournalError(JournalError):
    """The database's own file is damaged: a new one can be made from what lies in the jobs' folders."""


class InputError(FluxDepthError):
    """The scene, a dial, a file or an argument cannot be used."""

    kind, exit_code, action = "input", 2, "settings"


class EmptyDepthError(InputError):
    """The Z pass holds no depth to guide by: nothing in view, or all at one distance."""


class KeyRefusedError(FluxDepthError):
    """There is no API key, it is malformed, or the provider refused it."""

    kind, exit_code, action = "key", 3, "preferences"


class OfflineError(FluxDepthError):
    """Blender's online access is off."""

    kind, exit_code, action = "offline", 3, "online"


class FundsError(FluxDepthError):
    """The account has no credit left."""

    kind, exit_code, action = "funds", 3, "retry"


class BudgetError(FluxDepthError):
    """The user's own limit for this month would be passed."""

    kind, exit_code, action = "budget", 3, "preferences"


class ParameterError(FluxDepthError):
    """The provider, or the table of models, does not take one of the dials."""

    kind, exit_code, action = "parameter", 3, "settings"


class ModelError(FluxDepthError):
    """The model is unknown, retired, or not served."""

    kind, exit_code, action = "model", 3, "model"


class ProviderError(FluxDepthError):
    """The provider failed, or answered something that makes no sense."""

    kind, exit_code, action = "provider", 4, "retry"


class FailedThereError(ProviderError):
    """The provider's last word on a task that it took, which says what it charges for it."""


class ExpiredError(FluxDepthError):
    """The provider took the task and no longer gives it, or its picture."""

    kind, exit_code, action = "expired", 4, "retry"


class NetworkError(FluxDepthError):
    """The provider could not be reached."""

    kind, exit_code, action = "network", 4, "retry"


class DeadlineError(FluxDepthError):
    """The picture did not arrive in the time allowed."""

    kind, exit_code, action = "deadline", 4, "retry"


class ModeratedError(FluxDepthError):
    """The provider's content filter stopped the prompt or the picture."""

    kind, exit_code, action = "moderated", 5, "settings"


class UnknownSubmissionError(FluxDepthError):
    """A request went out and its answer was lost: it is never sent again on its own."""

    kind, exit_code, action = "unknown", 6, "retry"


class TryLaterError(FluxDepthError):
    """The step did not happen, for a passing reason, and may be tried again as it is: nothing was accepted by it."""

    kind, exit_code, action = "network", 4, "retry"

    def __init__(self, happened: str, *, seconds: float | None = None) -> None:
        super().__init__(happened)
        self.seconds = seconds
        """How long the provider asked to wait, or None."""
