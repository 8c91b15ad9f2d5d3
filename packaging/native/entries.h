/*
 * The entries of an initrd in a table, and the walk over the headers of its archives, as src/read/tree.ts and src/read/cpio.ts do both in
 * JavaScript, in a hundredth of the time. Format: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.
 *
 * The walk takes only what nearly all entries are: a directory, file or symbolic link with one name, in a directory that is there already,
 * where nothing stands yet. It stops before anything else, and before all that is broken or too much: src/read/cpio.ts then reads that one
 * entry, does with it what the kernel does, or says what is wrong. So there is one place that knows what the rare entries mean.
 *
 * The input is hostile: every length is compared with what is there before it is used. How many entries and bytes of names there may be
 * says the caller; the table itself takes no more than `most_entries` and `most_text`, whatever it is told.
 */

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

enum { kind_directory, kind_file, kind_symlink, kind_other };

enum {
  /* Rows of a table at the start; it grows by doubling. */
  few_entries = 4096,
  most_entries = 1 << 20,
  most_text = 1 << 26,
  /* PATH_MAX: of a name, with the zero byte at its end, and of a symbolic link's target. */
  longest_path = 4096,
  most_wanted = 16,
  longest_wanted = 255,
  header_size = 110,
  /* One read of a plain archive: a header, its name, and what small entries follow. */
  read_ahead = 4096,
  /* Room for one header, the longest name and the longest target. */
  window_size = 3 * longest_path,
  /* How many entries are walked over before the caller can look at the clock. */
  entries_between_looks = 64,
};

struct entry {
  /* Of a file where its content begins, of a symbolic link where its target stands in `text`. */
  double place;
  /* Of a file in bytes, of a directory how many names are in it, of a symbolic link the length of its target. */
  uint32_t size;
  uint8_t kind;
  /* Of a file: the number of the segment that holds it. */
  uint8_t segment;
};

struct name {
  uint32_t directory, entry;
  /* Where it begins in `text`. */
  uint32_t start;
  uint32_t length;
  uint32_t hash;
  /* The name before it in the same bucket, as its index plus one; 0 for none. */
  uint32_t next;
};

struct table {
  struct entry *entries;
  uint32_t entry_count, entry_room;
  struct name *names;
  uint32_t name_count, name_room;
  /* By hash: the last name that has it, as its index plus one. As many as there is room for names, a power of two. */
  uint32_t *buckets;
  /* Names and targets, one behind the other. */
  uint8_t *text;
  uint32_t text_size, text_room;
  /* So that nobody can make names which all have the same hash. */
  uint64_t seed;
  /* The directory in which the last entry stands, and the path that leads there: most stand in the same as the one before. */
  uint8_t last_path[longest_path];
  uint32_t last_length, last_directory;
  int has_last;
  /* Names of files that the caller reads itself. */
  uint8_t wanted[most_wanted][longest_wanted];
  uint32_t wanted_lengths[most_wanted], wanted_count;
  /* What was read last of a plain archive, and from where on. */
  uint8_t window[window_size];
  uint64_t window_start, window_length;
};

static uint32_t wider_room(uint32_t room, uint32_t first) { return room == 0 ? first : room * 2; }

/* Makes `*array` hold twice as many items, each of `size` bytes. 0 without memory, and when that would be more than `most`. */
static int grow(void **array, uint32_t *room, uint32_t first, uint32_t most, size_t size) {
  const uint32_t wider = wider_room(*room, first);
  if (wider > most) return 0;
  void *moved = realloc(*array, wider * size);
  if (moved == NULL) return 0;
  *array = moved;
  *room = wider;
  return 1;
}

/* FNV-1a, from a start that nobody knows. */
static uint32_t hash_of(const struct table *table, uint32_t directory, const uint8_t *name, size_t length) {
  uint64_t hash = (table->seed ^ directory) * 0x9e3779b97f4a7c15;
  for (size_t index = 0; index < length; index++) hash = (hash ^ name[index]) * 0x100000001b3;
  return hash ^ hash >> 32;
}

/* A name becomes the last one of its bucket. */
static void chain_name(struct table *table, uint32_t index) {
  uint32_t *bucket = &table->buckets[table->names[index].hash & (table->name_room - 1)];
  table->names[index].next = *bucket;
  *bucket = index + 1;
}

/* Room for one more name; where the table grew, its buckets are made anew. */
static int make_name_room(struct table *table) {
  if (table->name_count < table->name_room) return 1;
  uint32_t *buckets = calloc(wider_room(table->name_room, few_entries), sizeof *buckets);
  if (buckets == NULL || !grow((void **)&table->names, &table->name_room, few_entries, most_entries, sizeof *table->names)) {
    free(buckets);
    return 0;
  }
  free(table->buckets);
  table->buckets = buckets;
  for (uint32_t index = 0; index < table->name_count; index++) chain_name(table, index);
  return 1;
}

/* Where `length` bytes stand in `text` then, or -1 without memory. */
static int64_t keep_text(struct table *table, const uint8_t *bytes, size_t length) {
  while (table->text_room - table->text_size < length)
    if (!grow((void **)&table->text, &table->text_room, few_entries * 16, most_text, 1)) return -1;
  if (length > 0) memcpy(table->text + table->text_size, bytes, length);
  table->text_size += length;
  return table->text_size - length;
}

/* The number of a new entry, or -1 without memory. */
static int64_t add_entry(struct table *table, int kind) {
  if (table->entry_count == table->entry_room &&
      !grow((void **)&table->entries, &table->entry_room, few_entries, most_entries, sizeof *table->entries)) return -1;
  table->entries[table->entry_count] = (struct entry){ .kind = kind };
  return table->entry_count++;
}

static struct name *find_name(const struct table *table, uint32_t directory, const uint8_t *name, size_t length) {
  if (table->name_room == 0) return NULL;
  const uint32_t hash = hash_of(table, directory, name, length);
  uint32_t next = table->buckets[hash & (table->name_room - 1)];
  while (next != 0) {
    struct name *found = &table->names[next - 1];
    if (found->hash == hash && found->directory == directory && found->length == length &&
        memcmp(table->text + found->start, name, length) == 0) return found;
    next = found->next;
  }
  return NULL;
}

/* A name that is not there yet. 0 without memory. */
static int add_name(struct table *table, uint32_t directory, const uint8_t *name, size_t length, uint32_t entry) {
  if (!make_name_room(table)) return 0;
  const int64_t start = keep_text(table, name, length);
  if (start < 0) return 0;
  table->names[table->name_count] = (struct name){
    .directory = directory,
    .entry = entry,
    .start = start,
    .length = length,
    .hash = hash_of(table, directory, name, length),
  };
  chain_name(table, table->name_count++);
  table->entries[directory].size++;
  return 1;
}

/* Puts an entry at a name, in the place of what stands there. 0 without memory. */
static int put_name(struct table *table, uint32_t directory, const uint8_t *name, size_t length, uint32_t entry) {
  struct name *there = find_name(table, directory, name, length);
  if (there == NULL) return add_name(table, directory, name, length, entry);
  there->entry = entry;
  /* A path that led through what stood here may lead elsewhere now. */
  table->has_last = 0;
  return 1;
}

/* The directory that `path` leads to, when that is the one of the entry before; else -1. */
static int64_t recall(const struct table *table, const uint8_t *path, size_t length) {
  if (!table->has_last || length != table->last_length || memcmp(path, table->last_path, length) != 0) return -1;
  return table->last_directory;
}

static void remember(struct table *table, const uint8_t *path, size_t length, uint32_t directory) {
  if (length > sizeof table->last_path) return;
  memcpy(table->last_path, path, length);
  table->last_length = length;
  table->last_directory = directory;
  table->has_last = 1;
}

/* A name that the walk leaves to the caller. 0 for too many, and for one that is too long. */
static int want_name(struct table *table, const uint8_t *name, size_t length) {
  if (table->wanted_count == most_wanted || length > longest_wanted) return 0;
  if (length > 0) memcpy(table->wanted[table->wanted_count], name, length);
  table->wanted_lengths[table->wanted_count++] = length;
  return 1;
}

static void free_table(struct table *table) {
  free(table->entries);
  free(table->names);
  free(table->buckets);
  free(table->text);
  free(table);
}

/* NULL without memory. The caller adds the root, which is entry 0. */
static struct table *new_table(void) {
  struct table *table = calloc(1, sizeof *table);
  if (table == NULL) return NULL;
  /* Sixteen bytes that the kernel gives each program. */
  const void *random = (const void *)getauxval(AT_RANDOM);
  if (random != NULL) memcpy(&table->seed, random, sizeof table->seed);
  return table;
}

/* Where a walk stands, and what it may still take. */
struct walk {
  /* In the plain stream, in bytes. */
  uint64_t position;
  int64_t entries_left, name_bytes_left;
  /* Parts of paths that were gone through. */
  uint32_t steps;
  uint8_t segment;
  /* Either a file, whose byte `origin` is the first of the stream, which ends at `end`; or the bytes of the stream from `start` on. */
  int descriptor;
  uint64_t origin, end;
  const uint8_t *bytes;
  uint64_t start, length;
};

/* The next `length` bytes, of a file read where they are not there yet; NULL when they cannot be had. */
static const uint8_t *next_bytes(struct table *table, struct walk *walk, size_t length) {
  if (walk->position >= walk->start && walk->position - walk->start + length <= walk->length)
    return walk->bytes + (walk->position - walk->start);
  if (walk->descriptor < 0 || length > window_size || walk->position > walk->end || walk->end - walk->position < length) return NULL;
  const uint64_t there = walk->end - walk->position;
  size_t wanted = length > read_ahead ? length : read_ahead, count = 0;
  if (wanted > there) wanted = there;
  walk->start = walk->position;
  walk->length = 0;
  while (walk->length < length) {
    const ssize_t got = pread(walk->descriptor, table->window + count, wanted - count, walk->origin + walk->position + count);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return NULL;
    walk->length = count += got;
  }
  return table->window;
}

/* The values of hexadecimal digits, plus one; 0 for all other characters. */
static const uint8_t digit_values[256] = {
  ['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ['a'] = 11, 12, 13, 14, 15, 16, ['A'] = 11, 12, 13, 14, 15, 16,
};

/* Eight hexadecimal digits; -1 when one of them is none. */
static int64_t hexadecimal(const uint8_t *digits) {
  int64_t value = 0;
  for (int index = 0; index < 8; index++) {
    const int digit = digit_values[digits[index]];
    if (digit == 0) return -1;
    value = value * 16 + digit - 1;
  }
  return value;
}

/* What the walk uses of a header, with its name and target. */
struct head {
  int kind;
  uint32_t size;
  /* Of header, name and padding. */
  uint32_t length;
  const uint8_t *name, *target;
  uint32_t name_length, target_length;
};

/* Whether the next entry is one that the walk takes, as far as its header, name and target say so by themselves. */
static int read_head(struct table *table, struct walk *walk, struct head *head) {
  const uint8_t *bytes = next_bytes(table, walk, header_size);
  if (bytes == NULL || memcmp(bytes, "07070", 5) != 0 || (bytes[5] != '1' && bytes[5] != '2')) return 0;
  const int64_t mode = hexadecimal(bytes + 14), links = hexadecimal(bytes + 38), size = hexadecimal(bytes + 54);
  const int64_t name_size = hexadecimal(bytes + 94);
  if (mode < 0 || links < 0 || size < 0 || name_size < 2 || name_size > longest_path) return 0;
  const int format = mode & 0xf000;
  head->kind = format == 0x4000 ? kind_directory : format == 0x8000 ? kind_file : format == 0xa000 ? kind_symlink : kind_other;
  if (head->kind != kind_directory && links > 1) return 0;
  if (head->kind == kind_symlink ? size == 0 || size > longest_path : head->kind != kind_file && size != 0) return 0;
  head->size = size;
  head->length = (header_size + name_size + 3) / 4 * 4;
  head->target_length = 0;
  bytes = next_bytes(table, walk, head->length + (head->kind == kind_symlink ? size : 0));
  if (bytes == NULL) return 0;
  head->name = bytes + header_size;
  const uint8_t *end = memchr(head->name, 0, name_size);
  if (end == NULL || end == head->name) return 0;
  head->name_length = end - head->name;
  if (head->kind == kind_symlink) {
    head->target = bytes + head->length;
    head->target_length = strnlen((const char *)head->target, size);
    if (head->target_length == 0) return 0;
  }
  return head->name_length != 10 || memcmp(head->name, "TRAILER!!!", 10) != 0;
}

static int is_wanted(const struct table *table, const uint8_t *name, size_t length) {
  for (uint32_t index = 0; index < table->wanted_count; index++)
    if (table->wanted_lengths[index] == length && memcmp(table->wanted[index], name, length) == 0) return 1;
  return 0;
}

static int is_dots(const uint8_t *name, size_t length) { return length <= 2 && name[0] == '.' && name[length - 1] == '.'; }

/* The directory at `path`, when it leads through directories alone that are all there; else -1. Counts the parts of the path as steps. */
static int64_t directory_at(struct table *table, const uint8_t *path, size_t length, uint32_t *steps) {
  uint32_t here = 0;
  for (size_t at = 0; at < length;) {
    const uint8_t *slash = memchr(path + at, '/', length - at);
    const size_t part = slash == NULL ? length - at : (size_t)(slash - path) - at;
    if (part > 0 && !(part == 1 && path[at] == '.')) {
      const struct name *next = is_dots(path + at, part) ? NULL : find_name(table, here, path + at, part);
      if (next == NULL || table->entries[next->entry].kind != kind_directory) return -1;
      here = next->entry;
      ++*steps;
    }
    at += part + 1;
  }
  return here;
}

/* Takes the next entry into the table; 0 when the caller has to. */
static int walk_entry(struct table *table, struct walk *walk) {
  struct head head;
  if (table->entry_count == 0 || walk->entries_left < 1 || !read_head(table, walk, &head) || head.name_length > walk->name_bytes_left) return 0;
  const uint64_t content = walk->position + head.length;
  const uint64_t next = content + head.size + (4 - head.size % 4) % 4;
  if (walk->descriptor >= 0 && next > walk->end) return 0;
  const uint8_t *slash = memrchr(head.name, '/', head.name_length);
  const uint8_t *last = slash == NULL ? head.name : slash + 1;
  const size_t last_length = head.name + head.name_length - last;
  if (last_length == 0 || is_dots(last, last_length) || is_wanted(table, last, last_length)) return 0;
  const size_t path_length = slash == NULL ? 0 : slash - head.name;
  int64_t directory = slash == NULL ? 0 : recall(table, head.name, path_length);
  if (directory < 0) {
    uint32_t steps = 0;
    directory = directory_at(table, head.name, path_length, &steps);
    if (directory < 0) return 0;
    remember(table, head.name, path_length, directory);
    walk->steps += steps;
  }
  const struct name *there = find_name(table, directory, last, last_length);
  if (there != NULL && (head.kind != kind_directory || table->entries[there->entry].kind != kind_directory)) return 0;
  if (there == NULL) {
    const int64_t start = head.kind == kind_symlink ? keep_text(table, head.target, head.target_length) : 0;
    const int64_t number = start < 0 ? -1 : add_entry(table, head.kind);
    if (number < 0 || !add_name(table, directory, last, last_length, number)) return 0;
    struct entry *entry = &table->entries[number];
    if (head.kind == kind_symlink) entry->place = start, entry->size = head.target_length;
    if (head.kind == kind_file) entry->place = content, entry->size = head.size, entry->segment = walk->segment;
  }
  walk->entries_left--;
  walk->name_bytes_left -= head.name_length + head.target_length;
  walk->position = next;
  return 1;
}

/* Takes entries as long as it can; returns whether more may follow at once, and only the clock is to be looked at. */
static int walk_entries(struct table *table, struct walk *walk) {
  for (int count = 0; count < entries_between_looks; count++)
    if (!walk_entry(table, walk)) return 0;
  return 1;
}
