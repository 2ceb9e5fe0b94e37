# SPDX-License-Identifier: LGPL-2.1-or-later
"""--plain: the digests of all bytes of a disk, as sha256sum and others compute them
of the output of 'qemu-img convert -O raw'."""

import hashlib
import json
import os
import random
import subprocess

import pytest

from oracle import checksum, random_spec, write_image

# Borders that no block size divides, holes, and zeros longer than a slot.
SPEC = "100k:A 3000:0 1M:- 70001:B 64k:C 3M:- 200k:D 64k:0 33k:E"

# The name of the digest, and what computes it.
PROGRAMS = {
    "md5": "md5sum", "sha1": "sha1sum", "sha256": "sha256sum",
    "sha512": "sha512sum", "blake2b512": "b2sum", "blake3": "b3sum"}
TAGS = {"blake2b512": "BLAKE2b"}
PLAIN = [f"--plain={name}" for name in PROGRAMS]

# All in one pass: with several threads, with reads in flight, without.
WAYS = [["-t1", "--queue-depth=1"], ["-t2", "--read-size=4k"],
        ["-t3", "--queue-depth=2", "--read-size=192k"], ["-t4", "-T", "none"]]


def sum_of(program, path):
    done = subprocess.run([program], stdin=path.open("rb"), check=True,
                          stdout=subprocess.PIPE)
    return done.stdout.decode().split()[0]


def qemu_img(*args):
    subprocess.run(["qemu-img", *map(os.fspath, args)], check=True,
                   stdout=subprocess.DEVNULL)


def lines(name, path):
    """What is printed for an image with the content of a raw one: a checksum of
    blocks, and all plain ones."""
    return [f"BLKHASH-SHA1-4K ({name}) = {checksum(path, 4096, 'sha1')}"] + [
        f"{TAGS.get(digest, digest.upper())} ({name}) = {sum_of(program, path)}"
        for digest, program in PROGRAMS.items()]


def check(disksum, directory, *args, ways=WAYS, **kwargs):
    """The checksums of an image are those of directory/expected."""
    expected = lines(kwargs.pop("name", args[-1]), directory / "expected")
    for way in ways:
        out = disksum("-d", "sha1/4k", *PLAIN, *way, *args, cwd=directory,
                      **kwargs).stdout
        assert out.splitlines() == expected, way


@pytest.fixture
def raw(tmp_path):
    write_image(tmp_path / "raw", SPEC)
    return tmp_path / "raw"


# --- every kind of image --------------------------------------------------

FORMATS = {
    "raw": ["raw"],
    "qcow2": ["qcow2"],
    "small clusters": ["qcow2", "-o", "cluster_size=512"],
    "subclusters": ["qcow2", "-o", "extended_l2=on,cluster_size=128k"],
    "zlib": ["qcow2", "-c"],
    "zstd": ["qcow2", "-c", "-o", "compression_type=zstd,cluster_size=2M"],
    "sparse VMDK": ["vmdk"],
    "stream VMDK": ["vmdk", "-o", "subformat=streamOptimized"],
    "flat VMDK": ["vmdk", "-o", "subformat=twoGbMaxExtentFlat"],
    "VDI": ["vdi"],
    "VHDX": ["vhdx"],
    "VPC": ["vpc"],
    "QED": ["qed"],
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.sanitizer(every=5)
def test_formats(disksum, tmp_path, raw, name):
    qemu_img("convert", "-O", *FORMATS[name], raw, tmp_path / "disk")
    qemu_img("convert", "-O", "raw", tmp_path / "disk", tmp_path / "expected")
    check(disksum, tmp_path, "disk", ways=WAYS[-1:] if name == "QED" else WAYS)


def test_fixed_vpc(disksum, tmp_path, raw):
    qemu_img("convert", "-O", "vpc", "-o", "subformat=fixed", raw,
             tmp_path / "disk")
    qemu_img("convert", "-f", "vpc", "-O", "raw", tmp_path / "disk",
             tmp_path / "expected")
    check(disksum, tmp_path, "-f", "vpc", "disk")


def test_chain_and_snapshot(disksum, tmp_path, raw):
    """An overlay that is longer than what is below it, and its state before a
    write."""
    qemu_img("convert", "-O", "qcow2", "-c", raw, tmp_path / "base")
    qemu_img("create", "-q", "-f", "qcow2", "-b", "base", "-F", "qcow2",
             tmp_path / "disk", "5M")
    subprocess.run(
        ["qemu-io", "-c", "write -P 3 90k 30k", "-c", "write -z 1M 7k",
         tmp_path / "disk"], check=True, stdout=subprocess.DEVNULL)
    qemu_img("snapshot", "-c", "s", tmp_path / "disk")
    subprocess.run(
        ["qemu-io", "-c", "write -P 4 4M 100k", tmp_path / "disk"], check=True,
        stdout=subprocess.DEVNULL)
    qemu_img("convert", "-O", "raw", tmp_path / "disk", tmp_path / "expected")
    check(disksum, tmp_path, "disk")
    qemu_img("convert", "-l", "s", "-O", "raw", tmp_path / "disk",
             tmp_path / "expected")
    out = disksum("--plain=sha256", "-l", "s", "disk", cwd=tmp_path).stdout
    assert out.split()[0] == sum_of("sha256sum", tmp_path / "expected")


@pytest.mark.parametrize("spec", ["", "1:A", "511:-", "512:0", "64k:A", "65537:-",
                                  "9M:-", "1M:A 1M:0"])
def test_sizes(disksum, tmp_path, spec):
    """A disk is padded to a whole sector, as QEMU shows it."""
    write_image(tmp_path / "disk", spec)
    qemu_img("convert", "-f", "raw", "-O", "raw", tmp_path / "disk",
             tmp_path / "expected")
    check(disksum, tmp_path, "disk")


@pytest.mark.sanitizer(every=3)
@pytest.mark.parametrize("seed", range(6))
def test_random(disksum, tmp_path, seed):
    rnd = random.Random(seed)
    content = write_image(tmp_path / "disk", random_spec(rnd, parts=40))
    (tmp_path / "expected").write_bytes(content + bytes(-len(content) % 512))
    check(disksum, tmp_path, "disk", ways=[WAYS[seed % 4]])


@pytest.mark.sanitizer
def test_pipe(disksum, tmp_path, raw):
    content = raw.read_bytes()
    (tmp_path / "expected").write_bytes(content + bytes(-len(content) % 512))
    check(disksum, tmp_path, "-", input=content)
    (tmp_path / "expected").write_bytes(b"")
    check(disksum, tmp_path, "-", input=b"", ways=WAYS[:1])


def test_exports_and_commands(disksum, servers, tmp_path, raw):
    qemu_img("convert", "-O", "raw", raw, tmp_path / "expected")
    uri, _ = servers.nbdkit("file", tmp_path / "expected")
    check(disksum, tmp_path, uri)
    uri, _ = servers.qemu_nbd(tmp_path / "expected")
    check(disksum, tmp_path, "--no-extents", uri)
    check(disksum, tmp_path, "--", "[", "nbdkit", "file", "expected", "]",
          name="[ nbdkit file expected ]", ways=WAYS[2:3])


def test_device(disksum, loop_device, tmp_path, raw):
    qemu_img("convert", "-O", "raw", raw, tmp_path / "expected")
    check(disksum, tmp_path, loop_device(tmp_path / "expected"))


def test_every_digest(disksum, tmp_path):
    """Sixteen at once, as many as there can be."""
    content = write_image(tmp_path / "disk", "64k:A 3000:- 1M:0 72:B")
    # OpenSSL and hashlib write some names differently.
    known = {name.replace("_", "-"): name for name in
             hashlib.algorithms_available if not name.startswith("shake")}
    known |= {"blake2b512": "blake2b", "blake2s256": "blake2s"}
    names = disksum("--list-digests").stdout.split()
    compared = 0
    for start in range(0, len(names), 16):
        some = names[start:start + 16]
        out = disksum("--json", *(f"--plain={name}" for name in some), "disk",
                      cwd=tmp_path).stdout
        found = {o["algorithm"]: o["checksum"]
                 for o in map(json.loads, out.splitlines())}
        assert list(found) == some
        for name in known.keys() & found.keys():
            assert found[name] == hashlib.new(known[name], content).hexdigest()
            compared += 1
    assert compared > 10


# --- what is printed ------------------------------------------------------

def test_one_line_is_that_of_sha256sum(disksum, tmp_path):
    """Also of names that are escaped, with -z, and with --tag."""
    names = ["disk", "a\nb", "c\\d"]
    for name in names:
        write_image(tmp_path / name, "64k:A 4k:-")
    for options in [], ["-z"], ["--tag"]:
        gnu = subprocess.run(["sha256sum", *options, *names], cwd=tmp_path,
                             stdout=subprocess.PIPE, check=True).stdout
        assert disksum("--plain=sha256", *options, *names,
                       cwd=tmp_path).stdout == gnu.decode()


def test_several_lines_are_those_of_cksum(disksum, tmp_path):
    """Which can check them. The same digest by another name counts once, and the
    checksums of blocks come first."""
    write_image(tmp_path / "disk", "64k:A 4k:-")
    args = ["--plain=md5", "--plain=SHA-256", "--plain=blake2b512",
            "--plain=sha256", "--plain=MD5"]
    out = disksum(*args, "disk", cwd=tmp_path).stdout
    gnu = "".join(
        subprocess.run(["cksum", "-a", name, "disk"], cwd=tmp_path, check=True,
                       stdout=subprocess.PIPE).stdout.decode()
        for name in ("md5", "sha256", "blake2b"))
    assert out == gnu
    assert disksum("-c", input=out, cwd=tmp_path).stdout == "disk: OK\n" * 3
    out = disksum("--plain=md5", "-d", "sha256", "--plain=sha1", "disk",
                  cwd=tmp_path).stdout
    assert [line.split()[0] for line in out.splitlines()] == \
        ["BLKHASH-SHA256-64K", "MD5", "SHA1"]
    assert subprocess.run(
        ["cksum", "--check"], input="".join(out.splitlines(True)[1:]).encode(),
        cwd=tmp_path, check=True, stdout=subprocess.PIPE).stdout == \
        b"disk: OK\n" * 2


def test_json(disksum, tmp_path):
    """An object for each digest."""
    content = write_image(tmp_path / "disk", "64k:A 64k:-")
    out = disksum("--json", "--plain=sha1", "-d", "md5", "--plain=sha256", "disk",
                  cwd=tmp_path).stdout
    objects = [json.loads(line) for line in out.splitlines()]
    assert [(o["filename"], o["construction"], o["algorithm"],
             o.get("block-size"), o["checksum"]) for o in objects] == [
        ("disk", "blkhash", "md5", 65536, checksum(content, digest="md5")),
        ("disk", "plain", "sha1", None, hashlib.sha1(content).hexdigest()),
        ("disk", "plain", "sha256", None, hashlib.sha256(content).hexdigest())]
    assert disksum("-c", input=out, cwd=tmp_path).stdout == "disk: OK\n" * 3


def test_json_of_an_error(disksum, tmp_path):
    """One object: the image failed, not each digest."""
    result = disksum("--json", "--plain=sha1", "--plain=md5", "no", cwd=tmp_path,
                     check=False)
    assert result.returncode == 1
    assert json.loads(result.stdout)["error"] == "no: No such file or directory"


def test_verbose(disksum, tmp_path):
    write_image(tmp_path / "disk", "64k:A")
    result = disksum("-v", "--plain=md5", "disk", cwd=tmp_path, check=False)
    assert result.returncode == 0
    assert "; plain md5, threads: " in result.stderr
    assert "kernel" not in result.stderr
    result = disksum("-v", "--plain=md5", "-d", "sha1", "-d", "sha256/1M", "disk",
                     cwd=tmp_path, check=False)
    assert "; sha1 in blocks of 65536 bytes by openssl, " \
        "sha256 in blocks of 1048576 bytes by " in result.stderr
    assert ", plain md5, threads: " in result.stderr
    assert result.stderr.count("sha256 kernel: ") == 1


def test_error_prints_no_checksum(build, fails, tmp_path):
    """With several digests, none of them."""
    write_image(tmp_path / "disk", "1M:A 1M:B")
    for way in WAYS:
        place = 1500000 // 4096 * 4096 if "-T" in way else 1500000
        assert fails(
            "-d", "md5", *PLAIN, *way, "disk", cwd=tmp_path,
            env={"LD_PRELOAD": f"{build}/tests/read-error.so",
                 "READ_ERROR_OFFSET": "1500000", "DISKSUM_READS": "threads"}) == \
            f"disk: read error at offset {place}: Input/output error"


# --- with other options ---------------------------------------------------

def test_write_list(disksum, tmp_path):
    """A list has digests of blocks: so there is a checksum of it, too."""
    content = write_image(tmp_path / "disk", "100k:A 64k:-")
    content += bytes(-len(content) % 512)
    out = disksum("--plain=md5", "--block-size=4k", "--write-list=list", "disk",
                  cwd=tmp_path).stdout
    assert out == f"BLKHASH-SHA256-4K (disk) = {checksum(content, 4096)}\n" \
        f"MD5 (disk) = {hashlib.md5(content).hexdigest()}\n"
    assert disksum("--tag", "--show", "list", cwd=tmp_path).stdout == \
        out.splitlines(True)[0].replace("(disk)", "(list)")


@pytest.mark.parametrize("args, message", [
    (["--plain=nix"], "unknown digest 'nix'; see --list-digests"),
    (["--plain=sha256/64k"], "unknown digest 'sha256/64k'; see --list-digests"),
    (["--plain=md5", "--block-size=1M"],
     "the --block-size option is meaningless without blocks, as with --plain"),
    (["--plain=md5", "--diff", "a", "b"],
     "the --plain and --diff options are mutually exclusive"),
    (["--plain=md5", "--show", "a"],
     "the --plain and --show options are mutually exclusive"),
    (["--plain=md5", "--merge", "a"],
     "the --plain and --merge options are mutually exclusive"),
    (["--plain=md5", "--write-list=l", "--resume", "a"],
     "the --plain and --resume options are mutually exclusive"),
    (["--plain=md5", "--write-list=l", "--shard=1/2", "a"],
     "the --plain and --shard options are mutually exclusive"),
    (["--plain=md5", "--base=l", "--bitmap=b", "a"],
     "the --plain and --base options are mutually exclusive"),
    (["--plain=md5", "--write-list=-", "a"],
     "the checksums of several digests and the list cannot both go to standard "
     "output"),
    (["--plain=md5", "-d", "md5", "-c", "a"],
     "with the --check option, there can be only one digest"),
])
def test_wrong_usage(disksum, tmp_path, args, message):
    result = disksum(*args, cwd=tmp_path, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"disksum: {message}\n" \
        "Try 'disksum --help' for more information.\n"
    assert not list(tmp_path.iterdir())
