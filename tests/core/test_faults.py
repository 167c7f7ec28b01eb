"""Each fault of the table befalls a real job over real connections, and has the end that the table expects."""

from __future__ import annotations

import os
import random
import re
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain, count, repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from PIL import Image

from flux_depth_addon.core import client as client_module
from flux_depth_addon.core import wire
from flux_depth_addon.core.causes import CAUSES
from flux_depth_addon.core.errors import COSTS, FluxDepthError
from flux_depth_addon.core.job import Job, Step
from flux_depth_addon.core.models import Table
from flux_depth_addon.core.recovery import start_anew
from flux_depth_addon.core.request import Request
from flux_depth_addon.core.sandbox import Answer

from ..conftest import Campaign
from .faults.alphabet import BODIES, ENDS, ENDS_FOR_EVER, RESULT_ANSWERS, SUBMIT_STATUSES, poll_answers
from .faults.deeds import can_mount, mount
from .faults.row import DONE, KEY, PENDING, Damage, End, Fault
from .faults.table import DAMAGES, FAULTS
from .faults.world import ENDLESS, Clock, Surroundings, World

IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""A disk that is synchronised at once: only the kill campaign asks what a real one keeps."""

HURRY_SECONDS = 0.5


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock.time)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    return clock


@pytest.fixture
def arrange(
    table: Table,
    wish: Callable[..., Request],
    control: bytes,
    clock: Clock,
    identity: Callable[..., ssl.SSLContext],
    stores: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[Fault], World]]:
    """The world in which that fault is going to happen."""
    with ExitStack() as stack:

        def arranged(fault: Fault) -> World:
            if fault.hurried:
                monkeypatch.setattr(wire, "READ_SECONDS", HURRY_SECONDS)
                monkeypatch.setattr(client_module, "WHOLE_ANSWER_SECONDS", HURRY_SECONDS)
                monkeypatch.setattr(client_module, "WHOLE_PICTURE_SECONDS", HURRY_SECONDS)
            folder = Path(stack.enter_context(TemporaryDirectory(dir=IN_MEMORY)))
            if fault.disk and not can_mount():
                pytest.skip("a disk of its own can be mounted by root on Linux only")
            if fault.disk == "small":
                stack.callback(mount(folder, "2m"))
            around = Surroundings(monkeypatch.setenv, identity, stores)
            world = World(fault, table, folder, clock, around, stack)
            stack.callback(clock.sleep, ENDLESS * 1000)
            price = table[fault.model].price_usd
            world.enter(wish(model=fault.model), control, price_usd=price, timeout=fault.timeout)
            if fault.before:
                fault.before(world)
            return world

        yield arranged


Arrange = Callable[[Fault], World]
ROWS = [pytest.param(fault, id=fault.name) for fault in FAULTS]


@pytest.mark.parametrize("fault", ROWS)
def test_a_fault_has_the_end_that_its_row_expects(fault: Fault, arrange: Arrange) -> None:
    world = arrange(fault)
    began = world.clock.passed()
    job = world.goes_on()
    check_the_end(job, fault.end, fault.name)
    assert fault.says in job.error_message
    assert fault.takes[0] <= world.clock.passed() - began <= fault.takes[1]
    assert world.posts == fault.refused + fault.posts <= fault.refused + 1
    check_the_picture(job, fault)
    check_nothing_is_left_lying_or_told(world)
    check_a_retry_by_hand(world, fault)


FACTS = {
    "provider": "(CometAPI|Black Forest Labs|Sandbox)", "model": ".+", "reason": r"(: “.+”| \(.+\)|)",
    "status": r"\d{3}", "minutes": r"[\d.]+ minutes", "or_set": "(, or set [A-Z_]+|)", "problem": "[A-Z].+",
    "error": r"\w+", "variable": "[A-Z_]+", "keeps": "for about ten minutes",
    "what": ".+", "remedy": ".+",
}  # fmt: skip


def causes_of(job: Job) -> set[str]:
    """The causes whose sentence this is, from its first letter to its full stop."""
    return {name for name in CAUSES if re.fullmatch(sentence_of(name, job), job.error_message)}


def sentence_of(name: str, job: Job) -> str:
    cause = CAUSES[name]
    charged, told = COSTS[cause.cost]
    if charged != job.charged or name == "unexpected":  # once it was taken, the job knows better than the cause
        told = f"({'|'.join(words for charged, words in COSTS.values() if charged == job.charged)})"
    return rf"{filled(cause.happened)}\. {told}: {filled(cause.remedy)}\."


def filled(text: str) -> str:
    return re.sub(r"\\\{(\w+)\\\}", lambda found: FACTS[found[1]], re.escape(text))


def check_the_picture(job: Job, fault: Fault) -> None:
    if job.step is not Step.DONE:
        assert not job.result
        assert not job.output.exists()
        return
    assert Path(job.result) == (job.folder / "result.png" if fault.kept_with_job else job.output)
    with Image.open(job.result) as picture:
        picture.load()
        assert (picture.format, picture.size) == ("PNG", (job.width, job.height))
        assert picture.size == (300, 244)


def check_nothing_is_left_lying_or_told(world: World) -> None:
    files = [path for path in world.folder.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix == ".part"]
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    assert world.job.error_message.isprintable()
    assert len(world.job.error_message) < 600
    for line, head in zip(world.proxy.lines, world.proxy.heads, strict=True):
        assert "/elsewhere" not in line
        assert KEY.encode() not in head or not line.startswith("GET /results/")


def check_a_retry_by_hand(world: World, fault: Fault) -> None:
    """It does what the row says; where it is for nothing and the fault is over, it brings the picture."""
    job, posts = world.job, world.posts
    world.faults_are_over()
    match fault.end.retry:
        case "free":
            assert world.journal.retry(job.id).id == job.id
            assert (world.goes_on().step, world.posts) == (Step.DONE, posts)
        case "anew":
            again = world.journal.retry(job.id)
            assert (again.step, again.remote_id, again.charged) == (Step.SUBMIT, "", "no")
            assert again.id != job.id
        case _:
            with pytest.raises(FluxDepthError):
                world.journal.retry(job.id)


TRIED_ELSEWHERE = {
    "asked_twice": "refused at the click: no job comes of it",
    "painting_broke": "said by providers of other protocols: see test_contract",
    "refused_there": "said by providers of other protocols: see test_contract",
    "over_cap": "refused at the click: no job comes of it",
    "key_in_the_clear": "needs an address on another computer, which test_client.py has",
    **dict.fromkeys(
        ("painting_broke", "refused_there", "server_lacks", "graph_failed", "stopped_there"),
        "not of the protocol that is played here: in test_contract.py, or in its own protocol's tests",
    ),
}


def test_every_cause_ends_some_row() -> None:
    assert {fault.end.cause for fault in FAULTS} - {""} == CAUSES.keys() - TRIED_ELSEWHERE.keys()


def test_every_edge_case_of_the_protocol_has_a_row() -> None:
    assert {number for fault in FAULTS for number in fault.edge} == set(range(1, 17))


def test_no_two_rows_share_a_name(campaign: Campaign) -> None:
    names = {row.name for row in (*FAULTS, *DAMAGES)}
    assert len(names) == len(FAULTS) + len(DAMAGES)
    found = {"faults": len(names), "different ends": len({fault.end for fault in FAULTS}), "causes": len(CAUSES)}
    campaign.tell("Faults, each with its end in the table", found)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_a_journal_that_cannot_be_used_is_told_and_loses_no_paid_picture(damage: Damage, arrange: Arrange) -> None:
    world = arrange(Fault(name=damage.name, poll=[PENDING] * 3, end=DONE))
    while world.look().step is not Step.POLL:
        world.takes_a_step()
    world.journal.close()
    file = world.journal.folder / "journal.sqlite3"
    damage.done(file)
    before = file.read_bytes()
    with pytest.raises(damage.error, match=re.escape(damage.says)):
        world.looks_again()
    assert file.read_bytes() == before
    if damage.starts_anew:
        assert start_anew(world.journal.folder) == 1
        world.open_journal()
        assert (world.goes_on().step, world.posts) == (Step.DONE, 1)


# Every status, in every envelope, in every order.


@pytest.mark.parametrize("status", SUBMIT_STATUSES)
def test_every_status_to_the_post_has_one_end_in_every_envelope(status: int, arrange: Arrange) -> None:
    world = arrange(Fault(name=f"{status}", end=SUBMIT_STATUSES[status]))
    for number, (name, body) in enumerate(BODIES.items()):
        world.tells(submit=[Answer(status, body=body)])
        world.enter_another()
        world.goes_on()
        check_the_end(world.job, expected(status, name), f"{status} with {name}")
        assert world.posts == number + 1


def expected(status: int, body: str) -> End:
    """Beside an error a success is none, but whether it was one is not known."""
    if status < 300 and body in ("BFL's other words", "CometAPI's"):
        return replace(SUBMIT_STATUSES[status], cause="answer_broken")
    return SUBMIT_STATUSES[status]


def check_the_end(job: Job, end: End, what: object) -> None:
    told = (what, job.error_message)
    assert (job.step, job.charged, job.error_action) == (end.step, end.charged, end.button), told
    assert causes_of(job) == ({end.cause} if end.cause else set()), told
    assert job.is_waiting_there == (end.retry == "free" or end.step is Step.DONE), told


@dataclass(frozen=True)
class Order:
    """Answers to polls and for the picture, in this order; at last all is well, or the last poll stays as it is."""

    polls: list[tuple[str, Answer, Any]]
    results: list[tuple[str, Answer, Any]]
    for_ever: bool

    @property
    def end(self) -> End:
        """By the meanings alone, with none of the product's own reading of them."""
        polls, results = [poll[2] for poll in self.polls], [result[2] for result in self.results]
        for place in count():
            if place >= len(polls) and self.for_ever and polls[-1] != "ready":
                return ENDS_FOR_EVER[polls[-1]]
            meaning = polls[place] if place < len(polls) else "ready"
            if meaning in ENDS:
                return ENDS[meaning]
            while meaning == "ready":
                said = results.pop(0) if results else "picture"
                if said == "picture":
                    return DONE
                if said == "dead":
                    break
        raise AssertionError

    def __str__(self) -> str:
        names = [name for name, *_ in (*self.polls, *self.results)]
        return ", then ".join(names) + (", for ever" if self.for_ever else "")


def orders(number: int, seed: int) -> Iterator[Order]:
    """First every answer once, then as many short orders as are wanted, put together by chance."""
    chance, alphabet = random.Random(seed), list(poll_answers())
    chance.shuffle(alphabet)
    last = [answer for answer in alphabet if answer[2] in ENDS or answer[2] == "ready"]
    passing = [answer for answer in alphabet if answer not in last]
    share = -(-len(passing) // len(last))
    for place, answer in enumerate(last):
        yield Order([*passing[place * share : (place + 1) * share], answer], [], for_ever=False)
    for _ in range(number):
        polls = chance.choices(alphabet, k=chance.randint(1, 4))
        yield Order(polls, chance.choices(RESULT_ANSWERS, k=chance.randint(0, 3)), for_ever=chance.random() < 0.2)


@pytest.mark.timeout(900)  # two thousand orders where a campaign asks for them
def test_every_order_of_answers_ends_as_their_meanings_say(arrange: Arrange, campaign: Campaign) -> None:
    world = arrange(Fault(name="orders", end=DONE))
    tried = Counter[str]()
    for number, order in enumerate(orders(campaign.examples, campaign.seed or 0), start=1):
        polls = [answer for _, answer, _ in order.polls]
        world.tells(
            poll=chain(polls, repeat(polls[-1])) if order.for_ever else polls,
            result=[answer for _, answer, _ in order.results],
        )
        world.enter_another(timeout=600.0 if len(polls) > 4 else 60.0)
        check_the_end(world.goes_on(), order.end, str(order))
        assert world.posts == number, str(order)
        tried[order.end.cause or "a picture"] += 1
    campaign.tell("Orders of answers, each with the end that they mean", {"orders": tried.total(), **tried})
