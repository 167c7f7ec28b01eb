"""The verbs of dev.py: each makes sure that its environment is there, then runs one thing in it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import build
import environments
import testing
import window
from environments import ROOT, SetupError

PACKAGING = ROOT / "packaging"
SHOTS = "tests/gui/shots.py"
DESCRIPTION = "Sets up and runs everything of FLUX Depth; what it makes for itself lies under .dev/."
NOTE = "demo, run and gui use the Blender that $BLENDER names; else Blender as a Python module, and gui Debian's."


def main(arguments: Sequence[str]) -> int:
    """The exit code of the verb; 2 with one sentence when something could not be set up."""
    own, passed_on = split(arguments)
    options, rest = _parser().parse_known_args(own)
    try:
        return int(options.action(options, [*rest, *passed_on]))
    except SetupError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Around the first `--`: what is ours and what is passed on untouched."""
    if "--" not in arguments:
        return list(arguments), []
    at = list(arguments).index("--")
    return list(arguments[:at]), list(arguments[at + 1 :])


def call(command: Sequence[str]) -> int:
    """Runs a child with the checkout importable. On Ctrl-C the child decides what to do; we wait for it."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)}) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue


def in_blender(version: str | None, target: str, arguments: Sequence[str]) -> int:
    """Runs a module, or a script of this folder, where `import bpy` works: in $BLENDER or in the wheel."""
    executable = os.environ.get("BLENDER")
    if executable and version is None:
        return call([*_blender_executable(executable), target, *arguments])
    python = environments.prepare(environments.blender(environments.blender_version(version)))
    start = [str(PACKAGING / target)] if target.endswith(".py") else ["-m", target]
    return call([str(python), *start, *arguments])


def _blender_executable(executable: str) -> list[str]:
    if not Path(executable).is_file():
        raise SetupError(f"$BLENDER names {executable}, where there is no file: name the Blender executable.")
    build.unpack_libraries()
    launcher = str(PACKAGING / "in_blender.py")
    return [
        executable,
        "--background",
        "--factory-startup",
        "--python-exit-code",
        "1",
        "--python",
        launcher,
        "--",
    ]


def _demo(options: argparse.Namespace, rest: Sequence[str]) -> int:
    return in_blender(options.bpy, "demo.py", rest)


def _bench(options: argparse.Namespace, rest: Sequence[str]) -> int:
    python = environments.prepare(environments.blender(environments.blender_version(options.bpy)))
    return call([str(python), str(PACKAGING / "bench.py"), *rest])


def _run(options: argparse.Namespace, rest: Sequence[str]) -> int:
    return in_blender(options.bpy, "flux_depth_addon", rest)


def _build(options: argparse.Namespace, rest: Sequence[str]) -> int:
    _refuse(rest)
    return build.main(everywhere=options.all_platforms, repository=options.repository)


def _test(options: argparse.Namespace, rest: Sequence[str]) -> int:
    return testing.main(everything=options.all, blender=options.bpy, arguments=rest)


def _gui(options: argparse.Namespace, rest: Sequence[str]) -> int:
    return testing.in_a_window(suite=options.suite, arguments=[SHOTS, *rest] if options.shots else rest)


def _reliability(options: argparse.Namespace, rest: Sequence[str]) -> int:
    size = [f"--kills={options.kills}", f"--examples={options.examples}"]
    seed = [] if options.seed is None else [f"--seed={options.seed}"]
    return testing.reliability(blender=options.bpy, arguments=[*size, *seed, *rest])


def _refuse(rest: Sequence[str]) -> None:
    if rest:
        raise SetupError(f"This verb does not know {rest[0]}: see packaging/dev.py --help.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dev.py", description=DESCRIPTION, epilog=NOTE)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, action: Callable[..., int], summary: str, *, own_help: bool) -> argparse.ArgumentParser:
        # Without a help of its own, --help goes to what the verb runs.
        one = verbs.add_parser(name, help=summary, description=summary, add_help=own_help, allow_abbrev=False)
        one.set_defaults(action=action)
        return one

    demo = verb("demo", _demo, "the whole job on an interior, offline, with its pictures", own_help=False)
    test = verb("test", _test, "every test this machine can run; further arguments go to pytest", own_help=True)
    gui = verb("gui", _gui, "mouse and keys in a Blender with a window; further arguments go to pytest", own_help=True)
    broken = verb("reliability", _reliability, "kills and faults on purpose, and what they did", own_help=True)
    run = verb("run", _run, "the command line: dev.py run -- ARGS", own_help=False)
    bench = verb("bench", _bench, "measurements, side by side in one run", own_help=False)
    made = verb("build", _build, "the extension's zip in dist/, validated by Blender's own tool", own_help=True)
    known = ", ".join(environments.BLENDERS)
    for one in (demo, test, broken, run, bench):
        one.add_argument("--bpy", metavar="VERSION", help=f"Blender as a Python module: {known}")
    test.add_argument("--all", action="store_true", help="on every Blender, not only the one that fits")
    gui.add_argument(
        "--suite", choices=list(window.SUITES), default="trixie", help="the Debian whose Blender is taken (trixie)"
    )
    gui.add_argument("--shots", action="store_true", help="take the pictures of README and docs instead of testing")
    broken.add_argument("--kills", type=int, default=100, help="processes killed by each kill campaign (100)")
    broken.add_argument("--examples", type=int, default=2000, help="histories of jobs that are tried (2000)")
    broken.add_argument("--seed", type=int, help="another course than the one that is taken at every run")
    made.add_argument("--all-platforms", action="store_true", help="for every platform, not only this one")
    made.add_argument("--repository", action="store_true", help="and a folder for a web server: dist/repository/")
    return parser
