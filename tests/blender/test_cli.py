"""The command line, as a script on a farm uses it: its JSON, its exit codes, and what it never does."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import bpy
import pytest
from PIL import Image

from tests.secrets_watch import marked_key

KEY = marked_key("cometapi")

CHECKOUT = Path(__file__).resolve().parents[2]
RESTYLE = [sys.executable, "-m", "flux_depth_addon", "restyle", "--prompt", "a garden", "--provider", "sandbox"]
KEYS = ["id", "step", "result", "control", "remote_id", "seed", "width", "height", "cost_usd", "charged", "error"]


@pytest.fixture(scope="module")
def blend(tmp_path_factory):
    """A cube seen by a camera, saved."""
    path = tmp_path_factory.mktemp("scenes") / "cube.blend"
    bpy.ops.wm.read_factory_settings(use_empty=False)
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


@pytest.fixture
def endpoint(part):
    """The sandbox, answering at once with the control image; its posts can be counted."""
    sandbox = part("core.sandbox")
    with sandbox.Sandbox(behaviour=sandbox.Behaviour(delay=0.0, picture="echo")) as running:
        yield running


@pytest.fixture
def run(part, tmp_path, capfd):
    """Runs the command line in this process: the exit code, the JSON, and what it said."""

    def run(*arguments):
        told = tmp_path / "outcome.json"
        words = [*map(str, arguments), "--json", str(told), "--data-dir", str(tmp_path / "data")]
        code = part("cli").main(words)
        outcome = json.loads(told.read_text()) if told.exists() else None
        return code, outcome, capfd.readouterr().err

    return run


def restyle(run, blend, out, *more):
    return run("restyle", blend, "--prompt", "a garden", "-o", out, "--provider", "sandbox", *more)


def test_depth_writes_the_control_image_and_nothing_else(run, blend, tmp_path):
    code, outcome, _ = run("depth", blend, "-o", tmp_path / "map.png")
    assert (code, outcome["step"], outcome["charged"]) == (0, "DONE", "no")
    assert Image.open(tmp_path / "map.png").size == (1344, 768)
    assert not (tmp_path / "data").exists()


def test_restyle_does_the_whole_job(run, blend, tmp_path, endpoint):
    code, outcome, _ = restyle(run, blend, tmp_path / "out.png", "--url", endpoint.base, "--seed", 5)
    assert code == 0
    assert list(outcome) == KEYS
    assert (outcome["step"], outcome["seed"], outcome["error"]) == ("DONE", 5, None)
    assert Image.open(tmp_path / "out.png").size == (outcome["width"], outcome["height"]) == (1344, 756)
    assert len(endpoint.posts) == 1


def test_the_echoed_control_image_comes_back_cut_to_the_frame_to_the_pixel(run, blend, tmp_path, endpoint):
    _, outcome, _ = restyle(run, blend, tmp_path / "out.png", "--url", endpoint.base)
    control = Image.open(outcome["control"])
    assert Image.open(tmp_path / "out.png").tobytes() == control.crop((0, 6, 1344, 762)).tobytes()


def test_a_sandbox_of_its_own_is_started_and_ends(blend, tmp_path):
    code = subprocess.run(
        [*RESTYLE, blend, "-o", tmp_path / "o.jpg", "--data-dir", tmp_path / "data"],
        cwd=CHECKOUT,
        check=False,
        timeout=60,
    ).returncode
    assert code == 0
    assert Image.open(tmp_path / "o.jpg").format == "JPEG"


def test_a_verb_without_a_scene_starts_in_a_python_of_its_own(tmp_path):
    command = [sys.executable, "-m", "flux_depth_addon", "jobs", "--data-dir", str(tmp_path)]
    assert subprocess.run(command, cwd=CHECKOUT).returncode == 0


def test_jobs_lists_what_was_made(run, blend, tmp_path, endpoint):
    _, made, _ = restyle(run, blend, tmp_path / "out.png", "--url", endpoint.base)
    code, outcome, _ = run("jobs")
    assert code == 0
    assert [job["id"] for job in outcome["jobs"]] == [made["id"]]


def test_an_interrupted_job_is_finished_by_resume_with_one_post(run, blend, tmp_path, part):
    sandbox = part("core.sandbox")
    with sandbox.Sandbox(behaviour=sandbox.Behaviour(delay=3.0, picture="echo")) as endpoint:
        child = subprocess.Popen(
            [*RESTYLE, blend, "-o", tmp_path / "out.png", "--url", endpoint.base, "--data-dir", tmp_path / "data"],
            cwd=CHECKOUT,
        )
        while not endpoint.posts:
            time.sleep(0.05)
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 130
        code, outcome, _ = run("resume")
        assert code == 0
        assert outcome["jobs"][0]["step"] == "DONE"
        assert len(endpoint.posts) == 1


def test_an_interruption_while_it_is_being_sent_waits_for_the_answer(run, blend, tmp_path, part):
    sandbox = part("core.sandbox")
    slow = [sandbox.Answer(body='{"id": "{id}"}', hold=1.0)]
    with sandbox.Sandbox(behaviour=sandbox.Behaviour(0.0, "echo", submit_answers=slow)) as endpoint:
        child = subprocess.Popen(
            [*RESTYLE, blend, "-o", tmp_path / "out.png", "--url", endpoint.base, "--data-dir", tmp_path / "data"],
            cwd=CHECKOUT,
        )
        while not endpoint.posts:
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 130
        code, outcome, _ = run("resume")
        assert (code, outcome["jobs"][0]["step"], len(endpoint.posts)) == (0, "DONE", 1)


def test_a_journal_that_fails_for_a_moment_ends_nothing_that_was_sent(
    run, blend, tmp_path, endpoint, part, monkeypatch
):
    journal, full = part("core.journal").Journal, [True]
    claim = journal.claim

    def claim_on_a_full_disk(self, **wanted):
        if endpoint.posts and full:
            full.clear()
            raise part("core.errors").JournalError("database or disk is full")
        return claim(self, **wanted)

    monkeypatch.setattr(journal, "claim", claim_on_a_full_disk)
    code, outcome, _ = restyle(run, blend, tmp_path / "out.png", "--url", endpoint.base)
    assert not full
    assert (code, outcome["step"], len(endpoint.posts)) == (0, "DONE", 1)


def test_a_full_disk_right_after_the_provider_took_it_loses_no_picture(
    run, blend, tmp_path, endpoint, part, monkeypatch
):
    journal, full = part("core.journal").Journal, [True]
    save = journal.save

    def save_on_a_full_disk(self, job, *, release=False):
        if job.remote_id and full:
            full.clear()
            raise part("core.errors").JournalError("database or disk is full")
        save(self, job, release=release)

    monkeypatch.setattr(journal, "save", save_on_a_full_disk)
    code, outcome, _ = restyle(run, blend, tmp_path / "out.png", "--url", endpoint.base)
    assert not full
    assert (code, outcome["step"], len(endpoint.posts)) == (0, "DONE", 1)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (["--camera", "Nobody"], 2, "Nobody"),
        (["--scene", "Elsewhere"], 2, "no scene “Elsewhere”"),
        (["--near", "9", "--far", "3"], 2, "Near"),
        (["--near", "nan"], 2, "Near"),
        (["--prompt", "x" * 100_000], 2, "longer than 10,000 characters"),
        (["--prompt", " "], 2, "no prompt"),
        (["--steps", "4000"], 2, "Steps"),
        (["--guidance", "nan"], 2, "Guidance"),
        (["--seed", "0"], 2, "Seed"),
        (["--megapixels", "0"], 2, ""),
        (["--model", "no-such-model"], 2, "no model"),
        (["--provider", "nobody"], 2, "no provider"),
        (["--provider", "replicate", "--model", "fal:flux-control-lora-depth"], 2, "is not at Replicate"),
        (["--url", "http://example.com"], 2, "https"),
        (["--url", "https://user:secret@example.com"], 2, "user name or password"),
        (["--url", "ftp://127.0.0.1"], 2, "https"),
        (
            ["--finetune-id", "x", "--provider", "cometapi", "--model", "flux-pro-1.0-depth", "--url", "LOOP"],
            2,
            "fine-tune",
        ),
        (["--timeout", "0"], 2, ""),
        (["--frame", "nan"], 2, "1048574"),
        (["--frame", "1e12"], 2, "1048574"),
        (["--provider", "bfl"], 3, "online access"),
        (["--provider", "cometapi", "--url", "LOOP", "KEYLESS"], 3, "no CometAPI key"),
    ],
)
def test_bad_input_is_one_sentence_and_sends_nothing(run, blend, tmp_path, endpoint, monkeypatch, change, code, words):
    if "KEYLESS" in change:
        change = change[:-1]
    else:
        monkeypatch.setenv("COMETAPI_KEY", KEY)
    change = [endpoint.base if word == "LOOP" else word for word in change]
    base = [] if "--url" in change or "--provider" in change else ["--url", endpoint.base]
    got, outcome, said = restyle(run, blend, tmp_path / "out.png", *base, *change)
    assert got == code, said
    assert words in said
    assert "Traceback" not in said
    assert not endpoint.posts
    assert not (tmp_path / "out.png").exists()
    assert KEY not in said + json.dumps(outcome)


@pytest.mark.parametrize("key", ["sk-one\nX-Evil: yes", "sk one", "sk-ключ"])
def test_a_key_that_cannot_be_sent_is_refused_before_anything_is_rendered(
    run, blend, tmp_path, endpoint, monkeypatch, key
):
    monkeypatch.setenv("COMETAPI_KEY", key)
    code, _, said = restyle(run, blend, tmp_path / "out.png", "--provider", "cometapi", "--url", endpoint.base)
    assert code == 3
    assert "key holds a line break" in said
    assert key not in said
    assert not endpoint.requests


def test_a_missing_file_is_said(run, tmp_path):
    code, outcome, said = restyle(run, tmp_path / "none.blend", tmp_path / "out.png")
    assert (code, outcome["error"]["kind"]) == (2, "input")
    assert "There is no file" in said


@pytest.mark.parametrize("content", [b"", b"not a blend file at all", b"BLENDER-v402" + b"\0" * 64])
def test_a_damaged_file_is_said(run, tmp_path, content):
    (tmp_path / "broken.blend").write_bytes(content)
    code, _, said = restyle(run, tmp_path / "broken.blend", tmp_path / "out.png")
    assert code == 2
    assert "not a blend file" in said


def test_a_scene_without_a_camera_is_said(run, tmp_path):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "empty.blend"))
    code, _, said = restyle(run, tmp_path / "empty.blend", tmp_path / "out.png")
    assert code == 2
    assert "no camera" in said


@pytest.mark.parametrize("name", ["out", "out.gif", "folder.png", "x" * 300 + ".png"])
def test_an_output_that_cannot_be_a_picture_is_said_first(run, blend, tmp_path, name):
    (tmp_path / "folder.png").mkdir()
    code, _, said = restyle(run, blend, tmp_path / name)
    assert code == 2
    assert said.startswith("Error: ")


def test_an_output_below_a_file_is_said_first(run, blend, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, said = restyle(run, blend, tmp_path / "file" / "out.png")
    assert code == 2
    assert "cannot be written" in said


def test_an_outcome_that_cannot_be_written_is_said_before_money_is_spent(part, blend, tmp_path, endpoint, capfd):
    (tmp_path / "file").write_text("")
    words = [
        "restyle",
        blend,
        "--prompt",
        "x",
        "-o",
        tmp_path / "o.png",
        "--provider",
        "sandbox",
        "--url",
        endpoint.base,
    ]
    words += ["--provider", "sandbox", "--json", tmp_path / "file" / "told.json"]
    assert part("cli").main([*map(str, words)]) == 2
    assert "cannot be written" in capfd.readouterr().err
    assert not endpoint.posts


def test_one_job_that_cannot_go_on_keeps_no_other_from_being_finished(run, blend, tmp_path, part, endpoint):
    _, made, _ = restyle(run, blend, tmp_path / "out.png", "--url", endpoint.base)
    with part("core.journal").Journal(tmp_path / "data") as journal:
        request = journal.get(made["id"]).request
        gone = journal.add(replace(request, model="gone:model"), b"png")
        own = journal.add(request, Path(made["control"]).read_bytes())
    code, outcome, said = run("resume")
    assert code == 2
    assert "There is no model “gone:model”" in said
    steps = {job["id"]: job["step"] for job in outcome["jobs"]}
    assert (steps[own.id], steps[gone.id]) == ("DONE", "SUBMIT")


def test_a_retired_model_is_named_before_money_is_spent(run, blend, tmp_path, endpoint, monkeypatch):
    monkeypatch.setenv("COMETAPI_KEY", KEY)
    code, outcome, said = restyle(run, blend, tmp_path / "out.png", "--provider", "cometapi", "--url", endpoint.base)
    assert code == 0
    assert "Retired by its maker on 2025-10-31" in said
    assert outcome["cost_usd"] == 0.096


def test_the_provider_s_refusals_become_exit_codes(run, blend, tmp_path, part):
    sandbox = part("core.sandbox")
    cases = {401: (3, "key"), 402: (3, "funds"), 404: (3, "model"), 422: (3, "parameter"), 500: (6, "unknown")}
    for status, (code, kind) in cases.items():
        answers = [sandbox.Answer(status=status, body=b'{"detail": "no"}')]
        with sandbox.Sandbox(behaviour=sandbox.Behaviour(submit_answers=answers)) as endpoint:
            got, outcome, _ = restyle(run, blend, tmp_path / "out.png", "--url", endpoint.base)
        assert (got, outcome["error"]["kind"]) == (code, kind)


def test_a_moderated_picture_ends_with_five(run, blend, tmp_path, part):
    sandbox = part("core.sandbox")
    answers = [sandbox.Answer(status=200, body=b'{"id": "x", "status": "Content Moderated", "result": null}')]
    with sandbox.Sandbox(behaviour=sandbox.Behaviour(poll_answers=answers)) as endpoint:
        code, outcome, _ = restyle(run, blend, tmp_path / "out.png", "--url", endpoint.base)
    assert (code, outcome["charged"]) == (5, "no")


def test_wrong_usage_ends_with_two(run):
    assert run("dance")[0] == 2
    assert run()[0] == 2


def test_the_sandbox_verb_serves_until_it_is_stopped(tmp_path):
    import requests

    child = subprocess.Popen(
        [sys.executable, "-m", "flux_depth_addon", "sandbox"], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    base = next(line.strip() for line in child.stdout if line.startswith("http"))  # Blender itself says things too
    assert requests.get(base, timeout=5).status_code == 200
    child.send_signal(signal.SIGINT)
    try:
        assert child.wait(10) == 130
    finally:
        child.kill()
    with contextlib.suppress(requests.ConnectionError):
        requests.get(base, timeout=5)
        pytest.fail("it still answers")


def test_online_access_is_needed_unless_it_is_on_this_computer(part):
    provider = part("core.models").load().provider("cometapi")
    assert part("preferences").offline_reason(provider)
    assert not part("preferences").offline_reason(provider, "http://127.0.0.1:8000")


def test_no_key_reaches_a_file_of_the_journal(run, blend, tmp_path, endpoint, monkeypatch):
    monkeypatch.setenv("COMETAPI_KEY", KEY)
    restyle(run, blend, tmp_path / "out.png", "--provider", "cometapi", "--url", endpoint.base)
    assert endpoint.posts[0].headers["Authorization"] == f"Bearer {KEY}"
    for root, _, names in os.walk(tmp_path):
        for name in names:
            assert KEY.encode() not in Path(root, name).read_bytes(), name


# The same again.


def test_the_very_same_picture_is_copied_and_not_paid_for_again(run, blend, tmp_path, endpoint):
    same = ("--seed", 7, "--url", endpoint.base)
    restyle(run, blend, tmp_path / "a.png", *same)
    code, outcome, said = restyle(run, blend, tmp_path / "b.png", *same)
    assert (code, outcome["charged"], outcome["cost_usd"]) == (0, "no", 0.0)
    assert "it was copied, and nothing was sent" in said
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "a.png").read_bytes()
    assert len(endpoint.posts) == 1


def test_it_is_paid_for_again_when_that_is_wanted(run, blend, tmp_path, endpoint):
    same = ("--seed", 7, "--url", endpoint.base)
    restyle(run, blend, tmp_path / "a.png", *same)
    restyle(run, blend, tmp_path / "b.png", *same, "--anew")
    assert len(endpoint.posts) == 2


def test_without_a_seed_each_run_is_another_picture(run, blend, tmp_path, endpoint):
    for name in "ab":
        restyle(run, blend, tmp_path / f"{name}.png", "--url", endpoint.base)
    assert len(endpoint.posts) == 2


def test_a_copy_takes_the_format_of_its_name(run, blend, tmp_path, endpoint):
    same = ("--seed", 7, "--url", endpoint.base)
    restyle(run, blend, tmp_path / "a.png", *same)
    restyle(run, blend, tmp_path / "b.jpg", *same)
    assert Image.open(tmp_path / "b.jpg").format == "JPEG"


def test_the_monthly_limit_holds_on_the_command_line(run, blend, tmp_path, endpoint, monkeypatch, part):
    monkeypatch.setenv("COMETAPI_KEY", KEY)
    monkeypatch.setattr(part("preferences"), "cap", lambda: 0.05)
    code, outcome, _ = run(
        "restyle", blend, "--prompt", "x", "-o", tmp_path / "a.png", "--provider", "cometapi", "--url", endpoint.base
    )
    assert (code, outcome["error"]["kind"], outcome["charged"]) == (3, "budget", "no")
    assert not endpoint.posts


def test_jobs_tells_what_the_month_came_to(run, blend, tmp_path, endpoint):
    restyle(run, blend, tmp_path / "a.png", "--url", endpoint.base)
    _, _, said = run("jobs")
    assert "This month: $0.00 charged" in said
