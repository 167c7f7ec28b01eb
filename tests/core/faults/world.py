"""The world of one job: a journal, the real client, a provider that misbehaves, and a clock that nobody waits for."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from flux_depth_addon.core.client import Client
from flux_depth_addon.core.errors import JournalError
from flux_depth_addon.core.job import LONGEST_WAIT, Job
from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.models import Table
from flux_depth_addon.core.sandbox import Answer, Behaviour, Sandbox
from flux_depth_addon.core.worker import LONGEST_SLEEP, step

from .proxy import FaultProxy, Play
from .row import Entry, Fault

__all__ = ["ENDLESS", "Clock", "Surroundings", "World"]

ENDLESS = 3600.0
"""Seconds by the job's clock: what is not over by then never will be."""


class Clock:
    """The time of day as the job sees it: whoever sleeps moves it on, and nobody waits."""

    def __init__(self) -> None:
        self.slept = 0.0
        self._real = time.time
        self._jumped = 0.0
        self._alarms: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self._real() + self.slept + self._jumped

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        for alarm in [alarm for alarm in self._alarms if alarm[0] <= self.slept]:
            self._alarms.remove(alarm)
            alarm[1]()

    def passed(self) -> float:
        """Seconds, however often the clock was put forward or back."""
        return time.monotonic() + self.slept

    def jump(self, seconds: float) -> None:
        self._jumped += seconds

    def after(self, seconds: float, happening: Callable[[], None]) -> None:
        self._alarms.append((self.slept + seconds, happening))


class Script:
    """What one kind of call gets in turn: the proxy plays it, or lets the sandbox give the answer."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = iter(entries)
        self._answer: Answer | None = None

    def plays(self) -> Iterator[Play | None]:
        while True:
            entry = next(self.entries, None)
            self._answer = entry if isinstance(entry, Answer) else None
            yield None if isinstance(entry, Answer) else entry

    def answers(self) -> Iterator[Answer | None]:
        while True:
            answer, self._answer = self._answer, None
            yield answer


@dataclass(frozen=True)
class Surroundings:
    """What the computer brings along."""

    set_variable: Callable[[str, str], None]
    """Of the environment."""
    identity: Callable[..., ssl.SSLContext]
    """What a server shows under these names."""
    authority: Path
    """The certificate of who vouches for it, whom nobody trusts by himself."""


class World:
    """One job on its way from a journal through the real client to a provider that misbehaves."""

    def __init__(
        self, fault: Fault, table: Table, folder: Path, clock: Clock, around: Surroundings, stack: ExitStack
    ) -> None:
        self.clock = clock
        self.folder = folder
        self.around = around
        self.scripts = {kind: Script(getattr(fault, kind)) for kind in ("submit", "poll", "result")}
        answers = {f"{kind}_answers": script.answers() for kind, script in self.scripts.items()}
        sandbox = stack.enter_context(Sandbox(behaviour=Behaviour(delay=0.0, picture="echo", **answers)))
        plays = {kind: script.plays() for kind, script in self.scripts.items()}
        self.proxy = stack.enter_context(FaultProxy(sandbox, plays))
        self.proxy.world = self
        self.open_journal()
        stack.callback(lambda: self.journal.close())
        self.client = self.sound_client = Client(table, dict(fault.keys))

    def open_journal(self) -> None:
        self.journal = Journal(self.folder / "journal", patience=0.05)

    def looks_again(self) -> Job:
        """In another session."""
        self.open_journal()
        return self.look()

    def enter(self, *what: Any, **options: Any) -> None:
        """A job to be sent to this provider."""
        output = self.folder / "out" / "picture.png"
        self._entered = partial(self.journal.add, *what, base=self.proxy.base, output=output, **options)
        self.enter_another()

    def enter_another(self, **options: Any) -> None:
        self.job = self._entered(**options)

    def tells(self, **scripts: Iterable[Entry]) -> None:
        """What the provider does from now on."""
        for kind, script in self.scripts.items():
            script.entries = iter(scripts.get(kind, ()))

    def change(self, **changes: Any) -> None:
        """Before the first step, the job is entered otherwise."""
        claimed = self.journal.claim(job_id=self.job.id)
        assert claimed
        self.journal.save(replace(claimed, **changes), release=True)

    def goes_on(self) -> Job:
        """Step after step, as the worker takes them, to the end."""
        began = self.clock.slept
        while not (job := self.look()).is_final:
            assert self.clock.slept - began < ENDLESS, f"the job is stuck at {job.step}"
            self.takes_a_step()
        return job

    def takes_a_step(self) -> None:
        """Or waits, when none is due or the journal cannot be had."""
        try:
            claimed = self.journal.claim(job_id=self.job.id)
        except JournalError:
            self.clock.sleep(1.0)
            return
        if claimed:
            step(claimed, self.client, self.journal)
        else:
            pause = self.look().due - self.clock.time()
            self.clock.sleep(pause if LONGEST_SLEEP < pause < LONGEST_WAIT else LONGEST_SLEEP)

    def look(self) -> Job:
        self.job = self.journal.get(self.job.id)
        return self.job

    def faults_are_over(self) -> None:
        self.tells()
        self.client = self.sound_client
        self.clock.sleep(20_000)

    @property
    def posts(self) -> int:
        return sum(line.startswith("POST") for line in self.proxy.lines)
