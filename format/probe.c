/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Containers by their magic. What QEMU's probing knows, this must know: an
 * image that is taken for raw gets the checksum of its container.
 */
#include "format/probe.h"

#include <errno.h>
#include <string.h>

#include "common/array.h"
#include "common/bytes.h"
#include "format/layer.h"

struct magic {
    const char *format;
    unsigned offset;
    unsigned length;
    const char *bytes;
};

#define MAGIC(format, offset, bytes)                                           \
    {                                                                          \
        format, offset, sizeof(bytes) - 1, bytes                               \
    }

/* Formats that have a magic, and no more. */
static const struct magic magics[] = {
    MAGIC("qed", 0, "QED\0"),
    MAGIC("vmdk", 0, "KDMV"),
    MAGIC("vmdk", 0, "COWD"),
    MAGIC("vhdx", 0, "vhdxfile"),
    MAGIC("vpc", 0, "conectix"),
    MAGIC("vdi", 64, "\x7f\x10\xda\xbe"),
    /* Version 1. Of version 2 QEMU knows nothing: it is the content of a disk,
     * as cryptsetup makes it. */
    MAGIC("luks", 0, "LUKS\xba\xbe\0\1"),
    MAGIC("cloop", 0,
          "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t "
          "iso9660 /dev/cloop $1\n"),
};

/* Bytes of the start that are looked at. */
#define PROBE_SIZE 512

/* A DMG image, and a VPC image of fixed size, end with 512 bytes that start so.
 * QEMU goes by the name for the one, and by nothing for the other. */
#define TRAILER_SIZE 512
#define DMG_MAGIC "koly"
#define DMG_SUFFIX ".dmg"
#define VPC_MAGIC "conectix"

/* The same magic for two formats; QEMU goes by the version. */
static const char *probe_qcow(const unsigned char *p, size_t len)
{
    uint32_t version;

    if (len < 8 || memcmp(p, "QFI\xfb", 4) != 0)
        return NULL;
    version = get_be32(p + 4);
    if (version == 0)
        return NULL;
    return version == 1 ? "qcow" : "qcow2";
}

static bool has(const unsigned char *p, size_t len, size_t offset,
                const void *bytes, size_t count)
{
    return len >= offset + count && memcmp(p + offset, bytes, count) == 0;
}

/* The version is a part of the magic. */
static bool is_parallels(const unsigned char *p, size_t len)
{
    static const char version[] = { 2, 0, 0, 0 };

    return (has(p, len, 0, "WithoutFreeSpace", 16) ||
            has(p, len, 0, "WithouFreSpacExt", 16)) &&
           has(p, len, 16, version, sizeof(version));
}

/* So are its type and subtype here. Each is a string of C. */
static bool is_bochs(const unsigned char *p, size_t len)
{
    static const char version_1[] = { 0, 0, 1, 0 },
                      version_2[] = { 0, 0, 2, 0 };

    return has(p, len, 0, "Bochs Virtual HD Image", 23) &&
           has(p, len, 32, "Redolog", 8) && has(p, len, 48, "Growing", 8) &&
           (has(p, len, 64, version_1, 4) || has(p, len, 64, version_2, 4));
}

static bool starts_with(const char *p, const char *end, const char *start)
{
    size_t len = strlen(start);

    return (size_t)(end - p) >= len && memcmp(p, start, len) == 0;
}

/* The end of a line of blanks, which may have a carriage return; NULL: it has
 * something else. */
static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && *p == ' ')
        p++;
    if (p < end && *p == '\r')
        p++;
    return p < end && *p == '\n' ? p + 1 : NULL;
}

/* The text that describes a VMDK image: comments and lines of blanks, and then
 * its version. A line that is empty QEMU does not take for one of blanks. */
static bool is_vmdk_text(const char *p, const char *end)
{
    static const char *const versions[] = {
        "version=1\n",   "version=2\n",   "version=3\n",
        "version=1\r\n", "version=2\r\n", "version=3\r\n",
    };

    while (p && p < end && (*p == '#' || *p == ' ')) {
        if (*p == ' ') {
            p = skip_blanks(p, end);
        } else {
            p = memchr(p, '\n', end - p);
            p = p ? p + 1 : NULL;
        }
    }
    for (size_t i = 0; p && i < ARRAY_SIZE(versions); i++) {
        if (starts_with(p, end, versions[i]))
            return true;
    }
    return false;
}

const char *probe_magic(const void *buf, size_t len)
{
    const unsigned char *p = buf;
    const char *qcow = probe_qcow(p, len);

    if (qcow)
        return qcow;

    for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
        const struct magic *m = &magics[i];

        if (has(p, len, m->offset, m->bytes, m->length))
            return m->format;
    }
    if (is_parallels(p, len))
        return "parallels";
    if (is_bochs(p, len))
        return "bochs";
    if (len > PROBE_SIZE)
        len = PROBE_SIZE;
    return is_vmdk_text(buf, (const char *)buf + len) ? "vmdk" : NULL;
}

int probe_refuse(const char *format, const char *name, struct error *error)
{
    return error_set(error, ENOTSUP,
                     "%s: is a %s image, which is not supported; make a raw "
                     "image of it with 'qemu-img convert -O raw' ('-f raw' "
                     "would hash the container)",
                     name, format);
}

static bool is_dmg_name(const char *path)
{
    size_t len = path ? strlen(path) : 0;

    return len > strlen(DMG_SUFFIX) &&
           strcmp(path + len - strlen(DMG_SUFFIX), DMG_SUFFIX) == 0;
}

/* What raw bytes may be. The text of a VMDK image that is of another version
 * than QEMU knows is raw to QEMU. */
static const char *find_hidden(const unsigned char *start,
                               const unsigned char *end)
{
    if (memcmp(end, VPC_MAGIC, strlen(VPC_MAGIC)) == 0)
        return "vpc";
    if (memcmp(end, DMG_MAGIC, strlen(DMG_MAGIC)) == 0)
        return "dmg";
    if (starts_with((const char *)start, (const char *)start + PROBE_SIZE,
                    "# Disk DescriptorFile"))
        return "vmdk";
    return NULL;
}

int probe_format(struct reader *r, const char *path, const char **format,
                 const char **hidden, struct error *error)
{
    unsigned char start[PROBE_SIZE], end[TRAILER_SIZE] = { 0 };
    int err = metadata_read(r, 0, start, sizeof(start), error);

    *hidden = NULL;
    if (err)
        return err;
    *format = probe_magic(start, sizeof(start));
    if (*format)
        return 0;
    if (is_dmg_name(path)) {
        *format = "dmg";
        return 0;
    }
    *format = "raw";
    if (r->size >= TRAILER_SIZE)
        err = metadata_read(r, r->size - TRAILER_SIZE, end, sizeof(end), error);
    if (!err)
        *hidden = find_hidden(start, end);
    return err;
}

bool is_image_format(const char *name)
{
    static const char *const formats[] = {
        "raw", "qcow2",     "qcow", "qed",   "vmdk",  "vhdx", "vpc",
        "vdi", "parallels", "luks", "bochs", "cloop", "dmg",
    };

    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        if (strcmp(name, formats[i]) == 0)
            return true;
    }
    return false;
}
