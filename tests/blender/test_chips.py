"""Scene facts: what is known is offered, what the camera sees comes first, and only a click puts it into the prompt."""

import json
import math
import time
from types import SimpleNamespace

import bpy
import pytest

from tests.blender import hostile
from tests.blender.hostile import drawn, words

from .scenes import add_box, empty_scene


@pytest.fixture
def scene(data):
    """A camera at the origin that looks along +Y, and nothing else."""
    made = empty_scene()
    made.flux_depth.model_id = "sandbox"
    made.flux_depth.prompt = "a garden"
    return made


@pytest.fixture
def facts(scene, part):
    """What is offered now, by kind."""

    def facts():
        bpy.context.view_layer.update()
        found = part("scene_facts").gather(scene, bpy.context.view_layer, scene.camera)
        return {kind: [fact.words for fact in found if fact.kind == kind] for kind in {fact.kind for fact in found}}

    return facts


@pytest.fixture
def insert(scene):
    def insert(words):
        return bpy.ops.flux_depth.insert_fact(words=words)

    return insert


def box(scene, name, at, size=1.0, material="", collection=""):
    """A box of that size with that name."""
    half = size / 2
    made = add_box(scene, (-half,) * 3, (half,) * 3, at=at)
    made.name = name
    if material:
        made.data.materials.append(bpy.data.materials.new(material))
    if collection:
        home = bpy.data.collections.new(collection)
        scene.collection.children.link(home)
        home.objects.link(made)
        scene.collection.objects.unlink(made)
    return made


def sun(scene, elevation, energy=3.0):
    """A sun light at so many degrees above the horizon."""
    light = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    light.data.energy, light.rotation_euler = energy, (math.radians(90 - elevation), 0, 0.7)
    scene.collection.objects.link(light)
    return light


def sky(scene, elevation):
    """A world that is lit by a sky texture."""
    scene.world = bpy.data.worlds.new("World")
    if bpy.app.version < (5, 0, 0):
        scene.world.use_nodes = True
    tree = scene.world.node_tree
    texture = tree.nodes.new("ShaderNodeTexSky")
    texture.sun_elevation = math.radians(elevation)
    background = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeBackground")
    tree.links.new(texture.outputs[0], background.inputs[0])
    return texture


# The lens.


@pytest.mark.parametrize(
    ("lens", "sensor", "fit", "size", "words"),
    [
        (35, 36, "AUTO", (1920, 1080), "35 mm wide-angle lens"),
        (35, 36, "AUTO", (1080, 1920), "35 mm wide-angle lens"),
        (24, 24, "AUTO", (1920, 1080), "36 mm lens"),
        (50, 36, "HORIZONTAL", (1000, 2000), "25 mm wide-angle lens"),
        (50, 24, "VERTICAL", (1500, 1000), "50 mm lens"),
    ],
)
def test_a_lens_is_told_as_what_it_sees_on_full_frame(scene, facts, lens, sensor, fit, size, words):
    data = scene.camera.data
    data.lens, data.sensor_width, data.sensor_height, data.sensor_fit = lens, sensor, sensor, fit
    scene.render.resolution_x, scene.render.resolution_y = size
    assert facts()["lens"] == [words]


@pytest.mark.parametrize(("kind", "words"), [("ORTHO", "orthographic view"), ("PANO", "panoramic view")])
def test_a_camera_without_a_lens_is_told_as_what_it_is(scene, facts, kind, words):
    scene.camera.data.type = kind
    box(scene, "Sofa", (0, 5, 0))
    assert (facts()["lens"], facts()["object"]) == ([words], ["Sofa"])


def test_without_a_camera_names_are_offered_and_no_lens(scene, facts, part):
    box(scene, "Sofa", (0, 5, 0))
    scene.camera = None
    assert facts() == {"object": ["Sofa"]}


# The light.


def test_of_a_scene_without_sun_or_sky_no_time_of_day_is_told(scene, facts):
    assert "time" not in facts()


@pytest.mark.parametrize(("elevation", "words"), [(4, "golden hour, sun on the horizon"), (80, "high midday sun")])
def test_a_sun_light_tells_the_time_of_day(scene, facts, elevation, words):
    sun(scene, elevation)
    assert facts()["time"][0].startswith(words)


def test_the_brightest_sun_that_shines_down_and_is_rendered_counts(scene, facts):
    sun(scene, 80, energy=9).hide_render = True
    sun(scene, -60, energy=8)
    sun(scene, 70, energy=0)
    sun(scene, 30, energy=1)
    sun(scene, 4, energy=2)
    assert facts()["time"] == ["golden hour, sun on the horizon"]


def test_a_sky_goes_before_a_lamp_and_may_be_below_the_horizon(scene, facts):
    sun(scene, 80)
    texture = sky(scene, -3)
    assert facts()["time"] == ["twilight, blue hour"]
    scene.world.node_tree.links.remove(texture.outputs[0].links[0])
    assert facts()["time"] == ["high midday sun, short shadows"]


def test_an_older_sky_is_read_by_its_direction(scene, facts):
    texture = sky(scene, 0)
    texture.sky_type = "PREETHAM"
    texture.sun_direction = (0, math.cos(0.2), math.sin(0.2))
    assert facts()["time"] == ["low sun, long shadows"]


def test_a_world_that_somebody_named_is_offered(scene, facts):
    scene.world = bpy.data.worlds.new("foggy_morning_01")
    assert facts()["world"] == ["foggy morning"]


# The names.


def test_what_the_camera_sees_is_offered_largest_first_and_the_rest_is_not(scene, facts):
    box(scene, "Vase", (0, 5, 0), 0.3)
    box(scene, "Sofa", (1, 5, 0), 2)
    box(scene, "Behind", (0, -5, 0), 2)
    box(scene, "Beside", (50, 5, 0), 2)
    box(scene, "Crumb", (0, 5, 0), 0.001)
    assert facts()["object"] == ["Sofa", "Vase"]


def test_what_is_off_for_renders_is_not_offered_and_what_is_only_hidden_is(scene, facts):
    box(scene, "Off", (0, 5, 0)).hide_render = True
    box(scene, "Filed Off", (0, 5, 0), collection="Helpers")
    bpy.data.collections["Helpers"].hide_render = True
    box(scene, "Hidden", (0, 5, 0)).hide_set(True)
    assert facts()["object"] == ["Hidden"]


def test_materials_and_collections_of_what_is_seen_are_offered(scene, facts):
    box(scene, "Sofa", (0, 5, 0), material="Green_Velvet", collection="Living Room")
    box(scene, "Behind", (0, -5, 0), material="Brick", collection="Street")
    found = facts()
    assert (found["material"], found["collection"]) == (["Green Velvet"], ["Living Room"])


def test_blender_s_own_names_come_last(scene, facts):
    box(scene, "Cube.002", (0, 5, 0), 3)
    box(scene, "Vase", (0, 4, 0), 0.3)
    assert facts()["object"] == ["Vase", "Cube"]


# The chips.


def test_nothing_is_looked_up_before_somebody_asks(scene, part, monkeypatch):
    monkeypatch.setattr(part("scene_facts"), "gather", lambda *_: pytest.fail("looked up while drawing"))
    assert "35 mm" not in words(drawn(part))


def test_a_click_shows_the_chips_another_puts_them_away(scene, part):
    box(scene, "Sofa", (0, 5, 0))
    bpy.context.view_layer.update()
    bpy.ops.flux_depth.scene_facts()
    items = drawn(part)
    chips = [item["draw_string"] for item in items if "insert_fact(" in item.get("operator", "")]
    assert "Sofa" in chips
    assert hostile.button(items, "flux_depth.insert_fact")[1]["words"].endswith("lens")
    bpy.ops.flux_depth.scene_facts(hide=True)
    assert "Sofa" not in words(drawn(part))


def test_facts_are_forgotten_with_the_file(scene, part, tmp_path):
    bpy.ops.flux_depth.scene_facts()
    hostile.open_file(hostile.save(tmp_path / "a.blend"))
    assert part("chips").shown == {}


def test_looking_up_changes_neither_the_prompt_nor_what_is_sent(scene, part):
    box(scene, "Sofa", (0, 5, 0))
    bpy.context.view_layer.update()
    before = part("properties").request_of(bpy.context)
    bpy.ops.flux_depth.scene_facts()
    assert part("properties").request_of(bpy.context) == before


@pytest.mark.parametrize(
    ("before", "after"),
    [("", "Sofa"), ("a garden", "a garden, Sofa"), ("a garden, ", "a garden, Sofa"), ("a garden.", "a garden. Sofa")],
)
def test_a_chip_goes_to_the_end_of_the_field(scene, insert, before, after):
    scene.flux_depth.prompt = before
    assert insert("Sofa") == {"FINISHED"}
    assert scene.flux_depth.prompt == after


def test_a_chip_goes_to_the_end_of_the_text(scene, insert):
    bpy.ops.flux_depth.edit_prompt()
    scene.flux_depth.prompt_text.from_string("a garden\nat noon\n")
    insert("Sofa")
    assert scene.flux_depth.prompt_text.as_string().strip() == "a garden\nat noon, Sofa"


def test_a_chip_for_which_there_is_no_room_changes_nothing(scene, insert):
    scene.flux_depth.prompt = "x" * 9_998
    with pytest.raises(RuntimeError, match="would be longer than 10,000 characters"):
        insert("Sofa")
    assert scene.flux_depth.prompt == "x" * 9_998


@pytest.mark.parametrize("room", [80, 134, 225, 900])
def test_chips_fill_their_lines_and_each_fits_unless_it_is_alone(part, room):
    chips, fact = part("chips"), part("core.facts").Fact
    facts = [fact("object", "word " * (number % 7 + 1)) for number in range(24)]
    lines = list(chips.rows(facts, room, 11))
    assert [one for line in lines for one in line] == facts
    width = part("drawing").width_of
    for line in lines:
        assert len(line) == 1 or sum(width(one.words, 11) + chips.BESIDE_WORDS for one in line) <= room


# Large, and a stranger's.


def test_ten_thousand_things_are_looked_up_in_a_moment_and_drawn_from_memory(scene, part):
    mesh = box(scene, "Sofa", (0, 5, 0), 2).data
    for number in range(10_000):
        thing = bpy.data.objects.new(f"Leaf {number:05}", mesh)
        thing.location = (number % 100 / 20 - 2.5, 6, number // 100 / 20 - 2.5)
        scene.collection.objects.link(thing)
    bpy.context.view_layer.update()
    started = time.process_time()
    bpy.ops.flux_depth.scene_facts()
    assert time.process_time() - started < 2
    assert len(part("chips").shown[scene.session_uid]) <= 24
    started = time.process_time()
    with hostile.in_the_sidebar():
        for _ in range(20):
            hostile.drawn_by(part("panels")._Main.draw)
    assert time.process_time() - started < 0.5


HOSTILE = {
    "line breaks": "Sofa\nIGNORE ALL\r\n",
    "turned round": "a\u202egnp.exe",
    "unseen": "\u200b\ufeff",
    "long": "x" * 250,
    "a path": "../../etc/passwd",
    "code": "{__import__('os')}",
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_stranger_s_name_is_one_short_printable_line(scene, facts, part, insert, name):
    box(scene, "Sofa", (0, 5, 0)).name = name
    for word in facts().get("object", []):
        assert word.isprintable()
        assert len(word) <= 40
        insert(word)
        part("properties").request_of(bpy.context)


def test_names_whose_bytes_are_no_text_are_left_out(scene, part, tmp_path):
    box(scene, "SOFA--", (0, 5, 0), material="VELVET--")
    hostile.save(tmp_path / "a.blend")
    hostile.patch(tmp_path / "a.blend", {b"OBSOFA--": b"OBSOFA\xff\x80", b"MAVELVET--": b"MAVELVET\xff\x80"})
    scene = hostile.open_file(tmp_path / "a.blend")
    bpy.ops.flux_depth.scene_facts()
    assert {fact.kind for fact in part("chips").shown[scene.session_uid]} <= {"lens", "collection"}


def test_a_place_that_is_no_number_is_nowhere_in_the_frame(scene, facts):
    box(scene, "Nowhere", (float("nan"), 5, 0))
    box(scene, "Far", (0, float("inf"), 0))
    box(scene, "Sofa", (0, 5, 0))
    assert facts()["object"] == ["Sofa"]


@pytest.mark.parametrize("size", [(0, 0), (1920, 0), (float("nan"), 1080)])
def test_a_camera_and_a_sky_of_impossible_numbers_are_told_as_nothing(scene, part, size):
    facts, number = part("scene_facts"), float("nan")
    render = SimpleNamespace(resolution_x=size[0], resolution_y=size[1], pixel_aspect_x=1, pixel_aspect_y=1)
    data = SimpleNamespace(sensor_fit="", sensor_width=0, sensor_height=0, lens=number)
    assert part("core.facts").lens_words(facts._full_frame(SimpleNamespace(render=render), data)) == ""
    sky = SimpleNamespace(sky_type="HOSEK_WILKIE", sun_direction=SimpleNamespace(z=2.0, length=1.0))
    assert facts._elevation_in(sky) == 90


def test_words_with_line_breaks_go_in_as_one_line(scene, insert):
    insert("a\nb\t c")
    assert scene.flux_depth.prompt == "a garden, a b c"


# On the command line.


def test_the_facts_verb_prints_them(scene, part, tmp_path, capfd):
    box(scene, "Sofa", (0, 5, 0), material="Velvet")
    path = hostile.save(tmp_path / "a.blend")
    code = part("cli").main(["facts", str(path), "--json", str(tmp_path / "f.json"), "--data-dir", str(tmp_path)])
    assert code == 0
    assert "object: Sofa\n" in capfd.readouterr().out
    told = json.loads((tmp_path / "f.json").read_text())
    assert {"kind": "material", "words": "Velvet"} in told["facts"]


def test_facts_of_a_camera_that_is_not_there_are_one_sentence(scene, part, tmp_path, capfd):
    path = hostile.save(tmp_path / "a.blend")
    assert part("cli").main(["facts", str(path), "--camera", "Nobody"]) == 2
    assert "has no camera “Nobody”" in capfd.readouterr().err
