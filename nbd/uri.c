/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nbd/uri.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/secrets.h"
#include "common/url.h"

/* The defaults of libnbd. CID 2 is the host of a virtual machine. */
#define DEFAULT_HOST "localhost"
#define DEFAULT_CID "2"
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

    if ((*host == '[' && !bracket) ||
        (bracket && bracket + 1 != (colon ? colon : end)))
        return error_set(error, EINVAL,
                         "%s: cannot connect: invalid host: an IPv6 address is "
                         "in brackets, before the port",
                         uri->text);
    host += bracket != NULL;
    uri->port = port == end ? strdup(DEFAULT_PORT)
                            : strndup(port, (size_t)(end - port));
    if (!uri->port)
        return out_of_memory(uri, error);
    if (host < host_end)
        return decode(uri, host, (size_t)(host_end - host), &uri->host, error);
    uri->host =
        strdup(uri->transport == NBD_VSOCK ? DEFAULT_CID : DEFAULT_HOST);
    return uri->host ? 0 : out_of_memory(uri, error);
}

static bool is_number(const char *text, unsigned long minimum,
                      unsigned long maximum)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long number;

    errno = 0;
    number = strtoul(text, NULL, 10);
    return digits > 0 && !text[digits] && errno == 0 && number >= minimum &&
           number <= maximum;
}

/* The C library takes the remainder of a port that is too large. The last of
 * the ports and CIDs of vsock stands for any. */
static int check_address(const struct nbd_uri *uri, struct error *error)
{
    unsigned long maximum =
        uri->transport == NBD_TCP ? UINT16_MAX : UINT32_MAX - 1;

    if (!is_number(uri->port, 1, maximum))
        return error_set(error, EINVAL,
                         "%s: cannot connect: invalid port '%s': it must be "
                         "from 1 to %lu",
                         uri->text, uri->port, maximum);
    if (uri->transport == NBD_VSOCK && !is_number(uri->host, 0, UINT32_MAX - 1))
        return error_set(error, EINVAL, "%s: cannot connect: invalid CID '%s'",
                         uri->text, uri->host);
    return 0;
}

/* Each transport has its own way to say where the server is. */
static int check_socket(const struct nbd_uri *uri, struct error *error)
{
    if (uri->transport == NBD_UNIX && (!uri->socket || !*uri->socket))
        return error_set(error, EINVAL,
                         "%s: cannot connect: the URI needs the path of a "
                         "socket: ?socket=PATH",
                         uri->text);
    if (uri->transport != NBD_UNIX && uri->socket)
        return error_set(error, EINVAL,
                         "%s: cannot connect: the parameter 'socket' requires "
                         "nbd+unix://, or nbds+unix://",
                         uri->text);
    return 0;
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
    int err = 0;

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
    if (url.user.start)
        err = decode(uri, url.user.start, url.user.len, &uri->user, error);
    if (!err)
        err = parse_host(uri, url.host.start, strcspn(url.host.start, "/?#"),
                         error);
    if (!err)
        err = check_address(uri, error);
    if (!err)
        err = parse_export(uri, url.host.start + strcspn(url.host.start, "/?#"),
                           error);
    query = url.host.start + strcspn(url.host.start, "?#");
    if (!err && *query == '?')
        err = parse_query(uri, query + 1, strcspn(query + 1, "#"), error);
    return err ? err : check_socket(uri, error);
}

void nbd_uri_free(struct nbd_uri *uri)
{
    free(uri->user);
    free(uri->host);
    free(uri->port);
    free(uri->export);
    free(uri->socket);
    free(uri->certificates);
    free(uri->psk_file);
    free(uri->verify_peer);
}
