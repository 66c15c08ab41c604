"""The fused path on the CPU: compiled kernels and their hand-derived backward passes."""
