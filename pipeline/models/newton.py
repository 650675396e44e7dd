"""Newton's method for the minimum of a convex function."""

from collections.abc import Callable

import numpy as np

Derivatives = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""A function's gradient (n,) and Hessian (n, n) at a point (n,)."""

MAX_STEPS = 50
"""Steps, at most; about six are needed."""

STEP_TOLERANCE = 1e-3
"""The length of a step, as a share of the point's, that ends the steps."""


def minimum(derivatives: Derivatives, start: np.ndarray) -> np.ndarray:
    """Finds where a strictly convex function is least."""
    point = start
    gradient, hessian = derivatives(point)
    step = np.linalg.solve(hessian, gradient)
    for _ in range(MAX_STEPS):
        there, hessian = derivatives(point - step)
        if -there @ step > gradient @ step:  # Beyond the minimum, where the slope is steeper than here: half the way.
            step = step / 2
            continue
        point, gradient = point - step, there
        if np.linalg.norm(step) <= STEP_TOLERANCE * np.linalg.norm(point):
            break
        step = np.linalg.solve(hessian, gradient)
    return point
