"""What every suite takes: how many kills and examples its campaigns make, from which seed, and what they found."""

from __future__ import annotations

import os
import platform
import signal
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytest_plugins = ["tests.secrets_watch"]

# What Ctrl-C does is tested; a shell that starts the tests in the background has them ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Campaign:
    """The size of the campaigns. Without a seed of their own they take the same course at every run."""

    kills: int
    examples: int
    seed: int | None
    figures: list[str] = field(default_factory=list)

    def tell(self, title: str, found: dict[str, object]) -> None:
        """Have a table of what was found printed at the end of the run."""
        rows = found | {"seed": "the same at every run" if self.seed is None else self.seed, "with": versions()}
        self.figures.append("\n".join([title, *(f"  {name:<16} {value}" for name, value in rows.items())]))


def versions() -> str:
    """Of what a campaign runs on."""
    return f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.system()}"


CAMPAIGN = pytest.StashKey[Campaign]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("campaigns")
    group.addoption("--kills", type=int, default=6, help="processes killed by each kill campaign (6)")
    group.addoption(
        "--examples",
        type=int,
        default=24,
        help="histories tried by the state machine, and what else is tried at random (24)",
    )
    group.addoption("--seed", type=int, help="another course than the one that is taken at every run")
    group.addoption("--figures", type=Path, metavar="FILE", help="add what the campaigns found to this file")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[CAMPAIGN] = Campaign(*(config.getoption(name) for name in ("kills", "examples", "seed")))


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """How many processes a folder is run by; named files run in one, where one can stop in them."""
    folders = {path.name for path in map(Path, config.args) if path.is_dir()}
    processors = os.cpu_count() or 1
    # Most tests wait. A Blender with a window keeps a processor busy; the workers of a farm are processes already.
    return processors + 1 if folders - {"gui", "farm"} else 0


@pytest.fixture(scope="session")
def campaign(pytestconfig: pytest.Config) -> Campaign:
    """What the command line asked for."""
    return pytestconfig.stash[CAMPAIGN]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    found = "".join(f"\n{figures}\n" for figures in config.stash[CAMPAIGN].figures)
    terminalreporter.write(found)
    if file := config.getoption("figures"):
        with file.open("a", encoding="utf-8") as target:
            target.write(found)
