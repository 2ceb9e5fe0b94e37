/*
 * qemu-img checksum: the checksum of what a guest sees on a disk
 *
 * The disk is split into blocks of 64 KiB. The checksum is the digest of the
 * digests of the blocks and of the length; <blkhash.h> has the definition.
 *
 * A fixed number of coroutines take chunks of the disk, in order. Each reads
 * its chunk, has it hashed by the thread pool, and waits until the chunks
 * before are committed; then it commits its own and takes another. So the
 * memory is bounded, reads and digests overlap, and an error is reported only
 * when everything before it could be read: it is the first one on the disk,
 * whichever request failed first.
 *
 * Where the disk reads as zeros nothing is read. Such a chunk has whole blocks
 * and can be large, as the digest of a block of zeros is known.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"
#include <getopt.h>
#include <blkhash.h>

#if QEMU_VERSION_MAJOR >= 10
#include "qobject/qdict.h"
#include "qobject/qjson.h"
#include "system/block-backend.h"
#else
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qjson.h"
#include "sysemu/block-backend.h"
#endif
#include "block/block_int.h"
#include "block/snapshot.h"
#include "block/thread-pool.h"
#include "qapi/error.h"
#include "qemu/config-file.h"
#include "qemu/coroutine.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/memalign.h"
#include "qemu/option.h"
#include "qemu/qemu-progress.h"
#include "qemu/units.h"
#include "qom/object_interfaces.h"
#include "qemu-img-checksum.h"

#define HASH_BLOCK_SIZE BLKHASH_DEFAULT_BLOCK_SIZE
#define CHUNK_SIZE      (1 * MiB)
#define MAX_ZEROES      (16 * GiB)
#define NUM_WORKERS     16

#define MAX_BLOCKS      (CHUNK_SIZE / HASH_BLOCK_SIZE)

QEMU_BUILD_BUG_ON(CHUNK_SIZE % HASH_BLOCK_SIZE);
QEMU_BUILD_BUG_ON(MAX_ZEROES % HASH_BLOCK_SIZE);

typedef struct Checksum Checksum;

typedef struct ChecksumWorker {
    Checksum *s;
    Coroutine *co;
    uint8_t *buf;

    /* The chunk */
    uint64_t ticket;
    int64_t offset;
    int64_t bytes;
    bool zero;
    int ret;            /* 0, or the -errno of a request for it */
    const char *what;   /* the request that failed */
    bool waiting;       /* for the chunks before it to be committed */
    unsigned char digests[MAX_BLOCKS * BLKHASH_MAX_MD_SIZE];
} ChecksumWorker;

struct Checksum {
    const char *filename;
    BlockBackend *blk;
    int64_t size;
    bool serial;
    bool progress;
    float shown;        /* of the progress: percent; below 0: nothing yet */
    struct blkhash_leaf *leaf;
    struct blkhash_root *root;

    CoMutex lock;       /* of the next three, and of block status */
    int64_t offset;     /* where the next chunk starts: a multiple of blocks */
    int64_t extent_end;
    bool extent_zero;
    bool stop;          /* take no more chunks */

    uint64_t taken;     /* tickets */
    uint64_t committed;
    int ret;            /* 0, or the -errno of the first chunk that failed */

    int running;
    int num_workers;
    ChecksumWorker workers[NUM_WORKERS];
};

/* A local file of the image, held open: its name may become another file's */
typedef struct LocalFile {
    char *filename;
    int fd;
    off_t length;
} LocalFile;

/*
 * Get the extent at @offset. Returns 0 or -errno. Called with s->lock held.
 */
static int coroutine_fn checksum_co_next_extent(Checksum *s, int64_t offset)
{
    int64_t count = 0;
    int ret;
#ifdef WITH_GRAPH_RDLOCK_GUARD
    GRAPH_RDLOCK_GUARD();
#endif
    ret = bdrv_block_status_above(blk_bs(s->blk), NULL, offset,
                                  s->size - offset, &count, NULL, NULL);
    if (ret < 0) {
        return ret;
    }
    /* Nothing is known of the last bytes of a disk that has no whole sectors */
    s->extent_end = count > 0 ? offset + count : s->size;
    s->extent_zero = count > 0 && (ret & BDRV_BLOCK_ZERO);
    return 0;
}

/* The number of bytes at @offset, in whole blocks, that the extent has. */
static int64_t checksum_whole_blocks(Checksum *s, int64_t offset)
{
    return QEMU_ALIGN_DOWN(MAX(s->extent_end - offset, 0), HASH_BLOCK_SIZE);
}

/*
 * Find the end of a chunk that is read: at most @end, and before the first
 * zeroes that make a whole block. Extents need not be aligned to blocks, so
 * some zeroes may be read. Called with s->lock held.
 */
static int coroutine_fn checksum_co_find_end(Checksum *s, int64_t *end)
{
    while (s->extent_end < *end) {
        int64_t block = ROUND_UP(s->extent_end, HASH_BLOCK_SIZE);
        int ret = checksum_co_next_extent(s, s->extent_end);

        /* What is before the fault is read first: that may fail, too. */
        if (ret < 0 && s->extent_end - s->offset >= HASH_BLOCK_SIZE) {
            *end = QEMU_ALIGN_DOWN(s->extent_end, HASH_BLOCK_SIZE);
            return 0;
        }
        if (ret < 0) {
            return ret;
        }
        if (block < *end && s->extent_zero && checksum_whole_blocks(s, block)) {
            *end = block;
        }
    }
    return 0;
}

/* Take the next chunk. Called with s->lock held. */
static void coroutine_fn checksum_co_take_chunk(ChecksumWorker *w)
{
    Checksum *s = w->s;
    int64_t end = MIN(s->offset + CHUNK_SIZE, s->size);

    w->ticket = s->taken++;
    w->offset = s->offset;
    w->ret = 0;
    w->zero = false;
    while (w->ret == 0 && s->extent_end <= s->offset) {
        w->ret = checksum_co_next_extent(s, MAX(s->extent_end, s->offset));
    }
    if (w->ret == 0 && s->extent_zero && checksum_whole_blocks(s, s->offset)) {
        end = s->offset + MIN(checksum_whole_blocks(s, s->offset), MAX_ZEROES);
        w->zero = true;
    } else if (w->ret == 0) {
        w->ret = checksum_co_find_end(s, &end);
    }
    if (w->ret < 0) {
        w->what = "getting block status";
        w->offset = MAX(s->extent_end, s->offset);
        s->stop = true;
    }
    w->bytes = end - s->offset;
    s->offset = end;
}

/* In a thread of the pool. Returns 0 or -errno. */
static int checksum_hash(void *opaque)
{
    ChecksumWorker *w = opaque;

    return -blkhash_leaf_hash(w->s->leaf, w->buf, w->bytes, w->digests, NULL);
}

static int coroutine_fn checksum_co_hash(ChecksumWorker *w)
{
    if (w->s->serial) {
        return checksum_hash(w);
    }
#if QEMU_VERSION_MAJOR > 8 || \
    (QEMU_VERSION_MAJOR == 8 && QEMU_VERSION_MINOR >= 1)
    return thread_pool_submit_co(checksum_hash, w);
#else
    return thread_pool_submit_co(aio_get_thread_pool(qemu_get_aio_context()),
                                 checksum_hash, w);
#endif
}

static void coroutine_fn checksum_co_read(ChecksumWorker *w)
{
    Checksum *s = w->s;

    w->what = "reading";
    w->ret = blk_co_pread(s->blk, w->offset, w->bytes, w->buf, 0);
    if (w->ret < 0) {
        return;
    }
    /*
     * Most data is found to be no zeroes in its first bytes, and zeroes are
     * found faster here than by a thread that has to be woken.
     */
    if (!s->serial && w->bytes % HASH_BLOCK_SIZE == 0 &&
        buffer_is_zero(w->buf, w->bytes)) {
        w->zero = true;
        return;
    }
    w->what = "hashing";
    w->ret = checksum_co_hash(w);
}

/*
 * Progress is shown on stderr: stdout is for the checksum. What
 * qemu_progress_print() is told here it prints on SIGUSR1.
 */
static void checksum_progress(Checksum *s, int64_t done)
{
    float percent = s->size ? 100.0 * done / s->size : s->shown < 0 ? 0 : 100;

    qemu_progress_print(percent, 0);
    if (s->progress && (percent >= s->shown + 1 || percent == 100)) {
        fprintf(stderr, "    (%3.2f/100%%)\r", percent);
        s->shown = percent;
    }
}

static void checksum_commit(ChecksumWorker *w)
{
    Checksum *s = w->s;

    if (w->ret == 0 && w->zero) {
        w->what = "hashing";
        w->ret = -blkhash_root_zero(s->root, w->bytes / HASH_BLOCK_SIZE);
    } else if (w->ret == 0) {
        w->ret = -blkhash_root_digests(s->root, w->digests,
                                       DIV_ROUND_UP(w->bytes, HASH_BLOCK_SIZE));
    }
    if (w->ret < 0) {
        error_report("Error while %s at offset %" PRId64 " of '%s': %s",
                     w->what, w->offset, s->filename, strerror(-w->ret));
        s->ret = w->ret;
        s->stop = true;
        return;
    }
    checksum_progress(s, w->offset + w->bytes);
}

/* Wake the worker that has the next chunk; all of them after an error. */
static void coroutine_fn checksum_co_wake(Checksum *s)
{
    for (int i = 0; i < s->num_workers; i++) {
        ChecksumWorker *w = &s->workers[i];

        if (w->waiting && (s->ret < 0 || w->ticket == s->committed)) {
            w->waiting = false;
            aio_co_wake(w->co);
        }
    }
}

/* Commit the chunk after those before it. Not after one of them failed. */
static void coroutine_fn checksum_co_commit_in_order(ChecksumWorker *w)
{
    Checksum *s = w->s;

    if (s->ret == 0 && s->committed != w->ticket) {
        w->waiting = true;
        qemu_coroutine_yield();
    }
    if (s->ret == 0) {
        assert(s->committed == w->ticket);
        checksum_commit(w);
        s->committed++;
        checksum_co_wake(s);
    }
}

static void coroutine_fn checksum_co_entry(void *opaque)
{
    ChecksumWorker *w = opaque;
    Checksum *s = w->s;

    for (;;) {
        bool done;

        qemu_co_mutex_lock(&s->lock);
        done = s->stop || s->offset == s->size;
        if (!done) {
            checksum_co_take_chunk(w);
        }
        qemu_co_mutex_unlock(&s->lock);
        if (done) {
            break;
        }
        if (w->ret == 0 && !w->zero) {
            checksum_co_read(w);
        }
        checksum_co_commit_in_order(w);
    }
    s->running--;
}

/* Hash the disk. Returns 0, or -errno after it reported the error. */
static int checksum_run(Checksum *s)
{
    s->num_workers = s->serial ? 1 : NUM_WORKERS;
    s->running = s->num_workers;
    qemu_co_mutex_init(&s->lock);
    for (int i = 0; i < s->num_workers; i++) {
        ChecksumWorker *w = &s->workers[i];

        w->s = s;
        w->buf = blk_blockalign(s->blk, CHUNK_SIZE);
        w->co = qemu_coroutine_create(checksum_co_entry, w);
    }
    for (int i = 0; i < s->num_workers; i++) {
        qemu_coroutine_enter(s->workers[i].co);
    }
    while (s->running) {
        main_loop_wait(false);
    }
    for (int i = 0; i < s->num_workers; i++) {
        qemu_vfree(s->workers[i].buf);
    }
    return s->ret;
}

/* Returns 0, or -EIO after it reported a file that is shorter than @length. */
static int checksum_check_length(const LocalFile *file, int64_t length)
{
    struct stat st;

    if (fstat(file->fd, &st) == 0 && st.st_size < length) {
        error_report("'%s' became shorter while it was read", file->filename);
        return -EIO;
    }
    return 0;
}

/*
 * Find the local files of the image and of its backing chain. QEMU reads zeroes
 * beyond the end of a file, so one that became shorter meanwhile would change
 * the checksum unnoticed. Returns -EIO if one did since QEMU opened it.
 */
static int checksum_find_files(GArray *files)
{
    BlockDriverState *bs = NULL;

    while ((bs = bdrv_next_node(bs))) {
        LocalFile file;
        struct stat st;
        int64_t opened;

        if (!bs->drv || g_strcmp0(bs->drv->protocol_name, "file")) {
            continue;
        }
        file.fd = qemu_open_old(bs->filename, O_PATH);
        if (file.fd < 0) {
            continue; /* as a descriptor that was passed */
        }
        if (fstat(file.fd, &st) < 0 || !S_ISREG(st.st_mode)) {
            qemu_close(file.fd);
            continue;
        }
        file.filename = g_strdup(bs->filename);
        file.length = st.st_size;
        g_array_append_val(files, file);
        opened = bdrv_getlength(bs); /* in whole sectors */
        if (checksum_check_length(&file, opened - BDRV_SECTOR_SIZE + 1)) {
            return -EIO;
        }
    }
    return 0;
}

static int checksum_check_files(GArray *files)
{
    for (guint i = 0; i < files->len; i++) {
        LocalFile *file = &g_array_index(files, LocalFile, i);

        if (checksum_check_length(file, file->length)) {
            return -EIO;
        }
    }
    return 0;
}

static void checksum_free_files(GArray *files)
{
    for (guint i = 0; i < files->len; i++) {
        LocalFile *file = &g_array_index(files, LocalFile, i);

        g_free(file->filename);
        qemu_close(file->fd);
    }
    g_array_free(files, true);
}

/* Hash the disk, and find out whether its files are as they were. */
static int checksum_run_and_check(Checksum *s)
{
    GArray *files = g_array_new(false, false, sizeof(LocalFile));
    int ret = checksum_find_files(files);

    if (ret == 0) {
        ret = checksum_run(s);
    }
    if (ret == 0) {
        ret = checksum_check_files(files);
    }
    checksum_free_files(files);
    return ret;
}

static int checksum_image(Checksum *s, const char *digest,
                          unsigned char *md, unsigned int *md_len)
{
    int ret;

    s->size = blk_getlength(s->blk);
    if (s->size < 0) {
        error_report("Can't get size of '%s': %s", s->filename,
                     strerror(-s->size));
        return s->size;
    }
    s->leaf = blkhash_leaf_new(HASH_BLOCK_SIZE, digest);
    if (s->leaf && !blkhash_leaf_md_size(s->leaf)) {
        error_report("Digest '%s' computes nothing", digest);
        ret = -EINVAL;
        goto out;
    }
    s->root = s->leaf ? blkhash_root_new(HASH_BLOCK_SIZE, digest) : NULL;
    if (!s->root) {
        ret = -errno;
        if (ret == -ENOTSUP) {
            error_report("Unknown digest '%s'", digest);
        } else {
            error_report("Can't use digest '%s': %s", digest, strerror(-ret));
        }
        goto out;
    }
    checksum_progress(s, 0);
    ret = checksum_run_and_check(s);
    if (ret == 0) {
        ret = -blkhash_root_final(s->root, s->size, md, md_len);
        if (ret < 0) {
            error_report("Can't hash '%s': %s", s->filename, strerror(-ret));
        }
    }
    if (ret == 0 && s->size == 0) {
        checksum_progress(s, 0); /* there was no chunk */
    }
out:
    blkhash_root_free(s->root);
    blkhash_leaf_free(s->leaf);
    return ret;
}

/* A device or a pipe has no length, and QEMU waits for who writes the pipe. */
static bool checksum_can_open(const char *filename)
{
    struct stat st;

    if (!path_has_protocol(filename) && stat(filename, &st) == 0 &&
        !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        error_report("Could not open '%s': not a regular file or block device",
                     filename);
        return false;
    }
    return true;
}

static BlockBackend *checksum_open(const char *filename, const char *fmt,
                                   bool image_opts, bool force_share,
                                   int flags, bool writethrough)
{
    BlockBackend *blk;
    Error *local_err = NULL;
    QDict *options;

    if (image_opts) {
        QemuOpts *opts = qemu_opts_parse_noisily(qemu_find_opts("source"),
                                                 filename, true);

        if (!opts) {
            return NULL;
        }
        options = qemu_opts_to_qdict(opts, NULL);
    } else {
        options = qdict_new();
        if (fmt) {
            qdict_put_str(options, "driver", fmt);
        }
    }
    if (force_share) {
        qdict_put_str(options, BDRV_OPT_FORCE_SHARE, "on");
    }
    blk = blk_new_open(image_opts ? NULL : filename, NULL, options, flags,
                       &local_err);
    if (!blk) {
        error_reportf_err(local_err, "Could not open '%s': ", filename);
        return NULL;
    }
    blk_set_enable_write_cache(blk, !writethrough);
    return blk;
}

static bool checksum_load_snapshot(BlockBackend *blk, const char *snapshot)
{
    Error *local_err = NULL;

    if (!snapshot) {
        return true;
    }
    if (strstart(snapshot, SNAPSHOT_OPT_BASE, NULL)) {
        QemuOpts *opts = qemu_opts_parse_noisily(&internal_snapshot_opts,
                                                 snapshot, false);

        if (!opts) {
            return false;
        }
        bdrv_snapshot_load_tmp(blk_bs(blk), qemu_opt_get(opts, SNAPSHOT_OPT_ID),
                               qemu_opt_get(opts, SNAPSHOT_OPT_NAME),
                               &local_err);
        qemu_opts_del(opts);
    } else {
        bdrv_snapshot_load_tmp_by_id_or_name(blk_bs(blk), snapshot, &local_err);
    }
    if (local_err) {
        error_reportf_err(local_err, "Failed to load snapshot: ");
        return false;
    }
    return true;
}

static void checksum_print_json(Checksum *s, const char *digest,
                                const char *sum)
{
    QDict *dict = qdict_new();
    g_autofree char *name = g_ascii_strdown(digest, -1);
    GString *str;

    qdict_put_str(dict, "filename", s->filename);
    if (!g_utf8_validate(s->filename, -1, NULL)) {
        g_autoptr(GString) hex = g_string_new(NULL);

        for (const char *p = s->filename; *p; p++) {
            g_string_append_printf(hex, "%02x", (unsigned char)*p);
        }
        qdict_put_str(dict, "filename-hex", hex->str);
    }
    qdict_put_str(dict, "format", blk_bs(s->blk)->drv->format_name);
    qdict_put_int(dict, "virtual-size", s->size);
    qdict_put_str(dict, "construction", "blkhash");
    qdict_put_str(dict, "algorithm", name);
    qdict_put_int(dict, "block-size", HASH_BLOCK_SIZE);
    qdict_put_str(dict, "checksum", sum);
    str = qobject_to_json_pretty(QOBJECT(dict), true);
    printf("%s\n", str->str);
    g_string_free(str, true);
    qobject_unref(dict);
}

/* As sha256sum: a name that would not fit on the line is escaped. */
static void checksum_print_line(const char *filename, const char *sum)
{
    if (!strpbrk(filename, "\\\n\r")) {
        printf("%s  %s\n", sum, filename);
        return;
    }
    printf("\\%s  ", sum);
    for (const char *p = filename; *p; p++) {
        switch (*p) {
        case '\\':
            printf("\\\\");
            break;
        case '\n':
            printf("\\n");
            break;
        case '\r':
            printf("\\r");
            break;
        default:
            putchar(*p);
        }
    }
    printf("\n");
}

static void checksum_help(void)
{
    printf(
"usage: qemu-img checksum [-f FMT | --image-opts] [-T SRC_CACHE]\n"
"        [-l SNAPSHOT] [-d DIGEST] [--output human|json] [-U] [-p]\n"
"        [--serial] [--object OBJDEF] FILE\n"
"\n"
"Print the checksum of what a guest sees on the disk. It does not depend on\n"
"the format of the image, its allocation or its backing chain.\n"
"\n"
"  -f, --format FMT\n"
"     specify FILE image format explicitly (default: probing is used)\n"
"  --image-opts\n"
"     treat FILE as an option string (key=value,..), not a file name\n"
"     (incompatible with -f|--format)\n"
"  -T, --source-cache SRC_CACHE\n"
"     image caching mode (default: writeback)\n"
"  -l, --snapshot SNAPSHOT\n"
"     hash an internal snapshot: its ID or name, or\n"
"     snapshot.id=ID,snapshot.name=NAME\n"
"  -d, --digest DIGEST\n"
"     the digest (default: sha256)\n"
"  --output human|json\n"
"     output format (default: human)\n"
"  -U, --force-share\n"
"     open image in shared mode for concurrent access\n"
"  -p, --progress\n"
"     display progress information\n"
"  --serial\n"
"     read and hash one chunk after the other, to compare\n"
"  --object OBJDEF\n"
"     defines QEMU user-creatable object\n"
"  FILE\n"
"     name of the image file, or option string (key=value,..)\n"
"     with --image-opts, to hash\n");
    exit(EXIT_SUCCESS);
}

static G_NORETURN G_GNUC_PRINTF(1, 2)
void checksum_usage_error(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    error_vreport(fmt, ap);
    va_end(ap);
    error_printf("Try 'qemu-img checksum --help' for more information\n");
    exit(EXIT_FAILURE);
}

int img_checksum(int argc, char **argv)
{
    enum {
        OPTION_OUTPUT = 256,
        OPTION_OBJECT,
        OPTION_IMAGE_OPTS,
        OPTION_SERIAL,
    };
    static const struct option long_options[] = {
        {"help", no_argument, 0, 'h'},
        {"format", required_argument, 0, 'f'},
        {"image-opts", no_argument, 0, OPTION_IMAGE_OPTS},
        {"source-cache", required_argument, 0, 'T'},
        {"snapshot", required_argument, 0, 'l'},
        {"digest", required_argument, 0, 'd'},
        {"output", required_argument, 0, OPTION_OUTPUT},
        {"force-share", no_argument, 0, 'U'},
        {"progress", no_argument, 0, 'p'},
        {"serial", no_argument, 0, OPTION_SERIAL},
        {"object", required_argument, 0, OPTION_OBJECT},
        {0, 0, 0, 0}
    };
    g_autofree Checksum *s = g_new0(Checksum, 1);
    const char *fmt = NULL, *cache = "writeback", *snapshot = NULL;
    const char *digest = BLKHASH_DEFAULT_DIGEST;
    bool image_opts = false, force_share = false;
    bool json = false, writethrough;
    unsigned char md[BLKHASH_MAX_MD_SIZE];
    char sum[2 * BLKHASH_MAX_MD_SIZE + 1] = "";
    unsigned int md_len = 0;
    int flags = BDRV_O_NO_SHARE, ret = -1, c; /* no writer meanwhile */

    while ((c = getopt_long(argc, argv, ":hf:T:l:d:Up", long_options,
                            NULL)) != -1) {
        switch (c) {
        case 'h':
            checksum_help();
            break;
        case 'f':
            fmt = optarg;
            break;
        case OPTION_IMAGE_OPTS:
            image_opts = true;
            break;
        case 'T':
            cache = optarg;
            break;
        case 'l':
            snapshot = optarg;
            break;
        case 'd':
            digest = optarg;
            break;
        case OPTION_OUTPUT:
            json = !strcmp(optarg, "json");
            if (!json && strcmp(optarg, "human")) {
                checksum_usage_error("--output must be used with human or json "
                                     "as argument.");
            }
            break;
        case 'U':
            force_share = true;
            break;
        case 'p':
            s->progress = true;
            break;
        case OPTION_SERIAL:
            s->serial = true;
            break;
        case OPTION_OBJECT:
            user_creatable_process_cmdline(optarg);
            break;
        case ':':
            checksum_usage_error("missing argument for option '%s'",
                                 argv[optind - 1]);
        default:
            if (optopt) {
                checksum_usage_error("unrecognized option '-%c'", optopt);
            }
            checksum_usage_error("unrecognized option '%s'", argv[optind - 1]);
        }
    }
    if (optind != argc - 1) {
        checksum_usage_error("Expecting one image file name");
    }
    if (image_opts && fmt) {
        checksum_usage_error("--image-opts and --format are mutually "
                             "exclusive");
    }
    s->filename = argv[optind];
    if (bdrv_parse_cache_mode(cache, &flags, &writethrough) < 0) {
        error_report("Invalid source cache option: %s", cache);
        return EXIT_FAILURE;
    }

    s->shown = -1;
    qemu_progress_init(false, 1.0);
    if (!image_opts && !checksum_can_open(s->filename)) {
        return EXIT_FAILURE;
    }
    s->blk = checksum_open(s->filename, fmt, image_opts, force_share, flags,
                           writethrough);
    if (s->blk && checksum_load_snapshot(s->blk, snapshot)) {
        ret = checksum_image(s, digest, md, &md_len);
    }
    if (ret == 0 && s->progress) {
        fprintf(stderr, "\n");
    }
    if (ret == 0) {
        for (unsigned int i = 0; i < md_len; i++) {
            snprintf(sum + 2 * i, 3, "%02x", md[i]);
        }
        if (json) {
            checksum_print_json(s, digest, sum);
        } else {
            checksum_print_line(s->filename, sum);
        }
    }
    blk_unref(s->blk);
    if (ret == 0 && (fflush(stdout) != 0 || ferror(stdout))) {
        error_report("Can't write the checksum: %s", strerror(errno));
        ret = -EIO;
    }
    return ret == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
