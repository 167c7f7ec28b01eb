"""What a model takes is what the panel shows, what is kept when models are switched, and what the request holds."""

import json
from dataclasses import replace

import bpy
import numpy as np
import pytest
from PIL import Image

from tests.blender import hostile
from tests.blender.hostile import drawn_by, words

TABLE = """
[providers.here]
label = "Here"
protocol = "bfl"
base = "http://127.0.0.1:9"
submit = "/v1/{model}"
poll = "/v1/get_result"
probe = "/"

[models."here:style"]
label = "Style"
path = "style"
map_field = "control_image"
sends_size = true
price_usd = 0.04
per = "megapixel"
max_megapixels = 2.0
max_side = 2048
steps = { low = 1, high = 40, default = 28 }
guidance = { low = 0.0, high = 35.0, default = 3.5 }
strength = { low = 0.01, high = 1.0, default = 0.85 }
control_strength = { low = 0.0, high = 2.0, default = 1.0 }
start = "optional"
loras = 2
formats = ["jpeg", "png"]

[models."here:photo"]
label = "Photo"
path = "photo"
map_field = "control_image"
control = "picture"
price_usd = 0.03
guidance = { low = 1.0, high = 10.0, default = 5.0 }
formats = ["webp"]

[models."here:over"]
like = "here:photo"
label = "Over"
control = "map"
start = "required"
guidance = false
"""
DIALS = ("steps", "guidance", "safety_tolerance", "finetune_strength", "strength", "control_strength")


@pytest.fixture
def table(data, part):
    """The shipped models, and three that take other things."""
    data.mkdir()
    (data / "models.toml").write_text(TABLE)
    part("preferences").forget_table()
    part("properties")._items.cache_clear()
    yield part("preferences").table()
    part("properties")._items.cache_clear()


@pytest.fixture
def scene(fresh_file, table, part):
    """A scene with a prompt, which asks the model that takes most."""
    fresh_file.flux_depth.prompt = "a garden"
    part("properties").switch_model(fresh_file.flux_depth, "here:style")
    yield fresh_file
    part("preferences").current().extras.clear()


@pytest.fixture
def switch(scene, part):
    return lambda model_id: part("properties").switch_model(scene.flux_depth, model_id)


def request_of(part, **more):
    return part("properties").request_of(bpy.context, **more)


def shown(part, kind="model_panel", name="Model"):
    """What the panel draws: every item, drawn by Blender itself."""
    with hostile.in_the_sidebar():
        return drawn_by(getattr(part(kind), name).draw)


def fields(items):
    """The settings among them, by name."""
    return {item["rna"].split(".")[-1].partition("[")[0] for item in items if "rna" in item}


def add_lora(scene, path, *, trigger="", weight=1.0, use=True):
    row = scene.flux_depth_loras.rows.add()
    row.path, row.trigger, row.weight, row.use = path, trigger, weight, use
    return row


def painted_image(name="Start", size=(64, 32), colour=(1.0, 0.0, 0.0, 1.0), **kind):
    image = bpy.data.images.new(name, *size, **kind)
    image.pixels.foreach_set(np.tile(np.array(colour, np.float32), size[0] * size[1]))
    return image


# What is shown.


def expected(model):
    named = {"prompt_upsampling": model.prompt_upsampling, "finetune_id": model.finetune != "none"}
    named |= {name: model.dial(name) is not None for name in DIALS if name != "strength"}
    named["finetune_strength"] &= model.finetune != "none"
    named["output_format"] = len(model.formats) > 1
    return {name for name, is_there in named.items() if is_there}


def test_each_model_of_the_whole_table_is_shown_what_it_takes_and_nothing_else(scene, table, switch, part):
    for model in table.models.values():
        switch(model.id)
        items = shown(part)
        assert fields(items) - {"use_seed", "active"} == expected(model), model.id
        assert any("add_lora" in item.get("operator", "") for item in items) == bool(model.loras)
        assert any("image.open" in item.get("operator", "") for item in items) == (model.start != "none")
        assert [item["draw_string"] for item in items if item.get("rna", "").endswith("output_format[0]")] == [
            {"png": "PNG", "jpeg": "JPEG", "webp": "WebP"}[name] for name in model.formats if len(model.formats) > 1
        ]


def test_each_model_of_the_whole_table_is_asked_what_it_takes_and_nothing_else(scene, table, switch, part):
    add_lora(scene, "a/b")
    scene.flux_depth_start.image = painted_image()
    for model in table.models.values():
        switch(model.id)
        scene.flux_depth.finetune_id = "mine" if model.finetune == "required" else ""
        request = request_of(part)
        taken = {name for name in DIALS if getattr(request, name) is not None}
        tuned = {"finetune_strength"} if model.finetune != "required" else set()
        assert taken == {name for name in DIALS if model.dial(name)} - tuned, model.id
        assert bool(request.loras) == bool(model.loras)
        assert bool(request.start) == (model.start != "none")
        assert (request.prompt_upsampling is None) == (not model.prompt_upsampling)
        assert request.output_format in model.formats


def test_the_ranges_of_the_model_are_shown_and_what_is_out_of_them_is_said_with_a_way_back(scene, part):
    assert "Takes steps 1 to 40, guidance 0 to 35, control strength 0 to 2" in words(shown(part))
    scene.flux_depth.steps = 50
    assert "Steps must be from 1 to 40, not 50." in words(shown(part))
    assert part("obstacles").obstacle(bpy.context) == "Steps must be from 1 to 40, not 50"
    bpy.ops.flux_depth.fit_dials()
    assert scene.flux_depth.steps == 28
    assert not part("obstacles").obstacle(bpy.context)


def test_a_model_that_estimates_depth_says_so_and_one_click_sends_it_clay(scene, switch, part):
    assert "estimates depth" not in words(shown(part, "panels", "_Main"))
    switch("here:photo")
    assert "model estimates depth from" in words(shown(part, "panels", "_Main"))
    bpy.ops.flux_depth.send_clay()
    assert request_of(part).control == "clay"
    items = shown(part, "panels", "_Main")
    assert "estimates depth from the picture itself" in words(items)
    assert not any("send_clay" in item.get("operator", "") for item in items)


def test_a_size_that_the_provider_chooses_is_said(scene, switch, part):
    assert words(shown(part, "panels", "_Camera")).endswith("1344 × 756 pixels")
    switch("here:photo")
    assert "the provider chooses the size itself" in words(shown(part, "panels", "_Camera"))


def test_the_menu_says_provider_model_price_and_what_is_retired(table, part):
    labels = {item[0]: item[1] for item in part("properties")._model_items(None, None)}
    assert labels["here:style"] == "Here: Style  ·  $0.04 per megapixel"
    assert labels["bfl:flux-pro-1.0-depth"].endswith("·  $0.05  ·  retired")
    assert labels["sandbox"].endswith("·  free")


# Switching.


def test_what_was_never_turned_is_the_new_model_s_own(scene, switch):
    settings = scene.flux_depth
    assert (settings.steps, settings.guidance) == (28, 3.5)
    switch("cometapi:flux-pro-1.0-depth")
    assert (settings.steps, settings.guidance) == (50, 15.0)
    switch("here:photo")
    switch("here:style")
    assert (settings.steps, settings.guidance) == (28, 3.5)


def test_a_new_scene_has_the_dials_of_whatever_model_new_scenes_start_with(fresh_file, table, part, monkeypatch):
    monkeypatch.setattr(part("preferences"), "default_model", lambda: "here:style")
    assert (fresh_file.flux_depth.steps, fresh_file.flux_depth.guidance) == (28, 3.5)


def test_what_was_turned_stays_where_it_applies(scene, switch):
    settings = scene.flux_depth
    settings.steps, settings.guidance, settings.control_strength = 20, 9.0, 0.5
    switch("cometapi:flux-pro-1.0-depth")
    assert (settings.steps, settings.guidance) == (20, 9.0)
    switch("here:style")
    assert (settings.steps, settings.guidance, settings.control_strength) == (20, 9.0, 0.5)


def test_what_the_new_model_does_not_take_becomes_its_own(scene, switch):
    settings = scene.flux_depth
    settings.guidance = 30.0
    switch("here:photo")
    assert settings.guidance == 5.0


def test_what_was_set_to_the_old_model_s_own_goes_along_over_a_model_without_it(scene, switch):
    settings = scene.flux_depth
    settings.steps = 28
    switch("here:over")
    switch("cometapi:flux-pro-1.0-depth")
    assert settings.steps == 50


def test_a_format_and_a_control_image_that_the_new_model_does_not_take_are_set_back(scene, switch, part):
    settings = scene.flux_depth
    switch("here:photo")
    settings.control, settings.output_format = "clay", "webp"
    switch("sandbox")
    assert (settings.control, settings.output_format) == ("depth", "png")
    assert not part("obstacles").obstacle(bpy.context)


def test_a_format_goes_along_over_a_model_that_has_but_one(scene, switch, part):
    settings = scene.flux_depth
    settings.output_format = "jpeg"
    switch("here:photo")
    assert part("properties").request_of(bpy.context).output_format == "webp"
    switch("here:style")
    assert settings.output_format == "jpeg"


def test_another_model_is_asked_for_a_format_that_it_has(scene, switch, table, part):
    switch("replicate:flux-depth-dev")
    scene.flux_depth.output_format = "webp"
    asked = [
        request_of(part, model=table[name]).output_format for name in ("sandbox", "comfyrouter:flux-pro-1.0-depth")
    ]
    assert asked == ["png", "webp"]


def test_the_menu_the_sandbox_button_a_preset_and_a_restored_picture_switch_alike(scene, table, part):
    settings = scene.flux_depth
    settings.steps = 40
    settings.model = "cometapi:flux-pro-1.0-depth"
    assert (settings.steps, settings.guidance) == (40, 15.0)
    settings.model = "here:style"
    bpy.ops.flux_depth.use_sandbox()
    assert (settings.model_id, settings.guidance) == ("sandbox", 15.0)
    wanted = replace(request_of(part), model="here:style", steps=28, guidance=15.0, safety_tolerance=None)
    part("restore").apply(scene, wanted)
    assert (settings.model_id, settings.steps, settings.guidance) == ("here:style", 28, 15.0)
    preset = part("core.preset").Preset("p", {"settings.steps": 28, "settings.model_id": "sandbox"})
    part("preset_diff").apply(scene, part("preset_diff").look(scene, preset))
    assert (settings.model_id, settings.steps) == ("sandbox", 28)


def test_a_model_that_is_not_in_the_table_is_not_switched_to(scene, switch, part):
    with pytest.raises(part("core.errors").InputError, match="There is no model “gone:model”"):
        switch("gone:model")
    assert scene.flux_depth.model_id == "here:style"


def test_the_faithfulness_dial_keeps_to_the_model_s_own_scale(scene, switch, part):
    shape = scene.flux_depth_shape
    assert shape.faithfulness == "close"
    shape.faithfulness = "exact"
    assert scene.flux_depth.guidance == 7.0
    switch("here:over")
    assert shape.faithfulness == "exact"


# LoRAs.


def test_loras_go_along_with_their_weights_and_their_words_go_before_the_prompt_visibly(scene, part):
    add_lora(scene, " author/clay ", trigger="clayfig", weight=0.7)
    add_lora(scene, "author/other", trigger="GARDEN")
    add_lora(scene, "author/off", trigger="never", use=False)
    add_lora(scene, "  ", trigger="never")
    request = request_of(part)
    assert [(lora.path, lora.scale) for lora in request.loras] == [("author/clay", 0.7), ("author/other", 1.0)]
    assert request.prompt == "clayfig, a garden"
    assert scene.flux_depth.prompt == "a garden"
    assert "Sent with: clayfig" in words(shown(part, "panels", "_Main"))
    assert "prompt: clayfig, a garden" in words(shown(part, "panels", "_Sent"))


def test_words_go_only_to_a_model_that_takes_loras(scene, switch, part):
    add_lora(scene, "author/clay", trigger="clayfig")
    switch("sandbox")
    assert request_of(part).prompt == "a garden"
    assert "Sent with" not in words(shown(part, "panels", "_Main"))


def test_a_grid_sends_each_prompt_with_the_words_to_the_models_that_take_them(scene, part):
    add_lora(scene, "author/clay", trigger="clayfig")
    form = scene.flux_depth_variations
    form.seeds, form.models = 1, {"here:style", "sandbox"}
    form.prompts.add().prompt = "clayfig of a hall"
    grid = part("variations").grid_of(bpy.context)
    prompts = {
        (request.model, request.prompt)
        for take in part("takes").takes_of(bpy.context, grid)
        for request in take.requests
    }
    assert prompts == {
        ("here:style", "clayfig, a garden"), ("here:style", "clayfig of a hall"),
        ("sandbox", "a garden"), ("sandbox", "clayfig of a hall"),
    }  # fmt: skip


def test_more_loras_than_the_model_takes_are_said(scene, part):
    for number in range(3):
        add_lora(scene, f"author/{number}")
    assert part("obstacles").obstacle(bpy.context).startswith("Style takes at most 2 LoRAs")


def test_the_buttons_of_the_list_add_and_take_away(scene):
    bpy.ops.flux_depth.add_lora()
    bpy.ops.flux_depth.add_lora()
    settings = scene.flux_depth_loras
    assert (len(settings.rows), settings.active) == (2, 1)
    bpy.ops.flux_depth.remove_lora()
    bpy.ops.flux_depth.remove_lora()
    bpy.ops.flux_depth.remove_lora()
    assert (len(settings.rows), settings.active) == (0, 0)


def test_loras_and_strengths_come_back_from_a_picture_and_the_start_picture_does_not(scene, part, tmp_path):
    record, lora = part("core.record"), part("core.request").Lora
    wanted = replace(
        request_of(part), loras=(lora("https://host/a.safetensors?token=key", 0.6), lora("author/b")),
        strength=0.4, control_strength=1.5, start="1" * 64, extra=(("secret", '"key"'),),
    )  # fmt: skip
    said = record.said(record.Record(request=wanted))
    assert "key" not in said.settings
    Image.new("RGB", (8, 8)).save(tmp_path / "p.png")
    marked = part("core.provenance").embedded((tmp_path / "p.png").read_bytes(), said)
    (tmp_path / "p.png").write_bytes(marked)
    told = record.read(tmp_path / "p.png").request
    assert told.extra == ()
    row = add_lora(scene, "https://host/a.safetensors?token=mine", trigger="word")
    kept = part("restore").apply(scene, told)
    assert any("start picture, which is not brought back" in sentence for sentence in kept)
    rows = scene.flux_depth_loras.rows
    assert [(row.path, round(row.weight, 6), row.trigger) for row in rows] == [
        ("https://host/a.safetensors?token=mine", 0.6, "word"), ("author/b", 1.0, ""),
    ]  # fmt: skip
    assert (scene.flux_depth.strength, scene.flux_depth.control_strength) == pytest.approx((0.4, 1.5))
    assert row


# The start picture.


def test_the_start_picture_is_sent_as_it_is_when_the_button_is_pressed(scene, part):
    scene.flux_depth_start.image = image = painted_image(size=(672, 378))
    request, start = request_of(part), part("start_picture")
    assert request.start == start.UNREAD
    assert request.strength == 0.85
    starts = start.Starts(scene)
    given = starts.given(request)
    assert given.start == part("core.start").mark_of(starts.of(given)) != start.UNREAD
    image.pixels.foreach_set(np.zeros(672 * 378 * 4, np.float32))
    assert starts.given(request) == given
    assert start.Starts(scene).given(request) != given


def pixel(data, place):
    from io import BytesIO

    return Image.open(BytesIO(data)).convert("RGB").getpixel(place)


@pytest.mark.parametrize(
    ("kind", "colour", "told"),
    [
        ({}, (0.5, 0.25, 0.0, 1.0), (128, 64, 0)),
        ({"float_buffer": True}, (0.2159, 5.0, -1.0, 1.0), (128, 255, 0)),
        ({"float_buffer": True}, (float("nan"), float("inf"), 0.0, 1.0), (0, 255, 0)),
    ],
)
def test_an_image_s_colours_are_those_on_the_screen(scene, part, kind, colour, told):
    read = part("start_picture").read(painted_image(colour=colour, **kind), scene)
    assert pixel(read, (3, 3)) == told


def test_an_image_is_the_right_way_up(scene, part):
    image = bpy.data.images.new("Up", 4, 4)
    image.pixels.foreach_set(np.concatenate([np.zeros(32), np.ones(32)]).astype(np.float32))
    read = part("start_picture").read(image, scene)
    assert (pixel(read, (0, 0)), pixel(read, (0, 3))) == ((255,) * 3, (0,) * 3)


def test_the_render_result_is_read_and_how_the_scene_saves_renders_stays(scene, part):
    settings = scene.render.image_settings
    scene.render.engine, scene.render.resolution_x, scene.render.resolution_y = "BLENDER_WORKBENCH", 64, 36
    bpy.ops.render.render()
    settings.file_format, settings.color_depth = "OPEN_EXR", "16"
    scene.flux_depth_start.image = bpy.data.images["Render Result"]
    names = [name for name in part("start_picture").SAVED if hasattr(settings, name)]
    before = {name: getattr(settings, name) for name in names}
    read = part("start_picture").read(scene.flux_depth_start.image, scene)
    assert pixel(read, (32, 18)) != pixel(read, (0, 0))
    assert {name: getattr(settings, name) for name in names} == before


def test_an_image_without_pixels_is_said(scene, part):
    image = bpy.data.images.new("Gone", 4, 4)
    image.source, image.filepath = "FILE", "/nowhere/gone.png"
    scene.flux_depth_start.image = image
    with pytest.raises(part("core.errors").InputError, match="The start picture “Gone” has no pixels"):
        part("start_picture").Starts(scene).given(request_of(part))


def test_a_model_that_needs_a_start_picture_says_so_until_there_is_one(scene, switch, part):
    switch("here:over")
    assert part("obstacles").obstacle(bpy.context).startswith("Over needs a start picture")
    assert "choose one" in words(shown(part))
    scene.flux_depth_start.image = painted_image()
    assert not part("obstacles").obstacle(bpy.context)


def test_a_click_sends_the_start_picture_beside_the_control_image(scene, part, monkeypatch):
    scene.flux_depth.megapixels = 0.1
    scene.flux_depth_start.image = painted_image()
    for name in ("start_worker", "follow", "refresh"):
        monkeypatch.setattr(part("watch"), name, lambda *_: None)
    bpy.ops.flux_depth.generate()
    (job,) = part("watch").journal().jobs()
    assert part("core.start").mark_of(job.start_picture.read_bytes()) == job.request.start
    assert Image.open(job.start_picture).size == Image.open(job.control).size
    assert job.price_usd == 0.04


def test_a_shot_says_that_every_frame_starts_from_the_same_picture(scene, part):
    assert "starts from" not in words(shown(part, "shot_panel", "Shot"))
    scene.flux_depth_start.image = image = painted_image()
    assert "Every frame starts from the same picture" in words(shown(part, "shot_panel", "Shot"))
    image.source = "SEQUENCE"
    assert "the frame that Blender shows now" in words(shown(part, "shot_panel", "Shot"))


# Extra fields.


def test_extra_fields_go_to_their_model_alone_and_are_kept_in_no_file(scene, switch, part, tmp_path):
    for name, value in (("acceleration", "high"), ("tiles", "[1, 2]"), ("", "nothing")):
        bpy.ops.flux_depth.add_extra(model_id="here:style")
        row = part("preferences").current().extras[-1]
        row.field, row.value = name, value
    assert request_of(part).extra == (("acceleration", '"high"'), ("tiles", "[1, 2]"))
    assert {"field", "value"} <= fields(shown(part))
    assert "acceleration:high" in words(shown(part, "panels", "_Sent")).replace(" ", "")
    switch("sandbox")
    assert request_of(part).extra == ()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "s.blend"), compress=False)
    assert b"acceleration" not in (tmp_path / "s.blend").read_bytes()
    bpy.ops.flux_depth.remove_extra(number=0)
    assert [row.field for row in part("preferences").current().extras] == ["tiles", ""]


def test_a_field_that_would_send_the_picture_elsewhere_is_refused(scene, part):
    bpy.ops.flux_depth.add_extra(model_id="here:style")
    row = part("preferences").current().extras[-1]
    row.field, row.value = "webhook_url", "https://elsewhere"
    assert "would have the provider send the picture elsewhere" in part("obstacles").obstacle(bpy.context)
    row.use = False
    assert not part("obstacles").obstacle(bpy.context)


# Prices.


def test_the_button_shows_what_this_picture_costs_at_this_size(scene, part):
    button = hostile.button(shown(part, "panels", "_Main"), "flux_depth.generate")
    assert button[0] == "Generate  ·  $0.04"
    assert button[1]["shown_price"] == "$0.04"
    scene.flux_depth.megapixels = 2.0
    assert hostile.button(shown(part, "panels", "_Main"), "flux_depth.generate")[0] == "Generate  ·  $0.08"


def test_a_grid_and_a_shot_sum_what_each_picture_measures(scene, part):
    scene.flux_depth_variations.seeds, scene.flux_depth.megapixels = 3, 2.0
    assert part("variations").grid_of(bpy.context).words == "3 pictures  ·  $0.24"
    model = part("preferences").table()["here:style"]
    assert part("shot").price_of(scene, model, 24) == "$1.92"


def test_a_click_above_the_limit_is_asked_about_by_this_size(scene, part, monkeypatch):
    monkeypatch.setattr(part("preferences"), "asks_above", lambda: 0.05)
    question = part("operators").FLUXDEPTH_OT_generate.question
    assert question(None, bpy.context) == ""
    scene.flux_depth.megapixels = 2.0
    assert question(None, bpy.context) == "This costs $0.08."


# A stranger's file.


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("own_steps", 10**9), ("own_steps", "many"), ("own_guidance", float("nan")), ("own_strength", {"a": 1}),
        ("own_guidance", "x" * 10_000), ("own_steps", -5), ("own_control_strength", float("inf")),
    ],
)  # fmt: skip
def test_a_dial_that_no_blender_would_store_is_one_sentence_or_the_model_s_own(
    scene, part, extension, tmp_path, name, value
):
    values = {"prompt": "a garden", "model_id": "here:style", name: value}
    hostile.saved_with(extension, tmp_path / "evil.blend", values)
    hostile.open_file(tmp_path / "evil.blend")
    told = part("obstacles").obstacle(bpy.context)
    assert told == "" or (" must be from " in told and len(told) < 120)
    shown(part)
    bpy.ops.flux_depth.fit_dials()
    assert part("obstacles").obstacle(bpy.context) == ""


def test_a_stranger_s_list_of_loras_is_bounded_and_takes_no_time(scene, part):
    import time

    rows = scene.flux_depth_loras.rows
    for _ in range(20_000):
        rows.add().path = "a/b"
    rows[0].path, rows[0].trigger = "x" * 1_000_000, "word " * 200_000
    rows[1].trigger = "\n\t\x01‮"
    began = time.process_time()
    request = part("loras").loras_of(scene, part("preferences").table()["here:style"])
    assert (len(request), max(len(lora.path) for lora in request)) == (100, 2000)
    assert len(part("loras").sent_prompt(scene, part("preferences").table()["here:style"])) < 1000
    assert "takes at most 2 LoRAs" in part("obstacles").obstacle(bpy.context)
    shown(part)
    shown(part, "panels", "_Main")
    assert time.process_time() < began + 1


@pytest.mark.skipif(bpy.app.version >= (5, 0, 0), reason="there, what is registered lies out of Python's reach")
@pytest.mark.parametrize("evil", [7, "text", [1, 2], {"rows": 3, "image": "x", "active": "y"}, {"rows": [{"path": 1}]}])
def test_lists_and_pictures_of_another_kind_are_none_of_ours(scene, part, evil):
    for name in ("flux_depth_loras", "flux_depth_start"):
        if name in scene:
            del scene[name]
        scene[name] = evil
    assert (request_of(part).loras, request_of(part).start) == ((), "")
    shown(part)


def test_a_data_block_of_another_kind_is_no_start_picture(scene, part):
    scene.flux_depth_start.image = None
    assert request_of(part).start == ""
    assert json.dumps(request_of(part).strength) == "null"
