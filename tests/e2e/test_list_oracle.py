# SPDX-License-Identifier: LGPL-2.1-or-later
"""Digest lists: the oracle, the specification and the command agree."""

import random
import re

import pytest

from list_oracle import MAX_CHUNK, UNKNOWN, read_list, write_list
from oracle import checksum, random_spec, write_image

BLOCK = 512
EXAMPLE = b"A" * BLOCK + bytes(2 * BLOCK) + b"B" * 2 * BLOCK
SOURCE = b'{"format":"raw"}'


@pytest.fixture
def page(root):
    return (root / "docs/digest-list.md").read_text()


def test_example(page):
    lines = re.findall(r"^    ([0-9a-f]{4})  ((?:[0-9a-f]{2} ?)+)$", page, re.M)
    assert [int(offset, 16) for offset, _ in lines] == list(range(0, 16 * len(lines), 16))
    assert bytes.fromhex("".join(text for _, text in lines)) == \
        write_list(EXAMPLE, SOURCE, BLOCK)


def test_records_of_the_example(page):
    data = write_list(EXAMPLE, SOURCE, BLOCK)
    kinds = {"zeros": 0, "digests": 1, "check": 2, "end": 3}
    rows = re.findall(r"^\| 0x([0-9a-f]{4}) \| (\w+)(?:: (\d+))?", page, re.M)
    assert [kind for _, kind, _ in rows] == \
        ["header", "check", "digests", "zeros", "digests", "end", "check"]
    for offset, kind, count in rows[1:]:
        word = int.from_bytes(data[int(offset, 16):][:8], "little")
        assert word >> 62 == kinds[kind]
        assert word & 2**62 - 1 == (5 if kind == "end" else int(count or 0))


@pytest.mark.parametrize("options", [
    {}, {"block_size": 700}, {"digest": "sha512"}, {"length": UNKNOWN}, {"first": 1, "count": 2},
    {"first": 5}])
def test_round_trip(options):
    options = {"block_size": BLOCK, **options}
    found = read_list(write_list(EXAMPLE, SOURCE, **options))
    assert (found.source, found.length) == (SOURCE, len(EXAMPLE))
    if found.first == 0:
        assert found.checksum.hex() == checksum(EXAMPLE, found.block_size, found.digest)
    else:
        assert found.mds == read_list(write_list(EXAMPLE, block_size=BLOCK)).mds[
            found.first:][:options.get("count")]


def test_chunks_are_full():
    """A digest of a block, and each time its word, fit a chunk once more."""
    disk = b"".join(b"%512d" % i for i in range(40000))
    found = read_list(write_list(disk, block_size=BLOCK))
    first, second, _ = found.checks
    assert MAX_CHUNK - 32 < second - first - 32 - 8 <= MAX_CHUNK


def test_every_bit_counts():
    data = write_list(EXAMPLE, SOURCE, BLOCK)
    for bit in range(0, 8 * len(data), 5):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Exception):
            read_list(bytes(damaged))


# --- the command ---------------------------------------------------------

def command_list(disksum, tmp_path, *args, **kwargs):
    disksum(f"--write-list={tmp_path / 'list'}", *args, **kwargs)
    return (tmp_path / "list").read_bytes()


@pytest.mark.sanitizer(every=6)
@pytest.mark.parametrize("seed", range(18))
def test_command(disksum, tmp_path, seed):
    rnd = random.Random(seed)
    content = write_image(tmp_path / "disk", random_spec(rnd))
    content += bytes(-len(content) % 512)
    digest = rnd.choice(["sha256", "sha1", "sha512", "blake2b512"])
    block_size = rnd.choice([512, 1536, 4096, 65536, 1 << 20])
    options = ["-d", digest, f"--block-size={block_size}"]
    written = command_list(disksum, tmp_path, *options, tmp_path / "disk")
    source = read_list(written).source
    assert written == write_list(content, source, block_size, digest)

    written = command_list(disksum, tmp_path, *options, "-", input=content)
    source = read_list(written).source
    assert written == write_list(content, source, block_size, digest, length=UNKNOWN)


def test_command_makes_full_chunks(disksum, tmp_path):
    content = write_image(tmp_path / "disk", "10M:A 5k:0 3M:- 9M:B 100k:0 512:C")
    written = command_list(disksum, tmp_path, "--block-size=512", tmp_path / "disk")
    found = read_list(written)
    assert len(found.checks) == 3
    assert written == write_list(content, found.source, 512)


@pytest.mark.sanitizer
def test_command_reads(disksum, fails, tmp_path):
    data = write_list(EXAMPLE, SOURCE, BLOCK)
    (tmp_path / "list").write_bytes(data)
    assert checksum(EXAMPLE, BLOCK) in disksum("--show", tmp_path / "list").stdout
    (tmp_path / "list").write_bytes(data[:-1])
    assert fails("--show", tmp_path / "list") == \
        f"{tmp_path / 'list'}: incomplete digest list: it ends at offset 335"
    (tmp_path / "list").write_bytes(data + b"x")
    assert fails("--show", tmp_path / "list") == \
        f"{tmp_path / 'list'}: broken digest list: bytes after the end at offset 336"
