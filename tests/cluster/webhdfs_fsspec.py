"""webhdfs_fsspec.py HOST PORT - fsspec and pandas, which know nothing of Millrace, on its filesystem."""
import sys

import fsspec
import pandas

host, port = sys.argv[1], int(sys.argv[2])
where = f"webhdfs://{host}:{port}"
fs = fsspec.filesystem("webhdfs", host=host, port=port)

# Without a user name, as pandas has it.
frame = pandas.DataFrame({"n": range(200000), "text": [f"row {i}" for i in range(200000)]})
fs.makedirs("/fsspec/b c")
frame.to_csv(f"{where}/fsspec/frame.csv", index=False)
back = pandas.read_csv(f"{where}/fsspec/frame.csv")
assert back.equals(frame)
print("pandas wrote and read a table")

# A file larger than fsspec's buffer: one CREATE, then several APPENDs to the same address.
data = bytes(range(256)) * 65536
with fs.open("/fsspec/b c/data", "wb", block_size=1 << 20) as file:
    file.write(data)
assert fs.info("/fsspec/b c/data")["size"] == len(data)
with fs.open("/fsspec/b c/data", "rb", block_size=1 << 16) as file:
    file.seek(1234567)
    assert file.read(99999) == data[1234567:1234567 + 99999]
assert fs.cat("/fsspec/b c/data") == data
print("fsspec wrote in pieces and read ranges")

with fs.open("/fsspec/b c/data", "ab") as file:
    file.write(b"more")
assert fs.cat("/fsspec/b c/data") == data + b"more"
with fs.open("/fsspec/b c/data", "wb") as file:
    file.write(b"anew")
assert fs.cat("/fsspec/b c/data") == b"anew"
with fs.open("/fsspec/empty", "wb"):
    pass
assert fs.info("/fsspec/empty")["size"] == 0 and fs.cat("/fsspec/empty") == b""
print("fsspec appended and replaced")

assert fs.ls("/fsspec") == ["/fsspec/b c", "/fsspec/empty", "/fsspec/frame.csv"]
assert fs.ls("/fsspec/", detail=True)[0]["type"] == "directory"
assert sorted(fs.find("/fsspec")) == ["/fsspec/b c/data", "/fsspec/empty", "/fsspec/frame.csv"]
assert fs.glob("/fsspec/*.csv") == ["/fsspec/frame.csv"]
assert fs.content_summary("/fsspec")["fileCount"] == 3
assert fs.ukey("/fsspec/b c/data")["algorithm"] == "COMPOSITE-CRC32C"
fs.chmod("/fsspec/empty", "600")
assert fs.info("/fsspec/empty")["permission"] == "600"
fs.set_replication("/fsspec/empty", 2)
assert fs.info("/fsspec/empty")["replication"] == 2
print("fsspec listed and looked")

fs.mv("/fsspec/empty", "/fsspec/moved")
assert not fs.exists("/fsspec/empty") and fs.exists("/fsspec/moved")
fs.cp_file("/fsspec/b c/data", "/fsspec/copied")
assert fs.cat("/fsspec/copied") == b"anew"
token = fs.get_delegation_token()
other = fsspec.filesystem("webhdfs", host=host, port=port, token=token)
assert other.home_directory() == fs.home_directory()
fs.rm("/fsspec/moved")
for wrong, error in ((lambda: fs.info("/fsspec/moved"), FileNotFoundError),
                     (lambda: fs.rm("/fsspec"), RuntimeError),
                     (lambda: fs.renew_delegation_token(token), ValueError),
                     (lambda: fs.chmod("/fsspec", "999"), ValueError)):
    try:
        wrong()
    except error:
        continue
    sys.exit(f"no {error.__name__} came")
fs.rm("/fsspec", recursive=True)
assert fs.ls("/") == [] or "/fsspec" not in fs.ls("/")
print("fsspec renamed, copied and removed")
