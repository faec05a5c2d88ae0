// Sampler: draws the shapes, memory layouts and values of test cases, the same in every run.
//
// A row draws one random case at a time. The number of the round makes sure that special cases
// occur: round 0 has extents of 1, round 1 odd extents, and memory layouts take turns.
#pragma once

#include <functional>
#include <string>

#include "tensor/random.h"
#include "tools/mini_gradcheck/array.h"

namespace mini::suite {

// How the elements of an input lie in memory.
enum class Layout { contiguous, permuted, sliced, expanded };

struct Input {
  Array array;
  Layout layout = Layout::contiguous;
  bool differentiable = true;
  bool integer = false;  // int64 (labels) instead of the dtype of the run

  Tensor tensor(DType dtype, Device device = {}) const;
  // An expanded view (stride 0) that repeats the first slice along dimension 0.
  Input expanded() const;
};

// Draws one value.
using Draw = std::function<double(Generator&)>;
Draw uniform(double low, double high);
// Values at least 0.05 away from each of `kinks`, and on both sides of each.
Draw away_from(std::vector<double> kinks, double low = -2, double high = 2);
// Values at least (high - low)/1024 apart, so that maxima are unique.
Draw distinct(double low = -2, double high = 2);
Draw integers(std::int64_t low, std::int64_t high);

class Sampler {
 public:
  Sampler(std::uint64_t seed, int round) : random_{seed, 0}, round_(round) {
    random_ = random_.fork(static_cast<std::uint64_t>(round));
  }
  int round() const { return round_; }

  std::int64_t between(std::int64_t low, std::int64_t high) {  // both inclusive
    return low + random_.next_below(high - low + 1);
  }
  bool coin() { return between(0, 1) == 1; }
  double real(double low, double high) { return low + (high - low) * random_.next_uniform(); }
  int dim(const Shape& shape) { return static_cast<int>(between(0, shape.rank() - 1)); }
  template <class T>
  T pick(std::initializer_list<T> choices) {
    return choices.begin()[between(0, std::ssize(choices) - 1)];
  }
  // An extent: 1 in round 0, odd and above 1 in round 1, otherwise 1..most.
  std::int64_t extent(std::int64_t most = 5);
  // Such extents, with at most `elements` elements in all.
  Shape shape(int min_rank, int max_rank, std::int64_t elements = 24);
  // A shape that broadcasts to `shape`: some extents become 1, some leading dimensions are dropped.
  Shape broadcastable(const Shape& shape);

  // An input whose values are exact in float32, so that a float32 run has the same inputs.
  Input input(const Shape& shape, const Draw& draw = uniform(-1, 1));
  // The same without a gradient.
  Input constant(const Shape& shape, const Draw& draw = uniform(-1, 1));
  // An input of int64 integers 0..below-1.
  Input labels(const Shape& shape, std::int64_t below);

 private:
  Generator random_;
  int round_;
  int inputs_ = 0;
};

}  // namespace mini::suite
