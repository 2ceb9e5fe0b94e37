/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/url.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "common/hex.h"

#define DIGITS "0123456789"
#define MAX_PORT 65535
#define MAX_HOST 255

/* --- tokens ------------------------------------------------------------- */

static bool is_scheme_char(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("+.-", c));
}

size_t url_separator_length(const char *p)
{
    if (strncmp(p, "://", 3) == 0)
        return 3;
    return strncmp(p, ":\\/\\/", 5) == 0 ? 5 : 0;
}

struct span url_scheme_before(const char *start, const char *end)
{
    const char *first = end;

    while (first > start && is_scheme_char(first[-1]))
        first--;
    return span_between(first, end);
}

size_t url_literal_length(const char *p)
{
    size_t n;

    if (*p != '[')
        return 0;
    n = 1 + strspn(p + 1, DIGITS "abcdefABCDEF:.");
    return p[n] == ']' ? n + 1 : 0;
}

size_t url_host_length(const char *p)
{
    size_t n = url_literal_length(p);

    if (n)
        return n;
    while (n <= MAX_HOST &&
           (isalnum((unsigned char)p[n]) || (p[n] && strchr(".-_", p[n]))))
        n++;
    return n;
}

size_t url_port_length(const char *p)
{
    size_t n = strspn(p, DIGITS);

    return n <= 5 && atoi(p) <= MAX_PORT ? n : 0;
}

bool url_has_port(const char *p)
{
    size_t n = url_port_length(p);

    return n && p[n] == '/';
}

bool url_is_host(const char *text, size_t len)
{
    size_t n = url_host_length(text);

    if (n && n < len && text[n] == ':')
        n += 1 + url_port_length(text + n + 1);
    return n > 0 && n == len;
}

/* --- URLs --------------------------------------------------------------- */

bool url_parse(const char *text, struct url *url)
{
    const char *p = text, *end, *at, *colon;
    size_t n;

    while (is_scheme_char(*p))
        p++;
    n = url_separator_length(p);
    if (!n || p == text)
        return false;
    *url = (struct url){ .scheme = span_between(text, p) };
    p += n;
    end = p + strcspn(p, "/?#");
    at = memrchr(p, '@', end - p);
    if (at) {
        colon = memchr(p, ':', at - p);
        url->user = span_between(p, colon ? colon : at);
        if (colon)
            url->password = span_between(colon + 1, at);
        p = at + 1;
    }
    url->host = span_between(p, p + strlen(p));
    return true;
}

char *url_decode(struct span part)
{
    const char *p = part.start, *end = p + part.len;
    char *decoded = malloc(part.len + 1);
    char *to = decoded;

    if (!decoded)
        return NULL;
    while (p < end) {
        char c = *p++;

        if (c == '%' && end - p >= 2 && hex_value(p[0]) >= 0 &&
            hex_value(p[1]) >= 0) {
            c = hex_value(p[0]) << 4 | hex_value(p[1]);
            p += 2;
        }
        if (!c) {
            free(decoded);
            errno = EINVAL;
            return NULL;
        }
        *to++ = c;
    }
    *to = '\0';
    return decoded;
}
