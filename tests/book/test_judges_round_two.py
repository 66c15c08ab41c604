import numpy as np
import pandas as pd
import pytest

from spikepropamine.book.judges import temporal_round_two as judges
from spikepropamine.book.judges.judge import VERDICTS, Claim, Definitions, Round
from spikepropamine.experiments.temporal_round_two import COMPARED

YES, PARTLY, NO, NOT_YET = VERDICTS
PLASTIC = ("dp-oja", "dp-bcm", "ndp-oja", "ndp-bcm")
CELL = "cue-reward-high"


def a_round(observer=1.0):
    definitions = Definitions(
        solved_at_least=0.95,
        failed_at_most=0.6,
        observer=observer,
        confidence=0.95,
        seeds_at_least=10,
        changed_at_least=0.01,
        significant_at=0.05,
        gain_above=0.0,
    )
    networks = {
        "plain": ("snn",),
        "plastic": PLASTIC,
        "modulated": ("ndp-oja", "ndp-bcm"),
        "equal_size": ("snn", "lsnn", "rsnn-long", "stp"),
        "more_parameters": ("lsnn-100",),
    }
    return Round(2, "", "", (), definitions, (CELL,), networks, {}, ())


def runs(accuracy, seeds=10, change=0.5):
    """A table of runs; ``accuracy`` and ``change`` may be functions of the network, and of the seed for ``change``."""
    rng, rows = np.random.default_rng(1), []
    for name, (kind, hidden) in COMPARED.items():
        for seed in range(seeds):
            moved = change(name, seed) if callable(change) else change
            plastic, modulated = name in PLASTIC, name.startswith("ndp")
            rows.append(
                {
                    "network.name": kind,
                    "network.n_hidden": hidden,
                    "seed": seed,
                    "accuracy": accuracy(name) + rng.normal(0, 0.002),
                    "change_synapses.weight": moved,
                    "change_synapses.alpha": moved if plastic else np.nan,
                    "change_synapses.rule.raw_eta": moved if plastic else np.nan,
                    "change_synapses.modulator_weight": moved if modulated else np.nan,
                }
            )
    return pd.DataFrame(rows)


def decided(judge, table, round=None):
    round, how = round or a_round(), judges.JUDGES[judge]
    claim = Claim("claim", "", "", judge, "", "", "", False, {})
    assert how.rests_on(claim, round) == [f"{CELL}-round-two"]
    evidence = how.gather({f"{CELL}-round-two": table}, claim, round)
    return None if evidence is None else how.decide(evidence, round)


def level(**others):
    return lambda name: others.get(name.replace("-", "_"), 0.98 if name in PLASTIC else 0.5)


@pytest.mark.parametrize("judge", judges.JUDGES)
def test_too_few_seeds_of_any_network_leave_a_claim_unjudged(judge):
    table = runs(level())
    short = table[~((table["network.name"] == "dp-oja") & (table["seed"] == 9))]
    assert decided(judge, short) is None and decided(judge, table) is not None
    assert decided(judge, table[:0]) is None


def test_the_best_traditional_network_is_beaten_on_both_counts_or_not_at_all():
    assert decided("beats_best_traditional", runs(level())).verdict == YES
    larger = decided("beats_best_traditional", runs(level(lsnn_100=0.99)))
    assert larger.verdict == NO and "lsnn-100" in larger.deciding.what
    equal = decided("beats_best_traditional", runs(level(stp=0.99)))
    assert equal.verdict == NO and "stp" in equal.deciding.what
    some = decided("beats_best_traditional", runs(level(lsnn=0.9, dp_oja=0.85)))
    assert some.verdict == PARTLY and some.found[CELL][2:4] == (3, 4)


def test_a_tie_is_no_gain():
    assert decided("beats_best_traditional", runs(level(lsnn=0.98))).verdict == NO


def test_solved_follows_the_ideal_observer_where_that_is_lower():
    table = runs(level(dp_oja=0.93, dp_bcm=0.93, ndp_oja=0.93, ndp_bcm=0.93))
    assert decided("every_rule_of_cells", table).verdict == NO
    assert decided("every_rule_of_cells", table, a_round(observer=0.96)).verdict == YES
    assert judges.thresholds(a_round(0.96).definitions) == pytest.approx((0.914, 0.592))


def test_the_memoryless_network_has_to_fail():
    assert decided("solves_where_memoryless_fails", runs(level())).verdict == YES
    assert decided("solves_where_memoryless_fails", runs(level(snn=0.98))).verdict == NO
    assert decided("solves_where_memoryless_fails", runs(level(dp_bcm=0.8))).verdict == PARTLY


def test_change_counts_on_average_and_one_seed_does_not_decide():
    one_still = lambda name, seed: 0.0 if seed == 3 else 0.2  # noqa: E731
    assert decided("learned_together_on_average", runs(level(), change=one_still)).verdict == YES
    none = decided("learned_together_on_average", runs(level(), change=0.001))
    assert none.verdict == NO and "mean relative change" in none.deciding.what
    one_unknown = lambda name, seed: np.nan if (name, seed) == ("ndp-oja", 3) else 0.2  # noqa: E731
    unknown = decided("learned_together_on_average", runs(level(), change=one_unknown))
    assert unknown.verdict == PARTLY and "; ndp-oja solves it, but not every part" in unknown.found[CELL].reason
    unmodulated = lambda name, seed: 0.2 if name.startswith("dp") else 0.0  # noqa: E731
    assert decided("learned_together_on_average", runs(level(), change=unmodulated)).verdict == NO
    one_of_each = lambda name, seed: 0.2 if name in ("dp-oja", "ndp-bcm") else 0.0  # noqa: E731
    assert decided("learned_together_on_average", runs(level(), change=one_of_each)).verdict == PARTLY
