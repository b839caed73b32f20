"""The figures engine: pictures that show themselves, one style, sliders and stills."""

import base64
import io
import os
import subprocess
import sys
from pathlib import Path

import ipywidgets
import matplotlib
import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient
from PIL import Image

from helpers import runtime
from helpers.figures import COLOUR, Choice, Range, Redraw, explore, explorer, figure, label, pictures, settings, stills
from helpers.figures._explore import panel
from helpers.figures._png import encode

ROOT = Path(__file__).parents[2]


@explorer(
    slope=Range(-2.0, 2.0, 0.5, label="slope a"),
    steps=Range(1, 5, 3, play=True),
    rate=Range(0.01, 10, 1, log=True),
    kind=Choice(("line", "dots"), "line"),
    stills=({"slope": -1.0}, {}, {"slope": 1.0, "kind": "dots"}),
)
def lines(slope, steps, rate, kind):
    if slope > 1.9 and steps > 1:
        raise ValueError(f"slope <{slope}> is too steep")
    fig, axes = figure(width=4, height=2.5)
    x = np.arange(steps)
    axes.plot(x, slope * x * rate, "-" if kind == "line" else ".", color=COLOUR["model"])
    axes.set(title=f"slope {slope}", xlabel="x")
    return fig


def opened(png: bytes) -> np.ndarray:
    """The pixels of a PNG."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


# ------------------------------------------------------------------------------------------------------------- figures


def test_a_figure_is_not_in_pyplot_and_its_png_is_reproducible() -> None:
    fig = lines(0.5, 3, 1, "line")
    assert fig.png() == lines(0.5, 3, 1, "line").png()
    assert opened(fig.png()).shape == (250, 400, 3)
    assert b"Software" not in fig.png() and b"tEXt" not in fig.png()
    pyplot = pytest.importorskip("matplotlib.pyplot")
    assert pyplot.get_fignums() == []


def test_importing_the_figures_leaves_pyplot_and_widgets_out() -> None:
    program = "import helpers.figures, sys; print('matplotlib.pyplot' in sys.modules, 'ipywidgets' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_figure_tells_its_titles_and_no_address() -> None:
    fig, (left, right) = figure(1, 2)
    left.set_title("One\nline")
    right.set_title("Two")
    assert repr(fig) == "Figure: One line; Two"
    assert repr(figure()[0]) == "Figure: untitled"


def test_a_figure_shows_once_as_the_last_expression_with_and_without_inline() -> None:
    cells = [
        "from helpers.figures import figure, explore\nfig, axes = figure(width=3, height=2)\naxes.set_title('T')\nfig",
        "%matplotlib inline\nfig",
        "display(fig)",
        "fig, axes = figure()\naxes.plot([1, 2]);",
        "import helpers.exercises as e\ne.lectures();",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    shown = [[output.data for output in cell.outputs] for cell in notebook.cells]
    assert [len(outputs) for outputs in shown] == [1, 1, 1, 0, 0]
    for outputs in shown[:3]:
        assert set(outputs[0]) == {"image/png", "text/plain"} and outputs[0]["text/plain"] == "Figure: T"
        assert outputs[0]["image/png"] == shown[0][0]["image/png"]
    assert opened(base64.b64decode(shown[0][0]["image/png"])).shape == (200, 300, 3)
    assert notebook.cells[0].outputs[0].metadata["image/png"]["alt"] == "Figure: T"


def test_a_palette_is_used_only_where_it_cannot_be_seen() -> None:
    fig = lines(0.5, 3, 1, "line")
    fig.canvas.draw()
    drawn = np.asarray(fig.canvas.buffer_rgba())[..., :3]
    assert np.abs(opened(fig.png()).astype(int) - drawn).max() <= 8
    assert len(fig.png()) < len(encode(drawn.copy(), quick=True)) / 2
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    assert np.array_equal(opened(encode(noise)), noise)
    assert np.array_equal(opened(encode(noise, quick=True)), noise)


def test_the_style_is_readable_from_the_back() -> None:
    for size in (
        "font.size",
        "axes.titlesize",
        "axes.labelsize",
        "xtick.labelsize",
        "ytick.labelsize",
        "legend.fontsize",
    ):
        assert matplotlib.rcParams[size] >= 11
    assert not matplotlib.rcParams["axes.spines.top"] and matplotlib.rcParams["axes.grid"]


def test_the_colours_are_told_apart_and_read_on_white() -> None:
    def linear(colour: str) -> np.ndarray:
        s = np.array(matplotlib.colors.to_rgb(colour))
        return np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)

    rgb = {name: linear(colour) for name, colour in COLOUR.items()}
    for name in ("data", "model", "truth", "attack", "bound"):
        contrast = 1.05 / (rgb[name] @ [0.2126, 0.7152, 0.0722] + 0.05)
        assert contrast >= 3, name  # WCAG's bound for large text and graphics
    deuteranopia = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])  # Machado 2009
    protanopia = np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]])
    for sight in (np.eye(3), deuteranopia, protanopia):
        seen = {name: np.cbrt(np.clip(sight @ colour, 0, 1)) for name, colour in rgb.items() if name != "muted"}
        names = list(seen)
        gaps = {(a, b): np.linalg.norm(seen[a] - seen[b]) for a in names for b in names if a < b}
        assert min(gaps.values()) > 0.08, min(gaps, key=gaps.get)


def test_label_stands_beside_the_line_in_its_colour() -> None:
    fig, axes = figure()
    line = axes.plot([0, 1], [2, 3], color=COLOUR["attack"])[0]
    label(line, "here")
    label(line, "start", at=0, offset=(-4, 0), fontsize=14)
    end, start = axes.texts
    assert end.xy == (1, 3) and end.get_color() == COLOUR["attack"] and end.get_ha() == "left"
    assert start.xy == (0, 2) and start.get_ha() == "right" and start.get_fontsize() == 14
    fig.canvas.draw()
    assert end.get_window_extent().x1 <= fig.bbox.x1
    with pytest.raises(ValueError, match="line must stand in axes"):
        label(matplotlib.lines.Line2D([0], [0]), "nowhere")


@pytest.mark.parametrize("shape", [(6, 1, 8, 8), (6, 8, 8), (6, 3, 8, 10)])
def test_pictures_are_one_sheet_on_one_scale(shape: tuple[int, ...]) -> None:
    images = torch.rand(shape) * 0.8
    images[1] = 0.5
    kept = images.clone()
    _, axes = figure()
    pictures(axes, images, titles=list("abcdef"), columns=3)
    assert len(axes.images) == 1 and [text.get_text() for text in axes.texts] == list("abcdef")
    sheet = np.asarray(axes.images[0].get_array())
    tall, wide = sheet.shape[0] // 2, shape[-1] + 1
    head = tall - 8
    second = sheet[head : head + 8, wide : wide + shape[-1]]
    assert np.allclose(second, 0.5, atol=0.01)
    last = images[5] if images.ndim == 4 else images[5][None]
    corner = sheet[tall + head :, 2 * wide : 2 * wide + shape[-1]]
    assert np.allclose(corner, last.permute(1, 2, 0).expand(-1, -1, 3), atol=0.005)
    assert torch.equal(images, kept)


def test_pictures_of_signed_values_are_symmetric() -> None:
    _, axes = figure()
    pictures(axes, torch.tensor([-1.0, 0, 1]).expand(1, 1, 3, 3), limits=None)
    red = np.asarray(axes.images[0].get_array())[-1]
    assert red[0][2] > red[0][0] and red[2][0] > red[2][2] and np.allclose(red[1], red[1][0], atol=0.02)
    pictures(axes, torch.zeros(1, 1, 3, 3), limits=None)
    assert np.ptp(np.asarray(axes.images[-1].get_array())[-1], axis=1).max() < 0.02  # 0 is white, not blue


def test_pictures_refuse_what_they_cannot_show() -> None:
    _, axes = figure()
    for shape in ((0, 1, 8, 8), (2, 2, 8, 8), (8, 8)):
        with pytest.raises(ValueError, match="images must have shape"):
            pictures(axes, torch.zeros(shape))
    with pytest.raises(ValueError, match="titles must be one for each of the 2 images, got 1"):
        pictures(axes, torch.zeros(2, 8, 8), titles=["one"])


# ----------------------------------------------------------------------------------------------------------- explorers


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


@pytest.mark.parametrize(("room", "width"), [("", 700), ("0", 700), ("1", 980)])
def test_figures_grow_in_the_room(room: str, width: int) -> None:
    code = "from helpers.figures import figure, _png; print(_png.pixels(figure(width=7, height=3)[0]).shape[1])"
    variables = {**os.environ, "COURSE_ROOM": room}
    out = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True).stdout
    assert int(out) == width
