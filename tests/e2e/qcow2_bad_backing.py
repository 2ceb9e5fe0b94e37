# SPDX-License-Identifier: LGPL-2.1-or-later
"""Backing files that are missing, named oddly, or their own backing file."""
import os

from qcow2_compare import Case
from qcow2_image import EXT_BACKING_FORMAT, Image

CLUSTER = 4096
LATER = "QEMU reads it, and the oracle does not"


def overlay(name, form=b"qcow2", *, clusters=8, **options):
    image = Image(clusters * CLUSTER, cluster_bits=12, backing=name, backing_format=form,
                  **options)
    image.disk.data(1, b"overlay ")
    return image


def base(clusters=8, **options):
    image = Image(clusters * CLUSTER, cluster_bits=12, **options)
    for guest in range(0, clusters, 2):
        image.disk.data(guest, b"base %d " % guest)
    return image


def name_case(title, name, form=b"qcow2", *, where="base.qcow2", either="", change=None):
    """The overlay is in images/, which is not the current directory."""
    def build(directory):
        (directory / "images" / "more").mkdir(parents=True)
        where_now = os.fsencode(directory / "images") + b"/" + os.fsencode(where)
        base().write(where_now)
        image = overlay(name.replace(b"DIR", os.fsencode(directory)), form)
        if change:
            change(image)
        return image.write(directory / "images" / "overlay.qcow2")
    return Case(title, build, either=either)


def name_cases():
    yield name_case("relative", b"base.qcow2")
    yield name_case("relative with ./", b"./base.qcow2")
    yield name_case("relative with ..", b"../images/more/../base.qcow2")
    yield name_case("relative to the current directory", b"images/base.qcow2")
    yield name_case("absolute", b"DIR/images/base.qcow2")
    yield name_case("missing", b"missing.qcow2")
    yield name_case("a directory", b"more")
    yield name_case("empty", b"")
    yield name_case("NUL ends it", b"base.qcow2\0rest")
    yield name_case("NUL first", b"\0base.qcow2")
    yield name_case("file: and relative", b"file:base.qcow2")
    yield name_case("file: from the current directory", b"file:images/base.qcow2")
    yield name_case("file: and absolute", b"file:DIR/images/base.qcow2")
    yield name_case("file: and a colon", b"file:images/../a:b")
    yield name_case("file: and a protocol", b"file:a:b", where="../a:b")
    yield name_case("file:// and absolute", b"file://DIR/images/base.qcow2", either=LATER)
    yield name_case("unknown protocol", b"nothing:base.qcow2")
    yield name_case("colon behind a slash", b"./a:b", where="a:b")
    yield name_case("colon in front", b"a:b", where="a:b")
    yield name_case("colon first", b":b", where=":b")
    yield name_case("a comma", b"a,b", where="a,b")
    yield name_case("driver in a comma", b"base.qcow2,driver=raw")
    yield name_case("percent", b"%s%n%d", where="%s%n%d")
    yield name_case("percent, missing", b"%s%n%d")
    yield name_case("an escape, missing", b"\033[2J\033]0;title\007\nline")
    yield name_case("no UTF-8", b"\xff\xfe", where=os.fsdecode(b"\xff\xfe"))
    yield name_case("no UTF-8, missing", b"\xff\xfe\x80")
    yield name_case("a dash", b"-", where="-")
    yield name_case("a dash, missing", b"-")
    yield name_case("a space", b" ", where=" ")
    yield name_case("json: not JSON", b"json:{")
    yield name_case("json: empty", b"json:{}")
    yield name_case("json: good", b'json:{"driver":"qcow2","file":{"driver":"file",'
                    b'"filename":"images/base.qcow2"}}', either=LATER)
    yield name_case("nbd:", b"nbd:unix:/nothing")
    yield name_case("nbd://", b"nbd+unix:///?socket=nothing")
    yield name_case("fat:", b"fat:DIR", b"raw", either=LATER)
    yield name_case("null-co", b'json:{"driver":"null-co","read-zeroes":true,"size":65536}',
                    b"raw", either=LATER)
    for length in [255, 256, 1000, 1022, 1023, 1024, 1025, 2000]:
        yield name_case(f"{length} bytes", b"./" * (length // 2 - 5) + b"x" * (length % 2)
                        + b"base.qcow2", where="x" * (length % 2) + "base.qcow2")
    yield name_case("a FIFO", b"fifo", b"raw",
                    change=lambda image: os.mkfifo("images/fifo"))._replace(
                        differs="QEMU waits for somebody who writes")
    yield name_case("/dev/null", b"/dev/null", b"raw")._replace(
        either="it is no disk, and a mistake is more likely than a wish for zeros")
    yield name_case("/dev/null as qcow2", b"/dev/null")


def place_cases():
    """The offset and the length of the name: bytes 8 to 19 of the header."""
    for title, fields in {
            "name in the header": {"backing_file_offset": 4},
            "name at the end of the cluster": {"backing_file_offset": CLUSTER},
            "name behind the cluster": {"backing_file_offset": CLUSTER + 1},
            "name beyond the file": {"backing_file_offset": 1 << 40},
            "name at 2^63": {"backing_file_offset": 1 << 63},
            "name at 2^64 - 1": {"backing_file_offset": (1 << 64) - 1},
            "size 0": {"backing_file_size": 0},
            "size 2^31": {"backing_file_size": 1 << 31},
            "size 2^32 - 1": {"backing_file_size": (1 << 32) - 1},
            "size only": {"backing_file_offset": 0},
            "name leaves the cluster": {"backing_file_offset": CLUSTER - 5},
            "last byte of the cluster":
                {"backing_file_offset": CLUSTER - 1, "backing_file_size": 1},
            "at the end, size 0":
                {"backing_file_offset": CLUSTER, "backing_file_size": 0}}.items():
        yield name_case(title, b"base.qcow2",
                        change=lambda image, f=fields: image.header.update(f))
    yield name_case("before the extensions", b"base.qcow2", change=lambda image:
                    image.header.update({"backing_file_offset": 112}))


def format_cases():
    for form in [b"raw", b"qcow2", b"", b"nonsense", b"QCOW2", b"qcow2 ", b" raw", b"raw\0x",
                 b"\0raw", b"qcow2,x=y", b"%s", b"f" * 15, b"\033[2J"]:
        yield name_case(f"format {form!r}", b"base.qcow2", form)
    for form in [b"qcow", b"vmdk", b"vdi", b"luks", b"file", b"host_device", b"blkdebug", b"nbd"]:
        yield name_case(f"format {form!r}", b"base.qcow2", form, either=LATER)
    yield name_case("format absent", b"base.qcow2", None)
    yield name_case("format twice, the last wins", b"base.qcow2", b"raw", change=lambda image:
                    image.extension(EXT_BACKING_FORMAT, b"qcow2"))

    def probe(title, content, form=None):
        def build(directory):
            (directory / "base").write_bytes(content)
            return overlay(b"base", form).write(directory / "overlay.qcow2")
        return Case(f"probe {title}", build)
    yield probe("text", b"text " * 1000)
    yield probe("nothing", b"")
    yield probe("an odd size", b"text " * 1001)
    yield probe("the magic alone", b"QFI\xfb")
    yield probe("the magic, then nothing", b"QFI\xfb" + bytes(2000))
    yield probe("version 1", b"QFI\xfb\0\0\0\1" + bytes(2000))
    yield probe("version 2", b"QFI\xfb\0\0\0\2" + bytes(2000))
    yield probe("version 4", b"QFI\xfb\0\0\0\4" + bytes(2000))
    yield probe("raw is told", b"QFI\xfb\0\0\0\4" + bytes(2000), b"raw")
    yield probe("qcow2 is told", b"text " * 1000, b"qcow2")


def size_cases():
    """Backing files that are shorter or longer than the overlay."""
    def build(directory, sizes, form):
        lower = None
        for index, clusters in enumerate(sizes):
            path = directory / f"{index}"
            if index == 0 and form == b"raw":
                path.write_bytes(b"raw base " * (clusters * CLUSTER // 9) + b"end")
            else:
                image = Image(int(clusters * CLUSTER), cluster_bits=12 + index % 3,
                              backing=lower,
                              backing_format=None if index == 0 else form)
                image.disk.data(index % 4, b"layer %d " % index)
                image.write(path)
                form = b"qcow2"
            lower, form = os.fsencode(path.name), form if index == 0 else b"qcow2"
        return path
    for sizes in [(8, 4), (4, 8), (4, 2, 8), (8, 2, 8), (0, 8), (8, 0, 8), (1, 8), (4.125, 8),
                  (4.126, 8), (8, 4.5, 8), (16, 3.875, 5, 1, 12)]:
        yield Case(f"sizes {sizes}", lambda directory, s=sizes: build(directory, s, b"qcow2"))
        if sizes[0] == int(sizes[0]):
            yield Case(f"sizes {sizes}, raw", lambda directory, s=sizes: build(directory, s, b"raw"))


def loop_cases():
    why = "QEMU opens the loop until it has no descriptors left"

    def loop(title, *names, change=None):
        def build(directory):
            (directory / "more").mkdir()
            for index, name in enumerate(names):
                last = overlay(name).write(directory / f"{index}.qcow2")
            if change:
                change()
            return last
        return Case(f"loop {title}", build, differs=why)
    yield loop("of one", b"0.qcow2")
    yield loop("of one by ./", b"./././0.qcow2")
    yield loop("of one by ..", b"more/../0.qcow2")
    yield loop("of one by file:", b"file:0.qcow2")
    yield loop("of two", b"1.qcow2", b"0.qcow2")
    yield loop("of three", b"2.qcow2", b"0.qcow2", b"1.qcow2")
    yield loop("below the first", b"0.qcow2", b"0.qcow2")
    yield loop("of one by a symlink", b"link", change=lambda: os.symlink("0.qcow2", "link"))
    yield loop("of one by a hard link", b"link", change=lambda: os.link("0.qcow2", "link"))
    yield loop("of two by a symlink", b"link", b"0.qcow2",
               change=lambda: os.symlink("1.qcow2", "link"))

    def symlink(directory):    # a name is relative to the directory of the link
        (directory / "a").mkdir()
        (directory / "b").mkdir()
        base().write(directory / "b" / "base.qcow2")
        overlay(b"base.qcow2").write(directory / "a" / "overlay.qcow2")
        os.symlink("../a/overlay.qcow2", directory / "b" / "link.qcow2")
        return directory / "b" / "link.qcow2"
    yield Case("relative to a symlink", symlink)

    def twice(directory):      # its own backing file, which is raw: not a loop
        overlay(b"./0", b"raw").write(directory / "0")
        return directory / "0"
    yield Case("itself, as raw", twice)


def chain(directory, depth):
    (directory / "0").write_bytes(b"the end of the chain" * 100)
    for index in range(1, depth + 1):
        image = Image(8 * 512, cluster_bits=9, backing=b"%d" % (index - 1),
                      backing_format=b"raw" if index == 1 else b"qcow2")
        if index % 50 == 1:
            image.disk.data(index // 50 % 8, b"layer %d " % index)
        image.write(directory / f"{index}")
    return directory / f"{depth}"


CASES = [*name_cases(), *place_cases(), *format_cases(), *size_cases(), *loop_cases(),
         Case("chain of 200", lambda directory: chain(directory, 200)),
         Case("chain of 10,000", lambda directory: chain(directory, 10000),
              differs="more than disksum takes; QEMU runs out of its descriptors some time")]
