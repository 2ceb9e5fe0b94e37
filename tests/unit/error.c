/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <string.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_message_stays),
        cmocka_unit_test(test_move),
        cmocka_unit_test(test_code_alone),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
