#include "ops/cuda/libraries.h"

#include <dlfcn.h>
#include <string>

#include "tensor/error.h"

namespace mini::cuda {

#ifndef MINI_CUDA_EMULATED
// Releases with the same major version are interchangeable.
#define MINI_TEXT_OF(value) MINI_TEXT(value)
constinit Library cublas_library{"cuBLAS", "libcublas.so." MINI_TEXT_OF(CUBLAS_VER_MAJOR),
                                 MINI_CUBLAS_FOUND};
constinit Library cudnn_library{"cuDNN", "libcudnn.so." MINI_TEXT_OF(CUDNN_MAJOR),
                                MINI_CUDNN_FOUND};
#endif

void* Library::function(const char* function) {
  const std::scoped_lock lock(mutex_);
  if (handle_ == nullptr) handle_ = dlopen(file_, RTLD_NOW | RTLD_LOCAL);
  if (handle_ == nullptr) {
    const std::string reason = dlerror();
    if (*found_ != '\0') handle_ = dlopen(found_, RTLD_NOW | RTLD_LOCAL);
    check(handle_ != nullptr, "cuda: ", name_, " cannot be loaded (", reason,
          "); install it, or name its folder in LD_LIBRARY_PATH, or use --device cpu");
  }
  void* const address = dlsym(handle_, function);
  check(address != nullptr, "cuda: ", file_, " has no function ", function,
        "; install a newer one, or use --device cpu");
  return address;
}

}  // namespace mini::cuda
