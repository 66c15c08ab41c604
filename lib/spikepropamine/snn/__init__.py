"""The small library: plasticity rules, layers, networks and how they run over time; needs torch, snntorch, numba and numpy alone."""
