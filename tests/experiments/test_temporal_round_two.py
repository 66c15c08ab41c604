import dataclasses

import pytest

from spikepropamine.experiments import temporal_round_two as two
from spikepropamine.experiments.sweeps import Store, sweep

VALUES = {name: two.space(name)[0] for name in two.COMPARED}


@pytest.fixture
def chosen(monkeypatch):
    monkeypatch.setattr(two, "CHOSEN", VALUES)


def test_every_network_has_the_same_search_and_none_is_searched_where_it_is_judged():
    assert {len(two.space(name)) for name in two.COMPARED} == {8}
    experiment = two.search()
    assert two.SEARCH_TASK not in [cell.task for cell in two.CELLS.values()]
    assert {config.task for config in experiment.configs} == {two.SEARCH_TASK}
    assert set(experiment.seeds).isdisjoint(two.SEEDS)
    # snn has no third value to choose, so half of its points are the same
    assert len(experiment.configs) == 8 * (len(two.COMPARED) - 1) + 4
    trainings = {dataclasses.replace(config.training, learning_rate=1.0) for config in experiment.configs}
    assert trainings == {dataclasses.replace(two.SEARCH_TRAINING, learning_rate=1.0)}


def test_on_a_cell_all_networks_have_one_budget_and_differ_only_in_themselves(chosen):
    experiment = two.round_two("cue-reward-high")
    assert len(experiment.configs) == len(two.COMPARED) and len(experiment.seeds) == 10
    assert {config.task for config in experiment.configs} == {two.CELLS["cue-reward-high"].task}
    trainings = {dataclasses.replace(config.training, learning_rate=1.0) for config in experiment.configs}
    assert len(trainings) == 1
    sizes = {name: two.COMPARED[name][1] for name in two.COMPARED}
    assert {name for name, hidden in sizes.items() if hidden != 48} == {"lsnn-100"}


def test_the_larger_baseline_has_more_parameters_than_any_plastic_network(chosen):
    for cell in two.CELLS:
        parameters = {
            two.compared_as(config.network.name, config.network.n_hidden): sum(
                p.numel() for p in config.build(0).parameters()
            )
            for config in two.round_two(cell).configs
        }
        plastic = [count for name, count in parameters.items() if name.startswith(("dp", "ndp"))]
        assert parameters["lsnn-100"] >= max(plastic)


def test_a_smallest_sweep_runs_every_network_and_resumes(chosen, tmp_path):
    experiment = two.round_two("key-value-pairs-low", "smoke", seeds=1)
    store = Store(tmp_path)
    sweep(experiment, store)
    runs, curves = store.results(experiment)
    assert len(runs) == len(two.COMPARED) and runs["accuracy"].between(0, 1).all()
    assert {two.compared_as(*key) for key in zip(runs["network.name"], runs["network.n_hidden"])} == set(two.COMPARED)
    assert "tested.n_cues.12" in runs and len(curves) > 0


def test_the_chosen_values_are_the_best_of_the_published_search(repository):
    store = Store(repository / ".runs-nowhere", repository / "book" / "results")
    runs, _ = store.results(two.search())
    assert len(runs) == len(two.search().runs)
    accuracy = dict(zip(runs["config_hash"], runs["accuracy"]))
    for name in two.COMPARED:
        reached = [accuracy[two.searched_as(name, values).hash] for values in two.space(name)]
        assert accuracy[two.searched_as(name, two.CHOSEN[name]).hash] == max(reached), name


def test_the_search_beyond_the_registered_one_changed_no_choice():
    assert not {config.hash for config in two.extended_search().configs} & {c.hash for c in two.search().configs}
    for name, more in two.EXTENDED.items():
        assert two.CHOSEN[name] in two.space(name) and two.COMPARED[name][0] in two.TRADITIONAL
        assert two.CHOSEN[name] not in [values for values, options in more if not options]


def test_an_unknown_cell_lists_the_known_ones():
    with pytest.raises(ValueError, match="cell = 'cue-reward': must be one of 'key-value-pairs-low'"):
        two.round_two("cue-reward")


def test_a_network_of_another_size_is_named():
    with pytest.raises(ValueError, match=r"network = \('lsnn', 7\)"):
        two.compared_as("lsnn", 7)
