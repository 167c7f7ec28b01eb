"""`python -m flux_depth_addon VERB …`: the command line, where Blender is installed as a Python module."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
