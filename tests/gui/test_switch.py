"""A model that is gone, and the clicks that lead to one that lives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flux_depth_addon.core.sandbox import Answer, Behaviour, Sandbox
from tests import living_models
from tests.gui.artist import MODEL, STEPS, Artist
from tests.secrets_watch import marked_key

GONE = Answer(404, body={"detail": "Not Found"})
MODEL_IS = "bpy.context.scene.flux_depth.model_id"


@pytest.fixture
def provider(artist: Artist, tmp_path: Path) -> Iterator[Sandbox]:
    """Serves the retired model no more, and another one; both keys are known."""
    with Sandbox(behaviour=Behaviour(delay=0.5, submit_answers=[GONE])) as server:
        begin(artist, server.base, tmp_path / "data", near__map="", far__photo='control = "picture"')
        yield server
    artist.python("import os; del os.environ['NEAR_KEY'], os.environ['FAR_KEY']")


def begin(artist: Artist, base: str, data: Path, **rows: str) -> None:
    """As `begin_with`, with two more providers at the same address."""
    artist.begin_with(base, data)
    text = living_models.rows(**rows)
    for name in ("near", "far"):
        text = text.replace(f"https://{name}.example", base)
    with (data / "models.toml").open("a", encoding="utf-8") as table:
        table.write(text)
    keys = {f"{name}_KEY": marked_key("bfl") for name in ("NEAR", "FAR")}
    artist.python(
        f"import os; os.environ.update({keys!r}); part('preferences').forget_table(); part('windows').redraw()"
    )


def test_a_retired_model_leads_to_a_living_one_in_one_click_and_back_with_undo(
    artist: Artist, provider: Sandbox
) -> None:
    artist.python("bpy.ops.ed.undo_push(message='As it is')")
    artist.click("flux_depth.switch_model", model_id="near:map")
    artist.wait_until(f"{MODEL_IS} == 'near:map'")
    assert artist.is_told("Near: Map paints from now on")
    artist.key("ctrl+z")
    artist.wait_until(f"{MODEL_IS} == {MODEL!r}")


def test_a_job_whose_model_is_gone_is_sent_to_a_living_one_in_one_click(artist: Artist, provider: Sandbox) -> None:
    artist.click("flux_depth.generate")
    artist.wait_for_steps("FAILED")
    artist.click("flux_depth.send_instead", shown_model="near:map")
    artist.wait_for_steps("DONE", "FAILED")
    before, after = provider.posts
    assert (before.path, after.path) == ("/flux/v1/flux-pro-1.0-depth", "/v1/flux-pro-1.0-depth")
    assert before.body["preprocessed_image"] == after.body["control_image"]


def test_providers_are_compared_from_one_dialog(artist: Artist, provider: Sandbox) -> None:
    artist.panel("Variations")
    artist.ask("flux_depth.compare_providers")
    artist.key("Return")
    artist.wait_until(f"sorted({STEPS}) == ['DONE', 'FAILED']")  # the first that is sent is refused, whichever it is
    assert artist.python("sorted(job.request.model for job in part('watch').jobs.values())") == [
        "far:photo",
        "near:map",
    ]
