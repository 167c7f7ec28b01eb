"""What the preferences decide: providers, keys, folders. The only place in Blender that touches a key.

Keys are held in memory until Blender quits and are written nowhere, Blender's own preferences included; a key that is
to last comes from the environment.
"""

import os
import tomllib
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import bpy
from bpy.props import StringProperty

from .core import models
from .core.addresses import is_loopback, origin_of
from .core.errors import InputError

if TYPE_CHECKING:
    from .core.job import Job
    from .own_rows import OwnRows
    from .preferences_panel import FLUXDEPTH_AP_preferences

JOURNAL = "journal.sqlite3"

changes = 0
"""How often the table was forgotten: what is made of it is out of date after the next time."""

_typed_keys: dict[str, str] = {}


def current() -> "FLUXDEPTH_AP_preferences | None":
    """The preferences, or None where the add-on is not enabled (the command line under a bare wheel)."""
    addon: bpy.types.Addon | None = bpy.context.preferences.addons.get(__package__)
    return cast("FLUXDEPTH_AP_preferences", addon.preferences) if addon else None


@cache
def version() -> str:
    """This extension's, as its manifest has it."""
    try:
        return tomllib.loads((Path(__file__).parent / "blender_manifest.toml").read_text(encoding="utf-8"))["version"]
    except (OSError, ValueError, KeyError):  # run from a checkout
        return "not installed"


@cache
def data_folder() -> Path:
    """Where the journal lives: $FLUX_DEPTH_DATA, else the folder that Blender gives to this extension."""
    if chosen := os.environ.get("FLUX_DEPTH_DATA"):
        return Path(chosen).expanduser()
    try:
        return Path(bpy.utils.extension_path_user(__package__))
    except ValueError:  # run from a checkout, not installed as an extension
        return Path(bpy.utils.user_resource("DATAFILES", path="flux_depth"))


def table_files() -> list[Path]:
    """The user's own table of models, where it can be read."""
    return [] if table_problem() else [_own_table()]


def table() -> models.Table:
    """The models to choose from. A broken file of the user's is left out; `table_problem` says why."""
    return own_rows().table


def table_problem() -> str:
    """What is wrong with the user's own table of models, or nothing."""
    return _file_tables()[1]


@cache
def _file_tables() -> tuple[models.Table, str]:
    """As the files have it, and what is wrong with the user's own."""
    try:
        return models.load(_own_table()), ""
    except InputError as error:
        return models.load(), str(error)


@cache
def own_rows() -> "OwnRows":
    """The table with what was typed here and added to it over the files' rows; these rows, for who needs them too."""
    from .own_rows import over, typed

    return over(_file_tables()[0], table_files(), partial(typed, current()), data_folder())


def _own_table() -> Path:
    return data_folder() / "models.toml"


def forget_table() -> None:
    """Read the tables and folders anew at the next question."""
    for cached in (_file_tables, data_folder):
        cached.cache_clear()
    forget_own_rows()


def forget_own_rows() -> None:
    """Take what was typed and added anew at the next question."""
    global changes
    own_rows.cache_clear()
    changes += 1


def key_in_environment(provider: models.Provider) -> str:
    """The name of the environment variable that holds this provider's key, or nothing."""
    return next((name for name in provider.key_env if os.environ.get(name)), "")


def keys(rows: models.Table | None = None) -> dict[str, str]:
    """Every key that is known, by provider: the environment's, else what was typed."""
    providers = (rows or table()).providers.values()
    found = {row.name: os.environ.get(key_in_environment(row)) or _typed_keys.get(row.name, "") for row in providers}
    return {name: key for name, key in found.items() if key}


def has_key(provider: models.Provider) -> bool:
    """Whether the provider can be asked: it needs no key, or there is one."""
    return not provider.key_header or bool(key_in_environment(provider) or _typed_keys.get(provider.name))


def has_address(provider: models.Provider) -> bool:
    """Whether it is known where the provider is; the sandbox is wherever it was started."""
    return bool(provider.base) or provider.is_ours


def allowed_bases() -> frozenset[str]:
    """The origins of addresses that the artist allowed, each by a click of its own."""
    chosen = current()
    return frozenset(row.name for row in chosen.allowed) if chosen else frozenset()


def consent_reason(provider: models.Provider, base: str = "") -> str:
    """Why this provider may not be asked at this address before the artist does something, or nothing."""
    from .core.places import risk_of

    if not (base or has_address(provider)):
        return own_rows().problems.get(provider.name) or f"{provider.label} has no address: enter it in the preferences"
    origin = origin_of(base or provider.base)
    if not risk_of(provider, base) or origin in allowed_bases():
        return ""
    return f"{origin} is another computer, and was not allowed yet"


def offline_reason(provider: models.Provider, base: str = "") -> str:
    """Why nothing may be sent to this provider now, or nothing."""
    address = base or provider.base
    if bpy.app.online_access or not address or is_loopback(address):
        return ""
    return "Blender's online access is off: allow it in Preferences › System › Network"


def hindrance(job: "Job") -> str:
    """Why nobody can go on with a job now, or nothing."""
    model = table().models.get(job.request.model)
    if model is None:
        return f"The model “{job.request.model}” is not in the table of models any more"
    if not has_key(model.provider):
        return f"It goes on once there is a {model.provider.label} key"
    base = job.sent_to or job.base
    return consent_reason(model.provider, base) or offline_reason(model.provider, base)


def stops(job: "Job") -> bool:
    """Whether its provider can be asked now to stop at work on it."""
    model = table().models.get(job.request.model)
    return bool(model and model.provider.cancels and not hindrance(job))


def reachable() -> list[str]:
    """The providers that may be asked now, as far as Blender's online access and the artist's word go."""
    rows = table().providers.items()
    return [name for name, provider in rows if not (consent_reason(provider) or offline_reason(provider))]


def for_worker() -> dict[str, Any]:
    """What a worker is started with: the journal, the tables and the rows over them, the keys, whom it may ask."""
    return {
        "folder": data_folder(),
        "table": table(),
        "table_files": table_files(),
        "keys": keys(),
        "providers": reachable(),
        "rows": own_rows().rows,
        "allowed": allowed_bases(),
    }


def default_model() -> str:
    """The model of a scene in which none was chosen: the first of the preferred provider."""
    preferred = current().provider if current() else ""
    default = table().default
    if preferred in ("", default.partition(":")[0]):
        return default
    return next((model.id for model in table().of(preferred) if has_address(model.provider)), default)


def provenance() -> 'Literal["picture", "sidecar", "mark"]':
    """Where it is written how a picture was made."""
    chosen = current()
    return chosen.provenance if chosen else "picture"


def cap() -> float | None:
    """The most that a month may cost, in US dollars; None for no limit."""
    chosen = current()
    return _cents(chosen.cap_usd) if chosen and chosen.use_cap else None


def asks_above() -> float:
    """What a click may cost, in US dollars, before it is asked about."""
    chosen = current()
    return _cents(chosen.asks_above_usd) if chosen else float("inf")


def _cents(usd: float) -> float:
    """As it was typed: Blender keeps 0.06 as 0.05999999865889549."""
    return round(usd, 4)


def other_folders() -> list[Path]:
    """Where this extension kept its journal under other Blenders and other repositories; looks on the disk."""
    user = Path(bpy.utils.resource_path("USER"))
    homes = [user, *(path for path in user.parent.glob("[0-9]*.[0-9]*") if path != user and path.is_dir())]
    found = [path.parent for home in homes for path in home.glob(f"extensions/.user/*/flux_depth/{JOURNAL}")]
    return [folder for folder in sorted(found, reverse=True) if folder.resolve() != data_folder().resolve()]


def output_folder(blend: str) -> Path:
    """Where pictures made in that blend file go; beside it once it was saved, unless the preferences say otherwise.

    Raises InputError where a link beside the file would lead them elsewhere.
    """
    chosen = current()
    place = chosen.output if chosen else "BLEND"
    wanted = chosen.folder if place == "CHOSEN" else "//flux_depth"
    if place != "OWN" and Path(wanted).is_absolute() and not wanted.startswith("//"):
        return Path(wanted)
    if place != "OWN" and wanted.startswith("//") and blend:
        return _beside(Path(blend), wanted.lstrip("/"))
    return data_folder() / "pictures"


def _beside(blend: Path, relative: str) -> Path:
    """The folder there. Links come out of archives along with a stranger's file: only a full path may lead to one."""
    folder = blend.parent / relative
    if folder.resolve() != Path(os.path.normpath(blend.parent.resolve() / relative)):
        raise InputError(
            f"{folder} is a link to another place: choose that place in the preferences if it is meant. "
            "Nothing was sent."
        )
    return folder


def keyed() -> dict[str, models.Provider]:
    """The providers that need a key as the files have it, by name."""
    return {name: provider for name, provider in _file_tables()[0].providers.items() if provider.key_header}


def movable() -> dict[str, models.Provider]:
    """The providers whose address is the artist's to give, as the files have them, by name."""
    return {name: provider for name, provider in _file_tables()[0].providers.items() if provider.chosen_base}


def key_property(provider: models.Provider) -> object:
    """A password field for this provider's key that Blender cannot save."""
    name = provider.name

    def read(_preferences: object) -> str:
        return _typed_keys.get(name, "")

    def write(_preferences: object, value: str) -> None:
        _typed_keys[name] = value.strip()

    return StringProperty(
        name=f"{provider.label} Key",
        description=f"Kept in memory until Blender quits, written nowhere. To keep it, set {provider.key_env[0]} "
        "in the system's environment",
        subtype="PASSWORD",
        get=read,
        set=write,
    )


def forget_keys() -> None:
    """Drop what was typed."""
    _typed_keys.clear()
