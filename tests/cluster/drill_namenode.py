"""Crashes a namenode at each of its durable calls and sees that nothing acknowledged is lost.

    drill_namenode.py CLUSTER-FOLDER TOKEN KILL-LIBRARY MODE

The cluster's own namenode must be down. MODE is a KILL_MODE of kill_at_write.c, or a point of the
setting daemon.fault (file_write, file_sync, file_rename): then the namenode itself sees the n-th call
fail and must stop, unless the call was a checkpoint's. MODE "mem" or "mem_for_ever": the n-th allocation
fails, or all from the n-th on; then it may stop or refuse requests by a typed error. MODE "mem_new": of
the allocations that must not fail; then it must end at once. For n = 1, 2, ... until a namenode survives its
clients: start it so that it ends at its n-th call; let clients make, rename, change and delete names, ask
for a checkpoint in the middle, and note what was acknowledged; when it is gone, start it undisturbed; then all that was acknowledged must hold, of what was not at most the last
request of each client; repeated, that one must succeed, and must have been done exactly once.
"""
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time

import grpc

import dfs_pb2
import dfs_pb2_grpc

CLIENTS = 2
PATIENCE_S = 30
NO_MEMORY = 9  # the exit code: docs/exit-codes.md
MEM_FAULTS = {"mem": "mem:%d:1", "mem_for_ever": "mem:%d:18446744073709551615",
              "mem_new": "mem_new:%d:1"}
GONE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.CANCELLED)

folder, token, library, mode = sys.argv[1:5]
METADATA = [("authorization", "Bearer " + token)]


class Namenode:
    """One run of the process."""

    def __init__(self, arguments, environment):
        own = os.path.join(folder, "namenode")
        self.log = open(os.path.join(own, "drill.log"), "ab")
        self.process = subprocess.Popen(
            ["mr-namenode", "--cluster", folder, "--dir", own,
             "--config", os.path.join(folder, "millrace.conf"), "--set", "daemon.name=namenode",
             "--set", "journal.checkpoint_bytes=" + ("0" if mode.startswith("file_") else "4k"),
             "--set", "journal.reserve_bytes=4k"] + arguments,
            env=dict(os.environ, **environment), stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log)
        self.stub = None
        address_file = os.path.join(own, "namenode.addr")
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            try:
                with open(address_file) as file:
                    address = json.load(file)
                if address["pid"] == self.process.pid:
                    break
            except (OSError, ValueError):
                pass
            if time.monotonic() > deadline:
                self.kill()
                raise SystemExit("the namenode did not start within %d s" % PATIENCE_S)
            time.sleep(0.002)  # between two questions
        else:
            return
        self.channel = grpc.insecure_channel(address["rpc_address"],
                                             options=[("grpc.enable_http_proxy", 0)])
        self.stub = dfs_pb2_grpc.NamenodeStub(self.channel)

    def call(self, name, request):
        return getattr(self.stub, name)(request, metadata=METADATA, timeout=PATIENCE_S)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.stub is not None:
            self.channel.close()
        self.log.close()


# --- what clients do, and what becomes of it ------------------------------------------------------
# A step: (method, request's members, what it does to the model). The model is a dict of path -> text.

def script(base):
    def put(path, text):
        return lambda model: model.__setitem__(base + path, text)

    def move(source, destination):
        def change(model):
            for path in [p for p in model if (p + "/").startswith(base + source + "/")]:
                model[base + destination + path[len(base + source):]] = model.pop(path)
        return change

    def remove(path):
        def change(model):
            for gone in [p for p in model if (p + "/").startswith(base + path + "/")]:
                del model[gone]
        return change

    def mkdirs(path):
        return ("Mkdirs", dfs_pb2.MkdirsRequest(path=base + path, permission=0o755,
                                                create_parents=True), put(path, "directory 755"))

    def create(path):
        return [("Create", dfs_pb2.CreateRequest(path=base + path, permission=0o644),
                 put(path, "writing 644")),
                ("Complete", dfs_pb2.CompleteRequest(), put(path, "file 644"))]

    def rename(source, destination):
        return ("Rename", dfs_pb2.RenameRequest(source=base + source,
                                                destination=base + destination),
                move(source, destination))

    def delete(path):
        return ("Delete", dfs_pb2.DeleteRequest(path=base + path, recursive=True), remove(path))

    checkpoint = ("SaveCheckpoint", dfs_pb2.SaveCheckpointRequest(), lambda model: None)
    return ([mkdirs("")] + create("/a") + [rename("/a", "/b"), mkdirs("/d"), rename("/b", "/d/c")]
            + [checkpoint] + create("/e") + [delete("/e"),
                              ("SetPermission",
                               dfs_pb2.SetPermissionRequest(path=base + "/d", permission=0o700),
                               put("/d", "directory 700")),
                              rename("/d", "/f")])


class Client(threading.Thread):
    def __init__(self, namenode, base):
        super().__init__()
        self.namenode, self.base = namenode, base
        self.number = secrets.randbits(63) | 1
        self.steps = script(base)
        self.model = {}  # by what was acknowledged
        self.next = 0
        self.file_id = 0
        self.failure = None
        self.start()

    def do(self, namenode):
        """The next step; again with the same request id after a failure."""
        name, request, change = self.steps[self.next]
        if name == "SaveCheckpoint":
            self.save_checkpoint(namenode, request)
            return
        request.client_id, request.request_id = self.number, self.next + 1
        if name == "Complete":
            request.file_id = self.file_id
        response = namenode.call(name, request)
        if name == "Create":
            self.file_id = response.file_id
        change(self.model)
        self.next += 1

    def save_checkpoint(self, namenode, request):
        """One that fails is told, and the namenode goes on."""
        try:
            namenode.call("SaveCheckpoint", request)
        except grpc.RpcError as error:
            if error.code() in GONE:
                raise
        self.next += 1

    def is_done(self):
        return self.next == len(self.steps)

    def run(self):
        try:
            while not self.is_done():
                self.do(self.namenode)
        except grpc.RpcError as error:
            if error.code() not in GONE:
                self.failure = "%s %s" % (error.code().name, error.details())

    def model_after_next(self):
        model = dict(self.model)
        if not self.is_done():
            self.steps[self.next][2](model)
        return model


def describe(status):
    kind = ("directory" if status.kind == dfs_pb2.FILE_DIRECTORY else
            "writing" if status.under_construction else "file")
    return "%s %o" % (kind, status.permission)


def read_tree(namenode, path, tree):
    """What is at and below path; the root itself is not shown."""
    try:
        if path != "/" and path not in tree:
            status = namenode.call("GetStatus", dfs_pb2.GetStatusRequest(path=path)).status
            tree[path] = describe(status)
        listing = namenode.call("ListStatus", dfs_pb2.ListStatusRequest(path=path))
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.NOT_FOUND:
            return tree
        raise
    if listing.has_more:
        raise SystemExit("the drill's directories are too large for one page")
    for entry in listing.entries:
        full = path.rstrip("/") + "/" + entry.path
        tree[full] = describe(entry)
        if entry.kind == dfs_pb2.FILE_DIRECTORY:
            read_tree(namenode, full, tree)
    return tree


def compare(what, found, wanted):
    if found != wanted:
        raise SystemExit("%s: differs: found only %s; missing %s" %
                         (what, sorted(set(found.items()) - set(wanted.items())),
                          sorted(set(wanted.items()) - set(found.items()))))


# --- the drill ------------------------------------------------------------------------------------

def start_disturbed(n):
    if mode in MEM_FAULTS:
        return Namenode(["--set", "daemon.fault=" + MEM_FAULTS[mode] % n], {})
    if mode.startswith("file_"):
        return Namenode(["--set", "daemon.fault=%s:%d:1" % (mode, n)], {})
    return Namenode([], {"LD_PRELOAD": library, "KILL_PROGRAM": "mr-namenode",
                         "KILL_CALL": str(n), "KILL_MODE": mode})


def see_memory_fail(namenode, clients, what):
    """False when neither the namenode nor a client has noticed anything."""
    code = namenode.process.poll()
    # EXIT_FAILED while starting, EXIT_JOURNAL_FAILED; at once where nothing can be told.
    if code not in ((None, NO_MEMORY) if mode == "mem_new" else (None, 1, 5, NO_MEMORY)):
        raise SystemExit("%s: the namenode ended with %d" % (what, code))
    return code is not None or not all(client.is_done() for client in clients)


def see_end(namenode, what):
    """How a disturbed namenode ended: false when it did not."""
    try:
        code = namenode.process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise SystemExit("%s: the namenode neither serves nor ends" % what)
    if mode.startswith("file_"):
        if code not in (1, 5):  # EXIT_FAILED while starting, EXIT_JOURNAL_FAILED; docs/exit-codes.md
            raise SystemExit("%s: the namenode ended with %d" % (what, code))
    elif code != -signal.SIGKILL:
        raise SystemExit("%s: the namenode ended with %d before it was killed" % (what, code))


def disturb(n, what):
    """The disturbed run: its clients, and whether the namenode survived them."""
    namenode = start_disturbed(n)
    clients = []
    try:
        if namenode.stub is not None:
            clients = [Client(namenode, "/drill-%s/%d/%d" % (mode, n, i)) for i in range(CLIENTS)]
        for client in clients:
            client.join()
            if client.failure and mode not in MEM_FAULTS:
                raise SystemExit("%s: %s refused: %s" % (what, client.base, client.failure))
        if mode in MEM_FAULTS:
            return clients, not see_memory_fail(namenode, clients, what)
        if clients and all(client.is_done() for client in clients) and \
                namenode.process.poll() is None:
            return clients, True
        see_end(namenode, what)
        return clients, False
    finally:
        namenode.kill()


def examine(clients, everything, what, is_last):
    """The undisturbed run."""
    namenode = Namenode([], {})
    if namenode.stub is None:
        raise SystemExit("%s: the namenode does not start again: exit code %d, see drill.log" %
                         (what, namenode.process.returncode))
    try:
        for client in clients:
            found = read_tree(namenode, client.base, {})
            if found != client.model and found != client.model_after_next():
                compare("%s: %s after %d acknowledged" % (what, client.base, client.next), found,
                        client.model)
            if not client.is_done():
                client.do(namenode)
            compare("%s: %s, repeated" % (what, client.base),
                    read_tree(namenode, client.base, {}), client.model)
            everything.update(client.model)
        if is_last:
            tree = read_tree(namenode, "/", {})
            compare("%s: all rounds" % what, {p: t for p, t in tree.items() if p in everything},
                    everything)
    finally:
        namenode.kill()


def main():
    everything = {}
    acknowledged = 0
    n = rounds = survivals = 0
    # A call of a checkpoint, or of reserving room, may fail and the namenode goes on.
    while survivals < (10 if mode.startswith("file_") else 16 if mode in MEM_FAULTS else 1):
        n += n // (8 if mode == "mem_new" else 32) + 1 if mode in MEM_FAULTS else 1
        what = "%s %d" % (mode, n)
        clients, survived = disturb(n, what)
        acknowledged += sum(client.next for client in clients)
        survivals = survivals + 1 if survived else 0
        examine(clients, everything, what, survived)
        rounds += 1
    crashes = rounds - survivals
    print("%s: %d failures, %d requests acknowledged, none lost" % (mode, crashes, acknowledged))
    return 0 if crashes > 0 else 1


sys.exit(main())
