/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reader/reader.h"

enum { SIZE = 1 << 20 };

static int fd;

static int make_file(void **state)
{
    char path[] = "/tmp/disksum-window-XXXXXX";
    static unsigned char bytes[SIZE];

    (void)state;
    fd = mkstemp(path);
    memset(bytes, 'x', SIZE);
    return fd < 0 || unlink(path) != 0 || write(fd, bytes, SIZE) != SIZE;
}

static int close_file(void **state)
{
    (void)state;
    return close(fd);
}

static void check_bytes_in_place(void)
{
    struct reader reader = { 0 };
    struct window w = { 0 };
    const unsigned char *p = window_get(&w, &reader, fd, 1000, 5000, false);

    assert_non_null(p);
    assert_int_equal(p[0], 'x');
    assert_int_equal(p[4999], 'x');
    /* The window has the bytes around, but does not move while its addresses
     * are in use. */
    assert_ptr_equal(window_get(&w, &reader, fd, 2000, 100, true), p + 1000);
    assert_null(window_get(&w, &reader, fd, UINT64_C(1) << 40, 100, true));
    assert_false(window_failed(&w));
    window_close(&w);
    window_close(&w);
}

/* Pages that are gone read as zeros, and the window reports it once. */
static void check_truncated_file(void)
{
    struct reader reader = { 0 };
    struct window w = { 0 };
    const unsigned char *p = window_get(&w, &reader, fd, 0, SIZE, false);
    unsigned sum = 0;

    assert_non_null(p);
    assert_int_equal(ftruncate(fd, SIZE / 2), 0);
    for (size_t i = 0; i < SIZE; i += 1000)
        sum += p[i];
    assert_true(sum > 0);
    assert_int_equal(p[SIZE - 1], 0);
    assert_true(window_failed(&w));
    assert_false(window_failed(&w));

    /* With the next use, the window maps the file again. */
    assert_int_equal(ftruncate(fd, SIZE), 0);
    assert_int_equal(pwrite(fd, "y", 1, SIZE - 1), 1);
    p = window_get(&w, &reader, fd, SIZE - 1, 1, false);
    assert_non_null(p);
    assert_int_equal(*p, 'y');
    window_close(&w);
}

/* Each of two windows knows of its own pages that are gone. */
static void check_two_windows(void)
{
    struct reader reader = { 0 };
    struct window a = { 0 }, b = { 0 };
    const volatile unsigned char *first =
        window_get(&a, &reader, fd, 0, SIZE, false);
    const volatile unsigned char *second =
        window_get(&b, &reader, fd, 0, SIZE, false);

    assert_non_null(first);
    assert_non_null(second);
    assert_int_equal(ftruncate(fd, SIZE / 2), 0);
    assert_int_equal(first[SIZE - 1], 0);
    assert_false(window_failed(&b));
    assert_true(window_failed(&a)); /* this closes it */
    assert_int_equal(second[SIZE - 1], 0);
    assert_true(window_failed(&b));
    assert_false(window_failed(&a));
    assert_int_equal(ftruncate(fd, SIZE), 0);
    window_close(&b);
    window_close(&a);
}

static void send_plain(unsigned char *in_window)
{
    (void)in_window;
    kill(getpid(), SIGBUS);
}

/* The address of a signal that was sent does not matter. */
static void send_queued(unsigned char *in_window)
{
    siginfo_t info = { .si_signo = SIGBUS, .si_code = SI_QUEUE };

    info.si_addr = in_window;
    syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS, &info);
}

/* The kernel reports failed memory that was not accessed. */
static void tell_of_memory(unsigned char *in_window)
{
    siginfo_t info = { .si_signo = SIGBUS, .si_code = BUS_MCEERR_AO };

    info.si_addr = in_window;
    syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS, &info);
}

static void touch_elsewhere(unsigned char *in_window)
{
    const volatile unsigned char *p =
        mmap(NULL, 2 * SIZE, PROT_READ, MAP_SHARED, fd, 0);

    (void)in_window;
    (void)p[SIZE + SIZE / 2]; /* beyond the end of the file */
}

/* Returns the signal that ends a process after this cause; 0: none. */
static int signal_that_ends(void (*cause)(unsigned char *in_window))
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        struct reader reader = { 0 };
        struct window w = { 0 };
        unsigned char *p =
            (unsigned char *)window_get(&w, &reader, fd, 0, SIZE, false);

        cause(p);
        _exit(window_failed(&w));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        return WTERMSIG(status);
    assert_int_equal(WEXITSTATUS(status), 0);
    return 0;
}

static void test_other_signals(void **state)
{
    (void)state;
    assert_int_equal(signal_that_ends(send_plain), SIGBUS);
    assert_int_equal(signal_that_ends(send_queued), SIGBUS);
    assert_int_equal(signal_that_ends(touch_elsewhere), SIGBUS);
}

static void test_memory_that_failed(void **state)
{
    (void)state;
    assert_int_equal(signal_that_ends(tell_of_memory), 0);
}

static void test_window(void **state)
{
    (void)state;
    check_bytes_in_place();
    check_truncated_file();
    check_two_windows();
}

int main(void)
{
    /* The handler is installed once for the process, and cmocka replaces it in
     * each test. So the first tests use a window only in children, and the last
     * is one for all that is left. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_other_signals, make_file,
                                        close_file),
        cmocka_unit_test_setup_teardown(test_memory_that_failed, make_file,
                                        close_file),
        cmocka_unit_test_setup_teardown(test_window, make_file, close_file),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
