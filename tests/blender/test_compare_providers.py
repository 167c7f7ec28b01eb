"""The same picture from several models: what the dialog lists and says, and what is sent."""

import bpy
import pytest

from tests.blender.hostile import drawn, drawn_by, words
from tests.blender.test_switch import press, table
from tests.secrets_watch import marked_key


@pytest.fixture
def scene(ready, data, part, monkeypatch):
    """One with keys at two providers: one takes the map, one estimates depth."""
    monkeypatch.setattr(part("watch"), "start_worker", lambda: None)
    monkeypatch.setattr(part("watch"), "_keep_worker", lambda: None)
    monkeypatch.setattr(part("preferences"), "offline_reason", lambda *_: "")
    for name in ("NEAR_KEY", "FAR_KEY"):
        monkeypatch.setenv(name, marked_key("bfl"))
    table(part, data, near__map="loras = 1", far__photo='control = "picture"\nprice_usd = 0.02\nmultiple = 16')
    ready.flux_depth.model_id, ready.flux_depth.megapixels = "near:map", 0.1
    ready.flux_depth.use_seed, ready.flux_depth.seed = True, 7
    return ready


@pytest.fixture
def dialog(scene, part):
    """Draws the dialog with these ticks: its words, and what it would send."""
    compared = part("compare_providers")

    class Dialog(bpy.types.PropertyGroup):
        rows: bpy.props.CollectionProperty(type=compared.FLUXDEPTH_PG_compared)
        clay: bpy.props.BoolProperty()
        shown: bpy.props.StringProperty()
        drawn_in = None
        layout = property(lambda _self: Dialog.drawn_in)

    def draw(owner, context):
        Dialog.drawn_in = owner.layout
        compared.FLUXDEPTH_OT_compare_providers.draw(bpy.context.window_manager.dialog, context)

    def tick(*ids):
        shown = bpy.context.window_manager.dialog
        shown.rows.clear()
        for model in compared.candidates():
            row = shown.rows.add()
            row.name, row.use = model.id, model.id in ids
        return words(drawn_by(draw)), shown.shown

    bpy.utils.register_class(Dialog)
    bpy.types.WindowManager.dialog = bpy.props.PointerProperty(type=Dialog)
    yield tick
    del bpy.types.WindowManager.dialog
    bpy.utils.unregister_class(Dialog)


def test_every_living_model_with_a_key_is_offered(scene, part, monkeypatch):
    assert [model.id for model in part("compare_providers").candidates()] == ["near:map", "far:photo"]
    monkeypatch.delenv("FAR_KEY")
    assert [model.id for model in part("compare_providers").candidates()] == ["near:map"]
    assert "two living models whose keys are here" in press("compare_providers")


def test_all_of_them_are_asked_at_once_with_one_seed_and_paid_as_shown(scene, part):
    assert press("compare_providers") == ""
    jobs = list(part("watch").jobs.values())
    assert sorted((job.request.model, job.price_usd, job.seed) for job in jobs) == [
        ("far:photo", 0.02, 7),
        ("near:map", 0.04, 7),
    ]
    assert len({job.batch for job in jobs}) == 1


def test_one_seed_is_drawn_for_all_where_none_is_set(scene, part):
    scene.flux_depth.use_seed = False
    assert press("compare_providers") == ""
    assert len({job.seed for job in part("watch").jobs.values()}) == 1


def test_each_model_gets_its_own_size_and_its_own_dials(scene, part, data):
    table(part, data, near__map="", far__photo="multiple = 48\nguidance = { low = 20.0, high = 40.0, default = 30.0 }")
    scene.flux_depth.guidance = 12
    assert press("compare_providers") == ""
    asked = {job.request.model: job.request for job in part("watch").jobs.values()}
    assert (asked["near:map"].guidance, asked["far:photo"].guidance) == (12, 30)
    assert asked["far:photo"].framing.width % 48 == 0


def test_clay_goes_only_to_those_that_estimate_depth(scene, part):
    assert press("compare_providers", clay=True) == ""
    jobs = {job.request.model: job for job in part("watch").jobs.values()}
    assert {name: job.request.control for name, job in jobs.items()} == {"near:map": "depth", "far:photo": "clay"}
    assert len({job.control.read_bytes() for job in jobs.values()}) == 2


def test_a_scene_set_to_clay_still_sends_the_map_to_those_that_take_it_for_one(scene, part):
    scene.flux_depth.control = "clay"
    assert press("compare_providers") == ""
    asked = {job.request.model: job.request.control for job in part("watch").jobs.values()}
    assert asked == {"near:map": "depth", "far:photo": "clay"}


def test_only_the_models_that_are_named_are_asked(scene, part):
    assert press("compare_providers", model_ids="far:photo") == ""
    assert [job.request.model for job in part("watch").jobs.values()] == ["far:photo"]


def test_a_model_without_a_key_or_a_tick_sends_nothing(scene, part, monkeypatch):
    assert "No model is ticked: tick the ones to compare. Nothing was sent" in press(
        "compare_providers", model_ids="none"
    )
    monkeypatch.setattr(part("compare_providers"), "obstacle", lambda _context: "")
    monkeypatch.delenv("FAR_KEY")
    assert "There is no Far key" in press("compare_providers", model_ids="near:map far:photo")
    assert not part("watch").journal().jobs()


def test_what_changed_since_it_was_shown_sends_nothing(scene, part):
    assert "has changed since it was drawn" in press("compare_providers", shown="2 pictures  ·  $0.05")
    assert not part("watch").journal().jobs()


def test_the_month_s_limit_holds_for_all_of_them_together(scene, part, monkeypatch):
    monkeypatch.setattr(part("preferences"), "cap", lambda: 0.05)
    assert "A grid of 2 pictures costs $0.06, and of your limit of $0.05 a month" in press("compare_providers")
    assert not part("watch").journal().jobs()


def test_the_dialog_names_each_price_the_sum_and_what_is_left_out(scene, dialog, part, data):
    table(
        part, data, near__map="", far__photo="price_usd = 0.02\nguidance = { low = 20.0, high = 40.0, default = 30.0 }"
    )
    scene.flux_depth.guidance = 12
    said, shown = dialog("near:map", "far:photo")
    for told in ("$0.04", "$0.02", "Without guidance 12", "1 render of the depth", "This month", shown):
        assert told in said
    assert shown == "2 pictures  ·  $0.06"


def test_what_the_dialog_says_goes_with_the_ticks(dialog):
    assert dialog("far:photo")[1] == "1 picture  ·  $0.02"
    assert "No model is ticked" in dialog()[0]


def test_the_button_stands_in_the_panel_of_variations(scene, part):
    assert "flux_depth.compare_providers" in str(drawn(part))


def test_the_sheet_names_the_model_and_whose_it_is(scene, part):
    press("compare_providers")
    jobs = list(part("watch").jobs.values())
    assert {part("batch").label_of(job, part("preferences").table()) for job in jobs} == {"Near: Map", "Far: Photo"}
    assert bpy.context.scene.flux_depth.model_id == "near:map"


def test_one_that_wants_a_start_picture_is_left_out_while_there_is_none(scene, part, data):
    table(part, data, near__map="", far__over='start = "required"', far__tuned='finetune = "required"')
    assert press("compare_providers") == ""
    assert [job.request.model for job in part("watch").jobs.values()] == ["near:map"]
