/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The forms of a secret, which the user may have escaped or not:
 *
 *   SCHEME://USER:SECRET@HOST     up to the last @ that can end it
 *   iscsi://USER%SECRET@HOST
 *   password=SECRET               in an option string, up to the next comma
 *   "password": "SECRET"          in JSON, up to the next quote
 *   rbd:POOL/IMAGE:key=SECRET     up to the next colon
 *   secret,id=ID,data=SECRET
 *   https://HOST/IMAGE?sig=SECRET up to the next &
 */
#include "common/secrets.h"

#include <ctype.h>

#include "common/array.h"
#include "common/hex.h"
#include "common/url.h"

/* --- the password of a URL ---------------------------------------------- */

static bool is_iscsi(struct span scheme)
{
    return span_is(scheme, "iscsi") || span_is(scheme, "iser");
}

/* Find what separates the user from the password. NULL if nothing does before
 * `end`, or within the authority of the URL. */
static const char *find_separator(const char *p, const char *end, bool percent)
{
    for (const char *start = p; p < end; p++) {
        if (p == start || p[-1] == '@') {
            size_t n = url_literal_length(p);

            p += n && p + n < end ? n : 0;
        }
        if (*p == ':' || (percent && *p == '%'))
            return p;
        if (strchr("/?#", *p))
            return NULL;
    }
    return NULL;
}

/* "HOST/" or "HOST:PORT/". */
static bool is_host_with_path(const char *p)
{
    size_t n = url_host_length(p);

    return n && (p[n] == '/' || (p[n] == ':' && url_has_port(p + n + 1)));
}

/* The part between the separator and the "@" of what follows "SCHEME://", if it
 * may be a password. The port of a server is not one, unless what follows the
 * "@" looks like a server: "https://a:1/2@host/b". NBD has no passwords. */
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

struct span secret_of_url(const char *text)
{
    const char *p = text;
    struct url url;

    if (!url_parse(text, &url))
        return (struct span){ .start = NULL };
    p += url.scheme.len;
    p += url_separator_length(p);
    return find_password(url.scheme, p, strrchr(p, '@'));
}

/* --- URLs in a text ----------------------------------------------------- */

/* Whether the next URL of a text may begin with this scheme. Other schemes may
 * be part of a password. */
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

/* Whether a colon belongs to a message, by what follows it, rather than to a
 * password: "https://host: no", "'nbd://host:10809'". */
static bool is_prose(const char *p)
{
    size_t n = url_port_length(p);

    return !*p || *p == ' ' || (n && !isalnum((unsigned char)p[n]));
}

/* Find the quote that ends a JSON string. In a nested string, which is part of
 * another one, that quote is \". */
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

/* Find the last "@" of the JSON string that p is in, which is behind a slash
 * and so not part of an escape. NULL, or before p: there is none. */
static const char *find_at_in_string(struct secrets *s, const char *p,
                                     char quote, bool nested)
{
    const char **end = &s->strings[quote == '\''][nested].end;
    const char **at = &s->strings[quote == '\''][nested].at;

    if (!*end || p > *end) {
        *end = string_end(p, s->end, quote, nested);
        *at = memrchr(p, '@', *end - p);
    }
    return *at;
}

/* Find the next URL that begins after p. */
static void find_limit(struct secrets *s, const char *p)
{
    s->limit = s->end;
    for (const char *q = p; q < s->end; q++) {
        struct span next;

        if (*q != ':' || !url_separator_length(q))
            continue;
        next = url_scheme_before(p, q);
        if (next.start > p && is_known_scheme(next)) {
            s->limit = next.start;
            break;
        }
    }
    s->limit_at = memrchr(p, '@', s->limit - p);
}

/* Find the last "@" that can belong to a URL whose password is not escaped. The
 * URL ends with its string, or before the next URL. */
static const char *find_at(struct secrets *s, struct span url_scheme,
                           const char *p)
{
    const char *scheme = url_scheme.start;
    const char *separator;

    if (s->is_json && scheme > s->start &&
        (scheme[-1] == '"' || (s->whole && scheme[-1] == '\'')))
        return find_at_in_string(s, p, scheme[-1],
                                 scheme - 1 > s->start && scheme[-2] == '\\');
    if (s->whole && scheme == s->start)
        return s->last_at;
    if (!s->limit || p > s->limit)
        find_limit(s, p);
    if (s->limit_at >= p)
        return s->limit_at;
    /* There is a colon but no "@" before the next URL, so that may be part of
     * the password. */
    separator = find_separator(p, s->limit, is_iscsi(url_scheme));
    if (!separator || is_prose(separator + 1))
        return NULL;
    while (s->limit < s->end && s->limit_at < p)
        find_limit(s, s->limit + 1);
    return s->limit_at;
}

static struct span secret_at_separator(struct secrets *s, const char *p)
{
    struct span scheme = url_scheme_before(s->start, p);
    const char *rest = p + url_separator_length(p);

    if (!s->last_at || s->last_at < rest)
        return (struct span){ .start = NULL };
    return find_password(scheme, rest, find_at(s, scheme, rest));
}

/* --- values of keys ----------------------------------------------------- */

/* The value of an option, in which commas are doubled. A command may not double
 * them, and where its words end cannot be told either. */
static struct span option_value(const struct secrets *s, const char *p)
{
    const char *end = s->is_command ? s->end : p;

    while (end < s->end && (*end != ',' || (end + 1 < s->end && end[1] == ',')))
        end += *end == ',' ? 2 : 1;
    return span_between(p, end);
}

/* The value of an option of an RBD image, in which colons are escaped. */
static struct span rbd_value(const struct secrets *s, const char *p)
{
    const char *end = p;

    while (end < s->end && *end != ':')
        end += *end == '\\' && end + 1 < s->end ? 2 : 1;
    return span_between(p, end);
}

/* The length of a value in the query of a URL. */
static size_t token_length(const struct secrets *s, const char *p)
{
    size_t n = 0;

    while (p + n < s->end && !strchr("&#,\"' \n", p[n]))
        n++;
    return n;
}

/* The string in JSON that is the value of the key which ends at p. */
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

/* The length of the key of a secret that p points to; 0 if it is not one. */
static size_t key_length(const struct secrets *s, const char *p, bool *is_rbd)
{
    static const char *const keys[] = {
        "password",      "passwd", "passphrase", "cookie", "secret-key",
        "session-token", "data",   "key",        "header",
    };
    /* A command may set PGPASSWORD and the like. */
    bool is_word = p == s->start || strchr(",.-_:{[\"' \t\n?&;", p[-1]);

    if (!is_word && !(s->is_command && isupper((unsigned char)*p)))
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
        /* Of HTTP: it may authorize the client. */
        if (strcmp(keys[i], "header") == 0)
            return s->is_command ? n : 0;
        return n;
    }
    return 0;
}

/* The value of a key in the query of a URL that lets whoever has the URL read
 * the image, as storage services sign them: "?sig=", "&X-Amz-Signature=". */
static struct span token_value(const struct secrets *s, const char *p)
{
    static const char *const keys[] = { "sig=",    "signature=", "token=",
                                        "apikey=", "api_key=",   "api-key=" };

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        size_t n = strlen(keys[i]);

        if ((size_t)(s->end - p) > n && strncasecmp(p, keys[i], n) == 0)
            return span_between(p + n, p + n + token_length(s, p + n));
    }
    return (struct span){ .start = NULL };
}

static struct span secret_at_key(struct secrets *s, const char *p)
{
    bool is_rbd;
    size_t n = key_length(s, p, &is_rbd);
    const struct span none = { .start = NULL };

    s->is_token = !n && s->query && s->query < p && strchr("?&;-_", p[-1]);
    if (s->is_token)
        return token_value(s, p);
    if (!n)
        return none;
    p += n;
    if (*p == '=')
        return is_rbd ? rbd_value(s, p + 1) : option_value(s, p + 1);
    return json_value(s, p);
}

/* --- the search --------------------------------------------------------- */

static void begin(struct secrets *s, struct span text, bool whole)
{
    *s = (struct secrets){
        .start = text.start,
        .end = text.start + text.len,
        .next = text.start,
        .whole = whole,
        .is_json = memmem(text.start, text.len, "json:", 5) ||
                   (whole && *text.start == '{'),
        .last_at = memrchr(text.start, '@', text.len),
        .rbd = memmem(text.start, text.len, "rbd:", 4),
        .query = memchr(text.start, '?', text.len),
        .is_object = memmem(text.start, text.len, "secret", 6) != NULL,
        .is_command = text.len >= 2 && memcmp(text.start, "[ ", 2) == 0,
    };
}

void secrets_begin(struct secrets *s, const char *name)
{
    begin(s, span_between(name, name + strlen(name)), true);
}

void secrets_begin_text(struct secrets *s, struct span text)
{
    begin(s, text, false);
}

bool secrets_next(struct secrets *s, struct span *secret)
{
    for (; s->next < s->end; s->next++) {
        const char *p = s->next;

        s->is_token = false;
        *secret = *p == ':' && url_separator_length(p)
                      ? secret_at_separator(s, p)
                      : secret_at_key(s, p);
        if (secret->len) {
            s->next = secret->start + secret->len;
            return true;
        }
    }
    return false;
}

bool has_secret(const char *name)
{
    struct secrets s;
    struct span secret;

    secrets_begin(&s, name);
    return secrets_next(&s, &secret);
}

/* --- escapes in JSON ---------------------------------------------------- */

/* The character for which the rest of "\\u00XX" stands; 0: it is a control
 * character, a backslash, or something else. */
static char escaped_character(const char *p)
{
    int high, low;
    char c;

    if (strncmp(p, "u00", 3) != 0)
        return 0;
    high = hex_value(p[3]);
    low = high < 0 ? -1 : hex_value(p[4]);
    if (low < 0)
        return 0;
    c = (char)(high << 4 | low);
    return c >= ' ' && c <= '~' && c != '\\' ? c : 0;
}

/* How many of n backslashes begin the escape behind them: 1, or 2 in a string
 * in a string, or 4, and so on. The others are backslashes themselves. */
static size_t escape_length(size_t n)
{
    return n & (~n + 1);
}

/* A quote gets as many backslashes as it needs where it is, so it stays in its
 * string, or ends the one in it. Below the third string that would be longer
 * than the escape. */
bool secrets_unescape(char *text)
{
    const char *from = text;
    char *to = text;

    while (*from) {
        size_t n = strspn(from, "\\"), escape = escape_length(n);
        char c = n ? escaped_character(from + n) : 0;

        if (!c || (c == '"' && escape > 4)) {
            for (n += from[n] != 0; n > 0; n--)
                *to++ = *from++;
            continue;
        }
        from += n + 5;
        n = c == '"' ? n + escape - 1 : n - escape;
        for (; n > 0; n--)
            *to++ = '\\';
        *to++ = c;
    }
    if (to == from)
        return false;
    memset(to, '\0', from - to);
    return true;
}
