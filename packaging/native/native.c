/*
 * The module `native` of the native program: what QuickJS's own `os` lacks. `Decompressor` is gzip, zstd, xz or lz4 by the system's libz,
 * libzstd, liblzma or liblz4, in half the time of their programs; they are looked for when they are wanted, so that the program needs libc only.
 * `widenPipe` makes a pipe hold more, so that its two ends wake each other less often. `openPath` opens a file
 * whose name is no UTF-8. `isZero` finds the holes of a file. `lz4Block`
 * decompresses one block of LZ4. `holding` looks for texts in hundreds of files, which every apt run waits for. `entryTable` holds the entries
 * of an initrd, of which there are tens of thousands. `nextCommit` looks through an agent's binary, which has 60 million bytes. Interface of libz: its
 * zlib.h, whose struct z_stream has been the same since 1.0; of libzstd: the stable part of its zstd.h; of liblzma 5: its lzma/base.h;
 * of liblz4 1.9: its lz4.h and lz4frame.h.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include "crc32.h"
#include "entries.h"
#include "lz4.h"
#include "quickjs.h"

struct z_stream {
  const uint8_t *next_in;
  unsigned avail_in;
  unsigned long total_in;
  uint8_t *next_out;
  unsigned avail_out;
  unsigned long total_out;
  const char *msg;
  void *state;
  void *zalloc, *zfree, *opaque;
  int data_type;
  unsigned long adler, reserved;
};

enum { Z_OK = 0, Z_STREAM_END = 1, Z_DATA_ERROR = -3, Z_BUF_ERROR = -5, Z_NO_FLUSH = 0, Z_BLOCK = 5, gzip_window = 15 + 16 };
/* In data_type: behind the head of a member, or a block. */
enum { Z_AT_BLOCK = 128 };

static struct {
  int (*init)(struct z_stream *, int window, const char *version, int size);
  int (*inflate)(struct z_stream *, int flush);
  int (*reset)(struct z_stream *);
  int (*end)(struct z_stream *);
  /* Only with a processor for which this program computes the checksum itself: turns libz's own off. */
  int (*validate)(struct z_stream *, int on);
  unsigned long (*crc32)(unsigned long, const uint8_t *, unsigned);
} libz;

/* Looked for once, in the places where libc itself is looked for. */
static int find_libz(void) {
  static void *handle;
  if (handle == NULL) handle = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL) return 0;
  *(void **)&libz.init = dlsym(handle, "inflateInit2_");
  *(void **)&libz.inflate = dlsym(handle, "inflate");
  *(void **)&libz.reset = dlsym(handle, "inflateReset");
  *(void **)&libz.end = dlsym(handle, "inflateEnd");
  *(void **)&libz.crc32 = dlsym(handle, "crc32");
  if (libz.crc32 && has_fast_crc32()) *(void **)&libz.validate = dlsym(handle, "inflateValidate");
  return libz.init && libz.inflate && libz.reset && libz.end;
}

struct zstd_input {
  const void *bytes;
  size_t size, at;
};

struct zstd_output {
  void *bytes;
  size_t size, at;
};

static struct {
  void *(*create)(void);
  size_t (*decompress)(void *, struct zstd_output *, struct zstd_input *);
  unsigned (*is_error)(size_t);
  const char *(*error_name)(size_t);
  size_t (*set)(void *, int parameter, int value);
  size_t (*end)(void *);
} libzstd;

/* The largest window, 32 MiB, as src/read/decompress.ts has it for the program: it is the file that asks for one. */
enum { ZSTD_d_windowLogMax = 100, zstd_window_log = 25 };

static int find_libzstd(void) {
  static void *handle;
  if (handle == NULL) handle = dlopen("libzstd.so.1", RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL) return 0;
  *(void **)&libzstd.create = dlsym(handle, "ZSTD_createDStream");
  *(void **)&libzstd.decompress = dlsym(handle, "ZSTD_decompressStream");
  *(void **)&libzstd.is_error = dlsym(handle, "ZSTD_isError");
  *(void **)&libzstd.error_name = dlsym(handle, "ZSTD_getErrorName");
  *(void **)&libzstd.set = dlsym(handle, "ZSTD_DCtx_setParameter");
  *(void **)&libzstd.end = dlsym(handle, "ZSTD_freeDStream");
  return libzstd.create && libzstd.decompress && libzstd.is_error && libzstd.error_name && libzstd.set && libzstd.end;
}

struct lzma_stream {
  const uint8_t *next_in;
  size_t avail_in;
  uint64_t total_in;
  uint8_t *next_out;
  size_t avail_out;
  uint64_t total_out;
  const void *allocator;
  void *internal;
  void *reserved_pointers[4];
  uint64_t seek_pos, reserved_number;
  size_t reserved_sizes[2];
  int reserved_enums[2];
};

enum {
  LZMA_OK = 0,
  LZMA_STREAM_END = 1,
  LZMA_MEM_ERROR = 5,
  LZMA_MEMLIMIT_ERROR = 6,
  LZMA_BUF_ERROR = 10,
  LZMA_RUN = 0,
  LZMA_FINISH = 3,
  /* Streams in a row, with zeros between them, as the program takes them. */
  LZMA_CONCATENATED = 8,
  /* In bytes: as src/read/decompress.ts has it for the program. */
  xz_memory = 72 * 1024 * 1024,
};

static struct {
  int (*begin)(struct lzma_stream *, uint64_t memory, uint32_t flags);
  int (*code)(struct lzma_stream *, int action);
  void (*end)(struct lzma_stream *);
} liblzma;

static int find_liblzma(void) {
  static void *handle;
  if (handle == NULL) handle = dlopen("liblzma.so.5", RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL) return 0;
  *(void **)&liblzma.begin = dlsym(handle, "lzma_stream_decoder");
  *(void **)&liblzma.code = dlsym(handle, "lzma_code");
  *(void **)&liblzma.end = dlsym(handle, "lzma_end");
  return liblzma.begin && liblzma.code && liblzma.end;
}

static struct {
  size_t (*create)(void **, unsigned version);
  size_t (*decompress)(void *, void *output, size_t *output_size, const void *input, size_t *input_size, const void *options);
  unsigned (*is_error)(size_t);
  size_t (*end)(void *);
  int (*block)(const char *input, char *output, int input_size, int room);
} liblz4;

static int find_liblz4(void) {
  static void *handle;
  if (handle == NULL) handle = dlopen("liblz4.so.1", RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL) return 0;
  *(void **)&liblz4.create = dlsym(handle, "LZ4F_createDecompressionContext");
  *(void **)&liblz4.decompress = dlsym(handle, "LZ4F_decompress");
  *(void **)&liblz4.is_error = dlsym(handle, "LZ4F_isError");
  *(void **)&liblz4.end = dlsym(handle, "LZ4F_freeDecompressionContext");
  *(void **)&liblz4.block = dlsym(handle, "LZ4_decompress_safe");
  return liblz4.create && liblz4.decompress && liblz4.is_error && liblz4.end && liblz4.block;
}

enum {
  LZ4F_VERSION = 100,
  /* Of the legacy frame (lz4_Frame_format.md): bytes to which a block unpacks, and which it has at the most; a larger number is no length. */
  legacy_plain = 8 * 1024 * 1024,
  legacy_packed = legacy_plain + legacy_plain / 255 + 16,
};

struct lz4 {
  void *context;
  int is_legacy;
  /* A block of a legacy frame, and how much of it is there; its length is 0 between two blocks. */
  uint8_t *block;
  unsigned length, filled;
};

struct gzip {
  struct z_stream stream;
  /* Where this program checks the member itself: behind its head, its sum and length so far, and the last bytes that were taken. */
  int is_behind_head;
  uint32_t crc, length;
  uint8_t last[8];
};

struct decompressor {
  enum { form_gzip, form_zstd, form_xz, form_lz4 } form;
  union {
    struct gzip gzip;
    void *zstd;
    struct lzma_stream xz;
    struct lz4 lz4;
  };
  /* Of lz4: a frame has begun. */
  int is_within;
};

static int begin(struct decompressor *this) {
  switch (this->form) {
    case form_gzip: return libz.init(&this->gzip.stream, gzip_window, "1.0", sizeof this->gzip.stream) == Z_OK;
    case form_zstd:
      this->zstd = libzstd.create();
      return this->zstd != NULL && !libzstd.is_error(libzstd.set(this->zstd, ZSTD_d_windowLogMax, zstd_window_log));
    case form_xz: return liblzma.begin(&this->xz, xz_memory, LZMA_CONCATENATED) == LZMA_OK;
    case form_lz4: return !liblz4.is_error(liblz4.create(&this->lz4.context, LZ4F_VERSION));
  }
  return 0;
}

static void end(struct decompressor *this) {
  switch (this->form) {
    case form_gzip: libz.end(&this->gzip.stream); break;
    case form_zstd: libzstd.end(this->zstd); break;
    case form_xz: liblzma.end(&this->xz); break;
    case form_lz4:
      liblz4.end(this->lz4.context);
      free(this->lz4.block);
      break;
  }
}

static JSClassID decompressor_class;

static void decompressor_finalizer(JSRuntime *runtime, JSValue value) {
  struct decompressor *decompressor = JS_GetOpaque(value, decompressor_class);
  if (decompressor == NULL) return;
  end(decompressor);
  js_free_rt(runtime, decompressor);
}

static JSClassDef decompressor_definition = { "Decompressor", .finalizer = decompressor_finalizer };

/* decompressor("gzip", "zstd", "xz" or "lz4"): a Decompressor, or null without its library. */
static JSValue make_decompressor(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  static const struct {
    const char *name;
    int (*find)(void);
  } forms[] = {
    [form_gzip] = { "gzip", find_libz },
    [form_zstd] = { "zstd", find_libzstd },
    [form_xz] = { "xz", find_liblzma },
    [form_lz4] = { "lz4", find_liblz4 },
  };
  const char *name = JS_ToCString(context, arguments[0]);
  if (name == NULL) return JS_EXCEPTION;
  unsigned form = 0;
  while (form <= form_lz4 && strcmp(forms[form].name, name) != 0) form++;
  JS_FreeCString(context, name);
  if (form > form_lz4 || !forms[form].find()) return JS_NULL;
  struct decompressor *decompressor = js_mallocz(context, sizeof *decompressor);
  if (decompressor == NULL) return JS_EXCEPTION;
  decompressor->form = form;
  if (!begin(decompressor)) {
    js_free(context, decompressor);
    return JS_NULL;
  }
  JSValue object = JS_NewObjectClass(context, decompressor_class);
  if (JS_IsException(object)) {
    end(decompressor);
    js_free(context, decompressor);
    return object;
  }
  JS_SetOpaque(object, decompressor);
  return object;
}

/* The bytes from..to of an ArrayBuffer; NULL with an exception when they are not all in it. */
static uint8_t *range(JSContext *context, JSValueConst *arguments, unsigned *length) {
  size_t size;
  int64_t from, to;
  uint8_t *bytes = JS_GetArrayBuffer(context, &size, arguments[0]);
  if (bytes == NULL || JS_ToInt64(context, &from, arguments[1]) || JS_ToInt64(context, &to, arguments[2])) return NULL;
  if (from < 0 || from > to || (uint64_t)to > size || to - from > INT32_MAX) {
    JS_ThrowRangeError(context, "outside the buffer");
    return NULL;
  }
  *length = to - from;
  return bytes + from;
}

/* What a step of either kind says: errors of libz for all. */
enum { step_on = 0, step_end = 1, step_bad = -3, step_memory = -4 };

/* The sum of gzip, with libz for what is too little to be fast. */
static uint32_t crc32_of(uint32_t crc, const uint8_t *bytes, unsigned length) {
  const unsigned whole = length < 64 ? 0 : length & ~15u;
  if (whole > 0) crc = ~fast_crc32(~crc, bytes, whole);
  return libz.crc32(crc, bytes + whole, length - whole);
}

static uint32_t little_endian(const uint8_t *bytes) {
  return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* What libz does unless it is told not to: a member ends with its sum and its length (RFC 1952, 2.3.1). */
static int check_member(struct gzip *this, int status, const uint8_t *input, unsigned taken, const uint8_t *output, unsigned given) {
  const unsigned kept = taken < sizeof this->last ? taken : sizeof this->last;
  memmove(this->last, this->last + kept, sizeof this->last - kept);
  if (kept > 0) memcpy(this->last + sizeof this->last - kept, input + taken - kept, kept);
  if (given > 0) this->crc = crc32_of(this->crc, output, given);
  this->length += given;
  if (status != Z_STREAM_END) return status;
  return little_endian(this->last) == this->crc && little_endian(this->last + 4) == this->length ? status : Z_DATA_ERROR;
}

static int gzip_step(struct gzip *this, uint8_t *input, unsigned *input_size, uint8_t *output, unsigned *output_size) {
  struct z_stream *stream = &this->stream;
  stream->next_in = input;
  stream->avail_in = *input_size;
  stream->next_out = output;
  stream->avail_out = *output_size;
  /* The head of a member may have a sum of its own, which libz checks. */
  const int is_head = libz.validate != NULL && !this->is_behind_head;
  int status = libz.inflate(stream, is_head ? Z_BLOCK : Z_NO_FLUSH);
  *input_size -= stream->avail_in;
  *output_size -= stream->avail_out;
  if (this->is_behind_head) status = check_member(this, status, input, *input_size, output, *output_size);
  else if (is_head && status == Z_OK && (stream->data_type & Z_AT_BLOCK)) {
    libz.validate(stream, 0);
    this->is_behind_head = 1;
    this->crc = this->length = 0;
  }
  if (status == Z_STREAM_END) {
    libz.reset(stream);
    if (libz.validate != NULL) libz.validate(stream, 1);
    this->is_behind_head = 0;
  }
  return status == Z_BUF_ERROR ? step_on : status;
}

static int zstd_step(void *stream, uint8_t *input, unsigned *input_size, uint8_t *output, unsigned *output_size) {
  struct zstd_input in = { input, *input_size, 0 };
  struct zstd_output out = { output, *output_size, 0 };
  const size_t left = libzstd.decompress(stream, &out, &in);
  *input_size = in.at;
  *output_size = out.at;
  if (!libzstd.is_error(left)) return left == 0 ? step_end : step_on;
  /* "Frame requires too much memory for decoding", or none is left for it. */
  return strstr(libzstd.error_name(left), "memory") != NULL ? step_memory : step_bad;
}

/* At the end of its streams only when there is no more input: an empty one says so. */
static int xz_step(struct lzma_stream *stream, uint8_t *input, unsigned *input_size, uint8_t *output, unsigned *output_size) {
  stream->next_in = input;
  stream->avail_in = *input_size;
  stream->next_out = output;
  stream->avail_out = *output_size;
  const int status = liblzma.code(stream, *input_size == 0 ? LZMA_FINISH : LZMA_RUN);
  *input_size -= stream->avail_in;
  *output_size -= stream->avail_out;
  if (status == LZMA_OK || status == LZMA_BUF_ERROR) return step_on;
  if (status == LZMA_STREAM_END) return liblzma.begin(stream, xz_memory, LZMA_CONCATENATED) == LZMA_OK ? step_end : step_memory;
  return status == LZMA_MEM_ERROR || status == LZMA_MEMLIMIT_ERROR ? step_memory : step_bad;
}

/*
 * One block of a legacy frame, or a part of it; `output` has room for a whole one. A frame ends with the file, or before a number that is
 * no length of a block: the magic number of what follows, which is not taken.
 */
static int legacy_step(struct lz4 *this, const uint8_t *input, unsigned *input_size, uint8_t *output, unsigned *output_size) {
  unsigned taken = 0;
  const unsigned there = *input_size, room = *output_size;
  *input_size = *output_size = 0;
  if (this->length == 0) {
    if (there == 0) return step_end;
    if (there < 4 || room < legacy_plain) return step_bad;
    this->length = little_endian(input);
    if (this->length == 0) return step_bad;
    if (this->length > legacy_packed) return this->length = 0, step_end;
    this->filled = 0;
    taken = 4;
  } else if (there == 0) return step_bad;
  const unsigned wanted = this->length - this->filled, part = there - taken < wanted ? there - taken : wanted;
  memcpy(this->block + this->filled, input + taken, part);
  this->filled += part;
  *input_size = taken + part;
  if (part < wanted) return step_on;
  if (room < legacy_plain) return step_bad;
  const int plain = liblz4.block((const char *)this->block, (char *)output, this->length, legacy_plain);
  this->length = 0;
  if (plain < 0) return step_bad;
  *output_size = plain;
  return step_on;
}

static int lz4_step(struct lz4 *this, const uint8_t *input, unsigned *input_size, uint8_t *output, unsigned *output_size, int is_first) {
  static const uint8_t legacy_magic[] = { 0x02, 0x21, 0x4c, 0x18 };
  if (is_first) {
    this->is_legacy = *input_size >= sizeof legacy_magic && memcmp(input, legacy_magic, sizeof legacy_magic) == 0;
    if (this->is_legacy) {
      if (this->block == NULL) this->block = malloc(legacy_packed);
      *input_size = sizeof legacy_magic;
      *output_size = 0;
      return this->block == NULL ? step_memory : step_on;
    }
  }
  if (this->is_legacy) return legacy_step(this, input, input_size, output, output_size);
  size_t taken = *input_size, given = *output_size;
  const size_t left = liblz4.decompress(this->context, output, &given, input, &taken, NULL);
  *input_size = taken;
  *output_size = given;
  return liblz4.is_error(left) ? step_bad : left == 0 ? step_end : step_on;
}

static int step(struct decompressor *this, uint8_t *input, unsigned *input_size, uint8_t *output, unsigned *output_size) {
  switch (this->form) {
    case form_gzip: return gzip_step(&this->gzip, input, input_size, output, output_size);
    case form_zstd: return zstd_step(this->zstd, input, input_size, output, output_size);
    case form_xz: return xz_step(&this->xz, input, input_size, output, output_size);
    case form_lz4: {
      const int status = lz4_step(&this->lz4, input, input_size, output, output_size, !this->is_within);
      this->is_within = status == step_on;
      return status;
    }
  }
  return step_bad;
}

/*
 * step(input, from, to, output, from, to): [bytes taken, bytes given, 0 to go on, 1 at the end of a member, else an error].
 * Behind the end of a member, the next step begins another one.
 */
static JSValue decompressor_step(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  struct decompressor *decompressor = JS_GetOpaque2(context, this, decompressor_class);
  if (decompressor == NULL) return JS_EXCEPTION;
  unsigned input_size, output_size;
  uint8_t *input = range(context, arguments, &input_size);
  uint8_t *output = input == NULL ? NULL : range(context, arguments + 3, &output_size);
  if (output == NULL) return JS_EXCEPTION;
  const int status = step(decompressor, input, &input_size, output, &output_size);
  const int32_t results[] = { input_size, output_size, status };
  JSValue array = JS_NewArray(context);
  for (uint32_t index = 0; index < 3; index++)
    JS_SetPropertyUint32(context, array, index, JS_NewInt32(context, results[index]));
  return array;
}

/* widenPipe(descriptor, bytes): a refusal is no error, the pipe then stays as it is. */
static JSValue widen_pipe(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  int32_t descriptor, size;
  if (JS_ToInt32(context, &descriptor, arguments[0]) || JS_ToInt32(context, &size, arguments[1])) return JS_EXCEPTION;
  fcntl(descriptor, F_SETPIPE_SZ, size);
  return JS_UNDEFINED;
}

/* openPath(buffer, from, to): opens what has these bytes as its name, which a string of JavaScript cannot hold when they are no UTF-8. */
static JSValue open_path(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  unsigned length;
  uint8_t *bytes = range(context, arguments, &length);
  if (bytes == NULL) return JS_EXCEPTION;
  char path[PATH_MAX];
  if (length >= sizeof path) return JS_NewInt32(context, -ENAMETOOLONG);
  memcpy(path, bytes, length);
  path[length] = 0;
  const int descriptor = open(path, O_PATH | O_CLOEXEC);
  return JS_NewInt32(context, descriptor < 0 ? -errno : descriptor);
}

/* isZero(buffer, from, to): whether every byte is zero. The first is, and each is like the one before it. */
static JSValue is_zero(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  unsigned length;
  uint8_t *bytes = range(context, arguments, &length);
  if (bytes == NULL) return JS_EXCEPTION;
  return JS_NewBool(context, length == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0));
}

/*
 * lz4Block(input, from, to, output, from, to, start, isPartial): where in the output's range the block ended, or -1 for a bad one.
 * `start`: where in that range to begin; what stands before it can be referred to.
 */
static JSValue decompress_lz4(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  unsigned input_size, output_size;
  int64_t start;
  if (JS_ToInt64(context, &start, arguments[6])) return JS_EXCEPTION;
  const int is_partial = JS_ToBool(context, arguments[7]);
  uint8_t *input = is_partial < 0 ? NULL : range(context, arguments, &input_size);
  uint8_t *output = input == NULL ? NULL : range(context, arguments + 3, &output_size);
  if (output == NULL) return JS_EXCEPTION;
  if (start < 0) return JS_ThrowRangeError(context, "outside the buffer");
  return JS_NewInt64(context, lz4_block(input, input_size, output, start, output_size, is_partial));
}

/* A string of one character for each byte. QuickJS takes UTF-8, in which a byte over 0x7f is two. */
static JSValue latin1_string(JSContext *context, const uint8_t *bytes, unsigned length) {
  unsigned high = 0;
  for (unsigned index = 0; index < length; index++) high += bytes[index] >> 7;
  if (high == 0) return JS_NewStringLen(context, (const char *)bytes, length);
  char *text = js_malloc(context, (size_t)length + high), *next = text;
  if (text == NULL) return JS_EXCEPTION;
  for (unsigned index = 0; index < length; index++) {
    if (bytes[index] < 0x80) *next++ = bytes[index];
    else {
      *next++ = 0xc0 | bytes[index] >> 6;
      *next++ = 0x80 | (bytes[index] & 0x3f);
    }
  }
  JSValue string = JS_NewStringLen(context, text, next - text);
  js_free(context, text);
  return string;
}

/* latin1(buffer, from, to) */
static JSValue to_latin1(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  unsigned length;
  const uint8_t *bytes = range(context, arguments, &length);
  return bytes == NULL ? JS_EXCEPTION : latin1_string(context, bytes, length);
}

/* find(buffer, from, to, needle, from, to, start): where in the first range the second one is, at or after `start`; or -1. */
static JSValue find_bytes(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  unsigned length, needle_length;
  int64_t start;
  if (JS_ToInt64(context, &start, arguments[6])) return JS_EXCEPTION;
  const uint8_t *bytes = range(context, arguments, &length);
  const uint8_t *needle = bytes == NULL ? NULL : range(context, arguments + 3, &needle_length);
  if (needle == NULL) return JS_EXCEPTION;
  if (needle_length == 0) return JS_NewInt64(context, start);
  if (start < 0 || start > length) return JS_NewInt32(context, -1);
  const uint8_t *found, *end = bytes + length - needle_length + 1;
  if (needle_length > 2) found = memmem(bytes + start, length - start, needle, needle_length);
  else {
    /* glibc's memmem goes from byte to byte for so short a text. */
    found = bytes + start;
    while (found != NULL && found < end && memcmp(found, needle, needle_length) != 0) found = memchr(found + 1, needle[0], end - found - 1);
    if (found != NULL && found >= end) found = NULL;
  }
  return JS_NewInt64(context, found == NULL ? -1 : found - bytes);
}

/* How many bytes the UTF-8 letter has that begins here (RFC 3629, section 4), or 0 where none does. */
static unsigned utf8_letter(const uint8_t *at, size_t left) {
  const uint8_t first = at[0];
  if (first < 0x80) return 1;
  const unsigned length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || length > left) return 0;
  for (unsigned index = 1; index < length; index++)
    if (at[index] >> 6 != 2) return 0;
  if ((first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] > 0x9f)) return 0;
  return (first == 0xf0 && at[1] < 0x90) || (first == 0xf4 && at[1] > 0x8f) ? 0 : length;
}

/* utf8(buffer, from, to): the text, or undefined. QuickJS would take what follows a wrong byte for a part of its letter: a line's end, too. */
static JSValue to_text(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  unsigned length;
  const uint8_t *bytes = range(context, arguments, &length);
  if (bytes == NULL) return JS_EXCEPTION;
  for (unsigned at = 0, letter; at < length; at += letter) {
    uint64_t eight;
    for (; length - at >= sizeof eight; at += sizeof eight) {
      memcpy(&eight, bytes + at, sizeof eight);
      if (eight & UINT64_C(0x8080808080808080)) break;
    }
    if (at == length) break;
    letter = utf8_letter(bytes + at, length - at);
    if (letter == 0) return JS_UNDEFINED;
  }
  return JS_NewStringLen(context, (const char *)bytes, length);
}

/* isPlain(buffer, from, to): see src/read/bytes.ts. */
static JSValue is_plain(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  unsigned length;
  const uint8_t *bytes = range(context, arguments, &length);
  if (bytes == NULL) return JS_EXCEPTION;
  for (unsigned index = 0; index < length; index++)
    if ((uint8_t)(bytes[index] - 0x20) >= 0x5f && bytes[index] != '\n') return JS_FALSE;
  return JS_TRUE;
}

enum { most_texts = 64, most_beginnings = 8 };

static uint32_t length_of(JSContext *context, JSValueConst array) {
  uint32_t length = 0;
  JSValue value = JS_GetPropertyStr(context, array, "length");
  JS_ToUint32(context, &length, value);
  JS_FreeValue(context, value);
  return length;
}

static void free_texts(JSContext *context, const char **texts, int count) {
  for (int index = 0; index < count; index++) JS_FreeCString(context, texts[index]);
}

/* The strings of an array as UTF-8, to be freed with free_texts; their number, or -1 when there are more than `most`, or no memory. */
static int texts_of(JSContext *context, JSValueConst array, const char **texts, size_t *lengths, uint32_t most) {
  const uint32_t count = length_of(context, array);
  if (count > most) {
    JS_ThrowRangeError(context, "more than %u texts", (unsigned)most);
    return -1;
  }
  for (uint32_t index = 0; index < count; index++) {
    JSValue text = JS_GetPropertyUint32(context, array, index);
    texts[index] = JS_ToCStringLen(context, &lengths[index], text);
    JS_FreeValue(context, text);
    if (texts[index] != NULL) continue;
    free_texts(context, texts, index);
    return -1;
  }
  return count;
}

/* linesBeginning(buffer, from, to, beginnings, lines): see src/read/bytes.ts. */
static JSValue lines_beginning(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  unsigned length;
  const uint8_t *line = range(context, arguments, &length);
  if (line == NULL) return JS_EXCEPTION;
  const uint8_t *start = line, *end = line + length;
  const char *beginnings[most_beginnings];
  size_t lengths[most_beginnings];
  const int known = texts_of(context, arguments[3], beginnings, lengths, most_beginnings);
  if (known < 0) return JS_EXCEPTION;
  for (uint32_t found = 0; line < end && *line != '\n';) {
    const uint8_t *newline = memchr(line, '\n', end - line), *stop = newline == NULL ? end : newline;
    for (int index = 0; index < known; index++) {
      if ((size_t)(stop - line) < lengths[index] || (*line | 0x20) != beginnings[index][0]) continue;
      if (strncasecmp((const char *)line, beginnings[index], lengths[index]) != 0) continue;
      JS_SetPropertyUint32(context, arguments[4], found++, latin1_string(context, line, stop - line));
      break;
    }
    line = stop + 1;
  }
  free_texts(context, beginnings, known);
  return JS_NewInt64(context, line < end ? line - start : -1);
}

/*
 * nextCommit(buffer, from, to, start, end): where in that range the next dash stands, from `start` on and before `end`, that has a decimal
 * digit before it and 40 hexadecimal ones behind it; else -1. All but the range itself counts from the range's beginning.
 */
static JSValue next_commit(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  enum { commit_length = 40 };
  unsigned length;
  int64_t start, end;
  const uint8_t *bytes = range(context, arguments, &length);
  if (bytes == NULL || JS_ToInt64(context, &start, arguments[3]) || JS_ToInt64(context, &end, arguments[4])) return JS_EXCEPTION;
  if (end > (int64_t)length - commit_length) end = (int64_t)length - commit_length;
  for (int64_t at = start < 1 ? 1 : start; at < end; at++) {
    const uint8_t *dash = memchr(bytes + at, '-', end - at);
    if (dash == NULL) break;
    at = dash - bytes;
    if ((unsigned)(dash[-1] - '0') > 9) continue;
    int digits = 1;
    while (digits <= commit_length && ((unsigned)(dash[digits] - '0') < 10 || (unsigned)(dash[digits] - 'a') < 6)) digits++;
    if (digits > commit_length) return JS_NewInt64(context, at);
  }
  return JS_NewInt32(context, -1);
}

/* The whole of a regular file of at most `limit` bytes in `*buffer`, which grows; -1 for any other. */
static int64_t read_file(const char *path, int64_t limit, char **buffer, size_t *capacity) {
  int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  struct stat status;
  int64_t length = -1;
  if (descriptor < 0) return -1;
  if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= limit) {
    if ((size_t)status.st_size > *capacity) {
      char *wider = realloc(*buffer, (size_t)status.st_size);
      if (wider != NULL) *buffer = wider, *capacity = (size_t)status.st_size;
    }
    if ((size_t)status.st_size <= *capacity) {
      ssize_t count = 1;
      for (length = 0; length < status.st_size && count > 0; length += count > 0 ? count : 0)
        count = read(descriptor, *buffer + length, (size_t)(status.st_size - length));
      if (count < 0) length = -1;
    }
  }
  close(descriptor);
  return length;
}

/*
 * Several texts that are looked for at once (Horspool's way with pairs of bytes, after Wu and Manber, 1994): how far the pair at the end of a
 * window of the shortest text's length lets it move on, without one of the texts beginning before. 0: one may begin with the window.
 */
enum { pair_hashes = 4096, longest_window = 32 };

struct text_set {
  const char *texts[most_texts];
  size_t lengths[most_texts];
  int count;
  size_t window;
  uint8_t moves[pair_hashes];
};

static unsigned pair_hash(const uint8_t *pair) { return (pair[0] << 5 ^ pair[1]) & (pair_hashes - 1); }

/* False with an exception thrown. */
static int make_text_set(JSContext *context, JSValueConst array, struct text_set *set) {
  set->count = texts_of(context, array, set->texts, set->lengths, most_texts);
  if (set->count < 0) return 0;
  set->window = longest_window;
  for (int index = 0; index < set->count; index++)
    if (set->lengths[index] < set->window) set->window = set->lengths[index];
  if (set->window < 2) return 1;
  memset(set->moves, set->window - 1, sizeof set->moves);
  for (int index = 0; index < set->count; index++) {
    for (size_t at = 0; at + 2 <= set->window; at++) {
      uint8_t *move = &set->moves[pair_hash((const uint8_t *)set->texts[index] + at)];
      if (set->window - 2 - at < *move) *move = set->window - 2 - at;
    }
  }
  return 1;
}

static int holds_one(const struct text_set *set, const uint8_t *bytes, size_t length) {
  if (set->window < 2) {
    for (int index = 0; index < set->count; index++)
      if (memmem(bytes, length, set->texts[index], set->lengths[index]) != NULL) return 1;
    return 0;
  }
  for (size_t end = set->window; end <= length;) {
    const unsigned move = set->moves[pair_hash(bytes + end - 2)];
    const size_t start = end - set->window;
    end += move;
    for (int index = 0; move == 0 && index < set->count; index++)
      if (set->lengths[index] <= length - start && memcmp(bytes + start, set->texts[index], set->lengths[index]) == 0) return 1;
    if (move == 0) end++;
  }
  return 0;
}

/* holding(paths, texts, limit): see host.ts. */
static JSValue holding(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  int64_t limit;
  struct text_set set;
  if (JS_ToInt64(context, &limit, arguments[2]) || !make_text_set(context, arguments[1], &set)) return JS_EXCEPTION;
  const uint32_t paths = length_of(context, arguments[0]);
  uint32_t found = 0;
  char *buffer = NULL;
  size_t capacity = 0;
  JSValue results = JS_NewArray(context);
  for (uint32_t index = 0; index < paths; index++) {
    JSValue path = JS_GetPropertyUint32(context, arguments[0], index);
    const char *name = JS_ToCString(context, path);
    const int64_t length = name == NULL ? -1 : read_file(name, limit, &buffer, &capacity);
    JS_FreeCString(context, name);
    if (length > 0 && holds_one(&set, (const uint8_t *)buffer, (size_t)length))
      JS_SetPropertyUint32(context, results, found++, JS_DupValue(context, path));
    JS_FreeValue(context, path);
  }
  free(buffer);
  free_texts(context, set.texts, set.count);
  return results;
}

/*
 * alarm(milliseconds): SIGALRM then, with its default action and for certain. A signal that is caught, or the event loop's own timer, would
 * not end a process that waits for a filesystem without an answer; one that is to die of it does.
 */
static JSValue set_alarm(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  int64_t milliseconds;
  if (JS_ToInt64(context, &milliseconds, arguments[0])) return JS_EXCEPTION;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGALRM);
  signal(SIGALRM, SIG_DFL);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  const struct itimerval timer = { .it_value = { milliseconds / 1000, milliseconds % 1000 * 1000 } };
  setitimer(ITIMER_REAL, &timer, NULL);
  return JS_UNDEFINED;
}

/* memoryFile(): the descriptor of a file that is nowhere but in memory, or -1. */
static JSValue memory_file(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  return JS_NewInt32(context, memfd_create("kata-check", MFD_CLOEXEC));
}

static JSClassID table_class;

static void table_finalizer(JSRuntime *runtime, JSValue value) {
  struct table *table = JS_GetOpaque(value, table_class);
  if (table != NULL) free_table(table);
}

static JSClassDef table_definition = { "EntryTable", .finalizer = table_finalizer };

/* The bytes of a string that has a character for each; they are to be freed. NULL with an exception when it is none, or without memory. */
static uint8_t *string_bytes(JSContext *context, JSValueConst value, size_t *length) {
  size_t size, at = 0;
  const char *text = JS_ToCStringLen(context, &size, value);
  uint8_t *bytes = text == NULL ? NULL : js_malloc(context, size + 1);
  *length = 0;
  while (bytes != NULL && at < size) {
    const uint8_t first = text[at++];
    bytes[(*length)++] = first < 0x80 ? first : first << 6 | (text[at++] & 0x3f);
    if (first < 0xc4) continue;
    js_free(context, bytes);
    bytes = NULL;
    JS_ThrowRangeError(context, "no string of bytes");
  }
  JS_FreeCString(context, text);
  return bytes;
}

/* entryTable(wanted): see EntryTable in src/host/host.ts, as all that follows. */
static JSValue make_table(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  struct table *table = new_table();
  if (table == NULL) return JS_ThrowOutOfMemory(context);
  JSValue object = JS_NewObjectClass(context, table_class);
  if (JS_IsException(object)) {
    free_table(table);
    return object;
  }
  JS_SetOpaque(object, table);
  const uint32_t wanted = length_of(context, arguments[0]);
  for (uint32_t index = 0; index < wanted; index++) {
    JSValue name = JS_GetPropertyUint32(context, arguments[0], index);
    size_t length;
    uint8_t *bytes = string_bytes(context, name, &length);
    const int fits = bytes != NULL && want_name(table, bytes, length);
    js_free(context, bytes);
    JS_FreeValue(context, name);
    if (fits) continue;
    JS_FreeValue(context, object);
    return bytes == NULL ? JS_EXCEPTION : JS_ThrowRangeError(context, "too many names, or too long ones");
  }
  return object;
}

/* The table, and the number of one of its entries; NULL with an exception. */
static struct table *table_of(JSContext *context, JSValueConst this, JSValueConst number, uint32_t *entry) {
  struct table *table = JS_GetOpaque2(context, this, table_class);
  if (table == NULL || JS_ToUint32(context, entry, number)) return NULL;
  if (*entry < table->entry_count) return table;
  JS_ThrowRangeError(context, "no entry %u", *entry);
  return NULL;
}

static JSValue table_add(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  struct table *table = JS_GetOpaque2(context, this, table_class);
  uint32_t kind;
  if (table == NULL || JS_ToUint32(context, &kind, arguments[0])) return JS_EXCEPTION;
  const int64_t number = add_entry(table, kind);
  return number < 0 ? JS_ThrowOutOfMemory(context) : JS_NewInt64(context, number);
}

static JSValue table_find(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  uint32_t directory;
  size_t length;
  struct table *table = table_of(context, this, arguments[0], &directory);
  uint8_t *bytes = table == NULL ? NULL : string_bytes(context, arguments[1], &length);
  if (bytes == NULL) return JS_EXCEPTION;
  const struct name *name = find_name(table, directory, bytes, length);
  js_free(context, bytes);
  return JS_NewInt64(context, name == NULL ? -1 : (int64_t)name->entry);
}

static JSValue table_put(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  uint32_t directory, entry;
  size_t length;
  struct table *table = table_of(context, this, arguments[0], &directory);
  if (table == NULL || table_of(context, this, arguments[2], &entry) == NULL) return JS_EXCEPTION;
  uint8_t *bytes = string_bytes(context, arguments[1], &length);
  if (bytes == NULL) return JS_EXCEPTION;
  const int is_put = put_name(table, directory, bytes, length, entry);
  js_free(context, bytes);
  return is_put ? JS_UNDEFINED : JS_ThrowOutOfMemory(context);
}

static JSValue table_names(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  uint32_t directory, found = 0;
  struct table *table = table_of(context, this, arguments[0], &directory);
  if (table == NULL) return JS_EXCEPTION;
  JSValue names = JS_NewArray(context);
  for (const struct name *name = table->names; name < table->names + table->name_count; name++)
    if (name->directory == directory)
      JS_SetPropertyUint32(context, names, found++, latin1_string(context, table->text + name->start, name->length));
  return names;
}

enum { column_kind, column_size, column_place, column_segment };

static JSValue table_get(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  uint32_t number, column;
  struct table *table = table_of(context, this, arguments[0], &number);
  if (table == NULL || JS_ToUint32(context, &column, arguments[1])) return JS_EXCEPTION;
  const struct entry *entry = &table->entries[number];
  switch (column) {
    case column_kind: return JS_NewInt32(context, entry->kind);
    case column_size: return JS_NewInt64(context, entry->size);
    case column_place: return JS_NewInt64(context, entry->place);
    case column_segment: return JS_NewInt32(context, entry->segment);
  }
  return JS_ThrowRangeError(context, "no column %u", column);
}

static JSValue table_set(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  uint32_t number, column;
  double value;
  struct table *table = table_of(context, this, arguments[0], &number);
  if (table == NULL || JS_ToUint32(context, &column, arguments[1]) || JS_ToFloat64(context, &value, arguments[2])) return JS_EXCEPTION;
  struct entry *entry = &table->entries[number];
  if (!(value >= 0 && value <= UINT64_C(1) << 53)) return JS_ThrowRangeError(context, "no place");
  switch (column) {
    case column_size: entry->size = (uint64_t)value; break;
    case column_place: entry->place = value; break;
    case column_segment: entry->segment = (uint64_t)value; break;
    default: return JS_ThrowRangeError(context, "no column %u", column);
  }
  return JS_UNDEFINED;
}

static JSValue table_target(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  uint32_t number;
  struct table *table = table_of(context, this, arguments[0], &number);
  if (table == NULL) return JS_EXCEPTION;
  const struct entry *entry = &table->entries[number];
  if (entry->kind != kind_symlink) return JS_ThrowTypeError(context, "no symbolic link");
  return latin1_string(context, table->text + (size_t)entry->place, entry->size);
}

static JSValue table_set_target(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  uint32_t number;
  size_t length;
  struct table *table = table_of(context, this, arguments[0], &number);
  uint8_t *bytes = table == NULL ? NULL : string_bytes(context, arguments[1], &length);
  if (bytes == NULL) return JS_EXCEPTION;
  const int64_t start = keep_text(table, bytes, length);
  js_free(context, bytes);
  if (start < 0) return JS_ThrowOutOfMemory(context);
  table->entries[number].place = start;
  table->entries[number].size = length;
  return JS_UNDEFINED;
}

static JSValue table_recall(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  size_t length;
  struct table *table = JS_GetOpaque2(context, this, table_class);
  uint8_t *bytes = table == NULL ? NULL : string_bytes(context, arguments[0], &length);
  if (bytes == NULL) return JS_EXCEPTION;
  const int64_t directory = recall(table, bytes, length);
  js_free(context, bytes);
  return JS_NewInt64(context, directory);
}

static JSValue table_remember(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  uint32_t directory;
  size_t length;
  struct table *table = table_of(context, this, arguments[1], &directory);
  uint8_t *bytes = table == NULL ? NULL : string_bytes(context, arguments[0], &length);
  if (bytes == NULL) return JS_EXCEPTION;
  remember(table, bytes, length, directory);
  js_free(context, bytes);
  return JS_UNDEFINED;
}

/* walk(state, buffer, from, to) or walk(state, descriptor, from, size). */
static JSValue table_walk(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  enum { position, entries_left, name_bytes_left, steps, segment, state_size };
  struct table *table = JS_GetOpaque2(context, this, table_class);
  size_t size;
  double *state = table == NULL ? NULL : (double *)JS_GetArrayBuffer(context, &size, arguments[0]);
  int64_t from, to;
  if (state != NULL && size < state_size * sizeof *state) return JS_ThrowRangeError(context, "too few numbers");
  if (state == NULL || JS_ToInt64(context, &from, arguments[2]) || JS_ToInt64(context, &to, arguments[3])) return JS_EXCEPTION;
  struct walk walk = {
    .position = state[position],
    .entries_left = state[entries_left],
    .name_bytes_left = state[name_bytes_left],
    .segment = state[segment],
  };
  if (JS_IsNumber(arguments[1])) {
    if (JS_ToInt32(context, &walk.descriptor, arguments[1])) return JS_EXCEPTION;
    walk.origin = from;
    walk.end = to;
    walk.bytes = table->window;
    walk.start = table->window_start;
    walk.length = table->window_length;
  } else {
    unsigned length;
    walk.descriptor = -1;
    walk.bytes = range(context, arguments + 1, &length);
    if (walk.bytes == NULL) return JS_EXCEPTION;
    walk.start = state[position];
    walk.length = length;
  }
  walk_entries(table, &walk);
  if (walk.descriptor >= 0) {
    table->window_start = walk.start;
    table->window_length = walk.length;
  }
  state[position] = walk.position;
  state[entries_left] = walk.entries_left;
  state[name_bytes_left] = walk.name_bytes_left;
  state[steps] = walk.steps;
  return JS_UNDEFINED;
}

static const JSCFunctionListEntry functions[] = {
  JS_CFUNC_DEF("alarm", 1, set_alarm),
  JS_CFUNC_DEF("decompressor", 1, make_decompressor),
  JS_CFUNC_DEF("lz4Block", 8, decompress_lz4),
  JS_CFUNC_DEF("widenPipe", 2, widen_pipe),
  JS_CFUNC_DEF("openPath", 3, open_path),
  JS_CFUNC_DEF("isZero", 3, is_zero),
  JS_CFUNC_DEF("holding", 3, holding),
  JS_CFUNC_DEF("entryTable", 1, make_table),
  JS_CFUNC_DEF("nextCommit", 5, next_commit),
  JS_CFUNC_DEF("latin1", 3, to_latin1),
  JS_CFUNC_DEF("find", 7, find_bytes),
  JS_CFUNC_DEF("isPlain", 3, is_plain),
  JS_CFUNC_DEF("utf8", 3, to_text),
  JS_CFUNC_DEF("linesBeginning", 5, lines_beginning),
  JS_CFUNC_DEF("memoryFile", 0, memory_file),
};

static const JSCFunctionListEntry decompressor_methods[] = { JS_CFUNC_DEF("step", 6, decompressor_step) };

static const JSCFunctionListEntry table_methods[] = {
  JS_CFUNC_DEF("add", 1, table_add),
  JS_CFUNC_DEF("find", 2, table_find),
  JS_CFUNC_DEF("put", 3, table_put),
  JS_CFUNC_DEF("names", 1, table_names),
  JS_CFUNC_DEF("get", 2, table_get),
  JS_CFUNC_DEF("set", 3, table_set),
  JS_CFUNC_DEF("target", 1, table_target),
  JS_CFUNC_DEF("setTarget", 2, table_set_target),
  JS_CFUNC_DEF("recall", 1, table_recall),
  JS_CFUNC_DEF("remember", 2, table_remember),
  JS_CFUNC_DEF("walk", 4, table_walk),
};

#define COUNT(array) (sizeof array / sizeof *array)

static void make_class(JSContext *context, JSClassID *id, JSClassDef *definition, const JSCFunctionListEntry *methods, int count) {
  JS_NewClassID(id);
  JS_NewClass(JS_GetRuntime(context), *id, definition);
  JSValue prototype = JS_NewObject(context);
  JS_SetPropertyFunctionList(context, prototype, methods, count);
  JS_SetClassProto(context, *id, prototype);
}

static int fill_module(JSContext *context, JSModuleDef *module) {
  make_class(context, &decompressor_class, &decompressor_definition, decompressor_methods, COUNT(decompressor_methods));
  make_class(context, &table_class, &table_definition, table_methods, COUNT(table_methods));
  return JS_SetModuleExportList(context, module, functions, COUNT(functions));
}

JSModuleDef *js_init_module_native(JSContext *context, const char *name) {
  JSModuleDef *module = JS_NewCModule(context, name, fill_module);
  if (module != NULL) JS_AddModuleExportList(context, module, functions, COUNT(functions));
  return module;
}
