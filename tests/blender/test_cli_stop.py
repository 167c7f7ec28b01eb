"""On the command line: a model that is gone names the nearest one, a job is cancelled, Ctrl-C says how things stand."""

import contextlib
import time
from dataclasses import replace

import bpy
import pytest

from tests import living_models
from tests.blender.test_cli import blend, run  # noqa: F401  (fixtures)
from tests.secrets_watch import marked_key


@pytest.fixture
def asked(run, blend, tmp_path, monkeypatch):  # noqa: F811
    """Runs `restyle` of a model that stands beside another, at an address; `rows`: more of the table."""

    def ask(base, *more, **rows):
        (tmp_path / "data").mkdir(exist_ok=True)
        text = living_models.rows(near__map="", far__map="price_usd = 0.05", **rows)
        (tmp_path / "data" / "models.toml").write_text(text, encoding="utf-8")
        for name in ("near", "far"):
            monkeypatch.setenv(f"{name.upper()}_KEY", marked_key("bfl"))
        fixed = ("--prompt", "a garden", "-o", tmp_path / "out.png", "--megapixels", "0.1", "--url", base)
        return run("restyle", blend, *fixed, "--model", "near:map", *more)

    return ask


@contextlib.contextmanager
def answering(part, status, body=b'{"detail": "no"}'):
    sandbox = part("core.sandbox")
    answers = [sandbox.Answer(status=status, body=body)]
    with sandbox.Sandbox(behaviour=sandbox.Behaviour(submit_answers=answers, delay=0.0, picture="echo")) as endpoint:
        yield endpoint


@pytest.fixture
def left(asked, part, tmp_path):
    """Leaves a job in the journal, as a worker that died would: what it made of it, by its id."""

    def leave(**changes):
        with answering(part, 404) as endpoint:
            _code, outcome, _said = asked(endpoint.base, cancels=changes.pop("cancels", False))
        with part("core.journal").Journal(tmp_path / "data") as journal:
            job = journal.get(outcome["id"])
            again = journal.add(job.request, b"png", price_usd=0.04)
            journal.save(replace(journal.claim(job_id=again.id), **changes), release=True)
        return again.id

    return leave


def there(part):
    """How a job stands that its provider has."""
    Step = part("core.job").Step
    return {"step": Step.POLL, "submit_started": time.time(), "remote_id": "a", "charged": "yes"}


def test_a_model_that_is_not_served_names_the_nearest_with_its_price(asked, part):
    with answering(part, 404) as endpoint:
        code, outcome, said = asked(endpoint.base, "--guidance", "15")
    assert (code, outcome["error"]["kind"], outcome["charged"]) == (3, "model", "no")
    assert (outcome["error"]["instead"], outcome["error"]["price_usd"]) == ("far:map", 0.05)
    assert "The nearest that lives is Far: Map, $0.05 ($0.01 more): --model far:map" in said


def test_one_whose_key_is_not_there_says_so(asked, part, monkeypatch):
    monkeypatch.setattr(part("switch").preferences, "has_key", lambda provider: provider.name != "far")
    with answering(part, 404) as endpoint:
        _code, _outcome, said = asked(endpoint.base)
    assert "$0.05 ($0.01 more, needs a key)" in said


def test_any_other_failure_names_no_other_model(asked, part):
    with answering(part, 402) as endpoint:
        code, outcome, said = asked(endpoint.base)
    assert (code, list(outcome["error"])) == (3, ["kind", "message"])
    assert "nearest" not in said


def test_ctrl_c_says_that_it_goes_on_there_and_the_two_ways(asked, part, monkeypatch):
    def interrupted(_journal, _client, _job):
        raise KeyboardInterrupt

    monkeypatch.setattr(part("cli.restyle"), "finish", interrupted)
    with answering(part, 200) as endpoint:
        code, outcome, said = asked(endpoint.base)
    assert (code, outcome["error"]["kind"]) == (130, "interrupted")
    assert "was not sent: `resume` sends it, `jobs --cancel" in said


@pytest.mark.parametrize(("cancels", "end"), [(True, "has the provider stop."), (False, "gives it up.")])
def test_ctrl_c_after_it_was_sent_says_what_it_costs(left, part, tmp_path, capfd, cancels, end):
    table = part("core.models").load
    job_id = left(cancels=cancels, **there(part))
    capfd.readouterr()
    model = table(tmp_path / "data" / "models.toml")["near:map"]
    told = part("cli.stop").told_if_interrupted
    opened = part("core.journal").Journal(tmp_path / "data")
    with opened as journal, pytest.raises(KeyboardInterrupt), told(journal, journal.get(job_id), model):
        raise KeyboardInterrupt
    said = capfd.readouterr().err
    assert f"Job {job_id} goes on at Near and costs $0.04: `resume` fetches its picture for nothing," in said
    assert said.strip().endswith(end)


def test_a_job_that_was_not_sent_is_dropped(run, left):  # noqa: F811
    code, outcome, said = run("jobs", "--cancel", left())
    assert (code, outcome["step"], outcome["charged"]) == (0, "CANCELLED", "no")
    assert "Cancelled before it was sent: nothing was charged" in said


def test_a_job_that_was_sent_says_what_it_costs(run, left, part):  # noqa: F811
    code, outcome, said = run("jobs", "--cancel", left(**there(part)))
    assert (code, outcome["step"], outcome["charged"]) == (0, "CANCELLED", "yes")
    assert "already sent and costs $0.04: fetch it for nothing" in said


def test_a_provider_that_can_is_asked_to_stop(run, left, part, monkeypatch):  # noqa: F811
    asked = []
    Cancelled = part("core.providers").Cancelled
    monkeypatch.setattr(
        part("core.client").Client, "cancel", lambda _client, *words: asked.append(words) or Cancelled(is_free=True)
    )
    job_id = left(cancels=True, **there(part))
    code, _outcome, said = run("jobs", "--cancel", job_id)
    assert (code, len(asked)) == (3, 0)
    assert "online access is off" in said
    code, outcome, said = run("jobs", "--cancel", job_id, "--online-mode")
    bpy.context.preferences.system.use_online_access = False
    assert (code, outcome["step"], outcome["charged"], len(asked)) == (0, "CANCELLED", "no", 1)
    assert "The provider stopped it, and it costs nothing" in said


def test_a_job_that_is_not_there_is_said(run, left):  # noqa: F811
    left()
    code, _outcome, said = run("jobs", "--cancel", "nowhere")
    assert code == 2
    assert "There is no job “nowhere”" in said
