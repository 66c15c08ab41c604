import pytest
import torch

from spikepropamine.experiments import weight_sensitivity as measured
from spikepropamine.experiments.locomotion import revive
from walkers import untrained


def test_weights_move_by_the_share_that_was_asked_for_and_the_policy_stays():
    policy, _ = revive(*untrained("ndp-bcm"))
    before = {name: p.clone() for name, p in policy.named_parameters()}
    other = dict(measured.moved(policy, 0.01, 0).named_parameters())
    again = dict(measured.moved(policy, 0.01, 0).named_parameters())
    for name, p in policy.named_parameters():
        assert torch.equal(p, before[name]) and torch.equal(other[name], again[name])
    W, moved = before["encoder.weight"], other["encoder.weight"]
    assert ((moved - W).square().mean() / W.square().mean()).sqrt().item() == pytest.approx(0.01, rel=0.1)
    assert not torch.equal(moved, dict(measured.moved(policy, 0.01, 1).named_parameters())["encoder.weight"])


@pytest.mark.parametrize("name", ["mlp", "ndp-oja"])
def test_pieces_replay_the_walk_as_it_was_acted(name):
    config, weights = untrained(name)
    policy, statistics = revive(config, weights)
    observations, states = measured.pieces(policy, statistics, config, 3 * config.training.piece + 1)
    assert observations.shape[:2] == (config.training.piece, 3)
    in_one, _ = policy.run(observations.transpose(0, 1).flatten(0, 1).unsqueeze(1), policy.initial_state(1))
    in_pieces, _ = policy.run(observations, states)
    torch.testing.assert_close(in_pieces.transpose(0, 1).flatten(0, 1), in_one[:, 0])


def test_a_smooth_policy_moves_in_proportion_and_one_that_spikes_by_the_root():
    moves = [1e-4, 1e-3, 1e-2]
    rows = {name: measured.sensitivity(*untrained(name), moves, draws=8, steps=160) for name in ("mlp", "snn")}
    smooth, spiking = ([row["action_moved"] for row in rows[name]] for name in ("mlp", "snn"))
    assert smooth[1] / smooth[0] == pytest.approx(10, rel=0.05) and smooth[2] / smooth[1] == pytest.approx(10, rel=0.05)
    assert spiking[2] / spiking[1] < 6 and spiking[1] > 10 * smooth[1]
