#include "models/hcflow/hcflow.h"

#include "autograd/functions.h"

namespace mini::models {
namespace {

// What each level keeps of its channels.
constexpr std::int64_t kept0 = 6, kept1 = 3;
constexpr std::int64_t channels0 = 4 * 3, channels1 = 4 * kept0;

std::pair<Tensor, Tensor> split_at(const Tensor& x, std::int64_t kept) {
  return {narrow(x, 1, 0, kept), narrow(x, 1, kept, x.size(1) - kept)};
}

// What level 0 knows: its own image, and what level 1 saw.
Tensor condition0(const Tensor& y1, const Tensor& feature1) {
  return concat({y1, upsample_nearest(feature1, 2)}, 1);
}

}  // namespace

HcFlow::HcFlow(const HcFlowOptions& options, Generator& generator)
    : detail0_(channels0 - kept0, kept0 + options.conditional.features, options.conditional,
               generator),
      detail1_(channels1 - kept1, kept1, options.conditional, generator) {
  std::int64_t layer = 0;
  const auto next_name = [&layer] { return concat_text("flow.layers.", layer++); };
  for (Level& level : levels_) {
    const std::int64_t channels = layer == 0 ? channels0 : channels1;
    level.haar = std::make_unique<HaarDownsampling>(channels / 4);
    register_module(next_name(), *level.haar);
    for (std::int64_t i = 0; i < options.steps; ++i) {
      level.steps.push_back(
          std::make_unique<FlowStep>(channels, i % 2 == 0, options.growth, generator));
      register_module(next_name(), *level.steps.back());
    }
    ++layer;  // the split has no weights
  }
  register_module("flow.level0_condFlow", detail0_);
  register_module("flow.level1_condFlow", detail1_);
}

Tensor HcFlow::Level::forward(const Tensor& x, Tensor* log_det) const {
  Tensor y = mini::haar(x);
  if (log_det != nullptr) *log_det = *log_det + HaarDownsampling::log_det(x.shape());
  for (const auto& step : steps) y = step->forward(y, log_det);
  return y;
}

Tensor HcFlow::Level::inverse(const Tensor& y) const {
  Tensor x = y;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) x = (*step)->inverse(x);
  return haar_inverse(x);
}

HcFlow::Result HcFlow::forward(const Tensor& hr, bool with_log_det) const {
  check(hr.rank() == 4 && hr.size(1) == 3 && hr.size(2) % 4 == 0 && hr.size(3) % 4 == 0,
        "hcflow: needs an image [N,3,H,W] whose sides are multiples of 4, got ", hr.shape(),
        "; pad or crop it");
  Result result;
  if (with_log_det) result.log_det = Tensor::zeros({hr.size(0)}, hr.dtype(), hr.device());
  Tensor* const log_det = with_log_det ? &result.log_det : nullptr;
  const auto [y1, a1] = split_at(levels_[0].forward(hr, log_det), kept0);
  const auto [lr, a2] = split_at(levels_[1].forward(y1, log_det), kept1);
  const Tensor feature1 = detail1_.feature(lr);
  result.lr = lr;
  result.z2 = detail1_.forward(a2, feature1, log_det);
  result.z1 = detail0_.forward(a1, detail0_.feature(condition0(y1, feature1)), log_det);
  return result;
}

Tensor HcFlow::inverse(const Tensor& lr, const Tensor& z1, const Tensor& z2) const {
  const Tensor feature1 = detail1_.feature(lr);
  const Tensor y1 = levels_[1].inverse(concat({lr, detail1_.inverse(z2, feature1)}, 1));
  const Tensor feature0 = detail0_.feature(condition0(y1, feature1));
  return levels_[0].inverse(concat({y1, detail0_.inverse(z1, feature0)}, 1));
}

}  // namespace mini::models
