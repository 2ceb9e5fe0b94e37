/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * UTF-16, in which images of Microsoft's formats record names.
 */
#ifndef COMMON_UTF16_H
#define COMMON_UTF16_H

#include <stddef.h>

enum utf16_order {
    UTF16_LE,
    UTF16_BE,
};

/*
 * Convert text to UTF-8. It ends after so many bytes, or before the first NUL.
 * The caller frees *utf8. Returns 0, ENOMEM, or EINVAL if the text has half of
 * a surrogate pair, or of a code unit.
 */
int utf16_to_utf8(const unsigned char *text, size_t bytes,
                  enum utf16_order order, char **utf8);

#endif
