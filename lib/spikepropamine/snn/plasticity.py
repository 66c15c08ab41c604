"""The plasticity rules: what a synapse's efficacy E does at one tick.

Every rule here is local and linear in the presynaptic trace and in E,

    Δ_ji = growth(x_j, θ_j) x_i + decay(x_j, θ_j) E_ji,

so a rule is two functions of the postsynaptic neuron, each written once and used everywhere:

``*_coefficients(x_post, theta)``
    growth and decay. Plain arithmetic: the same function serves tensors (the reference path)
    and vectors of neurons in compiled code (the fused path).
``*_slopes(x_post, theta)``
    their derivatives, for the fused backward pass. A test holds them to autograd's.

To add a rule: write these two beside its equation, and a class with both names below it. A rule
that is not of this form overrides :meth:`Rule.update` and runs on the reference path.

Axes: batch B, postsynaptic Q, presynaptic P. E is (B, Q, P), x_pre (B, P), x_post and
theta (B, Q). ``rate`` is η·M: a number, or (B, Q) where a modulator differs per neuron.
"""

import inspect
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import require_choice, require_positive


def oja_coefficients(x_post, theta):
    # Δ_ji = x_j (x_i − x_j E_ji) = x_j · x_i − x_j² · E_ji
    return x_post, -x_post * x_post


def oja_slopes(x_post, theta):
    # ∂growth/∂x_j = 1    ∂decay/∂x_j = −2 x_j    ∂growth/∂θ_j = 0    ∂decay/∂θ_j = 0
    return 1 + 0 * x_post, -2 * x_post, 0 * x_post, 0 * x_post


def bcm_coefficients(x_post, theta):
    # Δ_ji = x_i x_j (x_j − θ_j) = x_j (x_j − θ_j) · x_i + 0 · E_ji
    return x_post * (x_post - theta), 0 * x_post


def bcm_slopes(x_post, theta):
    # ∂growth/∂x_j = 2 x_j − θ_j    ∂decay/∂x_j = 0    ∂growth/∂θ_j = −x_j    ∂decay/∂θ_j = 0
    return 2 * x_post - theta, 0 * x_post, -x_post, 0 * x_post


def _update(coefficients: Callable, E: Tensor, x_pre: Tensor, x_post: Tensor, theta, rate) -> Tensor:
    # E'_ji = E_ji + η M_j (growth_j x_i + decay_j E_ji), before the clip
    growth, decay = (rate * c for c in coefficients(x_post, theta))
    return E + (growth.unsqueeze(-1) * x_pre.unsqueeze(-2) + decay.unsqueeze(-1) * E)


def oja(E: Tensor, x_pre: Tensor, x_post: Tensor, rate: Tensor | float) -> Tensor:
    """One update by Oja's rule, before the clip: ``E + rate · x_j (x_i − x_j E_ji)``.

    Hebbian growth with a decay that holds each neuron's weight vector near unit norm; on
    stationary input it converges to the leading principal component.

    Source: E. Oja (1982), A simplified neuron model as a principal component analyzer.

    Args:
        E: efficacies, (B, Q, P).
        x_pre: presynaptic traces, (B, P), in [0, 1].
        x_post: postsynaptic traces, (B, Q), in [0, 1].
        rate: η·M, a scalar or (B, Q).

    Returns:
        The updated efficacies, (B, Q, P).
    """
    return _update(oja_coefficients, E, x_pre, x_post, 0.0, rate)


def bcm(E: Tensor, x_pre: Tensor, x_post: Tensor, theta: Tensor, rate: Tensor | float) -> Tensor:
    """One update by the BCM rule, before the clip: ``E + rate · x_i x_j (x_j − θ_j)``.

    Potentiation above the threshold θ, depression below it. θ slides with recent activity
    (:func:`slide`), which makes a neuron selective instead of letting it run away.

    Source: E. L. Bienenstock, L. N. Cooper, P. W. Munro (1982), Theory for the development
    of neuron selectivity.

    Args:
        E: efficacies, (B, Q, P).
        x_pre: presynaptic traces, (B, P), in [0, 1].
        x_post: postsynaptic traces, (B, Q), in [0, 1].
        theta: the sliding threshold, (B, Q).
        rate: η·M, a scalar or (B, Q).

    Returns:
        The updated efficacies, (B, Q, P).
    """
    return _update(bcm_coefficients, E, x_pre, x_post, theta, rate)


def slide(theta: Tensor, x_post: Tensor, step: float) -> Tensor:
    """The BCM threshold one tick later: ``θ + (dt/τ_θ)(x_j² − θ)``; ``step`` is dt/τ_θ."""
    # θ_j[t+1] = θ_j[t] + (dt/τ_θ)(x_j[t]² − θ_j[t])
    return theta + step * (x_post * x_post - theta)


class Rule(nn.Module):
    """A plasticity rule that owns its learned rate η = softplus(raw) > 0.

    Subclasses name the rule's local functions; nothing else differs between rules.

    Args:
        eta: the rate η at the start of training, > 0, per tick.
    """

    name: ClassVar[str]
    coefficients: ClassVar[Callable]
    slopes: ClassVar[Callable]
    decays: ClassVar[bool]  # whether the decay coefficient is ever other than zero
    rates: ClassVar[tuple[str, ...]] = ("eta",)  # the arguments that learned rates start from
    tau_theta: float | None = None

    def __init__(self, eta: float):
        super().__init__()
        require_positive("eta", eta)
        # softplus⁻¹(η), in float64 so that η is met to the last bit of float32
        raw = torch.tensor(eta, dtype=torch.float64)
        self.raw_eta = nn.Parameter((raw + torch.log(-torch.expm1(-raw))).to(torch.get_default_dtype()))

    @property
    def eta(self) -> Tensor:
        """The learned rate η, a scalar > 0."""
        return F.softplus(self.raw_eta)

    @classmethod
    def defaults(cls) -> dict[str, float]:
        """The default of each argument of the rule."""
        return {name: parameter.default for name, parameter in inspect.signature(cls).parameters.items()}

    def theta_step(self, dt: float) -> float:
        """dt/τ_θ: how far the sliding threshold moves in one tick; 0 for a rule without one."""
        return dt / self.tau_theta if self.tau_theta else 0.0

    def update(self, E: Tensor, x_pre: Tensor, x_post: Tensor, theta: Tensor, rate: Tensor) -> Tensor:
        """``E + rate · Δ``, before the clip; shapes as in :func:`oja` and :func:`bcm`."""
        return _update(type(self).coefficients, E, x_pre, x_post, theta, rate)


class Oja(Rule):
    """Oja's rule (:func:`oja`) with a learned rate.

    Args:
        eta: the rate at the start of training, > 0. The default is this project's choice.
    """

    name = "oja"
    coefficients = staticmethod(oja_coefficients)
    slopes = staticmethod(oja_slopes)
    decays = True

    def __init__(self, eta: float = 5.0):
        super().__init__(eta)


class BCM(Rule):
    """The BCM rule (:func:`bcm`) with a learned rate and a sliding threshold.

    Args:
        eta: the rate at the start of training, > 0. The default is this project's choice.
        tau_theta: time constant of the sliding threshold in milliseconds, > 0.
    """

    name = "bcm"
    coefficients = staticmethod(bcm_coefficients)
    slopes = staticmethod(bcm_slopes)
    decays = False

    def __init__(self, eta: float = 20.0, tau_theta: float = 500.0):
        super().__init__(eta)
        require_positive("tau_theta", tau_theta)
        self.tau_theta = tau_theta


RULES: dict[str, type[Rule]] = {rule.name: rule for rule in (Oja, BCM)}


def make_rule(name: str, **arguments: float) -> Rule:
    """A rule by name, one of RULES, with arguments of its class.

    Raises:
        ValueError: an unknown rule or argument, listing the known ones; a value that the rule refuses.
    """
    require_choice("rule", name, RULES)
    known = inspect.signature(RULES[name]).parameters
    for argument in arguments:
        require_choice(f"argument of rule {name}", argument, known)
    return RULES[name](**arguments)
