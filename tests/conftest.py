from pathlib import Path

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def one_seed():
    """Layers that a test makes without a seed of their own start alike in every run."""
    torch.manual_seed(0)


@pytest.fixture
def repository():
    return Path(__file__).parent.parent
