/*
 * The native program's start: QuickJS with its modules `std`, `os` and ours, `native`, and kata-check as bytecode. The bytecode comes in
 * several modules (packaging/bundle.mjs cuts it), each of which is read only when one that runs imports it: most runs need few of them.
 * `importModule(NAME)` is what the bundle has instead of `import()`, for which QuickJS would want debug information.
 */

#include <fcntl.h>
#include <string.h>
#include "memory.h"
#include "modules.h"
#include "quickjs-libc.h"

JSModuleDef *js_init_module_native(JSContext *context, const char *name);

/* Cycles of garbage are looked for when so many bytes are in use: more than a short run ever has. */
enum { first_collection = 4 * 1024 * 1024 };

static JSModuleDef *load(JSContext *context, const char *name, void *opaque) {
  for (size_t index = 0; index < sizeof modules / sizeof *modules; index++) {
    if (strcmp(modules[index].name, name) != 0) continue;
    JSValue module = JS_ReadObject(context, modules[index].bytecode, *modules[index].size, JS_READ_OBJ_BYTECODE);
    if (JS_IsException(module)) return NULL;
    /* QuickJS keeps it itself. */
    JS_FreeValue(context, module);
    return JS_VALUE_GET_PTR(module);
  }
  JS_ThrowReferenceError(context, "no module %s in this program", name);
  return NULL;
}

static JSValue import_module(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
  const char *name = JS_ToCString(context, arguments[0]);
  if (name == NULL) return JS_EXCEPTION;
  JSValue promise = JS_LoadModule(context, "", name);
  JS_FreeCString(context, name);
  return promise;
}

static JSContext *make_context(JSRuntime *runtime) {
  JSContext *context = JS_NewContextRaw(runtime);
  if (context == NULL) return NULL;
  JS_AddIntrinsicBaseObjects(context);
  JS_AddIntrinsicDate(context);
  JS_AddIntrinsicStringNormalize(context);
  JS_AddIntrinsicRegExpCompiler(context);
  JS_AddIntrinsicRegExp(context);
  JS_AddIntrinsicJSON(context);
  JS_AddIntrinsicProxy(context);
  JS_AddIntrinsicMapSet(context);
  JS_AddIntrinsicTypedArrays(context);
  JS_AddIntrinsicPromise(context);
  JS_AddIntrinsicWeakRef(context);
  js_init_module_std(context, "std");
  js_init_module_os(context, "os");
  js_init_module_native(context, "native");
  JSValue global = JS_GetGlobalObject(context);
  JS_SetPropertyStr(context, global, "importModule", JS_NewCFunction(context, import_module, "importModule", 1));
  JS_FreeValue(context, global);
  return context;
}

/* A file that is opened later must not become standard output by accident, and a wait for a closed descriptor would not end. */
static void open_closed_descriptors(void) {
  for (int descriptor = 0; descriptor <= 2; descriptor++)
    if (fcntl(descriptor, F_GETFD) == -1) open("/dev/null", O_RDWR);
}

int main(int count, char **arguments) {
  open_closed_descriptors();
  JSRuntime *runtime = JS_NewRuntime2(&memory_functions, NULL);
  if (runtime == NULL) return 1;
  JS_SetGCThreshold(runtime, first_collection);
  JS_SetModuleLoaderFunc(runtime, NULL, load, NULL);
  js_std_init_handlers(runtime);
  JSContext *context = make_context(runtime);
  if (context == NULL) return 1;
  js_std_add_helpers(context, count, arguments);
  JSValue promise = JS_LoadModule(context, "", "main.mjs");
  if (JS_IsException(promise)) {
    js_std_dump_error(context);
    return 1;
  }
  js_std_loop(context);
  if (JS_PromiseState(context, promise) != JS_PROMISE_REJECTED) return 0;
  JS_Throw(context, JS_PromiseResult(context, promise));
  js_std_dump_error(context);
  return 1;
}
