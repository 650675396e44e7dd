"""Python processes that run code of this library, with what this one imports from and nothing more."""

import os
import sys

PYTHON = (sys.executable, "-P", "-c")
"""The command that runs code. -P: the current folder, which may hold anybody's files, is not imported from."""


def environment(**variables: str) -> dict[str, str]:
    """Returns the environment for `PYTHON`: that of this process, where it imports from, and further variables."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)), **variables}
