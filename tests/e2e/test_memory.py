# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory is bounded, whatever the image: 256 MiB beside what the options ask for.
For these images, much more must be read than the guest sees."""

import random
import shutil
import struct
import uuid

import pytest

import vhdx_image
import vmdk_image
from conftest import sums
from hostile_images import hostile, hostile_qcow, hostile_qed
from list_oracle import write_list
from oracle import checksum, write_image
from qcow2_compare import bounded_memory
from qcow2_image import COPIED, EXT_DATA_FILE, Image, deflate

VHDX_GUID = str(uuid.UUID(int=1))
FAR = 128 << 10     # from one cluster to the next, in the file


def scattered(path, size, bits, kind):
    """Make an image whose clusters repeat eight, which lie far from each other, so
    that no two reads are joined. Returns what the guest sees."""
    image = Image(size, cluster_bits=bits)
    rnd = random.Random(1)
    cluster = 1 << bits
    contents = [rnd.randbytes(16) * (cluster // 16) for _ in range(8)]
    places = []
    for content in contents:
        image.end = -(-image.end // FAR) * FAR
        data = content if kind == "plain" else deflate(content)
        places.append(image.allocate(len(data)))
        image.put(places[-1], data)
    for guest in range(size >> bits):
        place = places[guest % 8]
        if kind == "plain":
            image.disk.entry(guest, place | COPIED)
        elif kind == "compressed":
            image.disk.compressed(guest, deflate(contents[guest % 8]),
                                  offset=place)
        else:   # as many sectors as an entry can tell
            image.disk.compressed(guest, b"", offset=place,
                                  sectors=(1 << (bits - 8)) - 1)
    image.length = -(-image.end // FAR) * FAR
    image.write(path)
    return b"".join(contents[n % 8] for n in range(size >> bits))


IMAGES = {
    "small clusters": (32 << 20, 9, "compressed"),
    "small clusters, not compressed": (32 << 20, 9, "plain"),
    "long clusters": (64 << 20, 16, "long"),
    "large clusters": (64 << 20, 21, "long"),
}


@pytest.mark.parametrize("options", [
    ["-T", "none", "-t", "4", "--block-size", "16M"],
    ["-T", "none", "-t", "16", "--queue-depth", "256"]], ids=" ".join)
@pytest.mark.parametrize("name", IMAGES)
def test_file(disksum, tmp_path, name, options):
    path = tmp_path / "image"
    content = scattered(path, *IMAGES[name])
    out = disksum(*options, path, wrapper=bounded_memory()).stdout
    assert sums(out) == [checksum(content, block_size(options))]


@pytest.mark.no_sanitizer
@pytest.mark.parametrize("options", [
    [], ["-t", "4", "--block-size", "16M"], ["-t", "16"]], ids=" ".join)
@pytest.mark.parametrize("name", IMAGES)
def test_server_with_large_blocks(disksum, servers, tmp_path, name, options):
    """The server's minimum block size makes each read one of 64 KiB."""
    path = tmp_path / "image"
    size, *rest = IMAGES[name]
    content = scattered(path, size // 2, *rest)
    uri, _ = servers.nbdkit(
        "--filter=blocksize-policy", "file", path, "blocksize-minimum=64k",
        "blocksize-preferred=64k", "blocksize-maximum=32M",
        "blocksize-error-policy=error")
    out = disksum("-f", "qcow2", *options, uri, wrapper=bounded_memory()).stdout
    assert sums(out) == [checksum(content, block_size(options))]


@pytest.mark.sanitizer
@pytest.mark.parametrize("name", IMAGES)
def test_rounds(disksum, tmp_path, name):
    """The reads of a block need several rounds, however they are done."""
    path = tmp_path / "image"
    size, bits, kind = IMAGES[name]
    content = scattered(path, size // 8, bits, kind)
    for way in [], ["-T", "none"], ["-t", "1", "--queue-depth", "1"]:
        out = disksum("--block-size", "8M", *way, path).stdout
        assert sums(out) == [checksum(content, 8 << 20)]


def test_blocks_that_are_not_aligned(disksum, tmp_path, reads):
    """Large unaligned direct reads go through a small buffer."""
    path = tmp_path / "image"
    content = random.Random(1).randbytes(1 << 20) * 128
    path.write_bytes(content)
    size = (16 << 20) - 512
    out = disksum("-f", "raw", "-T", "none", "-t", "8", "--queue-depth", "1",
                  "--read-size", "4k", "--block-size", str(size), path,
                  env={"DISKSUM_READS": reads},
                  wrapper=bounded_memory()).stdout
    assert sums(out) == [checksum(content, size)]


def test_chain_of_long_extensions(disksum, tmp_path):
    """A header can have as many bytes as a cluster, in each of 1,000 images."""
    names = [f"layer-{n}" for n in range(200)]
    write_image(tmp_path / names[0], "64k:A 960k:-")
    for below, name in zip(names, names[1:]):
        image = Image(1 << 20, cluster_bits=21, backing=below.encode(),
                      backing_format=b"raw" if below == names[0] else b"qcow2")
        image.extension(EXT_DATA_FILE, b"x" * 2_000_000)
        image.write(tmp_path / name)
    out = disksum(names[-1], cwd=tmp_path, wrapper=bounded_memory()).stdout
    assert sums(out) == [checksum(tmp_path / names[0])]


@pytest.mark.parametrize("depth, refused", [(17, False), (18, True), (60, True)])
def test_chain_of_many_extents(disksum, tmp_path, depth, refused):
    """A VMDK image can have 65,536 extents, of some 100 bytes each: here by empty lines, each of
    which repeats the extent that follows."""
    for n in range(depth):
        is_last = n == depth - 1
        (tmp_path / str(n)).write_text(vmdk_image.descriptor(
            "\n" * 65535 + "RW 1 ZERO", type="vmfs", parent=None if is_last else str(n + 1),
            parent_cid="ffffffff" if is_last else "12345678"))
    done = disksum("-q", "-f", "vmdk", "0", cwd=tmp_path, wrapper=bounded_memory(), check=False)
    if refused:
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "disksum: 0: the images of its backing chain, down to '17', need " \
            "too much memory for their tables\n"
    else:
        assert sums(done.stdout) == [checksum(bytes(65536 * 512))]


@pytest.mark.no_sanitizer
@pytest.mark.parametrize("depth, refused", [(780, False), (830, True)])
def test_chain_of_logs(disksum, tmp_path, depth, refused):
    """Of a VHDX image, the changes that its log makes are kept, and where regions are."""
    def parent(n):
        return f"{n:04}.vhdx"
    overlay = vhdx_image.Image(vhdx_image.MIB, data_guid=VHDX_GUID, parent={
        "relative_path": parent(9999), "parent_linkage": vhdx_image.braces(VHDX_GUID)})
    overlay.header["log_guid"] = vhdx_image.LOG_GUID
    overlay.log.entry([vhdx_image.zero(overlay.bat, 4096)] * 2048)
    overlay.regions += [[str(uuid.UUID(int=2)), (1 << 40) + i * 2 * vhdx_image.MIB,
                         vhdx_image.MIB, 0] for i in range(2045)]
    content = overlay.write(tmp_path / "any").read_bytes()
    at = content.index(parent(9999).encode("utf-16-le"))
    last = vhdx_image.Image(vhdx_image.MIB, data_guid=VHDX_GUID)
    last.data(0, b"data")
    last.write(tmp_path / parent(depth))
    pieces = [(i, content[i:i + 4096]) for i in range(0, len(content), 4096)
              if any(content[i:i + 4096])]
    for n in range(depth):
        with open(tmp_path / parent(n), "wb") as file:
            for offset, piece in pieces:
                file.seek(offset)
                file.write(piece)
            file.seek(at)
            file.write(parent(n + 1).encode("utf-16-le"))
            file.truncate(len(content))
    done = disksum("-q", parent(0), cwd=tmp_path, wrapper=bounded_memory(), check=False)
    shutil.rmtree(tmp_path)     # hundreds of megabytes
    if refused:
        assert (done.returncode, done.stdout) == (1, "")
        assert "need too much memory for their tables" in done.stderr
    else:
        assert sums(done.stdout) == [checksum(b"data" * (vhdx_image.MIB // 4))]


@pytest.mark.no_sanitizer
@pytest.mark.parametrize("depth, make", [(30, hostile_qed), (30, hostile_qcow), (190, hostile)])
def test_little_stack_for_a_long_chain(disksum, tmp_path, depth, make):
    """The names in all images below one that QEMU reads are looked at, in depth."""
    end = tmp_path / str(depth)
    write_image(end, "1M:A")
    for i in reversed(range(1, depth)):
        make(tmp_path / str(i), str(tmp_path / str(i + 1)))
    top = hostile_qed(tmp_path / "0", str(tmp_path / "1"))
    done = disksum(top, wrapper=["prlimit", f"--stack={128 << 10}", "--"])
    assert sums(done.stdout) == [checksum(end)]


def test_qemu_with_a_large_table(fails, tmp_path):
    """A Parallels image of 64 bytes claims a table of 2 GB, for which QEMU takes memory."""
    header = struct.pack("<16s5IQ5I", b"WithouFreSpacExt", 2, 16, 0, 2048, 500_000_000, 2048,
                         0, 0, 0, 0, 0)
    (tmp_path / "disk").write_bytes(header)
    assert "Cannot allocate memory" in fails(tmp_path / "disk")


def test_large_blocks_of_a_list(disksum, tmp_path):
    """The list chooses the blocks, not the memory."""
    content = random.Random(1).randbytes(1 << 20) * 512
    (tmp_path / "disk").write_bytes(content)
    line = f"BLKHASH-SHA256-16M (disk) = {checksum(content, 16 << 20)}\n"
    for options in [], ["-T", "none", "-t", "4"]:
        out = disksum("-c", *options, input=line, cwd=tmp_path,
                      wrapper=bounded_memory()).stdout
        assert out == "disk: OK\n"


def block_size(options):
    if "--block-size" not in options:
        return 65536
    return int(options[options.index("--block-size") + 1][:-1]) << 20


# --- lists ------------------------------------------------------------------

# One value after the other: objects, arrays, numbers, members.
MANY_VALUES = {
    "objects": lambda n: "[" + ",".join(["{}"] * (n // 3)) + "]",
    "arrays": lambda n: "[" + ",".join(["[]"] * (n // 3)) + "]",
    "numbers": lambda n: "[" + ",".join("1" * (n // 2)) + "]",
    "members": lambda n: "{" + ",".join(f'"{i:x}":1' for i in range(n // 10)) + "}",
}


@pytest.mark.parametrize("kind", MANY_VALUES)
def test_line_with_many_values(disksum, tmp_path, kind):
    """JSON takes some hundred times its length in memory."""
    content = write_image(tmp_path / "disk", "64k:A")
    line = f'{{"filename":"disk","checksum":"{checksum(content)}","x":%s}}\n'
    for count, verdict in (1000, "disk: OK\n"), (16_000_000, ""):
        (tmp_path / "SUMS").write_text(line % MANY_VALUES[kind](count))
        done = disksum("-c", "SUMS", cwd=tmp_path, check=False, wrapper=bounded_memory())
        assert (done.returncode, done.stdout) == (0 if verdict else 1, verdict), done


@pytest.mark.parametrize("kind", MANY_VALUES)
def test_digest_lists_with_many_values(disksum, tmp_path, kind):
    content = write_image(tmp_path / "disk", "64k:A")
    source = f'{{"files":{MANY_VALUES[kind](1_000_000)}}}'.encode()
    for number in range(2):
        (tmp_path / f"part-{number}").write_bytes(write_list(
            content, source=source, block_size=32768, first=number, count=1))
    done = disksum("--merge", "part-0", "part-1", cwd=tmp_path, check=False,
                   wrapper=bounded_memory())
    assert ("broken list" in done.stderr) != (checksum(content, 32768) in done.stdout), done
    (tmp_path / "list").write_bytes(write_list(content, source=source))
    done = disksum("--show", "--json", "list", cwd=tmp_path, wrapper=bounded_memory())
    assert f'"checksum":"{checksum(content)}"' in done.stdout
