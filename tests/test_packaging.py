"""What ships and what sets it up: the manifest, the locks, the environments, the staged extension."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import build
import environments
import pytest
import pythons
import stubs
import testing
import verbs

ROOT = Path(__file__).resolve().parent.parent
PACKAGING = ROOT / "packaging"
MANIFEST = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))

# The tags of the extensions platform that concern add-ons: docs.blender.org/manual, Extensions, Tags.
TAGS = {"3D View", "Camera", "Compositing", "Import-Export", "Material", "Pipeline", "Render", "Scene"}


def pinned(requirements: Path) -> list[str]:
    """The requirement lines of a file, each with its continuation lines."""
    text = requirements.read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A .dev/ of its own."""
    monkeypatch.setattr(environments, "HOME", tmp_path / ".dev")
    return tmp_path / ".dev"


def test_the_manifest_names_the_extension() -> None:
    assert (MANIFEST["id"], MANIFEST["type"]) == ("flux_depth", "add-on")
    assert re.fullmatch(r"\d+\.\d+\.\d+", MANIFEST["version"])
    assert MANIFEST["blender_version_min"] == "4.2.0"
    assert MANIFEST["license"] == ["SPDX:GPL-3.0-or-later"]
    assert set(MANIFEST["tags"]) <= TAGS


def test_the_manifest_asks_for_the_network_and_for_files_only() -> None:
    assert set(MANIFEST["permissions"]) == {"network", "files"}


@pytest.mark.parametrize("text", [MANIFEST["tagline"], *MANIFEST["permissions"].values()])
def test_a_sentence_of_the_manifest_is_short_and_has_no_full_stop(text: str) -> None:
    assert 0 < len(text) <= 64
    assert text[-1].isalnum()


def test_the_folder_does_not_shadow_the_packaging_library() -> None:
    assert not (PACKAGING / "__init__.py").exists()


@pytest.mark.parametrize("name", ["dev.py", "pythons.py"])
def test_what_looks_for_a_python_parses_on_an_old_one(name: str) -> None:
    ast.parse((PACKAGING / name).read_text(encoding="utf-8"), feature_version=(3, 8))


def test_without_a_python_that_fits_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import dev

    monkeypatch.setattr(pythons, "fitting", lambda: None)
    assert dev.main(["test"]) == 2
    said = capsys.readouterr().err
    assert said == f"{pythons.NOTHING_FITS}\n"
    assert "install Python 3.13" in said


def test_a_python_that_does_not_start_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("python3.99", "py"):
        shim = tmp_path / name
        shim.write_text("#!/bin/sh\nexit 127\n")
        shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert pythons.find((3, 99)) is None


@pytest.mark.parametrize("requirements", sorted(environments.REQUIREMENTS.glob("*.txt")), ids=lambda path: path.stem)
def test_every_requirement_is_pinned(requirements: Path) -> None:
    assert pinned(requirements)
    for line in pinned(requirements):
        assert re.match(r"[a-z0-9.-]+==\d[\w.]*(\s|$)", line), line


def test_every_blender_has_its_requirements() -> None:
    for version in environments.BLENDERS:
        assert f"bpy=={version}" in pinned(environments.REQUIREMENTS / f"bpy-{version}.txt")


def test_the_lock_holds_one_hash_for_each_wheel_that_ships() -> None:
    pillow, *others = (re.findall(r"--hash=sha256:([0-9a-f]{64})", line) for line in pinned(environments.LOCK))
    assert len(set(pillow)) == len(pillow) == sum(len(build.abis(name)) for name in build.PLATFORMS)
    assert others
    assert all(len(hashes) == 1 for hashes in others)


def test_wheels_count_as_downloaded_only_when_none_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, pure = tmp_path / "one-1-cp313-cp313-win_amd64.whl", tmp_path / "two-1-py3-none-any.whl"
    hashes = {path: hashlib.sha256(path.name.encode()).hexdigest() for path in (ours, pure)}
    lock = tmp_path / "wheels.txt"
    lock.write_text("".join(f"x==1 --hash=sha256:{each}\n" for each in hashes.values()))
    monkeypatch.setattr(build, "LOCK", lock)
    monkeypatch.setattr(build, "WHEELS", tmp_path)
    ours.write_text(ours.name)
    assert build._downloaded("windows-x64", "cp313") == []
    pure.write_text("of an older lock")
    assert build._downloaded("windows-x64", "cp313") == []
    pure.write_text(pure.name)
    assert build._downloaded("windows-x64", "cp313") == [ours, pure]


def test_what_is_staged_is_the_package_and_nothing_else(tmp_path: Path) -> None:
    wheel = tmp_path / "pillow-1.0-cp313-cp313-win_amd64.whl"
    wheel.write_bytes(b"wheel")
    build.stage(tmp_path / "stage", ["windows-x64"], [wheel])
    staged = {path.relative_to(tmp_path / "stage").as_posix() for path in (tmp_path / "stage").rglob("*")}
    package = {path.relative_to(ROOT / "flux_depth_addon").as_posix() for path in package_files()}
    ours = {"LICENSE", "blender_manifest.toml", "wheels", f"wheels/{build.shipped_name(wheel)}"}
    assert {name for name in staged if (tmp_path / "stage" / name).is_file()} == (package | ours) - {"wheels"}


def package_files() -> list[Path]:
    """What the package consists of, without what Python leaves behind."""
    files = (path for path in (ROOT / "flux_depth_addon").rglob("*") if path.is_file())
    return [path for path in files if path.suffix != ".pyc" and not path.name.startswith(".")]


def test_the_staged_manifest_lists_its_wheels_and_platforms(tmp_path: Path) -> None:
    wheel = tmp_path / "pillow-1.0-cp313-cp313-win_amd64.whl"
    wheel.write_bytes(b"wheel")
    build.stage(tmp_path / "stage", ["windows-x64"], [wheel])
    staged = tomllib.loads((tmp_path / "stage" / "blender_manifest.toml").read_text(encoding="utf-8"))
    names = [f"./wheels/{build.shipped_name(wheel)}"]
    assert staged == MANIFEST | {"platforms": ["windows-x64"], "wheels": names}
    assert (tmp_path / "stage" / names[0]).is_file()


@pytest.mark.parametrize("name", build.PLATFORMS)
def test_the_pillow_of_early_4_2_is_the_last_by_name(name: str) -> None:
    wheels = [Path(f"pillow-13.0.0-{abi}-{abi}-{build.PLATFORMS[name][0]}.whl") for abi in build.abis(name)]
    names = sorted(build.shipped_name(wheel) for wheel in wheels)
    assert "cp311" in names[-1]
    assert len(names) == len(wheels) > 1


def test_a_stage_may_claim_to_be_the_next_version(tmp_path: Path) -> None:
    build.stage(tmp_path / "stage", [], [], version="9.8.7")
    staged = tomllib.loads((tmp_path / "stage" / "blender_manifest.toml").read_text(encoding="utf-8"))
    assert (staged["version"], staged["schema_version"]) == ("9.8.7", MANIFEST["schema_version"])


def a_zip(folder: Path, **extra: str) -> Path:
    """As a build makes it, with more in it."""
    contents = {"__init__.py": "", "LICENSE": "", "core/job.py": "", "wheels/pillow.whl": "wheel"} | extra
    with zipfile.ZipFile(folder / "made.zip", "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return folder / "made.zip"


def test_a_zip_of_what_ships_is_let_through(tmp_path: Path) -> None:
    build.examine(a_zip(tmp_path))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("core/test_job.py", ""),
        ("core/__pycache__/job.cpython-313.pyc", ""),
        ("core/job.py.orig", ""),
        (".dev/ready", ""),
        ("tests/core/world.py", ""),
        ("packaging/build.py", ""),
        (".ci/run", ""),
        ("other.whl", ""),
        ("wheels/build.py", ""),
        ("core/paths.py", f"HOME = {str(ROOT)!r}"),
    ],
)
def test_a_zip_with_something_of_the_developer_s_is_refused(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(environments.SetupError, match=re.escape(name)):
        build.examine(a_zip(tmp_path, **{name: content}))


def a_repository(folder: Path) -> dict[str, Any]:
    """One zip and the entry of an index that leads to it."""
    made = a_zip(folder)
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    return {"archive_url": "./made.zip", "archive_size": made.stat().st_size, "archive_hash": f"sha256:{digest}"}


def write_index(folder: Path, *entries: dict[str, Any]) -> None:
    (folder / "index.json").write_text(json.dumps({"version": "v1", "data": entries}))


def test_an_index_that_leads_to_its_zips_is_proven(tmp_path: Path) -> None:
    write_index(tmp_path, a_repository(tmp_path))
    build.prove(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"archive_url": "http://127.0.0.1/made.zip"},
        {"archive_url": "./other.zip"},
        {"archive_size": 1},
        {"archive_hash": "sha256:0"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_an_index_that_leads_elsewhere_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    write_index(tmp_path, a_repository(tmp_path) | wrong)
    with pytest.raises(environments.SetupError, match=r"index\.json"):
        build.prove(tmp_path)


def test_an_index_of_nothing_is_refused(tmp_path: Path) -> None:
    write_index(tmp_path)
    with pytest.raises(environments.SetupError, match=r"index\.json"):
        build.prove(tmp_path)


def test_an_earlier_build_is_swept_away_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    for name in ("old.zip", "repository/index.json", "notes.txt"):
        (tmp_path / name).write_text("")
    build.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_interrupted_installation_is_not_ready(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(environment: environments.Environment, base: str) -> None:
        environment.python.parent.mkdir(parents=True)
        environment.python.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(environments, "_install", interrupted)
    environment = environments.bare(pythons.FITTING[0])
    monkeypatch.setattr(pythons, "find", lambda version: "python")
    with pytest.raises(KeyboardInterrupt):
        environments.prepare(environment)
    assert not environment.ready()


def test_an_environment_is_made_once_and_again_when_a_requirement_changes(home: Path, tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("# nothing\n")
    version = next(version for version in pythons.FITTING if pythons.find(version))
    environment = environments.Environment("trial", version, (requirements,), "Making a trial…")
    python = environments.prepare(environment)
    made = python.parent.stat().st_ino
    assert environments.prepare(environment).parent.stat().st_ino == made
    requirements.write_text("# nothing else\n")
    assert not environment.ready()


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (
            "...: Failed to establish a new connection: [Errno 111]\nERROR: No matching distribution",
            "network",
        ),
        ("ERROR: No matching distribution found for bpy==5.2.3", "No build fits this machine"),
        ("The virtual environment was not created because ensurepip is not available", "venv package"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
    ],
)
def test_a_failed_installation_is_one_sentence(output: str, sentence: str) -> None:
    explained = environments.explain(output, Path("pip.log"))
    assert sentence in explained
    assert "\n" not in explained


def test_an_unknown_failure_shows_the_end_of_the_log() -> None:
    explained = environments.explain("first\n" * 50 + "the reason", Path("pip.log"))
    assert "the reason" in explained
    assert len(explained.splitlines()) < 12


def test_an_unknown_blender_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert verbs.main(["run", "--bpy", "3.6", "--", "jobs"]) == 2
    assert "4.2.23" in capsys.readouterr().err


def test_arguments_after_two_dashes_are_passed_on_untouched() -> None:
    assert verbs.split(["run", "--bpy", "5.0.1", "--", "--help", "--"]) == (
        ["run", "--bpy", "5.0.1"],
        ["--help", "--"],
    )


def report(folder: Path, tests: int, failures: int, errors: int, skipped: int) -> Path:
    path = folder / "report.xml"
    counts = f'tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}"'
    path.write_text(f"<testsuites><testsuite {counts}/></testsuites>")
    return path


def test_a_report_is_counted(tmp_path: Path) -> None:
    assert testing.count(report(tmp_path, 10, 1, 2, 3)) == testing.Outcome(4, 3, 3)


def test_a_part_that_ran_no_test_has_failed(tmp_path: Path) -> None:
    assert testing.judge(5, report(tmp_path, 0, 0, 0, 0), narrowed=False).failed == 1


def test_a_part_in_which_every_test_was_skipped_has_failed(tmp_path: Path) -> None:
    assert testing.judge(0, report(tmp_path, 3, 0, 0, 3), narrowed=False).failed == 1


def test_a_pytest_that_crashed_without_a_report_has_failed(tmp_path: Path) -> None:
    assert testing.judge(-11, tmp_path / "none.xml", narrowed=False).failed == 1


def test_no_test_is_no_failure_when_the_caller_narrowed_the_choice(tmp_path: Path) -> None:
    assert testing.judge(5, report(tmp_path, 0, 0, 0, 0), narrowed=True).word == "skipped"


def test_the_closing_line_sums_every_part() -> None:
    outcomes = [testing.Outcome(3, 0, 1), testing.Outcome(2, 1, 0), testing.Outcome(note="only with --all")]
    assert testing.closing_line(outcomes) == "5 passed, 1 failed, 1 skipped"


def test_a_test_named_on_the_command_line_chooses_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def pytest_runs(_: environments.Environment, paths: list[str], __: list[str]) -> testing.Outcome:
        asked.append(paths)
        return testing.Outcome(1)

    monkeypatch.setattr(testing, "pytest", pytest_runs)
    named = ["tests/test_packaging.py::test_name"]
    tools = environments.tools(next(version for version in pythons.FITTING if pythons.find(version)))
    assert testing.on_python(tools, testing.core_tests(), named).passed == 1
    assert testing.on_python(tools, [ROOT / "tests" / "blender"], named).word == "skipped"
    assert asked == [named]


@pytest.mark.parametrize(
    "path",
    [*PACKAGING.rglob("*.py"), *PACKAGING.rglob("*.txt"), ROOT / ".ci" / "run"],
    ids=lambda path: path.name,
)
def test_nothing_names_a_folder_of_one_machine(path: Path) -> None:
    assert not re.search(r"[\"'\s=](/home|/root|/work|/tmp|/Users|[A-Z]:\\)", path.read_text(encoding="utf-8"))


def test_the_shell_is_checked_against_the_oldest_and_the_newest_blender() -> None:
    names = [part.name for part in testing.parts(everything=False, blender="5.0.1", arguments=[])]
    assert {"types, Blender 4.2", "types, Blender 5.2"} <= set(names)
    tested = [version.rpartition(".")[0] for version in environments.BLENDERS]
    assert (tested[0], tested[-1]) == environments.TYPED


def test_stubs_that_are_not_as_expected_are_not_taken_for_mended(tmp_path: Path) -> None:
    for place in ("types", "ops"):
        (tmp_path / "bpy-stubs" / place).mkdir(parents=True)
        (tmp_path / "bpy-stubs" / place / "__init__.pyi").write_text("class Scene(ID): ...\n")
    with pytest.raises(SystemExit, match=r"is not as .* expects it"):
        stubs.mend(tmp_path)
