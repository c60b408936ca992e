"""A filesystem on this host for tests: one namenode, some datanodes, and mrfs beside them.

Everything lives in one temporary folder and is stopped by close(). Nothing sleeps to let things
happen: wait_until asks again and again until a deadline that is only reached when something is wrong.
"""
import base64
import hashlib
import hmac
import http.client
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

BUILD = os.environ.get("MILLRACE_BUILD_DIR", os.getcwd())
DEADLINE_S = 60
USER = pwd.getpwuid(os.getuid()).pw_name
KEY_PERIOD_MS = 36000000  # docs/protocols/block-token.md

FAST = {
    "dfs.superuser": pwd.getpwuid(os.getuid()).pw_name,
    "dfs.heartbeat_interval_ms": "200ms",
    "dfs.stale_ms": "1500ms",
    "dfs.lost_ms": "3s",
    "dfs.rereplicate_ms": "5s",
    "dfs.repair_start_ms": "500ms",
    "dfs.repair_retry_ms": "500ms",
    "dfs.lease_ms": "5s",
}


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def wait_until(what, question, deadline_s=DEADLINE_S):
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        answer = question()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"waited {deadline_s} s in vain until {what}")


def sha(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()


class Daemon:
    def __init__(self, cluster, program, name, settings):
        self.cluster = cluster
        self.role = program[3:]
        self.program = os.path.join(BUILD, "bin", program)
        self.name = name
        self.settings = settings
        self.environment = {}
        self.folder = os.path.join(cluster.folder, name)
        self.process = None

    def start(self, wait=True):
        command = [self.program, "--cluster", self.cluster.folder, "--dir", self.folder]
        for key, value in self.settings.items():
            command += ["--set", f"{key}={value}"]
        log = open(os.path.join(self.cluster.folder, self.name + ".log"), "ab")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                        env=dict(os.environ, **self.environment))
        log.close()
        if wait:
            wait_until(f"{self.name} serves", self.serves)
        return self

    def serves(self):
        code = self.process.poll()
        if code is not None:
            raise AssertionError(f"{self.name} ended with {code}: {self.log()[-1000:]}")
        return self.address().get("pid") == self.process.pid

    def address(self):
        try:
            with open(os.path.join(self.folder, self.role + ".addr")) as file:
                return json.load(file)
        except FileNotFoundError:
            return {}

    def log(self):
        with open(os.path.join(self.cluster.folder, self.name + ".log"), errors="replace") as file:
            return file.read()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return None if self.process is None else self.process.returncode
        self.process.terminate()
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop")


class Cluster:
    def __init__(self, datanodes=4, settings=None):
        self.folder = tempfile.mkdtemp(prefix="millrace-dfs-")
        self.local = os.path.join(self.folder, "local")
        os.mkdir(self.local)
        self.settings = dict(settings or {})
        self.namenode = Daemon(self, "mr-namenode", "namenode", dict(FAST))
        self.datanodes = []
        for i in range(datanodes):
            # The first is "this host", so that mrfs reads its replicas through descriptors.
            host = socket.gethostname() if i == 0 else f"host{i}"
            own = {"daemon.host": host, "daemon.rack": f"/rack{i % 2}", "daemon.name": f"datanode-{i}"}
            own.update(self.settings)
            self.datanodes.append(Daemon(self, "mr-datanode", f"datanode-{i}", own))
        daemons = [self.namenode] + self.datanodes
        with open(os.path.join(self.folder, "cluster.json"), "w") as file:
            json.dump({"format": 1, "daemons": [
                {"name": d.name, "role": d.role, "directory": d.name} for d in daemons]}, file)

    def start(self):
        self.namenode.start()
        for datanode in self.datanodes:
            datanode.start(wait=False)
        for datanode in self.datanodes:
            wait_until(f"{datanode.name} serves", datanode.serves)
            wait_until(f"{datanode.name} has reported", lambda d=datanode: self.is_active(d))
        return self

    def is_active(self, datanode):
        status = self.status_of(datanode)
        return status is not None and status["registration"] == "ACTIVE"

    def status_of(self, datanode):
        import urllib.request
        try:
            url = f"http://{datanode.address()['http_address']}/v1/status"
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)
        except (OSError, KeyError):
            return None

    def mrfs(self, *arguments, input=None, timeout=120):
        command = [os.path.join(BUILD, "bin", "mrfs"), arguments[0], "--cluster", self.folder]
        return subprocess.run(command + list(arguments[1:]), input=input, capture_output=True,
                              timeout=timeout)

    def ok(self, *arguments, **options):
        result = self.mrfs(*arguments, **options)
        if result.returncode != 0:
            raise AssertionError(f"mrfs {arguments}: {result.returncode}: {result.stderr.decode()}")
        return result.stdout

    def refused(self, code, *arguments, **options):
        """Runs mrfs, wants this exit code and a sentence; returns the sentence."""
        result = self.mrfs(*arguments, **options)
        text = result.stderr.decode(errors="replace")
        if result.returncode != code or not text.startswith("mrfs"):
            raise AssertionError(f"mrfs {arguments}: exit {result.returncode}, not {code}: {text}")
        return text

    def file(self, name, size):
        path = os.path.join(self.local, name)
        with open(path, "wb") as file:
            left = size
            while left > 0:
                piece = os.urandom(min(left, 1 << 20))
                file.write(piece)
                left -= len(piece)
        return path

    def blocks(self, path):
        return json.loads(self.ok("stat", "--blocks", "--json", path))[0]["blocks"]

    def live_replicas(self, path):
        """The smallest number of live replicas of any block of path."""
        return min(sum(not r["is_stale"] for r in b["replicas"]) for b in self.blocks(path))

    def token(self):
        """This user's token, as any program on the host gets it (docs/protocols/fd-pass.md)."""
        asking = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        asking.settimeout(10)
        asking.connect(self.namenode.address()["credential_socket"])
        asking.send(b"token")
        answer = asking.recv(8192)
        asking.close()
        assert answer[1:1 + answer[0]] == b"OK", answer
        return answer[1 + answer[0]:].split()[1].decode()

    def secret(self):
        with open(os.path.join(self.folder, "secret"), "rb") as file:
            return file.read()

    def token_of(self, user, lifetime_ms=600000):
        """A token for user, by docs/protocols/token.md."""
        text = f"mr1.{int(time.time() * 1000) + lifetime_ms}."
        text += base64url(f"user:{user}".encode()) + "." + base64url(b"millrace")
        return text + "." + base64url(hmac.digest(self.secret(), text.encode(), "sha256"))

    def block_token(self, block_id, mode, user=USER, expires=None, key_id=None, secret=None):
        """A block token, by docs/protocols/block-token.md."""
        expires = int(time.time() * 1000) + 600000 if expires is None else expires
        own_id = expires // KEY_PERIOD_MS
        key = hmac.digest(secret or self.secret(), b"millrace block token key %d" % own_id, "sha256")
        text = f"mb1.{own_id if key_id is None else key_id}.{expires}.{mode}.{block_id:016x}."
        text += base64url(user.encode())
        return text + "." + base64url(hmac.digest(key, text.encode(), "sha256"))

    def http(self, datanode, method, path, body=None, headers=None):
        """(code, headers, body) of one request with this user's token, and what a block asks for."""
        connection = http.client.HTTPConnection(datanode.address()["http_address"], timeout=30)
        own = {"Authorization": "Bearer " + self.token()}
        block = re.match("/v1/block/([0-9a-f]{16})", path)
        if block:
            mode = "w" if method == "PUT" else "r"
            own["Millrace-Block-Token"] = self.block_token(int(block.group(1), 16), mode)
        own.update(headers or {})
        connection.request(method, path, body=body, headers=own)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), content

    def block_file(self, datanode, block_id, suffix=".blk", place=None):
        name = f"{block_id:016x}"
        folder = os.path.join(datanode.folder, "data", place or os.path.join("blocks", name[14:]))
        return os.path.join(folder, name + suffix)

    def mend(self):
        """After a test that failed: the next one shall not suffer from it."""

    def close(self):
        failures = []
        for daemon in self.datanodes + [self.namenode]:
            try:
                daemon.stop()
            except AssertionError as error:
                failures.append(str(error))
        shutil.rmtree(self.folder, ignore_errors=True)
        if failures:
            raise AssertionError("; ".join(failures))


def run(name, tests, make_cluster):
    """Runs each test function in one cluster, in order; prints failures and the report line."""
    passed = failed = 0
    wanted = os.environ.get("MILLRACE_TEST_FILTER", sys.argv[1] if len(sys.argv) > 1 else "")
    cluster = None
    try:
        cluster = make_cluster()
        cluster.start()
        for test in tests:
            if wanted not in test.__name__:
                continue
            begin = time.monotonic()
            try:
                test(cluster)
                passed += 1
                verdict = "ok"
            except Exception as error:  # every failure is reported, and the others still run
                failed += 1
                verdict = f"FAILED: {type(error).__name__}: {error}"
                cluster.mend()
            print(f"{test.__name__}: {verdict} ({time.monotonic() - begin:.1f} s)", flush=True)
        if failed:
            for daemon in [cluster.namenode] + cluster.datanodes:
                print(f"--- {daemon.name}\n{daemon.log()[-4000:]}")
    except Exception as error:
        failed += 1
        print(f"start: {type(error).__name__}: {error}")
    finally:
        if cluster is not None:
            try:
                cluster.close()
            except AssertionError as error:
                failed += 1
                print(f"close: {error}")
        print(f"cluster: {name}: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
