/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/units.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char suffixes[] = "kmgtpe";

int parse_size(const char *text, uint64_t *size)
{
    unsigned long long number;
    unsigned shift = 0;
    char *end;

    /* strtoull() would accept white space and a sign. */
    if (!isdigit((unsigned char)*text))
        return EINVAL;
    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno)
        return errno;
    if (*end) {
        const char *suffix = strchr(suffixes, tolower((unsigned char)*end));

        if (!suffix || end[1])
            return EINVAL;
        shift = 10 * (suffix - suffixes + 1);
    }
    if (number > UINT64_MAX >> shift)
        return ERANGE;
    *size = (uint64_t)number << shift;
    return 0;
}

const char *format_size(double size, char text[SIZE_TEXT])
{
    unsigned power = 0;

    while (size >= 1023.5 && power < 6) {
        size /= 1024;
        power++;
    }
    if (power == 0)
        snprintf(text, SIZE_TEXT, "%.0f B", size);
    else
        snprintf(text, SIZE_TEXT, "%.*f %ciB", size < 10 ? 1 : 0, size,
                 "KMGTPE"[power - 1]);
    return text;
}
