/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libblkhash: a fast checksum of the content of a disk.
 *
 * The content is split into blocks of a fixed size, of which the last may be
 * shorter. The checksum is the digest of the digests of the blocks:
 *
 *     d(i)     = H(block i)
 *     checksum = H(d(0) || d(1) || ... || d(n-1) || le64(length in bytes))
 *
 * It is not the digest H of the content, and cannot be compared with the output
 * of sha256sum. A block of zeros has a known digest, so a hole of any size is
 * hashed without its bytes.
 *
 * There are three interfaces to this checksum. Each can be used alone:
 *
 *   stream   Bytes and holes in order -> checksum. Start here.
 *   leaf     Blocks -> their digests. For programs that have threads of their
 *            own, and blocks in no particular order.
 *   root     Digests of blocks and runs of zero blocks, in order -> checksum.
 *
 * A fourth, the plain digest, gives the digest H of the content, as sha256sum
 * does. It has to hash every byte, one after the other.
 *
 * COMPATIBILITY
 *
 * For the same content, digest and block size the checksum never changes. It
 * does not depend on the interface, on how the content is split into calls, on
 * the number of threads, on the CPU, or on the version of the library.
 *
 * ERRORS
 *
 * A function that returns int returns 0 or a positive errno value. A function
 * that returns a pointer returns NULL and sets errno. The library never prints
 * and never exits. Each function lists its errors:
 *
 *   EINVAL      An argument is NULL that must not be, or a number is out of its
 *               range, or the call comes at the wrong time.
 *   ENOTSUP     This machine does not have the digest, or not the kernel that
 *               the environment variable BLKHASH_SHA256 names.
 *   ENOMEM      Out of memory.
 *   EIO         The implementation of the digest failed.
 *   EOVERFLOW   The content would be longer than 2^63 - 1 bytes.
 *   EAGAIN      A thread could not be started, or there are too many
 *               asynchronous updates.
 *
 * OWNERSHIP
 *
 * A function with "new" in its name returns an object that the caller owns; its
 * description names the function that frees the object. Other returned pointers
 * belong to the library. Arguments belong to the caller, and are used only
 * during the call, except for the buffer of an asynchronous update.
 *
 * THREADS
 *
 * A leaf can be used by any number of threads at the same time. Any other
 * object can be used by one thread at a time. Different objects are
 * independent, and functions that take no object can be called by any thread at
 * any time.
 *
 * The functions of the library are not cancellation points: a thread that is
 * cancelled (pthread_cancel(3)) in a call finishes the call first.
 *
 * UNITS
 *
 * Lengths and sizes are in bytes, unless stated otherwise. Buffers may have any
 * alignment.
 */
#ifndef BLKHASH_H
#define BLKHASH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The block size that disksum and other tools use by default: 64 KiB. */
#define BLKHASH_DEFAULT_BLOCK_SIZE 65536

/* The largest block size: 16 MiB. The smallest is 1 byte. A block size need not
 * be a power of two. */
#define BLKHASH_MAX_BLOCK_SIZE (16 * 1024 * 1024)

/* The digest that disksum and other tools use by default. */
#define BLKHASH_DEFAULT_DIGEST "sha256"

/* The largest size of a digest. */
#define BLKHASH_MAX_MD_SIZE 64

/* The limits of two options of a stream. */
#define BLKHASH_MAX_THREADS 256
#define BLKHASH_MAX_QUEUE_DEPTH 4096

/* --- digests and kernels ------------------------------------------------- */

/*
 * The names of the digests that this machine has: in lower case, sorted, with a
 * NULL at the end. Each call returns the same list.
 *
 * One digest is not in the list: "null", which is for measuring how fast a
 * program reads and passes content. It computes nothing and its size is 0, so
 * checksums have no bytes: *md_len is 0, and md does not change. Blocks of
 * zeros are not looked for; of other bytes it reads one in each page, so
 * that a mapped file is read.
 *
 * Errors: ENOMEM.
 */
const char *const *blkhash_digests(void);

/*
 * The names of the SHA-256 kernels that this machine can run, with a NULL at
 * the end, in no particular order. Each call returns the same list.
 *
 * A kernel is an implementation of SHA-256, most of them for some feature of
 * the CPU. The kernel "openssl", which is always there, is that of OpenSSL. The
 * library measures the kernels and uses the fastest, unless the environment
 * variable BLKHASH_SHA256 names one. It reads the variable once, when the first
 * leaf or stream for SHA-256 is made.
 *
 * Errors: none; it never returns NULL.
 */
const char *const *blkhash_kernels(void);

/*
 * The speed of a kernel in bytes per second, as the library measured it: one
 * core, 16 messages of 1 KiB at a time. It is an estimate, for people to read.
 *
 * Returns 0 for a name that is not in blkhash_kernels(), and for every name if
 * BLKHASH_SHA256 forces a kernel. If nothing was measured yet, the call
 * measures, which takes some 100 microseconds.
 *
 * Errors: none.
 */
uint64_t blkhash_kernel_speed(const char *kernel);

/* --- stream ------------------------------------------------------------- */

/*
 * A checksum in progress.
 *
 * A stream has threads of its own. They block all signals except those that
 * their own instructions raise, such as SIGBUS for a mapped file that was
 * truncated.
 * After a fork(2), the child can neither use nor free a stream of its parent.
 */
struct blkhash;

/*
 * Make a stream with default options. Free it with blkhash_free().
 *
 * digest_name is a name from blkhash_digests(), or another name by which
 * OpenSSL knows the digest. It is not case sensitive. block_size is 1 to
 * BLKHASH_MAX_BLOCK_SIZE.
 *
 * Errors: EINVAL, ENOTSUP, ENOMEM, EIO, EAGAIN (a thread could not be started).
 */
struct blkhash *blkhash_new(size_t block_size, const char *digest_name);

/*
 * Add the len bytes at buf. The caller can change buf when the call returns.
 *
 * Whole blocks, 1 MiB or more in a call, are fastest: they are hashed in place.
 * Smaller updates are copied.
 *
 * Errors: EINVAL (also after blkhash_final()), EOVERFLOW, EIO, ENOMEM. After
 * EINVAL and EOVERFLOW nothing was added, and the stream can still be used. EIO
 * and ENOMEM can be about bytes of an earlier call, which may be hashed later.
 * After them the stream is useless: further updates and blkhash_final() return
 * the same error. It must still be freed.
 */
int blkhash_update(struct blkhash *h, const void *buf, size_t len);

/*
 * Add len zero bytes, as an update with a buffer of zeros does.
 *
 * Each block of zeros costs the hashing of one digest (32 bytes for SHA-256),
 * in this call or later: 2^60 bytes in blocks of 64 KiB take days. Later
 * updates may wait for that, and blkhash_final() does; blkhash_free() does not.
 *
 * Errors: as in blkhash_update().
 */
int blkhash_zero(struct blkhash *h, size_t len);

/*
 * Store the checksum of everything that was added in md, which has room for
 * BLKHASH_MAX_MD_SIZE bytes, and its length in *md_len, unless md_len is NULL.
 *
 * The call waits for asynchronous updates. Their completions can be fetched
 * afterwards, but nothing can be added.
 *
 * Errors: EINVAL (also for a second call), EIO, ENOMEM.
 */
int blkhash_final(struct blkhash *h, unsigned char *md, unsigned int *md_len);

/*
 * Free a stream, whether it is finished or not. NULL is accepted.
 *
 * Unfinished work is dropped, so the call does not wait long. Asynchronous
 * updates get no more completions; when the call returns, nothing uses their
 * buffers.
 */
void blkhash_free(struct blkhash *h);

/* --- stream: options ---------------------------------------------------- */

/*
 * The options of a stream. Of these only the digest and the block size change
 * the checksum. Options can be changed, used again or freed once the stream is
 * made.
 */
struct blkhash_options;

/*
 * Make default options. Free them with blkhash_options_free(). digest_name is
 * copied. Whether the digest exists is checked only when a stream is made.
 *
 * Errors: EINVAL, ENOMEM.
 */
struct blkhash_options *blkhash_options_new(const char *digest_name);

/*
 * Set the block size: 1 to BLKHASH_MAX_BLOCK_SIZE. The default is
 * BLKHASH_DEFAULT_BLOCK_SIZE.
 *
 * Errors: EINVAL.
 */
int blkhash_options_set_block_size(struct blkhash_options *o, size_t size);

/*
 * Set the number of threads that hash: 1 to BLKHASH_MAX_THREADS. The default is
 * the number of CPUs that the thread which makes the stream may run on, but at
 * most 4.
 *
 * With 1 no thread is started, and the calls do the work. When a call returns,
 * all bytes that it did not copy are hashed, and the completion of an
 * asynchronous update can be fetched. Copied bytes are hashed when there are
 * enough of them, or in blkhash_final(): up to 15 blocks and one piece (see
 * below) may wait. Zeros are hashed when the queue is full, or in
 * blkhash_final().
 *
 * Errors: EINVAL.
 */
int blkhash_options_set_threads(struct blkhash_options *o, unsigned threads);

/*
 * Set the depth of the queue: 1 to BLKHASH_MAX_QUEUE_DEPTH. The default is 16,
 * or 4 for each thread if that is more.
 *
 * It limits the pieces that are in progress, and likewise the asynchronous
 * updates that are in progress or whose completions are not yet fetched. A
 * piece is a run of zero blocks and then up to 256 KiB of data, or one block if
 * that is more. It is in progress until its digests are part of the checksum.
 * The memory for copies is the depth times the data of a piece.
 *
 * Errors: EINVAL.
 */
int blkhash_options_set_queue_depth(struct blkhash_options *o, unsigned depth);

/* Free options. NULL is accepted. */
void blkhash_options_free(struct blkhash_options *o);

/*
 * Make a stream with these options, as blkhash_new() does. Free it with
 * blkhash_free().
 *
 * Errors: as in blkhash_new().
 */
struct blkhash *blkhash_new_with_options(const struct blkhash_options *o);

/* --- stream: asynchronous updates --------------------------------------- */

/* The result of an asynchronous update. */
struct blkhash_completion {
    void *user_data; /* as given to blkhash_async_update() */
    int error;       /* 0 or a positive errno value, as of blkhash_update() */
};

/*
 * Add the len bytes at buf without a copy. If the call returns 0, buf must not
 * change or be freed until the completion of this update is fetched, or the
 * stream is freed. There is a completion even if len is 0.
 *
 * Asynchronous updates can be mixed with the other calls; the bytes are in the
 * order of the calls. If an update begins or ends within a block, its bytes of
 * that block are copied.
 *
 * The call waits while the queue is full of pieces. So when an update of many
 * MiB returns, most of it is hashed.
 *
 * Errors: as in blkhash_update(), and EAGAIN: the depth of the queue is reached
 * by the updates that are in progress or not yet fetched. Fetch some
 * completions, and call again. After an error nothing was added, and there is
 * no completion.
 */
int blkhash_async_update(struct blkhash *h, const void *buf, size_t len,
                         void *user_data);

/*
 * Get a descriptor, an eventfd(2), that polls readable while there are
 * completions to fetch. Each call gives the same one. It belongs to the stream:
 * the caller can poll it, in any thread, but must not read, write or close it.
 *
 * Errors: EINVAL, and those of eventfd(2), such as EMFILE.
 */
int blkhash_completion_fd(struct blkhash *h, int *fd);

/*
 * Fetch up to max completions into out, without waiting, and store their
 * number, which can be 0, in *count. They are not always in the order of the
 * updates.
 *
 * Errors: EINVAL.
 */
int blkhash_completions(struct blkhash *h, struct blkhash_completion *out,
                        unsigned max, unsigned *count);

/* --- leaf --------------------------------------------------------------- */

/*
 * A leaf computes the digests of blocks. Any number of threads can use it at
 * the same time. After a fork(2) the child can use it, too, if no thread was
 * using it at the time of the fork.
 */
struct blkhash_leaf;

/*
 * Make a leaf. Free it with blkhash_leaf_free(). The arguments are those of
 * blkhash_new().
 *
 * Errors: EINVAL, ENOTSUP, ENOMEM, EIO.
 */
struct blkhash_leaf *blkhash_leaf_new(size_t block_size,
                                      const char *digest_name);

/* The size of a digest. Returns 0 for NULL. */
size_t blkhash_leaf_md_size(const struct blkhash_leaf *leaf);

/*
 * The name of what hashes 16 or more blocks in a call, for people to read: a
 * kernel for SHA-256, a library for other digests. Returns NULL for NULL.
 */
const char *blkhash_leaf_kernel(const struct blkhash_leaf *leaf);

/*
 * Hash the len bytes at buf as consecutive blocks. If len is not a multiple of
 * the block size, the last block is shorter, which is right only at the end of
 * the content.
 *
 * Stores the digests in mds, one after the other, blkhash_leaf_md_size() bytes
 * each. Whole blocks of zeros are not hashed, since their digest is known;
 * their number is stored in *zero_blocks, unless zero_blocks is NULL. Several
 * blocks are hashed at once, so calls with 16 or more blocks are fastest.
 *
 * The call allocates memory only if more threads use the leaf at the same time
 * than ever before.
 *
 * Errors: EINVAL, EIO, ENOMEM. After an error, mds and *zero_blocks are
 * undefined.
 */
int blkhash_leaf_hash(struct blkhash_leaf *leaf, const void *buf, size_t len,
                      unsigned char *mds, size_t *zero_blocks);

/*
 * The same for count whole blocks, which can be anywhere in memory.
 */
int blkhash_leaf_hashv(struct blkhash_leaf *leaf, const void *const *blocks,
                       size_t count, unsigned char *mds, size_t *zero_blocks);

/* Free a leaf, which no thread is using. NULL is accepted. */
void blkhash_leaf_free(struct blkhash_leaf *leaf);

/* --- root --------------------------------------------------------------- */

/*
 * A root computes the checksum from the digests of the blocks. After a fork(2)
 * the child has a copy of it, and can use it, if no thread was using it at the
 * time of the fork.
 */
struct blkhash_root;

/*
 * Make a root. Free it with blkhash_root_free(). The arguments are those of
 * blkhash_new().
 *
 * Errors: EINVAL, ENOTSUP, ENOMEM, EIO.
 */
struct blkhash_root *blkhash_root_new(size_t block_size,
                                      const char *digest_name);

/*
 * Add the digests of the next count blocks. They are in mds one after the
 * other, as blkhash_leaf_hash() stores them.
 *
 * Errors: EINVAL, EOVERFLOW, EIO, ENOMEM. After EINVAL and EOVERFLOW nothing
 * was added, and the root can still be used. After EIO and ENOMEM it is
 * useless: further calls return the same error.
 */
int blkhash_root_digests(struct blkhash_root *r, const unsigned char *mds,
                         size_t count);

/*
 * Add a run of whole blocks of zeros.
 *
 * The call hashes one digest for each block before it returns: 2^18 blocks take
 * some milliseconds, 2^44 take days. A program that wants to stop in between
 * adds a long run in parts; the checksum is the same.
 *
 * Errors: as in blkhash_root_digests().
 */
int blkhash_root_zero(struct blkhash_root *r, uint64_t blocks);

/*
 * Store the checksum, as blkhash_final() does. length is that of the content in
 * bytes, at most 2^63 - 1. Nothing can be added afterwards.
 *
 * Errors: EINVAL (also for a second call, and if content of this length does
 * not have as many blocks as were added), EIO, ENOMEM.
 */
int blkhash_root_final(struct blkhash_root *r, uint64_t length,
                       unsigned char *md, unsigned int *md_len);

/* Free a root. NULL is accepted. */
void blkhash_root_free(struct blkhash_root *r);

/* --- plain digest ------------------------------------------------------- */

/*
 * The digest of bytes in one stream, in progress: what sha256sum, b3sum, b2sum
 * or md5sum print for a file with these bytes.
 *
 * It is not the checksum of the other interfaces, and cannot be compared with
 * it. It is for programs that have to compare a disk with a digest that was
 * made with such a tool. Each byte is hashed, also those of holes, at the speed
 * of one stream on one core; no thread is started.
 *
 * After a fork(2) the child has a copy of it, and can use it, if no thread was
 * using it at the time of the fork.
 */
struct blkhash_digest;

/*
 * Make a plain digest. Free it with blkhash_digest_free(). digest_name is as
 * for blkhash_new(). What b2sum computes is "blake2b512".
 *
 * Errors: EINVAL, ENOTSUP, ENOMEM, EIO.
 */
struct blkhash_digest *blkhash_digest_new(const char *digest_name);

/* The size of the digest. Returns 0 for NULL. */
size_t blkhash_digest_size(const struct blkhash_digest *d);

/*
 * Add the len bytes at buf. They are hashed before the call returns.
 *
 * Errors: EINVAL (also after blkhash_digest_final()), EOVERFLOW, EIO, ENOMEM.
 * After EINVAL and EOVERFLOW nothing was added, and the digest can still be
 * used. After EIO and ENOMEM it is useless: further calls return the same
 * error. It must still be freed.
 */
int blkhash_digest_update(struct blkhash_digest *d, const void *buf,
                          size_t len);

/*
 * Add len zero bytes, as an update with a buffer of zeros does, and no faster:
 * each of them is hashed before the call returns. A program that wants to stop
 * in between adds a long run in parts; the digest is the same.
 *
 * Errors: as in blkhash_digest_update().
 */
int blkhash_digest_zero(struct blkhash_digest *d, size_t len);

/*
 * Store the digest of everything that was added in md, which has room for
 * blkhash_digest_size() bytes, and its length in *md_len, unless md_len is
 * NULL. Nothing can be added afterwards.
 *
 * Errors: EINVAL (also for a second call), EIO, ENOMEM.
 */
int blkhash_digest_final(struct blkhash_digest *d, unsigned char *md,
                         unsigned int *md_len);

/* Free a plain digest, whether it is finished or not. NULL is accepted. */
void blkhash_digest_free(struct blkhash_digest *d);

#ifdef __cplusplus
}
#endif

#endif
