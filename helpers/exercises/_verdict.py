"""What the student sees: a verdict, a hint, a solution, a table; as plain text and as HTML with its own styles."""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

Kind = Literal["not attempted", "passed", "failed", "raised"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SYMBOL: dict[Kind, str] = {"not attempted": "○", "passed": "✓", "failed": "✗", "raised": "!"}
# Okabe and Ito's colours, readable on light and on dark; the symbol and the word say the same without colour
ACCENT: dict[Kind, str] = {"not attempted": "#808080", "passed": "#009E73", "failed": "#D55E00", "raised": "#C06090"}
CODE = "font-family:monospace;font-size:0.95em"
FAINT = "opacity:0.75"


def inline(text: str) -> str:
    """Text as HTML: escaped, `code` set as code."""
    code = rf'<code style="{CODE};background:none;padding:0">\1</code>'
    return re.sub(r"`([^`]+)`", code, html.escape(text, quote=False))


def box(colour: str, *parts: str) -> str:
    """HTML in a box with a coloured edge, on the ground and in the text colour of the page (light or dark)."""
    edge = f"border-left:5px solid {colour};background:{colour}14"
    return f'<div style="{edge};padding:8px 14px;margin:4px 0;max-width:900px;line-height:1.45">{"".join(parts)}</div>'


def table(rows: Sequence[Sequence[tuple[str, str]]]) -> str:
    """An HTML table of rows of (style, HTML)."""
    if not rows:
        return ""
    plain = "padding:1px 16px 1px 0;text-align:left;vertical-align:top;border:none;background:none"
    cells = ["".join(f'<td style="{plain};{style}">{text}</td>' for style, text in row) for row in rows]
    body = "".join(f'<tr style="background:none">{row}</tr>' for row in cells)
    return f'<table style="margin:4px 0 0 0;border:none;border-collapse:collapse;font-size:1em">{body}</table>'


def show(view: Any) -> None:
    """Displays a view in a notebook, else prints it."""
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        ipython.display.display(view)
    else:
        print(repr(view))


@dataclass(frozen=True)
class Verdict:
    """The verdict on one attempt: its kind, how many of the checks passed, and rows of (label, text) that say why."""

    kind: Kind
    number: str
    name: str
    passed: int = 0
    total: int = 0
    rows: tuple[tuple[str, str], ...] = ()
    close: str = ""

    @property
    def words(self) -> str:
        """The verdict in words: 'passed (4 of 4)'."""
        if self.kind == "passed":
            return f"passed ({self.passed} of {self.total})"
        return f"{self.kind} ({self.passed} of {self.total} passed)" if self.passed else self.kind

    def row(self, label: str) -> str:
        """The text beside a label; '' if there is none."""
        return dict(self.rows).get(label, "")

    def __repr__(self) -> str:
        lines = [f"{SYMBOL[self.kind]} Exercise {self.number}, {self.name}: {self.words}"]
        width = max((len(label) for label, _ in self.rows), default=0) + 2
        for label, text in self.rows:
            first, *more = text.splitlines() or [""]
            lines += [f"    {label:{width}}{first}", *(" " * (4 + width) + line for line in more)]
        return "\n".join(lines + ([f"    {self.close}"] if self.close else []))

    def _repr_html_(self) -> str:
        colour = ACCENT[self.kind]
        title = (
            f'<div><b style="color:{colour};font-size:1.1em">{SYMBOL[self.kind]} {self.words}</b>'
            f'<span style="{FAINT}">&ensp;Exercise {self.number}, <code style="{CODE};background:none">'
            f"{html.escape(self.name)}</code></span></div>"
        )
        pair = [
            ((f"white-space:nowrap;{FAINT}", label), ("white-space:pre-wrap", inline(text)))
            for label, text in self.rows
        ]
        close = f'<div style="{FAINT};margin-top:3px">{inline(self.close)}</div>' if self.close else ""
        return box(colour, title, table(pair), close)


@dataclass(frozen=True)
class Note:
    """A heading, a text, and perhaps some code: a hint or a solution."""

    title: str
    text: str
    code: str = ""

    def __repr__(self) -> str:
        return "\n".join(part for part in (self.title, self.text, self.code and "\n" + self.code) if part)

    def _repr_html_(self) -> str:
        title = f"<b>{inline(self.title)}</b>"
        text = f'<div style="white-space:pre-wrap">{inline(self.text)}</div>' if self.text else ""
        return box("#0072B2", title, text, highlighted(self.code) if self.code else "")


def highlighted(code: str) -> str:
    """Python source as HTML on a light ground of its own, so that it reads in a dark theme too."""
    ground = "background:#f6f8fa;color:#1f2328;padding:8px 12px;margin:6px 0"
    style = f"{ground};white-space:pre;overflow-x:auto;font-size:13px;line-height:1.4"
    try:
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer

        body = highlight(code, PythonLexer(), HtmlFormatter(noclasses=True, nowrap=True))
    except ImportError:
        body = html.escape(code)
    return f'<pre style="{style}">{body}</pre>'


@dataclass(frozen=True)
class Table:
    """A lecture's exercises: rows of (number, name, minutes, last verdict)."""

    lecture: str
    rows: Sequence[tuple[str, str, int, Verdict]]

    @property
    def title(self) -> str:
        """'Exercises of the lecture risk: 3 of 10 passed'."""
        done = sum(verdict.kind == "passed" for *_, verdict in self.rows)
        return f"Exercises of the lecture {self.lecture}: {done} of {len(self.rows)} passed"

    def __repr__(self) -> str:
        width = max((len(name) for _, name, *_ in self.rows), default=0)
        lines = [
            f"    {number:5} {name:{width}}  {minutes:3} min  {SYMBOL[verdict.kind]} {verdict.words}"
            for number, name, minutes, verdict in self.rows
        ]
        return "\n".join([self.title, *lines])

    def _repr_html_(self) -> str:
        rows = [
            (
                ("", number),
                (CODE, html.escape(name)),
                (FAINT, f"{minutes} min"),
                (f"color:{ACCENT[verdict.kind]};font-weight:bold", f"{SYMBOL[verdict.kind]} {verdict.words}"),
            )
            for number, name, minutes, verdict in self.rows
        ]
        return box("#0072B2", f"<b>{html.escape(self.title)}</b>", table(rows))
