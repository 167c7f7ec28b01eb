"""News of a task while it is being made, over a WebSocket: how far it is, and a small picture of it.

News is a comfort and no more: what does not come, comes too large or makes no sense is left out, and the job goes on by
its polls. One thread for each task that is asked about; the only place that imports websockets.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from .certificates import BundleError, trust
from .providers import Event, Protocol, Task

__all__ = ["Listener"]

MAX_MESSAGE = 2 * 1024 * 1024
"""Bytes. A preview of 512 pixels a side has a tenth of that, as a PNG at worst half."""

MAX_LISTENED = 64
"""Tasks at once: more than any worker has on their way."""

OPEN_SECONDS = 5.0
LOOK_SECONDS = 0.5
"""How long a message is waited for before the listener looks whether it is still wanted."""

SILENT_SECONDS = 60.0
"""After that long without a message the connection may be dead: it is opened anew."""

UNASKED_SECONDS = 120.0
"""Whoever has not asked for so long has forgotten to say that the job is over."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between two attempts to connect."""

PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
"""How a JPEG and a PNG begin."""

CHANNEL = re.compile(r"/[!-~]{0,2000}")


class Listener:
    """Listens to what providers tell of tasks. Safe to use from several threads; raises nothing."""

    def __init__(self) -> None:
        self._ears: dict[tuple[str, str], _Ear] = {}
        self._lock = threading.Lock()

    def news(self, base: str, channel: str, task: Task, protocol: Protocol) -> Event | None:
        """How far the task is, and a picture of it where there is a newer one since the last call; None for neither.

        The first question begins to listen. The base is one that may be asked. Returns at once.
        """
        url = _address(base, channel)
        if not url:
            return None
        with self._lock:
            self._ears = {key: ear for key, ear in self._ears.items() if not ear.ended}
            if (base, task.ticket) not in self._ears and len(self._ears) < MAX_LISTENED:
                self._ears[base, task.ticket] = _Ear(url, task, protocol)
            ear = self._ears.get((base, task.ticket))
        return ear.news() if ear else None

    def forget(self, task: Task) -> None:
        """Stop listening for this task."""
        with self._lock:
            for key, ear in self._ears.items():
                if key[1] == task.ticket:
                    ear.stop()

    def close(self) -> None:
        """Stop listening altogether."""
        with self._lock:
            ears, self._ears = list(self._ears.values()), {}
        for ear in ears:
            ear.stop()


class _Ear:
    """One task's thread, and what it heard last."""

    def __init__(self, url: str, task: Task, protocol: Protocol) -> None:
        self._url = url
        self._task = task
        self._protocol = protocol
        self._heard = Event()
        self._steps = False
        """Whether any was told of."""
        self._asked = time.monotonic()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether nothing more will be heard, and the connection is closed: two of one name get in each other's way."""
        return self._stopped.is_set() and not self._thread.is_alive()

    def news(self) -> Event | None:
        """What was heard, a picture only once."""
        with self._lock:
            heard, self._heard = self._heard, replace(self._heard, preview=None)
            self._asked = time.monotonic()
        return heard if heard != Event() and not self._stopped.is_set() else None

    def stop(self) -> None:
        """End soon."""
        self._stopped.set()

    def _listen(self) -> None:
        try:
            from websockets.exceptions import WebSocketException
        except ImportError:  # a distribution's own Blender may lack it: then there is no news
            return  # and no second attempt, as it is not stopped
        pause = FIRST_PAUSE
        while self._wanted():
            begun = time.monotonic()
            with contextlib.suppress(OSError, ValueError, EOFError, BundleError, WebSocketException):
                self._hear_out()
            lasted = time.monotonic() - begun > LONGEST_PAUSE
            pause = FIRST_PAUSE if lasted else min(pause * 2, LONGEST_PAUSE)
            self._stopped.wait(pause)

    def _hear_out(self) -> None:
        """Take in what comes, for one connection; it is closed before the next, which the server would take for it."""
        from websockets.sync.client import connect

        parts = urlsplit(self._url)
        secure = parts.scheme == "wss"
        place = (parts.hostname or "", parts.port or (443 if secure else 80))
        # With a socket of ours there is no proxy, and no redirect is followed.
        with (
            socket.create_connection(place, OPEN_SECONDS) as sock,
            connect(
                self._url,
                sock=sock,
                ssl=trust() if secure else None,
                compression=None,
                open_timeout=OPEN_SECONDS,
                close_timeout=1,
                ping_interval=None,
                max_size=MAX_MESSAGE,
                max_queue=4,
            ) as connection,
        ):
            self._take_in(connection)

    def _take_in(self, connection: Any) -> None:
        last = time.monotonic()
        while self._wanted() and time.monotonic() - last < SILENT_SECONDS:
            try:
                message = connection.recv(timeout=LOOK_SECONDS)
            except TimeoutError:
                continue
            last = time.monotonic()
            self._note(self._protocol.read_event(message, self._task))

    def _note(self, event: Event | None) -> None:
        if event is None:
            return
        self._steps |= event.progress is not None
        # A picture need not say whose it is: one that came before any step of this task is of another's.
        is_picture = self._steps and event.preview is not None and event.preview.startswith(PICTURES)
        with self._lock:
            self._heard = Event(
                self._heard.progress if event.progress is None else event.progress,
                event.preview if is_picture else self._heard.preview,
            )

    def _wanted(self) -> bool:
        if time.monotonic() - self._asked > UNASKED_SECONDS:
            self.stop()
        return not self._stopped.is_set()


def _address(base: str, channel: str) -> str:
    """The WebSocket's address at that base, or nothing where it is none."""
    parts = urlsplit(base)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, "")
    if not scheme or not parts.hostname or not CHANNEL.fullmatch(channel):
        return ""
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}{channel}"
