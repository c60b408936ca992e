"""Every I/O call of every process of a small cluster made to fail (lib/os/drill.h), one at a time.

    sweep_io.py [--cases N] [--program NAME] [--seconds S] [--seed S] [--case PROGRAM:SITE:NTH:REPEAT:WHAT]

First a clean run records the call sites of the five daemons and of the task process: each call of
lib/os with the functions that led to it. A case is one site, one of its hits and one way to fail (EIO,
ENOSPC, EINTR, EAGAIN, EMFILE, a short count; once, or from there on for ever). Each case: the process
whose case it is gets the plan, files are put, renamed and removed, and a job runs. Then
 - a daemon has gone on, or has ended with a code of docs/exit-codes.md and said why in an ERROR line; by
   no signal, and in time; it starts again undisturbed and stops with 0;
 - what failed for a client has failed with a sentence;
 - what was acknowledged, in this case or before, is there byte for byte;
 - a job has the right bytes, and after the case another one has them, too.
Without --cases all sites are swept, each with every failure it can have, at its first, its last and some
hits between; with it the first N of a shuffled list that has each program and call in it.
"""
import argparse
import glob
import os
import random
import signal
import sys
import time

from dfs_cluster import wait_until
from whole_cluster import Broken, Clients, WholeCluster

# The numbers of enum drill_kind, and what the kernel answers to such a call: as is_possible of drill.c.
READ, WRITE, ROOM, SYNC, OPEN, CREATE, NAME, LOOK, FORK = range(9)
POSSIBLE = {
    READ: ("EIO", "EINTR", "EAGAIN", "short"),
    WRITE: ("EIO", "ENOSPC", "EINTR", "EAGAIN", "short"),
    ROOM: ("EIO", "ENOSPC", "EINTR"),
    SYNC: ("EIO", "ENOSPC"),
    OPEN: ("EIO", "EINTR", "EAGAIN", "EMFILE"),
    CREATE: ("EIO", "ENOSPC", "EINTR", "EAGAIN", "EMFILE"),
    NAME: ("EIO", "ENOSPC"),
    LOOK: ("EIO",),
    FORK: ("EAGAIN",),
}
FOR_EVER = 2 ** 62
DAEMONS = ("mr-namenode", "mr-datanode", "mr-rm", "mr-nodemgr")
CHILDREN = ("mr-appmaster", "mr-task")
# docs/exit-codes.md: failed, settings that cannot be read, a file damaged, the journal, the launcher.
CODES = (1, 2, 4, 5, 7)


class SweepCluster(WholeCluster):
    """All under one plan that each process reads when it starts."""

    def __init__(self):
        super().__init__()
        self.nodemgr = self.nodemgrs[0]
        self.plan_path = os.path.join(self.folder, "plan")
        self.claim_path = os.path.join(self.folder, "claim")
        self.records = os.path.join(self.folder, "records")
        os.mkdir(self.records)
        self.write_plan("")
        self.nodemgr.settings["nodemgr.keep_environment"] = "MILLRACE_DRILL ASAN_OPTIONS UBSAN_OPTIONS"
        for daemon in self.all():
            daemon.environment = {"MILLRACE_DRILL": self.plan_path}

    def daemon_of(self, program):
        return {"mr-namenode": self.namenode, "mr-datanode": self.datanodes[0], "mr-rm": self.rm,
                "mr-nodemgr": self.nodemgr}[program]

    def write_plan(self, text):
        with open(self.plan_path + ".new", "w") as file:
            file.write(text)
        os.rename(self.plan_path + ".new", self.plan_path)


class Sweep(Clients):
    def __init__(self, cluster):
        super().__init__(cluster, self.watch)
        self.number = 0
        self.kept = {}  # path -> content: what was acknowledged and must stay
        self.watched = None
        self.ended = None  # the code of the watched daemon

    # --- clients ----------------------------------------------------------------------------------

    def watch(self):
        """A watched daemon that has ended is started again without a plan, as a supervisor does."""
        daemon = self.watched
        if daemon is None or daemon.process.poll() is None:
            return
        if self.ended is not None:
            raise Broken("%s ended again with %d, undisturbed" % (daemon.name, daemon.process.returncode))
        self.ended = daemon.process.returncode
        self.cluster.write_plan("")
        daemon.start(wait=False)

    def serves_or_has_ended(self):
        self.watch()
        return self.watched.process.poll() is None and self.watched.serves()

    def files(self):
        """Puts, renames and removes; what is acknowledged is kept in mind."""
        base = "/keep-%d" % self.number
        self.number += 1
        # A request without an answer may have been done: only what was answered is certain.
        if self.mrfs("put", "--block-size", "128k", self.text_path, base)[0] == 0:
            self.kept[base] = self.text
        code = self.mrfs("mv", base, base + "-b")[0]
        if base in self.kept:
            content = self.kept.pop(base)
            if code == 0:
                self.kept[base + "-b"] = content
        if self.mrfs("put", self.text_path, base + "-c")[0] == 0:
            code, out, err = self.mrfs("cat", base + "-c")
            if code == 0 and out.decode() != self.text:
                raise Broken("mrfs cat: wrong bytes")
            self.mrfs("rm", "--skip-trash", base + "-c")

    def examine(self):
        """With nothing disturbed everything must succeed."""
        for path, content in self.kept.items():
            code, out, err = self.mrfs("cat", path)
            if code != 0 or out.decode() != content:
                raise Broken("%s was acknowledged and is lost: %s" % (path, err or "other bytes"))
        while len(self.kept) > 2:
            path = next(iter(self.kept))
            del self.kept[path]
            self.mrfs("rm", "--skip-trash", path)
        failure = self.job()
        if failure:
            raise Broken("a job after it failed: " + failure)

    # --- sites and cases ----------------------------------------------------------------------------

    def record(self):
        self.cluster.write_plan("record %s\n" % self.cluster.records)
        self.cluster.start()
        code, _, err = self.mrfs("put", self.text_path, "/text")
        if code != 0:
            raise SystemExit("the clean run: " + err)
        for _ in range(2):
            self.files()
            failure = self.job()
            if failure:
                raise SystemExit("the clean run: " + failure)
        for daemon in (self.cluster.namenode, self.cluster.datanodes[0], self.cluster.rm,
                       self.cluster.nodemgr):  # their ends, and starts with something to read
            daemon.stop()
            daemon.start()
        failure = self.job()
        if failure:
            raise SystemExit("the clean run: " + failure)
        self.cluster.write_plan("")
        sites = {}
        for path in glob.glob(self.cluster.records + "/*"):
            program = os.path.basename(path).split(".")[0]
            with open(path) as file:
                for line in file:
                    site, call, hits, kind = line.split()
                    key = (program, site, call, int(kind))
                    sites[key] = max(sites.get(key, 0), int(hits))
        return sites

    def cases(self, sites, rng, is_sample):
        """[(program, site, call, nth, repeat, what)]"""
        cases = []
        for (program, site, call, kind), hits in sorted(sites.items()):
            if program not in DAEMONS + CHILDREN:
                continue
            for what in POSSIBLE[kind]:
                numbers = {1, hits, 2, 3, max(1, hits // 2)} if not is_sample else {rng.randint(1, hits)}
                for nth in sorted(n for n in numbers if n <= hits):
                    cases.append((program, site, call, nth, 1, what))
                # A node that is broken for ever is left for another; here there is none.
                if what in ("EIO", "ENOSPC", "EMFILE") and program not in ("mr-nodemgr", "mr-task"):
                    cases.append((program, site, call, 1, FOR_EVER, what))
        rng.shuffle(cases)
        if not is_sample:
            return sorted(cases, key=lambda case: case[0])
        # One of each program in turn, and of a program each call in turn.
        queues = {}
        for case in cases:
            queues.setdefault(case[0], {}).setdefault(case[2], []).append(case)
        order = []
        while queues:
            for program in sorted(queues):
                calls = queues[program]
                call = next(iter(calls))
                order.append(calls[call].pop())
                rest = calls.pop(call)
                if rest:
                    calls[call] = rest  # at the end
                if not calls:
                    del queues[program]
        return order

    def check_end(self, daemon, log_before, what):
        # A file that says EAGAIN is taken for one that somebody else uses.
        if self.ended not in CODES and not (self.ended == 3 and what == "EAGAIN"):
            raise Broken("%s ended with %d" % (daemon.name, self.ended))
        said = daemon.log()[log_before:]
        if " ERROR " not in said and "\nmr-%s: " % daemon.role not in "\n" + said:
            raise Broken("%s ended with %d and did not say why" % (daemon.name, self.ended))

    def do(self, case):
        """Whether the failure took place, and what came of it."""
        program, site, _, nth, repeat, what = case
        if os.path.exists(self.cluster.claim_path):
            os.unlink(self.cluster.claim_path)
        plan = "fail %s %s %d %d %s %s\n" % (program, site, nth, repeat, what, self.cluster.claim_path)
        failure = None
        self.ended = None
        if program in CHILDREN:
            self.cluster.write_plan(plan)
            failure = self.job()
            self.cluster.write_plan("")
            result = "the job failed: " + failure if failure else "the job succeeded"
        else:
            daemon = self.cluster.daemon_of(program)
            if daemon.stop() != 0:
                raise Broken("%s did not stop well before the case" % daemon.name)
            self.cluster.write_plan(plan)
            log_before = len(daemon.log())
            daemon.start(wait=False)
            self.watched = daemon
            wait_until(daemon.name + " serves", self.serves_or_has_ended)
            self.files()
            failure = self.job()
            if failure and "does not run" in failure and self.ended is not None:
                wait_until(daemon.name + " serves", daemon.serves)  # it was not back yet
                failure = self.job()
            self.cluster.write_plan("")
            self.watch()
            self.watched = None
            if self.ended is None:
                self.ended = daemon.stop()
                if self.ended != 0:
                    self.check_end(daemon, log_before, what)
                result = "it went on"
                daemon.start()
            else:
                self.check_end(daemon, log_before, what)
                result = "it ended with %d" % self.ended
                wait_until(daemon.name + " serves", daemon.serves)
            if failure:
                result += "; the job failed: " + failure
        happened = os.path.exists(self.cluster.claim_path)
        if failure and (repeat == 1 or not happened):
            raise Broken(result)
        self.examine()
        return happened, result


def name_of(case):
    return "%s:%s:%d:%d:%s (%s)" % (case[0], case[1], case[3], case[4], case[5], case[2])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=0)
    parser.add_argument("--program", default="")
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", default="")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    begin = time.monotonic()
    cluster = SweepCluster()
    sweep = Sweep(cluster)
    failures = []
    done = happened = 0
    try:
        sites = sweep.record()
        for program in DAEMONS + CHILDREN:
            own = {key: hits for key, hits in sites.items() if key[0] == program}
            print("%s: %d call sites, %d calls: %s" % (program, len(own), sum(own.values()), " ".join(
                sorted({call for _, _, call, _ in own}))), flush=True)
            if not own:
                failures.append("%s: no call site was seen" % program)
        for daemon in cluster.all():
            daemon.stop()
        cluster.start()
        if options.case:
            program, site, nth, repeat, what = options.case.split(":")
            cases = [(program, site, "?", int(nth), int(repeat), what)]
        else:
            cases = sweep.cases(sites, random.Random(options.seed), options.cases > 0)
            cases = [case for case in cases if options.program in ("", case[0])]
            cases = cases[:options.cases] if options.cases else cases
        print("%d cases, seed %d" % (len(cases), options.seed), flush=True)
        for case in cases:
            if options.seconds and time.monotonic() - begin > options.seconds:
                print("stopped after %d s" % options.seconds)
                break
            since = time.monotonic()
            try:
                took_place, result = sweep.do(case)
                done += 1
                happened += took_place
                if options.verbose:
                    print("%s: %s%s (%.1f s)" % (name_of(case), result.strip(), "" if took_place else
                                                 ", not reached", time.monotonic() - since), flush=True)
            except (Broken, AssertionError) as error:
                failures.append(name_of(case))
                print("NOT SO: %s: %s" % (name_of(case), error), flush=True)
                mend(cluster, sweep)
    finally:
        if failures and os.environ.get("MILLRACE_TEST_KEEP") == "1":
            print("kept: " + cluster.folder)
            for daemon in cluster.all():
                daemon.stop()
        else:
            cluster.close()
    if options.seconds == 0 and done + len(failures) < len(cases):
        failures.append("the sweep did not come to its end")
    print("cluster: test_io_sweep: %d passed, %d failed" % (done, len(failures)))
    print("%d cases of which %d took place, %d broken, in %d s" %
          (done + len(failures), happened, len(failures), time.monotonic() - begin))
    return 1 if failures or happened == 0 else 0


def mend(cluster, sweep):
    """After a broken case: the next one shall not suffer from it."""
    cluster.write_plan("")
    sweep.watched = None
    sweep.kept = {}
    for daemon in cluster.all():
        if daemon.process.poll() is None and daemon.role in ("rm", "nodemgr"):
            daemon.kill()
        if daemon.process.poll() is not None:
            daemon.start()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
sys.exit(main())
