/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "image/description.h"

static void read_text(const char *text, const char *format,
                      struct description *d)
{
    struct error error = ERROR_INIT;
    bool is_json = strncmp(text, "json:", 5) == 0;

    test_case("%s", text);
    assert_int_equal(description_read(text, is_json, format, d, &error), 0);
}

/* The files of a description, each with a word: whether it has a format. */
static void assert_files(const char *text, const char *format,
                         const char *expected)
{
    char seen[256] = "";
    struct description d;

    read_text(text, format, &d);
    for (size_t i = 0; i < d.file_count; i++) {
        strcat(seen, d.files[i].path);
        strcat(seen, description_has_format(&d, &d.files[i]) ? " known, "
                                                             : " probed, ");
    }
    assert_string_equal(seen, expected);
    description_free(&d);
}

static void test_files(void **state)
{
    (void)state;
    assert_files("", NULL, "");
    assert_files("driver=raw,file.filename=a", NULL, "a known, ");
    assert_files("file.filename=a:b,,c,driver=raw", NULL, "a:b,c known, ");
    assert_files("file.filename=a", NULL, "a probed, ");
    assert_files("file.filename=a", "raw", "a known, ");
    assert_files("file.filename=a", "copy-on-read", "a probed, ");
    assert_files("driver=copy-on-read,file.filename=a", NULL, "a probed, ");
    assert_files("driver=raw,file.file.filename=a", NULL, "a probed, ");
    assert_files("driver=raw,backing.filename=a", NULL, "a probed, ");
    assert_files("driver=raw,xfile.filename=a", NULL, "a probed, ");
    assert_files("driver=blkdebug,x-image=file:a", NULL, "a probed, ");
    assert_files("driver=raw,file.driver=blkdebug,file.x-image=a", NULL,
                 "a probed, ");
    assert_files("c.0.driver=raw,c.0.file.filename=a,c.1.file.filename=b", NULL,
                 "a known, b probed, ");
    assert_files("json:{'driver':'raw','file':{'filename':'a'}}", NULL,
                 "a known, ");
    assert_files("json:{'driver':'raw','file.filename':'a'}", NULL,
                 "a known, ");
    assert_files("json:{'file':{'filename':'a'},'driver':'raw'}", NULL,
                 "a known, ");
    assert_files("json:{'c':[{'driver':'raw','file':{'filename':'a'}},"
                 "{'file':{'filename':'b'}}]}",
                 NULL, "a known, b probed, ");
}

/* Keys that are too long are not taken for others. */
static void test_long_keys(void **state)
{
    char key[300], text[1000];

    (void)state;
    for (size_t len = 200; len < sizeof(key); len++) {
        memset(key, 'k', len);
        key[len] = '\0';
        snprintf(text, sizeof(text),
                 "json:{'%s':{'driver':'raw','x':{'file.filename':'a'},"
                 "'file':{'filename':'b'}},'driver':'raw',"
                 "'file':{'filename':'c'}}",
                 key);
        assert_files(text, NULL,
                     len + strlen(".file.") < 256
                         ? "a probed, b known, c known, "
                         : "a probed, b probed, c known, ");
    }
}

static void test_formats(void **state)
{
    struct description d;

    (void)state;
    read_text("a.driver=raw,b.driver=qcow2,c.driver=raw,d.driver=nbd", "qed",
              &d);
    assert_int_equal(d.format_count, 3);
    assert_string_equal(d.formats[0], "qed");
    assert_string_equal(d.formats[1], "raw");
    assert_string_equal(d.formats[2], "qcow2");
    description_free(&d);
}

static void test_local(void **state)
{
    static const char *const local[] = {
        "",
        "file.filename=nbd://host",
        "driver=qcow2,file.driver=file,file.filename=a",
        "driver=luks,file.driver=copy-on-read,file.file.driver=host_device",
        "driver=blkdebug,x-image=a",
        "json:{'driver':'quorum','children':[{'driver':'raw'}]}",
    };
    static const char *const remote[] = {
        "driver=nbd",
        "driver=raw,file.driver=https,file.url=x",
        "driver=unknown",
        "driver=blkdebug,x-image=nbd://host",
        /* In parentheses, to say that no comma is missing. */
        ("json:{'driver':'quorum','children':[{'driver':'raw'},"
         "{'\\u0064river':'nbd'}]}"),
    };
    struct description d;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(local); i++) {
        read_text(local[i], NULL, &d);
        assert_true(d.is_local);
        description_free(&d);
    }
    for (size_t i = 0; i < ARRAY_SIZE(remote); i++) {
        read_text(remote[i], NULL, &d);
        assert_false(d.is_local);
        description_free(&d);
    }
    read_text("file.filename=a", "nbd", &d);
    assert_false(d.is_local);
    description_free(&d);
}

/* As long as no argument of a process can be. */
static void test_too_long(void **state)
{
    struct error error = ERROR_INIT;
    size_t len = 128 * 1024;
    char *text = calloc(1, len + 1);
    struct description d;

    (void)state;
    assert_non_null(text);
    memset(text, ',', len - 1);
    assert_int_equal(description_read(text, false, NULL, &d, &error), 0);
    description_free(&d);
    text[len - 1] = ',';
    assert_int_equal(description_read(text, false, NULL, &d, &error), E2BIG);
    description_free(&d);
    error_clear(&error);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),    cmocka_unit_test(test_long_keys),
        cmocka_unit_test(test_formats),  cmocka_unit_test(test_local),
        cmocka_unit_test(test_too_long),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
