#!/usr/bin/env python3
"""bench/wordcount.py BIN JOBS [--bytes N] [--runs N] [--tokens space|letters] [--input FILE]

Word count on `millrace up` (3 nodes, 2 racks) against mawk and tr | sort | uniq -c, on the same text in one go.
Each round runs all of them once; the figures are medians over the rounds. Before anything is measured the outputs
are compared, as sorted lines of word TAB count. The text is --input, else what /usr/share/doc and /usr/include hold,
repeated to --bytes (default 1 GiB); the first line of the report says how often it repeats.
"""
import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import time

from measure import Cluster, Peak, cpu_seconds

LETTERS = "tr -c 'A-Za-z' '\\n' | tr a-z A-Z"
SPACE = "tr -s ' \\t\\n\\r\\f' '\\n'"


def make_text(path, size, source):
    files = [source] if source else []
    if not files:
        for root in ("/usr/share/doc", "/usr/include"):
            for folder, _, names in sorted(os.walk(root)):
                files += [os.path.join(folder, name) for name in sorted(names)
                          if not name.endswith((".gz", ".png", ".jpg", ".pdf"))]
    once = 0
    with open(path, "wb") as out:
        left = size
        rounds = 0
        while left > 0:
            for name in files:
                if left <= 0:
                    break
                try:
                    with open(name, "rb") as file:
                        while left > 0 and (data := file.read(min(1 << 20, left))):
                            out.write(data)
                            left -= len(data)
                except OSError:
                    continue
            rounds += 1
            once = once or size - left
            if once == 0:
                sys.exit("wordcount.py: there is no text; name some with --input")
    print(f"text: {size} bytes, {once} of them different, repeated {size / once:.1f} times")


def digest(stream):
    return hashlib.sha256(stream).hexdigest()


def sort_lines(text):
    return subprocess.run(["sort"], input=text, env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
                          stdout=subprocess.PIPE, check=True).stdout


def measured(roots, command, environment, stdout):
    """Runs command; wall seconds, CPU seconds of roots and command, peak bytes of both."""
    before = cpu_seconds(roots)
    start = time.monotonic()
    with Peak([*roots, os.getpid()]) as peak:
        own = os.times()
        subprocess.run(command, env=environment, stdout=stdout, stderr=subprocess.DEVNULL, check=True)
        spent = os.times()
    wall = time.monotonic() - start
    cpu = (spent.children_user + spent.children_system) - (own.children_user + own.children_system)
    return wall, cpu + cpu_seconds(roots) - before, peak.bytes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin")
    parser.add_argument("jobs")
    parser.add_argument("--bytes", type=int, default=1 << 30)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tokens", choices=["space", "letters"], default="letters")
    parser.add_argument("--input")
    options = parser.parse_args()
    split = LETTERS if options.tokens == "letters" else SPACE
    with Cluster(options.bin, ["--nodes", "3", "--racks", "2"]) as cluster:
        text = os.path.join(cluster.folder, "text")
        make_text(text, options.bytes, options.input)
        cluster.run("mrfs", "put", text, "/text")
        plain = dict(os.environ, LC_ALL="C")
        count = ("{ for (i = 1; i <= NF; i++) n[$i]++ } END { for (w in n) print w \"\\t\" n[w] }")
        programs = {
            "mawk": ["sh", "-c", f"< {text} {split} | mawk '{count}'"],
            "sort | uniq -c": ["sh", "-c", f"< {text} {split} | grep -v '^$' | sort | uniq -c"],
        }
        job = cluster.command("mrsubmit", "--quiet", os.path.join(options.jobs, "wordcount.so"),
                              "-i", "/text", "-r", "3", "-D", f"wordcount.tokens={options.tokens}", "-o")
        figures = {"millrace": [], **{name: [] for name in programs}}
        outputs = {}
        for round_number in range(options.runs):
            out = f"/out{round_number}"
            with open(os.devnull, "w") as nowhere:
                figures["millrace"].append(
                    measured(cluster.pids(), [*job, out], cluster.environment, nowhere))
            parts = [f"{out}/part-r-0000{part}" for part in range(3)]
            outputs["millrace"] = digest(sort_lines(cluster.run("mrfs", "cat", *parts)))
            for name, command in programs.items():
                result = os.path.join(cluster.folder, "result")
                with open(result, "wb") as file:
                    figures[name].append(measured([], command, plain, file))
                with open(result, "rb") as file:
                    lines = file.read()
                if name != "mawk":
                    lines = subprocess.run(["awk", "{ print $2 \"\\t\" $1 }"], input=lines,
                                           stdout=subprocess.PIPE, check=True).stdout
                outputs[name] = digest(sort_lines(lines))
            if len(set(outputs.values())) != 1:
                sys.exit(f"wordcount.py: the outputs differ: {outputs}")
    print(f"{'':16}{'wall s':>10}{'CPU s':>10}{'peak MiB':>10}   medians of {options.runs}, "
          f"tokens={options.tokens}, outputs equal")
    for name, rows in figures.items():
        wall, cpu, peak = (statistics.median(column) for column in zip(*rows))
        print(f"{name:16}{wall:10.2f}{cpu:10.2f}{peak / (1 << 20):10.0f}")


if __name__ == "__main__":
    main()
