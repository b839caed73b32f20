"""Exercises that check themselves.

A lecture's `helpers/<word>/exercises` declares its exercises and binds a `Desk` to them, whose `check`, `hint`,
`solution`, `progress` the students call. To declare them: `Exercise`, its checks `same`, `holds`, `raises`, and `args`,
`require`, `agree`, `Wrong`, `Draw` to write them with.

The checks look for mistakes, not for cheats: a function that calls the course's own, or that replaces parts of torch or
of this package, can pass; who does so deceives nobody else.
"""

from helpers.exercises._checks import agree, holds, raises, require, same
from helpers.exercises._desk import Desk
from helpers.exercises._draw import Draw
from helpers.exercises._examine import examine
from helpers.exercises._exercise import Check, Exercise
from helpers.exercises._register import exercises, lectures
from helpers.exercises._subject import Arguments, Wrong, args
from helpers.exercises._verdict import Verdict

__all__ = [
    "Arguments", "Check", "Desk", "Draw", "Exercise", "Verdict", "Wrong", "agree", "args", "examine", "exercises",
    "holds", "lectures", "raises", "require", "same",
]  # fmt: skip
