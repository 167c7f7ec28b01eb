"""Every fault the project was tried with, one a row: what happens, and the end that an artist should get.

A row's scripts say what the provider does at each call to submit, to poll and for the picture: an answer of the
sandbox, a play of the fault proxy, or None for a call served as usual; after the last entry everything is as usual.
`edge` names the numbered edge cases of the protocol that the row stands for:

(1) a task not found at first, (2) trouble while polling, (3) no second submission, (4) refusals in a temporary status,
(5) every envelope, (6) unknown words, (7) ready without a picture, (8) expired links, (9) keys and hosts, (10) another
format, (11) moderation, (12) progress, (13) patience, (14) too many at once, (15) redaction, (16) cancelling.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import repeat

from flux_depth_addon.core.advance import MAX_MISSES
from flux_depth_addon.core.errors import DamagedJournalError, InputError
from flux_depth_addon.core.sandbox import Answer

from . import proxy as plays
from .deeds import (
    SECURE,
    a_night_passes,
    client_breaks,
    clock_jumps,
    comes_from_the_future,
    control_is_deleted,
    cut,
    disk_fills,
    disks_at,
    during,
    goes_to,
    is_cancelled,
    is_shown,
    journal_is_locked,
    journal_starts_anew,
    output_has_no_name,
    output_is_below_a_file,
    overwrite,
    refuses_connections,
    stops_listening_first,
    was_being_sent,
    while_waiting,
)
from .proxy import Play
from .row import (
    BFL,
    CANCELLED,
    DEAD,
    DONE,
    HTML,
    KEY,
    LONG_ECHO,
    NO_CHANNEL,
    NOT_FOUND,
    OLD_LINK,
    PENDING,
    STEPS,
    Damage,
    Fault,
    black,
    gateway,
    paid,
    picture,
    refused,
    said,
    state,
    task,
    unsent,
    unsure,
)

__all__ = ["DAMAGES", "FAULTS"]

LOST_ANSWERS: tuple[tuple[str, Play], ...] = (
    ("reset at once", plays.resets_at_once),
    ("reset before the body", plays.resets_before_the_body),
    ("reset in the body", plays.resets_in_the_body),
    ("reset after the body", plays.resets_after_the_body),
    ("closed without an answer", plays.closes_without_an_answer),
    ("reset in the answer", plays.resets_in_the_answer),
    ("headers that never end", plays.sends_headers_that_never_end),
    ("a header line that never ends", plays.sends_a_line_that_never_ends),
    ("garbled chunks", plays.garbles_its_chunks),
    ("a stop between chunks", plays.stops_between_chunks),
    ("fewer bytes than promised", plays.promises_more_than_it_sends),
    ("another protocol", plays.speaks_no_http),
    ("a page without headers", plays.sends_a_page_without_headers),
    ("no status", plays.names_no_status),
)
SLOW_ANSWERS: tuple[tuple[str, Play], ...] = (
    ("silence", plays.stays_silent),
    ("headers in drops", plays.sends_its_headers_in_drops),
    ("a body in drops", plays.sends_its_body_in_drops),
    ("100 Continue for ever", plays.says_continue_for_ever),
)
WRONG_BODIES: tuple[tuple[str, Play], ...] = (
    ("a body that never ends", plays.sends_a_body_that_never_ends),
    ("a gzip bomb", plays.sends_a_gzip_bomb),
    ("closed in the headers", plays.closes_in_the_headers),
    ("half of what was promised is cut off", plays.sends_more_than_it_promises),
)
HARMLESS: tuple[tuple[str, Play], ...] = (
    ("an answer packed unasked", plays.packs_its_answer_unasked),
    ("100 Continue first", plays.says_continue_first),
)


def on_the_wire() -> Iterator[Fault]:
    for name, play in LOST_ANSWERS:
        yield Fault(name=f"submit: {name}", submit=[play], end=unsure("answer_lost"), edge=(3,))
        yield Fault(name=f"poll: {name}", poll=[play] * 2, end=DONE, edge=(2,))
        yield Fault(name=f"picture: {name}", result=[play] * 2, end=DONE)
    for name, play in SLOW_ANSWERS:
        yield Fault(name=f"submit: {name}", submit=[play], end=unsure("answer_lost"), hurried=True, edge=(3,))
        yield Fault(name=f"poll: {name}", poll=[play], end=DONE, hurried=True, edge=(2,))
        yield Fault(name=f"picture: {name}", result=[play], end=DONE, hurried=True)
    for name, play in WRONG_BODIES:
        yield Fault(name=f"submit: {name}", submit=[play], end=unsure("answer_without_id"), edge=(3,))
        yield Fault(name=f"poll: {name}", poll=[play] * 2, end=DONE, edge=(2,))
        yield Fault(name=f"picture: {name}", result=[play] * 2, end=DONE)
    for name, play in HARMLESS:
        yield Fault(name=f"everywhere: {name}", submit=[play], poll=[play], result=[play], end=DONE)


WIRE = [
    *on_the_wire(),
    Fault(name="submit: refused", before=stops_listening_first, posts=0, end=unsent("unreachable", "retry")),
    Fault(name="submit: a name that does not resolve", before=goes_to("https://nowhere.invalid"), posts=0,
          end=unsent("unreachable", "retry")),
    Fault(name="submit: a certificate that nobody vouches for", before=is_shown("127.0.0.1", vouched_for=False),
          posts=0, end=unsent("certificate", "retry")),
    Fault(name="submit: a certificate that has expired", before=is_shown("127.0.0.1", not_after=datetime(2001, 1, 1)),
          posts=0, end=unsent("certificate_expired", "retry")),
    Fault(name="submit: a certificate from the future",
          before=is_shown("127.0.0.1", not_before=datetime(2999, 1, 1), not_after=datetime(2999, 2, 1)), posts=0,
          end=unsent("certificate_expired", "retry")),
    Fault(name="submit: a certificate of another host", before=is_shown("hotel.example"), posts=0,
          end=unsent("certificate_of_another", "retry")),
    Fault(name="submit: no certificates to believe", before=goes_to(SECURE, REQUESTS_CA_BUNDLE="/no/such/file"),
          posts=0, end=unsent("certificates_unreadable", "retry"), says="REQUESTS_CA_BUNDLE"),
    Fault(name="submit: no TLS", before=goes_to(SECURE, plays.speaks_plainly), posts=0, end=unsent("no_tls", "retry")),
    Fault(name="submit: TLS that is cut off", before=goes_to(SECURE, plays.hangs_up), posts=0,
          end=unsent("tls_cut", "retry")),
    Fault(name="submit: no proxy where there should be one", before=goes_to("", HTTPS_PROXY="http://127.0.0.1:1"),
          posts=0, end=unsent("proxy", "retry")),
    *(Fault(name=f"submit: a proxy that says {status.decode()}", posts=0, end=unsent(cause, "retry"),
            before=goes_to("", plays.lets_nothing_through(status), HTTPS_PROXY="http://127.0.0.1:{port}"))
      for status, cause in ((b"403 Forbidden", "proxy"), (b"502 Bad Gateway", "proxy"),
                            (b"407 Proxy Authentication Required", "proxy_login"))),
    Fault(name="submit: a SOCKS proxy", before=goes_to("", HTTPS_PROXY="socks5://127.0.0.1:{port}"), posts=0,
          end=unsent("proxy_socks", "retry")),
    Fault(name="poll: refused for half a minute", submit=[during(refuses_connections(30))], end=DONE, takes=(29, 100)),
    Fault(
        name="poll: refused for ever",
        submit=[during(refuses_connections(10_000))],
        end=paid("given_up_fetching"),
        says="CometAPI could not be reached, for 2 minutes",
    ),
    Fault(name="picture: refused for half a minute", poll=[during(refuses_connections(30))], end=DONE, takes=(29, 100)),
    Fault(name="submit: 301 to another host", submit=[plays.is_moved_elsewhere], end=refused("no_endpoint", "report")),
    Fault(name="poll: 301 to another host", poll=[plays.is_moved_elsewhere] * 2, end=DONE),
    Fault(name="picture: 301 to another host", result=[plays.is_moved_elsewhere] * 2, end=DONE, edge=(9,)),
    Fault(
        name="picture: reset for ever",
        result=repeat(plays.resets_after_the_body),
        end=paid("given_up_fetching"),
        says="The picture's host could not be reached, for 2 minutes",
    ),
]  # fmt: skip

SUBMIT = [
    # Refused for good.
    Fault(name="400", submit=[said(400, {"detail": "Bad body"})], end=refused("setting_refused", "settings"),
          says="CometAPI refused a setting: “Bad body”. Nothing was charged", edge=(5,)),
    Fault(name="400 in HTML", submit=[said(400, HTML)], end=refused("setting_refused", "settings"),
          says="CometAPI refused a setting. Nothing was charged", edge=(5,)),
    Fault(name="401", submit=[said(401, gateway("", "Invalid token"))], end=refused("key_refused", "preferences"),
          says="refused the API key: “Invalid token”", edge=(5,)),
    Fault(name="401 that quotes the key", submit=[said(401, gateway("", f"Incorrect API key: {KEY}"))],
          end=refused("key_refused", "preferences"), says="Incorrect API key: [key]", edge=(15,)),
    Fault(name="402", submit=[said(402, {"detail": "Insufficient credits"})], end=refused("no_funds", "account"),
          says="has no credit left: “Insufficient credits”"),
    Fault(name="403 of BFL", submit=[said(403, {"detail": "Not authenticated - Invalid Authentication"})], model=BFL,
          end=refused("key_refused", "preferences"), says="Black Forest Labs refused the API key: “Not authenticated"),
    Fault(name="403 for want of money", submit=[said(403, gateway("insufficient_user_quota"))],
          end=refused("no_funds", "account"), edge=(4,)),
    Fault(name="403 for want of money on the key", submit=[said(403, gateway("pre_consume_token_quota_failed"))],
          end=refused("no_funds", "account"), edge=(4,)),
    Fault(name="404", submit=[said(404, {"detail": "Not Found"})], model=BFL,
          end=refused("model_not_served", "model"), says="does not serve FLUX.1 Depth [pro]: “Not Found”"),
    Fault(name="404 in HTML", submit=[said(404, HTML)], end=refused("model_not_served", "model")),
    Fault(name="410", submit=[said(410, {"detail": "This model is retired"})], end=refused("model_not_served", "model"),
          says="“This model is retired”"),
    Fault(name="413", submit=[said(413, HTML)], end=refused("setting_refused", "settings")),
    Fault(name="422 with places", submit=[said(422, {"detail": [STEPS]})], model=BFL,
          end=refused("setting_refused", "settings"), says="“steps: Input should be less than or equal to 50”",
          edge=(5,)),
    Fault(name="422 that quotes the depth map", submit=[said(422, {"detail": [STEPS | {"msg": LONG_ECHO}]})],
          end=refused("setting_refused", "settings"), edge=(15,)),
    Fault(name="422 for the fine-tune", submit=[said(422, {"detail": "Unknown finetune_id"})],
          end=refused("finetune_unknown", "settings")),
    Fault(name="500 that is a bad request", submit=[said(500, gateway("invalid_request"))],
          end=refused("setting_refused", "settings"), edge=(4,)),
    Fault(name="503 for a model not served", submit=[said(503, gateway("model_not_found", NO_CHANNEL))],
          end=refused("model_not_served", "model"), says="“no available channel for group", edge=(4,)),
    Fault(name="503 for a model not served, in words", submit=[said(503, gateway("", NO_CHANNEL))],
          end=refused("model_not_served", "model"), edge=(4,)),
    Fault(name="500 for want of a price", submit=[said(500, gateway("model_price_error"))],
          end=refused("model_not_served", "model"), edge=(4,)),
    Fault(name="400 for words in the prompt", submit=[said(400, gateway("sensitive_words_detected"))],
          end=refused("prompt_moderated", "settings"), edge=(11,)),
    Fault(name="400 for a blocked prompt", submit=[said(400, gateway("prompt_blocked"))],
          end=refused("prompt_moderated", "settings"), edge=(11,)),
    Fault(name="200 with a refusal", submit=[said(200, gateway("insufficient_user_quota"))],
          end=refused("no_funds", "account")),
    Fault(name="200 with a refusal of the other envelope",
          submit=[said(200, {"code": "insufficient_user_quota", "message": "no quota", "data": None})],
          end=refused("no_funds", "account"), says="“no quota”"),
    Fault(name="301", submit=[said(301, "", Location="{base}/flux/v1/x")], end=refused("no_endpoint", "report"),
          says="(HTTP 301)"),
    Fault(name="405", submit=[said(405, HTML)], end=refused("no_endpoint", "report"), says="(HTTP 405)"),
    # Busy: certainly not taken.
    Fault(name="429 twice, with and without a time", submit=[said(429, gateway(""), Retry_After="7"), said(429)],
          refused=2, end=DONE, takes=(9, 60), edge=(14,)),
    Fault(name="429 that asks for an hour", submit=[said(429, "", Retry_After="3600")], refused=1, end=DONE,
          timeout=600.0, takes=(149, 200), edge=(14,)),
    Fault(name="429 that asks for nonsense", submit=[said(429, "", Retry_After="Wed, 21 Oct 2026 07:28:00 GMT")],
          refused=1, end=DONE, takes=(1, 60)),
    Fault(name="429 for ever", submit=repeat(said(429, {"detail": "too many"})), refused=8, posts=0,
          end=refused("given_up_sending", "retry"), says="CometAPI is busy, for 2 minutes"),
    Fault(name="503 with a time to come back", submit=[said(503, HTML, Retry_After="3")], refused=1, end=DONE,
          takes=(3, 60)),
    # Nobody knows.
    *(Fault(name=f"{status} to the POST", submit=[said(status, HTML)], end=unsure("answer_broken"),
            says=f"broke down while taking the request (HTTP {status})", edge=(3,))
      for status in (408, 500, 502, 503, 504, 520, 524)),
    Fault(name="200 in HTML", submit=[said(200, HTML)], end=unsure("answer_without_id"), edge=(5,)),
    Fault(name="200 and nothing", submit=[said(200)], end=unsure("answer_without_id")),
    Fault(name="204", submit=[said(204)], end=unsure("answer_without_id")),
    Fault(name="200 without an id", submit=[said(200, {"id": None, "status": "Pending"})],
          end=unsure("answer_without_id")),
    Fault(name="killed while sending", before=was_being_sent, posts=0, end=unsure("stopped_while_sending"), edge=(3,)),
    # Never sent.
    Fault(name="no key", keys=(), posts=0, end=unsent("key_missing", "preferences"), says="or set COMETAPI_KEY"),
    Fault(name="a key with a line break", keys=(("cometapi", "sk-a\nX-Evil: 1"),), posts=0,
          end=unsent("key_malformed", "preferences")),
    Fault(name="no control image", before=control_is_deleted, posts=0,
          end=unsent("control_gone", "settings", "refused")),
    Fault(name="nobody waits any more", before=a_night_passes, posts=0, end=unsent("too_late_to_send", "retry"),
          says="not sent within 2 minutes"),
    # Taken, in other words.
    Fault(name="an id that is a number", submit=[said(200, '{"id": 17, "status": "Pending"}')],
          poll=[state("Ready", result={"sample": "{base}/results/{id}.png"})], result=[said(200, picture())], end=DONE),
    Fault(name="the id in the other envelope", submit=[said(200, '{"code": "success", "data": {"id": "{id}"}}')],
          end=DONE),
    Fault(name="an evil polling address",
          submit=[said(200, '{"id": "{id}", "polling_url": "https://api.bfl.ai:x@127.0.0.1:1/"}')],
          end=DONE, edge=(9,)),
]  # fmt: skip

POLL = [
    # Not known yet, or no more.
    Fault(name="early “Task not found”", poll=[NOT_FOUND] * 3, end=DONE, edge=(1,)),
    Fault(name="early 404", poll=[said(404, {"detail": "Not Found"})] * 3, end=DONE, edge=(1,)),
    Fault(name="early 404 in HTML", poll=[said(404, HTML)] * 3, end=DONE, edge=(1, 5)),
    Fault(name="early task_not_exist", poll=[said(400, {"code": "task_not_exist", "message": "", "data": None})] * 3,
          end=DONE, edge=(1,)),
    Fault(name="“Task not found” for ever", poll=repeat(NOT_FOUND), end=paid("picture_gone"),
          says="no longer knows this task", edge=(1,)),
    Fault(name="404 for ever", poll=repeat(said(404, HTML)), end=paid("picture_gone"), edge=(1,)),
    Fault(name="unknown, known, and unknown again",
          poll=[*[NOT_FOUND] * MAX_MISSES, PENDING, *[NOT_FOUND] * MAX_MISSES], end=DONE, timeout=600.0, edge=(1,)),
    # Says nothing about the task.
    *(Fault(name=f"{name} for a while", poll=[answer] * 3, end=DONE, edge=(2,))
      for name, answer in {
          "500": said(500), "502 in HTML": said(502, HTML), "503": said(503), "504": said(504), "524": said(524),
          "503 model_not_found": said(503, gateway("model_not_found")), "408": said(408), "400": said(400),
          "403 in HTML": said(403, HTML), "429": said(429), "301": said(301, "", Location="{base}/x"),
          "200 in HTML": said(200, HTML),
          "200 and nothing": said(200), "204": said(204), "200 and null": said(200, "null"),
          "200 and a list": said(200, []),
      }.items()),
    Fault(name="429 with a time while polling", poll=[said(429, {}, Retry_After="12")], end=DONE, takes=(12, 60)),
    Fault(name="500 for ever", poll=repeat(said(500)), end=paid("given_up_fetching"), edge=(2,),
          says="CometAPI gave no usable answer (HTTP 500), for 2 minutes"),
    Fault(name="HTML for ever", poll=repeat(said(200, HTML)), end=paid("given_up_fetching"), edge=(2,)),
    # Waits.
    *(Fault(name=f"“{word}”", poll=[state(word)] * 3, end=DONE, edge=(6,))
      for word in ("Pending", "Reasoning", "Generating", "Task accepted", "A Word From The Future", "", None, 7)),
    *(Fault(name=f"“{word}” of the other envelope", poll=[task(word)] * 3, end=DONE, edge=(6,))
      for word in ("NOT_START", "SUBMITTED", "QUEUED", "IN_PROGRESS")),
    Fault(name="an unknown word for ever", poll=repeat(state("A Word From The Future")), end=paid("too_late"),
          says="Neither the picture nor news of it came in 2 minutes", edge=(6,)),
    Fault(name="seven minutes of waiting", poll=[PENDING] * 107, end=DONE, timeout=600.0, takes=(300, 600), edge=(13,)),
    *(Fault(name=f"progress {progress!r}", poll=[state("Pending", progress=progress)], end=DONE, edge=(12,))
      for progress in (None, 0, 0.25, 1, 40, 100, 250, -1, "half", True)),
    # The provider's last word.
    *(Fault(name=f"“{status}”", poll=[state(status, details={"Moderation Reasons": ["Violence", "Logo"]})],
            end=refused("picture_moderated", "settings"), says="content filter (Violence, Logo)", edge=(11,))
      for status in ("Request Moderated", "Content Moderated")),
    *(Fault(name=f"moderated, with {details!r} for a reason", poll=[state("Content Moderated", details=details)],
            end=refused("picture_moderated", "settings"), edge=(11,))
      for details in (None, {}, [], "", {"Moderation Reasons": None}, {"Moderation Reasons": [{"a": 1}]}, 5)),
    *(Fault(name=f"“{status}”", poll=[state(status, details="out of luck")],
            end=unsure("painting_failed"), says="(out of luck)")
      for status in ("Error", "Failed")),
    Fault(name="“FAILURE” of the other envelope", poll=[task("FAILURE", fail_reason="out of luck")],
          end=unsure("painting_failed"), says="(out of luck)"),
    Fault(name="the sandbox fails, which is free", poll=[state("Error")], model="sandbox",
          end=replace(unsure("painting_failed"), charged="no")),
    *(Fault(name=f"{status} while polling", poll=[said(status, {"detail": "no"})],
            end=paid("key_refused_later", "preferences"), says="took the request, then refused the API key: “no”")
      for status in (401, 403)),
    Fault(name="cancelled while it is painted", poll=[during(is_cancelled)], end=CANCELLED,
          says="costs $0.096: fetch it for nothing", edge=(16,)),
    # Ready, or not quite.
    *(Fault(name=f"Ready with {result!r}", poll=[state("Ready", result=result)] * 2, end=DONE, edge=(7,))
      for result in (None, {}, {"sample": None}, {"sample": ""}, {"sample": 5}, [], "x")),
    Fault(name="Ready without a sample for ever", poll=repeat(state("Ready")), end=paid("picture_gone"),
          says="or has lost its picture", edge=(7,)),
    *(Fault(name=f"Ready in envelope {number}", poll=[Answer(body=body)], end=DONE)
      for number, body in enumerate((
          {"id": "t", "state": "Ready", "result": {"sample": "{base}/results/{id}.png"}},
          {"id": "t", "status": "READY", "sample": "{base}/results/{id}.png"},
          {"code": "success", "data": {"status": "SUCCESS", "data": {"sample": "{base}/results/{id}.png"}}},
          {"code": "success", "data": {"status": "SUCCESS", "data": {"result": {"sample": "{base}/results/{id}.png"}}}},
          {"data": {"status": "SUCCESS", "data": {"output": ["{base}/results/{id}.png"]}}},
      ))),
]  # fmt: skip

NO_PICTURES = {
    "HTML": HTML.encode(), "JSON": b'{"detail": "gone"}', "nothing": b"", "a GIF": b"GIF89a\1\0\1\0\0\0\0;",
    "25 megapixels": black(5000, 5000), "a decompression bomb": black(20_000, 10_000), "noise": bytes(range(256)) * 40,
    **{f"half a {kind}": (whole := picture(kind))[: len(whole) // 2] for kind in ("PNG", "JPEG", "WEBP")},
    "too many bytes": picture() + bytes(65 * 1024 * 1024),
}  # fmt: skip

PICTURE = [
    Fault(name="an expired link, then a fresh one", poll=[OLD_LINK], result=[DEAD], end=DONE, edge=(8,)),
    *(Fault(name=f"a link that answers {status}", result=[said(status, HTML)], end=DONE, edge=(8,))
      for status in (400, 401, 403, 404, 410)),
    Fault(name="links that are dead for ever", result=repeat(DEAD), end=paid("picture_gone"),
          says="The link to the picture has expired", edge=(8,)),
    *(Fault(name=f"{status} of the picture's host", result=[said(status)] * 3, end=DONE)
      for status in (206, 302, 429, 500, 503)),
    Fault(name="503 of the picture's host for ever", result=repeat(said(503)), end=paid("given_up_fetching"),
          says="The picture's host answered HTTP 503, for 2 minutes"),
    *(Fault(name=f"{name} for a picture", result=[said(200, data)], end=DONE) for name, data in NO_PICTURES.items()),
    Fault(name="HTML for a picture for ever", result=repeat(said(200, HTML)), end=paid("picture_gone"),
          says="What came back is not a whole PNG, JPEG or WebP picture, and"),
    Fault(name="25 megapixels for ever", result=repeat(said(200, NO_PICTURES["25 megapixels"])),
          end=paid("picture_gone"), says="is 5000 × 5000: too large to open, and"),
    *(Fault(name=f"a {kind} for a PNG", result=[said(200, picture(kind))], end=DONE, edge=(10,))
      for kind in ("JPEG", "WEBP")),
    *(Fault(name=f"a picture of {mode}", result=[said(200, picture("PNG", mode=mode))], end=DONE)
      for mode in ("L", "P", "RGBA", "1")),
    Fault(name="a picture of another size", result=[said(200, picture(size=(640, 512)))], end=DONE),
    *(Fault(name=f"a sample at {url}", poll=[state("Ready", result={"sample": url})] * 2, end=DONE, edge=(9,))
      for url in ("http://pictures.example/a.png", "ftp://x/a", "nonsense", "https://me:pw@pictures.example/a.png",
                  r"https://a\\.b/c")),
    Fault(name="a sample at an unsafe address for ever",
          poll=repeat(state("Ready", result={"sample": "http://pictures.example/a.png"})),
          end=paid("picture_gone"), says="The provider named an unsafe address for the picture, and", edge=(9,)),
]  # fmt: skip

OURS = [
    Fault(name="the output lies below a file", before=output_is_below_a_file, end=DONE, kept_with_job=True),
    Fault(name="the output has no name that a disk can hold", before=output_has_no_name, end=DONE, kept_with_job=True),
    Fault(name="a fault of our own while polling", submit=[during(client_breaks)], end=paid("unexpected", "report"),
          says="An unexpected problem (RuntimeError)"),
    Fault(name="a fault of our own while sending", before=client_breaks, posts=0,
          end=replace(unsure("unexpected"), button="report")),
    Fault(name="the computer sleeps while it is painted", submit=[while_waiting(clock_jumps(8 * 3600))], end=DONE),
    Fault(name="the computer sleeps, and wakes up without a network", poll=[plays.resets_at_once] * 5,
          submit=[while_waiting(clock_jumps(8 * 3600))], end=DONE),
    Fault(name="the computer sleeps with a link in its hand", poll=[during(clock_jumps(8 * 3600)), None], result=[DEAD],
          end=DONE, edge=(8,)),
    Fault(name="the computer sleeps, and the picture is gone",
          poll=[during(clock_jumps(8 * 3600)), *repeat(NOT_FOUND, 99)], result=[DEAD], end=paid("picture_gone"),
          says="no longer knows this task", edge=(8,)),
    Fault(name="the computer sleeps, and the task is not done", submit=[while_waiting(clock_jumps(8 * 3600))],
          poll=[state("Pending")], end=paid("too_late")),
    Fault(name="the computer sleeps, and the task goes on", submit=[while_waiting(clock_jumps(8 * 3600))],
          poll=[PENDING], end=DONE),
    Fault(name="the clock is put forward while sending", submit=[during(clock_jumps(3600))], end=DONE),
    Fault(name="the clock is put back while sending", submit=[during(clock_jumps(-3600))], end=DONE, takes=(0, 60)),
    Fault(name="the clock is put back while waiting", submit=[while_waiting(clock_jumps(-86400))], end=DONE,
          takes=(0, 60)),
    Fault(name="the clock is put back before it is sent", before=clock_jumps(-86400), end=DONE, takes=(0, 60)),
    Fault(name="the journal is locked before it is sent", before=journal_is_locked(20), end=DONE),
    Fault(name="the journal is locked while it is sent", submit=[during(journal_is_locked(20))], end=DONE),
    Fault(name="the journal is locked while it is painted", poll=[during(journal_is_locked(20))], end=DONE),
    Fault(name="the journal is locked while it is fetched", result=[during(journal_is_locked(20))], end=DONE),
    Fault(name="the journal is damaged while it is painted, and started anew",
          submit=[while_waiting(journal_starts_anew(lambda file: overwrite(file)))], end=DONE),
    Fault(name="the output's disk is full", before=disks_at("output"), disk="others", end=DONE, kept_with_job=True),
    Fault(name="the output's disk is read-only", before=disks_at("output", read_only=True), disk="others",
          end=DONE, kept_with_job=True),
    Fault(name="every disk is full for half a minute", poll=[during(disks_at("output", "job", seconds=30))],
          disk="others", end=DONE, takes=(29, 100)),
    Fault(name="every disk is full for ever", poll=[during(disks_at("output", "job", seconds=10_000))],
          disk="others", end=paid("given_up_fetching"),
          says="could not be written (No space left on device), for 2 minutes"),
    Fault(name="every disk is read-only for ever",
          poll=[during(disks_at("output", "job", read_only=True, seconds=10_000))],
          disk="others", end=paid("given_up_fetching"),
          says="could not be written (Read-only file system), for 2 minutes"),
    Fault(name="the journal's disk is full before it is sent", before=disk_fills(60), disk="small", end=DONE),
    Fault(name="the journal's disk fills up while it is sent", submit=[during(disk_fills(60))], disk="small",
          end=DONE),
    Fault(name="the journal's disk fills up for a quarter of an hour while it is sent", disk="small",
          submit=[during(disk_fills(900))], end=DONE),
    Fault(name="the journal's disk fills up while it is painted", poll=[during(disk_fills(60))], disk="small",
          end=DONE),
    Fault(name="the journal's disk fills up while it is fetched", result=[during(disk_fills(60))], disk="small",
          end=DONE),
]  # fmt: skip

FAULTS = [*WIRE, *SUBMIT, *POLL, *PICTURE, *OURS]

DAMAGED = "The journal is damaged"
DAMAGES = [
    Damage(name="no database", done=lambda file: file.write_bytes(b"this was a database once" * 1000) and None,
           error=DamagedJournalError, says=DAMAGED, starts_anew=True),
    Damage(name="overwritten in the middle", done=overwrite, error=DamagedJournalError, says=DAMAGED,
           starts_anew=True),
    Damage(name="cut in half", done=cut, error=DamagedJournalError, says=DAMAGED, starts_anew=True),
    Damage(name="from the future", done=comes_from_the_future, error=InputError,
           says="was written by a newer version of FLUX Depth. It was left as it is, and nothing was sent: update",
           starts_anew=False),
]  # fmt: skip
