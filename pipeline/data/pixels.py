"""The memory that decoding takes, counted in pixels, for all threads of a process together."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class PixelBudget:
    """A number of pixels that are decoded at once, at most: threads that want more wait for their turn."""

    def __init__(self, pixels: int):
        self._all = pixels
        self._reset()
        if hasattr(os, "register_at_fork"):
            # The threads of the parent, which would give their pixels back, do not exist in a child.
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._free = self._all
        self._turn = threading.Lock()
        self._given_back = threading.Condition()

    @contextmanager
    def spend(self, pixels: int) -> Iterator[None]:
        """Waits until so many pixels are free, and gives them back after the block.

        A picture larger than the whole budget waits until no other is decoded. First come, first served: it does not
        wait for ever while small ones pass by.
        """
        pixels = min(pixels, self._all)
        with self._turn, self._given_back:
            self._given_back.wait_for(lambda: self._free >= pixels)
            self._free -= pixels
        try:
            yield
        finally:
            with self._given_back:
                self._free += pixels
                self._given_back.notify_all()
