"""Downloads from a server that misbehaves: nothing wrong is ever accepted, nothing is fetched twice."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from trtflow import progress
from trtflow.datasets import downloads, transfers
from trtflow.datasets.downloads import Artefact, Patience, fetch, read_artefact
from trtflow.formats import FormatError, UserError

ROOT = Path(__file__).resolve().parents[2]
DATA = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(DATA).hexdigest()
QUICK = Patience(attempts=3, timeout=0.5, pause=0.01)


class Handler(BaseHTTPRequestHandler):
    """Answers as the server's list of behaviours says, one a request; when it is used up, well."""

    def do_GET(self):
        self.server.requests.append((self.path, self.headers.get("Range"), self.headers.get("If-Range")))
        behaviour = self.server.behaviours.pop(0) if self.server.behaviours else "good"
        getattr(self, behaviour)()

    def send(self, data, status=200, announced=None, **headers):
        self.send_response(status)
        length = len(data) if announced is None else announced
        for name, value in {"Content_Length": str(length), **headers}.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def good(self, data=DATA, tag='"one"', sent=None):
        asked, condition = self.headers.get("Range"), self.headers.get("If-Range")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if not asked or condition not in (None, tag):
            self.send(data[:sent], 200, len(data), ETag=tag)
        elif start >= len(data):
            self.send(b"", 416, Content_Range=f"bytes */{len(data)}")
        else:
            body, span = data[start:], f"bytes {start}-{len(data) - 1}/{len(data)}"
            self.send(body[:sent], 206, len(body), Content_Range=span, ETag=tag)

    def dropped(self):
        self.good(sent=100_000)

    def dropped_at_once(self):
        self.connection.close()

    def stalled(self):
        self.good(sent=100_000)
        time.sleep(1)

    def without_ranges(self):
        self.send(DATA)

    def wrong(self):
        self.send(DATA[::-1])

    def wrong_rest(self):
        start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        rest = bytes(len(DATA) - start)
        self.send(rest, 206, Content_Range=f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")

    def wrong_start(self):
        self.send(DATA[7:], 206, Content_Range=f"bytes 7-{len(DATA) - 1}/{len(DATA)}")

    def longer(self):
        self.send(DATA + b"more")

    def endless(self):
        self.send(DATA + bytes(2_000_000), Content_Length=None)

    def shorter_without_length(self):
        self.send(DATA[:1000], Content_Length=None)

    def page(self):
        self.send(b"<html>Sign in</html>", Content_Type="text/html; charset=utf-8")

    def zipped(self):
        self.send(DATA, Content_Encoding="gzip")

    def newer(self):
        self.good(DATA[::-1], tag='"two"')

    def redirected(self):
        self.send(b"", 302, Location="/elsewhere")

    def forbidden(self):
        self.send(b"no", 403)

    def missing(self):
        self.send(b"not here", 404)

    def busy(self):
        self.send(b"later", 503, Retry_After="0")

    def busy_for_a_second(self):
        self.send(b"later", 429, Retry_After="1")

    def busy_until(self):
        self.send(b"later", 503, Retry_After=formatdate(time.time() + 2, usegmt=True))

    def busy_for_an_hour(self):
        self.send(b"later", 503, Retry_After="3600")

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.behaviours, server.requests = [], []
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def out(tmp_path):
    return tmp_path / "downloads" / "file.bin"


def artefact(server, places=("a",), **facts):
    facts = facts or {"size": len(DATA), "checksums": {"sha256": SHA256}}
    return Artefact("folder/file [1].bin", tuple(f"{server.url}/{place}" for place in places), **facts)


def left(out):
    return sorted(path.name for path in out.parent.iterdir())


@pytest.mark.parametrize(
    ("behaviours", "requests"),
    [
        ([], 1),
        (["dropped"], 2),
        (["dropped"] * 4, 5),  # more drops than attempts, but each brought something
        (["dropped_at_once"], 2),
        (["stalled"], 2),
        (["busy", "busy"], 3),
        (["redirected"], 2),
        (["dropped", "without_ranges"], 2),
        (["dropped", "wrong_start"], 3),
        (["dropped", "wrong_rest"], 3),
        (["shorter_without_length"], 2),
    ],
)
def test_a_file_arrives_whole_in_the_end(server, out, behaviours, requests):
    server.behaviours += behaviours
    fetch(artefact(server), out, patience=QUICK)
    assert out.read_bytes() == DATA
    assert len(server.requests) == requests
    assert left(out) == ["file.bin"]


@pytest.mark.parametrize(
    ("behaviour", "fault"),
    [
        ("wrong", "its SHA-256 is"),
        ("longer", f"it has {len(DATA) + 4} bytes, not {len(DATA)}"),
        ("endless", f"it has more than {len(DATA)} bytes"),
        ("page", "it has 20 bytes"),
        ("zipped", "the server encodes it (gzip)"),
        ("missing", "status 404"),
        ("forbidden", "status 403"),
        ("busy_for_an_hour", "status 503, and it asks to wait 3600 s"),
    ],
)
def test_what_is_wrong_is_refused_and_the_next_place_asked(server, out, behaviour, fault, capsys):
    server.behaviours += [behaviour]
    fetch(artefact(server, ["a", "b"]), out, patience=QUICK)
    assert out.read_bytes() == DATA
    assert [path for path, *_ in server.requests] == ["/a", "/b"]
    assert fault in capsys.readouterr().err


def test_an_error_names_every_place_and_its_fault(server, out):
    server.behaviours += ["wrong", "missing", *["busy"] * 3, *["dropped_at_once"] * 3, *["redirected"] * 40]
    with pytest.raises(UserError) as error:
        fetch(artefact(server, "abcde"), out, patience=Patience(attempts=3, timeout=20, pause=0.01))
    faults = ("its SHA-256 is", "status 404", "status 503 (3 tries)", "the connection failed", "TooManyRedirects")
    for place, fault in zip("abcde", faults, strict=True):
        assert f"/{place}: " in str(error.value)
        assert fault in str(error.value)
    assert "Set mirror in config/config.yaml" in str(error.value)
    assert left(out) == []


def test_what_is_there_is_not_fetched_again(server, out):
    fetch(artefact(server), out, patience=QUICK)
    fetch(artefact(server), out, patience=QUICK)
    assert len(server.requests) == 1


def test_what_is_there_and_wrong_is_replaced(server, out):
    out.parent.mkdir()
    out.write_bytes(b"old")
    fetch(artefact(server), out, patience=QUICK)
    assert out.read_bytes() == DATA


def test_another_process_goes_on_where_one_was_killed(server, tmp_path, out):
    server.behaviours += ["stalled"]
    listed = {"file.bin": {"urls": [f"{server.url}/a"], "size": len(DATA), "sha256": SHA256, "licence": "", "for": ""}}
    (tmp_path / "downloads.yaml").write_text(yaml.safe_dump(listed))
    command = [sys.executable, ROOT / "scripts/fetch_artefact.py", "--downloads", tmp_path / "downloads.yaml"]
    process = subprocess.Popen([*command, "--file", "file.bin", "--out", out], stderr=subprocess.DEVNULL)
    part = out.with_name(".file.bin.part")
    while not part.exists() or part.stat().st_size < 65536:
        time.sleep(0.02)
    process.kill()
    process.wait()
    have = part.stat().st_size
    assert not out.exists()
    fetch(read_artefact(tmp_path / "downloads.yaml", "file.bin"), out, patience=QUICK)
    assert server.requests[-1][1] == f"bytes={have}-"
    assert out.read_bytes() == DATA


def test_without_a_checksum_a_part_is_gone_on_with_only_if_the_file_is_still_the_same(server, out):
    server.behaviours += ["dropped", "newer"]
    fetch(artefact(server, size=None), out, patience=QUICK)
    assert server.requests[1][2] == '"one"'
    assert out.read_bytes() == DATA[::-1]  # the new file, whole


@pytest.mark.parametrize("behaviour", ["page", "shorter_without_length"])
def test_without_a_checksum_what_may_not_be_the_file_is_refused(server, out, behaviour):
    server.behaviours += [behaviour]
    with pytest.raises(UserError, match="sent a page in its place|does not say how long it is"):
        fetch(artefact(server, size=None), out, patience=QUICK)
    assert not out.exists()


def test_our_own_sha256_is_recorded_on_first_use_and_holds(server, out):
    only_md5 = artefact(server, checksums={"md5": hashlib.md5(DATA, usedforsecurity=False).hexdigest()})
    fetch(only_md5, out, patience=QUICK)
    record = out.with_name("file.bin.sha256")
    assert record.read_text() == f"{SHA256}  file.bin\n"
    out.unlink()
    record.write_text(f"{'0' * 64}  file.bin\n")
    with pytest.raises(UserError, match=f"its SHA-256 is {SHA256}, not {'0' * 64}"):
        fetch(only_md5, out, patience=QUICK)
    assert not out.exists()


def test_the_sha256_of_a_file_that_was_put_there_is_recorded(server, out):
    out.parent.mkdir()
    out.write_bytes(DATA)
    only_md5 = artefact(server, checksums={"md5": hashlib.md5(DATA, usedforsecurity=False).hexdigest()})
    fetch(only_md5, out, patience=QUICK)
    assert server.requests == []
    assert out.with_name("file.bin.sha256").read_text() == f"{SHA256}  file.bin\n"


def test_a_file_may_be_told_by_its_name_in_git(server, tmp_path, out):
    """The names are those that `git hash-object` prints."""
    by_name = artefact(server, checksums={"git_sha1": "25dd8b8ba2c6a03c7e9eb4b6a3ef8e1b5a7b6ce3"})
    (tmp_path / "mirror/folder").mkdir(parents=True)
    (tmp_path / "mirror/folder/file [1].bin").write_bytes(b"hello\n")
    greeting = artefact(server, size=6, checksums={"git_sha1": "ce013625030ba8dba906f756967f9e9ca394464a"})
    fetch(greeting, out, str(tmp_path / "mirror"), QUICK)
    assert out.read_bytes() == b"hello\n"
    with pytest.raises(UserError, match="its name as a file of git is .* not 25dd8b8b"):
        fetch(by_name, out, str(tmp_path / "mirror"), QUICK)


def test_what_is_published_without_a_checksum_comes_by_https_alone():
    listed = yaml.safe_load((ROOT / "config/downloads.yaml").read_text())
    names = {file for file, entry in listed.items() if not set(entry) & set(transfers.ALGORITHMS)}
    assert names == {"nmt/sampleNMT_data.tar.bz2", "onnx/resnet50.tar.gz"}
    assert all(url.startswith("https://") for file in names for url in listed[file]["urls"])


@pytest.mark.parametrize("url", ["http://mirror.example", "ftp://mirror.example"])
def test_without_a_checksum_no_other_way_is_gone(tmp_path, out, url):
    with pytest.raises(UserError, match="is not https, and there is no checksum"):
        fetch(Artefact("file.bin", about_mb=1), out, url, QUICK)


@pytest.mark.parametrize("behaviour", ["busy_for_a_second", "busy_until"])
def test_a_server_is_given_the_time_that_it_asks_for(server, out, behaviour, monkeypatch):
    monkeypatch.setattr(downloads, "LONGEST_PAUSE", 0.1)  # which bounds our own pauses alone
    server.behaviours += [behaviour]
    begun = time.monotonic()
    fetch(artefact(server), out, patience=QUICK)
    assert time.monotonic() - begun > 0.9
    assert out.read_bytes() == DATA


@pytest.mark.parametrize(
    "header", [None, "", "soon", "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 -0000"]
)
def test_no_time_to_wait(header):
    assert transfers._seconds(header) == 0


def test_a_mirror_that_is_a_folder_comes_first(server, tmp_path, out):
    (tmp_path / "mirror/folder").mkdir(parents=True)
    (tmp_path / "mirror/folder/file [1].bin").write_bytes(DATA)
    fetch(artefact(server), out, str(tmp_path / "mirror"), QUICK)
    assert out.read_bytes() == DATA
    assert server.requests == []


@pytest.mark.parametrize("content", [None, b"another"])
def test_a_mirror_without_the_right_file_is_passed_over(server, tmp_path, out, content):
    (tmp_path / "mirror/folder").mkdir(parents=True)
    if content:
        (tmp_path / "mirror/folder/file [1].bin").write_bytes(content)
    fetch(artefact(server), out, str(tmp_path / "mirror"), QUICK)
    assert out.read_bytes() == DATA
    assert len(server.requests) == 1


def test_a_mirror_that_is_an_address_comes_first(server, out):
    fetch(artefact(server), out, f"{server.url}/mirror/", QUICK)
    assert [path for path, *_ in server.requests] == ["/mirror/folder/file%20%5B1%5D.bin"]


def test_a_file_without_an_address_says_how_it_is_made(out):
    with pytest.raises(UserError, match=r"no address has it, it is made: by hand. Set mirror in config/config.yaml"):
        fetch(Artefact("made.txt", made="by hand"), out)


def test_a_name_that_is_not_listed(tmp_path):
    (tmp_path / "downloads.yaml").write_text("a: {urls: []}\n")
    with pytest.raises(FormatError, match=r"no artefact 'b'. Known: a."):
        read_artefact(tmp_path / "downloads.yaml", "b")


def test_progress_is_shown_on_a_terminal(server, out, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    fetch(artefact(server), out, patience=QUICK)
    assert "folder/file" in capsys.readouterr().out


def test_progress_of_a_job_goes_to_its_log_and_the_terminal_of_the_run(server, tmp_path, out, monkeypatch, capsys):
    terminal = tmp_path / "terminal"
    terminal.touch()
    monkeypatch.setenv(progress.TERMINAL, str(terminal))
    monkeypatch.setattr(progress, "PAUSE", 0)
    server.behaviours += ["dropped"]
    fetch(artefact(server, size=None), out, patience=QUICK)  # the server says how long it is
    told = capsys.readouterr().err
    assert "Downloading: 0.1 of 0.5 MB, 0:00 left\n" in told
    assert "trying again from byte" in told
    assert "Downloading: 0.5 of 0.5 MB, 0:00 left\n" in terminal.read_text()


def test_progress_of_a_copy_from_a_mirror(tmp_path, out, monkeypatch, capsys):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/file.bin").write_bytes(DATA)
    monkeypatch.setattr(progress, "PAUSE", 0)
    fetch(Artefact("file.bin"), out, str(tmp_path / "mirror"))
    assert "Copying: 0.5 of 0.5 MB, 0:00 left\n" in capsys.readouterr().err
