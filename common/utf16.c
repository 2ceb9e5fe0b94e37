/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/utf16.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/bytes.h"

static uint16_t get_unit(const unsigned char *p, enum utf16_order order)
{
    return order == UTF16_BE ? get_be16(p) : get_le16(p);
}

static bool is_high(uint32_t unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low(uint32_t unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/* Write a character, and return the end of what was written. */
static char *put(char *p, uint32_t c)
{
    if (c < 0x80) {
        *p++ = (char)c;
        return p;
    }
    if (c < 0x800) {
        *p++ = (char)(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *p++ = (char)(0xe0 | c >> 12);
        } else {
            *p++ = (char)(0xf0 | c >> 18);
            *p++ = (char)(0x80 | (c >> 12 & 0x3f));
        }
        *p++ = (char)(0x80 | (c >> 6 & 0x3f));
    }
    *p++ = (char)(0x80 | (c & 0x3f));
    return p;
}

/* Convert count units. False if a surrogate stands alone. */
static bool convert(const unsigned char *text, size_t count,
                    enum utf16_order order, char *p)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t c = get_unit(text + 2 * i, order);

        if (is_low(c))
            return false;
        if (is_high(c)) {
            uint32_t low = ++i < count ? get_unit(text + 2 * i, order) : 0;

            if (!is_low(low))
                return false;
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        }
        p = put(p, c);
    }
    *p = '\0';
    return true;
}

int utf16_to_utf8(const unsigned char *text, size_t bytes,
                  enum utf16_order order, char **utf8)
{
    size_t count = 0;

    while (count < bytes / 2 && get_unit(text + 2 * count, order))
        count++;
    if (count == bytes / 2 && bytes % 2)
        return EINVAL;
    /* A unit becomes 3 bytes at most, a pair of them 4. */
    *utf8 = malloc(3 * count + 1);
    if (!*utf8)
        return ENOMEM;
    if (convert(text, count, order, *utf8))
        return 0;
    free(*utf8);
    *utf8 = NULL;
    return EINVAL;
}
