"""What every test runs under: one thread for torch, and no network but loopback."""

import sys
import traceback
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from helpers import runtime
from tools import pretend_gpu

sys.path.insert(0, str(Path(__file__).parent / "offline"))
import network  # noqa: E402

torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def offline() -> Iterator[None]:
    """No test reaches the network; a server on loopback can be reached."""
    network.block()
    yield
    network.unblock()


LEFT_OUT = {  # with --gpu: in a test's name, and why
    "smoothing/test_exercises.py": "right answers that use SciPy: its own business on a GPU",
    "test_gpu.py": "runs the others",
    "x must live where the model does": "is about devices itself",
    "test_images_on_another_device": "is about devices itself",
    "test_votes_and_attack_on_the_gpu": "is about devices itself",
    "/test_cifar.py": "half precision needs a real GPU",
    "diffusion/test_digits.py": "what the cards say, on the CPU",
    "diffusion/test_measured.py": "what is stored, on the CPU",
    "test_breast_cancer": "a table that scikit-learn keeps on the CPU",
}
ON_GPU_ONLY = {f"tests/gpu/test_{name}.py": "tests/gpu/test_gpu.py runs it" for name in ("exercises", "figures")}
TESTS, MODELS = str(Path(__file__).parent), str(Path(__file__).parents[1] / "helpers" / "models.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--gpu", action="store_true", help="what tests make lives on a pretended GPU (make stress)")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--gpu"):
        runtime.generator = partial(_generator_on_gpu, runtime.generator)  # type: ignore[assignment]
        pretend_gpu.start(TESTS, MODELS)


def _generator_on_gpu(original: Any, number: int = 0, device: Any = None) -> torch.Generator:
    """A test that writes "cpu" means where its tensors are; a device taken from a tensor (x.device) is kept, and so is
    what the package itself asks for."""
    of_a_test = sys._getframe(1).f_code.co_filename.startswith(TESTS)
    keep = device is not None and (isinstance(device, torch.device) or not of_a_test)
    return original(number, device if keep else pretend_gpu.GPU)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = LEFT_OUT if config.getoption("--gpu") else ON_GPU_ONLY
    for item in items:
        for reason in (reason for name, reason in left_out.items() if name in item.nodeid):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """With --gpu, a test that itself asks for the CPU (SciPy, a stored table) is left out; the package may not."""
    try:
        return (yield)
    except (RuntimeError, TypeError) as error:
        if item.config.getoption("--gpu") and pretend_gpu.refused(error) and _last_file(error).startswith(TESTS):
            pytest.skip(f"the test itself asks for the CPU: {error}")
        raise


def _last_file(error: BaseException) -> str:
    """The file of the course in which an error arose."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    return [name for name in files if name != pretend_gpu.__file__ and "site-packages" not in name][-1]
