// Padding, the Haar transform and sparse maps. One thread computes one result; neighbouring threads
// compute neighbours in a row.
#include <bit>

#include "ops/cuda/launch.cuh"
#include "ops/functors_image.h"
#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::cuda {
namespace {

template <class T>
struct Pad {
  const T* x;
  T* y;
  std::int64_t height, width, out_height, out_width;
  PadMode mode;
  std::int64_t top, left;

  __device__ void operator()(std::int64_t i) const {
    const std::int64_t line = i / out_width;
    const std::int64_t row = functors::padding_source(line % out_height, top, height, mode);
    const std::int64_t column = functors::padding_source(i % out_width, left, width, mode);
    y[i] = row < 0 || column < 0 ? T{} : x[(line / out_height * height + row) * width + column];
  }
};

// The padded positions that copy a row (or column): its own, and those in the two margins.
struct Shown {
  std::int64_t begin[3], end[3];

  __device__ Shown(std::int64_t at, std::int64_t before, std::int64_t size, std::int64_t padded,
                   PadMode mode)
      : begin{0, before + at, before + size}, end{0, before + at + 1, before + size} {
    if (mode == PadMode::replicate) {
      if (at == 0) end[0] = before;
      if (at == size - 1) end[2] = padded;
    } else if (mode == PadMode::reflect) {
      const std::int64_t mirrored = before + 2 * (size - 1) - at;
      if (at > 0 && at <= before) end[0] = (begin[0] = before - at) + 1;
      if (at < size - 1 && mirrored < padded) end[2] = (begin[2] = mirrored) + 1;
    }
  }
  // Calls f(position) in increasing order.
  template <class F>
  __device__ void for_each(const F& f) const {
    for (int part = 0; part < 3; ++part)
      for (std::int64_t position = begin[part]; position < end[part]; ++position) f(position);
  }
};

template <class T>
struct PadGradient {
  const T* dy;
  T* dx;
  std::int64_t height, width, out_height, out_width;
  PadMode mode;
  std::int64_t top, left;

  __device__ void operator()(std::int64_t i) const {
    const std::int64_t line = i / width;
    const Shown rows(line % height, top, height, out_height, mode);
    const Shown columns(i % width, left, width, out_width, mode);
    const T* const plane = dy + line / height * out_height * out_width;
    Wide<T> sum = 0;
    rows.for_each([&](std::int64_t row) {
      columns.for_each([&](std::int64_t column) {
        sum += static_cast<Wide<T>>(plane[row * out_width + column]);
      });
    });
    dx[i] = static_cast<T>(sum);
  }
};

// Where the four bands and the 2x2 pixels of element i begin; height and width are those of a band.
struct HaarPlaces {
  std::int64_t channels, height, width;

  __device__ std::int64_t band() const { return channels * height * width; }
  __device__ std::int64_t bands(std::int64_t i) const { return i / band() * 3 * band() + i; }
  __device__ std::int64_t square(std::int64_t i) const {
    return i / width * 4 * width + i % width * 2;
  }
};

// Two neighbours in a row, stored by one instruction.
template <class T>
struct alignas(2 * sizeof(T)) Pair {
  T first, second;
};

template <class T>
struct Haar {
  HaarPlaces places;
  const T* x;
  T* y;

  __device__ void operator()(std::int64_t i) const {
    using W = Wide<T>;
    const T* const top = x + places.square(i);
    const T* const bottom = top + 2 * places.width;
    const auto bands = functors::haar<W>({static_cast<W>(top[0]), static_cast<W>(top[1]),
                                          static_cast<W>(bottom[0]), static_cast<W>(bottom[1])});
    T* const out = y + places.bands(i);
    const std::int64_t band = places.band();
    out[0] = static_cast<T>(bands.a);
    out[band] = static_cast<T>(bands.b);
    out[2 * band] = static_cast<T>(bands.c);
    out[3 * band] = static_cast<T>(bands.d);
  }
};

template <class T>
struct HaarInverse {
  HaarPlaces places;
  const T* x;
  T* y;

  __device__ void operator()(std::int64_t i) const {
    using W = Wide<T>;
    const T* const in = x + places.bands(i);
    const std::int64_t band = places.band();
    const auto square =
        functors::haar_inverse<W>({static_cast<W>(in[0]), static_cast<W>(in[band]),
                                   static_cast<W>(in[2 * band]), static_cast<W>(in[3 * band])});
    T* const top = y + places.square(i);
    *reinterpret_cast<Pair<T>*>(top) = {static_cast<T>(square.a), static_cast<T>(square.b)};
    *reinterpret_cast<Pair<T>*>(top + 2 * places.width) = {static_cast<T>(square.c),
                                                           static_cast<T>(square.d)};
  }
};

// A map on the device, in one array: first, source, and the bits of the weights.
struct DeviceMap {
  std::int64_t input_size, output_size;
  const std::int64_t *first, *source, *weight;

  __device__ double weight_of(std::int64_t term) const {
    return std::bit_cast<double>(weight[term]);
  }
};

Tensor table_of(const LinearMap& map, Device device) {
  std::vector<std::int64_t> table = map.first;
  table.insert(table.end(), map.source.begin(), map.source.end());
  for (const double weight : map.weight) table.push_back(std::bit_cast<std::int64_t>(weight));
  return ops::to_device(Tensor::from(table, {std::ssize(table)}), device);
}

// Threads follow the memory order of results. If inner > 1, neighbours use the same row of the map;
// if inner is 1, their rows read mostly the same elements.
template <class T>
struct MapLines {
  DeviceMap map;
  const T* x;
  T* y;
  std::int64_t inner;

  __device__ void operator()(std::int64_t i) const {
    using W = Wide<T>;
    const std::int64_t line = i / inner;
    const std::int64_t row = line % map.output_size;
    const T* const in = x + line / map.output_size * map.input_size * inner + i % inner;
    W total = 0;
    for (std::int64_t term = map.first[row]; term < map.first[row + 1]; ++term)
      total += static_cast<W>(map.weight_of(term)) * static_cast<W>(in[map.source[term] * inner]);
    y[i] = static_cast<T>(total);
  }
};

}  // namespace

void pad2d(const Tensor& x, const Tensor& y, PadMode mode, const Padding2d& padding) {
  visit_floating(x.dtype(), "pad2d", [&](auto type) {
    using T = typename decltype(type)::type;
    for_each(y.numel(), Pad<T>{x.data<T>(), y.data<T>(), x.shape()[2], x.shape()[3], y.shape()[2],
                               y.shape()[3], mode, padding.top, padding.left});
  });
}

void pad2d_gradient(const Tensor& dy, const Tensor& dx, PadMode mode, const Padding2d& padding) {
  visit_floating(dy.dtype(), "pad2d_adjoint", [&](auto type) {
    using T = typename decltype(type)::type;
    for_each(dx.numel(),
             PadGradient<T>{dy.data<T>(), dx.data<T>(), dx.shape()[2], dx.shape()[3], dy.shape()[2],
                            dy.shape()[3], mode, padding.top, padding.left});
  });
}

void haar(const Tensor& x, const Tensor& y) {
  visit_floating(x.dtype(), "haar", [&](auto type) {
    using T = typename decltype(type)::type;
    const HaarPlaces places{x.shape()[1], y.shape()[2], y.shape()[3]};
    for_each(x.numel() / 4, Haar<T>{places, x.data<T>(), y.data<T>()});
  });
}

void haar_inverse(const Tensor& x, const Tensor& y) {
  visit_floating(x.dtype(), "haar_inverse", [&](auto type) {
    using T = typename decltype(type)::type;
    const HaarPlaces places{y.shape()[1], x.shape()[2], x.shape()[3]};
    for_each(x.numel() / 4, HaarInverse<T>{places, x.data<T>(), y.data<T>()});
  });
}

void linear_map(const Tensor& x, const LinearMap& map, const Tensor& y) {
  const Tensor table = table_of(map, x.device());
  const std::int64_t* const first = table.data<std::int64_t>();
  const std::int64_t* const source = first + map.output_size() + 1;
  const DeviceMap there{map.input_size, map.output_size(), first, source,
                        source + std::ssize(map.source)};
  visit_floating(x.dtype(), "linear_map", [&](auto type) {
    using T = typename decltype(type)::type;
    for_each(y.numel(), MapLines<T>{there, x.data<T>(), y.data<T>(), x.shape()[2]});
  });
}

}  // namespace mini::cuda
