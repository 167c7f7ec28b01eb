"""The table of providers and models: the shipped models.toml, and the user's own beside it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

from .addresses import check_base
from .errors import InputError
from .framing import MAX_SIDE, Limits

__all__ = ["DEFAULT", "Dial", "Model", "Provider", "Table", "load"]

SHIPPED = Path(__file__).with_name("models.toml")
DEFAULT = "cometapi:flux-pro-1-0-depth-finetuned"
MAX_FILE_BYTES = 1_000_000
MAX_LABEL, MAX_TEXT = 100, 500
"""Characters, of what stands in a menu and of anything else."""

MAX_DIAL = 1_000_000_000
"""What Blender's own number fields hold, and then some."""

Finetune = Literal["none", "optional", "required"]
Controls = Literal["map", "either"]
"""What a control image may be: a finished depth map alone, or any picture that depth can be estimated from too."""


WANTS: dict[str, str] = {
    "map": "This model wants the depth map: it takes “{field}” for depth as it stands",
    "either": "This model may estimate depth from “{field}” itself, as from a photo: clay looks more like one",
}


@dataclass(frozen=True)
class Dial:
    """A number the model takes, with both ends included."""

    low: float
    high: float
    default: float


@dataclass(frozen=True)
class Provider:
    """Whose server: addresses, and how the key is shown to it."""

    name: str
    label: str
    protocol: str
    submit: str
    poll: str
    probe: str
    base: str = ""
    """Empty for the sandbox, whose port is known only once it runs."""
    key_header: str = ""
    """Empty where no key is needed."""
    key_prefix: str = ""
    key_env: tuple[str, ...] = ()
    key_page: str = ""
    polling_domain: str = ""


@dataclass(frozen=True)
class Model:
    """One model at one provider: what it takes, and what it costs."""

    id: str
    label: str
    provider: Provider
    path: str
    map_field: str
    sends_size: bool
    price_usd: float
    steps: Dial
    guidance: Dial
    safety_tolerance: Dial
    finetune: Finetune
    finetune_strength: Dial
    limits: Limits
    retired: str = ""
    note: str = ""
    control: Controls = "map"

    @property
    def warning(self) -> str:
        """What to know before paying, or nothing."""
        return f"Retired by its maker on {self.retired}: it may fail. {self.note}." if self.retired else ""

    @property
    def wants(self) -> str:
        """Which control image to send, and why."""
        return WANTS[self.control].format(field=self.map_field)

    @property
    def price(self) -> str:
        """The price of one picture as a label: `$0.096`, or `free`."""
        return f"${self.price_usd:g}" if self.price_usd else "free"


@dataclass(frozen=True)
class Table:
    """All rows by id. Look-ups raise InputError for what is not there."""

    providers: Mapping[str, Provider]
    models: Mapping[str, Model]

    def __getitem__(self, model_id: str) -> Model:
        if model_id in self.models:
            return self.models[model_id]
        raise InputError(
            f"There is no model “{model_id[:80]}”: choose one of {', '.join(self.models)}. Nothing was sent."
        )

    def provider(self, name: str) -> Provider:
        """The provider of that name."""
        if name in self.providers:
            return self.providers[name]
        raise InputError(f"There is no provider “{name[:80]}”: choose one of {', '.join(self.providers)}.")

    def of(self, provider: str) -> Iterator[Model]:
        """The provider's models, in the table's order."""
        return (model for model in self.models.values() if model.provider.name == provider)


def load(*files: Path) -> Table:
    """Read the shipped table and then each file that exists; raises InputError naming the file and the row."""
    providers: dict[str, dict[str, Any]] = {}
    models: dict[str, dict[str, Any]] = {}
    for file in (SHIPPED, *(file for file in files if file.is_file())):
        rows = _read(file)
        _merge(providers, rows.get("providers"), file)
        _merge(models, rows.get("models"), file)
        table = _table(providers, models, file)
    return table


def _read(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"{file.name} is larger than {MAX_FILE_BYTES:,} bytes: it is not a table of models.")
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, no TOML, a number too long
        raise InputError(f"{file} cannot be read as a table of models: {error}.") from None


def _merge(into: dict[str, dict[str, Any]], rows: object, file: Path) -> None:
    if not isinstance(rows, dict | None):
        raise InputError(f"{file}: “providers” and “models” must be tables.")
    for name, row in (rows or {}).items():
        if not isinstance(row, dict):
            raise InputError(f"{file}: the row “{name}” must be a table.")
        into[name] = into.get(name, {}) | row


def _table(providers: dict[str, dict[str, Any]], models: dict[str, dict[str, Any]], file: Path) -> Table:
    try:
        made = {name: _provider(name, row) for name, row in providers.items()}
        return Table(made, {name: _model(name, _inherited(name, models), made) for name in models})
    except InputError as error:
        raise InputError(f"{file.name}: {error}") from None


def _inherited(name: str, models: dict[str, dict[str, Any]]) -> dict[str, Any]:
    row, seen = dict(models[name]), {name}
    while parent := row.pop("like", None):
        if not isinstance(parent, str) or parent in seen or parent not in models:
            shown = f" “{parent}”" if isinstance(parent, str) else ""
            raise InputError(f"“{name}” is like{shown or ' something'}, which is not a row it can be like.")
        seen.add(parent)
        row = models[parent] | row | {"like": models[parent].get("like")}
    return row


def _provider(name: str, row: dict[str, Any]) -> Provider:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name):
        raise InputError(f"“{name[:80]}” is no name for a provider: use up to 40 letters, digits, - and _.")
    texts = dict(row)
    names = texts.pop("key_env", [])
    if not isinstance(names, list) or not all(_shown(text) for text in (*names, *texts.values())):
        raise InputError(f"“{name}” has a value that is not a line of text.")
    if texts.get("protocol") != "bfl":
        raise InputError(f'“{name}” needs protocol = "bfl".')
    try:
        provider = Provider(name, key_env=tuple(names), **texts)
    except TypeError as error:
        raise InputError(f"“{name}”: {_plain(error)}.") from None
    if provider.key_header and not names:
        raise InputError(f"“{name}” needs key_env, the environment variables that may hold its key.")
    if not _shown(provider.label, MAX_LABEL) or not re.fullmatch(r"[A-Za-z0-9-]*", provider.key_header):
        raise InputError(f"“{name}” needs a label of up to {MAX_LABEL} letters, and a header's name for key_header.")
    if not provider.key_prefix.isascii():
        raise InputError(f"“{name}” has a key_prefix that no header can hold.")
    paths = (provider.submit.replace("{model}", ""), provider.poll, provider.probe)
    if not all(path.startswith("/") and not set("{}") & set(path) for path in paths):
        raise InputError(f"“{name}” needs submit, poll and probe to begin with a slash, and no braces but “{{model}}”.")
    return replace(provider, base=check_base(provider.base)) if provider.base else provider


def _model(name: str, row: dict[str, Any], providers: Mapping[str, Provider]) -> Model:
    provider = name.partition(":")[0]
    if provider not in providers:
        raise InputError(f"“{name}” must begin with the name of a provider in the table and a colon.")
    limits = {key: row.pop(key) for key in ("multiple", "min_side", "max_side", "max_megapixels") if key in row}
    try:
        row |= {key: Dial(**row[key]) for key in ("steps", "guidance", "safety_tolerance", "finetune_strength")}
        return _checked(Model(name, provider=providers[provider], limits=Limits(**limits), **row))
    except KeyError as error:
        raise InputError(f"“{name}” lacks {error}.") from None
    except TypeError as error:
        raise InputError(f"“{name}”: {_plain(error)}.") from None


def _checked(model: Model) -> Model:
    texts = (model.label, model.path, model.map_field, model.retired, model.note)
    dials = (model.steps, model.guidance, model.safety_tolerance, model.finetune_strength)
    sound = (
        all(_shown(text) for text in (model.id, *texts))
        and 0 < len(model.label) <= MAX_LABEL
        and "/" not in model.path
        and isinstance(model.sends_size, bool)
        and _ascending(0, model.price_usd, 1000)
        and all(_ascending(-MAX_DIAL, dial.low, dial.default, dial.high, MAX_DIAL) for dial in dials)
        and _usable(model.limits)
    )
    if not sound:
        raise InputError(f"“{model.id}” has a value of the wrong kind.")
    if model.control not in get_args(Controls):
        raise InputError(f"“{model.id}” needs control = one of {', '.join(get_args(Controls))}.")
    if model.finetune not in get_args(Finetune):
        raise InputError(f"“{model.id}” needs finetune = one of {', '.join(get_args(Finetune))}.")
    return model


def _shown(text: object, longest: int = MAX_TEXT) -> bool:
    """Whether it can be shown: one line of text, of a length."""
    return isinstance(text, str) and len(text) <= longest and text.isprintable()


def _ascending(*values: object) -> bool:
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return len(numbers) == len(values) and all(low <= high for low, high in pairwise(numbers))


def _usable(limits: Limits) -> bool:
    sides = (1, limits.multiple, limits.max_side, MAX_SIDE), (1, limits.min_side, limits.max_side)
    whole = all(isinstance(side, int) for side in (limits.multiple, limits.min_side, limits.max_side))
    return whole and all(_ascending(*side) for side in sides) and _ascending(0.01, limits.max_megapixels, 100)


def _plain(error: TypeError) -> str:
    return str(error).rpartition("__init__() ")[2]
