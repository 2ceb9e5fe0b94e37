/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The identity of an image as a text, as parent locators have it.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "format/vhdx.h"

#define GUID_TEXT "{00000000-0000-0000-0000-000000000000}"

/* The places of the digits of each byte, in the order of the bytes. */
static const unsigned char guid_digits[16] = {
    7, 5, 3, 1, 12, 10, 17, 15, 20, 22, 25, 27, 29, 31, 33, 35,
};

bool vhdx_guid_parse(const char *text, struct vhdx_guid *guid)
{
    if (strlen(text) != strlen(GUID_TEXT))
        return false;
    for (size_t i = 0; GUID_TEXT[i]; i++) {
        if (GUID_TEXT[i] == '0' ? !isxdigit((unsigned char)text[i])
                                : text[i] != GUID_TEXT[i])
            return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(guid_digits); i++) {
        const char digits[] = { text[guid_digits[i]], text[guid_digits[i] + 1],
                                '\0' };

        guid->bytes[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
    return true;
}

void vhdx_guid_format(const struct vhdx_guid *guid, char text[VHDX_GUID_TEXT])
{
    static const char digits[] = "0123456789abcdef";

    strcpy(text, GUID_TEXT);
    for (size_t i = 0; i < ARRAY_SIZE(guid_digits); i++) {
        text[guid_digits[i]] = digits[guid->bytes[i] >> 4];
        text[guid_digits[i] + 1] = digits[guid->bytes[i] & 0xf];
    }
}
