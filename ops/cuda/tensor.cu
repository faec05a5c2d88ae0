// The kernels that tensor/ needs: copies, constants, random numbers (tensor/kernels.inc).
#include "ops/cuda/graph.h"
#include "ops/cuda/launch.cuh"
#include "tensor/draw.h"

namespace mini::cuda {
namespace {

template <class To, class From>
struct Convert {
  __device__ void operator()(To& y, const From& x) const { y = convert<To>(x); }
};

template <class T>
struct Constant {
  T value;
  __device__ void operator()(T& y) const { y = value; }
};

// Thread t draws one block of random numbers of a run.
template <Distribution distribution, class T>
struct Draw {
  std::uint64_t seed, offset;
  const std::uint64_t* base;  // in a captured step: {seed, offset}; `offset` counts from there
  DrawRuns runs;
  std::int64_t blocks;  // per run, at most
  T* out;

  __device__ void operator()(std::int64_t t) const {
    constexpr int per_block = numbers_per_block<T>;
    const std::int64_t run = t / blocks;
    const std::int64_t start = run * runs.distance + runs.start, end = start + runs.length;
    const std::int64_t block = start / per_block + t % blocks, first = block * per_block;
    if (first >= end) return;
    const std::uint64_t key = base != nullptr ? base[0] : seed;
    const std::uint64_t position = (base != nullptr ? base[1] : 0) + offset;
    T numbers[per_block];
    draw_block<distribution>(key, position + static_cast<std::uint64_t>(block), numbers);
    T* const values = out + run * runs.length - start;
    for (int i = 0; i < per_block; ++i)
      if (first + i >= start && first + i < end) values[first + i] = numbers[i];
  }
};

}  // namespace

void copy(const Tensor& from, const Tensor& to) {
  visit(to.dtype(), [&](auto to_type) {
    visit(from.dtype(), [&](auto from_type) {
      using To = typename decltype(to_type)::type;
      using From = typename decltype(from_type)::type;
      map<1, To, From>(Convert<Wide<To>, Wide<From>>{}, to, from);
    });
  });
}

void fill(const Tensor& x, double value) {
  visit(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    map<1, T>(Constant<Wide<T>>{static_cast<Wide<T>>(convert<T>(value))}, x);
  });
}

void draw(Distribution distribution, const Generator& generator, const DrawRuns& runs,
          const Tensor& out) {
  const RandomPosition captured = captured_position(generator);
  const std::uint64_t offset = captured.base != nullptr ? captured.beyond : generator.offset;
  visit_real(out.dtype(), "random", [&](auto type) {
    using T = typename decltype(type)::type;
    // A run that begins and ends inside a block touches up to two blocks more.
    const std::int64_t blocks = runs.length / numbers_per_block<T> + 2;
    visit(distribution, [&]<Distribution which>() {
      for_each(runs.count * blocks,
               Draw<which, T>{generator.seed, offset, captured.base, runs, blocks, out.data<T>()});
    });
  });
}

}  // namespace mini::cuda
