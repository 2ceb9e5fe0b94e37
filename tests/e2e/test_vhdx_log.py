# SPDX-License-Identifier: LGPL-2.1-or-later
"""The log of a VHDX image: what must be replayed is replayed in memory. QEMU replays it in
a copy ('qemu-img check -r all'); the naive reader does so in a dictionary."""
import hashlib
import random
import shutil
import struct
import subprocess

import pytest

import vhdx_oracle
from conftest import sums
from qcow2_compare import convert, sum_of
from vhdx_compare import check_good, naive_sum, qemu_sum, refusal
from vhdx_image import (FULLY_PRESENT, LOG_GUID, MIB, ZERO, Image, data, guid, sealed, zero)

pytestmark = pytest.mark.one_thread

ADVICE = "to replay it in the image, use qemu-img check -r all "


def make(size=6 * MIB, **options):
    """An image with a log that is not empty, and data in blocks 0 and 1."""
    image = Image(size, **options)
    image.header["log_guid"] = LOG_GUID
    image.data(0, b"first")
    image.data(1, b"second")
    return image


def bat_sector(image, changes, old=()):
    """A change of the first sector of the BAT: entry -> (state, offset)."""
    entries = [0] * 512
    for index, (state, offset) in [*dict(old).items(), *changes.items()]:
        entries[index] = state | offset
    return data(image.bat, struct.pack("<512Q", *entries))


def replayed_by_qemu(path):
    """The checksum of a copy in which QEMU has replayed the log."""
    copy = f"{path}.replayed"
    shutil.copy(path, copy)
    subprocess.run(["qemu-img", "check", "-f", "vhdx", "-r", "all", copy], check=True,
                   stdout=subprocess.DEVNULL)
    converted = convert(copy, form="vhdx")
    assert converted
    return sum_of(converted)


def check_replayed(disksum, path, qemu=True):
    """QEMU does not read the image itself."""
    before = hashlib.sha256(path.read_bytes()).digest()
    check_good(disksum, path, qemu=False, ways=[[], ["-T", "none"]])
    assert hashlib.sha256(path.read_bytes()).digest() == before
    if qemu:
        assert replayed_by_qemu(path) == naive_sum(path)


# --- what is replayed --------------------------------------------------------

@pytest.mark.sanitizer
@pytest.mark.parametrize("start", [0, 4096, MIB - 4096, MIB - 8192])
def test_bat(disksum, tmp_path, start):
    """A change of the BAT, by an entry that may go round the end of the ring."""
    image = make()
    image.log.at = start
    new, other = image.place(b"third"), image.place(b"another first")
    image.log.entry([bat_sector(image, {0: (FULLY_PRESENT, other), 1: (ZERO, 0),
                                        4: (FULLY_PRESENT, new)})])
    path = image.write(tmp_path / "disk.vhdx")
    check_replayed(disksum, path)
    image = make()
    assert naive_sum(path) != naive_sum(image.write(tmp_path / "without.vhdx"))


@pytest.mark.sanitizer
def test_many_entries(disksum, tmp_path):
    """Each changes what the one before did. Some have no descriptors."""
    image = make()
    places = [image.place(b"%d. " % n) for n in range(5)]
    image.log.at = MIB - 5 * 8192
    for n in range(5):
        image.log.entry([bat_sector(image, {k: (FULLY_PRESENT, places[(k + n) % 5])
                                            for k in range(n + 1)})])
        image.log.entry([])
    check_replayed(disksum, image.write(tmp_path / "disk.vhdx"), qemu=False)


@pytest.mark.sanitizer
def test_many_descriptors(disksum, tmp_path):
    """More than a sector of them: 126 fit into the first one."""
    image = make(1 << 30, log_length=8 * MIB)
    sectors = [struct.pack("<512Q", *[0] * 511, ZERO) for _ in range(2)]
    for count in 1, 126, 127, 128, 254, 255, 256:
        last = bat_sector(image, {3: (FULLY_PRESENT, image.place(b"%d" % count))})
        image.log.entry([data(image.bat + 4096, sectors[n % 2]) for n in range(count - 1)]
                        + [last], tail=image.log.at)
    check_replayed(disksum, image.write(tmp_path / "disk.vhdx"), qemu=False)


@pytest.mark.sanitizer
def test_zeros(disksum, tmp_path):
    image = make(3 << 30)
    image.block(512, FULLY_PRESENT, image.place(b"block 512"))
    image.block(1024, FULLY_PRESENT, image.place(b"block 1024"))
    image.log.entry([zero(image.bat, 8192), bat_sector(image, {2: (ZERO, 0)}),
                     zero(image.bat + 4096, 0)])
    check_replayed(disksum, image.write(tmp_path / "disk.vhdx"))


def test_all_of_metadata(disksum, tmp_path):
    """The region table and the metadata table may be damaged, and the log has them."""
    image = make()
    tables = [(192 << 10, image.region_bytes()), (256 << 10, image.region_bytes()),
              (image.metadata, image.metadata_bytes().ljust(68 << 10, b"\0"))]
    image.log.entry([data(offset + at, content[at:at + 4096])
                     for offset, content in tables for at in range(0, len(content), 4096)])
    for offset, content in tables:
        image.patch(offset, b"\xff" * len(content))
    check_replayed(disksum, image.write(tmp_path / "disk.vhdx"))


@pytest.mark.sanitizer
def test_bytes_of_a_sector(disksum, tmp_path):
    """The first 8 and the last 4 are in the descriptor: entries 0 and 511."""
    image = make(1 << 30)
    place = image.place(b"there")
    image.log.entry([bat_sector(image, {0: (FULLY_PRESENT, place), 1: (FULLY_PRESENT, place),
                                        510: (FULLY_PRESENT, place),
                                        511: (FULLY_PRESENT, place)})])
    check_replayed(disksum, image.write(tmp_path / "disk.vhdx"))


def test_header_and_signature(disksum, tmp_path):
    """They are read before the log, and do not change."""
    image = make()
    image.log.entry([data(64 << 10, bytes(4096)), data(128 << 10, bytes(4096)),
                     bat_sector(image, {2: (FULLY_PRESENT, image.place(b"third"))})])
    check_replayed(disksum, image.write(tmp_path / "disk.vhdx"), qemu=False)


@pytest.mark.sanitizer
def test_file_that_grows(disksum, tmp_path):
    """A block in what the replay adds has zeros. QEMU 7.2 adds nothing if the new size is
    a multiple of 1 MiB, as it must be."""
    image = make()
    place = image.end
    image.log.entry([bat_sector(image, {0: (FULLY_PRESENT, place)})], last=place + MIB)
    path = image.write(tmp_path / "disk.vhdx")
    check_replayed(disksum, path, qemu=False)
    image.log.entry([bat_sector(image, {0: (FULLY_PRESENT, place)})], last=place + MIB - 1)
    image.write(path)
    assert "lies beyond the end of the file" in refusal(disksum, path)


def crc_again(path, offset, changes):
    """Change bytes of a header, and its CRC."""
    with open(path, "r+b") as file:
        file.seek(offset)
        header = bytearray(file.read(4096))
        for at, content in changes.items():
            header[at:at + len(content)] = content
        file.seek(offset)
        file.write(sealed(header))


@pytest.mark.parametrize("place", ["100k", "515M", "1023M"])
def test_log_of_qemu(disksum, tmp_path, place):
    """What QEMU logs is replayed at once, but it stays where it is. As if it had crashed
    before: the BAT is as it was, and the headers have the identity of the entry."""
    path = tmp_path / "disk.vhdx"
    subprocess.run(["qemu-img", "create", "-q", "-f", "vhdx", "-o", "block_size=1M", path,
                    "1G"], check=True)
    write = ["qemu-io", "-f", "vhdx", "-c", f"write -P 7 {place} 10k", path]
    subprocess.run(write, check=True, stdout=subprocess.DEVNULL)
    right = qemu_sum(path)
    assert naive_sum(path) == right
    with open(path, "r+b") as file:
        content = file.read(3 * MIB)
        entry = content.rindex(b"loge", MIB, 2 * MIB)
        file.seek(2 * MIB)
        file.write(bytes(16384))        # the BAT
    for offset in 64 << 10, 128 << 10:
        crc_again(path, offset, {48: content[entry + 32:entry + 48]})
    check_good(disksum, path, qemu=False, ways=[[]])
    assert sums(disksum(path).stdout) == [right] == [replayed_by_qemu(path)]



def test_metadata_that_only_the_log_has(disksum, tmp_path):
    """The file ends before the region of the metadata, or within the table of it. What no
    change has there is zeros."""
    for missing in 0, 4096, 100:
        image = make()
        image.metadata = image.allocate(MIB)
        image.regions[1][1] = image.metadata
        content = image.metadata_bytes()
        changes = [data(image.metadata + at, content[at:at + 4096].ljust(4096, b"\0"))
                   for at in (0, 65536)]
        image.log.entry(changes, last=image.metadata + MIB)
        image.length = image.metadata + missing
        path = image.write(tmp_path / "disk.vhdx")
        check_replayed(disksum, path, qemu=False)
        assert sums(disksum(path).stdout) == [naive_sum(make().write(tmp_path / "whole.vhdx"))]


# --- which entries -----------------------------------------------------------

def entry_with(image, text, **fields):
    """An entry that makes block 2 one with this text."""
    return image.log.entry([bat_sector(image, {2: (FULLY_PRESENT, image.place(text))})],
                           **fields)


@pytest.mark.sanitizer
def test_stale_entries(disksum, tmp_path):
    """Entries of another time, or of another log, are not replayed."""
    image = make()
    entry_with(image, b"of another log", log_guid="99999999-2222-4333-8444-555555555555",
               sequence=100)
    image.log.tail = None
    entry_with(image, b"old", sequence=7)
    image.log.tail = None
    entry_with(image, b"new", sequence=20)
    image.log.tail = None
    entry_with(image, b"older", sequence=3)
    entry_with(image, b"of a CRC that is wrong", sequence=30, crc=1)
    path = image.write(tmp_path / "disk.vhdx")
    check_replayed(disksum, path)
    assert b"new" in vhdx_oracle.guest_bytes(path)


@pytest.mark.sanitizer
def test_ring_that_went_round(disksum, tmp_path):
    """The newest entries are before the oldest, the first of which is overwritten."""
    image = make(2 << 30)
    log, entries = image.log, 2 * MIB // 8192 + 3
    tails = []
    for n in range(entries):
        tails.append(log.at)
        state = (FULLY_PRESENT, image.end) if n % 50 == 0 else (ZERO, 0)
        if n % 50 == 0:
            image.place(b"%d" % n)
        log.entry([data(image.bat + n % 4 * 4096,
                        struct.pack("<512Q", *[state[0] | state[1]] * 3, *[0] * 509))],
                  tail=tails[max(0, n - 100)])
    check_replayed(disksum, image.write(tmp_path / "disk.vhdx"), qemu=False)


def test_only_from_the_tail_on(disksum, tmp_path):
    """What is before it is in the file already, and may have been changed there since."""
    image = make()
    entry_with(image, b"not to be replayed")
    image.put(image.bat + 16, bytes(8))
    image.log.tail = image.log.at
    image.log.entry([data(192 << 10, image.region_bytes()[:4096])])
    check_replayed(disksum, image.write(tmp_path / "disk.vhdx"), qemu=False)


def test_gap_in_the_numbers(disksum, tmp_path):
    """Two sequences, though their entries meet. QEMU 7.2 takes them for one."""
    image = make()
    entry_with(image, b"old", sequence=5)
    image.log.tail = image.log.at
    entry_with(image, b"new", sequence=7)
    check_replayed(disksum, image.write(tmp_path / "disk.vhdx"))


@pytest.mark.sanitizer
def test_padding(disksum, tmp_path):
    """An entry may be longer than what it has."""
    image = make()
    image.log.entry([bat_sector(image, {2: (FULLY_PRESENT, image.place(b"third"))})],
                    padding=6)
    entry_with(image, b"and again")
    check_replayed(disksum, image.write(tmp_path / "disk.vhdx"), qemu=False)


NOT_VALID = {
    "nothing": lambda image: None,
    "CRC": lambda image: entry_with(image, b"x", crc=1),
    "number 0": lambda image: entry_with(image, b"x", sequence=0),
    "signature": lambda image: entry_with(image, b"x", signature=b"logf"),
    "of another log": lambda image: entry_with(
        image, b"x", log_guid="99999999-2222-4333-8444-555555555555"),
    "length": lambda image: entry_with(image, b"x", length=8191),
    "length 0": lambda image: entry_with(image, b"x", length=0),
    "longer than the log": lambda image: entry_with(image, b"x", length=2 * MIB),
}


@pytest.mark.sanitizer
@pytest.mark.parametrize("name", NOT_VALID)
def test_no_entry(disksum, tmp_path, name):
    """There is nothing to replay, to QEMU as well."""
    image = make()
    NOT_VALID[name](image)
    check_good(disksum, image.write(tmp_path / "disk.vhdx"), ways=[[]])


# --- what cannot be replayed -------------------------------------------------

def bad_descriptor(**fields):
    def change(image):
        one = bat_sector(image, {2: (ZERO, 0)}) | fields
        image.log.entry([one])
    return change


BROKEN = "its entry at 0 is broken"
NOT_REPLAYED = {
    "no tail": (lambda image: entry_with(image, b"x", tail=4096),
                "no sequence of its entries is complete"),
    "tail behind the log": (lambda image: entry_with(image, b"x", tail=MIB),
                            "no sequence of its entries is complete"),
    "first entry is lost": (
        lambda image: (entry_with(image, b"x"), entry_with(image, b"y"),
                       image.log.writes.pop(0)), "no sequence of its entries is complete"),
    "descriptor of another entry": (bad_descriptor(sequence=9), BROKEN),
    "descriptor of nothing": (bad_descriptor(signature=b"none"), BROKEN),
    "offset": (bad_descriptor(offset=2 * MIB + 512), BROKEN),
    "data sector": (bad_descriptor(data=b"date"), BROKEN),
    "length of zeros": (lambda image: image.log.entry([zero(image.bat, 4097)]), BROKEN),
    "tail within a sector": (lambda image: entry_with(image, b"x", tail=1), BROKEN),
    "descriptors": (lambda image: image.log.entry([], count=127), BROKEN),
    "no data": (lambda image: image.log.entry(
        [bat_sector(image, {2: (ZERO, 0)}), bat_sector(image, {2: (ZERO, 0)})], length=8192), None),
    "zeros where no file ends": (lambda image: image.log.entry(
        [zero((1 << 63) - 4096, 8192)]), "it writes beyond the largest file"),
    "all zeros": (lambda image: image.log.entry([zero(4096, (1 << 64) - 4096)]),
                  "it writes beyond the largest file"),
    "itself": (lambda image: image.log.entry([zero(MIB + 8192, 4096)]), "it changes itself"),
    "itself, and all": (lambda image: image.log.entry([zero(0, 1 << 40)]), "it changes itself"),
}


@pytest.mark.sanitizer(every=4)
@pytest.mark.parametrize("name", NOT_REPLAYED)
def test_not_replayed(disksum, tmp_path, name):
    change, why = NOT_REPLAYED[name]
    image = make()
    change(image)
    path = image.write(tmp_path / "disk.vhdx")
    if why is None:     # its CRC is that of more bytes than it says to have
        check_good(disksum, path, ways=[[]])
        return
    assert refusal(disksum, path) == \
        f"the log of the VHDX image must be replayed, but {why}; {ADVICE}'{path}'"
    assert qemu_sum(path) is None


@pytest.mark.sanitizer
def test_truncated(disksum, tmp_path):
    image = make()
    entry_with(image, b"x", flushed=64 * MIB)
    path = image.write(tmp_path / "disk.vhdx")
    assert refusal(disksum, path) == \
        "broken VHDX image: it is truncated: it has 7340032 bytes, but had 67108864 when " \
        "its log was written"
    assert naive_sum(path) is None
    image.log.tail = image.log.at
    entry_with(image, b"y", flushed=image.end)
    check_replayed(disksum, image.write(path), qemu=False)


@pytest.mark.sanitizer
def test_block_that_the_log_changes(disksum, tmp_path):
    """The log is for metadata alone."""
    image = make()
    image.log.entry([data(image.data(2, b"third") + 4096, b"x" * 4096)])
    path = image.write(tmp_path / "disk.vhdx")
    assert refusal(disksum, path).startswith(
        "broken VHDX image: a block that is changed by the log, which is for metadata: at "
        "guest offset 2097152")
    image.block(2, ZERO)
    check_replayed(disksum, image.write(path))


def test_too_large(disksum, tmp_path):
    image = make(log_length=65 * MIB)
    entry_with(image, b"x")
    path = image.write(tmp_path / "disk.vhdx")
    assert "but it is larger than 64 MiB; " + ADVICE in refusal(disksum, path)
    image = make(log_length=64 * MIB)
    entry_with(image, b"x")
    check_replayed(disksum, image.write(path), qemu=False)


def test_too_many_changes(disksum, tmp_path):
    image = make(log_length=2 * MIB)
    image.log.entry([zero(image.bat, 4096)] * 2047 + [bat_sector(image, {2: (ZERO, 0)})])
    path = image.write(tmp_path / "disk.vhdx")
    check_good(disksum, path, qemu=None, ways=[[]])
    image = make(log_length=2 * MIB)
    image.log.entry([zero(image.bat, 4096)] * 2049)
    image.write(path)
    assert "but it has too many changes; " in refusal(disksum, path)


@pytest.mark.parametrize("offset", [0, 64 << 10, 128 << 10, 192 << 10, MIB, MIB + 4096,
                                    2 * MIB, 3 * MIB, 6 * MIB + 100])
def test_read_error(disksum, build, tmp_path, offset):
    """In each part of the image."""
    image = make()
    entry_with(image, b"third")
    path = image.write(tmp_path / "disk.vhdx")
    done = disksum(path, check=False, env={"LD_PRELOAD": str(build / "tests/read-error.so"),
                                           "READ_ERROR_OFFSET": str(offset)})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"disksum: {path}: read error at offset {offset}: Input/output error\n"


# --- hostile logs ------------------------------------------------------------

def fill(image, length, tail=0, good=False):
    """An entry at each sector, which claims to have so many sectors."""
    for at in range(0, image.log.length, 4096):
        size = length(at)
        head = struct.pack("<4sIIIQII16sQQ", b"loge", 0, size, tail, at // 4096 + 1, 0, 0,
                           guid(LOG_GUID), 0, 0)
        content = head.ljust(4096, b"\0")
        image.log.writes.append((at, sealed(content) if good else content))


@pytest.mark.sanitizer
def test_entries_that_overlap(disksum, tmp_path):
    """256 entries, each of which has all of the log."""
    image = make()
    fill(image, lambda at: MIB)
    assert "but its entries overlap; " in refusal(disksum, image.write(tmp_path / "disk.vhdx"))


@pytest.mark.sanitizer
def test_sequence_without_a_beginning(disksum, tmp_path):
    """2048 entries that are one sequence, from wherever one looks."""
    image = make(log_length=8 * MIB)
    fill(image, lambda at: 4096, tail=8 * MIB, good=True)
    assert "but no sequence of its entries is complete; " in \
        refusal(disksum, image.write(tmp_path / "disk.vhdx"))


def test_random_bytes(disksum, tmp_path):
    """Changed anywhere, the log is the same, another one, or refused."""
    rnd = random.Random(12)
    image = make()
    for text in b"one", b"two", b"three":
        entry_with(image, text)
    path = image.write(tmp_path / "disk.vhdx")
    whole = path.read_bytes()
    for _ in range(30):
        content = bytearray(whole)
        content[MIB + rnd.randrange(3 * 8192)] ^= 1 << rnd.randrange(8)
        path.write_bytes(content)
        done = disksum(path, check=False)
        assert (sums(done.stdout) or [None]) == [naive_sum(path)]
