/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A secret is looked for where a user may have left it, escaped or not:
 *
 *   SCHEME://USER:SECRET@HOST     as far as the last @ that could end it
 *   iscsi://USER%SECRET@HOST
 *   password=SECRET               in an option string, to its next comma
 *   "password": "SECRET"          in JSON, to its next quote
 *   rbd:POOL/IMAGE:key=SECRET     to the next colon
 *   secret,id=ID,data=SECRET
 */
#include "common/url.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/array.h"

#define DIGITS "0123456789"
#define MAX_PORT 65535
#define MAX_HOST 255

/* --- URLs --------------------------------------------------------------- */

static bool is_scheme_char(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("+.-", c));
}

/* "://", or as JSON may have it. Returns its length; 0: it is none. */
static size_t scheme_end(const char *p)
{
    if (strncmp(p, "://", 3) == 0)
        return 3;
    return strncmp(p, ":\\/\\/", 5) == 0 ? 5 : 0;
}

static bool span_is(struct span span, const char *text)
{
    return strlen(text) == span.len &&
           strncasecmp(span.start, text, span.len) == 0;
}

static struct span span_between(const char *start, const char *end)
{
    return (struct span){ .start = start, .len = end - start };
}

/* Schemes where a new URL may begin in a text. Others may be in a password. */
static bool is_known_scheme(struct span scheme)
{
    static const char *const schemes[] = {
        "nbd",  "nbds",  "nbd+unix", "nbds+unix", "nbd+vsock",   "nbds+vsock",
        "http", "https", "ftp",      "ftps",      "ssh",         "sftp",
        "nfs",  "iscsi", "iser",     "gluster",   "gluster+tcp", "gluster+unix",
    };

    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        if (span_is(scheme, schemes[i]))
            return true;
    }
    return false;
}

/* The scheme that ends at p, not before start. */
static struct span scheme_before(const char *start, const char *p)
{
    const char *first = p;

    while (first > start && is_scheme_char(first[-1]))
        first--;
    return span_between(first, p);
}

/* "[IPv6]". Returns its length; 0: it is none. */
static size_t literal_length(const char *p)
{
    size_t n;

    if (*p != '[')
        return 0;
    n = 1 + strspn(p + 1, DIGITS "abcdefABCDEF:.");
    return p[n] == ']' ? n + 1 : 0;
}

static bool is_iscsi(struct span scheme)
{
    return span_is(scheme, "iscsi") || span_is(scheme, "iser");
}

/* What separates the user from the password. NULL: there is none before end, or
 * it is behind the authority. */
static const char *find_separator(const char *p, const char *end, bool percent)
{
    for (const char *start = p; p < end; p++) {
        if (p == start || p[-1] == '@') {
            size_t n = literal_length(p);

            p += n && p + n < end ? n : 0;
        }
        if (*p == ':' || (percent && *p == '%'))
            return p;
        if (strchr("/?#", *p))
            return NULL;
    }
    return NULL;
}

/* Length of "PORT"; 0: it is none. */
static size_t port_length(const char *p)
{
    size_t n = strspn(p, DIGITS);

    return n <= 5 && atoi(p) <= MAX_PORT ? n : 0;
}

bool url_has_port(const char *p)
{
    size_t n = port_length(p);

    return n && p[n] == '/';
}

/* What follows a colon in words: "https://host: no", "'nbd://host:10809'". */
static bool is_prose(const char *p)
{
    size_t n = port_length(p);

    return !*p || *p == ' ' || (n && !isalnum((unsigned char)p[n]));
}

/* Length of "HOST"; 0: it is none. */
static size_t host_length(const char *p)
{
    size_t n = literal_length(p);

    if (n)
        return n;
    while (n <= MAX_HOST &&
           (isalnum((unsigned char)p[n]) || (p[n] && strchr(".-_", p[n]))))
        n++;
    return n;
}

bool url_is_host(const char *text, size_t len)
{
    size_t n = host_length(text);

    if (n && n < len && text[n] == ':')
        n += 1 + port_length(text + n + 1);
    return n > 0 && n == len;
}

/* "HOST/" or "HOST:PORT/". */
static bool is_host_with_path(const char *p)
{
    size_t n = host_length(p);

    return n && (p[n] == '/' || (p[n] == ':' && url_has_port(p + n + 1)));
}

/* What may be the password in what follows "SCHEME://", as far as an "@". The
 * port of a server is none, unless what follows it looks like the server:
 * "https://a:1/2@host/b". NBD has no passwords. */
static struct span find_password(struct span scheme, const char *p,
                                 const char *at)
{
    const struct span none = { .start = NULL };
    bool nbd = scheme.len >= 3 && strncasecmp(scheme.start, "nbd", 3) == 0;
    const char *separator;

    if (!at || at < p)
        return none;
    separator = find_separator(p, at, is_iscsi(scheme));
    if (!separator || separator + 1 == at)
        return none;
    if (url_has_port(separator + 1) &&
        (nbd || memchr(p, '@', separator - p) || !is_host_with_path(at + 1)))
        return none;
    return span_between(separator + 1, at);
}

bool url_parse(const char *text, struct url *url)
{
    const char *p = text, *end, *at, *colon;
    size_t n;

    while (is_scheme_char(*p))
        p++;
    n = scheme_end(p);
    if (!n || p == text)
        return false;
    *url = (struct url){ .scheme = span_between(text, p) };
    p += n;
    url->secret = find_password(url->scheme, p, strrchr(p, '@'));
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

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *url_decode(struct span text)
{
    const char *p = text.start, *end = p + text.len;
    char *decoded = malloc(text.len + 1);
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

/* --- secrets in a text -------------------------------------------------- */

/* The quote that ends a JSON string; it may itself be in a string, as \". */
static const char *string_end(const char *p, const char *end, char quote,
                              bool nested)
{
    for (; p < end; p++) {
        if (nested && p[0] == '\\' && p + 1 < end && p[1] == quote)
            return p;
        if (!nested && *p == quote)
            return p;
        if (*p == '\\' && p + 1 < end)
            p++;
    }
    return end;
}

/* Where the next URL begins. */
static void find_limit(struct secrets *s, const char *p)
{
    s->limit = s->end;
    for (const char *q = p; q < s->end; q++) {
        struct span next;

        if (*q != ':' || !scheme_end(q))
            continue;
        next = scheme_before(p, q);
        if (next.start > p && is_known_scheme(next)) {
            s->limit = next.start;
            break;
        }
    }
    s->limit_at = memrchr(p, '@', s->limit - p);
}

/* The last "@" that can belong to a URL whose password is not escaped: it ends
 * with its string, or where the next one begins. */
static const char *find_at(struct secrets *s, struct span url_scheme,
                           const char *p)
{
    const char *scheme = url_scheme.start;
    const char *separator;

    if (s->is_json && scheme > s->start &&
        (scheme[-1] == '"' || (s->whole && scheme[-1] == '\''))) {
        const char *end = string_end(
            p, s->end, scheme[-1], scheme - 1 > s->start && scheme[-2] == '\\');

        return memrchr(p, '@', end - p);
    }
    if (s->whole && scheme == s->start)
        return s->last_at;
    if (!s->limit || p > s->limit)
        find_limit(s, p);
    if (s->limit_at >= p)
        return s->limit_at;
    /* No "@", but a colon: what looks like a URL may be in the password. */
    separator = find_separator(p, s->limit, is_iscsi(url_scheme));
    if (!separator || is_prose(separator + 1))
        return NULL;
    while (s->limit < s->end && s->limit_at < p)
        find_limit(s, s->limit + 1);
    return s->limit_at;
}

static struct span secret_of_url(struct secrets *s, const char *p)
{
    struct span scheme = scheme_before(s->start, p);
    const char *rest = p + scheme_end(p);

    if (!s->last_at || s->last_at < rest)
        return (struct span){ .start = NULL };
    return find_password(scheme, rest, find_at(s, scheme, rest));
}

/* A value in an option string: a comma in it is doubled. */
static struct span option_value(const struct secrets *s, const char *p)
{
    const char *end = p;

    while (end < s->end && (*end != ',' || (end + 1 < s->end && end[1] == ',')))
        end += *end == ',' ? 2 : 1;
    return span_between(p, end);
}

/* A value in the name of an RBD image: a colon in it has a backslash. */
static struct span rbd_value(const struct secrets *s, const char *p)
{
    const char *end = p;

    while (end < s->end && *end != ':')
        end += *end == '\\' && end + 1 < s->end ? 2 : 1;
    return span_between(p, end);
}

/* A string in JSON: what follows its key. */
static struct span json_value(const struct secrets *s, const char *p)
{
    const struct span none = { .start = NULL };
    const char *start = p;

    while (p < s->end && strchr("\\\"'", *p))
        p++;
    if (p == start)
        return none;
    while (p < s->end && isspace((unsigned char)*p))
        p++;
    if (p == s->end || *p++ != ':')
        return none;
    while (p < s->end && isspace((unsigned char)*p))
        p++;
    start = p;
    while (p < s->end && *p == '\\')
        p++;
    if (p == s->end || !strchr("\"'", *p))
        return none;
    return span_between(p + 1, string_end(p + 1, s->end, *p, p > start));
}

/* Length of the key of a secret at p; 0: there is none. */
static size_t key_length(const struct secrets *s, const char *p, bool *is_rbd)
{
    static const char *const keys[] = {
        "password",   "passwd",        "passphrase", "cookie",
        "secret-key", "session-token", "data",       "key",
    };

    if (p > s->start && !strchr(",.-_:{[\"' \t\n", p[-1]))
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        size_t n = strlen(keys[i]);

        if ((size_t)(s->end - p) <= n || strncasecmp(p, keys[i], n) != 0)
            continue;
        *is_rbd = strcmp(keys[i], "key") == 0;
        if (*is_rbd)
            return s->rbd && s->rbd < p && p[-1] == ':' ? n : 0;
        if (strcmp(keys[i], "data") == 0)
            return s->is_object ? n : 0;
        return n;
    }
    return 0;
}

static struct span secret_of_key(const struct secrets *s, const char *p)
{
    bool is_rbd;
    size_t n = key_length(s, p, &is_rbd);
    const struct span none = { .start = NULL };

    if (!n)
        return none;
    p += n;
    if (*p == '=')
        return is_rbd ? rbd_value(s, p + 1) : option_value(s, p + 1);
    return json_value(s, p);
}

static void begin(struct secrets *s, const char *start, const char *end,
                  bool whole)
{
    size_t len = end - start;

    *s = (struct secrets){
        .start = start,
        .end = end,
        .next = start,
        .whole = whole,
        .is_json = memmem(start, len, "json:", 5) || (whole && *start == '{'),
        .last_at = memrchr(start, '@', len),
        .rbd = memmem(start, len, "rbd:", 4),
        .is_object = memmem(start, len, "secret", 6) != NULL,
    };
}

void secrets_begin(struct secrets *s, const char *name)
{
    begin(s, name, name + strlen(name), true);
}

bool secrets_next(struct secrets *s, struct span *secret)
{
    for (; s->next < s->end; s->next++) {
        const char *p = s->next;

        *secret = *p == ':' && scheme_end(p) ? secret_of_url(s, p)
                                             : secret_of_key(s, p);
        if (secret->len) {
            s->next = secret->start + secret->len;
            return true;
        }
    }
    return false;
}

/* --- what is done with them --------------------------------------------- */

bool has_secret(const char *name)
{
    struct secrets s;
    struct span secret;

    secrets_begin(&s, name);
    return secrets_next(&s, &secret);
}

bool has_mask(const char *name)
{
    struct secrets s;
    struct span secret;

    secrets_begin(&s, name);
    while (secrets_next(&s, &secret)) {
        if (span_is(secret, SECRET_MASK))
            return true;
    }
    return false;
}

void wipe_secrets(char *name)
{
    struct secrets s;
    struct span secret, next;

    secrets_begin(&s, name);
    /* The next one is looked for while this one still is what it was. */
    for (bool more = secrets_next(&s, &secret); more; secret = next) {
        more = secrets_next(&s, &next);
        memset(name + (secret.start - name), 'x', secret.len);
    }
}

static void write_masked(FILE *f, struct secrets *s)
{
    const char *p = s->start;
    struct span secret;

    while (secrets_next(s, &secret)) {
        fwrite(p, 1, secret.start - p, f);
        fputs(SECRET_MASK, f);
        p = secret.start + secret.len;
    }
    fwrite(p, 1, s->end - p, f);
}

static void write_text(FILE *f, const char *text, const char *known)
{
    const char *end;
    struct secrets s;

    while (known && (end = strstr(text, known))) {
        begin(&s, text, end, false);
        write_masked(f, &s);
        secrets_begin(&s, known);
        write_masked(f, &s);
        text = end + strlen(known);
    }
    begin(&s, text, text + strlen(text), false);
    write_masked(f, &s);
}

/* The text that was written to a stream in memory. NULL: not all of it. */
static char *finish(FILE *f, char **text)
{
    if (fclose(f) == 0)
        return *text;
    free(*text);
    return NULL;
}

char *mask_name(const char *name)
{
    char *masked = NULL;
    struct secrets s;
    size_t size;
    FILE *f = open_memstream(&masked, &size);

    if (!f)
        return NULL;
    secrets_begin(&s, name);
    write_masked(f, &s);
    return finish(f, &masked);
}

char *mask_text(const char *text, const char *known)
{
    char *masked = NULL;
    size_t size;
    FILE *f = open_memstream(&masked, &size);

    if (!f)
        return NULL;
    write_text(f, text, known && has_secret(known) ? known : NULL);
    return finish(f, &masked);
}
