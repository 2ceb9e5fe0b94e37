# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ways to hash a disk: each has options at random, and compares what comes out with
the bytes of the disk. way(case, disk)."""

import functools
import hashlib
import json
import os
import pathlib
import subprocess
import tarfile
import tempfile

import diff_oracle
import list_oracle
from case import KIB, MIB, NAIVE
from oracle import checksum
from qcow2_compare import sparse_checksum

# Names of disksum and of hashlib.
DIGESTS = {"sha256": "sha256", "sha1": "sha1", "md5": "md5", "sha512": "sha512",
           "blake2b512": "blake2b", "blake2s256": "blake2s", "sha3-256": "sha3_256",
           "sha512-224": "sha512_224"}
BLOCK_SIZES = [512, 1536, 4 * KIB, 64 * KIB, 64 * KIB, 66048, 256 * KIB, MIB, 16 * MIB]


@functools.lru_cache
def has_ring(program):
    """Whether this kernel allows io_uring."""
    with tempfile.NamedTemporaryFile(dir=".") as file:
        file.write(bytes(4096))
        file.flush()
        done = subprocess.run([program, "-T", "none", file.name], capture_output=True, text=True,
                              env={**os.environ, "DISKSUM_READS": "ring"})
    return "cannot set up reads" not in done.stderr


def reading(case):
    """Options and variables that never change a checksum."""
    draw = case.draw
    words = []
    if case.chance(0.6):
        words += [f"--threads={draw.choice([1, 1, 2, 3, 4, 16])}"]
    if case.chance(0.4):
        words += [f"--queue-depth={draw.choice([1, 1, 2, 8, 64])}"]
    if case.chance(0.4):
        words += [f"--read-size={draw.choice(['4k', '64k', '77k', '256k', '4M', '64M'])}"]
    if case.chance(0.3):
        words += ["-T", draw.choice(["none", "none", "directsync", "writeback", "unsafe"])]
    if case.chance(0.15):
        words += ["--no-extents"]
    if case.chance(0.1):
        words += ["-U"]
    variables = {}
    if case.chance(0.3):
        direct = any(word in ("none", "directsync") for word in words)
        method = draw.choice(["ring", "threads"] if direct else ["mmap", "copy"])
        variables["DISKSUM_READS"] = method if method != "ring" or has_ring(case.program) \
            else "threads"
    return words, variables


def digest(case):
    """The name of a digest, its block size, and the options that choose them."""
    draw = case.draw
    if case.chance(0.4):
        return "sha256", 64 * KIB, []
    name, size = draw.choice(list(DIGESTS)), draw.choice(BLOCK_SIZES)
    if case.chance(0.5):
        return name, size, ["-d", f"{name}/{size}"]
    return name, size, [f"--digest={name}", f"--block-size={size}"]


def sum_of(disk, name="sha256", size=64 * KIB):
    if disk.content is None:
        return disk.checksum
    return checksum(disk.content, size, DIGESTS[name])


def first_word(out):
    return out.lstrip("\\").split()[0]


def hash_it(case, disk):
    """With any options."""
    words, variables = reading(case)
    name, size, choice = digest(case) if disk.content is not None else \
        ("sha256", 64 * KIB, [])
    format_words = disk.words
    if disk.probed and disk.form != "raw" and case.chance(0.3):
        format_words = disk.options
    out = case.run(*words, *choice, *format_words, disk.image, env=variables)
    case.require_equal(first_word(out), sum_of(disk, name, size))


def as_json(case, disk):
    words, variables = reading(case)
    value = json.loads(case.run("--json", *words, *disk.words, disk.image, env=variables))
    case.require_equal(value["checksum"], disk.checksum)
    case.require_equal(value["virtual-size"], disk.size, "the size")
    case.require_equal(sum(value[key] for key in ("data", "zero", "hole", "known")),
                       disk.size, "data, zero, hole and known")


def several_digests(case, disk):
    """In one pass."""
    size = case.draw.choice([4 * KIB, 64 * KIB])
    words, variables = reading(case)
    out = case.run("-d", "sha256/64k", "-d", f"sha512/{size}", "--plain=md5",
                   "--plain=sha256", *words, *disk.words, disk.image, env=variables)
    found = [line.rsplit(" = ", 1)[1] for line in out.splitlines()]
    case.require_equal(found, [
        disk.checksum, checksum(disk.content, size, "sha512"),
        hashlib.md5(disk.content).hexdigest(), hashlib.sha256(disk.content).hexdigest()])


def part(case, disk):
    draw = case.draw
    start = draw.randrange(disk.size + 1)
    if case.chance(0.5):
        start -= start % 512
    words = [f"--offset={start}"]
    content = disk.content[start:]
    if case.chance(0.7):
        length = draw.randrange(len(content) + 1)
        words.append(f"--length={length}")
        content = content[:length]
    more, variables = reading(case)
    out = case.run(*words, *more, *disk.words, disk.image, env=variables)
    case.require_equal(first_word(out), checksum(content))


def expect(case, disk):
    out = case.run(f"--expect={disk.checksum}", *disk.words, disk.image)
    case.require_equal(out.endswith(": OK\n"), True, "the verdict")
    wrong = disk.checksum[:-1] + ("0" if disk.checksum[-1] != "0" else "1")
    out = case.run(f"--expect={wrong}", *disk.words, disk.image, status=1, may_tell=True)
    case.require_equal(out.endswith(": FAILED\n"), True, "the verdict")


def check(case, disk):
    """A line that was printed is verified."""
    name, size, choice = digest(case)
    if "--image-opts" in disk.options:
        return
    style = case.draw.choice([["--tag"], ["--json"], []])
    out = case.run(*style, *choice, *disk.words, disk.image)
    pathlib.Path("SUMS").write_text(out)
    words = disk.words if not style else disk.words[:2]
    out = case.run("--check", *(choice if not style else []), *words, "SUMS")
    case.require_equal(out.endswith(": OK\n"), True, "the verdict")


def standard_input(case, disk):
    if "--image-opts" in disk.options:
        return
    words, variables = reading(case)
    out = case.run(*words, *disk.words, "-", stdin=disk.image, env=variables)
    case.require_equal(first_word(out), disk.checksum)


def export(case, disk):
    """By qemu-nbd, which reads the image; by nbdkit, from which disksum reads it."""
    words, variables = reading(case)
    words = [word for word in words if word not in ("-U",)]
    if case.chance(0.5) and disk.alone and disk.form != "raw":
        server = ["nbdkit", "-r", "file", disk.image]
        words += disk.words
    elif not disk.for_qemu:
        return
    else:
        server = ["qemu-nbd", "-r", "-e", str(case.draw.choice([1, 4]))]
        server += disk.words if "-l" not in disk.options else \
            ["-f", disk.form, "-l", f"snapshot.name={disk.options[1]}"]
        server += [disk.image]
    # qemu-nbd warns of odd images, such as bitmaps in one of version 2.
    out = case.run(*words, "--", "[", *server, "]", env=variables,
                   may_tell=server[0] == "qemu-nbd")
    case.require_equal(first_word(out), disk.checksum)


def pipe(case, disk):
    """The raw disk, front to back."""
    command = f'cat converted | "$0" {case.draw.choice(["", "--threads=1", "-d md5"])} -f raw'
    out = case.tool("sh", "-c", command, case.program, limit=False)
    case.require_equal(first_word(out), checksum(
        disk.content, digest="md5" if "md5" in command else "sha256"))


def member(case, disk):
    """Of an archive."""
    if not (disk.alone and disk.native):
        return
    with tarfile.open("archive.tar", "w", format=case.draw.choice(
            [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])) as archive:
        if case.chance(0.5):
            archive.add("noise-b")
        archive.add(disk.image, "dir/" + disk.image)
    words, variables = reading(case)
    out = case.run(f"--member=dir/{disk.image}", *words, *disk.words, "archive.tar",
                   env=variables)
    case.require_equal(first_word(out), disk.checksum)


# --- digest lists ----------------------------------------------------------------

def write_list(case, disk):
    """It has the digests of all blocks, and is equal to the disk."""
    name, size, choice = digest(case)
    words, variables = reading(case)
    out = case.run("--write-list=disk.blkhash", *words, *choice, *disk.words, disk.image,
                   env=variables)
    case.require_equal(first_word(out), sum_of(disk, name, size))
    written = list_oracle.read_list(pathlib.Path("disk.blkhash").read_bytes()) \
        if name in hashlib.algorithms_available else None
    if written:
        right = list_oracle.read_list(list_oracle.write_list(
            disk.content, block_size=size, digest=name))
        case.require_equal(written.mds == right.mds, True, "all digests of the list")
    case.require_equal(first_word(case.run("--show", "disk.blkhash")), first_word(out))
    if disk.probed and not disk.options:
        case.require_equal(case.run("--diff", "disk.blkhash", disk.image), "", "differences")


def shards(case, disk):
    """Parts of a list, merged in any order."""
    count = case.draw.randint(1, 5)
    names = []
    for number in range(1, count + 1):
        names.append(f"{number}.blkhash")
        case.run(f"--shard={number}/{count}", f"--write-list={names[-1]}", *disk.words,
                 disk.image)
    case.draw.shuffle(names)
    out = case.run("--merge", "--write-list=merged.blkhash", *names)
    case.require_equal(first_word(out), disk.checksum)
    case.require_equal(first_word(case.run("--show", "merged.blkhash")), disk.checksum)


def resume(case, disk):
    """A list that was cut somewhere is continued."""
    words = ["--write-list=resumed.blkhash", *disk.words, disk.image]
    case.run(*words)
    whole = pathlib.Path("resumed.blkhash").read_bytes()
    os.unlink("resumed.blkhash")
    cut = case.draw.randrange(len(whole) + 1)
    case.log.append(f"# resumed.blkhash.part has its first {cut} bytes")
    pathlib.Path("resumed.blkhash.part").write_bytes(whole[:cut])
    case.require_equal(first_word(case.run("--resume", *words)), disk.checksum)
    case.require_equal(first_word(case.run("--show", "resumed.blkhash")), disk.checksum)


def since(case, disk):
    """Only what has changed, by a bitmap."""
    if disk.since:
        value = json.loads(case.run("--json", *disk.since, *disk.words, disk.image))
        case.require_equal(value["checksum"], disk.checksum)


def above(case, disk):
    """Only what is above the image below, by the layers or by qemu-img map."""
    if not disk.below or not disk.native or disk.options or disk.form != "qcow2":
        return
    name, form = disk.below
    info = json.loads(case.tool("qemu-img", "info", "--output=json", "-f", form, name))
    if info["virtual-size"] != disk.size:
        return                  # disksum wants the whole disk to be hashed once
    case.run("--write-list=below.blkhash", "-f", form, name)
    if case.chance(0.5):
        words = [f"--base-image={name}"]
    else:
        changes = case.tool("qemu-img", "map", "--output=json", "-f", disk.form, disk.image)
        pathlib.Path("changes.json").write_text(changes)
        words = ["--changes=changes.json"]
    out = case.run("--base=below.blkhash", *words, *disk.words, disk.image)
    case.require_equal(first_word(out), disk.checksum)


# --- differences -----------------------------------------------------------------

def differences(case, disk, a, b, expected):
    out = case.run("--diff", *case.draw.choice([[], ["--json"], ["-t", "1"]]), a, b,
                   status=1 if expected else 0)
    lines = [line for line in out.splitlines() if '"compared"' not in line]
    case.require_equal(diff_oracle.parse("\n".join(lines)), expected, "the differences")


def diff(case, disk):
    """With a copy that was changed, as bytes or by a list."""
    if not disk.probed or disk.options:
        return
    changed = diff_oracle.change(disk.content, case.draw.randrange(1 << 30))
    if case.chance(0.3):
        changed = changed[:case.draw.randrange(len(changed) + 1)]
    pathlib.Path("changed.raw").write_bytes(changed)
    if case.chance(0.5):
        differences(case, disk, disk.image, "changed.raw",
                    diff_oracle.difference(disk.content, changed))
        return
    size = case.draw.choice([512, 64 * KIB, 66048])
    case.run("--write-list=a.blkhash", f"--block-size={size}", *disk.words, disk.image)
    differences(case, disk, "a.blkhash", "changed.raw",
                diff_oracle.difference_of_blocks(disk.content, diff_oracle.pad(changed), size))


ANY = [hash_it, hash_it, hash_it, as_json]
OTHERS = [several_digests, part, expect, check, standard_input, export, pipe, member,
          write_list, shards, resume, diff, diff]


def learn(disk, raw):
    """Take what a disk must be from a raw image."""
    disk.size = os.path.getsize(raw)
    if disk.size <= NAIVE:
        disk.content = pathlib.Path(raw).read_bytes()
        disk.checksum = checksum(disk.content)
    else:
        disk.content = None
        disk.checksum = sparse_checksum(raw)


def compare(case, disk):
    """Hash a disk in some ways."""
    hash_it(case, disk)
    if disk.content is None:
        ways = [case.draw.choice(ANY)]
    else:
        ways = [case.draw.choice(ANY), *case.draw.sample(OTHERS, 2), since, above]
    for way in ways:
        case.log.append(f"# {way.__name__.replace('_', ' ')}: {way.__doc__ or ''}".rstrip(": "))
        way(case, disk)


__all__ = ["compare", "learn"]
