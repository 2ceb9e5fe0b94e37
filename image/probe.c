/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Containers by their magic. What QEMU's probing knows, this must know: an
 * image that is taken for raw gets the checksum of its container.
 */
#include "image/probe.h"

#include <errno.h>
#include <string.h>

#include "common/bytes.h"
#include "image/layer.h"

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

/* The first that matches. */
static const struct magic magics[] = {
    MAGIC("qed", 0, "QED\0"),
    MAGIC("vmdk", 0, "KDMV"),
    MAGIC("vmdk", 0, "COWD"),
    MAGIC("vmdk", 0, "# Disk DescriptorFile"),
    MAGIC("vhdx", 0, "vhdxfile"),
    MAGIC("vpc", 0, "conectix"),
    MAGIC("vdi", 64, "\x7f\x10\xda\xbe"),
    MAGIC("luks", 0, "LUKS\xba\xbe"),
    MAGIC("parallels", 0, "WithoutFreeSpace"),
    MAGIC("parallels", 0, "WithouFreSpacExt"),
    MAGIC("bochs", 0, "Bochs Virtual HD Image"),
    MAGIC("cloop", 0, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop"),
};

/* Bytes of the start that are looked at. */
#define PROBE_SIZE 512

/* A .dmg, and a VPC image of fixed size, end with 512 bytes that start so. */
#define TRAILER_SIZE 512
#define DMG_MAGIC "koly"
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
    for (size_t i = 0; p && i < sizeof(versions) / sizeof(*versions); i++) {
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

    for (size_t i = 0; i < sizeof(magics) / sizeof(*magics); i++) {
        const struct magic *m = &magics[i];

        if (len >= m->offset + m->length &&
            memcmp(p + m->offset, m->bytes, m->length) == 0)
            return m->format;
    }
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

int probe_format(struct reader *r, const char **format, const char **hidden,
                 struct error *error)
{
    unsigned char buf[PROBE_SIZE];
    int err = metadata_read(r, 0, buf, sizeof(buf), error);

    *hidden = NULL;
    if (err)
        return err;
    *format = probe_magic(buf, sizeof(buf));
    if (*format)
        return 0;

    *format = "raw";
    if (r->size < TRAILER_SIZE)
        return 0;
    err = metadata_read(r, r->size - TRAILER_SIZE, buf, TRAILER_SIZE, error);
    if (err)
        return err;
    if (memcmp(buf, DMG_MAGIC, strlen(DMG_MAGIC)) == 0)
        *format = "dmg";
    else if (memcmp(buf, VPC_MAGIC, strlen(VPC_MAGIC)) == 0)
        *hidden = "vpc";
    return 0;
}
