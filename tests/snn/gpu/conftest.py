import os

import torch

if not torch.cuda.is_available():
    # Triton decides when it is imported: its interpreter runs the kernels on the CPU
    os.environ["TRITON_INTERPRET"] = "1"
