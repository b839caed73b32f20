import pytest
import torch
from torch import Tensor, nn

from helpers import faceid


@pytest.fixture(scope="session")
def networks() -> tuple[faceid.Mtcnn, nn.Module]:
    return faceid.pretrained()


@pytest.fixture(scope="session")
def x() -> Tensor:
    return faceid.att_faces()[0].to(faceid.pretrained()[0].pnet[1].weight.device)


@pytest.fixture(scope="session")
def faces(networks: tuple[faceid.Mtcnn, nn.Module], x: Tensor) -> faceid.Faces:
    with torch.no_grad():
        return faceid.detect(networks[0], x)
