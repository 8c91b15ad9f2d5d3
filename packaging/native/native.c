/*
 * The module `native` of the native program: what QuickJS's own `os` lacks. `Inflater` decompresses gzip with the system's libz,
 * which takes half the time of the gzip program; libz is looked for when it is wanted, so that the program needs libc only.
 * `widenPipe` makes a pipe hold more, so that its two ends wake each other less often. `isZero` finds the holes of a file.
 * `lz4Block` decompresses one block of LZ4. Interface of libz: its zlib.h, whose struct z_stream has been the same since 1.0.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
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

enum { Z_OK = 0, Z_STREAM_END = 1, Z_BUF_ERROR = -5, gzip_window = 15 + 16 };

static struct {
  int (*init)(struct z_stream *, int window, const char *version, int size);
  int (*inflate)(struct z_stream *, int flush);
  int (*reset)(struct z_stream *);
  int (*end)(struct z_stream *);
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
  return libz.init && libz.inflate && libz.reset && libz.end;
}

static JSClassID inflater_class;

static void inflater_finalizer(JSRuntime *runtime, JSValue value) {
  struct z_stream *stream = JS_GetOpaque(value, inflater_class);
  if (stream == NULL) return;
  libz.end(stream);
  js_free_rt(runtime, stream);
}

static JSClassDef inflater_definition = { "Inflater", .finalizer = inflater_finalizer };

/* inflater(): an Inflater, or null without libz. */
static JSValue make_inflater(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  if (!find_libz()) return JS_NULL;
  struct z_stream *stream = js_mallocz(context, sizeof *stream);
  if (stream == NULL) return JS_EXCEPTION;
  if (libz.init(stream, gzip_window, "1.0", sizeof *stream) != Z_OK) {
    js_free(context, stream);
    return JS_NULL;
  }
  JSValue object = JS_NewObjectClass(context, inflater_class);
  if (JS_IsException(object)) {
    libz.end(stream);
    js_free(context, stream);
    return object;
  }
  JS_SetOpaque(object, stream);
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

/*
 * step(input, from, to, output, from, to): [bytes taken, bytes given, 0 to go on, 1 at the end of a member, else an error of libz].
 * Behind the end of a member, the next step begins another one.
 */
static JSValue inflater_step(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  struct z_stream *stream = JS_GetOpaque2(context, this, inflater_class);
  if (stream == NULL) return JS_EXCEPTION;
  uint8_t *input = range(context, arguments, &stream->avail_in);
  uint8_t *output = input == NULL ? NULL : range(context, arguments + 3, &stream->avail_out);
  if (output == NULL) return JS_EXCEPTION;
  stream->next_in = input;
  stream->next_out = output;
  int status = libz.inflate(stream, 0);
  const int32_t results[] = { (int32_t)(stream->next_in - input), (int32_t)(stream->next_out - output),
                              status == Z_BUF_ERROR ? Z_OK : status };
  if (status == Z_STREAM_END) libz.reset(stream);
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

static const JSCFunctionListEntry methods[] = { JS_CFUNC_DEF("step", 6, inflater_step) };
static const JSCFunctionListEntry functions[] = {
  JS_CFUNC_DEF("inflater", 0, make_inflater),
  JS_CFUNC_DEF("lz4Block", 8, decompress_lz4),
  JS_CFUNC_DEF("widenPipe", 2, widen_pipe),
  JS_CFUNC_DEF("isZero", 3, is_zero),
};

static int fill_module(JSContext *context, JSModuleDef *module) {
  JS_NewClassID(&inflater_class);
  JS_NewClass(JS_GetRuntime(context), inflater_class, &inflater_definition);
  JSValue prototype = JS_NewObject(context);
  JS_SetPropertyFunctionList(context, prototype, methods, sizeof methods / sizeof *methods);
  JS_SetClassProto(context, inflater_class, prototype);
  return JS_SetModuleExportList(context, module, functions, sizeof functions / sizeof *functions);
}

JSModuleDef *js_init_module_native(JSContext *context, const char *name) {
  JSModuleDef *module = JS_NewCModule(context, name, fill_module);
  if (module != NULL) JS_AddModuleExportList(context, module, functions, sizeof functions / sizeof *functions);
  return module;
}
