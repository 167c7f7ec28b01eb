"""Every order in which things can happen to jobs, and fail: paid once, nothing paid lost, nothing stuck.

The rules are what users, workers, the provider and the machine may do; the invariants are what the README promises.
`--examples N` tries more histories, `--seed N` others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from PIL import Image

from flux_depth_addon.core import receipt
from flux_depth_addon.core.errors import InputError, JournalError
from flux_depth_addon.core.framing import Framing
from flux_depth_addon.core.job import Job, Step
from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.lease import LEASE_SECONDS
from flux_depth_addon.core.request import Request

from .world import BASE, SIDE, Trouble, World, picture

REQUEST = Request(
    prompt="a quiet room",
    model="cometapi:flux-pro-1-0-depth-finetuned",
    framing=Framing(width=SIDE, height=SIDE, left=0, top=0, crop_width=SIDE, crop_height=SIDE),
)
PROVIDERS = ("cometapi",)
LONGEST_BUSY = 150.0
"""Seconds for which a provider may at most send us away: bfl.py believes no more."""

STEPS = 50
FEWEST_THAT_MEET_ALL = 50
"""Histories: in fewer, some trouble may by chance befall nobody."""

MORE_THAN_ANY_STEP_HAS = 30
LESS = {"yes": 2, "unknown": 1, "no": 0}

moments = st.integers(0, MORE_THAN_ANY_STEP_HAS)
others = st.lists(st.sampled_from(["other works", "half a minute", "cancel", "retry", "keep"]), min_size=1, max_size=4)
kills = st.builds(Trouble, st.just("kill"), moments)
refusals = st.builds(Trouble, st.sampled_from(["full", "locked"]), moments, st.integers(1, 60))
interruptions = st.builds(Trouble, st.just("meanwhile"), moments, st.just(1), others.map(tuple))
small_troubles = st.one_of(st.just(Trouble()), kills, refusals)
posts = [
    "",
    "unreachable",
    "busy",
    "busy for a minute",
    "refused",
    "lost before",
    "lost after",
    "broke",
    "broke after",
    "no id",
]
polls = ["", "lost", "broke", "missing", "word", "no sample", "moderated", "failed", "gone"]
fetches = ["", "lost", "broke", "expired", "cut", "page"]
moods = st.fixed_dictionaries(
    {"post": st.sampled_from(posts), "poll": st.sampled_from(polls), "fetch": st.sampled_from(fetches)}
)
workers = st.sampled_from(["one", "two"])
clicked = Bundle("clicked")


class History(RuleBasedStateMachine):
    """One history of a journal with three processes: the window and two workers."""

    figures: ClassVar[Counter[str]] = Counter()
    """Of all histories."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.world.meanwhile = self.meanwhile
        self.clicks = 0
        self.known: dict[str, str] = {}
        """By job, the task id that the journal once had."""
        self.ends: dict[str, Job] = {}
        self.whole: set[tuple[Path, int]] = set()
        """The files that were looked at, and when they were written."""

    # What users do.

    @initialize(target=clicked)
    def first_click(self) -> Any:
        return self.click(Trouble())

    @rule(target=clicked, trouble=small_troubles)
    def click(self, trouble: Trouble) -> Any:
        self.clicks += 1
        return self.asked(trouble, self.entering(self.clicks))

    @rule(target=clicked)
    def double_click(self) -> Any:
        self.clicks += 1
        first = self.asked(Trouble(), self.entering(self.clicks))
        self.world.clock.sleep(0.2)
        assert self.asked(Trouble(), self.entering(self.clicks)) == multiple()
        return first

    def entering(self, number: int) -> Callable[[Journal], Job]:
        """What a click on Generate does; each click in this history is for a picture of its own."""
        request, control = replace(REQUEST, seed=number), picture((9, 9, 9))
        asked = self.world.clock.now
        return lambda journal: journal.add(request, control, price_usd=0.096, base=BASE, asked=asked)

    @rule(target=clicked, job=clicked, trouble=small_troubles)
    def retry(self, job: str, trouble: Trouble) -> Any:
        return self.asked(trouble, lambda journal: journal.retry(job))

    @rule(job=clicked)
    def a_double_click_on_retry(self, job: str) -> None:
        before = len(self.all())
        for _ in range(2):
            self.asked(Trouble(), lambda journal: journal.retry(job))
        assert len(self.all()) <= before + 1

    @rule(job=clicked, trouble=small_troubles)
    def cancel(self, job: str, trouble: Trouble) -> None:
        self.asked(trouble, lambda journal: journal.cancel(job))

    def asked(self, trouble: Trouble, what: Any) -> Any:
        """What the window asks of the journal; the id of the job that came of it, if one did."""
        made = multiple()
        with self.world.as_process("window", trouble) as window, suppress(InputError, JournalError):
            made = what(window.journal).id
        return made

    # What workers do.

    @rule(who=workers)
    def takes(self, who: str) -> None:
        """Claims a job and stalls with it."""
        process = self.world.processes[who]
        with suppress(JournalError):
            process.hand = process.hand or process.journal.claim(providers=PROVIDERS)

    @rule(who=workers)
    def works(self, who: str) -> None:
        """Goes on with what it holds, or else with what is due."""
        self.goes_on(who, {}, Trouble())

    @rule(who=workers, mood=moods)
    def meets_a_mood(self, who: str, mood: dict[str, str]) -> None:
        self.goes_on(who, mood, Trouble())

    @rule(who=workers, trouble=kills)
    def is_killed(self, who: str, trouble: Trouble) -> None:
        self.goes_on(who, {}, trouble)

    @rule(who=workers, trouble=refusals)
    def is_refused(self, who: str, trouble: Trouble) -> None:
        self.goes_on(who, {}, trouble)

    @rule(who=workers, trouble=interruptions)
    def is_interrupted(self, who: str, trouble: Trouble) -> None:
        self.goes_on(who, {}, trouble)

    @rule(who=workers, mood=moods, trouble=st.one_of(kills, refusals, interruptions))
    def has_a_bad_day(self, who: str, mood: dict[str, str], trouble: Trouble) -> None:
        self.goes_on(who, mood, trouble)

    @rule(who=workers)
    def dies(self, who: str) -> None:
        self.world.replace(who)

    def goes_on(self, who: str, mood: dict[str, str], trouble: Trouble) -> None:
        self.world.clock.sleep(0.6)
        self.takes(who)
        if self.world.processes[who].hand:
            self.world.provider.mood = mood
            self.world.works(who, trouble)
            self.world.provider.mood = {}

    def meanwhile(self, word: str) -> None:
        """What the others do at one moment of a process's step."""
        busy, job = self.world.acting[-1], self.world.stepping[-1]
        other = next(name for name in ("one", "two") if self.world.processes[name] is not busy)
        match word:
            case "other works":
                self.works(other)
            case "half a minute":
                self.world.clock.sleep(LEASE_SECONDS + 1)
            case "cancel":
                self.cancel(job, Trouble())
            case "retry":
                self.asked(Trouble(), lambda journal: journal.retry(job))
            case "keep":
                with suppress(JournalError):
                    busy.journal.keep([job])

    # What the clock does.

    @rule(seconds=st.sampled_from([8.0, LEASE_SECONDS + 1, 700.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.clock.sleep(seconds)

    @rule(seconds=st.sampled_from([5.0, 3600.0]))
    def the_clock_is_put_back(self, seconds: float) -> None:
        self.world.clock.now -= seconds

    # What must hold at every moment between two steps.

    @invariant()
    def the_promises_are_kept(self) -> None:
        doubled = [job_id for job_id, count in self.world.provider.sent.items() if count > 1]
        self.figures["doubled"] += len(doubled)
        assert not doubled
        for job in self.all():
            self.what_the_journal_knew_it_knows(job)
            if job.is_final:
                self.the_money_is_told(job)
                self.an_end_never_gets_cheaper(job)
            if job.step is Step.DONE or job.output.is_file():
                self.the_picture_is_whole(job)

    def what_the_journal_knew_it_knows(self, job: Job) -> None:
        assert self.known.setdefault(job.id, job.remote_id) in ("", job.remote_id)
        self.known[job.id] = job.remote_id

    def the_money_is_told(self, job: Job) -> None:
        if self.world.provider.is_billed(job.id):
            assert job.charged != "no", job
            assert job.cost_usd > 0

    def an_end_never_gets_cheaper(self, job: Job) -> None:
        before = self.ends.get(job.id, job)
        by_the_provider_s_word = job.error_kind in ("moderated", "provider")
        assert LESS[job.charged] >= LESS[before.charged] or by_the_provider_s_word, (before, job)
        assert job.step is Step.DONE or before.step is not Step.DONE
        self.ends[job.id] = job

    def the_picture_is_whole(self, job: Job) -> None:
        """Where it is to lie there is never half of it, not even before it counts."""
        path = Path(job.result or job.output)
        state = (path, path.stat().st_mtime_ns)
        if state not in self.whole:
            with Image.open(path) as image:
                image.load()
                colours = [task.colour for task in self.world.provider.tasks.values() if task.job == job.id]
                assert image.size == (SIDE, SIDE)
                assert image.getpixel((3, 3)) in colours
            self.whole.add(state)

    def all(self) -> list[Job]:
        return self.world.witness.jobs()

    # The end: nothing fails any more.

    def teardown(self) -> None:
        try:
            self.everything_ends()
            self.what_is_paid_for_is_there()
            self.figures += self.world.met + Counter(f"{job.step} {job.charged}" for job in self.all())
            self.figures["histories"] += 1
        finally:
            self.world.close()

    def everything_ends(self) -> None:
        """All processes are dead; a new one must be able to finish in the time that a lease and a busy answer last."""
        for name in self.world.processes:
            self.world.replace(name)
        until = self.world.clock.running + LEASE_SECONDS + LONGEST_BUSY + 60
        while unfinished := self.world.witness.unfinished():
            assert self.world.clock.running < until, f"stuck: {unfinished}"
            self.works("one")
            self.world.clock.sleep(0.5)
        self.the_promises_are_kept()

    def what_is_paid_for_is_there(self) -> None:
        """At once, or after a click on Retry that costs nothing."""
        for job in self.all():
            if job.step is not Step.DONE and self.has_picture(job):
                # What only the receipt knows was given up by another worker in the same instant.
                assert job.error_kind in ("cancelled", "deadline", "expired") or not job.remote_id, job
                with self.world.journal() as journal:
                    assert journal.retry(job.id).id == job.id
        sent = self.world.provider.sent.copy()
        self.everything_ends()
        assert self.world.provider.sent == sent
        lost = [job for job in self.all() if self.has_picture(job) and job.step is not Step.DONE]
        self.figures["lost"] += len(lost)
        assert not lost

    def has_picture(self, job: Job) -> bool:
        """Whether the provider would give the picture of this job to who has its id, which this computer has."""
        task = self.world.provider.tasks.get(receipt.completed(job).remote_id)
        return bool(task and task.has_picture)


@pytest.mark.timeout(7200)
def test_paid_once_and_nothing_paid_lost_whatever_happens(campaign: Any) -> None:
    chosen = settings(
        max_examples=campaign.examples,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=campaign.seed is None,
        database=None,
        phases=set(Phase) - {Phase.explain},
        suppress_health_check=list(HealthCheck),
    )
    machine = History if campaign.seed is None else seed(campaign.seed)(History)
    History.figures.clear()
    run_state_machine_as_test(machine, settings=chosen)
    found = History.figures
    paid, maybe = found["DONE yes"], found["FAILED unknown"] + found["CANCELLED unknown"]
    campaign.tell(
        "Histories of jobs, two workers and a window",
        {
            "tried": f"{found['histories']}, of up to {STEPS} steps each",
            "killed": f"{found['kill']} times, at a write or a call",
            "refused": f"{found['full']} writes by a full disk, {found['locked']} by a locked database",
            "interrupted": f"{found['meanwhile']} times by what another process did",
            "pictures saved": paid,
            "unknown": f"{maybe} (the answer was lost)",
            "lost": found["lost"],
            "doubled": found["doubled"],
        },
    )
    if campaign.examples >= FEWEST_THAT_MEET_ALL:
        assert all(found[trouble] for trouble in ("kill", "full", "locked", "meanwhile"))
    assert paid
