// cuBLAS and cuDNN are loaded when they are first needed.
#ifdef MINI_CUDA
#include "ops/cuda/libraries.h"

#include <gtest/gtest.h>

#include "tests/support/support.h"

namespace mini {
namespace {

TEST(CudaLibraries, AMissingOneIsNamedWithTheRemedy) {
  cuda::Library library("cuFFT", "libno_such_thing.so.3", "");
  const std::string text = test::error_of([&] { library.function("cufftCreate"); });
  EXPECT_TRUE(text.starts_with("cuda: cuFFT cannot be loaded (libno_such_thing.so.3: ")) << text;
  EXPECT_TRUE(
      text.ends_with("); install it, or name its folder in LD_LIBRARY_PATH, or use --device cpu"))
      << text;
}

TEST(CudaLibraries, OneThatIsTooOldIsNamed) {
  cuda::Library library("the C library", "libc.so.6", "");
  EXPECT_NE(library.function("malloc"), nullptr);
  EXPECT_EQ(test::error_of([&] { library.function("cufftCreate"); }),
            "cuda: libc.so.6 has no function cufftCreate; install a newer one, or use "
            "--device cpu");
}

TEST(CudaLibraries, IsFoundWhereItLayWhenThisWasCompiled) {
  cuda::Library library("the C library", "libno_such_thing.so.3", "libc.so.6");
  EXPECT_NE(library.function("malloc"), nullptr);
}

#ifndef MINI_CUDA_EMULATED
TEST(CudaLibraries, HaveEveryFunction) {
#define MINI_CHECK(function) EXPECT_NE(cuda::function.address(), nullptr);
  MINI_CUBLAS_FUNCTIONS(MINI_CHECK)
  MINI_CUDNN_FUNCTIONS(MINI_CHECK)
}
#endif

}  // namespace
}  // namespace mini
#endif  // MINI_CUDA
