"""Readers of data sets, pictures and archives."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import shutil
from pathlib import Path

import numpy as np
from mutations import tar_of, zip_of
from readers import reader
from trial import Reader

from trtflow.datasets import (
    archives,
    characters,
    digit_pictures,
    downloads,
    imagenet,
    images,
    manifest,
    ratings,
    transfers,
    translation,
    voc,
    voc2007,
)
from trtflow.datasets.bpe import encode, join
from trtflow.families.own import adoption
from trtflow.tasks import translation as translation_task
from trtflow.workflow.errors import PlanError
from trtflow.workflow.manifests import check_names

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 7, 3)).astype(np.uint8)
PIXELS_MEMORY = 12 * (1 << 26) + (64 << 20)  # the largest picture that is read, decoded and copied
RATINGS = b"0\t3\t5\t0\n0\t1\t4\t1\n1\t2\t1\t0\n"
XML = (
    b"<annotation><filename>1.jpg</filename><size><width>20</width><height>10</height><depth>3</depth></size>"
    b"<object><name>cat</name><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>8.5</xmax>"
    b"<ymax>9</ymax></bndbox></object></annotation>"
)


def picture(form: str, mode: str = "RGB", **options: object) -> bytes:
    """Return a picture in a form of Pillow's."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


@reader
def png() -> Reader:
    seeds = [picture("PNG", mode) for mode in ("RGB", "L", "P", "RGBA", "1", "LA")]
    return Reader("PNG", images.read_image, seeds, "picture.png", "png", memory=PIXELS_MEMORY)


@reader
def jpeg() -> Reader:
    seeds = [picture("JPEG", mode) for mode in ("RGB", "L", "CMYK")] + [picture("JPEG", progressive=True)]
    return Reader("JPEG", images.read_image, seeds, "picture.jpg", memory=PIXELS_MEMORY)


@reader
def other_pictures() -> Reader:
    seeds = [picture(form) for form in ("BMP", "GIF", "TIFF", "WEBP", "TGA", "ICO", "PCX", "DIB", "SGI", "JPEG2000")]
    return Reader("pictures of other forms", images.read_image, seeds, "picture.bmp", memory=PIXELS_MEMORY)


@reader
def vocabulary() -> Reader:
    return Reader("vocabulary", translation.read_vocabulary, (b"<unk>\n<s>\n</s>\nein@@\ns\n",), "vocab.de", "text")


@reader
def sentences() -> Reader:
    def read(path: Path) -> list[str]:
        lines = translation.read_sentences(path)
        translation.to_numbers(lines, ["<unk>", "<s>", "</s>", "s"])
        return [join(line) for line in encode(lines[:20], [("e", "i"), ("ei", "n")])]

    seed = b"ein@@ s und zwei@@ und@@ zwanzig\nhundert\n"
    return Reader("sentences and BPE", read, (seed,), "val.de", "text", [b"@@ ", b"@@"])


@reader
def translations() -> Reader:
    read = lambda path: translation_task.read_translations(path, ["a", "b"])  # noqa: E731
    return Reader("translations", read, (b"one\ntwo\n",), "translations.txt", "text")


@reader
def character_numbers() -> Reader:
    seed = json.dumps({"a": 0, "b": 1, "\n": 2}).encode()
    return Reader("characters' numbers", characters.read_vocabulary, (seed,), "vocabulary.json", "json")


@reader
def rating_lines() -> Reader:
    return Reader("ratings", lambda path: ratings.read_ratings(path, 2, 4), (RATINGS,), "train.rating", "text")


@reader
def choices() -> Reader:
    seed = b"(0,3)\t1\t2\n(1,2)\t0\t1\n"
    return Reader("choices", lambda path: ratings.read_choices(path, 2, 4), (seed,), "test.negative", "text")


@reader
def movielens() -> Reader:
    seed = zip_of({"ml-1m/README": b"x", "ml-1m/ratings.dat": b"1::3::5::978300760\n1::4::3::978302109\n2::3::4::9\n"})
    words = [b"ml-1m/ratings.dat", b"::", b"::::"]
    return Reader("MovieLens-1M", ratings.read_movielens, (seed,), "ml-1m.zip", "zip", words)


@reader
def voc_xml() -> Reader:
    bomb = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><annotation>&b;</annotation>'
    words = [b"<object>", b"</object>", b"<bndbox/>", b"nan", b"-1", b"<size>", b"<a>", b"&b;", b"<![CDATA["]
    read = lambda path: voc.read_annotation(path, ("background", "cat", "dog"))  # noqa: E731
    return Reader("VOC XML", read, (XML, bomb), "1.xml", "text", words)


@reader
def voc_set() -> Reader:
    def read(path: Path) -> list[str]:
        return voc.read_image_set(path.parents[2], "val")

    return Reader("VOC image set", read, (b"000001\n000002\n",), "ImageSets/Main/val.txt", "text")


@reader
def voc_tar() -> Reader:
    xml = XML.replace(b"<width>20<", b"<width>7<").replace(b"<height>10<", b"<height>6<")
    xml = xml.replace(b"8.5", b"5").replace(b"<ymax>9", b"<ymax>6")
    root = str(voc2007.ROOT)
    files = {
        f"{root}/ImageSets/Main/test.txt": b"000001\n",
        f"{root}/JPEGImages/000001.jpg": picture("JPEG"),
        f"{root}/Annotations/000001.xml": xml,
    }

    def read(path: Path) -> None:
        voc2007.write_voc2007(path.parent / "out", path, "val", 1, 0, (6, 7), keep_ratio=False)

    return Reader("tar of VOC 2007", read, (tar_of(files),), "voc.tar", "tar", memory=PIXELS_MEMORY)


@reader
def picture_lists() -> Reader:
    def read(path: Path) -> object:
        return digit_pictures.read_images(path.parent, "val")

    return Reader("list of pictures", read, (b"val/000000.jpg 7\nval/000001.jpg 0\n",), "val.txt", "text")


@reader
def imagenet_list() -> Reader:
    read = lambda path: imagenet.read_listing(path, 1000)  # noqa: E731
    return Reader("ImageNet's list", read, (b"ILSVRC2012_val_00000001.JPEG 65\nx.JPEG 970\n",), "val.txt", "text")


@reader
def imagenet_words() -> Reader:
    seed = b"n01440764 tench, Tinca tinca\nn01443537 goldfish\nn02012849 crane\nn03126707 crane\n"
    return Reader("ImageNet's words", imagenet.read_words, (seed,), "synset_words.txt", "text")


@reader
def imagenet_tar() -> Reader:
    def read(path: Path) -> None:
        listing, words = path.with_name("listing.txt"), path.with_name("words.txt")
        imagenet.write_pictures(path.parent / "out", path, listing, words, {"val": 1}, 224, 0)

    def prepare(folder: Path) -> None:
        (folder / "listing.txt").write_text("a.JPEG 0\n")
        (folder / "words.txt").write_text("n01440764 tench\n")

    return Reader(
        "tar of ImageNet",
        read,
        (tar_of({"a.JPEG": picture("JPEG")}),),
        "val.tar",
        "tar",
        prepare=prepare,
        memory=PIXELS_MEMORY,
    )


@reader
def class_names() -> Reader:
    return Reader("names of classes", adoption.read_classes, (b"cat\ndog\nfish\n",), "classes.txt", "text")


@reader
def manifests() -> Reader:
    content = hashlib.sha256(b"a").hexdigest()
    seed = f"{content}  val.txt\n{content}  val/0.jpg\n".encode()

    def prepare(folder: Path) -> None:
        (folder / "val").mkdir(exist_ok=True)
        for name in ("val.txt", "val/0.jpg"):
            (folder / name).write_bytes(b"a")

    def read(path: Path) -> None:
        manifest.read_split(path)
        check_names(path)

    errors = (*Reader.errors, PlanError)
    words = [b"val/0.jpg", b"../x", b"/etc/passwd", b"\0", b"x" * 300]
    return Reader("manifest", read, (seed,), "data/val.sha256", "text", words, errors, prepare)


def unpacked(path: Path) -> None:
    """Unpack an archive, and take what is there away again."""
    archives.unpack(path, path.with_name("out"), 1 << 20, 50)
    shutil.rmtree(path.with_name("out"))


FILES = {"a/b.txt": b"text" * 10, "c": bytes(3000)}


@reader
def zips() -> Reader:
    return Reader(
        "archive: zip", unpacked, (zip_of(FILES), zip_of(FILES, 0)), "a.zip", "zip", [b"a/b.txt", b"a", b"a/"]
    )


@reader
def tars() -> Reader:
    return Reader("archive: tar", unpacked, (tar_of(FILES),), "a.tar", "tar", [b"a/b.txt", b"c", b"a"])


@reader
def packed_tars() -> Reader:
    plain = tar_of(FILES)
    seeds = (gzip.compress(plain, mtime=0), bz2.compress(plain), lzma.compress(plain))
    return Reader("archive: tar.gz, tar.bz2, tar.xz", unpacked, seeds, "a.tar.gz", "gzip", memory=96 << 20)


@reader
def artefacts() -> Reader:
    seed = b"model.bin:\n  urls: [https://example.org/model.bin]\n  size: 3\n  sha256: abc\n  made: by hand\n"
    read = lambda path: downloads.read_artefact(path, "model.bin")  # noqa: E731
    return Reader(
        "downloads.yaml", read, (seed,), "downloads.yaml", "text", [b"model.bin:", b"&a", b"*a", b"!!int", b"<<:"]
    )


@reader
def download_record() -> Reader:
    artefact = downloads.Artefact("model.bin", (), None, {}, "")

    def read(path: Path) -> object:
        return downloads._with_record(artefact, path.with_suffix(""))

    seed = f"{'0' * 64}  model.bin\n".encode()
    return Reader("record of a download", read, (seed,), "model.bin.sha256", "text")


@reader
def download_origin() -> Reader:
    def read(path: Path) -> object:
        return transfers.Part(
            downloads.Artefact("m", (), None, {}, ""), "https://e.org/m", path.with_name("m")
        ).validator

    seed = b'{"url": "https://e.org/m", "validator": "x"}'
    return Reader("origin of a part", read, (seed,), ".m.part.json", "json")
