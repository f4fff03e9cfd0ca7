"""Files appear whole or not at all, with checksums that are checked and bytes that repeat."""

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import warm_python

from trtflow.datasets.archives import unpack
from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays, write_arrays
from trtflow.formats.checksums import verify_checksums, write_checksums
from trtflow.formats.files import (
    ABANDONED_S,
    HOST,
    TEMPORARY,
    atomic_path,
    copy_file,
    sha256_of,
    write_bytes,
    write_json,
)

ROOT = Path(__file__).resolve().parents[2]


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "folder" / "a"
    write_bytes(path, b"old")

    def write_half():
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("path", [".", "/"])
def test_what_has_no_name_is_not_written(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FormatError, match="a folder, not the name of a file"):
        write_bytes(path, b"one")
    assert not any(tmp_path.iterdir())


def test_what_dead_processes_left_is_removed_by_the_next_that_writes_there(tmp_path, monkeypatch):
    program = (
        "import os, sys; from trtflow.formats.files import atomic_path\n"
        "with atomic_path(sys.argv[1]) as temporary:\n"
        "    temporary.write_bytes(b'half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "it's {a}.b"], cwd=ROOT, check=False)
    (left,) = tmp_path.iterdir()
    (tmp_path / f".folder.{HOST}9999999.tmp").mkdir()  # of no process, as one that has ended
    (tmp_path / f".folder.{HOST}9999999.tmp/file").touch()
    write_bytes(tmp_path / "other", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    assert TEMPORARY.fullmatch(left.name)


def test_what_living_processes_write_stays(tmp_path):
    mine, elsewhere = (tmp_path / f".a.{host}{os.getpid():07d}.tmp" for host in (HOST, HOST - 1))
    old = tmp_path / f".b.{HOST - 1}0000001.tmp"
    for path in (mine, elsewhere, old, tmp_path / ".part.tmp", tmp_path / ".a.12.tmp"):
        path.touch()
    os.utime(old, (time.time() - 2 * ABANDONED_S,) * 2)
    write_bytes(tmp_path / "b", b"x")
    assert {path.name for path in tmp_path.iterdir()} == {mine.name, elsewhere.name, ".part.tmp", ".a.12.tmp", "b"}


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_and_its_folder_are_on_the_disk_before_its_name_counts(tmp_path, monkeypatch, durable):
    done = []
    real_sync, real_replace = warm_python.TO_DISK, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (done.append(os.path.realpath(f"/proc/self/fd/{fd}")), real_sync(fd)))
    monkeypatch.setattr(os, "replace", lambda *paths: (done.append("replace"), real_replace(*paths)))
    with atomic_path(tmp_path / "a", durable=durable) as temporary:
        temporary.write_bytes(b"x")
    assert done == ([str(temporary), "replace", str(tmp_path)] if durable else ["replace"])


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077, 0o002])
def test_permissions_follow_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_bytes(tmp_path / "folder/file", b"x")
        write_arrays(tmp_path / "folder/arrays.npz", {"a": np.zeros(1)})
        with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
            archive.writestr("inside/file", b"x")
        unpack(tmp_path / "archive.zip", tmp_path / "unpacked", 10, 5)
    finally:
        os.umask(before)
    found = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    for name in ("file", "arrays.npz", "archive.zip"):
        assert found[name] == 0o666 & ~mask, name
    for name in ("folder", "unpacked", "inside"):
        assert found[name] == 0o777 & ~mask, name


def test_a_full_disk_keeps_the_old_file_and_names_no_other(tmp_path):
    path = tmp_path / "a"
    write_bytes(path, b"old")

    def write():
        with atomic_path(path) as temporary:
            temporary.symlink_to("/dev/full")
            temporary.write_bytes(b"new")

    with pytest.raises(OSError, match="No space left"):
        write()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_copy_makes_its_folder_and_keeps_the_old_one_where_there_is_no_source(tmp_path):
    source, path = tmp_path / "source", tmp_path / "folder" / "copy"
    source.write_bytes(b"content")
    copy_file(source, path)
    assert path.read_bytes() == b"content"
    with pytest.raises(FileNotFoundError):
        copy_file(tmp_path / "missing", path)
    assert path.read_bytes() == b"content"
    assert list(path.parent.iterdir()) == [path]


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"value": float("nan")})
    write_json(tmp_path / "a.json", {"value": 1})
    assert json.loads((tmp_path / "a.json").read_text()) == {"value": 1}


def test_arrays_survive_with_the_same_bytes(tmp_path):
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "names": np.array(["x", "yy"])}
    for name in ("first.npz", "second.npz"):
        write_arrays(tmp_path / name, arrays)
    assert sha256_of(tmp_path / "first.npz") == sha256_of(tmp_path / "second.npz")
    read, names = read_arrays(tmp_path / "first.npz", "a", "names")
    np.testing.assert_array_equal(read, arrays["a"])
    assert names.tolist() == ["x", "yy"]


@pytest.mark.parametrize("damage", [lambda data: data[:100], lambda data: b"", lambda data: b"no zip"])
def test_damaged_arrays_are_refused(tmp_path, damage):
    path = tmp_path / "a.npz"
    write_arrays(path, {"a": np.zeros(100)})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FormatError, match="a.npz: not the arrays a"):
        read_arrays(path, "a")


def test_checksums_find_a_flipped_bit_and_a_missing_file(tmp_path):
    path = tmp_path / "model.caffemodel"
    path.write_bytes(b"weights")
    write_checksums(tmp_path, ["model.caffemodel"])
    verify_checksums(tmp_path)
    path.write_bytes(b"weightr")
    with pytest.raises(FormatError, match="model.caffemodel: its checksum is not the one it was written with"):
        verify_checksums(tmp_path)
    path.unlink()
    with pytest.raises(FormatError, match="model.caffemodel: the file is missing"):
        verify_checksums(tmp_path)


def test_a_list_of_nothing_is_no_list(tmp_path):
    write_checksums(tmp_path, [])
    with pytest.raises(FormatError, match="SHA256SUMS: lists no file"):
        verify_checksums(tmp_path)


def test_folder_without_checksums_passes(tmp_path):
    verify_checksums(tmp_path)
