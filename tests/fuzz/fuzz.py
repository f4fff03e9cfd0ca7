"""Fuzz the readers of outside bytes, each in a process of its own.

python tests/fuzz/fuzz.py --seconds 60             all readers, a minute together
python tests/fuzz/fuzz.py --reader uff plans       these, however they are built
python tests/fuzz/fuzz.py --table                  what has been run so far, as docs/fuzzing.md has it
python tests/fuzz/fuzz.py --replay uff .fuzz/uff/faults/0123.bin

What was tried is kept in .fuzz (--folder): inputs that led somewhere new, faults with the input of each, and counts.
Where atheris is installed (pip install trtflow[fuzz]) it chooses by coverage which inputs to change; else the outcomes
do. Both change them as `mutations` says.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from mutations import LONGEST, mutate  # noqa: E402 - a program finds its own folder first
from readers import all_readers  # noqa: E402
from trial import Outcome, Reader, Trial, limit_memory  # noqa: E402

KEPT = 300  # inputs of a reader that led somewhere new
PAUSE = 0.5  # seconds between two looks at a process
STUCK = 30.0  # seconds of the processor without a count: the process is ended, as a library is stuck
LOST = 900.0  # seconds of the clock, where those of the processor are not known
COUNTS = ("inputs", "read", "refused", "raw", "slow", "large", "ended")
RAM = Path("/dev/shm")
FORK = get_context("fork")  # what most readers need is loaded once


class Store:
    """What is known of one reader: inputs worth changing, faults, and counts.

    Args:
        folder: of the reader.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("corpus", "faults"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.counts: dict[str, Any] = {**dict.fromkeys(COUNTS, 0), "seconds": 0.0, "most_ms": 0.0, "most_mib": 0.0}
        self._saved = time.process_time()
        path = folder / "counts.json"
        if path.exists():
            self.counts |= json.loads(path.read_text())
        self.signatures = {path.stem.split("-")[0] for path in (folder / "corpus").iterdir()}

    def corpus(self) -> list[bytes]:
        """Return the inputs that led somewhere new, in an order that does not change."""
        return [path.read_bytes() for path in sorted((self.folder / "corpus").iterdir())]

    def add(self, data: bytes, outcome: Outcome) -> bool:
        """Count an input; return whether it led somewhere new."""
        self.counts["inputs"] += 1
        self.counts[outcome.kind] += 1
        self.counts["most_ms"] = max(self.counts["most_ms"], 1000 * outcome.seconds)
        self.counts["most_mib"] = max(self.counts["most_mib"], outcome.bytes / (1 << 20))
        key = hashlib.sha256(outcome.signature.encode(errors="replace")).hexdigest()[:12]
        if outcome.is_fault:
            self.keep_fault(key, data, outcome.said)
        if key in self.signatures or len(self.signatures) >= KEPT:
            return False
        self.signatures.add(key)
        (self.folder / "corpus" / key).write_bytes(data)
        return True

    def keep_fault(self, key: str, data: bytes, said: str) -> None:
        """Keep an input of a fault, the shortest one of its kind."""
        path = self.folder / "faults" / f"{key}.bin"
        if not path.exists() or len(data) < path.stat().st_size:
            path.write_bytes(data)
            path.with_suffix(".txt").write_text(f"{said}\n", errors="replace")

    def save_at_times(self) -> None:
        """Write the counts where the last time is a second ago."""
        if time.process_time() - self._saved > 1:
            self.save()

    def save(self) -> None:
        """Write the counts, with the seconds of the processor that this process took meanwhile."""
        self.counts["seconds"] += time.process_time() - self._saved
        self._saved = time.process_time()
        path = self.folder / "counts.json"
        path.with_suffix(".tmp").write_text(json.dumps(self.counts, indent=2) + "\n")
        path.with_suffix(".tmp").replace(path)


@contextmanager
def workplace(name: str) -> Iterator[Path]:
    """Yield a folder in memory, where there is one."""
    with tempfile.TemporaryDirectory(prefix=f"fuzz-{name}-", dir=RAM if RAM.is_dir() else None) as folder:
        yield Path(folder)


def fuzz(reader: Reader, store: Store, folder: Path, seconds: float, seed: int) -> None:
    """Try changed inputs for some seconds of the clock; what leads somewhere new is changed further."""
    trial, rng = Trial(reader, folder), random.Random(seed)
    seeds = [*reader.seeds, *store.corpus()]
    for data in reader.seeds:
        store.add(data, trial.check(data))
    limit_memory()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = mutate(rng.choice(seeds), reader.form, seeds, reader.words, rng)
        if store.add(data, trial.check(data)):
            seeds.append(data)
        store.save_at_times()
    store.save()


def fuzz_by_coverage(reader: Reader, store: Store, folder: Path, seconds: float, seed: int) -> None:
    """Do the same with atheris, which knows what lines an input reaches. It ends the process."""
    import atheris

    trial, seeds = Trial(reader, folder), [*reader.seeds, *store.corpus()]
    start = time.monotonic()

    def change(data: bytes, most: int, number: int) -> bytes:
        return mutate(data, reader.form, seeds, reader.words, random.Random(number))[:most]

    def check(data: bytes) -> None:
        store.add(data, trial.check(data))
        store.save_at_times()

    inputs = folder / "inputs"
    inputs.mkdir()
    for index, data in enumerate(seeds):
        (inputs / str(index)).write_bytes(data)
    options = [
        f"-max_total_time={max(1, round(seconds - time.monotonic() + start))}",
        f"-max_len={LONGEST}",
        f"-seed={seed + 1}",
    ]
    quiet = ["-verbosity=0", "-rss_limit_mb=0", "-timeout=0", f"-artifact_prefix={folder}/"]
    atheris.Setup([sys.argv[0], *options, *quiet, str(inputs)], check, custom_mutator=change)
    atheris.Fuzz()


def has_atheris() -> bool:
    """Whether inputs can be chosen by coverage."""
    return find_spec("atheris") is not None


def known_readers(by_coverage: bool) -> dict[str, Callable[[], Reader]]:
    """Return what makes each reader, of a library that says what lines are reached where that is asked for."""
    if not by_coverage:
        return all_readers()
    import atheris

    with atheris.instrument_imports(include=["trtflow"]):
        return all_readers()


def work(name: str, options: argparse.Namespace, seconds: float, seed: int, folder: Path) -> None:
    """Fuzz one reader in this process, a copy of the one that has loaded what most readers need."""
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    reader = known_readers(options.by_coverage)[name]()
    store = Store(options.folder / name)
    (folder / "path").write_text(str(Trial(reader, folder / "in").path))
    (fuzz_by_coverage if options.by_coverage else fuzz)(reader, store, folder / "in", seconds, seed)


def watch(name: str, options: argparse.Namespace, seconds: float, seed: int) -> None:
    """Fuzz a reader in a process of its own, and in another one where an input ends that."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        with workplace(name) as folder:
            process = FORK.Process(target=work, args=(name, options, left, seed, folder))
            process.start()
            stuck = _wait(process, options.folder / name / "counts.json")
            if process.exitcode == 0:
                return
            _ended(name, options, folder, stuck or process.exitcode)
            seed += 1000


def _wait(process: ForkProcess, counts: Path) -> str:
    """Wait for a process; end it if it comes to no input for long, and say so."""
    changed, since, used = 0.0, time.monotonic(), 0.0
    while process.is_alive():
        process.join(PAUSE)
        now = counts.stat().st_mtime if counts.exists() else 0.0
        if now != changed:
            changed, since, used = now, time.monotonic(), _processor_seconds(process.pid)
        if _processor_seconds(process.pid) - used > STUCK or time.monotonic() - since > LOST:
            process.kill()
            process.join()
            return f"no end after {STUCK:.0f} s"
    return ""


def _processor_seconds(process: int | None) -> float:
    """Return the time that a process has had of the processor; 0 where Linux does not say."""
    try:
        words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _ended(name: str, options: argparse.Namespace, folder: Path, how: object) -> None:
    """Keep the input that ended a process."""
    path, store = folder / "path", Store(options.folder / name)
    if not path.exists():
        raise SystemExit(f"error: {name}: {(folder / 'log').read_text(errors='replace')[-2000:]}")
    data = Path(path.read_text()).read_bytes()
    said = f"the process ended ({how}): {(folder / 'log').read_text(errors='replace')[-300:]}"
    store.counts["inputs"] += 1
    store.counts["ended"] += 1
    store.keep_fault(f"ended{how}".replace(" ", ""), data, said)
    store.save()


def table(folder: Path) -> str:
    """Return inputs and faults of each reader as a table of Markdown."""
    rows = [
        "| reader | inputs | read | refused | raw | slow | large | ended | kinds | longest, ms | most, MiB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    totals = dict.fromkeys((*COUNTS, "seconds", "kinds"), 0.0)
    for name in all_readers():
        if not (folder / name / "counts.json").exists():
            continue
        store = Store(folder / name)
        kinds = len(list((folder / name / "faults").glob("*.bin")))
        counts = [f"{store.counts[key]:,}" for key in COUNTS]
        worst = f"{store.counts['most_ms']:.0f} | {store.counts['most_mib']:.0f}"
        rows.append(f"| {name} | {' | '.join(counts)} | {kinds} | {worst} |")
        for key in (*COUNTS, "seconds"):
            totals[key] += store.counts[key]
        totals["kinds"] += kinds
    counts = [f"{totals[key]:,.0f}" for key in COUNTS]
    rows.append(f"| all | {' | '.join(counts)} | {totals['kinds']:.0f} | | |")
    rows.append(f"\n{totals['seconds'] / 60:.1f} minutes of the processor in all")
    return "\n".join(rows)


def replay(name: str, files: list[Path]) -> None:
    """Give inputs to a reader and print what comes of them."""
    reader = all_readers()[name]()
    for file in files:
        with workplace(name) as folder:
            outcome = Trial(reader, folder).check(file.read_bytes())
        print(f"{file}: {outcome.kind}: {outcome.said} ({outcome.seconds:.2f} s, {outcome.bytes >> 20} MiB)")


def main() -> None:
    """Read the command line."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=60.0, help="of all readers together")
    arguments.add_argument("--reader", nargs="+", metavar="NAME", help="names as --table has them; all by default")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--engine", choices=["auto", "atheris", "own"], default="auto")
    arguments.add_argument("--folder", type=Path, default=ROOT / ".fuzz")
    arguments.add_argument("--table", action="store_true", help="print what has been run so far")
    arguments.add_argument("--replay", nargs="+", metavar=("NAME", "FILE"))
    options = arguments.parse_args()
    if options.table:
        print(table(options.folder))
    elif options.replay:
        replay(options.replay[0], [Path(file) for file in options.replay[1:]])
    else:
        options.by_coverage = options.engine == "atheris" or (options.engine == "auto" and has_atheris())
        os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "OMP_NUM_THREADS": "1"}
        names = options.reader or list(known_readers(options.by_coverage))
        faults = 0
        for index, name in enumerate(names):
            watch(name, options, options.seconds / len(names), options.seed + index)
            found = sorted((options.folder / name / "faults").glob("*.txt"))
            faults += len(found)
            counts = Store(options.folder / name).counts
            print(f"{name}: {counts['inputs']:,} inputs so far, {len(found)} kinds of faults", flush=True)
            for path in found:
                print(f"  {path.with_suffix('.bin')}: {' '.join(path.read_text().split())[:300]}", flush=True)
        sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
