/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/url.h"

static bool is(struct span span, const char *text)
{
    return span.start ? text && strlen(text) == span.len &&
                            memcmp(span.start, text, span.len) == 0
                      : !text;
}

static void test_parse(void **state)
{
    static const struct {
        const char *url, *scheme, *user, *password, *host;
    } cases[] = {
        { "https://u:p@h:80/x", "https", "u", "p", "h:80/x" },
        { "https://u:p@q@h", "https", "u", "p@q", "h" },
        { "https://u:p@h/a@b", "https", "u", "p", "h/a@b" },
        { "https://u:p' q@h?x", "https", "u", "p' q", "h?x" },
        { "https://u:p/q@h/x", "https", NULL, NULL, "u:p/q@h/x" },
        { "https://u@h/x", "https", "u", NULL, "h/x" },
        { "https://u:@h", "https", "u", "", "h" },
        { "nbd+unix:///x?socket=y", "nbd+unix", NULL, NULL, "/x?socket=y" },
    };
    struct url url;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        test_case("%s", cases[i].url);
        assert_true(url_parse(cases[i].url, &url));
        assert_true(is(url.scheme, cases[i].scheme));
        assert_true(is(url.user, cases[i].user));
        assert_true(is(url.password, cases[i].password));
        assert_true(is(url.host, cases[i].host));
    }
    assert_false(url_parse("", &url));
    assert_false(url_parse("://u:p@h", &url));
    assert_false(url_parse("disk.raw", &url));
    assert_false(url_parse("/a https://u:p@h", &url));
}

static void test_host(void **state)
{
    static const char *const good[] = { "a",    "a.b-c_d", "a:",
                                        "a:80", "[::1]",   "[::1]:65535" };
    static const char *const bad[] = { "",     ":80",     "a b",
                                       "a'",   "a:65536", "a:b",
                                       "[::1", "[::1]a",  "a:8a" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_true(url_is_host(good[i], strlen(good[i])));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(url_is_host(bad[i], strlen(bad[i])));
    assert_true(url_is_host("host/path", 4));
}

static void test_decode(void **state)
{
    char *text = url_decode((struct span){ "a%2Fb%2fc%%4%zz%41%", 18 });

    (void)state;
    assert_string_equal(text, "a/b/c%%4%zzA");
    free(text);
    errno = 0;
    assert_null(url_decode((struct span){ "a%00", 4 }));
    assert_int_equal(errno, EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_decode),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
