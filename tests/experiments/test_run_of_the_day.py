"""Two published runs, others each day: a quick one is trained again from nothing, one that walks as far as its first published entry.

Where the machine rounds as the one did that made the run, at the same commit, every bit is the same. Elsewhere a spike
more or less soon sends training another way, and what is promised is that it ends among the published runs. The
promises below are such that what has learned nothing does not keep them.
"""

import datetime

import pytest

from spikepropamine import records
from spikepropamine.experiments.catalogue import EXPERIMENTS

CHANCE = 0.5  # of a temporal task
LEARNED = 0.75  # the accuracy of a quick run that has learned so much that an untrained network cannot pass for it


class Enough(Exception):
    """The entry is there."""


def published_runs(repository, wanted):
    """Every published run of the experiments that are ``wanted``: its experiment, configuration, seed and curves."""
    for name, make in EXPERIMENTS.items():
        folder = repository / "book" / "results" / name
        if wanted(name) and folder.exists():
            published, configs = records.load_published(folder), {config.hash: config for config in make().configs}
            curves = published.curves.sort_values("step").groupby(["config_hash", "seed"])
            for key, seed in zip(published.runs.config_hash, published.runs.seed):
                yield name, configs[key], int(seed), curves.get_group((key, seed))


def of_the_day(runs):
    runs = list(runs)
    return runs[datetime.date.today().toordinal() * 7919 % len(runs)]


def learned(repository):
    quick = published_runs(repository, lambda name: name.endswith("-quick"))
    return [run for run in quick if run[1].metric == "accuracy" and run[3].accuracy.iloc[-1] >= LEARNED]


def walking(repository):
    return published_runs(repository, lambda name: name in ("ant", "half-cheetah"))


def alike(again, then, names):
    return all(again[name] == pytest.approx(then[name], rel=1e-5, abs=1e-5) for name in names)


def learned_as_much(accuracy, published):
    """Whether at least half of what the published run has above chance is there."""
    return accuracy - CHANCE >= (published - CHANCE) / 2


def narrowed_as_much(std, initial, published):
    """Whether the spread of actions has come as far from its start as it does in the published seeds: a quarter to two and a half times."""
    mean = initial - sum(published) / len(published)
    return mean / 4 <= initial - std <= 2.5 * mean


def first_spreads(repository):
    """By configuration, its first published spread of actions with each seed."""
    spreads = {}
    for name, config, _, curves in walking(repository):
        spreads.setdefault((name, config), []).append(curves["std"].iloc[0])
    return spreads


@pytest.mark.slow
def test_the_quick_run_of_the_day_is_trained_again_and_ends_as_it_did(repository):
    name, config, seed, curves = of_the_day(learned(repository))
    again = config.train(config.build(seed), seed, None, lambda step, latest: None).curves
    told = f"{name}, {config.label}, seed {seed}"
    assert again["step"] == curves.step.tolist(), told
    last = {measure: values[-1] for measure, values in again.items()}
    if not alike(last, curves.iloc[-1], ("gradient_norm", "loss", "accuracy")):
        assert learned_as_much(last["accuracy"], curves.accuracy.iloc[-1]), told


@pytest.mark.slow
def test_the_walk_of_the_day_begins_as_it_did(repository):
    name, config, seed, curves = of_the_day(walking(repository))
    first, found = curves.iloc[0], {}

    def progress(step, latest):
        if latest.get("step") == first.step:
            found.update(latest)
            raise Enough

    with pytest.raises(Enough):
        config.train(config.build(seed), seed, None, progress)
    if not alike(found, first, ("gradient_norm", "value_loss")):
        published = first_spreads(repository)[name, config]
        assert narrowed_as_much(found["std"], config.training.initial_std, published), f"{name}, {config.label}, {seed}"


def test_what_has_learned_nothing_keeps_neither_promise_and_every_published_run_keeps_it(repository):
    runs = learned(repository)
    assert len({config.task for _, config, _, _ in runs}) > 3
    for name, config, seed, curves in runs:
        assert learned_as_much(curves.accuracy.iloc[-1], curves.accuracy.iloc[-1]), name
        # the highest of untrained accuracies on as many trials
        lucky = CHANCE + 4 * (CHANCE**2 / config.training.evaluation_trials) ** 0.5
        assert not learned_as_much(lucky, curves.accuracy.iloc[-1]), (name, config.label, seed)
    spreads = first_spreads(repository)
    assert {name for name, _ in spreads} == {"ant", "half-cheetah"}
    for (name, config), published in spreads.items():
        initial = config.training.initial_std
        assert all(narrowed_as_much(std, initial, published) for std in published), (name, config.label, published)
        assert not narrowed_as_much(initial, initial, published)
