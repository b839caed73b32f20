import hashlib
import os

import pytest

from helpers.files import read_card, read_verified, sha256, write_atomically, write_card


def test_sha256_is_the_standard_one():
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-4, example


def test_what_is_verified_is_what_is_read(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    assert read_verified(path, hashlib.sha256(b"content").hexdigest(), "") == b"content"


@pytest.mark.parametrize("content", [b"conten", b"cOntent", b"contentt", b""])
def test_a_damaged_file_is_named_with_the_remedy(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(OSError, match=rf"{path.name} is damaged: its {len(content)} bytes .* Buy a new one\."):
        read_verified(path, sha256(b"content"), "Buy a new one.")


def test_a_missing_file_is_named_with_the_remedy(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing is missing\. Buy a new one\."):
        read_verified(tmp_path / "nothing", sha256(b""), "Buy a new one.")


def test_a_folder_in_place_of_a_file_is_named_with_the_remedy(tmp_path):
    for read in (lambda: read_verified(tmp_path, sha256(b""), "Ask."), lambda: read_card(tmp_path, "Ask.")):
        with pytest.raises(OSError, match=r"is a folder where a file should be: move it away\. Ask\."):
            read()


def test_a_card_is_what_was_written(tmp_path):
    write_card(tmp_path / "card.json", {"name": "α", "size": 1.5})
    facts = read_card(tmp_path / "card.json", "")
    assert facts.pop("seal") and facts == {"name": "α", "size": 1.5}


def test_every_changed_byte_of_a_card_is_noticed(tmp_path):
    path = tmp_path / "card.json"
    write_card(path, {"sha256": sha256(b"x"), "n": [1, 2]})
    content = path.read_bytes()
    facts = read_card(path, "")
    for k in range(len(content)):
        for bit in (1, 2, 4, 32):
            path.write_bytes(content[:k] + bytes([content[k] ^ bit]) + content[k + 1 :])
            try:
                assert read_card(path, "Ask.") == facts  # a space that became another one says the same
            except OSError as error:
                assert "card.json is damaged" in str(error) and str(error).endswith("Ask.")
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"card.json is missing\. Ask\."):
        read_card(path, "Ask.")


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "folder" / "file"

    def write(temporary):
        assert not path.exists() and temporary.parent == path.parent
        temporary.write_bytes(b"whole")

    write_atomically(path, write)
    assert path.read_bytes() == b"whole"
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o644


def test_a_writer_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write(temporary):
        temporary.write_bytes(b"ha")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, write)
    assert [p.name for p in tmp_path.iterdir()] == ["file"] and path.read_bytes() == b"old"
