"""The environments that are made only when they are asked for: what goes in, and when one of them has failed."""

import sys
import tomllib
from pathlib import Path

import pytest

from tools import installer, others

ROOT = others.ROOT


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """A course with one set of peers; what would be run instead of running it."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "peers.toml").write_text(
        '[one]\npackages = ["foolbox"]\nalone = ["facenet-pytorch"]\ntests = ["tests/x.py"]\nbench = ["attacks"]\n'
    )
    (tmp_path / "pyproject.toml").write_text(
        '[project]\ndependencies = ["numpy>=2.0", "jupyterlab>=4.2"]\n[tool.course]\ntested = ["torch==2.13.0"]\n'
    )
    found: list[list[str]] = []
    monkeypatch.setattr(others, "ROOT", tmp_path)
    monkeypatch.setattr(others, "run", lambda command, root, variables: found.append(command))
    monkeypatch.setattr(installer, "settings", lambda python: {})
    monkeypatch.setattr(installer, "finish", lambda folder, state: None)
    return found


def ran(monkeypatch: pytest.MonkeyPatch, passes: bool = True) -> list[list[str]]:
    found: list[list[str]] = []

    def checked(root: Path, inside: Path, arguments: list[str], **options: bool) -> bool:
        found.append(arguments)
        return passes

    monkeypatch.setattr(others, "checked", checked)
    return found


def test_a_set_of_peers_has_the_course_without_jupyterlab_and_the_torch_that_is_tested(calls, monkeypatch) -> None:
    done = ran(monkeypatch)
    assert others.main(["peers", "one"]) == 0
    venv, packages, alone = calls
    assert venv[3] == "venv" and venv[-1].endswith(".venv-peers/one")
    assert packages[-4:] == ["numpy>=2.0", "torch==2.13.0", "pytest", "foolbox"]
    assert alone[-2:] == ["--no-deps", "facenet-pytorch"]
    assert done == [["pytest", "-q", "-rs", "tests/x.py"], ["tools.bench", "attacks"]]


@pytest.mark.parametrize(("kind", "resolution"), [("lowest", "lowest-direct"), ("newest", "highest")])
def test_the_bounds_are_tried_at_their_ends(calls, monkeypatch, kind: str, resolution: str) -> None:
    done = ran(monkeypatch)
    assert others.main([kind, "--python", "3.12", "--lecture", "05_mcmc"]) == 0
    venv, packages, _ = calls
    assert venv[venv.index("--python") + 1] == "3.12" and packages[-2:] == ["--resolution", resolution]
    assert done[0] == ["pytest", "-q", "tests"] and done[1][-1] == "lectures/05_mcmc.ipynb"


def test_what_failed_is_named(calls, monkeypatch, capsys) -> None:
    ran(monkeypatch, passes=False)
    assert others.main(["peers"]) == 1
    assert capsys.readouterr().out.endswith("failed: one\n")


def test_an_unknown_set_is_refused_with_those_there_are(calls, capsys) -> None:
    with pytest.raises(SystemExit):
        others.main(["peers", "two"])
    assert "no set of peers two; there are one" in capsys.readouterr().err


def test_what_cannot_be_installed_is_one_sentence(calls, monkeypatch, capsys) -> None:
    def fails(*arguments: object) -> None:
        raise installer.Failure("The disk is full.")

    monkeypatch.setattr(others, "run", fails)
    assert others.main(["lowest"]) == 1
    assert capsys.readouterr().err == "The disk is full.\n"


@pytest.mark.parametrize(
    ("test", "passed", "passed_without_skips"),
    [("assert True", True, True), ("pytest.skip()", True, False), ("assert False", False, False)],
)
def test_a_peer_test_that_was_skipped_has_not_passed(tmp_path, test, passed, passed_without_skips) -> None:
    (tmp_path / "test_it.py").write_text(f"import pytest\ndef test_it():\n    {test}\ndef test_other(): pass\n")
    inside, arguments = Path(sys.executable), ["pytest", "-q", "test_it.py"]
    assert others.checked(tmp_path, inside, arguments) is passed
    assert others.checked(tmp_path, inside, arguments, skips=False) is passed_without_skips


def test_the_sets_of_the_course_name_what_is_there() -> None:
    for name, peers in tomllib.loads((Path(__file__).parents[2] / "tools" / "peers.toml").read_text()).items():
        for test in peers["tests"]:
            assert (Path(__file__).parents[2] / test).exists(), (name, test)
        for bench in peers["bench"]:
            assert (Path(__file__).parents[2] / "tools" / f"bench_{bench}.py").exists(), (name, bench)
