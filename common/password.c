/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/password.h"

#include <stddef.h>
#include <string.h>

#define MASK "***"

/* The next password in a text, and its length; NULL: there is none. */
static char *next_password(char *text, size_t *len)
{
    for (char *p = strstr(text, "://"); p; p = strstr(p, "://")) {
        char *colon, *end;

        p += strlen("://");
        end = p + strcspn(p, "/?# '\"");
        colon = memchr(p, ':', end - p);
        /* The last one: a password may have more. */
        while (end > p && *end != '@')
            end--;
        if (colon && *end == '@' && colon + 1 < end) {
            *len = end - (colon + 1);
            return colon + 1;
        }
    }
    return NULL;
}

bool has_password(const char *text)
{
    size_t len;

    return next_password((char *)text, &len) != NULL;
}

void mask_passwords(char *text)
{
    size_t len;

    while ((text = next_password(text, &len))) {
        size_t shown = len < strlen(MASK) ? len : strlen(MASK);

        memcpy(text, MASK, shown);
        memmove(text + shown, text + len, strlen(text + len) + 1);
        text += shown;
    }
}
