#!/usr/bin/env python3
"""bench/dfs.py BIN BENCH [--bytes N] [--runs N] [--files N] [--seconds S] [--only PART,...]

The filesystem's figures: bytes (reading on the same host, reading over HTTP, writing with three replicas), calls
over RPC, the namenode's machine alone, its durable creates, its restart, its memory. Bytes are compared before
anything is timed. Runs come in pairs, the filesystem and the plain way in turn; medians and the best are printed,
because other work on the host disturbs times far more than CPU seconds, which are of all processes: client,
namenode, datanodes. PARTs: read, fetch, write, calls, core, journal. --files 10000000 for the large restart.
"""
import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

from measure import Cluster, Peak, cpu_seconds

GIB = float(1 << 30)


class Bench:
    def __init__(self, options, cluster, folder):
        self.options, self.cluster, self.folder = options, cluster, folder
        status = json.loads(cluster.run("millrace", "status", "--json"))
        self.daemons = [daemon for daemon in status["daemons"] if daemon["role"] in ("namenode", "datanode")]
        self.pids = [daemon["pid"] for daemon in self.daemons]
        self.namenode = next(d["rpc_address"] for d in self.daemons if d["role"] == "namenode")
        self.nodes = [daemon for daemon in self.daemons if daemon["role"] == "datanode"]
        self.token = cluster.run("millrace", "token").decode().strip()
        self.data = os.path.join(folder, "data")
        with open(self.data, "wb") as file:
            for _ in range(options.bytes >> 20):
                file.write(os.urandom(1 << 20))

    def tool(self, name, *arguments, host=None):
        environment = dict(self.cluster.environment, MILLRACE_HOST=host or self.nodes[0]["host"])
        output = subprocess.run([os.path.join(self.options.bench, name), *arguments], env=environment, check=True,
                                stdout=subprocess.PIPE).stdout
        return json.loads(output)

    def bytes(self, *arguments):
        """One run of dfs_bytes against the cluster; its CPU seconds are those of all."""
        before = cpu_seconds(self.pids)
        with Peak(self.pids) as peak:
            result = self.tool("dfs_bytes", self.namenode, self.token, *arguments)
        result["cpu"] += cpu_seconds(self.pids) - before
        result["peak_bytes"] += peak.bytes
        return result

    def plain(self, *files):
        return self.tool("dfs_bytes", "-", "-", "sum", *files)


def line(label, results, note=""):
    rates = [result["bytes"] / result["seconds"] / 1e6 for result in results]
    cpus = [result["cpu"] / result["bytes"] * 1e9 for result in results]
    peak = max(result.get("peak_bytes", 0) for result in results)
    print(f"{label:34}{statistics.median(rates):8.0f} MB/s (best {max(rates):6.0f})   "
          f"{statistics.median(cpus):6.2f} CPU s/GB (best {min(cpus):5.2f})   peak {peak / 2**20:6.0f} MiB  {note}")


def blocks_of(bench):
    """The block files of one datanode that belong to /data: the only large ones."""
    found = []
    for folder, _, names in os.walk(bench.nodes[0]["directory"]):
        found += [os.path.join(folder, name) for name in sorted(names) if name.endswith(".blk")]
    return sorted(found, key=os.path.basename)


def read_and_fetch(bench):
    bench.bytes("put", bench.data, "/data")
    wanted = bench.plain(bench.data)["sum"]
    blocks = blocks_of(bench)
    for result in (bench.bytes("read", "/data"), bench.bytes("fetch", "/data"), bench.plain(*blocks)):
        if result["sum"] != wanted:
            raise SystemExit("bench/dfs.py: what was read is not what was written")
    runs = {"read": [], "fetch": [], "plain": []}
    for _ in range(bench.options.runs):
        runs["plain"].append(bench.plain(*blocks))
        runs["read"].append(bench.bytes("read", "/data"))
        runs["fetch"].append(bench.bytes("fetch", "/data"))
    line("mmap of the block files", runs["plain"])
    line("read, same host", runs["read"], "goal: within 10 % of mmap")
    line("read over HTTP", runs["fetch"], "goal: 2000 MB/s, 0.80 CPU s/GB")
    bench.cluster.run("mrfs", "rm", "/data")


def copy_three(bench):
    """The same bytes copied to three files, each synced, at the same time."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    copies = [subprocess.Popen(["dd", f"if={bench.data}", f"of={bench.folder}/copy{i}", "bs=1M", "conv=fdatasync",
                                "status=none"]) for i in range(3)]
    for copy in copies:
        if copy.wait() != 0:
            raise SystemExit("bench/dfs.py: dd failed")
    seconds, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    for i in range(3):
        os.remove(f"{bench.folder}/copy{i}")
    return {"bytes": bench.options.bytes, "seconds": seconds,
            "cpu": after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime}


def write(bench):
    runs = {"synced": [], "replicated": [], "copy": []}
    for number in range(bench.options.runs + 1):
        for name, more in (("synced", ()), ("replicated", ("replicated",))):
            result = bench.bytes("put", bench.data, "/written", "3", *more)
            if number == 0:
                if bench.bytes("read", "/written")["sum"] != bench.plain(bench.data)["sum"]:
                    raise SystemExit("bench/dfs.py: what was read is not what was written")
            else:
                runs[name].append(result)
            bench.cluster.run("mrfs", "rm", "/written")
            subprocess.run(["sync"], check=True)
        if number > 0:
            runs["copy"].append(copy_three(bench))
    line("dd to three files, synced", runs["copy"])
    line("write, 3 replicas, synced", runs["synced"], "goal: 350 MB/s, 4.00 CPU s/GB")
    line("write, 3 replicas, replicated", runs["replicated"])


def calls(bench):
    for clients in (1, 8, 64):
        before = cpu_seconds(bench.pids)
        result = bench.tool("dfs_calls", bench.namenode, bench.token, str(clients), str(bench.options.seconds))
        cpu = cpu_seconds(bench.pids) - before
        total = sum(kind["calls"] * bench.options.seconds for kind in result.values())
        text = "  ".join(f"{name} {kind['calls']:.0f}/s ({kind['p50_ms']:.2f}, {kind['p99_ms']:.2f} ms)"
                         for name, kind in result.items())
        print(f"over RPC, {clients:2} clients (p50, p99): {text}; daemons {cpu / total * 1e6:.0f} CPU us each")


def core(bench):
    result = bench.tool("namenode_calls", str(bench.options.files))
    print(f"machine alone, {result['files']} files, per CPU second: create {result['create']:.0f}  "
          f"stat {result['stat']:.0f} (goal 500000)  listed names {result['list_entries']:.0f}  "
          f"rename {result['rename']:.0f}  delete {result['delete']:.0f}  "
          f"create with a block {result['create_with_block']:.0f}")
    block = result["bytes_per_file_with_block"] - result["bytes_per_file"]
    print(f"memory: {result['bytes_per_file']:.0f} bytes a file, {block:.0f} bytes a block with three replicas")


def journal(bench):
    files = bench.options.files
    folder = os.path.join(bench.folder, "journal")
    for name in (folder, folder + ".names"):
        os.mkdir(name)
    names = bench.tool("namenode_journal", folder + ".names", str(min(files, 1000000)), "4096", "names")
    count = min(files, 1000000)
    print(f"durable creates, 4096 at once: {count / names['create_seconds']:.0f}/s, "
          f"{count / names['create_cpu']:.0f} per CPU second, {count / max(1, names['syncs']):.0f} a sync "
          "(goal 50000)")
    shutil.rmtree(folder + ".names")
    bench.tool("namenode_journal", folder, str(files), "4096", "create")
    for verb, what in (("open", "log"), ("checkpoint", None), ("open", "checkpoint")):
        result = bench.tool("namenode_journal", folder, str(files), "1", verb)
        if what:
            print(f"restart with {files} files of one block from the {what}: {result['open_seconds']:.1f} s "
                  f"({result['open_cpu']:.1f} CPU s), then {3 * files} replicas reported in "
                  f"{result['reports_seconds']:.1f} s ({result['reports_cpu']:.1f} CPU s); "
                  f"{result['resident_bytes'] / files:.0f}, then {result['full_bytes'] / files:.0f} "
                  "bytes of memory a file")
    shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin")
    parser.add_argument("bench")
    parser.add_argument("--bytes", type=int, default=1 << 30)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--files", type=int, default=1000000)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--only", default="read,fetch,write,calls,core,journal")
    options = parser.parse_args()
    parts = options.only.split(",")
    folder = tempfile.mkdtemp(prefix="millrace-bench-")
    try:
        with Cluster(options.bin, ["--nodes", "3", "--racks", "2"]) as cluster:
            bench = Bench(options, cluster, folder)
            for names, part in ((("read", "fetch"), read_and_fetch), (("write",), write), (("calls",), calls),
                                (("core",), core), (("journal",), journal)):
                if any(name in parts for name in names):
                    part(bench)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
