/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The digests of OpenSSL's providers.
 *
 * OpenSSL keeps a queue of errors for each thread. The program uses it, too: an
 * error that is left there could be taken for one of its TLS connection. So
 * each call that can fail stands between openssl_begin() and openssl_result(),
 * which removes the errors since the mark.
 */
#include "lib/digest-provider.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "blkhash.h"
#include "common/array.h"

struct algorithm {
    struct digest base;
    EVP_MD *md;
    bool xof;
};

struct ctx {
    struct digest_ctx base;
    const struct algorithm *algorithm;
    EVP_MD_CTX *evp;
};

/*
 * The names that are common. OpenSSL has several for most algorithms, and the
 * first is not always the common one.
 */
static const char *const common_names[] = {
    "blake2b512", "blake2s256", "md5",      "md5-sha1", "ripemd160",
    "sha1",       "sha224",     "sha256",   "sha384",   "sha3-224",
    "sha3-256",   "sha3-384",   "sha3-512", "sha512",   "sha512-224",
    "sha512-256", "shake128",   "shake256", "sm3",
};

/* Begin calls of which openssl_result() is asked. */
static void openssl_begin(void)
{
    ERR_set_mark();
    errno = 0;
}

/* Remove the errors since openssl_begin(). 0, ENOMEM, or another error. Without
 * memory, OpenSSL may not say so, and have no algorithms: malloc() does. */
static int openssl_result(bool ok, int other)
{
    bool no_memory = errno == ENOMEM || ERR_GET_REASON(ERR_peek_last_error()) ==
                                            ERR_R_MALLOC_FAILURE;

    ERR_pop_to_mark();
    if (ok)
        return 0;
    return no_memory ? ENOMEM : other;
}

/*
 * The output of an extendable-output function has any length. These are the
 * default lengths of OpenSSL 3.0; later versions have no default. 0: not
 * supported.
 */
static size_t xof_size(const EVP_MD *md)
{
    if (EVP_MD_is_a(md, "SHAKE128"))
        return 16;
    if (EVP_MD_is_a(md, "SHAKE256"))
        return 32;
    return 0;
}

static bool is_xof(const EVP_MD *md)
{
    return EVP_MD_get_flags(md) & EVP_MD_FLAG_XOF;
}

/* 0: the library cannot use the digest. */
static size_t output_size(const EVP_MD *md)
{
    int size = is_xof(md) ? (int)xof_size(md) : EVP_MD_get_size(md);

    /* The digest "NULL" has size 0. */
    return size > 0 && size <= BLKHASH_MAX_MD_SIZE ? size : 0;
}

static void close_algorithm(struct digest *d)
{
    struct algorithm *a = (struct algorithm *)d;

    EVP_MD_free(a->md);
    free(a);
}

/*
 * To find an algorithm by its name takes about as long as to hash a small file.
 * A program that hashes many of them needs the same few each time. They are
 * kept until the process ends, since OpenSSL's own end may come before ours.
 */
#define KEPT 4
#define MAX_KEPT_NAME 32

static struct {
    pthread_mutex_t lock;
    struct {
        char name[MAX_KEPT_NAME];
        EVP_MD *md; /* NULL: unused */
    } of[KEPT];
    unsigned oldest;
} kept = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Under the lock. NULL: it is not kept. */
static EVP_MD *find_kept(const char *name)
{
    for (unsigned i = 0; i < KEPT; i++) {
        EVP_MD *md = kept.of[i].md;

        if (md && strcmp(kept.of[i].name, name) == 0)
            return EVP_MD_up_ref(md) ? md : NULL;
    }
    return NULL;
}

static void keep(const char *name, EVP_MD *md)
{
    unsigned i = kept.oldest;

    if (strlen(name) >= MAX_KEPT_NAME || !EVP_MD_up_ref(md))
        return;
    EVP_MD_free(kept.of[i].md);
    strcpy(kept.of[i].name, name);
    kept.of[i].md = md;
    kept.oldest = (i + 1) % KEPT;
}

/* Names of OpenSSL and of ASN.1. OpenSSL 3.5 takes "sha256 " for SHA256, too.
 */
static bool may_be_name(const char *name)
{
    static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "abcdefghijklmnopqrstuvwxyz"
                                     "0123456789-/_.";

    return name[strspn(name, characters)] == '\0';
}

/* NULL: no such algorithm, or another error of OpenSSL. */
static EVP_MD *fetch(const char *name)
{
    EVP_MD *md;

    pthread_mutex_lock(&kept.lock);
    md = find_kept(name);
    if (!md) {
        md = EVP_MD_fetch(NULL, name, NULL);
        if (md)
            keep(name, md);
    }
    pthread_mutex_unlock(&kept.lock);
    return md;
}

static int open_algorithm(const char *name, struct digest **out)
{
    struct algorithm *a = calloc(1, sizeof(*a));
    int err;

    if (!a)
        return ENOMEM;

    openssl_begin();
    a->md = may_be_name(name) ? fetch(name) : NULL;
    if (a->md)
        a->base.size = output_size(a->md);
    err = openssl_result(a->base.size != 0, ENOTSUP);
    if (err) {
        close_algorithm(&a->base);
        return err;
    }
    a->base.ops = &DIGEST_PROVIDER(openssl);
    a->base.is_sha256 = EVP_MD_is_a(a->md, "SHA256");
    a->xof = is_xof(a->md);
    *out = &a->base;
    return 0;
}

/* --- names -------------------------------------------------------------- */

struct listing {
    struct name_list *names;
    int error;
};

static void list_md(EVP_MD *md, void *arg)
{
    struct listing *listing = arg;
    const char *name = EVP_MD_get0_name(md);

    if (listing->error || output_size(md) == 0)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(common_names); i++) {
        if (EVP_MD_is_a(md, common_names[i]))
            name = common_names[i];
    }
    listing->error = name_list_add(listing->names, name);
}

static int list(struct name_list *names)
{
    struct listing listing = { .names = names };

    /* It reports no error, but leaves out names when out of memory. */
    openssl_begin();
    EVP_MD_do_all_provided(NULL, list_md, &listing);
    return openssl_result(false, listing.error);
}

/* --- computation -------------------------------------------------------- */

static struct digest_ctx *ctx_new(const struct digest *d)
{
    struct ctx *ctx = calloc(1, sizeof(*ctx));

    if (!ctx)
        return NULL;
    ctx->base.digest = d;
    ctx->algorithm = (const struct algorithm *)d;
    ctx->evp = EVP_MD_CTX_new();
    if (!ctx->evp) {
        free(ctx);
        return NULL;
    }
    return &ctx->base;
}

static void ctx_free(struct digest_ctx *base)
{
    struct ctx *ctx = (struct ctx *)base;

    EVP_MD_CTX_free(ctx->evp);
    free(ctx);
}

static int start(struct digest_ctx *base)
{
    struct ctx *ctx = (struct ctx *)base;

    openssl_begin();
    return openssl_result(
        EVP_DigestInit_ex2(ctx->evp, ctx->algorithm->md, NULL), EIO);
}

static int update(struct digest_ctx *base, const void *buf, size_t len)
{
    struct ctx *ctx = (struct ctx *)base;

    openssl_begin();
    return openssl_result(EVP_DigestUpdate(ctx->evp, buf, len), EIO);
}

static int finish(struct digest_ctx *base, unsigned char *md)
{
    struct ctx *ctx = (struct ctx *)base;

    openssl_begin();
    if (ctx->algorithm->xof)
        return openssl_result(
            EVP_DigestFinalXOF(ctx->evp, md, base->digest->size), EIO);
    return openssl_result(EVP_DigestFinal_ex(ctx->evp, md, NULL), EIO);
}

const struct digest_ops DIGEST_PROVIDER(openssl) = {
    .name = "openssl",
    .open = open_algorithm,
    .close = close_algorithm,
    .list = list,
    .ctx_new = ctx_new,
    .ctx_free = ctx_free,
    .start = start,
    .update = update,
    .finish = finish,
};
