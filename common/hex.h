/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hexadecimal digits, in upper or lower case.
 */
#ifndef COMMON_HEX_H
#define COMMON_HEX_H

/* The value of a digit. -1: it is something else. */
static inline int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Read digits to the end of the text, at most max bytes of them. Returns the
 * number of bytes; 0: the text is something else. */
unsigned hex_parse(const char *text, unsigned char *bytes, unsigned max);

#endif
