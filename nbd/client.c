/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nbd/client.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <libnbd.h>

#include "common/debug.h"
#include "nbd/end.h"
#include "nbd/guard.h"
#include "nbd/handle.h"
#include "nbd/handshake.h"

struct nbd_client {
    struct nbd_handle *nbd;
    const struct nbd_target *target; /* during the handshake; then NULL */
    bool no_fragments;               /* reads have the DF flag */
    char *bitmap;                    /* the name of its context, or NULL */
    struct nbd_request *completed;   /* in libnbd's order, which looks for a
                                      * completed request from its first on */
    struct nbd_request **completed_end;
    int fd; /* the socket, after the handshake */

    /* How often libnbd may be called to receive: it receives a byte or more
     * each time, so no more often than there are bytes in the replies that the
     * server owes. The allowance of a request is its share. */
    uint64_t receives_left, receives_maximum;

    struct nbd_end end;
};

/* What a chunk, or a reply with an error message, has besides its content. */
#define CHUNK_OVERHEAD 64
#define REPLY_OVERHEAD 8192

/* Each context of a block status reply has up to 8 MiB, in large pieces. */
#define STATUS_ALLOWANCE (1024 * 1024)

#define EVENT(c, ...) NBD_EVENT((c)->end.number, __VA_ARGS__)

/* --- begin and end ------------------------------------------------------ */

static struct nbd_handshake handshake_of(const struct nbd_client *c)
{
    return (struct nbd_handshake){ .target = c->target,
                                   .bitmap = c->bitmap,
                                   .number = c->end.number };
}

int nbd_client_new(const struct nbd_target *target, struct nbd_client **client,
                   struct error *error)
{
    static atomic_uint count;
    const char *bitmap = target->options->bitmap;
    struct nbd_client *c = calloc(1, sizeof(*c));
    struct nbd_handshake h;
    int err;

    if (!c)
        return error_no_memory(error, target->name);
    c->bitmap = bitmap ? nbd_bitmap_context(bitmap) : NULL;
    if (bitmap && !c->bitmap) {
        free(c);
        return error_no_memory(error, target->name);
    }
    c->end.number = ++count;
    c->target = target;
    c->completed_end = &c->completed;
    c->end.server = target->server;
    EVENT(c, "connecting to %s", target->name);
    h = handshake_of(c);
    err = nbd_handshake_start(&h, &c->nbd, error);
    if (err)
        nbd_client_free(c);
    else
        *client = c;
    return err;
}

int nbd_client_handshake(struct nbd_client *c, int64_t deadline,
                         struct nbd_export *export, struct error *error)
{
    const struct nbd_handshake h = handshake_of(c);

    assert(c->target);
    if (nbd_handshake_finish(&h, c->nbd, deadline, export, error))
        return error->code;
    c->fd = nbd_client_fd(c);
    c->no_fragments =
        c->target->options->no_fragments && nbd_can_df(c->nbd) == 1;
    c->target = NULL;
    return 0;
}

void nbd_client_free(struct nbd_client *c)
{
    if (!c)
        return;
    assert(!c->completed);
    EVENT(c, "%s", "closed");
    /* Send NBD_CMD_DISC if it can be sent at once. */
    if (c->nbd && nbd_aio_is_ready(c->nbd))
        nbd_aio_disconnect(c->nbd, 0);
    nbd_close(c->nbd);
    free(c->bitmap);
    nbd_end_free(&c->end);
    free(c);
}

/* --- the end of the connection ------------------------------------------ */

/* Note why the connection ended, if the last call of libnbd ended it. */
static void note_end(struct nbd_client *c, int result)
{
    if (c->end.error || !nbd_handle_is_ended(c->nbd))
        return;
    if (result == -1)
        nbd_end_in_libnbd(&c->end, nbd_get_errno(), nbd_handle_reason());
    else
        nbd_end_in_libnbd(&c->end, 0, NULL);
}

/* The requests in flight become complete when libnbd finds the socket shut. */

void nbd_client_give_up(struct nbd_client *c, unsigned seconds)
{
    nbd_end_for_silence(&c->end, seconds);
    nbd_guard_cut(c->fd);
}

void nbd_client_fail(struct nbd_client *c, int err)
{
    nbd_end_for_failure(&c->end, err);
    nbd_guard_cut(c->fd);
}

static void end_for_violation(struct nbd_client *c, const char *what)
{
    if (c->end.error) /* the socket may be closed */
        return;
    nbd_end_for_violation(&c->end, what);
    nbd_guard_cut(c->fd);
}

int nbd_client_error(const struct nbd_client *c)
{
    return c->end.error;
}

const char *nbd_client_reason(const struct nbd_client *c)
{
    return nbd_end_reason(&c->end);
}

/* --- requests ----------------------------------------------------------- */

/* libnbd's completion callback. Only nbd_aio_command_completed() tells whether
 * the request failed. */
static int note_completion(void *arg, int *error)
{
    struct nbd_request *request = arg;
    struct nbd_client *c = request->client;

    (void)error;
    request->next = NULL;
    *c->completed_end = request;
    c->completed_end = &request->next;
    return 0;
}

struct nbd_request *nbd_client_next_completed(struct nbd_client *c, int *error)
{
    struct nbd_request *request = c->completed;

    *error = 0;
    if (!request)
        return NULL;
    c->completed = request->next;
    if (!c->completed)
        c->completed_end = &c->completed;
    c->receives_maximum -= request->allowance;
    if (c->receives_left > c->receives_maximum)
        c->receives_left = c->receives_maximum;
    if (nbd_aio_command_completed(c->nbd, request->cookie) != 1) {
        *error = nbd_get_errno();
        /* The connection ended before the request was complete. */
        if (*error == 0 || *error == ENOTCONN)
            *error = c->end.error ? c->end.error : EIO;
    }
    EVENT(c, "cookie %" PRId64 ": complete%s%s", request->cookie,
          *error ? ": " : "", *error ? strerror(*error) : "");
    return request;
}

static void allow(struct nbd_client *c, struct nbd_request *request,
                  uint64_t receives)
{
    request->allowance += receives;
    c->receives_left += receives;
    c->receives_maximum += receives;
}

/* libnbd took the request, or refused it (the cookie is -1). */
static int start_result(struct nbd_client *c, struct nbd_request *request,
                        const char *what, uint64_t offset, uint64_t len,
                        uint64_t receives)
{
    int error = request->cookie == -1 ? nbd_get_errno() : 0;

    EVENT(c, "cookie %" PRId64 ": %s %" PRIu64 "+%" PRIu64, request->cookie,
          what, offset, len);
    note_end(c, -1);
    if (request->cookie != -1) {
        request->range = request->errors = len;
        request->allowance = 0;
        allow(c, request, receives);
        return 0;
    }
    return c->end.error ? c->end.error : error ? error : EIO;
}

/* libnbd's chunk callback; len is 0 for an error chunk. */
static int note_chunk(void *arg, const void *buf, size_t len, uint64_t offset,
                      unsigned status, int *error)
{
    struct nbd_request *request = arg;
    struct nbd_client *c = request->client;
    bool is_error = status == LIBNBD_READ_ERROR;

    (void)buf;
    (void)error;
    EVENT(c, "cookie %" PRId64 ": %s %" PRIu64 "+%zu", request->cookie,
          is_error ? "error chunk" : "chunk", offset, len);
    if (is_error ? request->errors == 0 : len > request->range) {
        end_for_violation(c, "the reply has more than was requested");
        return 0;
    }
    if (!is_error && len == 0) {
        end_for_violation(c, "a chunk is empty");
        return 0;
    }
    request->errors -= is_error;
    request->range -= len;
    allow(c, request, CHUNK_OVERHEAD);
    request->on_chunk(request, offset, len);
    return 0;
}

int nbd_client_read(struct nbd_client *c, struct nbd_request *request,
                    void *buf, size_t len, uint64_t offset)
{
    nbd_completion_callback completion = { .callback = note_completion,
                                           .user_data = request };
    nbd_chunk_callback chunk = { .callback = note_chunk, .user_data = request };

    assert(!c->target);
    request->client = c;
    request->cookie =
        nbd_aio_pread_structured(c->nbd, buf, len, offset, chunk, completion,
                                 c->no_fragments ? LIBNBD_CMD_FLAG_DF : 0);
    return start_result(c, request, c->no_fragments ? "read (DF)" : "read",
                        offset, len, len + REPLY_OVERHEAD);
}

static const char *context_name(const struct nbd_client *c,
                                enum nbd_context context)
{
    return context == NBD_BITMAP ? c->bitmap : LIBNBD_CONTEXT_BASE_ALLOCATION;
}

/* libnbd's extent callback: pairs of length and flags. */
static int note_extents(void *arg, const char *context, uint64_t offset,
                        uint32_t *entries, size_t count, int *error)
{
    struct nbd_block_status *status = arg;
    struct nbd_request *request = &status->request;
    const struct nbd_client *c = request->client;

    (void)error;
    if (strcmp(context, context_name(c, status->context)) != 0)
        return 0;
    if (request->range == 0) {
        end_for_violation(request->client,
                          "the reply has more than was requested");
        return 0;
    }
    for (size_t i = 0; i + 1 < count; i += 2) {
        bool state = nbd_state_of(status->context, entries[i + 1]);

        EVENT(c, "cookie %" PRId64 ": extent %" PRIu64 "+%" PRIu32 ": %s",
              request->cookie, offset, entries[i],
              nbd_state_name(status->context, state));
        if (entries[i] == 0) {
            end_for_violation(request->client, "an extent is empty");
            return 0;
        }
        status->on_extent(status, entries[i], state);
        offset += entries[i];
        request->range -=
            entries[i] < request->range ? entries[i] : request->range;
    }
    return 0;
}

int nbd_client_block_status(struct nbd_client *c,
                            struct nbd_block_status *status, uint64_t offset,
                            uint64_t len)
{
    nbd_extent_callback extents = { .callback = note_extents,
                                    .user_data = status };
    nbd_completion_callback completion = { .callback = note_completion,
                                           .user_data = &status->request };

    assert(!c->target);
    assert(status->context != NBD_BITMAP || c->bitmap);
    status->request.client = c;
    status->request.cookie =
        nbd_aio_block_status(c->nbd, len, offset, extents, completion, 0);
    return start_result(c, &status->request, "block status", offset, len,
                        c->bitmap ? 2 * STATUS_ALLOWANCE : STATUS_ALLOWANCE);
}

/* --- send and receive --------------------------------------------------- */

int nbd_client_fd(const struct nbd_client *c)
{
    return nbd_aio_get_fd(c->nbd);
}

short nbd_client_events(const struct nbd_client *c)
{
    return nbd_handle_events(c->nbd);
}

void nbd_client_proceed(struct nbd_client *c, short events)
{
    /* The direction now: requests may have been started since poll(). */
    short wanted = nbd_client_events(c);
    int r = 0;

    if ((events & ~POLLOUT) && (wanted & POLLIN)) {
        if (c->receives_left > 0)
            c->receives_left--;
        else
            end_for_violation(c, "the reply has more than was requested");
        r = nbd_aio_notify_read(c->nbd);
    } else if (events && (wanted & POLLOUT))
        r = nbd_aio_notify_write(c->nbd);
    note_end(c, r);
}
