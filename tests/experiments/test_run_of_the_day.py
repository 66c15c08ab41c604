"""Two published runs, others each day: a quick one is trained again from nothing, one that walks as far as its first published entry."""

import datetime

import pytest

from spikepropamine import records
from spikepropamine.experiments.catalogue import EXPERIMENTS


class Enough(Exception):
    """The entry is there."""


def of_the_day(repository, wanted):
    """One of the published runs whose experiment is ``wanted``, by today's date: its experiment, configuration, seed and curves."""
    runs = []
    for name, make in EXPERIMENTS.items():
        folder = repository / "book" / "results" / name
        if wanted(name) and folder.exists():
            published, configs = records.load_published(folder), {config.hash: config for config in make().configs}
            runs += [
                (published, configs[key], seed) for key, seed in zip(published.runs.config_hash, published.runs.seed)
            ]
    published, config, seed = runs[datetime.date.today().toordinal() * 7919 % len(runs)]
    curves = published.curves
    return (
        published.folder.name,
        config,
        seed,
        curves[(curves.config_hash == config.hash) & (curves.seed == seed)].sort_values("step"),
    )


def alike(again, then, names):
    return all(again[name] == pytest.approx(then[name], rel=1e-5, abs=1e-5) for name in names)


# Where the machine rounds as the one did that made the run, every bit is the same. Elsewhere a spike more or less soon sends
# training another way, and only its beginning is alike, and of that what does not hang on single spikes: by metric, what is
# the same to the bit, and what is alike to so much.
COMPARED = {
    "accuracy": (("gradient_norm", "loss", "accuracy"), "accuracy", 0.2),
    "return": (("gradient_norm", "value_loss"), "std", 0.05),
}


def test_the_quick_run_of_the_day_is_trained_again_and_ends_as_it_did(repository):
    name, config, seed, curves = of_the_day(repository, lambda name: name.endswith("-quick"))
    again = config.train(config.build(seed), seed, None, lambda step, latest: None).curves
    told = f"{name}, {config.label}, seed {seed}"
    assert again["step"] == curves.step.tolist(), told
    same, beginning, within = COMPARED[config.metric]
    if not alike({measure: values[-1] for measure, values in again.items()}, curves.iloc[-1], same):
        assert again[beginning][0] == pytest.approx(curves[beginning].iloc[0], abs=within), told


def test_the_walk_of_the_day_begins_as_it_did(repository):
    name, config, seed, curves = of_the_day(
        repository, lambda name: name.startswith(("ant", "half-cheetah")) and not name.endswith("-quick")
    )
    first, found = curves.iloc[0], {}

    def progress(step, latest):
        if latest.get("step") == first.step:
            found.update(latest)
            raise Enough

    with pytest.raises(Enough):
        config.train(config.build(seed), seed, None, progress)
    same, beginning, within = COMPARED["return"]
    if not alike(found, first, same):
        assert found[beginning] == pytest.approx(first[beginning], abs=within), f"{name}, {config.label}, seed {seed}"
