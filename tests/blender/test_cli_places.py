"""Servers and workflows of the artist's own on the command line: a word for plain http, and never a key over it."""

import json

import bpy
import pytest

from tests.blender.test_cli import blend, endpoint, run
from tests.blender.test_places import BARE, GRAPH, KEY, LAN, passed_on, write

__all__ = ["blend", "endpoint", "run"]

GATEWAY = ("--provider", "gateway", "--key-header", "")


@pytest.fixture
def restyle(run, blend, tmp_path, monkeypatch):
    """Runs `restyle` with these arguments besides."""
    monkeypatch.delenv("FLUX_DEPTH_GATEWAY_KEY", raising=False)

    def restyle(*more):
        return run("restyle", blend, "--prompt", "a garden", "-o", tmp_path / "out.png", *more)

    yield restyle
    bpy.context.preferences.system.use_online_access = False


def message(outcome):
    return outcome["error"]["message"]


def test_a_gateway_without_an_address_is_not_asked(restyle, endpoint):
    code, outcome, _ = restyle("--provider", "gateway")
    assert code == 2
    assert message(outcome) == "Own Gateway has no address: give it with --url. Nothing was sent."


def test_a_gateway_is_asked_at_the_address_that_is_given(restyle, endpoint, monkeypatch):
    monkeypatch.setenv("FLUX_DEPTH_GATEWAY_KEY", KEY)
    code, _, _ = restyle("--provider", "gateway", "--url", endpoint.base)
    assert code == 0
    (post,) = endpoint.posts
    assert (post.path, post.headers["x-key"]) == ("/v1/flux-pro-1.0-depth", KEY)


@pytest.mark.key_is_planted("header x-studio of a request to *")
def test_its_key_goes_into_the_header_that_is_named(restyle, endpoint, monkeypatch):
    monkeypatch.setenv("FLUX_DEPTH_GATEWAY_KEY", KEY)
    assert restyle("--provider", "gateway", "--url", endpoint.base, "--key-header", "X-Studio")[0] == 0
    assert endpoint.posts[0].headers["x-studio"] == KEY


def test_plain_http_to_another_computer_takes_a_word_of_its_own(restyle):
    code, outcome, _ = restyle(*GATEWAY, "--url", LAN, "--online-mode")
    assert code == 2
    assert "asked over plain http" in message(outcome)
    assert "add --allow-http" in message(outcome)


@pytest.mark.parametrize("arguments", [("--provider", "gateway"), ("--provider", "bfl"), ("--provider", "cometapi")])
def test_the_word_does_not_let_a_key_out(restyle, monkeypatch, arguments):
    for name in ("FLUX_DEPTH_GATEWAY_KEY", "BFL_API_KEY", "COMETAPI_KEY"):
        monkeypatch.setenv(name, KEY)
    code, outcome, _ = restyle(*arguments, "--url", LAN, "--allow-http", "--online-mode")
    assert code == 2
    assert "never sent over plain http" in message(outcome)


def test_offline_the_network_is_out_of_reach_whatever_was_allowed(restyle):
    code, outcome, _ = restyle(*GATEWAY, "--url", LAN, "--allow-http")
    assert code == 3
    assert "online access is off" in message(outcome)


def test_with_the_word_the_picture_comes_from_there(restyle, endpoint):
    with passed_on(int(endpoint.base.rpartition(":")[2])) as address:
        endpoint.base = address
        code, outcome, _ = restyle(*GATEWAY, "--url", address, "--allow-http", "--online-mode")
    assert (code, outcome["step"], len(endpoint.posts)) == (0, "DONE", 1)


def test_resume_asks_there_only_with_the_word_too(run, restyle, part, tmp_path, endpoint):
    restyle(*GATEWAY, "--url", endpoint.base)
    journal = part("core.journal").Journal(tmp_path / "data")
    (job,) = journal.jobs()
    journal.add(job.request, b"", base=LAN)
    journal.close()
    _, outcome, _ = run("resume", "--online-mode")
    assert "add --allow-http" in message(outcome["jobs"][0])


@pytest.mark.parametrize("url", ["http://[::1", "https://a:b@flux.example.com", "https://flux.example.com\\@x"])
def test_what_is_no_address_is_one_sentence(restyle, url):
    code, outcome, said = restyle(*GATEWAY, "--url", url, "--allow-http")
    assert code == 2
    assert "Traceback" not in said
    assert "Nothing was sent" in message(outcome) or "is refused" in message(outcome) or "not a web" in message(outcome)


# Workflows.


@pytest.fixture
def studio(part, tmp_path, monkeypatch):
    """A provider that takes workflows, whoever else does; the id of a workflow's model."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "models.toml").write_text(
        '[providers.studio]\nlabel = "Studio"\nprotocol = "bfl"\nbase = "http://127.0.0.1:9"\n'
        '[models."studio:shipped"]\nlike = "sandbox"\nlabel = "Shipped"\npath = "shipped"\nworkflow = "any.json"\n'
    )
    table = part("core.models").load(tmp_path / "data" / "models.toml")
    return lambda name: f"{part('own_rows').workflow_parent(table).provider.name}:{name}"


def test_a_workflow_is_kept_where_resume_finds_its_model(run, restyle, studio, tmp_path, part):
    restyle("--workflow", write(tmp_path, GRAPH, "warm evening.json"), "--url", "http://127.0.0.1:9", "--timeout", "1")
    kept = tmp_path / "data" / "workflows" / "warm-evening.json"
    assert json.loads(kept.read_bytes()) == GRAPH
    journal = part("core.journal").Journal(tmp_path / "data")
    assert [job.request.model for job in journal.jobs()] == [studio("warm-evening")]
    journal.close()


def test_a_workflow_is_a_model_by_itself(restyle, studio, tmp_path):
    code, outcome, _ = restyle("--workflow", write(tmp_path, GRAPH), "--provider", "bfl")
    assert code == 2
    assert "leave --provider and --model out" in message(outcome)


@pytest.mark.parametrize(
    ("content", "told"),
    [(BARE, "are not marked"), (b"{", "is not a workflow"), ({"nodes": [], "links": []}, "API")],
    ids=["without marks", "cut off", "saved for the window"],
)
def test_a_workflow_that_cannot_be_asked_is_one_sentence(restyle, studio, tmp_path, content, told):
    code, outcome, _ = restyle("--workflow", write(tmp_path, content))
    assert code == 2
    assert told in message(outcome)


def test_a_grid_takes_a_workflow(run, blend, studio, tmp_path):
    code, outcome, _ = run(
        *("grid", blend, "--prompt", "a garden", "--seeds", 2, "-o", tmp_path / "grid", "--dry-run"),
        *("--workflow", write(tmp_path, GRAPH)),
    )
    assert (code, outcome["pictures"], outcome["price_usd"]) == (0, 2, 0)
