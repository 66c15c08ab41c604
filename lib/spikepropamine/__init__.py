"""Differentiable plasticity in spiking neural networks, on snnTorch's neurons.

Start at :func:`spikepropamine.networks.build`; the equations are in :mod:`spikepropamine.plasticity`
and :mod:`spikepropamine.layers`, how they run over time in :mod:`spikepropamine.scan`.
"""
