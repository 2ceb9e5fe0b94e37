/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "qemu/options.h"

/* Two options for each "x", with its value, and then without. */
static bool rewrite(FILE *f, const struct qemu_option *option, void *arg)
{
    (void)arg;
    if (strcmp(option->key, "x") != 0)
        return false;
    qemu_option_write(f, option, "y", option->value);
    putc(',', f);
    qemu_option_write(f, option, "z", "");
    return true;
}

static void assert_rewritten(const char *options, bool is_json,
                             const char *expected)
{
    char *text = qemu_options_rewrite(options, is_json, rewrite, NULL);

    test_case("%s", options);
    assert_string_equal(text, expected);
    free(text);
}

static void test_option_string(void **state)
{
    static const char *const cases[][2] = {
        { "", "" },
        { "x", "x" },
        { ",", "," },
        { "a=b,x", "a=b,x" },
        { "x=", "y=,z=" },
        { "x=1", "y=1,z=" },
        { "a,,b=1,x=,,", "a,,b=1,y=,,,z=" },
        { "a=x=1,x=x=1,xx=1", "a=x=1,y=x=1,z=,xx=1" },
        { "a.b.x=p,,q,c=d", "a.b.y=p,,q,a.b.z=,c=d" },
        { "x='\"\\\n,x=", "y='\"\\\n,z=,y=,z=" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_rewritten(cases[i][0], false, cases[i][1]);
}

static void test_json(void **state)
{
    static const char *const cases[][2] = {
        { "json:{}", "json:{}" },
        { "json: {'x' : 'a'} ", "json: {\"y\": \"a\",\"z\": \"\"} " },
        { "{\"a\":[1, {\"b.x\":\"c\"}, null],\"x\":1}",
          "{\"a\":[1, {\"b.y\": \"c\",\"b.z\": \"\"}, null],\"x\":1}" },
        { "{\"x\":{\"x\":\"\"}, \"a\":true}",
          "{\"x\":{\"y\": \"\",\"z\": \"\"}, \"a\":true}" },
        { "{\"\\u0078\":\"\\\\\\\"\\/\\'\\n\\u00e4\\u20ac\\ud83d\\ude00\"}",
          "{\"y\": \"\\\\\\\"/'\\u000aä€😀\",\"z\": \"\"}" },
        { "{'x':'a\"b'}", "{\"y\": \"a\\\"b\",\"z\": \"\"}" },
        /* The rest stays as it is where it is not well-formed. */
        { "json:", "json:" },
        { "{\"x\":\"a\", \"x\":\"b}", "{\"y\": \"a\",\"z\": \"\", \"x\":\"b}" },
        { "{\"x\":\"a\\u0000\"}", "{\"x\":\"a\\u0000\"}" },
        { "{\"x\":\"\\ud83d\"}", "{\"x\":\"\\ud83d\"}" },
        { "{\"x\":\"\\q\"}", "{\"x\":\"\\q\"}" },
        { "{\"x\":\"\\", "{\"x\":\"\\" },
        { "{\"x\" \"a\"}", "{\"x\" \"a\"}" },
        { "[[[", "[[[" },
        { "{]", "{]" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_rewritten(cases[i][0], true, cases[i][1]);
}

/* An argument can have more levels than the stack has room for. */
static void test_deep_json(void **state)
{
    size_t size = 4 << 20;
    char *text = malloc(size + 1);

    (void)state;
    memset(text, '[', size);
    text[size] = '\0';
    assert_rewritten(text, true, text);
    free(text);
}

/* Pieces of both forms in any order: without an "x", nothing changes. */
static void test_random_options(void **state)
{
    static const char *const pieces[] = {
        "{",      "}",     "[",     "]",    "\"",      "'", ":",
        ",",      "\\",    "u00e4", "a",    "=",       " ", "json:",
        "\"a\":", "\"b\"", "1",     "\xff", "\\ud800",
    };

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        char text[256] = "";

        for (unsigned n = random_number() % 16; n > 0; n--)
            strcat(text, pieces[random_number() % ARRAY_SIZE(pieces)]);
        assert_rewritten(text, i % 2, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_option_string),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_deep_json),
        cmocka_unit_test(test_random_options),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
