"""A lecture in a folder of its own, and the copy that a student has of it."""

import json
from pathlib import Path

from tools import lab

NAME = "01_risk.ipynb"
COPY = "work/01_risk.ipynb"


def notebook(text: str, **metadata: object) -> bytes:
    """A lecture of a text and a cell that was run."""
    output = {"output_type": "stream", "name": "stdout", "text": ["2\n"]}
    code = {"cell_type": "code", "source": ["1 + 1\n", "# sum"], "outputs": [output], "execution_count": 1}
    words = {"cell_type": "markdown", "source": text, "metadata": {}}
    return json.dumps({"cells": [words, {**code, "metadata": metadata}], "metadata": {}}).encode()


def lecture(root: Path, text: str) -> bytes:
    """Publishes a version of the lecture and returns the bytes of a fresh copy."""
    (root / "lectures").mkdir(exist_ok=True)
    (root / "lectures" / NAME).write_bytes(notebook(text))
    return lab.handed_out(notebook(text))


def bring(root: Path) -> list[str]:
    return lab.bring(root / "lectures", root / "work")


def names(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "work").iterdir())


def change(root: Path, content: bytes = notebook("my answer")) -> bytes:
    (root / COPY).write_bytes(content)
    return content
