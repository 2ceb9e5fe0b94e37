/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/hex.h"

#include <stddef.h>
#include <string.h>

unsigned hex_parse(const char *text, unsigned char *bytes, unsigned max)
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
