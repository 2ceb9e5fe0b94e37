/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "qemu/message.h"

#define OPEN "qemu-nbd: Failed to blk_new_open 'driver=x,file=f': "

/* expected: NULL if there is no text. */
static void assert_text(const char *messages, char *text, const char *expected)
{
    test_case("%s", messages);
    if (expected)
        assert_string_equal(text, expected);
    else
        assert_null(text);
    free(text);
}

static void assert_message(const char *messages, const char *expected)
{
    char *copy = strdup(messages);

    assert_text(messages, qemu_message(copy, "driver=x,file=f", "f", "x"),
                expected);
    free(copy);
}

static void assert_complaint(const char *messages, const char *expected)
{
    char *copy = strdup(messages);

    assert_text(messages, qemu_complaint(copy), expected);
    free(copy);
}

static void test_reason(void **state)
{
    (void)state;
    assert_message("", NULL);
    assert_message("\n\n", NULL);
    assert_message("something else\n", NULL);
    assert_message("qemu-nbd: warning: old\n", NULL);
    assert_message("qemu-nbd: broken", "broken");
    assert_message("qemu-nbd: broken\n", "broken");
    assert_message("qemu-nbd: warning: old\nqemu-nbd: broken\n", "broken");
    assert_message(OPEN "broken\n", "broken");
    assert_message(OPEN "Could not open 'f': broken\n", "broken");
    assert_message(OPEN "Could not open 'g': broken\n",
                   "Could not open 'g': broken");
    assert_message(OPEN "Could not open backing file: "
                        "Could not open backing file: broken\n",
                   "Could not open backing file: broken");
    assert_message("qemu-nbd: GLib: g_f: assertion 'x' failed\n" OPEN "bad\n",
                   "bad");
}

/* All lines of a hint are one with the reason. */
static void test_hints(void **state)
{
    (void)state;
    assert_message(OPEN "broken\nMend it\n", "broken. Mend it");
    assert_message(OPEN "broken\nMend it:\n\nqemu-img check 'f'\n",
                   "broken. Mend it: qemu-img check 'f'");
    assert_message(OPEN "broken\nMend it\nqemu-nbd: more\nand more\n",
                   "broken. Mend it");
    assert_message(OPEN "broken\nqemu-nbd: more\n", "broken");
    assert_message("qemu: module block-y not found\n" OPEN "broken\n",
                   "broken. module block-y not found");
    assert_message("qemu: module block-y not found\n" OPEN "broken\nMend it\n",
                   "broken. Mend it");
    assert_message(
        OPEN "Failed to get shared \"write\" lock\n"
             "Is another process using the image [f]?\n",
        "Failed to get shared \"write\" lock. Is another process using the "
        "image [f]? Use -U (--force-share) to read it anyway");
}

static void test_key(void **state)
{
    const char *reason = OPEN "Parameter 'a.key-secret' is required for b\n";
    char *copy = strdup(reason);

    (void)state;
    assert_message(reason,
                   "Parameter 'a.key-secret' is required for b. The image is "
                   "encrypted; give its key with --object "
                   "secret,id=ID,file=PATH --image-opts "
                   "driver=x,a.key-secret=ID,file.filename=...");
    assert_text(reason, qemu_message(copy, "driver=x,file=f", "f", NULL),
                "Parameter 'a.key-secret' is required for b. The image is "
                "encrypted; give its key with --object secret,id=ID,file=PATH, "
                "and its ID as a.key-secret=ID");
    free(copy);
    assert_message(OPEN "key-secret' is required, Parameter '\n",
                   "key-secret' is required, Parameter '");
    assert_message(OPEN "Parameter 'a' is required\n",
                   "Parameter 'a' is required");
}

static void test_complaint(void **state)
{
    (void)state;
    assert_complaint("", NULL);
    assert_complaint("something else\nqemu-nbd: warning: old\n", NULL);
    assert_complaint("qemu: module x not found\n"
                     "qemu-nbd: warning: x module is missing, so y\n"
                     "qemu-nbd: warning: old\n",
                     "QEMU: x module is missing, so y");
    assert_complaint("qemu-nbd: first\nqemu-nbd: last\n", "QEMU: last");
    assert_complaint("qemu-nbd: GLib: assertion 'x' failed\n", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reason),
        cmocka_unit_test(test_hints),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_complaint),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
