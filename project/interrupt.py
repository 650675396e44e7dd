"""An interrupt (Ctrl-C) while modules are still imported: one sentence, as later, instead of a traceback."""

import sys
from types import TracebackType

INTERRUPTED = "Interrupted: what is finished is kept, and the same command resumes."
"""The sentence for an interrupt."""

INTERRUPT = 130
"""The exit code that shells expect after an interrupt."""


def show_interrupts_plainly() -> None:
    """Lets an interrupt that nothing catches end the process with the sentence alone."""
    sys.excepthook = _show


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print(INTERRUPTED, file=sys.stderr)
        sys.exit(INTERRUPT)
    sys.__excepthook__(kind, error, trace)
