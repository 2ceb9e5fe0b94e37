/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/utf8.h"

unsigned utf8_read(const unsigned char *p, uint32_t *c)
{
    static const uint32_t minimum[] = { 0, 0, 0x80, 0x800, 0x10000 };
    unsigned length = *p < 0x80                  ? 1
                      : *p >= 0xc2 && *p < 0xe0  ? 2
                      : *p >= 0xe0 && *p < 0xf0  ? 3
                      : *p >= 0xf0 && *p <= 0xf4 ? 4
                                                 : 0;

    *c = length > 1 ? *p & (0x7f >> length) : *p;
    for (unsigned i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        *c = *c << 6 | (p[i] & 0x3f);
    }
    if (*c < minimum[length] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000))
        return 0;
    return length;
}

bool utf8_valid(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    while (*p) {
        uint32_t c;
        unsigned length = utf8_read(p, &c);

        if (!length)
            return false;
        p += length;
    }
    return true;
}
