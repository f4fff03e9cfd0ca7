"""What fuzzing has found, one small input for each kind: each must be refused, with a line that says why."""

from __future__ import annotations

import io
import json
import zipfile
import zlib

import numpy as np
import pytest
from data_readers import XML, picture
from document_readers import OWN, REPORT
from format_readers import CFG, RPN, uff_graph
from label_readers import COCO
from mutations import tar_of, zip_of
from readers import all_readers
from trial import Trial

from trtflow.datasets.own import read_items
from trtflow.formats.uff import MetaGraph

LONG = b"9" * 4301  # more digits than int() takes
DEEP = b"[" * 100_000  # deeper than Python's JSON goes
LATIN = b"caf\xe9\n"


def npy(header: bytes, values: bytes = bytes(24)) -> bytes:
    """Return an array with any header."""
    return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + values


def npz(header: bytes, values: bytes = bytes(24)) -> bytes:
    """Return an .npz whose arrays have a header."""
    return zip_of(
        {f"{name}.npy": npy(header, values) for name in ("images", "detections", "kept", "places", "moments")}
    )


def encrypted(data: bytes) -> bytes:
    """Return a zip file that says that its members are encrypted."""
    changed = bytearray(data)
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        start = changed.find(mark)
        while start >= 0:
            changed[start + place] |= 1
            start = changed.find(mark, start + 4)
    return bytes(changed)


def of_method(data: bytes, method: int) -> bytes:
    """Return a zip file that says that its members are packed in another way."""
    return data.replace(b"\x08\0\0\0!\0", bytes([method]) + b"\0\0\0!\0")


def skeleton(places: list[list[int]]) -> bytes:
    """Return a skeleton whose arrays stand anywhere."""
    buffer = io.BytesIO()
    moments = np.zeros((len(places), 2))
    np.savez(buffer, kept=np.zeros(3, np.uint8), places=np.array(places, np.int64), moments=moments)
    return buffer.getvalue()


def tar_with(size: bytes, kind: bytes = b"0", name: bytes = b"a") -> bytes:
    """Return a tar whose one header says a size and a kind."""
    header = bytearray(tar_of({"a": b"x"})[:1024])
    header[:100], header[124:136], header[156:157] = name.ljust(100, b"\0"), size.ljust(12, b"\0"), kind
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    return bytes(header) + bytes(1024)


def uff_with(**fields: object) -> bytes:
    """Return a UFF graph whose convolution has other fields."""
    graph = MetaGraph.FromString(uff_graph())
    (conv,) = (node for node in graph.graphs[0].nodes if node.operation == "Conv")
    for name, value in fields.items():
        conv.fields[name].Clear()
        conv.fields[name].s = str(value)
    return graph.SerializeToString()


def gzip_bomb(head: bytes, zeros: int) -> bytes:
    """Return a gzip file of a head and so many zeros, whole mebibytes: one is compressed and stands for all."""
    packer, mebibyte = zlib.compressobj(wbits=-zlib.MAX_WBITS), bytes(1 << 20)
    first, one = (packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH) for data in (head, mebibyte))
    checksum = zlib.crc32(head)
    for _ in range(zeros >> 20):
        checksum = zlib.crc32(mebibyte, checksum)
    ends = (number.to_bytes(4, "little") for number in (checksum, len(head) + zeros))
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + first + one * (zeros >> 20) + packer.flush() + b"".join(ends)


def yaml_bomb() -> bytes:
    """Return a text of a kilobyte whose aliases stand for a million values."""
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 6)]
    return "\n".join(lines).encode()


META = np.array([0, 0, 10**8, 0, 4], "<i4").tobytes() + b"trtsamplenmt"  # 10^8 layers of no units
PACKED = zip_of({"images.npy": bytes(99), "detections.npy": bytes(99)})
RATED = zip_of({"ml-1m/ratings.dat": b"1::2::3::4\n" * 9})
FLOAT = b"{'descr': '<f4', 'fortran_order': False, 'shape': %s, }\n"

FOUND = [
    ("faster_rcnn_prototxt", RPN.replace(b"stride: 2", b"stride: 0"), "window, stride or dilation is not positive"),
    ("caffe_weights", b"\x12\x03\x22\x01\xff", "cut off or damaged"),  # a name in Latin-1
    ("binaryproto", bytes.fromhex("108080800818ffffffff07208102"), "has 0 values for the shape"),
    ("wts1", LONG, "not a number of blobs"),
    ("wts1", b"1\nx 0 \xc2\xb2 0\n", "is no blob of weights"),
    ("wts2", LONG, "not a number of blobs"),
    ("wts2", b"1\na 0 (2 3) " + bytes(24) + b"\n", "no header of a blob"),
    ("wts2", b"1\na 0 (0, 9999999999, 9999999999) \n", "is cut off or damaged"),
    ("wts2", b"1\na 0 (" + LONG + b",) \n", "no header of a blob"),
    ("nmt_recurrent", META, "its ending says type 0"),
    ("nmt_matrix", np.array([0, 0, 5, 3], "<i4").tobytes() + b"trtsamplenmt", "its ending says type 0"),
    ("netpbm_pictures", b"P6 " + LONG + b" 1 255\n", "more than 67108864 pixels"),
    ("darknet_cfg", CFG.replace(b"mask = 0,1,2\n", b"").replace(b"num=3", b"num=2147483647"), "do not fit num"),
    ("darknet_cfg", CFG.replace(b"stride=2\n[conv", b"stride=1e300\n[conv"), "more than Darknet's int holds"),
    ("gzipped_idx", gzip_bomb(bytes([0, 0, 8, 1, 16, 0, 0, 0]), 1 << 28), "would unfold to 268435456"),
    ("idx_images", b"\0\0\x08\x03" + b"\0\0\x04\0" * 3, "states 1073741824 values"),
    ("npz_arrays", encrypted(PACKED), "encrypted"),
    ("npz_arrays", of_method(PACKED, 99), "compression method is not supported"),
    ("npz_arrays", of_method(PACKED, 14), "not the arrays"),
    ("npz_arrays", npz(FLOAT % b"(60000000000,)"), "24 bytes for the shape"),
    ("npz_arrays", npz(b"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }\n"), "for the shape (3,) of object"),
    ("npz_arrays", npz(b"{'descr': '|S0', 'fortran_order': False, 'shape': (9,), }\n", b""), "for the shape (9,)"),
    ("npz_arrays", npz(b"{'descr': '<f4', 'shape': ("), "not the arrays"),  # raised a TokenError
    ("npz_arrays", npy(FLOAT % b"(6,)"), "not a zip file"),
    ("skeletons", npz(FLOAT % b"(6,)"), "not a skeleton"),
    ("skeletons", skeleton([[0, 1 << 40]]), "bytes are too many"),
    ("skeletons", skeleton([[-5, 3]]), "an array of 3 values at byte -5"),
    ("sha256sums", LATIN, "not a text in UTF-8"),
    ("sha256sums", b"0" * 64 + b"  " + b"x" * 300 + b"\n", "not a line of checksums"),
    ("sha256sums", b"0" * 64 + b"  ../../etc/passwd\n", "not a line of checksums"),
    ("sha256sums", b"0" * 64 + b"  .\n", "the file is missing"),
    ("json_files", DEEP, "recursion"),
    ("json_files", b'{"value": NaN}', "NaN is not finite"),
    ("json_files", b'{"value": 1e999}', "1e999 is not finite"),
    ("vocabulary", LATIN, "not a text in UTF-8"),
    ("sentences", LATIN, "not a text in UTF-8"),
    ("translations", LATIN, "not a text in UTF-8"),
    ("character_numbers", DEEP, "not a vocabulary"),
    ("character_numbers", b'{"a": 0.0}', "its entries are not 1 characters"),
    ("rating_lines", LATIN, "not a text in UTF-8"),
    ("rating_lines", b"0\t1\t2\t" + LONG + b"\n", "line 1 is not user, movie"),
    ("rating_lines", b"0\t1\t2\t9999999999999999999\n", "line 1 is not user, movie"),
    ("rating_lines", "0\t1\t2\t²\n".encode(), "line 1 is not user, movie"),
    ("choices", b"(0,3)\t" + LONG + b"\n", "line 1 is not (user,movie)"),
    ("movielens", encrypted(RATED), "encrypted"),
    ("movielens", of_method(RATED, 1), "not MovieLens-1M"),
    ("movielens", RATED[:60] + b"\xff" * 5 + RATED[65:], "not MovieLens-1M"),
    ("voc_xml", XML.replace(b"<xmin>1", b"<xmin>nan"), "<xmin> is nan"),
    ("voc_xml", XML.replace(b"<width>20", b"<width>0"), "a picture of 0x10"),
    ("voc_xml", XML.replace(b"<xmax>8.5", b"<xmax>1e39"), "<xmax> is 1e+39"),
    ("voc_xml", XML.replace(b"<xmax>8.5", b"<xmax>0.5"), "ends before it begins"),
    ("voc_set", LATIN, "not a text in UTF-8"),
    ("voc_tar", tar_with(b"\x80" + b"\xff" * 11), "no tar archive, or a damaged one"),
    ("tars", tar_with(b"02000000000", b"L"), "a header of 268435456 bytes"),
    ("zips", zip_of({"a": b"x", "a/b": b"y"}), "cannot be unpacked"),
    ("zips", zip_of({"x" * 300: b"x"}), "would leave the folder"),
    ("zips", encrypted(zip_of({"a": b"x"})), "encrypted"),
    ("picture_lists", "val/0.jpg ²\n".encode(), "line 1:"),
    ("picture_lists", b"val/0.jpg " + LONG, "line 1:"),
    ("picture_lists", b"../0.jpg 1\n", "line 1:"),
    ("imagenet_list", LATIN, "not a text in UTF-8"),
    ("imagenet_list", b"a.JPEG " + LONG, "line 1:"),
    ("imagenet_words", LATIN, "not a text in UTF-8"),
    ("class_names", LATIN, "not a text in UTF-8"),
    ("manifests", b"0" * 64 + b"  val/" + b"x" * 300 + b"\n", "is not <sha256>  <name>"),
    ("artefacts", b"model.bin: {urls: [a}", "not a list of published files"),
    ("artefacts", b"- model.bin", "not a list of published files"),
    ("artefacts", b"model.bin: 2001-99-99", "not a list of published files"),
    ("download_record", b"\n", "not the SHA-256 of a file"),
    ("own_yaml", b"[" * 100_000, "nested more than 50 deep"),  # ended the process
    ("own_yaml", b"- " * 100_000, "nested more than 50 deep"),
    ("own_yaml", b"a: &a [*a]", "nested more than 50 deep"),
    ("own_yaml", yaml_bomb(), "100000 values with its aliases"),
    ("own_yaml", OWN.replace(b"limit: 0.9", b"limit: 2001-99-99"), "month must be in 1..12"),
    ("own_yaml", OWN.replace(b"limit: 0.9", b"limit: !!timestamp x"), "not YAML"),
    ("own_yaml", OWN.replace(b"limit: 0.9", b"limit: .nan"), "nan is not finite"),
    ("own_yaml", OWN.replace(b"max_batch_size: 4", b"max_batch_size: " + LONG), "not YAML"),
    ("configuration", LATIN, "not UTF-8"),
    ("reports", DEEP, "not JSON"),
    ("reports", json.dumps(REPORT).replace("0.71", "NaN", 1).encode(), "NaN is not finite"),
    ("backends", DEEP, "not JSON"),
    ("backends", b'{"name": 1, "version": 1, "device": 1, "compute_capability": 1, "driver": 1}', "name is 1, no text"),
    ("plugin_records", b'{"tensorrt": 8, "plugins": {}}', "not a record of plugins"),
    ("plugin_records", b'{"tensorrt": "8.6.0", "plugins": {"FC": "../fc.so"}}', "not a record of plugins"),
    ("own_descriptions", b'{"model": {"deploy": null, "path": "m", "form": "onnx", "inputs": 3}}', "not a sample of"),
    ("recommender_sizes", b'{"users": 1e999, "movies": 4}', "1e999 is not finite"),
    ("recommender_sizes", b'{"users": -1, "movies": 4}', "are no numbers of users and movies"),
    ("input_sizes", b'{"shape": [3, 64, 64], "pixels": []}', "the form of the pictures is []"),
    ("input_sizes", b"3", "not the form of an input"),
    ("nmt_settings", b"{}", "not the settings of a translation"),
    ("nmt_settings", b'{"beam": 0, "max_input_sequence_length": 20}', "are no positive numbers"),
    ("onnx_import", b"\x08\x08\x12\x01\xff", "not an ONNX model"),  # a producer's name in Latin-1
    ("uff_import", uff_with(inputs_orders="x"), "cannot be read"),
    ("caffe_import", b'layer { name: "a"', "not a Caffe network"),
    ("coco_json", json.dumps(COCO).replace("1.png", "\\ud800").encode(), "is not in"),  # half of a character
    ("own_tables", b"a\n" + b"x" * 200_000 + b"\n", "field larger than field limit"),
    ("own_arrays", npy(FLOAT % b"(30000000000,)"), "it has 24 bytes for the shape (30000000000,)"),
    ("taken_tables", "x: \u0661\n".encode(), "is not <tensor>:<largest absolute value>"),
]


@pytest.mark.parametrize(("name", "data", "said"), FOUND, ids=[f"{name}-{said[:30]}" for name, _, said in FOUND])
def test_what_was_found_is_refused(tmp_path, name, data, said):
    outcome = Trial(all_readers()[name](), tmp_path).check(data)
    assert outcome.kind == "refused", outcome
    assert said in outcome.said


def test_a_table_of_a_spreadsheet(tmp_path):
    """The mark at its front was part of the first column's name."""
    (tmp_path / "data.csv").write_bytes(b"\xef\xbb\xbfa,b\r\n1,2\r\n")
    assert list(read_items(tmp_path / "data.csv").columns) == ["a", "b"]


def test_a_picture_whose_palette_is_short(tmp_path):
    """Pillow raised an IndexError."""
    data = picture("PNG", "P")
    start = data.index(b"PLTE") - 4
    size = int.from_bytes(data[start : start + 4], "big")
    cut = data[:start] + data[start + size + 12 :]
    assert Trial(all_readers()["png"](), tmp_path).check(cut).kind in ("read", "refused")


def test_an_archive_of_an_empty_name(tmp_path):
    """Its name had no last character to look at."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("x"), b"y")
    data = bytearray(buffer.getvalue())
    central = data.index(b"PK\1\2")
    data[26:28] = data[central + 28 : central + 30] = b"\0\0"
    changed = bytes(data[:30] + data[31 : central + 46] + data[central + 47 :])
    outcome = Trial(all_readers()["zips"](), tmp_path).check(changed)
    assert outcome.kind == "refused", outcome
