// Row: what the checks need to know about one function of the catalogue. registry_*.cpp list the
// rows; checks.h lists the checks. Read next: registry_elementwise.cpp.
#pragma once

#include <string>
#include <type_traits>

#include "autograd/gradcheck.h"
#include "tools/mini_gradcheck/sampler.h"

namespace mini::suite {

using Reference = std::function<Arrays(const Arrays&)>;

// One call of the function, with all arguments chosen.
struct Case {
  std::vector<Input> inputs;
  TensorFunction call;
  Reference reference;                // the same in plain loops in float64
  std::string parameters;             // describes the case, besides its shapes
  TensorFunction derivative_of = {};  // see GradCheckOptions
};

struct ErrorCase {
  std::function<void()> call;
  std::string starts;  // beginning of the Error's text
};

inline constexpr unsigned every_input = ~0u;

struct Traits {
  bool differentiable = true;
  bool twice = true;          // second derivatives exist
  unsigned linear = 0;        // bit i: linear in input i if the others are fixed
  bool broadcasts = false;    // allows inputs of different shapes
  bool exact = false;         // sums of integer-valued float32 data must equal the reference
  std::int64_t smallest = 1;  // elements in the smallest possible first input
  double tolerance32 = 1e-5;  // of values, relative to the largest value (or 1)
  double gradient32 = 1e-4;   // of float32 gradients, likewise
  double tolerance64 = 1e-12;
};

struct Row {
  std::string name;  // as in autograd/functions.h; every overload has one or more rows
  std::function<Case(Sampler&)> sample;
  Traits traits = {};
  std::vector<ErrorCase> errors = {};
};

// These let a row return one Tensor or Array instead of a list.
template <class F>
TensorFunction many(F f) {
  if constexpr (std::is_same_v<std::invoke_result_t<F, const Tensors&>, Tensor>)
    return [f](const Tensors& x) { return Tensors{f(x)}; };
  else
    return f;
}
template <class F>
Reference many_arrays(F f) {
  if constexpr (std::is_same_v<std::invoke_result_t<F, const Arrays&>, Array>)
    return [f](const Arrays& x) { return Arrays{f(x)}; };
  else
    return f;
}

// Makes a case. The `parameters` are streamed into its description.
template <class F, class R, class... Parameters>
Case make_case(std::vector<Input> inputs, F call, R reference, const Parameters&... parameters) {
  return {std::move(inputs), many(std::move(call)), many_arrays(std::move(reference)),
          concat_text("", parameters...)};
}

const std::vector<Row>& registry();

// The parts of the registry, one per file.
std::vector<Row> elementwise_rows();
std::vector<Row> shape_rows();
std::vector<Row> reduction_rows();
std::vector<Row> convolution_rows();
std::vector<Row> image_rows();
std::vector<Row> resample_rows();
std::vector<Row> style_rows();
std::vector<Row> model_rows();
std::vector<Row> loss_rows();

}  // namespace mini::suite
