"""What is stored of lecture 6's experiments: whole, sealed, what the text says of it, and what is measured again."""

import math
import shutil
from typing import Any

import pytest
import torch

from helpers import checkpoints, diffusion, runtime
from helpers.diffusion import measured, paths


def rows(part: str) -> dict[str, dict[str, list[float]]]:
    return measured.load(part)["rows"]


def z_score(a: list[float], b: list[float]) -> float:
    """(a - b) / error of the difference, of [value, standard error]."""
    return (a[0] - b[0]) / math.hypot(a[1], b[1])


def test_what_is_stored_has_its_rows_and_its_errors() -> None:
    for part in ("steps", "guidance", "schedules"):
        assert measured.load(part)["n"] == measured.DRAWN
        for row in rows(part).values():
            assert set(row) == {"frechet", "diversity", "asked"}
            value, low, high, n = row["asked"]
            found = diffusion.share_interval(round(value * n), int(n))
            assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4) and n == measured.DRAWN
            assert row["frechet"][0] > measured.load("floor")["frechet"][str(measured.DRAWN)][0] / 2
            assert 0 < row["frechet"][1] < row["frechet"][0] and 0 < row["diversity"][1] < row["diversity"][0]
    assert set(rows("guidance")) == {*map(str, measured.GAMMAS), *(f"classifier {g}" for g in measured.BY_CLASSIFIER)}


def test_the_floor_is_what_is_measured_now_and_falls_with_n() -> None:
    told = measured.load("floor")
    values = [told["frechet"][n][0] for n in ("250", "500", "1000", "2000")]
    assert all(1.4 < few / many < 2.6 for few, many in zip(values[:-1], values[1:], strict=True))
    found = measured.floor()
    assert found["frechet"]["2000"] == pytest.approx(told["frechet"]["2000"], rel=1e-2)
    assert found["asked"] == pytest.approx(told["asked"], abs=1e-3)


def test_a_row_measured_again_on_fewer_digits_agrees_within_its_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    told = rows("guidance")["3.0"]
    monkeypatch.setattr(measured, "DRAWN", 100)
    found = measured.contest({"3.0": {"gamma": 3.0}})["rows"]["3.0"]
    assert abs(z_score(found["diversity"], told["diversity"])) < 5
    assert found["asked"][1] <= told["asked"][0] <= found["asked"][2] + 0.02


def test_guidance_makes_digits_surer_and_more_alike() -> None:
    found, floor = rows("guidance"), measured.load("floor")
    assert all(found[gamma]["asked"][1] >= 0.95 for gamma in ("1.5", "2.0", "3.0"))  # the lower ends of the intervals
    assert found["0.0"]["asked"][2] < 0.15 and found["1.0"]["asked"][2] < found["2.0"]["asked"][1]
    spread = [found[str(gamma)]["diversity"] for gamma in measured.GAMMAS if gamma >= 1]
    assert all(z_score(few, many) < -3 for many, few in zip(spread[:-1], spread[1:], strict=True))
    assert z_score(found["5.0"]["frechet"], found["2.0"]["frechet"]) > 5  # beyond, the law suffers
    assert all(z_score(row["diversity"], floor["diversity"]) < -5 for row in (found["2.0"], found["3.0"]))


def test_more_steps_are_nearer_and_noise_of_beta_needs_more_of_them() -> None:
    found = rows("steps")
    for method in ("ddpm", "ddim"):
        assert z_score(found[f"{method} 5"]["frechet"], found[f"{method} 50"]["frechet"]) > 3
    assert z_score(found["ddpm, beta 10"]["frechet"], found["ddpm 10"]["frechet"]) > 3


def test_the_bound_is_the_sum_of_its_parts() -> None:
    told = measured.load("bound")
    bits = told["bits"]
    assert bits["total"][0] == pytest.approx(
        sum(bits[k][0] for k in ("reconstruction", "prior", "denoising")), abs=1e-4
    )
    assert sum(told["by_time"]) == pytest.approx(bits["denoising"][0], rel=1e-2) and len(told["by_time"]) == 999
    assert bits["prior"][0] < 1e-4 and 1 < bits["total"][0] < 4


def test_drawn_digits_are_no_copies_and_no_further_from_the_training_digits_than_test_digits_are() -> None:
    drawn, test = (torch.tensor(measured.load("memory")[name]) for name in ("drawn", "test"))
    assert drawn.min() > 1 and abs(float(drawn.mean() / test.mean()) - 1) < 0.3


def test_the_paths_begin_alike_end_in_digits_and_are_drawn_again() -> None:
    stored = measured.load_paths()
    assert stored.x_t.shape == (4, 2, 3, 10, paths.FRAMES, 28, 28) == stored.x_0.shape
    assert (stored.x_t[..., 0, :, :] == stored.x_t[0, 0, 0, 0, 0]).all()
    classifier = diffusion.digit_classifier("cpu")
    last = stored.x_0[2, 0, 2, :, -1].unsqueeze(1)
    with torch.no_grad():
        guesses = classifier((last + 1) / 2).argmax(1)
    assert (guesses == torch.arange(10)).sum() >= 9
    x_T = torch.randn(1, 1, 28, 28, generator=runtime.generator(6, "cpu"))
    again = paths.draw_path(diffusion.digit_denoiser("cpu"), x_T, torch.tensor([4]), 10, 0.0, 3.0)
    one = stored.of(10, 0.0, 3.0, 4)
    assert (again.x_0[0] - one.x_0).abs().max() < 1.1 / paths.LEVELS
    with pytest.raises(ValueError, match="steps must be one of 5, 10, 20, 50, got 7"):
        stored.of(7, 0.0, 3.0, 4)


def test_missing_changed_and_unknown_parts_are_named(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(measured.FOLDER, tmp_path / "diffusion")
    monkeypatch.setattr(measured, "FOLDER", tmp_path / "diffusion")
    with pytest.raises(ValueError, match="Did you mean 'steps'"):
        measured.load("step")
    for part, spoil in (("steps", lambda p: p.unlink()), ("bound", lambda p: p.write_text(p.read_text() + " 1"))):
        spoil(measured.FOLDER / f"{part}.json")
        with pytest.raises(OSError, match=f"measured {part}"):
            measured.load(part)
    content = (measured.FOLDER / "paths.npz").read_bytes()
    (measured.FOLDER / "paths.npz").write_bytes(content[:-1])
    with pytest.raises(OSError, match="is damaged.*measured paths"):
        measured.load_paths()


def test_the_cards_say_how_to_make_them_again() -> None:
    for part in measured.PARTS:
        assert measured.load(part)["rebuild"] == f"{measured.COMMAND} {part}"
    assert checkpoints.card("mnist_diffusion")["recipe"] == "helpers.diffusion.recipes.mnist_diffusion"
