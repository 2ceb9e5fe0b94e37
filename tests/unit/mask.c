/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/mask.h"
#include "common/secrets.h"

static void assert_masked(const char *text, const char *expected)
{
    char *name = mask_name(text);

    test_case("%s", text);
    assert_string_equal(name, expected);
    assert_int_equal(has_secret(text), strcmp(text, expected) != 0);
    assert_int_equal(has_mask(name), strcmp(text, expected) != 0);
    free(name);
}

static void test_names(void **state)
{
    static const struct {
        const char *name, *masked;
    } cases[] = {
        { "https://user:password@host/", "https://user:***@host/" },
        { "https://user:p@ss:word@host/", "https://user:***@host/" },
        { "https://:p@host", "https://:***@host" },
        { "https://me@here:p@host/a", "https://me@here:***@host/a" },
        { "HTTPS://user:p/w@host/", "HTTPS://user:***@host/" },
        { "https://user:1/2@host/x", "https://user:***@host/x" },
        { "https://user:70000/2@host", "https://user:***@host" },
        { "https://user:12#/2@host", "https://user:***@host" },
        { "https://u:' https://v@host/x", "https://u:***@host/x" },
        { "ftp://u:p@[::1]:21/x", "ftp://u:***@[::1]:21/x" },
        { "nbds://u:p@h/x", "nbds://u:***@h/x" },
        { "x:y://u:p@h", "x:y://u:***@h" },
        { "://u:p@h", "://u:***@h" },
        { "iscsi://u%p:w@h:3260/iqn/1", "iscsi://u%***@h:3260/iqn/1" },
        { "rbd:a/b:id=c:key=d\\:e==:conf=f", "rbd:a/b:id=c:key=***:conf=f" },
        { "driver=raw,file.url=https://u:p,,'@h/x,read-only=on",
          "driver=raw,file.url=https://u:***@h/x,read-only=on" },
        { "file.cookie=a b,,c: d,file.url=https://h/",
          "file.cookie=***,file.url=https://h/" },
        { "file.password=a@b,file.user=c", "file.password=***,file.user=c" },
        { "json:{\"a\":{\"url\": \"https://u:p\\\"w@h/x\"}, \"b\": \"c@d\"}",
          "json:{\"a\":{\"url\": \"https://u:***@h/x\"}, \"b\": \"c@d\"}" },
        { "json:{'url':'https:\\/\\/u:p@h\\/x', 'b': 'c@d'}",
          "json:{'url':'https:\\/\\/u:***@h\\/x', 'b': 'c@d'}" },
        { "json:{\"password\" : \"a\\\"b\", \"x\": 1}",
          "json:{\"password\" : \"***\", \"x\": 1}" },
        { "json:{\"filename\": \"json:{\\\"cookie\\\":\\\"a\\\", \\\"b\\\":1}\"}",
          "json:{\"filename\": \"json:{\\\"cookie\\\":\\\"***\\\", "
          "\\\"b\\\":1}\"}" },
        { "{\"qom-type\":\"secret\",\"data\":\"d\",\"id\":\"i\"}",
          "{\"qom-type\":\"secret\",\"data\":\"***\",\"id\":\"i\"}" },
        { "secret,data=a,,b=c,id=s", "secret,data=***,id=s" },
        { "data=a,qom-type=secret,id=s", "data=***,qom-type=secret,id=s" },
        { "[ nbdkit ssh host=h password=p w ]",
          "[ nbdkit ssh host=h password=***" },
        { "[ nbdkit ssh password=p,q host=h ]", "[ nbdkit ssh password=***" },
        { "[ env PGPASSWORD=p server ]", "[ env PGPASSWORD=***" },
        { "[ nbdkit curl header=Authorization: Bearer t ]",
          "[ nbdkit curl header=***" },
        { "https://h/x?a=b&password=p", "https://h/x?a=b&password=***" },
        { "https://h/d.vhd?sv=1&sig=a%2Bb&se=2",
          "https://h/d.vhd?sv=1&sig=***&se=2" },
        { "https://h/x?X-Amz-Date=1&X-Amz-Signature=ab&X-Amz-Security-Token=c/d",
          "https://h/x?X-Amz-Date=1&X-Amz-Signature=***&X-Amz-Security-Token=***" },
        { "file.driver=https,file.url=https://h/x?access_token=a,read-only=on",
          "file.driver=https,file.url=https://h/x?access_token=***,read-only=on" },
        { "json:{\"url\": \"https://h/x?Signature=a\", \"b\": 1}",
          "json:{\"url\": \"https://h/x?Signature=***\", \"b\": 1}" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_masked(cases[i].name, cases[i].masked);
}

/* A program that writes JSON may escape more than it has to. */
static void test_escapes(void **state)
{
    static const struct {
        const char *name, *masked;
    } cases[] = {
        { "json:{\"url\":\"http://h/x?sv=1\\u0026sig\\u003da\\u0026b=c\"}",
          "json:{\"url\":\"http://h/x?sv=1&sig=***&b=c\"}" },
        { "json:{\"c\\u006fokie\":\"a\",\"x\":1}",
          "json:{\"cookie\":\"***\",\"x\":1}" },
        { "json:{\"url\":\"http:\\u002F\\u002fu\\u003ap\\u0040h\"}",
          "json:{\"url\":\"http://u:***@h\"}" },
        { "{\"qom-type\":\"s\\u0065cret\",\"d\\u0061ta\":\"d\"}",
          "{\"qom-type\":\"secret\",\"data\":\"***\"}" },
        { "json:{\"filename\":\"a\\u0026b\\\\u0026\\u00e9\\u0022\"}",
          "json:{\"filename\":\"a\\u0026b\\\\u0026\\u00e9\\u0022\"}" },
        { "json:{\"file.filename\":\"json:{\\\"url\\\":\\\"https://h/x?a=1\\\\u0026sig=b"
          "\\\"}\"}",
          "json:{\"file.filename\":\"json:{\\\"url\\\":\\\"https://h/x?a=1&sig=***"
          "\"}\"}" },
        { "json:{\"file.filename\":\"json:{\\u0022password\\u0022:\\u0022p\\u0022,"
          "\\u0022a\\u0022:\\u0022b\\u0022}\"}",
          "json:{\"file.filename\":\"json:{\\\"password\\\":\\\"***\\\","
          "\\\"a\\\":\\\"b\\\"}\"}" },
        { "json:{\"f\":\"json:{\\\"f\\\":\\\"json:{\\\\u0022cookie\\\\u0022:"
          "\\\\u0022p\\\\u0022}\\\"}\"}",
          "json:{\"f\":\"json:{\\\"f\\\":\\\"json:{\\\\\\\"cookie\\\\\\\":"
          "\\\\\\\"***\\\"}\\\"}\"}" },
        { "json:{\"f\":\"json:{\\u0027password\\u0027:\\u0027p\\u0027}\"}",
          "json:{\"f\":\"json:{'password':'***'}\"}" },
        { "--object={\"qom-type\":\"secret\",\"d\\u0061ta\":\"d\"}",
          "--object={\"qom-type\":\"secret\",\"data\":\"***\"}" },
        { "json:{\"a\":\"\\u003\",\"password\":\"\\u0022,p\"}\\",
          "json:{\"a\":\"\\u003\",\"password\":\"***\"}\\" },
    };
    char text[256], expected[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *name = cases[i].name;
        char *masked = mask_name(name), *plain = strdup(name);
        bool secret = strcmp(name, cases[i].masked) != 0;

        test_case("%s", name);
        assert_string_equal(masked, cases[i].masked);
        assert_int_equal(has_mask(masked), secret);
        free(masked);
        snprintf(text, sizeof(text), "%s: no such file", name);
        snprintf(expected, sizeof(expected), "%s: no such file",
                 cases[i].masked);
        for (unsigned is_known = 0; is_known < 2; is_known++) {
            masked = mask_text(text, is_known ? name : NULL);
            assert_string_equal(masked, expected);
            free(masked);
        }
        secrets_unescape(plain);
        assert_int_equal(has_secret(plain), secret);
        assert_false(secrets_unescape(plain));
        free(plain);
    }
}

/* Names without a secret. */
static const char *const innocent[] = {
    "",
    "a",
    "://",
    "://:@",
    "disk.raw",
    "a@b:c/d.raw",
    "https://host/path",
    "https://host/a@b",
    "https://host/a:b@c",
    "https://host?a:b@c",
    "https://host/sig=a/token=b?size=c&design=d&sig=",
    "https://host#a:b@c",
    "https://host:80/a@b:c",
    "https://host:8080/disk@1.qcow2",
    "https://user@host/",
    "https://user:@host",
    "https://user%40x@host/",
    "ssh://user@host:22/a@b/c",
    "nbd://host:10809/name@x/y",
    "nbd://[::1]:10809/name@x",
    "nbd://[fe80::1]/name@x",
    "nbd+unix:///name@x:y@z?socket=/run/a:b@c",
    "rbd:pool/image@snapshot:id=a:conf=/etc/key=b",
    "driver=luks,key-secret=s,file.filename=a@b",
    "driver=https,url=https://h/a@b,username=u,password-secret=s",
    "file.cookie-secret=s,data-file.filename=data",
    "driver=qcow2,data=x",
    "driver=raw,file.header=x",
    "https://h/PGPASSWORD=x",
    "secret,id=s,file=/a/data=b",
    "/mnt/password=1/cookie=2/key=3/disk@4.raw",
    "json:{\"driver\": \"https\", \"password-secret\": \"s\"}",
    "tls-creds-x509,id=t,passwordid=s,dir=/etc/pki",
    "QEMU: Invalid password, cannot unlock any keyslot",
    "QEMU: No secret with id 's'",
    "'key-secret' is required",
    "äöü € 😀",
};

static void test_innocent(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(innocent); i++) {
        char text[256];
        char *masked;

        assert_masked(innocent[i], innocent[i]);
        snprintf(text, sizeof(text), "top: cannot open '%s': no", innocent[i]);
        masked = mask_text(text, innocent[i]);
        assert_string_equal(masked, text);
        free(masked);
    }
}

static void test_text(void **state)
{
    static const struct {
        const char *text, *known, *masked;
    } cases[] = {
        { "ssh://a:secret@b: 'ssh://a:secret@b' failed", NULL,
          "ssh://a:***@b: 'ssh://a:***@b' failed" },
        { "top: cannot open its backing file: 'https://a:p'w@b/x'", NULL,
          "top: cannot open its backing file: 'https://a:***@b/x'" },
        /* What follows a known name is not taken for a part of it. */
        { "https://a:p@b/x: for c@d", "https://a:p@b/x",
          "https://a:***@b/x: for c@d" },
        { "file.cookie=a: bad, for b", "file.cookie=a",
          "file.cookie=***: bad, for b" },
        { "https://a:p@b/x: for c@d", NULL, "https://a:***@d" },
        { "a: https://a:p@b/x", "a", "a: https://a:***@b/x" },
        { "'/m/https://a:p https://q@b/x': no", NULL,
          "'/m/https://a:***@b/x': no" },
        { "iscsi://a%p https://q@b/x", NULL, "iscsi://a%***@b/x" },
        { "nbd://h: no 'ssh://c@d/'", NULL, "nbd://h: no 'ssh://c@d/'" },
        { "'nbd://h:10809': no 'ssh://c@d/'", NULL,
          "'nbd://h:10809': no 'ssh://c@d/'" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *masked = mask_text(cases[i].text, cases[i].known);

        test_case("%s", cases[i].text);
        assert_string_equal(masked, cases[i].masked);
        free(masked);
    }
}

/* Make a password that the user has not escaped. It begins and ends with
 * letters that are nowhere else, so they can be searched for. */
static void make_password(char *password)
{
    static const char *const pieces[] = {
        "'", "\"",  "/", "#",  "?",   " ",  "@",    ":",
        "%", "%2F", ",", "\\", "://", "\n", "\x01", "\xc3\xa4",
        "Q", "1",   "=", "{",  "}",   "[",  "]",    "***",
    };
    unsigned n = random_number() % 11;

    strcpy(password, "ZZ");
    while (n--)
        strcat(password, pieces[random_number() % ARRAY_SIZE(pieces)]);
    strcat(password, "ZZ");
}

static const char *const contexts[] = {
    "%s",
    "disksum: %s: Could not open '%s': error",
    "%s: 'x' \"%s\" (%s), and nbd://host:10809/a@b",
    "top.qcow2: cannot open its backing file '%s': %s: no route",
    "%s/other@place: no such file",
};

static const char *const names[] = {
    "https://user:%s@host/disk.raw",      "https://:%s@host:8080/disk.raw",
    "ssh://me@here:%s@[::1]:22/disk.raw", "HTTP://user:%s@host",
    "strange+1://user:%s@host?x=y",       "iscsi://user%%%s@host/iqn/1",
};

/* No piece of a password is left, whatever it is and wherever it is. */
static void test_random_passwords(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        char password[64], name[160], text[1024];
        char *masked;

        make_password(password);
        snprintf(name, sizeof(name), names[random_number() % ARRAY_SIZE(names)],
                 password);
        snprintf(text, sizeof(text),
                 contexts[random_number() % ARRAY_SIZE(contexts)], name, name,
                 name);
        test_case("%s", text);
        for (unsigned is_known = 0; is_known < 2; is_known++) {
            masked = mask_text(text, is_known ? name : NULL);
            if (strpbrk(masked, "ZQ"))
                fail_msg("'%s' becomes '%s'", text, masked);
            free(masked);
        }
        masked = mask_name(name);
        assert_null(strpbrk(masked, "ZQ"));
        assert_true(has_secret(name) && has_mask(masked));
        free(masked);
        wipe_secrets(name);
        assert_null(strpbrk(name, "ZQ"));
    }
}

/* Commas are doubled in option strings, and quotes escaped in JSON. */
static void test_random_values(void **state)
{
    static const struct {
        const char *text, *masked;
        char special;
    } cases[] = {
        { "driver=x,file.password=%s,a=b@c", "driver=x,file.password=***,a=b@c",
          ',' },
        { "secret,data=%s,id=s", "secret,data=***,id=s", ',' },
        { "json:{\"cookie\": \"%s\", \"a\": \"b@c\"}",
          "json:{\"cookie\": \"***\", \"a\": \"b@c\"}", '"' },
        { "json:{\"url\":\"https://u:%s@h\",\"a\":\"b@c\"}",
          "json:{\"url\":\"https://u:***@h\",\"a\":\"b@c\"}", '"' },
    };

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        unsigned n = random_number() % ARRAY_SIZE(cases);
        char password[64], escaped[128], name[256];
        char *to = escaped;

        make_password(password);
        for (const char *p = password; *p; p++) {
            if (*p == cases[n].special)
                *to++ = *p == ',' ? ',' : '\\';
            else if (*p == '\\' && cases[n].special == '"')
                *to++ = '\\';
            *to++ = *p;
        }
        *to = '\0';
        snprintf(name, sizeof(name), cases[n].text, escaped);
        assert_masked(name, cases[n].masked);
    }
}

/* The time never grows with the square of the length: then these texts would
 * take some ten minutes. */
static void test_long_texts(void **state)
{
    static const char *const pieces[] = {
        "x://h:1/",           "https://h:1/",  "x:///",     "x://a:",
        "https://a:@",        "\"x://a:",      "'x://a:1/", "\\\"x://h:1/",
        "json:\"x://[::::",   "secret,data=,", "rbd:key=:", "password=,",
        "\"password\":\"\",", "x://u:p@,",     "@",         "x",
        "\\\\\"a:///",        "\\\"a://b:c",   "\"a://b:c", "'a://b:c\\'",
        "\\\"password\\\" ",  "'password'  ",  "x?header=", "x://h:1/@h",
    };
    static const char *const ends[] = { "@", "json:@", "json:'@\"" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        size_t len = strlen(pieces[i]);
        size_t size = 256 * 1024;
        char *text = malloc(size + 10);

        for (size_t n = 0; n < ARRAY_SIZE(ends); n++) {
            char *masked;

            test_case("%s...%s", pieces[i], ends[n]);
            for (size_t at = 0; at < size; at++)
                text[at] = pieces[i][at % len];
            strcpy(text + size, ends[n]);
            masked = mask_text(text, NULL);
            assert_non_null(masked);
            free(masked);
            free(mask_name(text));
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_innocent),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_random_passwords),
        cmocka_unit_test(test_random_values),
        cmocka_unit_test(test_long_texts),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
