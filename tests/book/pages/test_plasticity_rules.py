import numpy as np
import pandas as pd
import pytest
import torch

from spikepropamine.book.figures import Drawing
from spikepropamine.book.pages import plasticity_rules as page
from spikepropamine.snn import layers, plasticity
from spikepropamine.snn.networks import NETWORKS


def test_the_table_of_names_says_what_each_network_is():
    table = page.names_of_networks().set_index("name")
    assert list(table.index) == [f"`{name}`" for name in NETWORKS]
    assert table.loc["`ndp-bcm`", "in full"] == "neuromodulated differentiable plasticity"
    assert table.loc["`dp-oja`", "modulator M"] == "always 1" and table.loc["`snn`", "learned"] == "W, b, readout"


def test_code_is_shown_from_the_line_asked_for():
    text = page.code(layers.PlasticLinear.current, only="# I_j", lines=3).data
    assert text.startswith("```python\n# I_j = b_j") and text.count("\n") == 4
    with pytest.raises(StopIteration):
        page.code(plasticity.slide, only="no such line")


def test_a_trace_is_that_of_the_layer_with_a_given_modulator():
    spikes, modulator = torch.ones(3, 2), torch.tensor([1.0, 0.0, -1.0])
    frame = page.trace(plasticity.Oja(0.5), modulator, spikes)
    assert frame.E[0] > 0  # the state after the tick
    assert frame.E[1] == frame.E[0] and frame.E[2] < frame.E[1] and frame.modulator.tolist() == [1, 0, -1]
    decay = float(np.exp(-page.OPTIONS.dt / page.OPTIONS.tau_trace))
    assert frame.x_pre.tolist() == pytest.approx([1 - decay, 1 - decay**2, 1 - decay**3])


def test_oja_finds_the_principal_component_of_its_input():
    rng = np.random.default_rng(0)
    end = page.run_oja(page.gaussian_rates(6000, rng), 0.005).query("tick == tick.max()")
    assert end.angle_degrees.max() < 15 and end.norm.to_numpy() == pytest.approx(1, abs=0.1)


def test_bcm_becomes_selective_and_runs_away_without_its_threshold():
    start = torch.tensor([[[0.6, 0.4]]], dtype=torch.float64)
    two = torch.eye(2, dtype=torch.float64)
    sliding, _ = page.run_bcm(start, two, 8000, page.BCM_STEP)
    frozen, _ = page.run_bcm(start, two, 8000, 0.0)
    assert sliding[-1, 0].max() == pytest.approx(2, abs=0.3) and sliding[-1, 0].min() < 0.2 and frozen.max() > 1000
    ends = pd.DataFrame({"pattern_1": [2.0, 0.0, 1.0], "pattern_2": [0.1, 2.0, 0.9]})
    assert page.selective(ends) == 2


def test_changes_are_taken_within_each_window():
    time = np.arange(0, 2 * page.GATE_MS, 5)
    data = pd.DataFrame({"rule": "Oja", "seed": 0, "time_ms": time, "E": np.where(time < page.GATE_MS, time, 7.0)})
    change = page.changes_by_gate(data)
    assert change["Oja", 0] == page.GATE_MS - 5 and change["Oja", 1] == 0


def test_the_findings_are_computed_from_what_is_drawn():
    oja = pd.DataFrame({"input": ["a", "a"], "tick": [0, 1], "angle_degrees": [80.0, 3.3], "norm": [0.2, 1.0]})
    bcm = pd.DataFrame({"panel": "plane", "tick": 5, "pattern_1": [2.0, 1.0], "pattern_2": [0.0, 1.0]})
    time = np.arange(0, 3 * page.GATE_MS, 5)
    gates = pd.DataFrame({"rule": "Oja", "seed": 0, "time_ms": time, "E": np.sin(time / page.GATE_MS)})
    drawings = [Drawing(None, data, "", "") for data in (pd.DataFrame(), oja, bcm, gates)]
    told = page.what_we_found(page.Findings(*drawings, {"oja": page.Agreement(2, 1e-9)})).data
    assert "3.3° from it at most" in told and "from 1 of 2 starts" in told and "2 spikes differ" in told
    assert "gradients agree to 1e−09" in told


def test_both_implementations_agree():
    one = page.agreement("oja")
    assert one.spikes_off == 0 and one.gradient < 1e-9
