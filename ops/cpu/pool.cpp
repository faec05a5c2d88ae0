// Pooling loops. Windows overlap when the stride is below the kernel, so the unit of parallel work
// is a plane: whatever is added into one is added by one thread, in a fixed order.
#include <algorithm>
#include <cmath>

#include "ops/kernels.h"
#include "tensor/parallel.h"

namespace mini::cpu::MINI_ISA {
namespace {

// Calls body(plane) for the N·C planes of x, about 16384 elements at a time.
template <class Body>
void for_each_plane(const Shape& x, const Body& body) {
  const std::int64_t size = std::max<std::int64_t>(1, x[2] * x[3]);
  parallel_for(x[0] * x[1], (16384 + size - 1) / size, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) body(plane);
  });
}

// Calls body(i, h0, h1, w0, w1) for output element i of a plane and the part of its window that
// lies in the image.
template <class Body>
void for_each_window(const Shape& x, const Shape& y, const Pool2dParams& params, const Body& body) {
  for (std::int64_t i = 0; i < y[2] * y[3]; ++i) {
    const std::int64_t h = i / y[3] * params.stride[0] - params.padding[0];
    const std::int64_t w = i % y[3] * params.stride[1] - params.padding[1];
    body(i, std::max<std::int64_t>(h, 0), std::min(h + params.kernel[0], x[2]),
         std::max<std::int64_t>(w, 0), std::min(w + params.kernel[1], x[3]));
  }
}

}  // namespace

void max_pool2d(const Tensor& x, const Tensor& y, const Tensor& indices,
                const Pool2dParams& params) {
  visit_real(x.dtype(), "max_pool2d", [&](auto type) {
    using T = typename decltype(type)::type;
    const Shape in = x.shape(), out = y.shape();
    for_each_plane(in, [&](std::int64_t plane) {
      const T* const source = x.data<T>() + plane * in[2] * in[3];
      T* const values = y.data<T>() + plane * out[2] * out[3];
      std::int64_t* const positions = indices.data<std::int64_t>() + plane * out[2] * out[3];
      for_each_window(
          in, out, params,
          [&](std::int64_t i, std::int64_t h0, std::int64_t h1, std::int64_t w0, std::int64_t w1) {
            std::int64_t best = h0 * in[3] + w0;
            for (std::int64_t h = h0; h < h1; ++h)
              for (std::int64_t w = w0; w < w1; ++w) {
                const T value = source[h * in[3] + w], largest = source[best];
                // The first NaN stays: nothing beats it, and it beats every number.
                if (value > largest || (std::isnan(value) && !std::isnan(largest)))
                  best = h * in[3] + w;
              }
            values[i] = source[best];
            positions[i] = best;
          });
    });
  });
}

void avg_pool2d(const Tensor& x, const Tensor& y, const Pool2dParams& params) {
  visit_real(x.dtype(), "avg_pool2d", [&](auto type) {
    using T = typename decltype(type)::type;
    const Shape in = x.shape(), out = y.shape();
    const T scale = T(1) / static_cast<T>(params.kernel[0] * params.kernel[1]);
    for_each_plane(in, [&](std::int64_t plane) {
      const T* const source = x.data<T>() + plane * in[2] * in[3];
      T* const values = y.data<T>() + plane * out[2] * out[3];
      for_each_window(
          in, out, params,
          [&](std::int64_t i, std::int64_t h0, std::int64_t h1, std::int64_t w0, std::int64_t w1) {
            T total = 0;
            for (std::int64_t h = h0; h < h1; ++h)
              for (std::int64_t w = w0; w < w1; ++w) total += source[h * in[3] + w];
            values[i] = total * scale;
          });
    });
  });
}

void avg_pool2d_gradient(const Tensor& dy, const Tensor& dx, const Pool2dParams& params) {
  visit_real(dy.dtype(), "avg_pool2d", [&](auto type) {
    using T = typename decltype(type)::type;
    const Shape in = dx.shape(), out = dy.shape();
    const T scale = T(1) / static_cast<T>(params.kernel[0] * params.kernel[1]);
    for_each_plane(in, [&](std::int64_t plane) {
      T* const target = dx.data<T>() + plane * in[2] * in[3];
      const T* const values = dy.data<T>() + plane * out[2] * out[3];
      for_each_window(
          in, out, params,
          [&](std::int64_t i, std::int64_t h0, std::int64_t h1, std::int64_t w0, std::int64_t w1) {
            const T share = values[i] * scale;
            for (std::int64_t h = h0; h < h1; ++h)
              for (std::int64_t w = w0; w < w1; ++w) target[h * in[3] + w] += share;
          });
    });
  });
}

void gather_planes(const Tensor& x, const Tensor& indices, const Tensor& y) {
  visit_real(x.dtype(), "gather_planes", [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t size = x.shape()[2] * x.shape()[3], picked = y.shape()[2] * y.shape()[3];
    for_each_plane(x.shape(), [&](std::int64_t plane) {
      const T* const source = x.data<T>() + plane * size;
      const std::int64_t* const from = indices.data<std::int64_t>() + plane * picked;
      T* const values = y.data<T>() + plane * picked;
      for (std::int64_t i = 0; i < picked; ++i) values[i] = source[from[i]];
    });
  });
}

void scatter_planes(const Tensor& x, const Tensor& indices, const Tensor& y) {
  visit_real(x.dtype(), "scatter_planes", [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t size = y.shape()[2] * y.shape()[3], picked = x.shape()[2] * x.shape()[3];
    for_each_plane(y.shape(), [&](std::int64_t plane) {
      T* const target = y.data<T>() + plane * size;
      const std::int64_t* const to = indices.data<std::int64_t>() + plane * picked;
      const T* const values = x.data<T>() + plane * picked;
      for (std::int64_t i = 0; i < picked; ++i) target[to[i]] += values[i];
    });
  });
}

}  // namespace mini::cpu::MINI_ISA
