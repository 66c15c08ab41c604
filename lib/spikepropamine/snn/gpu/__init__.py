"""The fused path on a GPU: Triton kernels and their hand-derived backward passes; only :mod:`.kernels` needs Triton."""
