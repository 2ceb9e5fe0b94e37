/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "list_disk.h"

#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK 512
#define MD 32

void disk_init(struct disk *disk, size_t count, uint64_t length)
{
    static const unsigned char zeros[BLOCK];

    *disk = (struct disk){
        .count = count,
        .length = length,
        .header_length = length,
        .letters = malloc(count + 1),
    };
    oracle_digest("sha256", zeros, BLOCK, disk->zero_md);
    random_mixture(disk->letters, count, 40);
    if (length % BLOCK)
        disk->letters[count - 1] = 'x'; /* a short block is no zero block */
}

void disk_destroy(struct disk *disk)
{
    free(disk->letters);
}

struct disk disk_part(const struct disk *disk, size_t first, size_t count)
{
    struct disk part = *disk;

    part.first_block = first;
    part.count = count;
    part.letters = disk->letters + first;
    return part;
}

void disk_md(const struct disk *disk, size_t i, unsigned char md[MD])
{
    if (disk->letters[i] == 0)
        memcpy(md, disk->zero_md, MD);
    else
        memset(md, disk->letters[i], MD);
}

void disk_checksum(const struct disk *disk, unsigned char md[MD])
{
    unsigned char *all = malloc(disk->count * MD + 8);

    for (size_t i = 0; i < disk->count; i++)
        disk_md(disk, i, all + i * MD);
    for (int i = 0; i < 8; i++)
        all[disk->count * MD + i] = disk->length >> 8 * i & 0xff;
    oracle_digest("sha256", all, disk->count * MD + 8, md);
    free(all);
}

struct list_header disk_header(const struct disk *disk)
{
    static char source[] = LIST_SOURCE;

    return (struct list_header){
        .block_size = BLOCK,
        .first_block = disk->first_block,
        .length = disk->header_length,
        .digest = "sha256",
        .source = source,
        .source_len = strlen(source),
    };
}

void disk_give(const struct disk *disk, struct sink *sink, size_t step)
{
    unsigned char *mds = malloc(step * MD);
    struct error error = ERROR_INIT;

    for (size_t i = 0; i < disk->count;) {
        bool zeros = disk->letters[i] == 0 && random_number() % 2;
        size_t n = 0;

        while (i + n < disk->count && n < step &&
               (!zeros || disk->letters[i + n] == 0)) {
            disk_md(disk, i + n, mds + n * MD);
            n++;
        }
        if (zeros)
            assert_int_equal(sink->zero(sink, n, &error), 0);
        else
            assert_int_equal(sink->digests(sink, mds, n, &error), 0);
        i += n;
    }
    free(mds);
}

void disk_give_end(const struct disk *disk, struct sink *sink)
{
    struct sink_end end = { .length = disk->length };
    struct error error = ERROR_INIT;

    if (disk->first_block == 0 &&
        disk->count == (disk->length + BLOCK - 1) / BLOCK) {
        disk_checksum(disk, end.md);
        end.md_len = MD;
    }
    assert_int_equal(sink->end(sink, &end, &error), 0);
}

int memory_file(const void *bytes, size_t len)
{
    int fd = memfd_create(LIST_NAME, MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

unsigned char *file_content(int fd, size_t *len)
{
    off_t size = lseek(fd, 0, SEEK_END);
    unsigned char *bytes = malloc((size_t)size + 1);

    *len = (size_t)size;
    assert_int_equal(pread(fd, bytes, *len, 0), size);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return bytes;
}

struct list_writer *disk_writer(const struct disk *disk, int fd)
{
    struct list_header header = disk_header(disk);
    struct error error = ERROR_INIT;
    struct list_writer *w;

    if (list_writer_new(fd, LIST_NAME, &header, &w, &error))
        fail_msg("%s", error_message(&error));
    return w;
}

int disk_list(const struct disk *disk, size_t step)
{
    int fd = memory_file("", 0);
    struct list_writer *w = disk_writer(disk, fd);

    disk_give(disk, list_writer_sink(w), step);
    disk_give_end(disk, list_writer_sink(w));
    list_writer_free(w);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}
