"""The samplers beside other libraries: what can be held without them, and without a clock."""

import importlib.util

import pytest
import torch

from tools import bench_mcmc


@pytest.mark.parametrize("name", bench_mcmc.KERNELS)
def test_a_step_launches_no_more_kernels_than_it_did(name):
    """In few dimensions a step costs what its kernels cost to launch: each new one is 2 to 5 % of the step."""
    assert bench_mcmc.kernels(2, name) <= bench_mcmc.KERNELS[name]


def test_views_are_no_kernels():
    with bench_mcmc.Kernels() as counter:
        x = torch.ones(3, 4)
        _ = x.T[1:].sum(), x[:, None]
    assert counter.count == 2


def test_without_the_libraries_there_is_a_line_and_no_row(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert list(bench_mcmc.rows()) == []
    assert "blackjax, jax, pyro not installed" in capsys.readouterr().out


def test_our_runs_accept_and_mix(monkeypatch):
    """The row compares libraries at one acceptance: ours is the one that the step sizes were chosen for."""
    monkeypatch.setattr(bench_mcmc, "DRAWS", 50)
    for name, wanted in (("random walk", 0.31), ("MALA", 0.58), ("HMC", 0.88)):
        x, acceptance = bench_mcmc.ours(100, name)(bench_mcmc.begin(100, 0), 0)
        assert x.shape == (bench_mcmc.CHAINS, 50, 100) and bench_mcmc.some(x).shape[2] == 10
        assert acceptance == pytest.approx(wanted, abs=0.02)


def test_peers_sample_the_same_law(monkeypatch):
    """Each library at its own draws: acceptance of ours, and unit variances."""
    pytest.importorskip("blackjax", reason="blackjax is not installed: nothing to compare with")
    pytest.importorskip("pyro", reason="Pyro is not installed: nothing to compare with")
    x0 = bench_mcmc.begin(2, 0)
    for name in bench_mcmc.STEP:
        x, acceptance = bench_mcmc.blackjax(2, name)(x0, 0)
        assert x.shape == (bench_mcmc.CHAINS, bench_mcmc.DRAWS, 2)
        assert acceptance == pytest.approx(bench_mcmc.ours(2, name)(x0, 0)[1], abs=0.01)
        assert torch.allclose(x[:, -1].var(0), torch.ones(2), atol=0.3)
    x, acceptance = bench_mcmc.pyro(2, "HMC")(x0, 0)
    assert x.shape == (1, bench_mcmc.DRAWS, 2)
    assert acceptance == pytest.approx(bench_mcmc.ours(2, "HMC")(x0, 0)[1], abs=0.05)
