"""The plasticity rules: what a synapse's efficacy E does at one tick.

A rule that is local and linear in the presynaptic trace and in E,

    Δ_ji = growth(x_j, θ_j) x_i + decay(x_j, θ_j) E_ji,

as Oja's, BCM and the decaying Hebbian trace are, is two functions of the postsynaptic neuron, each written once and used
everywhere:

``*_coefficients(x_post, theta)``
    growth and decay. Plain arithmetic of both and of numbers written in place: the same function
    serves tensors (the reference path) and vectors of neurons in compiled code (the fused path).
    A function that uses anything else, or has other slopes, takes the reference path.
``*_slopes(x_post, theta)``
    their derivatives, for the fused backward pass. A test holds them to autograd's.

To add a rule: write these two beside its equation, a class with both names below it, and its name in RULES. A rule of
another form that needs traces alone overrides :meth:`Rule.update`; one that needs this tick's spikes, or more than one
learned rate, overrides :meth:`Rule.advance` too, as :class:`STDP` does. Both run on the reference path.

Axes: batch B, postsynaptic Q, presynaptic P. E is (B, Q, P), x_pre (B, P), x_post and
theta (B, Q). ``rate`` is η·M: a number, or (B, Q) where a modulator differs per neuron.
"""

import inspect
from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import require, require_choice, require_positive, require_tensor


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


def hebb_coefficients(x_post, theta):
    # Δ_ji = x_i x_j − E_ji = x_j · x_i − 1 · E_ji
    return x_post, 0 * x_post - 1


def hebb_slopes(x_post, theta):
    # ∂growth/∂x_j = 1    ∂decay/∂x_j = 0    ∂growth/∂θ_j = 0    ∂decay/∂θ_j = 0
    return 1 + 0 * x_post, 0 * x_post, 0 * x_post, 0 * x_post


def _update(coefficients: Callable, E: Tensor, x_pre: Tensor, x_post: Tensor, theta, rate) -> Tensor:
    # E'_ji = E_ji + η M_j (growth_j x_i + decay_j E_ji), before the clip
    _require_axes(E, {"x_pre": x_pre}, {"x_post": x_post}, {"theta": theta, "rate": rate})
    growth, decay = (rate * c for c in coefficients(x_post, theta))
    return E + (growth.unsqueeze(-1) * x_pre.unsqueeze(-2) + decay.unsqueeze(-1) * E)


def _require_axes(E: Tensor, pre: dict[str, Any], post: dict[str, Any], numbers_too: dict[str, Any]) -> None:
    """Refuse tensors that PyTorch would stretch to the axes of E: ``pre`` are (B, P), all others (B, Q), or one number."""
    for name, x in {"E": E, **pre, **post}.items():
        if not isinstance(x, Tensor):
            raise TypeError(f"{name} is a {type(x).__name__}: must be a torch.Tensor")
    for name, x in {**pre, **post}.items():
        if x.dtype != E.dtype:
            raise TypeError(f"{name} has dtype {x.dtype}: must be {E.dtype}, that of E")
    require(E.ndim >= 2, "E.shape", tuple(E.shape), "(B, Q, P)")
    *batch, neurons, inputs = E.shape
    for name, x in numbers_too.items():
        if not isinstance(x, (Tensor, Real)):
            raise TypeError(f"{name} is a {type(x).__name__}: must be a number or a torch.Tensor")
    each = {name: x for name, x in numbers_too.items() if isinstance(x, Tensor) and x.ndim}
    for length, tensors in ((inputs, pre), (neurons, post), (neurons, each)):
        for name, x in tensors.items():
            if x.shape != (*batch, length):
                axes = f"{(*batch, length)}, since E has the shape {tuple(E.shape)}"
                require(False, f"{name}.shape", tuple(x.shape), axes)


def oja(E: Tensor, x_pre: Tensor, x_post: Tensor, rate: Tensor | float) -> Tensor:
    """One update by Oja's rule, before the clip: ``E + rate · x_j (x_i − x_j E_ji)``.

    Hebbian growth with a decay. For one linear neuron, x_j = Σ_i E_ji x_i, it holds the weight vector near unit norm and converges
    to the leading principal component of stationary input. In a spiking layer, whose x_j has other causes, E goes towards x_i / x_j.
    An update overshoots where ``rate · x_j²`` is above 1, and above 2 it moves E away.

    Source: E. Oja (1982), A simplified neuron model as a principal component analyzer.

    Args:
        E: efficacies, (B, Q, P).
        x_pre: presynaptic traces, (B, P), in [0, 1].
        x_post: postsynaptic traces, (B, Q), in [0, 1].
        rate: η·M, a scalar or (B, Q).

    Returns:
        The updated efficacies, (B, Q, P).

    Raises:
        TypeError, ValueError: naming the argument, its shape and the one that fits E.
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

    Raises:
        TypeError, ValueError: naming the argument, its shape and the one that fits E.
    """
    return _update(bcm_coefficients, E, x_pre, x_post, theta, rate)


def hebb(E: Tensor, x_pre: Tensor, x_post: Tensor, rate: Tensor | float) -> Tensor:
    """One update of the decaying Hebbian trace, before the clip: ``E + rate · (x_i x_j − E_ji)``.

    E is a running mean of the product of both traces, over 1/rate ticks: old coincidences fade at the rate at which new
    ones are stored. Where a modulator makes ``rate`` negative, E grows away from the product instead, up to the clip.

    Source: T. Miconi, J. Clune, K. O. Stanley (2018), Differentiable plasticity: training plastic neural networks with
    backpropagation. There x_i is the presynaptic activity of the tick before; here both are traces of this tick.

    Args:
        E: efficacies, (B, Q, P).
        x_pre: presynaptic traces, (B, P), in [0, 1].
        x_post: postsynaptic traces, (B, Q), in [0, 1].
        rate: η·M, a scalar or (B, Q).

    Returns:
        The updated efficacies, (B, Q, P).

    Raises:
        TypeError, ValueError: naming the argument, its shape and the one that fits E.
    """
    return _update(hebb_coefficients, E, x_pre, x_post, 0.0, rate)


def stdp(E: Tensor, seen: "Seen", eta_plus: Tensor | float, eta_minus: Tensor | float) -> Tensor:
    """One update by pair-based spike-timing-dependent plasticity, before the clip: ``E + M_j (η₊ x_i s_j − η₋ x_j s_i)``.

    A postsynaptic spike strengthens a synapse by how recently its presynaptic neuron fired, a presynaptic spike weakens
    it by how recently the postsynaptic one did; every pair of spikes counts. A spike is in its own trace already, so two
    spikes in one tick count as both orders.

    Source: S. Song, K. D. Miller, L. F. Abbott (2000), Competitive Hebbian learning through spike-timing-dependent
    synaptic plasticity; with traces as in A. Morrison, M. Diesmann, W. Gerstner (2008), Phenomenological models of
    synaptic plasticity based on spike timing.

    Args:
        E: efficacies, (B, Q, P).
        seen: what the synapses see at this tick.
        eta_plus, eta_minus: the two rates, numbers > 0.

    Returns:
        The updated efficacies, (B, Q, P).

    Raises:
        TypeError, ValueError: naming the argument, its shape and the one that fits E.
    """
    # Δ_ji = M_j (η₊ x_i s_j − η₋ x_j s_i)
    spikes_and_traces = {"s_pre": seen.s_pre, "x_pre": seen.x_pre}, {"s_post": seen.s_post, "x_post": seen.x_post}
    _require_axes(E, *spikes_and_traces, {"gate": seen.gate})
    for name, eta in (("eta_plus", eta_plus), ("eta_minus", eta_minus)):
        if not isinstance(eta, Real):
            require_tensor(name, eta, (), E.dtype, E.device, finite=False)
    after = eta_plus * (seen.gate * seen.s_post).unsqueeze(-1) * seen.x_pre.unsqueeze(-2)
    before = eta_minus * (seen.gate * seen.x_post).unsqueeze(-1) * seen.s_pre.unsqueeze(-2)
    return E + after - before


class Seen(NamedTuple):
    """What the synapses of a layer see at one tick."""

    s_pre: Tensor  # (B, P) spikes
    s_post: Tensor  # (B, Q)
    x_pre: Tensor  # (B, P) traces, this tick's spikes among them
    x_post: Tensor  # (B, Q)
    theta: Tensor  # (B, Q) sliding threshold
    gate: Tensor  # (B, Q) modulator M


def slide(theta: Tensor, x_post: Tensor, step: float) -> Tensor:
    """The BCM threshold one tick later: ``θ + (dt/τ_θ)(x_j² − θ)``.

    Args:
        theta: θ, (B, Q).
        x_post: the postsynaptic traces x_j, (B, Q).
        step: dt/τ_θ, at most 1.

    Returns:
        θ, (B, Q).
    """
    # θ_j[t+1] = θ_j[t] + (dt/τ_θ)(x_j[t]² − θ_j[t])
    return theta + step * (x_post * x_post - theta)


class Rule(nn.Module):
    """A plasticity rule that owns its learned rate η = softplus(raw) > 0.

    Subclasses name the rule's local functions; for rules of the form that this module opens with nothing else differs.

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
        self.raw_eta = _raw_rate("eta", eta)

    @property
    def eta(self) -> Tensor:
        """The learned rate η, a scalar > 0."""
        return F.softplus(self.raw_eta)

    @classmethod
    def defaults(cls) -> dict[str, float | None]:
        """The default of each argument of the rule; None where it follows from another."""
        return {name: parameter.default for name, parameter in inspect.signature(cls).parameters.items()}

    def theta_step(self, dt: float) -> float:
        """dt/τ_θ: how far the sliding threshold moves in one tick of ``dt`` milliseconds; 0 for a rule without one."""
        return dt / self.tau_theta if self.tau_theta else 0.0

    def update(self, E: Tensor, x_pre: Tensor, x_post: Tensor, theta: Tensor, rate: Tensor) -> Tensor:
        """``E + rate · Δ``, before the clip; shapes as in :func:`oja` and :func:`bcm`."""
        return _update(type(self).coefficients, E, x_pre, x_post, theta, rate)

    def advance(self, E: Tensor, seen: Seen) -> Tensor:
        """E, (B, Q, P), one tick later, before the clip."""
        return self.update(E, seen.x_pre, seen.x_post, seen.theta, self.eta * seen.gate)


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


class Hebb(Rule):
    """A decaying Hebbian trace (:func:`hebb`) with a learned rate.

    Args:
        eta: the rate at the start of training, > 0: E is a mean over 1/η ticks. The default is this project's choice.
    """

    name = "hebb"
    coefficients = staticmethod(hebb_coefficients)
    slopes = staticmethod(hebb_slopes)
    decays = True

    def __init__(self, eta: float = 0.02):
        super().__init__(eta)


class STDP(Rule):
    """Pair-based spike-timing-dependent plasticity (:func:`stdp`) with two learned rates; on the reference path alone.

    ``eta`` of this rule is η₊.

    Args:
        eta_plus: the rate of strengthening at the start of training, > 0. The default is this project's choice.
        eta_minus: the rate of weakening, > 0; 1.05 times the other where not given, as in Song et al. (2000).
    """

    name = "stdp"
    rates = ("eta_plus", "eta_minus")

    def __init__(self, eta_plus: float = 1.0, eta_minus: float | None = None):
        require_positive("eta_plus", eta_plus)
        super().__init__(eta_plus)
        self.raw_eta_minus = _raw_rate("eta_minus", 1.05 * eta_plus if eta_minus is None else eta_minus)

    @property
    def eta_minus(self) -> Tensor:
        """The learned rate of weakening η₋, a scalar > 0."""
        return F.softplus(self.raw_eta_minus)

    def update(self, E: Tensor, x_pre: Tensor, x_post: Tensor, theta: Tensor, rate: Tensor) -> Tensor:
        """There is no update by traces alone."""
        raise TypeError("STDP.update sees no spikes: must be STDP.advance")

    def advance(self, E: Tensor, seen: Seen) -> Tensor:
        """As :meth:`Rule.advance`, by :func:`stdp`."""
        return stdp(E, seen, self.eta, self.eta_minus)


def _raw_rate(name: str, eta: float) -> nn.Parameter:
    """The parameter whose softplus is ``eta``."""
    require_positive(name, eta)
    # softplus⁻¹(η), in float64 so that η is met to the last bit of float32
    raw = torch.tensor(float(eta), dtype=torch.float64, device="cpu")
    raw = (raw + torch.log(-torch.expm1(-raw))).to(torch.get_default_dtype())
    require(bool(torch.isfinite(raw)), name, eta, f"a number that {raw.dtype} holds, and its softplus with it")
    return nn.Parameter(raw.to(torch.get_default_device()))


RULES: dict[str, type[Rule]] = {rule.name: rule for rule in (Oja, BCM, Hebb, STDP)}


def make_rule(name: str, **arguments: float) -> Rule:
    """A rule by name.

    Args:
        name: one of RULES.
        arguments: of its class, by name.

    Returns:
        An instance of that class.

    Raises:
        ValueError: an unknown rule or argument, listing the known ones; a value that the rule refuses.
    """
    require_choice("rule", name, RULES)
    known = inspect.signature(RULES[name]).parameters
    for argument in arguments:
        require_choice(f"argument of rule {name}", argument, known)
    return RULES[name](**arguments)
