"""The layers: a spiking neuron of snnTorch, and synapses that are plastic within a trial."""

import math
from typing import Any, NamedTuple, NoReturn, TypeVar

import snntorch
import torch
from torch import Tensor, nn

from ..checks import (
    autocast,
    placed,
    require,
    require_bool,
    require_count,
    require_dense,
    require_float32,
    require_matrix,
    require_positive,
    require_tensor,
    with_values,
)
from .plasticity import RULES, Rule, Seen, slide

Neuron = TypeVar("Neuron", bound=nn.Module)


class Step(torch.autograd.Function):
    """A spike where u > 0; backward, the ``derivative`` of the surrogate ``spike``. Under torch.func too."""

    generate_vmap_rule = True

    @staticmethod
    def forward(u, spike):
        return (u > 0).to(u.dtype)

    @staticmethod
    def setup_context(ctx, inputs, output):
        u, ctx.spike = inputs
        ctx.save_for_backward(u)
        ctx.save_for_forward(u)

    @staticmethod
    def backward(ctx, grad):
        (u,) = ctx.saved_tensors
        return grad * ctx.spike.derivative(u), None

    @staticmethod
    def jvp(ctx, tangent, _):
        (u,) = ctx.saved_tensors
        return tangent * ctx.spike.derivative(u)


class Spike:
    """A step forward, the surrogate derivative of ``snntorch.surrogate.fast_sigmoid`` backward.

    snnTorch's surrogates return float32 whatever they are given, which costs float64 runs their precision, and can be
    neither saved nor sent to another process. This keeps its input's dtype, and can; a test holds the derivatives equal.

    Args:
        slope: steepness k of the fast sigmoid, 1/(1 + k|u|)² (Zenke and Ganguli 2018).
    """

    def __init__(self, slope: float = 25.0):
        require_float32("slope", slope)
        self.slope = float(slope)

    def __call__(self, u: Tensor) -> Tensor:
        return Step.apply(u, self)

    def derivative(self, u: Tensor) -> Tensor:
        """The surrogate derivative ∂s/∂u at ``u``, any shape."""
        # ∂s/∂u = 1/(1 + k|u|)²
        return 1 / (1 + self.slope * u.abs()).square()


def leaky(
    tau: float, dt: float = 5.0, slope: float = 25.0, learn_beta: bool = False, learn_threshold: bool = False
) -> snntorch.Leaky:
    """The hidden neuron: ``snntorch.Leaky`` with β = exp(−dt/τ), threshold 1, reset by subtraction.

    Args:
        tau: membrane time constant in milliseconds, > 0.
        dt: tick in milliseconds, > 0.
        slope: steepness of the surrogate gradient, > 0.
        learn_beta, learn_threshold: whether these are learned from there on, one of each for all neurons
            (a membrane time constant that is learned: Fang et al. 2021, doi:10.1109/ICCV48922.2021.00266).
    """
    learned = {"learn_beta": learn_beta, "learn_threshold": learn_threshold}
    for name, value in learned.items():
        require_bool(name, value)
    return made(snntorch.Leaky, beta=_beta(tau, dt), threshold=1.0, spike_grad=Spike(slope), **learned)


def integrator(tau: float, dt: float, learn_beta: bool = False) -> snntorch.Leaky:
    """The neuron of a leaky, non-spiking readout: ``snntorch.Leaky`` with β = exp(−dt/τ) and no reset.

    Args:
        tau: time constant in milliseconds, > 0.
        dt: tick in milliseconds, > 0.
        learn_beta: as in :func:`leaky`.
    """
    require_bool("learn_beta", learn_beta)
    beta = _beta(tau, dt)
    return made(snntorch.Leaky, beta=beta, reset_mechanism="none", spike_grad=Spike(), learn_beta=learn_beta)


def _beta(tau: float, dt: float) -> float:
    require_positive("tau", tau)
    require_positive("dt", dt)
    return math.exp(-dt / tau)


def made(kind: type[Neuron], **options: Any) -> Neuron:
    """A neuron of snnTorch's on PyTorch's default device; snnTorch itself can make none where values cannot be read."""
    device = torch.get_default_device()
    with torch.device("cpu"):
        neuron = kind(**options)
    return neuron.to(device)


class PlasticState(NamedTuple):
    """What a plastic layer carries from tick to tick: nothing of it is learned."""

    E: Tensor  # (B, Q, P) plastic efficacies, in [−E_max, E_max]
    x_pre: Tensor  # (B, P) presynaptic traces, in [0, 1] where spikes are 0 or 1
    x_post: Tensor  # (B, Q) postsynaptic traces, likewise
    theta: Tensor  # (B, Q) sliding threshold; stays 0 under a rule that has none

    def to(self, *arguments, **options) -> "PlasticState":
        """As ``Tensor.to``, of every part."""
        return PlasticState(*(part.to(*arguments, **options) for part in self))

    def detach(self) -> "PlasticState":
        """The same values without their history, as in truncated backpropagation through time."""
        return PlasticState(*(part.detach() for part in self))


def as_spikes(name: str, spikes: Tensor, dtype: torch.dtype) -> Tensor:
    """``spikes`` in ``dtype``, that of the weights: bool and integers are converted, and under autocast what a layer gave.

    Raises:
        TypeError: no tensor, or numbers of another floating-point dtype, whose conversion would hide a mistake.
    """
    if not isinstance(spikes, Tensor):
        raise TypeError(f"{name} is a {type(spikes).__name__}: must be a torch.Tensor")
    require_dense(name, spikes)
    if not (spikes.is_floating_point() or spikes.is_complex() or spikes.is_quantized):
        return spikes.to(dtype)
    if spikes.dtype == dtype:
        return spikes
    if spikes.dtype in (torch.float16, torch.bfloat16) and autocast(spikes):
        return spikes.to(dtype)
    allowed = f"must be {dtype}, the dtype of the weights, bool or integer"
    theirs = " (snnTorch's surrogates return float32 whatever they are given; spikepropamine.snn.layers.Spike does not)"
    raise TypeError(f"{name} has dtype {spikes.dtype}: {allowed}{theirs if spikes.dtype == torch.float32 else ''}")


class PlasticLinear(nn.Module):
    """A linear layer whose synapses each have a fixed weight and a plastic efficacy.

    ``I_j = b_j + Σ_i (W_ji + α_ji E_ji) s_i``: W, b, α and the rule's rate η are learned by
    gradient descent across trials; E starts each trial at zero and is written by the rule
    within it (differentiable plasticity, Miconi et al. 2018). Where ``modulated``, the layer's
    own activity gates the rule: ``M_j = tanh(Σ_k V_jk x_k + c_j)`` (Miconi et al. 2019).

    State is passed, never kept: ``state = layer.initial_state(B)``, then at each tick
    ``layer.current(s_pre, state)`` and ``state = layer.step(s_pre, s_post, state)``. The current is that of E before the tick.

    Parameters: ``weight`` W and ``alpha`` α, (Q, P); ``bias`` b, (Q,); ``rule.raw_eta``, a scalar; where modulated
    ``modulator_weight`` V, (Q, Q), and ``modulator_bias`` c, (Q,). W, V start normal with a standard deviation of 1/√P and 1/√Q, α with one of 0.1.

    Traces are ``x[t] = λ x[t−1] + (1 − λ) s[t]`` with λ = exp(−dt/tau_trace), so a spike adds less to them the shorter the tick
    is, and η is per tick: with another ``dt`` the same η writes another E, and has to be chosen anew.

    Args:
        in_features: presynaptic neurons P.
        out_features: postsynaptic neurons Q.
        rule: the plasticity rule, which owns η; its τ_θ, where it has one, at least ``dt``.
        modulated: whether V and c exist and gate the rule.
        e_max: bound of ``|E|``, > 0.
        dt: tick in milliseconds, > 0.
        tau_trace: time constant of both traces in milliseconds, > 0.
        device, dtype: of all parameters, the rule's among them.

    Raises:
        ValueError: naming the parameter, its value and what is allowed.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        rule: Rule,
        modulated: bool = False,
        e_max: float = 3.0,
        dt: float = 5.0,
        tau_trace: float = 100.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        require_count("in_features", in_features)
        require_count("out_features", out_features)
        require_bool("modulated", modulated)
        require_matrix(("in_features", in_features), ("out_features", out_features))
        if modulated:
            require_matrix(("out_features", out_features), ("out_features", out_features))
        known = ", ".join(f"{kind.__name__}()" for kind in RULES.values())
        require(isinstance(rule, Rule), "rule", rule, f"an instance of a plasticity.Rule: {known}, or your own")
        kind = type(rule)
        writes = hasattr(kind, "coefficients") or kind.update is not Rule.update or kind.advance is not Rule.advance
        require(
            writes,
            "rule",
            rule,
            "one that says how E changes, by its coefficients, or by an update or advance of its own",
        )
        require_float32("e_max", e_max)
        require_positive("dt", dt)
        require_positive("tau_trace", tau_trace)
        if rule.tau_theta is not None:
            require_positive("tau_theta of rule", rule.tau_theta)
            # a longer step than τ_θ overshoots: above 2 τ_θ it grows without bound
            require(rule.tau_theta >= dt, "tau_theta of rule", rule.tau_theta, f"at least dt, {dt:g} ms")
        self.in_features, self.out_features = in_features, out_features
        self.rule, self.modulated, self.e_max = rule, modulated, float(e_max)
        self._dt, self._tau_trace, self.trace_decay = float(dt), float(tau_trace), math.exp(-dt / tau_trace)
        with with_values(device):
            self.weight = nn.Parameter(torch.randn(out_features, in_features) / math.sqrt(in_features))
            self.bias = nn.Parameter(torch.zeros(out_features))
            self.alpha = nn.Parameter(0.1 * torch.randn(out_features, in_features))
            if modulated:
                self.modulator_weight = nn.Parameter(torch.randn(out_features, out_features) / math.sqrt(out_features))
                self.modulator_bias = nn.Parameter(torch.zeros(out_features))
        placed(self, device, dtype)

    @property
    def dt(self) -> float:
        """The tick in milliseconds; of a layer that is made it stays."""
        return self._dt

    @property
    def tau_trace(self) -> float:
        """The time constant of both traces in milliseconds; of a layer that is made it stays."""
        return self._tau_trace

    def initial_state(self, batch_size: int) -> PlasticState:
        """The state of ``batch_size`` trials before the first tick: zero efficacies, traces and thresholds.

        Raises:
            ValueError: no whole number of at least 1.
        """
        require_count("batch_size", batch_size)
        require_matrix(("batch_size", batch_size), ("synapses", self.weight.numel()))
        # E is laid out presynaptic-major, as the fused path reads it
        E = self.weight.new_zeros(batch_size, self.in_features, self.out_features).transpose(1, 2)
        x_pre = self.weight.new_zeros(batch_size, self.in_features)
        x_post = self.weight.new_zeros(batch_size, self.out_features)
        return PlasticState(E, x_pre, x_post, torch.zeros_like(x_post))

    def forward(self, *_: Any) -> NoReturn:
        """Not there: a tick takes both kinds of spikes and makes a state."""
        raise NotImplementedError(
            "PlasticLinear is not called: must be run by current and step, by scan with neurons, or as a PlasticLeaky"
        )

    def current(self, spikes: Tensor, state: PlasticState) -> Tensor:
        """The current into the postsynaptic neurons, (B, Q), of spikes (B, P).

        Raises:
            TypeError, ValueError: naming the argument, its type, dtype or shape, and the one that fits. That values are finite is
                left to :func:`~spikepropamine.snn.scan.scan`, as in :meth:`step`.
        """
        spikes = self._checked("spikes", spikes, self.in_features, self._require_state(state))
        # I_j = b_j + Σ_i (W_ji + α_ji E_ji) s_i
        synapse = self.weight + self.alpha * state.E
        return self.bias + torch.einsum("bqp,bp->bq", synapse, spikes)

    def modulator(self, x_post: Tensor) -> Tensor:
        """The gate M, (B, Q), of the postsynaptic traces (B, Q); ones where not modulated.

        Raises:
            TypeError, ValueError: traces that are no tensor of the weights' dtype and of this shape.
        """
        require_tensor("x_post", x_post, ("B", self.out_features), self.weight.dtype, finite=False)
        if not self.modulated:
            return torch.ones_like(x_post)
        # M_j = tanh(Σ_k V_jk x_k + c_j)
        return torch.tanh(nn.functional.linear(x_post, self.modulator_weight, self.modulator_bias))

    def step(self, pre_spikes: Tensor, post_spikes: Tensor, state: PlasticState) -> PlasticState:
        """The state one tick later, of the spikes (B, P) and (B, Q) of this tick.

        Raises:
            TypeError, ValueError: as in :meth:`current`; a rule that returns another E.
        """
        batch = self._require_state(state)
        pre_spikes = self._checked("pre_spikes", pre_spikes, self.in_features, batch)
        post_spikes = self._checked("post_spikes", post_spikes, self.out_features, batch)
        # x[t] = λ x[t−1] + (1 − λ) s[t]
        x_pre = self.trace_decay * state.x_pre + (1 - self.trace_decay) * pre_spikes
        x_post = self.trace_decay * state.x_post + (1 - self.trace_decay) * post_spikes
        # E[t+1] = clip(E[t] + η M Δ, −E_max, E_max)
        seen = Seen(pre_spikes, post_spikes, x_pre, x_post, state.theta, self.modulator(x_post))
        E = self.rule.advance(state.E, seen)
        name, like = f"{type(self.rule).__name__}.advance(E)", state.E
        require_tensor(name, E, tuple(like.shape), like.dtype, like.device, finite=False)
        E = E.clamp(-self.e_max, self.e_max)
        # θ[t+1] from x[t], after the rule has used θ[t]
        theta = slide(state.theta, x_post, self.rule.theta_step(self.dt))
        return PlasticState(E, x_pre, x_post, theta)

    def _require_state(self, state: PlasticState) -> int:
        """The batch of ``state``, once it is one of this layer."""
        if getattr(state, "_fields", None) != PlasticState._fields:
            raise TypeError(f"state is a {type(state).__name__}: must be a PlasticState, as initial_state makes it")
        (E, *_), weight, P, Q = state, self.weight, self.in_features, self.out_features
        require_tensor("state.E", E, ("B", Q, P), weight.dtype, weight.device, finite=False)
        for name, size in (("x_pre", P), ("x_post", Q), ("theta", Q)):
            require_tensor(
                f"state.{name}", getattr(state, name), (len(E), size), weight.dtype, weight.device, finite=False
            )
        return len(E)

    def _checked(self, name: str, spikes: Tensor, features: int, batch: int) -> Tensor:
        """Spikes of one tick in the weights' dtype, once their shape is that of the layer and of the state."""
        spikes = as_spikes(name, spikes, self.weight.dtype)
        allowed = f"({batch}, {features}): the state's batch, and the layer's neurons"
        require(spikes.shape == (batch, features), f"{name}.shape", tuple(spikes.shape), allowed)
        if spikes.device != self.weight.device:
            require(False, f"{name}.device", str(spikes.device), f"{str(self.weight.device)!r}, that of the weights")
        return spikes

    def extra_repr(self) -> str:
        sizes = f"in_features={self.in_features}, out_features={self.out_features}, modulated={self.modulated}"
        return f"{sizes}, e_max={self.e_max:g}, dt={self.dt:g}, tau_trace={self.tau_trace:g}"
