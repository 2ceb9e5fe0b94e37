/*
 * The local files of an image and of its backing chain: did one become shorter?
 *
 * QEMU reads zeroes beyond the end of a file, so one that became shorter while
 * it was read would change the checksum unnoticed.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"
#include "block/block_int.h"
#include "qemu/error-report.h"
#include "qemu-img-checksum-files.h"

/* A local file of the image, held open: its name may become another file's */
typedef struct LocalFile {
    char *filename;
    int fd;
    off_t length;
} LocalFile;

/* Returns 0, or -EIO after it reported a file that is shorter than @length. */
static int check_length(const LocalFile *file, int64_t length)
{
    struct stat st;

    if (fstat(file->fd, &st) == 0 && st.st_size < length) {
        error_report("'%s' became shorter while it was read", file->filename);
        return -EIO;
    }
    return 0;
}

int checksum_files_find(GArray **found)
{
    GArray *files = g_array_new(false, false, sizeof(LocalFile));
    BlockDriverState *bs = NULL;

    *found = files;
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
        if (check_length(&file, opened - BDRV_SECTOR_SIZE + 1)) {
            return -EIO;
        }
    }
    return 0;
}

int checksum_files_check(GArray *files)
{
    for (guint i = 0; i < files->len; i++) {
        LocalFile *file = &g_array_index(files, LocalFile, i);

        if (check_length(file, file->length)) {
            return -EIO;
        }
    }
    return 0;
}

void checksum_files_free(GArray *files)
{
    for (guint i = 0; i < files->len; i++) {
        LocalFile *file = &g_array_index(files, LocalFile, i);

        g_free(file->filename);
        qemu_close(file->fd);
    }
    g_array_free(files, true);
}
