"""Flips one bit of a file, in a field of its format.

    flip.py run FOLDER MAP...      in the output of each map another field of docs/formats/run.md; prints
                                   how many fields there are when no map is given
    flip.py journal FILE           prints the offset of each field of docs/formats/journal.md: of the header
                                   and of the first frame
    flip.py at FILE OFFSET         the byte there
"""
import os
import struct
import sys


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x04]))


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def run_fields(data):
    """Name and offset of each field; those of the first partition that has records."""
    fields = {"magic": 0}
    trailer = len(data) - 24
    index, partitions = struct.unpack_from("<QI", data, trailer)
    for partition in range(partitions):
        at, length, _ = struct.unpack_from("<QQQ", data, index + 24 * partition)
        if length > 0:
            break
    entry = index + 24 * partition
    stored = struct.unpack_from("<I", data, at)[0]
    fields.update({"stored": at, "raw": at + 4, "chunk's checksum": at + 8})
    record = at + 12
    key, value_length = varint(data, record)
    value, bytes_begin = varint(data, value_length)
    assert key > 0 and value > 0
    fields.update({"key's length": record, "value's length": value_length, "key": bytes_begin,
                   "value": bytes_begin + key, "last byte of the chunk": record + stored - 1})
    end = at + length - 20
    fields.update({"end, first word": end, "end, second word": end + 4, "end's checksum": end + 8,
                   "number of records": end + 12})
    fields.update({"offset in the index": entry, "bytes in the index": entry + 8,
                   "records in the index": entry + 16})
    fields.update({"offset of the index": trailer, "number of partitions": trailer + 8,
                   "trailer's checksum": trailer + 12, "last magic": trailer + 16})
    return fields


def flip_runs(folder, maps):
    runs = {}
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".run") and name.split("_")[0].isdigit():
                runs[name.split("_")[0]] = os.path.join(place, name)
    done = 0
    for number in range(len(maps)):
        with open(runs[maps[number]], "rb") as file:
            fields = list(run_fields(file.read()).items())
        if number >= len(fields):
            break
        name, offset = fields[number]
        flip(runs[maps[number]], offset)
        print(f"map {maps[number]}: {name}, offset {offset} of {runs[maps[number]]}")
        done += 1
    if done < len(fields):
        sys.exit(f"{len(fields)} fields, but only {done} maps")


def journal_fields(path):
    with open(path, "rb") as file:
        data = file.read()
    header = [0, 8, 12, 16, 32, 40, 48, 56, 60]
    frame = [64 + offset for offset in (0, 4, 8, 16, 24, 28, 32, 36)]
    length = struct.unpack_from("<I", data, 68)[0]
    assert data[64:68] == b"MRF1" and data[100 + length:104 + length] == b"MRF1", "two frames"
    return header + frame + [64 + 36 + length - 1]


if sys.argv[1] == "run":
    flip_runs(sys.argv[2], sys.argv[3:])
elif sys.argv[1] == "journal":
    print(*journal_fields(sys.argv[2]))
else:
    flip(sys.argv[2], int(sys.argv[3]))
