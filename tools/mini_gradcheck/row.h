// Row: what the suite knows about one function of the catalogue. registry_*.cpp list the rows;
// checks.h says what is done with one. Read next: registry_elementwise.cpp.
#pragma once

#include <string>
#include <type_traits>

#include "autograd/gradcheck.h"
#include "tools/mini_gradcheck/sampler.h"

namespace mini::suite {

using Reference = std::function<Arrays(const Arrays&)>;

// One call of the function with everything decided.
struct Case {
  std::vector<Input> inputs;
  TensorFunction call;
  Reference reference;                // the same in plain float64 loops
  std::string parameters;             // what besides the shapes tells this case from others
  TensorFunction derivative_of = {};  // see GradCheckOptions
};

struct ErrorCase {
  std::function<void()> call;
  std::string starts;  // how the text of the Error begins
};

inline constexpr unsigned every_input = ~0u;

struct Traits {
  bool differentiable = true;
  bool twice = true;        // the gradient of the gradient is right, too
  unsigned linear = 0;      // bit i: linear in input i while the others stay fixed
  bool broadcasts = false;  // takes inputs of different shapes
  bool exact = false;       // on integer-valued float32 data every sum is exact, so equality is due
  std::int64_t smallest = 1;  // elements of the smallest possible first input
  double tolerance32 = 1e-5;  // of the forward pass, relative to the largest value (or 1)
  double gradient32 = 1e-4;   // the same of float32 gradients
  double tolerance64 = 1e-12;
};

struct Row {
  std::string name;  // as in autograd/functions.h; one row or more for every overload
  std::function<Case(Sampler&)> sample;
  Traits traits = {};
  std::vector<ErrorCase> errors = {};
};

// Lets a row return one Tensor or Array where the general case is several.
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

// A case from its parts; `parameters` are streamed one after the other.
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
std::vector<Row> model_rows();
std::vector<Row> loss_rows();

}  // namespace mini::suite
