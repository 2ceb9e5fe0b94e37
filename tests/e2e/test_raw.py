# SPDX-License-Identifier: LGPL-2.1-or-later
"""Raw images with data, zeros and holes at unaligned offsets, compared with the
oracle: by every kernel, number of threads, queue depth and read method."""

import os
import random
import subprocess

import pytest

from conftest import kernels, sums
from oracle import checksum, random_spec, write_image

BLOCK_SIZES = [512, 1536, 4096, 4608, 65536, 1 << 20]
IMAGES = 40


class Images:
    """Images and the oracle's checksums of them."""

    def __init__(self, directory, seed, count):
        rnd = random.Random(seed)
        self.paths = [directory / f"{seed}-{n}" for n in range(count)]
        self.contents = [write_image(path, random_spec(rnd))
                         for path in self.paths]
        self.known = {}

    def checksums(self, block_size, digest="sha256"):
        key = block_size, digest
        if key not in self.known:
            self.known[key] = [checksum(content, block_size, digest)
                               for content in self.contents]
        return self.known[key]


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    return Images(tmp_path_factory.mktemp("images"), "raw", IMAGES)


def check(disksum, images, options, block_size, **env):
    out = disksum(*options, f"--block-size={block_size}", *images.paths,
                  env=env).stdout
    assert sums(out) == images.checksums(block_size)


@pytest.mark.parametrize("threads", range(1, 9))
@pytest.mark.parametrize("kernel", kernels())
def test_kernel_threads_depth(disksum, images, kernel, threads):
    rnd = random.Random(f"{kernel} {threads}")
    for depth in rnd.sample(range(1, 33), 8):
        check(disksum, images,
              ["-t", str(threads), f"--queue-depth={depth}",
               "--read-size=" + rnd.choice(["4k", "64k", "100k", "1M", "3M"])],
              rnd.choice(BLOCK_SIZES), BLKHASH_SHA256=kernel,
              DISKSUM_READS=rnd.choice(["mmap", "copy"]))


@pytest.mark.parametrize("depth", range(1, 33))
def test_every_depth(disksum, images, depth):
    check(disksum, images, ["-t", "2", f"--queue-depth={depth}"], 65536)


@pytest.mark.sanitizer
@pytest.mark.parametrize("method", ["mmap", "copy"])
@pytest.mark.parametrize("block_size", BLOCK_SIZES)
def test_serial_is_parallel(disksum, images, block_size, method):
    check(disksum, images, ["-t", "1", "--queue-depth", "1"], block_size,
          DISKSUM_READS=method)
    check(disksum, images, ["-t", "8", "--queue-depth", "32"], block_size,
          DISKSUM_READS=method)


@pytest.mark.sanitizer
@pytest.mark.parametrize("mode", ["none", "directsync"])
def test_direct(disksum, images, reads, mode):
    rnd = random.Random(reads + mode)
    for depth in 1, 2, 7, 32:
        check(disksum, images,
              ["-T", mode, "-t", str(rnd.randrange(1, 5)),
               f"--queue-depth={depth}",
               "--read-size=" + rnd.choice(["4k", "100k", "1M"])],
              rnd.choice(BLOCK_SIZES), DISKSUM_READS=reads)


@pytest.mark.parametrize("mode", ["writeback", "writethrough", "unsafe"])
def test_buffered_modes(disksum, images, mode):
    check(disksum, images, ["-T", mode], 65536)


@pytest.mark.sanitizer
def test_cold_cache(disksum, images):
    for path in images.paths:
        with open(path, "rb") as f:
            os.fsync(f.fileno())
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    check(disksum, images, ["--queue-depth", "3"], 4096)


@pytest.mark.parametrize("call", ["setup", "enter"])
def test_refused_io_uring(disksum, fails, images, build, call):
    """Where io_uring is forbidden, as in a container, threads read. With the ring
    forced there is an error, which shows that it is refused."""
    wrapper = [build / "tests/refuse-calls", "EPERM", f"io_uring_{call}"]
    out = disksum("-T", "none", *images.paths, wrapper=wrapper).stdout
    assert sums(out) == images.checksums(65536)
    big = max(images.paths, key=os.path.getsize)
    line = fails("-T", "none", big, wrapper=wrapper,
                 env={"DISKSUM_READS": "ring"})
    assert line == f"{big}: cannot set up reads: Operation not permitted"


@pytest.mark.sanitizer
@pytest.mark.parametrize("size", [
    0, 1, 511, 512, 513, 4095, 4096, 4097, 65535, 65536, 65537,
    1048575, 1048577, 16 * 65536 + 1, 17 * 65536 - 1])
@pytest.mark.parametrize("kind", "A-")
def test_sizes(disksum, tmp_path, size, kind):
    content = write_image(tmp_path / "disk", f"{size}:{kind}")
    for options in [], ["-T", "none"], ["-t", "1", "--queue-depth", "1"]:
        out = disksum(*options, tmp_path / "disk").stdout
        assert sums(out) == [checksum(content)]
    assert sums(disksum(input=content).stdout) == [checksum(content)]


def test_image_of_one_slot_needs_no_thread(disksum, fails, build, tmp_path):
    """One that has more does, which shows that threads are refused."""
    wrapper = [build / "tests/refuse-calls", "EPERM", "clone,clone3"]
    specs = ["512:A", "100:A", "0:A", "1M:A", "1M:-", "300k:0 4k:A 200k:- 1:A"]
    paths = [tmp_path / str(n) for n in range(len(specs))]
    contents = [write_image(path, spec) for path, spec in zip(paths, specs)]
    for method in "mmap", "copy":
        out = disksum(*paths, wrapper=wrapper,
                      env={"DISKSUM_READS": method}).stdout
        assert sums(out) == [checksum(content) for content in contents]
    write_image(tmp_path / "large", "2M:A")
    line = fails(tmp_path / "large", wrapper=wrapper)
    assert line == f"{tmp_path / 'large'}: cannot start a thread: " \
        "Operation not permitted"


def test_padding_is_reported(disksum, tmp_path):
    (tmp_path / "disk").write_bytes(b"hello")
    result = disksum("-v", tmp_path / "disk", check=False)
    assert result.returncode == 0
    assert "warning: the size is not a multiple of 512 bytes" in result.stderr


def test_layout_does_not_matter(disksum, tmp_path):
    """A disk as qemu-img, cp and dd write it has one checksum."""
    source = tmp_path / "source"
    write_image(source, "1M:A 3M:- 100k:B 1M:0 5000:C 2M:-")
    commands = {
        "sparse": "qemu-img convert -O raw {} {}",
        "full": "qemu-img convert -O raw -S 0 {} {}",
        "dense": "cp --sparse=never {} {}",
        "dug": "cp --sparse=always {} {}",
        "dd": "dd status=none bs=64k if={} of={}",
    }
    names = ["source", *commands]
    for name, command in commands.items():
        subprocess.run(command.format(source, tmp_path / name).split(),
                       check=True)
    out = disksum(*[tmp_path / name for name in names]).stdout
    # The size of the source is not a multiple of a sector; qemu-img pads it.
    assert len(set(sums(out))) == 1


def test_huge_hole_with_data(disksum, tmp_path):
    """Data after a large hole has the checksum that it has after zeros."""
    with open(tmp_path / "disk", "wb") as f:
        f.seek(5 << 30)
        f.write(b"x" * 1000)
    size = (5 << 30) + 1024
    zero = disksum("--block-size=1M", tmp_path / "disk").stdout
    with open(tmp_path / "disk", "r+b") as f:
        f.seek(0)
        f.write(bytes(1 << 20))
        f.truncate(size)
    assert disksum("--block-size=1M", tmp_path / "disk").stdout == zero


def test_device_of_size_0(disksum, loop_device, tmp_path):
    """Such as a card reader without a card. A file may be empty."""
    path = loop_device(0)
    done = disksum(path, check=False)
    assert (done.returncode, sums(done.stdout)) == (0, [checksum(b"")])
    assert done.stderr == f"disksum: {path}: warning: the device has size 0: it has no " \
        "medium, or nothing is attached to it\n"
    assert sums(disksum("-q", path).stdout) == [checksum(b"")]
    empty = tmp_path / "empty"
    empty.touch()
    assert sums(disksum(empty).stdout) == [checksum(b"")]
