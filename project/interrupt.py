"""One sentence for an interrupt (Ctrl-C) or a lack of memory while modules are still being imported."""

import sys
from types import TracebackType

from project.memory import explain_out_of_memory, is_out_of_memory

INTERRUPTED = "Interrupted: what is finished is kept, and the same command resumes."
"""The sentence for an interrupt."""

INTERRUPT = 130
"""The exit code that shells expect after an interrupt."""


def install_excepthook() -> None:
    """Ends the process with one sentence, and no traceback, after an uncaught interrupt or lack of memory."""
    sys.excepthook = _show


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print(INTERRUPTED, file=sys.stderr)
        sys.exit(INTERRUPT)
    if is_out_of_memory(error):
        print(f"Error: {explain_out_of_memory(error)}", file=sys.stderr)
        return
    sys.__excepthook__(kind, error, trace)
