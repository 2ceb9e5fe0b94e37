/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stream of bytes and holes.
 *
 * Small updates are copied into the piece that is open. Whole blocks of a large
 * or an asynchronous update are hashed in place: pieces point into the caller's
 * buffer.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "blkhash.h"
#include "lib/cancel.h"
#include "lib/digest.h"
#include "lib/options.h"
#include "lib/queue.h"

struct blkhash {
    size_t block_size;
    struct blkhash_leaf *leaf;
    struct blkhash_root *root;
    struct queue *queue;
    struct piece *open; /* being filled; NULL: none */
    uint64_t length;
    bool finished;
};

static struct piece *open_piece(struct blkhash *h)
{
    if (!h->open)
        h->open = queue_next(h->queue);
    return h->open;
}

static void push_open(struct blkhash *h)
{
    if (!h->open)
        return;
    h->open = NULL;
    queue_push(h->queue);
}

/* The number of bytes to the end of the current block; 0 between blocks. */
static size_t to_edge(const struct blkhash *h)
{
    size_t in_block = h->length % h->block_size;

    return in_block ? h->block_size - in_block : 0;
}

/* Copy len bytes, or zeros if buf is NULL, into the open piece and more. */
static void add_copy(struct blkhash *h, const unsigned char *buf, size_t len)
{
    size_t room = queue_piece_size(h->queue);

    while (len) {
        struct piece *piece = open_piece(h);
        size_t n = room - piece->len;

        assert(piece->data == piece->copy && piece->len < room);
        if (n > len)
            n = len;
        if (buf) {
            memcpy(piece->copy + piece->len, buf, n);
            buf += n;
        } else {
            memset(piece->copy + piece->len, 0, n);
        }
        piece->len += n;
        h->length += n;
        len -= n;
        if (piece->len == room)
            push_open(h);
    }
}

/* Add len bytes without a copy. They are whole blocks, and no block is open. */
static void add_in_place(struct blkhash *h, const unsigned char *buf,
                         size_t len, struct update *update)
{
    if (len == 0)
        return;
    assert(to_edge(h) == 0 && len % h->block_size == 0);
    /* If the open piece has only zeros, the data goes into it. */
    if (h->open && h->open->len > 0)
        push_open(h);

    while (len) {
        struct piece *piece = open_piece(h);
        size_t n = queue_piece_size(h->queue);

        if (n > len)
            n = len;
        piece->data = buf;
        piece->len = n;
        piece->update = update;
        push_open(h);
        buf += n;
        h->length += n;
        len -= n;
    }
}

/* The bytes of an update: the end of one block, whole blocks, and the beginning
 * of another one. */
struct parts {
    size_t head, whole, tail;
};

static struct parts cut(const struct blkhash *h, size_t len)
{
    struct parts parts = { .head = to_edge(h) };

    if (parts.head > len)
        parts.head = len;
    parts.tail = (len - parts.head) % h->block_size;
    parts.whole = len - parts.head - parts.tail;
    return parts;
}

/* Add the bytes of an update. Whole blocks are not copied. */
static void add_parts(struct blkhash *h, const unsigned char *buf,
                      struct parts parts, struct update *update)
{
    add_copy(h, buf, parts.head);
    buf += parts.head;
    add_in_place(h, buf, parts.whole, update);
    buf += parts.whole;
    add_copy(h, buf, parts.tail);
}

static int check_add(struct blkhash *h, uint64_t len)
{
    if (!h || h->finished)
        return EINVAL;
    if (len > INT64_MAX - h->length)
        return EOVERFLOW;
    return queue_error(h->queue);
}

int blkhash_update(struct blkhash *h, const void *buf, size_t len)
{
    HOLD_CANCEL;
    const unsigned char *p = buf;
    struct update update = { .pieces = 0 };
    struct parts parts;
    int err = check_add(h, len);

    if (err)
        return err;
    if (len && !buf)
        return EINVAL;

    parts = cut(h, len);
    if (parts.whole < queue_piece_size(h->queue)) {
        add_copy(h, p, len);
        return 0;
    }
    add_parts(h, p, parts, &update);
    queue_wait(h->queue, &update);
    return queue_error(h->queue);
}

int blkhash_async_update(struct blkhash *h, const void *buf, size_t len,
                         void *user_data)
{
    HOLD_CANCEL;
    const unsigned char *p = buf;
    struct update *update;
    int err = check_add(h, len);

    if (err)
        return err;
    if (len && !buf)
        return EINVAL;
    err = queue_update_begin(h->queue, user_data, &update);
    if (err)
        return err;

    if (len)
        add_parts(h, p, cut(h, len), update);
    queue_update_end(h->queue, update);
    return 0;
}

int blkhash_zero(struct blkhash *h, size_t len)
{
    HOLD_CANCEL;
    int err = check_add(h, len);
    struct parts parts;

    if (err)
        return err;

    parts = cut(h, len);
    add_copy(h, NULL, parts.head);
    if (parts.whole) {
        /* In a piece the zeros come before the data. */
        if (h->open && h->open->len > 0)
            push_open(h);
        open_piece(h)->zero_blocks += parts.whole / h->block_size;
        h->length += parts.whole;
    }
    add_copy(h, NULL, parts.tail);
    return 0;
}

int blkhash_final(struct blkhash *h, unsigned char *md, unsigned int *md_len)
{
    HOLD_CANCEL;
    int err;

    if (!h || !md || h->finished)
        return EINVAL;
    h->finished = true;
    push_open(h);
    err = queue_drain(h->queue);
    if (err)
        return err;
    return blkhash_root_final(h->root, h->length, md, md_len);
}

int blkhash_completion_fd(struct blkhash *h, int *fd)
{
    HOLD_CANCEL;
    return h && fd ? queue_completion_fd(h->queue, fd) : EINVAL;
}

int blkhash_completions(struct blkhash *h, struct blkhash_completion *out,
                        unsigned max, unsigned *count)
{
    HOLD_CANCEL;
    if (!h || !count || (max && !out))
        return EINVAL;
    *count = queue_completions(h->queue, out, max);
    return 0;
}

/* --- begin and end ------------------------------------------------------ */

struct blkhash *blkhash_new_with_options(const struct blkhash_options *o)
{
    HOLD_CANCEL;
    struct blkhash *h;
    int err;

    if (!o) {
        errno = EINVAL;
        return NULL;
    }
    h = calloc(1, sizeof(*h));
    if (!h)
        return NULL;
    h->block_size = o->block_size;
    h->leaf = blkhash_leaf_new(o->block_size, o->digest_name);
    if (!h->leaf) {
        err = errno;
        goto fail;
    }
    h->root = blkhash_root_new(o->block_size, o->digest_name);
    if (!h->root) {
        err = errno;
        goto fail;
    }
    err = queue_new(h->leaf, h->root, o->block_size, options_threads(o),
                    options_queue_depth(o), &h->queue);
    if (err)
        goto fail;
    return h;

fail:
    blkhash_free(h);
    errno = err;
    return NULL;
}

struct blkhash *blkhash_new(size_t block_size, const char *digest_name)
{
    struct blkhash_options *o = blkhash_options_new(digest_name);
    struct blkhash *h = NULL;
    int err;

    if (!o)
        return NULL;
    err = blkhash_options_set_block_size(o, block_size);
    if (!err) {
        h = blkhash_new_with_options(o);
        err = errno;
    }
    blkhash_options_free(o);
    if (!h)
        errno = err;
    return h;
}

void blkhash_free(struct blkhash *h)
{
    HOLD_CANCEL;
    if (!h)
        return;
    queue_free(h->queue);
    blkhash_root_free(h->root);
    blkhash_leaf_free(h->leaf);
    free(h);
}

const char *const *blkhash_digests(void)
{
    HOLD_CANCEL;
    return digest_names();
}
