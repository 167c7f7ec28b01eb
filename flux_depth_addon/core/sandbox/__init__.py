"""An offline endpoint on loopback: the protocol of CometAPI and BFL, pictures painted from the depth map.

It serves the panel, the demo and the tests. It needs no key, keeps what it is sent in memory only, and can be
told to misbehave: scripted answers go out, one per call, before normal service resumes.
"""

from __future__ import annotations

from .answers import Answer
from .endpoint import Behaviour, Post, Sandbox
from .painter import paint

__all__ = ["Answer", "Behaviour", "Post", "Sandbox", "paint"]
