"""dev.py test: every part that this machine can run, a table of what happened, and one closing line."""

from __future__ import annotations

import os
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import build
import environments
import pythons
import window
from environments import HOME, ROOT, Environment, SetupError

EXAMPLES = 120
"""What is tried at random here; fewer where pytest is called by itself, so that it answers while one waits."""


TYPES = ("mypy", "--config-file=packaging/types.ini")
"""The check of the shell, which imports bpy."""

NOT_NAMED = "not among the tests named"


@dataclass(frozen=True)
class Outcome:
    """Counts of one part (a check counts as one). `note` says why it failed or was skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    note: str = ""

    @property
    def word(self) -> str:
        if self.failed:
            return "failed"
        return "passed" if self.passed else "skipped"


@dataclass(frozen=True)
class Part:
    """One line of the table."""

    name: str
    run: Callable[[], Outcome]


def main(*, everything: bool, blender: str | None, arguments: Sequence[str]) -> int:
    """0 when nothing failed and something ran. `arguments` go to pytest; paths among them choose parts."""
    return run(parts(everything=everything, blender=blender, arguments=arguments))


def reliability(*, blender: str | None, arguments: Sequence[str]) -> int:
    """The same for the campaigns that break it on purpose; what they found stands last. `arguments`: their size."""
    found = HOME / "reports" / "figures.txt"
    found.unlink(missing_ok=True)
    code = run(campaign_parts(environments.blender_version(blender), [*arguments, f"--figures={found}"]))
    print(found.read_text(encoding="utf-8") if found.is_file() else "\nNo campaign came to its end.")
    return code


def in_a_window(*, suite: str, arguments: Sequence[str]) -> int:
    """The same for the tests with mouse and keys alone."""
    return run([Part("window", partial(in_window, suite, arguments))])


def run(chosen: Iterable[Part]) -> int:
    """Run the parts and print the table; 0 when nothing failed and something ran."""
    rows: list[tuple[str, Outcome, float]] = []
    for part in chosen:
        environments.say(f"\n== {part.name}")
        started = time.monotonic()
        rows.append((part.name, attempt(part), time.monotonic() - started))
    print("\n" + table(rows))
    outcomes = [outcome for _, outcome, _ in rows]
    print(closing_line(outcomes))
    return int(any(outcome.failed for outcome in outcomes) or not any(outcome.passed for outcome in outcomes))


def parts(*, everything: bool, blender: str | None, arguments: Sequence[str]) -> Iterator[Part]:
    """What there is to run, in the order of how soon it tells something."""
    if not arguments:
        checks = environments.tools(next(version for version in pythons.FITTING if pythons.find(version)))
        yield Part("ruff", partial(check, checks, "ruff", "check", "."))
        yield Part("mypy", partial(check, checks, "mypy"))
        for name in environments.TYPED:
            described = environments.types(name, checks.version)
            yield Part(f"types, Blender {name}", partial(check, described, *TYPES, f"--cache-dir=.mypy_cache/{name}"))
    for version in sorted(pythons.FITTING):
        run = partial(on_python, environments.tools(version), core_tests(), arguments)
        yield Part(f"core, Python {pythons.label(version)}", run)
    chosen = environments.blender_version(blender)
    for name in environments.BLENDERS:
        run = partial(on_python, environments.blender(name), blender_tests(), arguments)
        if not (everything or name == chosen):
            run = partial(Outcome, note="only with --all")
        yield Part(f"Blender {name}", run)
    yield Part("farm", partial(on_farm, chosen, arguments))
    run = partial(in_window, "trixie", arguments) if everything else partial(Outcome, note="only with --all")
    yield Part("window", run)


def campaign_parts(blender: str, arguments: Sequence[str]) -> Iterator[Part]:
    """The faults, the histories and the kills of the worker without Blender, and the kills of that Blender."""
    tools = environments.tools(environments.BLENDERS[blender])
    core = [ROOT / "tests" / "core" / f"test_{name}.py" for name in ("faults", "state_machine")]
    alone = [*core, *campaigns(of_blender=False)]
    yield Part("without Blender", partial(on_python, tools, alone, arguments))
    within = partial(on_python, environments.blender(blender), campaigns(of_blender=True), arguments)
    yield Part(f"Blender {blender}", within)


def campaigns(*, of_blender: bool) -> list[Path]:
    """The campaigns that need a Blender, or those that need none."""
    found = sorted((ROOT / "tests" / "campaigns").glob("test_*.py"))
    return [path for path in found if path.name.startswith("test_blender_") == of_blender]


def attempt(part: Part) -> Outcome:
    """The part's outcome; what could not be set up is a failure, not the end of the other parts."""
    try:
        return part.run()
    except SetupError as error:
        environments.say(str(error))
        return Outcome(failed=1, note="could not be set up")


def core_tests() -> list[Path]:
    """The tests that need no Blender."""
    return [ROOT / "tests" / "core", *sorted((ROOT / "tests").glob("test_*.py")), *campaigns(of_blender=False)]


def blender_tests() -> list[Path]:
    """The tests that need a Blender, and those of what meets the network libraries that each Blender carries."""
    wire = [ROOT / "tests" / "core" / f"test_{name}.py" for name in ("wire", "tls", "client")]
    return [ROOT / "tests" / "blender", *wire, *campaigns(of_blender=True)]


def check(environment: Environment, *command: str) -> Outcome:
    """A program that says yes or no."""
    python = environments.prepare(environment)
    code = subprocess.call([str(python), "-m", *command], cwd=ROOT)
    return Outcome(failed=1, note=f"exit code {code}") if code else Outcome(passed=1)


def on_python(environment: Environment, paths: Sequence[Path], arguments: Sequence[str]) -> Outcome:
    """The tests of `paths` there, unless its Python is missing here or `arguments` name other tests."""
    if pythons.find(environment.version) is None:
        return Outcome(note=f"Python {pythons.label(environment.version)} was not found")
    wanted, options = choose(paths, arguments)
    return pytest(environment, wanted, options) if wanted else Outcome(note=NOT_NAMED)


def on_farm(blender: str, arguments: Sequence[str]) -> Outcome:
    """The tests of a shot that is split over the workers of a farm, which run that Blender."""
    if pythons.find(environments.BLENDERS[blender]) is None:
        return Outcome(note=f"Python {pythons.label(environments.BLENDERS[blender])} was not found")
    wanted, options = choose([ROOT / "tests" / "farm"], arguments)
    if not wanted:
        return Outcome(note=NOT_NAMED)
    if os.name == "nt":
        return Outcome(note="the workers of the test are started by a shell")
    surroundings = {"FLUX_DEPTH_FARM_BLENDER": str(environments.prepare(environments.blender(blender)))}
    return pytest(environments.farm(environments.BLENDERS[blender]), wanted, options, surroundings=surroundings)


def in_window(suite: str, arguments: Sequence[str]) -> Outcome:
    """The tests with mouse and keys, on the zip as it is built now, in a Blender that has a window."""
    wanted, options = choose([ROOT / "tests" / "gui"], arguments)
    if not wanted:
        return Outcome(note=NOT_NAMED)
    place = window.find(suite)
    extension = build.for_this_machine()
    environments.say(f"In a window of {place.name}: {extension.name}")
    tools = environments.tools(next(version for version in pythons.FITTING if pythons.find(version)))
    surroundings = place.environment() | {"FLUX_DEPTH_WINDOW_EXTENSION": str(extension)}
    return pytest(tools, wanted, options, within=place.command, surroundings=surroundings)


def choose(paths: Sequence[Path], arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Which of `paths` to run, those that `arguments` name if they name any; and pytest's options among them."""
    named = [argument for argument in arguments if path_of(argument).exists()]
    wanted = [name for name in named if any(path_of(name).is_relative_to(path) for path in paths)]
    options = [argument for argument in arguments if argument not in named]
    return (wanted if named else [str(path) for path in paths]), options


def path_of(argument: str) -> Path:
    """The file of a pytest argument such as tests/core/test_framing.py::test_name."""
    return (ROOT / argument.partition("::")[0]).resolve()


def pytest(
    environment: Environment,
    paths: Sequence[str],
    options: Sequence[str],
    *,
    within: Callable[[Sequence[str]], list[str]] = list,
    surroundings: Mapping[str, str] = MappingProxyType({}),
) -> Outcome:
    """One pytest run, counted from the report it writes; `within` makes its command one that runs elsewhere."""
    python = environments.prepare(environment)
    report = HOME / "reports" / f"{environment.folder.name}.xml"
    report.unlink(missing_ok=True)
    command = [str(python), "-m", "pytest", *paths, f"--junitxml={report}", f"--examples={EXAMPLES}", *options]
    code = subprocess.call(within(command), cwd=ROOT, env=os.environ | surroundings)
    return judge(code, report, narrowed=bool(options))


def judge(code: int, report: Path, *, narrowed: bool) -> Outcome:
    """Counts of a pytest run; no test run at all is a failure, unless the caller's own options left none."""
    outcome = count(report) if report.is_file() else Outcome()
    if code == 5 and narrowed:
        return Outcome(note="no test matched")
    if not outcome.failed and (code or not outcome.passed):
        note = f"pytest ended with {code}" if code else "no test was run"
        return Outcome(outcome.passed, 1, outcome.skipped, note)
    return outcome


def count(report: Path) -> Outcome:
    """The counts of a JUnit report."""
    suites = ElementTree.parse(report).getroot().iter("testsuite")
    counts = [[int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")] for suite in suites]
    tests, failures, errors, skipped = (sum(column) for column in zip(*counts, strict=True))
    return Outcome(tests - failures - errors - skipped, failures + errors, skipped)


def table(rows: Sequence[tuple[str, Outcome, float]]) -> str:
    """One line per part: what happened, the counts, the seconds, the reason."""
    return "\n".join(
        f"{name:<18} {outcome.word:<8} {outcome.passed:>4} passed {outcome.failed:>3} failed"
        f" {outcome.skipped:>3} skipped {seconds:>6.1f} s  {outcome.note}".rstrip()
        for name, outcome, seconds in rows
    )


def closing_line(outcomes: Sequence[Outcome]) -> str:
    """The sum over all parts, alone on its line."""
    passed, failed, skipped = (sum(getattr(one, key) for one in outcomes) for key in ("passed", "failed", "skipped"))
    return f"{passed} passed, {failed} failed, {skipped} skipped"
