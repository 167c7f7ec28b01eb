"""A model that is gone leads to one that lives: in the scene, and for a job, each in one click."""

import time
from dataclasses import replace

import bpy
import pytest

from tests import living_models
from tests.blender.hostile import button, drawn, in_the_sidebar, words
from tests.secrets_watch import marked_key

GONE = "cometapi:flux-pro-1-0-depth-finetuned"


@pytest.fixture
def scene(ready, data, part, monkeypatch):
    """One that asks a retired model, beside one that lives and whose key is there."""
    monkeypatch.setattr(part("watch"), "start_worker", lambda: None)
    monkeypatch.setattr(part("watch"), "_keep_worker", lambda: None)
    monkeypatch.setattr(part("preferences"), "offline_reason", lambda *_: "")
    monkeypatch.setenv("NEAR_KEY", marked_key("near"))
    table(part, data, near__map="")
    ready.flux_depth.model_id, ready.flux_depth.megapixels = GONE, 0.1
    return ready


def table(part, data, **rows):
    """Have these models besides the shipped ones."""
    data.mkdir(exist_ok=True)
    (data / "models.toml").write_text(living_models.rows(**rows), encoding="utf-8")
    part("preferences").forget_table()


@pytest.fixture
def failed(scene, part):
    """A job of the scene that its provider does not serve, told to the window."""

    def enter(model=GONE, action="model", **changes):
        journal, Step = part("watch").journal(), part("core.job").Step
        request = replace(part("properties").request_of(bpy.context), seed=7, **changes)
        request = replace(request, model=model)
        job = journal.claim(job_id=journal.add(request, b"png", price_usd=0.096).id)
        end = {"step": Step.FAILED, "error_kind": "model", "error_message": "Gone.", "error_action": action}
        journal.save(replace(job, finished=time.time(), submit_started=time.time(), **end), release=True)
        part("watch").refresh()
        return job

    return enter


def press(operator, **shown):
    """Click a button; the sentence it reports, or nothing."""
    try:
        getattr(bpy.ops.flux_depth, operator)(**shown)
    except RuntimeError as error:
        return str(error)
    return ""


def sends(part):
    """The words of the button that sends a job elsewhere, and its click."""
    with in_the_sidebar():
        return button(drawn(part), "flux_depth.send_instead")


def test_a_retired_model_is_warned_of_with_the_way_to_one_that_lives(scene, part):
    assert "Retired by its maker" in words(drawn(part))
    label, click = button(drawn(part), "flux_depth.switch_model")
    assert label.startswith("Switch")
    assert "$0.04" in label
    assert "$0.056 less" in words(drawn(part))
    scene.flux_depth.use_seed, scene.flux_depth.seed = True, 7
    assert press("switch_model", **click) == ""
    assert (scene.flux_depth.model_id, scene.flux_depth.prompt) == ("near:map", "a garden in the morning")
    assert (scene.flux_depth.seed, scene.flux_depth.megapixels) == (7, pytest.approx(0.1))
    assert "flux_depth.switch_model" not in str(drawn(part))


def test_a_price_per_megapixel_is_told_for_this_picture(scene, part, data):
    scene.flux_depth.megapixels = 1.5
    table(part, data, near__map='per = "megapixel"\nmax_megapixels = 1.5\nmax_side = 2048')
    assert "$0.08 ($0.016 less)" in words(drawn(part))


def test_one_without_a_key_is_offered_and_says_that_it_needs_one(scene, part, monkeypatch):
    monkeypatch.delenv("NEAR_KEY")
    assert "$0.056 less, needs a key" in words(drawn(part))


def test_what_the_living_model_does_not_take_is_told_before_the_click(scene, part):
    scene.flux_depth.finetune_id = "mine"
    scene.flux_depth.guidance = 30
    assert "It does not take the fine-tune and guidance 30" in words(drawn(part))


def test_a_script_that_names_no_model_gets_the_nearest(scene):
    assert press("switch_model") == ""
    assert scene.flux_depth.model_id == "near:map"


def test_a_model_that_lives_is_not_warned_of(scene, part):
    scene.flux_depth.model_id = "near:map"
    assert "switch_model" not in str(drawn(part))


def test_what_is_to_know_of_a_living_one_s_price_is_told_before_the_click(scene, part, data):
    table(part, data, near__map='note = "Near names no price before"')
    scene.flux_depth.model_id = "near:map"
    assert "Near names no price before." in words(drawn(part))


def test_a_model_that_was_refused_is_warned_of_although_the_table_knows_nothing(scene, failed, part, data):
    table(part, data, near__map="", far__map="")
    failed("near:map")
    scene.flux_depth.model_id = "near:map"
    assert "Near did not serve it when it was asked last" in words(drawn(part))
    _label, click = button(drawn(part), "flux_depth.switch_model")
    assert click["model_id"] == "far:map"


def test_the_same_is_sent_to_the_nearest_in_one_click(scene, failed, part):
    job = failed()
    label, click = sends(part)
    assert label.startswith("Send It")
    assert "$0.04" in label
    assert press("send_instead", **click) == ""
    again = part("watch").journal().get(part("watch").journal().get(job.id).retried_as)
    asked, before = again.request, job.request
    assert (asked.prompt, asked.seed, asked.framing) == (before.prompt, 7, before.framing)
    assert (asked.model, asked.guidance, asked.steps) == ("near:map", 3.5, None)
    assert again.control.read_bytes() == b"png"
    assert (again.step, again.price_usd, scene.flux_depth.model_id) == ("SUBMIT", 0.04, GONE)


def test_a_second_click_sends_nothing(failed, part):
    failed()
    _label, click = sends(part)
    assert press("send_instead", **click) == ""
    assert "sent anew already. Nothing was sent" in press("send_instead", **click)
    assert "send_instead" not in str(drawn(part))
    assert len(part("watch").journal().jobs()) == 2


def test_what_changed_since_it_was_drawn_sends_nothing(failed, part, data):
    job = failed()
    _label, click = sends(part)
    table(part, data, near__map="price_usd = 0.05")
    assert "has changed since it was drawn: it is $0.05 with Map now. Nothing was sent" in press(
        "send_instead", **click
    )
    assert part("watch").journal().get(job.id).retried_as == ""


def test_the_month_s_limit_holds_for_it(failed, part, monkeypatch):
    failed()
    _label, click = sends(part)
    monkeypatch.setattr(part("preferences"), "cap", lambda: 0.01)
    assert "limit of $0.01 a month" in press("send_instead", **click)
    assert len(part("watch").journal().jobs()) == 1


def test_without_a_key_the_scene_is_switched_instead(failed, part, monkeypatch):
    monkeypatch.delenv("NEAR_KEY")
    failed()
    assert "send_instead" not in str(drawn(part))
    assert "needs a key" in words(drawn(part))


def test_a_size_that_it_does_not_take_is_told_and_the_scene_switched_instead(failed, part, data):
    table(part, data, near__map="multiple = 48")
    failed()
    shown = drawn(part)
    assert "Map does not take 384 × 256 pixels: render the depth again for this model" in words(shown)
    assert "send_instead" not in str(shown)
    assert button(shown, "flux_depth.switch_model")[1]["model_id"] == "near:map"


def test_a_picture_that_is_on_its_way_there_already_is_not_paid_twice(failed, part):
    failed()
    assert press("send_instead", **sends(part)[1]) == ""
    other = failed()
    assert "was asked for this very picture already" in press("send_instead", job_id=other.id)


def test_the_control_image_gone_is_told(failed, part):
    job = failed()
    job.control.unlink()
    assert "The control image of this job is gone. Nothing was sent" in press("send_instead", job_id=job.id)


def test_where_nothing_else_lives_the_sandbox_is_offered(scene, part, data):
    table(part, data)
    assert button(drawn(part), "flux_depth.switch_model")[1]["model_id"] == "sandbox"


def test_a_dear_one_is_asked_about_first(failed, part, data, monkeypatch):
    table(part, data, near__map="price_usd = 0.9")
    failed()
    Sends = part("switch").FLUXDEPTH_OT_send_instead
    click = sends(part)[1]
    monkeypatch.setattr(part("preferences"), "asks_above", lambda: 0.5)

    class Clicked:
        job_id, shown_model, shown_price = click["job_id"], click["shown_model"], click["shown_price"]

    assert Sends.question(Clicked, bpy.context) == "This costs $0.90."


def test_drawing_it_asks_nothing_twice(scene, part):
    drawn(part)
    nearest = part("switch")._nearest
    before = nearest.cache_info().misses
    bpy.context.scene.camera.location.x += 1
    bpy.context.view_layer.update()
    drawn(part)
    assert nearest.cache_info().misses == before


def test_a_server_of_the_artist_s_own_counts_once_it_was_met(scene, part, monkeypatch):
    provider = replace(part("preferences").table().provider("near"), chosen_base=True, key_header="")
    lacking = part("switch").lacking
    assert lacking(replace(provider, base="")) == "needs its server"
    assert lacking(provider) == "needs its server"
    monkeypatch.setitem(part("watch").connections, "near", ("It answered.", True))
    assert lacking(replace(provider, base="http://127.0.0.1:8188")) == ""
    assert lacking(provider) == "needs your word for its address"  # another computer
    monkeypatch.setitem(part("watch").connections, "near", ("Nobody answered.", False))
    assert lacking(provider) == "needs its server"
