"""Lecture 2: what a good representation of a face is, the losses that make it, and a pipeline that uses one.

Pictures x (N, 1 or 3, H, W) are in [0, 1]; boxes (F, 4) are x1, y1, x2, y2 in pixels; landmarks (F, 5, 2) are x and y
of the left eye, the right eye, the nose and the two corners of the mouth, left and right as seen in the picture.
"""

from helpers.faceid.networks import (
    Block,
    FaceResNet,
    Mtcnn,
)

__all__ = [
    "Block", "FaceResNet", "Mtcnn",
]  # fmt: skip
