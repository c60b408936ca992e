#!/usr/bin/env python3
"""The scheduler's machine at 100, 1,000 and 10,000 nodes: grants a second of CPU and the time of a decision.

usage: rm.py PROGRAM [--nodes N,N,...] [--apps N] [--rounds N]

PROGRAM is bench/rm_core. Each size is run --rounds times; the best rate and the median are printed, for a busy host
only ever makes it slower.
"""
import argparse
import json
import statistics
import subprocess


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("program")
    parser.add_argument("--nodes", default="100,1000,10000")
    parser.add_argument("--apps", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    columns = ("fill_grants_per_second", "full_grants_per_second", "decide_p50_us", "decide_p99_us")
    for nodes in options.nodes.split(","):
        runs = [json.loads(subprocess.run([options.program, nodes, str(options.apps)], check=True,
                                          capture_output=True).stdout) for _ in range(options.rounds)]
        row = {"nodes": int(nodes), "apps": options.apps, "containers": runs[0]["containers"]}
        for column in columns:
            values = [run[column] for run in runs]
            row[column] = statistics.median(values)
            row[column + "_best"] = min(values) if column.endswith("_us") else max(values)
        print(json.dumps(row), flush=True)


main()
