"""What the fuzz tests share: how much they try, and what every sentence that is shown must be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from flux_depth_addon.core.errors import FluxDepthError
from flux_depth_addon.core.models import load
from tests.secrets_watch import marked_key

LONGEST_SENTENCE = 1000
KEY = marked_key("cometapi")
TABLE = load()
COMET = TABLE["cometapi:flux-pro-1-0-depth-finetuned"]
BFL = TABLE["bfl:flux-pro-1.0-depth"]

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, -1, 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**400])
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["\ud800", "\0", "\u202e", "\r\nX: y", "é" * 3000, "https://a.invalid/p.png", "Ready"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
"""Any value that JSON can hold, and those that have broken programs."""


def effort(share: float = 1.0, *, seconds: float = 2.0, **more: Any) -> settings:
    """This share of what `--examples` says, the same in every run without `--seed`; what takes longer has hung."""
    profile = settings.get_profile("fuzz")
    return settings(
        profile,
        max_examples=max(5, round(share * profile.max_examples)),
        database=None,
        deadline=seconds * 1000,
        suppress_health_check=list(HealthCheck),
        **more,
    )


def bodies(words: Sequence[str], keys: Sequence[str]) -> st.SearchStrategy[object]:
    """Bodies of answers in which these words and keys stand anywhere: any JSON, or a few bytes."""
    texts = st.text(max_size=8) | st.sampled_from(words)
    return st.binary(max_size=50) | st.recursive(
        st.none() | st.booleans() | st.integers() | st.sampled_from([10**400, -(10**400)]) | st.floats() | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(keys), inner, max_size=4),
        max_leaves=12,
    )


def check_it_ends(*reads: Callable[[], object]) -> None:
    """Each in a result or in one sentence, which the journal can keep and a panel show."""
    for read in reads:
        try:
            outcome = str(read())
        except FluxDepthError as error:
            outcome = str(error)
        assert outcome.isprintable()


def nested(depth: int, opening: str, closing: str, core: str = "1") -> bytes:
    """JSON that goes down so far."""
    return (opening * depth + core + closing * depth).encode()


def check_sentence(error: BaseException | str, *, key: str = KEY) -> None:
    """One printable line, not too long for a panel, with no key in it: what the window and the journal can take."""
    sentence = str(error)
    assert sentence.strip(), repr(error)
    assert sentence.isprintable(), ascii(sentence)
    assert len(sentence) <= LONGEST_SENTENCE, f"{len(sentence)} characters: {sentence[:200]}"
    assert key not in sentence
    if isinstance(error, FluxDepthError):
        assert getattr(error, "charged", None) in ("no", "yes", "unknown")
