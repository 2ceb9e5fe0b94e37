/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/lookalike.h"

#include <stdio.h>
#include <string.h>

#include "common/array.h"
#include "format/format.h"
#include "test.h"

#define BYTES(text) text, sizeof(text) - 1

#define ERROR_MESSAGE "get the image again if it is a server's error message"

/* All bytes count by which each is recognised. */
static const struct {
    const char *what;
    const char *start;
    size_t len;
    const char *advice; /* a part of it */
} starts[] = {
    { "a gzip file", BYTES("\x1f\x8b\x08"), "'gzip -d'" },
    { "an xz file", BYTES("\3757zXZ\0"), "'xz -d'" },
    { "a zstd file", BYTES("\x28\xb5\x2f\xfd"), "'zstd -d'" },
    { "a bzip2 file", BYTES("BZh91AY&SY"), "'bzip2 -d'" },
    { "an lz4 file", BYTES("\x04\x22\x4d\x18"), "'lz4 -d'" },
    { "an lz4 file", BYTES("\x02\x21\x4c\x18"), "'lz4 -d'" },
    { "an lzip file", BYTES("LZIP\1"), "'lzip -d'" },
    { "an lzma file", BYTES("\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff"),
      "'xz -d'" },
    { "an lzop file", BYTES("\x89LZO\0\r\n\x1a\n"), "'lzop -d'" },
    { "a zip archive", BYTES("PK\3\4"), "'unzip'" },
    { "a zip archive", BYTES("PK\7\10PK\3\4"), "'unzip'" },
    { "a 7z archive", BYTES("7z\xbc\xaf\x27\x1c"), "'7z x'" },
    { "a rar archive", BYTES("Rar!\x1a\7"), "'unrar x'" },
    { "a WIM archive", BYTES("MSWIM\0\0\0"), "'wimapply'" },
    { "an EWF (E01) image", BYTES("EVF\t\r\n\xff\0"), "'ewfmount'" },
    { "an EWF (Ex01) image", BYTES("EVF2\r\n\x81\0"), "'ewfmount'" },
    { "an EWF file (L01)", BYTES("LVF\t\r\n\xff\0"), "not a disk" },
    { "an EWF file (Lx01)", BYTES("LEF2\r\n\x81\0"), "not a disk" },
    { "an AFF image", BYTES("AFF10\r\n\0"), "'affconvert -r'" },
    { "a VMA backup of Proxmox", BYTES("VMA\0"), "'vma extract'" },
    { "a partclone image", BYTES("partclone-image"), "'partclone.restore'" },
    { "an ntfsclone image", BYTES("\0ntfsclone-image"), "'ntfsclone " },
    { "an Android sparse image", BYTES("\x3a\xff\x26\xed"), "'simg2img'" },
    { "an Apple sparse image", BYTES("sprs\0\0\0\3"), "'hdiutil convert'" },
    { "an encrypted Apple disk image", BYTES("encrcdsa"), "'hdiutil convert'" },
    { "a Bochs image of a kind that QEMU does not read",
      BYTES("Bochs Virtual HD Image\0"), "'bximage'" },
    { "a Parallels image of a version that QEMU does not read",
      BYTES("WithoutFreeSpace"), "'prl_disk_tool'" },
    { "a Parallels image of a version that QEMU does not read",
      BYTES("WithouFreSpacExt"), "'prl_disk_tool'" },
    { "a Git LFS pointer", BYTES("version https://git-lfs.github.com/spec/"),
      "'git lfs pull'" },
    { "a git-annex pointer", BYTES("/annex/objects/"), "'git annex get'" },
    { "a VMDK descriptor with a byte order mark",
      BYTES("\xef\xbb\xbf# Disk DescriptorFile"), "remove the mark" },
    { "a VMDK descriptor in UTF-16",
      BYTES("\xff\xfe#\0 \0D\0i\0s\0k\0 \0D\0e\0s\0c\0"), "'iconv " },
    { "a web page (HTML)", BYTES("<!DOCTYPE html"), ERROR_MESSAGE },
    { "a web page (HTML)", BYTES("\r\n\t <HTML"), ERROR_MESSAGE },
    { "a web page (HTML)", BYTES("\xef\xbb\xbf\n<head"), ERROR_MESSAGE },
    { "a JSON text", BYTES("{\""), ERROR_MESSAGE },
    { "a JSON text", BYTES("{\n \""), ERROR_MESSAGE },
    { "an XML text", BYTES("<?xml"), ERROR_MESSAGE },
    { "an XML text", BYTES("\xef\xbb\xbf<?xml"), ERROR_MESSAGE },
};

static void test_starts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
        unsigned char start[512] = { 0 };
        const struct non_disk *found;

        test_case("%s, case %zu", starts[i].what, i);
        memcpy(start, starts[i].start, starts[i].len);
        found = non_disk_find(start, sizeof(start));
        assert_non_null(found);
        assert_string_equal(found->what, starts[i].what);
        assert_non_null(strstr(found->advice, starts[i].advice));
        assert_ptr_equal(non_disk_find(start, starts[i].len), found);
        assert_null(non_disk_find(start, starts[i].len - 1));
    }
}

/* What a guest's disk or a file system begins with. */
static void test_disks(void **state)
{
    static const struct {
        const char *start;
        size_t len;
    } disks[] = {
        { BYTES("") },
        { BYTES("\xeb\x63\x90\x10\x8e\xd0\xbc") },
        { BYTES("\xeb\x52\x90NTFS    ") },
        { BYTES("XFSB\0\0\x10\0") },
        { BYTES("hsqs") },
        { BYTES("LUKS\xba\xbe\0\2") },
        { BYTES("#!/bin/sh\n") },
        { BYTES("BZh9") },
        { BYTES("\x1f\x8b") },
        { BYTES("{}") },
        { BYTES("{ ") },
        { BYTES("text <html") },
        { BYTES(" \n ") },
        { BYTES("\xef\xbb\xbf") },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(disks); i++) {
        unsigned char start[512] = { 0 };

        test_case("case %zu", i);
        memcpy(start, disks[i].start, disks[i].len);
        assert_null(non_disk_find(start, sizeof(start)));
        assert_null(non_disk_find(start, disks[i].len));
    }
}

static void check_text(const struct lookalike *l, const char *what)
{
    char text[LOOKALIKE_TEXT];

    for (int place = LOOKALIKE_FILE; place <= LOOKALIKE_MEMBER; place++) {
        lookalike_describe(l, place, text);
        test_case("%s", text);
        assert_non_null(strstr(text, what));
        /* It was not too long. */
        assert_non_null(strstr(text, "; -f raw stops this warning"));
    }
}

static void test_texts(void **state)
{
    struct lookalike l = { .format = NULL };

    (void)state;
    assert_false(lookalike_found(&l));
    for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
        l.non_disk = non_disk_find((const unsigned char *)starts[i].start,
                                   starts[i].len);
        assert_true(lookalike_found(&l));
        check_text(&l, starts[i].what);
    }
    for (size_t i = 0; i < format_count; i++) {
        char text[64];

        l = (struct lookalike){ .format = formats[i].name };
        snprintf(text, sizeof(text), "a %s image, but is read as raw; ",
                 l.format);
        check_text(&l, text);
        snprintf(text, sizeof(text), "-f %s reads the disk in it; ", l.format);
        check_text(&l, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts),
        cmocka_unit_test(test_disks),
        cmocka_unit_test(test_texts),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
