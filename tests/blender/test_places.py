"""Servers and workflows of the artist's own: typed into the preferences, allowed by a click, and asked then."""

import json
import os
import socket
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import bpy
import pytest

from tests.blender.hostile import drawn, drawn_by, in_the_sidebar, words
from tests.blender.test_generate import finished, generate, wait
from tests.secrets_watch import marked_key

KEY = marked_key("bfl")
"""A gateway passes on what was meant for Black Forest Labs, in the same header and at the same paths."""

LAN = "http://192.168.17.20:9000"
MODEL = "gateway:flux-pro-1.0-depth"


@pytest.fixture
def chosen(ready, part):
    """The preferences, with the gateway as the scene's model; as they were afterwards."""
    preferences = part("preferences")
    ready.flux_depth.model_id = MODEL
    yield preferences.current()
    preferences.forget_keys()
    for provider in preferences.movable().values():
        for name in part("addresses_panel").fields(provider):
            preferences.current().property_unset(name)
    preferences.current().allowed.clear()
    bpy.context.preferences.system.use_online_access = False


@pytest.fixture
def gateway(part):
    """A server that speaks the protocol, below a path."""
    sandbox = part("core.sandbox")
    with sandbox.Sandbox(behaviour=sandbox.Behaviour(delay=0.0, picture="echo")) as running:
        yield running


def why_not(part):
    return part("obstacles").obstacle(bpy.context)


def in_menu(part):
    return [item[0] for item in part("properties")._model_items(None, None)]


def boxes(part):
    """What the preferences say."""
    panel, chosen = part("preferences_panel"), part("preferences").current()
    for name in list(chosen.bl_rna.properties.keys()):
        if name.startswith("show_"):
            setattr(chosen, name, True)
    with in_the_sidebar():
        return drawn_by(lambda owner, _context: panel._draw(owner.layout, chosen))


# Addresses.


def test_a_gateway_is_offered_once_it_has_an_address(chosen, part):
    assert MODEL not in in_menu(part)
    assert why_not(part) == "Own Gateway has no address: enter it in the preferences"
    chosen.base_gateway = "flux.studio.example"
    assert MODEL in in_menu(part)
    assert part("preferences").table()[MODEL].provider.base == "https://flux.studio.example"
    assert "no Own Gateway key" in why_not(part)


@pytest.mark.parametrize("typed", ["ftp://flux.example.com", "https://a:b@flux.example.com", "http://[::1", LAN])
def test_an_address_that_cannot_be_asked_is_said_and_nobody_else_is_asked_instead(chosen, part, typed):
    chosen.base_gateway = typed
    assert part("preferences").table()[MODEL].provider.base == ""
    assert why_not(part) == part("preferences").own_rows().problems["gateway"]
    assert not bpy.ops.flux_depth.generate.poll()


def test_a_picture_comes_through_the_gateway_that_was_typed(chosen, part, gateway):
    chosen.base_gateway, chosen.key_gateway = gateway.base, KEY
    assert why_not(part) == ""
    job = generate(part)
    wait(part, finished(part, job))
    assert part("watch").jobs[job.id].error_message == ""
    assert [post.path for post in gateway.posts] == ["/v1/flux-pro-1.0-depth"]
    assert gateway.posts[0].headers["x-key"] == KEY


@pytest.mark.key_is_planted("header x-studio-key of a request to *")
def test_the_key_goes_into_the_header_that_was_named(chosen, part, gateway):
    chosen.base_gateway, chosen.header_gateway, chosen.key_gateway = gateway.base, "X-Studio-Key", KEY
    wait(part, finished(part, generate(part)))
    assert gateway.posts[0].headers["x-studio-key"] == KEY


def test_a_worker_that_runs_hears_of_a_new_address_and_what_is_on_its_way_goes_on(chosen, part):
    sandbox, process = part("core.sandbox"), part("worker_process")
    slow = sandbox.Behaviour(delay=2.0, picture="echo")
    with sandbox.Sandbox(behaviour=slow) as first, sandbox.Sandbox(behaviour=slow) as second:
        chosen.base_gateway, chosen.header_gateway = first.base, ""
        job = generate(part)
        wait(part, lambda: part("watch").jobs[job.id].remote_id)
        before = process._worker
        chosen.base_gateway = second.base
        assert process._worker is not before
        other = generate(part)
        wait(part, lambda: finished(part, job)() and finished(part, other)())
    assert [len(first.posts), len(second.posts)] == [1, 1]
    assert {part("watch").jobs[name].step for name in (job.id, other.id)} == {"DONE"}


def test_what_changes_nothing_keeps_the_worker_and_an_address_may_have_a_path(chosen, part, gateway):
    chosen.base_gateway, chosen.header_gateway = f"{gateway.base}/flux", ""
    wait(part, finished(part, generate(part)))
    before = part("worker_process")._worker
    chosen.base_gateway = f"{gateway.base}/flux/"
    assert part("worker_process")._worker is before
    assert [post.path for post in gateway.posts] == ["/flux/v1/flux-pro-1.0-depth"]


# The artist's word.


@pytest.fixture
def elsewhere(chosen):
    """The gateway on the studio's network, without a key, over plain http; Blender may go online."""
    bpy.context.preferences.system.use_online_access = True
    chosen.base_gateway, chosen.header_gateway = LAN, ""
    return chosen


def test_another_computer_is_not_asked_before_it_was_allowed(elsewhere, part):
    assert why_not(part) == f"{LAN} is another computer, and was not allowed yet"
    assert not bpy.ops.flux_depth.generate.poll()
    assert "gateway" not in part("preferences").reachable()
    with pytest.raises(RuntimeError, match=r"was not allowed yet\. Nothing was sent"):
        bpy.ops.flux_depth.test_connection(provider="gateway")


def test_a_word_is_for_one_address_and_can_be_taken_back(elsewhere, part):
    bpy.ops.flux_depth.allow_address(provider="gateway", address=LAN)
    assert why_not(part) == ""
    assert part("preferences").allowed_bases() == {LAN}
    elsewhere.base_gateway = "http://192.168.17.20:9001"
    assert "was not allowed yet" in why_not(part)
    elsewhere.base_gateway = LAN
    assert why_not(part) == ""
    bpy.ops.flux_depth.take_back_address(address=LAN)
    assert "was not allowed yet" in why_not(part)


def test_what_was_allowed_still_asks_for_online_access(elsewhere, part):
    bpy.ops.flux_depth.allow_address(provider="gateway", address=LAN)
    bpy.context.preferences.system.use_online_access = False
    assert "online access is off" in why_not(part)


def test_an_address_that_changed_after_it_was_shown_is_not_allowed(elsewhere, part):
    elsewhere.base_gateway = "http://192.168.17.66:9000"
    with pytest.raises(RuntimeError, match="has changed"):
        bpy.ops.flux_depth.allow_address(provider="gateway", address=LAN)
    assert part("preferences").allowed_bases() == frozenset()


def test_a_word_for_plain_http_does_not_let_a_key_out(elsewhere, part):
    bpy.ops.flux_depth.allow_address(provider="gateway", address=LAN)
    elsewhere.header_gateway = "x-key"
    assert "never sent over plain http" in why_not(part)
    assert part("preferences").table()[MODEL].provider.base == ""


def test_the_dialog_says_what_plain_http_means(elsewhere, part):
    panel, told = part("addresses_panel"), type("Asked", (), {"provider": "gateway", "address": LAN})()

    def draw(owner, context):
        told.layout = owner.layout
        panel.FLUXDEPTH_OT_allow_address.draw(told, context)

    said = words(drawn_by(draw))
    for meaning in ("can read the prompt", "put another picture in its place", "A key is never sent this way"):
        assert meaning in said


def test_the_panel_and_the_preferences_offer_the_word_where_it_is_missing(elsewhere, part):
    for shown in (drawn(part), boxes(part)):
        assert any("flux_depth.allow_address" in item.get("operator", "") for item in shown)
    bpy.ops.flux_depth.allow_address(provider="gateway", address=LAN)
    assert not any("flux_depth.allow_address" in item.get("operator", "") for item in drawn(part))
    assert any("flux_depth.take_back_address" in item.get("operator", "") for item in boxes(part))


def test_a_blend_file_holds_neither_the_address_nor_the_word(elsewhere, part, tmp_path):
    bpy.ops.flux_depth.allow_address(provider="gateway", address=LAN)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"), compress=False)
    assert b"192.168.17.20" not in (tmp_path / "scene.blend").read_bytes()
    bpy.ops.wm.save_userpref()
    saved = Path(os.environ["BLENDER_USER_RESOURCES"], "config", "userpref.blend")
    assert b"192.168.17.20" in saved.read_bytes()


def test_a_retry_to_an_address_that_is_allowed_no_longer_sends_nothing(elsewhere, part):
    watch = part("watch")
    request = replace(part("properties").request_of(bpy.context), model=MODEL)
    job = watch.journal().add(request, b"", base=LAN)
    watch.journal().cancel(job.id)
    with pytest.raises(RuntimeError, match="was not allowed yet"):
        bpy.ops.flux_depth.retry(job_id=job.id)
    assert part("preferences").hindrance(job).startswith(LAN)


@contextmanager
def passed_on(port):
    """This computer's address on its network, behind which what listens on loopback at that port is found."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.77", 9))
        except OSError:
            pytest.skip("this computer is on no network")
        host = probe.getsockname()[0]
    if host.startswith("127."):
        pytest.skip("this computer is on no network")
    with socket.create_server((host, 0)) as listening:
        threading.Thread(target=_pass_on, args=(listening, port), daemon=True).start()
        yield f"http://{host}:{listening.getsockname()[1]}"


def _pass_on(listening, port):
    def copy(source, target):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

    while True:
        try:
            caller, _ = listening.accept()
        except OSError:
            return
        server = socket.create_connection(("127.0.0.1", port))
        for ends in ((caller, server), (server, caller)):
            threading.Thread(target=copy, args=ends, daemon=True).start()


def test_once_allowed_another_computer_paints_over_plain_http(elsewhere, part, gateway):
    with passed_on(int(gateway.base.rpartition(":")[2])) as address:
        elsewhere.base_gateway = gateway.base = address
        bpy.ops.flux_depth.allow_address(provider="gateway", address=address)
        job = generate(part)
        wait(part, finished(part, job))
    done = part("watch").jobs[job.id]
    assert (done.step, done.error_message, done.sent_to) == ("DONE", "", address)


# Workflows.


def node(kind, title, **inputs):
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": title}}


GRAPH = {
    "1": node("LoadImage", "FLUX Depth Picture", image="a.png"),
    "2": node("CLIPTextEncode", "FLUX Depth Prompt", text="a room"),
    "3": node("KSampler", "FLUX Depth Seed, Steps", seed=1, steps=28, cfg=1.0),
    "4": node("SaveImage", "Save", images=["1", 0]),
}
BARE = {name: one | {"_meta": {"title": one["class_type"]}} for name, one in GRAPH.items()}


@pytest.fixture
def shelf(chosen, data, part):
    """The folder of own workflows; and a provider that takes some, whoever else does."""
    data.mkdir(exist_ok=True)
    (data / "models.toml").write_text(
        '[providers.studio]\nlabel = "Studio"\nprotocol = "bfl"\nbase = "http://127.0.0.1:9"\n'
        '[models."studio:shipped"]\nlike = "sandbox"\nlabel = "Shipped"\npath = "shipped"\nworkflow = "any.json"\n'
    )
    part("preferences").forget_table()
    yield data / "workflows"
    (data / "models.toml").unlink()


@pytest.fixture
def own(part, shelf):
    """The id of the model that a file of that name is."""
    return lambda name: f"{part('own_rows').workflow_parent(part('preferences').table()).provider.name}:{name}"


def write(tmp_path, content, name="Warm Evening.json"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return str(path)


def test_a_workflow_that_is_added_is_a_model_of_the_menu_and_gone_when_it_is_removed(shelf, own, part, tmp_path):
    bpy.ops.flux_depth.add_workflow(filepath=write(tmp_path, GRAPH))
    assert own("Warm-Evening") in in_menu(part)
    model = part("preferences").table()[own("Warm-Evening")]
    assert (model.label, model.price, model.steps.default) == ("Warm-Evening (your workflow)", "free", 28)
    bpy.context.scene.flux_depth.model = model.id
    assert "not in the table" not in why_not(part)
    bpy.ops.flux_depth.remove_workflow(workflow="Warm-Evening")
    assert own("Warm-Evening") not in in_menu(part)
    assert not list(shelf.glob("*.json"))
    assert "not in the table" in why_not(part)


def test_a_box_that_is_closed_says_what_its_server_lacks(elsewhere, part):
    panel = part("preferences_panel")
    states = {name: panel._state(provider) for name, provider in part("preferences").table().providers.items()}
    assert (states["gateway"], states["bfl"], states["comfyui"]) == ("Not Allowed Yet", "No Key", "")
    elsewhere.base_gateway = ""
    assert panel._state(part("preferences").table().provider("gateway")) == "No Address"
    bpy.ops.flux_depth.take_back_address(address=LAN)


def test_what_a_workflow_sends_is_read_once_and_a_file_that_is_gone_is_said(shelf, own, part, tmp_path):
    bpy.ops.flux_depth.add_workflow(filepath=write(tmp_path, GRAPH))
    bpy.context.scene.flux_depth.model = own("Warm-Evening")
    part("panels")._disclosed.cache_clear()
    drawn(part), drawn(part)
    told = part("panels")._disclosed.cache_info()
    assert told.misses == 1
    assert told.hits > 0
    (shelf / "Warm-Evening.json").unlink()
    drawn(part)
    part("addresses_panel").take_over()
    assert "not in the table" in words(drawn(part))


def test_a_workflow_without_marks_says_so_and_is_a_model_once_its_places_are_chosen(shelf, own, part, tmp_path):
    bpy.ops.flux_depth.add_workflow(filepath=write(tmp_path, BARE))
    assert own("Warm-Evening") not in in_menu(part)
    assert "Its places for picture, prompt and seed are not marked" in words(boxes(part))
    part("workflow_buttons").fill_menus(part("preferences").own_rows().workflows[0])
    bpy.ops.flux_depth.choose_places(workflow="Warm-Evening", picture="+1", prompt="+2", seed="+3", steps="+3")
    assert part("preferences").table()[own("Warm-Evening")].steps.default == 28
    bpy.ops.flux_depth.choose_places(workflow="Warm-Evening", steps="-")
    assert part("preferences").table()[own("Warm-Evening")].steps is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "is not a workflow"),
        (b" " * 50_000_000, "is larger than"),
        ({"nodes": [], "links": []}, "API"),
        ({"1": {"class_type": "X"}}, "has no class or no inputs"),
    ],
    ids=["cut off", "50 MB", "saved for the window", "half a node"],
)
def test_a_bad_workflow_is_one_sentence_and_nothing_is_written(shelf, part, tmp_path, content, told):
    with pytest.raises(RuntimeError, match=told):
        bpy.ops.flux_depth.add_workflow(filepath=write(tmp_path, content))
    assert not shelf.exists()


def test_a_place_that_is_no_node_s_is_refused(shelf, part, tmp_path):
    bpy.ops.flux_depth.add_workflow(filepath=write(tmp_path, GRAPH))
    for arguments in ({"workflow": "../../models"}, {"workflow": "Nothing"}):
        with pytest.raises(RuntimeError, match="There is no workflow"):
            bpy.ops.flux_depth.choose_places(**arguments)
        with pytest.raises(RuntimeError, match="There is no workflow"):
            bpy.ops.flux_depth.remove_workflow(**arguments)


def test_the_places_have_the_names_that_the_core_has(part):
    assert set(part("workflow_buttons").PLACES) == set(part("core.workflow").PLACES)
    needed = [name for name, place in part("core.workflow").PLACES.items() if place.needed]
    assert list(part("workflow_buttons").PLACES)[: part("workflow_buttons").NEEDED] == needed
