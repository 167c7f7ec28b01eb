"""Where the window comes from, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
import window
from environments import SetupError


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on PATH, and an empty cache."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("FLUX_DEPTH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BLENDER", raising=False)
    return tmp_path


def put_on_path(folder: Path, *names: str, says: str = "") -> None:
    for name in names:
        (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
        (folder / name).chmod(0o755)


def test_a_named_blender_without_a_screen_to_show_it_on_says_what_to_install(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLENDER", "blender")
    with pytest.raises(SetupError, match=r"needs Xvfb, xdotool: install"):
        window.find("trixie")


def test_a_blender_on_the_path_is_taken(bare: Path) -> None:
    put_on_path(bare, "Xvfb", "xdotool")
    put_on_path(bare, "blender", says="Blender 4.5.15 LTS")
    assert window.find("trixie") == window.Place("Blender 4.5", str(bare / "blender"))


def test_a_blender_on_the_path_that_is_too_old_is_passed_over(bare: Path) -> None:
    put_on_path(bare, "Xvfb", "xdotool")
    put_on_path(bare, "blender", says="Blender 3.4.1")
    with pytest.raises(SetupError, match="No Blender with a window was found"):
        window.find("trixie")


def test_who_is_not_root_is_told_that_debian_needs_it(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_on_path(bare, "apt-get", "unshare", "chroot")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(SetupError, match="as root"):
        window.find("trixie")


def test_a_lost_network_is_said_and_nothing_unfinished_stays(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_on_path(bare, "apt-get", "unshare", "chroot")
    put_on_path(bare, "debootstrap", says="Temporary failure resolving deb.debian.org'; exit 1; '")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(SetupError, match="check the network"):
        window.find("trixie")
    assert [path.name for path in (bare / "cache").iterdir()] == ["trixie.log"]


def test_a_debian_that_was_made_is_used_again(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "_check_able", lambda: None)
    monkeypatch.setattr(window, "_make", lambda suite, packages, root: root.mkdir(parents=True))
    first = window.find("trixie")
    monkeypatch.setattr(window, "_make", None)
    assert window.find("trixie") == first
    assert first.root.parent == bare / "cache"
