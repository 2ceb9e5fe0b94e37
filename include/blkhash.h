/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libblkhash: a fast checksum of a disk's content.
 *
 * The content is cut into blocks of a fixed size (the last may be shorter),
 * and the checksum is a digest of the digests of the blocks:
 *
 *     d(i)   = H(block i)
 *     result = H(d(0) || d(1) || ... || d(n-1) || le64(length in bytes))
 *
 * (Soffer and Waisbard, "An Efficient Hash Function Construction for Sparse
 * Data", SECRYPT 2024.) It is not the digest H of the bytes themselves, and
 * cannot be compared with the output of sha256sum. A block of zeros has a
 * known digest, so a hole of any size is hashed without looking at its bytes.
 *
 * There are three levels; each can be used alone:
 *
 *   stream   bytes and holes in order -> checksum. Start here.
 *   leaf     a buffer of blocks -> their digests. For programs that have their
 *            own threads, and blocks in no particular order.
 *   root     digests of blocks and runs of zero blocks, in order -> checksum.
 *
 * Errors: a function that returns int returns 0, or a positive errno value. A
 * function that returns a pointer returns NULL and sets errno. The library
 * never prints and never exits. EINVAL is a NULL that may not be NULL, a number
 * out of its limits, or a call at the wrong time; ENOTSUP is a digest that
 * this machine does not have, or a kernel of BLKHASH_SHA256 that it does not
 * have (see the manual); EIO is a failure inside the digest's implementation.
 *
 * Cancellation: a thread that is cancelled (pthread_cancel()) in a call of the
 * library goes through with the call.
 *
 * Units: lengths and sizes are bytes where not said otherwise.
 *
 * Compatibility: for the same bytes, digest and block size the checksum never
 * changes: not by the level used, the way the bytes are cut into calls, the
 * number of threads, the kernel chosen for a CPU, or the version of the
 * library.
 */
#ifndef BLKHASH_H
#define BLKHASH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The block size that tools print checksums for by default: 64 KiB. */
#define BLKHASH_DEFAULT_BLOCK_SIZE 65536

/* A block size is 1 byte to 16 MiB; it need not be a power of two. */
#define BLKHASH_MAX_BLOCK_SIZE (16 * 1024 * 1024)

/* The digest that tools use by default. */
#define BLKHASH_DEFAULT_DIGEST "sha256"

/* No digest is longer than this. */
#define BLKHASH_MAX_MD_SIZE 64

/* Limits of the two options of a stream. */
#define BLKHASH_MAX_THREADS 256
#define BLKHASH_MAX_QUEUE_DEPTH 4096

/*
 * The digests of this machine: lower-case names, sorted, with a NULL at the
 * end. Owned by the library, never freed, the same at each call; NULL (ENOMEM)
 * when out of memory. Thread-safe.
 */
const char *const *blkhash_digests(void);

/*
 * The SHA-256 kernels that this machine can run: code for some feature of the
 * CPU each, and "openssl", which is always there. They are the values that the
 * environment variable BLKHASH_SHA256 can have (see the manual). The list is as
 * that of blkhash_digests(), in no order. It cannot fail. Thread-safe.
 */
const char *const *blkhash_kernels(void);

/*
 * How fast a kernel was when the library chose among them, for people to read:
 * bytes a second of one core, for 16 blocks of 1 KiB at once. Measures first,
 * for some 100 microseconds, when no leaf, stream or call has done it before. 0
 * for a kernel that was not measured: there is none of that name, or
 * BLKHASH_SHA256 made the choice. Thread-safe.
 */
uint64_t blkhash_kernel_speed(const char *kernel);

/* --- stream ------------------------------------------------------------- */

/*
 * A checksum in the making. One thread at a time may use it; the threads
 * inside are its own affair, and block all signals but those that an
 * instruction of their own raises. They do not follow a fork(): in the child, a
 * stream made before can neither be used nor freed.
 */
struct blkhash;

/*
 * Make a stream, with default options. digest_name is one of
 * blkhash_digests(), in upper or lower case, or another name that OpenSSL has
 * for one of them. Free with blkhash_free().
 *
 * Errors: EINVAL, ENOTSUP, ENOMEM, EIO, EAGAIN (a thread did not start).
 */
struct blkhash *blkhash_new(size_t block_size, const char *digest_name);

/*
 * Add len bytes. The caller owns buf and may change it when the call returns.
 * Any length, any alignment. The fastest: whole blocks, 1 MiB or more.
 *
 * Errors: EINVAL (also after blkhash_final()), and EOVERFLOW: the length would
 * pass 2^63 - 1 bytes. Nothing was added then, and the stream goes on. EIO and
 * ENOMEM may come from the bytes of an earlier call, for these are hashed
 * later. After them the stream is of no use: further updates, and
 * blkhash_final(), return that error again.
 */
int blkhash_update(struct blkhash *h, const void *buf, size_t len);

/*
 * Add len zero bytes: the same as an update with a buffer of zeros, without
 * the buffer. Costs the hashing of one digest a block (SHA-256: 32 bytes), in
 * this call or a later one: 2^60 bytes in blocks of 64 KiB take days. A call
 * that adds can wait for them, and blkhash_final() does; blkhash_free() does
 * not. Errors as in blkhash_update().
 */
int blkhash_zero(struct blkhash *h, size_t len);

/*
 * The checksum of all that was added. md has room for BLKHASH_MAX_MD_SIZE
 * bytes; *md_len, unless md_len is NULL, becomes the number of bytes written.
 * Waits for asynchronous updates; their completions can still be fetched.
 *
 * Errors: EINVAL (also for a second call), and EIO and ENOMEM as in
 * blkhash_update().
 */
int blkhash_final(struct blkhash *h, unsigned char *md, unsigned int *md_len);

/*
 * Free a stream, finished or not. Work that is left is not done; the call waits
 * only until no thread uses a buffer of an asynchronous update, which is soon.
 * NULL is accepted.
 */
void blkhash_free(struct blkhash *h);

/* --- stream: options ---------------------------------------------------- */

/*
 * Options for a stream. They have no influence on the checksum, but for the
 * block size and the digest. Used by one thread at a time; may be freed, or
 * used again, once the stream is made.
 */
struct blkhash_options;

/* Default options; digest_name is copied. Errors: EINVAL, ENOMEM. */
struct blkhash_options *blkhash_options_new(const char *digest_name);

/* Bytes in a block: 1 to BLKHASH_MAX_BLOCK_SIZE. Default: 64 KiB. */
int blkhash_options_set_block_size(struct blkhash_options *o, size_t size);

/*
 * Threads that hash: 1 to BLKHASH_MAX_THREADS. Default: the number of CPUs that
 * the thread that makes the stream may run on, at most 4.
 *
 * With 1 there is no thread but the caller's, and the calls do the work. When
 * one returns, all of a caller's buffer that was not copied is hashed, and the
 * completion of an asynchronous update is there. What was copied may wait for
 * more of its kind, or for blkhash_final(): less than 16 blocks, and a piece
 * (see below) on top. Runs of zeros wait until the queue is full, or for
 * blkhash_final().
 */
int blkhash_options_set_threads(struct blkhash_options *o, unsigned threads);

/*
 * How many pieces of work may be unfinished, and how many asynchronous updates
 * may be unfinished or not yet fetched: 1 to BLKHASH_MAX_QUEUE_DEPTH. A piece
 * is a run of zeros and up to 256 KiB of data after it (or one block, where
 * that is more), and finished when its digests are part of the checksum. Memory
 * for copies is this times the data of a piece. Default: 16, or four a thread
 * where that is more.
 */
int blkhash_options_set_queue_depth(struct blkhash_options *o, unsigned depth);

/* NULL is accepted. */
void blkhash_options_free(struct blkhash_options *o);

/* As blkhash_new(), with options. The caller keeps o. */
struct blkhash *blkhash_new_with_options(const struct blkhash_options *o);

/* --- stream: asynchronous update ---------------------------------------- */

/* What became of an asynchronous update. */
struct blkhash_completion {
    void *user_data; /* as given to blkhash_async_update() */
    int error;       /* 0 or a positive errno value */
};

/*
 * Add len bytes without a copy: buf belongs to the stream and must not change
 * until the completion of this update was fetched. (Where the update does not
 * begin or end at a block's edge, the bytes of the blocks at its ends, less
 * than a block each, are copied.) It can be mixed with blkhash_update() and
 * blkhash_zero(); the order of the calls is the order of the bytes. When len is
 * 0, the completion comes all the same. The call waits while as many pieces of
 * work as the queue is deep are unfinished, so of an update of many MiB only
 * the end is left to do when it returns.
 *
 * Errors: as in blkhash_update(), and EAGAIN: as many updates as the queue
 * depth are not yet fetched; nothing was added: fetch some and call again. An
 * update that fails in the call itself has no completion.
 */
int blkhash_async_update(struct blkhash *h, const void *buf, size_t len,
                         void *user_data);

/*
 * A descriptor (an eventfd) that polls readable while completions wait to be
 * fetched. It belongs to the stream: do not read, write or close it. Errors:
 * EINVAL, EMFILE and the others of eventfd(2).
 */
int blkhash_completion_fd(struct blkhash *h, int *fd);

/*
 * Fetch up to max completions into out, without waiting; *count becomes their
 * number, 0 when none is there. They need not come in the order of the updates.
 */
int blkhash_completions(struct blkhash *h, struct blkhash_completion *out,
                        unsigned max, unsigned *count);

/* --- leaf --------------------------------------------------------------- */

/*
 * Digests of blocks. Any number of threads may use one leaf at the same time.
 * In the child of a fork() it can be used where no thread was inside at the
 * fork.
 */
struct blkhash_leaf;

/* Errors: EINVAL, ENOTSUP, ENOMEM, EIO. Free with blkhash_leaf_free(). */
struct blkhash_leaf *blkhash_leaf_new(size_t block_size,
                                      const char *digest_name);

/* Bytes in a digest; 0 for NULL. */
size_t blkhash_leaf_md_size(const struct blkhash_leaf *leaf);

/*
 * What hashes 16 blocks or more on this machine, for people to read: one of
 * blkhash_kernels() for SHA-256, and the name of a library for another digest.
 * NULL for NULL.
 */
const char *blkhash_leaf_kernel(const struct blkhash_leaf *leaf);

/*
 * Hash the len bytes at buf as blocks one after the other. The last is shorter
 * when len is no multiple of the block size, which is right only at the end of
 * the content. mds gets the digests, blkhash_leaf_md_size() bytes each. Whole
 * blocks of zeros are found and cost a look only; *zero_blocks, unless NULL,
 * becomes their number. Several blocks are hashed at once: give 16 or more.
 *
 * Allocates nothing, except when more threads than ever before are in here at
 * the same time. Errors: EINVAL, EIO, ENOMEM.
 */
int blkhash_leaf_hash(struct blkhash_leaf *leaf, const void *buf, size_t len,
                      unsigned char *mds, size_t *zero_blocks);

/*
 * Hash count whole blocks that lie anywhere in memory. Otherwise as
 * blkhash_leaf_hash().
 */
int blkhash_leaf_hashv(struct blkhash_leaf *leaf, const void *const *blocks,
                       size_t count, unsigned char *mds, size_t *zero_blocks);

/* No thread may be inside. NULL is accepted. */
void blkhash_leaf_free(struct blkhash_leaf *leaf);

/* --- root --------------------------------------------------------------- */

/* The checksum from the digests. One thread at a time may use it. */
struct blkhash_root;

/* Errors: EINVAL, ENOTSUP, ENOMEM, EIO. Free with blkhash_root_free(). */
struct blkhash_root *blkhash_root_new(size_t block_size,
                                      const char *digest_name);

/*
 * Add the digests of count blocks, in order. Errors: EINVAL, and EOVERFLOW:
 * there would be more blocks than content can have. Nothing was added then.
 * After EIO or ENOMEM the root is of no use: it returns that error again.
 */
int blkhash_root_digests(struct blkhash_root *r, const unsigned char *mds,
                         size_t count);

/*
 * Add a run of whole blocks of zeros. The call hashes a digest for each before
 * it returns: 2^18 blocks take some milliseconds, 2^44 take days. A caller that
 * may have to stop adds a long run in parts; the checksum is the same. Errors
 * as in blkhash_root_digests().
 */
int blkhash_root_zero(struct blkhash_root *r, uint64_t blocks);

/*
 * The checksum. length is that of the content, at most 2^63 - 1; EINVAL when
 * the blocks that were added are not as many as it has, or for a second call.
 * md and md_len as in blkhash_final().
 */
int blkhash_root_final(struct blkhash_root *r, uint64_t length,
                       unsigned char *md, unsigned int *md_len);

/* NULL is accepted. */
void blkhash_root_free(struct blkhash_root *r);

#ifdef __cplusplus
}
#endif

#endif
