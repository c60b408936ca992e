"""One call with the stock gRPC client: grpc_client.py VERB ADDRESS [PATH], the token in TOKEN.

Prints the answer, or the status code and its sentence and exits with 1.
"""
import os
import sys

import grpc

import dfs_pb2
import dfs_pb2_grpc
import nm_pb2
import nm_pb2_grpc
import rm_pb2
import rm_pb2_grpc

token = os.environ["TOKEN"]
metadata = [("authorization", "Bearer " + token)] if token else []
CALL = {"metadata": metadata, "timeout": 20}
CLIENT = 4242  # a client id; every new file below starts at request id 1


def blocks(channel, path):
    answer = dfs_pb2_grpc.NamenodeStub(channel).GetBlocks(
        dfs_pb2.GetBlocksRequest(path=path), **CALL)
    print(answer.status.length, len(answer.blocks), min(len(b.replicas) for b in answer.blocks))


def mkdirs(channel, path):
    namenode = dfs_pb2_grpc.NamenodeStub(channel)
    namenode.Mkdirs(dfs_pb2.MkdirsRequest(client_id=CLIENT, request_id=1, path=path,
                                          permission=0o755, create_parents=True), **CALL)
    print(namenode.GetStatus(dfs_pb2.GetStatusRequest(path=path), **CALL).status.owner)


def repeat(channel, path):
    namenode = dfs_pb2_grpc.NamenodeStub(channel)
    request = dfs_pb2.CreateRequest(client_id=CLIENT + 1, request_id=1, path=path, permission=0o644)
    first = namenode.Create(request, **CALL)
    second = namenode.Create(request, **CALL)
    print("same answer" if first == second and first.file_id > 0 else "%s %s" % (first, second))


def list_root(channel):
    answer = dfs_pb2_grpc.NamenodeStub(channel).ListStatus(
        dfs_pb2.ListStatusRequest(path="/"), **CALL)
    for entry in answer.entries:
        print(entry.path)


def nodes(channel):
    answer = rm_pb2_grpc.ResourceManagerStub(channel).ListNodes(rm_pb2.ListNodesRequest(), **CALL)
    for node in answer.nodes:
        print(node.node.host, node.node.rack, rm_pb2.NodeState.Name(node.state))


def app(channel):
    request = rm_pb2.GetAppRequest()
    request.app.cluster_timestamp = 1
    request.app.sequence = 1
    print(rm_pb2_grpc.ResourceManagerStub(channel).GetApp(request, **CALL))


def register(channel):
    request = rm_pb2.RegisterNodeRequest(incarnation=1)
    request.node.node_id = 1
    request.node.host = "evil"
    print(rm_pb2_grpc.NodeTrackerStub(channel).RegisterNode(request, **CALL))


def start(channel):
    print(nm_pb2_grpc.NodeManagerStub(channel).StartContainer(nm_pb2.StartContainerRequest(), **CALL))


def raw(channel, message):
    call = channel.unary_unary("/millrace.dfs.Namenode/GetStatus",
                               request_serializer=lambda m: m, response_deserializer=lambda m: m)
    print(call(message, **CALL))


VERBS = {
    "import": None,
    "blocks": blocks,
    "mkdirs": mkdirs,
    "repeat": repeat,
    "list": list_root,
    "nodes": nodes,
    "app": app,
    "register": register,
    "start": start,
    "garbage": lambda channel: raw(channel, b"\x0a\xff\xff\xff\xff\x7f"),
    "huge": lambda channel: raw(channel, b"\x0a" + b"\xff\xff\xff\x3f" + b"/" * (1 << 27)),
}


def main():
    verb, arguments = VERBS[sys.argv[1]], sys.argv[2:]
    if verb is None:
        return 0
    options = [("grpc.enable_http_proxy", 0), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(arguments[0], options=options) as channel:
        try:
            verb(channel, *arguments[1:])
        except grpc.RpcError as error:
            print(error.code().name, error.details())
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
