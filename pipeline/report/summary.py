"""The results as a few lines of text, for the end of a run."""

from collections.abc import Mapping

SHOWN = ("f1@1", "f1@5", "f1@10")


def summary_table(metrics: Mapping[str, Mapping[str, float]], seeds: int) -> str:
    """A line for each model in the order given: F1@1, F1@5, F1@10; the best of a column carries a star.

    Of several seeds, a figure is the mean, with the standard deviation beside it where the model draws anything.
    """
    width = max(len("model"), *map(len, metrics))
    best = {name: max(values[name] for values in metrics.values()) for name in SHOWN}
    gap = " " * len(" ± 0.0000" if seeds > 1 else "")
    lines = ["model".ljust(width) + "".join(f"{name.upper():>9}{gap} " for name in SHOWN)]
    for model, values in metrics.items():
        cells = (
            f"{values[name]:9.4f}"
            + (f" ± {values[f'{name}_deviation']:.4f}" if f"{name}_deviation" in values else gap)
            + ("*" if values[name] == best[name] else " ")
            for name in SHOWN
        )
        lines.append(model.ljust(width) + "".join(cells))
    lines.append("* best" + (f"; mean ± deviation over {seeds} seeds" if seeds > 1 else ""))
    return "\n".join(line.rstrip() for line in lines)
