"""Where and at which scale a lecture runs: device, seeds, quick or full, watched or not."""

import difflib
import importlib
import os
import random
import sys
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import threadpoolctl
import torch

if TYPE_CHECKING:
    from tqdm import tqdm

T = TypeVar("T")


def device() -> torch.device:
    """The fastest device at hand: CUDA, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


_default_device = device  # under a name that no argument hides


def seed(number: int = 0, *, threads: int | None = None) -> None:
    """Seed Python's, NumPy's and torch's global generators (all devices) and ask cuDNN for deterministic kernels.

    threads fixes the number of CPU threads that torch, NumPy and SciPy sum with, and so the last digits, whatever the
    machine; 1 is also the fastest for small problems. Raises ValueError unless `number` is an integer in [0, 2^32) and
    threads >= 1.
    """
    _check_seed(number)
    if threads is not None:
        if threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        torch.set_num_threads(threads)
        threadpoolctl.threadpool_limits(threads, user_api="blas")
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def generator(number: int = 0, device: torch.device | str | None = None) -> torch.Generator:
    """A torch generator of its own, seeded with `number`, on `device` (default: `runtime.device()`).

    Raises ValueError unless `number` is an integer in [0, 2^32).
    """
    _check_seed(number)
    return torch.Generator(_default_device() if device is None else device).manual_seed(number)


def home(generator: torch.Generator | None) -> torch.device:
    """Where a generator draws; the CPU without one."""
    return torch.device("cpu") if generator is None else generator.device


def scale() -> Literal["quick", "full"]:
    """The scale of the experiments, from the environment variable COURSE_SCALE: "quick" (the default) or "full".

    Raises ValueError if COURSE_SCALE holds anything else.
    """
    value = os.environ.get("COURSE_SCALE", "quick")
    if value == "quick":
        return "quick"
    if value == "full":
        return "full"
    raise ValueError(f"COURSE_SCALE must be 'quick' or 'full', got {value!r}")


def by_scale(quick: T, full: T) -> T:
    """`quick` or `full`, whichever `scale()` says."""
    return quick if scale() == "quick" else full


def building() -> bool:
    """Whether a notebook is being made (environment variable COURSE_BUILD=1): nobody watches, nobody moves a slider."""
    return os.environ.get("COURSE_BUILD", "") not in ("", "0")


def in_room() -> bool:
    """Whether the lecture is shown on a projector (environment variable COURSE_ROOM=1): figures are larger."""
    return os.environ.get("COURSE_ROOM", "") not in ("", "0")


def watched() -> bool:
    """Whether somebody sees the output as it comes: a terminal, or a notebook whose front end can ask a question.

    False while a notebook is made or tested (nbclient and nbval refuse standard input), so no stored output holds
    the remains of a progress bar.
    """
    if building():
        return False
    ipython = sys.modules.get("IPython")
    kernel = getattr(ipython.get_ipython(), "kernel", None) if ipython else None
    if kernel is None:
        return sys.stderr.isatty()
    return "google.colab" in sys.modules or getattr(kernel, "_allow_stdin", True)


def progress(iterable: Iterable[T] | None, text: str, *, show: bool = True, **options: Any) -> "tqdm[T]":
    """`iterable` with the course's progress bar: labelled `text`, erased when done, silent unless `watched()`.

    show=False silences it in any case; `options` go to tqdm (total, unit, ...).
    """
    from tqdm.auto import tqdm

    return tqdm(iterable, desc=text, leave=False, disable=not (show and watched()), **options)


def import_torchvision() -> ModuleType:
    """torchvision, imported when it is needed and not before: it takes as long as torch itself.

    Raises ImportError if it is not installed.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError:
        # torchvision and torch of different builds (CUDA and CPU): its compiled operators cannot be loaded. Its data
        # sets, models and transforms do without them; only its import asks that two be declared, so declare them.
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return importlib.import_module("torchvision")


def check_name(name: str, names: Sequence[str]) -> None:
    """Raise ValueError, with the nearest of `names`, unless `name` is one of them."""
    if name not in names:
        near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"name must be one of {', '.join(names)}; got {name!r}.{hint}")


def _check_seed(number: int) -> None:
    if not (isinstance(number, (int, np.integer)) and 0 <= number < 2**32):
        raise ValueError(f"number must be an integer in [0, 2^32), got {number!r}")
