"""Whatever is sent to the sandbox or typed on the command line, it is understood, or refused in the documented way."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import socket
from collections.abc import Iterator
from email.message import Message

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from flux_depth_addon.cli.arguments import parser
from flux_depth_addon.core.sandbox import Behaviour, Sandbox
from flux_depth_addon.core.sandbox.answers import as_text
from flux_depth_addon.core.sandbox.painter import paint
from tests.core.fuzzing import anything, effort


def encoded(size: tuple[int, int], mode: str = "RGB", kind: str = "PNG") -> str:
    """A picture as a submission carries it."""
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


SOUND = encoded((256, 256))
ODD = [encoded((256, 300), "I;16"), encoded((300, 256), "P", "GIF"), encoded((256, 256), "CMYK", "JPEG")]
ODD += [encoded((255, 256)), "é" * 8, "data:image/png;base64," + SOUND, SOUND[:-40], "====", "eHh4" * 20]
images = st.sampled_from([SOUND, *ODD])
FIELDS = ["prompt", "control_image", "preprocessed_image", "seed", "steps", "guidance", "safety_tolerance"]
FIELDS += ["output_format", "prompt_upsampling", "finetune_id", "finetune_strength", "webhook_url", "odd"]
submissions = st.builds(
    lambda sound, odd: {"prompt": "x", "control_image": SOUND, "finetune_id": "f"} | sound | odd,
    st.fixed_dictionaries(
        {}, optional={"control_image": images, "seed": st.integers(), "output_format": st.just("png")}
    ),
    st.dictionaries(st.sampled_from(FIELDS), anything | images, max_size=3),
)
bodies = submissions.map(json.dumps).map(str.encode) | anything.map(json.dumps).map(str.encode) | st.binary(max_size=40)
targets = st.sampled_from(
    ["/flux/v1/flux-pro-1-0-depth-finetuned", "/v1/flux-pro-1.0-depth", "/v1/x", "/v1/get_result"]
)
targets |= st.sampled_from(
    ["/flux/v1/get_result?id=", "/results/", "/results/x.png", "/", "", "//", "/v1/credits", "*"]
)
targets |= st.text(max_size=30) | st.builds("/v1/get_result?{}".format, st.text(max_size=20))


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Sandbox]:
    with Sandbox(behaviour=Behaviour(delay=0, picture="echo", active_limit=0)) as sandbox:
        yield sandbox


@example("POST", "/flux/v1/x", json.dumps({"prompt": "\ud800", "control_image": SOUND, "seed": 2**63}).encode())
@example("POST", "/flux/v1/x", b"[" * 100_000)
@example("POST", "/flux/v1/x", b'{"detail":' * 950 + b"1" + b"}" * 950)
@given(st.sampled_from(["GET", "POST", "PUT"]), targets, bodies)
@effort(5)
def test_any_call_gets_an_answer_that_can_be_sent(endpoint: Sandbox, method: str, target: str, body: bytes) -> None:
    answer = endpoint.answer(method, target, Message(), body)
    assert 200 <= answer.status < 500
    assert isinstance(answer.body, bytes) or as_text(answer.body).encode()
    told = json.loads(as_text(answer.body)) if not isinstance(answer.body, bytes) else {}
    if isinstance(told, dict) and "polling_url" in told:  # what was taken has its picture
        result = endpoint.answer("GET", f"/v1/get_result?id={told['id']}", Message(), b"")
        assert isinstance(result.body, dict)
        sample = result.body["result"]["sample"].removeprefix(endpoint.base)
        assert endpoint.answer("GET", sample, Message(), b"").status == 200


lines = st.sampled_from([b"POST /v1/x HTTP/1.1", b"GET / HTTP/1.1", b"GET /\xff HTTP/1.1", b"PUT / HTTP/1.1", b"GET"])
lines |= st.sampled_from([b"Content-Length: " + size for size in (b"5", b"-1", b"9" * 4999, b"\xb2", b"1e3", b"")])
lines |= st.sampled_from([b"Transfer-Encoding: chunked", b"Expect: 100-continue", b":", b"\0"]) | st.binary(max_size=20)


@example(b"POST /v1/x HTTP/1.1\r\nContent-Length: " + b"9" * 4999 + b"\r\n\r\n")
@given(st.lists(lines, max_size=5).map(b"\r\n".join).map(lambda head: head + b"\r\n\r\nhello"))
@effort(seconds=5)
def test_any_bytes_on_the_wire_are_answered_or_hung_up_on(
    endpoint: Sandbox, capfd: pytest.CaptureFixture[str], data: bytes
) -> None:
    capfd.readouterr()
    address = ("127.0.0.1", int(endpoint.base.rpartition(":")[2]))
    with contextlib.suppress(OSError), socket.create_connection(address, timeout=5) as connection:
        connection.sendall(data)  # it may hang up at any moment
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    assert capfd.readouterr().err == ""


@given(
    st.integers(16, 80),
    st.integers(16, 80),
    st.text(max_size=20) | st.just("\ud800"),
    st.integers(-(2**63), 2**63),
    st.integers(0, 255),
)
@effort(0.1, seconds=10)
def test_any_prompt_and_seed_paint_a_picture(width: int, height: int, prompt: str, seed: int, level: int) -> None:
    control = Image.fromarray(np.full((height, width, 3), level, np.uint8))
    assert paint(control, prompt, seed).size == (width, height)


VERBS = ["depth", "restyle", "jobs", "resume", "sandbox"]
OPTIONS = ["-o", "--prompt", "--frame", "--near", "--far", "--curve", "--engine", "--megapixels", "--provider", "--url"]
OPTIONS += [
    "--model",
    "--seed",
    "--steps",
    "--guidance",
    "--finetune-id",
    "--timeout",
    "--port",
    "--data-dir",
    "--json",
]
OPTIONS += [
    "--output-format",
    "--safety-tolerance",
    "--prompt-upsampling",
    "--online-mode",
    "-h",
    "--",
    "-",
    "--pro",
    "@x",
]
words = st.sampled_from([*OPTIONS, "nan", "inf", "-1", "1e999", "9" * 5000, "\udcff", "%s", "{x}", "", "a.blend"])
words |= st.text(max_size=8)


@given(st.sampled_from(VERBS) | words, st.lists(words, max_size=8))
@effort(4)
def test_any_command_line_is_understood_or_wrong_usage(verb: str, rest: list[str]) -> None:
    said, told = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(told):
        try:
            arguments = parser().parse_args([verb, *rest])
        except SystemExit as end:
            code = end.code
        else:
            code = None
    if code is not None:
        assert code == (2 if said.getvalue() else 0)
        return
    assert arguments.verb in VERBS
    assert abs(getattr(arguments, "frame", None) or 0) <= 1048574
    assert 0 < getattr(arguments, "timeout", 1.0) <= 86400
