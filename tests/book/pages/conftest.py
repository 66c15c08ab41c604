import matplotlib.pyplot as plt
import pytest

from spikepropamine.book import claims


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture
def definitions(repository):
    return claims.load_round(repository / "book" / "claims.yml").definitions
