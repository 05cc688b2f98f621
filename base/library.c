#include "base/library.h"

#include "base/cleanup.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int library_load(struct library *library, struct err *err)
{
	void *handle;

	if (atomic_load_explicit(&library->handle, memory_order_acquire))
		return 0;
	WITH_LOCK(&library->mu);
	if (library->handle)
		return 0;
	handle = dlopen(library->soname, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!handle)
		return err_set(err, ERR_SYSTEM, ELIBACC, "load a library: %s", dlerror());
	atomic_store_explicit(&library->handle, handle, memory_order_release);
	return 0;
}

bool library_is_there(struct library *library)
{
	void *handle;

	if (atomic_load_explicit(&library->handle, memory_order_acquire))
		return true;
	handle = dlopen(library->soname, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
	if (handle)
		dlclose(handle);
	return handle;
}

void *library_function(struct library *library, _Atomic(void *) *place, const char *name)
{
	void *function = atomic_load_explicit(place, memory_order_acquire);
	struct err err = ERR_INIT;

	if (function)
		return function;
	if (library_load(library, &err) == 0)
		function = dlsym(library->handle, name);
	if (!function) {
		fprintf(stderr, "fetchfs: %s: %s\n", name, err.code ? err.msg : dlerror());
		abort();
	}
	atomic_store_explicit(place, function, memory_order_release);
	return function;
}
