"""The timing cache's file: shared, and never used when it is not as it was written."""

import fcntl

import pytest

import trtflow.reference as trt
from trtflow.runtime import timing_cache
from trtflow.runtime.build import Settings, build_plan
from trtflow.runtime.timing_cache import KEPT, keep_timing_cache, kept_timing_cache, use_timing_cache


class Cache(dict):
    """Kernel times, as text."""

    @classmethod
    def of(cls, data):
        return cls(line.split() for line in data.decode().splitlines())

    def combine(self, other, ignore_mismatch):
        for key, value in other.items():
            self.setdefault(key, value)

    def serialize(self):
        return "".join(f"{key} {value}\n" for key, value in self.items()).encode()

    def __bool__(self):
        return True


class Config:
    """Of a builder, with the cache alone."""

    def create_timing_cache(self, data):
        return Cache.of(data)

    def set_timing_cache(self, cache, ignore_mismatch):
        self.cache = cache
        return True

    def get_timing_cache(self):
        return self.cache


def build(path, **times):
    config = Config()
    use_timing_cache(config, path)
    found = dict(config.cache)
    config.cache.update(times)
    keep_timing_cache(config, path)
    return found


def test_builds_add_to_what_others_found(tmp_path):
    path = tmp_path / "folder/cache"
    assert build(path, conv="1") == {}
    assert build(path, pool="2") == {"conv": "1"}
    assert build(path) == {"conv": "1", "pool": "2"}


@pytest.mark.parametrize(
    "change", [lambda data: data[:-1], lambda data: data + b"x 1\n", lambda data: b"\xff" + data[1:]]
)
def test_a_file_that_was_changed_is_not_used_and_written_anew(tmp_path, caplog, change):
    path = tmp_path / "cache"
    build(path, conv="1")
    path.write_bytes(change(path.read_bytes()))
    assert build(path, pool="2") == {}
    assert "its checksum is not the one in cache.sha256; kernels are timed anew" in caplog.text
    assert build(path) == {"pool": "2"}


def test_a_file_without_its_checksum_is_not_used(tmp_path):
    path = tmp_path / "cache"
    build(path, conv="1")
    path.with_name("cache.sha256").unlink()
    assert build(path) == {}


def test_a_build_that_holds_the_file_for_good_is_not_waited_for(tmp_path, caplog, monkeypatch):
    path = tmp_path / "cache"
    build(path, conv="1")
    monkeypatch.setattr(timing_cache, "LOCK_S", 0.2)
    with path.with_name("cache.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        build(path, pool="2")
    assert "another build holds it" in caplog.text
    assert build(path) == {"conv": "1"}


def test_the_kept_file_belongs_to_a_gpu_a_tensorrt_and_a_driver():
    backend = {"device": "NVIDIA H200", "compute_capability": "9.0", "version": "8.6.0", "driver": "580.159.04"}
    kept = kept_timing_cache(backend)
    assert kept.as_posix() == "timing_caches/NVIDIA-H200-9.0-TensorRT-8.6.0-driver-580.159.04.cache"
    others = {kept_timing_cache({**backend, key: "another"}) for key in backend}
    assert len(others) == len(backend)
    assert kept not in others


def test_the_reference_keeps_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build_plan(trt, define, "fp32", 1, settings=Settings(timing_cache=KEPT))
    assert not list(tmp_path.iterdir())


def define(trt_module, network):
    data = network.add_input("data", trt_module.float32, (2,))
    network.mark_output(network.add_identity(data).get_output(0))
