"""Plastic synapses and their neurons as one module, to put into a network of your own."""

import snntorch
import torch
from torch import Tensor, nn

from ..checks import placed, require, require_bool, with_values
from .layers import PlasticLinear, as_spikes, leaky
from .plasticity import Rule
from .scan import HiddenState, initial_state, scan


class PlasticLeaky(nn.Module):
    """A :class:`~spikepropamine.snn.layers.PlasticLinear` layer and its ``snntorch.Leaky`` neurons.

    Called on a whole sequence it runs it, on the fused path where that applies; called on one tick it makes that tick,
    as snnTorch's neurons do::

        layer = PlasticLeaky(64, 32, Oja())
        out, state = layer(spikes)          # (T, B, 64) → (T, B, 32), from a state of zero
        out, state = layer(spikes[0])       # (B, 64) → (B, 32)
        out, state = layer(spikes[1], state)

    State is passed, never kept. It is a :class:`~spikepropamine.snn.scan.HiddenState`: potentials and the plastic state, with ``.to()`` and
    ``.detach()``.

    Args:
        in_features, out_features, rule, modulated, e_max, dt, tau_trace: as in :class:`~spikepropamine.snn.layers.PlasticLinear`.
        tau: membrane time constant in milliseconds, > 0; 20 where not given.
        slope: steepness of the surrogate gradient, > 0; 25 where not given.
        neuron: neurons of your own, without ``tau`` and ``slope``. Modules that are no ``snntorch.Leaky`` go with
            :func:`~spikepropamine.snn.scan.scan`.
        batch_first: whether sequences are (B, T, features) in place of (T, B, features).
        device, dtype: of all parameters.

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
        *,
        tau: float | None = None,
        slope: float | None = None,
        neuron: snntorch.Leaky | None = None,
        batch_first: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        require_bool("batch_first", batch_first)
        given = {name: value for name, value in (("tau", tau), ("slope", slope)) if value is not None}
        for name, value in given.items():
            require(neuron is None, name, value, "None where neuron is given, which has its own")
        with with_values(device):
            made = leaky(given.get("tau", 20.0), dt, given.get("slope", 25.0)) if neuron is None else neuron
        require(isinstance(made, snntorch.Leaky), "neuron", type(made).__name__, "a snntorch.Leaky, or None")
        require(not made.init_hidden, "init_hidden of neuron", made.init_hidden, "False: state is passed, never kept")
        with with_values(device):
            self.synapses = PlasticLinear(in_features, out_features, rule, modulated, e_max, dt, tau_trace)
        self.neuron, self.batch_first = made, batch_first
        placed(self, device, dtype)

    def initial_state(self, batch_size: int) -> HiddenState:
        """The state before the first tick: everything zero."""
        return initial_state(self.synapses, batch_size)

    def forward(self, spikes: Tensor, state: HiddenState | None = None) -> tuple[Tensor, HiddenState]:
        """The spikes of the neurons and the state after the last tick.

        Args:
            spikes: a sequence, (T, B, P) or, where ``batch_first``, (B, T, P); or one tick of B trials, (B, P),
                where PyTorch's recurrent layers would take two dimensions as one sequence without a batch. Of the weights'
                dtype, or bool or integers, which are converted; traces lie in [0, 1] where the input does.
            state: where to start; zero where not given.

        Raises:
            TypeError: spikes that are no tensor or of another dtype.
            ValueError: spikes of another shape.
        """
        sequence = as_spikes("spikes", spikes, self.synapses.weight.dtype)
        shape = tuple(sequence.shape)
        batch = shape[0 if self.batch_first or len(shape) < 3 else 1] if len(shape) in (2, 3) else 0
        require(batch > 0 and shape[-1] == self.synapses.in_features, "spikes.shape", shape, self._expected())
        if sequence.ndim == 2:
            out, state = scan(self.synapses, self.neuron, sequence.unsqueeze(0), state)
            return out.squeeze(0), state
        out, state = scan(self.synapses, self.neuron, sequence.transpose(0, 1) if self.batch_first else sequence, state)
        return out.transpose(0, 1) if self.batch_first else out, state

    def _expected(self) -> str:
        P = self.synapses.in_features
        return f"(B, {P}) for one tick, or {f'(B, T, {P})' if self.batch_first else f'(T, B, {P})'}, with B >= 1"

    def extra_repr(self) -> str:
        return f"batch_first={self.batch_first}"
