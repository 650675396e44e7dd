"""The results as a few lines of text, for the end of a run."""

from collections.abc import Mapping

SHOWN = ("f1@1", "f1@5", "f1@10")


def summary_table(metrics: Mapping[str, Mapping[str, float]]) -> str:
    """A line for each model in the order given: F1@1, F1@5, F1@10; the best of a column carries a star."""
    width = max(len("model"), *map(len, metrics))
    best = {name: max(values[name] for values in metrics.values()) for name in SHOWN}
    lines = ["model".ljust(width) + "".join(f"{name.upper():>9} " for name in SHOWN)]
    for model, values in metrics.items():
        cells = (f"{values[name]:9.4f}" + ("*" if values[name] == best[name] else " ") for name in SHOWN)
        lines.append(model.ljust(width) + "".join(cells).rstrip())
    return "\n".join([*(line.rstrip() for line in lines), "* best"])
