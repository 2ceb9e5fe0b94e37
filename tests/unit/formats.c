/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/array.h"
#include "format/format.h"
#include "format/probe.h"
#include "memory_reader.h"

#define BYTES(text) text, sizeof(text) - 1

/* The first bytes of an image in each format that is recognised by them. */
static const struct {
    const char *format;
    const char *start;
    size_t len;
} starts[] = {
    { "qcow2", BYTES("QFI\xfb\0\0\0\2") },
    { "qcow2", BYTES("QFI\xfb\0\0\0\3") },
    { "qcow2", BYTES("QFI\xfb\xff\xff\xff\xff") },
    { "qcow", BYTES("QFI\xfb\0\0\0\1") },
    { "qed", BYTES("QED\0") },
    { "vmdk", BYTES("KDMV") },
    { "vmdk", BYTES("COWD") },
    { "vmdk", BYTES("# a comment\n \r\nversion=1\n") },
    { "vhdx", BYTES("vhdxfile") },
    { "vpc", BYTES("conectix") },
    { "vdi", BYTES("0123456789abcdef0123456789abcdef0123456789abcdef"
                   "0123456789abcdef\x7f\x10\xda\xbe") },
    { "luks", BYTES("LUKS\xba\xbe\0\1") },
    { "parallels", BYTES("WithoutFreeSpace\2\0\0\0") },
    { "parallels", BYTES("WithouFreSpacExt\2\0\0\0") },
    { "bochs", BYTES("Bochs Virtual HD Image\0........."
                     "Redolog\0........Growing\0........\0\0\1\0") },
    { "cloop", BYTES("#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && "
                     "mount -r -t iso9660 /dev/cloop $1\n") },
};

static void test_starts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
        const char *format = starts[i].format;
        const char *found = probe_start(starts[i].start, starts[i].len);

        test_case("%s, case %zu", format, i);
        assert_non_null(found);
        assert_string_equal(found, format);
        /* Not without its last byte. */
        found = probe_start(starts[i].start, starts[i].len - 1);
        assert_true(!found || strcmp(found, format) != 0);
    }
}

static bool has_start(const char *format)
{
    for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
        if (strcmp(starts[i].format, format) == 0)
            return true;
    }
    return false;
}

/* Each line of the table says how the format is recognised. */
static void test_table(void **state)
{
    const char *suffix;

    (void)state;
    for (size_t i = 0; i < format_count; i++) {
        const struct format *f = &formats[i];

        test_case("%s", f->name);
        assert_ptr_equal(format_find(f->name), f);
        for (size_t n = 0; f->file_suffixes[n]; n++) {
            assert_true(n + 1 < FORMAT_FILE_SUFFIXES);
            assert_null(format_find(f->file_suffixes[n]));
            assert_ptr_equal(format_meant_by(f->file_suffixes[n], &suffix), f);
            assert_ptr_equal(suffix, f->file_suffixes[n]);
        }
        assert_int_equal(format_is_native(f->name), f->open != NULL);
        assert_int_equal(has_start(f->name), f->probe || f->magic.length);
        assert_true(f->probe || f->magic.length || f->suffix ||
                    strcmp(f->name, "raw") == 0);
    }
    assert_null(format_find("copy-on-read"));
    assert_null(format_meant_by("copy-on-read", &suffix));
    assert_null(format_find("RAW"));
    assert_string_equal(format_meant_by("RAW", &suffix)->name, "raw");
    assert_null(suffix);
    assert_false(format_is_native("copy-on-read"));
}

static void assert_name(const char *name, const char *expected)
{
    if (expected)
        assert_string_equal(name, expected);
    else
        assert_null(name);
}

static void check_probe(const unsigned char *bytes, size_t len,
                        const char *path, const char *format, const char *rival,
                        const char *lookalike)
{
    struct error error = ERROR_INIT;
    struct memory_reader m;
    struct probe found;

    test_case("%s", path ? path : format);
    memory_reader_init(&m, bytes, len);
    assert_int_equal(probe_format(&m.reader, path, &found, &error), 0);
    assert_string_equal(found.format, format);
    assert_name(found.rival, rival);
    assert_name(found.lookalike.format, lookalike);
    assert_null(found.lookalike.non_disk);
    assert_int_equal(probe_check(&found, "a", &error), rival ? EINVAL : 0);
    error_clear(&error);
}

static void check_file(const unsigned char *bytes, size_t len, const char *path,
                       const char *format, const char *lookalike)
{
    check_probe(bytes, len, path, format, NULL, lookalike);
}

/* VDI has its magic behind 64 bytes of text. */
static void test_two_formats(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
        unsigned char bytes[1024] = { 0 };
        const char *format = starts[i].format;
        bool is_weak = strcmp(format, "cloop") == 0;

        memcpy(bytes, starts[i].start, starts[i].len);
        check_file(bytes, sizeof(bytes), "a", format, NULL);
        check_probe(bytes, sizeof(bytes), "a.dmg", format,
                    is_weak ? "dmg" : NULL, NULL);
        if (starts[i].len > 64)
            continue;
        memcpy(bytes + 64, "\x7f\x10\xda\xbe", 4);
        if (strcmp(format, "qed") == 0 || strcmp(format, "parallels") == 0)
            check_probe(bytes, sizeof(bytes), "a", format, "vdi", NULL);
        else
            check_probe(bytes, sizeof(bytes), "a", "vdi", format, NULL);
    }
}

static void test_files(void **state)
{
    unsigned char bytes[2048] = "data";

    (void)state;
    check_file(bytes, sizeof(bytes), NULL, "raw", NULL);
    check_file(bytes, sizeof(bytes), "a.dmg", "dmg", NULL);
    check_file(bytes, sizeof(bytes), ".dmg", "raw", NULL);
    check_file(bytes, 0, "empty", "raw", NULL);

    memcpy(bytes + sizeof(bytes) - 512, "koly", 4);
    check_file(bytes, sizeof(bytes), "a", "raw", "dmg");
    memcpy(bytes + sizeof(bytes) - 512, "conectix", 8);
    check_file(bytes, sizeof(bytes), "a", "raw", "vpc");
    /* The last sector is not whole: QEMU finds the header there, too. */
    check_file(bytes, sizeof(bytes) - 1, "a", "raw", "vpc");
    check_file(bytes, sizeof(bytes) - 504, "a", "raw", "vpc");
    check_file(bytes, sizeof(bytes) - 505, "a", "raw", NULL);
    memmove(bytes + sizeof(bytes) - 612, "conectix", 8);
    check_file(bytes, sizeof(bytes) - 100, "a", "raw", "vpc");
    memset(bytes + sizeof(bytes) - 512, 0, 512);
    check_file(bytes, sizeof(bytes), "a", "raw", NULL);
    memset(bytes, 0, sizeof(bytes));
    strcpy((char *)bytes, "# Disk DescriptorFile\nversion=4\n");
    check_file(bytes, sizeof(bytes), "a", "raw", "vmdk");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_two_formats),
        cmocka_unit_test(test_files),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
