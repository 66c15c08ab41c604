"""Policies that nothing has trained."""

import torch

from spikepropamine.experiments.locomotion import locomotion


def untrained(name="dp-oja", environment="half-cheetah"):
    """The configuration of a small policy, and weights as a run would have left them."""
    config = locomotion(environment, "smoke", policies=[name]).configs[0]
    n, _ = config.task.sizes()
    policy = config.build(0)
    weights = dict(policy.named_parameters()) | {
        "observation_mean": torch.zeros(n, dtype=torch.float64),
        "observation_var": torch.ones(n, dtype=torch.float64),
    }
    return config, {name: p.detach() for name, p in weights.items()}
