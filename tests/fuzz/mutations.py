"""Seeded changes of files, of their bytes and of what these mean: fields, members, chunks, lines and numbers.

A change of bytes alone hardly gets past a checksum or a length. So a change of a structured file takes it apart,
changes a part, by its own form where it has one, and puts it together again with lengths and checksums that fit.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import Any

LONGEST = 1 << 16  # bytes of an input
INTEGERS = tuple(
    sorted(
        {
            sign * (1 << bits) + add
            for bits in (0, 3, 7, 8, 15, 16, 24, 31, 32, 40, 62, 63)
            for sign in (1, -1)
            for add in (-1, 0, 1)
        }
    )
)
NUMBERS = (
    *(str(number).encode() for number in INTEGERS),
    *(b"nan", b"NaN", b"inf", b"-Infinity", b"1e999", b"-1e400", b"1e300", b"1e-320", b"0.5", b"-0", b"0x1", b"1_0"),
    *(b"9" * 4301, b"00", b"+1", "\u00b2".encode(), "\u0663".encode(), b"", b"1 2", b"1:2", b"true", b"null", b"[]"),
)
ODD = (
    *(b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xe9", b"\xed\xa0\x80", b"\x85", b"\r", b"\r\n", b"\n\n", b"\t"),
    *(
        "\u2028".encode(),
        "\u00a0".encode(),
        b" ",
        b'"',
        b"'",
        b"\\",
        b"#",
        b"{",
        b"}",
        b"[",
        b"]",
        b"<",
        b"&",
        b":",
        b"-",
    ),
)
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
WORD = re.compile(rb"[A-Za-z_][\w./-]*")

Change = Callable[[bytes, random.Random, Sequence[bytes]], bytes]


def mutate(data: bytes, form: str, others: Sequence[bytes], words: Sequence[bytes], rng: random.Random) -> bytes:
    """Return a file with one to four changes, of at most `LONGEST` bytes.

    Args:
        data: the file.
        form: how it is built, of `FORMS`.
        others: further files of its kind, parts of which may be put in.
        words: what stands in such files.
        rng: what is drawn from; the same draws give the same changes.
    """
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        if rng.random() < 0.04 and others:
            data = _spliced(data, rng.choice(others), rng)
        change = FORMS[form] if form in FORMS and rng.random() < 0.75 else _bytes
        data = change(data, rng, words)[:LONGEST]
    return data


def _spliced(data: bytes, other: bytes, rng: random.Random) -> bytes:
    return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]


def _bytes(data: bytes, rng: random.Random, words: Sequence[bytes]) -> bytes:
    """Change bytes, whatever they mean."""
    changed, size = bytearray(data), len(data)
    place = rng.randrange(size) if size else 0
    some = rng.choice((1, 1, 2, 3, 4, 8, 16, 64, 512))
    kind = rng.randrange(9)
    if kind == 0 and size:
        changed[place] ^= 1 << rng.randrange(8)
    elif kind == 1 and size:
        changed[place] = rng.randrange(256)
    elif kind == 2:
        del changed[place:]  # cut off
    elif kind == 3:
        del changed[place : place + some]
    elif kind == 4:
        changed[place:place] = changed[place : place + some] * rng.choice((1, 1, 2, 50))
    elif kind == 5:
        changed[place : place + some] = rng.randbytes(some)
    elif kind == 6:
        number = _packed(rng)
        changed[place : place + len(number)] = number
    elif kind == 7:
        changed[place:place] = rng.choice((*words, *ODD))
    else:
        source = rng.randrange(size) if size else 0
        changed[place : place + some] = changed[source : source + some]
    return bytes(changed)


def _packed(rng: random.Random) -> bytes:
    """Return an odd number as a file may have it."""
    size, order = rng.choice((1, 2, 4, 4, 8)), rng.choice(("little", "big"))
    if rng.random() < 0.15:
        value = rng.choice((float("nan"), float("inf"), -1.0, 1e38, 0.0))
        return struct.pack(rng.choice("<>") + rng.choice("fd"), value)
    return (rng.choice(INTEGERS) % (1 << 8 * size)).to_bytes(size, order)  # type: ignore[arg-type]


def _text(data: bytes, rng: random.Random, words: Sequence[bytes]) -> bytes:
    """Change lines, words and numbers."""
    kind = rng.randrange(8)
    if kind < 3:
        return _substituted(data, NUMBER, rng.choice(NUMBERS), rng)
    if kind == 3:
        known = (*words, *WORD.findall(data[:4096])) or ODD
        return _substituted(data, WORD, rng.choice(known), rng)
    lines = data.splitlines(keepends=True) or [b""]
    place, source = rng.randrange(len(lines)), rng.randrange(len(lines))
    if kind == 4:
        del lines[place]
    elif kind == 5:
        lines[place:place] = lines[source : source + rng.choice((1, 1, 3, 10))]
    elif kind == 6:
        lines[place], lines[source] = lines[source], lines[place]
    else:
        line, piece = lines[place], rng.choice((*words, *ODD)) * rng.choice((1, 1, 1, 2, 1500))
        at = rng.randint(0, len(line))
        lines[place] = line[:at] + piece + line[at:]
    return b"".join(lines)


def _substituted(data: bytes, pattern: re.Pattern[bytes], text: bytes, rng: random.Random) -> bytes:
    found = list(pattern.finditer(data))
    if not found:
        return data + text
    match = rng.choice(found)
    return data[: match.start()] + text + data[match.end() :]


def _json(data: bytes, rng: random.Random, words: Sequence[bytes]) -> bytes:
    """Change a value or a key somewhere in a tree."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return _text(data, rng, words)
    if rng.random() < 0.02:
        depth = rng.choice((50, 1000, 20000))
        return b"[" * depth + (b"]" * depth if rng.random() < 0.5 else b"")
    try:
        return json.dumps(_changed(tree, rng, words)).encode()
    except (ValueError, RecursionError):
        return data


ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, "", "x", [], {}, [None], [[]], {"": None}, 0, -1, 1, 1.5, 1e308, float("nan"), float("inf")),
    *(2**31, 2**63, -(2**63), 10**30, "\0", "..", "/", "\ud800", "9" * 50, [0] * 50, {"a": {"b": {}}}),
)


def _changed(tree: Any, rng: random.Random, words: Sequence[bytes]) -> Any:
    if isinstance(tree, (dict, list)) and tree and rng.random() < 0.85:
        keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
        key, kind = rng.choice(keys), rng.randrange(10)
        if kind == 0:
            del tree[key]
        elif kind == 1 and isinstance(tree, dict):
            tree[rng.choice([*keys, *(word.decode(errors="replace") for word in words), ""])] = tree.pop(key)
        elif kind == 1:
            tree.insert(key, tree[rng.randrange(len(tree))])  # type: ignore[arg-type]
        else:
            tree[key] = _changed(tree[key], rng, words)
        return tree
    return rng.choice(ODD_VALUES)


# Protobuf's wire format: a key of field number and type, then a varint (0), 8 bytes (1), length and bytes (2) or 4 (5).


def _varint(value: int) -> bytes:
    value %= 1 << 64
    groups = []
    while True:
        groups.append(value & 0x7F | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(groups)


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
        if shift > 63:
            raise ValueError("too long a varint")


def _fields(data: bytes) -> list[tuple[int, int, Any]]:
    """Return number, type and value of each field of a message.

    Raises:
        ValueError, IndexError: it is none.
    """
    found, place = [], 0
    while place < len(data):
        key, place = _read_varint(data, place)
        number, kind = key >> 3, key & 7
        value: Any
        if kind == 0:
            value, place = _read_varint(data, place)
        elif kind in (1, 2, 5):
            size = {1: 8, 5: 4}.get(kind, 0)
            if kind == 2:
                size, place = _read_varint(data, place)
            value, place = data[place : place + size], place + size
            if len(value) != size:
                raise ValueError("cut off")
        else:
            raise ValueError("no field")
        if not number:
            raise ValueError("no field")
        found.append((number, kind, value))
    return found


def _message(fields: Sequence[tuple[int, int, Any]]) -> bytes:
    parts = []
    for number, kind, value in fields:
        parts.append(_varint(number << 3 | kind))
        parts += [_varint(value)] if kind == 0 else [_varint(len(value)), value] if kind == 2 else [value]
    return b"".join(parts)


def _protobuf(data: bytes, rng: random.Random, words: Sequence[bytes]) -> bytes:
    """Change a field of a message or of one within it."""
    try:
        fields = _fields(data)
    except (ValueError, IndexError):
        return _bytes(data, rng, words)
    if not fields:
        return _bytes(data, rng, words)
    place = rng.randrange(len(fields))
    number, kind, value = fields[place]
    draw = rng.random()
    if draw < 0.06:
        del fields[place]
    elif draw < 0.12:
        fields[place:place] = [fields[rng.randrange(len(fields))]] * rng.choice((1, 1, 2, 20))
    elif draw < 0.16:
        fields[place] = (rng.choice((number + 1, max(1, number - 1), 536870911)), kind, value)
    elif draw < 0.18 and kind == 2:
        for _ in range(rng.choice((3, 60, 200))):
            value = _message([(number, 2, value)])[:LONGEST]
        fields[place] = (number, 2, value)
    elif kind == 0:
        fields[place] = (number, 0, rng.choice((*INTEGERS, value ^ 1 << rng.randrange(32))))
    elif kind == 2:
        fields[place] = (number, 2, (_protobuf if rng.random() < 0.75 else _bytes)(value, rng, words))
    else:
        fields[place] = (number, kind, _packed(rng)[: len(value)].ljust(len(value), b"\0"))
    return _message(fields)


FLAGS, METHOD = {b"PK\x03\x04": 6, b"PK\x01\x02": 8}, {b"PK\x03\x04": 8, b"PK\x01\x02": 10}


def _zip(data: bytes, rng: random.Random, words: Sequence[bytes]) -> bytes:
    """Change a member of a zip file, or what its headers say."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [
                (item.filename, archive.read(item)[: 4 * LONGEST], item.compress_type) for item in archive.infolist()
            ]
    except Exception:  # whatever is wrong with what was changed before
        return _bytes(data, rng, words)
    if not members or rng.random() < 0.2:
        return _zip_headers(data, rng)
    place = rng.randrange(len(members))
    name, content, method = members[place]
    kind = rng.randrange(8)
    if kind == 0:
        del members[place]
    elif kind == 1:
        members.append(members[place])
    elif kind == 2:
        names = ["../x", "/x", "a\\b", "x/", "", "C:x", "x" * 300, *(word.decode(errors="replace") for word in words)]
        members[place] = (rng.choice(names), content, method)
    elif kind == 3:
        members[place] = (
            name,
            content,
            rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)),
        )
    else:
        members[place] = (name, _inner(name)(content, rng, words), method)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content, method in members:
            item = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            archive.writestr(item, content, method)
    return buffer.getvalue()


def _inner(name: str) -> Change:
    if name.endswith(".npy"):
        return _npy
    return {"json": _json, "pkl": _bytes, "h5": _bytes}.get(name.rpartition(".")[2], _text)


def _zip_headers(data: bytes, rng: random.Random) -> bytes:
    """Set a number of a header: encryption, an unknown method, sizes and places that are not so."""
    changed = bytearray(data)
    marks = [match.start() for match in re.finditer(rb"PK(\x03\x04|\x01\x02|\x05\x06)", data)]
    if not marks:
        return data
    start = rng.choice(marks)
    mark, kind = bytes(changed[start : start + 4]), rng.randrange(4)
    if kind == 0 and mark in FLAGS:
        for place in marks:  # both headers of all members
            if (mark := bytes(changed[place : place + 4])) in FLAGS:
                changed[place + FLAGS[mark]] |= 1
    elif kind == 1 and mark in METHOD:
        changed[start + METHOD[mark]] = rng.choice((1, 6, 8, 9, 12, 14, 93, 99))
    else:
        number = _packed(rng)
        at = start + rng.randrange(4, 46)
        changed[at : at + len(number)] = number
    return bytes(changed)


def _npy(data: bytes, rng: random.Random, words: Sequence[bytes]) -> bytes:
    """Change the header of an array, with a length that fits, or its values."""
    if data[:6] != b"\x93NUMPY" or len(data) < 10 or rng.random() < 0.2:
        return _bytes(data, rng, words)
    size = int.from_bytes(data[8:10], "little")
    header, values = data[10 : 10 + size], data[10 + size :]
    types = (
        b"'|O'",
        b"'<f4'",
        b"'>f8'",
        b"'<U3'",
        b"'|S0'",
        b"'|V8'",
        b"'<M8[s]'",
        b"[('a', '<f4')]",
        b"'<i8'",
        b"'x'",
    )
    shapes = (
        b"(1099511627776,)",
        b"(-1,)",
        b"()",
        b"(0, 5)",
        b"(4294967296, 4294967296)",
        b"(1,) * 99",
        b"(2 3)",
        b"7",
    )
    header = rng.choice(
        (
            lambda: re.sub(rb"'[<|>=]\w+'", rng.choice(types), header),
            lambda: re.sub(rb"\([\d, ]*\)", rng.choice(shapes), header),
            lambda: header.replace(b"False", rng.choice((b"True", b"None", b"[" * 500))),
            lambda: _text(header, rng, words),
        )
    )()[:65000]
    return data[:8] + len(header).to_bytes(2, "little") + header + values


def _gzip(data: bytes, rng: random.Random, words: Sequence[bytes]) -> bytes:
    """Change what is packed."""
    try:
        with gzip.open(io.BytesIO(data)) as file:
            inner = file.read(4 * LONGEST)
    except (OSError, EOFError, zlib.error):
        return _bytes(data, rng, words)
    return gzip.compress(_bytes(inner, rng, words), 1, mtime=0)


def _png(data: bytes, rng: random.Random, words: Sequence[bytes]) -> bytes:
    """Change a chunk of a PNG, its checksum being right again."""
    chunks, place = [], 8
    while place + 12 <= len(data) and data.startswith(b"\x89PNG"):
        size = int.from_bytes(data[place : place + 4], "big")
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + size]))
        place += 12 + size
    if not chunks:
        return _bytes(data, rng, words)
    place = rng.randrange(len(chunks))
    kind, content = chunks[place]
    draw = rng.randrange(6)
    if draw == 0:
        del chunks[place]
    elif draw == 1:
        chunks.insert(rng.randrange(len(chunks)), chunks[place])
    elif draw == 2:
        chunks[place] = (
            rng.choice((b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"tRNS", b"PLTE", b"acTL", b"fcTL", b"eXIf")),
            content,
        )
    else:
        chunks[place] = (kind, _bytes(content, rng, words))
    parts = [data[:8]]
    for kind, content in chunks:
        checksum = zlib.crc32(kind + content).to_bytes(4, "big")
        parts += [len(content).to_bytes(4, "big"), kind, content, checksum]
    return b"".join(parts)


def _tar(data: bytes, rng: random.Random, words: Sequence[bytes]) -> bytes:
    """Change a header of a tar, its checksum being right again, or a file in it."""
    headers = [place for place in range(0, len(data) - 511, 512) if data[place + 257 : place + 262] == b"ustar"]
    if not headers or rng.random() < 0.2:
        return _bytes(data, rng, words)
    changed, start = bytearray(data), rng.choice(headers)
    field, size = rng.choice(
        ((0, 100), (100, 8), (124, 12), (124, 12), (136, 12), (156, 1), (156, 1), (157, 100), (345, 155))
    )
    numbers = (b"77777777777", b"\x80" + b"\xff" * 11, b"-1", b"0", b"x", b"\xff" * 12, b"00000100000")
    kinds = [bytes([kind]) for kind in b"01234567LKxgSDMVX\0"]
    names = (b"../x", b"/x", b"x" * 100, b"\xff\xfe", b"", b".", *words)
    text = rng.choice(kinds if size == 1 else numbers if size in (8, 12) else names)
    changed[start + field : start + field + size] = text[:size].ljust(size, b"\0")
    changed[start + 148 : start + 156] = b" " * 8
    changed[start + 148 : start + 156] = b"%06o\0 " % (sum(changed[start : start + 512]))
    return bytes(changed)


def tar_of(files: dict[str, bytes]) -> bytes:
    """Return a tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            item = tarfile.TarInfo(name)
            item.size = len(content)
            archive.addfile(item, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, method)
    return buffer.getvalue()


FORMS: dict[str, Change] = {
    "text": _text,
    "json": _json,
    "protobuf": _protobuf,
    "zip": _zip,
    "npy": _npy,
    "gzip": _gzip,
    "png": _png,
    "tar": _tar,
}
