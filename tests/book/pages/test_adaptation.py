import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from spikepropamine.book import claims
from spikepropamine.book.pages import adaptation as page
from spikepropamine.book.pages import adaptation_variants as variants
from spikepropamine.book.pages import lame_limbs
from spikepropamine.experiments.adaptation_task import (
    E_LESIONS,
    GAPS_S,
    LESIONS,
    TOLD,
    falls_silent,
    reminded,
    two_trials,
)
from spikepropamine.walking.memory_policies import MEMORIES
from spikepropamine.walking.two_trials import TwoTrials

NAMES = list(MEMORIES)


def runs_of(right, seeds=5):
    """Runs in which each network goes the right way in that share of its episodes, and E is what is remembered with."""
    rows = []
    for name in NAMES:
        for seed in range(seeds):
            share = right.get(name, 0.5) + 0.01 * (seed - 2)
            row = {"network": name, "seed": seed, "right": share, "score": 2 * share - 1, "config_hash": name}
            changed = {"all forgotten": 0.5, "all swapped": 1 - share, "gap 1 s": share, "gap 5 s": (share + 0.5) / 2}
            if "dp" in name:
                changed |= {
                    "E alone kept": share,
                    "E forgotten": 0.5,
                    "E swapped": 1 - share,
                    "E frozen": share,
                    "α = 0": 0.5,
                }
            for key, value in changed.items():
                row |= {f"right.{key}": value, f"score.{key}": 2 * value - 1}
            rows.append(row)
    return pd.DataFrame(rows)


@pytest.fixture
def definitions(repository):
    return claims.load_round(repository / "book" / "claims.yml", 2, "adaptation").definitions


def test_what_is_found_follows_who_remembers(definitions):
    some = page.what_we_found(runs_of({"dp-bcm": 0.95, "ndp-bcm": 0.9, "gru": 0.97}), NAMES, definitions)
    assert "Yes, in 2 of 4 plastic networks" in some and "dp-oja 50%" in some
    assert "90 to 95% when all but E is forgotten between the trials; 5 to 10% when E is swapped" in some
    assert (
        "gru goes the right way in 97%" in some
        and "and runs 0.94 m. The plastic networks run, in metres, dp-oja 0.00, dp-bcm 0.90" in some
    )
    assert "dp-bcm and ndp-bcm still go the right way in 90 to 95% after 1 s and 70 to 72% after 5 s" in some
    assert (
        "rsnn did not learn the task by the two tries that every policy had, so that plasticity is compared with gru alone."
        in some
    )
    none = page.what_we_found(runs_of({}), NAMES, definitions)
    assert "did not learn" not in none and "Not here" in none and "lies in E" not in none
    every = page.what_we_found(runs_of({name: 0.95 for name in NAMES if "dp" in name}), NAMES, definitions)
    assert "moment ago? Yes, in 4 of 4" in every


def test_remembering_is_judged_by_the_end_of_the_interval(definitions):
    found = page.remembers(runs_of({"dp-oja": 0.76, "dp-bcm": 0.9}), NAMES, definitions)
    assert [found[n][1] for n in ("dp-oja", "dp-bcm", "snn")] == ["neither", "remembers", "forgets"]
    one_seed = page.remembers(runs_of({"dp-bcm": 0.9}, seeds=1), NAMES, definitions)
    assert one_seed["dp-bcm"][1] == "remembers"


def test_lesions_are_drawn_of_plastic_policies_and_the_message_says_where_the_memory_is():
    drawing = page.draw_lesions(runs_of({"dp-bcm": 0.95}), NAMES)
    assert set(drawing.data.network) == {n for n in NAMES if "dp" in n}
    assert len(set(drawing.data.lesion)) == 1 + len(LESIONS) + len(E_LESIONS)
    assert drawing.caption.startswith("In 1 of 4 plastic networks the memory follows E: with E swapped 5% of their")
    assert "Not so in dp-oja (50% and 50%), ndp-oja (50% and 50%) and ndp-bcm (50% and 50%)." in drawing.caption
    assert page.draw_lesions(runs_of({}), NAMES).caption.startswith(
        "In 0 of 4 plastic networks the memory follows E. Share"
    )


def test_scores_and_gaps_are_drawn_of_every_policy(definitions):
    runs = runs_of({"dp-bcm": 0.95, "gru": 0.95})
    scores, gaps = page.draw_scores(runs, NAMES, definitions), page.draw_gaps(runs, NAMES, definitions)
    assert set(scores.data.network) == set(gaps.data.network) == set(NAMES)
    assert scores.caption.startswith("dp-bcm and gru remember") and set(gaps.data.delay_s) == set(GAPS_S)
    assert gaps.caption.startswith("After 5 s the way is no longer known by dp-bcm (72%) and gru (72%)") and len(
        page.shown_scores(runs, NAMES, definitions)
    ) == len(NAMES)


def test_learning_names_who_learns():
    steps = np.repeat(np.arange(1, 7) * 1000, 2)
    curves = pd.concat(
        pd.DataFrame({"network": n, "seed": [0, 1] * 6, "step": steps, "score": s, "right": 0.5}) for n, s in (("snn", 0.0), ("dp-bcm", 0.8))
    )  # fmt: skip
    level = page.draw_learning(curves, ["snn", "dp-bcm"]).caption
    assert level.startswith("dp-bcm learns within 6,000 steps (above 0.3 m)") and "No curve still rises" in level
    rising = curves.assign(score=curves.score + (curves.network == "snn") * curves.step / 1e4)
    assert page.draw_learning(rising, ["snn", "dp-bcm"]).caption.endswith("and so not done learning: snn.")


def test_the_timeline_is_that_of_the_task():
    data = page.draw_task(TwoTrials(shown=10, scored=40, gap_s=0.5)).data
    assert data.time_s.tolist() == [0, 1.0] and data.value.tolist() == [0.5, 2.0]


def test_the_task_is_described_as_it_was_changed():
    def told(**changed):
        (config,) = two_trials("", policies=["snn"]).configs
        return page.described(dataclasses.replace(config, task=TwoTrials(**changed)))

    assert (
        "shows by one input in which direction a metre earns, +5 or −5" in told()
        and "in half of its episodes" in told()
    )
    assert "shows by one input what the step before earned, in m/s times 3" in told(cue="reward")
    assert "shows by 5 in one of 6 inputs which motor is dead" in told(hidden="motor")
    assert "in half of its" not in told(hidden="limb") and "is scored, and shows it too" in told(reminded=True)
    assert page.draw_task(TwoTrials(reminded=True)).caption.startswith("Both trials show")


def test_runs_of_networks_that_were_not_asked_for_are_left_out():
    runs = runs_of({}).rename(columns={"network": "network.name"})
    assert set(page.of_networks(runs, ["snn", "gru"]).network) == {"snn", "gru"}
    assert page.of_networks(pd.DataFrame(), ["snn"]).empty


def test_the_longest_gap_that_was_trained_is_told():
    runs = {"": runs_of({}), "-gap-1s": runs_of({"gru": 0.95}), "-gap-5s": runs_of({"dp-bcm": 0.95})}
    told = variants.trained_gap(runs, NAMES)
    assert told.startswith("- **Trained with a gap of 5 s** (exploratory)") and "dp-bcm 95%" in told
    assert "; of the other memories, " in told and "gru 95%" not in told and "mlp" not in told
    assert variants.trained_gap({"": runs_of({})}, NAMES) == variants.trained_gap(runs, ["snn", "mlp"]) == ""


def test_how_many_remember_is_told_of_each_variant(definitions):
    runs = {"-blind-critic": runs_of({"dp-bcm": 0.95}), "-gap-1s": runs_of({})}
    told = variants.holds_elsewhere(runs, NAMES, definitions)
    assert told.startswith("In part. ")
    assert "1 of 4 trained with a critic that does not read what is hidden and 0 of 4 trained with a gap of 1 s" in told
    assert variants.holds_elsewhere({"-gap-1s": runs_of({})}, NAMES, definitions).startswith("No. ")
    every = {"-gap-1s": runs_of({name: 0.95 for name in NAMES})}
    assert variants.holds_elsewhere(every, NAMES, definitions).startswith("Mostly. ")
    shown = variants.shown_variants({"": runs_of({}), **runs}, NAMES, definitions).set_index("policy")
    assert list(shown) == ["as above", "critic does not read what is hidden", "trained with a gap of 1 s"]
    assert shown.loc["dp-bcm", "critic does not read what is hidden"].startswith("95% (")
    assert variants.holds_elsewhere(runs, ["snn", "gru"], definitions) == ""
    alone = variants.variants_found({"-gap-1s": runs_of({})}, ["mlp"])
    assert alone.endswith("mlp goes farthest, 0.00 m.")
    assert variants.holds_elsewhere({}, NAMES, definitions) == ""


def test_a_gap_is_said_to_write_nothing_where_neurons_fall_silent():
    policy = two_trials("").configs[NAMES.index("dp-oja")].build(0)
    restless = two_trials("").configs[NAMES.index("dp-oja")].build(1)
    restless.encoder.bias.data.fill_(5.0)
    assert "no neuron fires in 1 of 2 plastic policies" in page.in_the_gap([policy, restless])
    assert page.in_the_gap([]).endswith("far longer than a membrane remembers.")
    with pytest.raises(ValueError, match=re.escape("gap_s = 1.0: must be more than 1 s")):
        falls_silent(policy, 1.0)


def test_where_the_memory_is_is_told_of_each_variant():
    found = runs_of({"dp-oja": 0.7, "dp-bcm": 0.95, "ndp-oja": 0.95, "ndp-bcm": 0.95})
    told = variants.follows_elsewhere({"-gap-1s": found}, NAMES)
    assert told.startswith("The memory follows E in 3 of 4 trained with a gap of 1 s (all but dp-oja): with all but E")
    assert variants.follows_elsewhere({}, NAMES) == variants.follows_elsewhere({"-gap-1s": found}, ["snn", "gru"]) == ""
    lesions = variants.lesions_elsewhere({"": found, "-gap-1s": found}, NAMES)
    assert set(lesions.network) == set(page.plastic_of(NAMES)) and set(lesions.trained_as) == {
        "as above",
        "trained with a gap of 1 s",
    }
    shown = variants.shown_lesions(lesions).set_index(["trained_as", "network"])
    assert len(shown) == 8 and shown.loc[("as above", "dp-bcm"), "E swapped"].startswith("−0.90 (")
    assert shown.loc[("as above", "dp-bcm"), "all but E forgotten"].startswith("0.90 (")


def test_variants_show_who_relies_on_its_state():
    runs = {"": runs_of({"dp-bcm": 0.95}), "-limb": runs_of({"gru": 0.95}, seeds=1).query("network != 'snn'")}
    drawing = variants.draw_variants(runs, NAMES)
    assert "as above: dp-bcm; one of two legs is dead: gru" in drawing.caption
    swapped = drawing.data.query("network == 'dp-bcm' and trained_as == 'as above' and state == 'swapped'")
    assert swapped.score.mean() == pytest.approx(-0.9)
    assert set(drawing.data[drawing.data.trained_as != "as above"].network) == set(NAMES) - {"snn"}
    found = variants.variants_found(runs, NAMES)
    assert (
        "As above** (5 seeds): dp-bcm runs more than 0.5 m less far once the state is swapped. dp-bcm goes far" in found
    )
    assert "dead** (one seed): gru runs more than 0.5 m less far once the state is swapped" in found
    assert "the better of the other memories" in found and "; mlp, which has no memory, " in found
    nobody = variants.variants_found({"-gap-1s": runs_of({}), "-gap-5s": runs_of({})}, NAMES).splitlines()
    assert all("no policy runs more than 0.5 m less far" in line for line in nobody)


def test_whether_it_is_found_out_is_said_in_words(definitions):
    runs = runs_of({"ndp-bcm": 0.95, "gru": 0.9}).assign(**{"training.steps": 800_000})
    line = variants.found_out(runs, NAMES, definitions)
    assert line.startswith("- **Is the direction found out where only the reward is shown? Yes, in 1 of 4 plastic")
    assert "networks.** After 800,000 steps" in line
    assert line.endswith("; of the others, snn 50%, mlp 50%, rsnn 50%, gru 90%.")
    told = variants.finds_out(runs, NAMES, definitions)
    assert told.startswith(
        "Yes, in 1 of 4 plastic networks. ndp-bcm and gru find out which way to run; snn, dp-oja, dp-bcm"
    )
    assert (
        "What is found out lies in E in ndp-bcm: 5% of their episodes go the right way with E swapped, 95% with" in told
    )
    assert "gru 0.80" in told and "E alone" not in told and "Not judged" not in told
    outside = variants.finds_out(runs.assign(**{"right.E swapped": 0.4}), NAMES, definitions)
    beside = variants.finds_out(runs.assign(**{"right.E forgotten": 0.9}), NAMES, definitions)
    assert "Not all of it lies in E: with E forgotten the right way is still taken by ndp-bcm (90%" in beside
    assert (
        "Not all of it" not in told
        and "It does not lie in E alone in ndp-bcm (40% and 95%)." in outside
        and "lies in E in" not in outside
    )


def test_nothing_is_said_of_where_it_lies_where_nothing_is_found_out_nor_of_plastic_networks_that_were_not_asked_for(
    definitions,
):
    nobody = variants.finds_out(runs_of({}), NAMES, definitions)
    assert nobody.startswith("Not here. No policy finds out which way") and " E " not in nobody
    alone = variants.finds_out(runs_of({"gru": 0.9}), ["snn", "gru"], definitions)
    assert alone.startswith("gru finds out which way to run") and "plastic" not in alone
    assert variants.found_out(pd.DataFrame(), NAMES, definitions) == ""
    assert variants.found_out(runs_of({}), ["snn", "gru"], definitions) == ""
    few = runs_of({"ndp-bcm": 0.95}, seeds=3).assign(**{"training.steps": 800_000})
    for told in (variants.finds_out(few, NAMES, definitions), variants.found_out(few, NAMES, definitions)):
        assert "**Not judged yet**: 3 of 5 seeds" in told


def test_thresholds_of_finding_out_are_called_so(definitions):
    runs = runs_of({"ndp-bcm": 0.95, "gru": 0.9})
    drawn = page.draw_scores(runs, NAMES, definitions, page.FINDS)
    assert drawn.caption.startswith("ndp-bcm and gru find out which way to run: ")
    written = {text.get_text() for axis in drawn.figure.axes for text in axis.texts}
    assert {"finds out", "fails", "chance"} <= written and not {"remembers", "forgets"} & written


def test_who_is_held_back_by_a_learning_rate_is_told(definitions):
    def of(name, rate, share):
        return runs_of({name: share}).query(f"network == '{name}'").assign(**{"training.learning_rate": rate})

    usual = pd.concat([of("gru", 0.002, 0.7), of("dp-bcm", 0.002, 0.9), of("snn", 0.004, 0.5)])
    rates = pd.concat([of("gru", 0.001, 0.8), of("gru", 0.0005, 0.95), of("dp-bcm", 0.0005, 0.9)])
    told = variants.held_back(rates, usual, NAMES)
    assert told.startswith(
        "At learning rates below those of the search (exploratory, 5 seeds) gru runs 0.90 m at 0.0005"
    )
    assert "in place of 0.40 (+0.50 (" in told and told.count("dp-bcm") == 1
    assert (
        "With each at the best of its rates, gru runs +0.10 (" in told
        and "m farther than dp-bcm, the best plastic network: " in told
    )
    assert "each at the best" not in variants.held_back(rates, usual, ["gru"])
    alike = variants.held_back(pd.concat([of("gru", 0.0005, 0.9), of("dp-bcm", 0.0005, 0.9)]), usual, NAMES)
    assert "the best plastic network (no significant difference): " in alike
    no_one = variants.held_back(of("dp-bcm", 0.0005, 0.9), usual, NAMES)
    assert no_one.endswith(" dp-bcm runs no farther, by an interval above zero.")
    assert variants.held_back(rates, usual, ["snn"]) == variants.held_back(pd.DataFrame(), usual, NAMES) == ""
    line = page.what_we_found(runs_of({"dp-bcm": 0.95, "gru": 0.97}), NAMES, definitions, told)
    assert f" {told}" in line
    data = variants.every_rate({"": rates, "-reward": pd.DataFrame()}, {"": usual}, NAMES)
    assert set(data.network) == {"gru", "dp-bcm"} and set(data.shown) == {"direction"}
    shown = variants.shown_rates(data).set_index(["policy", "learning rate"])
    assert len(shown) == 5 and shown.loc[("gru", "0.002 (chosen)"), "score (m)"].startswith("0.40 (")
    assert variants.every_rate({"": pd.DataFrame()}, {}, NAMES).empty


def told_runs(scores):
    """Runs of the mlp that is told throughout, by variant, around ``scores``."""
    hashes = {variant: config.hash for variant, config in zip(TOLD, reminded().configs)}
    rows = [{"config_hash": hashes[v], "seed": k, "score": s + 0.01 * k} for v, s in scores.items() for k in range(5)]
    return pd.DataFrame(rows)


def lame(right):
    return runs_of(right).assign(**{"training.steps": 120_000})


def test_scores_of_who_is_told_belong_to_their_variant():
    told = lame_limbs.told_scores(told_runs({"": 4.0, "-motor": 2.0}))
    assert list(told) == ["", "-motor"] and told["-motor"].mean() == pytest.approx(2.02)
    assert lame_limbs.told_scores(pd.DataFrame()) == {}
    best = lame_limbs.what_could_be_gained(told, runs_of({"dp-bcm": 0.95}), NAMES)
    assert best.startswith("An mlp that is told the direction throughout runs 4.02 (4.0")
    assert "have to remember, run 0.00 to 0.90 m; not all of the distance is memory's" in best
    assert lame_limbs.what_could_be_gained({}, runs_of({}), NAMES) == ""
    assert lame_limbs.what_could_be_gained(told, runs_of({}), ["snn", "mlp"]).endswith(" m.")


def test_what_is_lost_with_another_state_is_told_with_its_interval():
    runs = {"-limb": lame({"dp-bcm": 0.6})}  # 2 (0.6 - 0.4) = 0.4 m lost
    told = lame_limbs.must_it_be_remembered(runs, {}, NAMES)
    assert told.startswith(
        "Hardly. With the state of an episode in which another limb is lame no policy loses more than"
    )
    assert (
        "that is not corrected for 7 comparisons: dp-bcm 0.40 (0.33 to 0.47) m where one of two legs is dead." in told
    )
    assert "- **One of two legs is dead** (5 seeds, 120,000 steps): with its state swapped dp-bcm loses most" in told
    assert "dp-bcm goes farthest, 0.20 m; plastic networks 0.00 to 0.20 m." in told and "told throughout" not in told
    nothing = lame_limbs.must_it_be_remembered({"-limb": lame({})}, {}, NAMES)
    assert "In none of 7 cases does the interval of what is lost lie above zero." in nothing
    much = lame_limbs.must_it_be_remembered({"-motor": lame({"gru": 0.95})}, {}, NAMES)
    assert (
        much.startswith("By some.") and "gru 1.80 (" in much and lame_limbs.must_it_be_remembered({}, {}, NAMES) == ""
    )
    stateless = lame_limbs.must_it_be_remembered({"-limb": lame({})}, {}, ["mlp"])
    assert "swapped" not in stateless and "Hardly" not in stateless and "mlp goes farthest" in stateless


def test_what_knowing_is_worth_is_told_where_it_was_measured_alone():
    told = lame_limbs.told_scores(told_runs({"-limb": 1.0, "": 1.0}))
    runs = {"-limb": lame({}), "-motor": lame({})}
    found = lame_limbs.must_it_be_remembered(runs, told, NAMES)
    assert "farther than one that is never told in 1 of 1 of these tasks" in found
    lines = found.splitlines()
    assert "legs is dead" in lines[-2] and "Told throughout, the mlp runs +1.02 (" in lines[-2]
    assert "Told throughout" not in lines[-1]
    without = lame_limbs.must_it_be_remembered({"-limb": lame({}).query("network != 'mlp'")}, told, NAMES)
    assert "told throughout" not in without.lower()


def test_who_is_told_throughout_is_a_line_in_the_panel_of_its_variant():
    told = lame_limbs.told_scores(told_runs({"-motor": 2.0}))
    drawing = variants.draw_variants({"-limb": lame({}), "-motor": lame({})}, NAMES, told)
    drawn = drawing.data[drawing.data.state == "told throughout"]
    assert set(drawn.trained_as) == {"one of six motors is dead"} and len(drawn) == 5
    assert "line: an mlp that is told throughout" in drawing.caption
    assert "told throughout" not in variants.draw_variants({"-limb": lame({})}, NAMES, told).caption


def test_a_share_is_not_rounded_onto_its_criterion(definitions):
    share = page.Interval(0.87, 0.7467, 0.99)
    assert page.right_way(share, definitions) == "87.0% (74.7% to 99.0%)"
    assert page.right_way(share._replace(low=0.76), definitions) == "87% (76% to 99%)"
