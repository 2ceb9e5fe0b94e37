/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nbd/uri.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/secrets.h"
#include "common/url.h"

/* The defaults of libnbd. */
#define DEFAULT_HOST "localhost"
#define DEFAULT_PORT "10809"

static int out_of_memory(const struct nbd_uri *uri, struct error *error)
{
    return error_no_memory(error, uri->text);
}

/* Decode the percent-encoding of a part of the URI. */
static int decode(const struct nbd_uri *uri, const char *text, size_t len,
                  char **decoded, struct error *error)
{
    *decoded = url_decode((struct span){ .start = text, .len = len });
    if (*decoded)
        return 0;
    if (errno == ENOMEM)
        return out_of_memory(uri, error);
    return error_set(error, EINVAL,
                     "%s: cannot connect: the URI contains a NUL byte (%%00)",
                     uri->text);
}

/* Where the value of a parameter is stored. NULL: libnbd does not know it. */
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

    for (size_t i = 0; i < ARRAY_SIZE(parameters); i++) {
        if (strcmp(name, parameters[i].name) == 0)
            return parameters[i].value;
    }
    return NULL;
}

/* Takes over the value. The last value of a parameter counts, as in libnbd. */
static int set_parameter(struct nbd_uri *uri, const char *name, char *value,
                         struct error *error)
{
    char **parameter = find_parameter(uri, name);
    const char *rest = uri->text + strlen("nbd");

    if (parameter && (uri->tls || parameter == &uri->socket)) {
        free(*parameter);
        *parameter = value;
        return 0;
    }
    free(value);
    if (parameter)
        return error_set(error, EINVAL,
                         "%s: cannot connect: the parameter '%s' requires TLS; "
                         "use nbds%.*s://",
                         uri->text, name, (int)strcspn(rest, ":"), rest);
    return error_set(error, EINVAL,
                     "%s: cannot connect: the URI has an unknown parameter "
                     "'%s'; those for TLS are tls-certificates, tls-psk-file "
                     "and tls-verify-peer",
                     uri->text, name);
}

/* "NAME=VALUE" or "NAME"; libnbd ignores "=VALUE". */
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
    err = decode(uri, text, name_len, &name, error);
    if (err)
        return err;
    err = decode(uri, text + value_start, len - value_start, &value, error);
    if (!err)
        err = set_parameter(uri, name, value, error);
    free(name);
    return err;
}

static int parse_query(struct nbd_uri *uri, const char *query, size_t len,
                       struct error *error)
{
    while (len > 0) {
        /* A semicolon separates parameters only if no ampersand follows. */
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

/* "HOST", "HOST:PORT" or "[IPv6]:PORT"; each part may be missing. */
static int parse_host(struct nbd_uri *uri, const char *host, size_t len,
                      struct error *error)
{
    const char *end = host + len;
    const char *bracket = *host == '[' ? memchr(host, ']', len) : NULL;
    const char *after = bracket ? bracket : host;
    const char *colon = memchr(after, ':', (size_t)(end - after));
    const char *host_end = bracket ? bracket : colon ? colon : end;
    const char *port = colon ? colon + 1 : end;

    host += bracket != NULL;
    uri->port = port == end ? strdup(DEFAULT_PORT)
                            : strndup(port, (size_t)(end - port));
    if (!uri->port)
        return out_of_memory(uri, error);
    if (host < host_end)
        return decode(uri, host, (size_t)(host_end - host), &uri->host, error);
    uri->host = strdup(DEFAULT_HOST);
    return uri->host ? 0 : out_of_memory(uri, error);
}

/* libnbd takes the default for port 0, and the C library the remainder of a
 * port that is too large. A port of vsock has 32 bits, and libxml2 reads 31. */
static int check_port(const struct nbd_uri *uri, struct error *error)
{
    unsigned long maximum = uri->transport == NBD_TCP ? UINT16_MAX : INT32_MAX;
    size_t digits = strspn(uri->port, "0123456789");
    unsigned long port;

    errno = 0;
    port = strtoul(uri->port, NULL, 10);
    if (digits > 0 && !uri->port[digits] && errno == 0 && port >= 1 &&
        port <= maximum)
        return 0;
    return error_set(error, EINVAL,
                     "%s: cannot connect: invalid port '%s': it must be from "
                     "1 to %lu",
                     uri->text, uri->port, maximum);
}

/* What follows the first slash, up to the query. */
static int parse_export(struct nbd_uri *uri, const char *path,
                        struct error *error)
{
    path += *path == '/';
    return decode(uri, path, strcspn(path, "?#"), &uri->export, error);
}

static enum nbd_transport transport_of(struct span scheme)
{
    if (memmem(scheme.start, scheme.len, "+unix", 5))
        return NBD_UNIX;
    return memmem(scheme.start, scheme.len, "+vsock", 6) ? NBD_VSOCK : NBD_TCP;
}

int nbd_uri_parse(const char *text, struct nbd_uri *uri, struct error *error)
{
    struct url url;
    const char *query;
    int err;

    *uri = (struct nbd_uri){ .text = text };
    if (!url_parse(text, &url))
        return error_set(error, EINVAL, "%s: not a URI", text);
    /* libnbd takes it for a part of the host or the user, and its messages
     * repeat that. */
    if (secret_of_url(text).len)
        return error_set(error, EINVAL,
                         "%s: NBD has no passwords; remove the one in the URI",
                         text);
    uri->tls = strncmp(text, "nbds", 4) == 0;
    uri->transport = transport_of(url.scheme);
    uri->has_user = url.user.start != NULL;
    err =
        parse_host(uri, url.host.start, strcspn(url.host.start, "/?#"), error);
    if (!err)
        err = check_port(uri, error);
    if (!err)
        err = parse_export(uri, url.host.start + strcspn(url.host.start, "/?#"),
                           error);
    query = url.host.start + strcspn(url.host.start, "?#");
    if (!err && *query == '?')
        err = parse_query(uri, query + 1, strcspn(query + 1, "#"), error);
    return err;
}

void nbd_uri_free(struct nbd_uri *uri)
{
    free(uri->host);
    free(uri->port);
    free(uri->export);
    free(uri->socket);
    free(uri->certificates);
    free(uri->psk_file);
    free(uri->verify_peer);
}
