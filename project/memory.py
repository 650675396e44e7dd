"""Out-of-memory errors, which libraries report in many ways."""

PHRASES = ("failed to map segment", "Cannot allocate memory", "DefaultCPUAllocator", "CUDA out of memory")
"""Phrases in the messages of the dynamic linker, the system and torch."""


def is_out_of_memory(error: BaseException) -> bool:
    """Recognises an error that a lack of memory has caused."""
    reported = isinstance(error, ImportError | OSError | RuntimeError)
    return isinstance(error, MemoryError) or (reported and any(phrase in str(error) for phrase in PHRASES))


def explain_out_of_memory(error: BaseException) -> str:
    """Returns the sentence for an out-of-memory error, with the remedy."""
    why = f" ({' '.join(str(error).split())})" if str(error) else ""
    return f"There is too little memory{why}. Free some memory and run again: finished work is kept."
