"""What is promised holds with every provider: whoever has an emulator is put through the same suite.

Real journal, real steps, real client, real HTTP on loopback, and a clock that nobody waits for.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from PIL import Image

from flux_depth_addon.core import client as client_module
from flux_depth_addon.core.client import Client
from flux_depth_addon.core.errors import COSTS, KeyRefusedError
from flux_depth_addon.core.job import Job, Step
from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.lease import LEASE_SECONDS
from flux_depth_addon.core.models import DIALS, Table, load
from flux_depth_addon.core.providers import Pending
from flux_depth_addon.core.request import Lora, Request
from flux_depth_addon.core.worker import step
from tests.secrets_watch import MARK

from .emulators import HTML, Answer, Emulator, all_emulators, colour, in_json
from .faults.world import Clock

IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
PROTOCOLS = Path(client_module.__file__).with_name("providers")
EMULATORS = all_emulators()
MODELS = [(name, model) for name, kind in EMULATORS.items() for model in load().of(kind.provider)]
ROWS = [(name, model.id) for name, model in MODELS]
SHOWN = [
    (name, row.id, shown)
    for name, row in MODELS
    for shown in ("depth", "clay")
    if (shown, row.control) != ("clay", "map")
]
REFUSALS = [(name, refusal) for name, kind in EMULATORS.items() for refusal in kind.refusals]
ENDINGS = [
    (name, ending) for name, kind in EMULATORS.items() for ending in ("moderated", "failed") if ending in kind.costs
]
SECONDS = 600.0
"""How long a job may take, by the clock of the test."""


class Killed(BaseException):
    """The process is no more."""


class Errand:
    """One journal, one client, and the provider that they deal with."""

    def __init__(self, emulator: Emulator, table: Table, folder: Path, clock: Clock) -> None:
        self.emulator, self.table, self.folder, self.clock = emulator, table, folder, clock
        self.model = table[emulator.model]
        self.keys = {emulator.provider: emulator.key} if emulator.key else {}
        self.opens()

    def opens(self) -> None:
        """As a new process does."""
        self.journal = Journal(self.folder / "journal", patience=0.05)
        self.client = Client(self.table, dict(self.keys))

    def restarts(self) -> None:
        """All that the process knew and did not write is gone; what it held is free again after a while."""
        self.journal.close()
        self.clock.sleep(LEASE_SECONDS + 1)
        self.opens()

    def enters(self, request: Request, control: bytes, *, with_start: bool = False) -> Job:
        """A job to be sent there."""
        self.model = self.table[request.model]
        start = control if with_start or self.model.start == "required" else b""
        request = replace(request, start=hashlib.sha256(start).hexdigest() if start else "")
        price = self.model.price_of(request.framing)
        more: dict[str, Any] = {"start": start} if start else {}
        output = self.folder / "out" / "picture.png"
        self.job = self.journal.add(
            request, control, price_usd=price, base=self.emulator.base, output=output, timeout=SECONDS, **more
        )
        return self.job

    def looks(self) -> Job:
        """At the job as the journal has it."""
        self.job = self.journal.get(self.job.id)
        return self.job

    def takes_a_step(self) -> None:
        """Or waits, where none is due."""
        if claimed := self.journal.claim(job_id=self.job.id):
            step(claimed, self.client, self.journal)
        else:
            self.clock.sleep(max(self.looks().due - time.time(), 0.01))

    def goes_on(self, *, until: Step | None = None) -> Job:
        """Step after step, to the end or until that step is the next."""
        for _ in range(1000):
            if (job := self.looks()).is_final or job.step is until:
                return job
            self.takes_a_step()
        raise AssertionError(f"the job is stuck at {self.job.step}")

    @property
    def posts(self) -> int:
        """Submissions, refused or not."""
        return len(self.emulator.calls("submit"))

    def ledger(self) -> tuple[float, float, float]:
        """Charged, perhaps charged, and waiting."""
        return tuple(round(sum_, 6) for sum_ in self.journal.ledger())  # type: ignore[return-value]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock.time)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    return clock


Begin = Callable[..., Errand]


@pytest.fixture
def begin(table: Table, wish: Callable[..., Request], control: bytes, clock: Clock) -> Iterator[Begin]:
    """Enters a job at that provider; what is left of it afterwards is in order, and nothing was told that is secret."""
    with ExitStack() as stack:
        errands: list[Errand] = []

        def began(name: str, *, enters: bool = True, **options: Any) -> Errand:
            emulator = stack.enter_context(EMULATORS[name](**options))
            folder = Path(stack.enter_context(TemporaryDirectory(dir=IN_MEMORY)))
            errand = Errand(emulator, table, folder, clock)
            errands.append(errand)
            if enters:
                errand.enters(wish(model=emulator.model, seed=7), control)
            return errand

        yield began
        for errand in errands:
            check_what_is_left(errand)
            errand.journal.close()


every_provider = pytest.mark.parametrize("name", EMULATORS)
every_provider_with_a_key = pytest.mark.parametrize(
    "name", [name for name, kind in EMULATORS.items() if kind.key_header]
)
every_provider_that_stops = pytest.mark.parametrize(
    "name", [name for name, kind in EMULATORS.items() if "cancelled" in kind.costs]
)


def check_what_is_left(errand: Errand) -> None:
    files = [path for path in errand.folder.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix == ".part"]
    assert not [path for path in files if MARK.encode() in path.read_bytes()]
    if errand.looks().step is not Step.DONE:
        assert not errand.job.output.exists()
    for seen in errand.emulator.seen:
        assert seen.host != "foreign", "a stranger was asked"
        shown = {name: value for name, value in seen.headers.items() if MARK in value}
        assert MARK not in seen.target + seen.body.decode("latin-1")
        if seen.host == "own" and MARK in errand.client.keys.get(errand.emulator.provider, ""):
            assert shown == {errand.emulator.key_header.lower(): errand.emulator.key_prefix + errand.emulator.key}
        else:
            assert not shown


def check_the_sentence(job: Job) -> None:
    """What happened, whether it was charged, and what to do: one line of it, with a button."""
    words = {told for charged, told in COSTS.values() if charged == job.charged}
    assert job.error_message.isprintable(), job.error_message
    assert job.error_message.endswith("."), job.error_message
    assert "Traceback" not in job.error_message
    assert MARK not in job.error_message
    assert any(told in job.error_message for told in words), (job.charged, job.error_message)
    assert job.error_action, job.error_message


def check_it_failed(errand: Errand, charged: str) -> Job:
    job = errand.goes_on()
    assert job.step is Step.FAILED, job
    free = charged == "yes" and not errand.model.price_usd
    assert job.charged == ("no" if free else charged), job.error_message
    check_the_sentence(job)
    return job


def check_it_is_done(errand: Errand, number: int = 1) -> Job:
    """With the picture of that task, and on the bill once."""
    job = errand.goes_on()
    assert job.step is Step.DONE, job.error_message
    with Image.open(job.result) as picture:
        assert picture.size == (300, 244)
        assert picture.convert("RGB").getpixel((150, 122)) == colour(number)
    assert len(errand.emulator.billed) == 1
    return job


# The table, the files and the emulators are of one mind.


def test_every_protocol_has_an_emulator() -> None:
    found = {file.stem for file in PROTOCOLS.glob("[a-z]*.py") if "\nPROTOCOL = " in file.read_text(encoding="utf-8")}
    assert found == EMULATORS.keys()


@every_provider
def test_the_table_has_what_the_emulator_plays(name: str, table: Table) -> None:
    emulator, provider = EMULATORS[name], table[EMULATORS[name].model].provider
    assert (provider.name, provider.protocol) == (emulator.provider, name)
    assert (provider.key_header, provider.key_prefix) == (emulator.key_header, emulator.key_prefix)
    assert provider.cancels == ("cancelled" in emulator.costs)
    assert emulator.refusals


@pytest.mark.parametrize(("name", "model", "control_is"), SHOWN)
def test_every_model_is_asked_for_all_it_takes(
    name: str, model: str, control_is: Any, begin: Begin, control: bytes, table: Table, wish: Callable[..., Request]
) -> None:
    row = table[model]
    dials = {dial: dials.default for dial in DIALS if (dials := row.dial(dial))}
    if row.finetune == "none":
        dials.pop("finetune_strength", None)
    if dials.get("steps"):
        dials["steps"] = int(dials["steps"])
    loras = (Lora("https://example.com/a.safetensors", 0.8),)[: row.loras]
    errand = begin(name, enters=False)
    request = wish(model=model, seed=11, control=control_is, loras=loras, output_format=row.formats[-1], **dials)
    errand.enters(request, control, with_start=row.start != "none")
    job = check_it_is_done(errand)
    assert job.seed == 11
    assert job.cost_usd == row.price_of(request.framing)


# Paid once.


@every_provider
def test_a_picture_is_made_and_paid_once(name: str, begin: Begin) -> None:
    errand = begin(name)
    price = errand.job.price_usd
    assert errand.ledger() == (0, 0, price)
    job = check_it_is_done(errand)
    told = errand.emulator.told_usd
    assert errand.posts == 1
    assert (job.charged, job.cost_usd) == ("yes" if price else "no", price if told is None else told)
    assert (job.billed_usd is None) == (told is None)
    assert errand.ledger() == (job.cost_usd if price else 0, 0, 0)
    assert job.seed == 7
    assert not job.error_message


@every_provider
@pytest.mark.parametrize("deed", ["lost", "reset", "cut", "gateway", "page"])
def test_a_submission_whose_answer_is_lost_is_never_sent_again(name: str, deed: Any, begin: Begin) -> None:
    errand = begin(name)
    errand.emulator.will("submit", deed)
    job = check_it_failed(errand, "unknown")
    assert errand.posts == 1
    assert errand.ledger() == (0, job.price_usd, 0)
    errand.restarts()
    errand.clock.sleep(86_400)
    errand.goes_on()
    assert errand.posts == 1
    again = errand.journal.retry(job.id)
    assert (again.step, again.remote_id, again.charged) == (Step.SUBMIT, "", "no")
    assert again.id != job.id


@pytest.mark.parametrize(("name", "refusal"), REFUSALS)
def test_a_refusal_costs_nothing_and_says_what_to_do(name: str, refusal: str, begin: Begin) -> None:
    errand = begin(name)
    told = errand.emulator.refusals[refusal]
    errand.emulator.will("submit", told.answer)
    job = check_it_failed(errand, told.charged)
    assert job.error_action == told.button, job.error_message
    assert errand.posts == 1
    assert not errand.emulator.tasks
    assert errand.journal.retry(job.id).id != job.id


@every_provider
def test_who_is_busy_is_asked_again_after_the_time_it_wants(name: str, begin: Begin) -> None:
    errand = begin(name)
    errand.emulator.will("submit", *[replace(errand.emulator.busy, headers={"Retry-After": "7"})] * 2)
    began = errand.clock.passed()
    check_it_is_done(errand)
    assert errand.posts == 3
    assert errand.clock.passed() - began >= 14


@every_provider
def test_who_stays_busy_is_given_up_for_nothing(name: str, begin: Begin) -> None:
    errand = begin(name)
    errand.emulator.will("submit", *[replace(errand.emulator.busy, headers={"Retry-After": "60"})] * 20)
    check_it_failed(errand, "no")
    assert not errand.emulator.tasks


@every_provider
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_while_sending_sends_nothing_twice(
    name: str, when: str, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    errand = begin(name)
    with monkeypatch.context() as meanwhile:
        dies_at_the_submission(errand, when, meanwhile)
        with pytest.raises(Killed):
            errand.goes_on()
    errand.restarts()
    job = check_it_failed(errand, "unknown")
    assert errand.posts == (1 if when == "after" else 0)
    assert job.submit_started
    assert len(errand.emulator.billed) <= 1


def dies_at_the_submission(errand: Errand, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is killed just before the one call that costs, or when that has been answered."""
    exchange = client_module.exchange

    def killed(method: str, url: str, **more: Any) -> Any:
        submits = errand.looks().submit_started is not None
        if submits and when == "before":
            raise Killed
        answer = exchange(method, url, **more)
        if submits:
            raise Killed
        return answer

    monkeypatch.setattr(client_module, "exchange", killed)


# Nothing that is paid for is lost.


@every_provider
def test_the_task_is_on_the_disk_before_it_is_asked_for(name: str, begin: Begin) -> None:
    errand = begin(name)
    job = errand.goes_on(until=Step.POLL)
    assert not errand.emulator.calls("poll")
    assert list(errand.emulator.tasks) == [job.remote_id]
    assert job.remote_id in (job.folder / "receipt.json").read_text(encoding="utf-8")
    other = Journal(errand.journal.folder, patience=0.05)
    assert other.get(job.id).remote_id == job.remote_id
    other.close()


@every_provider
def test_another_process_gets_the_same_picture_wherever_the_first_one_stopped(name: str, begin: Begin) -> None:
    errand = begin(name)
    while not errand.looks().is_final:
        errand.takes_a_step()
        errand.restarts()
    check_it_is_done(errand)
    assert errand.posts == 1


TROUBLES: dict[str, list[Any]] = {
    "what breaks": ["lost", "reset", "cut", "gateway", "page", "slow"],
    "statuses": [Answer(status, {}, HTML) for status in (301, 408, 429, 500, 502, 503, 504, 524)],
    "statuses with words": [
        in_json(words, status)
        for status in (500, 503)
        for words in (
            {"detail": "Internal Server Error"},
            {"detail": "Unexpected", "error_type": "internal_error"},
            {"error": {"message": "Unexpected", "type": "server_error", "code": ""}},
            {"title": "Internal Server Error", "status": status},
        )
    ],
    "patience": [in_json({"detail": "slow down"}, 429, Retry_After="3")],
    "nonsense": [in_json(data) for data in ({}, [], None, 17, "ready", {"status": 5}, {"status": None})],
}


@every_provider
@pytest.mark.parametrize("trouble", TROUBLES)
def test_whatever_befalls_a_poll_the_picture_comes(name: str, trouble: str, begin: Begin) -> None:
    errand = begin(name, pending=3)
    errand.emulator.will("poll", *TROUBLES[trouble])
    check_it_is_done(errand)
    assert errand.posts == 1


@every_provider
def test_who_has_a_queue_says_who_waits_in_it(name: str, begin: Begin) -> None:
    errand = begin(name, pending=3)
    errand.goes_on(until=Step.POLL)
    waited = [errand.looks().is_queued]
    while errand.looks().step is Step.POLL:
        errand.takes_a_step()
        waited.append(errand.looks().is_queued)
    assert any(waited) is errand.emulator.queues
    assert not waited[-1]
    assert errand.goes_on().step is Step.DONE


@every_provider
def test_a_word_that_nobody_has_heard_of_is_waited_out(name: str, begin: Begin) -> None:
    errand = begin(name, pending=30)
    errand.emulator.word = "UNHEARD_OF"
    check_it_is_done(errand)


PICTURES: dict[str, list[Any]] = {
    "dead links": [Answer(status, {}, HTML) for status in (400, 403, 404, 410)],
    "what breaks": ["lost", "reset", "cut", "page", "gateway", "slow"],
    "statuses": [Answer(status, {}, b"") for status in (206, 302, 429, 500, 503)],
    "no pictures": [Answer(200, {}, data) for data in (b"", b"GIF89a\1\0\1\0\0\0\0;", bytes(range(256)) * 9)],
}


@every_provider
@pytest.mark.parametrize("trouble", PICTURES)
def test_whatever_befalls_a_picture_it_comes_whole(name: str, trouble: str, begin: Begin) -> None:
    errand = begin(name)
    errand.emulator.will("picture", *PICTURES[trouble])
    check_it_is_done(errand)
    assert errand.posts == 1


@every_provider
def test_a_dead_link_is_asked_for_anew(name: str, begin: Begin) -> None:
    errand = begin(name)
    errand.goes_on(until=Step.DOWNLOAD)
    polls = len(errand.emulator.calls("poll"))
    errand.emulator.will("picture", Answer(403, {}, b"expired"))
    check_it_is_done(errand)
    assert len(errand.emulator.calls("poll")) > polls


@every_provider
def test_a_picture_that_is_late_is_fetched_for_nothing(
    name: str, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    errand = begin(name, pending=10_000)
    monkeypatch.setattr(errand.emulator, "progress", lambda _task: 0.5)  # what goes on is waited for
    job = check_it_failed(errand, "yes")
    assert job.error_action == "retry"
    errand.emulator.tasks[job.remote_id].pending = 0
    assert errand.journal.retry(job.id).id == job.id
    check_it_is_done(errand)
    assert errand.posts == 1


@every_provider
def test_a_task_that_is_gone_is_looked_for_once_more_for_nothing(name: str, begin: Begin) -> None:
    errand = begin(name)
    errand.emulator.ending = "gone"
    job = check_it_failed(errand, "yes")
    errand.emulator.tasks[job.remote_id].ending = "ready"
    assert errand.journal.retry(job.id).id == job.id
    check_it_is_done(errand)
    assert errand.posts == 1


@pytest.mark.parametrize(("name", "ending"), ENDINGS)
def test_a_task_that_comes_to_nothing_says_what_it_costs(name: str, ending: Any, begin: Begin) -> None:
    errand = begin(name)
    errand.emulator.ending = ending
    job = check_it_failed(errand, EMULATORS[name].costs[ending] if errand.model.price_usd else "no")
    assert errand.posts == 1
    assert bool(errand.emulator.billed) == (EMULATORS[name].costs[ending] != "no")
    again = errand.journal.retry(job.id)
    assert again.id != job.id
    assert again.step is Step.SUBMIT


# The key.


@pytest.mark.parametrize(("name", "model"), ROWS)
def test_a_stranger_whom_the_provider_names_is_never_asked(
    name: str, model: str, begin: Begin, control: bytes, wish: Callable[..., Request]
) -> None:
    errand = begin(name, enters=False)
    errand.emulator.names_foreign = True
    errand.enters(wish(model=model, seed=7), control)
    check_it_is_done(errand)
    assert {seen.host for seen in errand.emulator.seen} <= {"own", "pictures"}


@every_provider_with_a_key
def test_a_provider_that_quotes_the_key_is_not_quoted(name: str, begin: Begin) -> None:
    errand = begin(name)
    words = f"{errand.emulator.key_prefix}{errand.emulator.key} is not good enough"
    errand.emulator.will("submit", in_json({"detail": words, "error": {"message": words}}, 422))
    assert "[key]" in check_it_failed(errand, "no").error_message


@every_provider_with_a_key
def test_a_key_that_is_refused_is_told_as_that(name: str, begin: Begin) -> None:
    errand = begin(name)
    errand.client = Client(errand.table, {errand.emulator.provider: "another"})
    job = check_it_failed(errand, "no")
    assert (job.error_kind, job.error_action) == ("key", "preferences")
    with pytest.raises(KeyRefusedError):
        errand.client.probe(errand.model, errand.emulator.base)


@every_provider
def test_a_connection_is_tested_for_nothing(name: str, begin: Begin) -> None:
    errand = begin(name)
    sentence = errand.client.probe(errand.model, errand.emulator.base)
    assert sentence.endswith(".")
    assert sentence.isprintable()
    assert not errand.posts
    assert not errand.emulator.tasks


# Cancelling.


@every_provider
def test_a_task_is_stopped_there_where_that_can_be(name: str, begin: Begin) -> None:
    errand = begin(name, pending=100)
    stops = "cancelled" in EMULATORS[name].costs
    errand.goes_on(until=Step.POLL)
    errand.journal.cancel(errand.job.id, there=errand.model.provider.cancels)
    job = errand.goes_on()
    assert job.step is Step.CANCELLED
    assert bool(errand.emulator.calls("cancel")) == stops
    assert [task.is_stopped for task in errand.emulator.tasks.values()] == [stops]
    expected = EMULATORS[name].costs.get("cancelled", "yes") if errand.model.price_usd else "no"
    assert job.charged == expected, job.error_message
    assert errand.posts == 1


@every_provider_that_stops
def test_a_task_that_is_stopped_at_work_says_what_it_may_cost(name: str, begin: Begin) -> None:
    costs = EMULATORS[name].costs
    errand = begin(name, pending=100)
    errand.goes_on(until=Step.POLL)
    while not errand.emulator.calls("poll"):
        errand.takes_a_step()
    errand.journal.cancel(errand.job.id, there=True)
    job = errand.goes_on()
    expected = costs.get("cancelled at work", costs["cancelled"]) if errand.model.price_usd else "no"
    assert (job.step, job.charged) == (Step.CANCELLED, expected), job.error_message
    assert not errand.model.price_usd or bool(errand.emulator.billed) == (expected != "no")
    assert errand.journal.retry(job.id).id != job.id


def test_a_preview_that_comes_after_the_cancel_stays_nowhere(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    errand = begin("comfyui", pending=100)
    errand.goes_on(until=Step.POLL)

    def poll(*_: object) -> Pending:
        errand.journal.cancel(errand.job.id)
        return Pending(preview=b"half of it")

    monkeypatch.setattr(Client, "poll", poll)
    while not errand.looks().is_final:
        errand.takes_a_step()
    assert not errand.job.preview.exists()


@every_provider_that_stops
def test_a_stop_that_is_not_heard_is_said_again(name: str, begin: Begin) -> None:
    errand = begin(name, pending=100)
    errand.goes_on(until=Step.POLL)
    errand.emulator.will("cancel", "reset", "gateway", in_json({"detail": "slow down"}, 429))
    errand.journal.cancel(errand.job.id, there=True)
    job = errand.goes_on()
    assert job.step is Step.CANCELLED
    assert len(errand.emulator.calls("cancel")) > 1


@every_provider
def test_a_picture_that_was_cancelled_too_late_can_be_fetched(name: str, begin: Begin) -> None:
    errand = begin(name, pending=1)
    errand.goes_on(until=Step.DOWNLOAD)
    errand.journal.cancel(errand.job.id, there=errand.model.provider.cancels)
    job = errand.goes_on()
    assert job.step is Step.CANCELLED
    assert job.charged == ("yes" if errand.model.price_usd else "no"), job.error_message
    assert errand.journal.retry(job.id).id == job.id
    check_it_is_done(errand)
    assert errand.posts == 1
