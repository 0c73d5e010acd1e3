import pytest

from fbm.report.make import write_or_remove
from fbm.utils.errors import UserError


def test_replaces_and_leaves_no_draft(tmp_path):
    file = tmp_path / "new" / "a.txt"
    write_or_remove(file, "one")
    write_or_remove(file, b"two")
    assert file.read_text() == "two"
    assert list(file.parent.iterdir()) == [file]
    write_or_remove(file, None)
    assert not file.exists()


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_or_remove(tmp_path / "file" / "a.txt", "one")
