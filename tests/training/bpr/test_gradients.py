"""Closed-form gradients of all models and losses, against autograd and central differences of the loss as written.

The inner loops of a CPU and those of a GPU are both tested, on the CPU.
"""

import math
from dataclasses import replace

import pytest
import torch
from pydantic import TypeAdapter
from torch.nn.functional import logsigmoid

from pipeline.models.factorisation import Contexts
from pipeline.models.registry import ModelConfig
from pipeline.training.bpr import losses
from pipeline.training.bpr.data import Batch
from pipeline.training.bpr.encoding import PostInputs
from pipeline.training.bpr.gradients import Gradients, add_gradients, post_vectors
from pipeline.training.bpr.loops.cpu import TagBags
from pipeline.training.bpr.loops.quadruples import QuadrupleGradients, Quadruples, TagTables
from pipeline.training.bpr.losses import LOSSES
from tests.support.checkerboard import FEATURE_SETS

FACTORS, USERS, PHOTOS, TAGS = 3, 4, 6, 7
INPUTS = {"user": USERS, "history": TAGS, "photo": PHOTOS, "image": 5, "objects": 2}
KINDS = ("fm", "pitf", "fm-history", "pitf-history", "fm+interaction", "pitf+interaction")
MODELS = [(kind, features) for kind in KINDS for features in FEATURE_SETS] + [
    ("fm-history+user_factor", "image"),
    ("pitf-history+user_factor", "none"),
    ("pitf-history+user_factor+interaction", "image+objects"),
]
"""Kinds, with the settings that are true, and feature sets."""


def example(kind: str, features: str):
    """A model's contexts, parameters and a batch in which users, tags and posts repeat, in float64.

    Of the bags, one is empty, and one lies before another that comes earlier in the batch.
    """
    generator = torch.Generator().manual_seed(0)
    kind, *flags = kind.split("+")
    config = TypeAdapter(ModelConfig).validate_python(
        {"kind": kind, "features": features} | ({"fading": 1} if "history" in kind else {}) | dict.fromkeys(flags, True)
    )
    contexts = Contexts.of(config, FEATURE_SETS[features], FACTORS)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    # Small enough that no margin is beyond 20, where torch takes ln(1 + e^x) for x.
    parameters = {name: normal(INPUTS[name], FACTORS) / 2 for name in contexts.names}
    parameters["tag"] = normal(TAGS, contexts.width)
    if contexts.biased:
        parameters["bias"] = normal(TAGS, 1)
    if contexts.interaction:
        parameters["interaction"] = normal(USERS, FACTORS * (1 if contexts.shared else len(contexts.of_photo))) / 2
    users = torch.tensor([2, 0, 2, 3])
    entities = {"user": users, "photo": torch.tensor([5, 1, 0, 1]), "interaction": users}
    bags = TagBags(
        starts=torch.tensor([3, 0, 5, 0]),
        counts=torch.tensor([2, 3, 0, 3]),
        tags=torch.tensor([1, 4, 6, 0, 1]),
        weights=torch.tensor([0.5, 0.3, 0.2, 0.9, 0.1], dtype=torch.float64),
        longest=3,
    )
    batch = Batch(
        posts=torch.tensor([7, 3, 0, 1]),
        sizes=torch.tensor([3, 1, 2, 1]),
        inputs=PostInputs(
            entities={name: rows for name, rows in entities.items() if name in parameters},
            features={name: normal(4, INPUTS[name]) for name in contexts.names if name in FEATURE_SETS[features]},
            bags={"history": bags} if "history" in contexts.names else {},
        ),
        quadruples=Quadruples(
            post=torch.tensor([0, 0, 0, 1, 2, 2, 3]),
            positive=torch.tensor([1, 2, 5, 0, 1, 6, 1]),
            negative=torch.tensor([[3], [3], [0], [4], [2], [2], [5]]),
        ),
    )
    return contexts, parameters, batch


def scores_as_written(kind: str, parameters, vectors, tag: int) -> torch.Tensor:
    """The score of one tag by the vectors of the contexts."""
    factors = parameters["tag"][tag]
    parts = [factors] * len(vectors) if kind.startswith("fm") else factors.split(FACTORS)
    score = sum((vector * part).sum() for vector, part in zip(vectors, parts, strict=True))
    return score + parameters["bias"][tag].sum() if "bias" in parameters else score


def vectors_as_written(kind: str, parameters, inputs: PostInputs, post: int) -> tuple[list, list]:
    """The vectors of a post's contexts, in their order, and the rows that they use, weighted for the decay."""
    vectors, used = {}, []
    for name, rows in inputs.entities.items():
        vectors[name] = parameters[name][rows[post]]
        used.append(vectors[name])
    for name, (starts, counts, tags, weights, _) in inputs.bags.items():
        some = slice(starts[post], starts[post] + counts[post])
        rows, shares = parameters[name][tags[some]], weights[some, None]
        vectors[name] = (shares * rows).sum(0)
        used.append(shares.sqrt() * rows)
    for name, matrix in inputs.features.items():
        vectors[name] = sum(matrix[post, a] * parameters[name][a] for a in range(matrix.shape[1]))
        used.append(parameters[name])

    of_photo = [name for name in parameters if name in ("photo", *inputs.features)]
    if "interaction" in vectors:
        stretches = vectors["interaction"].split(FACTORS)
        for number, name in enumerate(of_photo):
            vectors[name] = vectors[name] + stretches[0 if kind.startswith("fm") else number] * vectors[name]
    return [vectors[name] for name in ("user", "history", *of_photo) if name in vectors], used


def loss_as_written(kind: str, parameters, batch: Batch, l2: float, loss: str = "bpr") -> torch.Tensor:
    """The sum over quadruples of the loss + λ/2 ‖what it uses‖², one quadruple and context at a time.

    The loss is −ln σ(ŷ(t⁺) − ŷ(t⁻)); with the softmax, ln Σ e^ŷ(t) − ŷ(t⁺), which uses each tag by its probability;
    with WARP, Φ(r) / r times what r negatives lack to a distance of 1 below the positive, each used 1/r times.
    """
    total = torch.zeros((), dtype=torch.float64)
    for post, positive, (negative,) in zip(*batch.quadruples, strict=True):
        vectors, used = vectors_as_written(kind, parameters, batch.inputs, post)
        scores = torch.stack([scores_as_written(kind, parameters, vectors, tag) for tag in range(TAGS)])
        tables = [parameters[name] for name in ("tag", "bias") if name in parameters]
        once = 1
        if loss == "bpr":
            shares = torch.zeros(TAGS, dtype=torch.float64).index_fill(0, negative, 1)
            total = total - logsigmoid(scores[positive] - scores[negative])
        elif loss == "warp":
            own = batch.quadruples.positive[batch.quadruples.post == post].tolist()
            lacking = {tag: 1 - scores[positive] + scores[tag] for tag in range(TAGS) if tag not in own}
            violating = [tag for tag, lack in lacking.items() if lack > 0]
            once, rank = min(1, len(violating)), max(1, len(violating))
            shares = torch.zeros(TAGS, dtype=torch.float64).index_fill(0, torch.tensor(violating).long(), 1 / rank)
            total = total + sum(1 / j for j in range(1, rank + 1)) / rank * sum(lacking[tag] for tag in violating)
        else:
            shares = scores.softmax(0).detach()
            total = total + scores.logsumexp(0) - scores[positive]
        total = total + l2 / 2 * sum((part**2).sum() for part in used)
        for table in tables:
            total = total + l2 / 2 * (once * (table[positive] ** 2).sum() + (shares[:, None] * table**2).sum())
    return total


def with_negatives(batch: Batch, negative: torch.Tensor) -> Batch:
    return replace(batch, quadruples=batch.quadruples._replace(negative=negative))


def closed_form(contexts, parameters, batch, l2, trials=1, loss="bpr"):
    """The gradients of trials that all have these parameters, each by itself; the losses and the right ones."""
    stacked = {name: table[:, None].repeat(1, trials, 1) for name, table in parameters.items()}
    gradients = Gradients.zeros(stacked)
    vectors = post_vectors(contexts, stacked, batch.inputs)
    add_gradients(contexts, stacked, gradients, batch, vectors, LOSSES[loss])
    total = {name: table + l2 * gradients.occurrences[name] * stacked[name] for name, table in gradients.sums.items()}
    each = [{name: table[:, trial] for name, table in total.items()} for trial in range(trials)]
    return each, gradients.loss.tolist(), gradients.ranked_right.tolist()


def by_autograd(kind, parameters, batch, l2, loss="bpr"):
    leaves = {name: parameter.clone().requires_grad_() for name, parameter in parameters.items()}
    loss_as_written(kind, leaves, batch, l2, loss).backward()
    return {name: leaf.grad for name, leaf in leaves.items()}


def assert_close(gradients, reference, tolerance):
    for name, expected in reference.items():
        assert expected.norm() > 0, name
        assert (gradients[name] - expected).norm() / expected.norm() <= tolerance, name


@pytest.mark.usefixtures("inner_loops")
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("l2", [0, 0.3])
@pytest.mark.parametrize(("kind", "features"), MODELS)
def test_gradients_are_those_of_autograd(kind, features, l2, loss):
    contexts, parameters, batch = example(kind, features)
    (gradients,), _, _ = closed_form(contexts, parameters, batch, l2, loss=loss)
    assert_close(gradients, by_autograd(kind, parameters, batch, l2, loss), 1e-10)


@pytest.mark.usefixtures("inner_loops")
@pytest.mark.parametrize(("kind", "features"), MODELS)
def test_trials_side_by_side_have_the_gradients_of_their_own_negatives(kind, features):
    contexts, parameters, batch = example(kind, features)
    other = torch.tensor([0, 3, 4, 6, 5, 0, 2])
    shared = batch.quadruples.negative
    negative = torch.cat([shared, other[:, None], shared], dim=1)
    each, losses, _ = closed_form(contexts, parameters, with_negatives(batch, negative), 0.3, trials=3)
    for gradients, loss, own in zip(each, losses, negative.split(1, dim=1), strict=True):
        alone = with_negatives(batch, own)
        assert_close(gradients, by_autograd(kind, parameters, alone, 0.3), 1e-10)
        assert loss == pytest.approx(loss_as_written(kind, parameters, alone, 0).item(), rel=1e-12)


@pytest.mark.usefixtures("inner_loops")
def test_a_row_of_none_gives_nothing():
    contexts, parameters, batch = example("pitf", "image")
    stacked = {name: table[:, None] for name, table in parameters.items()}
    known = post_vectors(contexts, stacked, batch.inputs)
    some = {name: rows.clone() for name, rows in batch.inputs.entities.items()}
    some["user"][2] = -1
    found = post_vectors(contexts, stacked, replace(batch.inputs, entities=some))
    assert not found[2, :, contexts.columns("user")].any()
    known[2, :, contexts.columns("user")] = 0
    assert torch.equal(found, known)


@pytest.mark.parametrize(("loss", "l2"), [("bpr", 0.3), ("softmax", 0), ("warp", 0.3)])
@pytest.mark.parametrize(("kind", "features"), MODELS)
def test_gradients_are_those_of_central_differences(kind, features, loss, l2):
    contexts, parameters, batch = example(kind, features)
    (gradients,), _, _ = closed_form(contexts, parameters, batch, l2, loss=loss)
    step, differences = 1e-5, {}
    for name, parameter in parameters.items():
        differences[name] = torch.zeros_like(parameter)
        for index in range(parameter.numel()):
            around = []
            for sign in (1, -1):
                moved = parameter.clone()
                moved.view(-1)[index] += sign * step
                around.append(loss_as_written(kind, parameters | {name: moved}, batch, l2, loss))
            differences[name].view(-1)[index] = (around[0] - around[1]) / (2 * step)
    assert_close(gradients, differences, 1e-6)


@pytest.mark.usefixtures("inner_loops")
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("kind", "features"), MODELS)
def test_the_loss_is_that_of_the_quadruples_without_decay(kind, features, name):
    contexts, parameters, batch = example(kind, features)
    _, (loss,), (right,) = closed_form(contexts, parameters, batch, 0.3, loss=name)
    assert loss == pytest.approx(loss_as_written(kind, parameters, batch, 0, name).item(), rel=1e-12)
    alone = [replace(batch, quadruples=Quadruples(*(part[q : q + 1] for part in batch.quadruples))) for q in range(7)]
    # −ln σ(x) is below ln 2 where x is above zero: where the positive is ranked above the negative.
    assert right == sum(loss_as_written(kind, parameters, one, 0).item() < math.log(2) for one in alone)


@pytest.mark.usefixtures("inner_loops")
def test_quadruples_ranked_right_are_counted():
    contexts, parameters, batch = example("fm", "none")
    for name in parameters:
        parameters[name].zero_()
    parameters["bias"][1] = 1  # the positive of three quadruples; of the others no tag is above another
    _, _, (right,) = closed_form(contexts, parameters, batch, 0)
    assert right == 3


@pytest.mark.usefixtures("inner_loops")
def test_gradients_add_up_over_batches():
    contexts, parameters, batch = example("pitf", "image")
    stacked = {name: table[:, None] for name, table in parameters.items()}
    gradients = Gradients.zeros(stacked)
    sums = []
    for _ in range(2):
        add_gradients(contexts, stacked, gradients, batch, post_vectors(contexts, stacked, batch.inputs))
        sums.append({name: table.clone() for name, table in (gradients.sums | {"loss": gradients.loss}).items()})
        sums[-1] |= {f"{name} occurrences": table.clone() for name, table in gradients.occurrences.items()}
    assert_close(sums[1], {name: 2 * table for name, table in sums[0].items()}, 1e-12)


@pytest.mark.usefixtures("inner_loops")
def test_a_huge_margin_does_not_overflow():
    contexts, parameters, batch = example("fm", "none")
    parameters["bias"][batch.quadruples.negative[:, 0]] += 1e6
    (gradients,), (loss,), _ = closed_form(contexts, parameters, batch, 0)
    assert math.isfinite(loss)
    assert all(gradient.isfinite().all() for gradient in gradients.values())


@pytest.mark.usefixtures("inner_loops")
def test_what_is_not_finite_shows():
    contexts, parameters, batch = example("fm", "none")
    parameters["user"][2] = torch.inf
    _, (loss,), _ = closed_form(contexts, parameters, batch, 0)
    assert not math.isfinite(loss)


@pytest.mark.usefixtures("inner_loops")
def test_users_without_another_post_have_vectors_of_zeros():
    contexts, parameters, batch = example("fm-history", "none")
    nothing = TagBags(*(torch.zeros(size, dtype=torch.int64) for size in (4, 4, 0)), torch.zeros(0).double(), longest=0)
    inputs = replace(batch.inputs, entities={}, bags={"history": nothing})
    contexts = replace(contexts, names=("history",))
    stacked = {name: table[:, None] for name, table in parameters.items()}
    vectors = post_vectors(contexts, stacked, inputs)
    assert vectors.shape[0] == 4
    assert not vectors.any()
    gradients = Gradients.zeros(stacked)
    add_gradients(contexts, stacked, gradients, replace(batch, inputs=inputs), vectors)
    assert not gradients.occurrences["history"].any()


@pytest.mark.parametrize("loss", ["softmax", "warp"])
@pytest.mark.parametrize(("kind", "features"), MODELS)
def test_the_loss_over_all_tags_of_trials_side_by_side_is_each_ones_own(kind, features, loss):
    contexts, parameters, batch = example(kind, features)
    others = {name: 2 * table for name, table in parameters.items()}
    stacked = {name: torch.stack([table, others[name]], dim=1) for name, table in parameters.items()}
    gradients = Gradients.zeros(stacked)
    add_gradients(contexts, stacked, gradients, batch, post_vectors(contexts, stacked, batch.inputs), LOSSES[loss])
    for trial, own in enumerate((parameters, others)):
        found = {name: table[:, trial] for name, table in gradients.sums.items()}
        assert_close(found, by_autograd(kind, own, batch, 0, loss), 1e-10)


@pytest.mark.parametrize("chunk", [1, 1 << 20])
def test_warp_weighs_negatives_by_the_rank_of_the_positive(monkeypatch, chunk):
    monkeypatch.setattr(losses, "PAIRS_PER_CHUNK", chunk)
    # One post with the tags 0 and 1, and only biases: the scores themselves. Above 2 − 1 are the tags 2 and 3, by 1.5
    # and 0.5: Φ(2) / 2 = 3/4. Above 4 − 1 is none, so that tag 1 is not moved, nor regularised.
    bias = torch.tensor([2.0, 4.0, 2.5, 1.5, 1.0, -3.0], dtype=torch.float64)[:, None, None]
    nothing = torch.zeros(6, 1, 1, dtype=torch.float64)
    tags, sums = (
        TagTables(nothing, bias),
        QuadrupleGradients(
            torch.zeros(1, 1, 1, dtype=torch.float64),
            TagTables(torch.zeros_like(nothing), torch.zeros_like(bias)),
            torch.zeros_like(nothing),
        ),
    )
    quadruples = Quadruples(torch.tensor([0, 0]), torch.tensor([0, 1]), torch.tensor([[2], [2]]))
    loss, right = LOSSES["warp"](tags, torch.zeros(1, 1, 1, dtype=torch.float64), quadruples, sums)
    assert (loss.item(), right.item()) == (pytest.approx(0.75 * (1.5 + 0.5)), 1)
    assert sums.tags.bias[:, 0, 0].tolist() == [-1.5, 0, 0.75, 0.75, 0, 0]
    assert sums.occurrences[:, 0, 0].tolist() == [1, 0, 0.5, 0.5, 0, 0]
