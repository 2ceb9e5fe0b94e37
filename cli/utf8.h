/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_UTF8_H
#define CLI_UTF8_H

#include <stdbool.h>
#include <stdint.h>

/* Decode the UTF-8 character at p (RFC 3629) into *c. Returns its bytes; 0: it
 * is not UTF-8. The text ends with a NUL. */
unsigned utf8_read(const unsigned char *p, uint32_t *c);

/* Whether all of a text is UTF-8. */
bool utf8_valid(const char *text);

#endif
