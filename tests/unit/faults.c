/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each allocation, thread and descriptor that an operation asks for fails in
 * turn. The operation returns an error, and nothing leaks. The linker replaces
 * the functions (--wrap).
 */
#include "list_disk.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "blkhash.h"
#include "engine/engine.h"
#include "list/merge.h"
#include "list/root-sink.h"
#include "list/reader.h"
#include "list/writer.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool counting;
static long calls_left; /* before the one that fails */
static long owned;      /* allocations that were not freed */

static bool fails(void)
{
    bool now;

    pthread_mutex_lock(&lock);
    now = counting && calls_left-- == 0;
    pthread_mutex_unlock(&lock);
    return now;
}

static void own(long count)
{
    pthread_mutex_lock(&lock);
    owned += count;
    pthread_mutex_unlock(&lock);
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
int __real_posix_memalign(void **p, size_t alignment, size_t size);
char *__real_strdup(const char *s);
int __real_vasprintf(char **text, const char *format, va_list args);
void __real_free(void *p);
int __real_pthread_create(pthread_t *id, const pthread_attr_t *attr,
                          void *(*start)(void *), void *arg);
int __real_eventfd(unsigned count, int flags);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
int __wrap_posix_memalign(void **p, size_t alignment, size_t size);
char *__wrap_strdup(const char *s);
int __wrap_vasprintf(char **text, const char *format, va_list args);
int __wrap___vasprintf_chk(char **text, int flag, const char *format,
                           va_list args);
void __wrap_free(void *p);
int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr,
                          void *(*start)(void *), void *arg);
int __wrap_eventfd(unsigned count, int flags);

static void *owned_or_null(void *p)
{
    own(p != NULL);
    return p;
}

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? no_memory() : owned_or_null(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? no_memory() : owned_or_null(__real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    void *p = fails() ? no_memory() : __real_realloc(old, size);

    own(p && !old);
    return p;
}

int __wrap_posix_memalign(void **p, size_t alignment, size_t size)
{
    int err = fails() ? ENOMEM : __real_posix_memalign(p, alignment, size);

    own(!err);
    return err;
}

char *__wrap_strdup(const char *s)
{
    return fails() ? no_memory() : owned_or_null(__real_strdup(s));
}

int __wrap_vasprintf(char **text, const char *format, va_list args)
{
    int len = fails() ? -1 : __real_vasprintf(text, format, args);

    own(len >= 0);
    return len;
}

/* vasprintf() under _FORTIFY_SOURCE, as distributions build. */
int __wrap___vasprintf_chk(char **text, int flag, const char *format,
                           va_list args)
{
    (void)flag;
    return __wrap_vasprintf(text, format, args);
}

void __wrap_free(void *p)
{
    own(-(p != NULL));
    __real_free(p);
}

int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr,
                          void *(*start)(void *), void *arg)
{
    return fails() ? EAGAIN : __real_pthread_create(id, attr, start, arg);
}

int __wrap_eventfd(unsigned count, int flags)
{
    if (fails()) {
        errno = EMFILE;
        return -1;
    }
    return __real_eventfd(count, flags);
}

/* Run an operation with its first, second, ... call failing, until none fails.
 */
static void fail_each(int (*operation)(void))
{
    long n = 0;
    bool through;

    operation(); /* what is made once for the process is not a leak */
    do {
        long before = owned;
        int err;

        test_case("call %ld fails", n);
        calls_left = n++;
        counting = true;
        err = operation();
        counting = false;
        through = calls_left >= 0;

        assert_int_equal(owned, before);
        if (through)
            assert_int_equal(err, 0);
        else
            assert_true(err == 0 || err == ENOMEM || err == EAGAIN ||
                        err == EMFILE);
    } while (!through);
    /* At least one call failed. */
    assert_true(n > 1);
}

static unsigned char content[1 << 20];

static int hash_with_threads(unsigned threads)
{
    struct blkhash_options *o = blkhash_options_new("sha256");
    struct blkhash *h;
    unsigned char md[32], expected[32];
    int err, fd;

    if (!o)
        return errno;
    blkhash_options_set_threads(o, threads);
    h = blkhash_new_with_options(o);
    err = errno;
    blkhash_options_free(o);
    if (!h)
        return err;

    err = blkhash_completion_fd(h, &fd);
    if (!err)
        err = blkhash_async_update(h, content, sizeof(content), NULL);
    if (!err)
        err = blkhash_update(h, content, sizeof(content));
    if (!err)
        err = blkhash_zero(h, 1 << 30);
    if (!err)
        err = blkhash_final(h, md, NULL);
    blkhash_free(h);
    if (err)
        return err;

    /* An operation that returns 0 has the right result. */
    counting = false;
    h = blkhash_new(65536, "sha256");
    blkhash_update(h, content, sizeof(content));
    blkhash_update(h, content, sizeof(content));
    blkhash_zero(h, 1 << 30);
    blkhash_final(h, expected, NULL);
    blkhash_free(h);
    counting = true;
    assert_memory_equal(md, expected, 32);
    return 0;
}

static int hash_serial(void)
{
    return hash_with_threads(1);
}

static int hash_parallel(void)
{
    return hash_with_threads(3);
}

static int hash_plain(void)
{
    struct blkhash_digest *d = blkhash_digest_new("sha256");
    unsigned char md[BLKHASH_MAX_MD_SIZE];
    int err;

    if (!d)
        return errno;
    err = blkhash_digest_zero(d, 1 << 20);
    if (!err)
        err = blkhash_digest_final(d, md, NULL);
    blkhash_digest_free(d);
    return err;
}

static void test_plain_digest(void **state)
{
    (void)state;
    fail_each(hash_plain);
}

static void test_stream(void **state)
{
    (void)state;
    fail_each(hash_serial);
}

static void test_stream_with_threads(void **state)
{
    (void)state;
    fail_each(hash_parallel);
}

/* --- the engine --------------------------------------------------------- */

static char path[] = "/tmp/disksum-faults-XXXXXX";
static char copy[] = "/tmp/disksum-faults-XXXXXX";
static enum cache_mode cache;
static bool plain; /* compute a plain digest, too */

static int write_file(char *name)
{
    int fd = mkstemp(name);

    return fd < 0 || write(fd, content, sizeof(content)) != sizeof(content) ||
           ftruncate(fd, 64 << 20) != 0 || close(fd) != 0;
}

static int make_files(void **state)
{
    (void)state;
    random_fill(content, sizeof(content));
    return write_file(path) || write_file(copy);
}

static int remove_files(void **state)
{
    (void)state;
    return unlink(path) || unlink(copy);
}

/* Hash or compare an image, or hash a pipe that ends only when all threads have
 * started. */
static int run_engine(struct engine_input input, const int *pipe,
                      struct error *error)
{
    struct engine_options options;
    struct engine_result result;
    struct engine *e;
    int err;

    engine_default_options(&options);
    options.threads = 2;
    options.queue_depth = 3;
    if (!input.known) {
        options.hashes[1] = (struct engine_hash){ "sha512", 512 };
        options.hashes[2] = (struct engine_hash){ "sha1", 0 };
        options.hash_count = plain ? 3 : 2;
    }
    input.name = path;
    if (pipe)
        input.fd = pipe[0];
    err = engine_new(&options, &input, &e, error);
    if (err)
        return err;
    err = engine_start(e, error);
    if (!err && pipe)
        close(pipe[1]);
    if (!err)
        err = engine_finish(e, &result, error);
    engine_free(e);
    return err;
}

static int checksum_file(void)
{
    struct error error = ERROR_INIT;
    const struct image_options options = { .files = { .cache = cache } };
    struct image *image;
    int err = image_open(path, path, &options, &image, &error);

    if (!err) {
        err = run_engine((struct engine_input){ .image = image }, NULL, &error);
        image_close(image);
    }
    assert_int_equal(error.code, err);
    error_clear(&error);
    return err;
}

static int compare_files(void)
{
    struct error error = ERROR_INIT;
    const struct image_options options = { .files = { .cache = cache } };
    struct differences differences = { 0 };
    struct engine_input input = { .differences = &differences };
    int err = image_open(path, path, &options, &input.image, &error);

    if (!err) {
        err = image_open(copy, copy, &options, &input.other, &error);
        if (!err)
            err = run_engine(input, NULL, &error);
        image_close(input.image);
        image_close(input.other);
    }
    assert_int_equal(error.code, err);
    error_clear(&error);
    return err;
}

static int checksum_pipe(void)
{
    struct error error = ERROR_INIT;
    int fds[2];
    const struct engine_input input = { .name = path };
    int err = pipe(fds) == 0 ? run_engine(input, fds, &error) : errno;

    assert_int_equal(error.code, err);
    error_clear(&error);
    close(fds[0]);
    if (err)
        close(fds[1]);
    return err;
}

/* An error is reported even if a worker would wait for the pipe. */
static void test_engine_pipe(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        plain = i;
        fail_each(checksum_pipe);
    }
}

static void test_engine_buffered(void **state)
{
    (void)state;
    cache = CACHE_BUFFERED;
    for (int i = 0; i < 2; i++) {
        plain = i;
        fail_each(checksum_file);
    }
    fail_each(compare_files);
}

static void test_engine_direct_threads(void **state)
{
    (void)state;
    setenv("DISKSUM_READS", "threads", 1);
    cache = CACHE_DIRECT;
    if (checksum_file() == EINVAL)
        skip(); /* a file system without direct I/O */
    fail_each(checksum_file);
    fail_each(compare_files);
    unsetenv("DISKSUM_READS");
}

/* --- lists -------------------------------------------------------------- */

static int list_fd;

/* Hash the file, and write its list. */
static int write_list(struct image *image, struct error *error)
{
    const struct list_header header = {
        .block_size = 65536,
        .length = image->size,
        .digest = "sha256",
        .source = (char[]){ "{}" },
        .source_len = 2,
    };
    struct list_writer *writer;
    struct sink *sink;
    int err = ftruncate(list_fd, 0) ? errno : 0;

    lseek(list_fd, 0, SEEK_SET);
    if (!err)
        err = list_writer_new(list_fd, path, &header, &writer, error);
    if (err)
        return err;
    sink = list_writer_sink(writer);
    err = run_engine((struct engine_input){ .image = image,
                                            .sinks = &sink,
                                            .sink_count = 1 },
                     NULL, error);
    list_writer_free(writer);
    return err;
}

/* Hash the file with its list. */
static int read_list(struct image *image, struct error *error)
{
    const struct list_reader_options options = { .partial = true };
    struct list_reader *list;
    struct known *known;
    int err;

    lseek(list_fd, 0, SEEK_SET);
    err = list_reader_new(list_fd, path, &options, &list, error);
    if (err)
        return err;
    err = known_of_part(list, image->size, &known, error);
    if (err) {
        list_reader_free(list);
        return err;
    }
    err = run_engine((struct engine_input){ .image = image, .known = known },
                     NULL, error);
    known_free(known);
    return err;
}

static int use_list(int (*use)(struct image *, struct error *))
{
    struct error error = ERROR_INIT;
    const struct image_options options = { .files = { .cache = cache } };
    struct image *image;
    int err = image_open(path, path, &options, &image, &error);

    if (!err) {
        err = use(image, &error);
        image_close(image);
    }
    assert_int_equal(error.code, err);
    error_clear(&error);
    return err;
}

static int checksum_and_list(void)
{
    return use_list(write_list);
}

static int checksum_by_list(void)
{
    return use_list(read_list);
}

static void test_engine_and_list(void **state)
{
    (void)state;
    cache = CACHE_BUFFERED;
    list_fd = memfd_create("list", MFD_CLOEXEC);
    assert_true(list_fd >= 0);
    fail_each(checksum_and_list);
    fail_each(checksum_by_list);
    close(list_fd);
}

/* --- digest lists --------------------------------------------------------- */

/* Read a list, and write what is in it. */
static int copy_list(int in, int out, struct error *error)
{
    const struct list_reader_options options = { .partial = false };
    struct list_reader *r = NULL;
    struct list_writer *w = NULL;
    struct sink *root = NULL;
    struct sink_end end;
    int err = list_reader_new(in, "list", &options, &r, error);

    if (!err)
        err = list_writer_new(out, "copy", list_reader_header(r), &w, error);
    if (!err && root_sink_new(512, "sha256", "disk", &root))
        err = error_no_memory(error, "disk");
    if (!err) {
        struct sink *const sinks[] = { root, list_writer_sink(w) };
        const struct list_merge of = {
            .parts = &r,
            .count = 1,
            .named = 1,
            .name = "disk",
        };

        err = list_merge(&of, sinks, 2, &end, error);
    }
    root_sink_free(root);
    list_writer_free(w);
    list_reader_free(r);
    return err;
}

static int list_file;

static int merge_list(void)
{
    struct error error = ERROR_INIT;
    int out = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int err;

    lseek(list_file, 0, SEEK_SET);
    err = copy_list(list_file, out, &error);
    assert_int_equal(error.code, err);
    error_clear(&error);
    close(out);
    return err;
}

static void test_list(void **state)
{
    struct disk disk;

    (void)state;
    disk_init(&disk, 100, 100 * 512);
    list_file = disk_list(&disk, 10);
    fail_each(merge_list);
    close(list_file);
    disk_destroy(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_digest),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_stream_with_threads),
        cmocka_unit_test(test_engine_buffered),
        cmocka_unit_test(test_engine_direct_threads),
        cmocka_unit_test(test_engine_pipe),
        cmocka_unit_test(test_engine_and_list),
        cmocka_unit_test(test_list),
    };

    return RUN_TESTS(tests, make_files, remove_files);
}
