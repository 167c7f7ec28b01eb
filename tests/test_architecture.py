"""The rules that keep the house in order, read from the syntax tree; each is shown to notice a breach."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from statistics import median, quantiles

import pytest

from flux_depth_addon.core.models import Table, load

PACKAGE = Path(__file__).parents[1] / "flux_depth_addon"
LONGEST_FILE = 400
MEDIAN_FUNCTION, P90_FUNCTION = 6, 20

HOMES = {
    "requests": {"core/wire.py"},
    "urllib3": {"core/wire.py"},
    "http": {"core/wire.py", "core/sandbox/server.py"},
    "socket": {"core/wire.py", "core/listener.py", "core/sandbox/server.py"},
    "socketserver": {"core/sandbox/server.py"},
    "ssl": {"core/wire.py", "core/certificates.py"},
    "truststore": {"core/certificates.py"},
    "certifi": {"core/certificates.py"},
    "sqlite3": {"core/database.py"},
    "websockets": {"core/listener.py"},
    "send2trash": {"bin.py"},
    "subprocess": {"worker_process.py"},
    "threading": {
        *("core/worker.py", "core/database.py", "core/listener.py", "core/sandbox/endpoint.py"),
        "core/sandbox/server.py",
    },
    "concurrent": {"core/worker.py"},
}
"""Who alone may import a library."""

BANNED = {"pip", "ensurepip", "multiprocessing", "asyncio", "pickle", "httpx", "aiohttp", "urllib.request"}
"""What nobody imports: installs, other ways to run beside Blender, what runs strangers' data, and other doors to the
network than wire.py and listener.py."""

EDGES = {"button.py", "watch.py", "core/worker.py"}
"""Where any exception at all may end: the window's buttons and its timer, which Blender drops when it raises, and the
worker's jobs."""

ARROWS = {
    "errors": set(),
    "causes": {"errors"},
    "addresses": {"errors"},
    "framing": {"errors"},
    "depth_map": {"errors", "shape"},
    "shape": {"errors"},
    "faithfulness": {"models"},
    "preset": {"errors", "faithfulness", "models"},
    "facts": set(),
    "picture_parts": set(),
    "provenance": {"errors", "picture_parts"},
    "core_dump": set(),
    "sandbox": {"core_dump"},
    "picture": {"errors", "framing", "provenance"},
    "composite": {"errors", "framing", "picture", "provenance", "record"},
    "models": {"errors", "addresses", "framing"},
    "request": {"errors", "framing", "depth_map", "models"},
    "loras": {"request"},
    "extra": set(),
    "start": {"errors", "framing", "picture"},
    "graph": {"errors"},
    "workflow": {"errors", "graph"},
    "places": {"addresses", "errors", "models"},
    "own_workflows": {"errors", "models", "picture", "workflow"},
    "providers": {"causes", "errors", "models", "request", "workflow"},
    "certificates": set(),
    "wire": {"addresses", "certificates", "providers"},
    "listener": {"certificates", "providers"},
    "client": {
        *("causes", "errors", "addresses", "listener", "models", "picture", "providers", "request", "wire"),
    },
    "record": {"depth_map", "errors", "framing", "loras", "provenance", "request"},
    "job": {"errors", "providers", "request"},
    "advance": {
        *("causes", "errors", "client", "job", "picture", "provenance", "providers", "record", "request"),
    },
    "database": {"errors"},
    "ledger": {"database"},
    "lease": {"database", "job"},
    "connection": {"database"},
    "history": {"database"},
    "receipt": {"errors", "job", "picture"},
    "entry": {"errors", "job", "picture", "request"},
    "claim": {"errors", "job", "receipt"},
    "shot": {"claim", "depth_map", "errors", "job", "request"},
    "journal": {
        *("advance", "causes", "claim", "database", "entry", "errors", "job", "lease", "ledger", "receipt", "request"),
    },
    "frames": {
        *("addresses", "claim", "entry", "errors", "framing", "job", "journal", "models", "picture", "request", "shot"),
    },
    "pace": {"database"},
    "batch": {"entry", "errors", "job", "journal", "pace", "request"},
    "carried": {"models", "request"},
    "instead": {"carried", "causes", "entry", "errors", "job", "journal", "models", "request"},
    "nearest": {"carried", "framing", "models", "request"},
    "grid": {"errors", "framing", "models", "request"},
    "contact_sheet": {"errors", "job", "picture"},
    "report": {"addresses", "job"},
    "disclosure": {"addresses", "models", "providers", "request"},
    "recovery": {"database", "errors", "job", "journal", "receipt"},
    "worker": {
        *("advance", "client", "connection", "core_dump", "errors", "job", "journal", "lease", "listener", "models"),
        *("pace", "picture", "sandbox"),
    },
}
"""What each module of core may import from core."""

NOT_WHILE_DRAWING = {
    "open",
    "requests",
    "journal",
    "Journal",
    "sqlite3",
    "subprocess",
    "socket",
    "urlopen",
    "read_text",
    "read_bytes",
    "write_text",
    "write_bytes",
    "mkdir",
    "iterdir",
    "glob",
    "rglob",
    "stat",
    "exists",
    "is_file",
    "is_dir",
    "foreach_set",
    "sleep",
}
VAGUE = re.compile(r"util|helper|manager|misc|common|stuff", re.IGNORECASE)
OTHERS_OWN = {"window_manager", "WindowManager", "proxy_manager_for"}
"""Names that Blender and requests have given."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file of the package, by its path within."""

    path: str
    text: str

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(ast.parse(self.text)))

    @property
    def in_core(self) -> bool:
        return self.path.startswith("core/")

    @property
    def part(self) -> str:
        """The module of core it belongs to: providers is one."""
        return self.path.removeprefix("core/").removesuffix(".py").partition("/")[0]

    @cached_property
    def functions(self) -> list[Function]:
        return [node for node in self.nodes if isinstance(node, Function)]

    def imports(self) -> Iterator[tuple[str, int, int]]:
        """Each imported name with its dots: (dotted name, level, line)."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((alias.name, 0, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module, node.level, node.lineno
            elif isinstance(node, ast.ImportFrom):
                yield from ((alias.name, node.level, node.lineno) for alias in node.names)


def the_package() -> list[Module]:
    files = sorted(PACKAGE.rglob("*.py"))
    return [Module(file.relative_to(PACKAGE).as_posix(), file.read_text(encoding="utf-8")) for file in files]


# The rules: each names its breaches.


def core_knows_no_blender(module: Module) -> Iterator[str]:
    for name, level, line in module.imports():
        if module.in_core and level == 0 and name.partition(".")[0] in {"bpy", "bmesh", "mathutils", "gpu", "blf"}:
            yield f"{line}: imports {name}"


def libraries_have_one_home(module: Module) -> Iterator[str]:
    for name, level, line in module.imports():
        library = name.partition(".")[0]
        if level == 0 and module.path not in HOMES.get(library, {module.path}):
            yield f"{line}: imports {name}"


def nobody_imports_what_is_banned(module: Module) -> Iterator[str]:
    for name, level, line in module.imports():
        if level == 0 and BANNED & {name, name.partition(".")[0]}:
            yield f"{line}: imports {name}"


def imports_within_are_relative(module: Module) -> Iterator[str]:
    for name, level, line in module.imports():
        if level == 0 and name.partition(".")[0] in {"flux_depth_addon", "core", "bl_ext"}:
            yield f"{line}: imports {name} by its full name"


def core_imports_along_the_arrows(module: Module) -> Iterator[str]:
    depth = module.path.count("/")
    for name, level, line in module.imports():
        if not module.in_core or level == 0:
            continue
        target = module.part if level < depth else name.partition(".")[0]
        if level > depth:
            yield f"{line}: reaches out of core for {name}"
        elif target != module.part and target not in ARROWS.get(module.part, set()):
            yield f"{line}: {module.part} imports {target}"


def any_exception_ends_only_at_the_edges(module: Module) -> Iterator[str]:
    for node in module.nodes:
        if isinstance(node, ast.ExceptHandler) and module.path not in EDGES and broad(node) and not raises_again(node):
            yield f"{node.lineno}: a broad except"
        if isinstance(node, ast.Call) and re.fullmatch(
            r"(contextlib\.)?suppress\(.*\b(Base)?Exception\b.*\)", ast.unparse(node)
        ):
            yield f"{node.lineno}: a broad suppress"


def broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or ast.unparse(kind) in {"Exception", "BaseException"} for kind in caught)


def raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def names_say_what_they_are(module: Module) -> Iterator[str]:
    if VAGUE.search(module.path):
        yield "0: the file's own name"
    for node in module.nodes:
        if isinstance(node, ast.ClassDef | Function):
            name = node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.id
        else:
            continue
        if VAGUE.search(name) and name not in OTHERS_OWN:
            yield f"{node.lineno}: {name}"


def nothing_is_run_from_text(module: Module) -> Iterator[str]:
    for node in module.nodes:
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in {"eval", "exec", "compile", "__import__", "os.system", "os.popen"} or called.startswith(
                "os.spawn"
            ):
                yield f"{node.lineno}: calls {called}"
            if any(word.arg == "shell" for word in node.keywords):
                yield f"{node.lineno}: calls {called} with a shell"


def drawing_only_draws(module: Module) -> Iterator[str]:
    for function in module.functions:
        if not re.match(r"_?draw", function.name):
            continue
        for node in ast.walk(function):
            name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
            if name in NOT_WHILE_DRAWING or (isinstance(node, ast.Call) and allocates(node)):
                yield f"{node.lineno}: {function.name} uses {name or ast.unparse(node)}"


def allocates(call: ast.Call) -> bool:
    return bool(re.fullmatch(r"bpy\.data\.\w+\.(new|load|remove)", ast.unparse(call.func)))


def what_core_offers_is_documented_and_typed(module: Module) -> Iterator[str]:
    if not module.in_core:
        return
    tree = ast.parse(module.text)
    if not ast.get_docstring(tree):
        yield "1: the module has no docstring"
    yield from undocumented(tree)


def undocumented(owner: ast.Module | ast.ClassDef) -> Iterator[str]:
    for node in owner.body:
        if not isinstance(node, ast.ClassDef | Function) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node) and not implements(owner, node):
            yield f"{node.lineno}: {node.name} has no docstring"
        if isinstance(node, ast.ClassDef):
            yield from undocumented(node)
        elif not fully_typed(node, method=isinstance(owner, ast.ClassDef)):
            yield f"{node.lineno}: {node.name} lacks an annotation"


def implements(owner: ast.Module | ast.ClassDef, node: ast.AST) -> bool:
    """Whether the name and its meaning are the standard library's."""
    inherited = ("do_GET", "do_POST", "log_message")
    return isinstance(owner, ast.ClassDef) and isinstance(node, Function) and node.name in inherited


def fully_typed(function: Function, *, method: bool) -> bool:
    every = function.args
    static = any(ast.unparse(decorator) == "staticmethod" for decorator in function.decorator_list)
    named = [*every.posonlyargs, *every.args][1 if method and not static else 0 :]
    rest = [argument for argument in (every.vararg, every.kwarg) if argument]
    return function.returns is not None and all(argument.annotation for argument in (*named, *every.kwonlyargs, *rest))


def files_fit_in_the_head(module: Module) -> Iterator[str]:
    if (lines := module.text.count("\n")) > LONGEST_FILE:
        yield f"{lines}: lines, {LONGEST_FILE} are the most"


@cache
def shipped() -> Table:
    return load()


def providers_are_named_at_home(module: Module) -> Iterator[str]:
    """In their own file and in models.toml. A comment or a docstring may say where a fact is from."""
    wanted = names_of_others(module)
    if not module.path.startswith("core/providers/") and (found := wanted.search(apart(module.path))):
        yield f"0: the file's own name says {found[0]}"
    told = {node.value for node in module.nodes if isinstance(node, ast.Expr)}
    for node in module.nodes:
        for word in words_of(node) if node not in told else ():
            if found := wanted.search(apart(word)):
                yield f"{getattr(node, 'lineno', 0)}: says {found[0]}"


def names_of_others(module: Module) -> re.Pattern[str]:
    """What no code of this module may say: every provider's name and label, and every protocol's, but its own."""
    rows = [row for row in shipped().providers.values() if not row.is_ours]
    home = module.path.removeprefix("core/providers/").removesuffix(".py").lstrip("_")
    files = {file.stem for file in (PACKAGE / "core" / "providers").glob("[a-z]*.py")} - {home}
    names = files | {name for row in rows if row.protocol != home for name in (row.name, row.label)}
    any_of = "|".join(map(re.escape, sorted(names))) or "(?!)"
    return re.compile(rf"(?<![a-z0-9])({any_of})(?![a-z0-9])", re.IGNORECASE)


def words_of(node: ast.AST) -> list[str]:
    """What a piece of code says by itself: names and texts."""
    said = (getattr(node, name, None) for name in ("id", "attr", "arg", "name", "asname", "module", "value"))
    return [word for word in said if isinstance(word, str)]


def apart(word: str) -> str:
    """A name as words: askProvider as ask Provider, and so are those with underscores by the pattern itself."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", word)


Rule = Callable[[Module], Iterator[str]]
BREACHES: list[tuple[Rule, str, str]] = [
    (core_knows_no_blender, "core/job.py", "import bpy"),
    (core_knows_no_blender, "core/job.py", "def f():\n    from bpy.types import Scene"),
    (libraries_have_one_home, "core/job.py", "import requests"),
    (libraries_have_one_home, "core/client.py", "import requests"),
    (libraries_have_one_home, "preferences.py", "from requests import get"),
    (libraries_have_one_home, "core/worker.py", "import sqlite3"),
    (libraries_have_one_home, "operators.py", "import subprocess"),
    (libraries_have_one_home, "watch.py", "from threading import Thread"),
    (libraries_have_one_home, "core/client.py", "from concurrent.futures import ThreadPoolExecutor"),
    (libraries_have_one_home, "core/providers/new.py", "from http.client import HTTPSConnection"),
    (libraries_have_one_home, "core/client.py", "import socket"),
    (nobody_imports_what_is_banned, "core/job.py", "import pickle"),
    (nobody_imports_what_is_banned, "core/client.py", "from urllib.request import urlopen"),
    (nobody_imports_what_is_banned, "core/providers/new.py", "import urllib.request"),
    (imports_within_are_relative, "operators.py", "from flux_depth_addon.core import job"),
    (core_imports_along_the_arrows, "core/models.py", "from .request import Request"),
    (core_imports_along_the_arrows, "core/framing.py", "from . import journal"),
    (core_imports_along_the_arrows, "core/providers/bfl.py", "from ..client import Client"),
    (core_imports_along_the_arrows, "core/job.py", "from ..preferences import keys"),
    (core_imports_along_the_arrows, "core/providers/bfl.py", "from ...capture import capture"),
    (core_imports_along_the_arrows, "core/new.py", "from .job import Job"),
    (any_exception_ends_only_at_the_edges, "capture.py", "try: f()\nexcept Exception: pass"),
    (any_exception_ends_only_at_the_edges, "capture.py", "try: f()\nexcept: pass"),
    (
        any_exception_ends_only_at_the_edges,
        "core/job.py",
        "try: f()\nexcept (OSError, BaseException) as e: raise X from e",
    ),
    (any_exception_ends_only_at_the_edges, "watch.py", "with suppress(Exception): f()"),
    (names_say_what_they_are, "core/utils.py", ""),
    (names_say_what_they_are, "capture.py", "class JobManager: pass"),
    (names_say_what_they_are, "capture.py", "def helper_for_x(): pass"),
    (nothing_is_run_from_text, "capture.py", "eval('1')"),
    (nothing_is_run_from_text, "capture.py", "import os\nos.system('x')"),
    (nothing_is_run_from_text, "worker_process.py", "subprocess.run('x', shell=True)"),
    (drawing_only_draws, "panels.py", "class P:\n    def draw(self, context):\n        open('x')"),
    (drawing_only_draws, "panels.py", "def _draw_x(layout):\n    watch.journal().jobs()"),
    (drawing_only_draws, "panels.py", "def draw_x(layout):\n    bpy.data.images.new('x', 1, 1)"),
    (what_core_offers_is_documented_and_typed, "core/job.py", "'''Job.'''\ndef f() -> None: pass"),
    (what_core_offers_is_documented_and_typed, "core/job.py", "'''Job.'''\ndef f(x) -> None: '''F.'''"),
    (what_core_offers_is_documented_and_typed, "core/job.py", "'''Job.'''\ndef f(): '''F.'''"),
    (
        what_core_offers_is_documented_and_typed,
        "core/job.py",
        "'''Job.'''\nclass A:\n    '''A.'''\n    def f(self) -> int: ...",
    ),
    (what_core_offers_is_documented_and_typed, "core/job.py", "x = 1"),
    (providers_are_named_at_home, "cli/dials.py", "provider = 'cometapi'"),
    (providers_are_named_at_home, "core/client.py", "from .providers import bfl"),
    (providers_are_named_at_home, "core/client.py", "from .providers.bfl import PROTOCOL"),
    (providers_are_named_at_home, "preferences.py", "def f(rows): return rows.key_cometapi"),
    (providers_are_named_at_home, "panels.py", "class AskBfl: pass"),
    (providers_are_named_at_home, "panels.py", "def draw_cometapi(layout): pass"),
    (providers_are_named_at_home, "panels.py", "f'{x} at Black Forest Labs'"),
    (providers_are_named_at_home, "panels.py", "if host.endswith('api.bfl.ai'): pass"),
    (providers_are_named_at_home, "cometapi_panel.py", ""),
    (providers_are_named_at_home, "core/providers/_reading.py", "x = 'cometapi'"),
    (files_fit_in_the_head, "core/job.py", "\n" * 401),
]
RULES = list(dict.fromkeys(rule for rule, _, _ in BREACHES))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_the_rule(rule: Rule) -> None:
    breaches = [f"{module.path}:{breach}" for module in the_package() for breach in rule(module)]
    assert not breaches, "\n".join(breaches)


@pytest.mark.parametrize(
    ("rule", "path", "text"), BREACHES, ids=[f"{rule.__name__}-{path}" for rule, path, _ in BREACHES]
)
def test_the_rule_notices_a_breach(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Module(path, text)))


def test_a_roll_back_that_raises_again_is_no_breach() -> None:
    text = "try: f()\nexcept BaseException:\n    g()\n    raise"
    assert not list(any_exception_ends_only_at_the_edges(Module("core/journal.py", text)))


def test_a_source_and_a_word_that_only_holds_a_name_are_no_breach() -> None:
    text = "'''As BFL documents it.'''\nFALSE = 'falcon'  # CometAPI\nx = 1\n'''Black Forest Labs, too.'''"
    assert not list(providers_are_named_at_home(Module("core/job.py", text)))
    own = "class Bfl: pass\nWHERE = 'cometapi'"
    assert not list(providers_are_named_at_home(Module("core/providers/bfl.py", own)))


def test_every_module_of_core_has_its_arrows() -> None:
    present = {module.part for module in the_package() if module.in_core} - {"__init__"}
    assert present <= ARROWS.keys()


def test_no_arrow_goes_round() -> None:
    settled: set[str] = set()
    while len(settled) < len(ARROWS):
        free = {part for part, targets in ARROWS.items() if targets <= settled}
        assert free > settled
        settled = free


def test_functions_are_short() -> None:
    lengths = sorted(
        (function.end_lineno or 0) - function.lineno + 1 for module in the_package() for function in module.functions
    )
    p90 = quantiles(lengths, n=10)[-1]
    print(f"{len(lengths)} functions: median {median(lengths):g} lines, p90 {p90:g}, longest {lengths[-1]}")
    assert median(lengths) <= MEDIAN_FUNCTION
    assert p90 <= P90_FUNCTION


LONGEST_PROVIDER, LONGEST_PAGE = 300, 60
"""Lines of what speaks to one provider, and of the page that tells how one is added."""


def test_a_provider_stays_one_small_file_that_one_page_tells_of() -> None:
    files = list((PACKAGE / "core" / "providers").glob("[a-z]*.py"))
    lengths = {file.stem: file.read_text(encoding="utf-8").count("\n") for file in files}
    page = (PACKAGE.parent / "docs" / "providers.md").read_text(encoding="utf-8")
    print(f"Lines by protocol: {lengths}; of the page: {page.count(chr(10))}")
    assert max(lengths.values()) <= LONGEST_PROVIDER
    assert page.count("\n") <= LONGEST_PAGE


def test_the_page_names_every_method_that_a_provider_may_have() -> None:
    page = (PACKAGE.parent / "docs" / "providers.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", page))
    interface = (PACKAGE / "core" / "providers" / "__init__.py").read_text(encoding="utf-8")
    protocol = next(
        node for node in ast.parse(interface).body if isinstance(node, ast.ClassDef) and node.name == "Protocol"
    )
    assert {node.name for node in protocol.body if isinstance(node, ast.FunctionDef)} <= named
