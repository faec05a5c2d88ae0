// Every row of the gradient-check registry on a GPU against the CPU: the same inputs, in the shapes
// of the registry (size 1, odd, not contiguous, broadcast), for the value, the gradient and the
// second-order gradient. Each runs twice on the device, in both orders of threads, and must give
// the same bits.
#include <array>
#include <cmath>
#include <set>

#include "autograd/engine.h"
#include "tensor/parallel.h"
#include "tensor/view.h"
#include "tests/cuda/device.h"
#include "tests/support/support.h"
#include "tools/mini_gradcheck/checks.h"

namespace mini {
namespace {

using CudaRegistry = test::CudaTest;

// The number of cases of a row. Special shapes and memory layouts come first.
constexpr int cases_per_row = 14;

// Named results, on the CPU.
struct Result {
  std::string name;
  std::size_t order;  // of the derivative
  Tensor value;
};
using Results = std::vector<Result>;

enum class Depth { forward, gradient, second_order };

class Computation {
 public:
  Computation(const suite::Case& c, DType dtype, Device device)
      : case_(c), dtype_(dtype), device_(device) {}

  // The values are first rounded to `inputs_as`.
  Results operator()(Depth depth, DType inputs_as) {
    Tensors x, wanted;
    for (const suite::Input& input : case_.inputs) {
      const suite::Input rounded = round_to(input, inputs_as);
      x.push_back(rounded.tensor(dtype_, device_));
      if (depth == Depth::forward || !input.differentiable || input.integer) continue;
      wanted.push_back(x.back().set_requires_grad());
    }
    const Tensors y = case_.call(x);
    keep("output", 0, y);
    if (wanted.empty()) return results_;
    const Tensors dy = random_like(y);
    keep("gradient", 1, grad(y, wanted, dy, {.retain_graph = true}));
    if (depth == Depth::gradient) return results_;

    const Tensors dx = grad(y, wanted, dy, {.create_graph = true});
    keep("recorded gradient", 1, dx);
    Tensors varying;
    for (const Tensor& d : dx)
      if (d.defined() && d.requires_grad()) varying.push_back(d);
    if (!varying.empty())
      keep("second-order gradient", 2, grad(varying, wanted, random_like(varying)));
    return results_;
  }

 private:
  static suite::Input round_to(suite::Input input, DType dtype) {
    if (!input.integer)
      input.array.values =
          ops::cast(Tensor::from(input.array.values, input.array.shape), dtype).to_vector();
    return input;
  }

  Tensors random_like(const Tensors& tensors) {
    Tensors result;
    for (const Tensor& x : tensors) {
      const Tensor values = ops::cast(ops::uniform(random_, x.shape()), DType::bfloat16);
      result.push_back(ops::to_device(ops::cast(values, dtype_), device_));
    }
    return result;
  }

  void keep(const char* name, std::size_t order, const Tensors& tensors) {
    for (std::size_t i = 0; i < tensors.size(); ++i)
      results_.push_back({concat_text(name, ' ', i), order,
                          tensors[i].defined() ? ops::to_device(tensors[i], {}) : Tensor()});
  }

  const suite::Case& case_;
  DType dtype_;
  Device device_;
  Generator random_{17, 0};
  Results results_;
};

// |a - b| / max(|b|, 1) in Euclidean norms.
double distance(const Tensor& a, const Tensor& b) {
  const auto x = a.to_vector(), y = b.to_vector();
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    difference += (x[i] - y[i]) * (x[i] - y[i]);
    norm += y[i] * y[i];
  }
  return std::sqrt(difference) / std::max(1.0, std::sqrt(norm));
}

// The tolerance by order of the derivative. If the registry has a larger tolerance for a row's
// float32 gradients, the row amplifies rounding errors, and two devices may differ as much.
using Tolerance = std::array<double, 3>;

Tolerance tolerance_of(const suite::Row& row, DType dtype) {
  if (dtype == DType::float64) return {1e-10, 1e-10, 1e-10};
  const bool usual = row.traits.gradient32 <= suite::Traits{}.gradient32;
  const double gradient = usual ? 1e-5 : row.traits.gradient32;
  return {1e-5, gradient, gradient};
}

// Returns the number of compared results.
int expect_near(const Results& far, const Results& here, const Tolerance& tolerance,
                const std::string& what) {
  EXPECT_EQ(far.size(), here.size()) << what;
  for (std::size_t i = 0; i < std::min(far.size(), here.size()); ++i) {
    const Tensor &a = far[i].value, &b = here[i].value;
    EXPECT_EQ(a.defined(), b.defined()) << what << ' ' << here[i].name;
    if (!a.defined() || !b.defined()) continue;
    EXPECT_EQ(a.shape(), b.shape()) << what << ' ' << here[i].name;
    const double error = distance(a, b);
    EXPECT_TRUE(error <= tolerance[here[i].order]) << what << ' ' << here[i].name << ": " << error;
  }
  return static_cast<int>(here.size());
}

Results run_on_device(const suite::Case& c, DType dtype, Device device, Depth depth,
                      DType inputs_as, const std::string& what) {
  std::vector<Results> runs;
  test::in_both_orders(device,
                       [&] { runs.push_back(Computation(c, dtype, device)(depth, inputs_as)); });
  for (std::size_t i = 0; i < runs[0].size(); ++i) {
    const Tensor &a = runs[0][i].value, &b = runs[1][i].value;
    EXPECT_TRUE(!a.defined() || test::equal_bits(a, b))
        << what << ' ' << runs[0][i].name << ": other bits";
  }
  return runs[0];
}

template <class F>
void for_each_case(const F& f) {
  // Tensors of a few elements are too small for a second thread.
  const int threads = max_threads();
  set_threads(1);
  for (const suite::Row& row : suite::registry())
    for (int round = 0; round < cases_per_row; ++round) {
      suite::Sampler sampler(row.name.size(), round);
      const suite::Case c = row.sample(sampler);
      std::string what = concat_text(row.name, " round ", round, ' ', c.parameters);
      for (const suite::Input& input : c.inputs) what += concat_text(' ', input.array.shape);
      try {
        f(row, c, what);
      } catch (const std::exception& error) {
        ADD_FAILURE() << what << ": " << error.what();
      }
    }
  set_threads(threads);
}

Depth depth_of(const suite::Row& row) {
  return !row.traits.differentiable ? Depth::forward
         : row.traits.twice         ? Depth::second_order
                                    : Depth::gradient;
}

TEST_F(CudaRegistry, ComputesWhatTheCpuDoes) {
  int compared = 0;
  for_each_case([&](const suite::Row& row, const suite::Case& c, const std::string& what) {
    for (const DType dtype : {DType::float64, DType::float32}) {
      const std::string here = concat_text(what, ' ', dtype);
      const Depth depth = depth_of(row);
      compared += expect_near(run_on_device(c, dtype, device, depth, DType::float32, here),
                              Computation(c, dtype, Device{})(depth, DType::float32),
                              tolerance_of(row, dtype), here);
    }
  });
  std::printf("registry on %s: %zu rows, %d results compared in float64 and float32\n",
              to_string(device).c_str(), suite::registry().size(), compared);
}

// What mini_gradcheck --device does for every row: compares derivatives with differences, both
// computed on the device.
TEST_F(CudaRegistry, PassesTheSuitesChecks) {
  const std::set<std::string> some{"conv2d", "coupling", "dense_block", "matmul", "sample_mixture"};
  for (const suite::Row& row : suite::registry()) {
    if (!some.contains(row.name)) continue;
    const suite::Report report = suite::run(row, device);
    for (const std::string& failure : report.failures) ADD_FAILURE() << failure;
    EXPECT_GE(report.cases, 12) << row.name;
    EXPECT_GT(report.entries, 0) << row.name;
  }
}

// These functions refuse 16-bit types; all others compute in them.
const std::set<std::string> wide_only{"adaptive_resample", "dense_block", "diff_jpeg",
                                      "inverse",           "jpeg_bits",   "log_abs_det",
                                      "sample_mixture"};

// The CPU only stores 16-bit types, so its float32 results are the reference.
TEST_F(CudaRegistry, ComputesInBFloat16) {
  int compared = 0;
  for_each_case([&](const suite::Row& row, const suite::Case& c, const std::string& what) {
    const Depth depth = std::min(depth_of(row), Depth::gradient);
    if (wide_only.contains(row.name)) {
      const std::string text =
          test::error_of([&] { Computation(c, DType::bfloat16, device)(depth, DType::bfloat16); });
      EXPECT_NE(text.find("got bfloat16; cast first"), std::string::npos) << what << ": " << text;
      return;
    }
    compared += expect_near(
        run_on_device(c, DType::bfloat16, device, depth, DType::bfloat16, what + " bfloat16"),
        Computation(c, DType::float32, Device{})(depth, DType::bfloat16), {2e-2, 2e-2, 2e-2},
        what + " bfloat16");
  });
  std::printf("registry on %s: %d results compared in bfloat16\n", to_string(device).c_str(),
              compared);
}

}  // namespace
}  // namespace mini
