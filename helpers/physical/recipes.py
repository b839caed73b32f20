"""How the stored patches are made, each on one core: python -m helpers.checkpoints patch_vanish ..."""

from torch import Generator, Tensor, nn

from helpers import faceid
from helpers.checkpoints import recipe
from helpers.physical import columns, identity, stored
from helpers.physical.detector import vanish
from helpers.physical.sticker import FOREHEAD, eot_patches
from helpers.physical.stored import CAMERA, SEEN, Patch


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
    """400 steps of Adam from 0.06 along a cosine, 16 pictures of the people 0 to 19 and a shot of each, two minutes."""
    seen = stored.people().take(slice(0, SEEN))
    own = identity.template(seen.descriptors).repeat_interleave(10, 0)
    loss = identity.sticker_loss(*faceid.pretrained("cpu"), own, identity.dodging_loss)
    x, landmarks, _ = (part.flatten(0, 1) for part in seen)
    generator = Generator().manual_seed(0)
    pixels = eot_patches(
        loss, x, landmarks, (FOREHEAD,), camera=CAMERA, steps=400, step=0.06, start=model(), generator=generator
    )
    keep(model, pixels)


@recipe("mnist_columns", model=columns.band_net, measure=columns.measure, half=True)
def mnist_columns(model: nn.Module) -> None:
    """5,628 steps of Adam with a cosine schedule from 3e-3, batches of 128, on bands of 1 to 8 columns."""
    columns.train(model)
