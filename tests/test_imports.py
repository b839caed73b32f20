"""Who may import whom: machinery < engines < lectures in the order of the course, and no circle of modules.

A lecture's mathematics uses the machinery and the mathematics of earlier lectures, and knows nothing of what is seen.
Its figures and exercises use their own engine and the mathematics that the lecture may use; nobody imports another
lecture's. Recipes are read only to rebuild: they may use any lecture's mathematics, and nothing imports them.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
HELPERS = ROOT / "helpers"
MACHINERY = set("runtime checks data downloads att_faces files transfer training checkpoints models".split())
ENGINES = {"figures", "exercises"}
LECTURES = "risk faceid gan vae mcmc diffusion attacks physical smoothing certification ntk".split()
SEEN = {"matplotlib", "ipywidgets", "IPython", "mpl_toolkits"}
MODULES = sorted(path for path in HELPERS.rglob("*.py") if path != HELPERS / "__init__.py")
THERE = [word for word in LECTURES if (HELPERS / word).is_dir()]


class Place(NamedTuple):
    """Where a module stands: machinery, engine, maths, figures, exercises or recipes; the lecture's number, or -1."""

    room: str
    lecture: int = -1


def place(module: str) -> Place:
    """The place of a module such as helpers.attacks.figures.stills."""
    first, *rest = module.split(".")[1:]
    if first in LECTURES:
        return Place(rest[0] if rest and rest[0] in ENGINES | {"recipes"} else "maths", LECTURES.index(first))
    return Place(first if first in ENGINES else "machinery")


def allowed(here: Place, there: Place) -> bool:
    """Whether a module at `here` may import one at `there`."""
    if there.room == "machinery":
        return True
    if there.lecture < 0:  # an engine
        return here.room == there.room
    if there.room == "maths":
        return here.room == "recipes" or 0 <= there.lecture <= here.lecture
    return here == there and there.room in ENGINES


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


def faults(module: str, wanted: Iterator[str], is_package: bool = False) -> list[str]:
    """What a module imports that it may not."""
    found, here = [], place(module)
    lecture_itself = here.room == "maths" and is_package
    for name in wanted:
        root = name.split(".")[0]
        if here.room not in ENGINES and root in SEEN:
            found.append(f"{module} imports {name}: what is seen belongs to figures")
        if root in ("tools", "tests", "lectures"):
            found.append(f"{module} imports {name}, which is not part of the package")
        if root == "helpers" and not allowed(here, place(name)):
            found.append(f"{module} imports {name}, which it may not")
        elif root == "helpers" and lecture_itself and place(name) != here:
            found.append(f"{module} imports {name}: a lecture's __init__ names its own mathematics and nothing else")
    return found


def depends_on(module: str, wanted: Iterator[str], modules: set[str]) -> set[str]:
    """The modules of the package that a module imports from: `from helpers.a import b` is a.b, or a's own name b."""
    found = set()
    for name in wanted:
        owner = name if name in modules else name.rpartition(".")[0]
        if owner in modules and owner != module:
            found.add(owner)
    return found


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The modules of a circle of imports, or [] where there is none."""
    done: set[str] = set()

    def visit(module: str, way: list[str]) -> list[str]:
        if module in way:
            return way[way.index(module) :]
        if module not in done:
            for other in sorted(graph.get(module, ())):
                if found := visit(other, [*way, module]):
                    return found
            done.add(module)
        return []

    return next((found for module in sorted(graph) if (found := visit(module, []))), [])


def parsed(path: Path) -> tuple[str, list[str], bool]:
    module, package = name_of(path), path.name == "__init__.py"
    return module, list(imports(ast.parse(path.read_text(), str(path)), module, package)), package


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_downwards(path: Path) -> None:
    module, wanted, package = parsed(path)
    assert faults(module, iter(wanted), package) == []


def test_there_is_no_circle() -> None:
    names = {name_of(path) for path in MODULES}
    graph = {}
    for path in MODULES:
        module, wanted, _ = parsed(path)
        graph[module] = depends_on(module, iter(wanted), names)
    assert circle(graph) == []


def test_every_module_is_machinery_an_engine_or_a_lecture() -> None:
    found = {path.stem for path in HELPERS.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert found <= {"__init__", *MACHINERY, *ENGINES, *LECTURES}


@pytest.mark.parametrize("word", THERE)
def test_a_lecture_has_the_same_rooms_as_every_other(word: str) -> None:
    for room in ("__init__.py", "figures/__init__.py", "exercises/__init__.py"):
        assert (HELPERS / word / room).exists()
    tree = ast.parse((HELPERS / word / "__init__.py").read_text())
    assert all(isinstance(node, ast.Expr | ast.ImportFrom | ast.Assign) for node in tree.body), "no code"


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("helpers.risk.losses", "import matplotlib.pyplot as plt"),
        ("helpers.risk.losses", "def f():\n    from ipywidgets import IntSlider"),
        ("helpers.training", "from helpers import risk"),
        ("helpers.training", "from . import risk"),
        ("helpers.training", "from helpers import figures"),
        ("helpers.figures.engine", "from helpers.risk import losses"),
        ("helpers.figures.engine", "from helpers import exercises"),
        ("helpers.risk.losses", "from helpers.figures import explore"),
        ("helpers.risk.losses", "from .exercises.losses import hinge"),
        ("helpers.risk.losses", "from helpers.mcmc import hmc_step"),
        ("helpers.attacks.threat", "from helpers.attacks import recipes"),
        ("helpers.attacks.figures.stills", "from tools import lab"),
        ("helpers.attacks.figures.stills", "from helpers.risk.figures import surfaces"),
        ("helpers.attacks.figures.stills", "from helpers.attacks.exercises import check"),
        ("helpers.attacks.figures.stills", "from helpers.exercises import Draw"),
        ("helpers.attacks.figures.stills", "from helpers.smoothing import certify"),
        ("helpers.attacks.exercises.steps", "from helpers.mcmc.exercises import check"),
        ("helpers.attacks.recipes", "from helpers.smoothing.recipes import train"),
        ("helpers.attacks.recipes", "import matplotlib"),
    ],
)
def test_the_rule_sees_what_breaks_it(module: str, code: str) -> None:
    assert len(faults(module, imports(ast.parse(code), module))) == 1


@pytest.mark.parametrize("code", ["from helpers.risk import hinge_loss", "from helpers.attacks.figures import balls"])
def test_the_rule_sees_an_init_that_reaches_out(code: str) -> None:
    assert faults("helpers.attacks", imports(ast.parse(code), "helpers.attacks", True), True)


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("helpers.physical.patch", "from helpers import attacks, faceid\nfrom helpers.attacks.threat import margin"),
        ("helpers.risk.figures.descent", "import matplotlib\nfrom helpers import figures, risk\nfrom . import losses"),
        ("helpers.risk.exercises.steps", "from helpers import risk\nfrom helpers.exercises import Exercise"),
        ("helpers.attacks.recipes", "from helpers import checkpoints, smoothing"),
    ],
)
def test_the_rule_lets_through_what_is_allowed(module: str, code: str) -> None:
    assert faults(module, imports(ast.parse(code), module)) == []


def test_a_planted_circle_is_seen() -> None:
    names = {"helpers.a", "helpers.b", "helpers.c"}
    code = {
        "helpers.a": "from helpers.b import f",
        "helpers.b": "from helpers import c",
        "helpers.c": "import helpers.a",
    }
    graph = {m: depends_on(m, imports(ast.parse(text), m), names) for m, text in code.items()}
    assert circle(graph) == ["helpers.a", "helpers.b", "helpers.c"]
    assert circle(graph | {"helpers.c": set()}) == []


@pytest.mark.parametrize("word", THERE)
def test_a_lecture_loads_alone_and_without_what_draws(word: str) -> None:
    """Through other packages too: its mathematics brings in no drawing, no exercise, and no later lecture."""
    code = f"import sys, helpers.{word}\nprint(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    loaded = set(out.split())
    assert not SEEN & loaded and "scipy.stats" not in loaded and "torchvision" not in loaded
    ours = {name for name in loaded if name.startswith("helpers.")}
    assert all(place(name).room in ("machinery", "maths") for name in ours), ours
    assert all(place(name).lecture <= LECTURES.index(word) for name in ours), ours
