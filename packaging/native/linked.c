/*
 * For the static program: the libraries that native.c looks for at run time are linked into it, and are found here instead. Nothing else is,
 * whatever the system has.
 */

#include <lz4.h>
#include <lz4frame.h>
#include <lzma.h>
#include <stddef.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define PART(function) { #function, (void *)function }

static const struct {
  const char *name;
  void *function;
} parts[] = {
  PART(inflateInit2_),
  PART(inflate),
  PART(inflateReset),
  PART(inflateEnd),
  PART(inflateValidate),
  PART(crc32),
  PART(ZSTD_createDStream),
  PART(ZSTD_decompressStream),
  PART(ZSTD_DCtx_setParameter),
  PART(ZSTD_isError),
  PART(ZSTD_getErrorName),
  PART(ZSTD_freeDStream),
  PART(lzma_stream_decoder),
  PART(lzma_code),
  PART(lzma_end),
  PART(LZ4F_createDecompressionContext),
  PART(LZ4F_decompress),
  PART(LZ4F_isError),
  PART(LZ4F_freeDecompressionContext),
  PART(LZ4_decompress_safe),
};

void *dlopen(const char *name, int flags) {
  static const char *const libraries[] = { "libz.so.1", "libzstd.so.1", "liblzma.so.5", "liblz4.so.1" };
  for (size_t index = 0; index < sizeof libraries / sizeof *libraries; index++)
    if (strcmp(libraries[index], name) == 0) return (void *)libraries[index];
  return NULL;
}

void *dlsym(void *library, const char *name) {
  for (size_t index = 0; index < sizeof parts / sizeof *parts; index++)
    if (strcmp(parts[index].name, name) == 0) return parts[index].function;
  return NULL;
}

int dlclose(void *library) { return 0; }

char *dlerror(void) { return "nothing is loaded at run time"; }
