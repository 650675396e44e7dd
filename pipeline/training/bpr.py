"""Learning BPR (Section 4.5, Algorithm 1) in mini-batches of posts."""

from collections.abc import Mapping

import numpy as np
import polars as pl
import torch
from torch import Tensor

from pipeline.errors import InputError
from pipeline.evaluation.metrics import metrics, rank
from pipeline.models.config import FactorisationConfig
from pipeline.models.factorisation import Contexts, Factorisation, has_bias
from pipeline.models.model import vocabulary
from pipeline.progress import track
from pipeline.store import Features
from pipeline.training.config import TrainingConfig, TrainingOverrides
from pipeline.training.gradients import add_gradients
from pipeline.training.optimizers import OPTIMIZERS
from pipeline.training.quadruples import TrainingPosts

SAMPLE = 500
"""Training posts whose suggestions give the curve's F1."""

CURVE = {"epoch": pl.Int64, "loss": pl.Float64, "auc": pl.Float64, "f1@5": pl.Float64}


def train(
    config: FactorisationConfig,
    training: TrainingConfig,
    posts: pl.DataFrame,
    tags: list[str],
    features: Features,
    seed: int,
    device: torch.device,
) -> tuple[Factorisation, pl.DataFrame]:
    """Trains a model to rank `tags`, on posts (columns user, photo, tags) of which each has a tag and lacks one.

    Returns the model and its curve: epoch, loss (mean −ln σ(ŷ') of the epoch's quadruples), auc (the share of them
    ranked right) and f1@5 (on a fixed sample of training posts). Raises InputError when training diverges.
    """
    contexts = Contexts.of(config, training.factors)
    names = {"users": vocabulary(posts["user"]), "tags": tags}
    if "photo" in contexts.names:
        names["photos"] = vocabulary(posts["photo"])
    data = TrainingPosts.encode(posts, contexts, names, features, device)
    start = torch.Generator().manual_seed(seed)
    parameters = {
        name: torch.normal(0, training.sigma, shape, generator=start).to(device)
        for name, shape in shapes(config, contexts, names, features).items()
    }
    gradients = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
    optimizer = OPTIMIZERS[training.optimizer](training, parameters)
    draws = torch.Generator(device).manual_seed(seed)
    sample = posts.sample(min(SAMPLE, len(posts)), seed=seed)
    saved = config.model_copy(update={"training": TrainingOverrides(**training.model_dump())})

    curve = []
    for epoch in track(range(1, training.epochs + 1), "training", training.epochs, "epochs"):
        loss = torch.zeros((), dtype=torch.float64, device=device)
        right = torch.zeros((), dtype=torch.int64, device=device)
        for batch in data.epoch(training.batch, draws):
            batch_loss, batch_right = add_gradients(contexts, parameters, gradients, batch, training.l2)
            optimizer.step(gradients, batch.entities)
            loss += batch_loss
            right += batch_right
        loss, auc = loss.item() / len(data.tags), right.item() / len(data.tags)
        if not np.isfinite(loss):
            raise diverged(training, epoch)
        if epoch % training.curve_every == 0 or epoch == training.epochs:
            model = Factorisation(saved, names, arrays(parameters))
            curve.append((epoch, loss, auc, metrics(rank(model, sample, features))["f1@5"]))
    if not all(parameter.isfinite().all() for parameter in parameters.values()):
        raise diverged(training, training.epochs)
    return model, pl.DataFrame(curve, schema=CURVE, orient="row")


def shapes(
    config: FactorisationConfig, contexts: Contexts, names: Mapping[str, list[str]], features: Features
) -> dict[str, tuple[int, ...]]:
    """The parameters of a model and their shapes."""
    inputs = {name: matrix.shape[1] for name, matrix in features.matrices.items()}
    entities = {name.removesuffix("s"): len(values) for name, values in names.items()}
    sizes = {name: ((inputs | entities)[name], contexts.factors) for name in contexts.names}
    sizes["tag"] = (len(names["tags"]), contexts.width)
    return sizes | ({"bias": (len(names["tags"]),)} if has_bias(config) else {})


def arrays(parameters: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """The parameters as numpy arrays."""
    return {name: parameter.cpu().numpy() for name, parameter in parameters.items()}


def diverged(training: TrainingConfig, epoch: int) -> InputError:
    """What to say of training whose numbers have become infinite."""
    return InputError(
        f"training.learning_rate is {training.learning_rate} (optimizer {training.optimizer}); the loss was no longer "
        f"finite in epoch {epoch}: choose a smaller rate, a smaller batch, or store.scaling standardise."
    )
