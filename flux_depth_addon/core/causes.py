"""Why a job ends without its picture: one table from the cause to the sentence, its cost, and the button that helps.

A sentence is put together from three columns: what happened, what it cost (`COSTS` has the words), and what to do.
"""

from __future__ import annotations

from typing import NamedTuple

from . import errors
from .errors import Action, Cost, FluxDepthError

__all__ = ["CAUSES", "Cause", "failure"]

LOOK = "look at your account there before you retry"


class Cause(NamedTuple):
    """One row. `happened` and `remedy` hold the facts as {names}."""

    error: type[FluxDepthError]
    happened: str
    cost: Cost
    remedy: str
    action: Action


CAUSES: dict[str, Cause] = {
    # Before anything is sent.
    "key_missing": Cause(
        errors.KeyRefusedError,
        "There is no {provider} key",
        "unsent",
        "enter it in the preferences{or_set}",
        "preferences",
    ),
    "key_malformed": Cause(
        errors.KeyRefusedError,
        "The {provider} key holds a line break or another character that no key has",
        "unsent",
        "copy it again",
        "preferences",
    ),
    "key_in_the_clear": Cause(
        errors.KeyRefusedError,
        "The {provider} key would go over plain http, where anyone between could read it",
        "unsent",
        "use an address that begins with https://",
        "preferences",
    ),
    "asked_twice": Cause(
        errors.InputError,
        "The same picture was asked for a moment ago and is on its way",
        "unsent",
        "press again if you want another",
        "settings",
    ),
    "over_cap": Cause(
        errors.BudgetError,
        "This would pass your limit of ${cap:.2f} a month, of which ${spent:.2f} is spent or on its way",
        "unsent",
        "raise the limit in the preferences, or wait for next month",
        "preferences",
    ),
    "control_gone": Cause(
        errors.InputError, "The control image of this job is gone", "unsent", "generate again", "settings"
    ),
    "too_late_to_send": Cause(
        errors.DeadlineError, "This was not sent within {minutes}", "unsent", "retry to send it now", "retry"
    ),
    "unreachable": Cause(
        errors.NetworkError, "{provider} could not be reached", "unsent", "check the connection, then retry", "retry"
    ),
    "certificate": Cause(
        errors.NetworkError,
        "The certificate of {provider} is not trusted by this computer, which a company's proxy can cause",
        "unsent",
        "install the proxy's certificate, or ask who runs it",
        "retry",
    ),
    "certificate_expired": Cause(
        errors.NetworkError,
        "The certificate of {provider} has expired, or is not valid yet by this computer's clock",
        "unsent",
        "check the date and the time, then retry",
        "retry",
    ),
    "certificate_of_another": Cause(
        errors.NetworkError,
        "The certificate of {provider} is made out to another host, as when a network wants a login of its own first",
        "unsent",
        "open any web page to log in, then retry",
        "retry",
    ),
    "certificates_unreadable": Cause(
        errors.NetworkError,
        "The certificates that {variable} names cannot be read",
        "unsent",
        "correct that variable or take it away, then start Blender anew",
        "retry",
    ),
    "no_tls": Cause(
        errors.NetworkError,
        "{provider} and this computer found no secure connection (TLS) in common, as when an address is wrong",
        "unsent",
        "check the address and the proxy, then retry",
        "retry",
    ),
    "tls_cut": Cause(
        errors.NetworkError,
        "The secure connection (TLS) to {provider} was cut off as it began, which a firewall can cause",
        "unsent",
        "retry, or ask who runs the network",
        "retry",
    ),
    "proxy": Cause(
        errors.NetworkError,
        "{provider} could not be reached through this computer's proxy",
        "unsent",
        "check the proxy's settings, then retry",
        "retry",
    ),
    "proxy_login": Cause(
        errors.NetworkError,
        "This computer's proxy wants a login before it lets anything through to {provider}",
        "unsent",
        "set HTTPS_PROXY to http://NAME:PASSWORD@PROXY:PORT, then start Blender anew",
        "retry",
    ),
    "proxy_socks": Cause(
        errors.NetworkError,
        "This computer's proxy is a SOCKS proxy, through which {provider} cannot be reached",
        "unsent",
        "set HTTPS_PROXY to an HTTP proxy, then start Blender anew",
        "retry",
    ),
    # The provider refuses.
    "key_refused": Cause(
        errors.KeyRefusedError,
        "{provider} refused the API key{reason}",
        "no",
        "correct it in the preferences",
        "preferences",
    ),
    "no_funds": Cause(
        errors.FundsError,
        "The {provider} account has no credit left{reason}",
        "no",
        "top it up, then retry",
        "account",
    ),
    "model_not_served": Cause(
        errors.ModelError, "{provider} does not serve {model}{reason}", "no", "choose another model", "model"
    ),
    "setting_refused": Cause(
        errors.ParameterError,
        "{provider} refused a setting{reason}",
        "no",
        "change it, then generate again",
        "settings",
    ),
    "finetune_unknown": Cause(
        errors.ParameterError,
        "{provider} does not know this fine-tune{reason}",
        "no",
        "enter the id of one that was trained in this account and region",
        "settings",
    ),
    "prompt_moderated": Cause(
        errors.ModeratedError, "{provider} refused the prompt{reason}", "no", "change the prompt", "settings"
    ),
    "picture_moderated": Cause(
        errors.ModeratedError,
        "{provider} stopped this by its content filter{reason}",
        "no",
        "change the prompt or the safety tolerance",
        "settings",
    ),
    "no_endpoint": Cause(
        errors.ProviderError,
        "{provider} does not take requests at this address (HTTP {status})",
        "no",
        "report it, or correct the address in models.toml if it is yours",
        "report",
    ),
    "server_lacks": Cause(errors.ModelError, "{provider} lacks {what}", "no", "{remedy}", "retry"),
    # Nobody knows what became of the submission: never sent again by the program.
    "answer_lost": Cause(
        errors.UnknownSubmissionError,
        "The connection to {provider} broke while the request was on its way",
        "unsure",
        LOOK,
        "account",
    ),
    "answer_broken": Cause(
        errors.UnknownSubmissionError,
        "{provider} broke down while taking the request (HTTP {status}{reason})",
        "unsure",
        LOOK,
        "account",
    ),
    "answer_without_id": Cause(
        errors.UnknownSubmissionError, "{provider} answered without a task id", "unsure", LOOK, "account"
    ),
    "stopped_while_sending": Cause(
        errors.UnknownSubmissionError,
        "The program stopped while this request was on its way, and did not send it again",
        "unsure",
        LOOK,
        "account",
    ),
    # The provider took it, and then.
    "key_refused_later": Cause(
        errors.KeyRefusedError,
        "{provider} took the request, then refused the API key{reason}",
        "yes",
        "enter a valid key, then fetch the picture for nothing",
        "preferences",
    ),
    "painting_failed": Cause(
        errors.ProviderError, "{provider} failed to make the picture{reason}", "unknown", LOOK, "account"
    ),
    "painting_broke": Cause(
        errors.FailedThereError, "{provider} broke down over the picture{reason}", "no", "retry", "retry"
    ),
    "refused_there": Cause(
        errors.FailedThereError,
        "{provider} took the request, then refused it{reason}",
        "unknown",
        "change what it names, then generate again",
        "settings",
    ),
    "graph_failed": Cause(errors.FailedThereError, "{provider} {problem}", "no", "{remedy}", "retry"),
    "stopped_there": Cause(
        errors.FailedThereError, "This was stopped at {provider} itself", "no", "retry to make it anew", "retry"
    ),
    "too_late": Cause(
        errors.DeadlineError,
        "Neither the picture nor news of it came in {minutes}",
        "yes",
        "fetch it to go on waiting for the same picture, for nothing",
        "retry",
    ),
    "picture_gone": Cause(
        errors.ExpiredError,
        "{problem}, and results are kept there {keeps}",
        "yes",
        "fetch it to look once more, for nothing",
        "retry",
    ),
    "given_up_sending": Cause(
        errors.DeadlineError, "{problem}, for {minutes}", "no", "wait a while, then retry", "retry"
    ),
    "given_up_fetching": Cause(
        errors.DeadlineError,
        "{problem}, for {minutes}",
        "yes",
        "wait a while, then fetch the same picture, for nothing",
        "retry",
    ),
    # Ours.
    "unexpected": Cause(
        errors.FluxDepthError,
        "An unexpected problem ({error}) stopped this job",
        "unknown",
        "copy the report and send it to us",
        "report",
    ),
}


def failure(name: str, **facts: object) -> FluxDepthError:
    """The error of that cause, with the facts that its sentence tells."""
    cause = CAUSES[name]
    happened, remedy = cause.happened.format(**facts), cause.remedy.format(**facts)
    return cause.error(happened, cost=cause.cost, remedy=remedy, action=cause.action)
