"""The training of trials side by side: an epoch at a time, with checkpoints from which a killed run resumes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.models.factorisation import Contexts
from pipeline.models.settings import TrainingConfig
from pipeline.training.bpr.captured import CapturedStep
from pipeline.training.bpr.checkpoint import Checkpoint
from pipeline.training.bpr.data import Generators, TrainingPosts
from pipeline.training.bpr.negatives import AdaptiveSampler
from pipeline.training.bpr.step import Step
from pipeline.training.bpr.threads import ahead
from pipeline.training.bpr.trials import Trial, TrialParameters
from pipeline.training.bpr.validation import ValidationSet


@dataclass(frozen=True)
class TrainingData:
    """The data of a run, encoded once and never changed."""

    contexts: Contexts
    """The contexts of the model in training."""
    posts: TrainingPosts
    """The posts to learn from."""
    sampler: AdaptiveSampler | None
    """The sampler of hard negatives; None for uniform ones, and for a loss without negatives."""
    sample: ValidationSet
    """A fixed sample of the training posts, for the curve."""
    validation: ValidationSet | None
    """The posts on which trials are compared, where there are any."""

    def tensors(self) -> Iterator[Tensor]:
        """Yields all that decides training, except the features, to be hashed."""
        yield from self.posts.tensors()
        if self.validation is not None:
            yield from self.validation.tensors()


@dataclass
class TrainingRun:
    """The state of training after an epoch."""

    data: TrainingData
    """The data."""
    generators: Generators
    """The sources of random numbers."""
    trials: list[Trial]
    """All trials."""
    parameters: TrialParameters
    """The parameters of the active trials, in their order."""
    active: list[int]
    """The numbers of the trials that have not ended."""
    best: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    """The parameters to keep of each trial that has any so far, by its number."""
    epoch: int = 0
    """The number of epochs that were run."""
    step: Step | CapturedStep | None = None
    """The step of the active trials, made when it is needed."""

    def advance(self) -> None:
        """Runs one more epoch for the active trials; at points of the curve they are measured, and may end."""
        settings = self.parameters.settings[0]
        self.epoch += 1
        last = self.epoch == settings.epochs
        losses, shares = self.pass_over_posts()
        finite = [np.isfinite(loss) for loss in losses]
        if self.epoch % settings.curve_every == 0 or last:
            finite = [sound and known for sound, known in zip(finite, self.parameters.finite(), strict=True)]
            self.measure(losses, shares, finite, last)
        for place, number in enumerate(self.active):
            if not finite[place]:
                self.trials[number].diverged = self.epoch
        self.drop_ended(last)

    def pass_over_posts(self) -> tuple[list[float], list[float]]:
        """Learns from an epoch's quadruples; returns each trial's mean loss and its share that is ranked right."""
        data, parameters, gradients = self.data, self.parameters, self.parameters.gradients
        step = self.step_of_active()
        step.begin(self.epoch)
        gradients.loss.zero_()
        gradients.ranked_right.zero_()
        blocks = data.posts.epoch(parameters.settings[0].batch, self.generators)
        ready = ((block.bounds[-1], step.ready(block, self.generators.draws)) for block in blocks)
        if gradients.loss.device.type == "cpu":
            ready = ahead(ready)
        size = 0
        for quadruples, calls in ready:
            for learn in calls:
                learn()
            size += quadruples
        return (gradients.loss / size).tolist(), (gradients.ranked_right / size).tolist()

    def step_of_active(self) -> Step | CapturedStep:
        """Returns the step of the active trials, on a GPU as CUDA graphs."""
        if self.step is None or self.step.parameters is not self.parameters:
            self.step = Step(self.data.contexts, self.data.sampler, self.parameters)
            if self.parameters.gradients.loss.is_cuda:
                posts, batch = self.data.posts, self.parameters.settings[0].batch
                self.step = CapturedStep(self.step, posts.host_counts, batch, posts.order.weights)
        return self.step

    def measure(self, losses: list[float], shares: list[float], finite: list[bool], last: bool) -> None:
        """Adds a point to the curve of each active trial whose numbers are finite, and keeps the best parameters."""
        measured, validated = (
            [None] * len(self.active) if posts is None else posts.scores(self.data.contexts, self.parameters.parameters)
            for posts in (self.data.sample, self.data.validation)
        )
        points = zip(losses, shares, measured, validated, strict=True)
        for place, (number, point) in enumerate(zip(self.active, points, strict=True)):
            if finite[place] and self.trials[number].add_point([self.epoch, *point], last):
                self.best[number] = self.parameters.copy(place)

    def drop_ended(self, last: bool) -> None:
        """Takes out the trials that have diverged, have run out of patience, or have run all epochs."""
        left = []
        for place, number in enumerate(self.active):
            trial = self.trials[number]
            if last or trial.diverged or trial.out_of_patience:
                trial.epochs = self.epoch
            else:
                left.append(place)
        if 0 < len(left) < len(self.active):
            self.keep(left)
        self.active = [self.active[place] for place in left]

    def save(self, checkpoint: Checkpoint, key: str) -> None:
        """Writes all that is needed to resume, or to know that all trials have ended."""
        groups = {f"best{number}": best for number, best in self.best.items()}
        if self.active:
            groups |= {"parameters": self.parameters.parameters, "states": self.parameters.optimizer.states}
            if self.data.sampler is not None:
                groups["sampler"] = self.data.sampler.state()
        groups["generators"] = {name: generator.get_state() for name, generator in vars(self.generators).items()}
        arrays = {
            f"{group}.{name}": tensor.cpu().contiguous().numpy()
            for group, tensors in groups.items()
            for name, tensor in tensors.items()
        }
        trials = [{"settings": settings_json(trial), "progress": trial.progress()} for trial in self.trials]
        checkpoint.save(key, arrays, {"epoch": self.epoch, "active": self.active, "trials": trials})

    def resume(self, checkpoint: Checkpoint, key: str, epochs: int) -> bool:
        """Restores a state that a run saved in which all these trials took part, after `epochs` epochs at most.

        The run may have had further trials. Returns whether there is such a state.
        """
        found = checkpoint.load(key)
        if found is None:
            return False
        arrays, notes = found
        known = [(trial["settings"], trial["progress"]["member"]) for trial in notes["trials"]]
        wanted = [(settings_json(trial), trial.member) for trial in self.trials]
        if notes["epoch"] > epochs or not all(trial in known for trial in wanted):
            return False
        groups: dict[str, dict[str, Tensor]] = {}
        for path, array in arrays.items():
            group, _, name = path.partition(".")
            groups.setdefault(group, {})[name] = torch.from_numpy(array)
        for name, state in groups.pop("generators").items():
            getattr(self.generators, name).set_state(state)

        device = self.parameters.gradients.loss.device
        on_device = {
            group: {name: tensor.to(device) for name, tensor in tensors.items()} for group, tensors in groups.items()
        }
        # The number that each of these trials had in the run that was saved.
        numbers = [known.index(trial) for trial in wanted]
        self.epoch = notes["epoch"]
        self.active = [place for place, number in enumerate(numbers) if number in notes["active"]]
        self.best = {
            place: on_device[f"best{number}"] for place, number in enumerate(numbers) if f"best{number}" in groups
        }
        for trial, number in zip(self.trials, numbers, strict=True):
            vars(trial).update(notes["trials"][number]["progress"])
        if self.active:
            settings = [TrainingConfig.model_validate(known[number][0]) for number in notes["active"]]
            self.parameters = TrialParameters(settings, on_device["parameters"], on_device.get("states", {}))
            if self.data.sampler is not None:
                self.data.sampler.restore(on_device["sampler"])
            self.keep([notes["active"].index(numbers[place]) for place in self.active])
        return True

    def keep(self, places: Sequence[int]) -> None:
        """Keeps the parameters of the trials at some places."""
        self.parameters = self.parameters.keep(places)
        if self.data.sampler is not None:
            self.data.sampler.keep(places)


def settings_json(trial: Trial) -> dict[str, Any]:
    """Returns a trial's settings as JSON."""
    return trial.settings.model_dump(mode="json")
