"""What a model takes besides, on the command line: start picture, strengths, LoRAs, extra fields, and its price."""

import pytest
from PIL import Image

from tests.blender.test_cli import blend, endpoint, run  # noqa: F401
from tests.blender.test_model_panel import TABLE


@pytest.fixture
def asked(run, blend, tmp_path, endpoint, part):  # noqa: F811
    """Runs a verb with a model that takes everything; its outcome, what it said, and the jobs it made."""
    (tmp_path / "data").mkdir()
    table = (
        TABLE.replace('"/v1/{model}"', '"/flux/v1/{model}"')
        .replace('"/v1/get', '"/flux/v1/get')
        .replace("webp", "jpeg")
    )
    (tmp_path / "data" / "models.toml").write_text(table)
    Image.new("RGB", (100, 100), "red").save(tmp_path / "start.jpg")

    def asked(verb, *more, out="out.png", model="style"):
        whom = ("--provider", "here", "--model", model, "--url", endpoint.base, "--megapixels", 0.1)
        code, outcome, said = run(verb, blend, "-o", tmp_path / out, *whom, *more)
        with part("core.journal").Journal(tmp_path / "data") as journal:
            return code, outcome, said, journal.jobs()

    return asked


def test_everything_that_a_model_takes_has_an_argument(asked, endpoint, tmp_path, part):  # noqa: F811
    code, _outcome, _said, (job,) = asked(
        "restyle", "--prompt", "a hall", "--start", tmp_path / "start.jpg", "--strength", 0.5,
        "--control-strength", 1.5, "--lora", "author/clay=0.8", "--lora", "author/b", "--extra", "tiles=[1,2]",
        "--extra", "mode=quick",
    )  # fmt: skip
    request = job.request
    assert (code, request.strength, request.control_strength) == (0, 0.5, 1.5)
    assert [(lora.path, lora.scale) for lora in request.loras] == [("author/clay", 0.8), ("author/b", 1.0)]
    assert request.extra_fields == {"tiles": [1, 2], "mode": "quick"}
    start = job.start_picture.read_bytes()
    assert part("core.start").mark_of(start) == request.start
    assert Image.open(job.start_picture).size == Image.open(job.control).size
    assert job.price_usd == 0.04
    assert (endpoint.posts[0].body["tiles"], endpoint.posts[0].body["mode"]) == ([1, 2], "quick")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--strength", 3), "Strength must be from 0.01 to 1, not 3"),
        (("--lora", "a", "--lora", "b", "--lora", "c"), "takes at most 2 LoRAs"),
        (("--extra", "webhook=https://elsewhere"), "would have the provider send the picture elsewhere"),
        (("--start", "/nowhere.png"), "There is no file /nowhere.png"),
        (("--start", __file__), "no whole PNG, JPEG or WebP picture"),
        (("--safety-tolerance", 2), "takes no safety tolerance"),
        (("--output-format", "webp"), "The output format must be one of jpeg, png"),
    ],
)
def test_what_a_model_does_not_take_is_said_before_anything_is_sent(asked, endpoint, more, said):  # noqa: F811
    code, outcome, _said, jobs = asked("restyle", "--prompt", "a hall", *more)
    assert (code, jobs, endpoint.posts) == (2, [], [])
    assert said in outcome["error"]["message"]


def test_what_nobody_said_is_left_out_of_what_the_model_does_not_take(asked, tmp_path):
    (tmp_path / "p.py").write_text("settings.steps = 30\nsettings.guidance = 9.0\n")
    more = ("--preset", tmp_path / "p.py", "--faithfulness", "exact")
    code, _outcome, said, (job,) = asked("restyle", "--prompt", "a hall", *more, model="photo", out="o.png")
    assert (code, job.request.steps, job.request.guidance, job.request.output_format) == (0, None, 10.0, "jpeg"), said


def test_a_grid_sums_by_size_and_starts_every_picture_from_it(asked, tmp_path):
    start = ("--start", tmp_path / "start.jpg")
    code, outcome, _said, jobs = asked("grid", "--prompt", "a", "--prompt", "b", *start, out="folder")
    assert (code, outcome["price_usd"]) == (0, 0.08)
    assert all(job.start_picture.is_file() and job.price_usd == 0.04 for job in jobs)
    assert len({job.request.start for job in jobs}) == 1


def test_a_shot_keeps_its_start_picture_for_whoever_goes_on_with_it(asked, tmp_path):
    frames = ("--frames", "1-2")
    begun = ("--prompt", "a hall", "--start", tmp_path / "start.jpg", *frames, "--frame", 1, "--lora", "a/b")
    assert asked("shot", *begun, out="walk")[0] == 0
    code, _outcome, said, jobs = asked("shot", "--anew", out="walk")
    assert code == 0, said
    assert len({job.start_picture.read_bytes() for job in jobs}) == 1 < len(jobs)
    assert all(job.request.loras and job.request.start for job in jobs)
    (tmp_path / "walk" / "start.png").write_bytes(b"another")
    (tmp_path / "walk" / "walk_0002.png").unlink()
    code, outcome, _said, _jobs = asked("shot", "--anew", out="walk")
    assert code == 2
    assert "is not the picture that this shot was begun with" in outcome["error"]["message"]
