"""The transfer of a file: cut, continued, wrong, without end, refused; each failure with its own remedy."""

import pytest
import torch

from helpers import data, runtime, transfer
from tests.downloads.server import CLASSES, load_afresh


def test_cifar10_is_retrieved_once_and_read_from_the_cache_afterwards(cifar, server, cache):
    first = data.load("cifar10")
    assert torch.equal(torch.cat([first.x_train, first.x_test]), cifar)
    assert (first.y_train.tolist(), first.y_test.tolist()) == ([0, 1, 2, 3, 4], [5])
    assert first.classes == tuple(CLASSES) and first.y_train.dtype == torch.int64
    assert torch.equal(load_afresh("cifar10").x_train, first.x_train)
    assert server.log == [("/cifar.tar.gz", None)]
    assert {p.name for p in cache.iterdir()} <= {"cifar10.npz", "cifar10.json", "cifar10.lock"}


def test_a_broken_connection_is_named_and_the_next_call_goes_on_from_there(cifar, server):
    server.cut = 100
    with pytest.raises(ConnectionError, match=r"cifar10 could not be down-loaded.* broke after 100 of [\d,]+ bytes"):
        data.load("cifar10")
    assert torch.equal(data.load("cifar10").x_test[0], cifar[5])
    assert server.log == [("/cifar.tar.gz", None), ("/cifar.tar.gz", "bytes=100-")]


def test_a_server_that_cannot_go_on_sends_the_file_again(cifar, server):
    server.cut, server.ranges = 100, False
    with pytest.raises(ConnectionError):
        data.load("cifar10")
    assert torch.equal(data.load("cifar10").x_test[0], cifar[5])


def test_an_interruption_after_the_last_byte_costs_nothing(cifar, server, cache):
    part = cache / "cifar10" / "cifar-10-python.tar.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(server.files["/cifar.tar.gz"])
    assert torch.equal(data.load("cifar10").x_test[0], cifar[5])


def test_a_file_that_is_not_the_right_one_is_refused_and_not_kept(cifar, server, cache):
    right = server.files["/cifar.tar.gz"]
    server.files["/cifar.tar.gz"] = right[:-1] + b"?"
    with pytest.raises(OSError, match="cifar.tar.gz is not the file it should be: its checksum is"):
        data.load("cifar10")
    assert not list((cache / "cifar10").iterdir())
    server.files["/cifar.tar.gz"] = right
    assert len(data.load("cifar10").x_train) == 5


@pytest.mark.parametrize("chunked", [False, True])
def test_a_cut_that_no_length_betrays_is_continued(cifar, server, chunked):
    """The server tells no length: what came is not the file, but may be its beginning."""
    server.told, server.chunked, server.cut = False, chunked, 100
    with pytest.raises(ConnectionError, match="cifar10 could not be down-loaded.*Check the network and load it again"):
        data.load("cifar10")
    assert torch.equal(data.load("cifar10").x_test[0], cifar[5])
    assert server.log == [("/cifar.tar.gz", None), ("/cifar.tar.gz", "bytes=100-")]


def test_a_wrong_file_of_untold_length_is_not_kept_for_ever(cifar, server, cache):
    right = server.files["/cifar.tar.gz"]
    server.told, server.files["/cifar.tar.gz"] = False, right[:-1] + b"?"
    with pytest.raises(ConnectionError, match=r"the [\d,]+ bytes that came from .* are not the whole file, or not the"):
        data.load("cifar10")
    with pytest.raises(OSError, match="is not the file it should be"):
        data.load("cifar10")
    assert not list((cache / "cifar10").iterdir())
    server.files["/cifar.tar.gz"] = right
    assert len(data.load("cifar10").x_train) == 5


@pytest.mark.parametrize("told", [True, False])
def test_a_transfer_without_end_is_stopped(cifar, server, cache, monkeypatch, told):
    monkeypatch.setattr(transfer, "LIMIT", 2**20)
    server.told, server.files["/cifar.tar.gz"] = told, bytes(2**22)
    with pytest.raises(ConnectionError, match="is longer than any file of the course's sets, 1 MiB: not the file"):
        data.load("cifar10")
    assert sum(path.stat().st_size for path in (cache / "cifar10").iterdir()) == 0


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><title>Log in</title>", b"\n <html>"])
def test_the_log_in_page_of_a_network_is_recognised_and_spoils_nothing(cifar, server, cache, page):
    part = cache / "cifar10" / "cifar-10-python.tar.gz.part"
    right = server.files["/cifar.tar.gz"]
    part.parent.mkdir(parents=True)
    part.write_bytes(right[:100])
    server.ranges, server.files["/cifar.tar.gz"] = False, page
    with pytest.raises(
        ConnectionError, match=r"answers with a web page: the log-in page of this network\? Open any page"
    ):
        data.load("cifar10")
    assert part.read_bytes() == right[:100]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (404, "The file has moved: a newer torchvision or scikit-learn may know"),
        (410, "The file is gone"),
        (403, "a proxy refuses: try another network"),
        (407, "set it in the environment variable https_proxy"),
        (429, "The server is busy"),
        (500, "The server is out of order"),
        (503, "The server is out of order"),
    ],
)
def test_what_a_server_answers_instead_has_its_own_remedy(cifar, server, code, words):
    server.error = code
    with pytest.raises(ConnectionError, match=f"{code}.*{words}") as caught:
        data.load("cifar10")
    assert "Check the network" not in str(caught.value)


def test_without_a_network_the_message_says_what_there_is(cifar, monkeypatch):
    monkeypatch.setattr(runtime.import_torchvision().datasets.CIFAR10, "url", "https://www.cs.toronto.edu/x.tar.gz")
    expected = r"cifar10 could not be down-loaded.*Check the network.*Without a network there are digits, fashion_mnist"
    with pytest.raises(ConnectionError, match=expected):
        data.load("cifar10")


def test_a_file_that_is_gone_from_the_server_is_a_network_error(cifar, server):
    server.files.clear()
    with pytest.raises(ConnectionError, match="404"):
        data.load("cifar10")


def test_the_progress_bar_counts_bytes_and_is_erased(cifar, monkeypatch, capsys):
    monkeypatch.setattr(runtime, "watched", lambda: True)
    data.load("cifar10")
    shown = capsys.readouterr().err
    assert "cifar-10-python.tar.gz" in shown and "B/s" in shown
    assert shown.rsplit("\r", 2)[1].strip() == ""
