"""How the stored patches are made, each on one core: python -m helpers.checkpoints patch_vanish ..."""

from functools import partial

import torch
from torch import Generator, Tensor, nn

from helpers import data, faceid, models
from helpers.checkpoints import recipe
from helpers.physical import columns, identity, patched, stored
from helpers.physical.detector import vanish
from helpers.physical.identity import sticker_attack
from helpers.physical.stored import CAMERA, SEEN, STRAIGHT, Patch


def keep(model: nn.Module, pixels: Tensor) -> None:
    """These are the pixels of a patch."""
    assert isinstance(model, Patch)
    model.pixels.data.copy_(pixels)


@recipe("patch_vanish", model=stored.cheek_patches, measure=stored.measure_vanish)
def patch_vanish(model: nn.Module) -> None:
    """600 steps of Adam from 0.04 along a cosine, 16 pictures of the people 0 to 19 and a shot of each, two minutes."""
    x, landmarks, _ = (part.flatten(0, 1) for part in stored.people().take(slice(0, SEEN)))
    mtcnn, generator = faceid.pretrained("cpu")[0], Generator().manual_seed(0)
    keep(model, vanish(mtcnn, x, landmarks, camera=CAMERA, steps=600, step=0.04, generator=generator))


@recipe("sticker_dodge", model=stored.forehead_sticker, measure=stored.measure_dodge)
def sticker_dodge(model: nn.Module) -> None:
    """600 steps of Adam from 0.06 along a cosine, 16 pictures of the people 0 to 19 and a shot of each, three minutes:
    down to a cosine of 0.05 under the system's threshold."""
    mtcnn, resnet = faceid.pretrained("cpu")
    seen = stored.people().take(slice(0, SEEN))
    (x, landmarks, _), v = (part.flatten(0, 1) for part in seen), identity.template(seen.descriptors)
    v, generator = v.repeat_interleave(10, 0), Generator().manual_seed(0)
    dodge = partial(identity.dodging_loss, enough=stored.system() - 0.05)
    keep(model, sticker_attack(mtcnn, resnet, x, landmarks, v, dodge, camera=CAMERA, steps=600, generator=generator))


@recipe("sticker_impersonate", model=stored.forehead_stickers, measure=stored.measure_impersonate)
def sticker_impersonate(model: nn.Module) -> None:
    """For each attacker 200 steps of Adam from 0.06 along a cosine, 8 shots of the seven pictures before JUDGED, half a
    minute each: up to a cosine of 0.02 over the system's threshold."""
    mtcnn, resnet = faceid.pretrained("cpu")
    own, others = stored.attackers()
    own, targets = own.take(slice(None), slice(0, identity.JUDGED.start)), others.descriptors[:, identity.MADE]
    loss = partial(identity.impersonation_loss, enough=stored.system() + 0.02)
    attack = partial(sticker_attack, camera=STRAIGHT, steps=200, batch=8, generator=Generator().manual_seed(0))
    pixels = [
        attack(mtcnn, resnet, x, landmarks, v.expand(len(x), -1), loss)
        for x, landmarks, v in zip(own.x, own.landmarks, identity.template(targets), strict=True)
    ]
    keep(model, torch.stack(pixels))


@recipe("mnist_columns", model=columns.band_net, measure=columns.measure, half=True)
def mnist_columns(model: nn.Module) -> None:
    """5,628 steps of Adam with a cosine schedule from 3e-3, batches of 128, on bands of 1 to 8 columns."""
    columns.train(model)


@recipe("mnist_patch", model=models.lenet, measure=patched.measure, half=True, judge=patched.judge)
def mnist_patch(model: nn.Module) -> None:
    """2,500 steps of Adam with a cosine schedule from 2e-3, batches of 128, each picture under a patch of 7 x 7 of its
    own, somewhere, made in five steps."""
    device, mnist = next(model.parameters()).device, data.load("mnist")
    x, y = mnist.x_train.to(device), mnist.y_train.to(device)
    patched.train_against_patches(model, x, y, side=patched.SIDE, steps=2_500, generator=Generator().manual_seed(0))
