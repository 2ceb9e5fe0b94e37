/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <string.h>

#include "common/password.h"

static void test_mask(void **state)
{
    static const struct {
        const char *text, *masked;
    } cases[] = {
        { "", "" },
        { "a", "a" },
        { "https://host/path", "https://host/path" },
        { "https://host:80/a@b:c", "https://host:80/a@b:c" },
        { "https://user@host/", "https://user@host/" },
        { "https://user:password@host/", "https://user:***@host/" },
        { "https://user:p@ss:word@host/", "https://user:***@host/" },
        { "https://:p@host", "https://:*@host" },
        { "https://user:@host", "https://user:@host" },
        { "ssh://a:secret@b: 'ssh://a:secret@b' failed",
          "ssh://a:***@b: 'ssh://a:***@b' failed" },
        { "://:@", "://:@" },
        { "://", "://" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[128];

        strcpy(text, cases[i].text);
        assert_int_equal(has_password(text),
                         strcmp(cases[i].text, cases[i].masked) != 0);
        mask_passwords(text);
        assert_string_equal(text, cases[i].masked);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mask),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
