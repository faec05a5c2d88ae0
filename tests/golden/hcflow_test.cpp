// HCFlow against the official implementation: forward, log-determinant, inverse and all gradients.
#include "models/hcflow/hcflow.h"

#include <array>
#include <cmath>
#include <optional>

#include "autograd/engine.h"
#include "tensor/view.h"
#include "tests/golden/group.h"

namespace mini {
namespace {

class GoldenHcFlow : public test::GoldenTest {
 protected:
  void SetUp() override {
    GoldenTest::SetUp();
    if (IsSkipped()) return;
    golden_.emplace("hcflow", "", GetParam());
    const auto list = [&](const char* key) {  // "1,1"
      const std::string text = golden_->text(key);
      return std::array{std::stoll(text), std::stoll(text.substr(text.find(',') + 1))};
    };
    const std::int64_t behind_split = list("after_flowstep")[0];
    Generator generator{1};
    net_.emplace(models::HcFlowOptions{.steps = golden_->number("K") - behind_split,
                                       .growth = golden_->number("hidden_channels"),
                                       .conditional = {.steps = behind_split,
                                                       .hidden = golden_->number("splitoff_hidden"),
                                                       .features = golden_->number("RRDB_nf"),
                                                       .growth = golden_->number("RRDB_gc"),
                                                       .trunk_blocks0 = list("RRDB_nb")[0],
                                                       .trunk_blocks1 = list("RRDB_nb")[1]}},
                 generator);
    fill();
  }

  // The rule of the golden files, but matrices are near the identity and the scales of
  // convolutions, which have three dimensions, are 0.1·hash.
  void fill() {
    const NoGrad no_grad;
    net_->to(DType::float64);
    for (const auto& [name, tensor] : net_->named_parameters()) {
      const Tensor hash = test::hash_uniform(key(name), tensor.shape(), golden_->salt());
      if (tensor.rank() == 2) {
        const std::int64_t size = tensor.size(0);
        ops::copy(hash * (1 / std::sqrt(static_cast<double>(size))), tensor);
        for (std::int64_t i = 0; i < size; ++i) tensor.data<double>()[i * (size + 1)] += 1;
      } else if (tensor.rank() == 3) {
        ops::copy(hash * 0.1, tensor);
      } else {
        test::fill_golden(key(name), tensor, golden_->salt(), 1);
      }
    }
    net_->to(GetParam());
    net_->to(test::device());
  }

  static std::string key(const std::string& name) { return name.substr(name.find('.') + 1); }

  Tensor leaf(const Tensor& x) const {
    Tensor result = test::on_device(ops::cast(x, GetParam()));
    return result.set_requires_grad();
  }
  Tensor hashed(const std::string& name, const std::string& shaped_like) const {
    return test::hash_uniform(name, golden_->expected(shaped_like).shape(), golden_->salt());
  }
  void compare(const Tensor& x, const std::string& name) const {
    const Tensor flat = x.rank() == 0 ? reshape(x, {1}) : x;
    EXPECT_LT(test::relative_error(ops::cast(flat, DType::float64), golden_->expected(name)),
              tolerance())
        << name;
  }
  void compare_gradients(const std::string& prefix) const {
    for (const auto& [name, parameter] : net_->named_parameters()) {
      const auto reference = golden_->expected(prefix + key(name)).to_vector();
      ASSERT_TRUE(parameter.grad().defined()) << prefix << name;
      const auto [norm, projection] = test::probe(parameter.grad(), key(name), golden_->salt());
      const double off =
          std::max(std::abs(norm - reference[0]), std::abs(projection - reference[1]));
      EXPECT_LE(off, tolerance() * reference[0]) << prefix << name << ", norm " << reference[0];
    }
  }
  double tolerance() const { return GetParam() == DType::float64 ? 1e-9 : 1e-4; }

  std::optional<test::GoldenGroup> golden_;
  std::optional<models::HcFlow> net_;
};

TEST_P(GoldenHcFlow, ForwardMatchesTheOfficialImplementation) {
  const Tensor hr = leaf(hashed("input.hr", "hr") * 0.5 + 0.5);
  const auto result = net_->forward(hr, true);
  compare(result.lr, "lr");
  compare(result.z1, "z1");
  compare(result.z2, "z2");
  compare(result.log_det, "logdet");
  const std::uint64_t salt = golden_->salt();
  const Tensor loss = test::probe_loss(result.lr, "probe.lr", salt) +
                      test::probe_loss(result.z1, "probe.z1", salt) +
                      test::probe_loss(result.z2, "probe.z2", salt) + sum(result.log_det) * 0.01;
  compare(loss, "loss");
  backward(loss);
  compare(hr.grad(), "hr_grad");
  compare_gradients("grad_stat.");
}

TEST_P(GoldenHcFlow, InverseMatchesTheOfficialImplementation) {
  const Tensor lr = leaf(hashed("input.lr", "inv.lr") * 0.5 + 0.5);
  const Tensor eps1 = leaf(hashed("input.eps1", "z1")), eps2 = leaf(hashed("input.eps2", "z2"));
  const Tensor hr = net_->inverse(lr, eps1, eps2);
  compare(hr, "inv.rec");
  const Tensor loss = test::probe_loss(hr, "probe.rec", golden_->salt());
  compare(loss, "inv.loss");
  backward(loss);
  compare(lr.grad(), "inv.lr_grad");
  compare(eps1.grad(), "inv.eps1_grad");
  compare(eps2.grad(), "inv.eps2_grad");
  compare_gradients("inv.grad_stat.");

  const NoGrad no_grad;
  compare(net_->inverse(lr, eps1 * 0.0, eps2 * 0.0), "inv.rec_zero");
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenHcFlow, test::golden_types(), test::golden_type_name);

}  // namespace
}  // namespace mini
