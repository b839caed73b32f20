"""What README.md says is so: its links lead somewhere, its commands exist, each lecture there is has its link."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def test_every_link_leads_to_a_file() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link


def test_every_lecture_has_its_link() -> None:
    for path in sorted((ROOT / "lectures").glob("*.ipynb")):
        assert f"[{path.stem}](lectures/{path.name})" in README


def test_every_make_command_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"^(?:.*`)?make ([a-z]+)", README, re.M)) <= targets


def test_the_lectures_are_the_eleven() -> None:
    assert [int(n) for n in re.findall(r"^\| (\d+) \|", README, re.M)] == list(range(1, 12))
