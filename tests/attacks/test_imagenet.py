import pytest
import torch

from helpers.attacks import imagenet


def test_the_photographs_are_recognised_offline():
    state = torch.get_rng_state()
    model, names, x = imagenet.classifier("cpu"), imagenet.labels(), imagenet.pictures()
    assert torch.equal(torch.get_rng_state(), state)
    with torch.no_grad():
        found = [names[k] for k in model(x).argmax(1).tolist()]
    assert found == ["Egyptian cat", "espresso", "tripod"] and len(names) == 1000
    assert x.shape == (3, 3, 224, 224) and x.min() >= 0 and x.max() <= 1 and not model.training


def test_a_changed_file_is_refused(monkeypatch):
    monkeypatch.setitem(imagenet.SHA256, "pictures.npz", "0" * 64)
    with pytest.raises(OSError, match="git checkout -- data/imagenet/pictures.npz"):
        imagenet.pictures()
