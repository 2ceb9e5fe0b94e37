/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The image formats that are recognised: all that QEMU's probing recognises. An
 * image that is taken for raw would get the checksum of its file.
 */
#include <string.h>
#include <strings.h>

#include "common/array.h"
#include "format/format.h"

bool magic_matches(const struct magic *m, const unsigned char *p, size_t len)
{
    return m->length && len >= m->offset + m->length &&
           memcmp(p + m->offset, m->bytes, m->length) == 0;
}

/* The magic and the version. */
static bool is_parallels(const unsigned char *start, size_t len)
{
    static const struct magic magic = MAGIC(0, "WithoutFreeSpace\2\0\0\0");
    static const struct magic extended = MAGIC(0, "WithouFreSpacExt\2\0\0\0");

    return magic_matches(&magic, start, len) ||
           magic_matches(&extended, start, len);
}

/* The magic, the type and the subtype, each with its NUL, and the version. */
static bool is_bochs(const unsigned char *start, size_t len)
{
    static const struct magic magic = MAGIC(0, "Bochs Virtual HD Image\0");
    static const struct magic type = MAGIC(32, "Redolog\0");
    static const struct magic subtype = MAGIC(48, "Growing\0");
    static const struct magic version_1 = MAGIC(64, "\0\0\1\0");
    static const struct magic version_2 = MAGIC(64, "\0\0\2\0");

    return magic_matches(&magic, start, len) &&
           magic_matches(&type, start, len) &&
           magic_matches(&subtype, start, len) &&
           (magic_matches(&version_1, start, len) ||
            magic_matches(&version_2, start, len));
}

const struct format formats[] = {
    {
        .name = "raw",
        .open = raw_open,
    },
    {
        .name = "qed",
        .magic = MAGIC(0, "QED\0"),
        .names = qed_names,
    },
    {
        .name = "parallels",
        .file_suffixes = { "hdd", "hds" },
        .probe = is_parallels,
        .descriptor = "DiskDescriptor.xml",
    },
    {
        .name = "vdi",
        .magic = MAGIC(64, "\x7f\x10\xda\xbe"),
        .open = vdi_open,
    },
    {
        .name = "qcow2",
        .probe = qcow2_probe,
        .open = qcow2_open,
        .names = qcow2_names,
    },
    {
        .name = "qcow",
        .probe = qcow_probe,
        .names = qcow_names,
    },
    {
        /* A descriptor of a version that QEMU does not know looks like one. */
        .name = "vmdk",
        .probe = vmdk_probe,
        .lookalike_start = MAGIC(0, "# Disk DescriptorFile"),
        .open = vmdk_open,
        .names = vmdk_names,
        .has_extents = true,
    },
    {
        .name = "vhdx",
        .file_suffixes = { "avhdx" },
        .magic = MAGIC(0, "vhdxfile"),
        .open = vhdx_open,
    },
    {
        .name = "vpc",
        .file_suffixes = { "vhd", "avhd" },
        .magic = MAGIC(0, "conectix"),
        .lookalike_end = MAGIC(0, "conectix"), /* of fixed size */
        .open = vpc_open,
        .names = vpc_names,
    },
    {
        /* Version 1. QEMU does not know version 2, which cryptsetup makes: it
         * is the content of a disk. */
        .name = "luks",
        .magic = MAGIC(0, "LUKS\xba\xbe\0\1"),
    },
    {
        .name = "cloop",
        .magic = MAGIC(0, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && "
                          "mount -r -t iso9660 /dev/cloop $1\n"),
        .weak = true,
    },
    {
        .name = "bochs",
        .probe = is_bochs,
    },
    {
        .name = "dmg",
        .suffix = ".dmg",
        .lookalike_end = MAGIC(0, "koly"),
    },
};

const size_t format_count = ARRAY_SIZE(formats);

const struct format *format_find(const char *name)
{
    for (size_t i = 0; i < format_count; i++) {
        if (strcmp(name, formats[i].name) == 0)
            return &formats[i];
    }
    return NULL;
}

static const char *find_suffix(const struct format *format, const char *word)
{
    const char *const *suffix = format->file_suffixes;

    while (*suffix && strcasecmp(word, *suffix) != 0)
        suffix++;
    return *suffix;
}

const struct format *format_meant_by(const char *word, const char **suffix)
{
    for (size_t i = 0; i < format_count; i++) {
        *suffix = find_suffix(&formats[i], word);
        if (*suffix || strcasecmp(word, formats[i].name) == 0)
            return &formats[i];
    }
    return NULL;
}

bool format_is_native(const char *name)
{
    const struct format *format = format_find(name);

    return format && format->open;
}
