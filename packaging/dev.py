"""The developer's one command, python3 packaging/dev.py VERB: finds a fitting Python, then calls verbs.py."""

from __future__ import annotations

import subprocess
import sys
from typing import List

import pythons


def main(arguments: List[str]) -> int:
    """The exit code of the verb; 2 with one sentence when no Python fits."""
    python = pythons.fitting()
    if python is None:
        print(pythons.NOTHING_FITS, file=sys.stderr)
        return 2
    if python != sys.executable:
        return subprocess.call([python, __file__, *arguments])
    # Only now: verbs.py and what it imports need Python 3.11.
    import verbs

    return verbs.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
