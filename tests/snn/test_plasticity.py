import pytest
import torch

from spikepropamine.snn import plasticity
from spikepropamine.snn.plasticity import BCM, RULES, Oja


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


@pytest.mark.parametrize("rule", RULES.values())
def test_slopes_are_the_derivatives_of_the_coefficients(rule):
    _, _, x, theta = traces()
    x.requires_grad_()
    theta.requires_grad_()
    for k, coefficient in enumerate(rule.coefficients(x, theta)):
        by_x, by_theta = torch.autograd.grad(coefficient.sum(), (x, theta), allow_unused=True, materialize_grads=True)
        slopes = rule.slopes(x, theta)
        torch.testing.assert_close(slopes[k], by_x)
        torch.testing.assert_close(slopes[k + 2], by_theta)


def test_gradcheck_of_both_rules():
    E, x, y, theta = (value.requires_grad_() for value in traces(2, 3, 2))
    rate = torch.rand(2, 3, dtype=torch.float64, requires_grad=True)
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


@pytest.mark.parametrize("eta", [1e-3, 1.0, 5.0, 100.0])
def test_eta_starts_where_it_is_put(eta):
    assert Oja(eta).eta.item() == pytest.approx(eta, rel=1e-5)


@pytest.mark.parametrize(
    "make", [lambda: Oja(0.0), lambda: Oja(-1.0), lambda: Oja(float("nan")), lambda: BCM(1.0, tau_theta=0.0)]
)
def test_bad_values_are_refused_by_name(make):
    with pytest.raises(ValueError, match=r"(eta|tau_theta) = .*must be a finite number > 0"):
        make()
