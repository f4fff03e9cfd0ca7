"""Published files through the workflow: downloaded once, unpacked, placed, and named when they cannot be had."""

from __future__ import annotations

import functools
import hashlib
import io
import tarfile
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from test_configuration import dry_run
from workflow_copy import ROOT, copy

TEXT = b"To be, or not to be\n"
MARKER = "ran_by_the_shell"
HOSTILE = f'text [1] $(touch {MARKER}) `touch {MARKER}`; touch {MARKER} & "it\'s" *.txt'  # a real run's file


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        self.server.requests.append(self.path)


def archive():
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:bz2") as file:
        member = tarfile.TarInfo("deen/vocab.de")
        member.size = len(TEXT)
        file.addfile(member, io.BytesIO(TEXT))
    return data.getvalue()


@pytest.fixture
def mirror(tmp_path):
    folder = tmp_path / "mirror" / "set"
    folder.mkdir(parents=True)
    (folder / HOSTILE).write_bytes(TEXT)
    (folder / "data.tar.bz2").write_bytes(archive())
    return folder.parent


@pytest.fixture
def server(mirror):
    handler = functools.partial(Handler, directory=mirror)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.requests = []
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def workflow(tmp_path, server):
    """A copy of the workflow whose only sample has a published file and one in an archive."""
    (tmp_path / "copy").mkdir()
    made = copy(tmp_path / "copy")
    common = {"licence": "MIT", "for": "tests"}
    listed = {
        f"set/{HOSTILE}": {
            "urls": [f"{server.url}/set/{quote(HOSTILE)}"],
            "size": len(TEXT),
            "sha256": hashlib.sha256(TEXT).hexdigest(),
            **common,
        },
        "set/data.tar.bz2": {
            "urls": [f"{server.url}/set/data.tar.bz2"],
            "about_mb": 0.1,
            "unpacked": {"bytes": 1000, "files": 2},
            **common,
        },
    }
    (made.folder / "config/downloads.yaml").write_text(yaml.safe_dump(listed))
    md5 = hashlib.md5(TEXT, usedforsecurity=False).hexdigest()
    artefacts = [
        {"file": f"set/{HOSTILE}", "path": "artefacts/text.txt"},
        {"file": "set/data.tar.bz2", "member": "vocab.de", "md5": md5, "path": "artefacts/vocab.de"},
    ]
    sample = made.folder / "config/samples/ssd.yaml"
    settings = yaml.safe_load(sample.read_text())
    del settings["artefacts"]  # those that are published
    sample.write_text(yaml.safe_dump(settings) + yaml.safe_dump({"artefacts": artefacts}))
    return made


PLACED = ("results/ssd/artefacts/text.txt", "results/ssd/artefacts/vocab.de")


def test_fetch_prints_sizes_first_and_serves_a_run_without_a_network(workflow, server):
    planned = workflow.run("fetch", "--dry-run", config=["fetch=[ssd]"])
    assert server.requests == []
    assert "2 of 2 files to download, 0.1 MB" in planned.stdout

    done = workflow.run("fetch", config=["fetch=[ssd]"])
    assert done.returncode == 0, done.stdout
    assert done.stdout.index("~0.1 MB  set/data.tar.bz2") < done.stdout.index("jobs to run")
    assert len(server.requests) == 2
    assert (workflow.folder / "results/downloads/set/data.tar.bz2.sha256").exists()

    server.server_close()  # no network from here on
    done = workflow.run(*PLACED, config=["mirror=/nowhere", "download_attempts=1"])
    assert done.returncode == 0, done.stdout
    assert all((workflow.folder / path).read_bytes() == TEXT for path in PLACED)
    assert not list(workflow.folder.rglob(MARKER))
    again = workflow.run("fetch", config=["fetch=[ssd]"])
    assert "0 of 2 files to download" in again.stdout
    assert len(server.requests) == 2


ONLY_MIRROR = {"urls": [], "about_mb": 50, "made": "by hand, of text", "licence": "MIT", "for": "tests"}


@pytest.fixture
def incomplete(workflow):
    """The same, with one more file that no address has."""
    listing = workflow.folder / "config/downloads.yaml"
    listing.write_text(listing.read_text() + yaml.safe_dump({"set/made.txt": ONLY_MIRROR}))
    sample = workflow.folder / "config/samples/ssd.yaml"
    sample.write_text(sample.read_text() + "- {file: set/made.txt, path: artefacts/made.txt}\n")
    return workflow


@pytest.mark.parametrize("chosen", ["fetch=[]", "fetch=[ssd]"])
def test_fetch_leaves_out_and_names_what_only_a_mirror_can_have(incomplete, chosen):
    done = incomplete.run("fetch", config=[chosen])
    assert done.returncode == 0, done.stdout
    assert "2 of 2 files to download, 0.1 MB" in done.stdout
    assert (incomplete.folder / "results/downloads/set/data.tar.bz2").exists()
    start, end = done.stdout.split("jobs to run", 1)
    for part in (start, end):  # before it begins, and where the user looks when it is done
        assert "only from a mirror: set/made.txt: by hand, of text" in part
        assert "needed with data: full by: ssd. Put them under these names into a folder" in part
    assert "set/made.txt                                     left out" in start


def test_fetch_takes_what_a_folder_has(incomplete, mirror):
    (mirror / "set/made.txt").write_bytes(TEXT)
    done = incomplete.run("fetch", config=["fetch=[]", f"mirror={mirror}"])
    assert done.returncode == 0, done.stdout
    assert "only from a mirror" not in done.stdout
    assert (incomplete.folder / "results/downloads/set/made.txt").read_bytes() == TEXT
    again = incomplete.run("fetch", config=["fetch=[]"])  # what is there needs no mirror
    assert "0 of 3 files to download" in again.stdout
    assert "only from a mirror" not in again.stdout


def test_a_sample_that_needs_what_was_left_out_says_so(incomplete):
    assert incomplete.run("results/ssd/artefacts/made.txt", config=["fetch=[]"]).returncode != 0
    log = (incomplete.folder / "logs/downloads/set/made.txt.log").read_text()
    assert "no address has it, it is made: by hand, of text. Set mirror" in log


@pytest.mark.parametrize("data", ["mini", "full"])
@pytest.mark.parametrize(
    ("given", "asked"), [([], False), (["samples={movielens: {model: {weights: trained}}}"], True)]
)
def test_what_only_a_training_takes_is_fetched_for_a_training_alone(tmp_path, data, given, asked):
    done = dry_run(tmp_path, "fetch", "--config", f"data={data}", "fetch=[movielens]", *given)
    assert done.returncode == 0, done.stderr
    assert "movielens/ml-1m.test.negative" in done.stderr
    assert ("movielens/ml-1m.zip" in done.stderr) is asked


def test_a_mirror_alone_is_enough(workflow, server, mirror):
    done = workflow.run(*PLACED, config=[f"mirror={mirror}"])
    assert done.returncode == 0, done.stdout
    assert server.requests == []


def test_wrong_files_everywhere_stop_the_run_and_are_named(workflow, mirror):
    (mirror / "set" / HOSTILE).write_bytes(b"Not to be, or to be\n")
    done = workflow.run(PLACED[0], config=[f"mirror={mirror}"])
    assert done.returncode != 0
    log = (workflow.folder / f"logs/downloads/set/{HOSTILE}.log").read_text()
    assert log.count("its SHA-256 is") >= 2
    assert "Set mirror in config/config.yaml" in log
    assert not list((workflow.folder / "results").rglob("text*.txt"))


def test_a_wrong_member_of_an_archive(workflow, mirror):
    sample = workflow.folder / "config/samples/ssd.yaml"
    sample.write_text(sample.read_text().replace("md5: ", "md5: 0123456789abcdef0123456789abcdef # "))
    assert workflow.run(PLACED[1], config=[f"mirror={mirror}"]).returncode != 0
    log = (workflow.folder / "logs/ssd/place.vocab.de.log").read_text()
    assert "not 0123456789abcdef0123456789abcdef. Fetch the archive again." in log


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("licence: MIT", "license: MIT", "license"),
        ("sha256: ", "sha256: abc # ", "abc"),
        ("set/text [1]", "set/text [2]", "config/downloads.yaml has no "),
        ("unpacked:", "for_nothing:", "for_nothing"),
        ("set/data.tar.bz2:", "set/{data}.tar.bz2:", "set/{data}.tar.bz2"),
    ],
)
def test_a_list_that_is_wrong_is_refused_before_anything_runs(workflow, server, old, new, message):
    listed = workflow.folder / "config/downloads.yaml"
    listed.write_text(listed.read_text().replace(old, new))
    done = workflow.run("fetch", config=["fetch=[]"])
    assert done.returncode != 0
    assert message in done.stdout
    assert server.requests == []


def test_a_sample_without_published_files(workflow):
    done = workflow.run("fetch", config=["fetch=[mnist]"])
    assert done.returncode != 0
    assert "fetch: 'mnist' has no published files. Known: ssd." in done.stdout


def test_every_artefact_in_the_shared_folder_is_the_one_that_is_listed():
    folder = ROOT.parent / "shared" / "data"
    if not folder.exists():
        pytest.skip("no shared/data")
    listed = yaml.safe_load((ROOT / "config/downloads.yaml").read_text())
    here = {path.relative_to(folder).as_posix(): path for path in folder.glob("*/*") if path.suffix != ".npz"}
    assert set(here) <= set(listed)
    for file, path in here.items():
        assert path.stat().st_size == listed[file]["size"], file
        assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == listed[file]["sha256"], file
