"""The table of providers and models: the shipped models.toml, and the user's own beside it."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

from .addresses import check_base, origin_of
from .errors import InputError
from .framing import MAX_SIDE, MEGAPIXEL, Framing, Limits

__all__ = ["DIALS", "Dial", "Model", "Provider", "Rows", "Table", "dollars", "load"]

SHIPPED = Path(__file__).with_name("models.toml")
PROTOCOLS = Path(__file__).with_name("providers")
MAX_FILE_BYTES = 1_000_000
MAX_LABEL, MAX_TEXT = 100, 500
"""Characters, of what stands in a menu and of anything else."""

NAMED = 4
"""Models of which a sentence speaks; the table may have a hundred."""

MAX_DIAL = 1_000_000_000
"""What Blender's own number fields hold, and then some."""

Need = Literal["none", "optional", "required"]
"""Whether the model has no place for something, may be given it, or must be."""

Controls = Literal["map", "either", "picture"]
"""What a control image is taken for: a finished depth map, either, or a picture that depth is estimated from."""

Unit = Literal["image", "megapixel"]

WANTS: dict[str, str] = {
    "map": "This model wants the depth map: it takes “{field}” for depth as it stands",
    "either": "This model may estimate depth from “{field}” itself, as from a photo: clay looks more like one",
    "picture": "This model estimates depth from “{field}” itself, always: a clay render suits it better than the map",
}

DIALS = ("steps", "guidance", "safety_tolerance", "finetune_strength", "strength", "control_strength")
"""The numbers that a model may take, as both Model and Request name them."""

FORMATS = ("png", "jpeg", "webp")

Rows = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Rows as models.toml has them: {"providers": {name: {key: value}}, "models": {id: {key: value}}}."""


def dollars(usd: float) -> str:
    """As money is written, with thousandths where a price has them: $3.84, $0.096; or `free`."""
    if not usd:
        return "free"
    whole, _, parts = f"{usd:,.4f}".partition(".")
    return f"${whole}.{parts[:2]}{parts[2:].rstrip('0')}"


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
    """The file in `providers` that speaks to it."""
    submit: str = ""
    poll: str = ""
    probe: str = ""
    base: str = ""
    """Empty for the sandbox, whose port is known only once it runs, and where the artist has yet to give one."""
    chosen_base: bool = False
    """Whether the artist gives the address, in the preferences."""
    key_header: str = ""
    """Empty where no key is needed."""
    key_prefix: str = ""
    key_env: tuple[str, ...] = ()
    key_page: str = ""
    polling_domain: str = ""
    """Whose hosts are believed where an answer names an address to be asked with the key."""
    keeps: str = "for about ten minutes"
    """How long results are kept there, as a sentence ends."""
    cancels: bool = False
    """Whether a task can be stopped there."""

    @property
    def is_ours(self) -> bool:
        """Whether it is the sandbox: no address of its own, and nobody else's."""
        return not self.base and not self.chosen_base


@dataclass(frozen=True)
class Model:
    """One model at one provider: what it takes, and what it costs. A dial that is None is one that it does not have."""

    id: str
    label: str
    provider: Provider
    path: str
    map_field: str
    price_usd: float
    limits: Limits
    per: Unit = "image"
    """What the price is for; a megapixel is 1024 x 1024 pixels, and one that is begun counts whole."""
    sends_size: bool = False
    steps: Dial | None = None
    guidance: Dial | None = None
    safety_tolerance: Dial | None = None
    finetune: Need = "none"
    finetune_strength: Dial | None = None
    strength: Dial | None = None
    """How far the start picture is painted over: 0 leaves it, 1 forgets it."""
    control_strength: Dial | None = None
    """How much the control image counts; 1 is what the model was trained with."""
    start: Need = "none"
    """A picture that is painted over."""
    loras: int = 0
    """How many LoRAs it takes at once."""
    prompt_upsampling: bool = False
    formats: tuple[str, ...] = ("png", "jpeg")
    workflow: str = ""
    """The file of a graph that is sent, beside the table that names it; of the shipped table, in `workflows`."""
    retired: str = ""
    note: str = ""
    control: Controls = "map"

    def dial(self, name: str) -> Dial | None:
        """One of DIALS."""
        found: Dial | None = getattr(self, name)
        return found

    @property
    def name(self) -> str:
        """What it is called where models of several providers stand together."""
        return self.label if self.provider.is_ours else f"{self.provider.label}: {self.label}"

    def price_of(self, framing: Framing) -> float:
        """US dollars for one picture of that size."""
        megapixels = math.ceil(framing.width * framing.height / MEGAPIXEL) if self.per == "megapixel" else 1
        return round(self.price_usd * megapixels, 6)

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
        """The price as a label: `$0.096`, `$0.04 per megapixel`, or `free`."""
        return f"{dollars(self.price_usd)} per megapixel" if self.per == "megapixel" else dollars(self.price_usd)


@dataclass(frozen=True)
class Table:
    """All rows by id. Look-ups raise InputError for what is not there."""

    providers: Mapping[str, Provider]
    models: Mapping[str, Model]
    default: str = ""
    """The id of the model that a new scene starts with."""

    def __getitem__(self, model_id: str) -> Model:
        if model_id in self.models:
            return self.models[model_id]
        from difflib import get_close_matches  # only for whoever erred: it would make every start of Blender slower

        near = get_close_matches(model_id[:80], self.models, NAMED, 0.5) or list(self.models)[:NAMED]
        raise InputError(
            f"There is no model “{model_id[:80]}”: choose another one, such as {', '.join(near)}. Nothing was sent."
        )

    def provider(self, name: str) -> Provider:
        """The provider of that name."""
        if name in self.providers:
            return self.providers[name]
        raise InputError(f"There is no provider “{name[:80]}”: choose one of {', '.join(self.providers)}.")

    def of(self, provider: str) -> Iterator[Model]:
        """The provider's models, in the table's order."""
        return (model for model in self.models.values() if model.provider.name == provider)


def load(*files: Path, more: Rows | None = None) -> Table:
    """Read the shipped table, then each file that exists, then `more`, which the preferences say.

    Raises InputError naming the file and the row.
    """
    providers: dict[str, dict[str, Any]] = {}
    models: dict[str, dict[str, Any]] = {}
    read = [(file, _read(file)) for file in (SHIPPED, *(file for file in files if file.is_file()))]
    for file, rows in [*read, *([(Path("the preferences"), more)] if more else [])]:
        _merge(providers, rows.get("providers"), file)
        _merge(models, rows.get("models"), file)
        table = _table(providers, models, file)
    return replace(table, default=next(str(rows["default"]) for _, rows in reversed(read) if "default" in rows))


def _read(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"{file.name} is larger than {MAX_FILE_BYTES:,} bytes: it is not a table of models.")
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, no TOML, a number too long
        raise InputError(f"{file} cannot be read as a table of models: {error}.") from None


def _merge(into: dict[str, dict[str, Any]], rows: object, file: Path) -> None:
    if not isinstance(rows, Mapping | None):
        raise InputError(f"{file}: “providers” and “models” must be tables.")
    for name, row in (rows or {}).items():
        if not isinstance(row, Mapping):
            raise InputError(f"{file}: the row “{name}” must be a table.")
        into[name] = into.get(name, {}) | dict(row)


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
    flags = {key: texts.pop(key) for key in ("chosen_base", "cancels") if key in texts}
    if not isinstance(names, list | tuple) or not all(_shown(text) for text in (*names, *texts.values())):
        raise InputError(f"“{name}” has a value that is not a line of text.")
    if not all(isinstance(flag, bool) for flag in flags.values()):
        raise InputError(f"“{name}” has a value that is neither true nor false.")
    if texts.get("protocol") not in _protocols():
        raise InputError(f"“{name}” needs protocol = one of {', '.join(_protocols())}.")
    try:
        provider = Provider(name, key_env=tuple(names), **flags, **texts)
    except TypeError as error:
        raise InputError(f"“{name}”: {_plain(error)}.") from None
    if provider.key_header and not names:
        raise InputError(f"“{name}” needs key_env, the environment variables that may hold its key.")
    if not _shown(provider.label, MAX_LABEL) or not re.fullmatch(r"[A-Za-z0-9-]*", provider.key_header):
        raise InputError(f"“{name}” needs a label of up to {MAX_LABEL} letters, and a header's name for key_header.")
    if not provider.key_prefix.isascii():
        raise InputError(f"“{name}” has a key_prefix that no header can hold.")
    paths = (provider.submit.replace("{model}", ""), provider.poll, provider.probe)
    if not all(path[:1] in ("", "/") and not set("{}") & set(path) for path in paths):
        raise InputError(f"“{name}” needs submit, poll and probe to begin with a slash, and no braces but “{{model}}”.")
    # Where the artist gives the address, plain http is their word to give, and the client looks whether they gave it.
    allowed = {origin_of(provider.base)} if provider.chosen_base else set()
    return replace(provider, base=check_base(provider.base, allowed)) if provider.base else provider


@cache
def _protocols() -> tuple[str, ...]:
    """The files that each hold one; what they share begins with an underscore."""
    return tuple(sorted(file.stem for file in PROTOCOLS.glob("[a-z]*.py")))


def _model(name: str, row: dict[str, Any], providers: Mapping[str, Provider]) -> Model:
    provider = name.partition(":")[0]
    if provider not in providers:
        raise InputError(f"“{name}” must begin with the name of a provider in the table and a colon.")
    limits = {key: row.pop(key) for key in ("multiple", "min_side", "max_side", "max_megapixels") if key in row}
    try:
        row |= {key: Dial(**row[key]) if row[key] is not False else None for key in DIALS if key in row}
        row |= {"formats": tuple(row["formats"])} if "formats" in row else {}
        return _checked(Model(name, provider=providers[provider], limits=Limits(**limits), **row))
    except KeyError as error:
        raise InputError(f"“{name}” lacks {error}.") from None
    except TypeError as error:
        raise InputError(f"“{name}”: {_plain(error)}.") from None


def _checked(model: Model) -> Model:
    texts = (model.label, model.path, model.map_field, model.retired, model.note, model.workflow)
    dials = [dial for name in DIALS if (dial := model.dial(name))]
    sound = (
        all(_shown(text) for text in (model.id, *texts))
        and 0 < len(model.label) <= MAX_LABEL
        and re.fullmatch(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*", model.path)
        and not {".", ".."} & set(model.path.split("/"))
        and isinstance(model.sends_size, bool)
        and isinstance(model.prompt_upsampling, bool)
        and isinstance(model.loras, int)
        and _ascending(0, model.loras, 100)
        and _ascending(0, model.price_usd, 1000)
        and all(_ascending(-MAX_DIAL, dial.low, dial.default, dial.high, MAX_DIAL) for dial in dials)
        and _usable(model.limits)
    )
    if not sound:
        raise InputError(f"“{model.id}” has a value of the wrong kind.")
    for key, choices in CHOICES.items():
        if getattr(model, key) not in choices:
            raise InputError(f"“{model.id}” needs {key} = one of {', '.join(choices)}.")
    if not model.formats or not set(model.formats) <= set(FORMATS):
        raise InputError(f"“{model.id}” needs formats = some of {', '.join(FORMATS)}.")
    return model


CHOICES = {
    "control": get_args(Controls),
    "finetune": get_args(Need),
    "start": get_args(Need),
    "per": get_args(Unit),
}


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
