"""The shared libraries of Linux that Blender's wheels expect, and the Debian packages that hold them."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Sequence

PACKAGES: dict[str, str] = {
    "libX11.so.6": "libx11-6",
    "libXi.so.6": "libxi6",
    "libXfixes.so.3": "libxfixes3",
    "libXrender.so.1": "libxrender1",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libgomp.so.1": "libgomp1",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
}
"""Tried one by one on a bare Debian 12; Blender 4.2 alone needs libgomp1 and libxxf86vm1."""


def missing() -> dict[str, str]:
    """Library -> Debian package of what cannot be loaded; empty on anything but Linux."""
    if sys.platform != "linux":
        return {}
    return {library: package for library, package in PACKAGES.items() if not _loads(library)}


def can_install() -> bool:
    """Whether this process may install Debian packages."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def commands(packages: Sequence[str]) -> list[list[str]]:
    """What installs them, step by step."""
    return [
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
    ]


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
