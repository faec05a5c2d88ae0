// Sampler: draws the shapes, memory layouts and values of test cases, the same ones in every run.
//
// A row draws one random case at a time; the round number makes sure that the special ones are
// among them: round 0 has size 1, round 1 odd extents, and the memory layouts take turns.
#pragma once

#include <functional>
#include <string>

#include "tensor/random.h"
#include "tools/mini_gradcheck/array.h"

namespace mini::suite {

// Where the elements of an input lie in memory.
enum class Layout { contiguous, permuted, sliced, expanded };

struct Input {
  Array array;
  Layout layout = Layout::contiguous;
  bool differentiable = true;
  bool integer = false;  // int64 (labels) rather than the dtype of the run

  Tensor tensor(DType dtype, Device device = {}) const;
  // The first slice along dimension 0 repeated, as an expanded view (stride 0).
  Input expanded() const;
};

// Draws one value.
using Draw = std::function<double(Generator&)>;
Draw uniform(double low, double high);
// At least 0.05 away from every one of `kinks`, and on either side of each.
Draw away_from(std::vector<double> kinks, double low = -2, double high = 2);
// No two values closer than (high - low)/1024: no ties for maxima.
Draw distinct(double low = -2, double high = 2);
Draw integers(std::int64_t low, std::int64_t high);

class Sampler {
 public:
  Sampler(std::uint64_t seed, int round) : random_{seed, 0}, round_(round) {
    random_ = random_.fork(static_cast<std::uint64_t>(round));
  }
  int round() const { return round_; }

  std::int64_t between(std::int64_t low, std::int64_t high) {  // both included
    return low + random_.next_below(high - low + 1);
  }
  bool coin() { return between(0, 1) == 1; }
  double real(double low, double high) { return low + (high - low) * random_.next_uniform(); }
  int dim(const Shape& shape) { return static_cast<int>(between(0, shape.rank() - 1)); }
  template <class T>
  T pick(std::initializer_list<T> choices) {
    return choices.begin()[between(0, std::ssize(choices) - 1)];
  }
  // An extent of 1 in round 0, odd and above 1 in round 1, 1..most otherwise.
  std::int64_t extent(std::int64_t most = 5);
  // Extents as above, at most `elements` in all.
  Shape shape(int min_rank, int max_rank, std::int64_t elements = 24);
  // A shape that broadcasts to `shape`: some extents 1, some leading dimensions dropped.
  Shape broadcastable(const Shape& shape);

  // Values rounded to float32, so that a run in float32 has the same inputs.
  Input input(const Shape& shape, const Draw& draw = uniform(-1, 1));
  // The same, with no gradient.
  Input constant(const Shape& shape, const Draw& draw = uniform(-1, 1));
  // Integers 0..below-1 as int64.
  Input labels(const Shape& shape, std::int64_t below);

 private:
  Generator random_;
  int round_;
  int inputs_ = 0;
};

}  // namespace mini::suite
