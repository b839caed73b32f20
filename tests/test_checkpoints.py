import json
import math
import re
import subprocess
import sys

import pytest
import safetensors.torch
import torch
from torch import nn

from helpers import checkpoints, models, runtime
from helpers.files import write_card


def tiny() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


tiny.__module__ = "helpers.models"  # where its card will look for it


def trained(model: nn.Module) -> None:
    model(torch.rand(5, 2))  # moves the running mean and the counter of batches
    nn.init.constant_(model[0].weight, 1 / 3)


def wide() -> nn.Module:
    return nn.Sequential(nn.Linear(40, 3), nn.Linear(3, 5))


wide.__module__ = "helpers.models"


def evenly(model: nn.Module) -> None:
    """Rows that are evenly spaced, each in its own steps, the first with all 256 of them; the last is constant."""
    q = torch.randint(0, 256, (3, 40), generator=torch.Generator().manual_seed(0)).double()
    q[0, :2], q[2] = torch.tensor([0.0, 255.0]), 7.0
    steps, low = torch.tensor([[0.013], [7.7], [1.0]]), torch.tensor([[-1.1], [0.3], [2.0]])
    model[0].weight.data.copy_(low + steps * q)
    for p, value in zip((model[0].bias, *model[1].parameters()), (0.1, 0.2, 0.3), strict=True):
        p.data.copy_((value * torch.arange(1.0, p.numel() + 1)).sin().view(p.shape))


def total(model: nn.Module) -> dict[str, float]:
    assert not model.training
    return {"total": sum(p.sum().item() for p in model.state_dict().values())}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder and, beside the real recipes, two of a tiny network."""
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path)
    monkeypatch.setattr(models, "tiny", tiny, raising=False)
    monkeypatch.setattr(models, "wide", wide, raising=False)
    monkeypatch.setattr(checkpoints, "_recipes", dict(checkpoints._recipes))
    checkpoints.recipe("tiny", model=tiny, measure=total)(trained)
    checkpoints.recipe("tiny_half", model=tiny, measure=total, half=True)(trained)
    return tmp_path


SHIPPED = checkpoints.names()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_checkpoint_reaches_the_metrics_on_its_card(name, monkeypatch):
    monkeypatch.undo()
    facts = checkpoints.card(name)
    assert checkpoints.find(name).measure(checkpoints.load(name)) == pytest.approx(facts["metrics"], abs=2e-4)


def test_every_recipe_has_its_checkpoint_and_every_checkpoint_its_recipe(monkeypatch):
    monkeypatch.undo()
    for suffix in ("json", "safetensors"):
        assert {p.stem for p in checkpoints.FOLDER.glob(f"*.{suffix}")} == set(SHIPPED)


def test_the_mnist_cnn_is_right_in_99_of_100(monkeypatch):
    monkeypatch.undo()
    assert checkpoints.card("mnist_cnn")["metrics"]["test_accuracy"] >= 0.99


@pytest.mark.parametrize("name", ["tiny", "tiny_half"])
def test_what_is_built_is_what_is_loaded(name, folder):
    metrics = checkpoints.build(name)
    model = checkpoints.load(name)
    assert not model.training and model[0].weight.dtype == torch.float32
    assert model[1].num_batches_tracked.item() == 1
    assert total(model) == metrics == checkpoints.card(name)["metrics"]
    third = torch.tensor(1 / 3).half().float() if name == "tiny_half" else torch.tensor(1 / 3)
    assert torch.equal(model[0].weight, third.expand(3, 2))
    assert {p.name for p in folder.iterdir()} == {f"{name}.safetensors", f"{name}.json"}


def test_half_precision_halves_the_file(folder):
    checkpoints.build("tiny")
    checkpoints.build("tiny_half")
    contents = [(folder / f"{name}.safetensors").read_bytes() for name in ("tiny", "tiny_half")]
    whole, half = (len(c) - int.from_bytes(c[:8], "little") - 16 for c in contents)  # less the header and the counter
    assert 2 * half == whole == 4 * (6 + 3 + 4 * 3)


def test_weights_that_came_as_bytes_are_kept_as_bytes_without_a_loss(folder):
    checkpoints.recipe("tiny_even", model=wide, measure=total, even=True)(evenly)
    checkpoints.build("tiny_even")
    stored = safetensors.torch.load_file(folder / "tiny_even.safetensors")
    assert stored["0.weight"].dtype == torch.uint8 and stored["0.weight.step"].shape == (3,)
    assert stored["1.weight"].dtype == torch.float32 and "1.weight.step" not in stored  # not spaced: as they are
    model, wanted = checkpoints.load("tiny_even"), wide()
    evenly(wanted)
    off = (model[0].weight - wanted[0].weight).abs().amax(1) / wanted[0].weight.abs().amax(1)
    assert off.max() < 5e-7  # the last digit of float32
    assert torch.equal(model[1].weight, wanted[1].weight) and torch.equal(model[0].bias, wanted[0].bias)
    assert total(model) == checkpoints.card("tiny_even")["metrics"]


def test_where_a_network_comes_from_is_on_its_card(folder):
    origin = {"source": "elsewhere", "licence": "MIT", "credit": "somebody"}
    checkpoints.recipe("tiny_origin", model=tiny, measure=total, origin=origin)(trained)
    checkpoints.build("tiny_origin")
    assert origin.items() <= checkpoints.card("tiny_origin").items()


def test_the_card_says_what_one_wants_to_know(folder):
    checkpoints.build("tiny")
    facts = json.loads((folder / "tiny.json").read_text())
    assert facts["recipe"] == f"{__name__}.trained" and facts["model"] == "helpers.models.tiny"
    assert facts["rebuild"] == "python -m helpers.checkpoints tiny"
    assert facts["parameters"] == 15 and facts["torch"] == torch.__version__


def test_building_twice_gives_the_same_bytes(folder):
    checkpoints.build("tiny")
    first = (folder / "tiny.safetensors").read_bytes()
    torch.rand(7)
    checkpoints.build("tiny")
    assert (folder / "tiny.safetensors").read_bytes() == first


def test_a_model_goes_to_the_device_asked_for():
    checkpoints.build("tiny")
    assert next(checkpoints.load("tiny").parameters()).device.type == runtime.device().type
    assert next(checkpoints.load("tiny", "meta").parameters()).device.type == "meta"


@pytest.mark.parametrize("suffix", ["json", "safetensors"])
def test_a_missing_file_is_named_with_the_command_that_rebuilds_it(folder, suffix):
    checkpoints.build("tiny")
    (folder / f"tiny.{suffix}").unlink()
    expected = rf"tiny.{suffix} is missing\. Restore it .*`python -m helpers.checkpoints tiny`"
    with pytest.raises(FileNotFoundError, match=expected):
        checkpoints.load("tiny")


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-1], lambda content: content[:-1] + bytes([content[-1] ^ 1])]
)
def test_damaged_weights_are_named_with_the_command_that_rebuilds_them(folder, damage):
    checkpoints.build("tiny")
    path = folder / "tiny.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(OSError, match=r"tiny.safetensors is damaged.*`python -m helpers.checkpoints tiny`"):
        checkpoints.load("tiny")
    checkpoints.build("tiny")
    checkpoints.load("tiny")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"model": "x"}', None])
def test_a_damaged_card_is_named_with_the_command_that_rebuilds_it(folder, content):
    checkpoints.build("tiny")
    path = folder / "tiny.json"
    path.write_text(path.read_text().replace('"total": ', '"total": 1') if content is None else content)
    with pytest.raises(OSError, match=r"tiny.json is damaged.*`python -m helpers.checkpoints tiny`"):
        checkpoints.load("tiny")


@pytest.mark.parametrize("suffix", ["json", "safetensors"])
def test_a_folder_in_place_of_a_file_is_named_with_the_remedy(folder, suffix):
    checkpoints.build("tiny")
    (folder / f"tiny.{suffix}").unlink()
    (folder / f"tiny.{suffix}").mkdir()
    with pytest.raises(OSError, match=rf"tiny.{suffix} is a folder where a file should be: move it away\. Restore it"):
        checkpoints.load("tiny")


@pytest.mark.parametrize(
    ("model", "words"),
    [("helpers.models.gone", "is not there any more"), ("os.getcwd", "no function of helpers")],
)
def test_a_card_that_names_no_builder_is_refused(folder, model, words):
    checkpoints.build("tiny")
    facts = checkpoints.card("tiny") | {"model": model}
    write_card(folder / "tiny.json", facts)
    with pytest.raises(OSError, match=words):
        checkpoints.load("tiny")


def test_loading_imports_the_builder_and_no_lecture(monkeypatch):
    code = "import sys; from helpers import checkpoints; checkpoints.load('mnist_cnn'); print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    ours = {name for name in out if name.startswith("helpers.")}
    assert ours == {f"helpers.{name}" for name in ("checkpoints", "files", "models", "runtime")}


def test_a_verdict_stands_on_the_card_and_is_measured_again_without_training(folder, capsys):
    found = iter(({"left": 7}, {"left": 6}))
    checkpoints.recipe("tiny_judged", model=tiny, measure=total, judge=lambda model: next(found))(trained)
    checkpoints.build("tiny_judged")
    before = checkpoints.card("tiny_judged")
    assert before["verdict"] == {"left": 7}
    checkpoints.main(["--judge", "tiny_judged"])
    assert "tiny_judged {'left': 6}" in capsys.readouterr().out
    after = checkpoints.card("tiny_judged")
    assert after["verdict"] == {"left": 6}
    assert {k: v for k, v in after.items() if k not in ("verdict", "seal")} == {
        k: v for k, v in before.items() if k not in ("verdict", "seal")
    }


def test_a_network_that_nobody_judges_is_named():
    checkpoints.build("tiny")
    assert "verdict" not in checkpoints.card("tiny")
    with pytest.raises(ValueError, match="the recipe of 'tiny' names no judge"):
        checkpoints.judge("tiny")


def test_a_network_that_has_changed_since_is_refused(monkeypatch):
    checkpoints.build("tiny")
    monkeypatch.setattr(nn, "BatchNorm1d", lambda width: nn.Linear(width, 1))
    with pytest.raises(OSError, match="does not fit the network of its card.*has changed since"):
        checkpoints.load("tiny")


@pytest.mark.parametrize("function", [checkpoints.load, checkpoints.card, checkpoints.build, checkpoints.find])
def test_a_wrong_name_gets_the_nearest_right_one(function):
    with pytest.raises(
        ValueError, match=r"name must be one of .*mnist_cnn, .*got 'minst_cnn'. Did you mean 'mnist_cnn'"
    ):
        function("minst_cnn")


def test_a_second_recipe_of_one_name_is_refused():
    with pytest.raises(ValueError, match="name must be new, but there is a recipe for 'tiny'"):
        checkpoints.recipe("tiny", model=tiny, measure=total)


def test_a_recipe_that_fails_leaves_the_old_checkpoint(folder):
    checkpoints.build("tiny")
    before = {p: p.read_bytes() for p in folder.iterdir()}

    def diverges(model):
        raise FloatingPointError("the loss became nan")

    checkpoints._recipes["tiny"] = checkpoints.find("tiny")._replace(train=diverges)
    with pytest.raises(FloatingPointError):
        checkpoints.build("tiny")
    assert {p: p.read_bytes() for p in folder.iterdir()} == before


def test_weights_that_are_not_finite_are_never_stored(folder):
    checkpoints._recipes["tiny_half"] = checkpoints.find("tiny_half")._replace(
        train=lambda model: nn.init.constant_(model[0].weight, 1e6)
    )
    with pytest.raises(ValueError, match="tiny_half: 0.weight is not finite as it would be stored"):
        checkpoints.build("tiny_half")
    assert not list(folder.iterdir())


def test_the_command_rebuilds_and_lists(folder, capsys):
    checkpoints.main(["tiny"])
    (value,) = re.findall(r"tiny total (\S+)\n", capsys.readouterr().out)
    assert math.isfinite(float(value))
    checkpoints.main([])
    listed = capsys.readouterr().out
    assert f"tiny total {value}" in listed and "tiny_half (not trained yet)" in listed


def test_the_command_refuses_a_wrong_name_before_it_trains_anything(folder, capsys):
    with pytest.raises(SystemExit) as stop:
        checkpoints.main(["tiny", "tinny"])
    assert stop.value.code == 2 and "no recipe for 'tinny'" in capsys.readouterr().err
    assert not list(folder.iterdir())


def test_the_command_knows_the_recipes_when_it_runs_as_a_module():
    command = [sys.executable, "-m", "helpers.checkpoints"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "mnist_cnn test_accuracy 0.99" in result.stdout
