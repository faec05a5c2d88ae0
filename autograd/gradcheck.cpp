#include "autograd/gradcheck.h"

#include <algorithm>
#include <cmath>

#include "autograd/engine.h"
#include "tensor/random.h"
#include "tensor/view.h"

namespace mini {
namespace {

using Matrix = std::vector<std::vector<double>>;  // [input element][output element]

constexpr int entries_shown = 3;

void check_inputs(const Tensors& inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& x = inputs[i];
    if (!x.requires_grad()) continue;
    check(x.dtype() == DType::float64, "gradcheck: input ", i, " is ", x.dtype(),
          "; differences need float64");
    for (int d = 0; d < x.rank(); ++d)
      check(x.strides()[d] != 0 || x.shape()[d] <= 1, "gradcheck: input ", i, " of shape ",
            x.shape(), " is an expanded view, whose elements cannot change one by one");
  }
}

// A view of the element of x at a row-major position; a view works on any device.
Tensor element(const Tensor& x, std::int64_t flat) {
  std::int64_t place = x.offset();
  for (int d = x.rank() - 1; d >= 0; --d) {
    place += flat % x.shape()[d] * x.strides()[d];
    flat /= x.shape()[d];
  }
  return x.detach().as_strided({}, {}, place);
}

Shape index_of(const Shape& shape, std::int64_t flat) {
  Shape index = shape;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    index[d] = flat % shape[d];
    flat /= shape[d];
  }
  return index;
}

// The elements of all outputs, concatenated.
std::vector<double> evaluate(const TensorFunction& function, const Tensors& inputs) {
  const NoGrad guard;
  std::vector<double> result;
  for (const Tensor& output : function(inputs)) {
    const auto values = output.to_vector();
    result.insert(result.end(), values.begin(), values.end());
  }
  return result;
}

Matrix numeric_jacobian(const TensorFunction& function, const Tensors& inputs, const Tensor& input,
                        double epsilon) {
  Matrix rows;
  for (std::int64_t j = 0; j < input.numel(); ++j) {
    const Tensor x = element(input, j);
    const double before = x.to_vector()[0];
    ops::fill(x, before + epsilon);
    std::vector<double> row = evaluate(function, inputs);
    ops::fill(x, before - epsilon);
    const std::vector<double> low = evaluate(function, inputs);
    ops::fill(x, before);
    for (std::size_t k = 0; k < row.size(); ++k) row[k] = (row[k] - low[k]) / (2 * epsilon);
    rows.push_back(std::move(row));
  }
  return rows;
}

// One walk per output element gives a column of every input's Jacobian.
std::vector<Matrix> analytic_jacobians(const Tensors& outputs, const Tensors& inputs) {
  std::vector<Matrix> result(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i)
    result[i].resize(static_cast<std::size_t>(inputs[i].numel()));
  for (const Tensor& output : outputs) {
    for (std::int64_t k = 0; k < output.numel(); ++k) {
      Tensors grads(inputs.size());
      if (output.requires_grad()) {
        const Tensor one_hot = Tensor::zeros(output.shape(), output.dtype(), output.device());
        ops::fill(element(one_hot, k), 1);
        grads = grad({output}, inputs, {one_hot}, {.retain_graph = true});
      }
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        std::vector<double> column(result[i].size());  // zero where there is no influence
        if (grads[i].defined()) {
          check(grads[i].shape() == inputs[i].shape() && grads[i].dtype() == inputs[i].dtype(),
                "gradcheck: the gradient of an input of shape ", inputs[i].shape(), " has shape ",
                grads[i].shape(), " and dtype ", grads[i].dtype());
          column = grads[i].to_vector();
        }
        for (std::size_t j = 0; j < column.size(); ++j) result[i][j].push_back(column[j]);
      }
    }
  }
  return result;
}

// "output 0 [1,2]" for a position in the concatenation of all outputs.
std::string name_output(const Tensors& outputs, std::int64_t flat) {
  std::size_t which = 0;
  while (flat >= outputs[which].numel()) flat -= outputs[which++].numel();
  return concat_text("output ", which, ' ', index_of(outputs[which].shape(), flat));
}

}  // namespace

GradCheckResult gradcheck(const TensorFunction& function, const Tensors& inputs,
                          const GradCheckOptions& options) {
  check_inputs(inputs);
  Tensors wanted;
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad()) continue;
    wanted.push_back(inputs[i]);
    numbers.push_back(i);
  }
  const GradMode mode(true);
  const Tensors outputs = function(inputs);
  const std::vector<Matrix> analytic = analytic_jacobians(outputs, wanted);
  const TensorFunction& differenced = options.derivative_of ? options.derivative_of : function;
  GradCheckResult result;
  std::int64_t wrong = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const Matrix numeric = numeric_jacobian(differenced, inputs, wanted[i], options.epsilon);
    for (std::size_t j = 0; j < numeric.size(); ++j) {
      check(numeric[j].size() == analytic[i][j].size(), "gradcheck: ", numeric[j].size(),
            " output elements at one time, ", analytic[i][j].size(), " at another");
      for (std::size_t k = 0; k < numeric[j].size(); ++k) {
        const double a = analytic[i][j][k], n = numeric[j][k];
        const double difference = std::abs(a - n);
        ++result.compared;
        // This form makes a NaN disagree.
        if (!(difference <= options.absolute + options.relative * std::abs(n)) &&
            ++wrong <= entries_shown)
          result.text += concat_text("d ", name_output(outputs, static_cast<std::int64_t>(k)),
                                     " / d input ", numbers[i], ' ',
                                     index_of(wanted[i].shape(), static_cast<std::int64_t>(j)),
                                     ": analytic ", a, ", numeric ", n, '\n');
        result.error = std::isnan(difference)
                           ? INFINITY
                           : std::max(result.error, difference / std::max(1.0, std::abs(n)));
      }
    }
  }
  result.passed = wrong == 0;
  if (wrong > 0)
    result.text += concat_text(wrong, " of ", result.compared, " entries disagree by more than ",
                               options.absolute, " + ", options.relative, "·|numeric|\n");
  return result;
}

GradCheckResult gradgradcheck(const TensorFunction& function, const Tensors& inputs,
                              const GradCheckOptions& options) {
  // The inputs of the gradient function: those of `function`, then a gradient for each output.
  Tensors all = inputs;
  Generator random{1, 0};
  {
    const NoGrad guard;
    for (const Tensor& output : function(inputs))
      all.push_back(
          ops::to_device(ops::normal(random, output.shape(), DType::float64), output.device())
              .set_requires_grad());
  }
  const std::size_t count = inputs.size();
  const auto gradient = [count](const TensorFunction& of, const Tensors& arguments) {
    const bool differentiable = grad_enabled();
    const GradMode mode(true);
    const auto middle = arguments.begin() + static_cast<std::ptrdiff_t>(count);
    const Tensors at(arguments.begin(), middle), weights(middle, arguments.end());
    Tensors wanted;
    for (const Tensor& x : at)
      if (x.requires_grad()) wanted.push_back(x);
    // Differences need the plain gradient only. Its code may differ from the code that records the
    // backward pass, so this tests the two against each other.
    Tensors grads = grad(of(at), wanted, weights, {.create_graph = differentiable});
    for (std::size_t i = 0; i < grads.size(); ++i)
      if (!grads[i].defined())
        grads[i] = Tensor::zeros(wanted[i].shape(), wanted[i].dtype(), wanted[i].device());
    return grads;
  };
  GradCheckOptions second = options;
  if (options.derivative_of)
    second.derivative_of = [&](const Tensors& arguments) {
      return gradient(options.derivative_of, arguments);
    };
  return gradcheck([&](const Tensors& arguments) { return gradient(function, arguments); }, all,
                   second);
}

}  // namespace mini
