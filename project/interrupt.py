"""An interrupt (Ctrl-C), or a lack of memory, while modules are still imported: one sentence, as later."""

import sys
from types import TracebackType

from project.memory import explain_lack, lacks_memory

INTERRUPTED = "Interrupted: what is finished is kept, and the same command resumes."
"""The sentence for an interrupt."""

INTERRUPT = 130
"""The exit code that shells expect after an interrupt."""


def show_plainly() -> None:
    """Lets an interrupt or a lack of memory that nothing catches end the process with the sentence alone."""
    sys.excepthook = _show


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print(INTERRUPTED, file=sys.stderr)
        sys.exit(INTERRUPT)
    if lacks_memory(error):
        print(f"Error: {explain_lack(error)}", file=sys.stderr)
        return
    sys.__excepthook__(kind, error, trace)
