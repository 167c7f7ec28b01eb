"""The history on the command line: looked through, starred, thrown away."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest


@pytest.fixture
def run(part, tmp_path, capfd):
    """Runs `history` in this process: the exit code, the pictures of its JSON, and what it said."""

    def run(*arguments):
        told = tmp_path / "outcome.json"
        words = ["history", *arguments, "--json", str(told), "--data-dir", str(tmp_path / "data")]
        code = part("cli").main(words)
        return code, json.loads(told.read_text()).get("pictures"), capfd.readouterr()

    return run


@pytest.fixture
def pictures(part, tmp_path):
    """A red barn, and a newer blue boat by another camera."""
    framing = part("core.framing").Framing(64, 32, 0, 0, 64, 32)
    found = []
    with part("core.journal").Journal(tmp_path / "data") as journal:
        for prompt, camera in (("a red barn", "Camera"), ("a blue boat", "Other")):
            asked = part("core.request").Request(
                prompt=prompt, model="sandbox", framing=framing, scene="Scene", camera=camera
            )
            job = journal.claim(job_id=journal.add(asked, b"png").id)
            path = tmp_path / f"{job.id}.png"
            path.write_bytes(b"picture")
            done = replace(job, step=part("core.job").Step.DONE, result=str(path), finished=time.time())
            journal.save(done, release=True)
            found.append(job.id)
    return found


def test_the_history_lists_the_newest_first_and_finds_by_words_and_camera(run, pictures):
    barn, boat = pictures
    code, found, told = run()
    assert (code, [picture["id"] for picture in found]) == (0, [boat, barn])
    assert told.out.startswith(boat)
    assert "2 pictures" in told.err
    assert [picture["prompt"] for picture in run("--search", "BARN a")[1]] == ["a red barn"]
    assert [picture["id"] for picture in run("--scene", "Scene", "--camera", "Other")[1]] == [boat]


def test_a_star_is_given_found_by_and_taken_away(run, pictures):
    barn, _boat = pictures
    assert run("--favourite", barn)[1][0]["favourite"]
    assert [picture["id"] for picture in run("--favourites")[1]] == [barn]
    run("--no-favourite", barn)
    assert run("--favourites")[1] == []


def test_nothing_is_deleted_without_a_yes(run, pictures, tmp_path):
    code, _found, told = run("--delete", pictures[0])
    assert code == 2
    assert "add --yes. Nothing was deleted" in told.err
    assert len(run()[1]) == 2


def test_a_deleted_picture_goes_to_the_bin_and_is_not_found_again(run, pictures, monkeypatch):
    import send2trash

    thrown = []
    monkeypatch.setattr(send2trash, "send2trash", lambda file: thrown.append(Path(file).name))
    assert run("--delete", pictures[0], "--yes")[0] == 0
    assert thrown == [f"{pictures[0]}.png"]
    assert [picture["id"] for picture in run()[1]] == pictures[1:]
    code, _found, told = run("--delete", pictures[0], "--yes")
    assert code == 2
    assert "There is no picture of the job" in told.err


@pytest.mark.parametrize("option", ["--favourite", "--delete"])
def test_what_is_not_there_says_so(run, pictures, option):
    code, _found, told = run(option, "nothing", "--yes")
    assert code == 2
    assert "There is no job “nothing”" in told.err
