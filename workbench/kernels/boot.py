"""The kernel host's program: `python boot.py FOLDER SETTINGS`, where FOLDER holds the package to load.

It loads this very package whatever the working directory holds, and imports nothing before this folder is off
the search path. A file rather than `-c`, so that a debugger in a kernel can tell its frame from a notebook's.
"""

import sys

sys.path[0] = sys.argv[1]

from workbench.kernels.forkserver import main  # noqa: E402

main()
