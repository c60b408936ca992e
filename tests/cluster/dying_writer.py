"""A writer that goes as far as it is told, says so, and keeps its lease until it is killed.

    dying_writer.py NAMENODE TOKEN KIND PATH STATE

KIND: create, overwrite or append. STATE, in this order: opened (no block yet), added (a block has its id
and nodes), middle (half of its bytes are on their way), synced (the datanodes have it), sealed, second
(half of another block is on its way), last (all blocks are sealed, Complete is not sent).
"""
import os
import secrets
import select
import socket
import sys

import grpc

import dfs_pb2
import dfs_pb2_grpc

SIZE = 20000
STATES = ["opened", "added", "middle", "synced", "sealed", "second", "last"]

namenode, token, kind, path, state = sys.argv[1:6]
stub = dfs_pb2_grpc.NamenodeStub(grpc.insecure_channel(namenode,
                                                       options=[("grpc.enable_http_proxy", 0)]))
client_id = secrets.randbits(63) | 1
requests = 0
METADATA = [("authorization", "Bearer " + token)]


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82f63b78 if crc & 1 else crc >> 1
    return crc ^ 0xffffffff


def call(name, request):
    global requests
    requests += 1
    request.client_id, request.request_id = client_id, requests
    return getattr(stub, name)(request, metadata=METADATA, timeout=30)


def at(here):
    """Here it ends, if this is the state."""
    if here == state:
        print("reached", flush=True)
        while not select.select([sys.stdin], [], [], 0.2)[0]:
            stub.RenewLease(dfs_pb2.RenewLeaseRequest(client_id=client_id), metadata=METADATA, timeout=30)
        sys.exit("nobody killed it")


def put(added, data, crc, middle):
    addresses = [target.http_address for target in added.targets]
    host, port = addresses[0].split(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    query = f"length={len(data)}&crc32c={crc:08x}&needed=2&pipeline={','.join(addresses[1:])}"
    connection.sendall((f"PUT /v1/block/{added.block_id:016x}?{query} HTTP/1.1\r\nHost: {addresses[0]}\r\n"
                        f"Authorization: Bearer {token}\r\nMillrace-Block-Token: {added.token}\r\n"
                        f"Content-Length: {len(data)}\r\n"
                        "Connection: close\r\n\r\n").encode() + data[:len(data) // 2])
    at(middle)
    connection.sendall(data[len(data) // 2:])
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    assert answer.startswith(b"HTTP/1.1 201"), answer


def write_block(file_id, middle):
    data = os.urandom(SIZE)
    crc = crc32c(data)
    added = call("AddBlock", dfs_pb2.AddBlockRequest(file_id=file_id, length=SIZE))
    at("added")
    put(added, data, crc, middle)
    at("synced")
    call("SealBlock", dfs_pb2.SealBlockRequest(
        file_id=file_id, block_id=added.block_id, length=SIZE, crc32c=crc,
        node_ids=[target.node_id for target in added.targets[:2]]))
    at("sealed")


if kind == "append":
    opened = call("Append", dfs_pb2.AppendRequest(path=path))
else:
    opened = call("Create", dfs_pb2.CreateRequest(path=path, permission=0o644, block_size=1 << 20,
                                                  overwrite=kind == "overwrite"))
at("opened")
write_block(opened.file_id, "middle")
write_block(opened.file_id, "second")
at("last")
