"""LoRAs as people write them: where one is, how much it weighs, and the word that a prompt must hold for it to work."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from .request import LORA_SCALE, Lora

__all__ = ["MAX_PATH", "lora_of", "shareable", "with_triggers", "worded_loras"]

MAX_PATH = 1000
"""Characters of where a LoRA is."""


def lora_of(text: str) -> Lora:
    """`PATH` or `PATH=WEIGHT`, as the command line takes it; after the last =, what can be a weight is one."""
    path, _, weight = text.rpartition("=")
    try:
        scale = float(weight)
    except ValueError:
        return Lora(text.strip())
    is_weight = bool(path) and LORA_SCALE.low <= scale <= LORA_SCALE.high
    return Lora(path.strip(), scale) if is_weight else Lora(text.strip())


def with_triggers(prompt: str, words: Iterable[str]) -> str:
    """The prompt with each of these words before it that it does not hold yet, as a whole word in any case."""
    asked = dict.fromkeys(one for word in words if (one := " ".join(word.split())))
    missing = [word for word in asked if not _holds(prompt, word)]
    return ", ".join([*missing, prompt]) if prompt else ""


def _holds(prompt: str, word: str) -> bool:
    parts = r"\s+".join(map(re.escape, word.split()))
    return re.search(rf"(?<!\w){parts}(?!\w)", prompt, re.IGNORECASE) is not None


def shareable(lora: Lora) -> Lora:
    """As a picture may tell a stranger: of an address no login and no query, of a file on this computer its name."""
    parts = urlsplit(lora.path) if "://" in lora.path else None
    if parts:
        return Lora(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}", lora.scale)
    is_whole_path = re.match(r"[/\\~]|[A-Za-z]:", lora.path)
    return Lora(re.split(r"[/\\]", lora.path)[-1] if is_whole_path else lora.path, lora.scale)


def worded_loras(loras: Iterable[Lora]) -> str:
    """All of them on one line: `style.safetensors at 0.8, author/another at 1`."""
    return ", ".join(f"{lora.path} at {lora.scale:g}" for lora in loras)
