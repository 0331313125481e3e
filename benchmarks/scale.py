"""What an archive costs by its size: CPU seconds, disk, memory; and what a million papers would.

    python benchmarks/scale.py --papers ARCHIVE.jsonl.gz [--write docs/scale.md]

Each stage runs in a process of its own and says at 1,000, 3,000 and all papers how much
CPU time it has taken, how large its files are and how much memory it has had at most.
The synthetic stage indexes 100,000 papers made of shuffled sentences of the real ones
(words only: no encoder runs) and scans as many random vectors. Seconds are of one
processor (``process_time``), so that other work on the machine counts little.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

MARKS = (1_000, 3_000, 10**9)
STAGES = {
    "read": "read and clean JSON Lines",
    "archive": "put into the archive (SQLite)",
    "words": "index of words",
    "vectors": "index of meaning (encode every sentence)",
    "write": "write entries (extractive, four digests)",
}
MOST = {"vectors": 10**9, "write": 2_000}
"""Papers of the stages in which the encoder is nearly all of the work; `--most` lowers both."""
SYNTHETIC = 100_000
QUERIES = (
    "key value cache pruning",
    "diffusion video generation",
    "low resource translation",
    "theorem proving",
)


def papers_of(path: str, most: int = 10**9) -> Iterator:
    from itertools import islice

    from presscheck.papers.files import iter_papers

    return islice(iter_papers(path), most)


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def tell(papers: int, seconds: float, disk: int, **more: object) -> None:
    """A mark, on standard output."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    row = {"papers": papers, "seconds": seconds, "disk": disk, "memory": memory}
    print(json.dumps(row | more), flush=True)


def parts(path: str, most: int = 10**9) -> Iterator[list]:
    """The papers up to each mark, one list a mark."""
    some, marks = [], iter(MARKS)
    mark = next(marks)
    for n, paper in enumerate(papers_of(path, most), 1):
        some.append(paper)
        if n == mark:
            yield some
            some, mark = [], next(marks)
    if some:
        yield some


def stage(name: str, path: str, folder: Path, most: int) -> None:
    """One stage, in this process; only what the stage itself does is on the clock."""
    from presscheck.archive.encoders import Encoder
    from presscheck.archive.meaning import VectorIndex
    from presscheck.archive.store import Archive
    from presscheck.archive.tasks import write
    from presscheck.archive.words import WordIndex
    from presscheck.papers.library import Library

    archive = Archive(Library(folder))
    words, vectors = WordIndex(archive), VectorIndex(archive, Encoder())
    seconds, done, written = 0.0, 0, 0
    begun = time.process_time()
    for some in parts(path, min(most, MOST.get(name, 10**9)) if name in MOST else 10**9):
        done += len(some)
        if name == "read":
            tell(done, time.process_time() - begun, 0)
            continue
        if name in ("words", "vectors"):
            archive.add(some)
        begun = time.process_time()
        if name == "archive":
            archive.add(some)
        elif name == "words":
            list(words.update())
        elif name == "vectors":
            list(vectors.update())
        else:
            for start in range(0, len(some), 32):
                written += sum(map(len, write(some[start : start + 32])))
        seconds += time.process_time() - begun
        if name == "archive":
            tell(done, seconds, sum(file.stat().st_size for file in archive.folder.glob("papers.db*")))
        elif name == "words":
            disk = sum(file.stat().st_size for file in archive.folder.glob("words.db*"))
            tell(done, seconds, disk, query=queries(words))
        elif name == "vectors":
            tell(done, seconds, size_of(vectors.folder), query=scans(vectors))
        else:
            tell(done, seconds, written)


def queries(words: object) -> list[float]:
    """Milliseconds a query of words: median and 95th percentile."""
    times = []
    for _ in range(15):
        for text in QUERIES:
            begun = time.perf_counter()
            words.search(words.terms(text), 50)
            times.append(1000 * (time.perf_counter() - begun))
    return [statistics.median(times), statistics.quantiles(times, n=20)[-1]]


def scans(vectors: object) -> list[float]:
    """The same for a scan over every paper's vector."""
    import numpy as np

    draw, times = np.random.default_rng(0), []
    for _ in range(60):
        query = draw.normal(size=512).astype(np.float32)
        begun = time.perf_counter()
        vectors.nearest(query, 50)
        times.append(1000 * (time.perf_counter() - begun))
    return [statistics.median(times), statistics.quantiles(times, n=20)[-1]]


def synthetic(path: str, folder: Path) -> None:
    """100,000 papers of shuffled sentences, words only; and as many random vectors."""
    import numpy as np

    from presscheck.archive.store import Archive
    from presscheck.archive.words import WordIndex
    from presscheck.papers.library import Library
    from presscheck.papers.sentences import sentence_texts
    from presscheck.types import Paper

    real = list(papers_of(path))
    sentences = [text for paper in real for text in sentence_texts(paper)]
    draw = random.Random(0)

    def made() -> Iterator[Paper]:
        for n in range(SYNTHETIC):
            title = " ".join(draw.choice(real).title.split()[:5] + draw.choice(real).title.split()[-5:])
            abstract = " ".join(draw.choices(sentences, k=8))
            yield Paper(id=f"key:{n}", title=f"{title} {n}", abstract=abstract, date="2024-01-01")

    archive = Archive(Library(folder))
    archive.add(made())
    words, begun = WordIndex(archive), time.process_time()
    list(words.update())
    seconds = time.process_time() - begun
    tell(SYNTHETIC, seconds, words.path.stat().st_size, query=queries(words), kind="words")
    # A process keeps its peak, and words are behind us: the vectors' memory is their array.
    rows = np.random.default_rng(0).normal(size=(SYNTHETIC, 512)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)

    class Scan:
        def nearest(self, query: np.ndarray, most: int) -> np.ndarray:
            scores = rows @ query
            return np.argpartition(-scores, most)[:most]

    tell(SYNTHETIC, 0.0, rows.nbytes // 2, query=scans(Scan()), kind="vectors", array=rows.nbytes)


def run(path: str, name: str, most: int) -> list[dict]:
    """A stage in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        command = [
            sys.executable,
            __file__,
            "--papers",
            path,
            "--stage",
            name,
            "--folder",
            folder,
            "--most",
            str(most),
        ]
        done = subprocess.run(
            command, env=os.environ | threads, stdout=subprocess.PIPE, check=True, text=True
        )
    return [json.loads(line) for line in done.stdout.splitlines()]


def line_of(rows: list[dict], what: str) -> tuple[float, float]:
    """Start and slope of the least-squares line through the marks."""
    x, y = [row["papers"] for row in rows], [row[what] for row in rows]
    middle_x, middle_y = statistics.mean(x), statistics.mean(y)
    spread = sum((one - middle_x) ** 2 for one in x)
    slope = (
        sum((a - middle_x) * (b - middle_y) for a, b in zip(x, y, strict=True)) / spread if spread else 0.0
    )
    return middle_y - slope * middle_x, slope


def hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"


def table(found: dict[str, list[dict]]) -> str:
    """Everything as Markdown."""
    lines = [
        "| stage | papers | CPU s | papers a CPU s | files | peak memory |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, text in STAGES.items():
        for row in found.get(name, ()):
            rate = row["papers"] / max(row["seconds"], 1e-9)
            lines.append(
                f"| {text} | {row['papers']:,} | {row['seconds']:.1f} | {rate:,.0f} | "
                f"{row['disk'] / 1e6:.1f} MB | {row['memory'] / 1e6:.0f} MB |"
            )
    lines += [
        "",
        "| a million papers | start s | s a paper | CPU time | kB a paper | files |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    total = disk = 0.0
    for name, text in STAGES.items():
        if name not in found:
            lines.append(f"| {text} | not measured | | | | |")
            continue
        start, slope = line_of(found[name], "seconds")
        _, size = line_of(found[name], "disk")
        seconds = start + slope * 1e6
        total, disk = total + seconds, disk + size * 1e6
        begun = round(start, 1) + 0.0  # no minus before a nought
        cells = f"{begun:.1f} | {slope:.5f} | {hours(seconds)} | {size / 1e3:.2f} | {size / 1e3:.1f} GB"
        lines.append(f"| {text} | {cells} |")
    lines.append(f"| all that is measured | | | {hours(total)} | | {disk / 1e9:.1f} GB |")
    lines += ["", "| a query | papers | median ms | 95th percentile ms |", "| --- | ---: | ---: | ---: |"]
    for name, text in (("words", "words"), ("vectors", "scan of vectors")):
        rows = [*found.get(name, ()), *(row for row in found.get("synthetic", ()) if row["kind"] == name)]
        for row in rows:
            lines.append(f"| {text} | {row['papers']:,} | {row['query'][0]:.1f} | {row['query'][1]:.1f} |")
    if "synthetic" not in found:
        return "\n".join([*lines, "", f"The {SYNTHETIC:,} synthetic papers were not measured."])
    words = next(row for row in found["synthetic"] if row["kind"] == "words")
    vectors = next(row for row in found["synthetic"] if row["kind"] == "vectors")
    lines += [
        "",
        f"{SYNTHETIC:,} synthetic papers: index of words {words['seconds']:.0f} CPU s and "
        f"{words['disk'] / 1e6:.0f} MB; vectors in memory {vectors['array'] / 1e6:.0f} MB as float32.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--papers", required=True)
    parser.add_argument("--write", help="the Markdown file whose tables to replace")
    parser.add_argument("--stages", default=",".join((*STAGES, "synthetic")), help="which, with commas")
    parser.add_argument("--results", default="", help="a .json to gather the results of several calls in")
    parser.add_argument("--most", type=int, default=10**9, help="papers of the stages that encode")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage == "synthetic":
        return synthetic(given.papers, given.folder)
    if given.stage:
        return stage(given.stage, given.papers, given.folder, given.most)
    found: dict[str, list[dict]] = {}
    results = Path(given.results) if given.results else None
    if results is not None and results.exists():
        found = json.loads(results.read_text())
    for name in given.stages.split(",") if given.stages else ():
        begun = time.perf_counter()
        found[name] = run(given.papers, name, given.most)
        print(f"{name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
        if results is not None:
            results.write_text(json.dumps(found))
    text = table(found)
    print(text)
    if given.write:
        page = Path(given.write).read_text()
        head, _, rest = page.partition("<!-- tables -->")
        _, _, tail = rest.partition("<!-- /tables -->")
        Path(given.write).write_text(f"{head}<!-- tables -->\n{text}\n<!-- /tables -->{tail}")


if __name__ == "__main__":
    main()
