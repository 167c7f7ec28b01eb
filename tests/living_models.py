"""A table of models of which none that is shipped lives but the sandbox, with others besides: so that tests of what is
offered in the place of a retired model mean the same whichever models are shipped."""

from __future__ import annotations

from flux_depth_addon.core.models import load

__all__ = ["rows"]

PROVIDERS = """
[providers.{name}]
label = "{label}"
protocol = "bfl"
base = "https://{name}.example"
submit = "/v1/{{model}}"
poll = "/v1/get_result"
probe = "/v1/credits"
key_header = "x-key"
key_env = ["{key}"]
cancels = {cancels}
"""
MODEL = {
    "path": '"flux-pro-1.0-depth"',
    "map_field": '"control_image"',
    "price_usd": "0.04",
    "sends_size": "true",
    "guidance": "{ low = 1.0, high = 20.0, default = 3.5 }",
}


def rows(*, cancels: bool = False, **more: str) -> str:
    """A models.toml with a row for each, named `provider__name`, at the providers near and far; `more`: its lines.

    `cancels`: whether a task can be stopped there.
    """
    row = {"cancels": str(cancels).lower()}
    providers = "".join(
        PROVIDERS.format(name=name, label=name.title(), key=f"{name.upper()}_KEY", **row) for name in ("near", "far")
    )
    return providers + _retired() + "".join(_row(*name.split("__"), lines) for name, lines in more.items())


def _row(provider: str, name: str, lines: str) -> str:
    own = {line.partition(" ")[0] for line in lines.splitlines()}
    usual = "".join(f"{key} = {value}\n" for key, value in MODEL.items() if key not in own)
    return f'[models."{provider}:{name}"]\nlabel = "{name.title()}"\n{usual}{lines}\n'


def _retired() -> str:
    living = [name for name, model in load().models.items() if not (model.provider.is_ours or model.retired)]
    return "".join(f'[models."{name}"]\nretired = "2030-01-01"\n' for name in living)
