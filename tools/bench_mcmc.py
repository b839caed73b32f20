r"""Effective samples per second of Lecture 5's samplers beside blackjax (compiled by XLA) and Pyro.

The same target, start law, chains, steps and step size for all, in float32, so that the acceptance and the effective
samples of a step have to agree (both are printed); XLA's compile time is left out. Everything runs in one child process
with one thread on one core, in turns, and what counts is its CPU time, so that other work on the machine falls on all
alike. Pyro runs its chains one after the other: one chain is timed. `python -m tools.bench_mcmc` prints the details.
"""

import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from helpers import mcmc
from helpers.chains import targets
from helpers.chains.sampling import Step, sample
from helpers.chains.state import start

Row = tuple[str, float, float, str]
Run = Callable[[int], tuple[Tensor, float]]  # seed -> draws (chains, n, coordinates), mean acceptance
PEERS = ("blackjax", "jax", "pyro")
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
CHAINS, DRAWS, LEAPFROGS, PYRO_DRAWS = 1024, 200, 10, 200
CORRELATION = {2: 0.9, 100: 0.5}
STEP: dict[str, tuple[Step, dict[int, float]]] = {
    "random walk": (mcmc.random_walk_step, {2: 1.0, 100: 0.16}),
    "MALA": (mcmc.mala_step, {2: 0.15, 100: 0.14}),
    "HMC": (partial(mcmc.hmc_step, steps=LEAPFROGS), {2: 0.25, 100: 0.27}),
}


class Rate(NamedTuple):
    """What a sampler's runs came to: medians over the rounds of CPU seconds, means of the rest."""

    seconds: float
    acceptance: float
    effective: float

    @property
    def per_second(self) -> float:
        """Effective samples per second."""
        return self.effective / self.seconds


def covariance(d: int) -> Tensor:
    """S_ij = rho^|i - j| in float64."""
    i = torch.arange(d, dtype=torch.float64)
    return CORRELATION[d] ** (i[:, None] - i).abs()


def begin(d: int, seed: int) -> Tensor:
    """Exact draws of the target (CHAINS, d), to start from."""
    g = torch.Generator().manual_seed(seed)
    return targets.gaussian(covariance(d).float()).draw(CHAINS, g)


def some(x: Tensor) -> Tensor:
    """At most ten of the coordinates, to judge the draws by."""
    return x[..., :: max(1, x.shape[-1] // 10)].contiguous()


def ours(d: int, name: str) -> Run:
    """helpers.chains.sampling.sample on the Gaussian of helpers.chains.targets, which knows its gradient."""
    (step, size), target = STEP[name], targets.gaussian(covariance(d).float())

    def run(seed: int) -> tuple[Tensor, float]:
        g = torch.Generator().manual_seed(seed)
        draws = sample(step, target, begin(d, seed), DRAWS, step_size=size[d], generator=g)
        return draws.x, float(draws.acceptance.mean())

    return run


def blackjax(d: int, name: str) -> Run:
    """A jitted scan over vmapped steps, as blackjax's guide for many chains has it, with JAX's own gradient."""
    import blackjax as peer
    import jax
    import jax.numpy as jnp

    precision = jnp.asarray(torch.linalg.inv(covariance(d)).float().numpy())
    size = STEP[name][1][d]

    def log_prob(x: Any) -> Any:
        return -0.5 * x @ precision @ x

    kernel = {
        "random walk": lambda: peer.additive_step_random_walk(
            log_prob, peer.mcmc.random_walk.normal(jnp.full(d, size, jnp.float32))
        ),
        "MALA": lambda: peer.mala(log_prob, size),
        "HMC": lambda: peer.hmc(log_prob, size, jnp.ones(d), LEAPFROGS),
    }[name]()

    @jax.jit
    def loop(key: Any, states: Any) -> Any:
        def one(states: Any, key: Any) -> Any:
            states, info = jax.vmap(kernel.step)(jax.random.split(key, CHAINS), states)
            return states, (states.position, info.acceptance_rate)

        return jax.lax.scan(one, states, jax.random.split(key, DRAWS))[1]

    def run(seed: int) -> tuple[Tensor, float]:
        states = jax.vmap(kernel.init)(jnp.asarray(begin(d, seed).numpy()))
        x, acceptance = jax.block_until_ready(loop(jax.random.key(seed), states))
        return torch.from_dlpack(x).transpose(0, 1), float(acceptance.mean())

    return run


def pyro(d: int, name: str) -> Run:
    """Pyro's HMC with the same potential, step and path, without adaptation; one chain."""
    from pyro.infer import HMC, MCMC

    size, precision = STEP[name][1][d], torch.linalg.inv(covariance(d)).float()

    def potential(z: dict[str, Tensor]) -> Tensor:
        return z["x"] @ precision @ z["x"] / 2

    def run(seed: int) -> tuple[Tensor, float]:
        torch.manual_seed(seed)
        kernel = HMC(
            potential_fn=potential,
            step_size=size,
            trajectory_length=size * LEAPFROGS,
            adapt_step_size=False,
            adapt_mass_matrix=False,
        )
        first = {"x": begin(d, seed)[0]}
        chain = MCMC(kernel, num_samples=PYRO_DRAWS, warmup_steps=0, initial_params=first, disable_progbar=True)
        chain.run()
        return chain.get_samples()["x"][None], kernel._mean_accept_prob

    return run


def measure(runs: dict[str, Run], rounds: int) -> dict[str, Rate]:
    """All runs in turns, after one of each that warms up and compiles."""
    seen: dict[str, list[tuple[float, float, float]]] = {name: [] for name in runs}
    for k in range(-1, rounds):
        for name, run in runs.items():
            began = time.process_time()
            x, acceptance = run(k + 100)
            seconds = time.process_time() - began
            if k >= 0:
                seen[name].append((seconds, acceptance, float(mcmc.effective_sample_size(some(x)).min())))
    columns = {name: list(zip(*rows, strict=True)) for name, rows in seen.items()}
    return {
        name: Rate(statistics.median(s), statistics.mean(a), statistics.mean(e)) for name, (s, a, e) in columns.items()
    }


class Kernels(TorchDispatchMode):
    """Counts the calls into torch's kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


def kernels(d: int, name: str) -> int:
    """How many kernels one step launches, views not counted."""
    (step, size), target = STEP[name], targets.gaussian(covariance(d).float())
    s = start(begin(d, 0), target, gradient=name != "random walk")
    with Kernels() as counter:
        step(target, s, step_size=size[d], generator=torch.Generator().manual_seed(0))
    return counter.count


def compare(rounds: int = 7) -> Iterator[Row]:
    """The rows, measured in this process; the details go to stderr."""
    print("d, sampler, library: us per step, acceptance, effective samples a step and chain, a second", file=sys.stderr)
    for d in CORRELATION:
        for name in STEP:
            rates = measure({"helpers": ours(d, name), "blackjax": blackjax(d, name)}, rounds)
            if name == "HMC":
                rates |= measure({"Pyro": pyro(d, name)}, max(1, rounds // 2))
            for library, r in rates.items():
                chains, n = (1, PYRO_DRAWS) if library == "Pyro" else (CHAINS, DRAWS)
                print(
                    f"{d:>4}  {name:<12}{library:<9}{1e6 * r.seconds / n:>9.0f}{r.acceptance:>7.3f}"
                    f"{r.effective / n / chains:>8.4f}{r.per_second:>12,.0f}",
                    file=sys.stderr,
                )
            us = rates.pop("helpers").per_second
            for library, r in rates.items():
                limit = 0.05 if library == "Pyro" else 1.25 if d == 100 else math.inf
                yield f"{name} in {d}-D: {library} / ours, ESS/s", r.per_second / us, limit, ""
            if d == 2:
                yield f"{name}: kernels a step", kernels(d, name), math.inf, ""


def rows() -> Iterator[Row]:
    """The rows of `make bench`; none, and a line that says so, where a peer is not installed."""
    missing = [peer for peer in PEERS if importlib.util.find_spec(peer) is None]
    if missing:
        print(f"(samplers beside other libraries: not measured, {', '.join(missing)} not installed)")
        return
    command = [sys.executable, "-m", "tools.bench_mcmc"]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent, env={**os.environ, **ONE_THREAD}
    )
    for line in done.stdout.splitlines():
        yield tuple(json.loads(line))


def main() -> None:
    """Measures with one thread on one core; prints a row as one line of JSON."""
    os.environ.update(ONE_THREAD)
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    for row in compare():
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
