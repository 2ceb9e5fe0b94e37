/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/safe-text.h"

#include "cli/utf8.h"

bool is_safe_character(uint32_t c)
{
    return !(c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c ||
             (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
             (c >= 0x2060 && c <= 0x206f) || (c >= 0xd800 && c < 0xf900) ||
             c == 0xfeff || (c >= 0xfff0 && c <= 0xffff) || c > 0xe0000);
}

unsigned safe_write_character(FILE *f, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    uint32_t c;
    unsigned length = utf8_read(p, &c);

    if (length && is_safe_character(c)) {
        fwrite(p, 1, length, f);
        return length;
    }
    if (!length)
        length = 1;
    for (unsigned i = 0; i < length; i++)
        fprintf(f, "\\%03o", p[i]);
    return length;
}

void safe_write(FILE *f, const char *text)
{
    while (*text)
        text += safe_write_character(f, text);
}
