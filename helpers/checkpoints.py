"""Trained networks with their recipes: `load(name)`, and `python -m helpers.checkpoints NAME` to make one again.

A checkpoint is data/checkpoints/NAME.safetensors (the weights) and NAME.json (its card: the recipe, the command that
rebuilds it, the function that builds the network, the metrics reached, the SHA-256 of the weights and of the card
itself, the version of torch). The card of a network that was trained to withstand attacks also holds the verdict on
it, which `python -m helpers.checkpoints --judge NAME` measures anew. Loading reads the two files and imports the
builder alone. The recipe is a function in helpers/<lecture>/recipes.py, registered with @recipe, and is imported only
to build.
"""

import argparse
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import safetensors.torch
import torch
from torch import nn

from helpers import runtime
from helpers.files import read_card, read_verified, sha256, write_atomically, write_card

FOLDER = Path(__file__).resolve().parent.parent / "data" / "checkpoints"


class Recipe(NamedTuple):
    """How a checkpoint is made: the untrained network, its training in place, its metrics, float16 or bytes on disk,
    its origin where it was made elsewhere (source, licence, credit), and the verdict of a judge."""

    model: Callable[[], nn.Module]
    train: Callable[[nn.Module], object]
    measure: Callable[[nn.Module], dict[str, float]]
    half: bool
    even: bool
    origin: Mapping[str, str]
    judge: Callable[[nn.Module], dict[str, Any]] | None


_recipes: dict[str, Recipe] = {}


def recipe(
    name: str,
    *,
    model: Callable[[], nn.Module],
    measure: Callable[[nn.Module], dict[str, float]],
    half: bool = False,
    even: bool = False,
    origin: Mapping[str, str] = MappingProxyType({}),
    judge: Callable[[nn.Module], dict[str, Any]] | None = None,
) -> Callable[[Callable[[nn.Module], object]], Callable[[nn.Module], object]]:
    """Register train(model) -> anything, which trains in place, as the recipe of the checkpoint `name`.

    model() is the untrained network; measure(model) -> {metric: number} is taken from the weights as they are stored
    (rounded to float16 if `half`; as bytes, without a loss, where `even` and they are so spaced), and taken again by a
    test; `origin` goes on the card. judge(model) -> what the card says of its robustness, too dear to be taken again
    whole. Raises ValueError if `name` has a recipe already.
    """
    if name in _recipes:
        raise ValueError(f"name must be new, but there is a recipe for {name!r} in {_recipes[name].train.__module__}")

    def register(train: Callable[[nn.Module], object]) -> Callable[[nn.Module], object]:
        _recipes[name] = Recipe(model, train, measure, half, even, origin, judge)
        return train

    return register


def names() -> tuple[str, ...]:
    """Every checkpoint that has a recipe, in alphabetical order. Imports all recipes."""
    for path in sorted(Path(__file__).parent.glob("*/recipes.py")):
        importlib.import_module(f"helpers.{path.parent.name}.recipes")
    return tuple(sorted(_recipes))


def load(name: str, device: torch.device | str | None = None) -> nn.Module:
    """The trained network `name` in evaluation mode, on `device` (default: `runtime.device()`), verified by SHA-256.

    Raises ValueError for an unknown name, OSError (with the command that rebuilds it) for missing or damaged files.
    """
    facts = card(name)
    content = read_verified(FOLDER / f"{name}.safetensors", facts["sha256"], _remedy(name))
    model = _builder(name, facts["model"])()
    try:
        model.load_state_dict(_from_bytes(safetensors.torch.load(content)))
    except RuntimeError as error:
        raise OSError(
            f"{FOLDER / name}.safetensors does not fit the network of its card, {facts['model']}, "
            f"which has changed since ({str(error).splitlines()[-1].strip()}). {_remedy(name)}"
        ) from None
    return model.to(runtime.device() if device is None else device).eval()


def card(name: str) -> dict[str, Any]:
    """The card of the checkpoint `name`: recipe, rebuild, model, parameters, metrics, sha256, torch, seal,
    and verdict where there is one.

    Raises ValueError for an unknown name, OSError if the card is missing, damaged, or was changed by hand.
    """
    path = FOLDER / f"{name}.json"
    if not path.exists():
        runtime.check_name(name, sorted({found.stem for found in FOLDER.glob("*.json")} | set(names())))
    return read_card(path, _remedy(name))


def _builder(name: str, full_name: str) -> Callable[[], nn.Module]:
    """The function of the package that a card names, such as helpers.models.lenet."""
    module, _, function = full_name.rpartition(".")
    if module.split(".")[0] != "helpers":
        raise OSError(f"the card of {name} names {full_name}, which is no function of helpers. {_remedy(name)}")
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError):
        raise OSError(f"the card of {name} names {full_name}, which is not there any more. {_remedy(name)}") from None


def build(name: str) -> dict[str, float]:
    """Train `name` by its recipe from seed 0, store it, and return the metrics of what was stored.

    Raises ValueError for an unknown name, and if a weight is not finite in the precision of the file.
    """
    chosen = find(name)
    runtime.seed(0)
    model = chosen.model().to(runtime.device())
    chosen.train(model)
    stored = _stored(model, chosen.half)
    for key, value in stored.items():
        if not value.isfinite().all():
            raise ValueError(f"{name}: {key} is not finite as it would be stored ({value.dtype})")
    stored = _to_bytes(stored) if chosen.even else stored
    model.load_state_dict(_from_bytes(stored))
    weights = safetensors.torch.save(stored)
    metrics = chosen.measure(model.eval())
    facts: dict[str, Any] = {
        "recipe": _full_name(chosen.train),
        "rebuild": _command(name),
        "model": _full_name(chosen.model),
        "parameters": sum(p.numel() for p in model.parameters()),
        **chosen.origin,
        "metrics": metrics,
        "sha256": sha256(weights),
        "torch": torch.__version__,
    }
    if chosen.judge is not None:
        facts["verdict"] = chosen.judge(model)
    write_atomically(FOLDER / f"{name}.safetensors", lambda path: path.write_bytes(weights))
    write_card(FOLDER / f"{name}.json", facts)
    return metrics


def judge(name: str) -> dict[str, Any]:
    """Measure the verdict on the stored network `name` again, write it on its card, and return it.

    Raises ValueError for an unknown name, or for a network that nobody judges.
    """
    by = find(name).judge
    if by is None:
        raise ValueError(f"the recipe of {name!r} names no judge of its robustness")
    facts = card(name) | {"verdict": by(load(name))}
    write_card(FOLDER / f"{name}.json", {key: value for key, value in facts.items() if key != "seal"})
    return facts["verdict"]


def find(name: str) -> Recipe:
    """The recipe of the checkpoint `name`. Raises ValueError, with the nearest name, if there is none."""
    runtime.check_name(name, names())
    return _recipes[name]


def _stored(model: nn.Module, half: bool) -> dict[str, torch.Tensor]:
    """The weights as they go to the disk; integers, such as counters of batches, keep their type."""
    return {
        key: (value.half() if half and value.is_floating_point() else value).cpu().contiguous()
        for key, value in model.state_dict().items()
    }


def _to_bytes(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A matrix or kernel w as q, `.step` and `.low`, w = low + step q, where each row's values are so spaced."""
    stored: dict[str, torch.Tensor] = {}
    for key, value in weights.items():
        q, step, low = _even(value.double()) if value.ndim > 1 else (None, value, value)
        stored |= {key: value} if q is None else {key: q, f"{key}.step": step, f"{key}.low": low}
    return stored


def _even(w: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor]:
    """The bytes q, and for each row step and low, with w = low + step q to the last digit of float32; None for q where
    there are none. The step is the smallest gap, then made exact by the row's largest value."""
    rows = w.flatten(1)
    low, high = rows.aminmax(dim=1, keepdim=True)
    gaps = rows.sort(1).values.diff(dim=1)
    gaps = gaps.where(gaps > 1e-5 * (high - low), torch.inf).amin(1, keepdim=True)
    step = (high - low) / ((high - low) / gaps).round().clamp(min=1)
    q = ((rows - low) / step.where(step > 0, 1)).round()
    exact = q.max() < 256 and ((low.float() + step.float() * q.float()) - rows).abs().max() < 1e-6 * rows.abs().max()
    return q.byte().view(w.shape) if exact else None, step.float().squeeze(1), low.float().squeeze(1)


def _from_bytes(stored: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights, those of `_to_bytes` as numbers again."""
    weights = {key: value for key, value in stored.items() if not key.endswith((".step", ".low"))}
    for key in [key for key in weights if f"{key}.step" in stored]:
        rows = (-1, *[1] * (weights[key].ndim - 1))
        weights[key] = stored[f"{key}.low"].view(rows) + stored[f"{key}.step"].view(rows) * weights[key]
    return weights


def _command(name: str) -> str:
    return f"python -m helpers.checkpoints {name}"


def _remedy(name: str) -> str:
    return f"Restore it with `git checkout -- data/checkpoints`, or train it again with `{_command(name)}`."


def _full_name(function: Callable[..., object]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m helpers.checkpoints [--judge] [NAME ...]`: rebuild or judge those named, or list them all."""
    parser = argparse.ArgumentParser(prog="python -m helpers.checkpoints", description="Rebuild checkpoints.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a checkpoint; without any, all are listed")
    parser.add_argument("--judge", action="store_true", help="train nothing: measure the verdicts on the cards again")
    options = parser.parse_args(arguments)
    chosen = options.names
    for name in chosen:
        if name not in names():
            parser.error(f"no recipe for {name!r}; there are {', '.join(names())}")
    for name in chosen:
        print(name, judge(name) if options.judge else _text(build(name)))
    if not chosen:
        for name in names():
            stored = (FOLDER / f"{name}.json").exists()
            print(name, _text(card(name)["metrics"]) if stored else "(not trained yet)")


def _text(metrics: dict[str, float]) -> str:
    return ", ".join(f"{key} {value:.4f}" for key, value in metrics.items())


if __name__ == "__main__":
    # this file runs as __main__, while the recipes register with helpers.checkpoints: go on in that module
    sys.exit(importlib.import_module("helpers.checkpoints").main())
