"""Learning BPR (Section 4.5, Algorithm 1) in mini-batches of posts."""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl
import torch

from pipeline.data.schema import PHOTO, TAG, TAGS, USER
from pipeline.data.vocabulary import tag_vocabulary, vocabulary
from pipeline.errors import InputError, SettingError
from pipeline.models.factorisation import Contexts, FactorisationConfig
from pipeline.models.model import ExtractorNote
from pipeline.models.registry import MODELS
from pipeline.models.settings import TrainingConfig, TrainingOverrides
from pipeline.progress import track
from pipeline.training.bpr.checkpoint import Checkpoint, fingerprint
from pipeline.training.bpr.data import Generators, TrainingPosts
from pipeline.training.bpr.encoding import Encoder
from pipeline.training.bpr.layout import Layout
from pipeline.training.bpr.negatives import AdaptiveSampler
from pipeline.training.bpr.threads import one_thread
from pipeline.training.bpr.training_run import TrainingData, TrainingRun
from pipeline.training.bpr.trials import Trial, TrialParameters, shared_settings
from pipeline.training.bpr.validation import ValidationSet
from pipeline.training.task import Fitted, TrainingTask

SAMPLED_POSTS = 500
"""Training posts whose suggestions are measured for the curve."""


def train(
    config: FactorisationConfig,
    settings: Sequence[TrainingConfig],
    task: TrainingTask,
    device: torch.device,
    checkpoints: Sequence[Checkpoint] = (),
    pause: int | None = None,
) -> list[Fitted]:
    """Trains a model with each of some settings, to rank all tags of the training posts.

    The settings are trials side by side, which share the order of posts, the draws and the start: they may differ in
    learning rate, decay, L2 and σ alone (ValueError). A trial stops when its patience ends, or when its numbers are no
    longer finite; with `pause`, all pause after that epoch. Without validation posts a model is the mean
    of as many members as the settings say, which differ in their start. A killed run resumes from the first checkpoint,
    its own; a new one from the next, that of a run of these trials and perhaps others which paused: both end as if they
    had run through. A post with every tag is skipped; raises InputError when all are.
    """
    if len({shared_settings(trial) for trial in settings}) > 1:
        raise ValueError("trials side by side differ in a setting that they must share")
    last = settings[0].epochs if pause is None else min(pause, settings[0].epochs)
    layout, data = encode(config, settings[0], task, device)
    members = 1 if task.validation is not None else settings[0].members
    run = TrainingRun(
        data=data,
        generators=Generators.seeded(task.seed, device),
        trials=[Trial(trial, member=member) for trial in settings for member in range(members)],
        parameters=TrialParameters.start(layout, settings, task.seed, device, members),
        active=list(range(len(settings) * members)),
    )
    key = checkpoint_key(config, settings[0], task, layout, data) if checkpoints else ""
    any(run.resume(checkpoint, key, last) for checkpoint in checkpoints)
    with one_thread():
        for epoch in track(range(run.epoch + 1, last + 1), "training", last, "epochs", done=run.epoch):
            if not run.active:
                break
            run.advance()
            if checkpoints and (checkpoints[0].due() or not run.active or epoch == last):
                run.save(checkpoints[0], key)
    fitted = fits(run, config, layout, task)
    return [join_members(fitted[first : first + members]) for first in range(0, len(fitted), members)]


def checkpoint_key(
    config: FactorisationConfig, settings: TrainingConfig, task: TrainingTask, layout: Layout, data: TrainingData
) -> str:
    """Returns the hash of all that decides a run, apart from the settings in which its trials may differ."""
    choices = [config.model_dump_json(exclude={"training", "grid"}), shared_settings(settings)]
    device = data.posts.positives.tags.device
    features = [task.features.hashes[extractor] for group in layout.widths.values() for extractor in group]
    return fingerprint([*choices, task.seed, task.measure, device, layout.names, features], data.tensors())


def encode(
    config: FactorisationConfig, settings: TrainingConfig, task: TrainingTask, device: torch.device
) -> tuple[Layout, TrainingData]:
    """Lays out the model's tables for the names in the training posts, and puts the data on the device."""
    tags, features = tag_vocabulary(task.posts), task.features
    posts = trainable(task.posts, len(tags))
    if posts.is_empty():
        raise InputError("Every training post has every tag, which leaves nothing to rank: keep more tags.")
    contexts = Contexts.of(config, features.raw, settings.factors)
    names = {USER: vocabulary(posts[USER]), TAG: tags}
    if PHOTO in contexts.names:
        names[PHOTO] = vocabulary(posts[PHOTO])
    layout = Layout.of(contexts, names, features)

    history = MODELS[config.kind].history(config, posts, names)
    encoder = Encoder.of(layout, features, device, history)
    encoded = TrainingPosts.encode(posts, encoder, settings.balance)
    sample = draw_posts(posts, SAMPLED_POSTS, task.seed)
    hard = settings.loss == "bpr" and settings.negatives.kind == "adaptive"
    return layout, TrainingData(
        contexts=layout.contexts,
        posts=encoded,
        sampler=AdaptiveSampler(settings.negatives, encoded.positives.vocabulary) if hard else None,
        sample=ValidationSet.encode(sample, encoder, task.measure),
        validation=None if task.validation is None else ValidationSet.encode(task.validation, encoder, task.measure),
    )


def trainable(posts: pl.DataFrame, tags: int) -> pl.DataFrame:
    """Returns the posts that lack one of so many tags."""
    lacking = posts[TAGS].list.len() < tags
    return posts if lacking.all() else posts.filter(lacking)


def draw_posts(posts: pl.DataFrame, count: int, seed: int) -> pl.DataFrame:
    """Draws some posts, or all if there are no more; `DataFrame.sample` would copy the tags of all."""
    places = pl.int_range(len(posts), eager=True).sample(min(count, len(posts)), seed=seed)
    return pl.concat(posts[place] for place in places)


def fits(run: TrainingRun, config: FactorisationConfig, layout: Layout, task: TrainingTask) -> list[Fitted]:
    """Makes the models of trials that have ended, or pause."""
    extractors = ExtractorNote.of(task.features)
    skipped, device = len(task.posts) - len(run.data.posts), run.data.posts.positives.tags.device.type
    history = MODELS[config.kind].history(config, trainable(task.posts, len(layout.names[TAG])), layout.names)
    kept = history.own.tensors if history else {}
    found = []
    for number, trial in enumerate(run.trials):
        curve = pl.DataFrame(trial.curve, schema=task.curve_schema, orient="row")
        epochs = run.epoch if number in run.active else trial.epochs
        if trial.diverged:
            failure = divergence(trial.settings, trial.diverged)
            found.append(Fitted(None, curve, trial.diverged, epochs, None, skipped, device, failure))
            continue
        complete = config.model_copy(update={"training": TrainingOverrides(**dict(trial.settings))})
        tensors = layout.split(run.best[number]) | kept
        model = MODELS[config.kind](complete, layout.names, tensors, extractors)
        found.append(Fitted(model, curve, trial.best_epoch, epochs, trial.best_score, skipped, device))
    return found


def join_members(members: Sequence[Fitted]) -> Fitted:
    """Returns the fit whose model is the mean of its members', with the first one's curve; or one that failed."""
    first, failed = members[0], next((member for member in members if member.failure), None)
    if failed or len(members) == 1:
        return failed or first
    return replace(first, model=first.model.mean([member.model for member in members]))


def divergence(settings: TrainingConfig, epoch: int) -> SettingError:
    """Returns the error of a training that diverged in an epoch, with the remedy.

    The rate is to blame, unless L2 or σ is above 1, where neither is of use, and greater.
    """
    large = [name for name in ("l2", "sigma") if getattr(settings, name) > 1]
    blamed = max(["learning_rate", *large], key=lambda name: getattr(settings, name))
    remedy = "choose a smaller value"
    if blamed == "learning_rate":
        remedy = "choose a smaller rate or a smaller batch, or standardise the features"
    found = f"is {getattr(settings, blamed)} (optimizer {settings.optimizer})"
    return SettingError(f"training.{blamed}", f"{found}; the loss was no longer finite in epoch {epoch}: {remedy}.")
