#include "tools/mini_gradcheck/sampler.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <set>

#include "tensor/view.h"

namespace mini::suite {

Draw uniform(double low, double high) {
  return [=](Generator& random) { return low + (high - low) * random.next_uniform(); };
}

Draw away_from(std::vector<double> kinks, double low, double high) {
  return [kinks = std::move(kinks), any = uniform(low, high)](Generator& random) {
    while (true) {
      const double value = any(random);
      if (std::all_of(kinks.begin(), kinks.end(),
                      [&](double kink) { return std::abs(value - kink) >= 0.05; }))
        return value;
    }
  };
}

Draw distinct(double low, double high) {
  constexpr std::int64_t slots = 1024;
  auto taken = std::make_shared<std::set<std::int64_t>>();
  return [=](Generator& random) {
    std::int64_t slot = random.next_below(slots);
    while (!taken->insert(slot).second) slot = random.next_below(slots);
    return low + (high - low) * (static_cast<double>(slot) + 0.5) / slots;
  };
}

Draw integers(std::int64_t low, std::int64_t high) {
  return [=](Generator& random) {
    return static_cast<double>(low + random.next_below(high - low + 1));
  };
}

std::int64_t Sampler::extent(std::int64_t most) {
  if (round_ == 0) return 1;
  if (round_ == 1) return most >= 5 && coin() ? 5 : 3;
  return between(1, most);
}

Shape Sampler::shape(int min_rank, int max_rank, std::int64_t elements) {
  // Round 0 may have any rank. In the other rounds, ranks take turns, so that each occurs.
  const int rank = min_rank + round_ % (max_rank - min_rank + 1);
  while (true) {
    Shape shape;
    for (int d = 0; d < rank; ++d) shape.push_back(extent(rank == 1 ? 9 : 5));
    if (round_ == 1)  // odd extents are large: keep only the first ones that fit
      for (int d = rank - 1; d > 0 && shape.numel() > elements; --d) shape[d] = 1;
    if (shape.numel() <= elements) return shape;
  }
}

Shape Sampler::broadcastable(const Shape& shape) {
  Shape result;
  const std::int64_t dropped = coin() ? between(0, shape.rank()) : 0;
  for (int d = 0; d < shape.rank(); ++d)
    if (d >= dropped) result.push_back(between(0, 2) == 0 ? 1 : shape[d]);
  return result;
}

Input Sampler::input(const Shape& shape, const Draw& draw) {
  Input result;
  result.layout = static_cast<Layout>((round_ + inputs_++) % 3);
  result.array = generate(
      shape, [&](const Shape&) { return static_cast<double>(static_cast<float>(draw(random_))); });
  return result;
}

Input Sampler::constant(const Shape& shape, const Draw& draw) {
  Input result = input(shape, draw);
  result.differentiable = false;
  return result;
}

Input Sampler::labels(const Shape& shape, std::int64_t below) {
  Input result = constant(shape, integers(0, below - 1));
  result.integer = true;
  return result;
}

Input Input::expanded() const {
  Input result = *this;
  if (array.shape.rank() == 0 || array.shape.numel() == 0) return result;
  result.layout = Layout::expanded;
  result.array = generate(array.shape, [&](Shape index) {
    index[0] = 0;
    return array[index];
  });
  return result;
}

Tensor Input::tensor(DType dtype, Device device) const {
  const Shape& shape = array.shape;
  const int rank = shape.rank();
  if (integer) dtype = DType::int64;
  const Tensor values = ops::to_device(ops::cast(Tensor::from(array.values, shape), dtype), device);
  if (layout == Layout::expanded) return ops::expand(ops::narrow(values, 0, 0, 1), shape);
  Tensor x;
  if (layout == Layout::permuted) {
    // The dimensions rotated in memory, so that [N,C,H,W] becomes channels-last.
    std::vector<int> stored(static_cast<std::size_t>(rank)), order(stored.size());
    std::iota(stored.begin(), stored.end(), 0);
    if (rank > 1)
      std::rotate(stored.begin() + (rank > 2), stored.begin() + (rank > 2) + 1, stored.end());
    Shape memory;
    for (std::size_t d = 0; d < stored.size(); ++d) {
      memory.push_back(shape[stored[d]]);
      order[static_cast<std::size_t>(stored[d])] = static_cast<int>(d);
    }
    x = ops::permute(Tensor::empty(memory, dtype, device), order);
  } else if (layout == Layout::sliced && rank > 0) {
    // The middle of a wider buffer of NaN, so that a read outside is noticed.
    const int dim = rank > 1 ? 1 : 0;
    Shape wide = shape;
    wide[dim] += 3;
    const Tensor buffer = Tensor::full(wide, NAN, dtype, device);
    x = ops::narrow(buffer, dim, 1, shape[dim]);
  } else {
    x = Tensor::empty(shape, dtype, device);
  }
  ops::copy(values, x);
  return x;
}

}  // namespace mini::suite
