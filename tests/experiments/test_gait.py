import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from spikepropamine.experiments import gait, locomotion
from spikepropamine.experiments.sweeps import Store
from spikepropamine.records.atomic import read_json, write_json


def walker(name, environment):
    config = locomotion.locomotion(environment, policies=[name]).configs[0]
    n, _ = config.task.sizes()
    return config.build(0), (torch.zeros(n, dtype=torch.float64), torch.ones(n, dtype=torch.float64)), config.task


@pytest.mark.parametrize("environment, joints, feet", [("ant", 8, 4), ("half-cheetah", 6, 2)])
def test_a_record_has_a_row_a_control_step_and_every_joint_and_foot(environment, joints, feet):
    table = gait.record(*walker("ndp-oja", environment), steps=30, seed=1)
    assert len(table) == 30 and np.allclose(np.diff(table.time_s), 0.05)
    assert sum(c.startswith("angle.") for c in table) == joints and sum(c.startswith("contact.") for c in table) == feet
    assert set(np.unique(table.filter(like="contact.").to_numpy())) == {0.0, 1.0}
    assert (
        (table["M.10"] <= table["M.50"]).all() and (table["M.50"] <= table["M.90"]).all() and table["M.90"].max() <= 1
    )
    # the speed is that of x, which the reset does not move
    assert np.corrcoef(np.diff(table.x_m), table.speed_m_s[1:])[0, 1] > 0.9


def test_a_policy_without_plasticity_or_modulator_says_so():
    assert "E.mean_abs" not in gait.record(*walker("snn", "ant"), steps=3, seed=0)
    table = gait.record(*walker("dp-bcm", "ant"), steps=3, seed=0)
    assert (table["M.10"] == 1).all() and (table["E.mean_abs"] >= 0).all()
    assert table["E.at_bound"].between(0, 1).all() and (table["alpha_E_over_W"].iloc[1:] > 0).all()


def test_rates_are_those_of_the_spikes():
    policy, statistics, task = walker("snn", "ant")
    with torch.no_grad():
        policy.encoder.bias.fill_(100.0)  # every neuron fires at every tick
    table = gait.record(policy, statistics, task, steps=3, seed=0)
    assert np.allclose(table["rate.encoder"], 1000 / 25)


def test_a_walk_of_no_steps_is_refused_by_name():
    with pytest.raises(ValueError, match="steps = 0"):
        gait.record(*walker("snn", "ant"), steps=0, seed=0)


def test_the_walk_shown_is_the_first_that_lasts_and_falls_before_it_are_counted():
    lengths = {gait.SEED: 50, gait.SEED + 1: 199, gait.SEED + 2: 200}
    table, falls = gait.first_whole(lambda seed: pd.DataFrame({"seed": [seed] * lengths[seed]}), 200)
    assert falls == 2 and set(table.seed) == {gait.SEED + 2}
    with pytest.raises(ValueError, match="steps = 200: must be fewer, since none of 20 walks"):
        gait.first_whole(lambda seed: pd.DataFrame({"seed": [seed]}), 200)


def test_a_walk_of_another_policy_than_the_median_walker_is_named(repository, tmp_path):
    store = Store(tmp_path / "runs", repository / "book" / "results")
    assert list(gait.stale(store)) == []
    for part in ("ant-round-two", "half-cheetah-round-two", "gait"):
        shutil.copytree(store.published / part, tmp_path / "results" / part)
    manifest = read_json(tmp_path / "results" / "gait" / "manifest.json")
    shown = manifest["facts"]["walkers"][0]
    seed = shown["seed"]
    shown["seed"] = seed + 1
    write_json(tmp_path / "results" / "gait" / "manifest.json", manifest)
    (line,) = gait.stale(Store(tmp_path / "runs", tmp_path / "results"))
    assert f"shows seed {seed + 1} of {shown['network']} on {shown['environment']}" in line and f"seed {seed}" in line
