"""Figures: they show themselves, in one style, as a small PNG that is the same every time."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient

from helpers.figures import COLOUR, figure, label, pictures
from helpers.figures._png import encode
from tests.figures.toys import lines, opened

ROOT = Path(__file__).parents[2]


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


@pytest.mark.parametrize(("room", "width"), [("", 700), ("0", 700), ("1", 980)])
def test_figures_grow_in_the_room(room: str, width: int) -> None:
    code = "from helpers.figures import figure, _png; print(_png.pixels(figure(width=7, height=3)[0]).shape[1])"
    variables = {**os.environ, "COURSE_ROOM": room}
    out = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True).stdout
    assert int(out) == width
