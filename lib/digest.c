/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/digest.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#if HAVE_BLAKE3
#include <blake3.h>
#endif

#include "common/array.h"
#include "blkhash.h"

struct digest {
    EVP_MD *md; /* NULL: BLAKE3 */
    size_t size;
    bool xof;
};

struct digest_ctx {
    const struct digest *digest;
    EVP_MD_CTX *evp;
#if HAVE_BLAKE3
    blake3_hasher blake3;
#endif
};

#define BLAKE3_NAME "blake3"

/*
 * OpenSSL puts errors into a queue of the thread, which belongs to the program:
 * an error of ours there would look like one of its TLS connection. So each
 * call that can fail stands between ERR_set_mark() and this, which gives 0
 * where it went well, ENOMEM, or the other error.
 */
static int openssl_result(bool ok, int other)
{
    unsigned long error = ok ? 0 : ERR_peek_last_error();

    ERR_pop_to_mark();
    if (ok)
        return 0;
    return ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE ? ENOMEM : other;
}

/*
 * The names people know. OpenSSL has several names for most algorithms, in an
 * order of its own.
 */
static const char *const common_names[] = {
    "blake2b512", "blake2s256", "md5",      "md5-sha1", "ripemd160",
    "sha1",       "sha224",     "sha256",   "sha384",   "sha3-224",
    "sha3-256",   "sha3-384",   "sha3-512", "sha512",   "sha512-224",
    "sha512-256", "shake128",   "shake256", "sm3",
};

/*
 * An extendable-output function has no length of its own. These are the
 * lengths that OpenSSL 3.0 gave; later versions have no default, so they are
 * fixed here. 0: no other is supported.
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

static size_t output_size(const EVP_MD *md)
{
    int size = is_xof(md) ? (int)xof_size(md) : EVP_MD_get_size(md);

    /* Size 0 is the provider's "NULL" digest. */
    return size > 0 && size <= BLKHASH_MAX_MD_SIZE ? size : 0;
}

int digest_open(const char *name, struct digest **out)
{
    struct digest *d = calloc(1, sizeof(*d));
    int err;

    if (!d)
        return ENOMEM;

#if HAVE_BLAKE3
    if (strcasecmp(name, BLAKE3_NAME) == 0) {
        d->size = BLAKE3_OUT_LEN;
        *out = d;
        return 0;
    }
#endif

    ERR_set_mark();
    d->md = EVP_MD_fetch(NULL, name, NULL);
    if (d->md)
        d->size = output_size(d->md);
    err = openssl_result(d->size != 0, ENOTSUP);
    if (err) {
        digest_close(d);
        return err;
    }
    d->xof = is_xof(d->md);
    *out = d;
    return 0;
}

void digest_close(struct digest *d)
{
    if (!d)
        return;
    EVP_MD_free(d->md);
    free(d);
}

size_t digest_size(const struct digest *d)
{
    return d->size;
}

bool digest_is_sha256(const struct digest *d)
{
    return d->md && EVP_MD_is_a(d->md, "SHA256");
}

const char *digest_provider(const struct digest *d)
{
    return d->md ? "openssl" : "blake3";
}

struct digest_ctx *digest_ctx_new(const struct digest *d)
{
    struct digest_ctx *ctx = calloc(1, sizeof(*ctx));

    if (!ctx)
        return NULL;
    ctx->digest = d;
    if (d->md) {
        ctx->evp = EVP_MD_CTX_new();
        if (!ctx->evp) {
            free(ctx);
            return NULL;
        }
    }
    return ctx;
}

void digest_ctx_free(struct digest_ctx *ctx)
{
    if (!ctx)
        return;
    EVP_MD_CTX_free(ctx->evp);
    free(ctx);
}

int digest_start(struct digest_ctx *ctx)
{
#if HAVE_BLAKE3
    if (!ctx->evp) {
        blake3_hasher_init(&ctx->blake3);
        return 0;
    }
#endif
    ERR_set_mark();
    return openssl_result(EVP_DigestInit_ex2(ctx->evp, ctx->digest->md, NULL),
                          EIO);
}

int digest_update(struct digest_ctx *ctx, const void *buf, size_t len)
{
#if HAVE_BLAKE3
    if (!ctx->evp) {
        blake3_hasher_update(&ctx->blake3, buf, len);
        return 0;
    }
#endif
    ERR_set_mark();
    return openssl_result(EVP_DigestUpdate(ctx->evp, buf, len), EIO);
}

int digest_finish(struct digest_ctx *ctx, unsigned char *md)
{
#if HAVE_BLAKE3
    if (!ctx->evp) {
        blake3_hasher_finalize(&ctx->blake3, md, BLAKE3_OUT_LEN);
        return 0;
    }
#endif
    ERR_set_mark();
    if (ctx->digest->xof)
        return openssl_result(
            EVP_DigestFinalXOF(ctx->evp, md, ctx->digest->size), EIO);
    return openssl_result(EVP_DigestFinal_ex(ctx->evp, md, NULL), EIO);
}

/* --- names -------------------------------------------------------------- */

struct name_list {
    char **names; /* sorted and ended by NULL when complete */
    size_t count;
    int error;
};

static void list_add(struct name_list *list, const char *name)
{
    char **names = realloc(list->names, (list->count + 2) * sizeof(*names));
    char *copy = strdup(name);

    if (names)
        list->names = names;
    if (!names || !copy) {
        free(copy);
        list->error = ENOMEM;
        return;
    }
    for (char *p = copy; *p; p++)
        *p = tolower((unsigned char)*p);
    names[list->count++] = copy;
    names[list->count] = NULL;
}

static void list_add_md(EVP_MD *md, void *arg)
{
    const char *name = EVP_MD_get0_name(md);

    if (output_size(md) == 0)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(common_names); i++) {
        if (EVP_MD_is_a(md, common_names[i]))
            name = common_names[i];
    }
    list_add(arg, name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(struct name_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct name_list){ .count = 0 };
}

static int collect_names(struct name_list *list)
{
    unsigned long error;
    size_t kept = 0;

#if HAVE_BLAKE3
    list_add(list, BLAKE3_NAME);
#endif
    /* It has no result, and leaves out what there is no memory for. */
    ERR_set_mark();
    EVP_MD_do_all_provided(NULL, list_add_md, list);
    error = ERR_peek_last_error();
    ERR_pop_to_mark();
    if (list->error || ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE) {
        free_names(list);
        return ENOMEM;
    }

    /* Two providers may have the same algorithm. */
    qsort(list->names, list->count, sizeof(char *), compare_names);
    for (size_t i = 0; i < list->count; i++) {
        char *name = list->names[i];

        if (kept && strcmp(list->names[kept - 1], name) == 0)
            free(name);
        else
            list->names[kept++] = name;
    }
    list->count = kept;
    list->names[kept] = NULL;
    return 0;
}

const char *const *digest_names(void)
{
    static struct name_list all_names;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int err = 0;

    pthread_mutex_lock(&lock);
    if (!all_names.names)
        err = collect_names(&all_names);
    pthread_mutex_unlock(&lock);
    if (err) {
        errno = err;
        return NULL;
    }
    return (const char *const *)all_names.names;
}
