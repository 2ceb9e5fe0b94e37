/*
 * qemu-img checksum: the checksum of what a guest sees on a disk
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"
#include <getopt.h>

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
#include "qapi/error.h"
#include "qemu/config-file.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/option.h"
#include "qemu/qemu-progress.h"
#include "qom/object_interfaces.h"
#include "qemu-img-checksum.h"
#include "qemu-img-checksum-disk.h"
#include "qemu-img-checksum-files.h"

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

static void checksum_print_json(BlockBackend *blk,
                                const ChecksumOptions *options, int64_t size,
                                const char *sum)
{
    const char *filename = options->filename;
    QDict *dict = qdict_new();
    g_autofree char *name = g_ascii_strdown(options->digest, -1);
    GString *str;

    qdict_put_str(dict, "filename", filename);
    if (!g_utf8_validate(filename, -1, NULL)) {
        g_autoptr(GString) hex = g_string_new(NULL);

        for (const char *p = filename; *p; p++) {
            g_string_append_printf(hex, "%02x", (unsigned char)*p);
        }
        qdict_put_str(dict, "filename-hex", hex->str);
    }
    qdict_put_str(dict, "format", blk_bs(blk)->drv->format_name);
    qdict_put_int(dict, "virtual-size", size);
    qdict_put_str(dict, "construction", "blkhash");
    qdict_put_str(dict, "algorithm", name);
    qdict_put_int(dict, "block-size", CHECKSUM_BLOCK_SIZE);
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

static void checksum_print(BlockBackend *blk, const ChecksumOptions *options,
                           const ChecksumResult *result, bool json)
{
    char sum[2 * BLKHASH_MAX_MD_SIZE + 1] = "";

    for (unsigned int i = 0; i < result->md_len; i++) {
        snprintf(sum + 2 * i, 3, "%02x", result->md[i]);
    }
    if (json) {
        checksum_print_json(blk, options, result->size, sum);
    } else {
        checksum_print_line(options->filename, sum);
    }
}

/* Hash the disk, and find out whether its files are as they were. */
static int checksum_disk_and_check(BlockBackend *blk,
                                   const ChecksumOptions *options,
                                   ChecksumResult *result)
{
    GArray *files;
    int ret = checksum_files_find(&files);

    if (ret == 0) {
        ret = checksum_disk(blk, options, result);
    }
    if (ret == 0) {
        ret = checksum_files_check(files);
    }
    checksum_files_free(files);
    return ret;
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
    ChecksumOptions options = { .digest = BLKHASH_DEFAULT_DIGEST };
    ChecksumResult result = { 0 };
    const char *fmt = NULL, *cache = "writeback", *snapshot = NULL;
    bool image_opts = false, force_share = false;
    bool json = false, writethrough;
    BlockBackend *blk;
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
            options.digest = optarg;
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
            options.progress = true;
            break;
        case OPTION_SERIAL:
            options.serial = true;
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
    options.filename = argv[optind];
    if (bdrv_parse_cache_mode(cache, &flags, &writethrough) < 0) {
        error_report("Invalid source cache option: %s", cache);
        return EXIT_FAILURE;
    }

    qemu_progress_init(false, 1.0);
    if (!image_opts && !checksum_can_open(options.filename)) {
        return EXIT_FAILURE;
    }
    blk = checksum_open(options.filename, fmt, image_opts, force_share, flags,
                        writethrough);
    if (blk && checksum_load_snapshot(blk, snapshot)) {
        ret = checksum_disk_and_check(blk, &options, &result);
    }
    if (ret == 0 && options.progress) {
        fprintf(stderr, "\n");
    }
    if (ret == 0) {
        checksum_print(blk, &options, &result, json);
    }
    blk_unref(blk);
    if (ret == 0 && (fflush(stdout) != 0 || ferror(stdout))) {
        error_report("Can't write the checksum: %s", strerror(errno));
        ret = -EIO;
    }
    return ret == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
