/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VMDK, which QEMU reads: how an image is recognised. The names in it are found
 * by vmdk-descriptor.c.
 */
#include <string.h>

#include "common/array.h"
#include "format/format.h"

/* QEMU looks for a descriptor in no more than this. */
#define PROBE_SIZE 512

static bool starts_with(const char *p, const char *end, const char *start)
{
    size_t len = strlen(start);

    return (size_t)(end - p) >= len && memcmp(p, start, len) == 0;
}

/* The end of a line that has blanks only, and may have a carriage return. NULL
 * if it has anything else. */
static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && *p == ' ')
        p++;
    if (p < end && *p == '\r')
        p++;
    return p < end && *p == '\n' ? p + 1 : NULL;
}

/* A descriptor: lines of comments and of blanks, and then the version. To QEMU
 * an empty line is not one of blanks. */
static bool is_descriptor(const char *p, const char *end)
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

bool vmdk_probe(const unsigned char *start, size_t len)
{
    const char *text = (const char *)start;

    if (starts_with(text, text + len, "KDMV") ||
        starts_with(text, text + len, "COWD"))
        return true;
    return is_descriptor(text, text + (len < PROBE_SIZE ? len : PROBE_SIZE));
}
