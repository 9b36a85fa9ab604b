"""Atomic files: whole or absent, readable by others, nothing left behind."""

import os
import stat

import pytest

from flan_jax.atomic import kept_or_temporary, remove_unfinished, write_atomically


def test_writes_and_replaces(tmp_path):
  path = tmp_path / "new" / "folder" / "results.json"
  write_atomically(path, b"one")
  write_atomically(path, b"two")
  assert path.read_bytes() == b"two"
  assert os.listdir(path.parent) == ["results.json"]


def test_has_the_mode_of_any_new_file(tmp_path):
  (tmp_path / "usual").touch()
  write_atomically(tmp_path / "ours", b"")
  assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_a_failure_leaves_the_old_file_alone(tmp_path, monkeypatch):
  write_atomically(tmp_path / "file", b"old")

  def fail(_):
    raise OSError("disk full")

  monkeypatch.setattr(os, "fsync", fail)
  with pytest.raises(OSError, match="disk full"):
    write_atomically(tmp_path / "file", b"new")
  assert os.listdir(tmp_path) == ["file"]
  assert (tmp_path / "file").read_bytes() == b"old"


def test_a_temporary_folder_goes_with_what_is_in_it_also_where_the_process_is_to_end():
  with kept_or_temporary(None) as folder:
    (folder / "half").write_bytes(b"new")
  assert not folder.exists()
  with kept_or_temporary(None) as folder:
    (folder / "journal").mkdir()
    remove_unfinished()
    assert not folder.exists()
    folder.mkdir()  # for its owner, who has not ended here
  assert not folder.exists()
