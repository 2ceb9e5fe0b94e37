/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libnbd before 1.18.5, and before 1.20.3 in later series (CVE-2024-7383),
 * verifies a server only if the certificates are in a directory and the
 * connection is by TCP. It accepts any other server. And no version reports
 * that a directory has no CA certificate, or that a file in it cannot be read:
 * libnbd goes on without the file. So this file checks all of that first, and
 * nbd/gnutls.c fails where what verifies the server becomes unreadable
 * after that check. These are the files that libnbd looks for:
 *
 *   ca-cert.pem   the certificates of the authorities; required
 *   ca-crl.pem    the certificates that they revoked; optional
 *   client-*.pem  the certificate and the key of the client; optional
 */
#include "nbd/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/array.h"
#include "nbd/certificate.h"
#include "nbd/gnutls.h"

#define REVOKED "ca-crl.pem"

/* --- which credentials -------------------------------------------------- */

/* These are the words that libnbd knows. Any other is an error, not false. */
static int parse_verify_peer(const struct nbd_uri *uri, bool *verify,
                             struct error *error)
{
    static const char *const words[][2] = {
        { "0", "1" },    { "false", "true" }, { "f", "t" },
        { "no", "yes" }, { "n", "y" },        { "off", "on" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        for (int is_on = 0; is_on <= 1; is_on++) {
            if (strcasecmp(uri->verify_peer, words[i][is_on]) == 0) {
                *verify = is_on;
                return 0;
            }
        }
    }
    return error_set(error, EINVAL,
                     "%s: cannot connect: tls-verify-peer must be true or "
                     "false, not '%s'",
                     uri->text, uri->verify_peer);
}

/* The directories in which libnbd looks by default. Returns ENOENT after the
 * last. */
static int default_directory(unsigned i, char **directory)
{
    const char *home = getenv("HOME");
    bool is_user = geteuid() != 0 && home;
    int r;

    *directory = NULL;
    if (is_user && i < 2)
        r = asprintf(directory, "%s/%s/libnbd", home,
                     i == 0 ? ".pki" : ".config/pki");
    else if (!is_user && i == 0)
        r = asprintf(directory, "/etc/pki/libnbd");
    else
        return ENOENT;
    if (r >= 0)
        return 0;
    *directory = NULL;
    return ENOMEM;
}

/* Check that a file can be read: 0 or a positive errno value. absent: there is
 * no such name; a symbolic link to nowhere is not absent, but broken. */
static int check_file(const char *directory, const char *name, bool *absent)
{
    struct stat st;
    char *path;
    int err = 0;

    *absent = false;
    if (asprintf(&path, "%s/%s", directory, name) < 0)
        return ENOMEM;
    if (access(path, R_OK) == -1) {
        err = errno;
        *absent =
            lstat(path, &st) == -1 && (errno == ENOENT || errno == ENOTDIR);
    } else if (stat(path, &st) == -1) {
        err = errno;
    } else if (!S_ISREG(st.st_mode)) {
        /* libnbd would wait until somebody writes to a FIFO. */
        err = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
    }
    free(path);
    return err;
}

/* Find the first default directory that has a CA certificate; NULL: none. */
static int find_directory(char **directory)
{
    bool absent;
    int err;

    for (unsigned i = 0; !(err = default_directory(i, directory)); i++) {
        err = check_file(*directory, "ca-cert.pem", &absent);
        if (!absent)
            break;
        free(*directory);
    }
    return err == ENOMEM ? err : 0;
}

/* The credentials of the URI replace those of the object as a whole:
 * verify-peer=off was said of the object's own. */
static int choose_from_uri(const struct nbd_uri *uri, struct nbd_tls *tls,
                           struct error *error)
{
    if (uri->certificates && uri->psk_file)
        return error_set(error, EINVAL,
                         "%s: cannot connect: tls-certificates and "
                         "tls-psk-file are mutually exclusive",
                         uri->text);
    if (uri->psk_file) {
        tls->psk_file = uri->psk_file;
        return 0;
    }
    tls->certificates = strdup(uri->certificates);
    return tls->certificates ? 0 : error_no_memory(error, uri->text);
}

static int choose_from_options(const struct nbd_uri *uri,
                               const struct nbd_options *options,
                               struct nbd_tls *tls, struct error *error)
{
    int err = 0;

    if (options->tls_problem)
        return error_set(error, EINVAL, "%s: the TLS credentials: %s",
                         uri->text, options->tls_problem);
    tls->verify = !options->tls_trust_any;
    tls->psk_file = options->tls_psk_file;
    if (tls->psk_file) {
        if (!tls->username)
            tls->username = options->tls_username;
        return 0;
    }
    if (!options->tls_certificates)
        err = find_directory(&tls->certificates);
    else if (!(tls->certificates = strdup(options->tls_certificates)))
        err = ENOMEM;
    return err ? error_no_memory(error, uri->text) : 0;
}

/* If the file comes after this, libnbd may overlook it. If it goes, the
 * connection fails. */
static int find_revoked(struct nbd_tls *tls, struct error *error)
{
    bool absent;

    if (!tls->certificates || !tls->verify)
        return 0;
    (void)check_file(tls->certificates, REVOKED, &absent);
    if (!absent &&
        asprintf(&tls->revoked, "%s/" REVOKED, tls->certificates) < 0) {
        tls->revoked = NULL;
        return error_no_memory(error, tls->uri->text);
    }
    return 0;
}

int nbd_tls_choose(const struct nbd_uri *uri, const struct nbd_options *options,
                   struct nbd_tls *tls, struct error *error)
{
    int err;

    *tls =
        (struct nbd_tls){ .uri = uri, .username = uri->user, .verify = true };
    if (uri->certificates || uri->psk_file)
        err = choose_from_uri(uri, tls, error);
    else
        err = choose_from_options(uri, options, tls, error);
    if (!err && uri->verify_peer)
        err = parse_verify_peer(uri, &tls->verify, error);
    return err ? err : find_revoked(tls, error);
}

void nbd_tls_free(struct nbd_tls *tls)
{
    free(tls->certificates);
    free(tls->revoked);
}

/* --- whether libnbd verifies the server ---------------------------------- */

/* Whether a version of libnbd verifies every server. Odd minor numbers are of
 * development versions. */
static bool always_verifies(const char *version)
{
    unsigned major = 0, minor = 0, release = 0;

    (void)sscanf(version, "%u.%u.%u", &major, &minor, &release);
    if (major != 1 || minor > 21)
        return major > 1 || minor > 21;
    return (minor == 20 && release >= 3) || (minor == 18 && release >= 5);
}

static int check_directory(const struct nbd_tls *tls, struct error *error)
{
    static const struct {
        const char *name;
        bool optional;
    } files[] = {
        { "ca-cert.pem", false },
        { REVOKED, true },
        { "client-cert.pem", true },
        { "client-key.pem", true },
    };

    if (!*tls->certificates)
        return error_set(error, EINVAL,
                         "%s: cannot connect: tls-certificates needs a "
                         "directory",
                         tls->uri->text);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        bool absent;
        int err = check_file(tls->certificates, files[i].name, &absent);

        if (err && !(absent && files[i].optional))
            return error_set(error, err,
                             "%s: cannot connect: cannot verify the server: "
                             "%s/%s: %s",
                             tls->uri->text, tls->certificates, files[i].name,
                             strerror(err));
    }
    return 0;
}

int nbd_tls_check(const struct nbd_tls *tls, const char *version,
                  struct error *error)
{
    bool always;

    if (tls->psk_file || !tls->verify)
        return 0;
    always = always_verifies(version);
    if (!always && tls->uri->transport != NBD_TCP)
        return error_set(error, EPERM,
                         "%s: cannot connect: libnbd %s does not verify the "
                         "certificate of a server on a %s socket; use "
                         "tls-psk-file=FILE or tls-verify-peer=false",
                         tls->uri->text, version,
                         tls->uri->transport == NBD_UNIX ? "unix" : "vsock");
    if (tls->certificates)
        return check_directory(tls, error);
    if (always)
        return 0;
    return error_set(error, EPERM,
                     "%s: cannot connect: libnbd %s does not verify a server "
                     "without a CA certificate; give "
                     "tls-certificates=DIRECTORY in the URI",
                     tls->uri->text, version);
}

void nbd_tls_expect(const struct nbd_tls *tls)
{
    nbd_gnutls_require(tls && tls->verify && tls->certificates,
                       tls ? tls->revoked : NULL);
}

/* --- why a connection failed --------------------------------------------- */

/* Whether the server may have ended the connection because the client has no
 * certificate. */
static bool lacks_certificate(const struct nbd_tls *tls, const char *reason)
{
    bool absent;

    return tls->certificates && nbd_certificate_cut_off(reason) &&
           check_file(tls->certificates, "client-cert.pem", &absent) && absent;
}

/* The texts of GnuTLS are sentences, those of libnbd are not. */
static bool ends_sentence(const char *text)
{
    return *text && text[strlen(text) - 1] == '.';
}

char *nbd_tls_failure_reason(const struct nbd_tls *tls, const char *reason,
                             int64_t milliseconds)
{
    const char *unreadable = nbd_gnutls_revoked_error();
    char *text = NULL;

    if (unreadable) {
        if (asprintf(&text, "cannot verify the server: %s: %s", tls->revoked,
                     unreadable) < 0)
            return NULL;
    } else if (tls->psk_file) {
        /* Without a name libnbd takes the login name, which may not be the
         * right one, and may not exist. */
        if (tls->username ||
            (!strstr(reason, "getlogin") && !strstr(reason, "PSK file")))
            return NULL;
        if (asprintf(&text,
                     "%s; name the user of the key: USER@ after the :// of "
                     "the URI, or username=USER in the object",
                     reason) < 0)
            return NULL;
    } else if (nbd_certificate_refused(reason)) {
        if (asprintf(&text, "the server's certificate %s",
                     nbd_certificate_problem(tls->uri, tls->certificates,
                                             milliseconds)) < 0)
            return NULL;
    } else if (lacks_certificate(tls, reason)) {
        if (asprintf(&text,
                     "%s%s The server may require a client certificate: "
                     "there is no %s/client-cert.pem",
                     reason, ends_sentence(reason) ? "" : ".",
                     tls->certificates) < 0)
            return NULL;
    }
    return text;
}
