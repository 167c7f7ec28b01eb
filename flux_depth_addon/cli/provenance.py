"""`provenance`: what a picture says of how it was made. No network, no key, no journal."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError
from .outcome import check_writable, write

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from ..core import record
    from ..core.provenance import packet, sidecar_of

    found = record.read(arguments.picture)
    if arguments.sidecar:
        beside = sidecar_of(arguments.picture)
        if beside.exists():
            raise InputError(f"{beside} is there already: nothing was written.")
        check_writable(beside, {".xmp"})
        write(beside, packet(record.said(found)))
    for name, words in record.worded(found).items():
        print(f"{name}: {words}")
    return asdict(found), 0
