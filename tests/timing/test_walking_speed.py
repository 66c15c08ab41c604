import pytest

from spikepropamine.timing import walking_speed


def test_every_policy_is_timed_beside_the_simulator_alone():
    table, facts = walking_speed.measure("smoke", ["snn", "dp-oja"])
    assert facts == {"rounds": 1} and (table.steps_per_second > 0).all()
    for _, cell in table.groupby("environment"):
        cell = cell.set_index("network")
        assert list(cell.index) == ["snn", "dp-oja", walking_speed.RAW] and cell.share_of_raw[walking_speed.RAW] == 1
        # which of them is faster in a round this short, beside other work, is chance
        assert cell.share_of_raw.tolist() == pytest.approx(
            cell.steps_per_second / cell.steps_per_second[walking_speed.RAW]
        )


def test_nothing_to_time_is_refused_by_name():
    with pytest.raises(ValueError, match="policies = 0"):
        walking_speed.measure("smoke", [])
