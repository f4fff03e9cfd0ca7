"""Forty kinds of faulty servers: no wrong file is accepted, nothing is endless, what came is kept."""

from __future__ import annotations

import hashlib
import threading
import time

import pytest
from faulty_servers import DATA, FaultyServer, chunks, cut, drip, flood, head, part, says, whole

from trtflow.datasets import transfers
from trtflow.datasets.downloads import Artefact, Patience, fetch
from trtflow.formats import UserError

SHA256 = hashlib.sha256(DATA).hexdigest()
QUICK = Patience(attempts=3, timeout=0.4, pause=0.01, least_speed=2000)
SIZE = len(DATA)
OTHER = DATA[::-1]
LIMIT_S = 20.0  # of a download, on a busy machine

# those that a whole file can be had from in the end
MENDED = {
    "all is well": [whole()],
    "cut once": [cut(), part()],
    "cut after one byte": [cut(1), part()],
    "cut before the first byte": [says(head(Content_Length=SIZE)), whole()],
    "closes without a word": [says(), whole()],
    "garbage for an answer": [says(b"\x00\xff" * 100), whole()],
    "half a status line": [says(b"HTTP/1.1 20"), whole()],
    "ignores ranges": [cut(), whole()],
    "200 with a Content-Range": [cut(), part("200 OK")],
    "206 for a first request": [part(most=SIZE)],
    "20,000 bytes at a time, as 206": [part(most=20_000)],
    "20,000 bytes at a time, as 200": [part("200 OK", most=20_000)],
    "begins elsewhere": [
        cut(),
        says(head("206 Partial", Content_Range=f"bytes 7-{SIZE - 1}/{SIZE}"), DATA[7:]),
        whole(),
    ],
    "the rest is of another file": [cut(), part(data=OTHER), whole()],
    "416 for what is missing": [cut(), says(head("416 No", Content_Range=f"bytes */{SIZE}")), whole()],
    "busy twice": [says(head("503 Busy", Content_Length=0)), says(head("429 Busy", Content_Length=0)), whole()],
    "stalls in the middle": [drip(head(Content_Length=SIZE) + DATA[:50_000], b"", 0.1), part()],
    "a byte now and then": [drip(head(Content_Length=SIZE), b"\0"), whole()],
    "a byte of its head now and then": [drip(b"HTTP/1.1 200 OK\r\nX: ", b"x"), whole()],
    "a chunk's size without end": [drip(head(Transfer_Encoding="chunked"), b"1"), whole()],
    "chunks": [says(head(Transfer_Encoding="chunked") + chunks(DATA[:9], DATA[9:]))],
    "chunks that are cut": [says(head(Transfer_Encoding="chunked") + chunks(DATA[:50_000], end=b"")), whole()],
    "chunks of no size": [says(head(Transfer_Encoding="chunked") + b"zz\r\n" + DATA), whole()],
    "no length at all": [says(head(), DATA)],
    "more than it says": [says(head(Content_Length=SIZE), DATA + b"x" * 70_000)],
}
# those that have it not, or say too little
REFUSED = {
    "another file of the size": [whole(OTHER)],
    "a shorter file": [whole(DATA[:-1])],
    "a longer file": [whole(DATA + b"x")],
    "endless": [flood(head())],
    "endless chunks": [flood(head(Transfer_Encoding="chunked"), b"10000\r\n" + bytes(1 << 16) + b"\r\n")],
    "an empty file": [whole(b"")],
    "a page": [whole(b"<html>Sign in</html>", Content_Type="text/html")],
    "gzip": [whole(DATA, Content_Encoding="gzip")],
    "a range that cannot be": [says(head("206 Partial", Content_Range="bytes 9-3/5"), DATA)],
    "a range in words": [says(head("206 Partial", Content_Range="all of it"), DATA)],
    "a range of another size": [says(head("206 Partial", Content_Range=f"bytes 0-{SIZE - 1}/{SIZE + 9}"), DATA)],
    "206 without a range": [says(head("206 Partial", Content_Length=SIZE), DATA)],
    "several ranges": [says(head("206 Partial", Content_Type="multipart/byteranges; boundary=x"), DATA)],
    "a negative length": [says(head(Content_Length=-5), b"")],
    "a length of 30 digits": [says(head(Content_Length="9" * 30), b"")],
    "two lengths": [says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345")],
    "not found": [says(head("404 Not Found", Content_Length=0))],
    "a redirection to itself": [says(head("302 Found", Location="/file", Content_Length=0))],
    "a redirection to a file": [says(head("302 Found", Location="file:///etc/hostname", Content_Length=0))],
    "a redirection to nowhere": [says(head("302 Found", Location="http://[", Content_Length=0))],
    "an hour to wait": [says(head("503 Busy", Retry_After="3600", Content_Length=0))],
    "a hundred thousand heads": [says(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n")],
    "a head of 10 MB": [says(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10_000_000)],
    "always cut after 10 bytes": [cut(10), part(most=10)],
    "continues without end": [flood(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n")],
    "a chunk's extension without end": [flood(head(Transfer_Encoding="chunked") + b"5;a=", b"x" * 1000)],
    "trailers without end": [flood(head(Transfer_Encoding="chunked") + chunks(DATA[:9], end=b"0\r\n"), b"X: y\r\n")],
    "HTTP/0.9": [says(DATA)],
    "a redirection elsewhere by another protocol": [says(head("302 Found", Location="ftp://a/b", Content_Length=0))],
    "parts of a smaller file": [says(head("206 Partial", Content_Range="bytes 0-9/10"), DATA[:10])],
    "no content": [says(head("204 No Content"))],
    "not modified": [says(head("304 Not Modified"))],
    "another protocol": [says(b"SSH-2.0-OpenSSH_9.0\r\n" * 100)],
}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "downloads" / "file.bin"


def artefact(server, **facts):
    return Artefact("file.bin", (server.url,), **(facts or {"size": SIZE, "checksums": {"sha256": SHA256}}))


def timed(function):
    start = time.monotonic()
    try:
        return function()
    finally:
        assert time.monotonic() - start < LIMIT_S


def test_forty_kinds():
    assert len(MENDED) + len(REFUSED) >= 40


@pytest.mark.parametrize("kind", MENDED)
def test_the_file_comes_in_the_end(out, kind):
    with FaultyServer(MENDED[kind]) as server:
        timed(lambda: fetch(artefact(server), out, patience=QUICK))
    assert out.read_bytes() == DATA
    assert [path.name for path in out.parent.iterdir()] == ["file.bin"]


@pytest.mark.parametrize("kind", REFUSED)
def test_nothing_wrong_is_accepted(out, kind):
    with FaultyServer(REFUSED[kind]) as server, pytest.raises(UserError, match="Set mirror in config/config.yaml"):
        timed(lambda: fetch(artefact(server), out, patience=QUICK))
    assert not out.exists()


# of a file of which nothing is known what it says of itself is all there is
UNKNOWN = {
    "all is well": ([whole(ETag='"one"')], DATA),
    "chunks": ([says(head(Transfer_Encoding="chunked") + chunks(DATA))], DATA),
    "cut, then the rest": ([cut(), part()], DATA),
    "a cut file as 200": ([cut(), part("200 OK", most=20_000), part("200 OK")], DATA),
    "20,000 bytes at a time": ([part("200 OK", most=20_000)], DATA),
    "cut, then another file": ([cut(), part(data=OTHER, ETag='"two"'), whole(OTHER, ETag='"two"')], OTHER),
    "no length": ([says(head(), DATA)], None),
    "endless": ([flood(head(Content_Length=1 << 50))], None),
    "endless chunks": ([flood(head(Transfer_Encoding="chunked"), b"10000\r\n" + bytes(1 << 16) + b"\r\n")], None),
    "a part of unknown size": ([says(head("206 Partial", Content_Range="bytes 0-9/*"), DATA[:10])], None),
    "a page": ([whole(Content_Type="text/html")], None),
    "cut for ever": ([cut(5)], None),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_of_a_file_without_a_checksum(out, kind, monkeypatch):
    monkeypatch.setattr(transfers, "LARGEST", 3_000_000)
    answers, wanted = UNKNOWN[kind]
    with FaultyServer(answers) as server:
        if wanted is None:
            with pytest.raises(UserError):
                timed(lambda: fetch(artefact(server, size=None), out, patience=QUICK))
            assert not out.exists()
        else:
            timed(lambda: fetch(artefact(server, size=None), out, patience=QUICK))
            assert out.read_bytes() == wanted


def test_about_how_many_megabytes_bound_a_file(out):
    with FaultyServer([whole(ETag='"one"')]) as server:
        fetch(artefact(server, about_mb=0.1), out, patience=QUICK)
        assert out.read_bytes() == DATA
        out.unlink()
    with (
        FaultyServer([whole(b"", Content_Length=16_400_000)]) as server,
        pytest.raises(UserError, match="more than 16"),
    ):
        fetch(artefact(server, about_mb=0.1), out, patience=QUICK)


def test_what_came_is_kept_from_the_first_byte(out):
    """Five bytes, then nothing: the next request asks for the sixth."""
    with FaultyServer([drip(head(Content_Length=SIZE) + DATA[:5], b"", 0.1), part()]) as server:
        fetch(artefact(server), out, patience=QUICK)
        assert server.asked == [0, 5]


@pytest.mark.parametrize("left", [DATA + b"more", OTHER[:50_000], b""])
def test_a_part_that_is_wrong_is_dropped(out, left):
    out.parent.mkdir()
    out.with_name(".file.bin.part").write_bytes(left)
    with FaultyServer([part()]) as server:
        fetch(artefact(server), out, patience=QUICK)
    assert out.read_bytes() == DATA
    assert [path.name for path in out.parent.iterdir()] == ["file.bin"]


def test_a_part_that_is_a_link_is_not_followed(out, tmp_path):
    out.parent.mkdir()
    (tmp_path / "precious").write_bytes(DATA[:100])
    out.with_name(".file.bin.part").symlink_to(tmp_path / "precious")
    with FaultyServer([part()]) as server:
        fetch(artefact(server), out, patience=QUICK)
    assert out.read_bytes() == DATA
    assert (tmp_path / "precious").read_bytes() == DATA[:100]


@pytest.mark.parametrize(
    "origin", ["[]", "{", '{"url": 3}', "[" * 100000, '{"url": "URL", "validator": "a\\r\\nX: y"}']
)
def test_what_is_known_of_a_part_may_be_anything(out, origin):
    out.parent.mkdir()
    out.with_name(".file.bin.part").write_bytes(OTHER[:50_000])
    with FaultyServer([part()]) as server:
        out.with_name(".file.bin.part.json").write_text(origin.replace("URL", server.url))
        fetch(artefact(server, size=None), out, patience=QUICK)
    assert out.read_bytes() == DATA


@pytest.mark.parametrize("address", ["http://example.org/file", "ftp://example.org/file"])
def test_plain_http_needs_a_checksum(out, address):
    with pytest.raises(UserError, match=r"is not https, and there is no checksum"):
        fetch(Artefact("file.bin", (address,), size=5), out, patience=QUICK)


def test_a_redirection_to_plain_http_needs_a_checksum(monkeypatch):
    transfers.check_scheme(Artefact("file.bin"), "https://example.org/file")
    transfers.check_scheme(Artefact("file.bin", checksums={"md5": "0" * 32}), "http://example.org/file")
    with pytest.raises(transfers.RefusedError):
        transfers.check_scheme(Artefact("file.bin"), "http://localhost.example.org/file")


def test_a_mirror_that_is_not_there_is_said_at_once(out, tmp_path):
    with pytest.raises(UserError, match=r"mirror: .*/nowhere: no such folder. Correct mirror in config/config.yaml"):
        fetch(Artefact("file.bin", ("http://127.0.0.1:9/file",)), out, str(tmp_path / "nowhere"), QUICK)


def test_a_full_disk_is_said(out, monkeypatch):
    out.parent.mkdir()
    out.with_name(".file.bin.part").symlink_to("/dev/full")
    monkeypatch.setattr(transfers.Part, "drop", lambda self: None)  # else it would not be written to
    with FaultyServer([whole()]) as server, pytest.raises(UserError, match="no space left on the disk. Free some"):
        fetch(artefact(server), out, patience=QUICK)


def test_no_thread_outlives_its_server(out):
    before = set(threading.enumerate())
    with FaultyServer([drip(head(Content_Length=SIZE), b"\0"), whole()]) as server:
        fetch(artefact(server), out, patience=QUICK)
    end = time.monotonic() + 10
    while set(threading.enumerate()) - before and time.monotonic() < end:
        time.sleep(0.05)
    assert not set(threading.enumerate()) - before
