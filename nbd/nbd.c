/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nbd/nbd.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/deadline.h"
#include "common/memory.h"
#include "common/units.h"
#include "nbd/bitmap.h"
#include "nbd/extents.h"
#include "nbd/queue.h"
#include "nbd/server.h"

struct nbd_reader {
    struct reader reader;
    struct nbd_export export;
    struct nbd_extents extents;
    struct nbd_connection *connections[NBD_MAX_CONNECTIONS];
    unsigned count;
    struct nbd_server *server; /* that disksum started, or NULL */
    char *bitmap;              /* of the options, or NULL */

    pthread_mutex_t lock; /* for: */
    unsigned queues;      /* that were made, ever */
};

static struct nbd_reader *to_nbd(const struct reader *r)
{
    return (struct nbd_reader *)r;
}

/* --- the reader --------------------------------------------------------- */

/* Whatever is not in a queue uses the first connection. */

static int nbd_extent(struct reader *r, uint64_t offset, uint64_t length,
                      struct reader_extent *extent, struct error *error)
{
    struct nbd_reader *n = to_nbd(r);

    (void)error;
    nbd_extents_get(&n->extents, n->connections[0], &n->export, offset, length,
                    extent);
    return 0;
}

static const unsigned char *nbd_view(const struct read *read, struct window *w,
                                     bool keep)
{
    (void)read;
    (void)w;
    (void)keep;
    return NULL;
}

static bool nbd_try_read(struct read *read)
{
    return read->done == read->len;
}

static void nbd_read_rest(struct read *read)
{
    struct nbd_reader *n = to_nbd(read->reader);

    nbd_queue_read(n->connections[0], &n->export, read);
}

static void nbd_will_need(struct reader *r, uint64_t offset, uint64_t length)
{
    (void)r;
    (void)offset;
    (void)length;
}

/* Queues get the connections in turn. */
static int nbd_new_queue(struct reader *r, unsigned depth,
                         struct read_queue **queue, struct error *error)
{
    struct nbd_reader *n = to_nbd(r);
    unsigned turn;

    (void)depth;
    pthread_mutex_lock(&n->lock);
    turn = n->queues++ % n->count;
    pthread_mutex_unlock(&n->lock);
    if (nbd_queue_new(n->connections[turn], &n->export, queue))
        return error_no_memory(error, r->name);
    return 0;
}

static int nbd_bitmap(struct reader *r, struct changes **changes,
                      struct error *error)
{
    struct nbd_reader *n = to_nbd(r);

    return nbd_bitmap_new(n->connections[0], &n->export, r->name, n->bitmap,
                          changes, error);
}

/* The protocol does not tell. */
static int nbd_check_unchanged(struct reader *r, struct error *error)
{
    (void)r;
    (void)error;
    return 0;
}

static void nbd_close_reader(struct reader *r)
{
    struct nbd_reader *n = to_nbd(r);

    for (unsigned i = 0; i < n->count; i++)
        nbd_connection_close(n->connections[i]);
    nbd_server_stop(n->server);
    nbd_extents_free(&n->extents);
    pthread_mutex_destroy(&n->lock);
    free(n->bitmap);
    free(r->name);
    free(r);
}

static const struct reader_ops nbd_ops = {
    .extent = nbd_extent,
    .view = nbd_view,
    .try_read = nbd_try_read,
    .read_rest = nbd_read_rest,
    .will_need = nbd_will_need,
    .queue_new = nbd_new_queue,
    .bitmap = nbd_bitmap,
    .early_end = "the server ended the data early",
    .check_unchanged = nbd_check_unchanged,
    .close = nbd_close_reader,
};

/* --- open --------------------------------------------------------------- */

bool is_nbd_uri(const char *name)
{
    static const char *const schemes[] = {
        "nbd:", "nbds:", "nbd+unix:", "nbds+unix:", "nbd+vsock:", "nbds+vsock:"
    };

    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        size_t len = strlen(schemes[i]);

        if (strncmp(name, schemes[i], len) == 0 &&
            strncmp(name + len, "//", 2) == 0)
            return true;
    }
    return false;
}

/* A server may take fewer connections than it advertises: qemu-nbd never
 * answers those beyond its --shared. So the others get a multiple of the time
 * that the first connection took, and at least this long, within --timeout. */
#define MORE_MIN_MS 500
#define MORE_FACTOR 10

static int64_t more_ms(const struct nbd_options *o, int64_t first_took)
{
    int64_t ms = MORE_MIN_MS + MORE_FACTOR * first_took;
    int64_t timeout = (int64_t)o->timeout * 1000;

    return timeout && timeout < ms ? timeout : ms;
}

/* The descriptors that are left to the rest of the program. More connections
 * are only faster: they must not take the last ones. */
#define SPARE_DESCRIPTORS 8

static int take_spare(int spare[SPARE_DESCRIPTORS])
{
    int count = 0;

    while (count < SPARE_DESCRIPTORS &&
           (spare[count] = eventfd(0, EFD_CLOEXEC)) >= 0)
        count++;
    return count;
}

/* Make the other connections, as far as that works. */
static void make_more(struct nbd_reader *n, const struct nbd_target *target,
                      int64_t first_took)
{
    struct nbd_connection *more[NBD_MAX_CONNECTIONS];
    unsigned wanted = target->options->connections;
    struct nbd_target quiet = *target;
    int64_t deadline = deadline_in(more_ms(target->options, first_took));
    unsigned begun = 0;

    quiet.quiet = true;
    while (n->count + begun < wanted) {
        struct error ignored = ERROR_INIT;
        int err = nbd_connection_begin(&quiet, &more[begun], &ignored);

        error_clear(&ignored);
        if (err)
            break;
        begun++;
    }
    for (unsigned i = 0; i < begun; i++) {
        struct error ignored = ERROR_INIT;
        struct nbd_export export;
        int err = nbd_connection_complete(more[i], deadline, &export, &ignored);

        error_clear(&ignored);
        if (err || !nbd_export_equal(&export, &n->export))
            nbd_connection_close(more[i]);
        else
            n->connections[n->count++] = more[i];
    }
}

static void connect_more(struct nbd_reader *n, const struct nbd_target *target,
                         int64_t first_took)
{
    int spare[SPARE_DESCRIPTORS];
    int count = take_spare(spare);

    if (count == SPARE_DESCRIPTORS)
        make_more(n, target, first_took);
    while (count > 0)
        close(spare[--count]);
}

/*
 * qemu-nbd and others allocate a buffer for each read. glibc's malloc() returns
 * it to the kernel each time, and gets it again page by page, until a larger
 * buffer was freed: then it keeps up to twice the size of that one; see
 * mallopt(3), M_MMAP_THRESHOLD. So the first read is a large one. Without it,
 * qemu-nbd took between 1.0 and 6 times as long, by chance.
 *
 * The data is dropped, and read again later. A server that fails at the large
 * read, or ends the connection, must still be readable. So the last of several
 * connections does it, and is closed if the read fails.
 */
#define FIRST_READ (4 * MiB)
#define FIRST_READ_MIN_EXPORT (256 * MiB)

static void read_first(struct nbd_reader *n)
{
    struct nbd_export export = n->export;
    struct read read = { .reader = &n->reader, .len = FIRST_READ };
    unsigned last = n->count - 1;

    export.preferred_read = export.maximum;
    if (last == 0 || export.size < FIRST_READ_MIN_EXPORT ||
        export.maximum < FIRST_READ)
        return;
    read.buf = malloc(read.len);
    if (!read.buf)
        return;
    populate(read.buf, read.len);
    nbd_queue_read(n->connections[last], &export, &read);
    if (read.done < read.len) {
        nbd_connection_close(n->connections[last]);
        n->count = last;
    }
    free(read.buf);
}

static int connect_all(struct nbd_reader *n, const struct nbd_target *target,
                       struct error *error)
{
    const struct nbd_options *o = target->options;
    int64_t start = clock_ms();
    int err = nbd_connection_begin(target, &n->connections[0], error);

    if (err)
        return err;
    n->count = 1;
    err = nbd_connection_complete(
        n->connections[0],
        deadline_in(o->timeout ? (int64_t)o->timeout * 1000 : -1), &n->export,
        error);
    if (err)
        return err;
    n->reader.size = n->export.size;
    n->reader.alignment = n->export.minimum;
    if (n->export.multi_conn)
        connect_more(n, target, clock_ms() - start);
    read_first(n);
    return 0;
}

static struct nbd_reader *new_reader(const char *name,
                                     const struct nbd_options *options,
                                     struct error *error)
{
    struct nbd_reader *n = calloc(1, sizeof(*n));

    if (n) {
        n->reader.name = strdup(name);
        n->reader.has_bitmap = options->bitmap;
        if (options->bitmap)
            n->bitmap = strdup(options->bitmap);
    }
    if (!n || !n->reader.name || (options->bitmap && !n->bitmap)) {
        if (n) {
            free(n->reader.name);
            free(n->bitmap);
        }
        free(n);
        error_no_memory(error, name);
        return NULL;
    }
    n->reader.ops = &nbd_ops;
    n->reader.queue_group = n;
    pthread_mutex_init(&n->lock, NULL);
    return n;
}

static int open_target(const struct nbd_target *target, struct reader **reader,
                       struct error *error)
{
    struct nbd_reader *n = new_reader(target->name, target->options, error);
    int err;

    if (!n)
        return error->code;
    err = connect_all(n, target, error);
    if (err) {
        nbd_close_reader(&n->reader);
        return err;
    }
    *reader = &n->reader;
    return 0;
}

static int open_over_tls(const struct nbd_target *target,
                         struct reader **reader, struct error *error)
{
    struct nbd_target over_tls = *target;
    struct nbd_tls tls;
    int err = nbd_tls_choose(target->uri, target->options, &tls, error);

    over_tls.tls = &tls;
    if (!err)
        err = open_target(&over_tls, reader, error);
    nbd_tls_expect(NULL);
    nbd_tls_free(&tls);
    return err;
}

int nbd_open_uri(const char *uri, const struct nbd_options *options,
                 struct reader **reader, struct error *error)
{
    struct nbd_uri parts;
    const struct nbd_target target = { .name = uri,
                                       .uri = &parts,
                                       .options = options };
    int err = nbd_uri_parse(uri, &parts, error);

    if (!err && parts.tls && options->recorded)
        err =
            error_set(error, EPERM,
                      "%s: an image may not refer to a server over TLS, which "
                      "would get your credentials",
                      uri);
    else if (!err && parts.tls)
        err = open_over_tls(&target, reader, error);
    else if (!err)
        err = open_target(&target, reader, error);
    nbd_uri_free(&parts);
    return err;
}

/* If the server ended, that is why connecting failed. */
static void prefer_exit_reason(struct nbd_server *server, const char *name,
                               struct error *error)
{
    const char *reason = nbd_server_exit_reason(server);
    int err = error->code;

    if (!reason)
        return;
    error_clear(error);
    error_set(error, err, "%s: %s", name, reason);
}

int nbd_open_server(const struct nbd_server_options *server, const char *name,
                    const struct nbd_options *options, struct reader **reader,
                    struct error *error)
{
    struct nbd_target target = { .name = name, .options = options };
    struct nbd_reader *n = new_reader(name, options, error);
    int err;

    if (!n)
        return error->code;
    err = nbd_server_start(server, name, &n->server, error);
    if (!err) {
        target.socket = nbd_server_socket(n->server);
        target.server = n->server;
        err = connect_all(n, &target, error);
        if (err)
            prefer_exit_reason(n->server, name, error);
        if (err || !server->keeps_socket)
            nbd_server_finish_connecting(n->server);
    }
    if (err) {
        nbd_close_reader(&n->reader);
        return err;
    }
    *reader = &n->reader;
    return 0;
}

int nbd_reader_connect(const struct reader *r)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, nbd_server_socket(to_nbd(r)->server));
    if (fd < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

void nbd_reader_explain(const struct reader *r, char *(*explain)(int fd),
                        int fd)
{
    nbd_server_explain_by(to_nbd(r)->server, explain, fd);
}

const struct nbd_server *nbd_reader_server(const struct reader *r)
{
    return to_nbd(r)->server;
}

int nbd_open_command(char *const *command, const char *name,
                     const struct nbd_options *options, struct reader **reader,
                     struct error *error)
{
    const struct nbd_server_options server = {
        .command = command,
        .error_fd = STDERR_FILENO,
        .stop_signal = SIGTERM,
        .lends_terminal = true,
        .timeout = options->timeout,
    };

    return nbd_open_server(&server, name, options, reader, error);
}
