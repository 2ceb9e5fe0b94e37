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
#include <gnutls/x509.h>

#include "common/array.h"
#include "common/bytes.h"
#include "common/deadline.h"

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

/* --- what libnbd must not do without -------------------------------------- */

static _Thread_local bool trusts_no_system;
static _Thread_local const char *revoked_file;
static _Thread_local int revoked_error; /* of GnuTLS */

void nbd_certificate_require(bool authorities, const char *revoked)
{
    trusts_no_system = authorities;
    revoked_file = revoked;
    revoked_error = 0;
}

const char *nbd_certificate_revoked_error(void)
{
    return revoked_error ? gnutls_strerror(revoked_error) : NULL;
}

/*
 * This and two more functions take the place of GnuTLS's, also when libnbd
 * calls them. libnbd calls this one if it cannot access the CA certificate of
 * the directory that it was given, for whatever reason: the file is being
 * replaced, or a server of files does not answer. Then it trusts the
 * authorities of the system instead, and before 1.18.5 and 1.20.3 it does not
 * even verify the server. To fail here is what stops it.
 */
int gnutls_certificate_set_x509_system_trust(
    gnutls_certificate_credentials_t credentials)
{
    gnutls_x509_trust_list_t list;

    if (trusts_no_system)
        return GNUTLS_E_NO_CERTIFICATE_FOUND;
    gnutls_certificate_get_trust_list(credentials, &list);
    return gnutls_x509_trust_list_add_system_trust(
        list, GNUTLS_TL_USE_IN_TLS | GNUTLS_TL_NO_DUPLICATES, 0);
}

/* Returns 0, or an error of GnuTLS if the list did not take all of them. They
 * all count, also if a later one of the same name is newer: it may be of
 * another authority. */
static int add_revoked(gnutls_x509_trust_list_t list, const char *path,
                       gnutls_x509_crt_fmt_t format)
{
    gnutls_x509_crl_t *crls;
    gnutls_datum_t text;
    unsigned count;
    int added, r = gnutls_load_file(path, &text);

    if (r < 0)
        return r;
    r = gnutls_x509_crl_list_import2(&crls, &count, &text, format, 0);
    gnutls_free(text.data);
    if (r < 0)
        return r;
    added = gnutls_x509_trust_list_add_crls(list, crls, count, 0, 0);
    for (unsigned i = added < 0 ? 0 : (unsigned)added; i < count; i++)
        gnutls_x509_crl_deinit(crls[i]);
    gnutls_free(crls);
    return added == (int)count ? 0 : GNUTLS_E_MEMORY_ERROR;
}

/* libnbd calls this before it looks for the file of what was revoked, without
 * which it goes on, as GnuTLS does if it has no memory for what is in it. */
int gnutls_certificate_set_x509_trust_file(
    gnutls_certificate_credentials_t credentials, const char *path,
    gnutls_x509_crt_fmt_t format)
{
    gnutls_x509_trust_list_t list;
    int r;

    gnutls_certificate_get_trust_list(credentials, &list);
    if (revoked_file) {
        revoked_error = add_revoked(list, revoked_file, GNUTLS_X509_FMT_PEM);
        if (revoked_error)
            return revoked_error;
    }
    r = gnutls_x509_trust_list_add_trust_file(list, path, NULL, format,
                                              GNUTLS_TL_USE_IN_TLS, 0);
    return r == GNUTLS_E_NO_CERTIFICATE_FOUND ? 0 : r; /* as GnuTLS does */
}

int gnutls_certificate_set_x509_crl_file(
    gnutls_certificate_credentials_t credentials, const char *path,
    gnutls_x509_crt_fmt_t format)
{
    gnutls_x509_trust_list_t list;

    if (revoked_file) /* it is there already */
        return 0;
    gnutls_certificate_get_trust_list(credentials, &list);
    return add_revoked(list, path, format);
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

/* What they revoked comes with them: gnutls_certificate_set_x509_trust_file()
 * above sees to it. */
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
static int shake_hands(gnutls_session_t session, int fd, int64_t deadline)
{
    for (;;) {
        int r = gnutls_handshake(session);
        bool writes = gnutls_record_get_direction(session) == 1;

        if (r == 0 || gnutls_error_is_fatal(r) ||
            deadline_poll(fd, writes ? POLLOUT : POLLIN, deadline) != 0)
            return r;
    }
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
        shake_hands(session, fd, deadline) ==
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
