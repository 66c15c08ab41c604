import numpy as np
import pandas as pd
import pytest

from spikepropamine.book.judges import walking_by_policies as judges
from spikepropamine.book.judges.judge import VERDICTS

YES, PARTLY, NO, _ = VERDICTS
PLASTIC = ("dp-oja", "dp-bcm", "ndp-oja", "ndp-bcm")
ANT, CHEETAH = "Ant-v5", "HalfCheetah-v5"


def walked(round, trained=lambda robot, name: 3000.0, kept=lambda robot, name: 0.95, seeds=10):
    """Measurements of every network on both robots: what it returns, and the share of progress that each condition leaves.

    An ant has a bonus of 1 for each of 500 steps on top of its progress, which no condition takes away.
    """
    rng, rows = np.random.default_rng(1), []
    for robot, bonus in ((ANT, 500.0), (CHEETAH, 0.0)):
        for name in ("snn", *PLASTIC, "mlp"):
            for seed in range(seeds):
                progress = trained(robot, name) - bonus
                share = kept(robot, name)
                for condition, strength in {"training": np.nan, **round.conditions}.items():
                    this = share(condition) if callable(share) else share + rng.normal(0, 0.005)
                    rows.append(
                        {
                            "environment": robot,
                            "network": name,
                            "seed": seed,
                            "condition": condition,
                            "strength": strength,
                            "length": 500.0,
                            "return": bonus + progress * (1.0 if condition == "training" else this),
                        }
                    )
    return pd.DataFrame(rows)


def decided(judge, walks, round):
    (claim,) = [one for one in round.claims if one.judge == judge]
    how = judges.JUDGES[judge]
    assert how.rests_on(claim, round) == ["novel-conditions-round-two"]
    evidence = how.gather({"novel-conditions-round-two": walks}, claim, round)
    return None if evidence is None else how.decide(evidence, round)


@pytest.mark.parametrize("judge", judges.JUDGES)
def test_both_robots_and_every_condition_of_ten_seeds_are_asked_for(judge, round_two):
    walks = walked(round_two)
    assert decided(judge, walks, round_two) is not None and decided(judge, walks[:0], round_two) is None
    for lacking in (
        (walks.environment == ANT) & (walks.network == "mlp") & (walks.seed == 9),
        (walks.network == "snn") & (walks.seed == 3) & (walks.condition == "heavy"),
        walks.environment == CHEETAH,
    ):
        assert decided(judge, walks[~lacking], round_two) is None


@pytest.mark.parametrize("judge", judges.JUDGES)
def test_one_robot_is_judged_by_itself_as_it_would_be_beside_its_equal(judge, round_two):
    walks = walked(round_two, kept=lambda robot, name: 0.92 if name in PLASTIC[:2] else 0.85)
    ant = walks[walks.environment == ANT]
    assert decided(judge, ant, round_two) is None and judges.on_one_robot(judge, walks[:0], round_two, ANT) is None
    alone, both = judges.on_one_robot(judge, ant, round_two, ANT), decided(judge, walks, round_two)
    assert {n: f.verdict for n, f in alone.found.items()} == {n: f.verdict for n, f in both.found.items()}
    assert all(finding.of == 1 for finding in alone.found.values())


def test_a_network_walks_by_the_lower_end_of_its_interval_on_both_robots(round_two):
    assert decided("walks_on_both", walked(round_two), round_two).verdict == YES
    fails = walked(round_two, trained=lambda robot, name: 1999.0 if (robot, name) == (ANT, "dp-bcm") else 3000.0)
    part = decided("walks_on_both", fails, round_two)
    assert part.verdict == PARTLY and part.found["dp-bcm"].verdict == PARTLY and part.found["dp-bcm"].met == 1
    assert part.deciding.what == "dp-bcm on Ant-v5, return" and part.found["dp-oja"].reason.startswith("Ant-v5 3,000")
    assert decided("walks_on_both", walked(round_two, trained=lambda *_: 1000.0), round_two).verdict == NO


def test_reaching_the_ordinary_network_asks_snn_too(round_two):
    near = walked(round_two, trained=lambda robot, name: 2700.0 if name != "mlp" else 3000.0)
    assert decided("reaches_ordinary", near, round_two).verdict == YES
    behind = walked(round_two, trained=lambda robot, name: {"mlp": 3000.0, "snn": 2690.0}.get(name, 2700.0))
    assert decided("reaches_ordinary", behind, round_two).verdict == PARTLY
    assert decided("reaches_ordinary", behind, round_two).found["snn"].verdict == NO


def test_what_is_gained_under_one_condition_makes_up_for_no_loss_under_another(round_two):
    def both_ways(condition):
        return {"low friction": 4.0, "high friction": 0.1, "lame leg": 0.2}.get(condition, 1.0)

    assert np.mean([both_ways(c) for c in round_two.conditions]) > 1
    walks = walked(round_two, kept=lambda robot, name: both_ways)
    decision = decided("keeps_progress", walks, round_two)
    assert decision.verdict == PARTLY and decision.deciding.interval.mean == pytest.approx((10 + 0.1 + 0.2) / 12)


def test_an_ant_that_only_stands_keeps_no_progress(round_two):
    stands = walked(round_two, kept=lambda robot, name: 0.0 if robot == ANT else 0.95)
    found = decided("keeps_progress", stands, round_two)
    assert found.verdict == PARTLY and all(finding.met == 1 for finding in found.found.values())


def test_losing_no_more_has_a_margin_and_keeping_more_has_none(round_two):
    def plastic_less(by):
        return walked(round_two, kept=lambda robot, name: 0.9 - (by if name in PLASTIC else 0.0))

    assert decided("loses_no_more_than_ordinary", plastic_less(0.03), round_two).verdict == YES
    assert decided("loses_no_more_than_ordinary", plastic_less(0.06), round_two).verdict == NO
    assert decided("keeps_more_progress_than_plain", plastic_less(-0.03), round_two).verdict == YES
    assert decided("keeps_more_progress_than_plain", plastic_less(0.0), round_two).verdict != YES


def test_policies_are_what_is_resampled(round_two):
    """One policy of ten that loses everything widens the interval, though its twelve conditions agree with each other."""
    walks = walked(round_two, kept=lambda robot, name: 0.93)
    lost = walks["seed"].lt(4) & walks["condition"].ne("training") & walks["environment"].eq(CHEETAH)
    apart = decided("keeps_progress", walks.assign(**{"return": walks["return"].mask(lost, 0.0)}), round_two)
    assert apart.verdict == PARTLY and apart.deciding.what.endswith("on HalfCheetah-v5, progress kept")


def test_who_makes_no_way_in_training_keeps_nothing(round_two):
    """An ant that stands and then falls is not one that keeps all of its little less than nothing."""
    walks = walked(round_two)
    stands = walks["environment"].eq(ANT) & walks["network"].eq("ndp-bcm")
    trained, novel = stands & walks["condition"].eq("training"), stands & walks["condition"].ne("training")
    walks.loc[trained, ["return", "length"]] = [490.0, 500.0]
    walks.loc[novel, ["return", "length"]] = [-50.0, 30.0]
    found = decided("keeps_progress", walks, round_two).found
    assert found["ndp-bcm"].verdict == PARTLY and found["ndp-bcm"].reason.startswith("Ant-v5 0.00")
    assert found["dp-bcm"].verdict == YES


@pytest.mark.parametrize("judge", judges.JUDGES)
def test_a_condition_under_which_every_episode_diverged_is_nothing_kept(judge, round_two):
    walks = walked(round_two, kept=lambda robot, name: 0.93)
    policy = walks["environment"].eq(ANT) & walks["network"].eq("dp-oja")
    before = decided(judge, walks, round_two)
    walks.loc[policy & walks["condition"].isin(["slope", "pushes"]), ["return", "length"]] = np.nan
    after = decided(judge, walks, round_two)
    if judge == "keeps_progress":
        assert before.found["dp-oja"].met == 2 and after.found["dp-oja"].met == 1
        assert after.deciding.interval.mean == pytest.approx(0.93 * 10 / 12, abs=0.01)
    walks.loc[policy & walks["seed"].eq(3) & walks["condition"].eq("training"), ["return", "length"]] = np.nan
    last = decided(judge, walks, round_two)
    # who returned nothing in one of ten walks less far, and is no less a policy
    assert (last.found["dp-oja"].reason != before.found["dp-oja"].reason) and last.found["dp-bcm"] == before.found[
        "dp-bcm"
    ]


def test_another_strength_than_the_registered_one_does_not_count(round_two):
    walks = walked(round_two)
    other = walks["condition"].eq("heavy") & walks["seed"].eq(0) & walks["network"].eq("mlp")
    assert decided("walks_on_both", walks.assign(strength=walks.strength.mask(other, 9.0)), round_two) is None


def test_two_measurements_of_one_policy_are_refused(round_two):
    walks = walked(round_two)
    with pytest.raises(ValueError, match="many-to-one"):
        decided("keeps_progress", pd.concat([walks, walks]), round_two)
