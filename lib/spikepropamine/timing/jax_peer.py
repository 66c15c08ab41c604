"""The training step of :mod:`spikepropamine.timing.benchmark` in JAX: what a user who knows ``jax.lax.scan`` would write.

The same equations, sizes, inputs and initial weights as the PyTorch network; a test holds its gradients to the fused
path's. JAX is an optional extra, imported where it is needed.
"""

import math
from collections.abc import Callable

import numpy as np
from torch import Tensor

from ..checks import require
from ..snn.networks import SpikingNetwork


def weights(network: SpikingNetwork) -> dict[str, np.ndarray]:
    """The learned parameters of a plastic ``network`` by name."""
    return {name: p.detach().cpu().numpy() for name, p in network.named_parameters()}


def training_step(network: SpikingNetwork, spikes: Tensor, checkpointing: bool) -> tuple[Callable, tuple]:
    """A compiled function from weights and spikes to the loss and its gradients, and those two as JAX arrays.

    Args:
        network: a plastic network; its weights are copied.
        spikes: the input, (T, B, P).
        checkpointing: whether the ticks are run in segments of about √T under ``jax.checkpoint``.

    Raises:
        ValueError: neurons that learn their β or threshold.
    """
    import jax
    import jax.numpy as jnp

    # products in the dtype of their factors, which on a GPU is not the default
    jax.config.update("jax_default_matmul_precision", "highest")
    if network.readout.weight.itemsize == 8:
        jax.config.update("jax_enable_x64", True)
    layer, neuron = network.synapses, network.neuron
    learned = [name for part in (neuron, network.integrator) for name, _ in part.named_parameters()]
    require(not learned, "network", learned, "one whose neurons learn no constants")
    beta, threshold, slope = float(neuron.beta), float(neuron.threshold), neuron.spike_grad.slope
    beta_readout, keep, e_max = float(network.integrator.beta), layer.trace_decay, layer.e_max
    modulated, rule, theta_step = layer.modulated, type(layer.rule), layer.rule.theta_step(layer.dt)

    @jax.custom_jvp
    def fire(u):
        return (u > 0).astype(u.dtype)

    @fire.defjvp
    def surrogate(primals, tangents):
        (u,), (du,) = primals, tangents
        return fire(u), du / (1 + slope * jnp.abs(u)) ** 2

    def tick(w, state, s):
        E, v, x, y, theta, readout = state
        synapse = w["synapses.weight"] + w["synapses.alpha"] * E
        current = w["synapses.bias"] + jnp.einsum("bqp,bp->bq", synapse, s)
        v = beta * v + current - threshold * jax.lax.stop_gradient(fire(v - threshold))
        out = fire(v - threshold)
        x, y = keep * x + (1 - keep) * s, keep * y + (1 - keep) * out
        rate = jax.nn.softplus(w["synapses.rule.raw_eta"])
        if modulated:
            rate = rate * jnp.tanh(y @ w["synapses.modulator_weight"].T + w["synapses.modulator_bias"])
        growth, decay = rule.coefficients(y, theta)
        grown = (rate * growth)[..., None] * x[:, None, :] + (rate * decay)[..., None] * E
        theta = theta + theta_step * (y * y - theta)
        readout = beta_readout * readout + out @ w["readout.weight"].T + w["readout.bias"]
        return (jnp.clip(E + grown, -e_max, e_max), v, x, y, theta, readout), readout

    def loss(w, spikes):
        T, B, P = spikes.shape
        Q, classes = w["synapses.weight"].shape[0], w["readout.bias"].shape[0]
        state = [jnp.zeros(shape, spikes.dtype) for shape in ((B, Q, P), (B, Q), (B, P), (B, Q), (B, Q), (B, classes))]

        def run(state, part):
            return jax.lax.scan(lambda state, s: tick(w, state, s), state, part)

        if checkpointing:
            length = next(n for n in range(math.isqrt(T), 0, -1) if T % n == 0)
            _, readout = jax.lax.scan(jax.checkpoint(run), tuple(state), spikes.reshape(-1, length, B, P))
        else:
            _, readout = run(tuple(state), spikes)
        return jnp.mean(readout**2)

    given = {name: jnp.asarray(value) for name, value in weights(network).items()}, jnp.asarray(spikes.cpu().numpy())
    return jax.jit(jax.value_and_grad(loss)).lower(*given).compile(), given


def prepared(network: SpikingNetwork, spikes: Tensor, checkpointing: bool) -> Callable[[], None]:
    """A :func:`training_step` that is run and waited for."""
    import jax

    run, given = training_step(network, spikes, checkpointing)
    return lambda: jax.block_until_ready(run(*given)) and None
