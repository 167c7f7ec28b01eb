"""Money, news, other journals and remedies, as the panel shows them and its buttons do them."""

import time
from dataclasses import replace
from pathlib import Path

import bpy
import pytest
from PIL import Image

from tests.blender.hostile import button, drawn, look, words
from tests.secrets_watch import marked_key

KEY = marked_key("cometapi")

PAID = "cometapi:flux-pro-1.0-depth"


@pytest.fixture
def ready(fresh_file, data, part):
    """A scene that may generate in the sandbox, with a journal of its own and the preferences as they come."""
    fresh_file.flux_depth.model_id = "sandbox"
    fresh_file.flux_depth.prompt = "a garden in the morning"
    fresh_file.flux_depth.megapixels = 0.1
    part("watch").unregister()
    part("watch").register()
    yield fresh_file
    chosen = part("preferences").current()
    chosen.use_cap, chosen.asks_above_usd = False, 0.5
    part("worker_process").let_go()


@pytest.fixture
def entered(ready, part, data):
    """Enters a job of six cents as it would be after this; told to the window."""

    def enter(picture=None, origin="", **changes):
        journal = part("watch").journal()
        request = replace(part("properties").request_of(bpy.context), model=PAID)
        job = journal.claim(job_id=journal.add(request, b"png", price_usd=0.06, origin=origin).id)
        sent = {"submit_started": time.time(), "finished": time.time(), "result": str(picture or "")}
        named = {name: part("core.job").Step[value] if name == "step" else value for name, value in changes.items()}
        journal.save(replace(job, **sent | named), release=True)
        part("watch").refresh()
        return job.id

    return enter


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    Image.new("RGB", (64, 36)).save(path)
    return path


def press(operator, **shown):
    """Click a button; the sentence it reports, or nothing."""
    try:
        getattr(bpy.ops.flux_depth, operator)(**shown)
    except RuntimeError as error:
        return str(error).removeprefix("Error: ").strip()
    return ""


def finish(part, number=1, seconds=30):
    watch, end = part("watch"), time.monotonic() + seconds
    while len([job for job in watch.jobs.values() if job.is_final]) < number:
        assert time.monotonic() < end, watch.jobs
        look(part)
        time.sleep(0.1)


# Money.


def test_nothing_is_said_of_money_before_any_is_spent(ready, part):
    assert "Spent" not in words(drawn(part))


def test_what_was_spent_stands_under_the_button(entered, part):
    entered(step="FAILED", charged="yes")
    entered(step="FAILED", charged="yes", billed_usd=0.04)
    entered(step="FAILED", charged="unknown")
    said = words(drawn(part))
    assert "Spent: $0.10 since start, $0.10 this month, perhaps $0.06 more" in said


def test_the_monthly_limit_stops_a_click_before_anything_is_sent(entered, ready, part, monkeypatch):
    entered(step="FAILED", charged="yes")
    chosen = part("preferences").current()
    chosen.use_cap, chosen.cap_usd = True, 0.1
    assert "$0.06 of $0.10 this month" in words(drawn(part))
    monkeypatch.setenv("COMETAPI_KEY", KEY)
    monkeypatch.setattr(part("preferences"), "offline_reason", lambda *_: "")
    ready.flux_depth.model_id = PAID
    assert "would pass your limit of $0.10 a month" in press("generate")
    assert len(part("watch").journal().jobs()) == 1


def test_the_sandbox_is_free_whatever_the_limit(entered, part):
    entered(step="FAILED", charged="yes")
    chosen = part("preferences").current()
    chosen.use_cap, chosen.cap_usd = True, 0.0
    assert press("generate") == ""
    finish(part, 2)


def test_a_price_above_the_limit_is_asked_about(ready, part):
    ask = part("operators").FLUXDEPTH_OT_generate.question
    part("preferences").current().asks_above_usd = 0.05
    ready.flux_depth.model_id = PAID
    assert ask(None, bpy.context) == "This costs $0.06."
    part("preferences").current().asks_above_usd = 0.06
    assert ask(None, bpy.context) == ""


def test_a_retry_that_may_cost_twice_is_asked_about(entered, part):
    class Retry:
        job_id = entered(step="FAILED", charged="unknown", error_kind="unknown")

    question = part("operators").FLUXDEPTH_OT_retry.question(Retry, bpy.context)
    assert question == "The first may have been charged. This costs $0.06, perhaps for the second time."
    Retry.job_id = entered(step="FAILED", charged="unknown", error_kind="deadline", remote_id="t1")
    assert part("operators").FLUXDEPTH_OT_retry.question(Retry, bpy.context) == ""


# The same again.


def test_a_double_click_sends_one(ready, part):
    assert [press("generate"), "a moment ago" in press("generate")] == ["", True]
    assert len(part("watch").journal().jobs()) == 1
    finish(part)


def test_the_very_same_picture_is_offered_back_and_not_sent_again(ready, part):
    ready.flux_depth.use_seed = True
    press("generate")
    finish(part)
    assert "was painted already" in press("generate")
    assert len(part("watch").journal().jobs()) == 1
    job = next(iter(part("watch").jobs.values()))
    ready.camera.data.background_images.clear()
    assert press("use", job_id=job.id) == ""
    assert part("placement").slot_of(ready.camera)
    assert press("use", job_id=job.id, anew=True, price="free") == ""
    finish(part, 2)


def test_the_very_same_picture_is_not_sent_while_the_first_is_on_its_way(ready, part):
    ready.flux_depth.use_seed = True
    press("generate")
    assert "is on its way already. Nothing was sent: change the seed for another" in press("generate")
    assert len(part("watch").journal().jobs()) == 1
    finish(part)


def test_another_seed_is_another_picture(ready, part):
    ready.flux_depth.use_seed = True
    press("generate")
    ready.flux_depth.seed = 2
    assert press("generate") == ""
    finish(part, 2)


# News.


def test_pictures_that_arrived_for_another_file_are_told_and_waved_away(entered, part, picture):
    entered(picture, origin="/elsewhere/a.blend", step="DONE")
    entered(picture, origin="/elsewhere/b.blend", step="DONE")
    entered(origin="/elsewhere/b.blend", step="FAILED")
    assert "2 pictures arrived and 1 job failed while you were away" in words(drawn(part))
    assert press("dismiss_news") == ""
    assert "while you were away" not in words(drawn(part))
    assert all(job.seen for job in part("watch").journal().jobs())


def test_showing_the_news_marks_the_newest_picture_in_the_list(entered, part, picture):
    entered(picture, origin="/elsewhere/a.blend", step="DONE")
    newest = entered(picture, origin="/elsewhere/b.blend", step="DONE")
    entered(origin="/elsewhere/b.blend", step="FAILED")
    assert press("show_news") == ""
    chosen = bpy.context.window_manager
    assert chosen.flux_depth_jobs[chosen.flux_depth_job].name == newest


def test_a_picture_that_ended_before_its_file_was_opened_is_laid_and_told(entered, part, picture, tmp_path):
    blend = tmp_path / "room.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    bpy.ops.wm.read_homefile(use_empty=False)
    entered_for = bpy.context.scene.flux_depth
    entered_for.prompt = "a garden in the morning"
    entered(picture, origin=str(blend), step="DONE")
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    look(part)
    assert part("placement").slot_of(bpy.context.scene.camera)
    assert "1 picture arrived while you were away" in words(drawn(part))


def test_what_fails_in_sight_is_no_news(entered, part, tmp_path):
    blend = tmp_path / "room.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    job_id = entered(origin=str(blend), step="FAILED", error_message="x")
    assert "while you were away" not in words(drawn(part))
    assert part("watch").journal().get(job_id).seen


# Other journals.


@pytest.fixture
def older_blender(part, tmp_path, monkeypatch, ready):
    """A folder of Blender 4.5 beside this one's, with one picture in its journal."""
    user = tmp_path / "blender" / "5.2"
    user.mkdir(parents=True)
    monkeypatch.setattr(bpy.utils, "resource_path", lambda _kind: str(user))
    folder = tmp_path / "blender" / "4.5" / "extensions" / ".user" / "user_default" / "flux_depth"
    with part("core.journal").Journal(folder) as journal:
        request = part("properties").request_of(bpy.context)
        job = journal.claim(job_id=journal.add(request, b"png").id)
        picture = job.folder / "result.png"
        Image.new("RGB", (64, 36)).save(picture)
        done = {"step": part("core.job").Step.DONE, "result": str(picture), "submit_started": 1.0, "finished": 2.0}
        journal.save(replace(job, **done), release=True)
    watch = part("watch")
    watch.unregister()
    watch.register()
    look(part)
    return folder, job.id


def test_an_older_blender_s_journal_is_offered_and_brought_here(older_blender, part, monkeypatch):
    monkeypatch.setattr(part("watch"), "NEWS_SECONDS", 0.0)
    folder, job_id = older_blender
    assert "Blender 4.5 has a journal with 1 picture" in words(drawn(part))
    _, shown = button(drawn(part), "flux_depth.adopt_journal")
    assert press("adopt_journal", **shown) == ""
    look(part)
    assert Path(part("watch").jobs[job_id].result).is_file()
    assert "has a journal" not in words(drawn(part))
    assert (folder / "journal.sqlite3").is_file()


def test_a_declined_journal_is_not_offered_again(older_blender, part):
    _, shown = button(drawn(part), "flux_depth.decline_journal")
    assert press("decline_journal", **shown) == ""
    watch = part("watch")
    watch.unregister()
    watch.register()
    look(part)
    assert "has a journal" not in words(drawn(part))


def test_an_older_blender_s_journal_from_the_future_is_said_and_left_alone(older_blender, part):
    import sqlite3

    folder, _ = older_blender
    database = sqlite3.connect(folder / "journal.sqlite3", isolation_level=None)
    database.execute("PRAGMA user_version = 99")
    database.close()
    watch = part("watch")
    watch.unregister()
    watch.register()
    look(part)
    assert "newer version of FLUX Depth" in watch.problem
    look(part)
    assert watch.problem == ""


def test_an_older_blender_s_damaged_journal_is_not_taken_for_this_one(older_blender, part):
    folder, _ = older_blender
    path = folder / "journal.sqlite3"
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * 8000)
    watch = part("watch")
    watch.unregister()
    watch.register()
    look(part)
    assert (watch.problem, watch.damaged, watch.offers) == ("", False, [])


# A journal that fails.


def test_a_damaged_journal_has_a_button_that_begins_anew(entered, part, data, picture):
    job_id = entered(picture, step="DONE", charged="yes")
    part("watch").let_go_of_journal()
    path = data / "journal.sqlite3"
    for log in data.glob("journal.sqlite3-*"):
        log.unlink()
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * 8000)
    look(part)
    assert "The journal is damaged" in words(drawn(part))
    button(drawn(part), "flux_depth.start_new_journal")
    assert press("start_new_journal") == ""
    look(part)
    assert part("watch").problem == ""
    assert part("watch").jobs[job_id].result == str(picture)


def test_a_journal_from_the_future_is_said_and_left_alone(ready, part, data):
    import sqlite3

    part("core.journal").Journal(data).close()
    database = sqlite3.connect(data / "journal.sqlite3", isolation_level=None)
    database.execute("PRAGMA user_version = 99")
    database.close()
    look(part)
    assert "newer version of FLUX Depth. It was left as it is" in words(drawn(part))
    assert "newer version" in press("generate")


# Remedies.


@pytest.mark.parametrize(
    ("action", "operator"),
    [
        ("preferences", "flux_depth.open_preferences"),
        ("online", "extensions.userpref_show_online"),
        ("account", "flux_depth.open_account"),
        ("report", "flux_depth.copy_report"),
        ("retry", "flux_depth.retry"),
    ],
)
def test_a_failed_job_offers_the_button_of_its_cause(entered, part, action, operator):
    entered(step="FAILED", error_message="It failed.", error_action=action, error_kind="x")
    label, _ = button(drawn(part), operator)
    assert label


def test_every_action_that_a_cause_can_have_is_drawn(part):
    from typing import get_args

    actions = set(get_args(part("core.errors").Action)) - {"", "retry"}
    assert actions == part("job_panel").REMEDIES.keys()


@pytest.mark.key_is_planted("file *journal.sqlite3*", "file *receipt.json")
def test_a_report_can_be_copied_and_tells_no_prompt(entered, part, monkeypatch):
    monkeypatch.setenv("COMETAPI_KEY", KEY)
    job_id = entered(step="FAILED", error_message=f"refused: “a garden in the morning”, key {KEY}")
    assert press("copy_report", job_id=job_id) == ""
    copied = part("upkeep").report_of(part("watch").journal().get(job_id))
    assert "Blender" in copied
    assert "a garden in the morning" not in copied
    assert KEY not in copied


# What is sent.


def test_the_panel_lists_what_is_sent_and_to_whom(ready, part):
    ready.flux_depth.model_id = PAID
    said = words(drawn(part)).replace(" ", "")  # a narrow sidebar breaks long words
    for told in ("To api.cometapi.com", "prompt: a garden in the morning", "steps: 50", "header Authorization"):
        assert told.replace(" ", "") in said
