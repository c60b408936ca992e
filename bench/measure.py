"""What the benches share: CPU seconds and peak memory of whole process trees, and a cluster of their own.

CPU seconds are user + system time of a process, its descendants and all children they have reaped, read from
/proc; a task that has ended is in its launcher's sum. Peak memory is the largest sum of PSS (each shared page
counted once) seen by sampling every 20 ms.
"""
import json
import os
import shutil
import subprocess
import tempfile
import threading

TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[1]), [int(field) for field in fields[11:15]]


def tree(roots):
    """The pids of roots and all that descend from them."""
    children = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            parent, _ = _stat(name)
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(name))
    found, queue = [], list(roots)
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue.extend(children.get(pid, []))
    return found


def cpu_seconds(roots):
    total = 0
    for pid in tree(roots):
        try:
            total += sum(_stat(pid)[1])
        except (OSError, IndexError):
            continue
    return total / TICKS


def _pss(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


class Peak:
    """Samples the memory of process trees while a block runs."""

    def __init__(self, roots):
        self.roots = list(roots)
        self.bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._stop.wait(0.02):
            self.bytes = max(self.bytes, sum(_pss(pid) for pid in tree(self.roots)))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


class Cluster:
    """millrace up in a folder of its own, gone at the end."""

    def __init__(self, bin_folder, arguments=()):
        self.bin = bin_folder
        self.folder = tempfile.mkdtemp(prefix="millrace-bench-")
        self.environment = dict(os.environ, MILLRACE_DIR=os.path.join(self.folder, "c"))
        self.arguments = list(arguments)

    def command(self, name, *arguments):
        return [os.path.join(self.bin, name), *arguments]

    def run(self, name, *arguments, **options):
        return subprocess.run(self.command(name, *arguments), env=self.environment, check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options).stdout

    def pids(self):
        status = json.loads(self.run("millrace", "status", "--json"))
        return [daemon["pid"] for daemon in status["daemons"]]

    def __enter__(self):
        self.run("millrace", "up", *self.arguments)
        return self

    def __exit__(self, *_):
        subprocess.run(self.command("millrace", "down", "--purge"), env=self.environment,
                       stdout=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
