"""The synapse of the rules' page does what the package's does."""

from pathlib import Path

import pytest
import torch

from browsers import needs_browser
from spikepropamine.book.synapse import synapse
from spikepropamine.snn.layers import PlasticLinear
from spikepropamine.snn.networks import NetworkOptions
from spikepropamine.snn.plasticity import BCM, Oja

STATIC = Path(__file__).parents[2] / "book" / "_static"


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(path=STATIC / "synapse.js")
    yield page
    page.close()


@needs_browser
@pytest.mark.parametrize("M", [1.0, -0.6])
@pytest.mark.parametrize(("rule", "eta"), [("oja", 5.0), ("oja", 0.3), ("bcm", 20.0), ("bcm", 90.0)])
def test_it_agrees_with_the_package(page, rule, eta, M):
    options = NetworkOptions()
    trains = (torch.rand(400, 2, generator=torch.Generator().manual_seed(3)) < 0.25).double()
    made = {"oja": Oja, "bcm": BCM}[rule](eta=eta)
    layer = PlasticLinear(1, 1, made, e_max=options.e_max, dt=options.dt, tau_trace=options.tau_trace).double()
    layer.modulator = lambda x_post: torch.full_like(x_post, M)
    state, expected = layer.initial_state(1), []
    with torch.no_grad():
        for pre, post in trains:
            state = layer.step(pre.view(1, 1), post.view(1, 1), state)
            expected.append([state.E.item(), state.x_pre.item(), state.x_post.item(), state.theta.item()])
    settings = {"rule": rule, "eta": eta, "M": M, "eMax": options.e_max, "dt": options.dt}
    settings |= {"tauTrace": options.tau_trace, "tauTheta": options.tau_theta}
    found = page.evaluate(
        "([pre, post, settings]) => Synapse.run(pre, post, settings).map((s) => [s.E, s.pre, s.post, s.theta])",
        [trains[:, 0].tolist(), trains[:, 1].tolist(), settings],
    )
    torch.testing.assert_close(torch.tensor(found).double(), torch.tensor(expected).double(), rtol=0, atol=1e-6)
    assert max(abs(one[0]) for one in expected) > 0.1


@needs_browser
def test_its_spikes_come_at_the_rate_asked_for(page):
    train = page.evaluate("Synapse.train(40, 20000, 5, 7)")
    assert sum(train) / len(train) == pytest.approx(40 * 0.005, rel=0.05)
    assert page.evaluate("Synapse.train(0, 100, 5, 7)") == [0] * 100


def test_the_page_starts_at_the_options_values():
    assert '"eta_bcm": 20.0' in synapse(NetworkOptions()).data
