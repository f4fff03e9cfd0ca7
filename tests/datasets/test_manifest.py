"""A split's manifest: as sha256sum writes and checks it; what differs from it is named."""

import subprocess
from pathlib import Path

import pytest

from trtflow.datasets.manifest import read_split, write_manifest
from trtflow.formats import FormatError


def voc_split(root: Path) -> tuple[Path, Path]:
    """Write a split in VOC's layout; return the data set's folder and the manifest."""
    folder = root / "data" / "val"
    for name in ("JPEGImages/000000.jpg", "JPEGImages/a b.jpg", "Annotations/000000.xml", "ImageSets/Main/val.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    write_manifest(root / "data/val.sha256", folder, [path for path in folder.rglob("*") if path.is_file()])
    return folder, root / "data/val.sha256"


def listed_split(root: Path) -> tuple[Path, Path]:
    """Write a split whose list lies beside its folder; return the data set's folder and the manifest."""
    folder = root / "data"
    for name in ("val/000000.jpg", "val/000001.jpg", "val.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    (folder / "calibration.txt").write_text("of another split\n")
    write_manifest(folder / "val.sha256", folder, [*(folder / "val").glob("*"), folder / "val.txt"])
    return folder, folder / "val.sha256"


SPLITS = pytest.mark.parametrize("make", [voc_split, listed_split])


@SPLITS
def test_a_split_as_it_was_written_is_read(tmp_path, make):
    folder, manifest = make(tmp_path)
    (tmp_path / "data/val/.snakemake_timestamp").touch()
    assert read_split(manifest) == folder
    subprocess.run(["sha256sum", "--quiet", "--strict", "-c", manifest.resolve()], cwd=folder, check=True)


@SPLITS
def test_lines_are_those_of_sha256sum(tmp_path, make):
    folder, manifest = make(tmp_path)
    names = sorted(line.split("  ", 1)[1] for line in manifest.read_text().splitlines())
    printed = subprocess.run(["sha256sum", *names], cwd=folder, check=True, capture_output=True, text=True).stdout
    assert manifest.read_text() == printed


def change(path: Path) -> None:
    path.write_bytes(b"other bytes")


@SPLITS
@pytest.mark.parametrize(("spoil", "fault"), [(change, "changed"), (Path.unlink, "missing")])
def test_a_file_that_differs_is_named(tmp_path, make, spoil, fault):
    _, manifest = make(tmp_path)
    picture = next((tmp_path / "data/val").rglob("000000.jpg"))
    spoil(picture)
    with pytest.raises(FormatError, match=f"{picture}: it (is|was) {fault}.*Delete {manifest} and run snakemake again"):
        read_split(manifest)


@SPLITS
def test_a_picture_that_was_added_is_named(tmp_path, make):
    _, manifest = make(tmp_path)
    added = next((tmp_path / "data/val").rglob("000000.jpg")).with_name("000009.jpg")
    added.touch()
    with pytest.raises(FormatError, match=f"{added}: it was added"):
        read_split(manifest)


def test_the_list_beside_the_folder_counts_too(tmp_path):
    folder, manifest = listed_split(tmp_path)
    change(folder / "val.txt")
    with pytest.raises(FormatError, match=r"val\.txt: it was changed"):
        read_split(manifest)


def test_several_files_are_counted(tmp_path):
    folder, manifest = listed_split(tmp_path)
    for path in (folder / "val").iterdir():
        path.unlink()
    with pytest.raises(FormatError, match=r"000000\.jpg: it is missing.*1 more"):
        read_split(manifest)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "empty"),
        (b"no checksum\n", "line 1"),
        (b"\xff\xfe", "not a text in UTF-8"),
        (b"%064d  ../elsewhere\n" % 0, "line 1"),
        (b"%064d  /elsewhere\n" % 0, "line 1"),
        (b"%064d  a\n%064d  a\n" % (0, 0), "twice"),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path, content, fault):
    _, manifest = voc_split(tmp_path)
    manifest.write_bytes(content)
    with pytest.raises(FormatError, match=fault):
        read_split(manifest)


def test_no_manifest_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_split(tmp_path / "val.sha256")
