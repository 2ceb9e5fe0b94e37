/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libnbd uses GnuTLS as well, so GnuTLS comes to the same verdict here, and
 * tells the reason.
 */
#include "nbd/certificate.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gnutls/gnutls.h>

#include "common/array.h"
#include "common/bytes.h"
#include "common/deadline.h"
#include "nbd/gnutls.h"

/* This is only for a message, so do not wait longer. */
#define MAX_WAIT_MS 10000

/* Of the NBD protocol. */
#define NBD_OPT_STARTTLS 5
#define NBD_REP_MAGIC 0x3e889045565a9
#define NBD_REP_ACK 1

bool nbd_certificate_refused(const char *reason)
{
    return strstr(reason, gnutls_strerror(
                              GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)) != NULL;
}

bool nbd_certificate_cut_off(const char *reason)
{
    static const int codes[] = {
        GNUTLS_E_PREMATURE_TERMINATION,
        GNUTLS_E_UNEXPECTED_PACKET_LENGTH, /* it ended within a packet */
        GNUTLS_E_PULL_ERROR,
        GNUTLS_E_PUSH_ERROR,
        GNUTLS_E_FATAL_ALERT_RECEIVED,
    };

    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        if (strstr(reason, gnutls_strerror(codes[i])))
            return true;
    }
    return strstr(reason, "server disconnected unexpectedly"); /* libnbd */
}

/* --- the connection ----------------------------------------------------- */

static bool receive(int fd, void *buf, size_t len, int64_t deadline)
{
    char *p = buf;

    while (len > 0) {
        ssize_t n;

        if (deadline_poll(fd, POLLIN, deadline) != 0)
            return false;
        n = recv(fd, p, len, 0);
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static int connect_to(const struct addrinfo *address, int64_t deadline)
{
    int fd = socket(address->ai_family,
                    address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    address->ai_protocol);
    int failure = -1;
    socklen_t len = sizeof(failure);

    if (fd < 0)
        return -1;
    /* SO_ERROR tells an error of connect() only if connect() did not. */
    if ((connect(fd, address->ai_addr, address->ai_addrlen) == 0 ||
         errno == EINPROGRESS) &&
        deadline_poll(fd, POLLOUT, deadline) == 0 &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &len) == 0 &&
        failure == 0)
        return fd;
    close(fd);
    return -1;
}

static int connect_by_name(const struct nbd_uri *uri, int64_t deadline)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *addresses;
    int fd = -1;

    if (getaddrinfo(uri->host, uri->port, &hints, &addresses) != 0)
        return -1;
    for (struct addrinfo *a = addresses; a && fd < 0; a = a->ai_next)
        fd = connect_to(a, deadline);
    freeaddrinfo(addresses);
    return fd;
}

/* The part of the NBD handshake after which TLS starts. */
static bool start_tls(int fd, int64_t deadline)
{
    unsigned char greeting[18], reply[20];
    static const unsigned char request[] = {
        0,   0,   0,   1, /* the client's flags: fixed newstyle */
        'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T', 0, 0, 0, NBD_OPT_STARTTLS,
        0,   0,   0,   0, /* the length of its data */
    };

    return receive(fd, greeting, sizeof(greeting), deadline) &&
           memcmp(greeting, "NBDMAGICIHAVEOPT", 16) == 0 &&
           send(fd, request, sizeof(request), MSG_NOSIGNAL) ==
               (ssize_t)sizeof(request) &&
           receive(fd, reply, sizeof(reply), deadline) &&
           get_be64(reply) == NBD_REP_MAGIC &&
           get_be32(reply + 8) == NBD_OPT_STARTTLS &&
           get_be32(reply + 12) == NBD_REP_ACK && get_be32(reply + 16) == 0;
}

/* --- the certificate ---------------------------------------------------- */

static const char *problem_of(unsigned status)
{
    static const struct {
        unsigned flag;
        const char *words;
    } problems[] = {
        /* If there are several, the first of this list says most. */
        { GNUTLS_CERT_REVOKED, "has been revoked" },
        { GNUTLS_CERT_SIGNER_NOT_FOUND, "is signed by an unknown authority" },
        { GNUTLS_CERT_SIGNER_NOT_CA, "is signed by an unknown authority" },
        { GNUTLS_CERT_SIGNATURE_FAILURE, "is signed by an unknown authority" },
        { GNUTLS_CERT_EXPIRED, "has expired" },
        { GNUTLS_CERT_NOT_ACTIVATED, "is not yet valid" },
        { GNUTLS_CERT_UNEXPECTED_OWNER, "is for another host" },
        { GNUTLS_CERT_INSECURE_ALGORITHM, "has an insecure signature" },
        { GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED,
          "cannot be verified: ca-crl.pem is out of date" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(problems); i++) {
        if (status & problems[i].flag)
            return problems[i].words;
    }
    return NULL;
}

/* What they revoked comes with them (nbd/gnutls.h). */
static void load_authorities(gnutls_certificate_credentials_t credentials,
                             const char *directory)
{
    char *path;

    if (!directory) {
        gnutls_certificate_set_x509_system_trust(credentials);
        return;
    }
    if (asprintf(&path, "%s/ca-cert.pem", directory) < 0)
        return;
    gnutls_certificate_set_x509_trust_file(credentials, path,
                                           GNUTLS_X509_FMT_PEM);
    free(path);
}

/* Set up the session as libnbd does. */
static bool set_up(gnutls_session_t session, int fd, const char *host,
                   gnutls_certificate_credentials_t credentials)
{
    if (gnutls_set_default_priority(session) < 0 ||
        gnutls_server_name_set(session, GNUTLS_NAME_DNS, host, strlen(host)) <
            0 ||
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials) <
            0)
        return false;
    gnutls_session_set_verify_cert(session, host, 0);
    gnutls_transport_set_int(session, fd);
    return true;
}

/* Returns 0 or a negative error code of GnuTLS. */
static int shake_hands(gnutls_session_t session, int64_t deadline)
{
    int r;

    nbd_gnutls_begin_handshake(deadline);
    do {
        r = gnutls_handshake(session);
    } while (r != 0 && !gnutls_error_is_fatal(r) &&
             deadline_left(deadline) != 0);
    nbd_gnutls_end_handshake();
    return r;
}

static const char *verdict(int fd, const char *host,
                           gnutls_certificate_credentials_t credentials,
                           int64_t deadline)
{
    gnutls_session_t session;
    const char *words = NULL;

    if (gnutls_init(&session,
                    GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0)
        return NULL;
    if (set_up(session, fd, host, credentials) &&
        shake_hands(session, deadline) ==
            GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
        words = problem_of(gnutls_session_get_verify_cert_status(session));
    gnutls_deinit(session);
    return words;
}

const char *nbd_certificate_problem(const struct nbd_uri *uri,
                                    const char *directory, int64_t milliseconds)
{
    bool is_limited = milliseconds >= 0 && milliseconds < MAX_WAIT_MS;
    int64_t deadline = deadline_in(is_limited ? milliseconds : MAX_WAIT_MS);
    gnutls_certificate_credentials_t credentials;
    const char *words = NULL;
    int fd = -1;

    if (uri->transport == NBD_TCP && milliseconds != 0)
        fd = connect_by_name(uri, deadline);
    if (fd >= 0 && start_tls(fd, deadline) &&
        gnutls_certificate_allocate_credentials(&credentials) >= 0) {
        load_authorities(credentials, directory);
        words = verdict(fd, uri->host, credentials, deadline);
        gnutls_certificate_free_credentials(credentials);
    }
    if (fd >= 0)
        close(fd);
    return words ? words : "cannot be verified";
}
