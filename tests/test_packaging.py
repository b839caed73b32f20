"""One list of packages: pyproject.toml's. The lock and conda's file follow it, and Colab satisfies it."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DEV = PROJECT["optional-dependencies"]["dev"]
# What Google Colab ran in the middle of 2025; it has only become newer since.
COLAB = {
    "ipywidgets": "7.7.1",
    "matplotlib": "3.10.0",
    "numpy": "2.0.2",
    "safetensors": "0.5.3",
    "scikit-learn": "1.6.1",
    "scipy": "1.15.3",
    "threadpoolctl": "3.6.0",
    "torch": "2.6.0",
    "torchvision": "0.21.0",
    "tqdm": "4.67.1",
}
NOT_ON_COLAB = {"jupyterlab"}  # Colab has a page of its own


def lock() -> list[Requirement]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_colab_satisfies_every_bound() -> None:
    wanted = {r.name: r.specifier for r in map(Requirement, PROJECT["dependencies"])}
    assert set(wanted) == set(COLAB) | NOT_ON_COLAB
    for name, version in COLAB.items():
        assert version in wanted[name], f"{name}: Colab has {version}, pyproject.toml wants {wanted[name]}"


def test_the_lock_pins_everything_that_pyproject_names() -> None:
    pins = {canonicalize_name(r.name): r for r in lock()}
    for requirement in map(Requirement, PROJECT["dependencies"] + DEV):
        (pin,) = pins[canonicalize_name(requirement.name)].specifier
        assert pin.operator == "==" and requirement.specifier.contains(pin.version), requirement.name


def test_the_lock_is_exact_and_names_no_host_and_no_accelerator() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text and "--" not in text
    for requirement in lock():
        assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)) and requirement.url is None, requirement
        assert not re.match("nvidia|cuda|triton", requirement.name)


def test_conda_takes_the_list_from_pyproject() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, by_pip = environment["dependencies"]
    assert environment["channels"] == ["conda-forge"] and pip == "pip"
    assert by_pip == {"pip": ["-r requirements.lock", "-e .[dev]"]}
    assert python.removeprefix("python=") in PROJECT["requires-python"].removeprefix(">=")
