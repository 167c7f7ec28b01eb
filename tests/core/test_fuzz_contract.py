"""Whatever a provider says that is nearly what its documentation says, it ends in a result or in one true sentence.

What is documented is had from the emulators: all that they answer in the course of jobs of every kind. It is then bent.
"""

from __future__ import annotations

import json
import math
import time
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_depth_addon.core.errors import FluxDepthError
from flux_depth_addon.core.job import Step
from flux_depth_addon.core.providers import (
    Accepted,
    Answer,
    Cancelled,
    Elsewhere,
    Missing,
    Pending,
    Ready,
    Task,
    protocol,
)
from flux_depth_addon.core.request import Request
from tests.core.fuzzing import TABLE, anything, check_sentence, effort

from .conftest import FRAMING
from .emulators import Ending, Kind, Seen
from .emulators._http import body_of
from .faults.world import Clock
from .test_contract import EMULATORS, IN_MEMORY, Errand

READ: tuple[Kind, ...] = ("upload", "submit", "poll", "cancel", "probe")
STATUSES = [100, 200, 201, 202, 204, 301, 400, 401, 402, 403, 404, 409, 413, 422, 429, 499, 500, 502, 503, 504, 999]
HEADERS = st.sampled_from(["", "0", "-1", "1e400", "nan", "1.5", "99999"]) | st.text(max_size=9)
ID = "4f2c8a6e-0000-4000-8000-000000000001"


def asked(name: str) -> list[Kind]:
    """What this provider is asked of these: what its emulator has an answer of its own to."""
    return [kind for kind in READ if kind in vars(EMULATORS[name])]


@cache
def documented(name: str, control: bytes) -> dict[Kind, list[Answer]]:
    """All that this provider was heard to say."""
    said: list[tuple[Kind | None, Any]] = [("submit", refusal.answer) for refusal in EMULATORS[name].refusals.values()]
    for ending in get_args(Ending):
        said += [(seen.kind, answer) for seen, answer in jobs(name, ending, control)]
    heard: dict[Kind, list[Answer]] = {kind: [] for kind in READ}
    for kind, answer in said:
        if kind in heard:
            lowered = {header.lower(): value for header, value in answer.headers.items()}
            heard[kind].append(Answer(answer.status, lowered, body_of(answer)))
    return {kind: answers for kind, answers in heard.items() if answers}


def jobs(name: str, ending: Ending, control: bytes) -> list[tuple[Seen, Any]]:
    """One that comes to that, and one that is cancelled; the connection is tested besides."""
    clock = Clock()
    with (
        TemporaryDirectory(dir=IN_MEMORY) as folder,
        EMULATORS[name]() as emulator,
        patch.object(time, "time", clock.time),
        patch.object(time, "sleep", clock.sleep),
    ):
        emulator.ending = ending
        errand = Errand(emulator, TABLE, Path(folder), clock)
        request = Request(prompt="a quiet room", model=emulator.model, framing=FRAMING)
        for cancels in (False, True):
            errand.enters(request, control)
            errand.goes_on(until=Step.POLL if cancels else None)
            if cancels:
                errand.journal.cancel(errand.job.id, there=errand.model.provider.cancels)
                errand.goes_on()
        errand.client.probe(errand.model, emulator.base)
        errand.journal.close()
        return emulator.said


def bent(data: object, draw: st.DrawFn) -> object:
    """The same with one thing in it changed, left out or added."""
    if isinstance(data, dict) and data and draw(st.integers(0, 3)):
        name = draw(st.sampled_from(sorted(data)))
        match draw(st.sampled_from(["within", "gone", "other", "more"])):
            case "within":
                return data | {name: bent(data[name], draw)}
            case "gone":
                return {key: value for key, value in data.items() if key != name}
            case "other":
                return data | {name: data[draw(st.sampled_from(sorted(data)))]}
        return data | {draw(st.sampled_from(["error", "detail", "status", "error_type", "data"])): draw(anything)}
    if isinstance(data, list) and data and draw(st.booleans()):
        return [bent(data[0], draw), *data[1:]]
    return draw(anything)


def answer_like(draw: st.DrawFn, like: Answer) -> Answer:
    """Near that one."""
    status = draw(st.sampled_from([like.status] * len(STATUSES) + STATUSES))
    body = like.body
    if like.json is not None:
        data = like.json
        for _ in range(draw(st.integers(1, 3))):
            data = bent(data, draw)
        body = json.dumps(data).encode()
    extra = draw(st.dictionaries(st.sampled_from([*like.headers, "retry-after"]), HEADERS, max_size=2))
    return Answer(status, {**like.headers, **extra}, body[: draw(st.sampled_from([len(body)] * 4 + [len(body) // 2]))])


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name in EMULATORS for kind in asked(name)])
@given(data=st.data())
@effort(4)
def test_every_answer_that_is_nearly_documented_has_an_end(
    name: str, kind: Kind, control: bytes, data: st.DataObject
) -> None:
    heard = documented(name, control)
    assert [*heard] == asked(name)
    draw: Any = data.draw
    answer = answer_like(draw, draw(st.sampled_from(heard[kind])))
    check_it_can_be_kept(the_end(name, kind, answer, draw))


def the_end(name: str, kind: Kind, answer: Answer, draw: Any) -> object:
    """What was read, or the error that it came to."""
    try:
        return read(name, kind, answer, draw)
    except FluxDepthError as error:
        return error


def read(name: str, kind: Kind, answer: Answer, draw: Any) -> object:
    """What the protocol makes of it."""
    model, speech = TABLE[EMULATORS[name].model], protocol(name)
    match kind:
        case "upload":
            return speech.read_upload(answer, model)
        case "submit":
            return speech.read_submission(answer, model)
        case "cancel":
            return speech.read_cancellation(answer, model)
        case "probe":
            return speech.read_probes([answer] * len(speech.probes(model)), model)
    place = f"{model.provider.base or 'http://127.0.0.1:8188'}/x/requests/{ID}"
    polling_url = draw(st.sampled_from(["", place, f"{place}/status"]))
    return speech.read_result(answer, model, Task("4f2c8a6e", ID, polling_url))


def check_it_can_be_kept(end: object) -> None:
    """By the journal, and shown in a panel."""
    match end:
        case FluxDepthError():
            check_sentence(end)
            seconds = getattr(end, "seconds", None)
            assert seconds is None or (math.isfinite(seconds) and 0 <= seconds <= 150)
        case Accepted(remote_id, polling_url, cost_usd):
            assert 0 < len(remote_id) <= 500
            assert remote_id.isprintable()
            assert polling_url == "" or polling_url.isprintable()
            assert cost_usd is None or 0 <= cost_usd < 1000
        case Pending(progress, _):
            assert progress is None or 0 <= progress <= 1
        case Elsewhere(polling_url):
            assert isinstance(polling_url, str)
            assert 0 < len(polling_url) <= 8192
        case Ready(sample, seed, cost_usd):
            assert 0 < len(sample) <= 8192
            assert sample.isprintable()
            assert seed is None or 0 <= seed < 2**63
            assert cost_usd is None or 0 <= cost_usd < 1000
        case str():
            check_sentence(end)
        case _:
            assert end is None or isinstance(end, Missing | Cancelled)


def test_the_emulators_say_enough(control: bytes) -> None:
    for name in EMULATORS:
        heard = documented(name, control)
        assert {"submit", "poll"} <= heard.keys(), name
        assert len({answer.body for answer in heard["poll"]}) > 3
