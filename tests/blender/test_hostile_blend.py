"""A stranger's file sends nothing, chooses no address and no folder, and cannot show one price and spend another."""

import math
import os
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from bpy.props import CollectionProperty, IntProperty
from PIL import Image

from tests.blender import hostile
from tests.blender.hostile import Deeds, Endpoint, Pile, button, drawn, look, open_file, words

TABLE = """
[providers.here]
label = "Here"
protocol = "bfl"
base = "{base}"
submit = "/v1/{{model}}"
poll = "/v1/get_result"
probe = "/"

[models."here:paid"]
like = "cometapi:flux-pro-1.0-depth"
label = "Paid"
retired = ""
price_usd = 0.05

[models."here:dear"]
like = "here:paid"
label = "Dear"
price_usd = 5.0

[models."here:tuned"]
like = "here:paid"
label = "Tuned"
finetune = "optional"
"""


@pytest.fixture
def endpoint():
    """A provider that needs no key and is never offline, which whatever is sent would go to."""
    with Endpoint() as running:
        yield running


@pytest.fixture
def ready(fresh_file, data, part, extension, endpoint):
    """Blender with an empty journal, a table of models of the artist's own, and the factory scene."""
    data.mkdir()
    (data / "models.toml").write_text(TABLE.format(base=endpoint.base))
    part("preferences").forget_table()
    extension.unregister()
    extension.register()
    yield fresh_file
    part("worker_process").let_go()
    (data / "models.toml").unlink()
    extension.unregister()
    extension.register()


@pytest.fixture
def blend(tmp_path):
    """Where the stranger's file lies."""
    (tmp_path / "download").mkdir()
    return tmp_path / "download" / "scene.blend"


def press(operator="generate", **shown):
    """Click a button; the sentence it reports, or nothing."""
    try:
        getattr(bpy.ops.flux_depth, operator)(**shown)
    except RuntimeError as error:
        return str(error).removeprefix("Error: ").strip()
    return ""


def is_plain(sentence):
    """One thing said, in words meant for the artist."""
    return "unexpected problem" not in sentence and "Traceback" not in sentence and len(sentence) < 400


def newest(part):
    return next(iter(part("watch").jobs.values()))


def finish(part, job, seconds=30):
    watch, end = part("watch"), time.monotonic() + seconds
    while not watch.jobs[job.id].is_final:
        assert time.monotonic() < end, watch.jobs
        look(part)
        time.sleep(0.1)
    return watch.jobs[job.id]


def set_up(scene, *, model_id="sandbox", prompt="a garden in the morning", **more):
    """The scene, with all that a click needs."""
    for name, value in {"model_id": model_id, "prompt": prompt, "megapixels": 0.1, **more}.items():
        setattr(scene.flux_depth, name, value)
    return scene


# Values that no Blender of ours would store.

DIALS = {
    "prompt": "a garden", "model_id": "sandbox", "use_seed": True, "seed": 1, "steps": 20, "guidance": 5.0,
    "safety_tolerance": 2, "prompt_upsampling": True, "output_format": 0, "finetune_id": "", "finetune_strength": 1.0,
    "use_near": True, "near": 1.0, "use_far": True, "far": 30.0, "curve": 0, "engine": 0, "megapixels": 0.1,
    "destination": 0,
}  # fmt: skip
"""Every dial as it is stored when all is well; menus are numbers."""

EVERYWHERE = [*DIALS, "camera", "model", "prompt_text"]


def numbers(value):
    """The value wherever a number belongs."""
    return {name: type(value)(value) for name, kind in DIALS.items() if isinstance(kind, type(value))}


STORED = {
    "texts": dict.fromkeys(EVERYWHERE, "nan"),
    "whole numbers": dict.fromkeys(EVERYWHERE, 7),
    "fractions": dict.fromkeys(EVERYWHERE, 0.5),
    "vectors": dict.fromkeys(EVERYWHERE, (1.0, 2.0, 3.0)),
    "groups": {name: {} for name in EVERYWHERE},
    "collections": dict.fromkeys(EVERYWHERE, Pile(["note"])),
    "nan": DIALS | numbers(math.nan),
    "infinity": DIALS | numbers(math.inf),
    "minus infinity": DIALS | numbers(-math.inf),
    "the largest": DIALS | {name: 2**31 - 1 for name in DIALS if type(DIALS[name]) is int},
    "the smallest": DIALS | {name: -(2**31) for name in DIALS if type(DIALS[name]) is int},
    "huge fractions": DIALS | numbers(3e38),
    "gigantic texts": DIALS | dict.fromkeys(("prompt", "model_id", "finetune_id"), "x" * 20_000_000),
    "a gigantic prompt": DIALS | {"prompt": "x" * 20_000_000},
    "control characters": DIALS | dict.fromkeys(("prompt", "model_id", "finetune_id"), "a\n\r\t\x01\x1b[31m\x7f"),
    "text that turns round": DIALS | dict.fromkeys(("prompt", "model_id", "finetune_id"), "\u202egnp\u2066\ufeff"),
    "templates": DIALS | dict.fromkeys(("prompt", "model_id", "finetune_id"), "{id} {0} %s %n ${HOME} <b> `x`"),
    "unknown keys": DIALS | dict.fromkeys(("base", "url", "output", "folder", "key_cometapi", "price_usd"), "//x"),
}


@pytest.mark.parametrize("values", STORED.values(), ids=STORED.keys())
def test_whatever_is_stored_is_harmless_or_one_sentence(ready, part, extension, blend, endpoint, values):
    hostile.saved_with(extension, blend, values)
    open_file(blend)
    started = time.process_time()
    _label, shown = button(drawn(part), "flux_depth.generate")
    assert time.process_time() - started < 10
    assert is_plain(part("obstacles").obstacle(bpy.context))
    assert is_plain(press("preview_depth"))
    assert is_plain(press(**shown))
    drawn(part)
    assert all(job.base == "" and job.request.model == shown["shown_model"] for job in part("watch").jobs.values())
    assert not endpoint.was_asked(0)


@pytest.mark.parametrize("finetune_id", ["x" * 20_000_000, "a\nb", "\u202egnp", "a\x1b[31m"])
def test_a_fine_tune_that_is_none_is_refused_in_one_sentence(ready, part, extension, blend, finetune_id):
    hostile.saved_with(extension, blend, DIALS | {"model_id": "here:tuned", "finetune_id": finetune_id})
    open_file(blend)
    assert "not a fine-tune id" in part("obstacles").obstacle(bpy.context)
    assert "not a fine-tune id" in words(drawn(part))


@pytest.mark.parametrize("menu", ["engine", "curve", "output_format"])
def test_a_menu_set_to_nothing_sends_nothing_until_it_is_set_anew(ready, part, extension, blend, menu):
    hostile.saved_with(extension, blend, DIALS | {menu: 99})
    scene = open_file(blend)
    assert "is set to something unknown: choose it again" in press()
    scene.flux_depth.property_unset(menu)
    assert part("obstacles").obstacle(bpy.context) == ""


def test_bytes_that_are_no_text_are_one_sentence_and_mended_by_typing_anew(ready, part, blend):
    scene = set_up(ready, prompt="PROMPT--", model_id="here:tuned", finetune_id="TUNED--")
    scene.name, scene.camera.name, scene.view_layers[0].name = "SCENE--", "CAMERA--", "LAYER--"
    hostile.save(blend)
    marks = (b"PROMPT--", b"TUNED--", b"SCENE--", b"CAMERA--", b"LAYER--", b"here:tuned")
    hostile.patch(blend, {mark: mark[:-2] + b"\xff\x80" for mark in marks})
    scene = open_file(blend)
    expected = [
        ("not in the table", lambda: setattr(scene.flux_depth, "model_id", "here:tuned")),
        ("name of the scene is not text", lambda: setattr(scene, "name", "Scene")),
        ("name of the view layer is not text", lambda: setattr(scene.view_layers[0], "name", "Layer")),
        ("name of the camera is not text", lambda: setattr(scene.camera, "name", "Camera")),
        ("no prompt", lambda: setattr(scene.flux_depth, "prompt", "a garden")),
    ]
    for sentence, mend in expected:
        drawn(part)
        assert sentence in part("obstacles").obstacle(bpy.context)
        assert sentence in press()
        assert is_plain(press("preview_depth"))
        mend()
    assert part("obstacles").obstacle(bpy.context) == ""
    assert part("properties").request_of(bpy.context).finetune_id == ""


def test_a_retired_model_is_warned_of_where_a_name_is_no_text(ready, part, blend):
    set_up(ready, prompt="a garden", model_id="bfl:flux-pro-1.0-depth").name = "SCENE--"
    hostile.save(blend)
    hostile.patch(blend, {b"SCENE--": b"SCENE\xff\x80"})
    open_file(blend)
    assert "Retired by its maker" in words(drawn(part))


def test_no_range_is_drawn_for_a_camera_whose_name_is_no_text(ready, part, blend):
    ready.camera.name = "CAMERA--"
    hostile.save(blend)
    hostile.patch(blend, {b"CAMERA--": b"CAMERA\xff\x80"})
    scene = open_file(blend)
    view = SimpleNamespace(view_perspective="PERSP")
    seen = SimpleNamespace(scene=scene, view_layer=scene.view_layers[0], region_data=view)
    assert not part("range_gizmo").FLUXDEPTH_GGT_range.poll(seen)
    scene.camera.name = "Camera"
    assert part("range_gizmo").FLUXDEPTH_GGT_range.poll(seen)


def test_the_command_line_says_so_too(ready, part, blend, tmp_path, capfd):
    ready.camera.name = "CAMERA--"
    hostile.save(blend)
    hostile.patch(blend, {b"CAMERA--": b"CAMERA\xff\x80"})
    words = ["restyle", blend, "-o", tmp_path / "out.png", "--prompt", "a garden", "--provider", "sandbox"]
    assert part("cli").main([str(word) for word in words]) == 2
    assert "holds a name that is not text" in capfd.readouterr().err


def test_a_frame_without_height_is_one_sentence(ready, part, blend):
    set_up(ready).render.resolution_y = 13577
    hostile.save(blend)
    hostile.patch(blend, {(13577).to_bytes(4, "little"): bytes(4)})
    open_file(blend)
    assert "no usable shape" in part("obstacles").obstacle(bpy.context)
    assert "no usable shape" in words(drawn(part))


# Names and pointers.

NAMES = [
    "..", "../../up", "/etc/passwd", "C:\\Windows\\x", "\\\\server\\share", "//beside", "CON", "NUL.txt", "~", "$HOME",
    "%TMP%", "{id}", "{0.__class__}", "%s%n", "<b>&amp;", "a\nb\rc\td", "\x1b[31mred", "\u202egnp.exe", "\ufeff\u200b",
    " ", "name. ", "-rf", "漢" * 100, "🏞" * 80, "é" * 150,
]  # fmt: skip


def test_no_name_leads_a_picture_out_of_its_folder_or_beyond_what_a_file_system_takes(ready, part, blend):
    set_up(ready)
    for name in NAMES:
        bpy.context.scene.name = bpy.context.scene.camera.name = name
        hostile.save(blend)
        open_file(blend)
        drawn(part)
        path = part("output").output_of(part("properties").request_of(bpy.context))
        assert path.parent == blend.parent / "flux_depth"
        assert path.name.endswith("_{id}.png")
        assert path.name.count("{") == 1
        assert path.name.isprintable()
        assert not set(path.name.removesuffix(".png")) & set('/\\:*?"<>|%$~.')
        assert len(path.name.encode()) <= 143


def test_a_picture_of_the_longest_names_lies_where_it_was_to_go(ready, part, blend):
    scene = set_up(ready)
    scene.name, scene.camera.name = "漢" * 100, "🏞" * 80
    hostile.save(blend)
    open_file(blend)
    assert press() == ""
    done = finish(part, newest(part))
    assert Path(done.result) == done.output
    assert [path.name for path in (blend.parent / "flux_depth").iterdir()] == [done.output.name]
    assert part("placement").slot_of(bpy.context.scene.camera)


@pytest.mark.parametrize(
    ("kind", "name", "used"),
    [
        ("meshes", "Cube", "Camera"),
        ("worlds", "World", "Camera"),
        ("objects", "Elsewhere", "Camera"),
        ("objects", "Cube", None),
    ],
)
def test_a_camera_setting_that_is_no_camera_of_the_scene_is_not_used(ready, part, extension, blend, kind, name, used):
    elsewhere()
    hostile.saved_with(extension, blend, DIALS | {"camera": getattr(bpy.data, kind)[name]})
    scene = open_file(blend)
    drawn(part)
    camera = part("properties").camera_of(scene)
    assert (camera.name if camera else None) == used
    assert is_plain(press())


def elsewhere():
    """A camera that is in another scene only."""
    camera = bpy.data.objects.new("Elsewhere", bpy.data.cameras.new("Elsewhere"))
    bpy.data.scenes.new("Other").collection.objects.link(camera)
    return camera


def test_a_scene_s_camera_that_is_in_another_scene_is_harmless(ready, part, blend):
    scene = set_up(ready)
    scene.camera = elsewhere()
    hostile.save(blend)
    open_file(blend)
    drawn(part)
    assert is_plain(press())


# What runs by itself.


def test_opening_sends_nothing_writes_nothing_and_starts_nothing(ready, part, blend, endpoint):
    scene = set_up(ready, model_id="here:paid")
    text = bpy.data.texts.new("run.py")
    text.use_module = True
    text.write("import bpy\nbpy.app.timers.register(lambda: bpy.ops.flux_depth.generate(), first_interval=0)")
    driver = scene.camera.driver_add("location", 0).driver
    driver.expression = "__import__('bpy').ops.flux_depth.generate() and 0"
    hostile.save(blend)
    table = part("preferences").table()
    with Deeds() as deeds:
        open_file(blend)
        for _ in range(5):
            drawn(part)
            look(part)
            bpy.context.scene.frame_set(bpy.context.scene.frame_current + 1)
        assert not endpoint.was_asked(1.0)
    assert deeds.seen == []
    assert not part("worker_process").running()
    assert [path.name for path in blend.parent.iterdir()] == [blend.name]
    assert part("preferences").table() == table
    assert part("obstacles").obstacle(bpy.context) == ""


def test_a_click_is_what_sends(ready, part, blend, endpoint):
    set_up(ready, model_id="here:paid")
    hostile.save(blend)
    open_file(blend)
    with Deeds() as deeds:
        assert press(**button(drawn(part), "flux_depth.generate")[1]) == ""
        assert endpoint.was_asked(20)
    assert any("subprocess.Popen" in deed for deed in deeds.seen)
    assert any("control.png" in deed or ".part" in deed for deed in deeds.seen)
    assert newest(part).base == ""


def test_scripts_of_a_file_run_only_where_the_artist_lets_them(ready, blend, monkeypatch):
    set_up(ready)
    text = bpy.data.texts.new("run.py")
    text.use_module = True
    text.write("import bpy\nbpy.app.driver_namespace['ran'] = True")
    driver = bpy.data.objects["Cube"].driver_add("location", 0).driver
    driver.expression = "__import__('bpy').app.driver_namespace.__setitem__('drove', True) or 0"
    hostile.save(blend)
    for scripts in (False, True):
        bpy.app.driver_namespace.pop("ran", None)
        open_file(blend, scripts=scripts)
        bpy.context.scene.frame_set(5)
        assert bpy.app.driver_namespace.pop("ran", False) is scripts
        assert bpy.app.driver_namespace.pop("drove", False) is scripts


def test_no_driver_and_no_curve_chooses_the_model(ready, part, blend):
    # Set once, each of them: Blender's own race, and its end, where two drivers are the first to store a value.
    scene = set_up(ready, **{name: getattr(ready.flux_depth, name) for name in DIALS} | {"model_id": "here:paid"})
    data = scene.animation_data_create()
    for name in EVERYWHERE:
        driver = data.drivers.new(f"flux_depth.{name}").driver
        driver.type, driver.expression = "SCRIPTED", "frame * 1000 + 4"
    hostile.save(blend)
    scene = open_file(blend)
    for frame in (1, 2, 3):
        scene.frame_set(frame)
        assert "$0.05" in button(drawn(part), "flux_depth.generate")[0]
        assert is_plain(part("obstacles").obstacle(bpy.context))
    assert scene.flux_depth.steps == 3004  # so it is true that they run
    assert (scene.flux_depth.model, scene.flux_depth.model_id) == ("here:paid", "here:paid")
    assert press() != ""


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0, 1e30])
def test_no_curve_makes_a_dial_that_breaks_a_button(ready, part, blend, value):
    scene = set_up(ready)
    for name, kind in DIALS.items():
        if not isinstance(kind, str):
            with_curve(scene, f"flux_depth.{name}", value)
    hostile.save(blend)
    scene = open_file(blend)
    scene.frame_set(2)
    drawn(part)
    assert is_plain(press("preview_depth"))
    assert is_plain(press())


def with_curve(scene, path, value):
    """A key of that value; NaN and infinity are put where the interface takes none."""
    scene.keyframe_insert(path, frame=1)
    action = scene.animation_data.action
    curves = action.fcurves if hasattr(action, "fcurves") else action.layers[0].strips[0].channelbags[0].fcurves
    curves.find(path).keyframe_points[0].co = (1.0, value)


# The price.

HIJACK = """
import bpy
from bpy.app.handlers import persistent

@persistent
def hijack(*ignored):
    if bpy.app.driver_namespace.get("armed"):
        settings = bpy.context.scene.flux_depth
        settings.model_id, settings.prompt = "here:dear", "hijacked"
        settings.use_far, settings.far, settings.output_format = True, 0.0002, "jpeg"
    return 0

for name in dir(bpy.app.handlers):
    handlers = getattr(bpy.app.handlers, name)
    if isinstance(handlers, list):
        handlers.append(hijack)
bpy.app.driver_namespace["hijack"] = hijack
"""


@pytest.fixture
def hijacking(ready, blend):
    """A stranger's file whose scripts the artist lets run: they change what is asked whenever Blender calls them."""
    found = (getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers))
    lists = [handlers for handlers in found if isinstance(handlers, list)]
    before = [list(handlers) for handlers in lists]
    set_up(ready)
    text = bpy.data.texts.new("run.py")
    text.use_module = True
    text.write(HIJACK)
    bpy.data.objects["Cube"].driver_add("location", 0).driver.expression = "hijack()"
    hostile.save(blend)
    yield open_file(blend, scripts=True)
    bpy.app.driver_namespace.pop("armed", None)
    bpy.app.driver_namespace.pop("hijack", None)
    for handlers, kept in zip(lists, before, strict=True):
        handlers[:] = kept


def test_a_price_that_changed_after_it_was_shown_is_not_spent(hijacking, part, endpoint):
    label, shown = button(drawn(part), "flux_depth.generate")
    assert (label, shown) == ("Generate  ·  free", {"shown_model": "sandbox", "shown_price": "free"})
    bpy.app.driver_namespace["armed"] = True
    hijacking.frame_set(7)
    assert hijacking.flux_depth.model_id == "here:dear"
    assert "has changed since it was drawn: it is $5.00 with Dear now" in press(**shown)
    assert not part("watch").jobs
    assert not endpoint.was_asked(0.5)
    assert button(drawn(part), "flux_depth.generate")[0] == "Generate  ·  $5.00"


def test_what_changes_while_the_depth_is_rendered_changes_nothing_that_is_sent(hijacking, part, endpoint):
    shown = button(drawn(part), "flux_depth.generate")[1]
    bpy.app.driver_namespace["armed"] = True
    assert press(**shown) == ""
    assert hijacking.flux_depth.prompt == "hijacked"  # so it is true that it tried
    request = newest(part).request
    assert (request.model, request.prompt, request.depth.far) == ("sandbox", "a garden in the morning", None)
    assert request.output_format == "png"
    assert not endpoint.was_asked(0.5)


def test_another_model_at_the_same_price_is_not_sent_either(ready, part):
    set_up(ready, model_id="here:paid")
    shown = button(drawn(part), "flux_depth.generate")[1]
    ready.flux_depth.model_id = "here:tuned"
    assert "it is $0.05 with Tuned now" in press(**shown)
    assert not part("watch").jobs


def test_a_table_that_was_read_anew_is_not_charged_by_the_old_button(ready, part, data, endpoint):
    set_up(ready, model_id="here:paid")
    shown = button(drawn(part), "flux_depth.generate")[1]
    (data / "models.toml").write_text(TABLE.format(base=endpoint.base).replace("0.05", "0.07"))
    part("preferences").forget_table()
    assert "it is $0.07 with Paid now" in press(**shown)


def test_a_script_that_was_shown_nothing_is_asked_nothing(ready, part):
    set_up(ready)
    assert press() == ""
    assert newest(part).request.model == "sandbox"


def test_a_retry_that_was_shown_as_free_does_not_spend(ready, part, endpoint):
    set_up(ready, model_id="here:paid")
    watch = part("watch")
    journal = watch.journal()
    job = journal.add(part("properties").request_of(bpy.context), b"", price_usd=0.05)
    sent = {"step": part("core.job").Step.POLL, "remote_id": "there", "submit_started": time.time()}
    journal.save(replace(journal.claim(job_id=job.id), **sent), release=True)
    journal.cancel(job.id)
    watch.refresh()
    label, shown = button(drawn(part), "flux_depth.retry")
    assert (label, shown["shown_price"]) == ("Fetch  ·  free", "free")
    journal.retry(job.id)  # as another Blender does
    given_up = {"step": part("core.job").Step.FAILED, "error_kind": "provider"}
    journal.save(replace(journal.claim(job_id=job.id), **given_up), release=True)
    assert "has changed since it was drawn: it is $0.05 with Paid now" in press("retry", **shown)
    assert len(journal.jobs()) == 1
    assert not endpoint.was_asked(0.5)


# What lies in the file or beside it.


def test_the_list_of_pictures_is_not_the_file_s(ready, part, extension, blend):
    extension.unregister()
    bpy.utils.register_class(hostile.Group)
    manager = bpy.types.WindowManager
    manager.flux_depth_jobs, manager.flux_depth_job = CollectionProperty(type=hostile.Group), IntProperty()
    owner = bpy.context.window_manager
    owner.flux_depth_jobs.add().name = "../../elsewhere"
    owner.flux_depth_job = -7
    hostile.save(blend)
    del manager.flux_depth_jobs, manager.flux_depth_job
    bpy.utils.unregister_class(hostile.Group)
    extension.register()
    assert bpy.context.window_manager.flux_depth_job == -7  # so it is true that it is drawn
    drawn(part)
    open_file(blend)
    part("watch").follow()
    look(part)
    drawn(part)
    assert list(bpy.context.window_manager.flux_depth_jobs) == []


def test_a_file_put_in_the_place_of_another_gets_its_picture_and_nothing_else(ready, part, blend, endpoint):
    set_up(ready)
    hostile.save(blend)
    open_file(blend)
    assert press() == ""
    job = newest(part)
    bpy.ops.wm.read_homefile(use_empty=False, use_factory_startup=True)
    finish(part, job)
    scene = set_up(bpy.context.scene, model_id="here:dear")
    scene.name, scene.camera.name = "Theirs", "Also Theirs"
    hostile.save(blend)
    bpy.ops.wm.read_homefile(use_empty=False, use_factory_startup=True)
    scene = open_file(blend)
    with Deeds() as deeds:
        look(part)
    assert part("watch").problem == ""
    assert not any("Popen" in deed or str(blend.parent) in deed for deed in deeds.seen), deeds.seen
    assert Path(bpy.path.abspath(part("placement").slot_of(scene.camera).image.filepath)) == Path(job.output)
    assert not endpoint.was_asked(0)


def test_an_image_that_has_the_preview_s_name_is_not_taken_for_it(ready, part, blend):
    depth_preview, colour = part("depth_preview"), (0.0, 1.0, 0.0)
    theirs = bpy.data.images.new(depth_preview.PREVIEW, 8, 8)
    theirs.pixels[:] = [*colour, 1.0] * 64
    theirs.pack()
    theirs.use_fake_user = True
    set_up(ready)
    hostile.save(blend)
    open_file(blend)
    first = depth_preview.image_of(Image.new("RGB", (16, 16), (255, 0, 0)))
    second = depth_preview.image_of(Image.new("RGB", (16, 16), (255, 0, 0)))
    assert first == second
    assert tuple(first.size) == (16, 16)
    assert tuple(first.pixels[:3]) == (1.0, 0.0, 0.0)
    assert tuple(bpy.data.images[depth_preview.PREVIEW].pixels[:3]) == pytest.approx(colour, abs=0.01)


def test_a_slot_that_passes_for_ours_is_laid_on_the_frame(ready, part, blend, tmp_path):
    placement = part("placement")
    slot = ready.camera.data.background_images.new()
    slot.image = bpy.data.images.new("Theirs", 8, 8)
    slot.image[placement.MARK] = "yes"
    slot.source, slot.frame_method, slot.offset, slot.scale = "MOVIE_CLIP", "CROP", (3.0, 3.0), 0.01
    slot.rotation, slot.use_flip_x, slot.use_flip_y = 1.0, True, True
    hostile.save(blend)
    scene = open_file(blend)
    Image.new("RGB", (8, 8)).save(tmp_path / "picture.png")
    drawn(part)
    slot = placement.put_behind(scene.camera, tmp_path / "picture.png")
    assert len(scene.camera.data.background_images) == 1
    assert (slot.source, slot.frame_method, tuple(slot.offset), slot.scale) == ("IMAGE", "STRETCH", (0, 0), 1)
    assert (slot.rotation, slot.use_flip_x, slot.use_flip_y) == (0, False, False)


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
@pytest.mark.parametrize("chosen", ["", "//flux_depth", "//flux_depth/deeper"])
def test_a_link_beside_the_file_does_not_lead_pictures_elsewhere(ready, part, blend, tmp_path, chosen):
    (tmp_path / "home").mkdir()
    (blend.parent / "flux_depth").symlink_to(tmp_path / "home", target_is_directory=True)
    set_up(ready)
    hostile.save(blend)
    open_file(blend)
    preferences = part("preferences").current()
    preferences.output, preferences.folder = "CHOSEN" if chosen else "BLEND", chosen
    sentence = press()
    preferences.output = "BLEND"
    assert "is a link to another place" in sentence
    assert "Nothing was sent" in sentence
    assert not list((tmp_path / "home").iterdir())
    assert not part("watch").jobs


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_links_of_the_artist_s_own_are_followed(ready, part, blend, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "disk", target_is_directory=True)
    preferences = part("preferences")
    chosen = preferences.current()
    chosen.output, chosen.folder = "CHOSEN", str(tmp_path / "linked")
    assert preferences.output_folder(str(blend)) == tmp_path / "linked"
    chosen.folder = "//../renders"
    assert preferences.output_folder(str(blend)).resolve() == tmp_path / "renders"
    chosen.output = "BLEND"
    assert preferences.output_folder(str(tmp_path / "linked" / "room.blend")) == tmp_path / "linked" / "flux_depth"


@pytest.mark.skipif(os.name == "nt" or os.uname().sysname == "Darwin", reason="paths are always text there")
def test_a_path_that_is_no_text_is_one_sentence(ready, part, blend):
    set_up(ready)
    path = Path(os.fsdecode(os.fsencode(hostile.save(blend).with_name("room")) + b"\xff.blend"))
    blend.rename(path)
    open_file(path)
    drawn(part)
    assert "path of this file is not text" in press()
    assert not part("watch").jobs


@pytest.mark.skipif(os.name == "nt" or os.uname().sysname == "Darwin", reason="paths are always text there")
def test_a_sentence_about_such_a_path_can_be_said(ready, blend, tmp_path):
    set_up(ready)
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    folder.mkdir()
    (folder / "flux_depth").symlink_to(tmp_path, target_is_directory=True)
    open_file(hostile.save(blend).rename(folder / "scene.blend"))
    assert "is a link to another place" in press()


def test_a_camera_linked_from_a_library_can_be_used_and_is_left_alone(ready, part, blend, tmp_path):
    library = tmp_path / "library.blend"
    bpy.data.libraries.write(str(library), {ready.camera})
    scene = set_up(ready)
    with bpy.data.libraries.load(str(library), link=True) as (there, here):
        here.objects = there.objects
    bpy.data.objects.remove(scene.camera)
    scene.camera = here.objects[0]
    scene.collection.objects.link(scene.camera)
    hostile.save(blend)
    scene = open_file(blend)
    drawn(part)
    assert press() == ""
    done = finish(part, newest(part))
    assert (done.step, part("watch").problem) == ("DONE", "")
    assert not scene.camera.data.background_images
    drawn(part)
    assert "linked from another file" in press("put_behind", job_id=done.id)
