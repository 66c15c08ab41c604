import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from spikepropamine.book import drawings, figures
from spikepropamine.snn.layers import leaky
from spikepropamine.snn.networks import build
from spikepropamine.tasks.cue_association import CueAssociation
from spikepropamine.tasks.cue_reward import CueReward
from spikepropamine.tasks.key_value_pairs import KeyValuePairs
from spikepropamine.tasks.recall import Recall
from spikepropamine.walking.policies import Policy

TASKS = {task.name: task for task in (CueAssociation(), CueReward(), Recall(), KeyValuePairs())}


@pytest.fixture(autouse=True)
def in_the_house_style():
    with figures.style():
        yield
    plt.close("all")


def test_the_equations_in_the_drawing_are_those_of_the_code():
    drawing = drawings.network()
    equations = drawing.data.set_index("part").equation
    assert r"\beta\, v_j[t{-}1] + I_j[t] - \vartheta\, s_j[t{-}1]" in equations["hidden neurons"]
    network = build("dp-oja", 6, 4, 2, seed=1).double()
    spikes = (torch.rand(40, 1, 6, generator=torch.Generator().manual_seed(0)) < 0.4).double()
    readout, recorded = network(spikes, record=True)
    beta, v, s, y = math.exp(-5 / 20), torch.zeros(4), torch.zeros(4), torch.zeros(2)
    layer = network.synapses
    for t in range(40):
        current = layer.bias + ((layer.weight + layer.alpha * recorded.E[t, 0]) * spikes[t, 0]).sum(1)
        v = beta * v + current - s
        s = (v > 1).double()
        y = beta * y + network.readout.bias + network.readout.weight @ s
        torch.testing.assert_close(v, recorded.v[t, 0])
        torch.testing.assert_close(y, readout[t, 0])
        assert torch.equal(s, recorded.spikes[t, 0])
    assert recorded.spikes.sum() > 10 and f"{beta:.3f}" in drawing.caption and leaky(20.0).threshold == 1


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_windows_of_a_trial_follow_each_other_and_end_with_it(task):
    windows = drawings.phases(task)
    assert [name for name, *_ in windows[-2:]] == ["delay", "decision"]
    assert windows[-1][1:] == (task.decision_start * task.dt, task.ticks * task.dt)
    edges = [edge for _, *window in windows for edge in window]
    assert edges == sorted(edges) and len(windows) - 2 == getattr(task, "n_cues", 1)
    driven = drawings.driven_inputs(task)
    delay = slice(round(windows[-2][1] / task.dt), task.decision_start)
    assert (
        driven.shape == (task.ticks, task.n_inputs) and not driven[delay].any() and driven[task.decision_start :].any()
    )


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_groups_of_inputs_hold_every_input_once(task):
    covered = np.concatenate([np.arange(task.n_inputs)[part] for part in drawings.input_groups(task).values()])
    assert covered.tolist() == list(range(task.n_inputs))


def test_groups_mean_what_their_names_say():
    task = CueAssociation()
    driven, groups = drawings.driven_inputs(task), drawings.input_groups(task)
    assert driven[task.decision_start :, groups["decision"]].all() and not driven[:, groups["background"]].any()
    assert all(groups[name] == task.group(name) for name in groups)
    either = driven[: task.cue_ticks][:, groups["left"]].any() + driven[: task.cue_ticks][:, groups["right"]].any()
    assert either == 1


def test_timelines_have_a_panel_a_task_and_the_data_of_what_they_say():
    drawing = drawings.timelines(TASKS)
    assert len(drawing.figure.axes) == len(TASKS) and set(drawing.data.task) == set(TASKS)
    assert "recall: shown 0 to 150 ms, delay 150 to 450 ms" in drawing.alt


def test_robots_are_drawn_from_their_models_and_name_every_leg():
    drawing = drawings.robots()
    limbs = drawing.data.groupby("environment").limb.unique()
    assert len(set(limbs["Ant-v5"]) - {"torso"}) == 4
    assert {"bthigh", "bshin", "bfoot", "fthigh", "fshin", "ffoot"} <= set(limbs["HalfCheetah-v5"])
    titles = [axis.get_title() for axis in drawing.figure.axes]
    assert "105 observations, 8 torques" in titles[0] and "17 observations, 6 torques" in titles[1]
    assert drawing.caption.startswith("Eight motors move the ant and six HalfCheetah: ")
    written = [text.get_text() for text in drawing.figure.axes[1].texts]
    assert {"rear thigh", "front shin"} <= set(written) and "rear thigh" in drawing.alt and "bthigh" not in drawing.alt


def test_the_policy_drawn_is_the_policy_built():
    policy = Policy("dp-oja", n_hidden=32, ticks=3)
    told = drawings.policy(policy).alt + drawings.policy(policy).caption
    assert "32 spiking neurons" in told and "last of 3 ticks" in told and "105 numbers" in told


def test_the_synapse_shows_every_part_of_the_rule():
    parts = set(drawings.synapse().data.part)
    assert {"presynaptic trace", "postsynaptic trace", "rule", "modulator", "efficacy", "current"} <= parts
