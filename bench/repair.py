#!/usr/bin/env python3
"""Five datanodes on two racks lose one, then two of theirs under load; then 100 replicas rot.

  repair.py [--files N] [--blocks N] [--block-bytes N] [--rot N]

Prints how many seconds it takes until no block has a single copy, and until all have as many as they
should; then how long until planted rot is found and healed. The times of detection are those of
tests (a datanode is given up after 5 s of silence; 120 s by default), so the seconds of repair beyond them
are what counts. It ends with 0 only when every file that was acknowledged has all its bytes, on every
replica. make drill-repair; ./check runs a small one (tests/cluster/test_dfs_repair).
"""
import argparse
import hashlib
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "cluster"))
from dfs_cluster import Cluster, FAST, wait_until  # noqa: E402

GIVEN_UP_S = float(FAST["dfs.rereplicate_ms"].rstrip("s"))
SETTINGS = {"datanode.scrub_rate": "64m", "datanode.scrub_pause": "1s"}
REPAIR_DEADLINE_S = 120


class Load:
    """Writes files of one or two blocks and reads older ones, until it is stopped."""

    def __init__(self, cluster, block_bytes):
        self.cluster = cluster
        self.block_bytes = block_bytes
        self.sums = {}
        self.failures = []
        self.reads = 0
        self.is_stopped = False
        self.thread = threading.Thread(target=self.run)

    def run(self):
        number = 0
        while not self.is_stopped:
            number += 1
            path = f"/load/{number}"
            data = random.randbytes(random.randrange(1, 2 * self.block_bytes))
            put = self.cluster.mrfs("put", "--block-size", str(self.block_bytes), "--parents", "-", path,
                                    input=data)
            if put.returncode == 0:
                self.sums[path] = hashlib.sha256(data).hexdigest()
            else:
                self.failures.append(f"put: {put.stderr.decode(errors='replace')}")
            if self.sums:
                self.read(random.choice(list(self.sums)))

    def read(self, path):
        got = self.cluster.mrfs("cat", "--remote", path)
        self.reads += 1
        if got.returncode != 0:
            self.failures.append(f"cat: {got.stderr.decode(errors='replace')}")
        elif hashlib.sha256(got.stdout).hexdigest() != self.sums[path]:
            self.failures.append(f"{path} has other bytes than were written")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_stopped = True
        self.thread.join()


def node_id(cluster, datanode):
    return int(cluster.status_of(datanode)["node_id"], 16)


def checked_blocks(cluster):
    """Every sealed block, as fsck sees it."""
    answer = cluster.mrfs("fsck", "/", "-files", "-blocks", "-locations", "-json")
    files = json.loads(answer.stdout)["files"]
    return [b for f in files for b in f["blocks"] if not b["is_open"]]


def copies_beside(block, dead):
    """Good copies on datanodes that are not dead, whatever the namenode thinks of these."""
    return sum(r["condition"] == "CHECKED_GOOD" and r["node_id"] not in dead for r in block["replicas"])


def wait_for_copies(cluster, dead, wanted):
    """Seconds from now until every block has so many copies beside the dead; and how few there were."""
    begin = time.monotonic()
    fewest = [99]

    def all_have():
        blocks = checked_blocks(cluster)
        fewest[0] = min(fewest[0], min(copies_beside(b, dead) for b in blocks))
        return all(copies_beside(b, dead) >= wanted for b in blocks)

    wait_until(f"every block has {wanted} copies", all_have, REPAIR_DEADLINE_S)
    return time.monotonic() - begin, fewest[0]


def wait_for_calm(cluster):
    """All datanodes are there, and every block has exactly its copies, in both racks."""
    def is_calm():
        blocks = checked_blocks(cluster)
        return all(b["good"] == b["wanted"] == len(b["replicas"]) and not b["is_misplaced"]
                   for b in blocks)

    wait_until("all is as it should be", is_calm, REPAIR_DEADLINE_S)


def lose(cluster, victims):
    """Kills the victims; returns what it took to have two, then three copies, and the bytes lost."""
    dead = {node_id(cluster, victim) for victim in victims}
    blocks = checked_blocks(cluster)
    lost = sum(b["length"] for b in blocks for r in b["replicas"] if r["node_id"] in dead)
    for victim in victims:
        victim.kill()
    begin = time.monotonic()
    _, fewest = wait_for_copies(cluster, dead, 2)
    two_s = time.monotonic() - begin
    wait_for_copies(cluster, dead, 3)
    three_s = time.monotonic() - begin
    return {"killed": len(victims), "bytes_lost": lost, "fewest_copies": fewest,
            "no_single_copy_s": round(two_s, 1), "all_three_s": round(three_s, 1),
            "detection_s": GIVEN_UP_S}


def replica_file(cluster, nodes, block_id, node):
    return cluster.block_file(nodes[node], block_id)


def plant_rot(cluster, count):
    """Flips one bit in one replica of so many blocks; returns [(file, block id)]."""
    nodes = {node_id(cluster, d): d for d in cluster.datanodes}
    blocks = checked_blocks(cluster)
    chosen = random.sample(blocks, min(count, len(blocks)))
    planted = []
    for block in chosen:
        replica = random.choice(block["replicas"])
        path = replica_file(cluster, nodes, block["block_id"], replica["node_id"])
        at = random.randrange(block["length"])
        with open(path, "r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ (1 << random.randrange(8))]))
            os.fsync(file.fileno())
        planted.append(block["block_id"])
    return planted


def sums_on_disks(cluster, block_id):
    """The digests of all replicas' files, with that of corrupt ones as None."""
    sums = []
    for datanode in cluster.datanodes:
        for place in (None, "corrupt"):
            try:
                with open(cluster.block_file(datanode, block_id, place=place), "rb") as file:
                    sums.append(hashlib.sha256(file.read()).digest() if place is None else None)
            except FileNotFoundError:
                pass
    return sums


def heal(cluster, count):
    before = {b: sums_on_disks(cluster, b) for b in
              [block["block_id"] for block in checked_blocks(cluster)]}
    assert all(len(set(s)) == 1 for s in before.values()), "replicas differed before"
    planted = plant_rot(cluster, count)
    begin = time.monotonic()
    waiting = set(planted)

    def is_found(block_id):
        """No replica in service is other than it was."""
        sums = sums_on_disks(cluster, block_id)
        return all(s is None or s == before[block_id][0] for s in sums)

    def all_found():
        waiting.difference_update({b for b in waiting if is_found(b)})
        return not waiting

    wait_until("the rot is found", all_found, REPAIR_DEADLINE_S)
    found_s = time.monotonic() - begin

    def is_healed():
        return all(sums_on_disks(cluster, b) == [before[b][0]] * 3 for b in planted)

    wait_until("the rot is healed", is_healed, REPAIR_DEADLINE_S)
    wait_for_calm(cluster)
    return {"planted": len(planted), "found_s": round(found_s, 1),
            "healed_s": round(time.monotonic() - begin, 1)}


def verify(cluster, sums):
    for path, wanted in sums.items():
        got = hashlib.sha256(cluster.ok("cat", "--remote", path)).hexdigest()
        assert got == wanted, f"{path} has other bytes than were acknowledged"
    assert b"Status: HEALTHY" in cluster.ok("fsck", "/")


def fill(cluster, files, blocks, block_bytes):
    sums = {}
    for i in range(files):
        data = random.randbytes(blocks * block_bytes - i % block_bytes)
        cluster.ok("put", "--block-size", str(block_bytes), "--parents", "-", f"/data/{i}", input=data)
        sums[f"/data/{i}"] = hashlib.sha256(data).hexdigest()
    return sums


def drill(cluster, files, blocks, block_bytes, rot):
    """Runs it all in a started cluster of five datanodes; returns the figures."""
    figures = {}
    sums = fill(cluster, files, blocks, block_bytes)
    wait_for_calm(cluster)
    figures["blocks"] = len(checked_blocks(cluster))
    for name, victims in (("one", cluster.datanodes[1:2]), ("two", cluster.datanodes[2:4])):
        with Load(cluster, block_bytes) as load:
            figures[name] = lose(cluster, victims)
        figures[name]["load_puts"] = len(load.sums)
        figures[name]["load_reads"] = load.reads
        assert not load.failures, load.failures[:3]
        assert load.sums, "the load wrote nothing"
        verify(cluster, load.sums)
        for victim in victims:
            victim.start()
        wait_for_calm(cluster)
        verify(cluster, load.sums)
        cluster.ok("rm", "-r", "-f", "/load")
        wait_for_calm(cluster)
    assert figures["one"]["fewest_copies"] >= 2 and figures["two"]["fewest_copies"] >= 1, figures
    figures["rot"] = heal(cluster, rot)
    verify(cluster, sums)
    return figures


def make_cluster():
    return Cluster(datanodes=5, settings=SETTINGS)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--blocks", type=int, default=10)
    parser.add_argument("--block-bytes", type=int, default=4 << 20)
    parser.add_argument("--rot", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    options = parser.parse_args()
    random.seed(options.seed)
    print(f"seed {options.seed}")
    cluster = make_cluster()
    try:
        cluster.start()
        figures = drill(cluster, options.files, options.blocks, options.block_bytes, options.rot)
    finally:
        cluster.close()
    for name in ("one", "two"):
        f = figures[name]
        print(f"{f['killed']} of 5 datanodes killed under load ({f['load_puts']} puts, {f['load_reads']} reads), "
              f"{f['bytes_lost'] >> 20} MiB of replicas gone, given up after {f['detection_s']} s: "
              f"no block with a single copy after {f['no_single_copy_s']} s, all with three after "
              f"{f['all_three_s']} s; fewest copies {f['fewest_copies']}")
    rot = figures["rot"]
    print(f"rot in {rot['planted']} replicas of {figures['blocks']} blocks: all found after {rot['found_s']} s, "
          f"healed after {rot['healed_s']} s")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
