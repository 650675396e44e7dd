"""The results as a few lines of text, for the end of a run."""

from collections.abc import Mapping

from pipeline.errors import ArtifactError
from pipeline.evaluation.curves import DEVIATION
from pipeline.evaluation.metrics.measure import HEADLINE, Measure

SHOWN_K = (1, 5, 10)


def summary_table(metrics: Mapping[str, Mapping[str, float]], seeds: int, metric: str = HEADLINE.metric) -> str:
    """Writes a metric at 1, 5 and 10, a line for each model in the order given.

    A star marks the best of a column. Of several seeds, a figure is the mean, followed by the standard deviation where
    the model draws anything. Raises ArtifactError when a model was measured before there was such a metric.
    """
    shown = [Measure(metric, k) for k in SHOWN_K]
    names = max(len("model"), *map(len, metrics))
    width = max(9, *(len(measure.label) + 2 for measure in shown))
    for model, values in metrics.items():
        if lacking := [str(measure) for measure in shown if str(measure) not in values]:
            raise ArtifactError(f"The metrics of {model} lack {lacking[0]}.")
    best = {measure: max(values[str(measure)] for values in metrics.values()) for measure in shown}
    gap = " " * len(" ± 0.0000" if seeds > 1 else "")
    lines = ["model".ljust(names) + "".join(f"{measure.label:>{width}}{gap} " for measure in shown)]
    for model, values in metrics.items():
        cells = (
            f"{values[str(measure)]:{width}.4f}"
            + (f" ± {values[deviation]:.4f}" if (deviation := f"{measure}{DEVIATION}") in values else gap)
            + ("*" if values[str(measure)] == best[measure] else " ")
            for measure in shown
        )
        lines.append(model.ljust(names) + "".join(cells))
    lines.append("* best" + (f"; mean ± deviation over {seeds} seeds" if seeds > 1 else ""))
    return "\n".join(line.rstrip() for line in lines)
