/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/sum.h"

#include <stdlib.h>
#include <string.h>

void sum_clear(struct sum *sum)
{
    free(sum->name);
    free((char *)sum->part.snapshot);
    free((char *)sum->part.member);
    sum->name = NULL;
    sum->part = (struct sum_part){ .snapshot = NULL };
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

unsigned sum_parse_hex(const char *text, unsigned char *bytes, unsigned max)
{
    size_t len = strlen(text);

    if (len % 2 || len / 2 > max)
        return 0;
    for (size_t i = 0; i < len; i++) {
        int value = hex_value(text[i]);

        if (value < 0)
            return 0;
        bytes[i / 2] = i % 2 ? bytes[i / 2] | value : value << 4;
    }
    return len / 2;
}
