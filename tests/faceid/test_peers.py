"""Our detector beside facenet-pytorch's, which has the same weights: the same boxes, scores and landmarks.

The peer lives in an environment of its own (`make peers`); without it these tests are skipped.
"""

import pytest
import torch

from helpers import faceid, runtime
from tools.bench_faceid import PEERS, facenet, ours

runtime.import_torchvision()  # where its compiled operators cannot be loaded, the peer can be imported all the same
for peer in PEERS:
    pytest.importorskip(peer, reason=f"{peer} is not installed: make peers PEERS=faceid")


@pytest.mark.parametrize("min_side", [20, 40])
@pytest.mark.parametrize("which", ["AT&T", "photograph"])
def test_the_same_faces_within_a_hundredth_of_a_pixel(which: str, min_side: float) -> None:
    """But for one picture in a hundred, where two windows have scores that differ in their last digit alone."""
    x = faceid.photograph() if which == "photograph" else faceid.att_faces()[0]
    mine, theirs = ours(min_side)(x), facenet(min_side)(x)
    assert all(len(boxes) == 1 for boxes, _ in mine + theirs)
    (boxes, landmarks), (their_boxes, their_landmarks) = (
        [torch.cat(parts) for parts in zip(*found, strict=True)] for found in (mine, theirs)
    )
    apart = (boxes[:, :4] - their_boxes[:, :4]).abs().amax(1)
    same = apart < 0.01
    assert (~same).sum() <= len(x) // 100 and apart.max() < 10
    torch.testing.assert_close(boxes[same, 4], their_boxes[same, 4], atol=1e-4, rtol=0)
    torch.testing.assert_close(landmarks[same], their_landmarks[same], atol=0.01, rtol=0)
