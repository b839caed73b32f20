"""Who may import whom, downwards only: lectures -> exercises, figures -> the mathematics -> the machinery.

The recipes of the checkpoints train with the mathematics, so they lie above it, beside figures and exercises.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HELPERS = ROOT / "helpers"
MACHINERY = {"runtime", "checks", "data", "downloads", "files", "training", "checkpoints", "models"}
ABOVE = {"figures", "exercises", "recipes"}
LECTURES = "risk faceid gan vae mcmc diffusion attacks physical smoothing certification ntk".split()
SEEN = {"matplotlib", "ipywidgets", "IPython", "mpl_toolkits"}
MODULES = sorted(HELPERS.rglob("*.py"))


def layer(module: str) -> int:
    """0 the machinery, 1 the mathematics, 2 what uses it; module is a name such as helpers.risk.figures."""
    part = module.split(".")[1]
    return 2 if part in ABOVE else 0 if part in MACHINERY else 1


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(tree: ast.AST, module: str, is_package: bool = False) -> Iterator[str]:
    """The full name of everything that a module imports, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            base = parts[: len(parts) - node.level + is_package] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names)


def faults(module: str, wanted: Iterator[str]) -> list[str]:
    """What a module imports that it may not."""
    found = []
    for name in wanted:
        if module.split(".")[1] not in ("figures", "exercises") and name.split(".")[0] in SEEN:
            found.append(f"{module} imports {name}: what is seen belongs to helpers.figures")
        if name.startswith("helpers.") and layer(name) > layer(module):
            found.append(f"{module} imports {name}, which lies above it")
        if name.split(".")[0] in ("tools", "tests", "lectures"):
            found.append(f"{module} imports {name}, which is not part of the package")
    return found


@pytest.mark.parametrize("path", [path for path in MODULES if path != HELPERS / "__init__.py"], ids=name_of)
def test_imports_go_downwards(path: Path) -> None:
    module = name_of(path)
    tree = ast.parse(path.read_text(), str(path))
    assert faults(module, imports(tree, module, path.name == "__init__.py")) == []


@pytest.mark.parametrize("path", [path for path in MODULES if path.parent == HELPERS], ids=name_of)
def test_every_module_is_machinery_or_a_lecture(path: Path) -> None:
    assert path.stem in {"__init__", *MACHINERY, *LECTURES}


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("helpers.risk", "import matplotlib.pyplot as plt"),
        ("helpers.risk", "def f():\n    from ipywidgets import IntSlider"),
        ("helpers.training", "from helpers import risk"),
        ("helpers.training", "from . import risk"),
        ("helpers.risk", "from helpers.figures import explore"),
        ("helpers.risk", "from .exercises.risk import EXERCISES"),
        ("helpers.risk.figures", "from tools import lab"),
        ("helpers.recipes.gan", "import matplotlib"),
    ],
)
def test_the_rule_sees_what_breaks_it(module: str, code: str) -> None:
    assert len(faults(module, imports(ast.parse(code), module))) == 1


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("helpers.physical", "from helpers import attacks, faceid"),
        ("helpers.risk.figures", "import matplotlib\nfrom helpers import risk\nfrom . import explore"),
        ("helpers.risk.exercises", "from .. import risk\nfrom . import Exercise"),
        ("helpers.recipes.gan", "from helpers import checkpoints, gan"),
    ],
)
def test_the_rule_lets_through_what_is_allowed(module: str, code: str) -> None:
    assert faults(module, imports(ast.parse(code), module)) == []


def test_the_mathematics_loads_without_what_draws() -> None:
    """Also through other packages: importing a mathematics module brings in neither matplotlib nor ipywidgets."""
    names = [name_of(path) for path in MODULES if path.parent == HELPERS and path.stem in LECTURES]
    code = f"import sys, {', '.join(['helpers', *names])}\nprint(*sorted({SEEN!r} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
