"""Weighs models on validation posts that they have not learnt from, and blends those that learnt from all."""

from pipeline.data.schema import DATED_POST, FOLD
from pipeline.evaluation.metrics.measure import Measure
from pipeline.evaluation.significance import FEWEST_POSTS
from pipeline.features.store import read_store
from pipeline.files.atomic import atomic_folder
from pipeline.files.parquet import read_parquet
from pipeline.files.texts import read_sealed_json, write_sealed_json
from pipeline.models.registry import load, save
from pipeline.training.blend import weigh
from pipeline.words import counted
from project.command import Model, command
from project.params import Params
from project.stale import sweep


def main(params: Params, blend: Model) -> str:
    paths, config = params.paths, params.blended(params.blend(blend))
    sweep([paths.settings_folder, paths.held_out_folder, paths.models_folder], params.models)
    validation = read_parquet(paths.validation, [*DATED_POST, FOLD])
    folds = validation.partition_by(FOLD, maintain_order=True, include_key=False)
    held_out = [{name: load(paths.held_out_model(name, fold)) for name in config.models} for fold in range(len(folds))]
    features, measure = read_store(*paths.stored(config.features)), Measure.parse(params.tuning.measure)
    chosen = weigh(config, held_out, folds, features, measure)
    chosen.write(paths.settings(blend))
    weights = chosen.config.models
    save(chosen.of({name: load(paths.model(name)) for name in weights}), paths.model(blend))

    # From each further seed, those of its models that another seed changes.
    seeds = sorted({seed for name in weights for seed in read_sealed_json(paths.repeat_seeds(name))["seeds"]})
    with atomic_folder(paths.repeats(blend)) as folder:
        write_sealed_json({"seeds": seeds}, folder / paths.repeat_seeds(blend).name)
        for seed in seeds:
            repeated = {name: paths.repeat(name, seed) for name in weights}
            parts = {name: load(path if path.exists() else paths.model(name)) for name, path in repeated.items()}
            save(chosen.of(parts), folder / paths.repeat(blend, seed).name)

    listed = ", ".join(f"{weight:.3g} {name}" for name, weight in weights.items())
    if trees := len(chosen.tensors.get("tree_leaf", ())):
        listed += f", {counted(trees, 'trees')}"
    if not folds:
        return f"blend {blend}: not measured, {listed}"
    few = ", too few to tell models apart" if len(validation) < FEWEST_POSTS else ""
    measured = f"{measure.label} {chosen.score:.4f} on {counted(len(validation), 'validation posts')}{few}"
    return f"blend {blend}: {measured}, {listed}"


app = command(main)

if __name__ == "__main__":
    app()
