"""`sandbox`: serves the offline endpoint on loopback until stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from .. import worker_process
from ..core import models
from .outcome import say

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    with worker_process.sandbox(models.load(), arguments.port) as base:
        print(base, flush=True)
        say("Serving until stopped with Ctrl-C.")
        while True:
            time.sleep(3600)
