/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "blkhash.h"

unsigned oracle_digest(const char *digest, const void *buf, size_t len,
                       unsigned char *md)
{
    const EVP_MD *type = EVP_get_digestbyname(digest);
    unsigned md_len;

    assert_non_null(type);
    assert_int_equal(EVP_Digest(buf, len, md, &md_len, type, NULL), 1);
    return md_len;
}

unsigned oracle_checksum(const char *digest, size_t block_size, const void *buf,
                         size_t len, unsigned char *md)
{
    const unsigned char *p = buf;
    EVP_MD_CTX *root = EVP_MD_CTX_new();
    unsigned char le64[8];
    unsigned md_len;

    EVP_DigestInit_ex(root, EVP_get_digestbyname(digest), NULL);
    for (size_t done = 0; done < len; done += block_size) {
        size_t n = len - done < block_size ? len - done : block_size;

        md_len = oracle_digest(digest, p + done, n, md);
        EVP_DigestUpdate(root, md, md_len);
    }
    for (int i = 0; i < 8; i++)
        le64[i] = (uint64_t)len >> (8 * i);
    EVP_DigestUpdate(root, le64, sizeof(le64));
    EVP_DigestFinal_ex(root, md, &md_len);
    EVP_MD_CTX_free(root);
    return md_len;
}

uint32_t random_number(void)
{
    static uint64_t state = 1;

    state = state * 6364136223846793005 + 1442695040888963407;
    return state >> 32;
}

void random_fill(void *buf, size_t len)
{
    unsigned char *p = buf;

    for (size_t i = 0; i < len; i++)
        p[i] = random_number();
}

void random_mixture(unsigned char *buf, size_t len, size_t longest_run)
{
    while (len) {
        size_t n = 1 + random_number() % longest_run;

        if (n > len)
            n = len;
        if (random_number() % 2)
            memset(buf, 0, n);
        else
            random_fill(buf, n);
        buf += n;
        len -= n;
    }
}

/* --- cases -------------------------------------------------------------- */

/* A test, and whether it came to its end: an assertion that fails jumps out. */
struct run {
    const struct CMUnitTest *test;
    void *state;
    bool ended;
};

static struct run *current;
static char last_case[256];

/* Of a sanitizer's runtime, where there is one. */
void __sanitizer_set_death_callback(void (*callback)(void))
    __attribute__((weak));

void test_case(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(last_case, sizeof(last_case), format, args);
    va_end(args);
    for (char *p = last_case; *p; p++) {
        if ((unsigned char)*p < ' ')
            *p = '?';
    }
}

/* For signal handlers, too. A comment in the Test Anything Protocol. */
static void print_last_case(void)
{
    static const char start[] = "# the last case: ";
    ssize_t n;

    if (!last_case[0])
        return;
    n = write(STDOUT_FILENO, start, sizeof(start) - 1);
    n += write(STDOUT_FILENO, last_case, strlen(last_case));
    n += write(STDOUT_FILENO, "\n", 1);
    (void)n;
}

static void on_abort(int number)
{
    (void)number;
    print_last_case();
}

static int set_up_run(void **state)
{
    current = *state;
    current->state = current->test->initial_state;
    last_case[0] = '\0';
    return current->test->setup_func
               ? current->test->setup_func(&current->state)
               : 0;
}

/* Whether DISKSUM_LEFT_OUT names this test, as where an emulator cannot run it.
 * It has the names of tests with spaces between them. */
static bool is_left_out(const char *name)
{
    const char *names = getenv("DISKSUM_LEFT_OUT");
    size_t len = strlen(name);

    for (const char *p = names; p && (p = strstr(p, name)); p += len) {
        if ((p == names || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
            return true;
    }
    return false;
}

static void run(void **state)
{
    (void)state;
    if (is_left_out(current->test->name)) {
        current->ended = true;
        skip();
    }
    current->test->test_func(&current->state);
    current->ended = true;
}

static int tear_down_run(void **state)
{
    (void)state;
    if (!current->ended) {
        fflush(stdout);
        print_last_case();
    }
    return current->test->teardown_func
               ? current->test->teardown_func(&current->state)
               : 0;
}

int run_group(const char *name, const struct CMUnitTest *tests, size_t count,
              CMFixtureFunction setup, CMFixtureFunction teardown)
{
    struct CMUnitTest *wrapped = calloc(count, sizeof(*wrapped));
    struct run *runs = calloc(count, sizeof(*runs));
    int failed;

    for (size_t i = 0; i < count; i++) {
        runs[i] = (struct run){ .test = &tests[i] };
        wrapped[i] = (struct CMUnitTest){ tests[i].name, run, set_up_run,
                                          tear_down_run, &runs[i] };
    }
    signal(SIGABRT, on_abort);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(print_last_case);
    failed = _cmocka_run_group_tests(name, wrapped, count, setup, teardown);
    free(wrapped);
    free(runs);
    return failed;
}

bool kernel_is_missing(void)
{
    const char *name = getenv("BLKHASH_SHA256");
    struct blkhash_leaf *leaf = blkhash_leaf_new(512, "sha256");
    bool missing = !leaf && errno == ENOTSUP && name;

    if (missing)
        printf("1..0 # SKIP %s is not for this CPU\n", name);
    blkhash_leaf_free(leaf);
    return missing;
}

void assert_hex(const unsigned char *md, unsigned len, const char *hex)
{
    char text[2 * BLKHASH_MAX_MD_SIZE + 1];

    for (unsigned i = 0; i < len; i++)
        snprintf(text + 2 * i, 3, "%02x", md[i]);
    assert_string_equal(text, hex);
}
