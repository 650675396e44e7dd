"""Memory of decoding is bounded by pixels, not by the pictures in flight (C7)."""

import io
import multiprocessing
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from pipeline.data import photo
from pipeline.data.pixels import PixelBudget


class Spending:
    """Threads that spend pixels, and the most that they spent at once."""

    def __init__(self, budget: PixelBudget):
        self.budget, self.now, self.most, self.lock = budget, 0, 0, threading.Lock()

    def spend(self, pixels: int) -> None:
        with self.budget.spend(pixels):
            with self.lock:
                self.now += pixels
                self.most = max(self.most, self.now)
            time.sleep(0.002)
            with self.lock:
                self.now -= pixels


@pytest.mark.parametrize("pixels", [[40] * 12, [1] * 20, [100] * 3, [70, 20, 20, 90, 5, 5, 60] * 2])
def test_no_more_pixels_than_the_budget_are_decoded_at_once(pixels):
    spending = Spending(PixelBudget(100))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(spending.spend, pixels))
    assert max(pixels) <= spending.most <= 100


def test_a_picture_larger_than_the_budget_is_decoded_alone():
    spending = Spending(PixelBudget(100))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(spending.spend, [5, 5, 900, 5, 5]))
    assert spending.most == 900


def test_pixels_are_given_back_when_decoding_fails():
    budget = PixelBudget(100)
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), budget.spend(100):
            raise ValueError("broken")


def _spent_in_a_child(budget: PixelBudget, done: multiprocessing.Queue) -> None:
    with budget.spend(100):
        done.put(True)


def test_a_child_process_has_a_budget_of_its_own():
    context, budget = multiprocessing.get_context("fork"), PixelBudget(100)
    done = context.Queue()
    with budget.spend(60):
        child = context.Process(target=_spent_in_a_child, args=(budget, done))
        child.start()
        assert done.get(timeout=20)
    child.join()


@pytest.mark.parametrize(("form", "decoded"), [("PNG", 4000 * 3000), ("JPEG", 2000 * 1500)])
def test_a_photo_spends_the_pixels_that_are_decoded(monkeypatch, form, decoded):
    """A large JPEG is decoded at a fraction of its size."""
    spent, buffer = [], io.BytesIO()
    Image.new("RGB", (4000, 3000)).save(buffer, form)

    class Noted(PixelBudget):
        def spend(self, pixels):
            spent.append(pixels)
            return super().spend(pixels)

    monkeypatch.setattr(photo, "DECODED_AT_ONCE", Noted(10**9))
    photo.prepare("a", buffer.getvalue())
    assert spent == [decoded]
