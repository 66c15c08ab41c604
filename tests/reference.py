"""The method in float64 NumPy, one synapse at a time, written from the equations and from nothing else."""

import math

import numpy as np


def simulate(spikes, W, b, alpha, eta, rule, V=None, c=None, *, beta, threshold=1.0, decay, theta_step, e_max):
    """Spikes (T, P) of one trial through one plastic layer; returns what each tick leaves behind."""
    T, P = spikes.shape
    Q = len(b)
    E, v, theta = np.zeros((Q, P)), np.zeros(Q), np.zeros(Q)
    x_pre, x_post = np.zeros(P), np.zeros(Q)
    history = {"s": [], "v": [], "E": [], "theta": [], "M": []}
    for t in range(T):
        s_post = np.zeros(Q)
        for j in range(Q):
            current = b[j] + sum((W[j, i] + alpha[j, i] * E[j, i]) * spikes[t, i] for i in range(P))
            reset = threshold if v[j] > threshold else 0.0
            v[j] = beta * v[j] + current - reset
            s_post[j] = 1.0 if v[j] > threshold else 0.0
        x_pre = decay * x_pre + (1 - decay) * spikes[t]
        x_post = decay * x_post + (1 - decay) * s_post
        M = np.ones(Q)
        if V is not None:
            M = np.array([math.tanh(sum(V[j, k] * x_post[k] for k in range(Q)) + c[j]) for j in range(Q)])
        E_next = np.empty_like(E)
        for j in range(Q):
            for i in range(P):
                if rule == "oja":
                    change = x_post[j] * (x_pre[i] - x_post[j] * E[j, i])
                elif rule == "bcm":
                    change = x_pre[i] * x_post[j] * (x_post[j] - theta[j])
                else:
                    raise ValueError(f"rule = {rule!r}: must be one of 'oja', 'bcm'")
                E_next[j, i] = min(max(E[j, i] + eta * M[j] * change, -e_max), e_max)
        E = E_next
        if rule == "bcm":
            theta = theta + theta_step * (x_post**2 - theta)
        for name, value in (("s", s_post), ("v", v), ("E", E), ("theta", theta), ("M", M)):
            history[name].append(np.array(value))
    return {name: np.stack(values) for name, values in history.items()}
