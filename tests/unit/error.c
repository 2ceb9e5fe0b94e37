/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "common/array.h"
#include "common/error.h"

static void test_first_message_stays(void **state)
{
    struct error error = ERROR_INIT;

    (void)state;
    assert_int_equal(error_set(&error, EIO, "%s: %d", "disk.raw", 7), EIO);
    assert_int_equal(error_set(&error, ENOMEM, "another"), EIO);
    assert_string_equal(error_message(&error), "disk.raw: 7");
    error_clear(&error);
    assert_int_equal(error.code, 0);
    error_clear(&error);
}

static void test_move(void **state)
{
    struct error from = ERROR_INIT, to = ERROR_INIT;

    (void)state;
    error_set(&from, EIO, "first");
    error_move(&to, &from);
    assert_int_equal(from.code, 0);
    assert_string_equal(error_message(&to), "first");

    error_set(&from, EPERM, "second");
    error_move(&to, &from);
    assert_int_equal(from.code, 0);
    assert_string_equal(error_message(&to), "first");
    error_clear(&to);
}

/* If there is no memory for the message, there is still a message. */
static void test_code_alone(void **state)
{
    struct error error = { .code = ENOSPC };

    (void)state;
    assert_string_equal(error_message(&error), strerror(ENOSPC));
}

/* The image that was asked for is named, and only once. */
static void test_image(void **state)
{
    static const struct {
        const char *message;
        const char *expected;
    } cases[] = {
        { "base: cannot be read", "top: base: cannot be read" },
        { "top: cannot be read", "top: cannot be read" },
        { "top2: cannot be read", "top: top2: cannot be read" },
        { "top", "top: top" },
        { "", "top: " },
    };
    struct error code = { .code = ENOSPC };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error error = ERROR_INIT;

        test_case("%s", cases[i].message);
        error_set(&error, EIO, "%s", cases[i].message);
        error_name_image(&error, "top");
        assert_int_equal(error.code, EIO);
        assert_string_equal(error_message(&error), cases[i].expected);
        error_clear(&error);
    }
    error_name_image(&code, "top");
    assert_int_equal(code.code, ENOSPC);
    assert_string_equal(error_message(&code), "top: No space left on device");
    error_clear(&code);
}

/* What the user describes for QEMU names its file already. */
static void test_name_of_description(void **state)
{
    static const struct {
        const char *name;
        bool stays;
    } cases[] = {
        { "driver=vmdk,file.filename=/a/disk", true },
        { "file.filename=/a/disk,driver=vmdk", true },
        { "json:{\"driver\":\"vmdk\",\"filename\":\"/a/disk\"}", true },
        { "driver=vmdk,file.filename=/a/disk2", false },
        { "driver=vmdk,file.filename=/b/a/disk", false },
        { "/a/disk.qcow2", false },
        { "=", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error error = ERROR_INIT;

        test_case("%s", cases[i].name);
        error_set(&error, EIO, "/a/disk: cannot be read");
        error_name_image(&error, cases[i].name);
        assert_int_equal(
            strcmp(error_message(&error), "/a/disk: cannot be read") == 0,
            cases[i].stays);
        error_clear(&error);
    }
}

static void test_without_name(void **state)
{
    static const char *const cases[][2] = {
        { "top: cannot be read", "cannot be read" },
        { "top: top: cannot be read", "top: cannot be read" },
        { "top2: cannot be read", "top2: cannot be read" },
        { "top:cannot be read", "top:cannot be read" },
        { "to", "to" },
        { "top", "top" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error error = ERROR_INIT;

        test_case("%s", cases[i][0]);
        error_set(&error, EIO, "%s", cases[i][0]);
        assert_string_equal(error_message_without(&error, "top"), cases[i][1]);
        error_clear(&error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_message_stays),
        cmocka_unit_test(test_move),
        cmocka_unit_test(test_code_alone),
        cmocka_unit_test(test_image),
        cmocka_unit_test(test_name_of_description),
        cmocka_unit_test(test_without_name),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
