r"""Effective samples per second of Lecture 5's samplers beside blackjax (compiled by XLA) and Pyro.

The same target, start law, chains, steps and step size for all, in float32, so that the acceptance and the effective
samples of a step have to agree (both are printed); XLA's compile time is left out. Everything runs in one child process
with one thread on one core, in turns, and what counts is its CPU time, so that other work on the machine falls on all
alike. Pyro runs its chains one after the other: one chain is timed. `python -m tools.bench_mcmc` prints the details.
"""

import importlib.util
import itertools
import json
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
from helpers.mcmc import targets
from helpers.mcmc.sampling import Step, sample
from helpers.mcmc.state import start

Row = tuple[str, float, float, str]
Run = Callable[[Tensor, int], tuple[Tensor, float]]  # start (chains, d), seed -> draws (chains, n, d), mean acceptance
PEERS = ("blackjax", "jax", "pyro")
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
CHAINS, DRAWS, LEAPFROGS = 1024, 200, 10
CORRELATION = {2: 0.9, 100: 0.5}
AT_MOST = {2: 3.0, 100: 1 / 0.8}  # in 2-D no aim but what was reached: a step costs what its kernels cost to launch
KERNELS = {"random walk": 20, "MALA": 28, "HMC": 54}  # one of them for u in (0, 1], where rand gives [0, 1)
STEP: dict[str, tuple[Step, dict[int, float]]] = {
    "random walk": (mcmc.random_walk_step, {2: 1.0, 100: 0.16}),
    "MALA": (mcmc.mala_step, {2: 0.15, 100: 0.14}),
    "HMC": (partial(mcmc.hmc_step, steps=LEAPFROGS), {2: 0.25, 100: 0.27}),
    "NUTS": (mcmc.nuts_step, {2: 0.35, 100: 0.38}),
}


class Rate(NamedTuple):
    """What a sampler's runs came to: medians over the rounds."""

    seconds: float  # of CPU a step of all chains
    acceptance: float
    effective: float  # samples a step of all chains, in the worst coordinate
    chains: float

    @property
    def per_second(self) -> float:
        """Effective samples per second."""
        return self.effective / self.seconds


def covariance(d: int) -> Tensor:
    """S_ij = rho^|i - j| in float64."""
    i = torch.arange(d, dtype=torch.float64)
    return CORRELATION[d] ** (i[:, None] - i).abs()


def begin(d: int, seed: int) -> Tensor:
    """Exact draws of the target (CHAINS, d), to start from; a run's own seed would make its first noise theirs."""
    return targets.gaussian(covariance(d).float()).draw(CHAINS, torch.Generator().manual_seed(1000 + seed))


def some(x: Tensor) -> Tensor:
    """At most ten of the coordinates, to judge the draws by."""
    return x[..., :: max(1, x.shape[-1] // 10)].contiguous()


def ours(d: int, name: str) -> Run:
    """helpers.mcmc.sampling.sample on the Gaussian of helpers.mcmc.targets, which knows its gradient."""
    (step, size), target = STEP[name], targets.gaussian(covariance(d).float())

    def run(x: Tensor, seed: int) -> tuple[Tensor, float]:
        draws = sample(step, target, x, DRAWS, step_size=size[d], generator=torch.Generator().manual_seed(seed))
        return draws.x, float(draws.acceptance.mean())

    return run


def blackjax(d: int, name: str) -> Run:
    """A jitted scan over vmapped steps, as blackjax's guide for many chains has it, with JAX's own gradient."""
    import blackjax as peer
    import jax
    import jax.numpy as jnp

    precision, size = jnp.asarray(torch.linalg.inv(covariance(d)).float().numpy()), STEP[name][1][d]

    def log_prob(x: Any) -> Any:
        return -0.5 * x @ precision @ x

    if name == "random walk":
        kernel = peer.additive_step_random_walk(log_prob, peer.mcmc.random_walk.normal(jnp.full(d, size)))
    elif name == "MALA":
        kernel = peer.mala(log_prob, size)
    else:
        ones = jnp.ones(d)
        kernel = peer.hmc(log_prob, size, ones, LEAPFROGS) if name == "HMC" else peer.nuts(log_prob, size, ones)

    @jax.jit
    def loop(key: Any, states: Any) -> Any:
        def one(states: Any, key: Any) -> Any:
            states, info = jax.vmap(kernel.step)(jax.random.split(key, CHAINS), states)
            return states, (states.position, info.acceptance_rate)

        return jax.lax.scan(one, states, jax.random.split(key, DRAWS))[1]

    def run(x: Tensor, seed: int) -> tuple[Tensor, float]:
        states = jax.vmap(kernel.init)(jnp.asarray(x.numpy()))
        draws, acceptance = jax.block_until_ready(loop(jax.random.key(seed), states))
        return torch.from_dlpack(draws).transpose(0, 1), float(acceptance.mean())

    return run


def pyro(d: int, name: str) -> Run:
    """Pyro's HMC with the same potential, step and path, nothing adapted; one chain."""
    from pyro.infer import HMC, MCMC

    size, precision = STEP[name][1][d], torch.linalg.inv(covariance(d)).float()
    options = {"adapt_step_size": False, "adapt_mass_matrix": False, "trajectory_length": size * LEAPFROGS}

    def potential(z: dict[str, Tensor]) -> Tensor:
        return z["x"] @ precision @ z["x"] / 2

    def run(x: Tensor, seed: int) -> tuple[Tensor, float]:
        torch.manual_seed(seed)
        kernel = HMC(potential_fn=potential, step_size=size, **options)
        chain = MCMC(kernel, num_samples=DRAWS, warmup_steps=0, initial_params={"x": x[0]}, disable_progbar=True)
        chain.run()
        return chain.get_samples()["x"][None], chain.diagnostics()["acceptance rate"]["chain 0"]

    return run


def measure(d: int, runs: dict[str, Run], rounds: int) -> dict[str, Rate]:
    """All runs in turns, after one of each that warms up and compiles."""
    seen: dict[str, list[tuple[float, ...]]] = {name: [] for name in runs}
    for k in range(rounds + 1):
        for name, run in runs.items():
            start = begin(d, k)
            began = time.process_time()
            x, acceptance = run(start, k)
            seconds = (time.process_time() - began) / DRAWS
            effective = float(mcmc.effective_sample_size(some(x)).min()) / DRAWS
            seen[name].append((seconds, acceptance, effective, len(x)))
    return {name: Rate(*map(statistics.median, zip(*rows[1:], strict=True))) for name, rows in seen.items()}


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


def compare(rounds: int = 5) -> Iterator[Row]:
    """The rows, measured in this process; the details go to stderr."""
    print("    d  sampler     library   us/step  accepted  ESS/step/chain     ESS/s", file=sys.stderr)
    for d, name in itertools.product(CORRELATION, STEP):
        rates = measure(d, {"helpers": ours(d, name), "blackjax": blackjax(d, name)}, rounds)
        rates |= measure(d, {"Pyro": pyro(d, name)}, 3) if name == "HMC" else {}
        for library, r in rates.items():
            line = f"{d:>5}  {name:<12}{library:<9}{1e6 * r.seconds:>8.0f}{r.acceptance:>10.3f}"
            print(f"{line}{r.effective / r.chains:>16.4f}{r.per_second:>10,.0f}", file=sys.stderr)
        for library, limit in (("blackjax", AT_MOST[d]), ("Pyro", 1 / 20)):
            if library in rates:
                ratio = rates[library].per_second / rates["helpers"].per_second
                yield f"ESS/s, {name}, {d}-D: {library} / ours", ratio, limit, ""
        if d == 2 and name in KERNELS:
            yield f"kernels of a step, {name}", kernels(d, name), KERNELS[name], ""


def rows() -> Iterator[Row]:
    """The rows of `make bench`; none, and a line that says so, where a peer is not installed."""
    missing = [peer for peer in PEERS if importlib.util.find_spec(peer) is None]
    if missing:
        print(f"(samplers beside other libraries: {', '.join(missing)} not installed: make peers PEERS=mcmc)")
        return
    command, root = [sys.executable, "-m", "tools.bench_mcmc"], Path(__file__).parent.parent
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=root, env=os.environ | ONE_THREAD)
    for line in done.stdout.splitlines():
        what, measured, limit, unit = json.loads(line)
        yield what, measured, limit, unit


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
