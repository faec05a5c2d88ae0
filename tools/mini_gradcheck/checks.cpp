#include "tools/mini_gradcheck/checks.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "autograd/engine.h"
#include "ops/elementwise.h"
#include "tensor/parallel.h"
#include "tensor/view.h"

namespace mini::suite {
namespace {

Tensors require_grad(const Tensors& tensors) {
  Tensors result;
  for (const Tensor& x : tensors)
    if (x.requires_grad()) result.push_back(x);
  return result;
}

std::string shapes_of(const Case& c) {
  std::string text;
  constexpr const char* letters[] = {"", "p", "s", "e"};  // permuted, sliced, expanded
  for (const Input& input : c.inputs)
    text += concat_text(text.empty() ? "" : " ", input.array.shape,
                        letters[static_cast<int>(input.layout)]);
  return text;
}

std::string describe(const Case& c) {
  return c.parameters.empty() ? shapes_of(c) : shapes_of(c) + ' ' + c.parameters;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// The largest |a - b|, relative to max(1, largest |b|); infinity if a value is not finite.
double error_of(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 1, difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) return INFINITY;
    largest = std::max(largest, std::abs(b[i]));
    difference = std::max(difference, std::abs(a[i] - b[i]));
  }
  return difference / largest;
}

// The same case with integers from -4 to 4 as values.
Case integral(Case c) {
  for (Input& input : c.inputs)
    for (double& value : input.array.values) value = std::round(4 * value);
  return c;
}

class Checker {
 public:
  Checker(const Row& row, Device device, Report& report)
      : row_(row), traits_(row.traits), device_(device), report_(report) {}

  void check_case(const Case& c, std::uint64_t seed) {
    case_ = &c;
    random_ = {seed, 0};
    cover();
    guarded("forward", [&] { forward(); });
    if (traits_.differentiable) {
      guarded("gradient", [&] { gradient(); });
      guarded("gradients agree", [&] { gradients_agree(); });
    } else {
      guarded("no gradient", [&] { no_gradient(); });
    }
    if (traits_.differentiable && traits_.twice) guarded("second order", [&] { second(); });
    for (std::size_t i = 0; i < c.inputs.size(); ++i)
      if (i < 32 && (traits_.linear >> i & 1) != 0 && c.inputs[i].differentiable)
        guarded("adjoint", [&] { adjoint(i); });
    if (traits_.exact) {
      const Case whole = integral(c);
      case_ = &whole;
      guarded("exact", [&] { exact(); });
    }
  }

  void check_error(const ErrorCase& error) {
    std::string text = "no error";
    try {
      error.call();
    } catch (const Error& caught) {
      text = caught.what();
    }
    ++report_.checks;
    if (!text.starts_with(error.starts))
      report_.failures.push_back(
          concat_text(row_.name, " error text: expected '", error.starts, "', got '", text, "'"));
  }

 private:
  Tensors tensors(const std::vector<Input>& inputs, DType dtype) const {
    Tensors result;
    for (const Input& input : inputs) result.push_back(input.tensor(dtype, device_));
    return result;
  }

  // The same inputs, as leaves that can require a gradient.
  Tensors leaves(const std::vector<Input>& inputs, DType dtype) const {
    Tensors result = tensors(inputs, dtype);
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (inputs[i].differentiable && !inputs[i].integer) result[i].set_requires_grad();
    return result;
  }

  template <class F>
  void guarded(const char* check, const F& f) {
    try {
      f();
    } catch (const std::exception& error) {
      fail_case(check, error.what());
    }
  }

  void fail_case(const std::string& check, const std::string& text) {
    report_.failures.push_back(
        concat_text(row_.name, ' ', describe(*case_), ' ', check, ": ", text));
  }

  void expect(bool ok, const std::string& check, const std::string& text) {
    ++report_.checks;
    if (!ok) fail_case(check, text);
  }

  // Compares the shapes and values of outputs with a reference and returns the error.
  double compare(const Tensors& outputs, const Arrays& expected, double tolerance,
                 const std::string& check) {
    expect(outputs.size() == expected.size(), check, "another number of outputs");
    double worst = 0;
    for (std::size_t i = 0; i < std::min(outputs.size(), expected.size()); ++i) {
      const bool same = outputs[i].shape() == expected[i].shape;
      expect(same, check,
             concat_text("shape ", outputs[i].shape(), ", expected ", expected[i].shape));
      if (!same) return INFINITY;
      worst = std::max(worst, error_of(outputs[i].to_vector(), expected[i].values));
    }
    expect(worst <= tolerance, check, concat_text("error ", worst, " above ", tolerance));
    return worst;
  }

  double compare(const Tensors& a, const Tensors& b, double tolerance, const std::string& check) {
    Arrays expected;
    for (const Tensor& x : b) {
      expected.emplace_back(x.shape());
      expected.back().values = x.to_vector();
    }
    return compare(a, expected, tolerance, check);
  }

  void cover() {
    const Case& c = *case_;
    const Shape& first = c.inputs.front().array.shape;
    report_.smallest |= first.numel() == traits_.smallest;
    for (const std::int64_t extent : first) report_.odd |= extent > 1 && extent % 2 == 1;
    for (const Input& input : c.inputs) {
      report_.strided |= !input.tensor(DType::float64).is_contiguous();
      report_.broadcast |= input.array.shape != first;
    }
  }

  Arrays reference(const std::vector<Input>& inputs) const {
    Arrays arrays;
    for (const Input& input : inputs) arrays.push_back(input.array);
    return case_->reference(arrays);
  }

  void forward() {
    std::vector<Input> expanded;
    for (const Input& input : case_->inputs) expanded.push_back(input.expanded());
    for (const auto& inputs : {case_->inputs, expanded}) {
      const Arrays expected = reference(inputs);
      for (const DType dtype : {DType::float64, DType::float32}) {
        const Tensors x = tensors(inputs, dtype);
        const Tensors y = case_->call(x);
        const bool wide = dtype == DType::float64;
        const double error = compare(y, expected, wide ? traits_.tolerance64 : traits_.tolerance32,
                                     concat_text("forward ", dtype));
        if (!wide) report_.forward = std::max(report_.forward, error);
        for (const Tensor& output : y)
          expect(!output.requires_grad(), "forward", "recorded although no input needs it");
        for (std::size_t i = 0; i < x.size(); ++i)
          expect(x[i].to_vector() == inputs[i].array.values, "forward",
                 concat_text("input ", i, " was changed"));
      }
    }
    const NoGrad guard;
    const Tensors x = leaves(case_->inputs, DType::float64);
    for (const Tensor& output : case_->call(x)) {
      // An input that is returned unchanged keeps its place in the graph.
      const bool is_input = std::any_of(x.begin(), x.end(),
                                        [&](const Tensor& input) { return output.is_same(input); });
      expect(is_input || !output.requires_grad(), "forward", "recorded under NoGrad");
    }
  }

  void no_gradient() {
    for (const Tensor& output : case_->call(leaves(case_->inputs, DType::float64)))
      expect(!output.requires_grad(), "no gradient", "the result takes part in differentiation");
  }

  void gradient() {
    GradCheckOptions options;
    options.derivative_of = case_->derivative_of;
    add(gradcheck(case_->call, leaves(case_->inputs, DType::float64), options), report_.gradient,
        "gradient");
  }

  void second() {
    GradCheckOptions options;
    options.derivative_of = case_->derivative_of;
    add(gradgradcheck(case_->call, leaves(case_->inputs, DType::float64), options), report_.second,
        "second order");
  }

  void add(const GradCheckResult& result, double& worst, const char* check) {
    report_.entries += result.compared;
    worst = std::max(worst, result.error);
    expect(result.passed, check, result.text);
  }

  // The gradients of all inputs for given gradients of the outputs.
  Tensors gradients(DType dtype, const Tensors& dy, bool create_graph = false) const {
    const Tensors x = leaves(case_->inputs, dtype);
    const Tensors wanted = require_grad(x);
    Tensors cast;
    for (const Tensor& d : dy) cast.push_back(ops::cast(d, dtype));
    Tensors result = grad(case_->call(x), wanted, cast, {.create_graph = create_graph});
    for (std::size_t i = 0; i < result.size(); ++i)
      if (!result[i].defined()) result[i] = Tensor::zeros(wanted[i].shape(), dtype, device_);
    return result;
  }

  Tensors random_dy(const Draw& draw) {
    Tensors result;
    for (const Array& y : reference(case_->inputs)) {
      const Array dy = generate(y.shape, [&](const Shape&) {
        return static_cast<double>(static_cast<float>(draw(random_)));
      });
      result.push_back(ops::to_device(Tensor::from(dy.values, dy.shape), device_));
    }
    return result;
  }

  void gradients_agree() {
    const Tensors dy = random_dy(uniform(-1, 1));
    const Tensors plain = gradients(DType::float64, dy);
    compare(gradients(DType::float64, dy, true), plain, 1e-11, "gradient under create_graph");
    const Tensors narrow = gradients(DType::float32, dy);
    for (const Tensor& dx : narrow)
      expect(dx.dtype() == DType::float32, "gradient float32", "has another dtype");
    compare(narrow, plain, traits_.gradient32, "gradient float32");
    Tensors packed, expanded;
    for (const Tensor& d : dy) {
      expanded.push_back(ops::expand(Tensor::full({}, 0.5, DType::float64, device_), d.shape()));
      packed.push_back(Tensor::full(d.shape(), 0.5, DType::float64, device_));
    }
    compare(gradients(DType::float64, expanded), gradients(DType::float64, packed), 1e-12,
            "gradient for an expanded dy");
  }

  void adjoint(std::size_t which) {
    // f(x) - f(0) instead of f(x), so that a bias or a shift does not matter.
    const Tensors dy = random_dy(uniform(-1, 1));
    Tensors x = tensors(case_->inputs, DType::float64);
    const Tensors there = case_->call(x);
    Tensors without = x;
    without[which] = Tensor::zeros(x[which].shape(), DType::float64, device_);
    const Tensors base = case_->call(without);
    double left = 0, scale = 1;
    for (std::size_t i = 0; i < dy.size(); ++i) {
      const auto a = there[i].to_vector(), b = base[i].to_vector(), y = dy[i].to_vector();
      left += dot(a, y) - dot(b, y);
      for (std::size_t k = 0; k < y.size(); ++k) scale += std::abs(a[k] * y[k]);
    }
    x[which].set_requires_grad();
    const Tensor dx = grad(case_->call(x), {x[which]}, dy)[0];
    const double right = dx.defined() ? dot(x[which].to_vector(), dx.to_vector()) : 0;
    const double error = std::abs(left - right) / scale;
    report_.adjoint = std::max(report_.adjoint, error);
    expect(error <= 1e-12, "adjoint",
           concat_text("<Ax,y> = ", left, " but <x,A'y> = ", right, " for input ", which));
  }

  // With small integers, float32 represents every product and every sum exactly, in any order.
  void exact() {
    const Arrays expected = reference(case_->inputs);
    const Tensors y = case_->call(tensors(case_->inputs, DType::float32));
    for (std::size_t i = 0; i < y.size(); ++i)
      expect(y[i].to_vector() == expected[i].values, "exact", "forward differs");
    const Tensors dy = random_dy(integers(-4, 4));
    const Tensors narrow = gradients(DType::float32, dy), wide = gradients(DType::float64, dy);
    for (std::size_t i = 0; i < narrow.size(); ++i)
      expect(narrow[i].to_vector() == wide[i].to_vector(), "exact",
             concat_text("gradient ", i, " differs between float32 and float64"));
  }

  const Row& row_;
  const Traits& traits_;
  const Device device_;
  Report& report_;
  const Case* case_ = nullptr;
  Generator random_;
};

// FNV-1a of the name: a row draws the same numbers wherever it is in the registry.
std::uint64_t seed_of(const std::string& name) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char letter : name) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3;
  return hash;
}

}  // namespace

Report run(const Row& row, Device device) {
  // Tensors of a few elements are too small for a second thread.
  const int threads = max_threads();
  set_threads(1);
  Report report;
  report.row = &row;
  Checker checker(row, device, report);
  std::set<std::string> seen;
  const std::uint64_t seed = seed_of(row.name);
  // A case whose shapes have already occurred is drawn again.
  for (int round = 0; report.cases < cases_per_row && round < 10 * cases_per_row; ++round) {
    Sampler sampler(seed, round);
    const Case c = row.sample(sampler);
    if (!seen.insert(shapes_of(c)).second) continue;
    ++report.cases;
    checker.check_case(c, seed + static_cast<std::uint64_t>(round));
  }
  for (const ErrorCase& error : row.errors) checker.check_error(error);
  set_threads(threads);
  return report;
}

}  // namespace mini::suite
