#!/usr/bin/env python3
"""bench/noop.py BIN JOBS [--runs N] - submit to done of a job that does next to nothing, on a warm cluster.

Word count of one line with one reduce: p50 and p99 of mrsubmit's whole life, and of the time from the submission
to the end of the job as the job's own report has it.
"""
import argparse
import json
import os
import statistics
import subprocess
import time

from measure import Cluster


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin")
    parser.add_argument("jobs")
    parser.add_argument("--runs", type=int, default=100)
    options = parser.parse_args()
    whole, inner = [], []
    with Cluster(options.bin, ["--nodes", "3", "--racks", "2"]) as cluster:
        cluster.run("mrfs", "put", "-", "/line", input=b"one line\n")
        for number in range(options.runs + 3):
            command = cluster.command("mrsubmit", "--quiet", "--json",
                                      os.path.join(options.jobs, "wordcount.so"),
                                      "-i", "/line", "-o", f"/out{number}", "-r", "1")
            start = time.monotonic()
            output = subprocess.run(command, env=cluster.environment, check=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
            if number < 3:
                continue  # the first ones warm the cluster
            whole.append((time.monotonic() - start) * 1000)
            report = json.loads(output)
            inner.append(report["finished_ms"] - report["submitted_ms"])
    for name, values in (("mrsubmit, start to exit", whole), ("submitted to finished", inner)):
        print(f"{name:26}p50 {statistics.median(values):6.0f} ms   p99 {percentile(values, 0.99):6.0f} ms   "
              f"of {len(values)} jobs")


if __name__ == "__main__":
    main()
