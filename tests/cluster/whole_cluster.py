"""A whole cluster on this host for tests: the daemons of dfs_cluster.py, a resource manager, node
managers; and a job whose output is known.
"""
import glob
import json
import os
import random
import shutil
import socket
import subprocess
import time

from dfs_cluster import BUILD, Cluster, Daemon

CLIENT_S = 60


class Broken(Exception):
    """What must not happen."""


class WholeCluster(Cluster):
    def __init__(self, datanodes=2, nodemgrs=1):
        super().__init__(datanodes=datanodes)
        self.rm = Daemon(self, "mr-rm", "rm", {
            "rm.node_lost_ms": "2s", "rm.master_lost_ms": "3s", "rm.recovery_grace_ms": "1s",
            "rm.node_heartbeat_interval_ms": "200ms", "rm.master_launch_ms": "5s",
            "rm.container_launch_ms": "5s"})
        self.nodemgrs = [Daemon(self, "mr-nodemgr", f"nodemgr-{i}", {
            "nodemgr.memory": "8g", "nodemgr.vcores": "6",
            # The first stands beside the first datanode, and reads its blocks by descriptor.
            "daemon.host": socket.gethostname() if i == 0 else f"host{i}",
            "daemon.name": f"nodemgr-{i}"}) for i in range(nodemgrs)]
        for daemon in (self.namenode, self.rm):
            daemon.settings.update({"journal.checkpoint_bytes": "8k", "journal.reserve_bytes": "64k"})
        self.namenode.settings.update({"dfs.replication": "2", "dfs.min_replicas": "1"})
        with open(os.path.join(self.folder, "cluster.json"), "w") as file:
            json.dump({"format": 1, "daemons": [
                {"name": d.name, "role": d.role, "directory": d.name} for d in self.all()]}, file)

    def all(self):
        return [self.namenode] + self.datanodes + [self.rm] + self.nodemgrs

    def start(self):
        super().start()
        for daemon in [self.rm] + self.nodemgrs:
            daemon.start()
        return self

    def close(self):
        failures = []
        for daemon in self.nodemgrs + [self.rm]:
            try:
                daemon.stop()
            except AssertionError as error:
                failures.append(str(error))
        try:
            super().close()
        except AssertionError as error:
            failures.append(str(error))
        if failures:
            raise AssertionError("; ".join(failures))


class Clients:
    """What people run; while_waiting is called again and again meanwhile."""

    def __init__(self, cluster, while_waiting=lambda: None):
        self.cluster = cluster
        self.while_waiting = while_waiting
        self.jobs = 0
        rng = random.Random(5)
        words = ["w%d" % rng.randrange(30000) for _ in range(40000)]
        self.text = "".join(word + ("\n" if i % 9 == 8 else " ") for i, word in enumerate(words))
        self.text_path = os.path.join(cluster.local, "text")
        with open(self.text_path, "w") as file:
            file.write(self.text)
        counts = {}
        for word in words:
            counts[word] = counts.get(word, 0) + 1
        self.counted = sorted("%s\t%d" % item for item in counts.items())

    def run(self, *command, **more):
        """(code, stdout, stderr); a client must end in time, by no signal, and say why it fails."""
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, cwd=self.cluster.local,
                                   env=dict(os.environ, **more))
        end = time.monotonic() + CLIENT_S
        while True:
            try:
                out, err = process.communicate(timeout=0.05)
                break
            except subprocess.TimeoutExpired:
                self.while_waiting()
                if time.monotonic() > end:
                    process.kill()
                    out, err = process.communicate()
                    raise Broken("%s hangs: %s" % (" ".join(command), err.decode(errors="replace")))
        self.while_waiting()
        name = os.path.basename(command[0])
        if process.returncode < 0 or process.returncode > 8:
            raise Broken("%s ended with %d: %s" % (name, process.returncode, err.decode(errors="replace")))
        if process.returncode != 0 and not err.strip():
            raise Broken("%s failed without a word" % " ".join(command))
        return process.returncode, out, err.decode(errors="replace")

    def mrfs(self, verb, *arguments):
        return self.run(os.path.join(BUILD, "bin", "mrfs"), verb, "--cluster", self.cluster.folder, *arguments)

    def job(self, *arguments, job_object=os.path.join(BUILD, "jobs", "wordcount.so"), **more):
        """Runs a job that counts the words of /text; None, or why it failed."""
        output = "/out-%d" % self.jobs
        self.jobs += 1
        code, self.report, err = self.run(
            os.path.join(BUILD, "bin", "mrsubmit"), "-q", "--json", "--dir", self.cluster.folder,
            job_object, "-i", "/text", "-o", output, "-r", "2", "--split", "128k", "-D",
            "mr.sort.memory=64k", *arguments, **more)
        if code != 0:
            return err
        local = os.path.join(self.cluster.local, output[1:])
        code, _, err = self.mrfs("get", "-r", output, local)
        if code != 0:
            raise Broken("the output of the job cannot be got: " + err)
        lines = []
        for path in glob.glob(local + "/**/part-*", recursive=True):
            with open(path) as file:
                lines += file.read().splitlines()
        shutil.rmtree(local)
        if sorted(lines) != self.counted:
            raise Broken("the job succeeded with wrong bytes: %d lines, not %d" %
                         (len(lines), len(self.counted)))
        self.mrfs("rm", "-r", "--skip-trash", output)
        return None
