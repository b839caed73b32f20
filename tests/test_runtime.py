import random
import sys
import types

import numpy as np
import pytest
import threadpoolctl
import torch

from helpers import runtime


def test_device_is_the_fastest_there_is(monkeypatch):
    for cuda, mps, expected in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert runtime.device() == torch.device(expected)


def draws() -> list[float]:
    return [random.random(), np.random.rand(), torch.rand(()).item()]


def test_one_seed_fixes_all_three_global_generators():
    runtime.seed(3)
    first = draws()
    runtime.seed(3)
    assert draws() == first
    runtime.seed(4)
    assert all(a != b for a, b in zip(draws(), first, strict=True))


def test_a_generator_is_apart_from_the_global_one():
    runtime.seed(0)
    expected = torch.rand(())
    runtime.seed(0)
    own = torch.rand(3, generator=runtime.generator(0, "cpu"))
    assert torch.rand(()) == expected
    assert torch.equal(own, torch.rand(3, generator=runtime.generator(0, "cpu")))
    assert not torch.equal(own, torch.rand(3, generator=runtime.generator(1, "cpu")))


def test_a_generator_is_on_the_course_device_unless_told_otherwise():
    assert runtime.generator().device.type == runtime.device().type
    assert runtime.generator(0, "cpu").device.type == "cpu"


@pytest.mark.parametrize("number", [-1, 2**32, 1.5, "7", None])
def test_a_seed_out_of_range_is_named(number):
    for function in (runtime.seed, runtime.generator):
        with pytest.raises(ValueError, match=r"number must be an integer in \[0, 2\^32\), got"):
            function(number)


def test_scale_is_quick_unless_the_environment_says_full(monkeypatch):
    monkeypatch.delenv("COURSE_SCALE", raising=False)
    assert (runtime.scale(), runtime.by_scale(1, 2)) == ("quick", 1)
    monkeypatch.setenv("COURSE_SCALE", "full")
    assert (runtime.scale(), runtime.by_scale(1, 2)) == ("full", 2)
    monkeypatch.setenv("COURSE_SCALE", "Full")
    with pytest.raises(ValueError, match="COURSE_SCALE must be 'quick' or 'full', got 'Full'"):
        runtime.by_scale(1, 2)


def test_building_is_what_the_environment_says(monkeypatch):
    monkeypatch.delenv("COURSE_BUILD", raising=False)
    assert not runtime.building()
    monkeypatch.setenv("COURSE_BUILD", "1")
    assert runtime.building()
    monkeypatch.setenv("COURSE_BUILD", "0")
    assert not runtime.building()


def notebook(monkeypatch, *, asks: bool) -> None:
    kernel = types.SimpleNamespace(kernel=types.SimpleNamespace(_allow_stdin=asks))
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: kernel))


def test_a_notebook_is_watched_when_its_front_end_takes_questions(monkeypatch):
    monkeypatch.delenv("COURSE_BUILD", raising=False)
    notebook(monkeypatch, asks=True)
    assert runtime.watched()
    monkeypatch.setenv("COURSE_BUILD", "1")
    assert not runtime.watched()


def test_a_notebook_run_by_nbval_or_nbclient_is_not_watched(monkeypatch):
    monkeypatch.delenv("COURSE_BUILD", raising=False)
    notebook(monkeypatch, asks=False)
    assert not runtime.watched()
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    assert runtime.watched()  # Colab always is


def test_a_script_is_watched_when_it_writes_to_a_terminal(monkeypatch):
    monkeypatch.delenv("COURSE_BUILD", raising=False)
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    for terminal in (True, False):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        assert runtime.watched() is terminal


def test_progress_passes_everything_on_and_leaves_nothing(monkeypatch, capsys):
    monkeypatch.setattr(runtime, "watched", lambda: True)
    assert list(runtime.progress(range(5), "counting", mininterval=0)) == [0, 1, 2, 3, 4]
    shown = capsys.readouterr().err
    assert "counting" in shown and "5/5" in shown
    assert shown.rsplit("\r", 2)[1].strip() == ""  # the last thing written wipes the line
    assert list(runtime.progress(range(5), "counting", show=False)) == [0, 1, 2, 3, 4]
    monkeypatch.setattr(runtime, "watched", lambda: False)
    assert list(runtime.progress(range(5), "counting")) == [0, 1, 2, 3, 4]
    assert capsys.readouterr().err == ""


def test_torchvision_is_there_even_when_its_operators_are_not():
    torchvision = runtime.import_torchvision()
    assert torchvision.datasets.CIFAR10 and torchvision.models.mobilenet_v2
    assert runtime.import_torchvision() is torchvision


@pytest.mark.parametrize("matching", [True, False])
def test_torchvision_is_imported_again_after_its_operators_are_declared(monkeypatch, matching):
    declared, package = [], types.ModuleType("torchvision")

    def import_module(name):
        if not matching and len(declared) < 2:
            raise RuntimeError(f"operator {name}::nms does not exist")
        return package

    monkeypatch.setattr(runtime.importlib, "import_module", import_module)
    monkeypatch.setattr(torch.library, "define", lambda name, schema: declared.append(name))
    assert runtime.import_torchvision() is package
    assert declared == ([] if matching else ["torchvision::nms", "torchvision::qnms"])


def test_a_wrong_name_gets_the_nearest_right_one():
    with pytest.raises(ValueError, match=r"name must be one of ab, mnist; got 'mnits'. Did you mean 'mnist'\?"):
        runtime.check_name("mnits", ("ab", "mnist"))
    with pytest.raises(ValueError, match=r"got 'zebra'\.$"):
        runtime.check_name("zebra", ("ab", "mnist"))
    runtime.check_name("ab", ("ab", "mnist"))


def test_seed_fixes_the_threads_when_asked_and_refuses_none() -> None:
    def blas() -> set[int]:
        return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}

    before = torch.get_num_threads()
    try:
        for threads in (2, 1):
            runtime.seed(0, threads=threads)
            assert torch.get_num_threads() == threads and blas() <= {threads}
            runtime.seed(0)
            assert torch.get_num_threads() == threads
        with pytest.raises(ValueError, match="threads must be at least 1, got 0"):
            runtime.seed(0, threads=0)
    finally:
        torch.set_num_threads(before)
        threadpoolctl.threadpool_limits(before, user_api="blas")


def test_draws_are_made_where_the_generator_lives() -> None:
    assert runtime.home(None) == torch.device("cpu") == runtime.home(torch.Generator())
