# SPDX-License-Identifier: LGPL-2.1-or-later
"""Make the images and clusters that the fuzzer begins with: small ones, and
between them every feature of the format."""

import io
import pathlib
import struct
import sys
import tarfile
import zlib

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import list_oracle  # noqa: E402
import vdi_image  # noqa: E402
import vhdx_image  # noqa: E402
import vmdk_image  # noqa: E402
import vpc_image  # noqa: E402
import zstd_frame  # noqa: E402
from qcow2_bitmap_image import EXTRA_COMPATIBLE, ONES, Bitmaps  # noqa: E402
from qcow2_image import (BITMAPS, EXT_BITMAPS, EXT_FEATURE_NAMES,  # noqa: E402
                         Image, deflate, feature_name)

TEXT = b"what a guest wrote, and wrote again. "


def image(name, size=16 << 10, change=None, **options):
    options.setdefault("cluster_bits", 9)
    made = Image(size, **options)
    cluster = 1 << options["cluster_bits"]
    if not options.get("extended_l2"):
        made.disk.data(0, TEXT)
        made.disk.zero(1)
        made.disk.zero(2, TEXT)
    if change:
        change(made, cluster)
    directory = HERE / "corpus/qcow2"
    directory.mkdir(parents=True, exist_ok=True)
    made.write(directory / name)


def content(cluster):
    return (TEXT * cluster)[:cluster]


def compressed(made, cluster):
    for index in 4, 5, 7:
        made.disk.compressed(index, deflate(content(cluster)))


def zstd(made, cluster):
    made.disk.compressed(4, zstd_frame.raw(content(cluster)))
    made.disk.compressed(5, zstd_frame.repeated(b"r", cluster))


def snapshots(made, cluster):
    for number in b"1", b"2":
        table = made.snapshot(number, b"name" + number, 16 << 10)
        table.data(1, b"snapshot " + number)


def subclusters(made, cluster):
    made.disk.data(0, TEXT)
    made.disk.data(1, TEXT)
    host = made.disk.place(2, TEXT)
    made.disk.entry(2, host, 0x0F0F00000000F0F0)
    made.disk.entry(3, 0, 0x00FF00FF00000000)


def extensions(made, _):
    made.extension(EXT_FEATURE_NAMES, feature_name(0, 7, b"a feature")
                   + feature_name(1, 0, b"lazy refcounts"))
    made.extension(EXT_BITMAPS, struct.pack(">IIQQ", 1, 0, 32, 512))
    made.extension(0x12345678, b"an extension to come")


def bitmaps(made, cluster):
    extensions(made, cluster)
    made.header["autoclear_features"] = BITMAPS


def readable_bitmaps(made, cluster):
    found = Bitmaps(made)
    found.add(b"other", [0])
    found.add(b"b0", [ONES, b"\x0f\xf0\x55" + bytes(cluster - 3), 0], extra=bytes(8),
              extra_size=8, flags=2 | EXTRA_COMPATIBLE)
    found.finish()


def unknown_feature(made, cluster):
    extensions(made, cluster)
    made.header["incompatible_features"] = 1 << 7


def vdi():
    """Blocks are of 1 MiB, so those that are stored are cut."""
    directory = HERE / "corpus/vdi"
    directory.mkdir(parents=True, exist_ok=True)
    made = vdi_image.Image((5 << 20) + 512)
    made.data(3, TEXT)
    made.data(0, TEXT)
    made.entry(1, vdi_image.DISCARDED)
    made.length = 4096
    made.write(directory / "dynamic")
    made = vdi_image.Image(2 << 20, kind=vdi_image.FIXED)
    made.length = 4096
    made.write(directory / "fixed")
    made["uuidLinkage"] = b"l" * 16
    made.write(directory / "snapshot")
    vdi_image.Image(0).write(directory / "empty")


def vpc():
    directory = HERE / "corpus/vpc"
    directory.mkdir(parents=True, exist_ok=True)

    def make(name, size=20 << 10, **options):
        made = vpc_image.Image(size, block_size=4096, **options)
        if made.kind != vpc_image.FIXED:
            made.data(3, TEXT)
            made.data(0, TEXT)
        if made.kind == vpc_image.DIFFERENCING:
            made.sector(1, 2, TEXT)
            made.locator(vpc_image.W2RU, vpc_image.utf16(".\\base.vhd"))
            made.locator(vpc_image.W2KU, vpc_image.utf16("C:\\dir\\base.vhd"))
            made.locator(vpc_image.MACX, b"file:///dir/base%2evhd")
            made.locator(vpc_image.WI2R, b"base.vhd")
            made.header["parent_name"] = "base.vhd".encode("utf-16-be")
        made.write(directory / name)
    make("dynamic")
    make("geometry", creator=b"vpc ")
    make("fixed", 4096, kind=vpc_image.FIXED)
    make("differencing", kind=vpc_image.DIFFERENCING)


def pieces(made, path, flags=0):
    """A VHDX image as the fuzzer has it: the places of its bytes that are not zeros."""
    made.write(path)
    content = path.read_bytes()
    listed = [bytes([flags, (len(content) >> 20) - 1])]
    start = None
    for at in range(0, len(content) + 512, 512):
        sector = content[at:at + 512]
        if sector.strip(b"\0"):
            start = at if start is None else start
        elif start is not None:
            part = content[start:at].rstrip(b"\0")
            listed.append(struct.pack("<HH", start // 512, len(part)) + part)
            start = None
    path.write_bytes(b"".join(listed))


def vhdx():
    directory = HERE / "corpus/vhdx"
    directory.mkdir(parents=True, exist_ok=True)
    mib = vhdx_image.MIB

    def new(size=4 * mib + 512, **options):
        made = vhdx_image.Image(size, **options)
        for block in 0, 2:
            there = made.place(b"")
            made.put(there, TEXT)
            made.block(block, vhdx_image.FULLY_PRESENT, there)
        made.block(1, vhdx_image.ZERO)
        return made

    pieces(new(), directory / "dynamic")
    pieces(new(fixed=True, sector_size=4096), directory / "sectors-4096")
    pieces(new(5 << 30), directory / "two-chunks")
    pieces(new(block_size=8 * mib, size=30 * mib), directory / "blocks-8m")
    made = new()
    made.regions.append(["00000000-0000-0000-0000-000000000001", made.allocate(mib), mib, 0])
    made.items.append(["00000000-0000-0000-0000-000000000002", 1, b"user"])
    made.header_1["sequence_number"] = 9
    pieces(made, directory / "unknown-parts")

    made = new(parent={"relative_path": ".\\base.vhdx",
                       "volume_path": "\\\\?\\Volume{1}\\a.vhdx",
                       "absolute_win32_path": "C:\\b.vhdx",
                       "parent_linkage": vhdx_image.braces(vhdx_image.LOG_GUID)})
    made.partial(3, b"", [(0, 3), (8, 16), (50, 1)])
    pieces(made, directory / "parent", 2)

    made = new()
    made.header["log_guid"] = vhdx_image.LOG_GUID
    made.log.at = mib - 8192
    for _ in range(2):
        made.log.entry([vhdx_image.zero(made.bat + 4096, 8192),
                        vhdx_image.data(made.bat, struct.pack("<5Q", 0, 2, 0, 0, 2)
                                        + bytes(4096 - 40))])
    pieces(made, directory / "log")


def vmdk():
    """A descriptor comes after its length, and before the bytes of its extents."""
    directory = HERE / "corpus/vmdk"
    directory.mkdir(parents=True, exist_ok=True)

    def fill(made):
        for number in 1, 2, 5:
            made.data(number, TEXT)
        return made

    def described(name, made, *lines, **options):
        text = vmdk_image.descriptor(*lines, **options).encode()
        (directory / name).write_bytes(struct.pack("<H", len(text)) + text + made.content())

    sparse = {"grain": 1, "gtes": 4, "room": 2}
    text = vmdk_image.descriptor("RW 20 SPARSE x", type="monolithicSparse",
                                 parent="C:\\dir\\base.vmdk")
    made = fill(vmdk_image.Sparse(20, flags=vmdk_image.ZEROED, version=2, text=text, **sparse))
    made.zero(3)
    made.write(directory / "sparse")
    fill(vmdk_image.Stream(40, grain=8, room=1)).write(directory / "stream")
    fill(vmdk_image.Stream(40, grain=8, room=1, markers=False)).write(directory / "no-markers")
    footer = fill(vmdk_image.Stream(40, grain=2, room=1, footer=True))
    footer.write(directory / "footer")
    vmdk_image.Sparse(0, text=vmdk_image.descriptor("RW 5 ZERO"), room=1).write(
        directory / "embedded")
    described("flat", made, 'RW 7 FLAT "a" 1', "", 'RDONLY 9 FLAT "b" 100', "RW 3 ZERO",
              'RW 3 VMFS "c"', type="vmfs")
    described("split", footer, 'RW 1 SPARSE "a"', 'RW 1 SPARSE "b"',
              type="twoGbMaxExtentSparse")
    cowd = fill(vmdk_image.Cowd(20))
    described("cowd", cowd, 'RW 1 VMFSSPARSE "a"', type="vmfsSparse")
    sesparse = vmdk_image.SeSparse(100)
    for number in range(3):
        sesparse.entry(number, sesparse.place(number) - (number << 60))
    described("sesparse", sesparse, 'RW 1 SESPARSE "a"', type="seSparse")


def changes():
    """What programs print of a disk of 100,000 bytes."""
    directory = HERE / "corpus/changes"
    directory.mkdir(parents=True, exist_ok=True)

    def write(name, text):
        (directory / name).write_text(text)
    write("nbdinfo", """[
{ "offset": 0, "length": 65536, "type": 0, "description": "clean"},
{ "offset": 65536, "length": 512, "type": 1, "description": "dirty"},
{ "offset": 66048, "length": 33952, "type": 0, "description": "clean"}
]
""")
    write("nbdinfo-allocation", """[
{ "offset": 0, "length": 100000, "type": 3, "description": "hole,zero"}
]
""")
    write("qemu-img", """[{ "start": 0, "length": 512, "depth": 1, "present": true, \
"zero": false, "data": true, "offset": 327680},
{ "start": 512, "length": 99488, "depth": 0, "present": false, "zero": true, "data": false}]
""")
    write("rbd", '[{"offset":0,"length":4096,"exists":"true"},'
          '{"offset":8192,"length":1,"exists":"false"}]')
    write("rbd-empty", "[]")
    write("disksum", """{"start": 1024, "length": 512, "what": "differs"}
{"start": 1536, "length": 98464, "what": "zero in A"}
{"compared": 100000, "different": 98976}
""")
    write("strings", '[{"exists":"true","a":"\\u0000}{][\\"","offset":1,"length":2}]')
    write("early-end", '[{"offset":0,"length":4096,"exists":"true"},')


HEX = "00112233445566778899aabbccddeeff" * 2


def sums():
    """Lines of disksum, and of programs that it understands."""
    def write(name, text):
        directory = HERE / "corpus/sums"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(text.encode("latin-1"))
    write("untagged", f"# a comment\n{HEX}  a.raw\n{HEX} *b\n\\{HEX}  c\\nx\\\\\r\n")
    write("one-blank", f"{HEX} a\n{HEX} b\n{HEX}  c\n")
    write("tags", f"BLKHASH-SHA256-64K (a (1)) = {HEX}\n"
          f"BLKHASH-BLAKE3-1M snapshot=s%201 member=d/x.vmdk offset=512 length=1024 (a) = {HEX}\n"
          f"SHA256 (a) = {HEX}\nSHA256(a)= {HEX}\nBLAKE2b (b) = {HEX}{HEX}\n")
    write("json", '{"filename": "a", "digest": "sha256", "block-size": 65536, "checksum": "'
          f'{HEX}"}}\n[{{"filename": "b",\n "checksum": "{HEX}"}},\n{{"filename": "c", '
          '"error": "x"}]\n')
    write("nul", f"{HEX}  a\0b\n\xef\xbb\xbf{HEX}  \xff\n")


def names():
    """Names of images. The first byte says what they are read as."""
    directory = HERE / "corpus/names"
    directory.mkdir(parents=True, exist_ok=True)
    for name, kind, text in (
            ("options", 0, "driver=qcow2,file.driver=https,file.url=https://u:p%40w@h:8/x?sig=a"),
            ("doubled", 0, "file.filename=a,,b,file.password=x,,y,backing=z"),
            ("json", 1, 'json:{"driver":"qcow2","file":{"driver":"nbd","server":{"type":"inet",'
                        '"host":"h","port":"1"},"password":"\\u0041\\"x"},"backing":null}'),
            ("nested", 1, 'json:{"file":"json:{\\"file\\":\\"http://u:p@h/\\"}","a":[1,{}]}'),
            ("nbd", 2, "nbds+unix://alice@/e?socket=/s&tls-psk-file=/p&tls-verify-peer=off"),
            ("address", 2, "nbds://[::1]:10809/export%2f"), ("iscsi", 2, "iscsi://u%p@h/t/0"),
            ("rbd", 2, "rbd:pool/image:id=x:key=A\\:B==:conf=/c"),
            ("signed", 2, "https://u:a/b@c@h/i?X-Amz-Signature=1&token=2#f"),
            ("command", 2, "[ env PGPASSWORD=x nbdkit curl https://u:p@h -U - ]"),
            ("x509", 3, "tls-creds-x509,id=t,dir=/d,endpoint=client,verify-peer=no"),
            ("psk", 3, '{"qom-type":"tls-creds-psk","id":"t","dir":"/d","username":"u"}'),
            ("secret", 3, "secret,id=s,data=a,,b,format=raw")):
        (directory / name).write_bytes(bytes([kind]) + text.encode())


def command_lines():
    directory = HERE / "corpus/options"
    directory.mkdir(parents=True, exist_ok=True)
    for name, line in (
            ("images", "-t 8 --block-size 1M -d sha512 -T none -p a.raw -- -b"),
            ("digests", "-d sha256,blake3,plain:sha1:64K --json --tag -z a"),
            ("check", "-c --strict --ignore-missing -q sums"),
            ("list", "--write-list l --base o --changes c --shard 2/3 a"),
            ("shard", "--shard slurm:0-15:2 --write-list l a"), ("merge", "--merge a b c"),
            ("part", "--snapshot s --member m --offset 1M --length 512 a"),
            ("options", "--image-opts --object secret,id=s,data=x driver=raw,file.filename=a"),
            ("server", "--connections 4 --timeout 0 --queue-depth 3 -- [ nbdkit null ]"),
            ("expect", f"--expect sha256:{HEX} a"), ("old", "checksum -f qcow2 a")):
        (directory / name).write_bytes(line.replace(" ", "\0").encode())


def starts():
    """What has no format yet, and images that record names."""
    directory = HERE / "corpus/probe"
    directory.mkdir(parents=True, exist_ok=True)

    def write(name, kind, content):
        (directory / name).write_bytes(bytes([kind]) + content)
    qed = struct.pack("<4sIIIQQQQQII", b"QED\0", 65536, 4, 1, 1, 0, 0, 65536, 1 << 20, 72, 4)
    write("qed", 4 * 1, qed + b"base")
    write("qcow", 4 * 5, struct.pack(">4sIQIIQ", b"QFI\xfb", 1, 48, 4, 0, 512) + bytes(16) + b"base")
    write("dmg", 2, bytes(512) + b"koly" + bytes(508))
    write("fixed-vpc", 3, bytes(512) + b"conectix" + bytes(504))
    write("luks", 0, b"LUKS\xba\xbe\0\1")
    write("descriptor", 4 * 6, vmdk_image.descriptor('RW 7 FLAT "a" 1', parent="b.vmdk").encode())
    write("list", 0, list_oracle.write_list(b"x"))


def messages():
    directory = HERE / "corpus/message"
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in (
            ("reason", "a\nqemu-nbd: Failed to blk_new_open 'a': Could not open 'a': No\nhint\n"),
            ("backing", "a\nqemu-nbd: Could not open backing file: Could not open backing file: "
                        "Failed to get shared \"write\" lock\n"),
            ("key", "a\nqemu: module x\nqemu-nbd: warning: w\nqemu-nbd: Parameter "
                    "'encrypt.key-secret' is required for cipher\n"),
            ("noise", "a\nqemu-nbd: GLib: g_x: assertion 'y'\nqemu-nbd: warning: z is missing\n")):
        (directory / name).write_text(text)


def digest_lists():
    def write(name, content, flags=0):
        directory = HERE / "corpus/list"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(bytes([flags]) + content)
    disk = b"A" * 512 + bytes(1024) + b"B" * 1000
    for name, options in {
            "plain": {}, "sha512": {"digest": "sha512"}, "pipe": {"length": list_oracle.UNKNOWN},
            "one-block": {"block_size": 4096}, "part": {"first": 1, "count": 3},
            "end": {"first": 4}, "nothing": {"first": 5}}.items():
        write(name, list_oracle.write_list(disk, **{"block_size": 512, **options}))
    plain = list_oracle.write_list(disk, block_size=512)
    write("empty", list_oracle.write_list(b""))
    write("zeros", list_oracle.write_list(bytes(1 << 20), b"", 1))
    write("interrupted", plain[:200], 2)
    write("two-checks", plain[:114] + list_oracle.word(1, 1) + plain[114:], 1)
    # The reader's and the writer's cuts differ.
    check = list_oracle.word(list_oracle.CHECK, 0) + bytes(32)
    write("many-checks", plain[:154] + check + plain[154:162] + check + plain[162:])


def main():
    sums()
    names()
    command_lines()
    starts()
    messages()
    digest_lists()
    changes()
    vdi()
    vmdk()
    vpc()
    vhdx()
    image("plain")
    image("version-2", version=2)
    image("zlib", change=compressed)
    image("zlib-4k", cluster_bits=12, size=64 << 10, change=compressed)
    image("zstd", change=zstd, compression_type=1)
    image("snapshots", change=snapshots)
    image("subclusters", cluster_bits=14, size=128 << 10, extended_l2=True,
          change=subclusters)
    image("empty", size=0)
    image("odd-size", size=(9 << 10) + 77)
    # What another file would be needed for is refused, when all is parsed.
    image("extensions", change=extensions)
    image("bitmaps", change=bitmaps)
    image("readable-bitmaps", size=5 << 20, change=readable_bitmaps)
    image("unknown-feature", change=unknown_feature)
    image("backing-name", backing=b"base.raw", backing_format=b"raw",
          change=extensions)
    image("backing-name-empty", backing=b"", backing_format=b"",
          change=extensions)
    image("data-file", data_file=b"data.raw", data_file_raw=True,
          change=extensions)

    directory = HERE / "corpus/tar"
    directory.mkdir(parents=True, exist_ok=True)
    for form in tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT:
        with tarfile.open(directory / f"format-{form}", "w", format=form,
                          pax_headers={"comment": "all"}) as tar:
            for name, kind in (("x.ovf", tarfile.REGTYPE), ("d/" * 48 + "e" * 40, tarfile.REGTYPE),
                               ("b", tarfile.REGTYPE), ("link", tarfile.SYMTYPE),
                               ("sparse", tarfile.GNUTYPE_SPARSE)):
                info = tarfile.TarInfo(name)
                info.type, info.size, info.mtime = kind, 9, 0.5
                tar.addfile(info, io.BytesIO(b"QFI\xfbbytes"))

    directory = HERE / "corpus/decode"
    directory.mkdir(parents=True, exist_ok=True)
    for bits in 0, 3, 7:
        cluster = 512 << bits
        stream = zlib.compressobj(9, zlib.DEFLATED, -12)
        packed = stream.compress(content(cluster)) + stream.flush()
        (directory / f"deflate-{cluster}").write_bytes(
            bytes([bits << 1]) + packed + bytes(100))
        stream = zlib.compress(content(cluster))
        (directory / f"zlib-{cluster}").write_bytes(bytes([bits << 1 | 16]) + stream + b"rest")
        (directory / f"marked-{cluster}").write_bytes(
            bytes([bits << 1 | 49]) + struct.pack("<QI", 0, len(stream)) + stream)
        (directory / f"zstd-{cluster}").write_bytes(
            bytes([bits << 1 | 1])
            + zstd_frame.repeated(b"z", cluster // 2)
            + zstd_frame.skippable(b"between")
            + zstd_frame.raw(content(cluster // 2)[:4000])
            + zstd_frame.repeated(b"e", cluster))


main()
