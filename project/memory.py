"""A lack of memory, which libraries report in many ways."""

SIGNS = ("failed to map segment", "Cannot allocate memory", "DefaultCPUAllocator", "CUDA out of memory")
"""Parts of messages: of the system's loader of libraries, of the system, of torch."""


def lacks_memory(error: BaseException) -> bool:
    """Recognises an error for want of memory."""
    reported = isinstance(error, ImportError | OSError | RuntimeError)
    return isinstance(error, MemoryError) or (reported and any(sign in str(error) for sign in SIGNS))


def explain_lack(error: BaseException) -> str:
    """Returns the sentence for an error for want of memory, with the remedy."""
    why = f" ({' '.join(str(error).split())})" if str(error) else ""
    return f"There is too little memory{why}. Free some memory and run again: finished work is kept."
