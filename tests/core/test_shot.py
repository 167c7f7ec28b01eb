"""Shots: which frames, in which range, and that none is paid for twice, whichever computer is given it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flux_depth_addon.core import claim, receipt
from flux_depth_addon.core.client import Client
from flux_depth_addon.core.depth_map import DepthSettings
from flux_depth_addon.core.entry import Entry
from flux_depth_addon.core.errors import EmptyDepthError, InputError
from flux_depth_addon.core.frames import Plan, known, planned
from flux_depth_addon.core.job import Job, Step
from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.models import Model, Table
from flux_depth_addon.core.request import Request, to_json
from flux_depth_addon.core.sandbox import Answer, Behaviour, Sandbox
from flux_depth_addon.core.shot import (
    FILE,
    begun_with,
    frames_between,
    frames_from,
    going_on,
    is_whole,
    lock,
    locked_range,
    path_of,
    present,
    read,
    sampled,
    settled,
    spans,
)
from flux_depth_addon.core.worker import finish, step
from tests.secrets_watch import marked_key

KEYS = {"cometapi": marked_key("cometapi")}
LOCKED = DepthSettings(near=1.5, far=12.0)
FRAMES = [1, 2, 3, 7]


@pytest.fixture
def shared(wish: Callable[..., Request]) -> Request:
    return wish(depth=LOCKED, seed=7, scene="Scene", camera="Camera")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "shared" / "shot"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def provider() -> Iterator[Sandbox]:
    with Sandbox(behaviour=Behaviour(delay=0.0, picture="echo")) as running:
        yield running


class Computer:
    """One of a farm: a journal of its own, and the shot's folder, which all share."""

    def __init__(self, data: Path, folder: Path, shared: Request, control: bytes, table: Table, base: str) -> None:
        self.journal = Journal(data)
        self.folder, self.shared, self.control, self.base = folder, shared, control, base
        self.model: Model = table[shared.model]
        self.client = Client(table, KEYS)

    def plan(self, *frames: int, anew: bool = False) -> Plan:
        asked = (self.folder, frames, self.shared, self.model, self.base)
        return planned(self.journal, *asked, timeout=60.0, anew=anew)

    def added(self, *frames: int) -> list[Job]:
        entries = [
            Entry(replace(self.shared, frame=float(frame)), self.control, 0.096, path_of(self.folder, frame))
            for frame in frames
        ]
        return self.journal.add_many(entries, base=self.base)

    def take_steps(self, job: Job, number: int) -> Job:
        """As far as it got before it was lost."""
        for _ in range(number):
            time.sleep(max(self.journal.get(job.id).due - time.time(), 0))
            claimed = self.journal.claim(job_id=job.id)
            assert claimed
            step(claimed, self.client, self.journal)
        return self.journal.get(job.id)

    def finish(self, jobs: list[Job]) -> list[Job]:
        return [job for job in finish(jobs, self.client, self.journal) if job.is_final]


@pytest.fixture
def computer(
    tmp_path: Path, folder: Path, shared: Request, control: bytes, table: Table, provider: Sandbox
) -> Iterator[Callable[..., Computer]]:
    made: list[Computer] = []

    def one(name: str, base: str = "", **changes: object) -> Computer:
        asked = replace(shared, **changes)  # type: ignore[arg-type]
        made.append(Computer(tmp_path / name, folder, asked, control, table, base or provider.base))
        return made[-1]

    yield one
    for each in made:
        each.journal.close()


# Which frames.


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("7", [7]),
        ("1-4", [1, 2, 3, 4]),
        ("1-9:4", [1, 5, 9]),
        ("1..3", [1, 2, 3]),
        (" 3, 1-2 ,2-3 ", [1, 2, 3]),
        ("0-0", [0]),
    ],
)
def test_frames_are_read_from_a_text(text: str, frames: list[int]) -> None:
    assert frames_from(text) == frames


@pytest.mark.parametrize(
    "text", ["", "x", "1-", "-3", "4-1", "1-4:0", "1-100000", "1048575", "1,,2", "99999999999", "1-2000,3000-3001"]
)
def test_frames_that_are_none_or_too_many_are_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match="Nothing was sent"):
        frames_from(text)


def test_a_hundred_thousand_frames_are_refused_at_once() -> None:
    with pytest.raises(InputError, match="100,000 frames is too long: 2,000 are the most"):
        frames_between(1, 100_000)


def test_frames_are_told_in_spans() -> None:
    assert spans([14, 12, 7, 13]) == "7, 12-14"
    assert spans([1, 3, 5, 9, 11], step=2) == "1-5:2, 9, 11"
    assert spans(range(0, 40, 4), most=2) == "0, 4, …"


def test_a_range_is_found_on_frames_from_the_first_to_the_last() -> None:
    assert sampled([3, 4]) == [3, 4]
    chosen = sampled(range(1, 101))
    assert (chosen[0], chosen[-1], len(chosen)) == (1, 100, 9)


# One range.


def test_the_locked_range_holds_the_range_of_every_frame() -> None:
    views = [np.linspace(low, high, 400, dtype=np.float32).reshape(20, 20) for low, high in ((1, 5), (2, 40))]
    depth = locked_range(views, DepthSettings())
    assert depth.near is not None
    assert depth.far is not None
    assert depth.near < 1.05
    assert depth.far > 39
    assert len(f"{depth.near:g}") <= 5


def test_what_is_set_stays_and_a_frame_that_sees_nothing_has_no_say() -> None:
    nothing = np.full((20, 20), np.inf, np.float32)
    view = np.linspace(1, 5, 400, dtype=np.float32).reshape(20, 20)
    depth = locked_range([nothing, view], DepthSettings(far=9.0, curve="linear"))
    assert (depth.far, depth.curve) == (9.0, "linear")
    with pytest.raises(EmptyDepthError, match="any frame"):
        locked_range([nothing], DepthSettings())


# What the frames share.


def test_a_shot_is_gone_on_with_as_it_was_begun(folder: Path, shared: Request) -> None:
    assert read(folder) is None
    held = lock(folder, replace(shared, frame=12.0, view_layer="Layer", camera_matrix=(1.0,) * 16), FRAMES)
    assert held == read(folder) == shared
    assert going_on(replace(shared, seed=None, depth=DepthSettings()), held, "shot") == shared


def written(request: Request, frames: str = "1-3") -> str:
    return json.dumps(json.loads(to_json(request)) | {"frames": frames})


def test_a_shot_remembers_the_frames_that_it_was_begun_with(folder: Path, shared: Request) -> None:
    assert begun_with(folder) == []
    lock(folder, shared, FRAMES)
    assert begun_with(folder) == FRAMES


def test_who_is_second_to_begin_a_shot_takes_the_first_one_s_range(folder: Path, shared: Request) -> None:
    lock(folder, shared, FRAMES)
    assert lock(folder, replace(shared, seed=8), FRAMES).seed == 7
    assert lock(folder, replace(shared, seed=8), FRAMES, anew=True).seed == 8
    assert [path.name for path in folder.iterdir()] == [FILE]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"prompt": "else"}, "prompt"),
        ({"seed": 9}, "seed"),
        ({"depth": DepthSettings(near=1.0, far=12.0)}, "depth range"),
        ({"depth": DepthSettings(curve="linear")}, "depth range"),
        ({"depth": replace(LOCKED, blur=0.03)}, "shape of its depth maps"),
        ({"camera": "Other"}, "camera"),
    ],
)
def test_another_look_within_a_shot_is_told(
    folder: Path, shared: Request, change: dict[str, object], word: str
) -> None:
    with pytest.raises(InputError, match=f"begun with another {word}.*Nothing was sent"):
        going_on(replace(shared, **change), lock(folder, shared, FRAMES), "shot")  # type: ignore[arg-type]


def test_a_distance_that_blender_rounded_is_the_same(shared: Request) -> None:
    asked = replace(shared, depth=replace(LOCKED, near=1.5000000190734863))
    assert going_on(asked, shared, "shot").depth == LOCKED


def test_until_a_frame_is_painted_a_shot_may_begin_otherwise(folder: Path, shared: Request, control: bytes) -> None:
    lock(folder, shared, FRAMES)
    other = replace(shared, prompt="else")
    assert settled(folder, other) is None
    assert read(folder) is None
    lock(folder, shared, FRAMES)
    path_of(folder, 3).write_bytes(control)
    with pytest.raises(InputError, match="another prompt"):
        settled(folder, other)
    assert settled(folder, other, anew=True) is None
    assert settled(folder, replace(shared, seed=None)) == shared


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"near": 1}',
        "SEEDLESS",
        "RANGELESS",
        "UPSIDE DOWN",
        "INFINITE",
        "FRAMELESS",
        "NO FRAMES",
        "TOO MANY FRAMES",
        "LONG",
    ],
)
def test_a_stranger_s_shot_file_is_one_sentence(folder: Path, shared: Request, content: bytes | str) -> None:
    forged = {
        "SEEDLESS": written(replace(shared, seed=None)),
        "RANGELESS": written(replace(shared, depth=DepthSettings())),
        "UPSIDE DOWN": written(replace(shared, depth=DepthSettings(near=9.0, far=1.0))),
        "INFINITE": written(shared).replace("12.0", "Infinity"),
        "FRAMELESS": to_json(shared),
        "NO FRAMES": written(shared, "all of them"),
        "TOO MANY FRAMES": written(shared, "1-100000"),
        "LONG": written(replace(shared, prompt="x" * 300_000)),
    }
    data = content if isinstance(content, bytes) else forged[content].encode()
    (folder / FILE).write_bytes(data)
    with pytest.raises(InputError, match="does not say how this shot is painted"):
        read(folder)


def test_a_frame_that_broke_off_is_not_there(folder: Path, control: bytes) -> None:
    path_of(folder, 1).write_bytes(control)
    path_of(folder, 2).write_bytes(control[:-1])
    path_of(folder, 3).write_bytes(b"")
    path_of(folder, 4).mkdir()
    assert present(folder, range(1, 6)) == {1}
    assert path_of(folder, 1).name == "shot_0001.png"


# Paid once, whichever computer.


def test_a_shot_is_painted_many_frames_at_once(computer: Callable[..., Computer], provider: Sandbox) -> None:
    one = computer("one")
    done = one.finish(one.added(1, 2, 3))
    assert [job.step for job in done] == [Step.DONE] * 3
    assert present(one.folder, range(1, 4)) == {1, 2, 3}
    assert len(provider.posts) == 3
    assert not (one.folder / "sent").exists()


def test_a_frame_that_is_there_is_not_sent_again(computer: Callable[..., Computer]) -> None:
    one = computer("one")
    one.finish(one.added(1))
    plan = computer("two").plan(1, 2)
    assert (plan.there, plan.missing) == ([1], [2])


def test_what_a_lost_computer_has_sent_is_fetched_by_another_for_nothing(
    computer: Callable[..., Computer], provider: Sandbox
) -> None:
    one, two = computer("one"), computer("two")
    lost = one.take_steps(one.added(7)[0], 1)
    assert lost.remote_id
    plan = two.plan(7)
    assert plan.missing == plan.unknown == []
    (done,) = two.finish(list(plan.on_its_way.values()))
    assert (done.step, done.result, done.charged) == (Step.DONE, str(path_of(two.folder, 7)), "yes")
    assert is_whole(path_of(two.folder, 7))
    assert len(provider.posts) == 1
    assert not claim.found(two.folder)


def test_its_own_journal_fetches_it_too(computer: Callable[..., Computer], provider: Sandbox) -> None:
    one = computer("one")
    job = one.take_steps(one.added(7)[0], 1)
    assert one.plan(7).on_its_way[7].id == job.id
    one.journal.cancel(job.id)
    (done,) = one.finish(list(one.plan(7).on_its_way.values()))
    assert (done.id, done.step, len(provider.posts)) == (job.id, Step.DONE, 1)


def test_a_frame_whose_sending_was_cut_off_is_not_sent_again_by_itself(
    computer: Callable[..., Computer], provider: Sandbox
) -> None:
    one, two = computer("one"), computer("two")
    job = replace(one.added(7)[0], submit_started=time.time(), sent_to=one.base)
    one.journal.claim(job_id=job.id)
    one.journal.save(job)  # and the computer is gone
    assert two.plan(7).unknown == [7]
    (refused,) = two.finish(two.added(7))
    assert (refused.step, refused.charged) == (Step.FAILED, "no")
    assert "was sent by another computer" in refused.error_message
    assert not provider.posts
    assert two.plan(7, anew=True).missing == [7]
    assert [job.step for job in two.finish(two.added(7))] == [Step.DONE]


def test_of_two_computers_at_once_one_sends(computer: Callable[..., Computer], provider: Sandbox) -> None:
    computers = [computer(name) for name in ("one", "two", "three")]
    jobs = [each.added(7)[0] for each in computers]
    ends = [each.take_steps(job, 1) for each, job in zip(computers, jobs, strict=True)]
    assert [job.step for job in ends] == [Step.POLL, Step.FAILED, Step.FAILED]
    assert len(provider.posts) == 1


def test_a_refusal_that_costs_nothing_leaves_the_frame_free(computer: Callable[..., Computer]) -> None:
    answers = [Answer(402, body={"detail": "Insufficient credits"}), Answer(429, body={"detail": "busy"})]
    with Sandbox(behaviour=Behaviour(submit_answers=answers)) as poor:
        one = computer("one", poor.base)
        one.take_steps(one.added(7)[0], 1)
        assert one.plan(7).missing == [7]
        again = one.take_steps(one.added(7)[0], 1)
        assert (again.step, again.submit_started) == (Step.SUBMIT, None)
        assert not claim.found(one.folder)


def test_a_frame_that_waits_in_the_journal_is_not_asked_for_twice(computer: Callable[..., Computer]) -> None:
    one = computer("one")
    one.added(7)
    assert list(one.plan(7, 8).on_its_way) == [7]


def forge(one: Computer, **changes: object) -> Path:
    """A claim as a stranger would leave it."""
    job = one.take_steps(one.added(7)[0], 1)
    place = claim.place_of(job.output)
    assert place
    row = json.loads((place / receipt.FILE).read_text())
    (place / receipt.FILE).write_text(json.dumps(row | changes))
    return place


@pytest.mark.parametrize(
    "changes",
    [
        {"sent_to": "https://evil.example"},
        {"id": "../../../evil"},
        {"remote_id": ""},
        {"remote_id": 7},
        {"request": "{"},
        {"step": "DANCE"},
    ],
)
def test_a_forged_claim_sends_no_key_anywhere_and_pays_nothing(
    computer: Callable[..., Computer], provider: Sandbox, changes: dict[str, object], tmp_path: Path
) -> None:
    forge(computer("one"), **changes)
    two = computer("two")
    assert two.plan(7).unknown == [7]
    assert len(provider.posts) == 1
    assert not list(tmp_path.rglob("evil*"))


def test_of_a_claim_only_the_task_is_believed(computer: Callable[..., Computer], tmp_path: Path) -> None:
    forge(computer("one"), output=str(tmp_path / "elsewhere.png"), price_usd=-1000.0, billed_usd=-1000.0, seed=3)
    two = computer("two")
    (done,) = two.finish(list(two.plan(7).on_its_way.values()))
    assert done.result == str(path_of(two.folder, 7))
    assert done.cost_usd == 0.096
    assert not (tmp_path / "elsewhere.png").exists()


def test_a_claim_names_no_file_of_its_computer(computer: Callable[..., Computer]) -> None:
    one = computer("one")
    entry = Entry(one.shared, one.control, 0.096, path_of(one.folder, 7))
    (job,) = one.journal.add_many([entry], base=one.base, origin="/home/somebody/secret.blend")
    one.take_steps(job, 1)
    assert b"secret" not in b"".join(path.read_bytes() for path in one.folder.rglob("*.json"))


def test_the_very_same_picture_is_copied_from_the_journal(
    computer: Callable[..., Computer], provider: Sandbox, tmp_path: Path
) -> None:
    one = computer("one")
    one.finish(one.added(1))
    assert known(one.journal, one.shared, one.control, path_of(one.folder, 2))
    assert is_whole(path_of(one.folder, 2))
    assert not known(one.journal, replace(one.shared, seed=8), one.control, path_of(one.folder, 3))
    assert len(provider.posts) == 1


def test_a_picture_of_no_shot_is_claimed_by_nobody(tmp_path: Path) -> None:
    assert claim.place_of(tmp_path / "out.png") is None
    assert claim.place_of(tmp_path / "flux_depth" / "Scene_Camera_0007_0123456789ab.png") is None
    assert claim.place_of(tmp_path / "a" / "b_0007.png") is None


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_sent(
    computer: Callable[..., Computer], provider: Sandbox
) -> None:
    one = computer("one")
    job = one.added(7)[0]
    one.folder.chmod(0o500)
    try:
        assert "cannot be written" in one.take_steps(job, 1).error_message
    finally:
        one.folder.chmod(0o700)
    assert not provider.posts
