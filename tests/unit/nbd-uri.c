/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/mask.h"
#include "nbd/uri.h"

/* What a URI has, where it is not what libnbd takes otherwise. */
struct parts {
    bool tls;
    enum nbd_transport transport;
    const char *user, *host, *port;
    const char *export;
    const char *socket, *certificates, *psk_file, *verify_peer;
};

static void assert_same(const char *text, const char *a, const char *b)
{
    if (!a != !b || (a && strcmp(a, b) != 0))
        fail_msg("%s: '%s' is not '%s'", text, a ? a : "NULL", b ? b : "NULL");
}

static void assert_parts(const char *text, const struct parts *expected)
{
    struct error error = ERROR_INIT;
    struct nbd_uri uri;

    test_case("%s", text);
    assert_int_equal(nbd_uri_parse(text, &uri, &error), 0);
    assert_int_equal(uri.tls, expected->tls);
    assert_int_equal(uri.transport, expected->transport);
    assert_same(text, uri.user, expected->user);
    assert_same(text, uri.host, expected->host ? expected->host : "localhost");
    assert_same(text, uri.port, expected->port ? expected->port : "10809");
    assert_same(text, uri.export, expected->export ? expected->export : "");
    assert_same(text, uri.socket, expected->socket);
    assert_same(text, uri.certificates, expected->certificates);
    assert_same(text, uri.psk_file, expected->psk_file);
    assert_same(text, uri.verify_peer, expected->verify_peer);
    nbd_uri_free(&uri);
}

static void test_authority(void **state)
{
    (void)state;
    assert_parts("nbd://", &(struct parts){ 0 });
    assert_parts("nbd:///:5@a", &(struct parts){ .export = ":5@a" });
    assert_parts("nbd://host", &(struct parts){ .host = "host" });
    assert_parts("nbds://a.b:1/x",
                 &(struct parts){
                     .tls = true, .host = "a.b", .port = "1", .export = "x" });
    assert_parts("nbd:////a/b%2F%20?#/c",
                 &(struct parts){ .export = "/a/b/ " });
    assert_parts("nbd://h%6fst?", &(struct parts){ .host = "host" });
    assert_parts("nbds://user@[::1]:12", &(struct parts){ .tls = true,
                                                          .user = "user",
                                                          .host = "::1",
                                                          .port = "12" });
    assert_parts(
        "nbds://[fe80::1]/@:5",
        &(struct parts){ .tls = true, .host = "fe80::1", .export = "@:5" });
    assert_parts("nbds+vsock://3:4", &(struct parts){ .tls = true,
                                                      .transport = NBD_VSOCK,
                                                      .host = "3",
                                                      .port = "4" });
    assert_parts(
        "nbd+vsock:///a",
        &(struct parts){ .transport = NBD_VSOCK, .host = "2", .export = "a" });
}

static void test_query(void **state)
{
    (void)state;
    assert_parts("nbds://?tls-certificates=a%20b%2",
                 &(struct parts){ .tls = true, .certificates = "a b%2" });
    assert_parts("nbd+unix:///a?socket=/b;c=d&socket=/x%26%3fy",
                 &(struct parts){
                     .transport = NBD_UNIX, .export = "a", .socket = "/x&?y" });
    assert_parts("nbds+unix://@/?socket=s;tls-certificates;tls-psk-file=k",
                 &(struct parts){ .tls = true,
                                  .transport = NBD_UNIX,
                                  .user = "",
                                  .socket = "s",
                                  .certificates = "",
                                  .psk_file = "k" });
    assert_parts("nbds://?&=x&&tls-psk-file=x&#?tls-psk-file=y",
                 &(struct parts){ .tls = true, .psk_file = "x" });
    assert_parts("nbds://#?tls-psk-file=y", &(struct parts){ .tls = true });
    assert_parts("nbds://?tls-verify-peer;tls-verify-peer=a=b",
                 &(struct parts){ .tls = true, .verify_peer = "a=b" });
}

static void test_refused(void **state)
{
    static const struct {
        const char *text, *word;
    } cases[] = {
        { "nbd://?tls-verify-peer=no", "the parameter 'tls-verify-peer'" },
        { "nbd://?socket=a&SOCKET=a", "unknown parameter 'SOCKET'" },
        { "nbds://?tls-certificates=a;x&tls=y", "unknown parameter 'tls'" },
        { "nbds://?tls-psk-file=a&c;d=e", "unknown parameter 'c'" },
        { "nbds://a/?b?tls-psk-file=c", "unknown parameter 'b?tls-psk-file'" },
        { "nbd+unix://?socket=%00a", "NUL byte" },
        { "nbds://alice:secret@host/", "***@host/: NBD has no passwords" },
        { "nbd://alice:se/cret?x@host/", "***@host/: NBD has no passwords" },
        { "nbd://host:0/", "invalid port '0': it must be from 1 to 65535" },
        { "nbds://host:99997/", "invalid port '99997'" },
        { "nbd://[::1]:65536/", "invalid port '65536'" },
        { "nbd://host:-1/", "invalid port '-1'" },
        { "nbd://host:18446744073709551617/", "invalid port '1844" },
        { "nbd://host:80x/", "invalid port '80x'" },
        { "nbd+vsock://2:0/", "it must be from 1 to 4294967294" },
        { "nbd+vsock://2:4294967295/", "invalid port '4294967295'" },
        { "nbd+vsock://host:1/", "invalid CID 'host'" },
        { "nbd+vsock://4294967295/", "invalid CID '4294967295'" },
        { "nbd+vsock://?socket=a", "'socket' requires nbd+unix://" },
        { "nbds://?socket=a", "'socket' requires nbd+unix://" },
        { "nbd+unix:///a", "the URI needs the path of a socket" },
        { "nbd+unix:///?socket=", "the URI needs the path of a socket" },
        { "nbd+unix:///?socket", "the URI needs the path of a socket" },
        { "nbds+unix://?socket=a&socket=", "the path of a socket" },
        { "nbd://[::1/", "invalid host: an IPv6 address is in brackets" },
        { "nbd://[::1]a:5/", "invalid host: an IPv6 address is in brackets" },
        { "nbds://?%74ls-psk-files", "unknown parameter 'tls-psk-files'" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error error = ERROR_INIT;
        struct nbd_uri uri;
        char *said;

        test_case("%s", cases[i].text);
        assert_int_equal(nbd_uri_parse(cases[i].text, &uri, &error), EINVAL);
        said = mask_text(error_message(&error), NULL);
        assert_non_null(strstr(said, cases[i].word));
        free(said);
        nbd_uri_free(&uri);
        error_clear(&error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_authority),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_refused),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
