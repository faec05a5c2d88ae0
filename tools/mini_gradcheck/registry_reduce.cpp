// Reductions, with references that loop over every input element.
#include <algorithm>
#include <cmath>

#include "autograd/functions.h"
#include "tools/mini_gradcheck/row.h"

namespace mini::suite {
namespace {

constexpr Traits linear{.linear = every_input};

Tensor zeros(const Shape& shape, DType dtype = DType::float32) {
  return Tensor::zeros(shape, dtype);
}

// The dimensions to reduce, and the shapes with and without them.
struct Reduced {
  std::vector<int> dims;
  bool keep;
  Shape kept;    // with extents of 1
  Shape result;  // without them, unless `keep`

  Reduced(const Shape& shape, std::vector<int> which, bool keep_dims)
      : dims(std::move(which)), keep(keep_dims), kept(shape) {
    for (const int dim : dims) kept[dim] = 1;
    for (int d = 0; d < shape.rank(); ++d)
      if (keep || std::find(dims.begin(), dims.end(), d) == dims.end()) result.push_back(kept[d]);
  }
  // The index in `kept` of the result that the input's element at `index` contributes to.
  Shape target(Shape index) const {
    for (const int dim : dims) index[dim] = 0;
    return index;
  }
  std::string text() const {
    std::string list;
    for (const int dim : dims) list += std::to_string(dim);
    return "over " + list + (keep ? " kept" : "");
  }
};

Reduced random_dims(Sampler& s, const Shape& shape) {
  std::vector<int> dims;
  for (int d = 0; d < shape.rank(); ++d)
    if (s.coin()) dims.push_back(d);
  return {shape, dims, s.coin()};
}

Array sum_of(const Array& x, const Reduced& r, double factor = 1) {
  Array y(r.kept);
  for_each(x.shape, [&](const Shape& i) { y[r.target(i)] += x[i]; });
  for (double& value : y.values) value *= factor;
  y.shape = r.result;
  return y;
}

using Reduction = Tensor (*)(const Tensor&, std::span<const int>, bool);
using FullReduction = Tensor (*)(const Tensor&);

Row over_dims(const std::string& name, Reduction call, bool mean) {
  const auto sample = [=](Sampler& s) {
    const Shape shape = s.shape(1, 4);
    const Reduced r = random_dims(s, shape);
    return make_case(
        {s.input(shape)}, [=](const Tensors& x) { return call(x[0], r.dims, r.keep); },
        [=](const Arrays& x) {
          const auto count =
              static_cast<double>(shape.numel()) / static_cast<double>(r.kept.numel());
          return sum_of(x[0], r, mean ? 1 / count : 1);
        },
        r.text());
  };
  return {name,
          sample,
          linear,
          {{[=] {
              call(zeros({2, 3}), std::vector<int>{0, -2}, false);
            },
            name + ": dimension"},
           {[=] {
              call(zeros({2, 3}), std::vector<int>{2}, false);
            },
            name + ": dimension 2 is out of range"}}};
}

Row over_everything(const std::string& name, FullReduction call, bool mean) {
  const auto sample = [=](Sampler& s) {
    return make_case(
        {s.input(s.shape(0, 4))}, [=](const Tensors& x) { return call(x[0]); },
        [=](const Arrays& x) {
          Array y{Shape{}};
          for (const double value : x[0].values) y.values[0] += value;
          if (mean) y.values[0] /= static_cast<double>(x[0].values.size());
          return y;
        });
  };
  return {name, sample, linear};
}

// Calls f(line) for every line of x along `dim`; line(k) is its element k.
template <class F>
void for_each_line(Array& x, int dim, const F& f) {
  for_each(Reduced(x.shape, {dim}, true).kept, [&](Shape start) {
    f([&x, start, dim](std::int64_t k) mutable -> double& {
      start[dim] = k;
      return x[start];
    });
  });
}

Case sample_amax(Sampler& s) {
  const Shape shape = s.shape(1, 4);
  const Reduced r(shape, {s.dim(shape)}, s.coin());
  return make_case(
      {s.input(shape, distinct())}, [=](const Tensors& x) { return amax(x[0], r.dims[0], r.keep); },
      [=](const Arrays& x) {
        Array y(r.kept, -INFINITY);
        for_each(shape,
                 [&](const Shape& i) { y[r.target(i)] = std::max(y[r.target(i)], x[0][i]); });
        y.shape = r.result;
        return y;
      },
      r.text());
}

Case sample_argmax(Sampler& s) {
  const Shape shape = s.shape(1, 4);
  const Reduced r(shape, {s.dim(shape)}, false);
  return make_case(
      {s.input(shape, integers(-1, 1))},  // few values, so that the first of equal ones matters
      [=](const Tensors& x) { return argmax(x[0], r.dims[0]); },
      [=](const Arrays& x) {
        Array best(r.kept, -INFINITY), y(r.kept);
        for_each(shape, [&](const Shape& i) {
          if (x[0][i] <= best[r.target(i)]) return;
          best[r.target(i)] = x[0][i];
          y[r.target(i)] = static_cast<double>(i[r.dims[0]]);
        });
        y.shape = r.result;
        return y;
      },
      r.text());
}

Row softmax_row(const std::string& name, Tensor (*call)(const Tensor&, int), bool logarithm) {
  const auto sample = [=](Sampler& s) {
    const Shape shape = s.shape(1, 4, 18);
    const int dim = s.dim(shape);
    return make_case(
        {s.input(shape, uniform(-3, 3))}, [=](const Tensors& x) { return call(x[0], dim); },
        [=](const Arrays& x) {
          Array y = x[0];
          for_each_line(y, dim, [&](auto line) {
            double total = 0;
            for (std::int64_t k = 0; k < shape[dim]; ++k) total += std::exp(line(k));
            for (std::int64_t k = 0; k < shape[dim]; ++k)
              line(k) = logarithm ? line(k) - std::log(total) : std::exp(line(k)) / total;
          });
          return y;
        },
        "dim=", dim);
  };
  return {
      name, sample, {}, {{[=] { call(zeros({2}), 1); }, name + ": dimension 1 is out of range"}}};
}

Case sample_sum_to(Sampler& s) {
  const Shape shape = s.shape(0, 4), result = s.broadcastable(shape);
  return make_case(
      {s.input(shape)}, [=](const Tensors& x) { return sum_to(x[0], result); },
      [=](const Arrays& x) {
        Array y(result);
        for_each(shape, [&](const Shape& i) {
          Shape target = result;
          for (int d = 0; d < result.rank(); ++d)
            target[d] = result[d] == 1 ? 0 : i[d + shape.rank() - result.rank()];
          y[target] += x[0][i];
        });
        return y;
      },
      "to ", result);
}

Case sample_one_hot(Sampler& s) {
  const Shape shape = s.shape(0, 3);
  const std::int64_t classes = s.between(1, 5);
  Shape result = shape;
  result.push_back(classes);
  return make_case(
      {s.labels(shape, classes)}, [=](const Tensors& x) { return one_hot(x[0], classes); },
      [=](const Arrays& x) {
        Array y(result);
        for_each(shape, [&](const Shape& i) {
          Shape at = i;
          at.push_back(static_cast<std::int64_t>(x[0][i]));
          y[at] = 1;
        });
        return y;
      },
      "classes=", classes);
}

}  // namespace

std::vector<Row> reduction_rows() {
  return {
      over_everything("sum", sum, false),
      over_dims("sum", sum, false),
      over_everything("mean", mean, true),
      over_dims("mean", mean, true),
      {"amax",
       sample_amax,
       {},
       {{[] {
           amax(zeros({2, 0}), 1);
         },
         "amax: no elements to take the maximum of"}}},
      {"argmax",
       sample_argmax,
       {.differentiable = false},
       {{[] { argmax(zeros({0}), 0); }, "argmax: no elements to take the maximum of"}}},
      softmax_row("softmax", softmax, false),
      softmax_row("log_softmax", log_softmax, true),
      {"sum_to",
       sample_sum_to,
       linear,
       {{[] {
           sum_to(zeros({2, 3}), {2});
         },
         "sum_to: shapes [2] and [2,3] do not broadcast"}}},
      {"one_hot",
       sample_one_hot,
       {.differentiable = false},
       {{[] { one_hot(zeros({2}), 3); }, "one_hot: labels are int64, got float32"},
        {[] { one_hot(zeros({2}, DType::int64), 0); }, "one_hot: needs at least one class, got 0"},
        {[] { one_hot(Tensor::full({1}, 3, DType::int64), 3); },
         "one_hot: label 3 is not in 0..2"}}},
  };
}

}  // namespace mini::suite
