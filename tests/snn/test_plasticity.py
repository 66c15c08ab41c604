import math
import re

import pytest
import torch

from spikepropamine.snn import plasticity
from spikepropamine.snn.layers import PlasticLinear, leaky
from spikepropamine.snn.plasticity import BCM, RULES, STDP, Hebb, Oja, Rule, Seen, make_rule
from spikepropamine.snn.scan import scan


def traces(B=3, Q=4, P=5, seed=0):
    g = torch.Generator().manual_seed(seed)
    E = torch.randn(B, Q, P, generator=g, dtype=torch.float64)
    x_pre, x_post, theta = (torch.rand(B, n, generator=g, dtype=torch.float64) for n in (P, Q, Q))
    return E, x_pre, x_post, theta


def test_oja_is_its_equation_at_every_synapse():
    E, x, y, _ = traces()
    new = plasticity.oja(E, x, y, 0.3)
    for b in range(3):
        for j in range(4):
            for i in range(5):
                expected = E[b, j, i] + 0.3 * y[b, j] * (x[b, i] - y[b, j] * E[b, j, i])
                assert new[b, j, i] == pytest.approx(expected.item(), abs=1e-14)


def test_bcm_is_its_equation_at_every_synapse():
    E, x, y, theta = traces()
    rate = torch.rand(3, 4, dtype=torch.float64)
    new = plasticity.bcm(E, x, y, theta, rate)
    for b in range(3):
        for j in range(4):
            for i in range(5):
                change = x[b, i] * y[b, j] * (y[b, j] - theta[b, j])
                assert new[b, j, i] == pytest.approx((E[b, j, i] + rate[b, j] * change).item(), abs=1e-14)


@pytest.mark.parametrize("rule", [rule for rule in RULES.values() if rule.update is Rule.update])
def test_slopes_are_the_derivatives_of_the_coefficients(rule):
    _, _, x, theta = traces()
    x.requires_grad_()
    theta.requires_grad_()
    for k, coefficient in enumerate(rule.coefficients(x, theta)):
        by_x, by_theta = torch.autograd.grad(coefficient.sum(), (x, theta), allow_unused=True, materialize_grads=True)
        slopes = rule.slopes(x, theta)
        torch.testing.assert_close(slopes[k], by_x)
        torch.testing.assert_close(slopes[k + 2], by_theta)


def test_hebb_is_its_equation_at_every_synapse():
    E, x, y, _ = traces()
    rate = torch.rand(3, 4, dtype=torch.float64)
    new = plasticity.hebb(E, x, y, rate)
    for b in range(3):
        for j in range(4):
            for i in range(5):
                expected = E[b, j, i] + rate[b, j] * (x[b, i] * y[b, j] - E[b, j, i])
                assert new[b, j, i] == pytest.approx(expected.item(), abs=1e-14)


def seen(B=3, Q=4, P=5):
    _, x, y, theta = traces(B, Q, P)
    g = torch.Generator().manual_seed(1)
    s_pre, s_post, gate = (torch.rand(B, n, generator=g, dtype=torch.float64) for n in (P, Q, Q))
    return Seen((s_pre < 0.5).double(), (s_post < 0.5).double(), x, y, theta, 2 * gate - 1)


def test_stdp_is_its_equation_at_every_synapse():
    E, saw = traces()[0], seen()
    new = plasticity.stdp(E, saw, 0.7, 0.3)
    for b in range(3):
        for j in range(4):
            for i in range(5):
                strengthened = 0.7 * saw.x_pre[b, i] * saw.s_post[b, j]
                weakened = 0.3 * saw.x_post[b, j] * saw.s_pre[b, i]
                expected = E[b, j, i] + saw.gate[b, j] * (strengthened - weakened)
                assert new[b, j, i] == pytest.approx(expected.item(), abs=1e-14)


def efficacies(rule, spikes_pre, spikes_post, dt=5.0, tau=20.0):
    """E after each tick of one synapse under given spikes."""
    layer = PlasticLinear(1, 1, rule, dt=dt, tau_trace=tau).double()
    state, found = layer.initial_state(1), []
    for pre, post in zip(spikes_pre, spikes_post):
        state = layer.step(*(torch.tensor([[s]], dtype=torch.float64) for s in (pre, post)), state)
        found.append(state.E.item())
    return found


@pytest.mark.parametrize("lag", [1, 2, 5])
def test_stdp_strengthens_pre_before_post_and_weakens_post_before_pre_by_the_time_between(lag):
    rule = STDP(2.0, 3.0)
    first, second = [1.0] + [0.0] * lag, [0.0] * lag + [1.0]
    trace = (1 - math.exp(-5 / 20)) * math.exp(-5 * lag / 20)
    assert efficacies(rule, first, second)[-1] == pytest.approx(2.0 * trace, rel=1e-5)
    assert efficacies(rule, second, first)[-1] == pytest.approx(-3.0 * trace, rel=1e-5)


def test_the_hebbian_trace_is_a_mean_over_one_over_eta_ticks():
    both = [1.0] * 2000
    held = efficacies(Hebb(0.01), both + [0.0] * 500, both + [0.0] * 500)
    assert held[1999] == pytest.approx(1, abs=1e-3)
    assert held[-1] / held[-101] == pytest.approx((1 - 0.01) ** 100, rel=0.01)


@pytest.mark.parametrize("modulated", [False, True])
def test_the_hebbian_trace_is_the_same_on_both_paths_with_its_gradients(modulated):
    layer = PlasticLinear(6, 5, Hebb(0.3), modulated).double()
    spikes = (torch.rand(40, 3, 6, generator=torch.Generator().manual_seed(2)) < 0.3).double()
    found = {}
    for path in ("reference", "fused"):
        layer.zero_grad()
        out, state = scan(layer, leaky(20.0).double(), spikes, path=path)
        (out.sum() + state.plastic.E.square().sum()).backward()
        found[path] = [out.detach(), state.plastic.E.detach(), *(p.grad.clone() for p in layer.parameters())]
    assert found["fused"][0].sum() > 0 and found["fused"][1].abs().max() > 0.01
    for ours, theirs in zip(found["fused"], found["reference"]):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)


def test_stdp_learns_both_of_its_rates_in_a_network():
    layer = PlasticLinear(6, 5, STDP(), modulated=True)
    spikes = (torch.rand(30, 3, 6, generator=torch.Generator().manual_seed(2)) < 0.3).float()
    with pytest.raises(ValueError, match="path = 'fused': must be .* update of its own"):
        scan(layer, leaky(20.0), spikes, path="fused")
    out, state = scan(layer, leaky(20.0), spikes)
    state.plastic.E.square().sum().backward()
    assert {name for name, _ in layer.rule.named_parameters()} == {"raw_eta", "raw_eta_minus"}
    assert all(p.grad.abs() > 0 for p in layer.rule.parameters())


def test_an_unknown_rule_lists_the_known_ones():
    with pytest.raises(ValueError, match="rule = 'hebbian': must be one of 'oja', 'bcm', 'hebb', 'stdp'"):
        make_rule("hebbian")
    with pytest.raises(ValueError, match="argument of rule stdp = 'eta': must be one of 'eta_plus', 'eta_minus'"):
        make_rule("stdp", eta=1.0)
    assert make_rule("stdp", eta_minus=0.5).eta_minus.item() == pytest.approx(0.5)
    assert make_rule("stdp", eta_plus=0.1).eta_minus.item() == pytest.approx(0.105)


def test_gradcheck_of_every_rule():
    E, x, y, theta = (value.requires_grad_() for value in traces(2, 3, 2))
    rate = torch.rand(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(plasticity.hebb, (E, x, y, rate))
    parts = [part.requires_grad_() for part in seen(2, 3, 2)]
    rates = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (0.7, 0.3)]
    assert torch.autograd.gradcheck(
        lambda E, plus, minus, *saw: plasticity.stdp(E, Seen(*saw), plus, minus), (E, *rates, *parts)
    )
    assert torch.autograd.gradcheck(plasticity.oja, (E, x, y, rate))
    assert torch.autograd.gradcheck(plasticity.bcm, (E, x, y, theta, rate))


def test_oja_converges_to_the_leading_principal_component_with_unit_norm():
    g = torch.Generator().manual_seed(0)
    mixing = torch.tensor([[2.0, 0.4, 0.0], [0.0, 1.0, 0.3], [0.2, 0.0, 0.7]], dtype=torch.float64)
    E = 0.1 * torch.randn(1, 1, 3, generator=g, dtype=torch.float64)
    for _ in range(20000):
        x = torch.randn(1, 3, generator=g, dtype=torch.float64) @ mixing.T
        E = plasticity.oja(E, x, (E[:, 0] * x).sum(1, keepdim=True), 0.002)
    leading = torch.linalg.eigh(mixing @ mixing.T).eigenvectors[:, -1]
    w = E[0, 0]
    assert w.norm() == pytest.approx(1, abs=0.05)
    assert abs(w @ leading / w.norm()) > 0.99


def test_bcm_becomes_selective_for_one_of_two_patterns_and_stays_bounded():
    patterns = torch.tensor([[1.0, 0.2], [0.2, 1.0]], dtype=torch.float64)
    g = torch.Generator().manual_seed(1)
    E = torch.tensor([[[0.5, 0.45]]], dtype=torch.float64)
    theta = torch.full((1, 1), 0.3, dtype=torch.float64)
    for _ in range(20000):
        x = patterns[torch.randint(0, 2, (1,), generator=g)]
        y = (E[:, 0] * x).sum(1, keepdim=True).clamp(min=0)
        E = plasticity.bcm(E, x, y, theta, 0.005)
        theta = plasticity.slide(theta, y, 0.05)
    responses = (E[0] @ patterns.T).clamp(min=0)[0]
    assert responses.max() > 5 * responses.min()
    assert responses.max() < 10


def test_bcm_runs_away_where_the_threshold_is_frozen():
    x = torch.ones(1, 1, dtype=torch.float64)
    E, theta = torch.full((1, 1, 1), 0.5, dtype=torch.float64), torch.full((1, 1), 0.3, dtype=torch.float64)
    for _ in range(2000):
        E = plasticity.bcm(E, x, E[:, 0] * x, theta, 0.01).clamp(max=1e6)
    assert E.item() > 1e3


def test_a_rate_that_the_dtype_cannot_hold_is_refused_by_name():
    with pytest.raises(ValueError, match="eta = 1e\\+300: must be a number that torch.float32 holds"):
        BCM(1e300)


@pytest.mark.parametrize("eta", [1e-3, 1.0, 5.0, 100.0])
def test_eta_starts_where_it_is_put(eta):
    assert Oja(eta).eta.item() == pytest.approx(eta, rel=1e-5)


@pytest.mark.parametrize(
    "name, shape", [("x_pre", (2, 4)), ("x_post", (2, 1)), ("theta", (1, 4)), ("rate", (2, 1)), ("E", (5,))]
)
def test_a_tensor_that_would_be_stretched_to_fit_is_refused_by_name(name, shape):
    given = {
        "E": torch.zeros(2, 4, 5),
        "x_pre": torch.ones(2, 5),
        "x_post": torch.ones(2, 4),
        "theta": torch.ones(2, 4),
    }
    given |= {"rate": torch.tensor(0.1), name: torch.ones(shape)}
    with pytest.raises(ValueError, match=re.escape(f"{name}.shape = {shape}: must be (")):
        plasticity.bcm(**given)
    del given["theta"]
    for rule in (plasticity.oja, plasticity.hebb) if name != "theta" else ():
        with pytest.raises(ValueError, match=re.escape(f"{name}.shape = {shape}: must be (")):
            rule(**given)
    with pytest.raises(TypeError, match="x_post is a float: must be a torch.Tensor"):
        plasticity.oja(given["E"], given["x_pre"], 0.5, 0.1)


@pytest.mark.parametrize("name", ["x_pre", "x_post"])
def test_traces_of_another_dtype_than_the_efficacies_are_refused_by_name(name):
    traces = {"x_pre": torch.zeros(2, 5), "x_post": torch.zeros(2, 4)}
    traces[name] = traces[name].double()
    for update in (plasticity.oja, plasticity.hebb):
        with pytest.raises(TypeError, match=f"{name} has dtype torch.float64: must be torch.float32, that of E"):
            update(torch.zeros(2, 4, 5), *traces.values(), 0.1)


def test_stdp_refuses_spikes_of_another_shape_by_name():
    one = torch.ones(2, 4)
    seen = Seen(torch.ones(2, 5), one, torch.ones(2, 5), one, one, one)
    with pytest.raises(ValueError, match=re.escape("s_post.shape = (2, 1): must be (2, 4)")):
        plasticity.stdp(torch.zeros(2, 4, 5), seen._replace(s_post=torch.ones(2, 1)), 1.0, 1.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: STDP(1.0, 0.0),
        lambda: STDP(-1.0),
        lambda: Hebb(0.0),
        lambda: Oja(0.0),
        lambda: Oja(-1.0),
        lambda: Oja(float("nan")),
        lambda: BCM(1.0, tau_theta=0.0),
    ],
)
def test_bad_values_are_refused_by_name(make):
    with pytest.raises(ValueError, match=r"(eta|eta_plus|eta_minus|tau_theta) = .*must be a finite number > 0"):
        make()


@pytest.mark.parametrize("rate", [None, "a", [0.1]])
def test_a_rate_that_is_no_number_is_refused_by_name(rate):
    E, x_pre, x_post, theta = traces()
    with pytest.raises(TypeError, match=f"rate is a {type(rate).__name__}: must be a number or a torch.Tensor"):
        plasticity.oja(E, x_pre, x_post, rate)
    with pytest.raises(TypeError, match=f"theta is a {type(rate).__name__}: must be a number or a torch.Tensor"):
        plasticity.bcm(E, x_pre, x_post, rate, 0.1)


@pytest.mark.parametrize("shape", [(5,), (2, 1, 1, 1)])
def test_stdp_s_rates_are_one_number_each(shape):
    one = torch.ones(2, 4)
    seen = Seen(torch.ones(2, 5), one, torch.ones(2, 5), one, one, one)
    with pytest.raises(ValueError, match=re.escape(f"eta_plus.shape = {shape}: must be ()")):
        plasticity.stdp(torch.zeros(2, 4, 5), seen, torch.ones(shape), 1.0)
    with pytest.raises(ValueError, match=re.escape(f"eta_minus.shape = {shape}: must be ()")):
        plasticity.stdp(torch.zeros(2, 4, 5), seen, 1.0, torch.ones(shape))
