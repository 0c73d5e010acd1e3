import pytest

from fbm.report.make import _replace as write
from fbm.utils.errors import UserError


def test_replaces_and_leaves_no_draft(tmp_path):
    file = tmp_path / "new" / "a.txt"
    write(file, "one")
    write(file, b"two")
    assert file.read_text() == "two"
    assert list(file.parent.iterdir()) == [file]


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write(tmp_path / "file" / "a.txt", "one")
