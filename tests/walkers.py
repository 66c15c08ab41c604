"""Policies that nothing has trained."""

from spikepropamine.experiments.locomotion import locomotion, untrained_weights


def untrained(name="dp-oja", environment="half-cheetah"):
    """The configuration of a small policy, and weights as a run would have left them."""
    config = locomotion(environment, "smoke", policies=[name]).configs[0]
    return config, untrained_weights(config)
