"""What a kill campaign found: every kill and where it fell, every job and how it ended, and the table of it."""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from PIL import Image

from flux_depth_addon.core.framing import crop_picture
from flux_depth_addon.core.job import Job, Step
from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.lease import LEASE_SECONDS
from flux_depth_addon.core.picture import open_picture
from flux_depth_addon.core.sandbox import Sandbox
from tests.secrets_watch import marked_key

KEY = marked_key("cometapi")
"""What must be in no file."""

TEXTS = ("no job yet", "not sent", "being sent", Step.POLL, Step.DOWNLOAD, Step.DONE, Step.FAILED)


@dataclass
class Ledger:
    """The figures of one campaign."""

    kills: int = 0
    fell: Counter[str] = field(default_factory=Counter)
    saved: int = 0
    unknown: int = 0
    unknown_but_sent: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)

    def killed(self, job: Job | None) -> None:
        """One more process is dead; the job is as the journal has it just after."""
        self.kills += 1
        self.fell[where(job)] += 1

    def settle(self, journal: Journal, server: Sandbox, reached: Iterable[str]) -> None:
        """Count how every job of a journal ended. `reached`: the jobs whose task id the journal once had."""
        posts = Counter(post.body["prompt"] for post in server.posts)
        self.doubled += [prompt for prompt, count in posts.items() if count > 1]
        for job in journal.jobs():
            if job.step is Step.DONE and is_whole(job):
                self.saved += 1
            elif job.error_kind == "unknown" and job.charged == "unknown" and job.id not in reached:
                self.unknown += 1
                self.unknown_but_sent += posts[job.request.prompt]
            else:
                self.lost.append(f"{job.id} {job.step} {job.error_kind} {job.error_message}")

    def figures(self) -> dict[str, object]:
        """For people."""
        fell = ", ".join(f"{name} {self.fell[name]}" for name in TEXTS if self.fell[name])
        return {
            "killed": f"{self.kills} (the job was then: {fell})",
            "pictures saved": self.saved,
            "unknown": f"{self.unknown} (killed while sent, and not sent again; {self.unknown_but_sent} had arrived)",
            "lost": len(self.lost),
            "doubled": len(self.doubled),
        }


def where(job: Job | None) -> str:
    """The step at which a kill fell."""
    if job is None:
        return "no job yet"
    if job.step is Step.SUBMIT:
        return "being sent" if job.submit_started else "not sent"
    return job.step


def is_whole(job: Job) -> bool:
    """Whether the picture is, to the pixel, what an endpoint makes that sends the control image back."""
    with Image.open(job.control) as control:
        expected = crop_picture(control.convert("RGB"), job.request.framing)
    got = open_picture(Path(job.result).read_bytes()).convert("RGB")
    return got.tobytes() == expected.tobytes()


def the_leases_of_the_dead_run_out(folder: Path) -> None:
    """What half a minute of waiting does."""
    database = sqlite3.connect(folder / "journal.sqlite3", isolation_level=None, timeout=10)
    database.execute("UPDATE job SET lease = lease - ?", (LEASE_SECONDS + 1,))
    database.close()


def until(happened: Callable[[], object], seconds: float) -> bool:
    """Wait for it; whether it happened."""
    end = time.monotonic() + seconds
    while not (it_did := happened()) and time.monotonic() < end:
        time.sleep(0.002)
    return bool(it_did)


def is_running(process_id: int) -> bool:
    """Whether that process is alive; one that is dead and was not yet asked for its exit code is not."""
    try:
        os.kill(process_id, 0)
        state = Path(f"/proc/{process_id}/stat")
        return not (state.is_file() and state.read_text().rpartition(")")[2].split()[0] == "Z")
    except (ProcessLookupError, FileNotFoundError):
        return False


def files_with(text: str, *folders: Path) -> list[Path]:
    """The files below the folders that hold the text."""
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return [path for path in files if text.encode() in path.read_bytes()]


def half_written(*folders: Path) -> list[Path]:
    """What somebody began to write there and did not end."""
    return [path for folder in folders for path in folder.rglob("*.part")]


def control_image(number: int) -> bytes:
    """A control image that can be told from the others."""
    buffer = BytesIO()
    picture = Image.linear_gradient("L").resize((320, 256)).convert("RGB")
    picture.paste((number % 256, number // 256, 200), (100, 100, 140, 140))
    picture.save(buffer, "PNG")
    return buffer.getvalue()
