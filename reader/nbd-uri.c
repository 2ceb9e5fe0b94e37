/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reader/nbd-uri.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/url.h"

/* What libnbd takes when the URI does not say. */
#define DEFAULT_HOST "localhost"
#define DEFAULT_PORT "10809"

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : tolower(c) - 'a' + 10;
}

/* What len bytes of a URI stand for. NULL when out of memory. */
static char *decode(const char *text, size_t len)
{
    char *decoded = malloc(len + 1);
    char *end = decoded;

    if (!decoded)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%' && i + 2 < len &&
            isxdigit((unsigned char)text[i + 1]) &&
            isxdigit((unsigned char)text[i + 2])) {
            *end++ =
                (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        } else {
            *end++ = text[i];
        }
    }
    *end = '\0';
    return decoded;
}

static int out_of_memory(const struct nbd_uri *uri, struct error *error)
{
    return error_set(error, ENOMEM, "%s: out of memory", uri->text);
}

/* Where the value of a parameter belongs. NULL: libnbd does not know it. */
static char **find_parameter(struct nbd_uri *uri, const char *name)
{
    const struct {
        const char *name;
        char **value;
    } parameters[] = {
        { "socket", &uri->socket },
        { "tls-certificates", &uri->certificates },
        { "tls-psk-file", &uri->psk_file },
        { "tls-verify-peer", &uri->verify_peer },
    };

    for (size_t i = 0; i < sizeof(parameters) / sizeof(*parameters); i++) {
        if (strcmp(name, parameters[i].name) == 0)
            return parameters[i].value;
    }
    return NULL;
}

/* Take the value over. The last one of a name counts, as in libnbd. */
static int set_parameter(struct nbd_uri *uri, const char *name, char *value,
                         struct error *error)
{
    char **parameter = find_parameter(uri, name);

    if (parameter && (uri->tls || parameter == &uri->socket)) {
        free(*parameter);
        *parameter = value;
        return 0;
    }
    free(value);
    if (parameter)
        return error_set(error, EINVAL,
                         "%s: cannot connect: the parameter '%s' is for TLS, "
                         "which the scheme nbds:// asks for",
                         uri->text, name);
    return error_set(error, EINVAL,
                     "%s: cannot connect: the URI has an unknown parameter "
                     "'%s'; those for TLS are tls-certificates, tls-psk-file "
                     "and tls-verify-peer",
                     uri->text, name);
}

/* "NAME=VALUE", or a name alone; libnbd ignores a value alone. */
static int parse_parameter(struct nbd_uri *uri, const char *text, size_t len,
                           struct error *error)
{
    const char *equals = memchr(text, '=', len);
    size_t name_len = equals ? (size_t)(equals - text) : len;
    size_t value_start = equals ? name_len + 1 : len;
    char *name, *value;
    int err;

    if (name_len == 0)
        return 0;
    name = decode(text, name_len);
    value = decode(text + value_start, len - value_start);
    if (name && value) {
        err = set_parameter(uri, name, value, error);
    } else {
        free(value);
        err = out_of_memory(uri, error);
    }
    free(name);
    return err;
}

static int parse_query(struct nbd_uri *uri, const char *query, size_t len,
                       struct error *error)
{
    while (len > 0) {
        /* A semicolon parts them only where no ampersand follows. */
        const char *end = memchr(query, '&', len);
        size_t part;
        int err;

        if (!end)
            end = memchr(query, ';', len);
        part = end ? (size_t)(end - query) : len;
        err = parse_parameter(uri, query, part, error);
        if (err)
            return err;
        part += end != NULL;
        query += part;
        len -= part;
    }
    return 0;
}

static int parse_authority(struct nbd_uri *uri, const char *text, size_t len,
                           struct error *error)
{
    const char *at = memchr(text, '@', len);
    const char *host = at ? at + 1 : text;
    const char *end = text + len;
    const char *bracket = memchr(host, ']', (size_t)(end - host));
    const char *after = bracket ? bracket : host;
    const char *colon = memchr(after, ':', (size_t)(end - after));
    const char *host_end = colon ? colon : end;
    const char *port = colon ? colon + 1 : end;

    uri->has_user = at != NULL;
    if (bracket && *host == '[') {
        host++;
        host_end = bracket;
    }
    uri->host = host == host_end ? strdup(DEFAULT_HOST)
                                 : decode(host, (size_t)(host_end - host));
    uri->port = port == end ? strdup(DEFAULT_PORT)
                            : strndup(port, (size_t)(end - port));
    return uri->host && uri->port ? 0 : out_of_memory(uri, error);
}

int nbd_uri_parse(const char *text, struct nbd_uri *uri, struct error *error)
{
    const char *authority = strstr(text, "://") + 3;
    size_t authority_len = strcspn(authority, "/?#");
    const char *query = authority + strcspn(authority, "?#");
    size_t scheme_len = (size_t)(authority - text) - 3;
    int err;

    *uri = (struct nbd_uri){
        .text = text,
        .tls = strncmp(text, "nbds", 4) == 0,
        .transport = memmem(text, scheme_len, "+unix", 5)    ? NBD_UNIX
                     : memmem(text, scheme_len, "+vsock", 6) ? NBD_VSOCK
                                                             : NBD_TCP,
    };
    /* libnbd takes it for a part of another word, and names that in messages.
     */
    if (has_secret(text))
        return error_set(error, EINVAL,
                         "%s: NBD has no passwords; leave it out of the URI",
                         text);
    err = parse_authority(uri, authority, authority_len, error);
    if (!err && *query == '?')
        err = parse_query(uri, query + 1, strcspn(query + 1, "#"), error);
    return err;
}

void nbd_uri_free(struct nbd_uri *uri)
{
    free(uri->host);
    free(uri->port);
    free(uri->socket);
    free(uri->certificates);
    free(uri->psk_file);
    free(uri->verify_peer);
}
