// How a function finds the code of a device. Every backend implements the same kernels, each in its
// own namespace, and the linker says when one is missing:
//   mini::cpu::plain, avx2, avx512   ops/cpu/*.cpp, compiled for each instruction set (tensor/isa.h)
//   mini::cuda                       ops/cuda/*.cu; absent from a build without CUDA
// The kernels that tensor/ itself needs are below, those of the ops in ops/kernels.inc.
#pragma once

#include <array>

#include "tensor/isa.h"
#include "tensor/queue.h"
#include "tensor/random.h"
#include "tensor/tensor.h"

namespace mini {

namespace cpu {
#include "tensor/kernels.inc"

// Longer vectors would not speed these up, so one copy serves every instruction set.
namespace plain {
using cpu::copy, cpu::fill, cpu::draw;
}
namespace avx2 {
using cpu::copy, cpu::fill, cpu::draw;
}
namespace avx512 {
using cpu::copy, cpu::fill, cpu::draw;
}
}  // namespace cpu

namespace cuda {
#include "tensor/kernels.inc"  // NOLINT(readability-duplicate-include)

Allocator& allocator(int index);
// Makes a device the one that this thread's kernels run on. Throws, naming the remedy, where there
// is no driver, no such device, or one too old.
void use(Device device);
// Between host and device, or between devices: contiguous, of one shape and dtype. The host's
// values may be used, or changed, on return.
void transfer(const Tensor& from, const Tensor& to);
void wait_for(Device device);
std::shared_ptr<const HostCopy::Transfer> copy_to_host(const Tensor& x);
Tensor from_host(const Shape& shape, DType dtype, Device device,
                 std::function<void(const Tensor& values)> make);

// A call of CUDA or of one of its libraries that failed.
class Failure : public Error {
 public:
  using Error::Error;
};

// " x=float32[1,3,8,8]" for tensors, nothing for other operands.
template <class T>
std::string describe_operand(const T& operand) {
  if constexpr (std::is_same_v<T, Tensor>)
    return operand.defined() ? concat_text(' ', operand.dtype(), operand.shape()) : std::string();
  else
    return {};
}

// Runs a kernel on a device; a failure then names the op and the operands.
template <class Kernel, class... Operands>
auto run(Device device, const char* op, const Kernel& kernel, const Operands&... operands) {
  use(device);
  try {
    return kernel(operands...);
  } catch (const Failure& failure) {
    fail(op, " on ", device, " of", (describe_operand(operands) + ... + std::string()), ": ",
         failure.what());
  }
}
}  // namespace cuda

[[noreturn]] inline void fail_without_cuda() {
  fail(
      "device: this build of mini has no CUDA backend; use --device cpu, or build where nvcc, "
      "cuBLAS and cuDNN are found (-DMINI_CUDA=ON)");
}

}  // namespace mini

// Macros, because a function cannot choose between namespaces.

// The address of a CPU kernel in one instruction set, or null where the build lacks that.
#ifdef MINI_HAS_PLAIN
#define MINI_PLAIN_KERNEL(kernel) &::mini::cpu::plain::kernel
#else
#define MINI_PLAIN_KERNEL(kernel) nullptr
#endif
#ifdef MINI_HAS_AVX2
#define MINI_AVX2_KERNEL(kernel) &::mini::cpu::avx2::kernel
#else
#define MINI_AVX2_KERNEL(kernel) nullptr
#endif
#ifdef MINI_HAS_AVX512
#define MINI_AVX512_KERNEL(kernel) &::mini::cpu::avx512::kernel
#else
#define MINI_AVX512_KERNEL(kernel) nullptr
#endif

// The same in any set, which a table in the order of cpu::Isa gives; and in the one in use.
#define MINI_KERNEL_OF(isa, kernel)                        \
  (std::array<decltype(&::mini::cpu::plain::kernel), 3>{   \
      MINI_PLAIN_KERNEL(kernel), MINI_AVX2_KERNEL(kernel), \
      MINI_AVX512_KERNEL(kernel)}[static_cast<std::size_t>(isa)])
#define MINI_CPU_KERNEL(kernel) MINI_KERNEL_OF(::mini::cpu::isa(), kernel)

#ifdef MINI_CUDA
#define MINI_DISPATCH(device, kernel, ...)                                           \
  ((device).is_cpu() ? MINI_CPU_KERNEL(kernel)(__VA_ARGS__)                          \
                     : ::mini::cuda::run((device), #kernel,                          \
                                         [](const auto&... operands) {               \
                                           return ::mini::cuda::kernel(operands...); \
                                         },                                          \
                                         __VA_ARGS__))
#else
#define MINI_DISPATCH(device, kernel, ...)                                 \
  ((device).is_cpu() ? static_cast<void>(0) : ::mini::fail_without_cuda(), \
   MINI_CPU_KERNEL(kernel)(__VA_ARGS__))
#endif
