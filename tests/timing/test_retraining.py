import dataclasses
import shutil

import pytest

from spikepropamine import records
from spikepropamine.experiments import locomotion, novel_conditions, sweeps
from spikepropamine.experiments.sweeps import Store
from spikepropamine.experiments.temporal import search, sizes, temporal
from spikepropamine.timing import retraining


@pytest.mark.parametrize("experiment", [temporal("recall"), search("recall"), sizes("cue-reward")])
def test_what_is_chosen_is_a_part_spread_over_configurations_and_seeds(experiment):
    chosen = retraining.chosen(experiment)
    assert len(chosen) == len(set(chosen)) and set(chosen) <= set(experiment.runs)
    assert len(experiment.runs) // retraining.EVERY <= len(chosen) <= -(-len(experiment.runs) // retraining.EVERY)
    assert {config.network.name for config, _ in chosen} == {config.network.name for config in experiment.configs}
    assert chosen == retraining.chosen(experiment)


def test_two_of_an_experiment_are_chosen_at_the_least():
    few = temporal("recall", "smoke", seeds=1, networks=["snn", "dp-oja"], noises=["low"])
    assert len(retraining.chosen(few)) == 2


@pytest.fixture
def store(tmp_path):
    experiment = temporal("recall", "smoke", seeds=2, networks=["snn", "ndp-oja"], noises=["low"])
    store = Store(tmp_path / "runs", tmp_path / "published")
    sweeps.sweep(experiment, store)
    return experiment, store


def test_what_nothing_has_changed_ends_as_it_did_and_what_was_published_otherwise_does_not(store):
    experiment, store = store
    (changed, seed), *rest = retraining.chosen(experiment)
    folder = store.folder(experiment.name, changed, seed)
    run = records.load_run(folder)
    metrics = run.record["metrics"] | {"accuracy": run.record["metrics"]["accuracy"] + 1e-9}
    records.save_run(folder, run.record | {"metrics": metrics}, run.curves, run.weights)
    sweeps.publish(experiment, store)
    table, facts = retraining.measure([experiment], store)
    assert facts == {"runs": {experiment.name: 4}, "workers": 1}
    same = {(r.config_hash, r.seed): r.same for r in table.itertuples()}
    assert same == {(changed.hash, seed): False} | {(config.hash, s): True for config, s in rest}
    assert (table.seconds > 0).all() and (table.peak_megabytes > 10).all()
    assert retraining.hours(table, facts["runs"]).mean == pytest.approx(table.seconds.mean() * 4 / 3600)


def test_a_measurement_that_was_stopped_goes_on(store, monkeypatch):
    experiment, store = store
    sweeps.publish(experiment, store)
    made, train = [], sweeps.run
    monkeypatch.setattr(sweeps, "run", lambda *arguments: made.append(arguments) or train(*arguments))
    first, _ = retraining.measure([experiment], store)
    second, _ = retraining.measure([experiment], store)
    assert len(made) == len(first) and first.equals(second)


def test_what_is_not_published_is_named(store):
    experiment, store = store
    with pytest.raises(ValueError, match=r"recall-smoke = \[.*: must be runs that are published"):
        retraining.measure([experiment], store)
    sweeps.publish(experiment, store)
    with pytest.raises(ValueError, match="recall-smoke = .*must be runs that are published"):
        retraining.measure([dataclasses.replace(experiment, seeds=(7, 8))], store)


def test_policies_walk_again_as_they_did_and_what_was_published_otherwise_is_seen(tmp_path, repository, monkeypatch):
    monkeypatch.setitem(novel_conditions.SIZES, "paper", novel_conditions.Size(1, 4, "all", None))
    store = Store(tmp_path / "runs", tmp_path / "published")
    for robot in locomotion.EXPERIMENTS:
        shutil.copytree(repository / "book" / "results" / robot, store.published / robot)
    table, facts = novel_conditions.measure(novel_conditions.fare, "paper", None, ["snn"], store)

    def again(published):
        records.save_measurements(store.published / "novel-conditions", "novel-conditions", published, facts)
        return retraining.measure_walks("novel-conditions", novel_conditions.fare, ["snn"], store)

    walked, told = again(table)
    assert told == {"runs": {"novel-conditions, ant": 5, "novel-conditions, half-cheetah": 5}, "workers": 1}
    assert (walked.groupby("experiment").size() >= 2).all()
    assert walked.same.all() and (walked["return"] == walked.published_return).all() and (walked.seconds > 0).all()
    changed = walked.iloc[0]
    other = (table.config_hash == changed.config_hash) & (table.seed == changed.seed)
    walked, _ = again(table.assign(length=table.length + other))
    assert walked.same.tolist() == [False] + [True] * (len(walked) - 1)


def test_how_long_a_walk_took_does_not_count_among_what_it_did(tmp_path):
    experiment = locomotion.locomotion("half-cheetah", "smoke", seeds=2, policies=["mlp"])
    store = Store(tmp_path / "runs", tmp_path / "published")
    sweeps.sweep(experiment, store)
    sweeps.publish(experiment, store)
    table, _ = retraining.measure([experiment], store)
    assert len(table) == 2 and table.same.all() and (table["return"] == table.published_return).all()
