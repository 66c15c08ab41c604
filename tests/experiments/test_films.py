"""Films show the median walker, side by side, and say what became of it."""

import math

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from spikepropamine.experiments import films
from spikepropamine.experiments.sweeps import Store
from spikepropamine.experiments.walking_round_two import round_two


@pytest.fixture
def store(repository, tmp_path):
    return Store(tmp_path / "runs", repository / "book" / "results")


@pytest.mark.parametrize("name", ("snn", "dp-bcm", "mlp"))
def test_the_median_walker_has_as_many_policies_above_it_as_below(store, name):
    walker = films.median_walker(store, "Ant-v5", name)
    returns = store.results(round_two("ant", policies=[name]))[0]["return"]
    # of ten the lower one of the two in the middle
    assert len(returns) == 10 and (returns > walker.score).sum() == 5 and (returns < walker.score).sum() == 4
    assert walker.name == name


def test_of_an_even_number_the_lower_middle_is_shown(monkeypatch, store):
    runs = pd.DataFrame({"return": [4.0, 1.0, 3.0, 2.0], "seed": [0, 1, 2, 3], "config_hash": "x"})
    monkeypatch.setattr(Store, "results", lambda self, sweep: (runs, None))
    assert films.median_walker(store, "Ant-v5", "snn").seed == 3


def test_what_nobody_has_trained_is_refused_by_name(store, tmp_path):
    with pytest.raises(ValueError, match="environment = 'Hopper'.*'Ant-v5'"):
        films.median_walker(store, "Hopper", "snn")
    with pytest.raises(ValueError, match="name = 'snn': must be a policy with a finished run on Ant-v5"):
        films.median_walker(Store(tmp_path / "none", tmp_path), "Ant-v5", "snn")


def test_a_film_holds_as_many_pictures_as_its_takes_and_shows_them_side_by_side(tmp_path):
    imageio = pytest.importorskip("imageio.v2")
    pytest.importorskip("imageio_ffmpeg")
    colours = (220, 20, 20), (20, 20, 220)
    takes = [films.Take([Image.new("RGB", (64, 48), colour)] * 10, 0.0, math.nan) for colour in colours]
    path = tmp_path / "film.mp4"
    path.write_bytes(films.film(takes))
    pictures = [picture for picture in imageio.get_reader(path)]  # it says that it is endless
    assert len(pictures) == 10 and pictures[0].shape == (48, 128, 3)
    left, right = (
        np.asarray(pictures[5], float)[:, :64].mean((0, 1)),
        np.asarray(pictures[5], float)[:, 64:].mean((0, 1)),
    )
    assert left[0] > 150 > left[2] and right[2] > 150 > right[0]
