// The inverse of a small matrix, by one thread: the matrices of flows have some twenty rows.
#include "ops/cuda/launch.cuh"
#include "ops/functors_inverse.h"
#include "ops/kernels.h"

namespace mini::cuda {
namespace {

template <class T>
struct Inverse {
  std::int64_t size;
  const T* x;
  double *m, *result;
  T *y, *log_abs_det;

  __device__ void operator()(std::int64_t) const {
    for (std::int64_t i = 0; i < size * size; ++i) {
      m[i] = static_cast<double>(x[i]);
      result[i] = i % (size + 1) == 0 ? 1 : 0;
    }
    *log_abs_det = static_cast<T>(functors::invert(m, result, size));
    for (std::int64_t i = 0; i < size * size; ++i) y[i] = static_cast<T>(result[i]);
  }
};

}  // namespace

void inverse(const Tensor& x, const Tensor& y, const Tensor& log_abs_det) {
  const Tensor work = Tensor::empty({2, x.numel()}, DType::float64, x.device());
  visit_real(x.dtype(), "inverse", [&](auto type) {
    using T = typename decltype(type)::type;
    for_each(1, Inverse<T>{x.shape()[0], x.data<T>(), work.data<double>(),
                           work.data<double>() + x.numel(), y.data<T>(), log_abs_det.data<T>()});
  });
}

}  // namespace mini::cuda
