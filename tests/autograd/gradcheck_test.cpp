// Runs the gradient checks over the whole catalogue, and tests the checks themselves: every
// function has a row, every row has the special cases, and errors are found.
#include <cmath>
#include <fstream>
#include <map>

#include "autograd/functions.h"
#include "autograd/node.h"
#include "ops/elementwise.h"
#include "tensor/view.h"
#include "tests/support/support.h"
#include "tools/mini_gradcheck/checks.h"

namespace mini {
namespace {

TEST(Catalogue, PassesEveryCheck) {
  std::int64_t checks = 0, entries = 0;
  int cases = 0;
  for (const suite::Row& row : suite::registry()) {
    const suite::Report report = suite::run(row);
    for (const std::string& failure : report.failures) ADD_FAILURE() << failure;
    EXPECT_GE(report.cases, 12) << row.name;
    EXPECT_TRUE(report.smallest) << row.name << ": no case of size " << row.traits.smallest;
    EXPECT_TRUE(report.odd) << row.name << ": no odd extent";
    EXPECT_TRUE(report.strided) << row.name << ": no input that is not contiguous";
    EXPECT_TRUE(report.broadcast || !row.traits.broadcasts)
        << row.name << ": inputs of different shapes";
    checks += report.checks;
    entries += report.entries;
    cases += report.cases;
  }
  std::printf("gradient-check suite: %zu rows, %d cases, %lld checks, %lld entries of Jacobians\n",
              suite::registry().size(), cases, static_cast<long long>(checks),
              static_cast<long long>(entries));
}

// The number of functions that autograd/functions.h declares under each name.
std::map<std::string, int> declared() {
  std::ifstream file(MINI_SOURCE_DIR "/autograd/functions.h");
  std::map<std::string, int> names;
  // A declaration begins its line with "Tensor name(" or "Tensors name(".
  for (std::string line; std::getline(file, line);) {
    const auto space = line.find(' '), bracket = line.find('(');
    const std::string type = line.substr(0, space);
    if ((type == "Tensor" || type == "Tensors") && bracket != std::string::npos)
      ++names[line.substr(space + 1, bracket - space - 1)];
  }
  return names;
}

TEST(Catalogue, EveryFunctionHasARow) {
  const auto functions = declared();
  ASSERT_GT(functions.size(), 60u);
  std::map<std::string, int> rows;
  for (const suite::Row& row : suite::registry()) ++rows[row.name];
  for (const auto& [name, overloads] : functions)
    EXPECT_GE(rows[name], overloads) << name << " has " << overloads << " overloads; add a row to "
                                     << "tools/mini_gradcheck/registry_*.cpp";
  for (const auto& [name, count] : rows)
    EXPECT_TRUE(functions.contains(name))
        << "a row names " << name << ", which autograd/functions.h does not declare";
}

// ── What is wrong is found ───────────────────────────────────────────────────────────────────────
// exp, with factors that make its value, first or second derivative wrong.
Tensor crooked_exp(const Tensor& x, double value, double first, double second) {
  return record("crooked_exp", {x}, ops::unary(Unary::affine, ops::unary(Unary::exp, x), value),
                [=](const Backward&, const Tensor& dy) {
                  if (!grad_enabled()) return Tensors{dy * exp(x.detach()) * first};
                  return Tensors{crooked_exp(x, second, 1, 1) * dy * (first / second)};
                });
}

suite::Report report_on(double value, double first, double second, suite::Traits traits = {}) {
  const suite::Row row{
      "crooked_exp",
      [=](suite::Sampler& s) {
        const auto call = [=](const Tensors& x) { return crooked_exp(x[0], value, first, second); };
        return suite::make_case({s.input(s.shape(1, 2, 6))}, call, [](const suite::Arrays& x) {
          suite::Array y = x[0];
          for (double& v : y.values) v = std::exp(v);
          return y;
        });
      },
      traits,
      {{[] {}, "crooked_exp: "}}};
  return suite::run(row);
}

bool mentions(const suite::Report& report, const std::string& text) {
  return std::any_of(
      report.failures.begin(), report.failures.end(),
      [&](const std::string& failure) { return failure.find(text) != std::string::npos; });
}

TEST(Suite, FindsWrongValues) {
  EXPECT_TRUE(mentions(report_on(1.001, 1.001, 1), "forward float64: error"));
  EXPECT_TRUE(mentions(report_on(1.001, 1.001, 1), "forward float32: error"));
}

TEST(Suite, FindsWrongGradients) {
  const suite::Report report = report_on(1, 1.01, 1);
  EXPECT_TRUE(mentions(report, "gradient: d output 0"));
  EXPECT_FALSE(mentions(report, "forward"));
}

TEST(Suite, FindsAMissingError) {
  const suite::Report report = report_on(1, 1, 1);
  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_EQ(report.failures[0], "crooked_exp error text: expected 'crooked_exp: ', got 'no error'");
}

TEST(Suite, FindsNonlinearityAndGradientsNobodyExpects) {
  EXPECT_TRUE(mentions(report_on(1, 1, 1, {.linear = 1}), "adjoint"));
  EXPECT_TRUE(mentions(report_on(1, 1, 1, {.differentiable = false}), "no gradient"));
  EXPECT_TRUE(mentions(report_on(1, 1, 1, {.exact = true}), "exact"));
}

// ── gradcheck ────────────────────────────────────────────────────────────────────────────────────
Tensor example(const Shape& shape) {
  Generator random{5, 0};
  return ops::normal(random, shape, DType::float64).set_requires_grad();
}

TEST(GradCheck, ReportsWhereAGradientIsWrong) {
  const Tensor x = Tensor::from(std::vector<double>{0, 1}, {2}).set_requires_grad();
  const GradCheckResult result =
      gradcheck([](const Tensors& in) { return Tensors{crooked_exp(in[0], 1, 1.5, 1)}; }, {x});
  EXPECT_FALSE(result.passed);
  EXPECT_EQ(result.compared, 4);
  EXPECT_NEAR(result.error, 0.5, 1e-6);
  EXPECT_EQ(result.text,
            "d output 0 [0] / d input 0 [0]: analytic 1.5, numeric 1\n"
            "d output 0 [1] / d input 0 [1]: analytic 4.07742, numeric 2.71828\n"
            "2 of 4 entries disagree by more than 1e-05 + 0.001·|numeric|\n");
}

TEST(GradCheck, FindsAWrongSecondDerivativeOnly) {
  // d(x²)/dx is right, but its own derivative is missing.
  const TensorFunction f = [](const Tensors& in) {
    const Tensor x = in[0];
    return Tensors{
        record("lost", {x}, ops::unary(Unary::square, x),
               [x](const Backward&, const Tensor& dy) { return Tensors{dy * x.detach() * 2.0}; })};
  };
  EXPECT_TRUE(gradcheck(f, {example({3})}).passed);
  EXPECT_FALSE(gradgradcheck(f, {example({3})}).passed);
}

TEST(GradCheck, TakesViewsAndPutsTheirElementsBack) {
  const Tensor buffer = example({4, 5}).detach();
  const auto before = buffer.to_vector();
  Tensor x = ops::transpose(ops::narrow(buffer, 1, 1, 3), 0, 1);
  x.set_requires_grad();
  const Tensor constant = Tensor::ones({3, 4}, DType::float64);
  const TensorFunction f = [](const Tensors& in) {
    return split(in[0] * in[0] * in[1], std::vector<std::int64_t>{1, 2}, 0);
  };
  const GradCheckResult first = gradcheck(f, {x, constant});
  EXPECT_TRUE(first.passed) << first.text;
  EXPECT_EQ(first.compared, 144);
  EXPECT_TRUE(gradgradcheck(f, {x, constant}).passed);
  EXPECT_EQ(buffer.to_vector(), before);
}

TEST(GradCheck, StraightThroughIsComparedWithWhatIsNamed) {
  const TensorFunction f = [](const Tensors& in) { return Tensors{quantise(in[0])}; };
  const Tensor x = example({4});
  EXPECT_FALSE(gradcheck(f, {x}).passed);
  EXPECT_TRUE(gradcheck(f, {x}, {.derivative_of = [](const Tensors& in) { return in; }}).passed);
}

TEST(GradCheck, RefusesWhatDifferencesCannotJudge) {
  const TensorFunction f = [](const Tensors& in) { return Tensors{exp(in[0])}; };
  EXPECT_EQ(test::error_of([&] { gradcheck(f, {Tensor::zeros({2}).set_requires_grad()}); }),
            "gradcheck: input 0 is float32; differences need float64");
  const Tensor expanded = ops::expand(Tensor::zeros({1}, DType::float64), {3}).set_requires_grad();
  EXPECT_EQ(test::error_of([&] { gradcheck(f, {expanded}); }),
            "gradcheck: input 0 of shape [3] is an expanded view, whose elements cannot change one "
            "by one");
}

}  // namespace
}  // namespace mini
