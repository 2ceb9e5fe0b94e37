/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * This file alone knows libnbd.
 *
 * All calls of libnbd that can find the connection busy are made under our
 * lock, and none of them waits; only poll() is outside. Of the threads that
 * wait for answers one *drives*: it polls, and takes in what comes, also for
 * the others, straight into their buffers. When its own answer is there it goes
 * away and another waiter drives. So one connection keeps many threads busy,
 * and none is needed for it alone.
 */
#include "nbd/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libnbd.h>

#include "common/deadline.h"

/* What servers take if they do not say else. */
#define SAID_MOST (32 * 1024 * 1024)

/* But many need less time for the same bytes in smaller reads: their buffers
 * stay in the cache. qemu-nbd: 2.1 s of CPU in reads of 1 MiB, 1.4 s in reads
 * of 512 KiB, 1.5 s of 256 KiB. */
#define BEST_MOST (512 * 1024)

struct nbd_connection {
    struct nbd_handle *nbd;
    char *name;
    const struct nbd_tls *tls; /* until it is complete; NULL: none */
    bool quiet;
    int timeout; /* milliseconds; -1: none */
    int wake_fd; /* wakes the driver from its poll() */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* answers came, or nobody drives */
    bool at_once;           /* reads ask for an answer in one piece */
    bool driven;
    unsigned waiters;             /* for changed */
    short polled;                 /* what the driver waits for */
    struct nbd_command *answered; /* not yet told */
    int error;                    /* why the connection ended */
    char *reason;                 /* and in words, or NULL */
};

/* --- connect ------------------------------------------------------------ */

/* libnbd's reason, without the name of the function that it is about. */
static const char *reason(void)
{
    const char *text = nbd_get_error();
    const char *colon;

    if (!text)
        return "unknown error";
    colon = strstr(text, ": ");
    if (strncmp(text, "nbd_", 4) == 0 && colon)
        text = colon + 2;
    return text;
}

static int connect_error(const struct nbd_connection *c, struct error *error)
{
    int err = nbd_get_errno();
    char *better = NULL;

    if (c->tls && !c->quiet)
        better = nbd_tls_failure_reason(c->tls, reason(), c->timeout);
    err = error_set(error, err ? err : EPROTO, "%s: cannot connect: %s",
                    c->name, better ? better : reason());
    free(better);
    return err;
}

/* What the URI says comes on top of it, and is the same. */
static int set_tls(struct nbd_handle *nbd, const struct nbd_tls *tls)
{
    if (tls->certificates &&
        nbd_set_tls_certificates(nbd, tls->certificates) == -1)
        return -1;
    if (tls->username && nbd_set_tls_username(nbd, tls->username) == -1)
        return -1;
    if (tls->psk_file && nbd_set_tls_psk_file(nbd, tls->psk_file) == -1)
        return -1;
    return nbd_set_tls_verify_peer(nbd, tls->verify);
}

static int set_options(struct nbd_handle *nbd, const struct nbd_target *target)
{
    const struct nbd_tls *tls = target->tls;

    /* A URI of the user's own may name files. Buffers are cleared by
     * nobody: what was not read is not looked at. The last block of an export
     * may be short; whether it can be read then is for the server to say. */
    if (nbd_set_uri_allow_local_file(nbd, !target->options->recorded) == -1 ||
        nbd_set_pread_initialize(nbd, false) == -1 ||
        nbd_set_strict_mode(nbd, nbd_get_strict_mode(nbd) &
                                     ~LIBNBD_STRICT_ALIGN) == -1 ||
        nbd_add_meta_context(nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) == -1)
        return -1;
    if (nbd_set_uri_allow_tls(nbd, tls ? LIBNBD_TLS_REQUIRE
                                       : LIBNBD_TLS_DISABLE) == -1)
        return -1;
    return tls ? set_tls(nbd, tls) : 0;
}

static int start_connecting(struct nbd_connection *c,
                            const struct nbd_target *target,
                            struct error *error)
{
    int r;

    c->nbd = nbd_create();
    if (!c->nbd)
        return connect_error(c, error);
    if (c->tls) {
        int err = nbd_tls_check(c->tls, nbd_get_version(c->nbd), error);

        if (err)
            return err;
    }
    if (set_options(c->nbd, target) == -1)
        return connect_error(c, error);
    if (target->uri)
        r = nbd_aio_connect_uri(c->nbd, target->uri);
    else
        r = nbd_aio_connect_unix(c->nbd, target->socket);
    return r == -1 ? connect_error(c, error) : 0;
}

int nbd_connection_begin(const struct nbd_target *target,
                         struct nbd_connection **connection,
                         struct error *error)
{
    struct nbd_connection *c = calloc(1, sizeof(*c));
    int err;

    if (!c)
        return error_no_memory(error, target->name);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    c->timeout =
        target->options->timeout ? (int)target->options->timeout * 1000 : -1;
    c->at_once = target->options->answers_at_once;
    c->tls = target->tls;
    c->quiet = target->quiet;
    c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->name = strdup(target->name);
    if (!c->name || c->wake_fd < 0)
        err =
            error_set(error, c->name ? errno : ENOMEM, "%s: cannot connect: %s",
                      target->name, strerror(c->name ? errno : ENOMEM));
    else
        err = start_connecting(c, target, error);
    if (err) {
        nbd_connection_close(c);
        return err;
    }
    *connection = c;
    return 0;
}

static int get_export(struct nbd_connection *c, struct nbd_export *export,
                      struct error *error)
{
    int64_t size = nbd_get_size(c->nbd);
    int64_t least, most;

    if (size < 0)
        return error_set(error, EFBIG,
                         "%s: cannot connect: the export is larger than 2^63 "
                         "bytes, or tells no size",
                         c->name);
    least = nbd_get_block_size(c->nbd, LIBNBD_SIZE_MINIMUM);
    most = nbd_get_block_size(c->nbd, LIBNBD_SIZE_MAXIMUM);
    if (least < 1 || least > 65536 || (least & (least - 1)))
        least = 1;
    if (most < least || most > SAID_MOST)
        most = SAID_MOST;
    most -= most % least;
    *export = (struct nbd_export){
        .size = size,
        .least = least,
        .most = most < BEST_MOST ? most : BEST_MOST,
        .limit = most,
        .has_extents =
            nbd_can_meta_context(c->nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) == 1,
        .multi_conn = nbd_can_multi_conn(c->nbd) == 1,
    };
    return 0;
}

int nbd_connection_complete(struct nbd_connection *c, int64_t deadline,
                            struct nbd_export *export, struct error *error)
{
    while (!nbd_aio_is_ready(c->nbd)) {
        int left = deadline_left(deadline);
        int r;

        if (nbd_aio_is_dead(c->nbd) || nbd_aio_is_closed(c->nbd))
            return connect_error(c, error);
        r = left == 0 ? 0 : nbd_poll(c->nbd, left);
        if (r == -1 && nbd_get_errno() != EINTR)
            return connect_error(c, error);
        if (r == 0)
            return error_set(error, ETIMEDOUT,
                             "%s: cannot connect: the server does not answer",
                             c->name);
    }
    c->tls = NULL;
    c->at_once &= nbd_can_df(c->nbd) == 1;
    return get_export(c, export, error);
}

void nbd_connection_close(struct nbd_connection *c)
{
    if (!c)
        return;
    /* Say goodbye, but do not wait for it. */
    if (c->nbd && nbd_aio_is_ready(c->nbd))
        nbd_aio_disconnect(c->nbd, 0);
    nbd_close(c->nbd);
    if (c->wake_fd >= 0)
        close(c->wake_fd);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c->reason);
    free(c->name);
    free(c);
}

/* --- commands ----------------------------------------------------------- */

void nbd_connection_lock(struct nbd_connection *c)
{
    pthread_mutex_lock(&c->lock);
}

void nbd_connection_unlock(struct nbd_connection *c)
{
    pthread_mutex_unlock(&c->lock);
}

static bool is_ended(const struct nbd_connection *c)
{
    return nbd_aio_is_dead(c->nbd) || nbd_aio_is_closed(c->nbd);
}

/* Called by libnbd, which is called with the lock. Whether the command went
 * well it tells only when the command is retired. */
static int note_answer(void *arg, int *error)
{
    struct nbd_command *command = arg;
    struct nbd_connection *c = command->connection;

    (void)error;
    command->next = c->answered;
    c->answered = command;
    return 0;
}

/* Tell those whose commands were answered. */
static void tell(struct nbd_connection *c)
{
    while (c->answered) {
        struct nbd_command *command = c->answered;
        int error = 0;

        c->answered = command->next;
        if (nbd_aio_command_completed(c->nbd, command->cookie) != 1) {
            error = nbd_get_errno();
            /* The connection ended before the command did. */
            if (error == 0 || error == ENOTCONN)
                error = c->error ? c->error : EIO;
        }
        command->answered(command, error);
        if (c->waiters)
            pthread_cond_broadcast(&c->changed);
    }
}

/* Why the connection ended, if the last call of libnbd did that. */
static void note_end(struct nbd_connection *c, int result)
{
    if (!is_ended(c) || c->error)
        return;
    c->error = result == -1 ? nbd_get_errno() : 0;
    /* libnbd has words, but no errno value, for what breaks the protocol. */
    if (result == -1 && c->error == 0 &&
        asprintf(&c->reason, "the server broke the protocol: %s", reason()) < 0)
        c->reason = NULL;
    /* Whether a read or a write finds out is chance. */
    if (c->error == 0 || c->error == ENOTCONN || c->error == EPIPE)
        c->error = c->reason ? EPROTO : ECONNRESET;
}

const char *nbd_connection_reason(const struct nbd_connection *c)
{
    return c->reason;
}

/* libnbd took a command, or refused it. */
static void started(struct nbd_connection *c, struct nbd_command *command)
{
    int error = command->cookie == -1 ? nbd_get_errno() : 0;
    bool wake = c->driven && is_ended(c);

    note_end(c, -1);
    if (command->cookie == -1)
        command->answered(command, c->error ? c->error : error ? error : EIO);
    else if (c->driven && !(c->polled & POLLOUT))
        wake |= nbd_aio_get_direction(c->nbd) & LIBNBD_AIO_DIRECTION_WRITE;
    /* The driver waits for something else. */
    if (wake)
        eventfd_write(c->wake_fd, 1);
}

/* A part of an answer is where it belongs; len is 0 for an error. */
static int note_chunk(void *arg, const void *buf, size_t len, uint64_t offset,
                      unsigned status, int *error)
{
    struct nbd_command *command = arg;

    (void)buf;
    (void)status;
    (void)error;
    command->came(command, offset, len);
    return 0;
}

void nbd_connection_read(struct nbd_connection *c, struct nbd_command *command,
                         void *buf, size_t len, uint64_t offset)
{
    nbd_completion_callback callback = { .callback = note_answer,
                                         .user_data = command };
    nbd_chunk_callback chunk = { .callback = note_chunk, .user_data = command };

    command->connection = c;
    command->cookie =
        nbd_aio_pread_structured(c->nbd, buf, len, offset, chunk, callback,
                                 c->at_once ? LIBNBD_CMD_FLAG_DF : 0);
    started(c, command);
}

static int add_extents(void *arg, const char *context, uint64_t offset,
                       uint32_t *entries, size_t count, int *error)
{
    struct nbd_status *status = arg;

    (void)offset;
    (void)error;
    if (strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0)
        return 0;
    /* A "hole" is where nothing is allocated; it need not read as zeros. */
    for (size_t i = 0; i + 1 < count; i += 2)
        status->add(status->arg, entries[i],
                    (entries[i + 1] & LIBNBD_STATE_ZERO) != 0);
    return 0;
}

void nbd_connection_status(struct nbd_connection *c, struct nbd_status *status,
                           uint64_t offset, uint64_t len)
{
    nbd_extent_callback extents = { .callback = add_extents,
                                    .user_data = status };
    nbd_completion_callback callback = { .callback = note_answer,
                                         .user_data = &status->command };

    status->command.connection = c;
    status->command.cookie =
        nbd_aio_block_status(c->nbd, len, offset, extents, callback, 0);
    started(c, &status->command);
}

/* --- waiting ------------------------------------------------------------ */

/* The server is silent. All commands in flight end with the connection. */
static void give_up(struct nbd_connection *c)
{
    c->error = ETIMEDOUT;
    shutdown(nbd_aio_get_fd(c->nbd), SHUT_RDWR);
}

static void take_in(struct nbd_connection *c, short events)
{
    /* Others may have started commands since poll() was called. */
    unsigned direction = nbd_aio_get_direction(c->nbd);
    int r = 0;

    if ((events & ~POLLOUT) && (direction & LIBNBD_AIO_DIRECTION_READ))
        r = nbd_aio_notify_read(c->nbd);
    else if (events && (direction & LIBNBD_AIO_DIRECTION_WRITE))
        r = nbd_aio_notify_write(c->nbd);
    note_end(c, r);
}

/* One round of the driver. */
static void drive(struct nbd_connection *c)
{
    unsigned direction = nbd_aio_get_direction(c->nbd);
    struct pollfd fds[2] = {
        { .fd = nbd_aio_get_fd(c->nbd) },
        { .fd = c->wake_fd, .events = POLLIN },
    };
    eventfd_t ignored;
    int timeout, ready;

    if (direction & LIBNBD_AIO_DIRECTION_READ)
        fds[0].events |= POLLIN;
    if (direction & LIBNBD_AIO_DIRECTION_WRITE)
        fds[0].events |= POLLOUT;
    c->polled = fds[0].events;
    /* Whoever notes an error while we poll also wakes us: started(). */
    timeout = c->error ? -1 : c->timeout;

    pthread_mutex_unlock(&c->lock);
    ready = poll(fds, 2, timeout);
    pthread_mutex_lock(&c->lock);

    /* The connection may have ended as the time did: then it says why. */
    if (ready == 0 && !c->error)
        give_up(c);
    if (ready <= 0)
        return;
    if (fds[1].revents)
        eventfd_read(c->wake_fd, &ignored);
    if (fds[0].revents)
        take_in(c, fds[0].revents);
}

void nbd_connection_wait(struct nbd_connection *c, const bool *done)
{
    tell(c);
    while (!*done) {
        if (c->driven) {
            c->waiters++;
            pthread_cond_wait(&c->changed, &c->lock);
            c->waiters--;
            continue;
        }
        c->driven = true;
        while (!*done) {
            drive(c);
            tell(c);
        }
        c->driven = false;
        if (c->waiters)
            pthread_cond_broadcast(&c->changed);
    }
}
