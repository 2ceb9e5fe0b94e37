/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * URLs, as RFC 3986 has them.
 */
#ifndef COMMON_URL_H
#define COMMON_URL_H

#include "common/span.h"

struct url {
    struct span scheme;
    struct span user, password; /* still escaped */
    struct span host;           /* from the host to the end of the text */
};

/* Split a URL. False if the text does not begin with "SCHEME://". */
bool url_parse(const char *text, struct url *url);

/* Undo the escapes (%2F) of a part. The caller frees the result. On failure,
 * return NULL and set errno: ENOMEM, or EINVAL for a NUL byte. */
char *url_decode(struct span part);

/* Whether the first len bytes of a text are "HOST", "HOST:" or "HOST:PORT". */
bool url_is_host(const char *text, size_t len);

/* Whether a text begins with "PORT/". */
bool url_has_port(const char *text);

/* Tokens. Each function returns the length of the token that the text begins
 * with, or 0. */
size_t url_separator_length(const char *text); /* "://", or ":\/\/" in JSON */
size_t url_literal_length(const char *text);   /* "[IPv6]" */
size_t url_host_length(const char *text);
size_t url_port_length(const char *text);

/* The scheme that ends at `end`, where the search stops at start. It is empty
 * if there is none. */
struct span url_scheme_before(const char *start, const char *end);

#endif
