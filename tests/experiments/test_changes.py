import re

import pytest

from spikepropamine.experiments.changes import change_config, changed, nearest, parse
from spikepropamine.experiments.locomotion import locomotion
from spikepropamine.experiments.temporal import temporal


def first(profile="paper"):
    return temporal("cue-association", profile, networks=["dp-oja"], noises=["low"]).configs[0]


@pytest.mark.parametrize(
    "written",
    [
        "task.delay_ms=2000, network.n_hidden=96",
        " task.delay_ms = 2 s ,network.n_hidden=96 ",
        {"task.delay_ms": 2000, "network.n_hidden": 96},
        {"task": {"delay_ms": "2000 ms"}, "network": {"n_hidden": 96.0}},
    ],
)
def test_changes_are_read_from_words_and_mappings_with_and_without_units(written):
    config = change_config(first(), parse(written))
    assert config.task.delay_ms == 2000.0 and config.network.n_hidden == 96 and isinstance(config.network.n_hidden, int)
    assert config.hash != first().hash
    assert change_config(config, parse("task.delay_ms=300, network.n_hidden=48")) == first()


def test_options_of_the_network_go_by_their_short_names_and_both_ticks_change_together():
    config = change_config(first(), parse("network.tau_membrane=0.1 s, training.learning_rate=1e-3, task.noise=40 Hz"))
    assert config.network.options.tau_membrane == 100.0 and config.training.learning_rate == 1e-3
    assert config.task.noise == 40.0
    assert change_config(first(), parse("network.options.e_max=1")).network.options.e_max == 1.0
    assert change_config(first(), parse("task.dt=10,network.dt=10")).task.dt == 10.0
    with pytest.raises(ValueError, match="task.dt = 10.0: must be network.dt = 5 ms"):
        change_config(first(), parse("task.dt=10"))


def test_an_experiment_changes_in_every_configuration_and_what_becomes_the_same_counts_once():
    experiment = temporal("recall", "quick")
    more = changed(experiment, parse("task.delay_ms=600"))
    assert len(more.configs) == len(experiment.configs) and {c.task.delay_ms for c in more.configs} == {600.0}
    assert len(changed(experiment, parse("task.noise=low")).configs) == len(experiment.configs) // 2
    assert changed(experiment, {}) is experiment
    walking = changed(locomotion("ant", "quick"), parse("training.discount=0.9, network.ticks=4"))
    assert {(c.training.discount, c.network.ticks) for c in walking.configs} == {(0.9, 4)}


@pytest.mark.parametrize(
    "written, named",
    [
        ("delay_ms=2", "change = 'delay_ms': must be a field of task, network, training"),
        ("task.delay_ms", "change = 'task.delay_ms': must be pairs such as"),
        ("task.delay_ms=", "change = 'task.delay_ms=': must be pairs such as"),
        (3, "change = 3: must be pairs such as"),
        ("task.delay_ms=1,task.delay_ms=2", "change = 'task.delay_ms': must be named once"),
        ("task.delay=2000", "change of task = 'delay': must be one of 'noise', 'delay_ms'"),
        ("network.name=snn", "change of network = 'name': must be one of 'n_hidden', 'dt'"),
        ("network.eta=1", "change of network = 'eta': must be one of"),
        ("training.rate=1", "change of training = 'rate': must be one of 'steps'"),
        ("task.delay_ms=2 Hz", "task.delay_ms = '2 Hz': must be a number, in ms or with a unit: ms, s"),
        ("network.n_hidden=96 ms", "network.n_hidden = '96 ms': must be a whole number, without a unit"),
        ("network.n_hidden=9.5", "network.n_hidden = '9.5': must be a whole number"),
        ("network.n_hidden=0", "change of network: n_hidden = 0: must be a whole number >= 1"),
        ("task.delay_ms=-5", "change of task: delay_ms = -5.0: must be a finite number >= 0"),
        ("task.delay_ms=7", "change of task: delay_ms = 7.0: must be a whole number of ticks"),
        ("task.delay_ms=long", "task.delay_ms = 'long': must be a number"),
        ("task.delay_ms=1e999", "task.delay_ms = '1e999': must be a number"),
        ("task.noise=loud", "change of task: noise = 'loud': must be one of 'low', 'high'"),
        ("training.learning_rate=0", "change of training: learning_rate = 0.0: must be a finite number > 0"),
        ({"task": {"delay_ms": True}}, "task.delay_ms = True: must be a number"),
        ({"task": {"delay_ms": None}}, "task.delay_ms = None: must be a number"),
    ],
)
def test_bad_changes_are_refused_by_name(written, named):
    with pytest.raises(ValueError, match=re.escape(named)):
        change_config(first(), parse(written))


def test_the_nearest_published_configuration_differs_in_what_was_changed(repository):
    results = repository / "book" / "results"
    found = nearest(change_config(first(), parse("task.delay_ms=2000")), results)
    assert found.experiment == "cue-association" and found.config_hash == first().hash
    assert found.differs == {"task.delay_ms": (2000.0, 300.0)}
    # smaller networks are published too: 12 hidden neurons are what one of them has
    found = nearest(change_config(first(), parse("network.n_hidden=12")), results)
    assert found.experiment == "cue-association-sizes" and found.differs == {}
    found = nearest(change_config(first(), parse("network.n_hidden=14, task.delay_ms=600")), results)
    assert found.differs == {"network.n_hidden": (14, 12), "task.delay_ms": (600.0, 300.0)}
    # a field that no published record has, since it came later, is there as its default
    found = nearest(change_config(first(), parse("network.learn_beta=true")), results)
    assert found.differs == {"network.options.learn_beta": (True, False)}
    assert nearest(first(), repository / "nowhere") is None
