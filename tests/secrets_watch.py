"""Searches every byte that a test wrote, printed or sent for an API key, in every form that a key could take.

A pytest plugin. Tests take their keys from `marked_key`. After each test are searched: the files below its folders
and Blender's, what it and its children said, what its servers received, the command lines and environments of its
children, and every error that was made. A key may stand in its own provider's header, of a request to that
provider's own paths, and nowhere else. What a test plants on purpose it says, narrowly:
`@pytest.mark.key_is_planted("file netrc")`; the places are those that a failure names, `*` stands for anything.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

__all__ = ["FORMS", "MARK", "marked_key", "note_server", "shown_form"]

MARK = "kEyMaRk7Zq4"
"""Letters and digits, which no quoting changes."""


def marked_key(provider: str) -> str:
    """A key that a provider could have given; it holds what addresses and JSON write in another way."""
    return f"sk-{MARK}/{provider}+1"


def in_base64(text: str) -> Iterator[bytes]:
    """The letters that base64 makes of the text, wherever it begins in what is encoded."""
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + text.encode() + b"\0" * 3)
        yield coded[4 if before else 0 : (before + len(text)) // 3 * 4]


FORMS: dict[str, list[bytes]] = {
    "as it is": [MARK.encode()],
    "in base64": list(in_base64(MARK)),
    "in hexadecimal": [MARK.encode().hex().encode(), MARK.encode().hex().upper().encode()],
    "in JSON's escapes": ["".join(f"\\u{ord(letter):04x}" for letter in MARK).encode()],
    "in an address's escapes": ["".join(f"%{ord(letter):02x}" for letter in MARK).encode()],
    "in 16 bits a letter": [MARK.encode("utf-16-le"), MARK.encode("utf-16-be")],
}
CASELESS = {"in JSON's escapes", "in an address's escapes"}

HEADERS = {
    "authorization": (f"Bearer {marked_key('cometapi')}", re.compile(r"/flux/v1/[^/]+|/v1/models")),
    "x-key": (marked_key("bfl"), re.compile(r"/v1/[^/]+")),
}
"""Where a key may stand, and at which paths."""

ZSTD = b"\x28\xb5\x2f\xfd"


def shown_form(data: bytes | str) -> str:
    """How a key stands in there, or nothing."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    for form, patterns in FORMS.items():
        where = raw.lower() if form in CASELESS and (b"\\u" in raw or b"%6" in raw) else raw
        if any((pattern.lower() if form in CASELESS else pattern) in where for pattern in patterns):
            return form
    return ""


@dataclass
class Seen:
    """What one test did, as far as it is not on the disk."""

    began: float = field(default_factory=time.time)
    servers: list[Any] = field(default_factory=list)
    children: list[subprocess.Popen[Any]] = field(default_factory=list)
    spawned: list[tuple[str, Mapping[Any, Any]]] = field(default_factory=list)
    output: list[bytes | str] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)


now = Seen()
"""What the test that runs has done."""


def note_server(server: Any) -> None:
    """Watch what this server receives: a Told, a Sandbox, or any that keeps the raw `heads` of its requests."""
    now.servers.append(server)


@dataclass(frozen=True)
class Leak:
    """A key, and where it was found."""

    place: str
    form: str


# What a test left behind.


def leaks(item: pytest.Item, folders: Iterable[Path]) -> Iterator[Leak]:
    """All keys that are somewhere they must not be."""
    for place, data in everywhere(item, folders):
        if form := shown_form(data):
            yield Leak(place, form)


def everywhere(item: pytest.Item, folders: Iterable[Path]) -> Iterator[tuple[str, bytes | str]]:
    """Each place by its name, and what is there."""
    for folder in folders:
        yield from files(folder)
    for report in Path(tempfile.gettempdir()).glob("*.crash.txt"):  # where Blender writes what it knows of its crash
        yield f"file {report.name}", written(report)
    yield from ((f"output {when} {name}", text) for when, name, text in item._report_sections)
    yield from (("output that the test read", text) for text in now.output)
    for command, environment in now.spawned:
        yield "child's command line", command
        for name, value in environment.items():
            yield f"child's environment {os.fsdecode(name)} of {command[:60]}", os.fsencode(value)
    for server in now.servers:
        yield from received(server)
    for error in now.errors:
        yield "error", "\n".join(map(repr, chain(error)))


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what a traceback of it would show."""
    inner: BaseException | None = error
    while inner:
        yield inner
        inner = inner.__cause__ or inner.__context__


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """What was written below there since the test began."""
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            place = f"file {path.relative_to(folder)}"
            yield f"name of {place}", os.fsencode(path.relative_to(folder))
            yield place, unpacked(written(path))


def written(path: Path) -> bytes:
    """What is in a file that was written since the test began; clocks of file systems are coarse."""
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_mtime > now.began - 2 else b""
    except FileNotFoundError:  # a worker that still runs took its temporary file away
        return b""


def unpacked(data: bytes) -> bytes:
    """A compressed .blend as it was before."""
    if not data.startswith(ZSTD):
        return data
    import zstandard

    return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()


def received(server: Any) -> Iterator[tuple[str, bytes | str]]:
    """What came in by each request, without the key where it belongs."""
    for seen in getattr(server, "seen", ()) if hasattr(server, "key_is_meant") else ():
        yield from received_by_emulator(server, seen)
    for target, headers, body in requests_of(server):
        yield f"address of a request to {target[:40]}", target
        yield f"body of a request to {target[:40]}", body
        path = target.partition(" ")[2].partition("?")[0]
        for name, value in headers:
            meant, paths = HEADERS.get(name.lower(), ("", re.compile("$")))
            if not (value == meant and paths.fullmatch(path)):
                yield f"header {name.lower()} of a request to {target[:40]}", f"{name}: {value}"


def received_by_emulator(server: Any, seen: Any) -> Iterator[tuple[str, bytes | str]]:
    """The same where the server itself knows which header of which request its key belongs in."""
    where = f"a request to {seen.method} {seen.target[:40]} at the {seen.host} host"
    yield f"address of {where}", seen.target
    yield f"body of {where}", seen.body
    for name, value in seen.headers.items():
        if not server.key_is_meant(seen, name, value):
            yield f"header {name} of {where}", f"{name}: {value}"


def requests_of(server: Any) -> Iterator[tuple[str, list[tuple[str, str]], bytes | str]]:
    """Method and target, headers and body of each."""
    if hasattr(server, "key_is_meant"):
        return
    if hasattr(server, "seen"):
        for seen in server.seen:
            yield f"{seen.method} {seen.target}", list(seen.headers.items()), seen.body
        return
    if hasattr(server, "heads"):
        for head in list(server.heads):
            line, *lines = head.decode("latin-1").split("\r\n")
            yield line.rpartition(" ")[0], [tuple(each.partition(": ")[::2]) for each in lines], ""  # type: ignore[misc]
        return
    for line, headers in zip(server.requests, server.headers, strict=False):
        yield line, list(headers.items()), ""
    for post in server.posts:
        yield f"POST {post.path}", [], repr(post.body)


# What is watched while a test runs.


def watch_children() -> None:
    """Remember every child that is started, with what it is given and what it is read to say."""
    start, communicate = subprocess.Popen.__init__, subprocess.Popen.communicate

    def started(self: Any, *arguments: Any, **options: Any) -> None:
        command, environment = options.get("args", arguments[:1]), options.get("env")
        now.spawned.append((ascii(command), dict(os.environ if environment is None else environment)))
        start(self, *arguments, **options)
        now.children.append(self)

    def told(self: Any, *arguments: Any, **options: Any) -> Any:
        said = communicate(self, *arguments, **options)
        now.output.extend(text for text in said if text)
        return said

    subprocess.Popen.__init__ = started  # type: ignore[method-assign]
    subprocess.Popen.communicate = told  # type: ignore[method-assign]


def watch_what_tests_read() -> None:
    """Remember what a test takes out of what was captured."""
    read = pytest.CaptureFixture.readouterr

    def readouterr(self: Any) -> Any:
        result = read(self)
        now.output.extend(text for text in result if text)
        return result

    pytest.CaptureFixture.readouterr = readouterr  # type: ignore[method-assign]


def watch_the_product() -> None:
    """Remember the sandboxes that are started and the errors that are made, in every copy that was imported."""
    for name, module in list(sys.modules.items()):
        if name.endswith("core.sandbox.endpoint"):
            remember(module.Sandbox, "start", lambda sandbox: now.servers.append(sandbox))
        elif name.endswith("core.faults.proxy"):
            remember(module.FaultProxy, "__init__", lambda proxy: now.servers.append(proxy))
        elif name.endswith("core.errors"):
            remember(module.FluxDepthError, "__init__", lambda error: now.errors.append(error))


def remember(kind: Any, method: str, note: Any) -> None:
    """Have the instance noted whenever this method is called."""
    inner = getattr(kind, method)
    if hasattr(inner, "watched"):
        return

    def noting(self: Any, *arguments: Any, **options: Any) -> Any:
        note(self)
        return inner(self, *arguments, **options)

    noting.watched = True  # type: ignore[attr-defined]
    setattr(kind, method, noting)


# The plugin.


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "key_is_planted(*places): this test puts a key there itself")
    watch_children()
    watch_what_tests_read()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    global now
    now = Seen(servers=[server for server in now.servers if serves(server)])
    watch_the_product()
    return (yield)


def serves(server: Any) -> bool:
    """Whether it is a sandbox that several tests share."""
    return getattr(server, "_server", None) is not None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    folders = list(dict.fromkeys(folders_of(item)))
    now.spawned.extend(as_they_run())
    result = yield
    allowed = [place for mark in item.iter_markers("key_is_planted") for place in mark.args]
    found = [leak for leak in dict.fromkeys(leaks(item, folders)) if not any(fnmatch(leak.place, a) for a in allowed)]
    if found:
        listed = "\n".join(f"  {leak.place}, {leak.form}" for leak in found)
        pytest.fail(f"{item.nodeid} let a key out:\n{listed}", pytrace=False)
    return result


def folders_of(item: pytest.Item) -> Iterator[Path]:
    """The test's own, the journal's, and Blender's."""
    values = getattr(item, "funcargs", {}).values()
    yield from (value for value in values if isinstance(value, Path) and value.is_dir())
    yield from (Path(os.environ[name]) for name in ("FLUX_DEPTH_DATA", "BLENDER_USER_RESOURCES") if name in os.environ)
    if bpy := sys.modules.get("bpy"):
        yield Path(bpy.app.tempdir)


def as_they_run() -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """The command lines and environments of children that are alive, as the system shows them to others."""
    for child in now.children:
        process = Path(f"/proc/{child.pid}")
        if child.returncode is None and process.exists():
            try:
                shown = {"as the system shows it": (process / "environ").read_bytes()}
                yield ascii((process / "cmdline").read_bytes()), shown
            except OSError:  # it has just ended
                continue
