// Kernels over many tensors, about a hundred per launch: Adam, the norm, and additions to
// gradients. A table of the tensors is a parameter of the kernel; each thread block takes a piece
// of one tensor.
#include <span>

#include "ops/cuda/launch.cuh"
#include "ops/functors.h"
#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::cuda {
namespace {

constexpr int threads = 256;
constexpr std::int64_t piece = 4096;       // elements per block
constexpr std::size_t table_bytes = 3840;  // kernel parameters are limited to 4 KB

// A list of tensors, or of groups of `operands` tensors of equal sizes, for a kernel.
template <int operands>
struct Table {
  struct Entry {
    void* data[operands];
    std::int64_t count;        // elements
    std::int64_t first_block;  // number within the launch
  };
  static constexpr int capacity = table_bytes / sizeof(Entry);
  Entry entries[capacity];
  int size = 0;
  std::int64_t blocks = 0;

  void add(const std::array<void*, operands>& data, std::int64_t count) {
    Entry& entry = entries[size++];
    std::copy(data.begin(), data.end(), entry.data);
    entry.count = count;
    entry.first_block = blocks;
    blocks += (count + piece - 1) / piece;
  }
  // The index of the entry that a block works on.
  __device__ int find(std::int64_t block) const {
    // Binary search for the last entry that begins at or before the block.
    int low = 0, high = size;
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      (entries[middle].first_block <= block ? low : high) = middle;
    }
    return low;
  }
};

template <class T>
__global__ void adam_kernel(const __grid_constant__ Table<4> table, AdamParams params,
                            const AdamStep* steps) {
  const int which = table.find(blockIdx.x);
  const auto& entry = table.entries[which];
  const functors::AdamUpdate<T> update(params, steps[which]);
  T* const parameter = static_cast<T*>(entry.data[0]);
  const T* const gradient = static_cast<const T*>(entry.data[1]);
  T* const mean = static_cast<T*>(entry.data[2]);
  T* const square = static_cast<T*>(entry.data[3]);
  const std::int64_t begin = (blockIdx.x - entry.first_block) * piece;
  const std::int64_t end = begin + piece < entry.count ? begin + piece : entry.count;
  for (std::int64_t i = begin + threadIdx.x; i < end; i += threads)
    update(parameter[i], gradient[i], mean[i], square[i]);
}

template <class T>
__global__ void add_kernel(const __grid_constant__ Table<2> table) {
  const auto& entry = table.entries[table.find(blockIdx.x)];
  T* const sum = static_cast<T*>(entry.data[0]);
  const T* const term = static_cast<const T*>(entry.data[1]);
  const std::int64_t begin = (blockIdx.x - entry.first_block) * piece;
  const std::int64_t end = begin + piece < entry.count ? begin + piece : entry.count;
  for (std::int64_t i = begin + threadIdx.x; i < end; i += threads)
    sum[i] = T(static_cast<Wide<T>>(sum[i]) + static_cast<Wide<T>>(term[i]));
}

template <class T>
__global__ void squares_kernel(const __grid_constant__ Table<1> table, double* sums) {
  __shared__ double partial[threads];
  const auto& entry = table.entries[table.find(blockIdx.x)];
  const T* const x = static_cast<const T*>(entry.data[0]);
  const std::int64_t begin = (blockIdx.x - entry.first_block) * piece;
  const std::int64_t end = begin + piece < entry.count ? begin + piece : entry.count;
  double sum = 0;
  for (std::int64_t i = begin + threadIdx.x; i < end; i += threads) {
    const auto value = static_cast<double>(static_cast<Wide<T>>(x[i]));
    sum += value * value;
  }
  for (int half = threads / 2; half > 0; half /= 2) {
    partial[threadIdx.x] = sum;
    __syncthreads();
    if (static_cast<int>(threadIdx.x) < half) sum += partial[static_cast<int>(threadIdx.x) + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// Calls run(first, table, dtype) for tables that together hold the operands of 0..count-1; each
// table has one dtype. operands_of(k) returns tensors of equal sizes without gaps.
template <int operands, class Operands, class Run>
void for_each_table(std::size_t count, const Operands& operands_of, const Run& run) {
  for (std::size_t k = 0; k < count;) {
    const std::size_t first = k;
    Table<operands> table;
    std::vector<std::array<Tensor, operands>> alive;  // keeps copies until the launch is queued
    for (; k < count && table.size < table.capacity; ++k) {
      std::array<Tensor, operands> tensors = operands_of(k);
      if (!alive.empty() && tensors[0].dtype() != alive[0][0].dtype()) break;
      std::array<void*, operands> data;
      for (std::size_t i = 0; i < operands; ++i) data[i] = tensors[i].raw_data();
      table.add(data, tensors[0].numel());
      alive.push_back(std::move(tensors));
    }
    if (table.blocks > 0) run(first, table, alive[0][0].dtype());
  }
}

}  // namespace

void adam(std::span<const AdamSlot> slots, const AdamParams& params, const Tensor& steps) {
  const auto* const all_steps = reinterpret_cast<const AdamStep*>(steps.data<double>());
  static_assert(sizeof(AdamStep) == 4 * sizeof(double));
  const auto operands_of = [&](std::size_t k) -> std::array<Tensor, 4> {
    const auto& [parameter, gradient, mean, square] = slots[k];
    if (gradient.strides() == parameter.strides()) return {parameter, gradient, mean, square};
    const Tensor turned = Tensor::empty_like(parameter);
    ops::copy(gradient, turned);
    return {parameter, turned, mean, square};
  };
  for_each_table<4>(
      slots.size(), operands_of, [&](std::size_t first, const Table<4>& table, DType dtype) {
        visit_real(dtype, "adam", [&](auto type) {
          using T = typename decltype(type)::type;
          launch({table.blocks, threads}, adam_kernel<T>, table, params, all_steps + first);
        });
      });
}

void add_pairs(std::span<const Addition> pairs) {
  const auto operands_of = [&](std::size_t k) -> std::array<Tensor, 2> {
    const auto& [sum, term] = pairs[k];
    if (term.strides() == sum.strides()) return {sum, term};
    const Tensor turned = Tensor::empty_like(sum);
    ops::copy(term, turned);
    return {sum, turned};
  };
  for_each_table<2>(pairs.size(), operands_of, [](std::size_t, const Table<2>& table, DType dtype) {
    visit_floating(dtype, "add_", [&](auto type) {
      using T = typename decltype(type)::type;
      launch({table.blocks, threads}, add_kernel<T>, table);
    });
  });
}

void sum_of_squares(std::span<const Tensor> xs, const Tensor& y) {
  std::int64_t blocks = 0;
  for (const Tensor& x : xs) blocks += (x.numel() + piece - 1) / piece;
  if (blocks == 0) return fill(y, 0);
  const Tensor sums = Tensor::empty({1, blocks, 1}, DType::float64, y.device());
  double* next = sums.data<double>();
  for_each_table<1>(
      xs.size(),
      [&](std::size_t k) -> std::array<Tensor, 1> {
        return {xs[k].is_dense() ? xs[k] : ops::contiguous(xs[k])};
      },
      [&](std::size_t, const Table<1>& table, DType dtype) {
        visit_floating(dtype, "sum_of_squares", [&](auto type) {
          using T = typename decltype(type)::type;
          launch({table.blocks, threads}, squares_kernel<T>, table, next);
        });
        next += table.blocks;
      });
  reduce(Reduction::sum, sums, ops::reshape(y, {1, 1}));
}

}  // namespace mini::cuda
