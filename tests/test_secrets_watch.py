"""The watch over keys is not blind: tests that let one out on purpose, each in another way, are caught and named."""

from __future__ import annotations

import base64
import json
import urllib.parse
from pathlib import Path

import pytest

from tests.secrets_watch import marked_key, shown_form

pytest_plugins = ["pytester"]

CHECKOUT = Path(__file__).parents[1]
KEY = marked_key("cometapi")

LEAKING = """
import base64, json, logging, os, subprocess, sys
import pytest, requests
from tests.secrets_watch import marked_key
from flux_depth_addon.core.errors import InputError
from flux_depth_addon.core.sandbox import Behaviour, Sandbox

KEY = marked_key("cometapi")


@pytest.fixture
def server():
    with Sandbox() as sandbox:
        yield sandbox


def test_file(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "log.txt").write_bytes(b"x" * 99 + base64.b64encode(f"ab{KEY}".encode()))


def test_name_of_file(tmp_path):
    (tmp_path / KEY.replace("/", "_")).touch()


def test_journal(tmp_path, monkeypatch):
    folder = tmp_path.parent / "journal"
    folder.mkdir()
    monkeypatch.setenv("FLUX_DEPTH_DATA", str(folder))
    (folder / "journal.sqlite3-wal").write_text(KEY)


def test_print(): print("Bearer " + KEY)


def test_print_that_the_test_reads(capfd):
    os.write(2, KEY.encode())
    capfd.readouterr()


def test_log(): logging.getLogger("x").warning("asked with %s", KEY)


def test_address(server): requests.get(server.base + "/v1/models", params={"key": KEY}, timeout=5)


def test_wrong_header(server): requests.get(server.base + "/v1/models", headers={"x-key": KEY}, timeout=5)


def test_wrong_place(server):
    requests.get(server.base + "/results/x.png", headers={"Authorization": "Bearer " + KEY}, timeout=5)


def test_body(server): requests.post(server.base + "/v1/x", json={"prompt": KEY}, timeout=5)


def test_environment():
    subprocess.run([sys.executable, "-c", ""], env={**os.environ, "THEIR_KEY": KEY}, check=True)


def test_inherited_environment(monkeypatch):
    monkeypatch.setenv("COMETAPI_KEY", KEY)
    subprocess.run([sys.executable, "-c", ""], check=True)


def test_command_line(): subprocess.run([sys.executable, "-c", "", KEY], check=True)


def test_said_by_a_child():
    subprocess.run([sys.executable, "-c", f"print({KEY[:9]!r} + {KEY[9:]!r})"], capture_output=True, check=True)


def test_error(): InputError("refused: " + KEY)


def test_hidden_error():
    try:
        raise ValueError(KEY)
    except ValueError:
        with pytest.raises(InputError):
            raise InputError("refused")


@pytest.mark.key_is_planted("file other")
def test_planted_elsewhere(tmp_path): (tmp_path / "netrc").write_text(KEY)
"""

QUIET = """
import os, subprocess, sys
import pytest, requests
from tests.secrets_watch import marked_key
from flux_depth_addon.core.sandbox import Sandbox

KEY = marked_key("cometapi")


def test_right_header():
    with Sandbox() as sandbox:
        headers = {"Authorization": "Bearer " + KEY}
        requests.get(sandbox.base + "/v1/models", headers=headers, timeout=5)
        requests.post(sandbox.base + "/flux/v1/x", json={}, headers=headers, timeout=5)
        requests.get(sandbox.base + "/v1/credits", headers={"x-key": marked_key("bfl")}, timeout=5)


@pytest.mark.key_is_planted("file netrc")
def test_planted(tmp_path): (tmp_path / "netrc").write_text(KEY)


def test_nothing(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("COMETAPI_KEY", KEY)
    (tmp_path / "x").write_bytes(os.urandom(10_000))
    print("hello")
    subprocess.run([sys.executable, "-c", ""], env={}, check=True)
"""


def outcomes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, text: str) -> pytest.RunResult:
    """What comes of these tests under the watch, in a process of its own."""
    pytester.makepyfile(text)
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    return pytester.runpytest_subprocess("-p", "tests.secrets_watch", "-p", "no:cacheprovider")


@pytest.mark.key_is_planted("*")
def test_every_test_that_lets_a_key_out_is_caught(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [line.split("(")[0].removeprefix("def ") for line in LEAKING.splitlines() if line.startswith("def test_")]
    result = outcomes(pytester, monkeypatch, LEAKING)
    result.assert_outcomes(passed=len(names), errors=len(names))
    said = result.stdout.str()
    for name in names:
        assert f"::{name} let a key out:" in said
    for place in ("file deep/log.txt, in base64", "child's environment THEIR_KEY", "header x-key of a request to"):
        assert f"  {place}" in said


def test_what_is_allowed_is_left_alone(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes(pytester, monkeypatch, QUIET).assert_outcomes(passed=3)


@pytest.mark.parametrize(
    "hidden",
    [
        KEY,
        urllib.parse.quote(KEY, safe=""),
        "".join(f"%{ord(letter):02X}" for letter in KEY),
        json.dumps(KEY).replace("/", r"\/"),
        "".join(f"\\u{ord(letter):04X}" for letter in KEY),
        KEY.encode().hex(),
        KEY.encode().hex().upper(),
        KEY.encode("utf-16-le").decode("latin-1"),
        *(base64.b64encode(b"user:"[:count] + KEY.encode()).decode() for count in range(5)),
        base64.urlsafe_b64encode(KEY.encode()).decode(),
    ],
)
@pytest.mark.key_is_planted("*")
def test_a_key_is_known_in_every_form(hidden: str) -> None:
    assert shown_form(b"\0\xff" + hidden.encode("latin-1") + b"\xfe")
    assert not shown_form(b"\0\xff" + hidden.encode("latin-1")[:12] + b"\xfe")
