"""Explorers: sliders, what they redraw, and the stills of a built lecture."""

import ipywidgets
import numpy as np
import pytest

from helpers import runtime
from helpers.figures import Choice, Range, Redraw, explore, explorer, figure, settings, stills
from helpers.figures._explore import panel
from tests.figures.toys import lines, opened


def test_settings_hold_the_ends_of_every_parameter_and_the_stills() -> None:
    found = settings(lines)
    assert found[0] == {"slope": 0.5, "steps": 3, "rate": 1, "kind": "line"}
    assert {"slope": -2.0, "steps": 1, "rate": 0.01, "kind": "line"} in found
    assert {"slope": 2.0, "steps": 5, "rate": 10, "kind": "dots"} in found
    for name, value in (("slope", -2.0), ("slope", 2.0), ("steps", 1), ("rate", 10), ("kind", "dots"), ("slope", -1.0)):
        assert {**found[0], name: value} in found
    assert all(found.count(setting) == 1 for setting in found)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Range(0, 1, 2), "low <= default <= high"),
        (lambda: Range(1, 1, 1), "low < high"),
        (lambda: Range(0, 1, 0.5, log=True), "low must be positive"),
        (lambda: Range(0.0, 1.0, 0.5, play=True), "play needs whole numbers"),
        (lambda: Choice(("a", "b"), "c"), "default must be one of"),
        (lambda: explorer(other=Range(0, 1, 0))(lambda x: None), "explorer must declare the parameters"),
        (lambda: explorer(x=Range(0, 1, 0), stills=({"y": 1},))(lambda x: None), "stills of <lambda> may set"),
    ],
)
def test_a_wrong_declaration_is_refused(wrong, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wrong()


def controls(box: ipywidgets.Widget) -> dict[str, ipywidgets.Widget]:
    """The controls of a panel by their labels."""
    return {row.children[0].value: row.children[-1] for row in box.children[0].children[:-1]}


def test_the_panel_has_a_control_of_the_right_kind_for_each_parameter() -> None:
    found = controls(panel(lines))
    kinds = {name: type(control).__name__ for name, control in found.items()}
    assert kinds == {"slope a": "FloatSlider", "steps": "IntSlider", "rate": "FloatLogSlider", "kind": "ToggleButtons"}
    assert found["rate"].value == 1 and found["slope a"].continuous_update
    many = Choice([f"a rather long name {k}" for k in range(6)], "a rather long name 0")
    assert type(many.widget()).__name__ == "Dropdown"

    @explorer(x=Range(0.0, 1.0, 0.5), on_release=True)
    def slow(x):
        return figure(width=2, height=1)[0]

    assert not controls(panel(slow))["x"].continuous_update


def test_moving_a_slider_redraws_and_an_error_is_told_in_words() -> None:
    box = panel(lines)
    found, picture, problem = controls(box), box.children[1], box.children[2]
    first = picture.value
    assert opened(first).shape == (250, 400, 3)
    found["slope a"].value = 1.0
    second = picture.value
    assert second != first and problem.value == ""
    found["slope a"].value = 2.0
    assert picture.value == second and "ValueError: slope &lt;2.0&gt; is too steep" in problem.value
    found["slope a"].value = 1.0
    assert picture.value == second and problem.value == ""
    found["steps"].value = 5
    box.children[0].children[-1].click()
    assert picture.value == first and found["slope a"].value == 0.5 and found["steps"].value == 3


def test_a_panel_whose_first_drawing_fails_says_so() -> None:
    @explorer(x=Range(0.0, 1.0, 0.5))
    def broken(x):
        raise RuntimeError("no")

    assert "RuntimeError: no" in panel(broken).children[2].value


def test_a_redraw_is_the_same_picture_and_keeps_the_panels_in_place() -> None:
    redraw = Redraw(lines)
    setting = settings(lines)[0]
    fresh = redraw(**setting)
    assert redraw(**setting) == fresh and np.array_equal(opened(fresh), opened(Redraw(lines)(**setting)))
    assert len(redraw._places) == 1
    redraw(**{**setting, "steps": 4})
    assert len(redraw._places) == 1
    redraw(**{**setting, "rate": 0.01})  # longer tick labels need more room
    assert len(redraw._places) == 2


def test_stills_are_the_settings_side_by_side_or_below_each_other() -> None:
    assert opened(stills(lines)).shape == (250, 3 * 400, 3)
    assert stills(lines) == stills(lines)

    @explorer(x=Range(0.0, 1.0, 0.5), stills=({"x": 0.0}, {"x": 1.0}))
    def wide(x):
        return figure(width=10 - 2 * x, height=2)[0]

    assert opened(stills(wide)).shape == (400, 1000, 3)


def test_a_long_setting_is_wrapped_to_the_picture() -> None:
    @explorer(x=Range(0.0, 1.0, 0.5, label="a label of many words, far longer than the picture that it stands above"))
    def narrow(x):
        return figure(width=3, height=2)[0]

    assert (opened(stills(narrow))[:60, -3:] == 255).all()  # nothing runs over the right edge


def test_explore_shows_stills_while_a_lecture_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list = []
    monkeypatch.setattr("IPython.display.display", lambda *what, **how: shown.append((*what, how)))
    monkeypatch.setattr(runtime, "building", lambda: True)
    assert explore(lines) is None
    data, how = shown[0]
    assert data["image/png"] == stills(lines) and how["raw"]
    assert data["text/plain"].startswith("Figure with sliders, at: slope a = -1, steps = 3, rate = 1, kind = line; ")
    assert "run the cell" in shown[1][0].data and len(shown) == 2
    shown.clear()
    monkeypatch.setattr(runtime, "building", lambda: False)
    explore(lines)
    assert len(shown) == 1 and isinstance(shown[0][0], ipywidgets.VBox)
