"""No picture of this process's memory on the disk when it crashes: keys are in it."""

from __future__ import annotations

import sys

__all__ = ["forbid_core_dumps"]


def forbid_core_dumps() -> None:
    """Where the system writes any; what keeps them for it (systemd-coredump, apport) heeds the same limit.

    Windows writes none unless its registry was told to.
    """
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
